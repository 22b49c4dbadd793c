// What a segment holds, see segment_sum.h.
#include "segment_sum.h"

#include <string.h>
#include <unistd.h>

#include "block.h"

enum { HEAD_BYTES_MAX = 512 };  // of an ISB; ours has ISB_BYTES

static uint32_t u32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

// The header option of an ISB of which `bytes` are at `isb`.
static bool find_header(const uint8_t *isb, size_t bytes, struct block_header *h) {
  for (size_t at = 20; at + 4 <= bytes;) {
    uint16_t option[2];
    memcpy(option, isb + at, sizeof option);
    at += 4;
    if (option[0] == RT_OPT_END || option[1] > bytes - at) return false;
    if (option[0] == RT_OPT_BLOCK_HEADER) {
      if (option[1] < sizeof *h) return false;
      memcpy(h, isb + at, sizeof *h);
      return true;
    }
    at += (option[1] + 3u) & ~3u;
  }
  return false;
}

static void add(struct segment_sum *out, const struct block_header *h) {
  out->blocks++;
  if (!h->packets) return;
  if (!out->packets || h->first_ts_ns < out->first_ts_ns) out->first_ts_ns = h->first_ts_ns;
  if (h->last_ts_ns > out->last_ts_ns) out->last_ts_ns = h->last_ts_ns;
  out->packets += h->packets;
}

void segment_sum(int fd, struct segment_sum *out) {
  uint8_t head[HEAD_BYTES_MAX];
  *out = (struct segment_sum){0};
  for (uint64_t at = 0;;) {
    ssize_t n = pread(fd, head, sizeof head, (off_t)at);
    out->whole = n == 0 && at > 0;
    if (n < 12) return;
    uint32_t type = u32(head), bytes = u32(head + 4);
    struct block_header h;
    if (type == RT_BT_ISB) {
      if (!find_header(head, bytes < (size_t)n ? bytes : (size_t)n, &h) || h.block_bytes < RT_BLOCK_ALIGN_BYTES ||
          h.block_bytes % RT_BLOCK_ALIGN_BYTES)
        return;
      add(out, &h);
      bytes = h.block_bytes;
    } else if (type != RT_BT_SHB && type != RT_BT_IDB && type != RT_BT_PAD) {
      return;
    }
    if (bytes < 12 || bytes % 4) return;
    at += bytes;
  }
}
