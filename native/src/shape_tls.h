// Follows the TLS records of one direction of a TCP connection (RFC 8446 section 5.1) by their sequence
// numbers, to tell the handshake from application data, also where a record starts in the middle of a
// segment. Holds no payload. A gap or a repeated segment costs at most precision, never a wrong record
// boundary: without one, what follows application data counts as application data.
#ifndef RINGTAP_SHAPE_TLS_H
#define RINGTAP_SHAPE_TLS_H
#include <stdint.h>

#define TLS_ALL UINT32_MAX

struct tls_side {
  uint32_t record_at, next_at;  // sequence numbers: of the current record and of the one behind it
  uint8_t flags;                // of shape_tls.c; 0: nothing seen
};

// Takes a segment: `have` of its `wire` payload bytes, the first one numbered `seq`. Returns how many of
// them to keep: up to and with the header of the first application data record, or TLS_ALL.
uint32_t tls_take(struct tls_side *side, const uint8_t *payload, uint32_t have, uint32_t wire, uint32_t seq);
static inline int tls_seen(const struct tls_side *side) { return side->flags != 0; }
#endif
