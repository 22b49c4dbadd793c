// One TPACKET_V3 ring of an AF_PACKET socket (Documentation/networking/packet_mmap.rst), walked block by block.
//
//   users[block]   0                 1 + walker + one per poll that shows packets of it         0
//   status         KERNEL   USER --> ............... ours ................ last user: KERNEL -> users 0
//
// The status words are the barriers with the kernel: acquire before the first read of a ring block (A),
// release after the last (B). `users` orders workers and walker: release at each leave (C), acquire by the
// last one (D) and by the walker, which must not take a block for fresh that a worker still copies from (E).
#ifndef RINGTAP_PACKET_RING_H
#define RINGTAP_PACKET_RING_H
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "packet.h"

#define RETIRE_MS 10  // how long a packet may wait in a ring block that does not fill: live latency

struct packet_ring {
  int fd;
  uint8_t *map;
  uint32_t block_bytes, blocks;
  _Atomic uint32_t *users;
  // The walker's.
  uint32_t at;    // ring block being walked or awaited
  bool holding;   // ring block `at` is ours
  uint32_t left;  // packets of it not yet shown
  uint8_t *next;  // next packet of it
  uint64_t walked;
  uint64_t last_ts_ns;      // of the packet shown last
  uint64_t packets, drops;  // sums of PACKET_STATISTICS, which resets itself when read
};

// A socket that hears nothing yet, with a ring of at most `bytes`.
int packet_ring_open(struct packet_ring *r, const char *name, uint64_t bytes, struct failure *f);
void packet_ring_close(struct packet_ring *r);
// `program` NULL lets everything in, one that returns 0 nothing.
int packet_ring_filter(struct packet_ring *r, const struct sock_fprog *program);
// ETH_P_ALL, or 0 to unhook: waits for packets under way. 0 or -errno.
int packet_ring_bind(struct packet_ring *r, unsigned ifindex, uint16_t protocol);
void packet_ring_count(struct packet_ring *r);

// Makes sure that packets are left to show; false when the kernel has not handed over the next block.
bool packet_ring_ready(struct packet_ring *r);
// The next packet's stamp. Only when ready.
uint64_t packet_ring_peek_ns(const struct packet_ring *r);
// Shows at most `most` packets of the current ring block with stamps up to `until_ns`; returns how many.
int packet_ring_show(struct packet_ring *r, struct packet *out, int most, uint64_t until_ns);
// One more user of the block being walked; returns its number for packet_ring_leave. Only when ready.
uint32_t packet_ring_join(struct packet_ring *r);
// Any thread. The last one gives the block back to the kernel.
void packet_ring_leave(struct packet_ring *r, uint32_t block);
#endif
