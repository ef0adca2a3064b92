/* Let every write to a file and every fsync take a while, as on a disk that is overloaded. Loaded with LD_PRELOAD.
 *
 *   SLOW_ROOT      a folder: only what lies in it is slow
 *   SLOW_WRITE_MS  milliseconds of each write
 *   SLOW_FSYNC_MS  milliseconds of each fsync
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int lies_in_root(int fd) {
  const char *root = getenv("SLOW_ROOT");
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = root == NULL ? -1 : readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return strncmp(path, root, strlen(root)) == 0;
}

/* By the system call itself: a shim that skips over waits must not skip this one. */
static void take_a_while(int fd, const char *how_long) {
  int kept = errno;
  const char *text = getenv(how_long);
  long milliseconds = text == NULL ? 0 : atol(text);
  if (milliseconds > 0 && lies_in_root(fd)) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    syscall(SYS_nanosleep, &time, NULL);
  }
  errno = kept;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t length) {
  take_a_while(fd, "SLOW_WRITE_MS");
  return REAL(write)(fd, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
  take_a_while(fd, "SLOW_WRITE_MS");
  return REAL(pwrite64)(fd, data, length, at);
}

int fsync(int fd) {
  take_a_while(fd, "SLOW_FSYNC_MS");
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  take_a_while(fd, "SLOW_FSYNC_MS");
  return REAL(fdatasync)(fd);
}
