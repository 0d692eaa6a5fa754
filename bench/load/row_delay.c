// How long somebody who is online waits while `count` accounts sign in, all at once: his ping is due every two milliseconds, and
// timed from when it was due, whether or not the one before was answered. He is a process of his own, before others in turn, so
// that the generator's own work (a thousand handshakes) is not what he waits for.
#include "load.h"
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERY_NS 2000000u
#define KEPT 65536u // pings in flight at most
typedef struct {
  atomic_bool ready, measuring, stop;
  atomic_uint_fast64_t sent, answered; // of those that were due while it was measured
  histogram waits;
  char fault[200];
} shared;
static shared *common;
static uint64_t *due_at; // by number; 0: was not measured
static uint32_t number;
static uint64_t due;

static void answered(connection *c, const stanza *s, uint64_t now) {
  uint32_t which;
  char id[24] = "";
  (void)c;
  if (!slice_is(s->name, "iq") || s->id.size >= sizeof id) return;
  memcpy(id, s->id.at, s->id.size);
  if (sscanf(id, "ping-%u", &which) != 1 || which >= number) return;
  uint64_t *at = &due_at[which % KEPT];
  if (!slice_is(s->type, "result")) snprintf(common->fault, sizeof common->fault, "a ping was refused");
  if (!*at) return;
  histogram_add(&common->waits, now - *at);
  common->answered++;
  *at = 0;
}

static void lost(connection *c, const char *why) {
  (void)c;
  snprintf(common->fault, sizeof common->fault, "who pinged lost his connection: %s", why);
}

static void ping(uint64_t now, uint64_t *wake) {
  char text[160];
  for (; due <= now; due += EVERY_NS) {
    uint64_t *at = &due_at[number % KEPT];
    if (*at) snprintf(common->fault, sizeof common->fault, "%u pings in flight", KEPT);
    *at = common->measuring ? due : 0;
    if (*at) common->sent++;
    int n = snprintf(text, sizeof text, "<iq type='get' id='ping-%u' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", number++, config.domain);
    connection_send(&connections[config.users - 1], text, (size_t)n);
  }
  *wake = due;
}
static bool stopped(void) { return common->stop || common->fault[0]; }

static void patient(void) {
  static login_batch batch;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setpriority(PRIO_PROCESS, 0, -10)) fputs("load: not root: the pings wait for their turn like all others\n", stderr);
  due_at = must_alloc(KEPT * sizeof *due_at);
  loop_open();
  if (!login_many(&batch, config.users - 1, 1, 1, 60)) snprintf(common->fault, sizeof common->fault, "log-in: %.150s", batch.why);
  common->ready = true;
  handlers = (events){.stanza = answered, .lost = lost};
  due = now_ns();
  loop_run(stopped, ping, UINT64_MAX);
  logout_all(config.users - 1, 1, 5);
  _exit(0);
}

static bool is_ready(void) { return common->ready; }
static bool is_answered(void) { return common->fault[0] || common->answered == common->sent; }

static void storm(login_batch *batch, bool measured, cpu_sample *sum) {
  rest(option.settle);
  common->measuring = measured;
  cpu_sample from = process_cpu();
  if (!login_many(batch, 0, option.count, option.count, 300)) snprintf(common->fault, sizeof common->fault, "log-in: %.150s", batch->why);
  cpu_sample to = process_cpu();
  common->measuring = false;
  for (int i = 0; i < 600 && !is_answered(); i++) rest(0.1);
  sum->at += to.at - from.at, sum->server_cpu += to.server_cpu - from.server_cpu, sum->own_cpu += to.own_cpu - from.own_cpu;
  sum->all_cpu += to.all_cpu - from.all_cpu, sum->steal_cpu += to.steal_cpu - from.steal_cpu;
  logout_all(0, option.count, 60);
}

int row_delay(void) {
  static login_batch batch;
  cpu_sample none = {0}, warm = {0}, sum = {0};
  if (option.count + 1 > config.users) die("%u accounts and the one that pings need as many --users", option.count);
  common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (common == MAP_FAILED) die("out of memory");
  pid_t child = fork();
  if (child < 0) die("fork failed");
  if (child == 0) patient();
  loop_run(is_ready, NULL, now_ns() + 1000000u);
  for (int i = 0; i < 600 && !common->ready; i++) rest(0.1);
  process_find_tree();
  for (uint32_t round = 0; round < option.rounds && !common->fault[0]; round++) storm(&batch, false, &warm);
  for (uint32_t round = 0; round < option.rounds && !common->fault[0]; round++) storm(&batch, true, &sum);
  if (!common->fault[0] && !is_answered()) snprintf(common->fault, sizeof common->fault, "%u pings were never answered", (unsigned)(common->sent - common->answered));
  common->stop = true;
  waitpid(child, NULL, 0);
  report_begin("delay");
  report_number("users", option.count);
  report_number("active", option.count);
  report_cpu(&none, &sum, (uint64_t)option.count * option.rounds);
  report_latency("latency", &common->waits);
  report_number("sent", (double)common->sent);
  report_end(!common->fault[0], common->fault);
  return 0;
}
