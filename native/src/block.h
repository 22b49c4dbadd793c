// The recorder's block: a run of pcapng blocks in aligned memory, the unit of storing.
//
//   0                    ISB_BYTES                          used            length (multiple of 4096)
//   +--------------------+------+------+--- ... ---+--------+---------------+
//   | ISB, filled at     | EPB  | EPB  |           | EPB    | RT_BT_PAD     |
//   | seal: counters and | packets of this block, in order  | (none when    |
//   | struct block_header|                                  |  it fits)     |
//   +--------------------+----------------------------------+---------------+
//
// Life: free pool -> sequencer (reserve, seal) -> writer thread (finalize, write) -> free pool. The holder
// of the index owns the block. Between reserve and commit one worker owns a packet's place in it, and
// nothing else; a block leaves for the writer only when it is sealed and every place is committed, so
// nobody ever sees reserved bytes that are not copied yet.
#ifndef RINGTAP_BLOCK_H
#define RINGTAP_BLOCK_H
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "pcapng.h"

#define BLOCK_HEADER_VERSION 1u
#define BLOCK_UNKNOWN UINT64_MAX  // a count nobody can tell

// Value of option RT_OPT_BLOCK_HEADER, in the byte order of its section. The option may be longer than
// the struct: readers take what they know and skip the rest.
struct block_header {
  uint32_t version;
  uint32_t crc32c;       // of the block's bytes after the ISB, up to block_bytes
  uint64_t block_seq;    // 1, 2, 3... per run
  uint64_t first_ts_ns;  // smallest and largest stamp, 0 when the block has no packets
  uint64_t last_ts_ns;
  uint64_t packets;
  uint64_t bytes;        // wire lengths
  uint64_t ring_drops;   // since the previous block, per stage; BLOCK_UNKNOWN when it cannot be told
  uint64_t pool_drops;
  uint64_t store_drops;
  uint32_t block_bytes;  // ISB to end of padding
  uint32_t used_bytes;   // ISB to last EPB
  // Since the previous block; files older than shaping end here.
  uint64_t cutoff;       // packets removed
  uint64_t duplicates;
  uint64_t sliced_bytes;  // cut off packets that were kept
};
static_assert(sizeof(struct block_header) == 104, "block_header is a file format");
static_assert(offsetof(struct block_header, block_seq) == 8, "block_header is a file format");
static_assert(offsetof(struct block_header, block_bytes) == 72, "block_header is a file format");

// type, length, interface, stamp; six u64 options; the header option; opt_endofopt; length.
#define ISB_BYTES (8u + 4u + 8u + 6u * 12u + 4u + (uint32_t)sizeof(struct block_header) + 4u + 4u)
static_assert(ISB_BYTES % 4 == 0, "pcapng blocks are padded to 32 bits");

// Totals since the run began, for the ISB. Unknown ones are BLOCK_UNKNOWN and left out of the file.
struct block_counters {
  uint64_t started_ts_ns;
  uint64_t received, if_drops, os_drops, delivered;
  uint64_t ring_drops, pool_drops;  // since the previous block, as what follows
  uint64_t cutoff, duplicates, sliced_bytes;
};

struct block {
  uint8_t *base;         // aligned to RT_BLOCK_ALIGN_BYTES
  uint32_t capacity;     // multiple of RT_BLOCK_ALIGN_BYTES
  uint32_t used;
  uint32_t length;       // after block_seal: padded length
  uint32_t header_at;    // offset of struct block_header, after block_seal
  uint64_t seq, packets, wire_bytes, first_ts_ns, last_ts_ns;  // packets: reserved
  _Atomic uint64_t committed;  // packets copied; release by workers (A), acquire by the sequencer (B)
  bool rotate_after;     // the writer starts a new segment behind this block
  bool last;             // nothing follows
  bool finalized;        // block_finalize has been; the drives'
};

void block_reset(struct block *b, uint64_t seq);

// Largest snaplen a block of this capacity can hold.
static inline uint32_t block_snaplen_max(uint32_t capacity) {
  return capacity - ISB_BYTES - EPB_OVERHEAD_BYTES - PAD_BYTES_MIN - 3u;
}

// A place for the packet's EPB of `kept` bytes (pcapng_kept), or NULL when it does not fit any more; never NULL
// for an empty block and a snaplen within block_snaplen_max(). The caller fills it with pcapng_epb_kept and
// then commits. Sequencer.
static inline uint8_t *block_reserve(struct block *b, const struct packet *p, uint32_t kept) {
  uint32_t need = epb_bytes(kept);
  if (need > b->capacity - PAD_BYTES_MIN - b->used) return NULL;
  uint8_t *place = b->base + b->used;
  b->used += need;
  if (p->ts_ns < b->first_ts_ns) b->first_ts_ns = p->ts_ns;
  if (p->ts_ns > b->last_ts_ns) b->last_ts_ns = p->ts_ns;
  b->packets++;
  b->wire_bytes += packet_full_wirelen(p);
  return place;
}

// Says that the places of so many packets are filled. Whoever reserved them; any thread.
static inline void block_commit(struct block *b, uint64_t packets) {
  atomic_fetch_add_explicit(&b->committed, packets, memory_order_release);  // A
}

// Is every place filled? Stays true for a sealed block. Sequencer.
static inline bool block_committed(const struct block *b) {
  return atomic_load_explicit(&b->committed, memory_order_acquire) == b->packets;  // B
}

// All three steps at once, for a block with one user.
static inline bool block_append(struct block *b, const struct packet *p, uint32_t snaplen) {
  uint32_t kept = pcapng_kept(p, snaplen);
  uint8_t *place = block_reserve(b, p, kept);
  if (!place) return false;
  pcapng_epb_kept(place, p, kept);
  block_commit(b, 1);
  return true;
}

// Writes the ISB and the padding; after it nothing can be reserved. Sequencer.
void block_seal(struct block *b, const struct block_counters *c, uint64_t now_ns);

// Adds what is known or cheap only off the capture threads: checksum and store drops. Writer thread.
void block_finalize(struct block *b, uint64_t store_drops);
#endif
