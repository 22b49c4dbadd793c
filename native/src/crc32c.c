// CRC-32C, see crc32c.h. Pure functions; tables and constants are built once before main.
//
// Three ways, the fastest one there is: folding 256 bytes at a time by carry-less multiplication (AVX-512
// VPCLMULQDQ; V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009),
// the SSE 4.2 instruction (8 bytes in 3 cycles), a table. Several streams of the instruction side by side
// were tried and are slower on AMD, where it is not pipelined.
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint32_t table[8][256];

__attribute__((constructor)) static void table_build(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int t = 1; t < 8; t++) table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
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
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t bytes) {
  const uint8_t *p = data;
  uint64_t c = ~crc & 0xffffffffu;
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

#if defined(__x86_64__)
#define FOLD_BYTES 256u
#define FOLD_TARGET __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

// Multipliers that move 16 bytes forward by so many bits: x^(bits + 31) for the first eight, x^(bits - 33) for
// the others, modulo the polynomial, bit-reflected.
static uint64_t fold_by[17][2];  // [n]: by n * 128 bits

static uint32_t power_of_x(unsigned n) {
  uint32_t c = 0x80000000u;
  while (n--) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
  return c;
}

__attribute__((constructor)) static void fold_build(void) {
  for (unsigned n = 1; n <= 16; n++) {
    fold_by[n][0] = power_of_x(n * 128 + 31);
    fold_by[n][1] = power_of_x(n * 128 - 33);
  }
}

FOLD_TARGET static inline __m512i fold4(__m512i x, unsigned by, __m512i onto) {
  __m512i k = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)fold_by[by]));
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, k, 0x00), _mm512_clmulepi64_epi128(x, k, 0x11), onto,
                                   0x96);  // x ^ y ^ z
}

FOLD_TARGET static inline __m128i fold1(__m128i x, unsigned by, __m128i onto) {
  __m128i k = _mm_loadu_si128((const __m128i *)fold_by[by]);
  return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), onto);
}

// `bytes` is a multiple of FOLD_BYTES and not 0; `c` goes in and comes out without the final complement.
FOLD_TARGET static uint32_t crc32c_fold(uint32_t c, const uint8_t *p, size_t bytes) {
  __m512i x[4];
  for (int i = 0; i < 4; i++) x[i] = _mm512_loadu_si512(p + 64 * i);
  x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)c)));
  for (const uint8_t *end = p + bytes; (p += FOLD_BYTES) < end;)
    for (int i = 0; i < 4; i++) x[i] = fold4(x[i], 16, _mm512_loadu_si512(p + 64 * i));
  __m512i y = fold4(x[0], 12, fold4(x[1], 8, fold4(x[2], 4, x[3])));
  __m128i last = _mm512_extracti32x4_epi32(y, 3);
  last = fold1(_mm512_extracti32x4_epi32(y, 2), 1, last);
  last = fold1(_mm512_extracti32x4_epi32(y, 1), 2, last);
  last = fold1(_mm512_castsi512_si128(y), 3, last);
  // What is left has the same remainder as all that was folded into it.
  uint64_t r = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(last));
  return (uint32_t)_mm_crc32_u64(r, (uint64_t)_mm_extract_epi64(last, 1));
}

static bool folds(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("vpclmulqdq");
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("sse4.2")) return crc32c_table(crc, data, bytes);
  size_t folded = bytes >= FOLD_BYTES && folds() ? bytes - bytes % FOLD_BYTES : 0;
  if (folded) crc = ~crc32c_fold(~crc, data, folded);
  return crc32c_sse42(crc, (const uint8_t *)data + folded, bytes - folded);
#else
  return crc32c_table(crc, data, bytes);
#endif
}
