// The client's side of stream management, XEP-0198 sections 3 and 4, as clients do it: a request of the server is answered at
// once in a write of its own, and a request of ours rides behind every fifth stanza (--ack-every).
#include "load.h"
#include <stdlib.h>
#include <string.h>

#define LARGEST 4096
char sm_fault[200];
sm_tally sm_count;
static const char request[] = "<r xmlns='urn:xmpp:sm:3'/>";

static void ask(connection *c) {
  c->sm_unasked = 0;
  sm_count.asked++;
}

void connection_stanza(connection *c, const char *at, size_t size) {
  static char both[LARGEST + sizeof request];
  if (c->sm) {
    c->sm_out++;
    if (++c->sm_unasked >= config.ack_every && size <= LARGEST) {
      memcpy(both, at, size);
      memcpy(both + size, request, sizeof request - 1);
      at = both, size += sizeof request - 1;
      ask(c);
    }
  }
  connection_send(c, at, size);
}

static void fault(const connection *c, const char *what, const char *at, size_t size) {
  if (!sm_fault[0])
    snprintf(sm_fault, sizeof sm_fault, "account %u: %s (%u sent, %u acknowledged): %.*s", account_of(c), what, c->sm_out, c->sm_acked,
             (int)(size < 100 ? size : 100), at);
}

bool sm_item(connection *c, const char *at, size_t size) {
  if (size < 4 || (at[2] != ' ' && at[2] != '/' && at[2] != '>')) {
    if (size > 7 && !memcmp(at, "<failed", 7)) fault(c, "stream management failed", at, size);
    return false;
  }
  if (at[1] == 'r') {
    char text[64];
    int n = snprintf(text, sizeof text, "<a xmlns='urn:xmpp:sm:3' h='%u'/>", c->sm_in);
    sm_count.answered++;
    connection_send(c, text, (size_t)n);
    return true;
  }
  if (at[1] != 'a') return false;
  const char *h = memmem(at, size, " h=", 3);
  uint32_t count = h ? (uint32_t)strtoul(h + 4, NULL, 10) : 0;
  if (!h || count - c->sm_acked > c->sm_out - c->sm_acked) fault(c, "an acknowledgement of what was never sent", at, size);
  c->sm_acked = count;
  sm_count.acked++;
  return true;
}

static uint32_t settled_below, total;
static bool settled(void) {
  if (sm_fault[0]) return true;
  while (settled_below < total && (!connections[settled_below].sm || connections[settled_below].sm_acked == connections[settled_below].sm_out))
    settled_below++;
  return settled_below == total;
}

bool sm_settle(double timeout_s) {
  if (!config.sm) return true;
  settled_below = 0, total = config.users * config.resources;
  for (uint32_t i = 0; i < total; i++) {
    connection *c = &connections[i];
    if (!c->sm || c->sm_acked == c->sm_out) continue;
    ask(c);
    connection_send(c, request, sizeof request - 1);
  }
  bool in_time = loop_run(settled, NULL, now_ns() + (uint64_t)(timeout_s * 1e9));
  if (!in_time) fault(&connections[settled_below], "never acknowledged", "", 0);
  return !sm_fault[0];
}
