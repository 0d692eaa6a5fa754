// One-to-one chat. All rows of a run share one log-in: `users` accounts come online, `pairs` random pairs of them talk.
//   alone/A      A pairs play ping-pong: one message in flight a pair
//   window:W/A   A senders keep W messages in flight; each is its own write
//   paced:R      R messages a second over all pairs, evenly spaced, each pair and direction drawn at random
// Without /A, --active says how many. With more pairs than active ones, a slot changes to the next pair after `turn` messages, so that the server looks up
// accounts that are not hot; the window stays full meanwhile.
// With --resources N and --carbons each account is online N times; its first resource talks, and every message is copied to the
// others on both sides (XEP-0280). With --sm all of them acknowledge (XEP-0198), and at the end the server must have.
#include "load.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
  uint32_t pair, in_turn, credit; // credit: messages that arrived and are to be followed by as many
} slot;
enum mode { ALONE, WINDOW, PACED };
#define MOST_ACTIVE 10000

static flow *flows; // two a pair: 2k there, 2k + 1 back
static slot *slots;
static uint32_t *slot_of_pair, *order, order_at, slot_count, active;
static uint32_t *owing, owing_count; // slots with credit
static enum mode mode;
static double rate;
static uint32_t window;
static bool sending;
static uint64_t next_due, step_ns;
static histogram lateness;
static char lost_why[240];

// The accounts in random order; neighbours are a pair.
static void pair_up(void) {
  for (uint32_t i = 0; i < config.users; i++) order[i] = i * config.resources;
  for (uint32_t i = config.users - 1; i > 0; i--) {
    uint32_t j = (uint32_t)(random_next() % (i + 1)), keep = order[i];
    order[i] = order[j], order[j] = keep;
  }
  for (uint32_t i = 0; i + 1 < config.users; i += 2) {
    connections[order[i]].partner = order[i + 1];
    connections[order[i + 1]].partner = order[i];
  }
}

static void take_pair(uint32_t s) {
  slots[s].pair = order_at++ % option.pairs;
  slots[s].in_turn = 0;
  slot_of_pair[slots[s].pair] = s;
}

static void send_for(slot *s, uint64_t now) {
  if (option.turn && option.pairs > slot_count && s->in_turn >= option.turn) take_pair((uint32_t)(s - slots));
  s->in_turn++;
  traffic_send(&flows[2 * s->pair], now);
}

static void arrived(connection *to, const stanza *what, uint64_t now) {
  flow *f = traffic_receive(to, what, now);
  if (!f || !sending) return;
  uint32_t index = (uint32_t)(f - flows);
  slot *s = &slots[slot_of_pair[index / 2]];
  if (mode == WINDOW && s->credit++ == 0) owing[owing_count++] = (uint32_t)(s - slots);
  if (mode == ALONE) {
    if (index % 2 == 0) traffic_send(f + 1, now); // the answer
    else s->in_turn++, send_for(s, now);
  }
}

static void lost(connection *c, const char *why) {
  if (!lost_why[0]) snprintf(lost_why, sizeof lost_why, "account %u lost its connection: %s", account_of(c), why);
}

// Refills the windows in rounds, one message a slot, as independent clients would.
static void refill(void) {
  while (owing_count) {
    uint32_t left = 0, round = owing_count;
    for (uint32_t i = 0; i < round; i++) {
      slot *s = &slots[owing[i]];
      send_for(s, now_ns());
      if (--s->credit) owing[left++] = owing[i];
    }
    owing_count = left;
  }
}

static void pace(uint64_t now, uint64_t *wake) {
  if (!sending || mode == ALONE) return;
  if (mode == WINDOW) return refill();
  for (int burst = 0; now >= next_due && burst < 256; burst++) {
    flow *f = &flows[random_next() % (2 * option.pairs)];
    if (f->next_send - f->next_receive >= RING) {
      snprintf(lost_why, sizeof lost_why, "%d messages of one pair in flight: the server does not keep up", RING);
      sending = false;
      return;
    }
    uint64_t at = now_ns();
    histogram_add(&lateness, at - next_due);
    traffic_send(f, at);
    next_due += step_ns;
  }
  *wake = next_due;
}

static uint64_t copies_due(void) { return config.carbons ? traffic.sent * 2 * (config.resources - 1) : 0; }
static bool broken(void) { return lost_why[0] || sm_fault[0] || traffic_faults(); }
static bool drained(void) { return broken() || (traffic.received == traffic.sent && traffic.copies == copies_due()); }
static bool run_for(double seconds) { return !loop_run(broken, pace, now_ns() + (uint64_t)(seconds * 1e9)); }

static void begin(void) {
  traffic_reset();
  histogram_reset(&lateness);
  lost_why[0] = 0;
  sending = true, order_at = 0, owing_count = 0;
  memset(slots, 0, MOST_ACTIVE * sizeof *slots);
  uint64_t now = now_ns();
  if (mode == PACED) {
    step_ns = (uint64_t)(1e9 / rate), next_due = now;
    return;
  }
  slot_count = active < option.pairs ? active : option.pairs;
  for (uint32_t s = 0; s < slot_count; s++) take_pair(s);
  for (uint32_t i = 0; i < (mode == WINDOW ? window : 1); i++)
    for (uint32_t s = 0; s < slot_count; s++) send_for(&slots[s], now_ns());
}

static void report(const char *name, const cpu_sample *from, const cpu_sample *to, uint64_t units, const histogram *seen) {
  char fault[512] = "";
  if (lost_why[0]) snprintf(fault, sizeof fault, "%s", lost_why);
  else if (traffic_faults()) snprintf(fault, sizeof fault, "%s", traffic.first_fault);
  else if (sm_fault[0]) snprintf(fault, sizeof fault, "%s", sm_fault);
  else if (traffic.received != traffic.sent)
    snprintf(fault, sizeof fault, "%llu messages never arrived", (unsigned long long)(traffic.sent - traffic.received));
  else if (traffic.copies != copies_due())
    snprintf(fault, sizeof fault, "%llu copies never arrived", (unsigned long long)(copies_due() - traffic.copies));
  report_begin(name);
  report_number("users", config.users);
  report_number("pairs", option.pairs);
  report_number("active", mode == PACED ? option.pairs : slot_count);
  report_cpu(from, to, units);
  report_latency("latency", seen);
  if (mode == PACED) report_latency("late", &lateness);
  report_number("sent", (double)traffic.sent);
  report_number("received", (double)traffic.received);
  report_number("lost", (double)(traffic.sent - traffic.received));
  report_number("duplicate", (double)traffic.duplicate);
  report_number("copies", (double)traffic.copies);
  report_number("asked", (double)sm_count.asked);
  report_number("acked", (double)sm_count.acked);
  report_number("answered", (double)sm_count.answered);
  report_number("faults", (double)traffic_faults());
  report_end(!fault[0], fault);
}

static bool one_row(const char *name) {
  handlers = (events){.stanza = arrived, .lost = lost};
  process_find_tree();
  begin();
  bool well = run_for(option.warm);
  histogram_reset(&latency);
  histogram_reset(&lateness);
  uint64_t before = traffic.received;
  cpu_sample from = process_cpu();
  if (mode == PACED) next_due = now_ns();
  well = well && run_for(option.seconds);
  cpu_sample to = process_cpu();
  uint64_t units = traffic.received - before;
  static histogram seen;
  seen = latency;
  sending = false;
  loop_run(drained, NULL, now_ns() + (uint64_t)(option.drain * 1e9));
  if (!broken()) sm_settle(option.drain);
  report(name, &from, &to, units, &seen);
  return well && !broken();
}

// NAME[:NUMBER][/ACTIVE]
static void parse_row(const char *text) {
  char name[16] = "";
  double number = 0;
  const char *slash = strchr(text, '/');
  active = slash ? (uint32_t)atoi(slash + 1) : option.active;
  if (active < 1 || active > MOST_ACTIVE) die("%s: 1 to %d active pairs", text, MOST_ACTIVE);
  sscanf(text, "%15[a-z]:%lf", name, &number);
  if (!strcmp(name, "alone")) mode = ALONE;
  else if (!strcmp(name, "window") && number >= 1 && number < RING) mode = WINDOW, window = (uint32_t)number;
  else if (!strcmp(name, "paced") && number > 0) mode = PACED, rate = number;
  else die("no such chat row: %s (alone/64, window:16/50, paced:1000)", text);
}

int row_chat(void) {
  if (option.pairs * 2 > config.users) die("%u pairs need %u users", option.pairs, option.pairs * 2);
  order = must_alloc(config.users * sizeof *order);
  slots = must_alloc(MOST_ACTIVE * sizeof *slots);
  owing = must_alloc(MOST_ACTIVE * sizeof *owing);
  slot_of_pair = must_alloc(option.pairs * sizeof *slot_of_pair);
  flows = must_alloc(2 * option.pairs * sizeof *flows);
  pair_up();
  static login_batch batch;
  if (!login_many(&batch, 0, config.users * config.resources, option.concurrency, 600)) die("log-in: %s", batch.why);
  fprintf(stderr, "load: %u online\n", batch.done);
  for (uint32_t k = 0; k < option.pairs; k++) {
    flows[2 * k] = (flow){.from = order[2 * k], .to = order[2 * k + 1]};
    flows[2 * k + 1] = (flow){.from = order[2 * k + 1], .to = order[2 * k]};
  }
  traffic_setup(flows, 2 * option.pairs);
  if (config.carbons) feature_required(&connections[0], "urn:xmpp:carbons:2");
  rest(option.settle);
  char rows[256], *rest = rows;
  snprintf(rows, sizeof rows, "%s", option.rows);
  for (char *name; (name = strsep(&rest, ","));) {
    parse_row(name);
    if (!one_row(name)) break; // after a fault nothing that follows can be trusted
  }
  logout_all(0, config.users * config.resources, 60);
  return 0;
}
