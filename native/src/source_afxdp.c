// Live capture: AF_XDP (Documentation/networking/af_xdp.rst). A small XDP program sends what arrives on the
// captured queues into sockets of ours, one for each queue; frames are walked where the driver or the kernel
// put them, and go back to the fill ring when a worker has released them.
//
// XDP *takes* packets: while this source runs, the machine's own stack sees nothing of these queues. Hence
// --ring=auto never chooses it for an interface that the machine itself uses.
//
// Accounts. In the copy modes (native, generic) the kernel counts every frame it could not hand over:
// rx_ring_full, and rx_dropped, which is a missing fill frame (counted again as rx_fill_ring_empty_descs) or
// a frame larger than ours. With zero-copy a missing fill frame stalls the NIC, whose loss is in if_drops.
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "alarm.h"
#include "clock.h"
#include "constants.h"
#include "leases.h"
#include "live.h"
#include "nic.h"
#include "xdp_prog.h"
#include "xsk.h"

#define QUEUES_MAX 64u
#define FRAMES_MIN 64u
#define FRAME_BYTES_SMALL 2048u
#define FRAME_BYTES_LARGE 4096u  // a page: the largest that every kernel takes
#define LINK_BYTES 18u           // Ethernet and one VLAN tag, which the MTU does not count
// A thread that emptied the rings sleeps this long for each frame it has, 1 ms at most, before it looks again: one
// wake-up for hundreds of packets. 64-byte frames at 10 Gbit/s, 67 ns each, would fill half of them meanwhile.
#define GATHER_FRAME_NS 33u
#define GATHER_NS_MIN 50000ull
#define BUSY_NS 50000ull
#define PREDECESSOR_NS NS_PER_S
#define STAMP_AGE_MAX_NS (60 * NS_PER_S)  // an older one is no stamp but what the driver left there

struct mode {
  const char *name;
  uint16_t bind;
  uint32_t attach;
};
enum { ZEROCOPY, NATIVE, GENERIC, MODES };
static const struct mode modes[MODES] = {{"zerocopy", XDP_ZEROCOPY, XDP_FLAGS_DRV_MODE},
                                         {"native", XDP_COPY, XDP_FLAGS_DRV_MODE},
                                         {"generic", XDP_COPY, XDP_FLAGS_SKB_MODE}};

struct lease {
  uint32_t queue, frames;  // index into `queue` below; how many
  uint64_t at[SOURCE_BATCH];
};

struct afxdp {
  struct xdp_prog prog;
  struct xsk queue[QUEUES_MAX];
  uint32_t wanted[QUEUES_MAX];  // numbers of the queues
  uint32_t queues, next;        // how many; whose turn it is
  uint32_t frames, frame_bytes;  // of each queue; of each frame
  const struct mode *mode;
  int promiscuous;              // a packet socket that only holds the membership
  uint64_t walked, oversized;
  uint64_t gather_ns;
  bool busy;  // the last wait brought packets
  bool stopping;
  struct leases leases;
  struct lease lease[LEASES_MAX];
};

// --- opening ---

static int parse_queues(struct afxdp *a, const char *text, uint32_t have, const char *name, struct failure *f) {
  if (!text || !strcmp(text, "all")) {
    a->queues = have < QUEUES_MAX ? have : QUEUES_MAX;
    for (uint32_t i = 0; i < a->queues; i++) a->wanted[i] = i;
    if (have > QUEUES_MAX) return fail(f, E2BIG, "%s: %u queues, %u at most; choose with --queues", name, have, QUEUES_MAX);
    return 0;
  }
  for (const char *at = text;; at++) {
    char *end;
    unsigned long n = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : (end = (char *)at, 0);
    if (end == at || (*end && *end != ',')) return fail(f, 0, "--queues: \"%s\": use all or numbers such as 0,2", text);
    if (n >= have) return fail(f, ENODEV, "--queues: %s has no queue %lu; its queues are 0 to %u", name, n, have - 1);
    for (uint32_t i = 0; i < a->queues; i++)
      if (a->wanted[i] == n) return fail(f, 0, "--queues: queue %lu is named twice", n);
    if (a->queues == QUEUES_MAX) return fail(f, 0, "--queues: use at most %u", QUEUES_MAX);
    a->wanted[a->queues++] = (uint32_t)n;
    if (!*end) return 0;
    at = end;
  }
}

// Frames hold the largest packet of the MTU where they can; -B is shared by the queues.
static void size_frames(struct afxdp *a, uint64_t ring_bytes, uint32_t mtu) {
  a->frame_bytes = mtu + LINK_BYTES + XSK_HEADROOM_BYTES > FRAME_BYTES_SMALL ? FRAME_BYTES_LARGE : FRAME_BYTES_SMALL;
  uint64_t room = ring_bytes / a->queues / a->frame_bytes;
  for (a->frames = FRAMES_MIN; (uint64_t)a->frames * 2 <= room;) a->frames *= 2;
  a->gather_ns = (uint64_t)a->frames * GATHER_FRAME_NS;
  if (a->gather_ns < GATHER_NS_MIN) a->gather_ns = 0;
  if (a->gather_ns > NS_PER_MS) a->gather_ns = NS_PER_MS;
}

static void close_queues(struct afxdp *a) {
  xdp_prog_detach(&a->prog);
  for (uint32_t i = 0; i < a->queues; i++) xsk_close(&a->queue[i]);
}

static int open_queues(struct afxdp *a, const struct source *s, const struct mode *mode) {
  int rc = 0;
  for (uint32_t i = 0; i < a->queues && !rc; i++)
    rc = xsk_open(&a->queue[i], s->interface_name, a->wanted[i], a->frames, a->frame_bytes, mode->bind);
  // Attached before the sockets are in the map: until then everything passes on to the stack.
  if (!rc) rc = xdp_prog_attach(&a->prog, s->ifindex, mode->attach);
  for (uint32_t i = 0; i < a->queues && !rc; i++) rc = xsk_socket__update_xskmap(a->queue[i].socket, a->prog.map_fd);
  if (rc) close_queues(a);
  return rc;
}

// The kernel gives a queue back some moments after its last user has ended: a recorder started again at once waits.
static int open_patiently(struct afxdp *a, const struct source *s, const struct mode *mode) {
  uint64_t until_ns = clock_monotonic_ns() + PREDECESSOR_NS;
  int rc;
  while ((rc = open_queues(a, s, mode)) == -EBUSY && clock_monotonic_ns() < until_ns) clock_sleep_ns(10 * NS_PER_MS);
  return rc;
}

static int refused(const struct source *s, const struct mode *mode, int err, struct failure *f) {
  const char *name = s->interface_name;
  struct nic nic;
  nic_query(name, s->ifindex, &nic);
  if (err == EBUSY && nic.xdp_program) {
    char program[BPF_OBJ_NAME_LEN];
    xdp_prog_name(nic.xdp_program, program);
    return fail(f, err, "%s: another XDP program (\"%s\", id %u) is attached; end what uses it, or if nothing does: "
                        "ip link set dev %s xdp off", name, program, nic.xdp_program, name);
  }
  if (err == EBUSY) return fail(f, err, "%s: another AF_XDP socket has one of these queues; end it or choose --queues", name);
  if (err == ENOBUFS || err == ENOMEM)
    return fail(f, err, "%s: no memory for the frames: %s; use a smaller -B, raise `ulimit -l` or give CAP_IPC_LOCK", name,
                strerror(err));
  if (err == EPERM) return fail(f, err, "%s: no right to use AF_XDP; run as root or give CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF", name);
  return fail(f, err, "%s: AF_XDP %s mode: %s; use another --xdp-mode or --ring=afpacket", name, mode->name, strerror(err));
}

// The best mode that the driver takes, or just the one asked for. What the kernel says it lacks is not tried.
static int choose_mode(struct afxdp *a, const struct source *s, const char *asked, enum nic_xdp best, struct failure *f) {
  static const int first[] = {[NIC_XDP_UNKNOWN] = ZEROCOPY, [NIC_XDP_GENERIC] = GENERIC, [NIC_XDP_NATIVE] = NATIVE,
                              [NIC_XDP_ZEROCOPY] = ZEROCOPY};
  bool any = !asked || !strcmp(asked, "auto");
  int rc = -EINVAL;
  for (int i = any ? first[best] : 0; i < MODES; i++) {
    if (!any && strcmp(asked, modes[i].name)) continue;
    a->mode = &modes[i];
    rc = open_patiently(a, s, a->mode);
    if (!rc || rc == -EBUSY || rc == -EPERM || rc == -ENOBUFS || rc == -ENOMEM) break;  // no mode would help
    if (any) log_verbose("%s: AF_XDP %s mode: %s", s->interface_name, a->mode->name, strerror(-rc));
  }
  return rc ? refused(s, a->mode, -rc, f) : 0;
}

static void be_promiscuous(struct afxdp *a, const struct source *s) {
  struct packet_mreq membership = {.mr_ifindex = (int)s->ifindex, .mr_type = PACKET_MR_PROMISC};
  a->promiscuous = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: it receives nothing
  if (a->promiscuous < 0 ||
      setsockopt(a->promiscuous, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership))
    log_line("%s: not promiscuous: %s; only its own traffic is seen", s->interface_name, strerror(errno));
}

// What this way of capturing cannot see, told once.
static void warn(const struct afxdp *a, const struct source *s, const struct nic *nic, bool up) {
  const char *name = s->interface_name;
  uint32_t room = a->frame_bytes - XSK_HEADROOM_BYTES;
  log_line("%s: AF_XDP %s mode, %u queue%s; the machine's own stack receives nothing from it meanwhile", name,
           a->mode->name, a->queues, a->queues == 1 ? "" : "s");
  if (nic->mtu + LINK_BYTES > room)
    log_line("%s: MTU %u, but AF_XDP takes frames of at most %u bytes: larger ones will be lost, and counted; use "
             "--ring=afpacket", name, nic->mtu, room);
  else if (a->mode == &modes[GENERIC] && (nic->gro == NIC_ON || nic->lro == NIC_ON))
    log_line("%s: generic mode sees packets that GRO has merged; those over %u bytes will be lost, and counted: "
             "ethtool -K %s gro off lro off", name, room, name);
  if (nic->rx_vlan == NIC_ON)
    log_line("%s: VLAN tags that the NIC strips are not seen by XDP; to keep them: ethtool -K %s rxvlan off", name, name);
  if (!up) log_line("%s: interface is down; waiting for it: ip link set %s up", name, name);
}

static void afxdp_close(struct source *s) {
  struct afxdp *a = s->state;
  if (!a) return;
  for (uint32_t i = 0; i < a->queues && a->queue[i].socket; i++) {
    const struct xdp_statistics *x = &a->queue[i].statistics;
    log_verbose("%s: queue %u: rx_dropped %llu, rx_ring_full %llu, rx_fill_ring_empty_descs %llu, rx_invalid_descs %llu",
                s->interface_name, a->queue[i].queue, (unsigned long long)x->rx_dropped, (unsigned long long)x->rx_ring_full,
                (unsigned long long)x->rx_fill_ring_empty_descs, (unsigned long long)x->rx_invalid_descs);
  }
  close_queues(a);
  xdp_prog_unload(&a->prog);
  if (a->promiscuous >= 0) close(a->promiscuous);
  free(a);
  s->state = NULL;
}

static int afxdp_open(struct source *s, const struct options *o, struct failure *f) {
  struct iface iface;
  struct nic nic;
  int rc = live_find_interface(s, o, &iface, f);
  if (rc) return rc;
  if (s->linktype != RT_LINKTYPE_ETHERNET)
    return fail(f, EOPNOTSUPP, "%s: AF_XDP needs an Ethernet interface; use --ring=afpacket", s->interface_name);
  struct afxdp *a = calloc(1, sizeof *a);
  if (!a) return fail(f, ENOMEM, "%s: no memory", s->interface_name);
  s->state = a;
  a->prog = (struct xdp_prog){.map_fd = -1, .prog_fd = -1, .link_fd = -1};
  a->promiscuous = -1;
  nic_query(s->interface_name, s->ifindex, &nic);
  rc = parse_queues(a, o->queues, nic.queues, s->interface_name, f);
  if (!rc) size_frames(a, o->ring_bytes, nic.mtu);
  if (!rc) rc = xdp_prog_load(&a->prog, nic.queues, s->interface_name, f);
  if (!rc) rc = choose_mode(a, s, o->xdp_mode, nic.xdp, f);
  if (rc) return afxdp_close(s), rc;
  be_promiscuous(a, s);
  warn(a, s, &nic, iface.up);
  uint32_t leases = a->frames * a->queues / (2 * SOURCE_BATCH);  // at most half the frames with workers
  a->leases.count = s->outstanding_max = leases < 2 ? 2 : leases > LEASES_MAX ? LEASES_MAX : leases;
  snprintf(s->description, sizeof s->description, "AF_XDP %s; stamps: %s", a->mode->name,
           a->prog.stamps ? "kernel software clock in the XDP program, ns" : "system clock when polled, ns");
  return 0;
}

// --- running ---

// What the workers gave back goes to the fill rings of the queues it came from.
static void refill(struct afxdp *a) {
  for (uint64_t back = leases_back(&a->leases); back; back &= back - 1) {
    struct lease *l = &a->lease[__builtin_ctzll(back)];
    struct xsk *x = &a->queue[l->queue];
    uint32_t at;
    if (!xsk_ring_prod__reserve(&x->fill, l->frames, &at)) continue;  // cannot be: it holds all frames
    for (uint32_t i = 0; i < l->frames; i++) *xsk_ring_prod__fill_addr(&x->fill, at + i) = l->at[i];
    xsk_ring_prod__submit(&x->fill, l->frames);
    // A zero-copy driver that ran dry sleeps until it is told.
    if (xsk_ring_prod__needs_wakeup(&x->fill)) recvfrom(xsk_socket__fd(x->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
  }
}

// The next queue that has something, round robin; NULL when none has.
static struct xsk *ready(struct afxdp *a) {
  for (uint32_t i = 0; i < a->queues; i++) {
    struct xsk *x = &a->queue[(a->next + i) % a->queues];
    if (!xsk_cons_nb_avail(&x->rx, 1)) continue;
    a->next = (uint32_t)(x - a->queue) + 1;
    return x;
  }
  return NULL;
}

static void wait(struct afxdp *a, int timeout_ms) {
  struct pollfd p[QUEUES_MAX];
  for (uint32_t i = 0; i < a->queues; i++) p[i] = (struct pollfd){.fd = xsk_socket__fd(a->queue[i].socket), .events = POLLIN};
  if (a->busy && a->gather_ns) {
    clock_sleep_ns(a->gather_ns);
    if (ready(a)) return;
  }
  int n = poll(p, a->queues, timeout_ms);
  bool wrong = false;
  for (uint32_t i = 0; i < a->queues && n > 0; i++) wrong |= p[i].revents & (POLLERR | POLLHUP | POLLNVAL);
  if (wrong)
    clock_sleep_ns((uint64_t)timeout_ms * NS_PER_MS);  // the device is gone; main sees it within a second
  else if (n > 0)
    clock_sleep_ns(a->gather_ns);
}

struct clocks {
  uint64_t now_ns;  // CLOCK_REALTIME
  uint64_t tai_ns;  // CLOCK_TAI
  uint64_t lead_ns;  // whole seconds that the second is ahead of the first
};

static struct clocks read_clocks(void) {
  struct timespec tai;
  struct clocks c = {.now_ns = clock_realtime_ns()};
  clock_gettime(CLOCK_TAI, &tai);
  c.tai_ns = (uint64_t)tai.tv_sec * NS_PER_S + (uint64_t)tai.tv_nsec;
  c.lead_ns = (c.tai_ns - c.now_ns + NS_PER_S / 2) / NS_PER_S * NS_PER_S;
  return c;
}

// The program's stamp lies ahead of the frame. It is wiped as it is read, so that a frame the driver brings
// without one shows 0 and not the stamp of an earlier frame.
static uint64_t take_stamp(uint8_t *frame, const struct clocks *c) {
  uint64_t tai_ns;
  memcpy(&tai_ns, frame - XDP_STAMP_BYTES, sizeof tai_ns);
  memset(frame - XDP_STAMP_BYTES, 0, sizeof tai_ns);
  return c->tai_ns - tai_ns < STAMP_AGE_MAX_NS ? tai_ns - c->lead_ns : c->now_ns;
}

static int show(struct afxdp *a, struct xsk *x, struct lease *l, struct packet *out) {
  struct clocks clocks = read_clocks();
  uint32_t at = 0, n = xsk_ring_cons__peek(&x->rx, SOURCE_BATCH, &at);
  *l = (struct lease){.queue = (uint32_t)(x - a->queue), .frames = n};
  for (uint32_t i = 0; i < n; i++) {
    const struct xdp_desc *d = xsk_ring_cons__rx_desc(&x->rx, at + i);
    uint8_t *frame = x->memory + d->addr;
    __builtin_prefetch(frame - XDP_STAMP_BYTES, 1);
    l->at[i] = d->addr / a->frame_bytes * a->frame_bytes;
    out[i] = (struct packet){.data = frame, .caplen = d->len, .wirelen = d->len};
  }
  xsk_ring_cons__release(&x->rx, n);
  for (uint32_t i = 0; i < n; i++) out[i].ts_ns = take_stamp((uint8_t *)(uintptr_t)out[i].data, &clocks);
  a->walked += n;
  return (int)n;
}

static int afxdp_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct afxdp *a = s->state;
  refill(a);
  uint32_t lease = leases_next(&a->leases);
  if (lease == a->leases.count) {  // the workers are behind; frames gather in the rings meanwhile
    clock_sleep_ns(BUSY_NS);
    return 0;
  }
  struct xsk *x = ready(a);
  if (!x && a->stopping) return -ENODATA;
  if (!x) {
    wait(a, timeout_ms);
    x = ready(a);
    a->busy = x != NULL;
  }
  if (!x) return 0;
  s->ticket = leases_take(&a->leases, lease);
  return show(a, x, &a->lease[lease], out);
}

static void afxdp_release(struct source *s, uint64_t ticket) { leases_give(&((struct afxdp *)s->state)->leases, ticket); }

// Detaching waits for frames on their way, so what the rings hold after it is all there is.
static void afxdp_stop(struct source *s) {
  struct afxdp *a = s->state;
  xdp_prog_detach(&a->prog);
  a->stopping = true;
}

static void tell_oversized(struct afxdp *a, const struct source *s, uint64_t oversized) {
  if (oversized <= a->oversized) return;
  a->oversized = oversized;
  alarm_raise(ALARM_OVERSIZED, "%s: %llu frame(s) over %u bytes, too large for AF_XDP, lost so far; use --ring=afpacket, or "
                               "ethtool -K %s gro off lro off", s->interface_name, (unsigned long long)oversized,
              a->frame_bytes - XSK_HEADROOM_BYTES, s->interface_name);
}

static void afxdp_counters(struct source *s, struct source_counters *out) {
  struct afxdp *a = s->state;
  uint64_t waiting = 0, dropped = 0, full = 0, starved = 0;
  for (uint32_t i = 0; i < a->queues; i++) {
    struct xsk *x = &a->queue[i];
    waiting += xsk_cons_nb_avail(&x->rx, a->frames);
    xsk_read_statistics(x);
    dropped += x->statistics.rx_dropped;
    full += x->statistics.rx_ring_full;
    starved += x->statistics.rx_fill_ring_empty_descs;
  }
  if (a->mode != &modes[ZEROCOPY] && dropped > starved) tell_oversized(a, s, dropped - starved);
  *out = (struct source_counters){
      .received = a->walked + waiting + dropped + full, .drops = dropped + full, .starved = starved};
}

const struct source_ops source_afxdp = {.name = "afxdp",
                                        .open = afxdp_open,
                                        .poll = afxdp_poll,
                                        .release = afxdp_release,
                                        .stop = afxdp_stop,
                                        .counters = afxdp_counters,
                                        .close = afxdp_close};
