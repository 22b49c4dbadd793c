// Batches on their way to the gateway, in order of seq. Bounded: unsent ones beyond UNSENT_MAX are
// dropped oldest first; ones that were sent stay until acknowledged. Pure bookkeeping over slot
// indices, no I/O. Uplink thread only.
//
//   0 ........ sent ........ kept ............ count
//   | sent on this | sent on an | never sent: may
//   | connection   | earlier one| be dropped
#ifndef RINGTAP_BATCH_QUEUE_H
#define RINGTAP_BATCH_QUEUE_H
#include "tap.h"

#define UNSENT_MAX 64u
#define CREDIT_MAX RT_CREDIT_BATCHES_DEFAULT
// One more is being filled, one waits to be; the rest of the slack absorbs a late uplink thread.
#define BATCH_SLOTS (UNSENT_MAX + CREDIT_MAX + 4u)

struct batch_queue {
  struct tap *tap;
  uint32_t index[BATCH_SLOTS];
  uint32_t sent, kept, count;
  uint64_t sent_seq;  // largest seq ever sent
};

// Takes over what the tap passed on; drops the oldest unsent beyond the bound.
void queue_collect(struct batch_queue *q);
// The next batch to send within `credit`, or NULL.
const struct batch *queue_next(const struct batch_queue *q, uint32_t credit);
void queue_mark_sent(struct batch_queue *q);
// Everything up to `seq` has arrived. False when it was never sent: the gateway is lying.
bool queue_acknowledge(struct batch_queue *q, uint64_t seq);
// The connection is gone: what was not acknowledged will be sent again.
void queue_rewind(struct batch_queue *q);
// Gives everything up, counted as shed.
void queue_discard(struct batch_queue *q);
#endif
