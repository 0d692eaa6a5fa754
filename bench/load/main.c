#include "load.h"
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

settings config = {.host = "127.0.0.1", .domain = "bench.local", .user_prefix = "u", .password = "correct horse", .resource = "load",
                   .port = 5222, .sources = 250, .users = 100, .resources = 1, .ack_every = 5, .cipher = "TLS_AES_256_GCM_SHA384"};
options option = {.rows = "alone/64,window:16/50,paced:1000", .active = 50, .turn = 64, .count = 1000, .concurrency = 64, .rounds = 3,
                  .warm = 2, .seconds = 8, .settle = 1, .drain = 10, .logins = "classic", .senders = 50, .messages = 40};
events handlers;

static const char usage[] =
    "usage: load chat|storm|idle|presence|offline|delay --port N [options]\n"
    "  --host 127.0.0.1    --domain bench.local   --tls none|starttls|direct   --ca FILE   --cipher SUITE\n"
    "  --users N           accounts u00000 and up that exist (chat: all of them come online)\n"
    "  --password TEXT     --scram-cache FILE     --pid N (each root process of the server; its children are found)\n"
    "  --sources N         spread over so many loopback source addresses (250)\n"
    "  --concurrency N     log-ins at a time (64) --seed N   --relay (the yardstick instead of an XMPP server)\n"
    "chat:  --rows alone/64,window:16/50,paced:1000   --pairs N (users / 2)   --active N (50)   --turn N (64)\n"
    "       --warm S (2) --seconds S (8)          --settle S (1)   --mix full|short   --drain S (10)\n"
    "storm: --count N (1000)  --rounds N (3)      idle: --count N  --seconds S  --settle S\n"
    "         --logins classic,sasl2,fast\n"
    "every: --sm (--ack-every N (5))  --carbons   --contacts N (each roster's, see contacts.c)   --resources N (1)\n"
    "presence: --active N (50)   offline: --count N --senders N (50) --messages N (40)   delay: --count N --rounds N (3)\n"
    "One JSON line a row on standard output.\n";

enum { HOST = 256, PORT, DOMAIN, TLS, CA, CIPHER, USERS, PASSWORD, SCRAM_CACHE, PID, SOURCES, CONCURRENCY, SEED, RELAY, ROWS, PAIRS, ACTIVE,
       TURN, WARM, SECONDS, SETTLE, COUNT, ROUNDS, MIX, DRAIN, LOGINS, SM, ACK_EVERY, CARBONS, CONTACTS, RESOURCES, SENDERS, MESSAGES };
static const struct option known[] = {
    {"host", 1, 0, HOST}, {"port", 1, 0, PORT}, {"domain", 1, 0, DOMAIN}, {"tls", 1, 0, TLS}, {"ca", 1, 0, CA}, {"cipher", 1, 0, CIPHER},
    {"users", 1, 0, USERS}, {"password", 1, 0, PASSWORD}, {"scram-cache", 1, 0, SCRAM_CACHE}, {"pid", 1, 0, PID}, {"sources", 1, 0, SOURCES},
    {"concurrency", 1, 0, CONCURRENCY}, {"seed", 1, 0, SEED}, {"relay", 0, 0, RELAY}, {"rows", 1, 0, ROWS}, {"pairs", 1, 0, PAIRS},
    {"active", 1, 0, ACTIVE}, {"turn", 1, 0, TURN}, {"warm", 1, 0, WARM}, {"seconds", 1, 0, SECONDS}, {"settle", 1, 0, SETTLE},
    {"count", 1, 0, COUNT}, {"rounds", 1, 0, ROUNDS}, {"mix", 1, 0, MIX}, {"drain", 1, 0, DRAIN},
    {"logins", 1, 0, LOGINS}, {"sm", 0, 0, SM}, {"ack-every", 1, 0, ACK_EVERY}, {"carbons", 0, 0, CARBONS}, {"contacts", 1, 0, CONTACTS},
    {"resources", 1, 0, RESOURCES}, {"senders", 1, 0, SENDERS}, {"messages", 1, 0, MESSAGES}, {0}};

static uint32_t whole(const char *name, const char *text) {
  char *end;
  long n = strtol(text, &end, 10);
  if (*end || n < 0 || n > 10000000) die("--%s takes a whole number, not %s", name, text);
  return (uint32_t)n;
}

static double seconds(const char *name, const char *text) {
  char *end;
  double n = strtod(text, &end);
  if (*end || n < 0 || n > 3600) die("--%s takes seconds up to 3600, not %s", name, text);
  return n;
}

static enum transport transport_of(const char *text) {
  if (!strcmp(text, "none")) return PLAIN;
  if (!strcmp(text, "starttls")) return STARTTLS;
  if (!strcmp(text, "direct")) return DIRECT_TLS;
  die("--tls takes none, starttls or direct");
}

static void parse(int argc, char **argv, const char **cache, uint64_t *seed) {
  for (int which, at = 0; (which = getopt_long(argc, argv, "", known, &at)) != -1;) {
    const char *name = which >= HOST ? known[at].name : "";
    switch (which) {
    case HOST: config.host = optarg; break;
    case PORT: config.port = (int)whole(name, optarg); break;
    case DOMAIN: config.domain = optarg; break;
    case TLS: config.transport = transport_of(optarg); break;
    case CA: config.ca = optarg; break;
    case CIPHER: config.cipher = optarg; break;
    case USERS: config.users = whole(name, optarg); break;
    case PASSWORD: config.password = optarg; break;
    case SCRAM_CACHE: *cache = optarg; break;
    case PID: process_add_root((int)whole(name, optarg)); break;
    case SOURCES: config.sources = (int)whole(name, optarg); break;
    case CONCURRENCY: option.concurrency = whole(name, optarg); break;
    case SEED: *seed = whole(name, optarg); break;
    case RELAY: config.relay = true; break;
    case ROWS: option.rows = optarg; break;
    case PAIRS: option.pairs = whole(name, optarg); break;
    case ACTIVE: option.active = whole(name, optarg); break;
    case TURN: option.turn = whole(name, optarg); break;
    case WARM: option.warm = seconds(name, optarg); break;
    case SECONDS: option.seconds = seconds(name, optarg); break;
    case SETTLE: option.settle = seconds(name, optarg); break;
    case COUNT: option.count = whole(name, optarg); break;
    case ROUNDS: option.rounds = whole(name, optarg); break;
    case DRAIN: option.drain = seconds(name, optarg); break;
    case LOGINS: option.logins = optarg; break;
    case SM: config.sm = true; break;
    case ACK_EVERY: config.ack_every = whole(name, optarg); break;
    case CARBONS: config.carbons = true; break;
    case CONTACTS: config.contacts = whole(name, optarg); break;
    case RESOURCES: config.resources = whole(name, optarg); break;
    case SENDERS: option.senders = whole(name, optarg); break;
    case MESSAGES: option.messages = whole(name, optarg); break;
    case MIX:
      option.short_only = !strcmp(optarg, "short");
      if (!option.short_only && strcmp(optarg, "full")) die("--mix takes full or short");
      break;
    default: fputs(usage, stderr), exit(2);
    }
  }
}

int main(int argc, char **argv) {
  const char *cache = NULL;
  uint64_t seed = 1;
  if (argc < 2 || argv[1][0] == '-') fputs(usage, stderr), exit(2);
  const char *what = argv[1];
  parse(argc - 1, argv + 1, &cache, &seed);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1); // the default of 50 µs would make every paced message late
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (config.users == 0 || config.users > 99999) die("--users takes 1 to 99999");
  if (config.resources < 1 || config.resources > MOST_RESOURCES) die("--resources takes 1 to %d", MOST_RESOURCES);
  uint32_t all = config.users * config.resources;
  if (all + 64 > files.rlim_max && strcmp(what, "storm")) die("%u connections need more than the %lu file descriptors allowed", all, (unsigned long)files.rlim_max);
  if (config.sources < 1 || config.sources > 60000) die("--sources takes 1 to 60000");
  if (!option.pairs) option.pairs = config.users / 2;
  random_seed(seed);
  connections = must_alloc(all * sizeof *connections);
  for (uint32_t i = 0; i < all; i++) connections[i].index = i, connections[i].fd = -1;
  scram_cache_open(cache, config.users);
  loop_open();
  int code = 2;
  if (!strcmp(what, "chat")) code = row_chat();
  else if (!strcmp(what, "storm")) code = row_storm();
  else if (!strcmp(what, "idle")) code = row_idle();
  else if (!strcmp(what, "presence")) code = row_presence();
  else if (!strcmp(what, "offline")) code = row_offline();
  else if (!strcmp(what, "delay")) code = row_delay();
  else fputs(usage, stderr);
  scram_cache_close();
  return code;
}
