// Builds checksummed Ethernet frames for the synthetic source. Pure functions, any thread.
#ifndef RINGTAP_FRAME_BUILD_H
#define RINGTAP_FRAME_BUILD_H
#include <stdbool.h>
#include <stdint.h>

enum frame_kind { FRAME_TCP, FRAME_UDP, FRAME_ICMP, FRAME_ARP };

struct frame_spec {
  enum frame_kind kind;
  bool ipv6;
  uint16_t vlan_id;       // 0: untagged
  uint32_t src, dst;      // host numbers: 10.x.y.z or fd00::x
  uint16_t src_port, dst_port;
  uint32_t seq, ack;      // TCP; ICMP uses the low half of seq
  uint8_t tcp_flags;
  bool reply;             // ICMP echo or ARP
  uint16_t ip_id;
  uint32_t payload_bytes;
};

#define FRAME_BYTES_MIN 60u
#define FRAME_HEADERS_MAX (18u + 40u + 20u)

// Bytes before the payload.
uint32_t frame_headers_bytes(const struct frame_spec *s);
// Writes the frame, padded to FRAME_BYTES_MIN; returns its length.
uint32_t frame_build(uint8_t *out, const struct frame_spec *s);
#endif
