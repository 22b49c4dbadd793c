// Duplicate removal, see shape_dedup.h.
#include "shape_dedup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shape_table.h"

enum { WAYS = 4, SETS_MIN = 1 << 12, SETS_MAX = 1 << 20 };
#define WINDOW_US_MAX 10000000ull
#define WINDOW_PACKETS_MAX 1000000ull
#define STAMP_MASK ((1ull << 48) - 1)

struct dedup_entry {
  uint64_t hash;
  uint64_t length_stamp;  // 16 bits of the length, 48 of the time in microseconds or of the packet's number
};
static_assert(WAYS * sizeof(struct dedup_entry) == 64, "a set is one cache line");

static int parse(struct dedup *d, const char *text, struct failure *f) {
  char *unit = NULL;
  uint64_t n = *text >= '0' && *text <= '9' ? strtoull(text, &unit, 10) : 0;
  size_t letters = unit ? strcspn(unit, ",") : 0;
  uint64_t scale = 0;
  if (letters == 2 && !memcmp(unit, "us", 2)) scale = 1;
  if (letters == 2 && !memcmp(unit, "ms", 2)) scale = 1000;
  if (letters == 1 && *unit == 's') scale = 1000000;
  d->counts_packets = letters == 1 && *unit == 'p';
  uint64_t most = d->counts_packets ? WINDOW_PACKETS_MAX : WINDOW_US_MAX;
  d->routed = unit && !strcmp(unit + letters, ",routed");
  bool ends = unit && (d->routed || !unit[letters]);
  if (d->counts_packets) scale = 1;
  if (!ends || !scale || !n || n > most / scale)
    return fail(f, 0, "--dedup: \"%s\": use a window up to 10s such as 5ms, or 1000p for packets (up to 1000000p), "
                "perhaps with \",routed\"", text);
  d->window = n * scale;
  return 0;
}

int dedup_open(struct dedup *d, const char *text, struct failure *f) {
  int rc = parse(d, text, f);
  if (rc) return rc;
  uint64_t expected = d->counts_packets ? d->window : d->window * 2;  // at 2 Mpps
  uint64_t sets = SETS_MIN;
  while (sets < SETS_MAX && sets * WAYS < expected * 4) sets *= 2;
  d->mask = sets - 1;
  d->table = table_alloc(sets * WAYS * sizeof *d->table);
  if (!d->table) return fail(f, ENOMEM, "--dedup: no memory for this window; use a smaller one");
  return 0;
}

void dedup_close(struct dedup *d) {
  free(d->table);
  d->table = NULL;
}

// From the IP header on, without TTL (hop limit) and IPv4 header checksum; without the link's padding.
static uint64_t hash_routed(const struct shape_key *key, const struct packet *p, const struct headers *h) {
  uint32_t head = h->ip_version == 4 ? 20 : 40, bytes = p->caplen - h->ip_at;
  if (bytes > h->ip_bytes && h->ip_bytes >= head) bytes = h->ip_bytes;
  const uint8_t *ip = p->data + h->ip_at;
  uint8_t copy[40];
  memcpy(copy, ip, head);
  if (h->ip_version == 4)
    copy[8] = copy[10] = copy[11] = 0;
  else
    copy[7] = 0;
  return shape_hash(key, shape_hash(key, h->ip_bytes, copy, head), ip + head, bytes - head);
}

bool dedup_seen(struct dedup *d, const struct shape_key *key, const struct packet *p, const struct headers *h) {
  bool routed = d->routed && h->ip_version;
  uint64_t vlan = (uint64_t)p->vlan_tpid << 16 | p->vlan_tci;
  uint64_t hash = routed ? hash_routed(key, p, h) : shape_hash(key, vlan << 32 | p->wirelen, p->data, p->caplen);
  uint64_t length = (routed ? h->ip_bytes : p->wirelen) & 0xFFFF;
  uint64_t now = (d->counts_packets ? ++d->packets : p->ts_ns / 1000) & STAMP_MASK;
  struct dedup_entry *set = &d->table[(hash & d->mask) * WAYS], *oldest = set;
  for (int i = 0; i < WAYS; i++) {
    uint64_t stamp = set[i].length_stamp & STAMP_MASK;
    if (set[i].hash == hash && set[i].length_stamp >> 48 == length) {
      uint64_t age = now > stamp ? now - stamp : stamp - now;  // stamps may step back
      if (age <= d->window && set[i].length_stamp) return true;
      oldest = &set[i];
      break;
    }
    if (stamp < (oldest->length_stamp & STAMP_MASK)) oldest = &set[i];
  }
  *oldest = (struct dedup_entry){hash, length << 48 | now};
  return false;
}
