// Idle sessions: `count` accounts sign in, fetch their roster, send presence and are silent. Memory of all the server's
// processes before and after, and the CPU it takes to do nothing. With --contacts everybody must have seen his contacts, with
// --sm the server's requests are answered all the time.
#include "load.h"

static uint32_t lost_count;
static char lost_why[200];
static void lost(connection *c, const char *why) {
  if (lost_count++ == 0) snprintf(lost_why, sizeof lost_why, "account %u: %s", c->index, why);
}
static void unasked(connection *c, const stanza *s, uint64_t now) { contacts_note(c, s, now); }

int row_idle(void) {
  static login_batch batch;
  if (option.count > config.users) die("%u sessions need as many --users", option.count);
  if (config.contacts && option.count != config.users) die("with --contacts all --users come online");
  contacts_open();
  login_stanza = contacts_note;
  memory_sample empty = process_memory();
  uint32_t warm = option.count < 100 ? option.count : 100; // what the first log-ins load is not a session's
  if (!login_many(&batch, 0, warm, option.concurrency, 60)) die("log-in: %s", batch.why);
  logout_all(0, warm, 60);
  contacts_forget();
  rest(option.settle);
  memory_sample before = process_memory();
  if (!login_many(&batch, 0, option.count, option.concurrency, 600)) die("log-in: %s", batch.why);
  handlers = (events){.lost = lost, .stanza = unasked};
  rest(option.settle);
  memory_sample settled = process_memory();
  process_find_tree();
  cpu_sample from = process_cpu();
  rest(option.seconds);
  cpu_sample to = process_cpu();
  memory_sample after = process_memory();
  if (!lost_count && !contacts_all_seen()) lost_count = 1, snprintf(lost_why, sizeof lost_why, "not everybody has seen all contacts");
  if (!lost_count && !sm_settle(10)) lost_count = 1, snprintf(lost_why, sizeof lost_why, "%s", sm_fault);
  report_begin("idle");
  report_number("users", option.count);
  report_cpu(&from, &to, option.count);
  report_number("rss_empty_kb", (double)empty.rss_kb);
  report_number("rss_before_kb", (double)before.rss_kb);
  report_number("rss_settled_kb", (double)settled.rss_kb);
  report_number("rss_after_kb", (double)after.rss_kb);
  report_number("session_settled_kb", ((double)settled.rss_kb - (double)before.rss_kb) / option.count);
  report_number("session_kb", ((double)after.rss_kb - (double)before.rss_kb) / option.count);
  report_number("processes", after.processes);
  report_number("threads", after.threads);
  report_end(!lost_count, lost_why);
  logout_all(0, option.count, 60);
  return 0;
}
