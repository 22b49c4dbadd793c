// The simulation's source, see sim.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sim.h"

enum { FRAME_HEAD = 24, FRAME_MAX = 1536, REPEAT_WITHIN = 20, POLLS = 4 };

// The packets of one poll, until they are released.
struct sim_poll {
  _Atomic uint64_t ticket;  // 0: free
  uint8_t frames[SOURCE_BATCH][FRAME_MAX];
  uint32_t lengths[SOURCE_BATCH];
};


struct sim_source {
  struct sim_plan plan;
  struct sim_random random;
  uint32_t next, end;
  uint64_t received, drops;
  bool stopped;
  struct sim_poll polls[POLLS];
};

// Each byte follows from the number and its place, so that any wrong byte shows.
static uint8_t byte_at(uint32_t number, uint32_t at) { return (uint8_t)((number * 2654435761u >> 11) + at * 7); }

static uint32_t build(struct sim_source *x, uint8_t *out, uint32_t number) {
  uint32_t bytes = FRAME_HEAD + (uint32_t)sim_below(&x->random, x->plan.packet_bytes_max - FRAME_HEAD);
  memcpy(out, &number, 4);
  memcpy(out + 4, &bytes, 4);
  for (uint32_t i = 8; i < bytes; i++) out[i] = byte_at(number, i);
  return bytes;
}

bool sim_frame_number(const uint8_t *data, uint32_t caplen, uint32_t *number) {
  uint32_t bytes;
  if (caplen < 8) return false;
  memcpy(number, data, 4);
  memcpy(&bytes, data + 4, 4);
  if (bytes < caplen) return false;
  for (uint32_t i = 8; i < caplen; i++)
    if (data[i] != byte_at(*number, i)) return false;
  return true;
}

static bool lost(struct sim_source *x) {
  x->received++;
  if (x->plan.patient || !sim_chance(&x->random, x->plan.ring_drop_pm)) return false;
  x->drops++;
  return true;
}

static struct sim_poll *find(struct sim_source *x, uint64_t ticket) {
  for (int i = 0; i < POLLS; i++)
    if (atomic_load(&x->polls[i].ticket) == ticket) return &x->polls[i];
  return NULL;
}

static int sim_poll(struct source *s, struct packet *out, int timeout_ms) {
  (void)timeout_ms;
  struct sim_source *x = s->state;
  if (x->stopped || x->next == x->end) return -ENODATA;
  if (sim_chance(&x->random, x->plan.poll_wait_pm)) {
    clock_sleep_ns(sim_below(&x->random, 300000));
    return 0;
  }
  struct sim_poll *poll = find(x, 0);
  SIM_CHECK(poll, "more polls than outstanding_max are unreleased");
  int n = 0, burst = 1 + (int)sim_below(&x->random, SOURCE_BATCH - 1);
  while (n < burst && x->next < x->end) {
    bool again = x->plan.repeats && n > 0 && sim_chance(&x->random, 200);
    int from = again ? n - 1 - (int)sim_below(&x->random, n < REPEAT_WITHIN ? (uint64_t)n : REPEAT_WITHIN) : n;
    if (again)
      memcpy(poll->frames[n], poll->frames[from], FRAME_MAX);
    else
      poll->lengths[n] = build(x, poll->frames[n], x->next++);
    if (again) poll->lengths[n] = poll->lengths[from];
    if (lost(x)) continue;
    out[n] = (struct packet){.data = poll->frames[n], .ts_ns = x->received, .caplen = poll->lengths[n],
                             .wirelen = poll->lengths[n]};
    n++;
  }
  if (n == 0) return 0;
  atomic_store(&poll->ticket, ++s->ticket);
  return n;
}

// What is given back is overwritten, so that whoever still copies from it is found out.
static void sim_release(struct source *s, uint64_t ticket) {
  struct sim_source *x = s->state;
  struct sim_poll *poll = find(x, ticket);
  SIM_CHECK(ticket && poll, "ticket %llu is released twice", (unsigned long long)ticket);
  memset(poll->frames, 0xDD, sizeof poll->frames);
  atomic_store(&poll->ticket, 0);
}

static void sim_stop(struct source *s) { ((struct sim_source *)s->state)->stopped = true; }

static void sim_counters(struct source *s, struct source_counters *out) {
  struct sim_source *x = s->state;
  *out = (struct source_counters){.received = x->received, .drops = x->drops, .starved = SOURCE_UNKNOWN};
}

static void sim_close(struct source *s) { free(s->state); }

static const struct source_ops sim_ops = {
    .name = "sim", .poll = sim_poll, .release = sim_release, .stop = sim_stop, .counters = sim_counters, .close = sim_close};

void sim_source_open(struct source *s, const struct sim_plan *plan) {
  struct sim_source *x = calloc(1, sizeof *x);
  SIM_CHECK(x, "no memory");
  x->plan = *plan;
  x->random.state = plan->seed * 3 + 1;
  x->end = plan->packets;
  *s = (struct source){.ops = &sim_ops, .state = x, .linktype = RT_LINKTYPE_ETHERNET, .patient = plan->patient, .outstanding_max = POLLS};
}
