// Live capture: AF_PACKET with one TPACKET_V3 ring, or several (`--fanout N`) that the kernel spreads packets
// over and that are merged back by stamp while their headers are walked.
//
// Merging: the packet with the lowest stamp is shown once no ring can still come up with a lower one. A ring
// with nothing to show might: what it got lately lies in a ring block the kernel has not handed over yet.
// It does so within RETIRE_MS, two periods at worst; so packets older than HOLD_NS are shown in any case.
// Bound: as long as the kernel keeps to that, stamps step back between rings by 0; by at most the delay
// beyond it otherwise. Within one ring the order is the kernel's own. `ringtap verify --order` measures.
//
// Order at start: closed filter, ring, bind, group, open filter: no packet arrives unfiltered or twice. At
// stop: closed filter, unbind (which waits for packets on their way; sockets of a group cannot be unbound
// and get SETTLE_NS instead), then walk what is left, so that tp_packets = walked + tp_drops exactly.
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "constants.h"
#include "filter.h"
#include "leases.h"
#include "live.h"
#include "packet_ring.h"
#include "source.h"

#define RINGS_MAX 64
#define HOLD_NS (3 * RETIRE_MS * NS_PER_MS)
#define SETTLE_NS (3 * RETIRE_MS * NS_PER_MS)
#define DRAIN_PATIENCE_NS (NS_PER_S)
#define BUSY_NS (50 * 1000ull)  // pause when the only blocks that look new are still being copied from
#define NO_BLOCK UINT32_MAX

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_FANOUT_FLAG_UNIQUEID
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

struct afpacket {
  unsigned ifindex;
  uint32_t rings;
  struct packet_ring ring[RINGS_MAX];
  struct leases leases;
  uint32_t joined[LEASES_MAX][RINGS_MAX];  // ring block each lease uses, of each ring
  uint64_t held_since_ns;                  // monotonic; 0: the merge goes on by its rule
  bool stopping;
  uint64_t settled_ns, drain_until_ns;
};

// --- set-up ---

static const struct sock_fprog closed = {.len = 1, .filter = &(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0)};

// With an expression or a snaplen the kernel copies no more than is wanted. Without both no program runs at all:
// an empty one costs several nanoseconds per packet.
static int open_filter(struct source *s, struct afpacket *a, const struct options *o, struct failure *f) {
  struct sock_filter keep = BPF_STMT(BPF_RET | BPF_K, o->snaplen);
  struct sock_fprog program = {.len = 1, .filter = &keep};
  struct filter filter = {0};
  if (o->filter[0]) {
    int rc = filter_compile_live(&filter, o->filter, s->interface_name, o->snaplen, f);
    if (rc) return rc;
    // struct bpf_insn and struct sock_filter have one layout, by design of both.
    program = (struct sock_fprog){.len = (unsigned short)filter.program.bf_len,
                                  .filter = (struct sock_filter *)filter.program.bf_insns};
  }
  bool any = o->filter[0] || o->snaplen < RT_SNAPLEN_DEFAULT;
  int rc = 0;
  for (uint32_t i = 0; i < a->rings && !rc; i++) rc = packet_ring_filter(&a->ring[i], any ? &program : NULL);
  filter_free(&filter);
  return rc ? fail(f, -rc, "filter: the kernel refused it: %s; shorten the expression", strerror(-rc)) : 0;
}

static int fanout_type(const char *mode) {
  return !strcmp(mode, "lb")    ? PACKET_FANOUT_LB
         : !strcmp(mode, "cpu") ? PACKET_FANOUT_CPU
         : !strcmp(mode, "rnd") ? PACKET_FANOUT_RND
         : !strcmp(mode, "qm")  ? PACKET_FANOUT_QM
                                : PACKET_FANOUT_HASH;
}

// The first socket gets a new group's number from the kernel, the others join it.
static int join_group(struct source *s, struct afpacket *a, const char *mode, bool one_way, struct failure *f) {
  int type = fanout_type(mode) | (one_way ? PACKET_FANOUT_FLAG_IGNORE_OUTGOING : 0);
  int group = (type | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
  for (uint32_t i = 0; i < a->rings; i++) {
    if (setsockopt(a->ring[i].fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof group))
      return fail(f, errno, "%s: --fanout: %s; the interface must be up, and the kernel 4.11 or newer",
                  s->interface_name, strerror(errno));
    socklen_t bytes = sizeof group;
    if (i == 0 && getsockopt(a->ring[0].fd, SOL_PACKET, PACKET_FANOUT, &group, &bytes))
      return fail(f, errno, "%s: --fanout: %s", s->interface_name, strerror(errno));
    group = (group & 0xffff) | type << 16;
  }
  return 0;
}

static int join(struct source *s, struct afpacket *a, const struct iface *iface, const char *mode, struct failure *f) {
  int one = 1, rc = 0;
  // Looped frames are seen going out and coming in: keep one of the two, as libpcap does.
  bool one_way = !strcmp(iface->name, "lo");
  for (uint32_t i = 0; i < a->rings && !rc; i++) {
    if (one_way) setsockopt(a->ring[i].fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    rc = packet_ring_bind(&a->ring[i], a->ifindex, ETH_P_ALL);
  }
  if (rc) return fail(f, -rc, "%s: bind: %s", s->interface_name, strerror(-rc));
  if (a->rings > 1) rc = join_group(s, a, mode, one_way, f);
  if (rc) return rc;
  struct packet_mreq promiscuous = {.mr_ifindex = (int)a->ifindex, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(a->ring[0].fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous))
    log_line("%s: not promiscuous: %s; only its own traffic is seen", s->interface_name, strerror(errno));
  if (!iface->up) log_line("%s: interface is down; waiting for it: ip link set %s up", iface->name, iface->name);
  return 0;
}

static void afpacket_close(struct source *s) {
  struct afpacket *a = s->state;
  if (!a) return;
  for (uint32_t i = 0; i < a->rings; i++) packet_ring_close(&a->ring[i]);
  free(a);
  s->state = NULL;
}

static int open_rings(struct source *s, struct afpacket *a, const struct options *o, struct failure *f) {
  int rc = 0;
  while (!rc && a->rings < o->fanout) {
    struct packet_ring *r = &a->ring[a->rings++];
    rc = packet_ring_open(r, s->interface_name, o->ring_bytes / o->fanout, f);
    if (!rc && (rc = packet_ring_filter(r, &closed)))
      rc = fail(f, -rc, "%s: filter: %s", s->interface_name, strerror(-rc));
  }
  return rc;
}

static int afpacket_open(struct source *s, const struct options *o, struct failure *f) {
  struct iface iface;
  int rc = live_find_interface(s, o, &iface, f);
  if (rc) return rc;
  struct afpacket *a = calloc(1, sizeof *a);
  if (!a) return fail(f, ENOMEM, "%s: no memory", s->interface_name);
  s->state = a;
  a->ifindex = iface.index;
  a->leases.count = s->outstanding_max = (uint32_t)o->workers;
  rc = open_rings(s, a, o, f);
  if (!rc) rc = join(s, a, &iface, o->fanout_mode, f);
  if (!rc) rc = open_filter(s, a, o, f);
  if (rc) afpacket_close(s);
  s->filters = true;
  size_t n = (size_t)snprintf(s->description, sizeof s->description, "AF_PACKET v3; stamps: kernel software clock, ns");
  if (o->fanout > 1)
    snprintf(s->description + n, sizeof s->description - n, "; %u rings by %s, merged by stamp", (unsigned)o->fanout,
             o->fanout_mode);
  return rc;
}

// --- the run ---

static void afpacket_counters(struct source *s, struct source_counters *out) {
  struct afpacket *a = s->state;
  *out = (struct source_counters){.starved = SOURCE_UNKNOWN};
  for (uint32_t i = 0; i < a->rings; i++) {
    packet_ring_count(&a->ring[i]);
    out->received += a->ring[i].packets;
    out->drops += a->ring[i].drops;
  }
}

static bool drained(struct source *s) {
  struct afpacket *a = s->state;
  struct source_counters c;
  uint64_t now_ns = clock_monotonic_ns(), walked = 0;
  afpacket_counters(s, &c);
  for (uint32_t i = 0; i < a->rings; i++) walked += a->ring[i].walked;
  return (walked == c.received - c.drops && now_ns >= a->settled_ns) || now_ns > a->drain_until_ns;
}

// What a merge step may do: show packets of `ring` up to `until_ns`. `ring` NULL: wait, at most until the
// realtime `held_until_ns` (UINT64_MAX: for any packet) or for one of the rings without any.
struct step {
  struct packet_ring *ring;
  uint64_t until_ns, held_until_ns;
  bool forced;  // against the rule, because it is overdue
};

static struct step next_step(struct afpacket *a, uint64_t now_ns, bool overdue) {
  struct packet_ring *first = NULL;
  uint64_t first_ns = UINT64_MAX, second_ns = UINT64_MAX, bound_ns = UINT64_MAX;
  for (uint32_t i = 0; i < a->rings; i++) {
    struct packet_ring *r = &a->ring[i];
    if (!packet_ring_ready(r)) {
      uint64_t reach_ns = now_ns - HOLD_NS;
      if (r->last_ts_ns > reach_ns) reach_ns = r->last_ts_ns;
      if (reach_ns < bound_ns) bound_ns = reach_ns;
      continue;
    }
    uint64_t ts_ns = packet_ring_peek_ns(r);
    if (!first || ts_ns < first_ns) {
      second_ns = first_ns;
      first_ns = ts_ns;
      first = r;
    } else if (ts_ns < second_ns) {
      second_ns = ts_ns;
    }
  }
  if (a->rings == 1) return (struct step){.ring = first, .until_ns = UINT64_MAX, .held_until_ns = UINT64_MAX};
  bool early = first && first_ns > bound_ns;
  if (early && !overdue) return (struct step){.held_until_ns = first_ns + HOLD_NS};
  uint64_t until_ns = early || second_ns < bound_ns ? second_ns : bound_ns;
  return (struct step){.ring = first, .until_ns = until_ns, .held_until_ns = UINT64_MAX, .forced = early};
}

// Waits for rings that have nothing to show; the others would wake us at once, for nothing.
static void wait_rings(struct afpacket *a, uint64_t held_until_ns, int timeout_ms) {
  struct pollfd p[RINGS_MAX];
  nfds_t n = 0;
  for (uint32_t i = 0; i < a->rings; i++)
    if (!a->ring[i].left) p[n++] = (struct pollfd){.fd = a->ring[i].fd, .events = POLLIN};
  if (held_until_ns != UINT64_MAX) {
    uint64_t now_ns = clock_realtime_ns(), wait_ns = held_until_ns > now_ns ? held_until_ns - now_ns : 0;
    if (wait_ns / NS_PER_MS < (uint64_t)timeout_ms) timeout_ms = (int)(wait_ns / NS_PER_MS) + 1;
  }
  if (poll(p, n, timeout_ms) <= 0) return;
  bool news = false;
  for (nfds_t i = 0; i < n; i++) {
    int err;
    socklen_t bytes = sizeof err;
    if (p[i].revents & POLLERR) getsockopt(p[i].fd, SOL_SOCKET, SO_ERROR, &err, &bytes);  // ENETDOWN: main watches
  }
  for (uint32_t i = 0; i < a->rings; i++) news |= packet_ring_ready(&a->ring[i]);
  if (!news) clock_sleep_ns(BUSY_NS);
}

// Longer than the merge may hold: the clock was set back, or the kernel is late. Order gives way, not packets.
static bool overdue(struct afpacket *a) {
  return a->held_since_ns && clock_monotonic_ns() - a->held_since_ns > 2 * HOLD_NS;
}

// Up to SOURCE_BATCH packets, of each ring from one ring block only.
static int collect(struct afpacket *a, uint32_t *joined, struct packet *out, uint64_t *held_until_ns) {
  uint64_t now_ns = a->rings > 1 ? clock_realtime_ns() : 0;
  bool late = overdue(a);
  int n = 0;
  while (n < SOURCE_BATCH) {
    struct step step = next_step(a, now_ns, late);
    *held_until_ns = step.held_until_ns;
    if (!step.ring) break;
    size_t i = (size_t)(step.ring - a->ring);
    if (joined[i] == NO_BLOCK)
      joined[i] = packet_ring_join(step.ring);
    else if (joined[i] != step.ring->at)
      break;
    n += packet_ring_show(step.ring, out + n, SOURCE_BATCH - n, step.until_ns);
    if (!step.forced) a->held_since_ns = 0;
  }
  if (n == 0 && *held_until_ns != UINT64_MAX && !a->held_since_ns) a->held_since_ns = clock_monotonic_ns();
  return n;
}

static int afpacket_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct afpacket *a = s->state;
  uint32_t lease = leases_free(&a->leases);
  if (lease == a->leases.count) return 0;
  uint32_t *joined = a->joined[lease];
  uint64_t held_until_ns;
  for (uint32_t i = 0; i < a->rings; i++) joined[i] = NO_BLOCK;
  int n = collect(a, joined, out, &held_until_ns);
  if (n == 0) {
    wait_rings(a, held_until_ns, timeout_ms);
    n = collect(a, joined, out, &held_until_ns);
  }
  if (n) s->ticket = leases_take(&a->leases, lease);
  if (n == 0 && a->stopping && drained(s)) return -ENODATA;
  return n;
}

static void afpacket_release(struct source *s, uint64_t ticket) {
  struct afpacket *a = s->state;
  const uint32_t *joined = a->joined[ticket - 1];
  for (uint32_t i = 0; i < a->rings; i++)
    if (joined[i] != NO_BLOCK) packet_ring_leave(&a->ring[i], joined[i]);
  leases_give(&a->leases, ticket);
}

static void afpacket_stop(struct source *s) {
  struct afpacket *a = s->state;
  for (uint32_t i = 0; i < a->rings; i++) {
    packet_ring_filter(&a->ring[i], &closed);
    packet_ring_bind(&a->ring[i], a->ifindex, 0);  // fails if the device is gone, and in a group
  }
  uint64_t now_ns = clock_monotonic_ns();
  a->stopping = true;
  a->settled_ns = a->rings > 1 ? now_ns + SETTLE_NS : now_ns;
  a->drain_until_ns = now_ns + DRAIN_PATIENCE_NS;
}

const struct source_ops source_afpacket = {.name = "afpacket",
                                           .open = afpacket_open,
                                           .poll = afpacket_poll,
                                           .release = afpacket_release,
                                           .stop = afpacket_stop,
                                           .counters = afpacket_counters,
                                           .close = afpacket_close};
