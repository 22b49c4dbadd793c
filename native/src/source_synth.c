// Synthetic traffic: valid, checksummed frames of many flows, the same for the same seed. TCP flows
// open, talk and close. Everything made from it says that it is synthetic.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "constants.h"
#include "frame_build.h"
#include "leases.h"
#include "source.h"

#define FLOWS_MAX 1000000u
#define FIXED_START_NS 1600000000000000000ull  // clock=fixed: 2020-09-13T12:26:40Z
#define READY_MAX 65536u
#define STEP_PACKETS 1000
#define STEP_NS (NS_PER_S / 2)
#define CATCH_UP_NS (NS_PER_S / 10)            // a pause longer than this is not made up for

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_PSH = 8, TCP_ACK = 16, CONVERSATION_STEPS = 24 };

struct flow {
  struct frame_spec spec;  // as its originator sends
  uint32_t step;
  uint32_t seq[2];         // next of originator, responder
};

struct synth {
  // From --synth:
  uint64_t seed, pps, count, flows_wanted, ready;
  uint32_t size_min, size_max;  // captured bytes of a frame
  bool mix, fixed_clock, stepping_clock;

  uint64_t random;
  uint64_t made;
  uint64_t started_ns;  // monotonic
  bool stopping;
  uint32_t flows;
  struct flow *flow;
  uint8_t *frames;     // SOURCE_BATCH for each lease, or `ready` ones; frame_room bytes each
  uint32_t frame_room;
  uint32_t *ready_bytes;  // NULL: frames are made when they are due
  struct leases leases;
};

// splitmix64: tiny, and every seed is good.
static uint64_t draw(struct synth *x) {
  uint64_t z = x->random += 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

static uint32_t draw_below(struct synth *x, uint32_t n) { return (uint32_t)(draw(x) % n); }

static void flow_init(struct synth *x, struct flow *flow, uint32_t number) {
  static const uint16_t tcp_ports[] = {7, 9, 5001, 5201}, udp_ports[] = {7, 9, 19};  // none that readers guess at
  struct frame_spec *s = &flow->spec;
  uint32_t kind = draw_below(x, 100);
  s->kind = kind < 65 ? FRAME_TCP : kind < 88 ? FRAME_UDP : kind < 96 ? FRAME_ICMP : FRAME_ARP;
  s->ipv6 = s->kind != FRAME_ARP && draw_below(x, 100) < 20;
  s->vlan_id = draw_below(x, 100) < 10 ? (uint16_t)(10 + draw_below(x, 4)) : 0;
  s->src = 0x00010000u + number / 50;
  s->dst = 0x00020000u + draw_below(x, 200);
  s->src_port = s->kind == FRAME_ICMP ? (uint16_t)number : (uint16_t)(32768 + number % 28000);
  s->dst_port = s->kind == FRAME_TCP ? tcp_ports[draw_below(x, 4)] : udp_ports[draw_below(x, 3)];
  flow->seq[0] = (uint32_t)draw(x);
  flow->seq[1] = (uint32_t)draw(x);
}

static uint32_t draw_size(struct synth *x) {
  if (!x->mix) return x->size_min + draw_below(x, x->size_max - x->size_min + 1);
  uint32_t n = draw_below(x, 12);  // simple IMIX 7:4:1
  return n < 7 ? 64 : n < 11 ? 594 : 1514;
}

static void turn_around(struct frame_spec *s) {
  uint32_t host = s->src;
  s->src = s->dst;
  s->dst = host;
  if (s->kind == FRAME_ICMP) return;
  uint16_t port = s->src_port;
  s->src_port = s->dst_port;
  s->dst_port = port;
}

// Handshake, data both ways, FIN, FIN, ACK; then the same ports again with new numbers.
static void tcp_step(struct synth *x, struct flow *flow, struct frame_spec *s, uint32_t payload) {
  uint32_t step = flow->step % CONVERSATION_STEPS;
  bool back = step == 1 || step == CONVERSATION_STEPS - 2 || (step > 2 && step < CONVERSATION_STEPS - 3 && step % 3 == 0);
  if (step == 0)
    for (int i = 0; i < 2; i++) flow->seq[i] = (uint32_t)draw(x);
  uint32_t syn = step < 2, fin = step == CONVERSATION_STEPS - 3 || step == CONVERSATION_STEPS - 2;
  bool bare = syn || fin || step == 2 || step == CONVERSATION_STEPS - 1;
  s->payload_bytes = bare ? 0 : payload;
  s->tcp_flags = (uint8_t)((step ? TCP_ACK : 0) | (syn ? TCP_SYN : 0) | (fin ? TCP_FIN : 0) | (bare ? 0 : TCP_PSH));
  s->seq = flow->seq[back];
  s->ack = step ? flow->seq[!back] : 0;
  flow->seq[back] += s->payload_bytes + syn + fin;
  if (back) turn_around(s);
}

static uint32_t make_frame(struct synth *x, uint8_t *out) {
  struct flow *flow = &x->flow[draw_below(x, x->flows)];
  struct frame_spec s = flow->spec;
  uint32_t size = draw_size(x), headers = frame_headers_bytes(&s);
  uint32_t payload = size > headers ? size - headers : 0;
  s.ip_id = (uint16_t)x->made;
  if (s.kind == FRAME_TCP) {
    tcp_step(x, flow, &s, payload);
  } else {
    s.reply = flow->step & 1;
    s.seq = flow->step / 2;
    s.payload_bytes = s.kind == FRAME_ARP ? 0 : payload;
    if (s.reply) turn_around(&s);
  }
  flow->step++;
  return frame_build(out, &s);
}

// How many packets are due now; sleeps when none is.
static uint64_t due(struct synth *x, int timeout_ms) {
  uint64_t room = x->count ? x->count - x->made : SOURCE_BATCH;
  if (room > SOURCE_BATCH) room = SOURCE_BATCH;
  if (!x->pps) return room;
  uint64_t now = clock_monotonic_ns();
  uint64_t target = (uint64_t)((double)(now - x->started_ns) * (double)x->pps / 1e9);
  if (target <= x->made) {
    uint64_t wait_ns = NS_PER_S / x->pps + 1, limit_ns = (uint64_t)timeout_ms * NS_PER_MS;
    if (wait_ns < NS_PER_MS) wait_ns = NS_PER_MS;
    clock_sleep_ns(wait_ns < limit_ns ? wait_ns : limit_ns);
    return 0;
  }
  uint64_t n = target - x->made;
  if (n * NS_PER_S / x->pps > CATCH_UP_NS && n > SOURCE_BATCH)
    x->started_ns = now - (uint64_t)((double)x->made * 1e9 / (double)x->pps);
  return n < room ? n : room;
}

// clock=stepping: computed, and set back by half a second at every thousandth packet.
static uint64_t stamp(const struct synth *x) {
  if (!x->fixed_clock) return clock_realtime_ns();
  uint64_t ts_ns = FIXED_START_NS + (x->pps ? (uint64_t)((double)x->made * 1e9 / (double)x->pps) : x->made * 1000);
  return x->stepping_clock ? ts_ns - x->made / STEP_PACKETS * STEP_NS : ts_ns;
}

static void show_made(struct synth *x, uint32_t lease, struct packet *out, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    uint8_t *frame = x->frames + (lease * (size_t)SOURCE_BATCH + i) * x->frame_room;
    uint32_t bytes = make_frame(x, frame);
    out[i] = (struct packet){.data = frame, .caplen = bytes, .wirelen = bytes, .ts_ns = stamp(x)};
    x->made++;
  }
}

// Costs next to nothing per packet: what is measured with it is the recorder.
static void show_ready(struct synth *x, struct packet *out, uint64_t n) {
  uint64_t now_ns = x->fixed_clock ? 0 : clock_realtime_ns();
  uint32_t at = (uint32_t)(x->made % x->ready);
  for (uint64_t i = 0; i < n; i++, at = at + 1 == x->ready ? 0 : at + 1) {
    out[i] = (struct packet){.data = x->frames + (size_t)at * x->frame_room,
                             .caplen = x->ready_bytes[at],
                             .wirelen = x->ready_bytes[at],
                             .ts_ns = x->fixed_clock ? stamp(x) : now_ns + i};
    x->made++;
  }
}

static int synth_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct synth *x = s->state;
  if (x->stopping || (x->count && x->made == x->count)) return -ENODATA;
  uint32_t lease = leases_free(&x->leases);
  if (lease == x->leases.count) return 0;
  uint64_t n = due(x, timeout_ms);
  if (!n) return 0;
  if (x->ready)
    show_ready(x, out, n);
  else
    show_made(x, lease, out, n);
  s->ticket = leases_take(&x->leases, lease);
  return (int)n;
}

static void synth_release(struct source *s, uint64_t ticket) {
  leases_give(&((struct synth *)s->state)->leases, ticket);
}

static int bad_size(struct failure *f, const char *value) {
  return fail(f, 0, "--synth: size=%s: use 60 to 65535, MIN-MAX or mix", value);
}

static int set_size(struct synth *x, const char *value, struct failure *f) {
  x->mix = !strcmp(value, "mix");
  if (x->mix) {
    x->size_min = 64;
    x->size_max = 1514;
    return 0;
  }
  char tail;
  int n = sscanf(value, "%5u-%5u%c", &x->size_min, &x->size_max, &tail);
  if (n == 1 && !strchr(value, '-') && sscanf(value, "%5u%c", &x->size_min, &tail) == 1) x->size_max = x->size_min;
  else if (n != 2) return bad_size(f, value);
  return x->size_min < FRAME_BYTES_MIN || x->size_max > 65535 || x->size_max < x->size_min ? bad_size(f, value) : 0;
}

static int set(struct synth *x, const char *name, const char *value, struct failure *f) {
  if (!strcmp(name, "size")) return set_size(x, value, f);
  if (!strcmp(name, "clock")) {
    x->stepping_clock = !strcmp(value, "stepping");
    x->fixed_clock = x->stepping_clock || !strcmp(value, "fixed");
    return x->fixed_clock || !strcmp(value, "real") ? 0
                                                    : fail(f, 0, "--synth: clock=%s: use real, fixed or stepping", value);
  }
  uint64_t *field = !strcmp(name, "seed")    ? &x->seed
                    : !strcmp(name, "pps")   ? &x->pps
                    : !strcmp(name, "flows") ? &x->flows_wanted
                    : !strcmp(name, "count") ? &x->count
                    : !strcmp(name, "ready") ? &x->ready
                                             : NULL;
  if (!field) return fail(f, 0, "--synth: %s: unknown; use seed, pps, size, flows, count, ready or clock", name);
  char *end;
  *field = strtoull(value, &end, 10);
  return *value < '0' || *value > '9' || *end ? fail(f, 0, "--synth: %s=%s: use a whole number", name, value) : 0;
}

static int parse(struct synth *x, const char *spec, struct failure *f) {
  char copy[256], *rest = copy;
  if (strlen(spec) >= sizeof copy) return fail(f, 0, "--synth: too long");
  strcpy(copy, spec);
  for (char *part; (part = strsep(&rest, ","));) {
    char *value = strchr(part, '=');
    if (!value) return fail(f, 0, "--synth: %s: write name=value", part);
    *value++ = 0;
    int rc = set(x, part, value, f);
    if (rc) return rc;
  }
  if (!x->flows_wanted || x->flows_wanted > FLOWS_MAX) return fail(f, 0, "--synth: flows: use 1 to %u", FLOWS_MAX);
  if (x->ready > READY_MAX) return fail(f, 0, "--synth: ready: use at most %u frames", READY_MAX);
  if (x->pps > 100000000) return fail(f, 0, "--synth: pps: use at most 100000000, 0 for as fast as it goes");
  return 0;
}

static void synth_close(struct source *s) {
  struct synth *x = s->state;
  if (!x) return;
  free(x->flow);
  free(x->frames);
  free(x->ready_bytes);
  free(x);
  s->state = NULL;
}

static int take_memory(struct synth *x, struct failure *f) {
  x->flows = (uint32_t)x->flows_wanted;
  x->frame_room = x->size_max + FRAME_HEADERS_MAX;
  x->flow = calloc(x->flows, sizeof *x->flow);
  size_t frames = x->ready ? x->ready : (size_t)x->leases.count * SOURCE_BATCH;
  x->frames = malloc(frames * x->frame_room);
  if (x->ready) x->ready_bytes = calloc(x->ready, sizeof *x->ready_bytes);
  if (!x->flow || !x->frames || (x->ready && !x->ready_bytes))
    return fail(f, ENOMEM, "synth: no memory for %u flows and %zu frames", x->flows, frames);
  return 0;
}

static void prepare(struct synth *x) {
  x->random = x->seed;
  for (uint32_t i = 0; i < x->flows; i++) flow_init(x, &x->flow[i], i);
  for (uint32_t i = 0; i < x->ready; i++) x->ready_bytes[i] = make_frame(x, x->frames + (size_t)i * x->frame_room);
  x->started_ns = clock_monotonic_ns();
}

static int synth_open(struct source *s, const struct options *o, struct failure *f) {
  struct synth *x = calloc(1, sizeof *x);
  if (!x) return fail(f, ENOMEM, "synth: no memory");
  s->state = x;
  *x = (struct synth){.seed = 1, .pps = 1000, .flows_wanted = 100, .size_min = 64, .size_max = 1514};
  x->leases.count = s->outstanding_max = (uint32_t)o->workers;
  int rc = o->synth ? parse(x, o->synth, f) : 0;
  if (!rc) rc = take_memory(x, f);
  if (rc) {
    synth_close(s);
    return rc;
  }
  prepare(x);
  strcpy(s->interface_name, "synth");
  snprintf(s->description, sizeof s->description, "synthetic traffic, not captured; stamps: %s",
           x->fixed_clock ? "computed" : "system clock, ns");
  s->linktype = RT_LINKTYPE_ETHERNET;
  s->synthetic = true;
  s->patient = x->pps == 0;
  return 0;
}

static void synth_stop(struct source *s) { ((struct synth *)s->state)->stopping = true; }

static void synth_counters(struct source *s, struct source_counters *out) {
  *out = (struct source_counters){
      .received = ((struct synth *)s->state)->made, .drops = 0, .starved = SOURCE_UNKNOWN};
}

const struct source_ops source_synth = {.name = "synth",
                                        .open = synth_open,
                                        .poll = synth_poll,
                                        .release = synth_release,
                                        .stop = synth_stop,
                                        .counters = synth_counters,
                                        .close = synth_close};
