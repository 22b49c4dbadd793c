// Who gets the next blocks. The drives queue up in the order they became idle, so that blocks go round
// while all keep up, a slow drive gets fewer and one that stalls none; what a failing drive could not
// store goes to the others. Each drive's thread calls in here; the capture side never takes the lock.
// A block is accounted for exactly once: stored, or lost, when it goes back to the pool.
#ifndef RINGTAP_DISPATCH_H
#define RINGTAP_DISPATCH_H
#include <pthread.h>
#include <stdatomic.h>

#include "pool.h"

#define RUN_BYTES_MAX (32u << 20)
#define RUN_BLOCKS_MAX 256u

// Sealed blocks that lie one behind the other in memory, with ascending block_seq: one write.
struct run {
  uint32_t count;
  uint32_t index[RUN_BLOCKS_MAX];
  const uint8_t *data;
  uint64_t bytes;
  uint64_t first_seq, last_seq;
  bool rotate_after;
};

struct dispatch {
  struct pool *pool;
  // Read by others; each drive adds.
  _Atomic uint64_t stored, store_drops, stored_bytes;
  pthread_mutex_t lock;      // guards the rest, the consumer's end of `filled` and the producer's of `free`
  pthread_cond_t turned;
  uint64_t tickets, serving;  // the drive holding ticket `serving` waits for blocks, the others for it
  uint32_t *rescued;          // indices of blocks a drive failed to store, by block_seq
  uint32_t rescued_count;
  uint32_t drives;
  uint64_t run_bytes_max;     // a long run costs less waiting in between, a short one holds less of the pool
  _Atomic uint32_t failed;    // drives that do not store at present
  uint32_t blocks_out;        // in the hands of drives
  uint64_t drops_since_block;
  _Atomic uint64_t rotate_seq;  // every drive starts a new file behind this block
  bool ended;                 // the last block has been taken
};

enum dispatch_answer {
  DISPATCH_RUN,    // store it
  DISPATCH_LOSE,   // nobody can store it and the pool fills: give it back as lost
  DISPATCH_LATER,  // to a failed drive: others do the work, or the blocks can wait for the next try
  DISPATCH_END,    // nothing left, and nothing will come
};

// `drives` threads will ask. 0 or -ENOMEM.
int dispatch_init(struct dispatch *d, struct pool *pool, uint32_t drives);
void dispatch_destroy(struct dispatch *d);
// A drive's next run: waits for its turn and for blocks. `room` is what its file still takes; the first block may
// exceed it.
enum dispatch_answer dispatch_take(struct dispatch *d, uint64_t room, struct run *r);
// The same for a failed drive, which does not wait.
enum dispatch_answer dispatch_take_failed(struct dispatch *d, struct run *r);
// Takes what is there without waiting; `r->count` is 0 when nothing is or others come first.
void dispatch_take_more(struct dispatch *d, uint64_t room, struct run *r);
// Checksums and what else belongs into the blocks' headers. Once per run, before it is written.
void dispatch_finalize(struct dispatch *d, const struct run *r);
// The first `written` bytes are safe. Blocks that are not complete are lost, or with `rescue` handed to
// whoever asks next. Returns the bytes of the complete blocks; `*packets` is how many lie in them.
uint64_t dispatch_return(struct dispatch *d, const struct run *r, uint64_t written, bool rescue, uint64_t *packets);
// A drive stops or resumes storing. Returns how many are failed now.
uint32_t dispatch_failed(struct dispatch *d, bool failed);
// The run has ended: no block comes behind those that wait.
bool dispatch_ends(struct dispatch *d);
#endif
