// The tests' traffic generator: numbered UDP frames on an interface by sendmmsg, paced, past the
// queueing discipline. Prints how many the kernel took. Never part of the product.
// usage: rtgen IFACE COUNT PPS SIZE [VLAN]   (PPS 0: unpaced; frame i carries i, big endian, at byte 42/46)
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SIZE_MAX_BYTES = 9216 };

static double now_s(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// Ethernet, perhaps 802.1Q, IPv4, UDP to the discard port; returns where the number goes.
static size_t build(unsigned char *f, size_t size, int vlan) {
  memset(f, 'x', size);
  memcpy(f, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
  size_t at = 12;
  if (vlan) {
    f[at++] = 0x81, f[at++] = 0x00;
    f[at++] = (unsigned char)(vlan >> 8), f[at++] = (unsigned char)vlan;
  }
  f[at++] = 0x08, f[at++] = 0x00;
  unsigned char *ip = f + at;
  unsigned short total = htons((unsigned short)(size - at)), udp = htons((unsigned short)(size - at - 20));
  memcpy(ip, "\x45\0\0\0\0\0\x40\0\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02", 20);
  memcpy(ip + 2, &total, 2);
  unsigned sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (unsigned)ip[i] << 8 | ip[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  ip[10] = (unsigned char)(~sum >> 8), ip[11] = (unsigned char)~sum;
  memcpy(ip + 20, "\x9c\x40\0\x09\0\0\0\0", 8);  // 40000 -> 9, no UDP checksum
  memcpy(ip + 24, &udp, 2);
  return at + 28;
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: rtgen IFACE COUNT PPS SIZE [VLAN]\n"), 2;
  unsigned long count = strtoul(argv[2], NULL, 10), sent = 0;
  double pps = atof(argv[3]);
  size_t size = strtoul(argv[4], NULL, 10);
  if (size < 60 || size > SIZE_MAX_BYTES) return fprintf(stderr, "rtgen: SIZE is 60 to %d\n", SIZE_MAX_BYTES), 2;
  int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
  if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to)) return perror("rtgen"), 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  static unsigned char frames[BATCH][SIZE_MAX_BYTES];
  struct iovec iov[BATCH];
  struct mmsghdr messages[BATCH] = {0};
  size_t number_at = 0;
  for (int i = 0; i < BATCH; i++) {
    number_at = build(frames[i], size, argc > 5 ? atoi(argv[5]) : 0);
    iov[i] = (struct iovec){frames[i], size};
    messages[i].msg_hdr.msg_iov = &iov[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  double start = now_s();
  while (sent < count) {
    unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
    for (unsigned i = 0; i < n; i++) {
      unsigned number = htonl((unsigned)(sent + i));
      memcpy(frames[i] + number_at, &number, 4);
    }
    if (pps > 0)
      while ((now_s() - start) * pps < (double)sent) continue;
    int done = sendmmsg(fd, messages, n, 0);
    if (done < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) return perror("rtgen: sendmmsg"), 1;
    sent += done > 0 ? (unsigned long)done : 0;
  }
  printf("%lu\n", sent);
  return 0;
}
