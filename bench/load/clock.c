#include "load.h"
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void die(const char *format, ...) {
  va_list rest;
  va_start(rest, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, rest);
  fputc('\n', stderr);
  va_end(rest);
  exit(2);
}

void *must_alloc(size_t size) {
  void *p = calloc(1, size);
  if (!p) die("out of memory (%zu bytes)", size);
  return p;
}

void *must_realloc(void *old, size_t size) {
  void *p = realloc(old, size);
  if (!p) die("out of memory (%zu bytes)", size);
  return p;
}

static uint64_t state = 0x9e3779b97f4a7c15u;
void random_seed(uint64_t seed) { state = seed ? seed : 1; }
uint64_t random_next(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1du;
}
