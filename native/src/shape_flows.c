// The table of flows, see shape_flows.h.
#include "shape_flows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shape_table.h"

enum { WAYS = 4 };
static_assert(sizeof(struct flow_entry) == 64, "an entry is one cache line");

int flows_open(struct flows *t, struct failure *f) {
  t->table = table_alloc(FLOWS_MAX * sizeof *t->table);
  if (!t->table) return fail(f, ENOMEM, "no memory for the flow table; drop --flow-cutoff and tls rules");
  return 0;
}

void flows_close(struct flows *t) {
  free(t->table);
  t->table = NULL;
}

// The end with the smaller address and port comes first, so that both directions are the same bytes.
static uint64_t flow_key(const struct shape_key *key, const struct headers *h, int *side) {
  uint8_t ends[2][18] = {{0}}, bytes[38];
  size_t address_bytes = h->ip_version == 4 ? 4 : 16;
  for (int i = 0; i < 2; i++) {
    memcpy(ends[i], h->address[i], address_bytes);
    memcpy(ends[i] + 16, &h->port[i], 2);
  }
  *side = memcmp(ends[0], ends[1], sizeof ends[0]) > 0;
  memcpy(bytes, ends[*side], 18);
  memcpy(bytes + 18, ends[!*side], 18);
  bytes[36] = h->protocol;
  bytes[37] = h->ip_version;
  uint64_t hash = shape_hash(key, 0, bytes, sizeof bytes);
  return hash ? hash : 1;
}

static bool starts_anew(const struct flow_entry *e, const struct headers *h, uint64_t ts_ns) {
  if (h->protocol == IP_TCP)
    return h->transport && (h->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
  return ts_ns > e->seen_ts_ns && ts_ns - e->seen_ts_ns > FLOW_IDLE_NS;
}

struct flow_entry *flows_find(struct flows *t, const struct shape_key *key, const struct headers *h, uint64_t ts_ns,
                              int *side) {
  if (!h->ip_version) return NULL;
  uint64_t wanted = flow_key(key, h, side);
  struct flow_entry *set = &t->table[(wanted & (FLOWS_MAX / WAYS - 1)) * WAYS], *oldest = set;
  for (int i = 0; i < WAYS; i++) {
    if (set[i].key == wanted) {
      if (starts_anew(&set[i], h, ts_ns)) set[i] = (struct flow_entry){.key = wanted};
      set[i].seen_ts_ns = ts_ns;
      return &set[i];
    }
    if (set[i].seen_ts_ns < oldest->seen_ts_ns) oldest = &set[i];
  }
  *oldest = (struct flow_entry){.key = wanted, .seen_ts_ns = ts_ns};
  return oldest;
}
