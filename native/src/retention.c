// Deletes the oldest segments before the store takes more than it may, see retention.h.
#include "retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "segment_sum.h"
#include "segment_name.h"

#define PASS_NS (200 * NS_PER_MS)
#define RECOUNT_NS (10 * NS_PER_S)
#define AHEAD_BYTES_MAX (256ull << 20)  // deleted before a limit is met: a drive should not have to wait
#define EXPIRED_NAME "expired.jsonl"

// --- one segment ---

// A line per deletion; whoever asks for that time later learns that it is gone, and why.
static void tell_expired(int dir, const char *stem, const struct segment_sum *sum, uint64_t bytes, const char *reason) {
  char line[NAME_MAX + 320];
  int n = snprintf(line, sizeof line,
                   "{\"stem\":\"%s\",\"first_ts_ns\":\"%" PRIu64 "\",\"last_ts_ns\":\"%" PRIu64 "\",\"packets\":", stem,
                   sum->first_ts_ns, sum->last_ts_ns);
  n += snprintf(line + n, sizeof line - (size_t)n, sum->whole ? "%" PRIu64 : "null", sum->packets);
  n += snprintf(line + n, sizeof line - (size_t)n, ",\"bytes\":%" PRIu64 ",\"reason\":\"%s\",\"deleted_ts_ns\":\"%" PRIu64 "\"}\n",
                bytes, reason, clock_realtime_ns());
  int fd = openat(dir, EXPIRED_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0 || write(fd, line, (size_t)n) != n)
    log_line("%s: not told in " EXPIRED_NAME ": %s; it was deleted (%s)", stem, strerror(errno), reason);
  if (fd >= 0) close(fd);
}

static void delete_sidecar(int dir, const char *stem) {
  char name[NAME_MAX + 16];
  snprintf(name, sizeof name, "%s" SEGMENT_INDEX_SUFFIX, stem);
  unlinkat(dir, name, 0);  // most often there; it can be made again anyway
}

// `fd` is open on it and tells what it was.
static int delete_open(int dir, const char *name, int fd, const char *reason) {
  struct segment_sum sum;
  struct stat st;
  char stem[NAME_MAX + 1];
  if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) return -EBUSY;
  if (fstat(fd, &st)) return -errno;
  segment_sum(fd, &sum);
  if (unlinkat(dir, name, 0)) return -errno;
  snprintf(stem, sizeof stem, "%.*s", (int)(strlen(name) - strlen(SEGMENT_SUFFIX)), name);
  delete_sidecar(dir, stem);
  tell_expired(dir, stem, &sum, (uint64_t)st.st_size, reason);
  log_verbose("%s: deleted (%s)", name, reason);
  return 0;
}

static int delete_at(int dir, const char *name, const char *reason) {
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return -errno;
  int rc = delete_open(dir, name, fd, reason);
  close(fd);
  return rc;
}

int retention_delete(const char *path, const char *reason) {
  char parent[PATH_MAX];
  snprintf(parent, sizeof parent, "%s", path);
  char *slash = strrchr(parent, '/');
  if (slash) slash[slash == parent] = 0;
  int dir = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return -errno;
  int rc = delete_at(dir, slash ? path + (slash - parent) + 1 : path, reason);
  close(dir);
  return rc;
}

// --- what there is ---

struct entry {
  char name[NAME_MAX + 1];
  uint32_t dir;
  uint64_t bytes, written_ns;
};

struct list {
  struct entry *at;
  size_t count, room;
};

static struct entry *list_add(struct list *l) {
  if (l->count == l->room) {
    size_t room = l->room ? 2 * l->room : 256;
    struct entry *more = realloc(l->at, room * sizeof *more);
    if (!more) return NULL;
    l->at = more;
    l->room = room;
  }
  return &l->at[l->count++];
}

static uint64_t sidecar_bytes(int dir, const char *name) {
  char index[NAME_MAX + 16];
  struct stat st;
  snprintf(index, sizeof index, "%.*s" SEGMENT_INDEX_SUFFIX, (int)(strlen(name) - strlen(SEGMENT_SUFFIX)), name);
  return fstatat(dir, index, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

static void list_directory(struct list *l, const char *path, uint32_t number) {
  DIR *dir = opendir(path);
  if (!dir) return;
  for (struct dirent *d; (d = readdir(dir));) {
    struct stat st;
    if (!segment_name_is(d->d_name) || fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) continue;
    struct entry *e = list_add(l);
    if (!e) break;
    snprintf(e->name, sizeof e->name, "%s", d->d_name);
    e->dir = number;
    e->bytes = (uint64_t)st.st_size + sidecar_bytes(dirfd(dir), d->d_name);
    e->written_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_S + (uint64_t)st.st_mtim.tv_nsec;
  }
  closedir(dir);
}

static int by_age(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return segment_name_compare(x->name, y->name);
}

static void list_all(const struct retention *r, struct list *l) {
  *l = (struct list){0};
  for (uint32_t i = 0; i < r->dirs_count; i++)
    if (!atomic_load(&r->avoid[i])) list_directory(l, r->dirs[i], i);
  if (l->count) qsort(l->at, l->count, sizeof *l->at, by_age);
}

// --- the limits ---

static uint64_t floor_of(const struct retention_limits *limits, const struct statvfs *v) {
  if (limits->floor_percent <= 0) return limits->floor_bytes;
  uint64_t share = (uint64_t)((double)v->f_blocks * (double)v->f_frsize * limits->floor_percent / 100);
  return limits->floor_bytes && share > limits->floor_bytes ? limits->floor_bytes : share;
}

uint64_t retention_floor(const struct retention_limits *limits, const char *dir) {
  struct statvfs v;
  return statvfs(dir, &v) ? 0 : floor_of(limits, &v);
}

static uint64_t ahead(uint64_t limit) { return limit / 16 < AHEAD_BYTES_MAX ? limit / 16 : AHEAD_BYTES_MAX; }

static uint64_t ahead_of_floor(const struct retention *r, uint32_t dir, uint64_t keep) {
  uint64_t wanted = atomic_load(&r->wanted[dir]);
  return wanted > ahead(keep) ? wanted : ahead(keep);
}

// Bytes missing until the floor is kept with `more` to be written; 0: it is. What cannot be told is not missing.
static uint64_t below_floor(const struct retention *r, uint32_t dir, uint64_t more) {
  struct statvfs v;
  if (statvfs(r->dirs[dir], &v)) return 0;
  uint64_t want = floor_of(&r->limits, &v), free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
  if (!want) return 0;
  return want + more > free_bytes ? want + more - free_bytes : 0;
}

// Before the limit is met: with what the drives may be writing by now.
static bool is_over(const struct retention *r, uint64_t used) {
  if (!r->limits.bytes) return false;
  used += ahead(r->limits.bytes);
  for (uint32_t i = 0; i < r->dirs_count; i++) used += atomic_load(&r->wanted[i]);
  return used > r->limits.bytes;
}

static const char *reason_for(const struct retention *r, const struct entry *e, uint64_t now_ns, uint64_t used) {
  const struct retention_limits *l = &r->limits;
  if (l->age_ns && e->written_ns + l->age_ns < now_ns) return "age";
  if (is_over(r, used)) return "bytes";
  uint64_t keep = retention_floor(l, r->dirs[e->dir]);
  return keep && below_floor(r, e->dir, ahead_of_floor(r, e->dir, keep)) ? "floor" : NULL;
}

static bool delete_entry(struct retention *r, const struct entry *e, const char *reason) {
  char path[PATH_MAX + NAME_MAX + 2];
  snprintf(path, sizeof path, "%s/%s", r->dirs[e->dir], e->name);
  int rc = retention_delete(path, reason);
  if (rc && rc != -EBUSY && rc != -ENOENT)
    log_verbose("%s: cannot be deleted: %s", path, strerror(-rc));
  if (rc) return false;
  atomic_fetch_add(&r->expired_segments, 1);
  uint64_t before = atomic_fetch_add(&r->expired_bytes, e->bytes);
  if (!before)
    log_line("retention (%s): the oldest segments are being deleted from here on; " EXPIRED_NAME " lists them", reason);
  return true;
}

static void pass(struct retention *r) {
  struct list list;
  list_all(r, &list);
  uint64_t used = 0, now_ns = clock_realtime_ns();
  for (size_t i = 0; i < list.count; i++) used += list.at[i].bytes;
  for (size_t i = 0; i < list.count; i++) {
    const char *reason = reason_for(r, &list.at[i], now_ns, used);
    if (reason && delete_entry(r, &list.at[i], reason)) used -= list.at[i].bytes;
  }
  atomic_store(&r->used_bytes, used);
  free(list.at);
}

// Is there anything to do? Cheap, so that a full look at the directories is seldom needed.
static bool is_tight(struct retention *r) {
  if (is_over(r, atomic_load(&r->used_bytes))) return true;
  for (uint32_t i = 0; i < r->dirs_count; i++) {
    if (atomic_load(&r->avoid[i])) continue;
    uint64_t keep = retention_floor(&r->limits, r->dirs[i]);
    if (keep && below_floor(r, i, ahead_of_floor(r, i, keep))) return true;
  }
  return false;
}

static void *retention_main(void *arg) {
  struct retention *r = arg;
  pthread_setname_np(pthread_self(), "rt-retention");
  uint64_t recount_ns = 0;
  pthread_mutex_lock(&r->lock);
  while (!r->stop) {
    r->kicked = false;
    pthread_mutex_unlock(&r->lock);
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns >= recount_ns || is_tight(r)) {
      pass(r);
      recount_ns = now_ns + RECOUNT_NS;
    }
    bool short_of[RETENTION_DIRS_MAX];
    for (uint32_t i = 0; i < r->dirs_count; i++) short_of[i] = below_floor(r, i, atomic_load(&r->wanted[i])) > 0;
    pthread_mutex_lock(&r->lock);
    memcpy(r->exhausted, short_of, sizeof r->exhausted);
    r->full = r->limits.bytes && atomic_load(&r->used_bytes) > r->limits.bytes;
    r->passes++;
    pthread_cond_broadcast(&r->changed);
    uint64_t at_ns = clock_monotonic_ns() + PASS_NS;
    struct timespec at = {.tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};
    while (!r->stop && !r->kicked && pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &at) != ETIMEDOUT) continue;
  }
  pthread_mutex_unlock(&r->lock);
  return NULL;
}

int retention_start(struct retention *r, const char *const *dirs, uint32_t dirs_count,
                    const struct retention_limits *limits) {
  memset(r, 0, sizeof *r);
  r->limits = *limits;
  r->dirs_count = dirs_count;
  for (uint32_t i = 0; i < dirs_count; i++) r->dirs[i] = dirs[i];
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->changed, NULL);
  int rc = -pthread_create(&r->thread, NULL, retention_main, r);
  r->running = rc == 0;
  return rc;
}

void retention_stop(struct retention *r) {
  if (!r->running) return;
  pthread_mutex_lock(&r->lock);
  r->stop = true;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
  pthread_join(r->thread, NULL);
  // The bytes asked for hold also after the last write.
  if (r->limits.bytes && atomic_load(&r->used_bytes) > r->limits.bytes) pass(r);
  pthread_mutex_destroy(&r->lock);
  pthread_cond_destroy(&r->changed);
  r->running = false;
}

// Two passes: one under way may have looked before the space was needed.
static void wait_for_pass(struct retention *r) {
  uint64_t at_ns = clock_monotonic_ns() + PASS_NS;
  struct timespec at = {.tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};
  uint64_t until = r->passes + 2;
  while (r->passes < until) {
    r->kicked = true;
    pthread_cond_broadcast(&r->changed);
    if (pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &at) == ETIMEDOUT) break;
  }
}

int retention_room(struct retention *r, uint32_t dir, uint64_t bytes, struct failure *f) {
  if (!r->running) return 0;
  uint64_t used = atomic_fetch_add(&r->used_bytes, bytes) + bytes;
  if (bytes > atomic_load(&r->wanted[dir])) atomic_store(&r->wanted[dir], bytes);
  bool over = r->limits.bytes && used > r->limits.bytes;
  bool below = below_floor(r, dir, bytes) > 0;
  if (!over && !below) return 0;
  pthread_mutex_lock(&r->lock);
  if (below ? !r->exhausted[dir] : !r->full) wait_for_pass(r);
  pthread_mutex_unlock(&r->lock);
  if (!below || !below_floor(r, dir, bytes)) return 0;
  return fail(f, ENOSPC, "%s: %s above the free floor (--free-floor keeps %" PRIu64 " MiB); %s", r->dirs[dir],
              strerror(ENOSPC), retention_floor(&r->limits, r->dirs[dir]) >> 20, cure(ENOSPC));
}
