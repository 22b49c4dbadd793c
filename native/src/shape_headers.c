// Where the headers of one packet lie, see shape_headers.h.
#include "shape_headers.h"

#include <string.h>

#include "constants.h"

enum { LINK_NULL = 0, LINK_RAW = 101, LINK_LOOP = 108, LINK_SLL = 113, LINK_SLL2 = 276 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86DD, VLAN_TAGS_MAX = 4, EXTENSIONS_MAX = 8 };

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }
static bool has(const struct packet *p, uint32_t at, uint32_t bytes) {
  return at <= p->caplen && bytes <= p->caplen - at;
}

bool headers_known_linktype(uint16_t linktype) {
  return linktype == RT_LINKTYPE_ETHERNET || linktype == LINK_NULL || linktype == LINK_LOOP || linktype == LINK_RAW ||
         linktype == LINK_SLL || linktype == LINK_SLL2;
}

static bool is_vlan(uint16_t type) { return type == 0x8100 || type == 0x88A8 || type == 0x9100; }

// The version nibble decides where the link layer does not say.
static uint16_t ip_type(const struct packet *p, uint32_t at) {
  uint8_t version = has(p, at, 1) ? p->data[at] >> 4 : 0;
  return version == 4 ? TYPE_IPV4 : version == 6 ? TYPE_IPV6 : 0;
}

// Returns where the network header starts; `*type` is 0 when the link header is cut.
static uint32_t read_link(uint16_t linktype, const struct packet *p, uint16_t *type) {
  uint32_t at = linktype == RT_LINKTYPE_ETHERNET ? 14 : linktype == LINK_SLL ? 16 : linktype == LINK_SLL2 ? 20 : 4;
  if (linktype == LINK_RAW) at = 0;
  *type = 0;
  if (!has(p, 0, at)) return at;
  if (at <= 4) {
    *type = ip_type(p, at);
    return at;
  }
  *type = get16(p->data + (linktype == LINK_SLL2 ? 0 : at - 2));
  for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(*type); i++, at += 4) {
    if (!has(p, at, 4)) return *type = 0, at;
    *type = get16(p->data + at + 2);
  }
  return at;
}

// Lengths below the headers' own or above the wire's are lies of the sender; 0 stands for segments
// that are too long for the field.
static void set_lengths(struct headers *h, const struct packet *p, uint32_t told) {
  uint32_t wire = p->wirelen > h->ip_at ? p->wirelen - h->ip_at : 0;
  h->ip_bytes = told == 0 || told > wire ? wire : told;
}

static bool read_ipv4(struct headers *h, const struct packet *p, uint32_t *at, bool *first) {
  const uint8_t *ip = p->data + h->ip_at;
  if (!has(p, h->ip_at, 20) || ip[0] >> 4 != 4 || (ip[0] & 15) < 5) return false;
  h->protocol = ip[9];
  h->address[0] = ip + 12;
  h->address[1] = ip + 16;
  *first = (get16(ip + 6) & 0x1FFF) == 0;
  *at = h->ip_at + (ip[0] & 15u) * 4;
  set_lengths(h, p, get16(ip + 2));
  return true;
}

static bool is_extension(uint8_t next) { return next == 0 || next == 43 || next == 44 || next == 51 || next == 60; }

static bool read_ipv6(struct headers *h, const struct packet *p, uint32_t *at, bool *first) {
  const uint8_t *ip = p->data + h->ip_at;
  if (!has(p, h->ip_at, 40) || ip[0] >> 4 != 6) return false;
  uint16_t told = get16(ip + 4);
  h->protocol = ip[6];
  h->address[0] = ip + 8;
  h->address[1] = ip + 24;
  *at = h->ip_at + 40;
  set_lengths(h, p, told ? told + 40u : 0);
  for (int i = 0; i < EXTENSIONS_MAX && is_extension(h->protocol) && *first && has(p, *at, 8); i++) {
    const uint8_t *e = p->data + *at;
    if (h->protocol == 44) *first = (get16(e + 2) & 0xFFF8) == 0;
    *at += h->protocol == 44 ? 8 : h->protocol == 51 ? (e[1] + 2u) * 4 : (e[1] + 1u) * 8;  // RFC 8200, RFC 4302
    h->protocol = e[0];
  }
  return true;
}

static void read_transport(struct headers *h, const struct packet *p, uint32_t at) {
  uint32_t least = h->protocol == IP_TCP ? 20 : h->protocol == IP_SCTP ? 12 : 8;
  const uint8_t *t = p->data + at;
  if (!has(p, at, least)) return;
  uint32_t bytes = least;
  if (h->protocol == IP_TCP) {
    bytes = (t[12] >> 4) * 4u;
    if (bytes < 20) return;
    h->tcp_seq = get32(t + 4);
    h->tcp_flags = t[13];
  }
  h->payload_at = at + bytes;
  if (h->protocol == IP_ICMP || h->protocol == IP_ICMPV6) return;
  h->port[0] = get16(t);
  h->port[1] = get16(t + 2);
  h->transport = true;
}

void headers_read(struct headers *h, uint16_t linktype, const struct packet *p) {
  memset(h, 0, sizeof *h);
  bool first = true;  // not a later fragment, which has no transport header
  uint32_t at = 0;
  h->ip_at = read_link(linktype, p, &h->ethertype);
  if (h->ethertype == TYPE_IPV4 && read_ipv4(h, p, &at, &first)) h->ip_version = 4;
  if (h->ethertype == TYPE_IPV6 && read_ipv6(h, p, &at, &first)) h->ip_version = 6;
  if (!h->ip_version) return;
  h->payload_at = at;
  uint8_t l4 = h->protocol;
  bool known = l4 == IP_TCP || l4 == IP_UDP || l4 == IP_SCTP || l4 == IP_ICMP || l4 == IP_ICMPV6;
  if (known && first) read_transport(h, p, at);
  uint32_t before = h->payload_at - h->ip_at;
  h->payload_bytes = h->ip_bytes > before ? h->ip_bytes - before : 0;
}
