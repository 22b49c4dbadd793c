// What is kept of each packet, see shape.h. In order: duplicates go, then what is behind a flow's cutoff,
// then what stays is sliced. Each step needs no more of the headers than its options ask for.
#include "shape.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shape_dedup.h"
#include "shape_flows.h"
#include "shape_rules.h"

struct shape {
  struct shape_key key;
  uint16_t linktype;
  bool reads_headers;
  uint64_t cutoff_bytes;  // 0: none
  struct dedup dedup;
  struct flows flows;
  struct slice_rules rules;
};

static bool wanted(const struct options *o) { return o->slice || o->flow_cutoff_bytes || o->dedup; }

static int check(struct shape *s, const struct options *o, struct failure *f) {
  if (getrandom(&s->key, sizeof s->key, 0) != sizeof s->key) return fail(f, EIO, "no random bytes to key hashes with");
  s->cutoff_bytes = o->flow_cutoff_bytes;
  int rc = o->slice ? slice_parse(&s->rules, o->slice, f) : 0;
  if (!rc && o->dedup) rc = dedup_open(&s->dedup, o->dedup, f);
  if (rc) return rc;
  s->reads_headers = s->cutoff_bytes || s->rules.headers || s->dedup.routed;
  if (s->reads_headers && !headers_known_linktype(s->linktype))
    return fail(f, 0, "--slice, --flow-cutoff: link type %u is not understood; only any=BYTES and --dedup are", s->linktype);
  return s->cutoff_bytes || s->rules.tls ? flows_open(&s->flows, f) : 0;
}

int shape_open(struct shape **out, const struct options *o, uint16_t linktype, struct failure *f) {
  *out = NULL;
  if (!wanted(o)) return 0;
  struct shape *s = calloc(1, sizeof *s);
  if (!s) return fail(f, ENOMEM, "no memory for --slice, --flow-cutoff and --dedup");
  s->linktype = linktype;
  int rc = check(s, o, f);
  if (rc) {
    shape_close(s);
    return rc;
  }
  *out = s;
  return 0;
}

void shape_close(struct shape *s) {
  if (!s) return;
  dedup_close(&s->dedup);
  flows_close(&s->flows);
  free(s);
}

// What the TLS rules may keep of this packet's payload; every segment has to be followed.
static uint32_t follow_tls(struct tls_side *side, const struct packet *p, const struct headers *h) {
  if (!h->transport || h->protocol != IP_TCP || h->payload_at > p->caplen) return TLS_ALL;
  return tls_take(side, p->data + h->payload_at, p->caplen - h->payload_at, h->payload_bytes, h->tcp_seq);
}

// Bytes of `data` that lie within the flow's first bytes; false when the packet is behind them altogether.
static bool within_cutoff(const struct shape *s, struct flow_entry *flow, const struct headers *h, uint32_t *keep) {
  uint64_t before = flow->payload_bytes;
  flow->payload_bytes += h->payload_bytes;
  if (flow->payload_bytes <= s->cutoff_bytes) return true;
  uint64_t left = before < s->cutoff_bytes ? s->cutoff_bytes - before : 0;
  bool marks = h->transport && h->protocol == IP_TCP && h->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST);
  if (!left && !marks) return false;
  uint64_t most = h->payload_at + left;
  if (h->payload_bytes > left && most < *keep) *keep = (uint32_t)most;  // padding is no payload
  return true;
}

enum shape_verdict shape_packet(struct shape *s, struct packet *p, uint64_t *sliced_bytes) {
  struct headers h = {0};
  if (s->reads_headers) headers_read(&h, s->linktype, p);
  if (s->dedup.table && dedup_seen(&s->dedup, &s->key, p, &h)) return SHAPE_DUPLICATE;
  int side = 0;
  struct flow_entry *flow = s->flows.table ? flows_find(&s->flows, &s->key, &h, p->ts_ns, &side) : NULL;
  uint32_t keep = p->caplen, tls_keep = TLS_ALL;
  if (flow && s->rules.tls) tls_keep = follow_tls(&flow->tls[side], p, &h);
  if (flow && s->cutoff_bytes && !within_cutoff(s, flow, &h, &keep)) return SHAPE_CUTOFF;
  if (s->rules.count) {
    bool tls = flow && (tls_seen(&flow->tls[0]) || tls_seen(&flow->tls[1]));
    uint32_t sliced = slice_keep(&s->rules, p, &h, tls, tls_keep);
    if (sliced < keep) keep = sliced;
  }
  *sliced_bytes += p->caplen - keep;
  p->caplen = keep;
  return SHAPE_KEEP;
}
