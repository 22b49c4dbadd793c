// Output that is no regular file: stdout, a fifo, a device. Waits for a slow reader without holding up
// the end of the run. Owner: the writer thread.
#ifndef RINGTAP_STREAM_H
#define RINGTAP_STREAM_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "log.h"

// Exists and is neither a regular file nor a directory.
bool stream_is_special(const char *path);
// Wrong usage when stdout is a terminal.
int stream_stdout_is_fine(struct failure *f);
// "-" is stdout. Returns a descriptor that does not block, or -errno.
int stream_open(const char *path, struct failure *f);
// Writes all of it. Once `*stopping`, gives up when the reader takes nothing for STREAM_PATIENCE_NS.
// Returns 0, -EPIPE when the reader has gone, -ETIMEDOUT, or another -errno; `*written` says how much went.
int stream_write(int fd, const void *data, size_t bytes, const atomic_bool *stopping, size_t *written);
#define STREAM_PATIENCE_NS (2000 * NS_PER_MS)
#endif
