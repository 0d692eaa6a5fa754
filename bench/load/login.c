// From a ready transport to the reflected initial presence: RFC 6120 sections 4, 5, 6 and 7, RFC 6121 sections 2 and 4.
// Nothing is pipelined: each step waits for the answer to the one before.
#include "load.h"
#include <stdlib.h>
#include <string.h>

static void fail(connection *c, const char *why, const char *at, size_t size) {
  char text[300];
  snprintf(text, sizeof text, "%s: %.*s", why, (int)(size > 200 ? 200 : size), at);
  connection_drop(c);
  handlers.lost(c, text);
}

static void header(connection *c) {
  char text[256];
  int n = snprintf(text, sizeof text,
                   "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xml:lang='en' xmlns='jabber:client' "
                   "xmlns:stream='http://etherx.jabber.org/streams'>", config.domain);
  connection_send(c, text, (size_t)n);
}

void login_start(connection *c) {
  if (config.relay) {
    char text[64];
    uint32_t partner = c->partner;
    int n = snprintf(text, sizeof text, "<hello me='%05x' to='%05x'/>", c->index, partner);
    c->phase = WAIT_RELAY;
    c->jid_size = (uint8_t)snprintf(c->jid, sizeof c->jid, "%s%05u@%s/%s", config.user_prefix, c->index, config.domain, config.resource);
    connection_send(c, text, (size_t)n);
    return;
  }
  c->phase = WAIT_FEATURES;
  header(c);
}

static bool contains(const char *at, size_t size, const char *what) { return memmem(at, size, what, strlen(what)) != NULL; }
static bool starts(const char *at, size_t size, const char *with) {
  size_t n = strlen(with);
  return size >= n && !memcmp(at, with, n);
}

static void features(connection *c, const char *at, size_t size) {
  char text[512], first[300];
  if (config.transport == STARTTLS && !c->encrypted) {
    if (!contains(at, size, "urn:ietf:params:xml:ns:xmpp-tls")) return fail(c, "no STARTTLS offered", at, size);
    static const char starttls[] = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    c->phase = WAIT_PROCEED;
    connection_send(c, starttls, sizeof starttls - 1);
    return;
  }
  if (!contains(at, size, ">SCRAM-SHA-1<")) return fail(c, "SCRAM-SHA-1 is not offered", at, size);
  char user[64];
  snprintf(user, sizeof user, "%s%05u", config.user_prefix, c->index);
  c->scram = must_alloc(sizeof *c->scram);
  size_t n = scram_first(c->scram, user, first, sizeof first);
  int size_of = snprintf(text, sizeof text, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>%.*s</auth>", (int)n, first);
  c->phase = WAIT_CHALLENGE;
  connection_send(c, text, (size_t)size_of);
}

static void challenge(connection *c, const char *at, size_t size) {
  stanza s;
  char text[1024], answer[900];
  if (!starts(at, size, "<challenge") || !xml_stanza(at, size, &s)) return fail(c, "no challenge", at, size);
  size_t n = scram_final(c->scram, c->index, config.password, s.inner, answer, sizeof answer);
  if (!n) return fail(c, "a challenge that is not SCRAM's", at, size);
  int size_of = snprintf(text, sizeof text, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%.*s</response>", (int)n, answer);
  c->phase = WAIT_SUCCESS;
  connection_send(c, text, (size_t)size_of);
}

static void success(connection *c, const char *at, size_t size) {
  stanza s;
  if (!starts(at, size, "<success") || !xml_stanza(at, size, &s)) return fail(c, "not signed in", at, size);
  if (!scram_verify(c->scram, s.inner)) return fail(c, "the server's signature is wrong", at, size);
  free(c->scram);
  c->scram = NULL;
  c->phase = WAIT_BIND_FEATURES;
  header(c);
}

static void bound(connection *c, const char *at, size_t size, const stanza *s) {
  slice jid = xml_text(s->inner, "jid");
  if (!slice_is(s->id, "bind") || !slice_is(s->type, "result") || !jid.at || jid.size >= sizeof c->jid) return fail(c, "not bound", at, size);
  memcpy(c->jid, jid.at, jid.size);
  c->jid[jid.size] = 0;
  c->jid_size = (uint8_t)jid.size;
  static const char roster[] = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";
  c->phase = WAIT_ROSTER;
  connection_send(c, roster, sizeof roster - 1);
}

void login_item(connection *c, enum item kind, const char *at, size_t size, uint64_t now) {
  stanza s;
  if (kind == ITEM_OPEN || c->phase == CLOSING) return;
  if (starts(at, size, "<stream:error") || !xml_stanza(at, size, &s)) return fail(c, "stream error", at, size);
  switch (c->phase) {
  case WAIT_RELAY:
    c->phase = ONLINE;
    handlers.online(c, now);
    return;
  case WAIT_FEATURES: features(c, at, size); return;
  case WAIT_CHALLENGE: challenge(c, at, size); return;
  case WAIT_SUCCESS: success(c, at, size); return;
  case WAIT_BIND_FEATURES: {
    char text[256];
    if (!contains(at, size, "urn:ietf:params:xml:ns:xmpp-bind")) return fail(c, "no bind offered", at, size);
    int n = snprintf(text, sizeof text, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>", config.resource);
    c->phase = WAIT_BIND;
    connection_send(c, text, (size_t)n);
    return;
  }
  case WAIT_BIND:
    if (slice_is(s.name, "iq")) bound(c, at, size, &s);
    return;
  case WAIT_ROSTER:
    if (!slice_is(s.id, "roster")) return;
    if (!slice_is(s.type, "result")) return fail(c, "no roster", at, size);
    c->phase = WAIT_PRESENCE;
    connection_send(c, "<presence/>", 11);
    return;
  case WAIT_PRESENCE:
    if (!slice_is(s.name, "presence") || !slice_equal(s.from, c->jid, c->jid_size) || s.type.size) return;
    c->phase = ONLINE;
    handlers.online(c, now);
    return;
  default: return;
  }
}
