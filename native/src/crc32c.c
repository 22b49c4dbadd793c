// CRC-32C, see crc32c.h. Pure functions; the table is built once before main.
#include "crc32c.h"

#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

// The instruction takes three cycles, but one can begin every cycle: three lanes at a time.
enum { LANE_BYTES = 4096 };

static uint32_t table[8][256];
static uint32_t shift[4][256];  // a register, byte by byte, after LANE_BYTES zeros

__attribute__((constructor)) static void table_build(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int t = 1; t < 8; t++) table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
  for (int bit = 0; bit < 32; bit++) {  // all is linear: one bit at a time
    uint32_t c = 1u << bit;
    for (int n = 0; n < LANE_BYTES; n++) c = (c >> 8) ^ table[0][c & 0xff];
    for (uint32_t i = 0; i < 256; i++)
      if (i >> (bit % 8) & 1) shift[bit / 8][i] ^= c;
  }
}

uint32_t crc32c_table(uint32_t crc, const void *data, size_t bytes) {
  const uint8_t *p = data;
  crc = ~crc;
  for (; bytes >= 8; bytes -= 8, p += 8) {
    uint32_t a = crc ^ (p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24);
    crc = table[7][a & 0xff] ^ table[6][a >> 8 & 0xff] ^ table[5][a >> 16 & 0xff] ^ table[4][a >> 24] ^
          table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
  }
  while (bytes--) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)
static inline uint64_t shifted(uint64_t c) {
  return shift[0][c & 0xff] ^ shift[1][c >> 8 & 0xff] ^ shift[2][c >> 16 & 0xff] ^ shift[3][c >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static uint64_t three_lanes(uint64_t c, const uint8_t *p) {
  uint64_t d = 0, e = 0, word[3];
  for (int i = 0; i < LANE_BYTES; i += 8) {
    for (int lane = 0; lane < 3; lane++) memcpy(&word[lane], p + lane * LANE_BYTES + i, 8);
    c = _mm_crc32_u64(c, word[0]);
    d = _mm_crc32_u64(d, word[1]);
    e = _mm_crc32_u64(e, word[2]);
  }
  return shifted(shifted(c) ^ d) ^ e;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t bytes) {
  const uint8_t *p = data;
  uint64_t c = ~crc & 0xffffffffu;
  for (; bytes >= 3 * LANE_BYTES; bytes -= 3 * LANE_BYTES, p += 3 * LANE_BYTES) c = three_lanes(c, p);
  for (; bytes >= 8; bytes -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  uint32_t c32 = (uint32_t)c;
  while (bytes--) c32 = _mm_crc32_u8(c32, *p++);
  return ~c32;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return crc32c_sse42(crc, data, bytes);
#endif
  return crc32c_table(crc, data, bytes);
}
