// The capture thread: source -> filter -> one copy into the current block -> live tap. It alone fills
// blocks and batches; it never waits for the drive or the network while packets may be lost by it.
#ifndef RINGTAP_CAPTURE_H
#define RINGTAP_CAPTURE_H
#include <pthread.h>
#include <stdatomic.h>

#include "filter.h"
#include "ledger.h"
#include "pool.h"
#include "shape.h"
#include "source.h"
#include "tap.h"

struct capture {
  // Set by the owner before capture_start.
  struct source *source;
  struct filter filter;      // inactive when the source filters
  struct shape *shape;       // NULL: packets stay as they are
  struct pool *pool;         // NULL: nothing is recorded
  struct tap *tap;           // NULL: no uplink
  uint32_t snaplen;
  uint64_t limit;            // packets to record, 0: none
  uint64_t flush_ns, started_ts_ns;
  const _Atomic uint64_t *stored, *store_drops;  // the writer's, may be NULL
  void (*on_end)(void *arg);  // told once, when the last block is on its way
  void *arg;

  // Requests and facts of other threads.
  atomic_bool stop;            // end the run
  atomic_bool rotate;          // close the block now and the segment behind it
  _Atomic uint64_t if_drops;   // told by the main thread, LEDGER_UNKNOWN at first

  // Capture thread only.
  struct block *block;
  uint32_t block_index;
  uint64_t block_seq, flush_at_ns, publish_at_ns;
  uint64_t sealed_ring_drops, sealed_pool_drops;  // as of the previous block
  uint64_t sealed_cutoff, sealed_duplicates, sealed_sliced_bytes;
  bool draining;
  struct accounts now;

  pthread_mutex_t lock;
  struct accounts published;
  int result;  // after the end: 0, or -errno with source->failure
  pthread_t thread;
};

int capture_start(struct capture *c);
void capture_join(struct capture *c);
// The accounts as last published, at most ~100 ms old; exact after the end.
void capture_accounts(struct capture *c, struct accounts *out);
#endif
