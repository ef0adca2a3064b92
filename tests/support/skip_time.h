/* What the parts of the shim share; see skip_time.c. */
#ifndef SKIP_TIME_H
#define SKIP_TIME_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

typedef int64_t ns;

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

/* The function that this one stands before, looked up once. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CACHED(name)                                   \
  static __typeof__(&name) real_##name;                \
  if (real_##name == NULL) real_##name = REAL(name)

static inline ns from_timespec(const struct timespec *time) { return time->tv_sec * SECOND + time->tv_nsec; }

static inline struct timespec to_timespec(ns time) {
  if (time < 0) time = 0;
  return (struct timespec){.tv_sec = time / SECOND, .tv_nsec = time % SECOND};
}

#pragma GCC visibility push(hidden)

ns real_monotonic(void);
ns monotonic(void);
ns moved_on(clockid_t clock);
int is_on_its_way(int64_t held_back);

#pragma GCC visibility pop

#endif
