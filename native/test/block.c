// The block's bytes: walked again here by an independent little reader, for every fill level.
#include "block.h"

#include <stdlib.h>

#include "crc32c.h"
#include "unit.h"

static uint32_t u32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static struct block make(uint32_t capacity) {
  struct block b = {.base = aligned_alloc(4096, capacity), .capacity = capacity};
  memset(b.base, 0xee, capacity);
  block_reset(&b, 5);
  return b;
}

static const struct block_counters counters = {.started_ts_ns = 1, .received = 10, .if_drops = BLOCK_UNKNOWN,
                                               .os_drops = 3, .delivered = 7, .ring_drops = 2, .pool_drops = 1,
                                               .cutoff = 6, .duplicates = 7, .sliced_bytes = 8};

// Walks the pcapng blocks; returns the EPBs, or -1 when a length does not fit.
static int walk(const struct block *b) {
  int packets = 0;
  uint32_t at = 0;
  while (at < b->length) {
    uint32_t type = u32(b->base + at), length = u32(b->base + at + 4);
    if (length < 12 || length % 4 || length > b->length - at || u32(b->base + at + length - 4) != length) return -1;
    if ((at == 0) != (type == RT_BT_ISB)) return -1;
    packets += type == RT_BT_EPB;
    at += length;
  }
  return packets;
}

TEST(block_every_fill_level_is_whole_and_aligned) {
  uint8_t data[200] = {0};
  for (uint32_t n = 0; n < 60; n++)
    for (uint32_t size = 60; size < 76; size++) {
      struct block b = make(8192);
      struct packet p = {.data = data, .caplen = size, .wirelen = size + 5, .ts_ns = 1000 + n};
      uint32_t taken = 0;
      while (taken < n && block_append(&b, &p, 1u << 18)) taken++;
      block_seal(&b, &counters, 99);
      block_finalize(&b, 4);
      CHECK(b.length % 4096 == 0 && b.length <= 8192);
      CHECK(walk(&b) == (int)taken && b.packets == taken);
      free(b.base);
    }
}

TEST(block_full_takes_no_more_and_largest_packet_always_fits_an_empty_one) {
  uint32_t most = block_snaplen_max(4096);
  uint8_t *data = calloc(1, 9000);
  struct block b = make(4096);
  struct packet p = {.data = data, .caplen = 9000, .wirelen = 9000};
  CHECK(block_append(&b, &p, most));
  CHECK(!block_append(&b, &p, most));
  block_seal(&b, &counters, 99);
  CHECK(b.length == 4096 && walk(&b) == 1);
  free(b.base);
  free(data);
}

TEST(block_header_tells_what_is_inside) {
  uint8_t data[64] = {7};
  struct block b = make(4096);
  uint64_t stamps[] = {500, 300, 400};
  for (int i = 0; i < 3; i++)
    block_append(&b, &(struct packet){.data = data, .caplen = 60, .wirelen = 1500, .ts_ns = stamps[i]}, 65535);
  uint32_t used = b.used;
  block_seal(&b, &counters, 99);
  block_finalize(&b, 4);
  struct block_header h;
  memcpy(&h, b.base + b.header_at, sizeof h);
  CHECK(h.version == 1 && h.block_seq == 5 && h.packets == 3 && h.bytes == 4500);
  CHECK(h.first_ts_ns == 300 && h.last_ts_ns == 500);
  CHECK(h.ring_drops == 2 && h.pool_drops == 1 && h.store_drops == 4);
  CHECK(h.cutoff == 6 && h.duplicates == 7 && h.sliced_bytes == 8);
  CHECK(h.block_bytes == b.length && h.used_bytes == used);
  CHECK(h.crc32c == crc32c_table(0, b.base + ISB_BYTES, b.length - ISB_BYTES));
  // The option's code, and room given by the one left out (if_drops is unknown).
  uint16_t option[2];
  memcpy(option, b.base + b.header_at - 4, 4);
  CHECK(option[0] == RT_OPT_BLOCK_HEADER && option[1] == sizeof h + 12);
  free(b.base);
}

TEST(epb_puts_the_vlan_tag_back) {
  uint8_t data[20], out[128];
  for (int i = 0; i < 20; i++) data[i] = (uint8_t)i;
  struct packet p = {.data = data, .caplen = 20, .wirelen = 100, .vlan_tpid = 0x88a8, .vlan_tci = 0xA123};
  CHECK(pcapng_epb(out, &p, 65535) == 32 + 24);
  CHECK(u32(out + 20) == 24 && u32(out + 24) == 104);
  CHECK(!memcmp(out + 28, data, 12) && !memcmp(out + 40, "\x88\xa8\xa1\x23", 4) && !memcmp(out + 44, data + 12, 8));
  for (uint32_t snaplen = 1; snaplen < 30; snaplen++) {
    memset(out, 0xee, sizeof out);
    uint32_t n = pcapng_epb(out, &p, snaplen), caplen = u32(out + 20);
    CHECK(n == epb_bytes(caplen) && caplen <= snaplen && u32(out + 24) == 104 && u32(out + n - 4) == n);
    CHECK(n <= epb_bytes(snaplen < 24 ? snaplen : 24) && out[n] == 0xee);
  }
  for (uint32_t caplen = 0; caplen < 9; caplen++) {  // untagged, every padding, also no bytes at all
    memset(out, 0xee, sizeof out);
    uint32_t n = pcapng_epb(out, &(struct packet){.data = data, .caplen = caplen, .wirelen = 1500}, 65535);
    CHECK(n == epb_bytes(caplen) && u32(out + 20) == caplen && u32(out + 24) == 1500 && u32(out + n - 4) == n);
    CHECK(!memcmp(out + 28, data, caplen));
    for (uint32_t i = 28 + caplen; i < n - 4; i++) CHECK(out[i] == 0);
  }
  p.caplen = 8;  // cut before the tag's place: nothing to put back, the wire length still counts it
  CHECK(pcapng_epb(out, &p, 65535) == 32 + 8 && u32(out + 24) == 104);
}
