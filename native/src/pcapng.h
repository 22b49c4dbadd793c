// Writing pcapng (draft-ietf-opsawg-pcapng): section header, interface, packet and padding blocks, in
// this machine's byte order. Pure functions over the caller's memory; no allocation, any thread.
#ifndef RINGTAP_PCAPNG_H
#define RINGTAP_PCAPNG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "constants.h"
#include "packet.h"

// Options of the SHB and IDB that only the recorder writes.
enum { OPT_SHB_HARDWARE = 2, OPT_SHB_OS = 3, OPT_SHB_USERAPPL = 4, OPT_IF_DESCRIPTION = 3, OPT_IF_OS = 12 };

// What the SHB and the only IDB of a section say. Empty or NULL text is left out.
struct section {
  const char *hardware, *os, *application;
  const char *comment;
  const char *interface_name, *interface_description;
  const char *filter;
  uint16_t linktype;
  uint32_t snaplen;
  const uint8_t *run_id;  // RUN_ID_BYTES, NULL: not part of a recorded run
};
#define RUN_ID_BYTES 16u

#define SECTION_BYTES_MAX 16384u

// SHB + IDB at `out`; returns their length, or 0 when `cap` is too small.
size_t pcapng_section(uint8_t *out, size_t cap, const struct section *s);

// Says in a section made with a run_id which of how many stripes its file belongs to (0 of 1 at first).
void pcapng_set_stripe(uint8_t *section, uint32_t stripe, uint32_t stripes);

#define EPB_OVERHEAD_BYTES 32u
#define PAD_BYTES_MIN 12u

static inline uint32_t epb_bytes(uint32_t caplen) { return EPB_OVERHEAD_BYTES + ((caplen + 3u) & ~3u); }

// Bytes kept of a packet cut at `snaplen`, with a stripped VLAN tag put back. A tag that the cut would go
// through is left out together with what follows.
static inline uint32_t pcapng_kept(const struct packet *p, uint32_t snaplen) {
  uint32_t full = packet_full_caplen(p);
  if (full <= snaplen) return full;
  bool cut_tag = packet_tagged(p) && snaplen > ETHER_ADDRESSES_BYTES && snaplen < ETHER_ADDRESSES_BYTES + VLAN_TAG_BYTES;
  return cut_tag ? ETHER_ADDRESSES_BYTES : snaplen;
}

// One Enhanced Packet Block, cut at `snaplen`, a stripped VLAN tag put back: the recorder's one copy.
// `out` has epb_bytes(pcapng_kept(p, snaplen)) bytes, which is the returned length.
uint32_t pcapng_epb(uint8_t *out, const struct packet *p, uint32_t snaplen);
// The same with `kept` from pcapng_kept.
uint32_t pcapng_epb_kept(uint8_t *out, const struct packet *p, uint32_t kept);

// A padding block (RT_BT_PAD) that takes `used` to a multiple of `align`; returns its length, 0 when
// none is needed. At most align + PAD_BYTES_MIN - 1 bytes are written.
uint32_t pcapng_pad(uint8_t *out, size_t used, size_t align);

// One option; returns bytes written, value padded to 4.
size_t pcapng_option(uint8_t *out, uint16_t code, const void *value, uint16_t bytes);
#endif
