// Which CPUs the threads run on (`--cpus LIST`): the first ones carry the capture workers, the next one the
// writer with its drives, what is left the other threads; a shorter list is begun again, and threads then
// share. Without a list nothing is pinned: on a machine that does other things too, the kernel places threads
// better than a guess. Start-up only.
#ifndef RINGTAP_CPUS_H
#define RINGTAP_CPUS_H
#include <pthread.h>

#include "log.h"

#define CPUS_MAX 256

struct cpus {
  unsigned count;  // 0: nothing is pinned
  unsigned workers;
  unsigned short cpu[CPUS_MAX];
};

// `list` as in taskset(1): "1", "2,3", "4-7,0"; NULL: no list.
int cpus_parse(struct cpus *c, const char *list, unsigned workers, struct failure *f);
// The calling thread and all it starts from now on: to where the writer belongs, or the other threads.
void cpus_enter_writer(const struct cpus *c);
void cpus_enter_others(const struct cpus *c);
void cpus_pin_worker(const struct cpus *c, pthread_t thread, unsigned number);
#endif
