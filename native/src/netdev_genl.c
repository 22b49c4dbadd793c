// XDP features by generic netlink, see netdev_genl.h.
#include "netdev_genl.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NETDEV_CMD_DEV_GET = 1, NETDEV_A_DEV_IFINDEX = 1, NETDEV_A_DEV_XDP_FEATURES = 3 };
enum { REPLY_BYTES = 8192 };

struct request {
  struct nlmsghdr h;
  struct genlmsghdr g;
  char attribute[64];
};

// One attribute is all that either question needs. The reply lands in `reply`; its bytes, or -errno.
static int ask(int fd, uint16_t family, uint8_t command, uint16_t type, const void *value, size_t bytes, char *reply) {
  struct request q = {.h = {.nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST}, .g = {.cmd = command, .version = 1}};
  struct nlattr a = {.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + bytes)};
  memcpy(q.attribute, &a, sizeof a);
  memcpy(q.attribute + NLA_HDRLEN, value, bytes);
  q.h.nlmsg_len = (uint32_t)(NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(a.nla_len));
  if (send(fd, &q, q.h.nlmsg_len, 0) < 0) return -errno;
  ssize_t n = recv(fd, reply, REPLY_BYTES, 0);
  if (n < 0) return -errno;
  struct nlmsghdr *h = (struct nlmsghdr *)reply;
  if (!NLMSG_OK(h, (size_t)n)) return -EPROTO;
  if (h->nlmsg_type != NLMSG_ERROR) return (int)h->nlmsg_len;
  int err = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
  return err ? err : -EPROTO;
}

// Copies the payload of attribute `type`; false when it is not there or too short.
static bool find(const char *reply, int bytes, uint16_t type, void *out, size_t want) {
  int at = NLMSG_LENGTH(GENL_HDRLEN);
  while (at + NLA_HDRLEN <= bytes) {
    struct nlattr a;
    memcpy(&a, reply + at, sizeof a);
    if (a.nla_len < NLA_HDRLEN || at + a.nla_len > bytes) return false;
    if ((a.nla_type & NLA_TYPE_MASK) == type && a.nla_len >= NLA_HDRLEN + want) {
      memcpy(out, reply + at + NLA_HDRLEN, want);
      return true;
    }
    at += NLA_ALIGN(a.nla_len);
  }
  return false;
}

static int query(int fd, unsigned ifindex, uint64_t *features) {
  static const char name[] = "netdev";
  char reply[REPLY_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
  uint16_t family;
  int n = ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, name, sizeof name, reply);
  if (n < 0) return n;
  if (!find(reply, n, CTRL_ATTR_FAMILY_ID, &family, sizeof family)) return -EPROTO;
  uint32_t index = ifindex;
  n = ask(fd, family, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &index, sizeof index, reply);
  if (n < 0) return n;
  return find(reply, n, NETDEV_A_DEV_XDP_FEATURES, features, sizeof *features) ? 0 : -EPROTO;
}

int netdev_genl_xdp_features(unsigned ifindex, uint64_t *features) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
  if (fd < 0) return -errno;
  int rc = query(fd, ifindex, features);
  close(fd);
  return rc;
}
