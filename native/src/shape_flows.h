// What shaping remembers of each flow: addresses, protocol and ports of the outermost IP, both directions
// together. A fixed table of FLOWS_MAX entries: when a set is full its longest silent flow is forgotten, so
// that one which comes back starts anew and more of it is kept, never less. A flow is known by a keyed
// 64-bit hash: of FLOWS_MAX flows two are one with probability 2^-29.
#ifndef RINGTAP_SHAPE_FLOWS_H
#define RINGTAP_SHAPE_FLOWS_H
#include "log.h"
#include "shape_hash.h"
#include "shape_headers.h"
#include "shape_tls.h"

#define FLOWS_MAX (1u << 18)
#define FLOW_IDLE_NS (120ull * 1000000000ull)  // after which the same addresses are another flow; not for TCP

struct flow_entry {
  uint64_t key;  // 0: free
  uint64_t seen_ts_ns;
  uint64_t payload_bytes;  // both directions, on the wire
  struct tls_side tls[2];
  uint8_t _pad[16];
};

struct flows {
  struct flow_entry *table;
};

int flows_open(struct flows *t, struct failure *f);
// The packet's flow, a new one if need be; NULL without IP. `*side`: which of its ends sent the packet.
struct flow_entry *flows_find(struct flows *t, const struct shape_key *key, const struct headers *h, uint64_t ts_ns,
                              int *side);
void flows_close(struct flows *t);
#endif
