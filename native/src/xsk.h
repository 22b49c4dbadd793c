// One AF_XDP socket with its own umem: the receiving end of one hardware queue (Documentation/networking/
// af_xdp.rst). Frames travel fill ring -> driver -> rx ring -> us -> fill ring. One thread at a time.
#ifndef RINGTAP_XSK_H
#define RINGTAP_XSK_H
#include <stdbool.h>
#include <stdint.h>
#include <xdp/xsk.h>

#include "log.h"
#include "xdp_prog.h"

// Kept free ahead of every frame: XDP_PACKET_HEADROOM, which the kernel demands and ends on a cache line, and
// room for the stamp, which so shares the line of the frame's first bytes.
#define XSK_HEADROOM_BYTES (256u + XDP_STAMP_BYTES)

struct xsk {
  uint32_t queue;
  struct xsk_umem *umem;
  struct xsk_socket *socket;
  struct xsk_ring_prod fill;
  struct xsk_ring_cons rx, completion;
  uint8_t *memory;
  uint64_t memory_bytes;
  struct xdp_statistics statistics;  // as last read
};

// `frames` is a power of two, so that both rings hold all frames: the fill ring never refuses one, and what
// runs out first is frames, which the kernel counts. `bind_flags`: XDP_COPY or XDP_ZEROCOPY. 0 or -errno.
int xsk_open(struct xsk *x, const char *interface, uint32_t queue, uint32_t frames, uint32_t frame_bytes,
             uint16_t bind_flags);
void xsk_close(struct xsk *x);
// Keeps the last values when the socket cannot be asked any more.
void xsk_read_statistics(struct xsk *x);
#endif
