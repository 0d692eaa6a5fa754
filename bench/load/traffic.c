// Chat messages: the mix, its rendering, and the check of what arrives (id, order, from, to, payload).
//
// The mix: of three messages two have 218 bytes and one 586 with seven children; every tenth has a non-ASCII body. `--mix short` leaves the long one out. Sizes
// are of the whole stanza as the client writes it, addressed to a full JID. Each message carries one mark of 15 characters,
// "mFFFFF-SSSSSSSS" (flow and sequence number in hexadecimal), as its id and once in its body, so that a payload that
// was given to another message is seen.
#include "load.h"
#include <stdlib.h>
#include <string.h>

#define MARK 15
#define VARIANTS 16
#define LONGEST 2048
static const uint16_t sizes[4] = {218, 586, 218, 586};
static const char *const head_short = "<body>";
static const char *const tail_short = "</body><active xmlns='http://jabber.org/protocol/chatstates'/>";
static const char *const tail_long =
    "</body><thread>6f1c4bd2-8b1e-4f3a</thread><active xmlns='http://jabber.org/protocol/chatstates'/>"
    "<request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='9d1f0a7e-55c3'/>"
    "<reply xmlns='urn:xmpp:reply:0' to='someone@bench.local' id='4c21'/>";
static const char ascii_text[] = " You & I may meet at the well before noon; bring the 'long' rope, a lantern and what is left of the bread, "
                                 "for the way down is dark and the squirrel tells nobody the same story twice over the whole length of the ash tree";
static const char wide_text[] = " Grüße über die Brücke: Ratatöskr læuft am Stamm — слова вверх и вниз — 栗鼠が走る 🐿️ ";

typedef struct {
  char *bytes; // a payload as this server writes it
  size_t size, mark;
} variant;
static variant known[4][VARIANTS];
static int known_count[4];
static char *sent_payload[4]; // as we wrote it, the mark at sent_mark
static size_t sent_size[4], sent_mark[4];

tally traffic;
histogram latency;
static flow *flows;
static uint32_t flow_count;

static unsigned template_of(uint32_t sequence) {
  if (option.short_only) return sequence % 10 == 9 ? 2u : 0u;
  return (sequence % 3 == 2) | (sequence % 10 == 9 ? 2u : 0u);
}

// Appends text, escaped, until exactly `room` bytes are filled; never half a character: spaces fill what is left.
static size_t fill(char *out, size_t room, const char *text) {
  size_t used = 0;
  for (const char *p = text; used < room; p = *p ? p : text) {
    const char *as = *p == '&' ? "&amp;" : NULL;
    size_t step = as ? 1 : (unsigned char)*p < 0x80 ? 1 : (unsigned char)*p < 0xe0 ? 2 : (unsigned char)*p < 0xf0 ? 3 : 4;
    size_t width = as ? 5 : step;
    if (used + width > room) {
      memset(out + used, '.', room - used);
      return room;
    }
    memcpy(out + used, as ? as : p, width);
    used += width, p += step;
  }
  return used;
}

static char *render(unsigned t, const char *to) {
  char *out = must_alloc(sizes[t] + 1u);
  const char *tail = sizes[t] > 300 ? tail_long : tail_short, *end = "</message>";
  int n = snprintf(out, sizes[t], "<message to='%s' type='chat' id='%.15s'>%s%.15s", to, "m00000-00000000", head_short, "m00000-00000000");
  size_t rest = strlen(tail) + strlen(end);
  if ((size_t)n + rest > sizes[t]) die("JIDs are too long for a message of %u bytes", sizes[t]);
  size_t used = (size_t)n + fill(out + n, sizes[t] - (size_t)n - rest, t & 2 ? wide_text : ascii_text);
  memcpy(out + used, tail, strlen(tail));
  memcpy(out + used + strlen(tail), end, strlen(end));
  return out;
}

static size_t find_mark(const char *at, size_t size, const char *mark) {
  const char *p = memmem(at, size, mark, MARK);
  return p ? (size_t)(p - at) : SIZE_MAX;
}

void traffic_setup(flow *all, uint32_t count) {
  flows = all, flow_count = count;
  for (uint32_t i = 0; i < count; i++)
    for (unsigned t = 0; t < 4; t++) all[i].rendered[t] = render(t, all[i].bare ? all[i].bare : connections[all[i].to].jid);
  for (unsigned t = 0; t < 4; t++) {
    const char *whole = all[0].rendered[t], *inner = strchr(whole, '>') + 1;
    sent_payload[t] = (char *)inner;
    sent_size[t] = sizes[t] - (size_t)(inner - whole) - 10;
    sent_mark[t] = 6;
  }
}

static void hex(char *out, uint32_t value, int digits) {
  static const char digit[] = "0123456789abcdef";
  for (int i = digits - 1; i >= 0; i--, value >>= 4) out[i] = digit[value & 15];
}

static void write_mark(char *out, uint32_t flow_index, uint32_t sequence) {
  out[0] = 'm';
  hex(out + 1, flow_index, 5);
  out[6] = '-';
  hex(out + 7, sequence, 8);
}

void traffic_send(flow *f, uint64_t now) {
  uint32_t sequence = f->next_send++, index = (uint32_t)(f - flows);
  unsigned t = template_of(sequence);
  char *whole = f->rendered[t], *inner = strchr(whole, '>') + 1;
  write_mark(inner - MARK - 2, index, sequence);
  write_mark(inner + 6, index, sequence);
  f->sent_at[sequence % RING] = now;
  traffic.sent++;
  connection_stanza(&connections[f->from], whole, sizes[t]);
}

static flow *fault(uint64_t *counter, const char *what, const stanza *s) {
  ++*counter;
  if (!traffic.first_fault[0])
    snprintf(traffic.first_fault, sizeof traffic.first_fault, "%s: %.*s id=%.*s from=%.*s payload=%.*s", what, (int)s->name.size, s->name.at,
             (int)(s->id.size < 40 ? s->id.size : 40), s->id.at ? s->id.at : "", (int)s->from.size, s->from.at ? s->from.at : "",
             (int)(s->inner.size < 80 ? s->inner.size : 80), s->inner.at ? s->inner.at : "");
  return NULL;
}

// Has this payload the meaning of template t's, with this mark? Byte for byte like one seen before, else canonically.
static bool payload_right(unsigned t, slice got, bool delayed, const char *mark) {
  for (int i = 0; i < known_count[t]; i++) {
    const variant *v = &known[t][i];
    if (got.size == v->size && !memcmp(got.at, v->bytes, v->mark) && !memcmp(got.at + v->mark, mark, MARK) &&
        !memcmp(got.at + v->mark + MARK, v->bytes + v->mark + MARK, v->size - v->mark - MARK))
      return true;
  }
  static char ours[LONGEST * 4], theirs[LONGEST * 4], wanted[LONGEST];
  memcpy(wanted, sent_payload[t], sent_size[t]);
  memcpy(wanted + sent_mark[t], mark, MARK);
  size_t a = xml_canonical((slice){wanted, sent_size[t]}, false, ours, sizeof ours), b = xml_canonical(got, delayed, theirs, sizeof theirs);
  if (!a) die("our own payload cannot be read");
  if (a != b || memcmp(ours, theirs, a)) return false;
  size_t at = find_mark(got.at, got.size, mark);
  if (!delayed && at != SIZE_MAX && known_count[t] < VARIANTS) {
    variant *v = &known[t][known_count[t]++];
    *v = (variant){must_alloc(got.size), got.size, at};
    memcpy(v->bytes, got.at, got.size);
  }
  return true;
}

static bool read_mark(slice id, uint32_t *index, uint32_t *sequence) {
  char text[16];
  if (id.size != MARK || id.at[0] != 'm' || id.at[6] != '-') return false;
  memcpy(text, id.at, MARK);
  text[MARK] = 0, text[6] = 0;
  *index = (uint32_t)strtoul(text + 1, NULL, 16);
  *sequence = (uint32_t)strtoul(text + 7, NULL, 16);
  return true;
}

#define NS_CARBONS "urn:xmpp:carbons:2"
#define NS_FORWARD "urn:xmpp:forward:0"
// XEP-0280 sections 7 and 8: the message inside of a copy, and whether it is one that the account itself sent.
static bool unwrap(const stanza *s, bool *sent, stanza *inside) {
  stanza copy, forwarded;
  for (slice rest = s->inner; xml_child(&rest, &copy);) {
    *sent = slice_is(copy.name, "sent");
    if ((!*sent && !slice_is(copy.name, "received")) || !slice_is(copy.xmlns, NS_CARBONS)) continue;
    if (!xml_child(&copy.inner, &forwarded) || !slice_is(forwarded.name, "forwarded") || !slice_is(forwarded.xmlns, NS_FORWARD)) return false;
    while (xml_child(&forwarded.inner, inside))
      if (slice_is(inside->name, "message")) return true;
    return false;
  }
  return false;
}

// A copy has the right account, outside the bare address of that, inside the message as it was, once and in order.
static flow *receive_copy(connection *to, const stanza *s, const stanza *inside, bool sent) {
  uint32_t index, sequence, resource = to->index % config.resources;
  slice own = bare_of(to);
  if (!read_mark(inside->id, &index, &sequence) || index >= flow_count) return fault(&traffic.foreign, "a copy: not our id", s);
  flow *f = &flows[index];
  connection *from = &connections[f->from], *other = &connections[f->to], *side = sent ? from : other;
  if (!slice_is(s->type, "chat") || !slice_is(inside->type, "chat")) return fault(&traffic.wrong_kind, "a copy: wrong type", s);
  if (resource == 0 || account_of(side) != account_of(to) || !slice_equal(s->to, to->jid, to->jid_size)) return fault(&traffic.wrong_to, "a copy: wrong to", s);
  if (!slice_equal(s->from, own.at, own.size)) return fault(&traffic.wrong_from, "a copy: wrong from", s);
  if (!slice_equal(inside->from, from->jid, from->jid_size) || !slice_equal(inside->to, other->jid, other->jid_size))
    return fault(&traffic.wrong_from, "a copy: wrong from or to inside", s);
  uint32_t *next = &f->copy_next[(sent ? MOST_RESOURCES : 0) + resource];
  if (sequence != *next) {
    bool ahead = sequence > *next && sequence < f->next_send;
    if (ahead) *next = sequence + 1;
    return ahead ? fault(&traffic.lost, "a copy: a gap before", s) : fault(&traffic.duplicate, "a copy: again, late or never sent", s);
  }
  ++*next;
  if (!payload_right(template_of(sequence), inside->inner, false, inside->id.at)) return fault(&traffic.wrong_payload, "a copy: wrong payload", s);
  traffic.copies++;
  return NULL;
}

flow *traffic_receive(connection *to, const stanza *s, uint64_t now) {
  uint32_t index, sequence;
  if (!slice_is(s->name, "message")) {
    // Late presence and the like is no message's fault; an answer with an error is.
    return slice_is(s->type, "error") ? fault(&traffic.errors, "error", s) : NULL;
  }
  if (slice_is(s->type, "error")) return fault(&traffic.errors, "error", s);
  if (config.resources > 1) {
    stanza inside;
    bool sent;
    if (unwrap(s, &sent, &inside)) return receive_copy(to, s, &inside, sent);
  }
  if (!read_mark(s->id, &index, &sequence) || index >= flow_count) return fault(&traffic.foreign, "not our id", s);
  flow *f = &flows[index];
  if (!slice_is(s->type, "chat")) return fault(&traffic.wrong_kind, "wrong type", s);
  bool addressed = slice_equal(s->to, to->jid, to->jid_size) || (f->bare && slice_is(s->to, f->bare));
  if (f->to != to->index || !addressed) return fault(&traffic.wrong_to, "wrong to", s);
  connection *from = &connections[f->from];
  if (config.relay ? s->from.size != 0 : !slice_equal(s->from, from->jid, from->jid_size)) return fault(&traffic.wrong_from, "wrong from", s);
  if (sequence != f->next_receive) {
    bool ahead = sequence > f->next_receive && sequence < f->next_send;
    if (ahead) f->next_receive = sequence + 1;
    return ahead ? fault(&traffic.lost, "a gap before", s) : fault(&traffic.duplicate, "again, late or never sent", s);
  }
  f->next_receive++;
  if (f->bare && !(s->inner.size && memmem(s->inner.at, s->inner.size, "urn:xmpp:delay", 14))) return fault(&traffic.wrong_payload, "kept, but without a delay", s);
  if (!payload_right(template_of(sequence), s->inner, f->bare != NULL, s->id.at)) return fault(&traffic.wrong_payload, "wrong payload", s);
  traffic.received++;
  histogram_add(&latency, now - f->sent_at[sequence % RING]);
  return f;
}

uint64_t traffic_faults(void) {
  return traffic.lost + traffic.duplicate + traffic.wrong_from + traffic.wrong_to + traffic.wrong_payload + traffic.wrong_kind +
         traffic.foreign + traffic.errors;
}

void traffic_reset(void) {
  memset(&traffic, 0, sizeof traffic);
  histogram_reset(&latency);
}
