// The fixed set of blocks, see pool.h.
#include "pool.h"

#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES (2u << 20)

// Reserved huge pages first (vm.nr_hugepages), then whatever the kernel makes huge by itself.
static uint8_t *map_pages(struct pool *pool, size_t bytes) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  pool->bytes = (bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
  pool->pages = "reserved huge pages";
  void *p = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
  if (p != MAP_FAILED) return p;
  // Aligned to a huge page, or the kernel could not use one for the ends.
  size_t room = pool->bytes + HUGE_PAGE_BYTES;
  uint8_t *wide = mmap(NULL, room, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (wide == MAP_FAILED) return NULL;
  size_t head = (HUGE_PAGE_BYTES - (uintptr_t)wide % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
  if (head) munmap(wide, head);
  munmap(wide + head + pool->bytes, HUGE_PAGE_BYTES - head);
  pool->pages = madvise(wide + head, pool->bytes, MADV_HUGEPAGE) ? "ordinary pages" : "transparent huge pages";
  return wide + head;
}

int pool_init(struct pool *pool, uint32_t count, uint32_t block_bytes, struct failure *f) {
  memset(pool, 0, sizeof *pool);
  pool->memory = map_pages(pool, (size_t)count * block_bytes + DRIVES_MAX * SECTION_BYTES_MAX);
  pool->blocks = calloc(count, sizeof *pool->blocks);
  if (!pool->memory || !pool->blocks || spsc_init(&pool->free, count) || spsc_init(&pool->filled, count))
    return fail(f, ENOMEM, "block pool: no memory for %u blocks of %u bytes; use a smaller --block-size or --pool-blocks",
                count, block_bytes);
  if (mlock(pool->memory, pool->bytes)) {
    log_verbose("block pool: not locked in memory: %s; raise `ulimit -l` or grant CAP_IPC_LOCK", strerror(errno));
    memset(pool->memory, 0, pool->bytes);  // take the page faults now, not in the hot path
  }
  log_verbose("block pool: %u blocks of %u bytes in %s", count, block_bytes, pool->pages);
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
