// Looks before anything is touched, see preflight.h.
#include "preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway.h"
#include "stream.h"

// --- one file in two roles ---

struct role {
  const char *flag, *path;  // path NULL: not in use, "-": the descriptor
  int fd;
  bool writes;
};

static bool look(const struct role *r, struct stat *st) {
  return strcmp(r->path, "-") ? stat(r->path, st) == 0 : fstat(r->fd, st) == 0;
}

// Only regular files lose by it: a terminal, a pipe or /dev/null may well be shared.
static bool same_file(const struct role *a, const struct role *b) {
  struct stat x, y;
  bool a_there = look(a, &x), b_there = look(b, &y);
  if (a_there && b_there) return S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
  return !a_there && !b_there && !strcmp(a->path, b->path);
}

int preflight_clash(const struct options *o, struct failure *f) {
  bool rotates = o->rotate_bytes || o->rotate_ns;  // then the names are new ones
  const struct role roles[] = {{"-r", o->read_path, STDIN_FILENO, false},
                               {"--config", o->config_path, -1, false},
                               {"--token-file", o->token_file, -1, false},
                               {"-w", rotates ? NULL : o->write_path, STDOUT_FILENO, true},
                               {"--stats", o->stats_path, -1, true},
                               {"stderr", o->stats_path ? NULL : "-", STDERR_FILENO, true}};
  enum { ROLES = sizeof roles / sizeof *roles };
  for (int i = 0; i < ROLES; i++)
    for (int k = i + 1; k < ROLES; k++) {
      const struct role *a = &roles[i], *b = &roles[k];
      if (!a->path || !b->path || !(a->writes || b->writes) || !same_file(a, b)) continue;
      return fail(f, 0, "%s and %s are the same file: %s; name another one to write to", a->flag, b->flag, a->path);
    }
  return 0;
}

// --- can it be written ---

static int write_page(int fd) {
  static const char page[4096];
  ssize_t n = write(fd, page, sizeof page);
  int rc = n < 0 ? -errno : n < (ssize_t)sizeof page ? -ENOSPC : 0;
  close(fd);
  return rc;
}

static int try_directory(const char *dir, struct failure *f) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s/.ringtap-check-%d", dir, (int)getpid());
  int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 && errno != ENOENT && errno != EACCES && errno != EROFS) {  // a file system without O_TMPFILE
    fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) unlink(name);
  }
  int rc = fd < 0 ? -errno : write_page(fd);
  return rc ? fail(f, -rc, "%s: cannot be written to: %s; %s", dir, strerror(-rc), cure(-rc)) : 0;
}

static int try_store(const char *dir, struct failure *f) {
  struct stat st;
  if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
    return fail(f, ENOTDIR, "%s: not a directory; name one to store segments in", dir);
  bool made = mkdir(dir, 0750) == 0;
  if (!made && errno != EEXIST)
    return fail(f, errno, "%s: cannot be created: %s; create it or name another --store directory", dir, strerror(errno));
  int rc = try_directory(dir, f);
  if (made) rmdir(dir);
  return rc;
}

static int try_file(const char *path, bool rotates, struct failure *f) {
  struct stat st;
  if (!rotates && stat(path, &st) == 0) {
    if (access(path, W_OK) == 0 && !S_ISDIR(st.st_mode)) return 0;
    int err = S_ISDIR(st.st_mode) ? EISDIR : errno;
    return fail(f, err, "%s: cannot be written to: %s; %s", path, strerror(err), cure(err));
  }
  char dir[PATH_MAX];
  snprintf(dir, sizeof dir, "%s", path);
  char *slash = strrchr(dir, '/');
  if (slash) slash[slash == dir] = 0;
  return try_directory(slash ? dir : ".", f);
}

int preflight_output(const struct options *o, struct failure *f) {
  for (uint32_t i = 0; i < o->stores_count; i++) {
    int rc = try_store(o->stores[i], f);
    if (rc) return rc;
  }
  if (o->store) return 0;
  if (!o->write_path) return 0;
  if (!strcmp(o->write_path, "-")) return stream_stdout_is_fine(f);
  return try_file(o->write_path, o->rotate_bytes || o->rotate_ns, f);
}

int preflight_gateway(const struct options *o, struct failure *f) {
  struct gateway gateway;
  return o->gateway ? gateway_parse(&gateway, o->gateway, o->token_file, f) : 0;
}
