// Output that is no regular file, see stream.h.
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

bool stream_is_special(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int stream_stdout_is_fine(struct failure *f) {
  if (!isatty(STDOUT_FILENO)) return 0;
  return fail(f, 0, "-w -: stdout is a terminal; pipe it, for example: ringtapd -w - | wireshark -k -i -");
}

int stream_open(const char *path, struct failure *f) {
  int fd;
  if (strcmp(path, "-")) {
    fd = open(path, O_WRONLY | O_CLOEXEC);  // a fifo without a reader: waits, until a signal ends us
    if (fd < 0) return fail(f, errno, "%s: %s; %s", path, strerror(errno), cure(errno));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
  }
  int rc = stream_stdout_is_fine(f);
  if (rc) return rc;
  // Opened anew, O_NONBLOCK is ours alone: setting it on a shared stdout would surprise the shell.
  struct stat st;
  if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
    fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) return fd;
  }
  fd = dup(STDOUT_FILENO);
  return fd < 0 ? fail(f, errno, "stdout: %s; pipe it or redirect it", strerror(errno)) : fd;
}

// Never blocks on a fifo or device of ours or a socket; what stdout shares with others may.
static ssize_t write_some(int fd, const void *data, size_t bytes) {
  ssize_t n = send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
  return n < 0 && errno == ENOTSOCK ? write(fd, data, bytes) : n;
}

int stream_write(int fd, const void *data, size_t bytes, const atomic_bool *stopping, size_t *written) {
  uint64_t moved_ns = clock_monotonic_ns();
  for (*written = 0; *written < bytes;) {
    ssize_t n = write_some(fd, (const char *)data + *written, bytes - *written);
    if (n > 0) {
      *written += (size_t)n;
      moved_ns = clock_monotonic_ns();
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd p = {.fd = fd, .events = POLLOUT};
      poll(&p, 1, 100);
      if (!atomic_load(stopping)) moved_ns = clock_monotonic_ns();
      if (clock_monotonic_ns() - moved_ns > STREAM_PATIENCE_NS) return -ETIMEDOUT;
    } else if (n < 0 && errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}
