// Live capture: DPDK, as the plugin that source_dpdk.c loads. One port, one receive queue, polled.
//
// DPDK owns the NIC (or a virtual device), copies nothing and calls nobody back: we ask for bursts of mbufs,
// show them, and free them when a worker has released them. Freeing is left to the poller, so that the
// mempool has a single user and needs no registered thread.
//
// EAL is started once in a process. It would pin the calling thread, write its log to stderr and, told
// nonsense, its usage to stdout: all three are kept away from the rest of ringtapd.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef NS_PER_S  // rte_cycles.h has one of its own
#include "clock.h"
#include "constants.h"
#include "leases.h"
#include "source.h"

#define ARGS_MAX 64
#define DESCRIPTORS 4096u  // of the receive queue, or as many as the driver allows
#define MBUF_CACHE 256u
#define FRAME_BYTES_MIN 2048u
#define LINK_BYTES 26u            // Ethernet, two VLAN tags and the checksum, which the MTU does not count
#define SPINS 64                  // empty bursts before the first nap
#define NAP_NS 20000ull
#define ETHERTYPE_VLAN 0x8100

struct lease {
  uint32_t count;
  struct rte_mbuf *mbuf[SOURCE_BATCH];
};

struct dpdk {
  uint16_t port;
  bool started, stopping;
  uint32_t descriptors;  // of the receive queue
  uint32_t to_drain;     // once stopping: what it may still hold
  bool mute;  // its driver does not count what it loses
  struct rte_mempool *mempool;
  struct rte_eth_stats at_start, last;
  uint64_t walked, unreadable;
  struct leases leases;
  struct lease lease[LEASES_MAX];
};

// --- EAL ---

// What EAL says while it starts: shown with -v, and the last line that is no mere summary is the cause when it
// fails.
static char eal_log[8192], eal_said[256];

static ssize_t keep_line(void *cookie, const char *text, size_t bytes) {
  (void)cookie;
  size_t have = strlen(eal_log);
  snprintf(eal_log + have, sizeof eal_log - have, "%.*s", (int)bytes, text);
  return (ssize_t)bytes;
}

static void read_log(void) {
  static const char *const summaries[] = {"Detected", "Invalid 'command line'", "Cannot init", "FATAL", "bus scan"};
  for (char *line = strtok(eal_log, "\n"); line; line = strtok(NULL, "\n")) {
    log_verbose("dpdk: %s", line);
    bool summary = false;
    for (size_t i = 0; i < sizeof summaries / sizeof *summaries; i++) summary |= strstr(line, summaries[i]) != NULL;
    if (!summary) snprintf(eal_said, sizeof eal_said, "%.*s", (int)sizeof eal_said - 1, line);
  }
}

// Splits in place; an argument with spaces cannot be written, which none of EAL's needs.
static int split(char *text, char **argv) {
  int argc = 1;
  argv[0] = (char *)"ringtapd";
  for (char *word = strtok(text, " \t\n"); word; word = strtok(NULL, " \t\n")) {
    if (argc == ARGS_MAX - 4) return -1;
    argv[argc++] = word;
  }
  return argc;
}

static bool given(int argc, char **argv, const char *option) {
  for (int i = 1; i < argc; i++)
    if (!strncmp(argv[i], option, strlen(option))) return true;
  return false;
}

// Points `fd` at /dev/null; gives a copy of what it was, for look_back.
static int look_away(int fd) {
  int was = dup(fd), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, fd), close(nowhere);
  return was;
}

static void look_back(int fd, int was) {
  if (was >= 0) dup2(was, fd), close(was);
}

// Runs rte_eal_init with stdout, which may be our pcapng stream, and stderr pointing away.
static int init_quietly(int argc, char **argv) {
  cpu_set_t cpus;
  bool known = pthread_getaffinity_np(pthread_self(), sizeof cpus, &cpus) == 0;
  fflush(stdout);
  int out = look_away(STDOUT_FILENO), err = look_away(STDERR_FILENO);
  int rc = rte_eal_init(argc, argv) < 0 ? -rte_errno : 0;
  fflush(stdout);
  look_back(STDOUT_FILENO, out);
  look_back(STDERR_FILENO, err);
  if (known) pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
  return rc;
}

static int start_eal(const char *args, struct failure *f) {
  static char text[4096];
  static char *argv[ARGS_MAX];
  if (strlen(args) >= sizeof text) return fail(f, 0, "--dpdk-args: over %zu bytes", sizeof text - 1);
  strcpy(text, args);
  int argc = split(text, argv);
  if (argc < 0) return fail(f, 0, "--dpdk-args: over %d words", ARGS_MAX - 5);
  // Nothing shared with other DPDK processes unless asked for: several ringtapd may run.
  bool shares = given(argc, argv, "--in-memory") || given(argc, argv, "--file-prefix") || given(argc, argv, "--proc-type");
  const char *alone = given(argc, argv, "--no-huge") ? "--no-shconf" : "--in-memory";
  if (!shares) argv[argc++] = (char *)(uintptr_t)alone;
  argv[argc++] = (char *)"--no-telemetry";
  // Who names a virtual device and no NIC does not want DPDK to look at the machine's own NICs.
  bool nics = given(argc, argv, "-a") || given(argc, argv, "--allow") || given(argc, argv, "--no-pci");
  if (given(argc, argv, "--vdev") && !nics) argv[argc++] = (char *)"--no-pci";
  cookie_io_functions_t io = {.write = keep_line};
  FILE *log = fopencookie(NULL, "w", io);
  if (log) setvbuf(log, NULL, _IOLBF, 0), rte_openlog_stream(log);
  int rc = init_quietly(argc, argv);
  read_log();
  if (rc == -EALREADY) return fail(f, EALREADY, "dpdk: started twice");
  if (rc == -EINVAL && !eal_said[0]) return fail(f, EINVAL, "--dpdk-args: \"%s\": refused; see the EAL's options", args);
  if (rc)
    return fail(f, -rc, "dpdk: %s; reserve hugepages (sysctl vm.nr_hugepages=512) or try --dpdk-args '--no-huge -m 512 "
                        "--vdev=net_af_packet0,iface=NAME'", eal_said[0] ? eal_said : strerror(-rc));
  return 0;
}

// --- the port ---

static void list_ports(char *out, size_t bytes) {
  uint16_t port;
  size_t n = 0;
  out[0] = 0;
  RTE_ETH_FOREACH_DEV(port) {
    char name[RTE_ETH_NAME_MAX_LEN] = "?";
    rte_eth_dev_get_name_by_port(port, name);
    int len = snprintf(out + n, bytes - n, "%s%s", n ? ", " : "", name);
    if (len < 0 || (size_t)len >= bytes - n) break;
    n += (size_t)len;
  }
}

// By DPDK's name of it (a PCI address, a vdev) or the kernel's; without a name the first there is.
static int find_port(struct dpdk *d, const char *name, struct failure *f) {
  char known[256];
  uint16_t port;
  list_ports(known, sizeof known);
  if (!known[0])
    return fail(f, ENODEV, "dpdk: no port; bind a NIC to vfio-pci (dpdk-devbind.py) or give --dpdk-args --vdev=...");
  RTE_ETH_FOREACH_DEV(port) {
    struct rte_eth_dev_info info = {0};
    char own[RTE_ETH_NAME_MAX_LEN] = "", kernel[IF_NAMESIZE] = "";
    rte_eth_dev_get_name_by_port(port, own);
    if (rte_eth_dev_info_get(port, &info) == 0 && info.if_index) if_indextoname(info.if_index, kernel);
    if (name && strcmp(name, own) && strcmp(name, kernel)) continue;
    d->port = port;
    return 0;
  }
  return fail(f, ENODEV, "%s: no such DPDK port; there are: %s", name, known);
}

// Virtual devices whose driver in DPDK 22.11 leaves imissed at 0 whatever the kernel below dropped.
static bool is_mute(const char *driver) {
  static const char *const mute[] = {"net_af_packet", "net_tap", "net_virtio_user", "net_vhost", "net_memif"};
  for (size_t i = 0; i < sizeof mute / sizeof *mute; i++)
    if (!strcmp(driver, mute[i])) return true;
  return false;
}

static int wrong(const struct source *s, const char *what, int rc, struct failure *f) {
  return fail(f, rc < 0 ? -rc : EIO, "%s: dpdk: %s: %s", s->interface_name, what, strerror(rc < 0 ? -rc : EIO));
}

// Every packet fits into one mbuf, so that one view shows it whole.
static int make_mempool(struct dpdk *d, const struct source *s, uint64_t ring_bytes, struct failure *f) {
  uint16_t mtu = 1500;
  rte_eth_dev_get_mtu(d->port, &mtu);
  uint32_t room = mtu + LINK_BYTES < FRAME_BYTES_MIN ? FRAME_BYTES_MIN : mtu + LINK_BYTES;
  room = RTE_MIN(room, UINT16_MAX - RTE_PKTMBUF_HEADROOM) + RTE_PKTMBUF_HEADROOM;
  uint64_t count = ring_bytes / (room + sizeof(struct rte_mbuf)), least = d->descriptors + 4 * SOURCE_BATCH;
  if (count < least) count = least;
  d->mempool = rte_pktmbuf_pool_create("ringtap", (unsigned)count, MBUF_CACHE, 0, (uint16_t)room, SOCKET_ID_ANY);
  if (d->mempool) return 0;
  return fail(f, rte_errno, "%s: dpdk: no memory for %llu packets: %s; use a smaller -B, or more with --dpdk-args '-m MB'",
              s->interface_name, (unsigned long long)count, rte_strerror(rte_errno));
}

static int start_port(struct dpdk *d, struct source *s, const struct options *o, struct failure *f) {
  struct rte_eth_dev_info info = {0};
  struct rte_eth_conf conf = {0};  // no offload: VLAN tags stay in place, frames come as they were sent
  uint16_t rx = DESCRIPTORS, tx = 512;
  int rc = rte_eth_dev_info_get(d->port, &info);
  if (rc) return wrong(s, "device", rc, f);
  d->mute = is_mute(info.driver_name);
  s->ifindex = info.if_index;
  // Some drivers insist on a transmit queue.
  rc = rte_eth_dev_configure(d->port, 1, 1, &conf);
  if (!rc) rc = rte_eth_dev_adjust_nb_rx_tx_desc(d->port, &rx, &tx);
  if (rc) return wrong(s, "configure", rc, f);
  d->descriptors = rx;
  rc = make_mempool(d, s, o->ring_bytes, f);
  if (rc) return rc;
  int socket_id = rte_eth_dev_socket_id(d->port);
  rc = rte_eth_rx_queue_setup(d->port, 0, rx, (unsigned)socket_id, NULL, d->mempool);
  if (!rc) rc = rte_eth_tx_queue_setup(d->port, 0, tx, (unsigned)socket_id, NULL);
  if (rc) return wrong(s, "queue", rc, f);
  rc = rte_eth_dev_start(d->port);
  if (rc) return wrong(s, "start", rc, f);
  d->started = true;
  if (rte_eth_promiscuous_enable(d->port))
    log_line("%s: dpdk: not promiscuous; only its own traffic is seen", s->interface_name);
  snprintf(s->description, sizeof s->description, "DPDK %.40s; stamps: system clock when polled, ns", info.driver_name);
  return 0;
}

static void dpdk_close(struct source *s) {
  struct dpdk *d = s->state;
  if (!d) return;
  if (d->started) rte_eth_dev_stop(d->port);
  rte_eth_dev_close(d->port);
  if (d->mempool) rte_mempool_free(d->mempool);
  free(d);
  s->state = NULL;
  rte_eal_cleanup();
}

static int dpdk_open(struct source *s, const struct options *o, struct failure *f) {
  int rc = start_eal(o->dpdk_args ? o->dpdk_args : "", f);
  if (rc) return rc;
  struct dpdk *d = calloc(1, sizeof *d);
  if (!d) return fail(f, ENOMEM, "dpdk: no memory");
  rc = find_port(d, o->interface, f);
  if (rc) return free(d), rc;
  s->state = d;
  char name[RTE_ETH_NAME_MAX_LEN];
  rte_eth_dev_get_name_by_port(d->port, name);
  snprintf(s->interface_name, sizeof s->interface_name, "%.63s", o->interface ? o->interface : name);
  s->linktype = RT_LINKTYPE_ETHERNET;
  rc = start_port(d, s, o, f);
  if (rc) return dpdk_close(s), rc;
  uint32_t leases = rte_mempool_avail_count(d->mempool) / (2 * SOURCE_BATCH);
  d->leases.count = s->outstanding_max = leases < 2 ? 2 : leases > LEASES_MAX ? LEASES_MAX : leases;
  rte_eth_stats_get(d->port, &d->at_start);
  d->last = d->at_start;
  if (d->mute)
    log_line("%s: dpdk: this driver does not count what it loses; ring_drops is unknown", s->interface_name);
  return 0;
}

// --- running ---

static void take_back(struct dpdk *d) {
  for (uint64_t back = leases_back(&d->leases); back; back &= back - 1) {
    struct lease *l = &d->lease[__builtin_ctzll(back)];
    rte_pktmbuf_free_bulk(l->mbuf, l->count);
  }
}

// Polling is what DPDK is; but a thread that finds nothing for a while naps, as the descriptors last longer.
static uint16_t burst(struct dpdk *d, struct rte_mbuf **out, int timeout_ms) {
  uint64_t until_ns = 0;
  for (int spins = 0;; spins++) {
    uint16_t n = rte_eth_rx_burst(d->port, 0, out, SOURCE_BATCH);
    if (n || d->stopping) return n;
    if (spins < SPINS) continue;
    uint64_t now_ns = clock_monotonic_ns();
    if (!until_ns) until_ns = now_ns + (uint64_t)timeout_ms * NS_PER_MS;
    if (now_ns >= until_ns) return 0;
    clock_sleep_ns(NAP_NS);
  }
}

static bool show(struct rte_mbuf *m, uint64_t ts_ns, struct packet *out) {
  if (m->nb_segs > 1 && rte_pktmbuf_linearize(m)) return false;
  *out = (struct packet){.data = rte_pktmbuf_mtod(m, const uint8_t *), .ts_ns = ts_ns, .caplen = m->data_len,
                         .wirelen = m->pkt_len};
  if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
    out->vlan_tpid = ETHERTYPE_VLAN;
    out->vlan_tci = m->vlan_tci;
  }
  return true;
}

static int dpdk_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct dpdk *d = s->state;
  take_back(d);
  uint32_t lease = leases_next(&d->leases);
  if (lease == d->leases.count) {  // the workers are behind; frames gather in the ring meanwhile
    clock_sleep_ns(NAP_NS);
    return 0;
  }
  struct rte_mbuf *mbufs[SOURCE_BATCH];
  if (d->stopping && !d->to_drain) return -ENODATA;
  uint16_t n = burst(d, mbufs, timeout_ms);
  if (!n) return d->stopping ? -ENODATA : 0;
  if (d->stopping) d->to_drain -= RTE_MIN(d->to_drain, n);
  struct lease *l = &d->lease[lease];
  uint64_t ts_ns = clock_realtime_ns();
  int shown = 0;
  l->count = n;
  memcpy(l->mbuf, mbufs, n * sizeof *mbufs);
  for (uint16_t i = 0; i < n; i++) shown += show(mbufs[i], ts_ns, &out[shown]);
  d->walked += (uint64_t)shown;
  d->unreadable += (uint64_t)(n - shown);
  s->ticket = leases_take(&d->leases, lease);
  if (!shown) leases_give(&d->leases, s->ticket);
  return shown;
}

static void dpdk_release(struct source *s, uint64_t ticket) { leases_give(&((struct dpdk *)s->state)->leases, ticket); }

// The port receives until it is closed, so the end is what its ring may hold now. The counters of loss stand
// still from here.
static void dpdk_stop(struct source *s) {
  struct dpdk *d = s->state;
  rte_eth_stats_get(d->port, &d->last);
  d->stopping = true;
  d->to_drain = d->descriptors;
}

static void dpdk_counters(struct source *s, struct source_counters *out) {
  struct dpdk *d = s->state;
  if (!d->stopping) rte_eth_stats_get(d->port, &d->last);
  const struct rte_eth_stats *now = &d->last, *then = &d->at_start;
  uint64_t drops = d->unreadable + (now->imissed - then->imissed) + (now->ierrors - then->ierrors) +
                   (now->rx_nombuf - then->rx_nombuf);
  *out = (struct source_counters){.received = d->walked + (d->mute ? 0 : drops),
                                  .drops = d->mute ? SOURCE_UNKNOWN : drops,
                                  .starved = now->rx_nombuf - then->rx_nombuf};
}

__attribute__((visibility("default"))) const struct source_ops source_dpdk_plugin = {.name = "dpdk",
                                                                                       .open = dpdk_open,
                                                                                       .poll = dpdk_poll,
                                                                                       .release = dpdk_release,
                                                                                       .stop = dpdk_stop,
                                                                                       .counters = dpdk_counters,
                                                                                       .close = dpdk_close};
