// The uplink's thread over the real tap and batch queue, with a gateway that forgets acknowledgements, grants
// little credit and loses the connection. See sim.h.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sim.h"

struct sim_gateway {
  struct tap *tap;
  struct batch_queue queue;
  struct sim_plan plan;
  struct sim_random random;
  pthread_t thread;
  atomic_bool ending;
  bool connected;
  uint32_t credit;
  // The other end of the wire:
  uint64_t last_seq, acked_seq, packets_end;  // packets_end: of the numbering, behind the last batch
  uint64_t packets, acked_packets;            // taken; of those acknowledged
};

static uint32_t u32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static void check_payload(const struct batch *b) {
  uint32_t at = 0, packets = 0, number = 0, before = 0;
  for (; at < b->bytes; at += u32(b->payload + at + 4), packets++) {
    const uint8_t *epb = b->payload + at;
    SIM_CHECK(u32(epb) == RT_BT_EPB && u32(epb + 4) <= b->bytes - at, "batch %llu", (unsigned long long)b->seq);
    SIM_CHECK(sim_frame_number(epb + 28, u32(epb + 20), &number), "batch %llu: a frame changed", (unsigned long long)b->seq);
    SIM_CHECK(!packets || number > before, "batch %llu: out of order", (unsigned long long)b->seq);
    before = number;
  }
  SIM_CHECK(at == b->bytes && packets == b->packets, "batch %llu", (unsigned long long)b->seq);
}

// A batch arrives. Numbers only grow; packets_before says exactly how many a gap holds.
static void arrive(struct sim_gateway *g, const struct batch *b) {
  check_payload(b);
  if (b->seq <= g->last_seq) return;  // sent again: had it
  bool gap = b->seq != g->last_seq + 1;
  SIM_CHECK(gap ? b->packets_before > g->packets_end : b->packets_before == g->packets_end,
            "batch %llu behind %llu: packets before it %llu, had %llu", (unsigned long long)b->seq,
            (unsigned long long)g->last_seq, (unsigned long long)b->packets_before, (unsigned long long)g->packets_end);
  g->last_seq = b->seq;
  g->packets_end = b->packets_before + b->packets;
  g->packets += b->packets;
}

static void connection_step(struct sim_gateway *g) {
  if (g->connected && sim_chance(&g->random, g->plan.lost_connection_pm)) {
    g->connected = false;
    queue_rewind(&g->queue);
  } else if (!g->connected && sim_chance(&g->random, 100)) {
    g->connected = true;
    g->credit = 1 + (uint32_t)sim_below(&g->random, CREDIT_MAX);
    SIM_CHECK(queue_acknowledge(&g->queue, g->last_seq), "the gateway has %llu", (unsigned long long)g->last_seq);
    g->acked_seq = g->last_seq;
  }
}

static void step(struct sim_gateway *g) {
  queue_collect(&g->queue);
  connection_step(g);
  if (!g->connected) return;
  const struct batch *b = queue_next(&g->queue, g->credit);
  if (b) {
    if (!sim_chance(&g->random, g->plan.lost_connection_pm)) arrive(g, b);  // else: lost on the wire
    queue_mark_sent(&g->queue);
  }
  // A lost one is found out by the connection's end, never acknowledged past.
  if (b && b->seq > g->last_seq) {
    g->connected = false;
    queue_rewind(&g->queue);
    return;
  }
  if (sim_chance(&g->random, g->plan.ack_wait_pm)) return;
  SIM_CHECK(queue_acknowledge(&g->queue, g->last_seq), "acknowledged %llu", (unsigned long long)g->last_seq);
  g->acked_seq = g->last_seq;
}

static void *gateway_main(void *arg) {
  struct sim_gateway *g = arg;
  while (!atomic_load(&g->ending)) {
    step(g);
    if (sim_chance(&g->random, 300)) clock_sleep_ns(sim_below(&g->random, 200000));
  }
  for (int i = 0; i < 300; i++) step(g);  // the drain
  queue_discard(&g->queue);
  return NULL;
}

struct sim_gateway *sim_gateway_start(const struct sim_plan *plan, struct tap *tap) {
  struct sim_gateway *g = calloc(1, sizeof *g);
  SIM_CHECK(g, "no memory");
  g->tap = g->queue.tap = tap;
  g->plan = *plan;
  g->random.state = plan->seed * 7 + 3;
  SIM_CHECK(pthread_create(&g->thread, NULL, gateway_main, g) == 0, "no thread");
  return g;
}

// Whatever the gateway acknowledged it has; nothing it has was counted twice; all slots are free again.
void sim_gateway_finish(struct sim_gateway *g) {
  atomic_store(&g->ending, true);
  pthread_join(g->thread, NULL);
  uint64_t sent = atomic_load(&g->tap->sent), drops = tap_drops(g->tap);
  SIM_CHECK(g->tap->offered == g->tap->sampled_out + sent + drops, "offered %llu, sampled out %llu, sent %llu, drops %llu",
            (unsigned long long)g->tap->offered, (unsigned long long)g->tap->sampled_out, (unsigned long long)sent,
            (unsigned long long)drops);
  SIM_CHECK(sent <= g->packets && g->packets <= g->tap->offered, "sent %llu, arrived %llu", (unsigned long long)sent,
            (unsigned long long)g->packets);
  SIM_CHECK(spsc_count(&g->tap->free) == g->tap->slots, "%u slots of %u came back", spsc_count(&g->tap->free), g->tap->slots);
  free(g);
}
