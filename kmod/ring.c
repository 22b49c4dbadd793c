// SPDX-License-Identifier: GPL-2.0
/*
 * The core of the buffer, see ring.h. Every function takes ring->lock itself unless it says "Lock held".
 *
 * Barrier: rt_publish() releases `published` in the index after the copies (the committing writer holds
 * the lock, and took it after its own copy; earlier writers released it after theirs). It pairs with the
 * acquire load of a reader of the mapped index, and with the lock for those who come through take.
 */
#include "ring.h"

static struct rt_block *rt_open_block(struct rt_ring *ring)
{
	return &ring->blocks[ring->open];
}

/* Lock held. */
static void rt_show_state(struct rt_ring *ring, u32 slot, u32 state)
{
	ring->blocks[slot].state = state;
	WRITE_ONCE(ring->index->slots[slot].state, state);
}

/* Lock held. */
static void rt_unlink(struct rt_ring *ring, u32 slot)
{
	struct rt_block *block = &ring->blocks[slot];

	if (block->older == RT_NONE)
		ring->oldest = block->newer;
	else
		ring->blocks[block->older].newer = block->newer;
	if (block->newer == RT_NONE)
		ring->newest = block->older;
	else
		ring->blocks[block->newer].older = block->older;
}

/* Lock held. */
static void rt_link_newest(struct rt_ring *ring, u32 slot)
{
	struct rt_block *block = &ring->blocks[slot];

	block->older = ring->newest;
	block->newer = RT_NONE;
	if (ring->newest == RT_NONE)
		ring->oldest = slot;
	else
		ring->blocks[ring->newest].newer = slot;
	ring->newest = slot;
}

/* A slot to fill: one never used, else the oldest sealed one nobody leases. Lock held. */
static u32 rt_pick_slot(struct rt_ring *ring)
{
	u32 slot;

	if (ring->used < ring->count)
		return ring->used++;
	for (slot = ring->oldest; slot != RT_NONE; slot = ring->blocks[slot].newer) {
		struct rt_block *block = &ring->blocks[slot];

		if (block->state == RINGTAP_SEALED && block->leases == 0) {
			rt_unlink(ring, slot);
			return slot;
		}
	}
	return RT_NONE;
}

/* Lock held. False when every slot is pinned; the ring then has no open block. */
static bool rt_next_open(struct rt_ring *ring)
{
	u32 slot = rt_pick_slot(ring);
	struct rt_block *block;

	ring->open = slot;
	if (slot == RT_NONE)
		return false;
	block = &ring->blocks[slot];
	memset(block, 0, sizeof(*block));
	block->seq = ++ring->next_seq;
	block->first_packet = ring->packets;
	block->first_ts_ns = RINGTAP_UNKNOWN;
	block->reserved = RT_HEADER_BYTES;
	block->published = RT_HEADER_BYTES;
	rt_link_newest(ring, slot);
	/* A watcher of the index must not take the old block's bytes for the new one's. */
	smp_store_release(&ring->index->slots[slot].published, RT_HEADER_BYTES);
	WRITE_ONCE(ring->index->slots[slot].seq, block->seq);
	rt_show_state(ring, slot, RINGTAP_OPEN);
	return true;
}

/* Writes header and padding; from here on the block is constant. Lock held. */
static void rt_seal(struct rt_ring *ring, u32 slot, u64 now_ns)
{
	struct rt_block *block = &ring->blocks[slot];
	u8 *base = ring->data + (size_t)slot * ring->block_bytes;
	struct rt_block_header header = {
		.version = 1,
		.block_seq = block->seq,
		.first_ts_ns = block->first_ts_ns,
		.last_ts_ns = block->last_ts_ns,
		.packets = block->reserved_packets,
		.bytes = block->wire_bytes,
		.ring_drops = RINGTAP_UNKNOWN,
		.store_drops = RINGTAP_UNKNOWN,
		.used_bytes = block->reserved,
	};

	block->length = block->reserved + rt_put_pad(base + block->reserved, block->reserved);
	header.block_bytes = block->length;
	ring->counters.delivered = block->first_packet + block->reserved_packets;
	rt_put_header(base, &header, &ring->counters, now_ns);
	rt_show_state(ring, slot, RINGTAP_SEALED);
}

/* Lock held. True when sealed at once. */
static bool rt_close(struct rt_ring *ring, u32 slot, u64 now_ns)
{
	rt_show_state(ring, slot, RINGTAP_CLOSING);
	if (ring->blocks[slot].copying)
		return false;
	rt_seal(ring, slot, now_ns);
	return true;
}

/* Moves `published` up to the oldest reservation still being copied. Lock held. */
static void rt_publish(struct rt_ring *ring, u32 slot)
{
	struct rt_block *block = &ring->blocks[slot];
	u32 bytes = block->reserved;
	u32 packets = block->reserved_packets;
	u32 writer;

	for (writer = 0; writer < ring->writers; writer++) {
		const struct rt_reservation *other = &ring->reservation[writer];

		if (other->active && other->slot == slot && other->start < bytes) {
			bytes = other->start;
			packets = other->start_packets;
		}
	}
	ring->index->published_packets += packets - block->published_packets;
	block->published = bytes;
	block->published_packets = packets;
	/* The barrier of this file's comment. */
	smp_store_release(&ring->index->slots[slot].published, bytes);
}

int rt_ring_init(struct rt_ring *ring, u32 writers, u32 listeners_max)
{
	u32 pinned = writers + 2;

	if (ring->count < pinned + listeners_max || writers > RINGTAP_SEGMENTS_MAX)
		return -EINVAL;
	spin_lock_init(&ring->lock);
	ring->writers = writers;
	ring->listeners_max = listeners_max;
	ring->leases_max = (ring->count - pinned) / listeners_max;
	ring->oldest = RT_NONE;
	ring->newest = RT_NONE;
	ring->index->abi_version = RINGTAP_ABI_VERSION;
	ring->index->blocks = ring->count;
	ring->index->block_bytes = ring->block_bytes;
	ring->index->header_bytes = RT_HEADER_BYTES;
	rt_next_open(ring);
	return 0;
}

bool rt_ring_reserve(struct rt_ring *ring, u32 writer, struct rt_batch *batch)
{
	struct rt_reservation *mine = &ring->reservation[writer];
	struct rt_block *block;

	batch->sealed = false;
	spin_lock(&ring->lock);
	ring->counters.received += batch->received;
	if (ring->open != RT_NONE &&
	    rt_open_block(ring)->reserved + batch->bytes > ring->block_bytes - RT_PAD_BYTES_MIN) {
		batch->sealed = rt_close(ring, ring->open, batch->last_ts_ns);
		ring->open = RT_NONE;
	}
	if (ring->open == RT_NONE && WARN_ON_ONCE(!rt_next_open(ring))) {
		spin_unlock(&ring->lock);
		return false;
	}
	block = rt_open_block(ring);
	if (block->reserved_packets == 0)
		ring->opened_packets_ns = batch->first_ts_ns;
	mine->active = true;
	mine->slot = ring->open;
	mine->start = block->reserved;
	mine->start_packets = block->reserved_packets;
	block->copying++;
	block->reserved += batch->bytes;
	block->reserved_packets += batch->packets;
	block->wire_bytes += batch->wire_bytes;
	block->first_ts_ns = min(block->first_ts_ns, batch->first_ts_ns);
	block->last_ts_ns = max(block->last_ts_ns, batch->last_ts_ns);
	ring->packets += batch->packets;
	batch->reordered = batch->arrival < ring->arrival_end;
	ring->arrival_end = max(ring->arrival_end, batch->arrival_end);
	spin_unlock(&ring->lock);
	batch->at = ring->data + (size_t)mine->slot * ring->block_bytes + mine->start;
	return true;
}

bool rt_ring_commit(struct rt_ring *ring, u32 writer, const struct rt_batch *batch)
{
	struct rt_reservation *mine = &ring->reservation[writer];
	struct rt_block *block = &ring->blocks[mine->slot];
	bool sealed = batch->sealed;

	spin_lock(&ring->lock);
	mine->active = false;
	block->copying--;
	rt_publish(ring, mine->slot);
	if (block->state == RINGTAP_CLOSING && block->copying == 0) {
		rt_seal(ring, mine->slot, batch->last_ts_ns);
		sealed = true;
	}
	spin_unlock(&ring->lock);
	return sealed;
}

bool rt_ring_flush(struct rt_ring *ring, u64 before_ns, u64 now_ns)
{
	bool sealed = false;
	u32 slot;

	spin_lock(&ring->lock);
	slot = ring->open;
	if (slot != RT_NONE && ring->blocks[slot].reserved_packets && ring->opened_packets_ns < before_ns) {
		sealed = rt_close(ring, slot, now_ns);
		rt_next_open(ring);
	}
	spin_unlock(&ring->lock);
	return sealed;
}

int rt_ring_attach(struct rt_ring *ring, struct rt_listener *listener, u8 *leased)
{
	struct rt_block *block;
	int err = 0;

	spin_lock(&ring->lock);
	if (ring->listeners >= ring->listeners_max || ring->open == RT_NONE) {
		err = -EBUSY;
		goto out;
	}
	block = rt_open_block(ring);
	memset(listener, 0, sizeof(*listener));
	listener->leased = leased;
	listener->seq = block->seq;
	listener->offset = block->published;
	listener->packet = block->first_packet + block->published_packets;
	listener->first_packet = listener->packet;
	WRITE_ONCE(ring->listeners, ring->listeners + 1);
out:
	spin_unlock(&ring->lock);
	return err;
}

/* Lock held; the listener holds `slot`. */
static void rt_unlease(struct rt_ring *ring, struct rt_listener *listener, u32 slot)
{
	listener->leased[slot] = 0;
	listener->leases--;
	ring->blocks[slot].leases--;
}

void rt_ring_detach(struct rt_ring *ring, struct rt_listener *listener)
{
	u32 slot;

	spin_lock(&ring->lock);
	for (slot = 0; slot < ring->count && listener->leases; slot++)
		if (listener->leased[slot])
			rt_unlease(ring, listener, slot);
	WRITE_ONCE(ring->listeners, ring->listeners - 1);
	spin_unlock(&ring->lock);
}

/*
 * The oldest slot not older than the listener's position: RT_NONE when all is read. Searched from the
 * newest, where those who keep up are. Lock held.
 */
static u32 rt_find(struct rt_ring *ring, const struct rt_listener *listener)
{
	u32 found = RT_NONE;
	u32 slot;

	for (slot = ring->newest; slot != RT_NONE; slot = ring->blocks[slot].older) {
		if (ring->blocks[slot].seq < listener->seq)
			break;
		found = slot;
	}
	return found;
}

/*
 * Puts the listener on the next block with something to read, counting what was recycled under it.
 * Returns the slot, or RT_NONE. Lock held.
 */
static u32 rt_advance(struct rt_ring *ring, struct rt_listener *listener)
{
	struct rt_block *block;
	u32 slot;

	for (;;) {
		slot = rt_find(ring, listener);
		if (slot == RT_NONE)
			return RT_NONE;
		block = &ring->blocks[slot];
		if (block->seq != listener->seq) {
			listener->seq = block->seq;
			listener->offset = RT_HEADER_BYTES;
			listener->lost += block->first_packet - listener->packet;
			listener->packet = block->first_packet;
		}
		if (listener->offset < block->published)
			break;
		if (block->state != RINGTAP_SEALED)
			return RT_NONE;
		listener->seq++;	/* read to its end */
		listener->offset = RT_HEADER_BYTES;
	}
	if (listener->mode == RINGTAP_MODE_BLOCK && block->state != RINGTAP_SEALED)
		return RT_NONE;
	return slot;
}

int rt_ring_take(struct rt_ring *ring, struct rt_listener *listener, struct ringtap_span *span)
{
	struct rt_block *block;
	int err = 0;
	u32 slot;

	spin_lock(&ring->lock);
	slot = rt_advance(ring, listener);
	if (slot == RT_NONE) {
		err = -EAGAIN;
		goto out;
	}
	block = &ring->blocks[slot];
	if (!listener->leased[slot]) {
		if (listener->leases >= ring->leases_max) {
			err = -ENOBUFS;
			goto out;
		}
		listener->leased[slot] = 1;
		listener->leases++;
		block->leases++;
	}
	span->slot = slot;
	span->from = listener->offset;
	span->to = block->published;
	span->packets = (u32)(block->first_packet + block->published_packets - listener->packet);
	span->seq = block->seq;
	span->sealed = block->state == RINGTAP_SEALED;
	span->block_bytes = block->length;
	span->lost = listener->lost;
	listener->offset = block->published;
	listener->packet += span->packets;
out:
	spin_unlock(&ring->lock);
	return err;
}

int rt_ring_release(struct rt_ring *ring, struct rt_listener *listener, u32 slot)
{
	int err = -EINVAL;

	spin_lock(&ring->lock);
	if (slot < ring->count && listener->leased[slot]) {
		rt_unlease(ring, listener, slot);
		err = 0;
	}
	spin_unlock(&ring->lock);
	return err;
}

bool rt_ring_readable(struct rt_ring *ring, struct rt_listener *listener)
{
	bool readable;

	spin_lock(&ring->lock);
	readable = rt_advance(ring, listener) != RT_NONE;
	spin_unlock(&ring->lock);
	return readable;
}

/* Number of the oldest packet still being copied, or of the next to come. Lock held. */
static u64 rt_head(const struct rt_ring *ring)
{
	u64 head = ring->packets;
	u32 writer;

	for (writer = 0; writer < ring->writers; writer++) {
		const struct rt_reservation *r = &ring->reservation[writer];

		if (r->active)
			head = min(head, ring->blocks[r->slot].first_packet + r->start_packets);
	}
	return head;
}

void rt_ring_listener_stats(struct rt_ring *ring, struct rt_listener *listener,
			    struct ringtap_listener_stats *stats)
{
	u64 head;

	spin_lock(&ring->lock);
	rt_advance(ring, listener);
	/* One that attached behind a copy under way may be ahead of it. */
	head = max(rt_head(ring), listener->packet);
	stats->offered = head - listener->first_packet;
	stats->delivered = listener->packet - listener->first_packet - listener->lost;
	stats->lost = listener->lost;
	stats->pending = head - listener->packet;
	spin_unlock(&ring->lock);
}
