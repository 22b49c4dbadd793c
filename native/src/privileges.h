// What the process may do once everything that needs more is open. Start-up only, main thread, before any thread
// of ours is started.
#ifndef RINGTAP_PRIVILEGES_H
#define RINGTAP_PRIVILEGES_H
#include <stdbool.h>

#include "log.h"

// As root: lifts the limit on locked memory, which the pool and io_uring count against. Cannot fail.
void privileges_prepare(void);
// No program it runs could ever gain rights again; with `user` it becomes that user, with no capability but locking
// memory and, with `keep_network`, those that the source needs to close what it has opened. 0 or -errno.
int privileges_drop(const char *user, bool keep_network, struct failure *f);
#endif
