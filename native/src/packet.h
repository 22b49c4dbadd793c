// One packet as a source shows it: a view, valid as long as source.h says. Owned by the source.
#ifndef RINGTAP_PACKET_H
#define RINGTAP_PACKET_H
#include <stdbool.h>
#include <stdint.h>

struct packet {
  const uint8_t *data;
  uint64_t ts_ns;
  uint32_t caplen;    // bytes at `data`
  uint32_t wirelen;   // bytes on the wire, without a stripped tag
  uint16_t vlan_tpid;  // 0: no stripped tag to put back
  uint16_t vlan_tci;
};

#define VLAN_TAG_BYTES 4u
#define ETHER_ADDRESSES_BYTES 12u

// The tag belongs after the two MAC addresses; a frame cut before that stays as it is.
static inline bool packet_tagged(const struct packet *p) {
  return p->vlan_tpid && p->caplen >= ETHER_ADDRESSES_BYTES;
}
static inline uint32_t packet_full_caplen(const struct packet *p) {
  return p->caplen + (packet_tagged(p) ? VLAN_TAG_BYTES : 0);
}
static inline uint32_t packet_full_wirelen(const struct packet *p) {
  return p->wirelen + (p->vlan_tpid ? VLAN_TAG_BYTES : 0);
}
#endif
