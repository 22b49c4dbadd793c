// Capture: source -> filter, shape -> one copy into the current block -> live tap. One worker thread, or several
// that fill one stream of blocks from one queue without changing its order:
//
//   one worker at a time ("the sequencer", holds `turn`)      all workers, side by side
//   poll <= SOURCE_BATCH packets, filter, count, tap,         copy into the places, commit, give the
//   reserve places, seal full blocks, pass on complete ones   packets back to the source
//
// Packets lie on disk in the order in which the source gave them out: reordering is 0 by construction. The
// tap's copies are made by the sequencer, because a batch is a stream too; they are short and rate-limited.
// Capture never waits for the drive or the network while packets may be lost by it.
#ifndef RINGTAP_CAPTURE_H
#define RINGTAP_CAPTURE_H
#include <pthread.h>
#include <stdatomic.h>

#include "cpus.h"
#include "filter.h"
#include "ledger.h"
#include "places.h"
#include "pool.h"
#include "shape.h"
#include "source.h"
#include "tap.h"

#define CAPTURE_WORKERS_MAX 64

struct capture;
struct worker {
  struct capture *capture;
  struct packet packets[SOURCE_BATCH];
  struct places places;
  uint64_t ticket;  // to release, 0: none
  pthread_t thread;
};

struct capture {
  // Set by the owner before capture_start.
  struct source *source;
  struct filter filter;      // inactive when the source filters
  struct shape *shape;       // NULL: packets are recorded as they are
  struct pool *pool;         // NULL: nothing is recorded
  struct tap *tap;           // NULL: no uplink
  const struct cpus *cpus;   // where the workers run
  uint32_t workers;          // at least 1; without source->release only 1 is used
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

  // Under `turn`: the sequencer's.
  pthread_mutex_t turn;
  struct block *block;         // being reserved in
  uint32_t block_index;
  struct spsc sealed;          // full blocks with copies under way, in order
  uint64_t block_seq, flush_at_ns, publish_at_ns;
  uint64_t sealed_ring_drops, sealed_pool_drops;  // as of the previous block
  uint64_t sealed_cutoff, sealed_duplicates, sealed_sliced_bytes;
  bool draining, ended;
  struct accounts now;

  pthread_mutex_t lock;
  struct accounts published;
  int result;  // after the end: 0, or -errno with source->failure
  struct worker *worker;
  _Atomic uint32_t working;  // the last one to leave seals the last block
};

int capture_start(struct capture *c);
void capture_join(struct capture *c);
// The accounts as last published, at most ~100 ms old; exact after the end.
void capture_accounts(struct capture *c, struct accounts *out);
#endif
