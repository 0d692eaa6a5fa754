// Many log-ins and log-outs, a bounded number at a time.
#include "load.h"
#include <string.h>

connection *connections;
static login_batch *batch;
static uint32_t first_account, running, closing;

static void fail_one(const char *why) {
  if (batch->failed++ == 0) snprintf(batch->why, sizeof batch->why, "%s", why);
}

static void came_online(connection *c, uint64_t now) {
  running--;
  batch->done++;
  histogram_add(&batch->latency, now - c->started);
}

static void lost_at_login(connection *c, const char *why) {
  char text[200];
  snprintf(text, sizeof text, "account %u: %s", c->index, why);
  running--;
  fail_one(text);
}

// An account that is online already may get stanzas while others sign in: most rows are not concerned with them yet.
void (*login_stanza)(connection *c, const stanza *s, uint64_t now);
static void ignore_stanza(connection *c, const stanza *s, uint64_t now) { (void)c, (void)s, (void)now; }

static void start_more(uint64_t now, uint64_t *wake) {
  (void)now, (void)wake;
  for (int burst = 0; burst < 64 && batch->next < batch->wanted && running < batch->concurrency; burst++) {
    running++;
    connection_start(&connections[first_account + batch->next++]);
  }
  if (batch->next < batch->wanted && running < batch->concurrency) *wake = now;
}

static bool all_done(void) { return batch->done + batch->failed == batch->wanted || batch->failed > 0; }

bool login_many(login_batch *b, uint32_t first, uint32_t count, uint32_t concurrency, double timeout_s) {
  memset(b, 0, sizeof *b);
  b->wanted = count, b->concurrency = concurrency;
  batch = b, first_account = first, running = 0;
  handlers = (events){.online = came_online, .lost = lost_at_login, .stanza = login_stanza ? login_stanza : ignore_stanza};
  bool in_time = loop_run(all_done, start_more, now_ns() + (uint64_t)(timeout_s * 1e9));
  if (!in_time) snprintf(b->why, sizeof b->why, "only %u of %u signed in within %.0f s", b->done, count, timeout_s);
  return in_time && b->failed == 0;
}

static void went(connection *c) { (void)c, closing--; }
static void went_badly(connection *c, const char *why) { (void)c, (void)why, closing--; }
static bool all_gone(void) { return closing == 0; }

bool logout_all(uint32_t first, uint32_t count, double timeout_s) {
  handlers = (events){.closed = went, .lost = went_badly, .stanza = ignore_stanza};
  closing = 0;
  for (uint32_t i = first; i < first + count; i++)
    if (connections[i].phase != CLOSED) closing++;
  for (uint32_t i = first; i < first + count; i++) connection_close(&connections[i]);
  bool gone = loop_run(all_gone, NULL, now_ns() + (uint64_t)(timeout_s * 1e9));
  for (uint32_t i = first; i < first + count; i++) connection_drop(&connections[i]);
  return gone;
}

void rest(double seconds) { loop_run(NULL, NULL, now_ns() + (uint64_t)(seconds * 1e9)); }

bool wait_for_quiet(double timeout_s) {
  uint64_t deadline = now_ns() + (uint64_t)(timeout_s * 1e9);
  for (int quiet = 0; quiet < 2;) {
    if (now_ns() > deadline) return false;
    cpu_sample from = process_cpu();
    rest(0.2);
    cpu_sample to = process_cpu();
    quiet = to.server_cpu - from.server_cpu < (to.at - from.at) / 100 ? quiet + 1 : 0;
  }
  return true;
}
