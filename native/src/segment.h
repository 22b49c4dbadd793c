// Segment files: naming, opening, rotation, the oldest thrown away. Plain pcapng; the section header is
// padded to RT_BLOCK_ALIGN_BYTES, so that every recorder block lies aligned in the file.
// A file is locked (flock) from before it has its name until it is closed: whoever can lock it knows that no
// recorder writes it. Owner: its drive's thread (segment_open once before it starts).
#ifndef RINGTAP_SEGMENT_H
#define RINGTAP_SEGMENT_H
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "retention.h"

struct segment_plan {
  char dir[PATH_MAX];           // of a store, else empty
  bool mounted;                // something is mounted there: without it, nothing may be written into the place
  char prefix[PATH_MAX - 128];  // names are prefix-UTC-seq.suffix
  char suffix[32];
  bool single;                 // the prefix is the whole name; an existing file is replaced, as tcpdump does
  uint64_t rotate_bytes;       // 0: never
  uint64_t rotate_ns;          // 0: never
  uint32_t keep;               // files of this run and drive that stay, 0: all
};

// Shared by the drives of a run: no name is given twice, whatever the clock does.
struct segment_names {
  pthread_mutex_t lock;
  uint64_t last_ts_ns;  // stamp in the last name
  uint32_t seq;         // of the last name, 1...
};
struct segment_name {
  uint64_t ts_ns;
  uint32_t seq;
};

struct segment {
  struct segment_plan plan;
  const uint8_t *header;  // section, padded; aligned memory
  uint32_t header_bytes;
  int fd;                 // -1: none open
  char path[PATH_MAX];
  uint64_t offset;        // bytes of complete blocks: the file's length
  uint64_t packets;       // in those
  uint64_t opened_ns;     // monotonic
  uint64_t last_seq;      // of its blocks
  struct segment_names *names;
  bool direct_refused;    // this file system has no O_DIRECT; said once
  struct segment_name *kept;  // the last `keep` names, by count % keep
  uint64_t named;             // how many there were
};

// `dir` mode: DIR/ringtap-INTERFACE-..., one segment after another.
int segment_plan_store(struct segment_plan *plan, const char *dir, const char *interface, struct failure *f);
// `-w FILE` mode; with rotation the stem gets stamp and number.
int segment_plan_file(struct segment_plan *plan, const char *path, struct failure *f);

int segment_init(struct segment *s, struct segment_names *names, const uint8_t *header, uint32_t header_bytes);
// Creates the next file with its header: it appears under its name complete, or not at all.
// Never overwrites (but see `single`). -errno and one clear line in `f`.
int segment_open(struct segment *s, struct failure *f);
// Would `bytes` more still belong to this file? Also by age.
bool segment_is_due(const struct segment *s, uint64_t bytes, uint64_t now_ns);
// Is the open file still to be found under its name? Not when it was removed, renamed or unmounted.
bool segment_is_reachable(const struct segment *s);
// Cuts off whatever an incomplete write left behind complete blocks.
void segment_truncate(struct segment *s);
// Syncs and closes; a file without packets is removed when `discard_empty`. Returns 0 or -errno.
int segment_close(struct segment *s, bool discard_empty);
void segment_destroy(struct segment *s);
#endif
