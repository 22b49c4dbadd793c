// What an interface's driver is and can, see nic.h.
#include "nic.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iface.h"
#include "netdev_genl.h"

// --- ethtool ---

static bool ethtool(int fd, const char *interface, void *command) {
  struct ifreq request = {.ifr_data = command};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static enum nic_offload read_flag(int fd, const char *interface, uint32_t command, uint32_t bit) {
  struct ethtool_value value = {.cmd = command};
  if (!ethtool(fd, interface, &value)) return NIC_UNTOLD;
  return value.data & bit ? NIC_ON : NIC_OFF;
}

static uint32_t read_queues(int fd, const char *interface) {
  struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
  uint32_t n = ethtool(fd, interface, &channels) ? channels.rx_count + channels.combined_count : 1;
  return n ? n : 1;
}

static uint32_t read_mtu(int fd, const char *interface) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  return ioctl(fd, SIOCGIFMTU, &request) ? 0 : (uint32_t)request.ifr_mtu;
}

// --- XDP ---

// For kernels before 6.3, which do not tell: drivers that had native XDP (and zero-copy) in Linux 6.1.
static enum nic_xdp known_driver(const char *driver) {
  static const char *const zerocopy[] = {"i40e", "ice", "ixgbe", "igc", "mlx5_core", "stmmaceth", "nfp"};
  static const char *const native[] = {"veth", "virtio_net", "tun", "ena", "hv_netvsc", "igb", "ixgbevf", "mlx4_en",
                                       "bnxt_en", "sfc", "qede", "thunder-nicvf", "mvneta", "dpaa2-eth"};
  for (unsigned i = 0; i < sizeof zerocopy / sizeof *zerocopy; i++)
    if (!strcmp(driver, zerocopy[i])) return NIC_XDP_ZEROCOPY;
  for (unsigned i = 0; i < sizeof native / sizeof *native; i++)
    if (!strcmp(driver, native[i])) return NIC_XDP_NATIVE;
  return NIC_XDP_UNKNOWN;
}

static enum nic_xdp read_xdp(unsigned ifindex, const char *driver) {
  uint64_t features;
  if (netdev_genl_xdp_features(ifindex, &features)) return known_driver(driver);
  if (!(features & NETDEV_XDP_BASIC) || !(features & NETDEV_XDP_REDIRECT)) return NIC_XDP_GENERIC;
  return features & NETDEV_XDP_ZEROCOPY ? NIC_XDP_ZEROCOPY : NIC_XDP_NATIVE;
}

const char *nic_xdp_name(enum nic_xdp xdp) {
  static const char *const names[] = {NULL, "generic", "native", "zerocopy"};
  return names[xdp];
}

void nic_query(const char *interface, unsigned ifindex, struct nic *out) {
  *out = (struct nic){.queues = 1, .gro = NIC_UNTOLD, .lro = NIC_UNTOLD, .rx_vlan = NIC_UNTOLD};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
  if (ethtool(fd, interface, &driver)) snprintf(out->driver, sizeof out->driver, "%.31s", driver.driver);
  out->queues = read_queues(fd, interface);
  out->mtu = read_mtu(fd, interface);
  out->gro = read_flag(fd, interface, ETHTOOL_GGRO, ~0u);
  out->lro = read_flag(fd, interface, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
  out->rx_vlan = read_flag(fd, interface, ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN);
  close(fd);
  out->xdp = read_xdp(ifindex, out->driver);
  if (bpf_xdp_query_id((int)ifindex, 0, &out->xdp_program)) out->xdp_program = 0;
}

// --- who needs it ---

static bool is_link_local(const struct sockaddr *a) {
  const uint8_t *ip = ((const struct sockaddr_in6 *)a)->sin6_addr.s6_addr;
  return a->sa_family == AF_INET6 && ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

static bool has_address(const char *interface, char *why, unsigned bytes) {
  struct ifaddrs *all;
  if (getifaddrs(&all)) return false;
  bool found = false;
  for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
    int family = i->ifa_addr ? i->ifa_addr->sa_family : 0;
    if (strcmp(i->ifa_name, interface) || (family != AF_INET && family != AF_INET6) || is_link_local(i->ifa_addr)) continue;
    char text[INET6_ADDRSTRLEN] = "";
    const void *ip = family == AF_INET ? (const void *)&((struct sockaddr_in *)i->ifa_addr)->sin_addr
                                       : (const void *)&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;
    inet_ntop(family, ip, text, sizeof text);
    snprintf(why, bytes, "has the address %s", text);
    found = true;
  }
  freeifaddrs(all);
  return found;
}

// sysfs shows what is stacked on an interface: a bridge or bond it is a port of, VLANs, macvlans.
static bool has_upper(const char *interface, char *why, unsigned bytes) {
  char path[64];
  snprintf(path, sizeof path, "/sys/class/net/%s", interface);
  DIR *dir = opendir(path);
  if (!dir) return false;
  bool found = false;
  for (struct dirent *entry; !found && (entry = readdir(dir));) {
    found = !strncmp(entry->d_name, "upper_", 6);
    if (found) snprintf(why, bytes, "carries %s", entry->d_name + 6);
  }
  closedir(dir);
  return found;
}

bool nic_in_use(const char *interface, char *why, unsigned bytes) {
  char standard[IF_NAMESIZE];
  if (iface_default(standard) && !strcmp(standard, interface)) {
    snprintf(why, bytes, "has the default route");
    return true;
  }
  return has_address(interface, why, bytes) || has_upper(interface, why, bytes);
}
