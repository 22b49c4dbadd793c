// Network interfaces: listing, the default one, state and counters by rtnetlink (RFC 3549).
// Main thread only: rtnetlink may wait for the kernel's rtnl lock.
#ifndef RINGTAP_IFACE_H
#define RINGTAP_IFACE_H
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct iface {
  unsigned index;
  char name[IF_NAMESIZE];
  uint16_t arphrd;      // ARPHRD_*
  bool up;              // administratively
  uint64_t rx_dropped;  // rx_dropped + rx_missed_errors of IFLA_STATS64: lost before any ring saw them
};

// 0, or -ENODEV when no interface has this name; with `name` NULL by `index`.
int iface_query(const char *name, unsigned index, struct iface *out);
// LINKTYPE_* for an ARPHRD_*, or -1 for those not supported yet.
int iface_linktype(uint16_t arphrd);
// The interface of the default route (IPv4, then IPv6). False when there is none.
bool iface_default(char name[IF_NAMESIZE]);
// "eth0, lo" into `out`, for error lines.
void iface_names(char *out, size_t bytes);
// One JSON line for each interface: name, index, up, default, linktype, driver, mtu, queues (receiving), gro, lro,
// rxvlan (offloads), xdp ("generic", "native", "zerocopy": the best AF_XDP mode of the driver), xdp_program (id of
// the one attached), in_use (why the machine itself needs what arrives there). null: not told, or none.
int iface_list(FILE *out);
#endif
