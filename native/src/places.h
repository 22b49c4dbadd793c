// What one worker has reserved and not copied yet: the way from "ours" to "published".
//
//   sequencer, under its lock            worker, beside others          sequencer, under its lock
//   block_reserve -> places_add    -->   places_fill: copy, commit -->  block_committed -> pool_fill
//
// The order of the packets is the order of the reservations, which one thread at a time makes: copying in
// parallel cannot change it. Commit and its check are barriers A and B of block.h. Model: test/native/places.pml.
#ifndef RINGTAP_PLACES_H
#define RINGTAP_PLACES_H
#include "block.h"
#include "jitter.h"
#include "source.h"

struct place {
  uint8_t *out;
  const struct packet *packet;
  struct block *block;
  uint32_t kept;
};

struct places {
  uint32_t count;
  struct place place[SOURCE_BATCH];
};

static inline void places_add(struct places *s, struct block *b, uint8_t *out, const struct packet *p,
                              uint32_t kept) {
  s->place[s->count++] = (struct place){out, p, b, kept};
}

// Copies what is reserved and commits it, block by block.
static inline void places_fill(struct places *s) {
  uint32_t from = 0;
  for (uint32_t i = 0; i < s->count; i++) {
    const struct place *at = &s->place[i];
    jitter();
    pcapng_epb_kept(at->out, at->packet, at->kept);
    if (i + 1 < s->count && at[1].block == at->block) continue;
    block_commit(at->block, i + 1 - from);
    from = i + 1;
  }
  s->count = 0;
}
#endif
