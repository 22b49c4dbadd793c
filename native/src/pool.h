// The fixed set of blocks and the two queues they travel: free -> capture -> filled -> drives -> free.
// All memory is taken at start-up in one mapping, so adjacent blocks can leave in one write. Where there
// are several drives they take turns at the writer's end of both queues (dispatch.h).
#ifndef RINGTAP_POOL_H
#define RINGTAP_POOL_H
#include <semaphore.h>

#include "block.h"
#include "log.h"
#include "spsc.h"

#define DRIVES_MAX 16u

struct pool {
  uint8_t *memory;
  size_t bytes;  // of the mapping: blocks, then `scratch`
  const char *pages;  // what kind they are, for people
  struct block *blocks;
  uint32_t count;
  uint8_t *scratch;  // DRIVES_MAX times SECTION_BYTES_MAX aligned bytes for segment headers; writer owned
  struct spsc free;    // producer: the drives, consumer: capture
  struct spsc filled;  // producer: capture, consumer: the drives
  sem_t filled_wake;   // posted once for each pushed block
};

// Sequencer side (capture.h). False when every block is under way.
static inline bool pool_take(struct pool *pool, uint32_t *index) { return spsc_pop(&pool->free, index); }
// Passes a sealed block on; called in the order of block_seq. There is room for every block there is.
static inline void pool_fill(struct pool *pool, uint32_t index) {
  spsc_push(&pool->filled, index);
  sem_post(&pool->filled_wake);
}

int pool_init(struct pool *pool, uint32_t count, uint32_t block_bytes, struct failure *f);
void pool_destroy(struct pool *pool);
#endif
