// Where packets come from. Live capture, replay and synthetic traffic run the same pipeline behind
// this one ops struct. All functions but `open` and `release` are called by one thread at a time: the
// sequencer, which is whichever capture worker has its turn (capture.h).
#ifndef RINGTAP_SOURCE_H
#define RINGTAP_SOURCE_H
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "options.h"
#include "packet.h"

#define SOURCE_BATCH 256
#define SOURCE_UNKNOWN UINT64_MAX

struct source_counters {
  uint64_t received;  // packets delivered by poll, waiting, or dropped for want of room
  uint64_t drops;     // of those, dropped; SOURCE_UNKNOWN when the source cannot tell
  uint64_t starved;   // times no free frame was left to receive into; SOURCE_UNKNOWN when it cannot tell
};

struct source {
  const struct source_ops *ops;
  void *state;              // owned by the source
  // Filled by open:
  char interface_name[64];
  unsigned ifindex;         // 0: no network interface behind it
  uint16_t linktype;
  char description[128];    // where the stamps come from, for if_description
  bool synthetic;
  bool patient;             // nothing is lost when the pipeline makes it wait
  bool filters;             // the source itself applies options.filter (in the kernel)
  struct failure failure;   // after poll failed: why
  uint64_t ticket;          // set by poll, with `release`: names the packets just given out; never 0 (leases.h)
  uint32_t outstanding_max;  // polls that may be unreleased at once; set by open, with `release`
};

struct source_ops {
  const char *name;
  int (*open)(struct source *s, const struct options *o, struct failure *f);
  // Up to SOURCE_BATCH packets, valid until the next call, or with `release` until their ticket is
  // released; 0 when none came within `timeout_ms`;
  // -ENODATA at the end; another -errno on failure (s->failure says why).
  int (*poll)(struct source *s, struct packet *out, int timeout_ms);
  // Gives the packets of one poll back. Any thread, any order (the oldest may come last by far), beside a poll
  // of another. NULL: packets live until the next poll, so that only one worker can be used.
  void (*release)(struct source *s, uint64_t ticket);
  // No more packets shall arrive; poll goes on with those that already have.
  void (*stop)(struct source *s);
  void (*counters)(struct source *s, struct source_counters *out);
  void (*close)(struct source *s);
};

extern const struct source_ops source_afpacket, source_afxdp, source_dpdk, source_file, source_kmod, source_synth;

#endif
