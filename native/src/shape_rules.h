// The rules of --slice: what to keep of which packets. Parsed once, then read only.
//
//   RULES  = RULE[,RULE...]      the first rule that matches decides; none: the packet stays whole
//   RULE   = MATCH=KEEP
//   MATCH  = any | ip | ip6 | arp | icmp | tls | tcp | udp | sctp   of the outermost IP, behind VLAN tags
//          | tcp/PORTS | udp/PORTS | sctp/PORTS | port PORTS        either end's port; PORTS = N or N-M
//   KEEP   = full | BYTES        from the start of the frame
//          | headers | headers+BYTES   up to the end of the transport header, and so much payload
//          | handshake           tls only: whole records up to application data, of that one header
#ifndef RINGTAP_SHAPE_RULES_H
#define RINGTAP_SHAPE_RULES_H
#include "log.h"
#include "shape_headers.h"

enum { RULES_MAX = 32 };

struct slice_rule {
  enum { MATCH_ANY, MATCH_IP, MATCH_IP6, MATCH_ARP, MATCH_ICMP, MATCH_TLS, MATCH_TCP, MATCH_UDP, MATCH_SCTP, MATCH_PORT } match;
  enum { KEEP_FULL, KEEP_BYTES, KEEP_HEADERS, KEEP_HANDSHAKE } keep;
  bool ports;  // only these
  uint16_t port_first, port_last;
  uint32_t bytes;  // of KEEP_BYTES and KEEP_HEADERS
};

struct slice_rules {
  struct slice_rule rule[RULES_MAX];
  int count;
  bool tls;     // some rule needs to know TLS
  bool headers;  // some rule needs more than the packet's length
};

int slice_parse(struct slice_rules *rules, const char *text, struct failure *f);
// Bytes of `p->data` to keep, at most p->caplen. `tls_known`: the packet belongs to TLS, and a handshake
// rule keeps `tls_keep` bytes of its payload.
uint32_t slice_keep(const struct slice_rules *rules, const struct packet *p, const struct headers *h, bool tls_known,
                    uint32_t tls_keep);
#endif
