// One drive of the recorder: a thread that takes blocks in its turn (dispatch.h), writes them to the segment it
// has open, and starts a new one when that is due. What it cannot store goes to the other drives; it tries again
// later, ever more seldom. Never holds a block longer than its write.
#ifndef RINGTAP_DRIVE_H
#define RINGTAP_DRIVE_H
#include <pthread.h>
#include <stdatomic.h>

#include "diskio.h"
#include "dispatch.h"
#include "retention.h"
#include "segment.h"
#include "syncer.h"

struct drive {
  // Set by the writer before drive_start.
  struct dispatch *dispatch;
  struct retention *retention;  // NULL: nothing is deleted, no floor
  uint32_t number;
  const char *name;             // for people: directory or file
  _Atomic uint64_t *segments;   // counts the files opened
  struct segment segment;       // plan set, initialized, opened
  pthread_mutex_t *path_lock;
  char path[PATH_MAX];          // of the open file, "" when none is; guarded by path_lock

  // This thread's.
  struct diskio io;
  struct syncer syncer;
  bool failed, probing, last_try;  // probing: failed, but takes blocks again to see how it goes
  uint64_t retry_at_ns, retry_delay_ns;
  uint64_t looked_at_ns;        // when it was last seen that the file still has its name
  int told_err;                 // the failure told last; not told again while it lasts
  uint64_t told_at_ns;
  bool told;                    // and its end is to be told, too
  pthread_t thread;
  // Read by others: since when it has not come back from the drive (monotonic), 0: it is not there.
  _Atomic uint64_t busy_since_ns;
  atomic_bool failing;
};

// The first segment is open already. 0 or -errno.
int drive_start(struct drive *d);
// Until every block is stored or lost, and the file closed.
void drive_join(struct drive *d);
#endif
