// Which polls are still unreleased, for sources that give out packets to several workers. A ticket is a
// lease's number + 1; it is free for another poll after its release, in whatever order releases come: a
// slow worker may hold one while the others take and release theirs a thousand times.
//
//   the sequencer                          any worker
//   leases_take, leases_held  (acquire)    leases_give, after its last read of the packets  (release)
#ifndef RINGTAP_LEASES_H
#define RINGTAP_LEASES_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEASES_MAX 64u  // as many as there can be workers

struct leases {
  uint32_t count;  // at most LEASES_MAX; set at start-up
  _Atomic uint32_t held[LEASES_MAX];
};

static inline bool leases_held(const struct leases *l, uint32_t lease) {
  return atomic_load_explicit(&l->held[lease], memory_order_acquire) != 0;
}

// A free lease, or `count` when all are out.
static inline uint32_t leases_free(const struct leases *l) {
  uint32_t lease = 0;
  while (lease < l->count && leases_held(l, lease)) lease++;
  return lease;
}

// Its ticket.
static inline uint64_t leases_take(struct leases *l, uint32_t lease) {
  atomic_store_explicit(&l->held[lease], 1, memory_order_relaxed);
  return lease + 1ull;
}

static inline void leases_give(struct leases *l, uint64_t ticket) {
  atomic_store_explicit(&l->held[ticket - 1], 0, memory_order_release);
}
#endif
