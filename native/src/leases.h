// Which polls of a source are still with the workers. For sources whose memory goes back to a ring that
// only the poller may touch: `release` of any thread just sets a bit here, and the next poll does the work.
// The single barrier pair: A, releasing, after a worker's last read; B, acquiring, before memory is reused.
#ifndef RINGTAP_LEASES_H
#define RINGTAP_LEASES_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEASES_MAX 64u  // one bit each

struct leases {
  _Atomic uint64_t released;  // set by any thread, taken by the poller
  // The poller's:
  uint64_t out;               // slots with workers
  uint64_t ticket;            // the last one given
};

static inline uint64_t lease_bit(uint64_t ticket) { return 1ull << ticket % LEASES_MAX; }

// Any thread, once per ticket.
static inline void lease_release(struct leases *l, uint64_t ticket) {
  atomic_fetch_or_explicit(&l->released, lease_bit(ticket), memory_order_release);  // A
}

// The slots given back since the last call, one bit each.
static inline uint64_t leases_take_released(struct leases *l) {
  if (!atomic_load_explicit(&l->released, memory_order_relaxed)) return 0;
  uint64_t back = atomic_exchange_explicit(&l->released, 0, memory_order_acquire);  // B
  l->out &= ~back;
  return back;
}

// False while the slot of the next ticket is still with a worker.
static inline bool lease_possible(const struct leases *l) { return !(l->out & lease_bit(l->ticket + 1)); }

// The slot of a new ticket, which is l->ticket then.
static inline uint32_t lease_take(struct leases *l) {
  l->out |= lease_bit(++l->ticket);
  return l->ticket % LEASES_MAX;
}
#endif
