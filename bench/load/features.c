// Whether a server has what a row is about: disco#info of the host and of the account, XEP-0030 section 3.
#include "load.h"
#include <string.h>

static const char *wanted;
static int answers;
static bool found, refused;
static char lost_why[200];

static void answered(connection *c, const stanza *s, uint64_t now) {
  char quoted[2][128];
  (void)c, (void)now;
  if (!slice_is(s->name, "iq") || s->id.size < 6 || memcmp(s->id.at, "disco-", 6)) return;
  answers++;
  if (!slice_is(s->type, "result")) refused = true;
  for (int i = 0; i < 2; i++) {
    snprintf(quoted[i], sizeof quoted[i], i ? "var=\"%s\"" : "var='%s'", wanted);
    if (s->inner.size && memmem(s->inner.at, s->inner.size, quoted[i], strlen(quoted[i]))) found = true;
  }
}

static void lost(connection *c, const char *why) {
  (void)c;
  snprintf(lost_why, sizeof lost_why, "%s", why);
}
static bool done(void) { return answers == 2 || lost_why[0]; }

void feature_required(connection *c, const char *name) {
  char text[256];
  slice own = bare_of(c);
  wanted = name, answers = 0, found = refused = false;
  handlers = (events){.stanza = answered, .lost = lost};
  for (int i = 0; i < 2; i++) {
    slice to = i ? own : (slice){config.domain, strlen(config.domain)};
    int n = snprintf(text, sizeof text, "<iq type='get' id='disco-%d' to='%.*s'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", i,
                     (int)to.size, to.at);
    connection_stanza(c, text, (size_t)n);
  }
  if (!loop_run(done, NULL, now_ns() + 10000000000u)) die("disco#info: no answer in 10 s");
  if (lost_why[0]) die("disco#info: %s", lost_why);
  if (!found) die("the server does not offer %s%s", name, refused ? " (an answer was an error)" : "");
}
