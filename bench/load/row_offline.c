// Chat to accounts that are offline. Two rows:
//   keep   --senders accounts write --messages to each of --count others, who are offline: eight messages and an iq ping, and on
//          its answer the next eight. From the first message until the server is quiet again, so that what it writes to its store
//          later is in it; a unit is a message.
//   hand   these others have signed in and have their rosters; now they send their presence, --concurrency at a time, and get
//          what waited. Until the server is quiet again; a unit is a message that arrived.
// Then they all sign in once more, and nothing may come. Each message arrives once, in order, with a <delay/>, its payload as it was.
// A first round of it all is unmeasured.
#include "load.h"
#include <stdlib.h>
#include <string.h>

#define BATCH 8
typedef struct {
  uint32_t next, sent; // of this sender's messages: next in the round of its receivers
} sender;
static flow *flows; // one a receiver: receiver k is account k, the senders come behind
static sender *senders;
static uint32_t each, finished, first_sender; // messages a receiver, senders that are through
static uint32_t started, present, *waiting;
static uint64_t *began;
static histogram handed; // from a presence to the last message
static char fault_text[300];

static void note_fault(const char *what) {
  if (!fault_text[0]) snprintf(fault_text, sizeof fault_text, "%s", what);
}
static bool broken(void) { return fault_text[0] || traffic_faults(); }
static void lost(connection *c, const char *why) {
  char text[200];
  snprintf(text, sizeof text, "account %u lost its connection: %s", c->index, why);
  note_fault(text);
}

static uint32_t receivers_of(uint32_t s) { return (option.count - s + option.senders - 1) / option.senders; }

static void next_batch(uint32_t s) {
  static const char format[] = "<iq type='get' id='fence' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>";
  char text[256];
  uint32_t total = receivers_of(s) * each;
  if (senders[s].sent == total) {
    finished++;
    return;
  }
  for (int i = 0; i < BATCH && senders[s].sent < total; i++, senders[s].sent++)
    traffic_send(&flows[s + senders[s].sent % receivers_of(s) * option.senders], now_ns());
  int n = snprintf(text, sizeof text, format, config.domain);
  connection_stanza(&connections[first_sender + s], text, (size_t)n);
}

static void at_sender(connection *c, const stanza *s, uint64_t now) {
  if (c->index < first_sender || !slice_is(s->name, "iq") || !slice_is(s->id, "fence")) {
    traffic_receive(c, s, now); // an error, say
    return;
  }
  if (!slice_is(s->type, "result")) note_fault("no answer to a ping");
  else next_batch(c->index - first_sender);
}

static bool all_kept(void) { return broken() || finished == option.senders; }

static bool keep(uint32_t messages) {
  each = messages, finished = 0;
  memset(senders, 0, option.senders * sizeof *senders);
  handlers = (events){.stanza = at_sender, .lost = lost};
  for (uint32_t s = 0; s < option.senders; s++) next_batch(s);
  if (!loop_run(all_kept, NULL, now_ns() + 300000000000u)) note_fault("not all was written within five minutes");
  if (!broken() && !wait_for_quiet(60)) note_fault("the server is busy a minute after the last message");
  return !broken();
}

static void at_receiver(connection *c, const stanza *s, uint64_t now) {
  if (c->index >= first_sender) return at_sender(c, s, now);
  bool own = slice_is(s->name, "presence") && slice_equal(s->from, c->jid, c->jid_size) && !s->type.size;
  if (!own && !traffic_receive(c, s, now)) return;
  if (--waiting[c->index]) return;
  present++;
  histogram_add(&handed, now - began[c->index]);
}

static void next_receiver(uint64_t now, uint64_t *wake) {
  (void)wake;
  for (; started < option.count && started - present < option.concurrency; started++) {
    waiting[started] = each + 1; // and its own presence
    began[started] = now;
    connection_stanza(&connections[started], "<presence/>", 11);
  }
}
static bool all_present(void) { return broken() || present == option.count; }

static void sign_in(bool silent) {
  static login_batch batch;
  config.silent = silent;
  if (!login_many(&batch, 0, option.count, option.concurrency, 300)) die("log-in: %s", batch.why);
}

// The receivers must have signed in silently.
static bool hand_over(void) {
  started = present = 0;
  handlers = (events){.stanza = at_receiver, .lost = lost};
  bool in_time = loop_run(all_present, next_receiver, now_ns() + 120000000000u);
  if (!in_time) {
    char text[100];
    snprintf(text, sizeof text, "%llu of %llu messages arrived", (unsigned long long)traffic.received, (unsigned long long)traffic.sent);
    note_fault(text);
  }
  if (!broken() && !wait_for_quiet(60)) note_fault("the server is busy a minute after the last message");
  return !broken();
}

static void report(const char *name, const cpu_sample *from, const cpu_sample *to, const histogram *seen) {
  if (traffic_faults()) note_fault(traffic.first_fault);
  report_begin(name);
  report_number("users", option.count);
  report_number("active", option.senders);
  report_cpu(from, to, (uint64_t)option.count * each);
  if (seen) report_latency("latency", seen);
  report_number("sent", (double)traffic.sent);
  report_number("received", (double)traffic.received);
  report_end(!fault_text[0], fault_text);
}

static void note_again(connection *c, const stanza *s, uint64_t now) {
  if (slice_is(s->name, "message")) note_fault("a message came a second time");
  (void)c, (void)now;
}

// Reported is what was measured at the end of it all, so that what comes twice voids both rows.
static void round_of(uint32_t messages, bool measured) {
  traffic_reset();
  process_find_tree();
  cpu_sample keep_from = process_cpu();
  bool well = keep(messages);
  cpu_sample keep_to = process_cpu(), hand_from = keep_to, hand_to = keep_to;
  if (well) {
    sign_in(true);
    if (!wait_for_quiet(60)) note_fault("the server is busy a minute after the log-ins");
    histogram_reset(&handed);
    fputs("load: handing over\n", stderr);
    hand_from = process_cpu();
    well = hand_over();
    hand_to = process_cpu();
    logout_all(0, option.count, 60);
  }
  if (well) {
    login_stanza = note_again;
    sign_in(false);
    wait_for_quiet(60);
    login_stanza = NULL;
    logout_all(0, option.count, 60);
  }
  if (!measured && !broken()) return;
  report("keep", &keep_from, &keep_to, NULL);
  if (well) report("hand", &hand_from, &hand_to, &handed);
}

static void prepare(void) {
  static login_batch batch;
  uint32_t all = option.count + option.senders;
  if (!option.senders || option.senders > option.count || all > config.users) die("%u receivers and %u senders need as many --users", option.count, option.senders);
  if (option.messages < 1 || option.messages > RING) die("--messages takes 1 to %d", RING);
  first_sender = option.count;
  flows = must_alloc(option.count * sizeof *flows);
  senders = must_alloc(option.senders * sizeof *senders);
  waiting = must_alloc(option.count * sizeof *waiting);
  began = must_alloc(option.count * sizeof *began);
  sign_in(false); // once, so that the accounts are known to the server, and their passwords to us; what an earlier run left comes now
  process_find_tree();
  wait_for_quiet(60);
  logout_all(0, option.count, 60);
  if (!login_many(&batch, first_sender, option.senders, option.concurrency, 60)) die("log-in: %s", batch.why);
  feature_required(&connections[first_sender], "msgoffline");
  for (uint32_t k = 0; k < option.count; k++) {
    char *bare = must_alloc(64);
    snprintf(bare, 64, "%s%05u@%s", config.user_prefix, k, config.domain);
    flows[k] = (flow){.from = first_sender + k % option.senders, .to = k, .bare = bare};
  }
  traffic_setup(flows, option.count);
}

int row_offline(void) {
  if (config.resources != 1) die("offline takes one resource");
  prepare();
  process_find_tree();
  round_of(option.messages, false);
  if (!broken()) round_of(option.messages, true);
  logout_all(first_sender, option.senders, 60);
  return 0;
}
