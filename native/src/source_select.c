// Which source a run uses, see source_select.h.
#include "source_select.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "constants.h"
#include "live.h"
#include "nic.h"

const char source_names[] = "afpacket, afxdp, dpdk, kmod, file, synth or auto";

static const struct source_ops *const all[] = {&source_afpacket, &source_afxdp, &source_dpdk,
                                               &source_kmod,     &source_file,  &source_synth};
#define XDP_MTU_MAX 3800u  // one page less the headroom and Ethernet's own bytes

enum { SOURCES = sizeof all / sizeof *all };

static const struct source_ops *find(const char *name) {
  for (int i = 0; i < SOURCES; i++)
    if (!strcmp(all[i]->name, name)) return all[i];
  return NULL;
}

bool source_exists(const char *name) { return !strcmp(name, "auto") || find(name); }

static int open_as(struct source *s, struct options *o, const char *name, struct failure *f) {
  o->ring = name;
  *s = (struct source){.ops = find(name)};
  return s->ops->open(s, o, f);
}

// --- auto ---

// Afpacket works everywhere and takes nothing away from the machine. AF_XDP costs less for each packet, but
// it takes the packets: only an interface that the machine does not use itself, as one behind a mirror port
// or a tap, may lose them unasked, and only where the driver does it natively.
static bool may_use_xdp(const struct source *s, const struct nic *nic, char *why, unsigned bytes) {
  char use[96];
  if (s->linktype != RT_LINKTYPE_ETHERNET || !strcmp(s->interface_name, "lo"))
    return snprintf(why, bytes, "it is no Ethernet interface"), false;
  if (nic_in_use(s->interface_name, use, sizeof use))
    return snprintf(why, bytes, "it %s, and AF_XDP would take its packets from the machine", use), false;
  if (nic->xdp_program) return snprintf(why, bytes, "XDP program %u is attached to it", nic->xdp_program), false;
  if (nic->xdp != NIC_XDP_NATIVE && nic->xdp != NIC_XDP_ZEROCOPY)
    return snprintf(why, bytes, "driver %s has no native XDP", nic->driver[0] ? nic->driver : "(unnamed)"), false;
  if (nic->mtu > XDP_MTU_MAX) return snprintf(why, bytes, "its MTU %u is over what AF_XDP takes", nic->mtu), false;
  snprintf(why, bytes, "the machine does not use it, and driver %s has %s XDP", nic->driver, nic_xdp_name(nic->xdp));
  return true;
}

// The module is loaded on purpose, for this very interface.
static bool module_captures(const char *interface) {
  for (int i = 0; i < 64; i++) {
    char path[64], source[64] = "";
    snprintf(path, sizeof path, "/sys/class/ringtap/ringtap%d/source", i);
    FILE *file = fopen(path, "re");
    if (!file) continue;
    bool same = fgets(source, sizeof source, file) && (source[strcspn(source, "\n")] = 0, !strcmp(source, interface));
    fclose(file);
    if (same) return true;
  }
  return false;
}

static int told(struct source *s, int rc, const char *why) {
  if (!rc) log_line("--ring=auto: %s on %s: %s", s->ops->name, s->interface_name, why);
  return rc;
}

static int open_auto(struct source *s, struct options *o, struct failure *f) {
  struct iface iface;
  struct nic nic;
  char name[sizeof s->interface_name], why[300];
  int rc = live_find_interface(s, o, &iface, f);
  if (rc) return rc;
  snprintf(name, sizeof name, "%s", s->interface_name);
  if (module_captures(name)) return told(s, open_as(s, o, "kmod", f), "the module ringtap captures from it");
  nic_query(name, s->ifindex, &nic);
  if (!may_use_xdp(s, &nic, why, sizeof why)) return told(s, open_as(s, o, "afpacket", f), why);
  for (enum nic_xdp mode = nic.xdp; mode >= NIC_XDP_NATIVE; mode--) {
    o->xdp_mode = nic_xdp_name(mode);
    if (!open_as(s, o, "afxdp", f)) return told(s, 0, why);
  }
  snprintf(why, sizeof why, "AF_XDP failed: %.250s", f->text);
  return told(s, open_as(s, o, "afpacket", f), why);
}

int source_open(struct source *s, struct options *o, struct failure *f) {
  return !strcmp(o->ring, "auto") ? open_auto(s, o, f) : open_as(s, o, o->ring, f);
}
