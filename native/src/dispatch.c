// Who gets the next blocks, see dispatch.h.
#include "dispatch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"

// A drive may hold two runs (one is written, one comes next): all together half of the pool.
static uint64_t run_bytes_max(const struct pool *pool, uint32_t drives) {
  uint64_t share = (uint64_t)pool->count * pool->blocks[0].capacity / 4 / drives;
  return share < RUN_BYTES_MAX ? share : RUN_BYTES_MAX;
}

int dispatch_init(struct dispatch *d, struct pool *pool, uint32_t drives) {
  memset(d, 0, sizeof *d);
  d->pool = pool;
  d->drives = drives;
  d->run_bytes_max = run_bytes_max(pool, drives);
  d->rescued = calloc(pool->count, sizeof *d->rescued);
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->turned, NULL);
  return d->rescued ? 0 : -ENOMEM;
}

void dispatch_destroy(struct dispatch *d) {
  free(d->rescued);
  d->rescued = NULL;
  pthread_mutex_destroy(&d->lock);
  pthread_cond_destroy(&d->turned);
}

// Whoever waits for blocks looks again.
static void wake(struct dispatch *d) { sem_post(&d->pool->filled_wake); }

// --- gathering a run; all with the lock held ---

static const struct block *block_at(const struct dispatch *d, uint32_t index) { return &d->pool->blocks[index]; }

// Only whole blocks may be joined: a partial one leaves a gap in memory behind its end.
static bool run_takes(const struct dispatch *d, const struct run *r, const struct block *b, uint64_t room) {
  if (r->count == 0) return true;
  return r->count < RUN_BLOCKS_MAX && !r->rotate_after && b->base == r->data + r->bytes &&
         r->bytes + b->length <= d->run_bytes_max && r->bytes + b->length <= room;
}

static void run_add(struct run *r, const struct block *b, uint32_t index) {
  if (r->count == 0) {
    r->data = b->base;
    r->first_seq = b->seq;
  }
  r->index[r->count++] = index;
  r->bytes += b->length;
  r->last_seq = b->seq;
  r->rotate_after = b->rotate_after;
}

static bool has_blocks(const struct dispatch *d) {
  uint32_t index;
  return d->rescued_count || spsc_peek(&d->pool->filled, &index);
}

// Rescued blocks are older than all that wait, so they come first.
static void gather(struct dispatch *d, struct run *r, uint64_t room) {
  uint32_t index, taken = 0;
  *r = (struct run){0};
  while (taken < d->rescued_count && run_takes(d, r, block_at(d, d->rescued[taken]), room)) {
    run_add(r, block_at(d, d->rescued[taken]), d->rescued[taken]);
    taken++;
  }
  d->rescued_count -= taken;
  memmove(d->rescued, d->rescued + taken, d->rescued_count * sizeof *d->rescued);
  while (!taken && spsc_peek(&d->pool->filled, &index) && run_takes(d, r, block_at(d, index), room)) {
    spsc_pop(&d->pool->filled, &index);
    run_add(r, block_at(d, index), index);
    sem_trywait(&d->pool->filled_wake);  // its wake is used up, or else they would add up
    d->ended |= block_at(d, index)->last;
  }
  if (r->rotate_after && r->last_seq > d->rotate_seq) d->rotate_seq = r->last_seq;
  d->blocks_out += r->count;
}

// --- taking ---

static bool is_over(const struct dispatch *d) { return d->ended && !has_blocks(d) && d->blocks_out == 0; }

// Has the run ended, though its last blocks still wait?
static bool ends(const struct dispatch *d) {
  const struct spsc *q = &d->pool->filled;
  uint32_t tail = atomic_load(&q->tail), waiting = spsc_count(q);
  return d->ended || (waiting && block_at(d, q->slots[(tail + waiting - 1) & q->mask])->last);
}

// Would a block wait in vain? Half of the pool may, until the drives are tried again.
static bool must_lose(const struct dispatch *d) {
  if (d->failed < d->drives || !has_blocks(d)) return false;
  return ends(d) || 2 * (spsc_count(&d->pool->filled) + d->rescued_count) >= d->pool->count;
}

enum dispatch_answer dispatch_take(struct dispatch *d, uint64_t room, struct run *r) {
  pthread_mutex_lock(&d->lock);
  uint64_t ticket = d->tickets++;
  while (d->serving != ticket) pthread_cond_wait(&d->turned, &d->lock);
  while (!has_blocks(d) && !is_over(d)) {
    pthread_mutex_unlock(&d->lock);
    sem_wait(&d->pool->filled_wake);
    pthread_mutex_lock(&d->lock);
  }
  bool over = is_over(d);
  if (!over) gather(d, r, room);
  d->serving++;
  pthread_cond_broadcast(&d->turned);
  pthread_mutex_unlock(&d->lock);
  return over ? DISPATCH_END : DISPATCH_RUN;
}

enum dispatch_answer dispatch_take_failed(struct dispatch *d, struct run *r) {
  pthread_mutex_lock(&d->lock);
  // At the end of the run those that still store finish it.
  enum dispatch_answer answer = is_over(d) || (ends(d) && d->failed < d->drives) ? DISPATCH_END
                                : must_lose(d)                                    ? DISPATCH_LOSE
                                                                                  : DISPATCH_LATER;
  if (answer == DISPATCH_LOSE) gather(d, r, UINT64_MAX);
  pthread_mutex_unlock(&d->lock);
  return answer;
}

void dispatch_take_more(struct dispatch *d, uint64_t room, struct run *r) {
  r->count = 0;
  pthread_mutex_lock(&d->lock);
  if (d->tickets == d->serving && has_blocks(d)) gather(d, r, room);
  pthread_mutex_unlock(&d->lock);
}

void dispatch_finalize(struct dispatch *d, const struct run *r) {
  for (uint32_t i = 0; i < r->count; i++) {
    struct block *b = &d->pool->blocks[r->index[i]];
    if (b->finalized) continue;  // rescued: another drive had it
    pthread_mutex_lock(&d->lock);
    uint64_t drops = d->drops_since_block;
    d->drops_since_block = 0;
    pthread_mutex_unlock(&d->lock);
    block_finalize(b, drops);
    b->finalized = true;
  }
}

// --- giving back ---

static void rescue_block(struct dispatch *d, uint32_t index) {
  uint32_t at = d->rescued_count++;
  for (; at && block_at(d, d->rescued[at - 1])->seq > block_at(d, index)->seq; at--) d->rescued[at] = d->rescued[at - 1];
  d->rescued[at] = index;
}

uint64_t dispatch_return(struct dispatch *d, const struct run *r, uint64_t written, bool rescue, uint64_t *packets) {
  uint64_t end = 0, complete = 0, stored = 0, lost = 0;
  pthread_mutex_lock(&d->lock);
  for (uint32_t i = 0; i < r->count; i++) {
    const struct block *b = block_at(d, r->index[i]);
    end += b->length;
    if (end <= written) {
      stored += b->packets;
      complete = end;
    } else if (rescue) {
      rescue_block(d, r->index[i]);
      continue;
    } else {
      lost += b->packets;
    }
    spsc_push(&d->pool->free, r->index[i]);
  }
  d->drops_since_block += lost;
  d->blocks_out -= r->count;
  atomic_fetch_add(&d->stored_bytes, complete);
  atomic_fetch_add(&d->stored, stored);
  atomic_fetch_add(&d->store_drops, lost);
  if (d->ended || end > written) wake(d);
  pthread_mutex_unlock(&d->lock);
  *packets = stored;
  return complete;
}

uint32_t dispatch_failed(struct dispatch *d, bool failed) {
  pthread_mutex_lock(&d->lock);
  d->failed += failed ? 1u : -1u;
  uint32_t n = d->failed;
  wake(d);
  pthread_mutex_unlock(&d->lock);
  return n;
}

bool dispatch_ends(struct dispatch *d) {
  pthread_mutex_lock(&d->lock);
  bool ended = ends(d);
  pthread_mutex_unlock(&d->lock);
  return ended;
}
