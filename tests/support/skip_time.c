/* Let a process live in a time that skips over its waits. Loaded with LD_PRELOAD.
 *
 *   SKIP_TIME_FILE   the file that is shared by all who live in this time (`struct shared`)
 *
 * The clocks say what they really say, plus what was skipped so far. When every thread of the process waits, and what
 * one of them waits for is an instant, the clocks are moved to that instant. Nothing is skipped while the process
 * works, while somebody else says that they work for it (`busy`), or while an answer may be on its way over TCP.
 *
 * What waits for an instant and is skipped: epoll_wait and its kin, poll and ppoll, clock_nanosleep (which is Python's
 * sleep). Waits for locks and condition variables count as waits, but end in real time. So does nanosleep: libraries
 * use it to wait for another process, which needs its real time (SQLite, for a lock on its file).
 *
 * Several processes may share one time. Each sees what another has skipped, as it would see a clock that was set; it
 * is not asked first.
 *
 * Here are the clocks and the waits that are skipped; skip_time_locks.c has those that are not, skip_time_work.c knows
 * whether something is on its way.
 */
#include "skip_time.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define NEVER INT64_MAX
#define SLICE MILLISECOND /* how long a wait really waits before it looks whether it may be skipped */
#define MOST_WAITS 64

/* As tests/support/skipped_time.py writes it. Instants are of the skipped monotonic clock; 0 is none. */
struct shared {
  _Atomic ns skipped; /* moved here alone, and never back */
  _Atomic ns advanced; /* what others added to both clocks; never less */
  _Atomic ns wall; /* what was added to the wall clock only; may be less than before */
  _Atomic ns not_beyond; /* an instant that is not skipped over */
  _Atomic ns leap_to; /* an instant that a wait is skipped to although it would end earlier */
  _Atomic int64_t busy; /* how many say that they work for this process */
  _Atomic int64_t held_back; /* how many answers are held back on purpose */
  _Atomic int64_t pid; /* the process that came last */
};

static struct shared alone = {0}; /* without a file time goes as it goes */
static struct shared *shared = &alone;
static ns waits[MOST_WAITS]; /* until when each waiting thread waits; 0 is a free place */
static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void open_shared(void) {
  const char *path = getenv("SKIP_TIME_FILE");
  int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return;
  shared = mapped;
  atomic_store(&shared->pid, getpid());
}

ns real_monotonic(void) {
  CACHED(clock_gettime);
  struct timespec now;
  real_clock_gettime(CLOCK_MONOTONIC, &now);
  return from_timespec(&now);
}

static ns moved(void) { return atomic_load(&shared->skipped) + atomic_load(&shared->advanced); }

ns monotonic(void) { return real_monotonic() + moved(); }

/* How far a clock is from what it really says; 0 for those that count work, not time. */
ns moved_on(clockid_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
      return moved() + atomic_load(&shared->wall);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      return moved();
    default:
      return 0;
  }
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  CACHED(clock_gettime);
  int failed = real_clock_gettime(clock, time);
  if (!failed) *time = to_timespec(from_timespec(time) + moved_on(clock));
  return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  CACHED(gettimeofday);
  int failed = real_gettimeofday(time, zone);
  if (failed) return failed;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *also) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (also != NULL) *also = now.tv_sec;
  return now.tv_sec;
}

/* Whether another thread of this process runs, wants to run, or waits for a disk. */
static int another_works(void) {
  pid_t own = (pid_t)syscall(SYS_gettid);
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL) return 1;
  int works = 0;
  for (struct dirent *task; !works && (task = readdir(tasks)) != NULL;) {
    if (task->d_name[0] == '.' || atoi(task->d_name) == own) continue;
    char path[300], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) continue; /* it has just ended */
    text[length] = '\0';
    char *name_end = strrchr(text, ')');
    works = name_end == NULL || name_end[1] == '\0' || name_end[2] != 'S';
  }
  closedir(tasks);
  return works;
}

static int may_skip(void) {
  if (atomic_load(&shared->busy) > 0 || is_on_its_way(atomic_load(&shared->held_back))) return 0;
  return !another_works();
}

/* Move the clocks to the first instant that a thread waits for, but not beyond what must not be skipped over. */
static void skip(void) {
  if (shared == &alone || !may_skip()) return;
  ns until = NEVER;
  pthread_mutex_lock(&waits_lock);
  for (int place = 0; place < MOST_WAITS; place++)
    if (waits[place] != 0 && waits[place] < until) until = waits[place];
  pthread_mutex_unlock(&waits_lock);
  ns leap_to = atomic_load(&shared->leap_to), not_beyond = atomic_load(&shared->not_beyond);
  if (until < leap_to) until = leap_to;
  if (not_beyond != 0 && until > not_beyond) until = not_beyond;
  if (until == NEVER) return;
  ns skipped = atomic_load(&shared->skipped);
  ns left = until - (real_monotonic() + skipped + atomic_load(&shared->advanced));
  if (left > 0) atomic_compare_exchange_strong(&shared->skipped, &skipped, skipped + left);
}

static int begin_wait(ns until) {
  int place = 0;
  pthread_mutex_lock(&waits_lock);
  while (place < MOST_WAITS && waits[place] != 0) place++;
  if (place == MOST_WAITS) abort();
  waits[place] = until;
  pthread_mutex_unlock(&waits_lock);
  return place;
}

static void end_wait(int place) {
  pthread_mutex_lock(&waits_lock);
  waits[place] = 0;
  pthread_mutex_unlock(&waits_lock);
}

/* Call `step` for a slice of real time until it returns anything but 0 or the skipped clock has reached `until`. */
static int wait_until(ns until, int (*step)(void *, ns), void *what) {
  if (until == NEVER) return step(what, NEVER);
  int result, place = begin_wait(until);
  for (;;) {
    ns left = until - monotonic();
    result = step(what, left <= 0 ? 0 : left < SLICE ? left : SLICE);
    if (result != 0 || left <= 0) break;
    int kept = errno;
    skip();
    errno = kept;
  }
  int kept = errno;
  end_wait(place);
  errno = kept;
  return result;
}

static int milliseconds(ns time) { return (int)((time + MILLISECOND - 1) / MILLISECOND); }

struct epoll_wait_call {
  int epoll;
  struct epoll_event *events;
  int most;
  const sigset_t *mask;
};

static int step_of_epoll(void *what, ns slice) {
  struct epoll_wait_call *call = what;
  CACHED(epoll_pwait);
  int timeout = slice == NEVER ? -1 : milliseconds(slice);
  return real_epoll_pwait(call->epoll, call->events, call->most, timeout, call->mask);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask) {
  struct epoll_wait_call call = {epoll, events, most, mask};
  if (timeout == 0) return step_of_epoll(&call, 0);
  return wait_until(timeout < 0 ? NEVER : monotonic() + timeout * MILLISECOND, step_of_epoll, &call);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
  return epoll_pwait(epoll, events, most, timeout, NULL);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int most, const struct timespec *timeout,
                 const sigset_t *mask) {
  struct epoll_wait_call call = {epoll, events, most, mask};
  ns until = timeout == NULL ? NEVER : monotonic() + from_timespec(timeout);
  return wait_until(until, step_of_epoll, &call);
}

struct poll_call {
  struct pollfd *fds;
  nfds_t count;
  const sigset_t *mask;
};

static int step_of_poll(void *what, ns slice) {
  struct poll_call *call = what;
  struct timespec time = to_timespec(slice);
  CACHED(ppoll);
  return real_ppoll(call->fds, call->count, slice == NEVER ? NULL : &time, call->mask);
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
  struct poll_call call = {fds, count, NULL};
  if (timeout == 0) return step_of_poll(&call, 0);
  return wait_until(timeout < 0 ? NEVER : monotonic() + timeout * MILLISECOND, step_of_poll, &call);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  struct poll_call call = {fds, count, mask};
  return wait_until(timeout == NULL ? NEVER : monotonic() + from_timespec(timeout), step_of_poll, &call);
}

/* 0 when the slice has passed, else the error's number. */
static int step_of_sleep(void *what, ns slice) {
  struct timespec time = to_timespec(slice);
  (void)what;
  CACHED(clock_nanosleep);
  return real_clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *asked, struct timespec *left) {
  ns until = from_timespec(asked);
  if (flags & TIMER_ABSTIME) {
    if (clock == CLOCK_REALTIME) until -= atomic_load(&shared->wall);
    struct timespec now;
    CACHED(clock_gettime);
    real_clock_gettime(clock, &now);
    until += real_monotonic() - from_timespec(&now);
  } else {
    until += monotonic();
  }
  int failed = wait_until(until, step_of_sleep, NULL);
  if (failed && left != NULL && !(flags & TIMER_ABSTIME)) *left = to_timespec(until - monotonic());
  return failed;
}
