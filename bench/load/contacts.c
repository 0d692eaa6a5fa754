// Who is in whose roster. bench/peers/contacts.ts writes the same rosters into the servers' stores: keep them alike.
#include "load.h"
#include <stdlib.h>
#include <string.h>

#define STRIDE 7919u
static uint32_t *slot_of; // by (from - to) modulo the accounts
static uint8_t *seen;     // by receiver and contact
static uint64_t seen_count;

void contacts_open(void) {
  uint32_t n = config.users, half = (n - 1) / 2;
  if (config.contacts % 2 || config.contacts / 2 > half || (half > 1 && half % STRIDE == 0)) die("%u contacts need an even number, and more --users", config.contacts);
  slot_of = must_alloc(n * sizeof *slot_of);
  for (uint32_t i = 0; i < n; i++) slot_of[i] = NO_CONTACT;
  slot_of[0] = config.contacts;
  for (uint32_t k = 0; k < config.contacts / 2; k++) {
    uint32_t distance = 1 + (uint32_t)((uint64_t)k * STRIDE % half);
    slot_of[distance] = 2 * k;
    slot_of[n - distance] = 2 * k + 1;
  }
  seen = must_alloc((size_t)n * (config.contacts + 1));
}

uint32_t contact_slot(uint32_t to, uint32_t from) { return slot_of[(from + config.users - to) % config.users]; }

uint32_t account_from(slice from) {
  size_t prefix = strlen(config.user_prefix);
  char digits[6] = "";
  if (from.size < prefix + 5) return NO_CONTACT;
  memcpy(digits, from.at + prefix, 5);
  uint32_t account = (uint32_t)strtoul(digits, NULL, 10);
  if (account >= config.users) return NO_CONTACT;
  connection *c = &connections[account * config.resources];
  return slice_equal(from, c->jid, c->jid_size) ? account : NO_CONTACT;
}

void contacts_note(connection *c, const stanza *s, uint64_t now) {
  (void)now;
  if (!config.contacts || !slice_is(s->name, "presence") || s->type.size) return;
  uint32_t from = account_from(s->from);
  if (from == NO_CONTACT) return;
  uint32_t slot = contact_slot(account_of(c), from);
  if (slot >= config.contacts) return;
  uint8_t *one = &seen[(size_t)account_of(c) * (config.contacts + 1) + slot];
  if (!*one) *one = 1, seen_count++;
}

bool contacts_all_seen(void) { return seen_count == (uint64_t)config.users * config.contacts; }

void contacts_forget(void) {
  if (seen) memset(seen, 0, (size_t)config.users * (config.contacts + 1));
  seen_count = 0;
}
