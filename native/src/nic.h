// What an interface's driver is and can, as far as the kernel tells cheaply: ethtool ioctls and the `netdev`
// netlink family (Linux 6.3 and newer). Nothing is changed here. Main thread, start-up only.
#ifndef RINGTAP_NIC_H
#define RINGTAP_NIC_H
#include <stdbool.h>
#include <stdint.h>

// How AF_XDP can take packets from it, the best of them.
enum nic_xdp { NIC_XDP_UNKNOWN, NIC_XDP_GENERIC, NIC_XDP_NATIVE, NIC_XDP_ZEROCOPY };
// An offload: -1 the driver does not tell.
enum nic_offload { NIC_UNTOLD = -1, NIC_OFF, NIC_ON };

struct nic {
  char driver[32];  // "" when not told
  uint32_t mtu;     // 0 when not told
  uint32_t queues;  // receiving ones now in use; at least 1
  enum nic_offload gro, lro, rx_vlan;
  enum nic_xdp xdp;
  uint32_t xdp_program;  // id of the program attached now, 0: none
};

void nic_query(const char *interface, unsigned ifindex, struct nic *out);
const char *nic_xdp_name(enum nic_xdp xdp);  // NULL when unknown

// Why the machine itself needs what arrives on this interface ("has the address 10.0.0.5"); false when
// nothing says so. Addresses that the kernel gives every link (fe80::) do not count.
bool nic_in_use(const char *interface, char *why, unsigned bytes);
#endif
