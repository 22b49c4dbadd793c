// The recorder's block, see block.h.
#include "block.h"

#include <string.h>

#include "crc32c.h"

void block_reset(struct block *b, uint64_t seq) {
  b->used = ISB_BYTES;
  b->length = b->header_at = 0;
  b->seq = seq;
  b->packets = b->wire_bytes = b->last_ts_ns = 0;
  b->first_ts_ns = UINT64_MAX;
  b->rotate_after = b->last = b->finalized = false;
  atomic_store_explicit(&b->committed, 0, memory_order_relaxed);  // ours alone now
}

// isb_starttime and isb_endtime are two 32-bit halves, high first, whatever the byte order.
static void put_time(uint8_t *out, uint64_t ts_ns) {
  uint32_t halves[2] = {(uint32_t)(ts_ns >> 32), (uint32_t)ts_ns};
  memcpy(out, halves, sizeof halves);
}

static size_t put_count(uint8_t *out, uint16_t code, uint64_t value) {
  return value == BLOCK_UNKNOWN ? 0 : pcapng_option(out, code, &value, sizeof value);
}

static size_t put_time_option(uint8_t *out, uint16_t code, uint64_t ts_ns) {
  uint8_t value[8];
  put_time(value, ts_ns);
  return pcapng_option(out, code, value, sizeof value);
}

// Options that are left out give their room to the last one, so the ISB's size never changes.
static void write_isb(struct block *b, const struct block_counters *c, const struct block_header *h, uint64_t now_ns) {
  uint8_t *out = b->base;
  uint32_t words[3] = {RT_BT_ISB, ISB_BYTES, 0};
  memcpy(out, words, sizeof words);
  put_time(out + 12, now_ns);
  size_t n = 20;
  n += put_time_option(out + n, RT_OPT_ISB_STARTTIME, c->started_ts_ns);
  n += put_time_option(out + n, RT_OPT_ISB_ENDTIME, now_ns);
  n += put_count(out + n, RT_OPT_ISB_IFRECV, c->received);
  n += put_count(out + n, RT_OPT_ISB_IFDROP, c->if_drops);
  n += put_count(out + n, RT_OPT_ISB_OSDROP, c->os_drops);
  n += put_count(out + n, RT_OPT_ISB_USRDELIV, c->delivered);
  uint16_t option[2] = {RT_OPT_BLOCK_HEADER, (uint16_t)(ISB_BYTES - 8 - n - 4)};
  memcpy(out + n, option, sizeof option);
  b->header_at = (uint32_t)n + 4;
  memset(out + b->header_at, 0, ISB_BYTES - b->header_at);
  memcpy(out + b->header_at, h, sizeof *h);
  memcpy(out + ISB_BYTES - 4, &words[1], 4);
}

void block_seal(struct block *b, const struct block_counters *c, uint64_t now_ns) {
  uint32_t used = b->used;
  b->length = used + pcapng_pad(b->base + used, used, RT_BLOCK_ALIGN_BYTES);
  assert(b->length <= b->capacity);
  struct block_header h = {
      .version = BLOCK_HEADER_VERSION,
      .block_seq = b->seq,
      .first_ts_ns = b->packets ? b->first_ts_ns : 0,
      .last_ts_ns = b->last_ts_ns,
      .packets = b->packets,
      .bytes = b->wire_bytes,
      .ring_drops = c->ring_drops,
      .pool_drops = c->pool_drops,
      .block_bytes = b->length,
      .used_bytes = used,
      .cutoff = c->cutoff,
      .duplicates = c->duplicates,
      .sliced_bytes = c->sliced_bytes,
  };
  write_isb(b, c, &h, now_ns);
}

void block_finalize(struct block *b, uint64_t store_drops) {
  uint32_t crc = crc32c(0, b->base + ISB_BYTES, b->length - ISB_BYTES);
  uint8_t *header = b->base + b->header_at;
  memcpy(header + offsetof(struct block_header, crc32c), &crc, sizeof crc);
  memcpy(header + offsetof(struct block_header, store_drops), &store_drops, sizeof store_drops);
}
