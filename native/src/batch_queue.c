// Batches on their way to the gateway, see batch_queue.h.
#include "batch_queue.h"

#include <string.h>

static struct batch *at(const struct batch_queue *q, uint32_t i) { return &q->tap->batch[q->index[i]]; }

static void add(_Atomic uint64_t *counter, uint64_t n) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_release);
}

// Removes entry `i`, counts its packets in `counter`, gives the slot back.
static void leave(struct batch_queue *q, uint32_t i, _Atomic uint64_t *counter) {
  add(counter, at(q, i)->packets);
  spsc_push(&q->tap->free, q->index[i]);
  memmove(&q->index[i], &q->index[i + 1], (q->count - i - 1) * sizeof q->index[0]);
  q->count--;
}

void queue_collect(struct batch_queue *q) {
  uint32_t index;
  while (q->count < BATCH_SLOTS && spsc_pop(&q->tap->filled, &index)) {
    q->index[q->count++] = index;
    if (q->count - q->kept > UNSENT_MAX) leave(q, q->kept, &q->tap->shed);
  }
}

const struct batch *queue_next(const struct batch_queue *q, uint32_t credit) {
  if (credit > CREDIT_MAX) credit = CREDIT_MAX;
  return q->sent < q->count && q->sent < credit ? at(q, q->sent) : NULL;
}

void queue_mark_sent(struct batch_queue *q) {
  uint64_t seq = at(q, q->sent)->seq;
  if (seq > q->sent_seq) q->sent_seq = seq;
  q->sent++;
  if (q->kept < q->sent) q->kept = q->sent;
}

bool queue_acknowledge(struct batch_queue *q, uint64_t seq) {
  if (seq > q->sent_seq) return false;
  while (q->count && at(q, 0)->seq <= seq) {
    leave(q, 0, &q->tap->sent);
    if (q->sent) q->sent--;
    if (q->kept) q->kept--;
  }
  return true;
}

void queue_rewind(struct batch_queue *q) { q->sent = 0; }

void queue_discard(struct batch_queue *q) {
  queue_collect(q);
  while (q->count) leave(q, 0, &q->tap->shed);
  q->sent = q->kept = 0;
}
