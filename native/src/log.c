// Messages for people, see log.h. A line is one write(2), so lines of several threads never mix.
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_bool verbose;

int fail(struct failure *f, int err, const char *fmt, ...) {
  if (f) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
    f->err = err;
  }
  return err ? -err : -EINVAL;
}

const char *cure(int err) {
  switch (err) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or name another place";
    case EFBIG:
      return "raise the size limit (ulimit -f) or rotate with -C";
    case ENOENT:
      return "create the directory first";
    case EROFS:
      return "name a place that can be written to";
    case EIO:
    case ENXIO:
    case ENODEV:
      return "check the drive (dmesg)";
    case EMFILE:
    case ENFILE:
      return "raise `ulimit -n`";
    default:
      return "check the path and its permissions";
  }
}

static void print_line(const char *fmt, va_list args) {
  char line[768] = "ringtapd: ";
  size_t n = strlen(line);
  int more = vsnprintf(line + n, sizeof line - n - 1, fmt, args);
  if (more < 0) return;
  n += (size_t)more;
  if (n > sizeof line - 2) n = sizeof line - 2;
  for (size_t i = 0; i < n; i++)
    if (line[i] == '\n' || line[i] == '\r') line[i] = ' ';
  line[n++] = '\n';
  if (write(STDERR_FILENO, line, n) < 0) return;  // nobody listens: nothing to do about it
}

void log_line(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print_line(fmt, args);
  va_end(args);
}

void log_verbose(const char *fmt, ...) {
  if (!atomic_load(&verbose)) return;
  va_list args;
  va_start(args, fmt);
  print_line(fmt, args);
  va_end(args);
}

void log_set_verbose(bool on) { atomic_store(&verbose, on); }
