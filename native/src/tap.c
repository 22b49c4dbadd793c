// The live tap, see tap.h.
#include "tap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "pcapng.h"

int tap_init(struct tap *t, uint32_t slots, uint32_t snaplen, uint32_t pps, struct failure *f) {
  memset(t, 0, sizeof *t);
  t->slots = slots;
  t->memory_bytes = (size_t)slots * BATCH_PAYLOAD_BYTES;
  t->memory = mmap(NULL, t->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  t->batch = calloc(slots, sizeof *t->batch);
  if (t->memory == MAP_FAILED || !t->batch || spsc_init(&t->free, slots) || spsc_init(&t->filled, slots))
    return fail(f, ENOMEM, "uplink: no memory for %u batches", slots);
  for (uint32_t i = 0; i < slots; i++) {
    t->batch[i].payload = t->memory + (size_t)i * BATCH_PAYLOAD_BYTES;
    spsc_push(&t->free, i);
  }
  uint32_t most = BATCH_PAYLOAD_BYTES - EPB_OVERHEAD_BYTES - 4;
  t->snaplen = snaplen && snaplen < most ? snaplen : most;
  t->pps = pps;
  return 0;
}

void tap_destroy(struct tap *t) {
  if (!t->memory) return;
  munmap(t->memory, t->memory_bytes);
  free(t->batch);
  spsc_free(&t->free);
  spsc_free(&t->filled);
  t->memory = NULL;
}

void tap_flush(struct tap *t) {
  struct batch *b = t->current;
  if (!b) return;
  b->offered_total = t->offered;
  b->sampled_out_total = t->sampled_out;
  b->uplink_drops_total = tap_drops(t);
  t->packets_total += b->packets;
  t->current = NULL;
  spsc_push(&t->filled, t->current_index);
  if (t->wake) t->wake(t->wake_arg);
}

// Packets lost for want of a slot get a number too: the gap shows, with its exact count.
static bool batch_begin(struct tap *t, uint64_t block_seq) {
  uint32_t index;
  if (!spsc_pop(&t->free, &index)) return false;
  if (t->lost_run) {
    t->seq++;
    t->packets_total += t->lost_run;
    t->lost_run = 0;
  }
  struct batch *b = &t->batch[index];
  b->seq = ++t->seq;
  b->packets_before = t->packets_total;
  b->block_seq = block_seq;
  b->first_ts_ns = UINT64_MAX;
  b->last_ts_ns = 0;
  b->packets = b->bytes = 0;
  t->current = b;
  t->current_index = index;
  t->cut_at_ns = t->now_ns + BATCH_AGE_NS;
  return true;
}

#define BURST_NS (80 * NS_PER_MS)  // of unused budget is kept

void tap_tick(struct tap *t, uint64_t now_ns) {
  t->now_ns = now_ns;
  if (t->current && now_ns >= t->cut_at_ns) tap_flush(t);
  uint64_t passed_ns = now_ns - t->refilled_ns, most = BURST_NS * t->pps + NS_PER_S;
  t->refilled_ns = now_ns;
  t->budget += (passed_ns < BURST_NS ? passed_ns : BURST_NS) * t->pps;
  if (t->budget > most) t->budget = most;
}

static bool sampled_out(struct tap *t) {
  if (!t->pps) return false;
  if (t->budget < NS_PER_S) return true;
  t->budget -= NS_PER_S;
  return false;
}

void tap_packet(struct tap *t, const struct packet *p, uint64_t block_seq) {
  t->offered++;
  if (sampled_out(t)) {
    t->sampled_out++;
    return;
  }
  uint32_t full = packet_full_caplen(p), need = epb_bytes(full < t->snaplen ? full : t->snaplen);
  struct batch *b = t->current;
  if (b && (b->block_seq != block_seq || b->bytes + need > BATCH_PAYLOAD_BYTES)) {
    tap_flush(t);
    b = NULL;
  }
  if (!b && !batch_begin(t, block_seq)) {
    t->lost++;
    t->lost_run++;
    return;
  }
  b = t->current;
  b->bytes += pcapng_epb(b->payload + b->bytes, p, t->snaplen);
  b->packets++;
  if (p->ts_ns < b->first_ts_ns) b->first_ts_ns = p->ts_ns;
  if (p->ts_ns > b->last_ts_ns) b->last_ts_ns = p->ts_ns;
}
