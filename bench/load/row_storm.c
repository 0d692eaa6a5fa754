// The log-in storm: `count` accounts sign in, `concurrency` at a time, from connect() to the reflected initial presence;
// then they log out, unmeasured, and other accounts follow in the next round. Two passes over all accounts, unmeasured,
// derive the salted passwords and warm the server: budgets are those of a warm one. --logins says how they sign in: one row each,
// "storm" for the classic way and "storm:sasl2" and "storm:fast" for the others.
#include "load.h"
#include <string.h>

static void warm(uint32_t accounts, int passes) {
  static login_batch batch;
  for (uint32_t done_before = 0; done_before < (uint32_t)passes * accounts; done_before += option.count) {
    uint32_t first = done_before % accounts;
    if (!login_many(&batch, first, option.count, option.concurrency, 300)) die("log-in: %s", batch.why);
    if (!logout_all(first, option.count, 60)) die("log-out took longer than a minute");
  }
}

static void measure(const char *name, uint32_t different) {
  static login_batch batch;
  static histogram all;
  cpu_sample sum_from = {0}, sum_to = {0};
  uint64_t done = 0;
  char fault[200] = "";
  histogram_reset(&all);
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
  report_begin(name);
  report_number("users", option.count);
  report_number("concurrency", option.concurrency);
  report_number("rounds", option.rounds);
  report_cpu(&sum_from, &sum_to, done);
  report_latency("latency", &all);
  report_end(!fault[0], fault);
}

int row_storm(void) {
  uint32_t different = config.users / option.count;
  if (!different) die("a storm of %u needs as many --users", option.count);
  uint32_t accounts = option.count * (different < option.rounds ? different : option.rounds);
  char logins[128], *left = logins;
  snprintf(logins, sizeof logins, "%s", option.logins);
  for (char *login; (login = strsep(&left, ","));) {
    char name[32] = "storm";
    if (!strcmp(login, "classic")) config.login = CLASSIC;
    else if (!strcmp(login, "sasl2")) config.login = SASL2;
    else if (!strcmp(login, "fast")) config.login = TOKEN;
    else die("--logins takes classic, sasl2 and fast");
    if (config.login != CLASSIC) snprintf(name, sizeof name, "storm:%s", login);
    if (config.login == TOKEN) warm(accounts, 1), config.login = FAST; // each account has its token then
    warm(accounts, 2);
    measure(name, different);
  }
  return 0;
}
