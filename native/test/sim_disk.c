// The simulation's drive: system calls linked through here (ld --wrap) fail, come late or do half of what they
// were asked. io_uring is refused in most runs, so that every write is one pwrite; in the others writes succeed and
// only the calls around them fail. Files are real. Any thread.
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "sim.h"

enum { HASTE = 100 };  // the recorder's clock runs so much faster: its back-offs and intervals take no time here

static struct {
  pthread_mutex_t lock;
  bool on;
  struct sim_plan plan;
  struct sim_random random;
  uint32_t full_for;  // so many writes more find the drive full
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
int __real_open(const char *path, int flags, ...);
int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
uint64_t __real_clock_monotonic_ns(void);

void sim_disk_plan(const struct sim_plan *plan) {
  pthread_mutex_lock(&disk.lock);
  disk.plan = *plan;
  disk.random.state = plan->seed * 5 + 2;
  disk.full_for = 0;
  pthread_mutex_unlock(&disk.lock);
}

static void set_on(bool on) {
  pthread_mutex_lock(&disk.lock);
  disk.on = on;
  pthread_mutex_unlock(&disk.lock);
}

void sim_disk_begin(void) { set_on(true); }
void sim_disk_end(void) { set_on(false); }

// What one call shall do: 0 or a positive errno, after how long, and for a write how many bytes.
struct fate {
  int err;
  uint64_t wait_ns;
  size_t bytes;
};

static struct fate draw_write(size_t bytes) {
  struct fate f = {.bytes = bytes};
  struct sim_random *r = &disk.random;
  const struct sim_plan *p = &disk.plan;
  if (sim_chance(r, p->write_wait_pm)) f.wait_ns = sim_below(r, sim_chance(r, 30) ? 20000000 : 400000);
  if (sim_chance(r, p->full_pm)) disk.full_for = 1 + (uint32_t)sim_below(r, 12);
  if (sim_chance(r, p->short_pm) || disk.full_for) f.bytes = sim_below(r, bytes + 1);
  if (sim_chance(r, p->error_pm)) f.err = (int[]){EIO, EINTR, ENOSPC, EFBIG}[sim_below(r, 4)];
  if (disk.full_for && disk.full_for--) f.err = ENOSPC;
  return f;
}

static struct fate draw(bool write, size_t bytes, uint32_t fault_pm) {
  struct fate f = {.bytes = bytes};
  pthread_mutex_lock(&disk.lock);
  if (disk.on && write) f = draw_write(bytes);
  if (disk.on && !write && sim_chance(&disk.random, fault_pm)) f.err = EIO;
  pthread_mutex_unlock(&disk.lock);
  if (f.wait_ns) clock_sleep_ns(f.wait_ns);
  return f;
}

// A write that fails may have left some of its bytes all the same.
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  struct fate f = draw(true, bytes, 0);
  ssize_t n = f.bytes ? __real_pwrite(fd, data, f.bytes, offset) : 0;
  if (!f.err) return n;
  errno = f.err;
  return -1;
}

int __wrap_open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(args, mode_t) : 0;
  va_end(args);
  if (flags & (O_WRONLY | O_RDWR) && draw(false, 0, disk.plan.open_pm).err) {
    errno = ENOSPC;
    return -1;
  }
  return __real_open(path, flags & ~O_DIRECT, mode);  // what is short here need not be aligned
}

int __wrap_fsync(int fd) {
  (void)fd;  // nothing here outlives a power cut anyway
  errno = draw(false, 0, disk.plan.sync_pm).err;
  return errno ? -1 : 0;
}

int __wrap_fdatasync(int fd) { return __wrap_fsync(fd); }

int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags) {
  return disk.plan.uring ? __real_io_uring_queue_init(entries, ring, flags) : -ENOSYS;
}

uint64_t __wrap_clock_monotonic_ns(void) { return __real_clock_monotonic_ns() * HASTE; }

// Waits as long as the hasty clock says, on the clock that every sanitizer knows.
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
                                  const struct timespec *at) {
  (void)clock;
  uint64_t at_ns = (uint64_t)at->tv_sec * NS_PER_S + (uint64_t)at->tv_nsec, now_ns = __wrap_clock_monotonic_ns();
  uint64_t until_ns = clock_realtime_ns() + (at_ns > now_ns ? (at_ns - now_ns) / HASTE : 0);
  struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
  return pthread_cond_timedwait(cond, lock, &until);
}

// What the recorder tells people about all this is not ours to print.
void __wrap_log_line(const char *fmt, ...) { (void)fmt; }
