// One write in flight, see diskio.h.
#include "diskio.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum { REGISTERED_MAX = 64 };

static int register_region(struct diskio *d, uint8_t *region, size_t region_bytes) {
  struct iovec iov[REGISTERED_MAX];
  unsigned count = 0;
  d->region = region;
  for (size_t at = 0; at < region_bytes; at += REGISTERED_BYTES_MAX) {
    if (count == REGISTERED_MAX) return -E2BIG;
    size_t left = region_bytes - at;
    iov[count++] = (struct iovec){region + at, left < REGISTERED_BYTES_MAX ? left : REGISTERED_BYTES_MAX};
  }
  return io_uring_register_buffers(&d->ring, iov, count);
}

void diskio_init(struct diskio *d, void *region, size_t region_bytes) {
  memset(d, 0, sizeof *d);
  int rc = io_uring_queue_init(4, &d->ring, 0);
  d->uring = rc == 0;
  if (!d->uring) {
    static bool told;  // drives are opened one after the other
    if (!told) log_line("io_uring: not available: %s; writing with pwrite instead", strerror(-rc));
    told = true;
    return;
  }
  rc = register_region(d, region, region_bytes);
  d->registered = rc == 0;
  if (rc) log_verbose("io_uring: buffers not registered: %s; writing without", strerror(-rc));
}

void diskio_destroy(struct diskio *d) {
  if (d->uring) io_uring_queue_exit(&d->ring);
  d->uring = false;
}

static ssize_t write_plain(struct diskio *d) {
  ssize_t n;
  do n = pwrite(d->fd, d->data, d->bytes, (off_t)d->offset);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

static int uring_start(struct diskio *d) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);
  if (!sqe) return -EBUSY;
  uint64_t at = (uint64_t)(d->data - d->region);
  if (d->registered && at / REGISTERED_BYTES_MAX == (at + d->bytes - 1) / REGISTERED_BYTES_MAX)
    io_uring_prep_write_fixed(sqe, d->fd, d->data, (unsigned)d->bytes, d->offset, (int)(at / REGISTERED_BYTES_MAX));
  else
    io_uring_prep_write(sqe, d->fd, d->data, (unsigned)d->bytes, d->offset);
  int rc;
  do rc = io_uring_submit(&d->ring);
  while (rc == -EINTR);
  return rc < 0 ? rc : 0;
}

void diskio_submit(struct diskio *d, int fd, const void *data, size_t bytes, uint64_t offset) {
  d->fd = fd;
  d->data = data;
  d->bytes = bytes;
  d->offset = offset;
  if (d->uring && uring_start(d)) {
    log_line("io_uring: submit failed; writing with pwrite from here on");
    diskio_destroy(d);
  }
  if (!d->uring) d->result = write_plain(d);
}

ssize_t diskio_wait(struct diskio *d) {
  if (!d->uring) return d->result;
  struct io_uring_cqe *cqe;
  int rc;
  do rc = io_uring_wait_cqe(&d->ring, &cqe);
  while (rc == -EINTR);
  if (rc < 0) return rc;
  ssize_t n = cqe->res;
  io_uring_cqe_seen(&d->ring, cqe);
  return n == -EINTR || n == -EAGAIN ? write_plain(d) : n;
}
