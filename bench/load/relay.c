// The yardstick: a server that only copies bytes from one socket to another, one read and one write each, with or without
// TLS. It is what the kernel (and OpenSSL) cost; no server of any kind can cost less on the same load.
//   relay [--port N] [--cert FILE --key FILE] [--fault KIND:N]
// It prints "ready PORT". A client says <hello me='IIIII' to='IIIII'/> and gets <ok/>; from then on its bytes go to its partner.
// --fault breaks every Nth read that is a single message, to prove that the generator sees it:
// drop, duplicate, swap (holds it back until the next to the same client), payload (a byte of the body), from (adds one), to, error.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 100000
typedef struct {
  int fd, me, partner;
  bool ready, greeted;
  SSL *ssl;
  char *out;
  size_t out_size, out_room;
} client;
static client *by_index[CLIENTS];
static SSL_CTX *tls;
static int epoll;
static char buffer[65536], held[65536];
static size_t held_size;
static client *held_for;
static char fault_kind[16];
static unsigned fault_every, reads;

static void fail(const char *what) {
  fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
  exit(2);
}

static void watch(client *c, uint32_t mask, int operation) {
  struct epoll_event e = {.events = mask, .data.ptr = c};
  epoll_ctl(epoll, operation, c->fd, &e);
}

static void gone(client *c) {
  if (c->greeted && by_index[c->me] == c) by_index[c->me] = NULL;
  if (c->ssl) SSL_free(c->ssl);
  close(c->fd);
  free(c->out);
  free(c);
}

static ssize_t put(client *c, const char *at, size_t size) {
  if (c->ssl) {
    int n = SSL_write(c->ssl, at, (int)size);
    if (n <= 0) ERR_clear_error();
    return n > 0 ? n : 0;
  }
  ssize_t n = send(c->fd, at, size, MSG_NOSIGNAL);
  return n > 0 ? n : 0;
}

static void send_to(client *c, const char *at, size_t size) {
  size_t done = c->out_size ? 0 : (size_t)put(c, at, size);
  if (done == size) return;
  if (c->out_size + size > c->out_room) c->out = realloc(c->out, c->out_room = c->out_size + size + 65536);
  memcpy(c->out + c->out_size, at + done, size - done);
  c->out_size += size - done;
  watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void flush(client *c) {
  size_t done = (size_t)put(c, c->out, c->out_size);
  memmove(c->out, c->out + done, c->out_size -= done);
  if (!c->out_size) watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

// Returns whether the bytes were dealt with, wrongly, as asked.
static bool broken(client *to, char *at, size_t size) {
  if (held_size && to == held_for) {
    send_to(to, at, size);
    send_to(to, held, held_size);
    held_size = 0;
    return true;
  }
  if (size > 600 || held_size || ++reads % fault_every) return false;
  char changed[1024], *body = memmem(at, size, "<body>", 6), *end = memmem(at, size, ">", 1), *address = memmem(at, size, " to='", 5);
  if (!body || !end || !address) return false;
  int n = 0;
  if (!strcmp(fault_kind, "drop")) return true;
  else if (!strcmp(fault_kind, "duplicate")) send_to(to, at, size);
  else if (!strcmp(fault_kind, "swap")) memcpy(held, at, held_size = size), held_for = to;
  else if (!strcmp(fault_kind, "payload")) body[30] ^= 1;
  else if (!strcmp(fault_kind, "to")) address[6] = '9';
  else if (!strcmp(fault_kind, "from"))
    n = snprintf(changed, sizeof changed, "%.*s from='mallory@bench.local/x'%.*s", (int)(end - at), at, (int)(size - (size_t)(end - at)), end);
  else if (!strcmp(fault_kind, "error"))
    n = snprintf(changed, sizeof changed, "<message type='error' id='x'><error type='cancel'/></message>");
  if (held_size) return true;
  send_to(to, n ? changed : at, n ? (size_t)n : size);
  return true;
}

static void greet(client *c, char *at, size_t size) {
  at[size < sizeof buffer ? size : size - 1] = 0;
  unsigned me, partner;
  if (sscanf(at, "<hello me='%x' to='%x'/>", &me, &partner) != 2 || me >= CLIENTS || partner >= CLIENTS) {
    gone(c);
    return;
  }
  c->me = (int)me, c->partner = (int)partner, c->greeted = true;
  by_index[me] = c;
  send_to(c, "<ok/>", 5);
}

static void readable(client *c) {
  for (bool more = true; more;) {
    ssize_t n;
    if (c->ssl) {
      n = SSL_read(c->ssl, buffer, sizeof buffer);
      int e = n > 0 ? 0 : SSL_get_error(c->ssl, (int)n);
      ERR_clear_error();
      if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return;
      more = n > 0 && SSL_has_pending(c->ssl);
    } else {
      n = recv(c->fd, buffer, sizeof buffer, 0);
      if (n < 0 && errno == EAGAIN) return;
      more = false;
    }
    if (n <= 0) {
      gone(c);
      return;
    }
    if (!c->greeted) {
      greet(c, buffer, (size_t)n);
      return;
    }
    client *to = by_index[c->partner];
    if (to && !(fault_every && broken(to, buffer, (size_t)n))) send_to(to, buffer, (size_t)n);
  }
}

static void turn(client *c, uint32_t events) {
  if (c->ssl && !c->ready) {
    int n = SSL_accept(c->ssl), e = n == 1 ? 0 : SSL_get_error(c->ssl, n);
    ERR_clear_error();
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return;
    if (e) {
      gone(c);
      return;
    }
    c->ready = true;
    if (!SSL_has_pending(c->ssl)) return;
  }
  if (events & EPOLLOUT && c->out_size) flush(c);
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
}

static void accept_all(int listener) {
  for (int fd, one = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client *c = calloc(1, sizeof *c);
    if (!c) fail("calloc");
    c->fd = fd;
    if (tls) {
      c->ssl = SSL_new(tls);
      SSL_set_fd(c->ssl, fd);
    }
    watch(c, EPOLLIN, EPOLL_CTL_ADD);
  }
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0) fail("listen");
  socklen_t size = sizeof at;
  getsockname(fd, (struct sockaddr *)&at, &size);
  printf("ready %d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void open_tls(const char *cert, const char *key) {
  tls = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 || SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) fail("certificate");
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(tls, 1);
}

int main(int argc, char **argv) {
  const char *cert = NULL, *key = NULL;
  int port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--cert")) cert = argv[i + 1];
    else if (!strcmp(argv[i], "--key")) key = argv[i + 1];
    else if (!strcmp(argv[i], "--fault")) sscanf(argv[i + 1], "%15[a-z]:%u", fault_kind, &fault_every);
  }
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (cert && key) open_tls(cert, key);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on(port);
  client door = {.fd = listener};
  watch(&door, EPOLLIN, EPOLL_CTL_ADD);
  for (struct epoll_event ready[256];;) {
    int n = epoll_wait(epoll, ready, 256, -1);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < n; i++) {
      client *c = ready[i].data.ptr;
      if (c == &door) accept_all(listener);
      else turn(c, ready[i].events);
    }
  }
}
