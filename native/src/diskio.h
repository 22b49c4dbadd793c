// One write in flight to a file: io_uring with a registered buffer where the kernel lets us, else
// pwrite. One write at a time keeps a growing file readable: no hole of zeros can ever be seen.
// Owner: the writer thread.
#ifndef RINGTAP_DISKIO_H
#define RINGTAP_DISKIO_H
#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REGISTERED_BYTES_MAX (1ull << 30)  // the kernel's limit for one

struct diskio {
  struct io_uring ring;
  bool uring;       // else pwrite
  bool registered;  // region is registered, as buffers of at most REGISTERED_BYTES_MAX
  const uint8_t *region;
  ssize_t result;   // of the synchronous write
  int fd;
  const uint8_t *data;
  size_t bytes;
  uint64_t offset;
};

// Never fails: without io_uring it says so in one line and uses pwrite. All data later submitted lies
// in `region`.
void diskio_init(struct diskio *d, void *region, size_t region_bytes);
void diskio_destroy(struct diskio *d);
// Starts a write; `data` belongs to the kernel until diskio_wait returns.
void diskio_submit(struct diskio *d, int fd, const void *data, size_t bytes, uint64_t offset);
// Bytes written (maybe fewer than asked) or -errno.
ssize_t diskio_wait(struct diskio *d);
#endif
