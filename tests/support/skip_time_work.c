/* Work that is under way although every thread sleeps: an answer over TCP, a write to a disk. */
#include "skip_time.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET (15 * MILLISECOND) /* how long nothing must have come over TCP: more of an answer may follow */
#define UNANSWERED SECOND /* the same, while something was sent that nothing has come back for, nor is held back */
#define MOST_FDS 4096

static _Atomic int syncing; /* calls under way: not every file system says that it waits for a disk */
static _Atomic int unanswered; /* sockets on which something was sent, and nothing has come since */
static _Atomic ns tcp_at; /* when something was sent or came, by the real clock */
static _Atomic char is_unanswered[MOST_FDS];

/* Whether something may still come without anybody's doing; `held_back` answers are not on their way. */
int is_on_its_way(int64_t held_back) {
  if (atomic_load(&syncing) > 0) return 1;
  ns still = atomic_load(&unanswered) > held_back ? UNANSWERED : QUIET;
  return real_monotonic() - atomic_load(&tcp_at) < still;
}

static int is_tcp(int fd) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (fd < 0 || fd >= MOST_FDS || getsockname(fd, (struct sockaddr *)&address, &length) != 0) return 0;
  return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

static void forget(int fd) {
  if (fd >= 0 && fd < MOST_FDS && atomic_exchange(&is_unanswered[fd], 0)) atomic_fetch_sub(&unanswered, 1);
}

static void note_sent(int fd) {
  int kept = errno;
  if (is_tcp(fd)) {
    atomic_store(&tcp_at, real_monotonic());
    if (!atomic_exchange(&is_unanswered[fd], 1)) atomic_fetch_add(&unanswered, 1);
  }
  errno = kept;
}

static void note_received(int fd, ssize_t length) {
  int kept = errno;
  if (length >= 0 && is_tcp(fd)) {
    atomic_store(&tcp_at, real_monotonic());
    forget(fd);
  }
  errno = kept;
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
  CACHED(send);
  note_sent(fd);
  return real_send(fd, data, length, flags);
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) {
  CACHED(sendto);
  note_sent(fd);
  return real_sendto(fd, data, length, flags, to, to_length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  CACHED(sendmsg);
  note_sent(fd);
  return real_sendmsg(fd, message, flags);
}

ssize_t recv(int fd, void *data, size_t length, int flags) {
  CACHED(recv);
  ssize_t got = real_recv(fd, data, length, flags);
  note_received(fd, got);
  return got;
}

ssize_t recvfrom(int fd, void *restrict data, size_t length, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_length) {
  CACHED(recvfrom);
  ssize_t got = real_recvfrom(fd, data, length, flags, from, from_length);
  note_received(fd, got);
  return got;
}

int close(int fd) {
  CACHED(close);
  forget(fd);
  return real_close(fd);
}

int fsync(int fd) {
  CACHED(fsync);
  atomic_fetch_add(&syncing, 1);
  int failed = real_fsync(fd), kept = errno;
  atomic_fetch_sub(&syncing, 1);
  errno = kept;
  return failed;
}

int fdatasync(int fd) {
  CACHED(fdatasync);
  atomic_fetch_add(&syncing, 1);
  int failed = real_fdatasync(fd), kept = errno;
  atomic_fetch_sub(&syncing, 1);
  errno = kept;
  return failed;
}
