// TLS records of one direction, see shape_tls.h.
#include "shape_tls.h"

#include <stdbool.h>

enum { SEEN = 1, ALIGNED = 2, DATA_BEGUN = 4, IN_DATA = 8 };  // ALIGNED: the sequence numbers hold
enum { HEADER_BYTES = 5, RECORD_BYTES_MAX = (1 << 14) + 2048 };  // the larger of TLS 1.2 and 1.3
enum { HANDSHAKE = 22, APPLICATION_DATA = 23 };

static uint32_t record_length(const uint8_t *p) { return (uint32_t)p[3] << 8 | p[4]; }

static bool header_valid(const uint8_t *p) {
  return p[0] >= 20 && p[0] <= 24 && p[1] == 3 && p[2] <= 4 && record_length(p) <= RECORD_BYTES_MAX;
}

// Is this the start of TLS? Either a hello, or a stream joined in the middle, whose record must then end
// with the segment or be followed by another: five bytes alone would be met by chance.
static bool starts_tls(const uint8_t *p, uint32_t have, uint32_t wire) {
  if (have < HEADER_BYTES || !header_valid(p)) return false;
  if (p[0] == HANDSHAKE) return have >= 11 && (p[5] == 1 || p[5] == 2) && p[6] == 0 && p[9] == 3 && p[10] <= 4;
  uint32_t end = HEADER_BYTES + record_length(p);
  if (p[0] != APPLICATION_DATA || p[2] != 3) return false;
  return end == wire || (end < have && have - end >= HEADER_BYTES && header_valid(p + end));
}

// From a record boundary at `at` on; `keep` is what was decided before it.
static uint32_t walk(struct tls_side *side, const uint8_t *p, uint32_t have, uint32_t wire, uint32_t seq, uint64_t at,
                     uint32_t keep) {
  while (at < wire) {
    bool whole = at + HEADER_BYTES <= have;
    if (!whole || !header_valid(p + at)) {  // split over two segments, cut, or no TLS after all
      side->flags &= (uint8_t)~ALIGNED;
      if (whole && keep == TLS_ALL && side->flags & DATA_BEGUN) keep = (uint32_t)at;
      return keep;
    }
    bool data = p[at] == APPLICATION_DATA;
    if (data && keep == TLS_ALL) keep = (uint32_t)at + HEADER_BYTES;
    side->flags = (uint8_t)(SEEN | ALIGNED | (side->flags & DATA_BEGUN) | (data ? DATA_BEGUN | IN_DATA : 0));
    side->record_at = seq + (uint32_t)at;
    side->next_at = side->record_at + HEADER_BYTES + record_length(p + at);
    at += HEADER_BYTES + record_length(p + at);
  }
  return keep;
}

// Without a known boundary: a segment may start a record again.
static uint32_t resume(struct tls_side *side, const uint8_t *p, uint32_t have, uint32_t wire, uint32_t seq) {
  if (have >= HEADER_BYTES && header_valid(p)) return walk(side, p, have, wire, seq, 0, TLS_ALL);
  side->flags &= (uint8_t)~ALIGNED;
  return side->flags & DATA_BEGUN ? 0 : TLS_ALL;
}

uint32_t tls_take(struct tls_side *side, const uint8_t *p, uint32_t have, uint32_t wire, uint32_t seq) {
  if (have > wire) have = wire;
  if (wire == 0) return TLS_ALL;
  if (!(side->flags & SEEN)) return starts_tls(p, have, wire) ? walk(side, p, have, wire, seq, 0, TLS_ALL) : TLS_ALL;
  if (!(side->flags & ALIGNED)) return resume(side, p, have, wire, seq);
  int32_t into = (int32_t)(seq - side->record_at), left = (int32_t)(side->next_at - seq);
  if (into < 0) {  // sent again: judged alone, what is known stays
    struct tls_side alone = *side;
    return resume(&alone, p, have, wire, seq);
  }
  if (left < 0) return resume(side, p, have, wire, seq);  // a segment is missing
  uint32_t keep = left > 0 && side->flags & IN_DATA ? 0 : TLS_ALL;
  return walk(side, p, have, wire, seq, (uint32_t)left, keep);
}
