// One write in flight, by io_uring where the kernel allows and by pwrite: same bytes, same errors.
#include "diskio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static void write_both_ways(bool uring) {
  enum { BYTES = 16384 };
  uint8_t *region = aligned_alloc(4096, BYTES), back[BYTES];
  for (int i = 0; i < BYTES; i++) region[i] = (uint8_t)(i * 7);
  char path[] = "/tmp/ringtap-unit-XXXXXX";
  int fd = mkstemp(path);
  unlink(path);
  struct diskio d = {0};
  if (uring) diskio_init(&d, region, BYTES);
  diskio_submit(&d, fd, region + 4096, 8192, 0);
  CHECK(diskio_wait(&d) == 8192);
  diskio_submit(&d, fd, region, 4096, 8192);
  CHECK(diskio_wait(&d) == 4096);
  CHECK(pread(fd, back, BYTES, 0) == 12288);
  CHECK(!memcmp(back, region + 4096, 8192) && !memcmp(back + 8192, region, 4096));
  close(fd);
  diskio_submit(&d, fd, region, 4096, 0);
  CHECK(diskio_wait(&d) == -EBADF);
  fd = open("/dev/full", O_WRONLY);
  diskio_submit(&d, fd, region, 4096, 0);
  CHECK(diskio_wait(&d) == -ENOSPC);
  close(fd);
  diskio_destroy(&d);
  free(region);
}

TEST(diskio_with_io_uring) { write_both_ways(true); }
TEST(diskio_with_pwrite) { write_both_ways(false); }
