// One question to the kernel's generic netlink family `netdev` (Documentation/netlink/specs/netdev.yaml):
// which XDP features has this interface? Headers of 6.1 lack it, so its numbers are written here.
#ifndef RINGTAP_NETDEV_GENL_H
#define RINGTAP_NETDEV_GENL_H
#include <stdint.h>

// Bits of enum netdev_xdp_act.
enum { NETDEV_XDP_BASIC = 1, NETDEV_XDP_REDIRECT = 2, NETDEV_XDP_ZEROCOPY = 8 };

// 0, or -errno: -ENOENT before Linux 6.3.
int netdev_genl_xdp_features(unsigned ifindex, uint64_t *features);
#endif
