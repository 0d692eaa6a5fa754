// The client's side of SCRAM-SHA-1, RFC 5802 section 3 and 5.
#include "load.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  uint8_t used, salt_size;
  uint32_t iterations;
  unsigned char salt[64], salted[20];
} cached;
static cached *cache;
static uint32_t cache_users;
static const char *cache_path;
static bool cache_changed;

void scram_cache_open(const char *path, uint32_t users) {
  cache = must_alloc(users * sizeof *cache);
  cache_users = users;
  cache_path = path;
  FILE *f = path ? fopen(path, "rb") : NULL;
  if (!f) return;
  if (fread(cache, sizeof *cache, users, f) < users) { /* a shorter file: the rest is derived */ }
  fclose(f);
}

void scram_cache_close(void) {
  if (!cache_path || !cache_changed) return;
  char temporary[512];
  snprintf(temporary, sizeof temporary, "%s.new", cache_path);
  FILE *f = fopen(temporary, "wb");
  if (!f) return; // a cache only: the next run derives again
  bool whole = fwrite(cache, sizeof *cache, cache_users, f) == cache_users;
  if (fclose(f) == 0 && whole) rename(temporary, cache_path);
}

static size_t encode(const void *at, size_t size, char *out) {
  return (size_t)EVP_EncodeBlock((unsigned char *)out, at, (int)size);
}

static size_t decode(slice text, unsigned char *out, size_t room) {
  if (text.size % 4 || text.size / 4 * 3 > room || text.size == 0) return 0;
  int n = EVP_DecodeBlock(out, (const unsigned char *)text.at, (int)text.size);
  if (n < 0) return 0;
  size_t padding = (text.at[text.size - 1] == '=') + (text.at[text.size - 2] == '=');
  return (size_t)n - padding;
}

static void hmac(const unsigned char *key, const char *text, size_t size, unsigned char *out) {
  unsigned n = 20;
  HMAC(EVP_sha1(), key, 20, (const unsigned char *)text, size, out, &n);
}

size_t scram_first(scram *s, const char *user, char *out, size_t room) {
  unsigned char raw[16];
  char text[192];
  RAND_bytes(raw, sizeof raw);
  for (int i = 0; i < 16; i++) snprintf(s->nonce + 2 * i, 3, "%02x", raw[i]);
  snprintf(s->first_bare, sizeof s->first_bare, "n=%s,r=%s", user, s->nonce);
  int n = snprintf(text, sizeof text, "n,,%s", s->first_bare);
  if ((size_t)n * 4 / 3 + 4 >= room) die("user name too long");
  return encode(text, (size_t)n, out);
}

static slice field(const char *text, size_t size, const char *key) {
  const char *end = text + size;
  for (const char *p = text; p && p < end; p = memchr(p, ',', (size_t)(end - p)), p = p ? p + 1 : NULL)
    if (p[0] == key[0] && p + 1 < end && p[1] == '=') {
      const char *comma = memchr(p, ',', (size_t)(end - p));
      return (slice){p + 2, (size_t)((comma ? comma : end) - p - 2)};
    }
  return (slice){NULL, 0};
}

static const unsigned char *salted_password(uint32_t user, const char *password, const unsigned char *salt, size_t size, uint32_t iterations) {
  cached *c = &cache[user];
  if (c->used && c->salt_size == size && c->iterations == iterations && !memcmp(c->salt, salt, size)) return c->salted;
  c->used = 1, c->salt_size = (uint8_t)size, c->iterations = iterations;
  memcpy(c->salt, salt, size);
  PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)size, (int)iterations, EVP_sha1(), 20, c->salted);
  cache_changed = true;
  return c->salted;
}

size_t scram_final(scram *s, uint32_t user, const char *password, slice challenge, char *out, size_t room) {
  unsigned char text[512], salt[64], client_key[20], stored_key[20], server_key[20], signature[20], proof[20];
  char without_proof[320], message[1024], all[512], proof64[32];
  size_t size = decode(challenge, text, sizeof text - 1);
  text[size] = 0;
  slice nonce = field((char *)text, size, "r"), salt64 = field((char *)text, size, "s"), count = field((char *)text, size, "i");
  if (!nonce.at || !salt64.at || !count.at || nonce.size < 33 || memcmp(nonce.at, s->nonce, 32) || nonce.size > 200) return 0;
  size_t salt_size = decode(salt64, salt, sizeof salt);
  uint32_t iterations = (uint32_t)strtoul(count.at, NULL, 10);
  if (!salt_size || !iterations) return 0;
  const unsigned char *salted = salted_password(user, password, salt, salt_size, iterations);
  hmac(salted, "Client Key", 10, client_key);
  SHA1(client_key, 20, stored_key);
  hmac(salted, "Server Key", 10, server_key);
  int bare = snprintf(without_proof, sizeof without_proof, "c=biws,r=%.*s", (int)nonce.size, nonce.at);
  int n = snprintf(message, sizeof message, "%s,%.*s,%s", s->first_bare, (int)size, (char *)text, without_proof);
  hmac(stored_key, message, (size_t)n, signature);
  for (int i = 0; i < 20; i++) proof[i] = client_key[i] ^ signature[i];
  hmac(server_key, message, (size_t)n, s->server_signature);
  encode(proof, 20, proof64);
  n = snprintf(all, sizeof all, "%.*s,p=%s", bare, without_proof, proof64);
  return (size_t)n * 4 / 3 + 4 < room ? encode(all, (size_t)n, out) : 0;
}

bool scram_verify(const scram *s, slice success) {
  unsigned char text[256], signature[40];
  size_t size = decode(success, text, sizeof text);
  slice v = field((char *)text, size, "v");
  return v.at && decode(v, signature, sizeof signature) == 20 && !memcmp(signature, s->server_signature, 20);
}

static void token_hmac(const char *token, const char *role, unsigned char *out) {
  unsigned n = 32;
  HMAC(EVP_sha256(), token, (int)strlen(token), (const unsigned char *)role, strlen(role), out, &n);
}

size_t token_first(const char *user, const char *token, char *out, size_t room) {
  unsigned char text[128];
  size_t name = strlen(user) + 1;
  if (name + 32 > sizeof text || (name + 32) * 4 / 3 + 4 > room) die("user name too long");
  memcpy(text, user, name);
  token_hmac(token, "Initiator", text + name);
  return encode(text, name + 32, out);
}

bool token_verify(const char *token, slice data) {
  unsigned char theirs[64], ours[32];
  token_hmac(token, "Responder", ours);
  return decode(data, theirs, sizeof theirs) == 32 && !memcmp(ours, theirs, 32);
}
