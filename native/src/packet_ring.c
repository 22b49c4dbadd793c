// One TPACKET_V3 ring, see packet_ring.h.
#include "packet_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define BLOCK_BYTES_MAX (1u << 20)
#define BLOCK_BYTES_GOOD (1u << 17)  // takes any GSO frame whole
#define BLOCKS_GOOD 64               // one is used up each RETIRE_MS, however few packets come: 64 last 0.6 s

static struct tpacket_block_desc *block_at(const struct packet_ring *r, uint32_t block) {
  return (struct tpacket_block_desc *)(r->map + (size_t)block * r->block_bytes);
}

static int permission(struct failure *f, const char *name, int err) {
  if (err == EPERM || err == EACCES)
    return fail(f, err,
                "%s: no right to capture; run as root or: setcap cap_net_raw,cap_net_admin,cap_ipc_lock+ep "
                "$(command -v ringtapd)",
                name);
  return fail(f, err, "%s: capture socket: %s", name, strerror(err));
}

static int map_ring(struct packet_ring *r, const char *name, uint64_t bytes, struct failure *f) {
  int version = TPACKET_V3;
  if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version))
    return fail(f, errno, "%s: TPACKET_V3: %s; needs Linux 3.2 or newer", name, strerror(errno));
  r->block_bytes = BLOCK_BYTES_MAX;
  while (r->block_bytes > BLOCK_BYTES_GOOD && r->block_bytes > bytes / BLOCKS_GOOD) r->block_bytes /= 2;
  while (r->block_bytes > bytes / 4) r->block_bytes /= 2;
  r->blocks = (uint32_t)(bytes / r->block_bytes);
  struct tpacket_req3 req = {.tp_block_size = r->block_bytes,
                             .tp_block_nr = r->blocks,
                             .tp_frame_size = 2048,
                             .tp_frame_nr = r->block_bytes / 2048 * r->blocks,
                             .tp_retire_blk_tov = RETIRE_MS};
  if (setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req))
    return fail(f, errno, "%s: no ring of %llu KiB: %s; use a smaller -B", name, (unsigned long long)bytes / 1024,
                strerror(errno));
  size_t mapped = (size_t)r->block_bytes * r->blocks;
  r->map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, 0);
  if (r->map == MAP_FAILED) {
    r->map = NULL;
    return fail(f, errno, "%s: ring cannot be mapped: %s; use a smaller -B", name, strerror(errno));
  }
  r->users = calloc(r->blocks, sizeof *r->users);
  return r->users ? 0 : fail(f, ENOMEM, "%s: no memory", name);
}

int packet_ring_open(struct packet_ring *r, const char *name, uint64_t bytes, struct failure *f) {
  r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: nothing arrives before bind
  return r->fd < 0 ? permission(f, name, errno) : map_ring(r, name, bytes, f);
}

void packet_ring_close(struct packet_ring *r) {
  if (r->map) munmap(r->map, (size_t)r->block_bytes * r->blocks);
  if (r->fd >= 0) close(r->fd);
  free(r->users);
}

int packet_ring_filter(struct packet_ring *r, const struct sock_fprog *program) {
  int none = 0;
  if (program) return setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof *program) ? -errno : 0;
  return setsockopt(r->fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) && errno != ENOENT ? -errno : 0;
}

int packet_ring_bind(struct packet_ring *r, unsigned ifindex, uint16_t protocol) {
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)ifindex};
  return bind(r->fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
}

void packet_ring_count(struct packet_ring *r) {
  struct tpacket_stats_v3 stats = {0};
  socklen_t bytes = sizeof stats;
  if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes)) return;
  r->packets += stats.tp_packets;  // includes tp_drops
  r->drops += stats.tp_drops;
}

static _Atomic uint32_t *status_of(struct packet_ring *r, uint32_t block) {
  return (_Atomic uint32_t *)&block_at(r, block)->hdr.bh1.block_status;
}

static bool take_block(struct packet_ring *r) {
  if (atomic_load_explicit(&r->users[r->at], memory_order_acquire)) return false;                            // E
  if (!(atomic_load_explicit(status_of(r, r->at), memory_order_acquire) & TP_STATUS_USER)) return false;     // A
  struct tpacket_block_desc *block = block_at(r, r->at);
  atomic_store_explicit(&r->users[r->at], 2, memory_order_relaxed);
  r->holding = true;
  r->left = block->hdr.bh1.num_pkts;
  r->next = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
  return true;
}

bool packet_ring_ready(struct packet_ring *r) {
  while (!r->left) {
    if (r->holding) {
      r->holding = false;
      packet_ring_leave(r, r->at);
      r->at = r->at + 1 == r->blocks ? 0 : r->at + 1;
    }
    if (!take_block(r)) return false;
  }
  return true;
}

static uint64_t stamp(const struct tpacket3_hdr *h) { return h->tp_sec * NS_PER_S + h->tp_nsec; }

uint64_t packet_ring_peek_ns(const struct packet_ring *r) { return stamp((const struct tpacket3_hdr *)r->next); }

static void show(const struct tpacket3_hdr *h, struct packet *out) {
  *out = (struct packet){
      .data = (const uint8_t *)h + h->tp_mac, .ts_ns = stamp(h), .caplen = h->tp_snaplen, .wirelen = h->tp_len};
  if (h->tp_status & TP_STATUS_VLAN_VALID) {
    out->vlan_tci = (uint16_t)h->hv1.tp_vlan_tci;
    out->vlan_tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
  }
}

int packet_ring_show(struct packet_ring *r, struct packet *out, int most, uint64_t until_ns) {
  int n = 0;
  uint8_t *next = r->next;
  for (; n < most && r->left; n++, r->left--) {
    const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)next;
    show(h, &out[n]);
    if (out[n].ts_ns > until_ns) break;
    next += h->tp_next_offset;
    __builtin_prefetch(next);
  }
  r->next = next;
  r->walked += (uint64_t)n;
  if (n) r->last_ts_ns = out[n - 1].ts_ns;
  return n;
}

uint32_t packet_ring_join(struct packet_ring *r) {
  atomic_fetch_add_explicit(&r->users[r->at], 1, memory_order_relaxed);
  return r->at;
}

void packet_ring_leave(struct packet_ring *r, uint32_t block) {
  if (atomic_fetch_sub_explicit(&r->users[block], 1, memory_order_acq_rel) != 2) return;   // C, D
  atomic_store_explicit(status_of(r, block), TP_STATUS_KERNEL, memory_order_release);      // B
  atomic_store_explicit(&r->users[block], 0, memory_order_release);
}
