// Makes what the writer has written durable, at most about SYNC_INTERVAL_NS later: fdatasync of the open
// segment, fsync of the directory that got a new name. A thread of its own, so that neither the writer nor
// the capture thread ever waits for it. Holds a descriptor of its own while it works: the writer may close.
#ifndef RINGTAP_SYNCER_H
#define RINGTAP_SYNCER_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "clock.h"

#define SYNC_INTERVAL_NS NS_PER_S

struct syncer {
  pthread_t thread;
  bool running, failing;   // failing: told already; this thread only
  int dir_fd;              // -1: no directory
  atomic_bool written;     // since the last sync
  pthread_mutex_t lock;    // guards what follows
  pthread_cond_t wake;
  int fd;                  // the writer's open segment, -1: none
  bool named, stop;        // named: the directory has a name it may forget
};

// Makes the name `path` itself durable, now. Start-up only: it waits.
void sync_name(const char *path);
// `path` is any file in the directory to look after. 0 or -errno.
int syncer_start(struct syncer *s, const char *path);
// The writer's. A new file has got its name; `fd` stays open until syncer_closing.
void syncer_opened(struct syncer *s, int fd);
static inline void syncer_wrote(struct syncer *s) { atomic_store_explicit(&s->written, true, memory_order_release); }
void syncer_closing(struct syncer *s);
// Syncs what is left to sync and ends the thread.
void syncer_stop(struct syncer *s);
#endif
