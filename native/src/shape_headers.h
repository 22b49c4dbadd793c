// Where the headers of one packet lie: link, VLAN tags, the outermost IP, its transport. Every read is
// checked against the captured bytes; what is cut or malformed is simply not there. Pure.
#ifndef RINGTAP_SHAPE_HEADERS_H
#define RINGTAP_SHAPE_HEADERS_H
#include "packet.h"

enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ICMPV6 = 58, IP_SCTP = 132 };
enum { TCP_FLAG_FIN = 1, TCP_FLAG_SYN = 2, TCP_FLAG_RST = 4, TCP_FLAG_ACK = 16 };

struct headers {
  uint16_t ethertype;      // behind VLAN tags
  uint8_t ip_version;      // 4, 6, or 0: no IP header, and nothing below is set
  uint8_t protocol;        // of IP, behind IPv6 extension headers
  bool transport;          // a whole TCP, UDP or SCTP header: ports are known
  uint32_t ip_at;          // offsets into the packet's data
  uint32_t payload_at;     // behind all headers that are known
  uint32_t ip_bytes;       // on the wire, without the link layer's padding
  uint32_t payload_bytes;  // on the wire
  const uint8_t *address[2];  // source, destination: 4 or 16 bytes
  uint16_t port[2];
  uint8_t tcp_flags;
  uint32_t tcp_seq;
};

bool headers_known_linktype(uint16_t linktype);
void headers_read(struct headers *h, uint16_t linktype, const struct packet *p);
#endif
