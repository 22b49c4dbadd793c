// The fixed set of blocks, see pool.h.
#include "pool.h"

#include <string.h>
#include <sys/mman.h>

int pool_init(struct pool *pool, uint32_t count, uint32_t block_bytes, struct failure *f) {
  memset(pool, 0, sizeof *pool);
  pool->bytes = (size_t)count * block_bytes + SECTION_BYTES_MAX;
  pool->memory = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pool->blocks = calloc(count, sizeof *pool->blocks);
  if (pool->memory == MAP_FAILED || !pool->blocks || spsc_init(&pool->free, count) || spsc_init(&pool->filled, count))
    return fail(f, ENOMEM, "block pool: no memory for %u blocks of %u bytes; use a smaller --block-size or --pool-blocks",
                count, block_bytes);
  madvise(pool->memory, pool->bytes, MADV_HUGEPAGE);
  if (mlock(pool->memory, pool->bytes)) {
    log_verbose("block pool: not locked in memory: %s; raise `ulimit -l` or grant CAP_IPC_LOCK", strerror(errno));
    memset(pool->memory, 0, pool->bytes);  // take the page faults now, not in the hot path
  }
  pool->count = count;
  pool->scratch = pool->memory + (size_t)count * block_bytes;
  sem_init(&pool->filled_wake, 0, 0);
  for (uint32_t i = 0; i < count; i++) {
    pool->blocks[i].base = pool->memory + (size_t)i * block_bytes;
    pool->blocks[i].capacity = block_bytes;
    spsc_push(&pool->free, i);
  }
  return 0;
}

void pool_destroy(struct pool *pool) {
  if (!pool->memory) return;
  munmap(pool->memory, pool->bytes);
  sem_destroy(&pool->filled_wake);
  spsc_free(&pool->free);
  spsc_free(&pool->filled);
  free(pool->blocks);
  pool->memory = NULL;
}
