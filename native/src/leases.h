// Which polls are still unreleased, for sources that give out packets to several workers. A ticket is a
// lease's number + 1; it is free for another poll after its release, in whatever order releases come: a
// slow worker may hold one while the others take and release theirs a thousand times.
//
//   the sequencer                          any worker
//   leases_take, leases_back  (acquire)    leases_give, after its last read of the packets  (release)
#ifndef RINGTAP_LEASES_H
#define RINGTAP_LEASES_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEASES_MAX 64u  // as many as there can be workers

struct leases {
  uint32_t count;  // at most LEASES_MAX; set at start-up
  _Atomic uint32_t held[LEASES_MAX];
  uint64_t out;  // the sequencer's: a bit for each lease not known to be back
};

static inline bool leases_held(const struct leases *l, uint32_t lease) {
  return atomic_load_explicit(&l->held[lease], memory_order_acquire) != 0;
}

// What came back since the last call, a bit each: the moment to reuse the memory that went with it.
static inline uint64_t leases_back(struct leases *l) {
  uint64_t back = 0;
  for (uint64_t out = l->out; out; out &= out - 1)
    if (!leases_held(l, (uint32_t)__builtin_ctzll(out))) back |= out & -out;
  l->out &= ~back;
  return back;
}

// A lease that has been back, or `count` when there is none.
static inline uint32_t leases_next(const struct leases *l) {
  uint32_t lease = ~l->out ? (uint32_t)__builtin_ctzll(~l->out) : l->count;
  return lease < l->count ? lease : l->count;
}

// The same where nothing is done with what comes back.
static inline uint32_t leases_free(struct leases *l) {
  leases_back(l);
  return leases_next(l);
}

// Its ticket.
static inline uint64_t leases_take(struct leases *l, uint32_t lease) {
  l->out |= 1ull << lease;
  atomic_store_explicit(&l->held[lease], 1, memory_order_relaxed);
  return lease + 1ull;
}

static inline void leases_give(struct leases *l, uint64_t ticket) {
  atomic_store_explicit(&l->held[ticket - 1], 0, memory_order_release);
}
#endif
