// Duplicate removal: has a frame of these bytes come within the window? Remembers a 64-bit keyed hash and
// 16 bits of the length of each frame, not the frame. With N frames in the window another one is wrongly
// taken for a duplicate with probability N / 2^64: at 1 Mpps and the default window once in a century.
// Bounded: when a set of the table is full its oldest entry goes, and a duplicate of that is kept.
#ifndef RINGTAP_SHAPE_DEDUP_H
#define RINGTAP_SHAPE_DEDUP_H
#include "log.h"
#include "shape_hash.h"
#include "shape_headers.h"

#define DEDUP_WINDOW_DEFAULT "5ms"

struct dedup_entry;

struct dedup {
  struct dedup_entry *table;  // NULL: off
  uint64_t mask;              // of sets
  uint64_t window;            // microseconds, or packets
  bool counts_packets;
  bool routed;                // ignores what a router changes: link header, TTL, IPv4 header checksum
  uint64_t packets;
};

// `text` as in --dedup=WINDOW[,routed]: 5ms, 250us, 1s or 1000p.
int dedup_open(struct dedup *d, const char *text, struct failure *f);
bool dedup_seen(struct dedup *d, const struct shape_key *key, const struct packet *p, const struct headers *h);
void dedup_close(struct dedup *d);
#endif
