/* SPDX-License-Identifier: GPL-2.0 */
/*
 * the buffer: many writers (one per segment), many listeners, nothing read before it is written.
 *
 *   life of a slot, and who moves it (always under ring->lock):
 *
 *     FREE --next_open()--> OPEN --no room, timeout--> CLOSING --last commit--> SEALED
 *       ^                    `------ no copy under way ------------------------->  |
 *       `----------------- recycled when needed, oldest first, never while leased -'
 *
 * A writer reserves room for a whole batch, copies without the lock, and commits. `published` is the
 * start of the oldest reservation still being copied (or all that is reserved): writers never wait for
 * one another, and a reader that obeys `published` never sees an uncopied byte. HPCAP's defect, telling
 * readers what is *reserved*, is the mutant of test/kmod/ring.pml.
 *
 * Invariant that makes reserving always succeed: leases_max * listeners_max + writers + 2 <= blocks,
 * as each lease, each writer and the open block pin at most one slot.
 *
 * Process context only; the lock is never taken from interrupts. Compiles in user space too (env.h).
 */
#ifndef RINGTAP_RING_H
#define RINGTAP_RING_H

#include "block.h"

#define RT_NONE (~0u)

/* What only the kernel knows of a slot; guarded by ring->lock. */
struct rt_block {
	u64 seq;
	u64 first_packet;	/* number, in the ring, of its first packet */
	u64 first_ts_ns;
	u64 last_ts_ns;
	u64 wire_bytes;
	u32 reserved;		/* bytes */
	u32 reserved_packets;
	u32 published;		/* bytes */
	u32 published_packets;
	u32 copying;		/* reservations not yet committed */
	u32 leases;
	u32 length;		/* with padding; 0 until sealed */
	u32 state;
	u32 older;		/* neighbours in order of seq, RT_NONE at the ends */
	u32 newer;
};

/* One batch of packets on its way into the ring; the writer fills in the first part. */
struct rt_batch {
	u32 bytes;		/* of all EPBs */
	u32 packets;
	u64 wire_bytes;
	u64 first_ts_ns;
	u64 last_ts_ns;
	u64 arrival;		/* number of its first packet in order of arrival */
	u64 arrival_end;	/* one past its last */
	u64 received;		/* packets the writer saw since its last reservation */
	/* set by rt_ring_reserve */
	u8 *at;
	bool reordered;		/* a packet that arrived later is already in the ring */
	bool sealed;		/* making room sealed a block */
};

struct rt_reservation {
	bool active;
	u32 slot;
	u32 start;
	u32 start_packets;
};

struct rt_ring {
	/* constant after rt_ring_init */
	u8 *data;
	struct ringtap_index *index;
	struct rt_block *blocks;
	u32 count;
	u32 block_bytes;
	u32 writers;
	u32 leases_max;
	u32 listeners_max;

	spinlock_t lock;
	/* guarded by lock */
	struct rt_reservation reservation[RINGTAP_SEGMENTS_MAX];
	u32 open;		/* slot */
	u32 oldest;		/* ends of the list of slots in use */
	u32 newest;
	u32 used;		/* slots ever filled: the rest is free, in order */
	u64 next_seq;
	u64 packets;		/* reserved, in all */
	u64 arrival_end;	/* highest arrival number reserved, plus one */
	u64 opened_packets_ns;	/* stamp of the open block's first reservation */
	u32 listeners;
	struct rt_block_counters counters;
};

/* One reader. Belongs to the open file; the ring knows it only through leases. */
struct rt_listener {
	u32 mode;		/* enum ringtap_mode */
	u64 seq;		/* next block to read */
	u32 offset;		/* in it */
	u64 packet;		/* number of the next packet to read */
	u64 first_packet;	/* at attach */
	u64 lost;
	u32 leases;
	u8 *leased;		/* by slot; rt_ring.count bytes, owned by the caller */
};

/*
 * `data` (count * block_bytes), `index` and `blocks` (zeroed) stay the caller's. -EINVAL when there are
 * too few blocks for one lease per listener.
 */
int rt_ring_init(struct rt_ring *ring, u32 writers, u32 listeners_max);

/* False when no slot is free: a broken invariant, counted by the caller as pool drops. */
bool rt_ring_reserve(struct rt_ring *ring, u32 writer, struct rt_batch *batch);
/* True when reserve or commit sealed a block: wake those who wait for whole blocks. */
bool rt_ring_commit(struct rt_ring *ring, u32 writer, const struct rt_batch *batch);
/* Closes an open block that has held packets since before `before_ns`. True when it was sealed. */
bool rt_ring_flush(struct rt_ring *ring, u64 before_ns, u64 now_ns);

/* `leased` is the caller's, zeroed. -EBUSY when listeners_max are attached. */
int rt_ring_attach(struct rt_ring *ring, struct rt_listener *listener, u8 *leased);
void rt_ring_detach(struct rt_ring *ring, struct rt_listener *listener);
/* 0, -EAGAIN or -ENOBUFS. */
int rt_ring_take(struct rt_ring *ring, struct rt_listener *listener, struct ringtap_span *span);
int rt_ring_release(struct rt_ring *ring, struct rt_listener *listener, u32 slot);
/* Whether take would give something; leases aside. */
bool rt_ring_readable(struct rt_ring *ring, struct rt_listener *listener);
void rt_ring_listener_stats(struct rt_ring *ring, struct rt_listener *listener,
			    struct ringtap_listener_stats *stats);

/* Largest number of bytes one reservation may ask for. */
static inline u32 rt_ring_batch_bytes_max(const struct rt_ring *ring)
{
	return ring->block_bytes - RT_HEADER_BYTES - RT_PAD_BYTES_MIN;
}

#endif
