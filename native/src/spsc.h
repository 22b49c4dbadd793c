// Single-producer single-consumer ring of u32 indices, and the only memory barriers between threads
// of the probe (the kernel's ring has its own pair in source_afpacket.c).
//
//   producer                          consumer
//   write what the index names        load head   (A: acquire, pairs with B)
//   store head   (B: release)         read what the index names
//   load tail    (C: acquire)         store tail  (D: release, pairs with C)
//
// A pushed index is a lease: the pusher must not touch what it names any more.
#ifndef RINGTAP_SPSC_H
#define RINGTAP_SPSC_H
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct spsc {
  alignas(64) _Atomic uint32_t head;  // next to write; producer owned
  alignas(64) _Atomic uint32_t tail;  // next to read; consumer owned
  alignas(64) uint32_t mask;
  uint32_t *slots;
};

// Room for at least `count` indices. Start-up only.
static inline int spsc_init(struct spsc *q, uint32_t count) {
  uint32_t size = 1;
  while (size < count) size *= 2;
  q->slots = calloc(size, sizeof *q->slots);
  if (!q->slots) return -ENOMEM;
  q->mask = size - 1;
  atomic_init(&q->head, 0);
  atomic_init(&q->tail, 0);
  return 0;
}

static inline void spsc_free(struct spsc *q) {
  free(q->slots);
  q->slots = NULL;
}

static inline bool spsc_push(struct spsc *q, uint32_t index) {
  uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
  uint32_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);  // C
  if (head - tail > q->mask) return false;
  q->slots[head & q->mask] = index;
  atomic_store_explicit(&q->head, head + 1, memory_order_release);  // B
  return true;
}

static inline bool spsc_peek(const struct spsc *q, uint32_t *index) {
  uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
  if (atomic_load_explicit(&q->head, memory_order_acquire) == tail) return false;  // A
  *index = q->slots[tail & q->mask];
  return true;
}

static inline bool spsc_pop(struct spsc *q, uint32_t *index) {
  if (!spsc_peek(q, index)) return false;
  uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
  atomic_store_explicit(&q->tail, tail + 1, memory_order_release);  // D
  return true;
}

// Entries now queued; exact for either end, a moment old for anybody else.
static inline uint32_t spsc_count(const struct spsc *q) {
  uint32_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
  return atomic_load_explicit(&q->head, memory_order_acquire) - tail;
}
#endif
