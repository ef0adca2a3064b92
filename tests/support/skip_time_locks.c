/* Waits for locks, which end in real time. Whoever waits gives an instant of the clocks as they are told by the shim; the
 * kernel knows the real ones only.
 */
#include "skip_time.h"

#include <pthread.h>
#include <semaphore.h>

static struct timespec on_real_clock(clockid_t clock, const struct timespec *time) {
  return to_timespec(from_timespec(time) - moved_on(clock));
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
  struct timespec real = on_real_clock(clock, until);
  CACHED(sem_clockwait);
  return real_sem_clockwait(semaphore, clock, &real);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
  struct timespec real = on_real_clock(CLOCK_REALTIME, until);
  CACHED(sem_timedwait);
  return real_sem_timedwait(semaphore, &real);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
  struct timespec real = on_real_clock(clock, until);
  CACHED(pthread_cond_clockwait);
  return real_pthread_cond_clockwait(condition, mutex, clock, &real);
}

/* Python has its conditions count by the monotonic clock; a time that lies far behind it is of the wall clock. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  static __typeof__(&pthread_cond_timedwait) real;
  if (real == NULL) real = (__typeof__(real))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (real == NULL) real = REAL(pthread_cond_timedwait);
  ns ahead = from_timespec(until) - monotonic();
  int by_wall = ahead > INT64_C(10) * 365 * 24 * 3600 * SECOND;
  struct timespec meant = on_real_clock(by_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, until);
  return real(condition, mutex, &meant);
}
