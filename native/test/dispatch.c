// Handing blocks to drives: every block exactly once, whatever fails; order within a drive's hands; turns.
#include "dispatch.h"

#include <stdlib.h>

#include "clock.h"
#include "unit.h"

enum { DRIVES = 3, BLOCKS = 12, ROUNDS = 3000, PACKETS = 7 };

struct bench {
  struct pool pool;
  struct dispatch dispatch;
  _Atomic uint8_t seen[ROUNDS + 2];  // how often a block_seq was stored or lost
  _Atomic uint32_t disorder;
  uint32_t fails_every;              // of a drive's runs
};

struct hand {
  struct bench *bench;
  uint32_t number;
};

static void account(struct bench *b, const struct run *r) {
  for (uint32_t i = 0; i < r->count; i++) atomic_fetch_add(&b->seen[b->pool.blocks[r->index[i]].seq], 1);
}

// Fails now and then and tries again at once: what it could not store comes back to whoever asks.
static void *hand_main(void *arg) {
  struct hand *h = arg;
  struct bench *b = h->bench;
  struct run r;
  uint64_t packets;
  for (uint32_t n = h->number; dispatch_take(&b->dispatch, UINT64_MAX, &r) == DISPATCH_RUN; n++) {
    for (uint32_t i = 1; i < r.count; i++)
      if (b->pool.blocks[r.index[i]].seq <= b->pool.blocks[r.index[i - 1]].seq) atomic_fetch_add(&b->disorder, 1);
    dispatch_finalize(&b->dispatch, &r);
    if (n % 5 == 0) clock_sleep_ns(20000);
    bool fails = b->fails_every && n % b->fails_every == 0;
    if (!fails) account(b, &r);
    dispatch_return(&b->dispatch, &r, fails ? 0 : r.bytes, true, &packets);
    CHECK(packets == (fails ? 0 : (uint64_t)r.count * PACKETS));
  }
  return NULL;
}

static void produce(struct bench *b) {
  const struct block_counters none = {0};
  for (uint32_t seq = 1; seq <= ROUNDS; seq++) {
    uint32_t index;
    while (!pool_take(&b->pool, &index)) clock_sleep_ns(1000);
    struct block *block = &b->pool.blocks[index];
    block_reset(block, seq);
    block_seal(block, &none, 1);
    block->packets = PACKETS;
    block->last = seq == ROUNDS;
    pool_fill(&b->pool, index);
  }
}

static void run_with(uint32_t fails_every) {
  static struct bench b;
  memset(&b, 0, sizeof b);
  b.fails_every = fails_every;
  struct hand hands[DRIVES];
  pthread_t threads[DRIVES];
  CHECK(pool_init(&b.pool, BLOCKS, 4096, NULL) == 0 && dispatch_init(&b.dispatch, &b.pool, DRIVES) == 0);
  for (uint32_t i = 0; i < DRIVES; i++) {
    hands[i] = (struct hand){&b, i};
    pthread_create(&threads[i], NULL, hand_main, &hands[i]);
  }
  produce(&b);
  for (uint32_t i = 0; i < DRIVES; i++) pthread_join(threads[i], NULL);
  uint32_t wrong = 0;
  for (uint32_t seq = 1; seq <= ROUNDS; seq++) wrong += b.seen[seq] != 1;
  CHECK(wrong == 0 && b.disorder == 0);
  CHECK(b.dispatch.stored == (uint64_t)ROUNDS * PACKETS && b.dispatch.store_drops == 0);
  CHECK(spsc_count(&b.pool.free) == BLOCKS && spsc_count(&b.pool.filled) == 0 && b.dispatch.blocks_out == 0);
  dispatch_destroy(&b.dispatch);
  pool_destroy(&b.pool);
}

TEST(dispatch_gives_every_block_to_one_drive) { run_with(0); }
TEST(dispatch_rescues_every_block_of_failing_drives) { run_with(3); }

static void fill(struct pool *pool, uint32_t first_seq, uint32_t count, bool last) {
  const struct block_counters none = {0};
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index;
    CHECK(pool_take(pool, &index));
    block_reset(&pool->blocks[index], first_seq + i);
    block_seal(&pool->blocks[index], &none, 1);
    pool->blocks[index].packets = PACKETS;
    pool->blocks[index].last = last && i + 1 == count;
    pool_fill(pool, index);
  }
}

TEST(dispatch_when_all_fail_blocks_wait_until_half_the_pool_is_full) {
  struct pool pool;
  struct dispatch d;
  struct run r;
  uint64_t packets;
  CHECK(pool_init(&pool, 8, 4096, NULL) == 0 && dispatch_init(&d, &pool, 1) == 0);
  fill(&pool, 1, 3, false);
  CHECK(dispatch_failed(&d, true) == 1);
  CHECK(dispatch_take_failed(&d, &r) == DISPATCH_LATER);
  fill(&pool, 4, 1, false);
  CHECK(dispatch_take_failed(&d, &r) == DISPATCH_LOSE && r.first_seq == 1);
  CHECK(dispatch_return(&d, &r, 0, false, &packets) == 0 && packets == 0);
  CHECK(d.store_drops == (uint64_t)r.count * PACKETS);
  // At the end nothing waits any more.
  fill(&pool, 5, 1, true);
  CHECK(dispatch_ends(&d));
  while (dispatch_take_failed(&d, &r) == DISPATCH_LOSE) dispatch_return(&d, &r, 0, false, &packets);
  CHECK(dispatch_take_failed(&d, &r) == DISPATCH_END && d.store_drops == 5 * PACKETS);
  dispatch_destroy(&d);
  pool_destroy(&pool);
}

TEST(dispatch_partly_written_run_keeps_its_complete_blocks) {
  struct pool pool;
  struct dispatch d;
  struct run r, again;
  uint64_t packets;
  CHECK(pool_init(&pool, 32, 4096, NULL) == 0 && dispatch_init(&d, &pool, 2) == 0);
  CHECK(d.run_bytes_max == 4 * 4096);
  fill(&pool, 1, 4, true);
  CHECK(dispatch_take(&d, UINT64_MAX, &r) == DISPATCH_RUN && r.count == 4 && r.bytes == 4 * 4096);
  CHECK(dispatch_return(&d, &r, 2 * 4096 + 100, true, &packets) == 2 * 4096 && packets == 2 * PACKETS);
  CHECK(dispatch_take(&d, 4096, &again) == DISPATCH_RUN && again.first_seq == 3 && again.count == 1);
  CHECK(dispatch_return(&d, &again, 4096, true, &packets) == 4096);
  CHECK(dispatch_take(&d, 4096, &again) == DISPATCH_RUN && again.first_seq == 4);
  CHECK(dispatch_return(&d, &again, 4096, true, &packets) == 4096);
  CHECK(dispatch_take(&d, 4096, &again) == DISPATCH_END && d.stored == 4 * PACKETS && d.store_drops == 0);
  dispatch_destroy(&d);
  pool_destroy(&pool);
}
