// Segment files: naming, opening, rotation, the oldest thrown away. Plain pcapng; the section header is
// padded to RT_BLOCK_ALIGN_BYTES, so that every recorder block lies aligned in the file.
// Owner: the writer thread (segment_open once before it starts).
#ifndef RINGTAP_SEGMENT_H
#define RINGTAP_SEGMENT_H
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"

struct segment_plan {
  char prefix[PATH_MAX - 128];  // names are prefix-UTC-seq.suffix
  char suffix[32];
  bool single;                 // the prefix is the whole name; an existing file is replaced, as tcpdump does
  uint64_t rotate_bytes;       // 0: never
  uint64_t rotate_ns;          // 0: never
  uint32_t keep;               // files of this run that stay, 0: all
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
  uint32_t seq;           // of the open file, 1...
  uint64_t last_ts_ns;    // stamp in the last name
  bool direct_refused;    // this file system has no O_DIRECT; said once
  uint64_t *kept_ts_ns;   // stamps of the last `keep` names, by seq % keep
};

// `dir` mode: DIR/ringtap-INTERFACE-..., one segment after another.
int segment_plan_store(struct segment_plan *plan, const char *dir, const char *interface, struct failure *f);
// `-w FILE` mode; with rotation the stem gets stamp and number.
int segment_plan_file(struct segment_plan *plan, const char *path, struct failure *f);

int segment_init(struct segment *s, const uint8_t *header, uint32_t header_bytes);
// Creates the next file with its header: it appears under its name complete, or not at all.
// Never overwrites (but see `single`). -errno and one clear line in `f`.
int segment_open(struct segment *s, struct failure *f);
// Would `bytes` more still belong to this file? Also by age.
bool segment_is_due(const struct segment *s, uint64_t bytes, uint64_t now_ns);
// Cuts off whatever an incomplete write left behind complete blocks.
void segment_truncate(struct segment *s);
// Syncs and closes; a file without packets is removed when `discard_empty`. Returns 0 or -errno.
int segment_close(struct segment *s, bool discard_empty);
void segment_destroy(struct segment *s);
#endif
