// Preloaded into ringtapd by tests: a resolver that answers late (SHIM_RESOLVER_S), a libwebsockets
// that gives up (SHIM_SERVICE_CALLS: after so many calls lws_service fails for good), a drive that fails
// (SHIM_WRITE), a clock that goes back (SHIM_CLOCK), a forbidden system call (SHIM_FORBIDDEN).
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct lws_context;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  (void)node, (void)service, (void)hints, (void)result;
  const char *seconds = getenv("SHIM_RESOLVER_S");
  if (seconds) sleep((unsigned)atoi(seconds));
  return EAI_AGAIN;
}

int lws_service(struct lws_context *context, int timeout_ms) {
  static int calls;
  const char *limit = getenv("SHIM_SERVICE_CALLS");
  if (limit && ++calls > atoi(limit)) return -1;
  return ((int (*)(struct lws_context *, int))dlsym(RTLD_NEXT, "lws_service"))(context, timeout_ms);
}

// --- storing (test/native/faults.test.ts) ---

// SHIM_WRITE=PATH,FAULT,FROM,COUNT: pwrite number FROM and the COUNT-1 after it, of files whose name contains PATH,
// meet FAULT: an errno as a number, `short` (half of it is written) or `stall` (5 s late). Section headers, which are
// short, do not count. Without io_uring.
static int faulty(int fd, size_t bytes, char fault[16]) {
  static _Atomic int calls;
  char link[64], name[4096], path[256];
  int from, count;
  const char *spec = getenv("SHIM_WRITE");
  if (!spec || sscanf(spec, "%255[^,],%15[^,],%d,%d", path, fault, &from, &count) != 4) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, name, sizeof name - 1);
  if (n < 0) return 0;
  name[n] = 0;
  if (bytes <= 16384 || !strstr(name, path)) return 0;
  int call = ++calls;
  return call >= from && call < from + count;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  char fault[16];
  if (faulty(fd, bytes, fault)) {
    if (!strcmp(fault, "short")) bytes = bytes > 8192 ? bytes / 2 / 4096 * 4096 : bytes;
    else if (!strcmp(fault, "stall")) sleep(5);
    else return errno = atoi(fault), -1;
  }
  return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) { return pwrite(fd, data, bytes, offset); }

struct io_uring;
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags) {
  if (getenv("SHIM_WRITE") || getenv("SHIM_NO_URING")) return -ENOSYS;
  return ((int (*)(unsigned, struct io_uring *, unsigned))dlsym(RTLD_NEXT, "io_uring_queue_init"))(entries, ring, flags);
}

// SHIM_CLOCK=S: from the 20th look on, the wall clock is S seconds back, and stands still.
int clock_gettime(clockid_t clock, struct timespec *out) {
  static _Atomic int looks;
  static struct timespec stopped;
  int rc = (int)syscall(SYS_clock_gettime, clock, out);
  const char *back = clock == CLOCK_REALTIME ? getenv("SHIM_CLOCK") : NULL;
  if (!back || ++looks < 20) return rc;
  if (!stopped.tv_sec) stopped = (struct timespec){out->tv_sec - atoi(back), out->tv_nsec};
  *out = stopped;
  return rc;
}

// SHIM_FORBIDDEN: makes a system call that no profile of ours has, again and again, from the main thread.
int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
  if (getenv("SHIM_FORBIDDEN")) syscall(SYS_personality, 0xffffffff);
  return ((int (*)(const sigset_t *, siginfo_t *, const struct timespec *))dlsym(RTLD_NEXT, "sigtimedwait"))(set, info, timeout);
}
