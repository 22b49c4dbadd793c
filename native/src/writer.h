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

struct writer {
  struct pool *pool;
  struct segment segment;
  int stream_fd;          // -1: segment files
  struct diskio io;
  uint64_t retry_at_ns, retry_delay_ns;  // after a failure: when to try a new segment
  uint64_t drops_since_block;
  bool stream_gone;
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
void writer_path(struct writer *w, char out[PATH_MAX]);
#endif
