#include "load.h"
#include <string.h>

void histogram_reset(histogram *h) { memset(h, 0, sizeof *h); }

static unsigned bucket_of(uint64_t ns) {
  if (ns < HISTOGRAM_STEPS) return (unsigned)ns;
  unsigned power = 63u - (unsigned)__builtin_clzll(ns); // at least 6
  unsigned step = (unsigned)(ns >> (power - 6)) & (HISTOGRAM_STEPS - 1);
  unsigned bucket = (power - 5) * HISTOGRAM_STEPS + step;
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(histogram *h, uint64_t ns) {
  h->bucket[bucket_of(ns)]++;
  h->count++;
  h->sum += ns;
  if (ns > h->max) h->max = ns;
}

uint64_t histogram_at(const histogram *h, double quantile) {
  uint64_t want = (uint64_t)((double)h->count * quantile), seen = 0;
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += h->bucket[i];
    if (seen > want) {
      if (i < HISTOGRAM_STEPS) return i;
      unsigned power = i / HISTOGRAM_STEPS + 5, step = i % HISTOGRAM_STEPS;
      uint64_t value = (uint64_t)(HISTOGRAM_STEPS + step) << (power - 6);
      return value < h->max ? value : h->max;
    }
  }
  return h->max;
}
