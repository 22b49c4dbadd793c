// Storing: the drives (one directory or file each), or a stream, or nowhere. Opens them before capture begins,
// sums up what they did, tells of a drive that does not answer.
#ifndef RINGTAP_WRITER_H
#define RINGTAP_WRITER_H
#include <pthread.h>
#include <stdatomic.h>

#include "dispatch.h"
#include "drive.h"
#include "pool.h"
#include "retention.h"

struct writer_plan {
  const char *stores[DRIVES_MAX];  // directories, in the order of their stripes
  uint32_t stores_count;
  const char *file;                // or one file
  const char *stream;              // or a stream, - is stdout; none of them: the blocks are discarded
  const char *interface;           // for the names in a store
  uint64_t rotate_bytes, rotate_ns;  // 0: never; in a store a file ends at a GiB at the latest
  uint32_t keep;                   // files of each drive that stay, 0: all
  struct retention_limits retain;  // stores only
};

struct writer {
  struct pool *pool;
  struct dispatch dispatch;       // its counters are the writer's: stored, store_drops, stored_bytes
  struct segment_names names;
  struct retention retention;
  struct drive drives[DRIVES_MAX];
  uint32_t drives_count;          // 0: a stream, or nowhere
  _Atomic uint64_t segments;
  pthread_mutex_t path_lock;
  int stream_fd;                  // -1: none
  const uint8_t *header;
  uint32_t header_bytes;
  const char *stream_name, *stream_path;
  bool stream_gone, stream_failed;  // failed: for another reason than that its reader left
  pthread_t thread;               // of the stream, or of nowhere
  bool silent[DRIVES_MAX];        // told already that this drive does not answer
  // Set by the owner before writer_start.
  const atomic_bool *stopping;
  void (*on_reader_gone)(void *arg);  // stream: EPIPE, the run should end
  void *arg;
};

// Opens the first files, so that what is wrong with them is known before capture begins. `header` was made with a
// run id.
int writer_open(struct writer *w, struct pool *pool, const struct writer_plan *plan, const uint8_t *header,
                uint32_t header_bytes, struct failure *f);
int writer_start(struct writer *w);
// Looks after drives that do not answer. Main thread, about once a second.
void writer_watch(struct writer *w);
// Waits until the block marked `last` is stored and the files closed.
void writer_join(struct writer *w);
// After writer_join: was everything stored that somebody still wanted? A reader of a stream may leave.
bool writer_kept_all(const struct writer *w);
void writer_destroy(struct writer *w);
// Is there a next file? Not behind a stream, nor behind one single file, whose name is taken.
bool writer_rotates(const struct writer *w);
// A file now open, "" when none is. Any time between writer_open and writer_destroy.
void writer_path(struct writer *w, char out[PATH_MAX]);
#endif
