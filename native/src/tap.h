// The live tap: capture's side of the uplink. Copies packets, cut at the uplink's snaplen,
// into preallocated batch slots and passes full ones on. Never blocks, never waits: what does not fit
// is counted. The recorder does not depend on it.
//
//   free slots: uplink -> capture            filled slots: capture -> uplink
#ifndef RINGTAP_TAP_H
#define RINGTAP_TAP_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "constants.h"
#include "log.h"
#include "packet.h"
#include "spsc.h"

#define BATCH_PAYLOAD_BYTES (512u << 10)  // at most RT_BATCH_BYTES_MAX
#define BATCH_AGE_NS (40 * 1000000ull)    // a packet waits no longer than this for its batch to go
_Static_assert(BATCH_PAYLOAD_BYTES <= RT_BATCH_BYTES_MAX, "the gateway refuses longer payloads");

struct batch {
  uint64_t seq, first_ts_ns, last_ts_ns, packets_before, block_seq;
  uint64_t offered_total, sampled_out_total, uplink_drops_total;
  uint32_t packets, bytes;
  uint8_t *payload;  // BATCH_PAYLOAD_BYTES, EPBs
};

struct tap {
  uint32_t slots;
  struct batch *batch;
  uint8_t *memory;
  size_t memory_bytes;
  struct spsc free, filled;
  uint32_t snaplen, pps;
  void (*wake)(void *arg);  // a batch was passed on; any thread may be told, must not block
  void *wake_arg;

  // The sequencer's (capture.h).
  struct batch *current;
  uint32_t current_index;
  uint64_t cut_at_ns;
  uint64_t seq, packets_total, lost_run;  // lost_run: packets since a slot was last free
  uint64_t now_ns, refilled_ns;
  uint64_t budget;  // for sampling, in 1/NS_PER_S packets: no fraction is lost, whatever the rate
  uint64_t offered, sampled_out, lost;

  // Written by the uplink thread.
  _Atomic uint64_t sent, shed;
};

// `snaplen` 0 keeps whole packets as far as a batch has room. Start-up only.
int tap_init(struct tap *t, uint32_t slots, uint32_t snaplen, uint32_t pps, struct failure *f);
void tap_destroy(struct tap *t);

// The sequencer. tap_tick is called at least every BATCH_AGE_NS / 2 and before the packets of a poll.
void tap_tick(struct tap *t, uint64_t now_ns);
void tap_packet(struct tap *t, const struct packet *p, uint64_t block_seq);
// Passes on what is there.
void tap_flush(struct tap *t);
static inline uint64_t tap_drops(const struct tap *t) {
  return t->lost + atomic_load_explicit(&t->shed, memory_order_relaxed);
}
#endif
