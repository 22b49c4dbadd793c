// What memcpy alone makes of the recorder's one copy: frames from a working set of the given size, one behind the
// other, into 64 MiB of blocks, round and round. The benchmarks' measure for the copy limit.
// usage: rtcopy FRAME_BYTES FRAMES SECONDS    prints bytes a second
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { POOL_BYTES = 64 << 20 };

static double now_s(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint8_t *memory(size_t bytes) {
  uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) exit(1);
  madvise(p, bytes, MADV_HUGEPAGE);
  return memset(p, 1, bytes);
}

int main(int argc, char **argv) {
  size_t bytes = argc == 4 ? strtoul(argv[1], NULL, 10) : 0, frames = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
  if (bytes < 1 || bytes > 65536 || frames < 1 || frames > 1 << 20)
    return fprintf(stderr, "usage: rtcopy FRAME_BYTES FRAMES SECONDS\n"), 2;
  uint8_t *from = memory(bytes * frames), *to = memory(POOL_BYTES);
  double start = now_s(), end = start + atof(argv[3]), now = start;
  uint64_t copied = 0;
  for (size_t at = 0, frame = 0; now < end; now = now_s())
    for (int i = 0; i < 4096; i++) {
      memcpy(to + at, from + frame * bytes, bytes);
      at = at + 2 * bytes > POOL_BYTES ? 0 : at + bytes;
      frame = frame + 1 == frames ? 0 : frame + 1;
      copied += bytes;
    }
  __asm__ volatile("" : : "r"(to) : "memory");
  printf("%.0f\n", (double)copied / (now - start));
  return 0;
}
