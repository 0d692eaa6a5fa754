// Presence fan-out: all accounts are online, each with --contacts in its roster, and each goes away and comes back in turn,
// --active of them at a time; who is through makes room for the next. A unit is one presence that arrived: a broadcast makes
// `contacts` of them and the one that the account itself sees. Each bears its sender and number: one that is lost, doubled, out
// of order, from somebody who is no contact or with another state voids the row.
#include "load.h"
#include <stdlib.h>
#include <string.h>

#define MOST_ACTIVE 1000
static uint32_t *order, order_at; // accounts, in random order
static uint32_t *said, *missing;  // by account: broadcasts, and presences of the last one that are still to come
static uint64_t *said_at;
static uint32_t *heard; // by receiver and contact
static uint64_t sent, received;
static uint32_t ready, running;
static bool sending;
static char fault_text[300];

static void fault(connection *to, const char *what, const stanza *s) {
  if (!fault_text[0])
    snprintf(fault_text, sizeof fault_text, "%s at account %u: %.*s from=%.*s %.*s", what, account_of(to), (int)s->name.size, s->name.at,
             (int)s->from.size, s->from.at ? s->from.at : "", (int)(s->inner.size < 100 ? s->inner.size : 100), s->inner.at ? s->inner.at : "");
}

static void broadcast(uint32_t account) {
  char text[256];
  const char *show = said[account] % 2 ? "" : "<show>away</show>";
  int n = snprintf(text, sizeof text, "<presence>%s<status>p%05x-%08x at the well</status><priority>5</priority></presence>", show, account, said[account]);
  said[account]++, sent++, running++;
  missing[account] = config.contacts + 1;
  said_at[account] = now_ns();
  connection_stanza(&connections[account], text, (size_t)n);
}

static bool has_mark(slice status, uint32_t account, uint32_t number) {
  char wanted[32];
  int n = snprintf(wanted, sizeof wanted, "p%05x-%08x at the well", account, number);
  return slice_equal(status, wanted, (size_t)n);
}

static void arrived(connection *to, const stanza *s, uint64_t now) {
  if (!slice_is(s->name, "presence")) {
    if (slice_is(s->type, "error")) fault(to, "error", s);
    return;
  }
  uint32_t from = account_from(s->from);
  if (s->type.size || from == NO_CONTACT) return fault(to, "unexpected", s);
  uint32_t slot = contact_slot(to->index, from);
  slice own = bare_of(to);
  if (slot == NO_CONTACT) return fault(to, "from no contact", s);
  if (s->to.size && !slice_equal(s->to, to->jid, to->jid_size) && !slice_equal(s->to, own.at, own.size)) return fault(to, "wrong to", s);
  uint32_t *number = &heard[(size_t)to->index * (config.contacts + 1) + slot];
  if (!has_mark(xml_text(s->inner, "status"), from, *number)) return fault(to, "lost, doubled, late or changed", s);
  bool away = slice_is(xml_text(s->inner, "show"), "away");
  if (away != (*number % 2 == 0) || !slice_is(xml_text(s->inner, "priority"), "5")) return fault(to, "changed", s);
  ++*number, received++;
  histogram_add(&latency, now - said_at[from]);
  if (--missing[from] == 0) running--, ready++;
}

static void lost(connection *c, const char *why) {
  if (!fault_text[0]) snprintf(fault_text, sizeof fault_text, "account %u lost its connection: %s", c->index, why);
}

static void refill(uint64_t now, uint64_t *wake) {
  (void)now, (void)wake;
  for (; sending && ready; ready--) broadcast(order[order_at++ % config.users]);
}
static bool broken(void) { return fault_text[0]; }
static bool drained(void) { return broken() || running == 0; }
static bool run_for(double seconds) { return !loop_run(broken, refill, now_ns() + (uint64_t)(seconds * 1e9)); }

static void shuffle(void) {
  for (uint32_t i = 0; i < config.users; i++) order[i] = i;
  for (uint32_t i = config.users - 1; i > 0; i--) {
    uint32_t j = (uint32_t)(random_next() % (i + 1)), keep = order[i];
    order[i] = order[j], order[j] = keep;
  }
}

static void prepare(void) {
  uint32_t n = config.users;
  if (!config.contacts || config.resources != 1) die("presence needs --contacts, and one resource");
  if (option.active < 1 || option.active > MOST_ACTIVE || option.active * 2 > n) die("--active takes up to %d, and half of --users", MOST_ACTIVE);
  contacts_open();
  order = must_alloc(n * sizeof *order), said = must_alloc(n * sizeof *said), missing = must_alloc(n * sizeof *missing);
  said_at = must_alloc(n * sizeof *said_at), heard = must_alloc((size_t)n * (config.contacts + 1) * sizeof *heard);
  shuffle();
}

int row_presence(void) {
  static login_batch batch;
  prepare();
  login_stanza = contacts_note;
  if (!login_many(&batch, 0, config.users, option.concurrency, 600)) die("log-in: %s", batch.why);
  fprintf(stderr, "load: %u online\n", batch.done);
  if (!loop_run(contacts_all_seen, NULL, now_ns() + 60000000000u)) die("not everybody has seen all contacts within a minute: are the rosters there?");
  process_find_tree();
  rest(option.settle);
  if (!wait_for_quiet(60)) die("the server is busy a minute after the log-ins");
  handlers = (events){.stanza = arrived, .lost = lost};
  histogram_reset(&latency);
  sending = true, ready = option.active;
  bool well = run_for(option.warm);
  histogram_reset(&latency);
  uint64_t before = received;
  cpu_sample from = process_cpu();
  if (well) run_for(option.seconds);
  cpu_sample to = process_cpu();
  uint64_t units = received - before;
  static histogram seen;
  seen = latency;
  sending = false;
  loop_run(drained, NULL, now_ns() + (uint64_t)(option.drain * 1e9));
  if (!broken() && running) snprintf(fault_text, sizeof fault_text, "%llu presences never arrived", (unsigned long long)(sent * (config.contacts + 1) - received));
  if (!broken() && !sm_settle(option.drain)) snprintf(fault_text, sizeof fault_text, "%s", sm_fault);
  report_begin("presence");
  report_number("users", config.users);
  report_number("contacts", config.contacts);
  report_number("active", option.active);
  report_cpu(&from, &to, units);
  report_latency("latency", &seen);
  report_number("sent", (double)sent);
  report_number("received", (double)received);
  report_end(!broken(), fault_text);
  logout_all(0, config.users, 60);
  return 0;
}
