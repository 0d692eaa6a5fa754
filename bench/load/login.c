// From a ready transport to the reflected initial presence: RFC 6120 sections 4, 5, 6 and 7, RFC 6121 sections 2 and 4; or by
// SASL2 (XEP-0388) with Bind 2 (XEP-0386), with a password or a token (XEP-0484). Nothing is pipelined: each step waits
// for the answer to the one before.
#include "load.h"
#include <stdlib.h>
#include <string.h>

#define NS_SASL2 "urn:xmpp:sasl:2"
static char (*tokens)[160]; // of XEP-0484, one a connection

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

// XEP-0388 section 2.2 with XEP-0386 section 3: who it is, what it wants, all at once.
static void authenticate(connection *c, const char *mechanism, const char *response, size_t size, const char *more) {
  char text[1024];
  int n = snprintf(text, sizeof text,
                   "<authenticate xmlns='" NS_SASL2 "' mechanism='%s'><initial-response>%.*s</initial-response>"
                   "<user-agent id='d4565fa7-4d72-4749-b3d3-%012x'><software>load</software><device>load</device></user-agent>"
                   "<bind xmlns='urn:xmpp:bind:0'><tag>load</tag></bind>%s</authenticate>",
                   mechanism, (int)size, response, c->index, more);
  connection_send(c, text, (size_t)n);
}

static void authenticate_fast(connection *c, const char *user, const char *at, size_t size) {
  char response[300];
  if (!contains(at, size, "urn:xmpp:fast:0") || !contains(at, size, ">HT-SHA-256-NONE<")) return fail(c, "FAST is not offered", at, size);
  if (!tokens || !tokens[c->index][0]) return fail(c, "no token", "", 0);
  size_t n = token_first(user, tokens[c->index], response, sizeof response);
  c->phase = WAIT_SUCCESS;
  authenticate(c, "HT-SHA-256-NONE", response, n, "<fast xmlns='urn:xmpp:fast:0'/>");
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
  char user[64];
  snprintf(user, sizeof user, "%s%05u", config.user_prefix, account_of(c));
  if (config.login == FAST) return authenticate_fast(c, user, at, size);
  if (!contains(at, size, ">SCRAM-SHA-1<")) return fail(c, "SCRAM-SHA-1 is not offered", at, size);
  if (config.login != CLASSIC && !contains(at, size, NS_SASL2)) return fail(c, "SASL2 is not offered", at, size);
  c->scram = must_alloc(sizeof *c->scram);
  size_t n = scram_first(c->scram, user, first, sizeof first);
  c->phase = WAIT_CHALLENGE;
  if (config.login != CLASSIC)
    return authenticate(c, "SCRAM-SHA-1", first, n, config.login == TOKEN ? "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>" : "");
  int size_of = snprintf(text, sizeof text, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>%.*s</auth>", (int)n, first);
  connection_send(c, text, (size_t)size_of);
}

static void challenge(connection *c, const char *at, size_t size) {
  stanza s;
  char text[1024], answer[900];
  if (!starts(at, size, "<challenge") || !xml_stanza(at, size, &s)) return fail(c, "no challenge", at, size);
  size_t n = scram_final(c->scram, account_of(c), config.password, s.inner, answer, sizeof answer);
  if (!n) return fail(c, "a challenge that is not SCRAM's", at, size);
  const char *ns = config.login == CLASSIC ? "urn:ietf:params:xml:ns:xmpp-sasl" : NS_SASL2;
  int size_of = snprintf(text, sizeof text, "<response xmlns='%s'>%.*s</response>", ns, (int)n, answer);
  c->phase = WAIT_SUCCESS;
  connection_send(c, text, (size_t)size_of);
}

static bool keep_jid(connection *c, slice jid) {
  if (!jid.at || jid.size >= sizeof c->jid) return false;
  memcpy(c->jid, jid.at, jid.size);
  c->jid[jid.size] = 0;
  c->jid_size = (uint8_t)jid.size;
  return true;
}

static void ask_for_roster(connection *c) {
  static const char roster[] = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";
  c->phase = WAIT_ROSTER;
  connection_stanza(c, roster, sizeof roster - 1);
}

static void is_bound(connection *c) {
  static const char enable[] = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
  if (!config.sm) return ask_for_roster(c);
  c->phase = WAIT_SM;
  connection_send(c, enable, sizeof enable - 1);
}

// XEP-0484 section 3.3: <token token='...' expiry='...'/>
static bool keep_token(connection *c, const char *at, size_t size) {
  const char *el = memmem(at, size, "<token ", 7), *value = el ? memmem(el, size - (size_t)(el - at), " token=", 7) : NULL;
  if (!value) return false;
  const char *from = value + 8, *to = memchr(from, value[7], size - (size_t)(from - at));
  if (!to || (size_t)(to - from) >= sizeof *tokens) return false;
  if (!tokens) tokens = must_alloc(config.users * config.resources * sizeof *tokens);
  memcpy(tokens[c->index], from, (size_t)(to - from));
  tokens[c->index][to - from] = 0;
  return true;
}

// XEP-0388 section 2.6.3, with the resource that the server has made and bound.
static void success2(connection *c, const char *at, size_t size, const stanza *s) {
  slice proof = xml_text(s->inner, "additional-data"), jid = xml_text(s->inner, "authorization-identifier");
  if (!contains(at, size, "<bound ") || !jid.at || !memchr(jid.at, '/', jid.size) || !keep_jid(c, jid)) return fail(c, "not bound", at, size);
  if (config.login == FAST ? !token_verify(tokens[c->index], proof) : !scram_verify(c->scram, proof)) return fail(c, "the server's proof is wrong", at, size);
  bool given = keep_token(c, at, size);
  if (config.login == TOKEN && !given) return fail(c, "no token given", at, size);
  free(c->scram);
  c->scram = NULL;
  is_bound(c);
}

static void success(connection *c, const char *at, size_t size) {
  stanza s;
  if (!starts(at, size, "<success") || !xml_stanza(at, size, &s)) return fail(c, "not signed in", at, size);
  if (config.login != CLASSIC) return success2(c, at, size, &s);
  if (!scram_verify(c->scram, s.inner)) return fail(c, "the server's signature is wrong", at, size);
  free(c->scram);
  c->scram = NULL;
  c->phase = WAIT_BIND_FEATURES;
  header(c);
}

static void bound(connection *c, const char *at, size_t size, const stanza *s) {
  slice jid = xml_text(s->inner, "jid");
  if (!slice_is(s->id, "bind") || !slice_is(s->type, "result") || !keep_jid(c, jid)) return fail(c, "not bound", at, size);
  is_bound(c);
}

static void last_step(connection *c, uint64_t now) {
  if (config.silent) {
    c->phase = ONLINE;
    handlers.online(c, now);
    return;
  }
  c->phase = WAIT_PRESENCE;
  connection_stanza(c, "<presence/>", 11);
}

static void roster(connection *c, const char *at, size_t size, const stanza *s, uint64_t now) {
  static const char carbons[] = "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
  uint32_t items = 0;
  if (!slice_is(s->type, "result")) return fail(c, "no roster", at, size);
  for (const char *p = at, *end = at + size; (p = memmem(p, (size_t)(end - p), "<item", 5)); p++) items++;
  if (items != config.contacts) {
    char text[64];
    snprintf(text, sizeof text, "a roster of %u contacts, not %u", items, config.contacts);
    return fail(c, text, at, size);
  }
  if (!config.carbons) return last_step(c, now);
  c->phase = WAIT_CARBONS;
  connection_stanza(c, carbons, sizeof carbons - 1);
}

static void bind(connection *c, const char *at, size_t size) {
  char text[256], resource[64];
  if (!contains(at, size, "urn:ietf:params:xml:ns:xmpp-bind")) return fail(c, "no bind offered", at, size);
  if (config.sm && !contains(at, size, "urn:xmpp:sm:3")) return fail(c, "no stream management offered", at, size);
  if (config.resources == 1) snprintf(resource, sizeof resource, "%s", config.resource);
  else snprintf(resource, sizeof resource, "%s%u", config.resource, c->index % config.resources);
  int n = snprintf(text, sizeof text, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>", resource);
  c->phase = WAIT_BIND;
  connection_send(c, text, (size_t)n);
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
  case WAIT_BIND_FEATURES: bind(c, at, size); return;
  case WAIT_BIND:
    if (slice_is(s.name, "iq")) bound(c, at, size, &s);
    return;
  case WAIT_SM:
    if (!starts(at, size, "<enabled")) return; // the features that follow SASL2's success come first
    c->sm = true;
    c->sm_in = c->sm_out = c->sm_acked = c->sm_unasked = 0;
    ask_for_roster(c);
    return;
  case WAIT_ROSTER:
    if (slice_is(s.id, "roster")) roster(c, at, size, &s, now);
    return;
  case WAIT_CARBONS:
    if (!slice_is(s.id, "carbons")) return;
    if (!slice_is(s.type, "result")) return fail(c, "no carbons", at, size);
    last_step(c, now);
    return;
  case WAIT_PRESENCE:
    if (!slice_is(s.name, "presence") || !slice_equal(s.from, c->jid, c->jid_size) || s.type.size) {
      if (handlers.stanza) handlers.stanza(c, &s, now);
      return;
    }
    c->phase = ONLINE;
    handlers.online(c, now);
    return;
  default: return;
  }
}
