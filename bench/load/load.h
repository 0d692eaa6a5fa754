// The load generator's shared types. One process, one thread, one epoll set.
#ifndef LOAD_H
#define LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// ---- clock.c ---------------------------------------------------------------------------------------------------------

uint64_t now_ns(void); // monotonic
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *must_alloc(size_t size);
void *must_realloc(void *old, size_t size);
uint64_t random_next(void); // xorshift64*, seeded from --seed: the same pairs and order for every server
void random_seed(uint64_t seed);

// ---- histogram.c -----------------------------------------------------------------------------------------------------

// Log-linear histogram of nanoseconds: 64 steps per power of two, so an error of at most 1.6 %.
#define HISTOGRAM_STEPS 64
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 40)
typedef struct {
  uint64_t count, max, sum;
  uint32_t bucket[HISTOGRAM_BUCKETS];
} histogram;
void histogram_reset(histogram *h);
void histogram_add(histogram *h, uint64_t ns);
uint64_t histogram_at(const histogram *h, double quantile);

// ---- process.c -------------------------------------------------------------------------------------------------------

// CPU and memory of a server: the processes named by --pid and all their descendants, every thread of each.
typedef struct {
  uint64_t at;         // monotonic ns
  uint64_t server_cpu; // ns
  uint64_t own_cpu;    // ns
  uint64_t all_cpu;    // ns, the whole machine
  uint64_t steal_cpu;  // ns, taken by the hypervisor
} cpu_sample;
typedef struct {
  uint64_t rss_kb, pss_kb;
  int processes, threads;
} memory_sample;
void process_add_root(int pid);
void process_find_tree(void); // again, before each sample pair: children come and go
cpu_sample process_cpu(void);
memory_sample process_memory(void);

// ---- xml.c -----------------------------------------------------------------------------------------------------------

enum item { ITEM_PARTIAL, ITEM_BAD, ITEM_SKIP, ITEM_OPEN, ITEM_CLOSE, ITEM_STANZA };
// The first whole top-level item of a stream: its kind, and in *length the bytes it takes.
enum item xml_next(const char *at, size_t size, size_t *length);

typedef struct {
  const char *at;
  size_t size;
} slice;
typedef struct {
  slice name, id, from, to, type, xmlns;
  slice inner; // between the start tag and the end tag; empty if self-closed
} stanza;
bool xml_stanza(const char *at, size_t size, stanza *out);
bool slice_is(slice s, const char *text);
bool slice_equal(slice a, const char *at, size_t size);
// The child elements of an element's content, one after another: true and the next one, false behind the last.
bool xml_child(slice *rest, stanza *out);
// The canonical form of an element's content (namespaces resolved, attributes and direct children sorted, entities decoded),
// so that two serialisations of the same payload compare equal. Direct children that servers add are left out: <stanza-id/>
// of urn:xmpp:sid:0, and <delay/> of urn:xmpp:delay where `delayed`. Returns the length, or 0 if it is not well-formed or does not fit.
size_t xml_canonical(slice inner, bool delayed, char *out, size_t room);
// The text of the first child of that name, at any depth; empty when there is none.
slice xml_text(slice inner, const char *name);

// ---- scram.c ---------------------------------------------------------------------------------------------------------

// SCRAM-SHA-1 (RFC 5802) without channel binding. The salted password is kept by (user, salt, iterations), in memory and
// in the file of --scram-cache, so that a log-in costs the generator five HMACs and not thousands.
typedef struct {
  char nonce[33];
  char first_bare[128];
  unsigned char server_signature[20];
} scram;
void scram_cache_open(const char *path, uint32_t users);
void scram_cache_close(void);
size_t scram_first(scram *s, const char *user, char *out, size_t room);                                    // base64
size_t scram_final(scram *s, uint32_t user, const char *password, slice challenge, char *out, size_t room); // base64
bool scram_verify(const scram *s, slice success);
// HT-SHA-256-NONE (draft-schmaus-kitten-sasl-ht): base64 of the user and the HMAC over "Initiator"; whether `data` (base64)
// is the HMAC over "Responder".
size_t token_first(const char *user, const char *token, char *out, size_t room);
bool token_verify(const char *token, slice data);

// ---- connection.c ----------------------------------------------------------------------------------------------------

typedef struct connection connection;
enum transport { PLAIN, STARTTLS, DIRECT_TLS };
enum phase {
  CLOSED, CONNECTING, HANDSHAKE, WAIT_FEATURES, WAIT_PROCEED, WAIT_CHALLENGE, WAIT_SUCCESS, WAIT_BIND_FEATURES, WAIT_BIND,
  WAIT_SM, WAIT_ROSTER, WAIT_CARBONS, WAIT_PRESENCE, WAIT_RELAY, ONLINE, CLOSING
};
struct connection {
  int fd;
  uint32_t index;     // account times resources, plus the resource
  enum phase phase;
  bool encrypted, writable_wanted;
  SSL *ssl;
  char *in;           // an incomplete item, if any
  uint32_t in_size, in_room;
  char *out;          // what the socket did not take
  uint32_t out_at, out_size, out_room;
  scram *scram;       // only while signing in
  uint64_t started;   // of the connection attempt, ns
  char jid[64];       // full, as the server bound it
  uint8_t jid_size;
  uint32_t partner;   // whom it talks to, in rows that pair accounts
  bool sm;            // XEP-0198 is on; the counts are modulo 2^32, as on the wire
  uint32_t sm_in, sm_out, sm_acked, sm_unasked;
};

// How accounts sign in. SASL2: XEP-0388 with Bind 2 (XEP-0386). TOKEN: the same, and a token is asked for. FAST: by it (XEP-0484).
enum login { CLASSIC, SASL2, TOKEN, FAST };

typedef struct {
  const char *host, *domain, *user_prefix, *password, *resource, *ca, *cipher;
  int port, sources;
  enum transport transport;
  bool relay;         // the yardstick's protocol instead of XMPP
  uint32_t users;     // accounts PREFIX00000 .. of that many
  uint32_t resources; // connections of each account
  uint32_t contacts;  // items that each roster has, all of them both ways (contacts.c)
  uint32_t ack_every; // stanzas after which a client asks what the server has
  enum login login;
  bool sm, carbons;   // asked for at every log-in
  bool silent;        // no initial presence: online is whoever has his roster
} settings;
extern settings config;

// What a row wants to hear.
typedef struct {
  void (*online)(connection *c, uint64_t now);            // initial presence came back
  void (*stanza)(connection *c, const stanza *s, uint64_t now); // while online
  void (*lost)(connection *c, const char *why);            // closed without our asking
  void (*closed)(connection *c);                           // closed as we asked
} events;
extern events handlers;

uint32_t account_of(const connection *c);
bool is_primary(const connection *c);        // an account's first resource
slice bare_of(const connection *c);          // of an account that has been online

void loop_open(void);
void connection_start(connection *c);                        // from CLOSED
void connection_send(connection *c, const char *at, size_t size); // one write
void connection_stanza(connection *c, const char *at, size_t size); // the same for a stanza: it is counted if SM is on
void connection_close(connection *c);                        // </stream:stream>, then wait for the server's
void connection_drop(connection *c);                         // at once
// Runs until done() or the deadline (ns, monotonic). tick() runs after each round and may say in *wake when it wants the
// next turn. Returns whether done() was met.
bool loop_run(bool (*done)(void), void (*tick)(uint64_t now, uint64_t *wake), uint64_t deadline);

// ---- login.c ---------------------------------------------------------------------------------------------------------

void login_start(connection *c);                             // called when the transport is ready
void login_item(connection *c, enum item kind, const char *at, size_t size, uint64_t now);

// ---- sm.c ------------------------------------------------------------------------------------------------------------

// What XEP-0198 says on a stream that has it: <r/> is answered at once, the h of <a/> is checked. False: it is a stanza.
bool sm_item(connection *c, const char *at, size_t size);
// Asks every server side that owes an <a/>, and waits until all that was sent is acknowledged. False: see sm_fault.
bool sm_settle(double timeout_s);
extern char sm_fault[200];
typedef struct {
  uint64_t asked, answered, acked; // by the client, by it to the server, by the server
} sm_tally;
extern sm_tally sm_count;

// ---- features.c ------------------------------------------------------------------------------------------------------

// Dies unless the host or the account itself says by disco#info that it has the feature (XEP-0030).
void feature_required(connection *c, const char *name);

// ---- contacts.c ------------------------------------------------------------------------------------------------------

// Account i knows i ± d of `contacts` / 2 distances d, around the circle of all accounts: symmetric, and no two neighbours alike.
void contacts_open(void);
#define NO_CONTACT UINT32_MAX
// Which of `to`'s contacts `from` is: 0 and up; `contacts` is the account itself.
uint32_t contact_slot(uint32_t to, uint32_t from);
// The account that a stanza comes from, by the full JID that it is bound to; NO_CONTACT otherwise.
uint32_t account_from(slice from);
void contacts_note(connection *c, const stanza *s, uint64_t now); // who has seen whom available, for login_stanza
bool contacts_all_seen(void);
void contacts_forget(void);

// ---- session.c -------------------------------------------------------------------------------------------------------

typedef struct {
  uint32_t wanted, concurrency, next, done, failed;
  histogram latency; // from connect() to the reflected presence
  char why[160];     // the first failure
} login_batch;
extern connection *connections; // one an account
// Signs in accounts first .. first+count-1, at most `concurrency` at a time.
bool login_many(login_batch *batch, uint32_t first, uint32_t count, uint32_t concurrency, double timeout_s);
extern void (*login_stanza)(connection *c, const stanza *s, uint64_t now); // what arrives while others sign in; NULL: nothing
// Until the server has used less than a hundredth of a core for 0.4 s.
bool wait_for_quiet(double timeout_s);
void rest(double seconds);
bool logout_all(uint32_t first, uint32_t count, double timeout_s);

// ---- traffic.c -------------------------------------------------------------------------------------------------------

#define MOST_RESOURCES 4
#define RING 512 // messages in flight a flow at most
typedef struct {
  uint32_t from, to;            // account indexes
  uint32_t next_send, next_receive;
  uint64_t sent_at[RING];
  char *rendered[4];            // one a template, written for this flow
  const char *bare;             // addressed to the account, which is offline; else NULL
  uint32_t copy_next[2 * MOST_RESOURCES]; // of carbons, by resource: at the receiver, then at the sender
} flow;
typedef struct {
  uint64_t sent, received;      // since the row began
  uint64_t copies;              // carbons that were right
  uint64_t lost, duplicate, wrong_from, wrong_to, wrong_payload, wrong_kind, foreign, errors;
  char first_fault[240];
} tally;
extern tally traffic;
extern histogram latency;
void traffic_setup(flow *flows, uint32_t count);
void traffic_send(flow *f, uint64_t now);
// Checks a stanza that arrived for `to`; returns the flow it belongs to when all is right, else NULL and a fault counted.
flow *traffic_receive(connection *to, const stanza *s, uint64_t now);
uint64_t traffic_faults(void);
void traffic_reset(void);

// ---- the rows: each prints one JSON line -----------------------------------------------------------------------------

typedef struct {
  const char *rows;       // chat: "alone,window:16,paced:1000"
  uint32_t pairs, active, turn, background, count, concurrency, rounds;
  double warm, seconds, settle;
  double drain;           // how long the last messages may take
  bool short_only;        // no message of 586 bytes
  const char *logins;     // storm: "classic,sasl2,fast"
  uint32_t senders, messages; // offline: so many accounts write so many messages to each of `count` others
} options;
extern options option;
int row_chat(void);
int row_storm(void);
int row_idle(void);
int row_presence(void);
int row_offline(void);
int row_delay(void);

void report_begin(const char *row);
void report_number(const char *key, double value);
void report_text(const char *key, const char *value);
void report_cpu(const cpu_sample *begin, const cpu_sample *end, uint64_t units);
void report_latency(const char *prefix, const histogram *h);
void report_end(bool valid, const char *fault);
extern char cipher_seen[96];

#endif
