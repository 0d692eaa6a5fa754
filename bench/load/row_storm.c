// The log-in storm: `count` accounts sign in, `concurrency` at a time, from connect() to the reflected initial presence;
// then they log out, unmeasured, and other accounts follow in the next round. Two passes over all accounts, unmeasured,
// derive the salted passwords and warm the server: budgets are those of a warm one.
#include "load.h"
#include <string.h>

static void rest(double seconds) { loop_run(NULL, NULL, now_ns() + (uint64_t)(seconds * 1e9)); }

int row_storm(void) {
  static login_batch batch;
  static histogram all;
  cpu_sample sum_from = {0}, sum_to = {0};
  uint64_t done = 0;
  char fault[200] = "";
  uint32_t different = config.users / option.count;
  if (!different) die("a storm of %u needs as many --users", option.count);
  uint32_t warm = option.count * (different < option.rounds ? different : option.rounds);
  for (uint32_t done_before = 0; done_before < 2 * warm; done_before += option.count) {
    uint32_t first = done_before % warm;
    if (!login_many(&batch, first, option.count, option.concurrency, 300)) die("log-in: %s", batch.why);
    if (!logout_all(first, option.count, 60)) die("log-out took longer than a minute");
  }
  for (uint32_t round = 0; round < option.rounds && !fault[0]; round++) {
    uint32_t first = round % different * option.count;
    rest(option.settle);
    process_find_tree();
    cpu_sample from = process_cpu();
    if (!login_many(&batch, first, option.count, option.concurrency, 300)) snprintf(fault, sizeof fault, "%s", batch.why);
    rest(0.3); // what the server puts off belongs to the log-ins too
    cpu_sample to = process_cpu();
    sum_to.at += to.at - from.at, sum_to.server_cpu += to.server_cpu - from.server_cpu, sum_to.own_cpu += to.own_cpu - from.own_cpu;
    sum_to.all_cpu += to.all_cpu - from.all_cpu, sum_to.steal_cpu += to.steal_cpu - from.steal_cpu;
    done += batch.done;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) all.bucket[i] += batch.latency.bucket[i];
    all.count += batch.latency.count;
    if (batch.latency.max > all.max) all.max = batch.latency.max;
    logout_all(first, option.count, 60);
  }
  report_begin("storm");
  report_number("users", option.count);
  report_number("concurrency", option.concurrency);
  report_number("rounds", option.rounds);
  report_cpu(&sum_from, &sum_to, done);
  report_latency("latency", &all);
  report_end(!fault[0], fault);
  return 0;
}
