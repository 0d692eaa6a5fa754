// Sockets, TLS and the loop. Level-triggered epoll, one shared read buffer, each send its own write with TCP_NODELAY.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536
#define LARGEST_ITEM 1048576

static int epoll = -1;
static SSL_CTX *tls;
static struct sockaddr_in target;
static char *buffer;
char cipher_seen[96];

uint32_t account_of(const connection *c) { return c->index / config.resources; }
bool is_primary(const connection *c) { return c->index % config.resources == 0; }
slice bare_of(const connection *c) {
  const char *slash = memchr(c->jid, '/', c->jid_size);
  return (slice){c->jid, slash ? (size_t)(slash - c->jid) : c->jid_size};
}

void loop_open(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll: %s", strerror(errno));
  buffer = must_alloc(LARGEST_ITEM + READ_SIZE);
  target.sin_family = AF_INET;
  target.sin_port = htons((uint16_t)config.port);
  if (inet_pton(AF_INET, config.host, &target.sin_addr) != 1) die("--host takes an IPv4 address");
  if ((ntohl(target.sin_addr.s_addr) >> 24) != 127) die("--host must be a loopback address");
  if (config.transport == PLAIN) return;
  tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  if (!SSL_CTX_set_ciphersuites(tls, config.cipher)) die("no such cipher suite: %s", config.cipher);
  if (!SSL_CTX_set1_groups_list(tls, "X25519")) die("no X25519");
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  if (config.ca && SSL_CTX_load_verify_locations(tls, config.ca, NULL) != 1) die("cannot read --ca %s", config.ca);
}

static void want(connection *c, uint32_t mask, int operation) {
  struct epoll_event e = {.events = mask, .data.ptr = c};
  if (epoll_ctl(epoll, operation, c->fd, &e) < 0) die("epoll_ctl: %s", strerror(errno));
}

static void release(connection *c) {
  if (c->ssl) SSL_free(c->ssl);
  if (c->fd >= 0) close(c->fd);
  free(c->in), free(c->out), free(c->scram);
  c->in = c->out = NULL, c->scram = NULL, c->ssl = NULL;
  c->in_size = c->in_room = c->out_at = c->out_size = c->out_room = 0;
  c->sm = false;
  c->fd = -1, c->phase = CLOSED, c->encrypted = c->writable_wanted = false;
}

void connection_drop(connection *c) {
  if (c->phase != CLOSED) release(c);
}

static void ended(connection *c, const char *why) {
  bool asked = c->phase == CLOSING;
  release(c);
  if (asked) {
    if (handlers.closed) handlers.closed(c);
  } else handlers.lost(c, why);
}

void connection_start(connection *c) {
  int one = 1;
  c->started = now_ns();
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket: %s (file descriptors?)", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (config.sources > 1) { // many clients come from many addresses: 127.77.0.1 and up
    uint32_t n = account_of(c) % (uint32_t)config.sources;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f4d0001u + (n / 250 << 8) + n % 250)};
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind: %s", strerror(errno));
  }
  c->phase = CONNECTING;
  if (connect(c->fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) {
    ended(c, strerror(errno));
    return;
  }
  want(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
  c->writable_wanted = true;
}

static void keep_unsent(connection *c, const char *at, size_t size) {
  if (c->out_size + size > c->out_room) {
    c->out_room = (uint32_t)(c->out_size + size + 4096);
    c->out = must_realloc(c->out, c->out_room);
  }
  memcpy(c->out + c->out_size, at, size);
  c->out_size += (uint32_t)size;
  if (!c->writable_wanted) {
    c->writable_wanted = true;
    want(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
}

// How many bytes went out; -1 if the connection is gone.
static ssize_t write_some(connection *c, const char *at, size_t size) {
  if (c->encrypted) {
    int n = SSL_write(c->ssl, at, (int)size);
    if (n > 0) return n;
    int e = SSL_get_error(c->ssl, n);
    ERR_clear_error();
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  ssize_t n = send(c->fd, at, size, MSG_NOSIGNAL);
  return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

void connection_send(connection *c, const char *at, size_t size) {
  if (c->phase == CLOSED) return;
  size_t done = 0;
  if (c->out_size == 0)
    while (done < size) {
      ssize_t n = write_some(c, at + done, size - done);
      if (n < 0) return; // the read side reports it
      if (n == 0) break;
      done += (size_t)n;
    }
  if (done < size) keep_unsent(c, at + done, size - done);
}

void connection_close(connection *c) {
  if (c->phase == CLOSED || c->phase == CLOSING) return;
  if (config.relay || c->phase < WAIT_FEATURES) {
    c->phase = CLOSING;
    ended(c, "");
    return;
  }
  connection_send(c, "</stream:stream>", 16);
  c->phase = CLOSING;
}

static void begin_tls(connection *c) {
  c->ssl = SSL_new(tls);
  if (!c->ssl) die("SSL_new failed");
  SSL_set_fd(c->ssl, c->fd);
  SSL_set_tlsext_host_name(c->ssl, config.domain);
  if (config.ca && !cipher_seen[0]) { // the chain is checked once: checking it each time would cost only the generator
    SSL_set1_host(c->ssl, config.domain);
    SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
  }
  SSL_set_connect_state(c->ssl);
  c->phase = HANDSHAKE;
}

static void handshake(connection *c) {
  int n = SSL_do_handshake(c->ssl);
  if (n == 1) {
    c->encrypted = true;
    if (!cipher_seen[0]) snprintf(cipher_seen, sizeof cipher_seen, "%s %s", SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl));
    login_start(c);
    return;
  }
  int e = SSL_get_error(c->ssl, n);
  if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return;
  char text[200];
  unsigned long code = ERR_get_error();
  snprintf(text, sizeof text, "TLS handshake: %s", code ? ERR_reason_error_string(code) : "closed");
  ERR_clear_error();
  ended(c, text);
}

static void connected(connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) {
    ended(c, strerror(error));
    return;
  }
  if (config.transport == DIRECT_TLS) {
    begin_tls(c);
    handshake(c);
  } else login_start(c);
}

static void writable(connection *c) {
  while (c->out_at < c->out_size) {
    ssize_t n = write_some(c, c->out + c->out_at, c->out_size - c->out_at);
    if (n <= 0) return;
    c->out_at += (uint32_t)n;
  }
  c->out_at = c->out_size = 0;
  if (c->phase == HANDSHAKE) return;
  c->writable_wanted = false;
  want(c, EPOLLIN, EPOLL_CTL_MOD);
}

// Hands whole items on and returns how many bytes they took; an item may close the connection or begin TLS.
static size_t hand_on(connection *c, const char *at, size_t size, uint64_t now) {
  size_t used = 0;
  while (used < size && c->phase != CLOSED) {
    size_t length = 0;
    enum item kind = xml_next(at + used, size - used, &length);
    if (kind == ITEM_PARTIAL) break;
    if (kind == ITEM_BAD) {
      ended(c, "unreadable XML from the server");
      break;
    }
    const char *item = at + used;
    used += length;
    if (kind == ITEM_SKIP) continue;
    if (kind == ITEM_CLOSE) {
      ended(c, "the server closed the stream");
      break;
    }
    if (kind == ITEM_STANZA && c->phase == WAIT_PROCEED) {
      if (length < 8 || memcmp(item, "<proceed", 8)) ended(c, "STARTTLS refused");
      else {
        begin_tls(c);
        handshake(c);
      }
      break;
    }
    if (c->sm && kind == ITEM_STANZA) {
      if (sm_item(c, item, length)) continue;
      c->sm_in++;
    }
    if (c->phase == ONLINE && kind == ITEM_STANZA) {
      stanza s;
      if (xml_stanza(item, length, &s)) handlers.stanza(c, &s, now);
      else ended(c, "unreadable stanza");
    } else login_item(c, kind, item, length, now);
  }
  return used;
}

static void readable(connection *c) {
  for (;;) {
    size_t have = c->in_size;
    if (have) memcpy(buffer, c->in, have);
    ssize_t n;
    bool more = false;
    if (c->encrypted) {
      n = SSL_read(c->ssl, buffer + have, READ_SIZE);
      if (n <= 0) {
        int e = SSL_get_error(c->ssl, (int)n);
        ERR_clear_error();
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return;
        n = 0;
      }
      more = n > 0 && SSL_has_pending(c->ssl);
    } else {
      n = recv(c->fd, buffer + have, READ_SIZE, 0);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    }
    if (n <= 0) {
      ended(c, n < 0 ? strerror(errno) : "closed by the server");
      return;
    }
    size_t size = have + (size_t)n;
    size_t used = hand_on(c, buffer, size, now_ns());
    if (c->phase == CLOSED) return;
    if (c->phase == HANDSHAKE) {
      c->in_size = 0; // nothing can follow <proceed/>
      return;
    }
    size_t left = size - used;
    if (left > LARGEST_ITEM) {
      ended(c, "an item of more than 1 MiB");
      return;
    }
    if (left > c->in_room) c->in = must_realloc(c->in, c->in_room = (uint32_t)left + 1024);
    if (left) memcpy(c->in, buffer + used, left);
    else if (c->in) free(c->in), c->in = NULL, c->in_room = 0;
    c->in_size = (uint32_t)left;
    if (!more) return;
  }
}

static void turn(connection *c, uint32_t mask) {
  if (c->phase == CONNECTING) {
    if (mask & (EPOLLOUT | EPOLLERR | EPOLLHUP)) connected(c);
    if (c->phase == CLOSED || c->phase == HANDSHAKE) return;
  }
  if (c->phase == HANDSHAKE) {
    handshake(c);
    if (c->phase == HANDSHAKE || c->phase == CLOSED) {
      if (c->phase == HANDSHAKE && c->writable_wanted) {
        c->writable_wanted = false;
        want(c, EPOLLIN, EPOLL_CTL_MOD);
      }
      return;
    }
  }
  if (mask & EPOLLOUT) writable(c);
  if (c->phase != CLOSED && mask & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
}

bool loop_run(bool (*done)(void), void (*tick)(uint64_t, uint64_t *), uint64_t deadline) {
  struct epoll_event ready[256];
  for (;;) {
    uint64_t now = now_ns(), wake = deadline;
    if (tick) tick(now, &wake);
    if (done && done()) return true;
    now = now_ns();
    if (now >= deadline) return false;
    if (wake > deadline) wake = deadline;
    uint64_t rest = wake > now ? wake - now : 0;
    struct timespec pause = {.tv_sec = (time_t)(rest / 1000000000u), .tv_nsec = (long)(rest % 1000000000u)};
    int n = epoll_pwait2(epoll, ready, 256, &pause, NULL);
    if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
      connection *c = ready[i].data.ptr;
      if (c->phase != CLOSED) turn(c, ready[i].events);
    }
  }
}
