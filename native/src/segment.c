// Segment files, see segment.h.
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "syncer.h"

enum { FILE_MODE = 0640 };  // packets are private

static int dir_check(const char *dir, struct failure *f) {
  struct stat st;
  if (stat(dir, &st) == 0) {
    if (S_ISDIR(st.st_mode)) return 0;
    return fail(f, ENOTDIR, "%s: not a directory; name one to store segments in", dir);
  }
  if (errno != ENOENT) return fail(f, errno, "%s: %s; check the path and its permissions", dir, strerror(errno));
  if (mkdir(dir, 0750) == 0) return sync_name(dir), 0;
  return fail(f, errno, "%s: cannot be created: %s; create it or name another --store directory", dir,
              strerror(errno));
}

// Does `dir` lie on another file system than the directory it is in?
static bool is_mounted(const char *dir) {
  char above[PATH_MAX + 4];
  struct stat here, up;
  snprintf(above, sizeof above, "%s/..", dir);
  return stat(dir, &here) == 0 && stat(above, &up) == 0 && here.st_dev != up.st_dev;
}

int segment_plan_store(struct segment_plan *plan, const char *dir, const char *interface, struct failure *f) {
  int rc = dir_check(dir, f);
  if (rc) return rc;
  snprintf(plan->dir, sizeof plan->dir, "%s", dir);
  plan->mounted = is_mounted(dir);
  char name[64] = "";
  size_t n = 0;
  for (const char *p = interface; *p && n < sizeof name - 1; p++) {
    bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                 (*p && strchr("._", *p));
    name[n++] = plain ? *p : '_';
  }
  int len = snprintf(plan->prefix, sizeof plan->prefix, "%s/ringtap-%s", dir, name);
  if (len >= (int)sizeof plan->prefix) return fail(f, ENAMETOOLONG, "--store: path too long; use a shorter one");
  snprintf(plan->suffix, sizeof plan->suffix, ".pcapng");
  return 0;
}

int segment_plan_file(struct segment_plan *plan, const char *path, struct failure *f) {
  plan->single = !plan->rotate_bytes && !plan->rotate_ns;
  if (strlen(path) >= sizeof plan->prefix) return fail(f, ENAMETOOLONG, "-w: path too long; use a shorter one");
  strcpy(plan->prefix, path);
  if (plan->single) return 0;
  char *slash = strrchr(plan->prefix, '/');
  char *dot = strrchr(slash ? slash : plan->prefix, '.');
  if (!dot || dot == (slash ? slash + 1 : plan->prefix) || strlen(dot) >= sizeof plan->suffix) return 0;
  strcpy(plan->suffix, dot);
  *dot = 0;
  return 0;
}

int segment_init(struct segment *s, struct segment_names *names, const uint8_t *header, uint32_t header_bytes) {
  s->names = names;
  s->header = header;
  s->header_bytes = header_bytes;
  s->fd = -1;
  if (!s->plan.keep) return 0;
  s->kept = calloc(s->plan.keep, sizeof *s->kept);
  return s->kept ? 0 : -ENOMEM;
}

void segment_destroy(struct segment *s) {
  free(s->kept);
  s->kept = NULL;
}

static void name_format(const struct segment *s, struct segment_name name, char out[PATH_MAX]) {
  char stamp[CLOCK_UTC_BYTES];
  clock_format_utc(name.ts_ns, stamp);
  if (s->plan.single)
    snprintf(out, PATH_MAX, "%s", s->plan.prefix);
  else
    snprintf(out, PATH_MAX, "%s-%s-%06u%s", s->plan.prefix, stamp, name.seq, s->plan.suffix);
}

// Opens with O_DIRECT unless the file system refused it before.
static int open_direct(struct segment *s, const char *path, int flags) {
  if (!s->direct_refused) {
    int fd = open(path, flags | O_DIRECT, FILE_MODE);
    if (fd >= 0 || errno != EINVAL) return fd;
    s->direct_refused = true;
    log_line("%s: this file system has no O_DIRECT; writing through the page cache", s->path);
  }
  return open(path, flags, FILE_MODE);
}

// Of a file system without locks nobody expects any.
static int lock_file(int fd) { return flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK ? -EBUSY : 0; }

static int write_header(struct segment *s, int fd) {
  ssize_t n = pwrite(fd, s->header, s->header_bytes, 0);
  if (n < 0 && errno == EINVAL && !s->direct_refused) {
    s->direct_refused = true;
    log_line("%s: this file system refuses O_DIRECT writes; writing through the page cache", s->path);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_DIRECT);
    n = pwrite(fd, s->header, s->header_bytes, 0);
  }
  if (n < 0) return -errno;
  return n == (ssize_t)s->header_bytes ? 0 : -ENOSPC;
}

// A nameless file gets its header first and its name after: readers never meet an empty segment.
// -EOPNOTSUPP where the file system has no O_TMPFILE or /proc is missing.
static int create_nameless(struct segment *s) {
  char dir[PATH_MAX], proc[64];
  snprintf(dir, sizeof dir, "%s", s->path);
  char *slash = strrchr(dir, '/');
  if (slash) slash[slash == dir] = 0;
  int fd = open_direct(s, slash ? dir : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno == EISDIR || errno == ENOENT || errno == EINVAL ? -EOPNOTSUPP : -errno;
  int rc = lock_file(fd);
  if (!rc) rc = write_header(s, fd);
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  if (!rc && linkat(AT_FDCWD, proc, AT_FDCWD, s->path, AT_SYMLINK_FOLLOW)) rc = errno == ENOENT ? -EOPNOTSUPP : -errno;
  if (!rc) return fd;
  close(fd);
  return rc;
}

static int create_named(struct segment *s) {
  int fd = open_direct(s, s->path, O_CREAT | O_WRONLY | O_CLOEXEC | (s->plan.single ? 0 : O_EXCL));
  if (fd < 0) return -errno;
  int rc = lock_file(fd);
  if (!rc && s->plan.single && ftruncate(fd, 0) && errno != EINVAL) rc = -errno;
  if (!rc) rc = write_header(s, fd);
  if (!rc) return fd;
  close(fd);
  if (rc != -EBUSY) unlink(s->path);
  return rc;
}

static void throw_away_oldest(struct segment *s, struct segment_name name) {
  if (!s->plan.keep || s->plan.single) return;
  struct segment_name *slot = &s->kept[s->named % s->plan.keep];
  if (s->named++ >= s->plan.keep) {
    char old[PATH_MAX];
    name_format(s, *slot, old);
    int rc = s->plan.dir[0] ? retention_delete(old, "files") : unlink(old) ? -errno : 0;
    if (rc && rc != -ENOENT) log_line("%s: cannot be removed: %s; remove it by hand", old, strerror(-rc));
  }
  *slot = name;
}

static struct segment_name next_name(struct segment_names *names) {
  uint64_t now = clock_realtime_ns();
  pthread_mutex_lock(&names->lock);
  names->last_ts_ns = now > names->last_ts_ns ? now : names->last_ts_ns + 1;  // even when the clock was set back
  struct segment_name name = {names->last_ts_ns, ++names->seq};
  pthread_mutex_unlock(&names->lock);
  return name;
}

// A store that somebody removed is made again, but never in the place where its drive was mounted.
static int find_directory(const struct segment *s, struct failure *f) {
  const char *dir = s->plan.dir;
  if (!dir[0]) return 0;
  if (s->plan.mounted && !is_mounted(dir))
    return fail(f, ENODEV, "%s: its drive is no longer mounted there; mount it again", dir);
  return access(dir, F_OK) && errno == ENOENT ? dir_check(dir, f) : 0;
}

int segment_open(struct segment *s, struct failure *f) {
  int rc = find_directory(s, f);
  if (rc) return rc;
  struct segment_name name = next_name(s->names);
  name_format(s, name, s->path);
  int fd = s->plan.single ? -EOPNOTSUPP : create_nameless(s);
  if (fd == -EOPNOTSUPP) fd = create_named(s);
  if (fd == -EBUSY) return fail(f, EBUSY, "%s: another recorder writes it; name another file", s->path);
  if (fd < 0) return fail(f, -fd, "%s: cannot be created: %s; %s", s->path, strerror(-fd), cure(-fd));
  s->fd = fd;
  s->offset = s->header_bytes;
  s->packets = s->last_seq = 0;
  s->opened_ns = clock_monotonic_ns();
  throw_away_oldest(s, name);
  return 0;
}

bool segment_is_reachable(const struct segment *s) {
  struct stat named, open;
  return stat(s->path, &named) == 0 && fstat(s->fd, &open) == 0 && named.st_dev == open.st_dev &&
         named.st_ino == open.st_ino;
}

bool segment_is_due(const struct segment *s, uint64_t bytes, uint64_t now_ns) {
  if (s->offset == s->header_bytes) return false;  // each file takes at least one block
  if (s->plan.rotate_bytes && s->offset + bytes > s->plan.rotate_bytes) return true;
  return s->plan.rotate_ns && now_ns - s->opened_ns >= s->plan.rotate_ns;
}

void segment_truncate(struct segment *s) {
  if (ftruncate(s->fd, (off_t)s->offset))
    log_line("%s: incomplete block not cut off: %s; cut it at %llu bytes", s->path, strerror(errno),
             (unsigned long long)s->offset);
}

int segment_close(struct segment *s, bool discard_empty) {
  if (s->fd < 0) return 0;
  int rc = fsync(s->fd) && errno != EINVAL ? -errno : 0;
  if (close(s->fd) && !rc) rc = -errno;
  s->fd = -1;
  if (discard_empty && s->packets == 0) unlink(s->path);
  s->path[0] = 0;
  return rc;
}
