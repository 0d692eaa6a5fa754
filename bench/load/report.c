// One JSON object a line on standard output.
#include "load.h"
#include <math.h>

static bool first;
static void key(const char *name) {
  printf("%s\"%s\":", first ? "{" : ",", name);
  first = false;
}

void report_text(const char *name, const char *value) {
  key(name);
  putchar('"');
  for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
    if (*p == '"' || *p == '\\') printf("\\%c", *p);
    else if (*p < 0x20) printf("\\u%04x", *p);
    else putchar(*p);
  }
  putchar('"');
}

void report_number(const char *name, double value) {
  key(name);
  if (isfinite(value)) printf("%.10g", value);
  else printf("null");
}

void report_begin(const char *row) {
  first = true;
  report_text("row", row);
}

void report_cpu(const cpu_sample *begin, const cpu_sample *end, uint64_t units) {
  double wall = (double)(end->at - begin->at), server = (double)(end->server_cpu - begin->server_cpu);
  double own = (double)(end->own_cpu - begin->own_cpu), all = (double)(end->all_cpu - begin->all_cpu);
  double foreign = all - server - own;
  report_number("wall_s", wall / 1e9);
  report_number("units", (double)units);
  report_number("units_per_s", (double)units / (wall / 1e9));
  report_number("server_cpu_s", server / 1e9);
  report_number("cpu_us", units ? server / 1e3 / (double)units : NAN);
  report_number("load_us", units ? own / 1e3 / (double)units : NAN);
  report_number("server_core_pct", 100 * server / wall);
  report_number("load_core_pct", 100 * own / wall);
  report_number("foreign_core_pct", 100 * (foreign > 0 ? foreign : 0) / wall);
  report_number("steal_core_pct", 100 * (double)(end->steal_cpu - begin->steal_cpu) / wall);
}

void report_latency(const char *prefix, const histogram *h) {
  static const struct { const char *name; double at; } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
  char name[64];
  for (unsigned i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "%s_%s_us", prefix, points[i].name);
    report_number(name, h->count ? (double)histogram_at(h, points[i].at) / 1e3 : NAN);
  }
  snprintf(name, sizeof name, "%s_max_us", prefix);
  report_number(name, h->count ? (double)h->max / 1e3 : NAN);
}

void report_end(bool valid, const char *fault) {
  if (cipher_seen[0]) report_text("cipher", cipher_seen);
  report_number("valid", valid);
  report_text("fault", valid ? "" : fault);
  puts("}");
  fflush(stdout);
}
