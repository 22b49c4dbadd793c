// Reads pcap and pcapng, see reader.h.
#include "reader.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "constants.h"

static uint16_t get16(const struct reader *r, const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, 2);
  return r->swapped ? __builtin_bswap16(v) : v;
}

static uint32_t get32(const struct reader *r, const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return r->swapped ? __builtin_bswap32(v) : v;
}

static uint64_t get64(const struct reader *r, const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return r->swapped ? __builtin_bswap64(v) : v;
}

static enum reader_result damaged(const struct reader *r, struct failure *f, const char *what, uint64_t value) {
  fail(f, EBADMSG, "damaged at byte %llu, after %llu packets: %s (%llu)", (unsigned long long)r->position,
       (unsigned long long)r->packets, what, (unsigned long long)value);
  return READER_BAD;
}

static enum reader_result want(size_t n, size_t *need) {
  *need = n;
  return READER_NEED_MORE;
}

// --- pcap (draft-ietf-opsawg-pcap) ---

static bool pcap_magic(struct reader *r, uint32_t magic) {
  for (int swap = 0; swap < 2; swap++, magic = __builtin_bswap32(magic)) {
    r->swapped = swap;
    r->ns = magic == RT_PCAP_MAGIC_NS;
    r->modified = magic == RT_PCAP_MAGIC_MODIFIED;
    if (r->ns || r->modified || magic == RT_PCAP_MAGIC_US) return true;
  }
  return false;
}

static enum reader_result pcap_start(struct reader *r, const uint8_t *data, size_t bytes, size_t *used, size_t *need) {
  if (bytes < 24) return want(24, need);
  r->interface[0] = (struct reader_interface){.linktype = (uint16_t)(get32(r, data + 20) & 0xffff),
                                              .units_per_s = r->ns ? NS_PER_S : 1000000};
  r->interfaces = 1;
  r->state = READER_PCAP;
  *used = 24;
  return READER_SKIPPED;
}

static enum reader_result pcap_next(struct reader *r, const uint8_t *data, size_t bytes, size_t *used, size_t *need,
                                    struct packet *out, struct failure *f) {
  size_t head = r->modified ? 24 : 16;
  if (bytes < head) return want(head, need);
  uint32_t caplen = get32(r, data + 8), wirelen = get32(r, data + 12), fraction = get32(r, data + 4);
  if (caplen > READER_RECORD_BYTES_MAX) return damaged(r, f, "record length over 16 MiB", caplen);
  if (bytes < head + caplen) return want(head + caplen, need);
  *out = (struct packet){.data = data + head,
                         .caplen = caplen,
                         .wirelen = wirelen < caplen ? caplen : wirelen,
                         .ts_ns = get32(r, data) * NS_PER_S + (r->ns ? fraction : fraction * 1000ull)};
  *used = head + caplen;
  return READER_PACKET;
}

// --- pcapng (draft-ietf-opsawg-pcapng) ---

static uint64_t units_of(uint8_t tsresol) {
  unsigned exponent = tsresol & 0x7f;
  if (tsresol & 0x80) return exponent < 63 ? 1ull << exponent : 0;
  if (exponent > 19) return 0;
  uint64_t units = 1;
  while (exponent--) units *= 10;
  return units;
}

static uint64_t to_ns(const struct reader_interface *i, uint64_t ts) {
  uint64_t s = ts / i->units_per_s, rest = ts % i->units_per_s;
  uint64_t ns = (uint64_t)((__uint128_t)rest * NS_PER_S / i->units_per_s);
  return (s + (uint64_t)i->offset_s) * NS_PER_S + ns;
}

static enum reader_result read_idb(struct reader *r, const uint8_t *body, size_t bytes, struct failure *f) {
  if (bytes < 8) return damaged(r, f, "interface block too short", bytes);
  if (r->interfaces == READER_INTERFACES_MAX) return damaged(r, f, "more interfaces than", READER_INTERFACES_MAX);
  struct reader_interface *i = &r->interface[r->interfaces];
  *i = (struct reader_interface){.linktype = get16(r, body), .snaplen = get32(r, body + 4), .units_per_s = 1000000};
  for (size_t at = 8; at + 4 <= bytes;) {
    uint16_t code = get16(r, body + at), length = get16(r, body + at + 2);
    if (code == RT_OPT_END) break;
    if (length > bytes - at - 4) return damaged(r, f, "option runs past its block", length);
    const uint8_t *value = body + at + 4;
    if (code == RT_OPT_IF_TSRESOL && length >= 1) i->units_per_s = units_of(value[0]);
    if (code == RT_OPT_IF_TSOFFSET && length >= 8) i->offset_s = (int64_t)get64(r, value);
    at += 4 + ((length + 3u) & ~3u);
  }
  if (!i->units_per_s) return damaged(r, f, "if_tsresol out of range, interface", r->interfaces);
  r->interfaces++;
  return READER_SKIPPED;
}

// EPB and the obsolete PB differ only in how the interface is written.
static enum reader_result read_epb(struct reader *r, const uint8_t *body, size_t bytes, bool old, struct packet *out,
                                   uint32_t *interface, struct failure *f) {
  if (bytes < 20) return damaged(r, f, "packet block too short", bytes);
  *interface = old ? get16(r, body) : get32(r, body);
  if (*interface >= r->interfaces) return damaged(r, f, "packet of an interface never described", *interface);
  uint32_t caplen = get32(r, body + 12);
  if (caplen > bytes - 20) return damaged(r, f, "captured length runs past its block", caplen);
  uint64_t ts = (uint64_t)get32(r, body + 4) << 32 | get32(r, body + 8);
  uint32_t wirelen = get32(r, body + 16);
  *out = (struct packet){.data = body + 20,
                         .caplen = caplen,
                         .wirelen = wirelen < caplen ? caplen : wirelen,
                         .ts_ns = to_ns(&r->interface[*interface], ts)};
  return READER_PACKET;
}

static enum reader_result read_spb(struct reader *r, const uint8_t *body, size_t bytes, struct packet *out,
                                   struct failure *f) {
  if (bytes < 4) return damaged(r, f, "simple packet block too short", bytes);
  if (!r->interfaces) return damaged(r, f, "packet of an interface never described", 0);
  uint32_t wirelen = get32(r, body), snaplen = r->interface[0].snaplen, caplen = wirelen;
  if (snaplen && caplen > snaplen) caplen = snaplen;
  if (caplen > bytes - 4) return damaged(r, f, "captured length runs past its block", caplen);
  *out = (struct packet){.data = body + 4, .caplen = caplen, .wirelen = wirelen};  // has no stamp: 0
  return READER_PACKET;
}

// A section header may change the byte order, so its magic is looked at before its length.
static enum reader_result section_order(struct reader *r, const uint8_t *data, size_t bytes, size_t *need,
                                        struct failure *f) {
  if (bytes < 28) return want(28, need);
  uint32_t magic;
  memcpy(&magic, data + 8, 4);
  if (magic != RT_PCAPNG_MAGIC && __builtin_bswap32(magic) != RT_PCAPNG_MAGIC)
    return damaged(r, f, "section header without byte-order magic", magic);
  r->swapped = magic != RT_PCAPNG_MAGIC;
  uint16_t major = get16(r, data + 12);
  if (major != 1) return damaged(r, f, "pcapng of an unknown version", major);
  r->interfaces = 0;
  return READER_SKIPPED;
}

static enum reader_result pcapng_next(struct reader *r, const uint8_t *data, size_t bytes, size_t *used, size_t *need,
                                      struct packet *out, uint16_t *linktype, struct failure *f) {
  if (bytes < 12) return want(12, need);
  uint32_t type;
  memcpy(&type, data, 4);  // SHB reads the same in both orders
  if (type == RT_BT_SHB) {
    enum reader_result order = section_order(r, data, bytes, need, f);
    if (order != READER_SKIPPED) return order;
  } else {
    type = get32(r, data);
  }
  uint32_t total = get32(r, data + 4);
  if (total < 12 || total % 4 || total > READER_RECORD_BYTES_MAX) return damaged(r, f, "impossible block length", total);
  if (bytes < total) return want(total, need);
  if (get32(r, data + total - 4) != total) return damaged(r, f, "block lengths before and behind differ", total);
  enum reader_result result = READER_SKIPPED;
  uint32_t interface = 0;
  if (type == RT_BT_IDB) result = read_idb(r, data + 8, total - 12, f);
  if (type == RT_BT_EPB) result = read_epb(r, data + 8, total - 12, false, out, &interface, f);
  if (type == RT_BT_PB) result = read_epb(r, data + 8, total - 12, true, out, &interface, f);
  if (type == RT_BT_SPB) result = read_spb(r, data + 8, total - 12, out, f);
  if (result == READER_BAD) return result;
  if (result == READER_PACKET) *linktype = r->interface[interface].linktype;
  *used = total;
  return result;
}

static enum reader_result start(struct reader *r, const uint8_t *data, size_t bytes, size_t *used, size_t *need,
                                struct failure *f) {
  if (bytes < 4) return want(4, need);
  uint32_t magic;
  memcpy(&magic, data, 4);
  if (magic == RT_BT_SHB) {
    r->state = READER_PCAPNG;
    *used = 0;
    return READER_SKIPPED;
  }
  if (pcap_magic(r, magic)) return pcap_start(r, data, bytes, used, need);
  if (data[0] == 0x1f && data[1] == 0x8b)
    fail(f, EBADMSG, "compressed with gzip; unpack it first: zcat FILE | ringtapd -r -");
  else
    fail(f, EBADMSG, "no capture file (begins with %02x %02x %02x %02x); pcap and pcapng can be read", data[0], data[1],
         data[2], data[3]);
  return READER_BAD;
}

enum reader_result reader_next(struct reader *r, const uint8_t *data, size_t bytes, size_t *used, size_t *need,
                               struct packet *out, uint16_t *linktype, struct failure *f) {
  *used = 0;
  enum reader_result result;
  if (r->state == READER_START) {
    result = start(r, data, bytes, used, need, f);
  } else if (r->state == READER_PCAP) {
    *linktype = r->interface[0].linktype;
    result = pcap_next(r, data, bytes, used, need, out, f);
  } else {
    result = pcapng_next(r, data, bytes, used, need, out, linktype, f);
  }
  r->position += *used;
  if (result == READER_PACKET) r->packets++;
  return result;
}
