// The system calls a running probe needs, and no others (seccomp). One that is missing is refused with EPERM and
// named on stderr, once; recording goes on. What io_uring does for us the kernel does not check here.
#ifndef RINGTAP_CONFINE_H
#define RINGTAP_CONFINE_H
#include "log.h"

// `mode`: on, off, log (allowed, and in the kernel's audit log), or NULL: on where it works. Main thread, once
// everything is open; the threads started later inherit it. 0, or -errno when it was asked for and does not work.
int confine(const char *mode, struct failure *f);
#endif
