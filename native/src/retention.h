// Deletes the oldest segments of a store before it takes more than it may: bytes, age, and a floor of free
// space that the recorder never goes below. Oldest first over all directories, whoever recorded them; only
// files named as segments are, and never one that a recorder still writes (its lock says so). Each goes with
// its index and leaves a line in DIR/expired.jsonl. A thread of its own: a drive asks, waits briefly, and
// deletes nothing itself, so that no drive waits for another.
#ifndef RINGTAP_RETENTION_H
#define RINGTAP_RETENTION_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"

#define RETENTION_DIRS_MAX 16u

struct retention_limits {
  uint64_t bytes;          // of all segments and their indexes, 0: no limit
  uint64_t age_ns;         // since a segment was last written, 0: no limit
  double floor_percent;    // of each file system's size, kept free
  uint64_t floor_bytes;    // with a percentage: at most that much, 0: no such cap; without: that much
};

struct retention {
  struct retention_limits limits;
  const char *dirs[RETENTION_DIRS_MAX];
  uint32_t dirs_count;
  _Atomic uint64_t used_bytes;  // as last counted, and written since
  _Atomic uint64_t expired_segments, expired_bytes;
  _Atomic uint64_t wanted[RETENTION_DIRS_MAX];  // the most a drive has asked for at once
  atomic_bool avoid[RETENTION_DIRS_MAX];  // does not answer at present: left alone
  pthread_t thread;
  bool running;
  pthread_mutex_t lock;    // guards what follows
  pthread_cond_t changed;
  bool kicked, stop;
  uint64_t passes;         // begun and finished
  bool exhausted[RETENTION_DIRS_MAX];  // below the floor, and nothing there may be deleted
  bool full;               // over limits.bytes likewise
};

// `dirs` outlives it. 0 or -errno.
int retention_start(struct retention *r, const char *const *dirs, uint32_t dirs_count,
                    const struct retention_limits *limits);
void retention_stop(struct retention *r);
// May `bytes` more be written into directory `dir`? Waits up to 200 ms for space to be made. 0, or -ENOSPC with the
// reason. A drive's thread.
int retention_room(struct retention *r, uint32_t dir, uint64_t bytes, struct failure *f);
// Free space to be kept on the file system of `dir`; 0 when it cannot be told.
uint64_t retention_floor(const struct retention_limits *limits, const char *dir);
// Deletes one segment as above. 0, -EBUSY when it is being written, another -errno. Any thread.
int retention_delete(const char *path, const char *reason);
#endif
