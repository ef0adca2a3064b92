/* Count, over all threads of a process, the calls that make a change durable or visible, and end the process by SIGKILL
 * right before or right after the N-th of them. Loaded with LD_PRELOAD.
 *
 *   KILL_ROOT   folders, joined by ':': only calls on what lies in them count
 *   KILL_LOG    a file: one line "number kind path" for each call, written before the call is made
 *   KILL_AT     the number of the call to die at, counted from 1; nothing dies without it
 *   KILL_WHEN   "before" or "after" the call itself
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int calls;

static int lies_in_root(const char *path) {
  const char *root = getenv("KILL_ROOT");
  while (root != NULL && *root != '\0') {
    size_t length = strcspn(root, ":");
    if (length > 0 && strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0')) return 1;
    root += length;
    if (*root == ':') root++;
  }
  return 0;
}

static int link_target(const char *link, char *target, size_t size) {
  ssize_t length = readlink(link, target, size - 1);
  if (length < 0) return 0;
  target[length] = '\0';
  return 1;
}

static int path_of_fd(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return link_target(link, path, size);
}

static int path_at(int folder, const char *name, char *path, size_t size) {
  char base[PATH_MAX];
  if (name[0] == '/') return snprintf(path, size, "%s", name) < (int)size;
  if (!(folder == AT_FDCWD ? link_target("/proc/self/cwd", base, sizeof base) : path_of_fd(folder, base, sizeof base)))
    return 0;
  return snprintf(path, size, "%s/%s", base, name) < (int)size;
}

static void note(int number, const char *kind, const char *path) {
  char line[PATH_MAX + 64];
  const char *log = getenv("KILL_LOG");
  int fd = log == NULL ? -1 : open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  int length = snprintf(line, sizeof line, "%d %s %s\n", number, kind, path);
  if (write(fd, line, (size_t)length) != length) abort();
  close(fd);
}

static void die_if(int number, const char *when) {
  const char *at = getenv("KILL_AT"), *wanted = getenv("KILL_WHEN");
  if (at == NULL || wanted == NULL || atoi(at) != number || strcmp(wanted, when) != 0) return;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Count a call on a path and, if this is the one, die before it; 0 where it does not count. */
static int reached(const char *kind, const char *path) {
  if (!lies_in_root(path)) return 0;
  int number = atomic_fetch_add(&calls, 1) + 1;
  note(number, kind, path);
  die_if(number, "before");
  return number;
}

/* Make the real call between the two moments, with its own errno left as it was. */
#define COUNTED(kind, has_path, path, call)                   \
  do {                                                        \
    int kept = errno;                                         \
    int number = (has_path) ? reached((kind), (path)) : 0;    \
    errno = kept;                                             \
    int result = (call);                                      \
    kept = errno;                                             \
    if (number > 0) die_if(number, "after");                  \
    errno = kept;                                             \
    return result;                                            \
  } while (0)

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) {
  char path[PATH_MAX];
  COUNTED("fsync", path_of_fd(fd, path, sizeof path), path, REAL(fsync)(fd));
}

int fdatasync(int fd) {
  char path[PATH_MAX];
  COUNTED("fsync", path_of_fd(fd, path, sizeof path), path, REAL(fdatasync)(fd));
}

int rename(const char *from, const char *to) {
  char path[PATH_MAX];
  COUNTED("rename", path_at(AT_FDCWD, to, path, sizeof path), path, REAL(rename)(from, to));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  char path[PATH_MAX];
  COUNTED("rename", path_at(to_folder, to, path, sizeof path), path, REAL(renameat)(from_folder, from, to_folder, to));
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags) {
  char path[PATH_MAX];
  COUNTED("rename", path_at(to_folder, to, path, sizeof path), path,
          REAL(renameat2)(from_folder, from, to_folder, to, flags));
}

int link(const char *from, const char *to) {
  char path[PATH_MAX];
  COUNTED("link", path_at(AT_FDCWD, to, path, sizeof path), path, REAL(link)(from, to));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  char path[PATH_MAX];
  COUNTED("link", path_at(to_folder, to, path, sizeof path), path,
          REAL(linkat)(from_folder, from, to_folder, to, flags));
}

int unlink(const char *name) {
  char path[PATH_MAX];
  COUNTED("unlink", path_at(AT_FDCWD, name, path, sizeof path), path, REAL(unlink)(name));
}

int unlinkat(int folder, const char *name, int flags) {
  char path[PATH_MAX];
  COUNTED("unlink", path_at(folder, name, path, sizeof path), path, REAL(unlinkat)(folder, name, flags));
}
