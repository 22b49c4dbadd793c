// Durability in the background, see syncer.h.
#include "syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alarm.h"
#include "log.h"

// EINVAL: nothing that could be synced, such as /dev/null.
static int result(int rc) { return rc && errno != EINVAL ? errno : 0; }

static void judge(struct syncer *s, int err) {
  if (!err) {
    if (s->failing) alarm_clear(ALARM_SYNC);
    s->failing = false;
    return;
  }
  alarm_raise(ALARM_SYNC, "sync failed: %s; what was written last may not survive a power loss", strerror(err));
  if (!s->failing)
    log_line("sync failed: %s; what was written last may not survive a power loss; %s", strerror(err), cure(err));
  s->failing = true;
}

static void sync_now(struct syncer *s, int fd, bool named) {
  int err = named ? result(fsync(s->dir_fd)) : 0;
  if (fd >= 0) {
    int data = result(fdatasync(fd));
    close(fd);
    if (data) err = data;
  }
  if (named || fd >= 0) judge(s, err);
}

static void *syncer_main(void *arg) {
  struct syncer *s = arg;
  pthread_setname_np(pthread_self(), "rt-sync");
  for (bool stop = false; !stop;) {
    uint64_t at_ns = clock_monotonic_ns() + SYNC_INTERVAL_NS;
    struct timespec at = {.tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};
    pthread_mutex_lock(&s->lock);
    while (!s->stop && pthread_cond_clockwait(&s->wake, &s->lock, CLOCK_MONOTONIC, &at) != ETIMEDOUT) continue;
    stop = s->stop;
    bool named = s->named && s->dir_fd >= 0;
    bool written = atomic_exchange(&s->written, false);
    int fd = written && s->fd >= 0 ? fcntl(s->fd, F_DUPFD_CLOEXEC, 0) : -1;
    s->named = false;
    pthread_mutex_unlock(&s->lock);
    sync_now(s, fd, named);
  }
  return NULL;
}

static int open_directory_of(const char *path) {
  char dir[PATH_MAX];
  size_t n = (size_t)snprintf(dir, sizeof dir, "%s", path);
  while (n > 1 && n < sizeof dir && dir[n - 1] == '/') dir[--n] = 0;
  char *slash = strrchr(dir, '/');
  if (slash) slash[slash == dir] = 0;
  return open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void sync_name(const char *path) {
  int fd = open_directory_of(path);
  if (fd < 0) return;  // may not be read: then the file system's own time has to do
  fsync(fd);
  close(fd);
}

int syncer_start(struct syncer *s, const char *path) {
  s->dir_fd = open_directory_of(path);
  s->fd = -1;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->wake, NULL);
  int rc = -pthread_create(&s->thread, NULL, syncer_main, s);
  s->running = rc == 0;
  return rc;
}

void syncer_opened(struct syncer *s, int fd) {
  if (!s->running) return;
  pthread_mutex_lock(&s->lock);
  s->fd = fd;
  s->named = true;
  pthread_mutex_unlock(&s->lock);
  syncer_wrote(s);  // its header
}

void syncer_closing(struct syncer *s) {
  if (!s->running) return;
  pthread_mutex_lock(&s->lock);
  s->fd = -1;
  pthread_mutex_unlock(&s->lock);
}

void syncer_stop(struct syncer *s) {
  if (!s->running) return;
  pthread_mutex_lock(&s->lock);
  s->stop = true;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  if (s->dir_fd >= 0) close(s->dir_fd);
  pthread_mutex_destroy(&s->lock);
  pthread_cond_destroy(&s->wake);
  s->running = false;
}
