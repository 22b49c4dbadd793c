// The writer thread: takes sealed blocks in order, adds their checksums, stores them, gives them back.
// What cannot be stored is counted, an alarm raised, and recording goes on in a new segment as soon
// as the drive lets it. Never holds a block longer than its write.
#ifndef RINGTAP_WRITER_H
#define RINGTAP_WRITER_H
#include <pthread.h>
#include <stdatomic.h>

#include "diskio.h"
#include "pool.h"
#include "segment.h"
#include "syncer.h"

struct writer {
  struct pool *pool;
  struct segment segment;
  int stream_fd;          // -1: segment files
  struct diskio io;
  struct syncer syncer;
  uint64_t retry_at_ns, retry_delay_ns;  // after a failure: when to try a new segment
  int told_err;                          // the failure told last; not told again while it lasts
  uint64_t told_at_ns;
  bool told;                             // and its end is to be told, too
  uint64_t drops_since_block;
  const char *stream_name;
  bool stream_gone, stream_failed;       // failed: for another reason than that its reader left
  pthread_t thread;
  // Read by others; written by this thread only.
  _Atomic uint64_t stored, store_drops, stored_bytes, segments;
  pthread_mutex_t path_lock;
  char path[PATH_MAX];
  // Set by the owner before writer_start.
  const atomic_bool *stopping;
  void (*on_reader_gone)(void *arg);  // stream: EPIPE, the run should end
  void *arg;
};

// Opens the first file, so that what is wrong with it is known before capture begins.
int writer_open(struct writer *w, struct pool *pool, const uint8_t *header, uint32_t header_bytes, const char *stream,
                struct failure *f);
int writer_start(struct writer *w);
// Waits until the block marked `last` is stored and the file closed.
void writer_join(struct writer *w);
// After writer_join: was everything stored that somebody still wanted? A reader of a stream may leave.
bool writer_kept_all(const struct writer *w);
void writer_destroy(struct writer *w);
// Is there a next file? Not behind a stream, nor behind one single file, whose name is taken.
static inline bool writer_rotates(const struct writer *w) { return w->stream_fd < 0 && !w->segment.plan.single; }
// The file now open, "" when none is. Any time between writer_open and writer_destroy.
void writer_path(struct writer *w, char out[PATH_MAX]);
#endif
