// Live capture through the kernel module: /dev/ringtapN, see kmod/uapi/ringtap_uapi.h.
//
// We are one listener: we lease a span of whole pcapng packets in the mapped buffer, show it in place,
// and release it with the next poll; what we lose by being slow is counted for us alone. `received` is
// what the module published since we opened it, plus what its NIC had no descriptor for.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter.h"
#include "pcapng.h"
#include "ringtap_uapi.h"
#include "source.h"

#define DEVICES_MAX 64

struct kmod {
  int fd;
  struct ringtap_info info;
  const uint8_t *data;
  struct ringtap_span span;
  bool holding;
  uint32_t at;  // offset in the span's block
  uint64_t missed_at_open, missed;  // by the NIC; missed stands still once stopped
  bool stopping;
  uint64_t end;  // packets offered to us when stop was asked for
};

// The device whose source is called `name`: an interface or a PCI address.
static bool find_by_source(const char *name, char *path, size_t bytes) {
  for (int i = 0; i < DEVICES_MAX; i++) {
    char attribute[64], source[64] = "";
    snprintf(attribute, sizeof attribute, "/sys/class/ringtap/ringtap%d/source", i);
    FILE *file = fopen(attribute, "re");
    if (!file) continue;
    bool same = fgets(source, sizeof source, file) && (source[strcspn(source, "\n")] = 0, !strcmp(source, name));
    fclose(file);
    if (!same) continue;
    snprintf(path, bytes, "/dev/ringtap%d", i);
    return true;
  }
  return false;
}

static int find_device(const char *name, char *path, size_t bytes, struct failure *f) {
  if (!name) name = "ringtap0";
  if (*name == '/')
    snprintf(path, bytes, "%s", name);
  else if (!strncmp(name, "ringtap", 7))
    snprintf(path, bytes, "/dev/%s", name);
  else if (!find_by_source(name, path, bytes))
    return fail(f, ENODEV, "%s: the module ringtap captures from nothing of this name; load it with netdev=%s or pci=%s",
                name, name, name);
  return 0;
}

static int open_device(struct kmod *k, const char *path, struct failure *f) {
  k->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (k->fd < 0) {
    const char *how = errno == ENOENT  ? "load the module: modprobe ringtap netdev=NAME"
                      : errno == EBUSY ? "too many listeners; load the module with a larger listeners="
                                       : "run as root or: setcap cap_net_raw+ep $(command -v ringtapd)";
    return fail(f, errno, "%s: %s; %s", path, strerror(errno), how);
  }
  if (ioctl(k->fd, RINGTAP_IOC_INFO, &k->info)) return fail(f, errno, "%s: not a ringtap device", path);
  if (k->info.abi_version != RINGTAP_ABI_VERSION)
    return fail(f, EPROTO, "%s: module speaks version %u, ringtapd %u; install the two together", path,
                k->info.abi_version, RINGTAP_ABI_VERSION);
  void *at = mmap(NULL, k->info.data_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, k->fd, RINGTAP_MMAP_DATA);
  if (at == MAP_FAILED) return fail(f, errno, "%s: cannot be mapped: %s", path, strerror(errno));
  k->data = at;
  return 0;
}

// Filter and snaplen belong to the device. While others listen they are not ours to set: ringtapd then
// filters and cuts by itself.
static int set_choices(struct source *s, struct kmod *k, const struct options *o, struct failure *f) {
  uint32_t snaplen = o->snaplen;
  if (ioctl(k->fd, RINGTAP_IOC_SNAPLEN, &snaplen) && errno != EBUSY)
    return fail(f, errno, "%s: snaplen refused: %s", s->interface_name, strerror(errno));
  if (!o->filter[0]) return 0;
  struct filter filter = {0};
  int rc = filter_compile(&filter, o->filter, s->linktype, o->snaplen, f);
  if (rc) return rc;
  // struct bpf_insn and struct sock_filter have one layout, by design of both.
  struct ringtap_filter choice = {.instructions = filter.program.bf_len,
                                  .program = (uintptr_t)filter.program.bf_insns};
  rc = ioctl(k->fd, RINGTAP_IOC_FILTER, &choice);
  int err = errno;
  filter_free(&filter);
  if (rc && err != EBUSY) return fail(f, err, "filter: the kernel refused it: %s; shorten the expression", strerror(err));
  s->filters = rc == 0;
  return 0;
}

static uint64_t nic_missed(const struct ringtap_stats *stats) {
  return stats->nic.missed == RINGTAP_UNKNOWN ? 0 : stats->nic.missed;
}

static void kmod_close(struct source *s) {
  struct kmod *k = s->state;
  if (!k) return;
  if (k->data) munmap((void *)(uintptr_t)k->data, k->info.data_bytes);
  if (k->fd >= 0) close(k->fd);  // releases what we lease
  free(k);
  s->state = NULL;
}

static void describe(struct source *s, const struct kmod *k) {
  snprintf(s->interface_name, sizeof s->interface_name, "%.*s", (int)sizeof k->info.source, k->info.source);
  snprintf(s->description, sizeof s->description, "ringtap module, %.*s; stamps: kernel clock when polled, ns",
           (int)sizeof k->info.backend, k->info.backend);
  s->linktype = (uint16_t)k->info.linktype;
  s->synthetic = !strncmp(k->info.backend, "sim", sizeof k->info.backend);
  if (!strncmp(k->info.backend, "netdev", sizeof k->info.backend)) s->ifindex = if_nametoindex(s->interface_name);
}

static int kmod_open(struct source *s, const struct options *o, struct failure *f) {
  char path[300];
  struct ringtap_stats stats;
  int rc = find_device(o->interface, path, sizeof path, f);
  if (rc) return rc;
  struct kmod *k = calloc(1, sizeof *k);
  if (!k) return fail(f, ENOMEM, "%s: no memory", path);
  k->fd = -1;
  s->state = k;
  rc = open_device(k, path, f);
  if (!rc) {
    describe(s, k);
    rc = set_choices(s, k, o, f);
  }
  if (!rc && ioctl(k->fd, RINGTAP_IOC_STATS, &stats)) rc = fail(f, errno, "%s: %s", path, strerror(errno));
  if (rc) return kmod_close(s), rc;
  k->missed_at_open = nic_missed(&stats);
  return 0;
}

// False when nothing is there yet; k->span is ours otherwise.
static int take(struct kmod *k, int timeout_ms) {
  struct pollfd p = {.fd = k->fd, .events = POLLIN};
  int rc = ioctl(k->fd, RINGTAP_IOC_TAKE, &k->span);
  if (rc && errno == EAGAIN && timeout_ms && poll(&p, 1, timeout_ms) > 0) rc = ioctl(k->fd, RINGTAP_IOC_TAKE, &k->span);
  if (rc) return -errno;
  k->holding = true;
  k->at = k->span.from;
  return 0;
}

static int release(struct kmod *k) {
  k->holding = false;
  return ioctl(k->fd, RINGTAP_IOC_RELEASE, &k->span.slot);
}

// The kernel wrote these bytes and nobody else can: lengths are trusted, as in the ring of AF_PACKET.
static void show(struct kmod *k, struct packet *out) {
  const uint8_t *epb = k->data + (size_t)k->span.slot * k->info.block_bytes + k->at;
  uint32_t head[7];
  memcpy(head, epb, sizeof head);
  *out = (struct packet){.data = epb + sizeof head,
                         .ts_ns = (uint64_t)head[3] << 32 | head[4],
                         .caplen = head[5],
                         .wirelen = head[6]};
  k->at += head[1];
}

static bool drained(const struct kmod *k) {
  struct ringtap_stats stats;
  return ioctl(k->fd, RINGTAP_IOC_STATS, &stats) || stats.listener.delivered + stats.listener.lost >= k->end;
}

static int kmod_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct kmod *k = s->state;
  if (k->holding && k->at == k->span.to && release(k))
    return fail(&s->failure, errno, "%s: release: %s", s->interface_name, strerror(errno));
  if (!k->holding) {
    if (k->stopping && drained(k)) return -ENODATA;
    int rc = take(k, timeout_ms);
    if (rc == -EAGAIN || rc == -EINTR) return 0;
    if (rc == -ENODEV && k->stopping) return -ENODATA;
    if (rc == -ENODEV) return fail(&s->failure, ENODEV, "%s: the capture device is gone", s->interface_name);
    if (rc) return fail(&s->failure, -rc, "%s: %s", s->interface_name, strerror(-rc));
  }
  int n = 0;
  for (; n < SOURCE_BATCH && k->at < k->span.to; n++) show(k, &out[n]);
  return n;
}

static void kmod_stop(struct source *s) {
  struct kmod *k = s->state;
  struct ringtap_stats stats = {0};
  if (ioctl(k->fd, RINGTAP_IOC_STATS, &stats) == 0) {
    k->end = stats.listener.offered;
    k->missed = nic_missed(&stats) - k->missed_at_open;
  }
  k->stopping = true;
}

// After stop the device goes on without us: only what we took or lost counts.
static void kmod_counters(struct source *s, struct source_counters *out) {
  struct kmod *k = s->state;
  struct ringtap_stats stats;
  if (ioctl(k->fd, RINGTAP_IOC_STATS, &stats)) memset(&stats, 0, sizeof stats);
  const struct ringtap_listener_stats *mine = &stats.listener;
  if (!k->stopping) k->missed = nic_missed(&stats) - k->missed_at_open;
  uint64_t offered = k->stopping ? mine->delivered + mine->lost : mine->offered;
  *out = (struct source_counters){
      .received = offered + k->missed, .drops = mine->lost + k->missed, .starved = SOURCE_UNKNOWN};
}

const struct source_ops source_kmod = {.name = "kmod",
                                       .open = kmod_open,
                                       .poll = kmod_poll,
                                       .stop = kmod_stop,
                                       .counters = kmod_counters,
                                       .close = kmod_close};
