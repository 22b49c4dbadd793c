// Builds checksummed Ethernet frames, see frame_build.h.
#include "frame_build.h"

#include <string.h>

#include "packet.h"

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58 };

// Payload text, long enough to start anywhere in the alphabet.
static uint8_t pattern[65536 + 26];
__attribute__((constructor)) static void pattern_fill(void) {
  for (uint32_t i = 0; i < sizeof pattern; i++) pattern[i] = (uint8_t)('a' + i % 26);
}

static uint8_t *put8(uint8_t *p, uint8_t v) { return *p = v, p + 1; }
static uint8_t *put16(uint8_t *p, uint32_t v) { return put8(put8(p, (uint8_t)(v >> 8)), (uint8_t)v); }
static uint8_t *put32(uint8_t *p, uint32_t v) { return put16(put16(p, v >> 16), v & 0xffff); }

// Internet checksum (RFC 1071) over an even offset, on top of `sum`.
static uint32_t add_words(uint32_t sum, const uint8_t *p, uint32_t bytes) {
  uint64_t wide = sum;
  for (; bytes >= 2; bytes -= 2, p += 2) wide += (uint32_t)p[0] << 8 | p[1];
  if (bytes) wide += (uint32_t)p[0] << 8;
  while (wide >> 16) wide = (wide & 0xffff) + (wide >> 16);
  return (uint32_t)wide;
}

static void put_checksum(uint8_t *at, uint32_t sum) { put16(at, ~sum & 0xffff); }

static uint8_t *put_mac(uint8_t *p, uint32_t host) { return put32(put16(p, 0x0200), host); }

static uint8_t *put_ethernet(uint8_t *p, const struct frame_spec *s, uint16_t ethertype) {
  if (s->kind == FRAME_ARP && !s->reply)
    p = put32(put16(p, 0xffff), 0xffffffff);
  else
    p = put_mac(p, s->dst);
  p = put_mac(p, s->src);
  if (s->vlan_id) p = put16(put16(p, 0x8100), s->vlan_id);
  return put16(p, ethertype);
}

static uint32_t l4_bytes(const struct frame_spec *s) { return s->kind == FRAME_TCP ? 20 : 8; }

static uint8_t ip_protocol(const struct frame_spec *s) {
  if (s->kind == FRAME_TCP) return PROTO_TCP;
  if (s->kind == FRAME_UDP) return PROTO_UDP;
  return s->ipv6 ? PROTO_ICMPV6 : PROTO_ICMP;
}

uint32_t frame_headers_bytes(const struct frame_spec *s) {
  uint32_t link = 14 + (s->vlan_id ? VLAN_TAG_BYTES : 0);
  if (s->kind == FRAME_ARP) return link + 28;
  return link + (s->ipv6 ? 40 : 20) + l4_bytes(s);
}

static uint8_t *put_arp(uint8_t *p, const struct frame_spec *s) {
  p = put32(p, 0x00010800);  // Ethernet, IPv4
  p = put16(put16(p, 0x0604), s->reply ? 2 : 1);
  p = put32(put_mac(p, s->src), 0x0a000000 | s->src);
  if (!s->reply) {
    memset(p, 0, 6);
    return put32(p + 6, 0x0a000000 | s->dst);
  }
  return put32(put_mac(p, s->dst), 0x0a000000 | s->dst);
}

static uint8_t *put_ipv4(uint8_t *p, const struct frame_spec *s) {
  uint8_t *ip = p;
  p = put16(put16(p, 0x4500), 20 + l4_bytes(s) + s->payload_bytes);
  p = put16(put16(p, s->ip_id), 0x4000);
  p = put16(put8(put8(p, 64), ip_protocol(s)), 0);
  p = put32(put32(p, 0x0a000000 | s->src), 0x0a000000 | s->dst);
  put_checksum(ip + 10, add_words(0, ip, 20));
  return p;
}

static uint8_t *put_ipv6(uint8_t *p, const struct frame_spec *s) {
  p = put16(put32(p, 0x60000000), l4_bytes(s) + s->payload_bytes);
  p = put8(put8(p, ip_protocol(s)), 64);
  for (int i = 0; i < 2; i++) p = put32(put32(put32(put32(p, 0xfd000000), 0), 0), i ? s->dst : s->src);
  return p;
}

static uint8_t *put_l4(uint8_t *p, const struct frame_spec *s, uint32_t *checksum_at) {
  if (s->kind == FRAME_TCP) {
    p = put32(put32(put16(put16(p, s->src_port), s->dst_port), s->seq), s->ack);
    p = put16(put8(put8(p, 5 << 4), s->tcp_flags), 64240);
    *checksum_at = 16;
    return put32(p, 0);
  }
  if (s->kind == FRAME_UDP) {
    *checksum_at = 6;
    return put16(put16(put16(put16(p, s->src_port), s->dst_port), 8 + s->payload_bytes), 0);
  }
  *checksum_at = 2;
  uint8_t type = s->ipv6 ? (s->reply ? 129 : 128) : (s->reply ? 0 : 8);
  return put16(put16(put32(p, (uint32_t)type << 24), s->src_port), s->seq);
}

uint32_t frame_build(uint8_t *out, const struct frame_spec *s) {
  uint8_t *p = put_ethernet(out, s, s->kind == FRAME_ARP ? 0x0806 : s->ipv6 ? 0x86dd : 0x0800);
  if (s->kind == FRAME_ARP) {
    p = put_arp(p, s);
  } else {
    p = s->ipv6 ? put_ipv6(p, s) : put_ipv4(p, s);
    uint8_t *l4 = p, *addresses = l4 - (s->ipv6 ? 32 : 8);
    uint32_t at;
    p = put_l4(p, s, &at);
    memcpy(p, pattern + s->seq % 26, s->payload_bytes);
    p += s->payload_bytes;
    uint32_t bytes = (uint32_t)(p - l4);
    uint32_t sum = add_words(0, l4, bytes);
    // ICMP over IPv4 is the one without a pseudo header.
    if (s->kind != FRAME_ICMP || s->ipv6)
      sum = add_words(sum + bytes + ip_protocol(s), addresses, s->ipv6 ? 32 : 8);
    put_checksum(l4 + at, sum);
    if (s->kind == FRAME_UDP && l4[6] == 0 && l4[7] == 0) l4[6] = l4[7] = 0xff;  // RFC 768: 0 means none
  }
  uint32_t n = (uint32_t)(p - out);
  if (n < FRAME_BYTES_MIN) {
    memset(p, 0, FRAME_BYTES_MIN - n);
    n = FRAME_BYTES_MIN;
  }
  return n;
}
