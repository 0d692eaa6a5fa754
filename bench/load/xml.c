// Just enough XML to cut a server's stream into items and to compare payloads. Servers are trusted to be well-formed:
// what this cannot read voids the row.
#include "load.h"
#include <stdlib.h>
#include <string.h>

bool slice_equal(slice a, const char *at, size_t size) { return a.size == size && !memcmp(a.at, at, size); }
bool slice_is(slice s, const char *text) { return slice_equal(s, text, strlen(text)); }

// From a '<' to behind its '>', quotes respected; NULL if incomplete. *empty: it ended in "/>".
static const char *tag_end(const char *at, const char *end, bool *empty) {
  for (const char *p = at + 1; p < end; p++) {
    if (*p == '>') {
      *empty = p[-1] == '/';
      return p + 1;
    }
    if (*p == '\'' || *p == '"') {
      p = memchr(p + 1, *p, (size_t)(end - p - 1));
      if (!p) return NULL;
    }
  }
  return NULL;
}

enum item xml_next(const char *at, size_t size, size_t *length) {
  const char *end = at + size, *p = at;
  if (size == 0) return ITEM_PARTIAL;
  if (*p != '<') {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    *length = (size_t)(p - at);
    return p == at ? ITEM_BAD : ITEM_SKIP;
  }
  if (size < 2) return ITEM_PARTIAL;
  bool empty;
  if (p[1] == '?') {
    const char *close = memmem(p, size, "?>", 2);
    if (!close) return ITEM_PARTIAL;
    *length = (size_t)(close + 2 - at);
    return ITEM_SKIP;
  }
  if (p[1] == '/' || (size >= 15 && !memcmp(p, "<stream:stream", 14))) {
    const char *after = tag_end(p, end, &empty);
    if (!after) return ITEM_PARTIAL;
    *length = (size_t)(after - at);
    return p[1] == '/' ? ITEM_CLOSE : ITEM_OPEN;
  }
  if (size < 15 && !memcmp(p, "<stream:stream", size)) return ITEM_PARTIAL;
  for (int depth = 0;;) {
    if (p + 1 >= end) return ITEM_PARTIAL;
    if (p[1] == '!' || p[1] == '?') return ITEM_BAD;
    bool closing = p[1] == '/';
    p = tag_end(p, end, &empty);
    if (!p) return ITEM_PARTIAL;
    depth += closing ? -1 : empty ? 0 : 1;
    if (depth == 0) break;
    p = memchr(p, '<', (size_t)(end - p));
    if (!p) return ITEM_PARTIAL;
  }
  *length = (size_t)(p - at);
  return ITEM_STANZA;
}

static bool space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Reads one attribute from *p (behind the element's name); false at the end of the tag.
static bool attribute(const char **p, const char *end, slice *name, slice *value) {
  const char *q = *p;
  while (q < end && space(*q)) q++;
  if (q >= end || *q == '>' || *q == '/') return false;
  name->at = q;
  while (q < end && *q != '=' && !space(*q)) q++;
  name->size = (size_t)(q - name->at);
  while (q < end && *q != '\'' && *q != '"') q++;
  if (q >= end) return false;
  const char *close = memchr(q + 1, *q, (size_t)(end - q - 1));
  if (!close) return false;
  value->at = q + 1;
  value->size = (size_t)(close - value->at);
  *p = close + 1;
  return true;
}

static slice element_name(const char *at, const char *end) {
  const char *p = at + 1;
  while (p < end && !space(*p) && *p != '>' && *p != '/') p++;
  return (slice){at + 1, (size_t)(p - at - 1)};
}

bool xml_stanza(const char *at, size_t size, stanza *out) {
  const char *end = at + size, *p;
  bool empty;
  memset(out, 0, sizeof *out);
  const char *body = tag_end(at, end, &empty);
  if (!body) return false;
  out->name = element_name(at, end);
  p = out->name.at + out->name.size;
  for (slice name, value; attribute(&p, body, &name, &value);) {
    if (slice_is(name, "id")) out->id = value;
    else if (slice_is(name, "from")) out->from = value;
    else if (slice_is(name, "to")) out->to = value;
    else if (slice_is(name, "type")) out->type = value;
    else if (slice_is(name, "xmlns")) out->xmlns = value;
  }
  if (empty) return true;
  const char *close = end - 1; // behind it the next stanza may begin
  while (close > body && *close != '<') close--;
  out->inner = (slice){body, (size_t)(close - body)};
  return true;
}

bool xml_child(slice *rest, stanza *out) {
  while (rest->size) {
    size_t length = 0;
    enum item kind = xml_next(rest->at, rest->size, &length);
    if (kind != ITEM_SKIP && kind != ITEM_STANZA) return false;
    const char *at = rest->at;
    rest->at += length, rest->size -= length;
    if (kind == ITEM_STANZA) return xml_stanza(at, length, out);
  }
  return false;
}

slice xml_text(slice inner, const char *name) {
  size_t n = strlen(name);
  const char *end = inner.at + inner.size;
  for (const char *p = inner.at; p && p < end && (p = memchr(p, '<', (size_t)(end - p)));) {
    bool empty;
    slice tag = element_name(p, end);
    const char *after = tag_end(p, end, &empty);
    if (!after) break;
    if (slice_equal(tag, name, n) && !empty) {
      const char *close = memchr(after, '<', (size_t)(end - after));
      if (close) return (slice){after, (size_t)(close - after)};
    }
    p = after;
  }
  return (slice){NULL, 0};
}

// ---- canonical form --------------------------------------------------------------------------------------------------

typedef struct {
  slice prefix, uri;
} binding;
typedef struct {
  char *out;
  size_t used, room;
  const char *p, *end;
  binding bound[64];
  int bounds;
  bool bad, delayed;
} canonical;

static void put(canonical *c, const char *at, size_t n) {
  if (c->used + n > c->room) {
    c->bad = true;
    return;
  }
  memcpy(c->out + c->used, at, n);
  c->used += n;
}

static void put_code(canonical *c, unsigned long code) {
  char b[4];
  if (code < 0x80) put(c, (b[0] = (char)code, b), 1);
  else if (code < 0x800) {
    b[0] = (char)(0xc0 | code >> 6), b[1] = (char)(0x80 | (code & 63));
    put(c, b, 2);
  } else if (code < 0x10000) {
    b[0] = (char)(0xe0 | code >> 12), b[1] = (char)(0x80 | (code >> 6 & 63)), b[2] = (char)(0x80 | (code & 63));
    put(c, b, 3);
  } else {
    b[0] = (char)(0xf0 | code >> 18), b[1] = (char)(0x80 | (code >> 12 & 63)), b[2] = (char)(0x80 | (code >> 6 & 63)),
    b[3] = (char)(0x80 | (code & 63));
    put(c, b, 4);
  }
}

// Text or an attribute's value with its entities decoded; markup is told apart by the control characters around it.
static void put_text(canonical *c, slice s) {
  static const struct { const char *name, *as; } entities[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&apos;", "'"}, {"&quot;", "\""}};
  const char *p = s.at, *end = s.at + s.size;
  while (p < end) {
    const char *amp = memchr(p, '&', (size_t)(end - p));
    put(c, p, (size_t)((amp ? amp : end) - p));
    if (!amp) return;
    const char *semi = memchr(amp, ';', (size_t)(end - amp));
    if (!semi) {
      c->bad = true;
      return;
    }
    if (amp[1] == '#') put_code(c, strtoul(amp + (amp[2] == 'x' ? 3 : 2), NULL, amp[2] == 'x' ? 16 : 10));
    else {
      size_t i = 0;
      while (i < 5 && !slice_equal((slice){amp, (size_t)(semi + 1 - amp)}, entities[i].name, strlen(entities[i].name))) i++;
      if (i == 5) c->bad = true;
      else put(c, entities[i].as, 1);
    }
    p = semi + 1;
  }
}

static slice resolve(canonical *c, slice prefix) {
  for (int i = c->bounds - 1; i >= 0; i--)
    if (slice_equal(c->bound[i].prefix, prefix.at, prefix.size)) return c->bound[i].uri;
  if (prefix.size == 0) return (slice){"jabber:client", 13};
  if (slice_is(prefix, "xml")) return (slice){"xml", 3};
  c->bad = true;
  return (slice){"", 0};
}

static slice split(slice name, slice *prefix) {
  const char *colon = memchr(name.at, ':', name.size);
  *prefix = colon ? (slice){name.at, (size_t)(colon - name.at)} : (slice){"", 0};
  return colon ? (slice){colon + 1, name.size - prefix->size - 1} : name;
}

static int by_name(const void *a, const void *b) {
  const slice *x = a, *y = b;
  size_t n = x->size < y->size ? x->size : y->size;
  int order = memcmp(x->at, y->at, n);
  return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

static void element(canonical *c, int depth);

static void content(canonical *c, int depth) {
  while (c->p < c->end && !c->bad) {
    const char *mark = memchr(c->p, '<', (size_t)(c->end - c->p));
    if (!mark) mark = c->end;
    put_text(c, (slice){c->p, (size_t)(mark - c->p)});
    c->p = mark;
    if (mark == c->end || (mark + 1 < c->end && mark[1] == '/')) return;
    element(c, depth);
  }
}

static void element(canonical *c, int depth) {
  struct { slice name, value; } given[32];
  int count = 0, bounds = c->bounds;
  size_t begin = c->used;
  bool empty;
  slice name = element_name(c->p, c->end), prefix, attribute_name, value;
  const char *body = tag_end(c->p, c->end, &empty), *p = name.at + name.size;
  if (!body || depth > 16) {
    c->bad = true;
    return;
  }
  while (attribute(&p, body, &attribute_name, &value)) {
    slice local = split(attribute_name, &prefix);
    bool declares = slice_is(attribute_name, "xmlns") || slice_is(prefix, "xmlns");
    if (declares && c->bounds < 64) c->bound[c->bounds++] = (binding){prefix.size ? local : (slice){"", 0}, value};
    else if (!declares && count < 32) given[count].name = attribute_name, given[count++].value = value;
    else c->bad = true;
  }
  qsort(given, (size_t)count, sizeof given[0], by_name);
  slice local = split(name, &prefix), uri = resolve(c, prefix);
  bool dropped = depth == 0 && slice_is(local, "stanza-id") && slice_is(uri, "urn:xmpp:sid:0");
  dropped |= c->delayed && depth == 0 && slice_is(local, "delay") && slice_is(uri, "urn:xmpp:delay");
  put(c, "\1", 1), put(c, uri.at, uri.size), put(c, "}", 1), put(c, local.at, local.size);
  for (int i = 0; i < count; i++) {
    slice attribute_local = split(given[i].name, &prefix);
    slice space_of = prefix.size ? resolve(c, prefix) : (slice){"", 0};
    put(c, "\2", 1), put(c, space_of.at, space_of.size), put(c, "}", 1), put(c, attribute_local.at, attribute_local.size);
    put(c, "=", 1), put_text(c, given[i].value);
  }
  put(c, "\3", 1);
  c->p = body;
  if (!empty) {
    content(c, depth + 1);
    const char *close = c->p < c->end ? memchr(c->p, '>', (size_t)(c->end - c->p)) : NULL;
    if (!close) c->bad = true;
    else c->p = close + 1;
  }
  put(c, "\4", 1);
  c->bounds = bounds;
  if (dropped) c->used = begin;
}

// The direct children are sorted: ejabberd writes <body/> and <thread/> behind the others.
static size_t sort_children(char *at, size_t size, char *room) {
  slice child[64];
  size_t count = 0, used = 0;
  int depth = 0;
  for (size_t i = 0; i < size; i++) {
    if (at[i] == '\1' && depth++ == 0) {
      if (count == 64) return 0;
      child[count++].at = at + i;
    } else if (at[i] == '\4' && --depth == 0) child[count - 1].size = (size_t)(at + i + 1 - child[count - 1].at);
    else if (depth == 0) return 0; // text between the children: nothing that a client sent
  }
  qsort(child, count, sizeof child[0], by_name);
  for (size_t i = 0; i < count; used += child[i++].size) memcpy(room + used, child[i].at, child[i].size);
  memcpy(at, room, used);
  return used;
}

size_t xml_canonical(slice inner, bool delayed, char *out, size_t room) {
  canonical c = {.delayed = delayed, .out = out, .room = room / 2, .p = inner.at, .end = inner.at + inner.size};
  content(&c, 0);
  return c.bad || c.p != c.end ? 0 : sort_children(out, c.used, out + room / 2);
}
