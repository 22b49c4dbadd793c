// Network interfaces, see iface.h.
#include "iface.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "constants.h"
#include "ledger.h"
#include "nic.h"

static void read_attributes(struct rtattr *a, int bytes, struct iface *out) {
  for (; RTA_OK(a, bytes); a = RTA_NEXT(a, bytes)) {
    if (a->rta_type == IFLA_IFNAME) {
      snprintf(out->name, sizeof out->name, "%.*s", (int)RTA_PAYLOAD(a), (char *)RTA_DATA(a));
    } else if (a->rta_type == IFLA_STATS64 && RTA_PAYLOAD(a) >= offsetof(struct rtnl_link_stats64, rx_compressed)) {
      struct rtnl_link_stats64 stats = {0};
      size_t have = RTA_PAYLOAD(a);
      memcpy(&stats, RTA_DATA(a), have < sizeof stats ? have : sizeof stats);
      out->rx_dropped = stats.rx_dropped + stats.rx_missed_errors;
    }
  }
}

static int read_reply(int fd, struct iface *out) {
  char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
  ssize_t n;
  do n = recv(fd, buffer, sizeof buffer, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  struct nlmsghdr *h = (struct nlmsghdr *)buffer;
  if (!NLMSG_OK(h, (size_t)n)) return -EPROTO;
  if (h->nlmsg_type == NLMSG_ERROR) {
    int err = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
    return err ? err : -EPROTO;
  }
  if (h->nlmsg_type != RTM_NEWLINK) return -EPROTO;
  struct ifinfomsg *info = NLMSG_DATA(h);
  *out = (struct iface){.index = (unsigned)info->ifi_index, .arphrd = info->ifi_type, .up = info->ifi_flags & IFF_UP};
  read_attributes(IFLA_RTA(info), (int)IFLA_PAYLOAD(h), out);
  return 0;
}

int iface_query(const char *name, unsigned index, struct iface *out) {
  struct {
    struct nlmsghdr h;
    struct ifinfomsg info;
    char attributes[RTA_SPACE(IF_NAMESIZE)];
  } q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.info), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
         .info = {.ifi_family = AF_UNSPEC, .ifi_index = name ? 0 : (int)index}};
  if (name) {
    size_t n = strlen(name) + 1;
    if (n > IF_NAMESIZE || n == 1) return -ENODEV;
    struct rtattr *a = (struct rtattr *)q.attributes;
    a->rta_type = IFLA_IFNAME;
    a->rta_len = (unsigned short)RTA_LENGTH(n);
    memcpy(RTA_DATA(a), name, n);
    q.h.nlmsg_len = NLMSG_ALIGN(q.h.nlmsg_len) + a->rta_len;
  }
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  int rc = send(fd, &q, q.h.nlmsg_len, 0) < 0 ? -errno : read_reply(fd, out);
  close(fd);
  return rc;
}

int iface_linktype(uint16_t arphrd) {
  switch (arphrd) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return RT_LINKTYPE_ETHERNET;
    case ARPHRD_NONE:   // tun, WireGuard
    case ARPHRD_RAWIP:
      return RT_LINKTYPE_RAW;
    default:
      return -1;
  }
}

// /proc/net/route: name, destination, gateway, flags, ... in hex; /proc/net/ipv6_route ends in the name.
static bool default_v4(char name[IF_NAMESIZE]) {
  FILE *file = fopen("/proc/net/route", "re");
  if (!file) return false;
  char line[512];
  bool found = false;
  while (!found && fgets(line, sizeof line, file)) {
    unsigned destination, mask;
    found = sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) == 3 && !destination && !mask;
  }
  fclose(file);
  return found;
}

static bool default_v6(char name[IF_NAMESIZE]) {
  FILE *file = fopen("/proc/net/ipv6_route", "re");
  if (!file) return false;
  char line[512], destination[40];
  unsigned length;
  bool found = false;
  while (!found && fgets(line, sizeof line, file))
    found = sscanf(line, "%39s %x %*s %*x %*s %*x %*x %*x %*x %15s", destination, &length, name) == 3 && !length &&
            strspn(destination, "0") == 32 && strcmp(name, "lo");
  fclose(file);
  return found;
}

bool iface_default(char name[IF_NAMESIZE]) { return default_v4(name) || default_v6(name); }

void iface_names(char *out, size_t bytes) {
  struct if_nameindex *all = if_nameindex();
  size_t n = 0;
  out[0] = 0;
  for (struct if_nameindex *i = all; i && i->if_index; i++) {
    int len = snprintf(out + n, bytes - n, "%s%s", n ? ", " : "", i->if_name);
    if (len < 0 || (size_t)len >= bytes - n) break;
    n += (size_t)len;
  }
  if (all) if_freenameindex(all);
}

// --- the list ---

static void print_count(FILE *out, const char *key, uint32_t n, bool known) {
  fprintf(out, known ? ",\"%s\":%u" : ",\"%s\":null", key, n);
}

static void print_text(FILE *out, const char *key, const char *text) {
  char quoted[256];
  if (text && text[0] && json_string(quoted, sizeof quoted, text))
    fprintf(out, ",\"%s\":%s", key, quoted);
  else
    fprintf(out, ",\"%s\":null", key);
}

static void print_offload(FILE *out, const char *key, enum nic_offload o) {
  fprintf(out, ",\"%s\":%s", key, o == NIC_UNTOLD ? "null" : o == NIC_ON ? "true" : "false");
}

static void list_one(FILE *out, const struct iface *info, bool standard) {
  char name[2 * IF_NAMESIZE + 8], use[96] = "";
  struct nic nic;
  int linktype = iface_linktype(info->arphrd);
  nic_query(info->name, info->index, &nic);
  nic_in_use(info->name, use, sizeof use);
  json_string(name, sizeof name, info->name);
  fprintf(out, "{\"name\":%s,\"index\":%u,\"up\":%s,\"default\":%s", name, info->index, info->up ? "true" : "false",
          standard ? "true" : "false");
  print_count(out, "linktype", (uint32_t)linktype, linktype >= 0);
  print_text(out, "driver", nic.driver);
  print_count(out, "mtu", nic.mtu, nic.mtu > 0);
  print_count(out, "queues", nic.queues, true);
  print_offload(out, "gro", nic.gro);
  print_offload(out, "lro", nic.lro);
  print_offload(out, "rxvlan", nic.rx_vlan);
  print_text(out, "xdp", nic_xdp_name(nic.xdp));
  print_count(out, "xdp_program", nic.xdp_program, nic.xdp_program > 0);
  print_text(out, "in_use", use);
  fprintf(out, "}\n");
}

int iface_list(FILE *out) {
  char standard[IF_NAMESIZE];
  if (!iface_default(standard)) standard[0] = 0;
  struct if_nameindex *all = if_nameindex();
  if (!all) return -errno;
  for (struct if_nameindex *i = all; i->if_index; i++) {
    struct iface info;
    if (iface_query(i->if_name, 0, &info)) continue;
    list_one(out, &info, !strcmp(info.name, standard));
  }
  if_freenameindex(all);
  return 0;
}
