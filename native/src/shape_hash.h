// Keyed 64-bit hash of a frame or a flow: multiply and fold, two words a step. The key is random for each
// run, so that nobody on the wire can aim at a collision. Not for storing: another run hashes differently.
#ifndef RINGTAP_SHAPE_HASH_H
#define RINGTAP_SHAPE_HASH_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct shape_key {
  uint64_t word[4];
};

static inline uint64_t hash_fold(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_word(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

// `seed` chains calls over the parts of one thing.
static inline uint64_t shape_hash(const struct shape_key *key, uint64_t seed, const uint8_t *data, size_t bytes) {
  uint64_t a = seed ^ key->word[0], b = bytes ^ key->word[1];
  uint8_t rest[32] = {0};  // zeros are told from the data by `bytes`
  for (size_t left = bytes; left; data += 32) {
    const uint8_t *p = data;
    if (left < 32) p = memcpy(rest, data, left);
    a = hash_fold(hash_word(p) ^ key->word[2], hash_word(p + 8) ^ a);
    b = hash_fold(hash_word(p + 16) ^ key->word[3], hash_word(p + 24) ^ b);
    left -= left < 32 ? left : 32;
  }
  return hash_fold(a ^ key->word[1], b ^ key->word[3]);
}
#endif
