// What is kept of each packet: per-protocol slicing, flow cutoff, duplicate removal. Behind the filter
// and before the copy, so that what is removed costs no copy; each removal is a column of the ledger.
// Called by one thread at a time: the sequencer (capture.h). All memory is taken by shape_open.
#ifndef RINGTAP_SHAPE_H
#define RINGTAP_SHAPE_H
#include <stdint.h>

#include "log.h"
#include "options.h"
#include "packet.h"

enum shape_verdict {
  SHAPE_KEEP,       // record it; `caplen` may have become shorter
  SHAPE_CUTOFF,     // its flow has had its first bytes: ledger `cutoff`
  SHAPE_DUPLICATE,  // the same bytes were seen a moment ago: ledger `duplicates`
};

struct shape;

// `*out` stays NULL when the options ask for nothing.
int shape_open(struct shape **out, const struct options *o, uint16_t linktype, struct failure *f);
// `*sliced_bytes` grows by what was cut off `p->caplen` here.
enum shape_verdict shape_packet(struct shape *s, struct packet *p, uint64_t *sliced_bytes);
void shape_close(struct shape *s);
#endif
