// Live capture: AF_PACKET with a TPACKET_V3 ring (Documentation/networking/packet_mmap.rst).
//
// The kernel fills ring blocks and hands each over by setting TP_STATUS_USER; we walk it in place and
// hand it back by TP_STATUS_KERNEL. These two accesses are the only barriers here: acquire before the
// first read of a ring block, release after the last. Order at start: filter, ring, then bind, so that
// no packet can arrive unfiltered. At stop: unbind, which waits for packets on their way, then walk
// what is left, so that tp_packets = walked + tp_drops exactly.
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "filter.h"
#include "iface.h"
#include "source.h"

#define RING_BLOCK_BYTES_MAX (1u << 20)
#define RETIRE_MS 10  // how long a packet may wait in a ring block that does not fill: live latency
#define DRAIN_PATIENCE_NS (NS_PER_S)

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct afpacket {
  int fd;
  unsigned ifindex;
  uint8_t *ring;
  uint32_t ring_block_bytes, ring_blocks;
  uint32_t at;  // ring block being walked or awaited
  bool holding;   // ring block `at` is ours
  uint32_t left;  // packets of it not yet shown
  uint8_t *next;  // next packet of it
  uint64_t walked;
  uint64_t packets, drops;  // sums of PACKET_STATISTICS, which resets itself when read
  bool stopping;
  uint64_t drain_until_ns;
};

static struct tpacket_block_desc *ring_block(const struct afpacket *a) {
  return (struct tpacket_block_desc *)(a->ring + (size_t)a->at * a->ring_block_bytes);
}

static int permission(struct failure *f, const char *name, int err) {
  if (err == EPERM || err == EACCES)
    return fail(f, err,
                "%s: no right to capture; run as root or: setcap cap_net_raw,cap_net_admin,cap_ipc_lock+ep "
                "$(command -v ringtapd)",
                name);
  return fail(f, err, "%s: capture socket: %s", name, strerror(err));
}

static int attach_filter(struct source *s, struct afpacket *a, const struct options *o, struct failure *f) {
  // Without an expression the program `ret #snaplen` still keeps the ring from copying more.
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
  int rc = setsockopt(a->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  int err = errno;
  filter_free(&filter);
  return rc ? fail(f, err, "filter: the kernel refused it: %s; shorten the expression", strerror(err)) : 0;
}

static int map_ring(struct afpacket *a, const struct options *o, const char *name, struct failure *f) {
  int version = TPACKET_V3;
  if (setsockopt(a->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version))
    return fail(f, errno, "%s: TPACKET_V3: %s; needs Linux 3.2 or newer", name, strerror(errno));
  a->ring_block_bytes = RING_BLOCK_BYTES_MAX;
  while (a->ring_block_bytes > o->ring_bytes / 4) a->ring_block_bytes /= 2;
  a->ring_blocks = (uint32_t)(o->ring_bytes / a->ring_block_bytes);
  struct tpacket_req3 req = {.tp_block_size = a->ring_block_bytes,
                             .tp_block_nr = a->ring_blocks,
                             .tp_frame_size = 2048,
                             .tp_frame_nr = a->ring_block_bytes / 2048 * a->ring_blocks,
                             .tp_retire_blk_tov = RETIRE_MS};
  if (setsockopt(a->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req))
    return fail(f, errno, "%s: no ring of %llu KiB: %s; use a smaller -B", name,
                (unsigned long long)o->ring_bytes / 1024, strerror(errno));
  size_t bytes = (size_t)a->ring_block_bytes * a->ring_blocks;
  a->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, a->fd, 0);
  if (a->ring == MAP_FAILED) {
    a->ring = NULL;
    return fail(f, errno, "%s: ring cannot be mapped: %s; use a smaller -B", name, strerror(errno));
  }
  return 0;
}

static int bind_to(struct afpacket *a, uint16_t protocol) {
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)a->ifindex};
  return bind(a->fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
}

static int join(struct source *s, struct afpacket *a, const struct iface *iface, struct failure *f) {
  int one = 1;
  // Looped frames are seen going out and coming in: keep one of the two, as libpcap does.
  if (!strcmp(iface->name, "lo")) setsockopt(a->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
  int rc = bind_to(a, ETH_P_ALL);
  if (rc) return fail(f, -rc, "%s: bind: %s", s->interface_name, strerror(-rc));
  struct packet_mreq promiscuous = {.mr_ifindex = (int)a->ifindex, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(a->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous))
    log_line("%s: not promiscuous: %s; only its own traffic is seen", s->interface_name, strerror(errno));
  if (!iface->up) log_line("%s: interface is down; waiting for it: ip link set %s up", iface->name, iface->name);
  return 0;
}

static void afpacket_close(struct source *s) {
  struct afpacket *a = s->state;
  if (!a) return;
  if (a->ring) munmap(a->ring, (size_t)a->ring_block_bytes * a->ring_blocks);
  if (a->fd >= 0) close(a->fd);
  free(a);
  s->state = NULL;
}

static int find_interface(struct source *s, const struct options *o, struct iface *iface, struct failure *f) {
  char name[IF_NAMESIZE] = "", known[256];
  if (o->interface)
    snprintf(s->interface_name, sizeof s->interface_name, "%s", o->interface);
  else if (iface_default(name))
    snprintf(s->interface_name, sizeof s->interface_name, "%s", name);
  else
    return fail(f, ENODEV, "no default route to tell the interface by; name one with -i");
  int rc = iface_query(s->interface_name, 0, iface);
  if (rc == -ENODEV) {
    iface_names(known, sizeof known);
    return fail(f, ENODEV, "%s: no such interface; there are: %s", s->interface_name, known);
  }
  if (rc) return fail(f, -rc, "%s: %s", s->interface_name, strerror(-rc));
  int linktype = iface_linktype(iface->arphrd);
  if (linktype < 0)
    return fail(f, EOPNOTSUPP, "%s: hardware type %u is not supported yet; use an Ethernet, loopback or tun interface",
                s->interface_name, iface->arphrd);
  s->linktype = (uint16_t)linktype;
  s->ifindex = iface->index;
  return 0;
}

static int afpacket_open(struct source *s, const struct options *o, struct failure *f) {
  struct iface iface;
  int rc = find_interface(s, o, &iface, f);
  if (rc) return rc;
  struct afpacket *a = calloc(1, sizeof *a);
  if (!a) return fail(f, ENOMEM, "%s: no memory", s->interface_name);
  s->state = a;
  a->ifindex = iface.index;
  a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: nothing arrives before bind
  if (a->fd < 0) rc = permission(f, s->interface_name, errno);
  if (!rc) rc = attach_filter(s, a, o, f);
  if (!rc) rc = map_ring(a, o, s->interface_name, f);
  if (!rc) rc = join(s, a, &iface, f);
  if (rc) afpacket_close(s);
  s->filters = true;
  snprintf(s->description, sizeof s->description, "AF_PACKET v3; stamps: kernel software clock, ns");
  return rc;
}

static void afpacket_counters(struct source *s, struct source_counters *out) {
  struct afpacket *a = s->state;
  struct tpacket_stats_v3 stats = {0};
  socklen_t bytes = sizeof stats;
  if (getsockopt(a->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0) {
    a->packets += stats.tp_packets;  // includes tp_drops
    a->drops += stats.tp_drops;
  }
  *out = (struct source_counters){.received = a->packets, .drops = a->drops, .starved = SOURCE_UNKNOWN};
}

static bool drained(struct source *s) {
  struct afpacket *a = s->state;
  struct source_counters c;
  afpacket_counters(s, &c);
  return a->walked == c.received - c.drops || clock_monotonic_ns() > a->drain_until_ns;
}

static bool block_ready(const struct afpacket *a) {
  _Atomic uint32_t *status = (_Atomic uint32_t *)&ring_block(a)->hdr.bh1.block_status;
  return atomic_load_explicit(status, memory_order_acquire) & TP_STATUS_USER;
}

static void hand_back(struct afpacket *a) {
  _Atomic uint32_t *status = (_Atomic uint32_t *)&ring_block(a)->hdr.bh1.block_status;
  atomic_store_explicit(status, TP_STATUS_KERNEL, memory_order_release);
  a->holding = false;
  a->at = (a->at + 1) % a->ring_blocks;
}

// Takes the next ring block, waiting for it at most `timeout_ms`.
static bool take_block(struct afpacket *a, int timeout_ms) {
  if (!block_ready(a)) {
    struct pollfd p = {.fd = a->fd, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) > 0 && p.revents & POLLERR) {
      int err;
      socklen_t bytes = sizeof err;
      getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &bytes);  // ENETDOWN: main watches the interface
    }
    if (!block_ready(a)) return false;
  }
  struct tpacket_block_desc *block = ring_block(a);
  a->holding = true;
  a->left = block->hdr.bh1.num_pkts;
  a->next = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
  return true;
}

static void show(const struct tpacket3_hdr *h, struct packet *out) {
  *out = (struct packet){.data = (const uint8_t *)h + h->tp_mac,
                         .ts_ns = h->tp_sec * NS_PER_S + h->tp_nsec,
                         .caplen = h->tp_snaplen,
                         .wirelen = h->tp_len};
  if (h->tp_status & TP_STATUS_VLAN_VALID) {
    out->vlan_tci = (uint16_t)h->hv1.tp_vlan_tci;
    out->vlan_tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
  }
}

static int afpacket_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct afpacket *a = s->state;
  if (a->holding && a->left == 0) hand_back(a);
  if (!a->holding && !take_block(a, timeout_ms)) return a->stopping && drained(s) ? -ENODATA : 0;
  int n = 0;
  for (; n < SOURCE_BATCH && a->left; n++, a->left--) {
    struct tpacket3_hdr *h = (struct tpacket3_hdr *)a->next;
    show(h, &out[n]);
    a->next += h->tp_next_offset;
    __builtin_prefetch(a->next);
  }
  a->walked += (uint64_t)n;
  return n;
}

static void afpacket_stop(struct source *s) {
  struct afpacket *a = s->state;
  bind_to(a, 0);  // unhooks and waits for receivers under way (synchronize_net); fails if the device is gone
  a->stopping = true;
  a->drain_until_ns = clock_monotonic_ns() + DRAIN_PATIENCE_NS;
}

const struct source_ops source_afpacket = {.name = "afpacket",
                                           .open = afpacket_open,
                                           .poll = afpacket_poll,
                                           .stop = afpacket_stop,
                                           .counters = afpacket_counters,
                                           .close = afpacket_close};
