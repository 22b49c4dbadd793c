// Writing pcapng, see pcapng.h.
#include "pcapng.h"

#include <assert.h>
#include <string.h>

static void put16(uint8_t *out, uint16_t v) { memcpy(out, &v, 2); }
static void put32(uint8_t *out, uint32_t v) { memcpy(out, &v, 4); }

size_t pcapng_option(uint8_t *out, uint16_t code, const void *value, uint16_t bytes) {
  size_t padded = (bytes + 3u) & ~3u;
  put16(out, code);
  put16(out + 2, bytes);
  memcpy(out + 4, value, bytes);
  memset(out + 4 + bytes, 0, padded - bytes);
  return 4 + padded;
}

// Bounded text options: longer text is cut, so that SECTION_BYTES_MAX always holds.
enum { TEXT_BYTES_MAX = 2000 };

static size_t text_option(uint8_t *out, uint16_t code, const char *text) {
  if (!text || !*text) return 0;
  size_t n = strlen(text);
  return pcapng_option(out, code, text, (uint16_t)(n < TEXT_BYTES_MAX ? n : TEXT_BYTES_MAX));
}

static size_t end_block(uint8_t *block, size_t n) {
  put32(block + n, RT_OPT_END);
  n += 4;
  put32(block + 4, (uint32_t)n + 4);
  put32(block + n, (uint32_t)n + 4);
  return n + 4;
}

// RT_OPT_RUN is the first option, so that pcapng_set_stripe finds it.
enum { RUN_OPTION_AT = 24, RUN_OPTION_BYTES = RUN_ID_BYTES + 8 };

static size_t run_option(uint8_t *out, const uint8_t *run_id) {
  uint8_t value[RUN_OPTION_BYTES] = {0};
  if (!run_id) return 0;
  memcpy(value, run_id, RUN_ID_BYTES);
  put32(value + RUN_ID_BYTES + 4, 1);
  return pcapng_option(out, RT_OPT_RUN, value, sizeof value);
}

void pcapng_set_stripe(uint8_t *section, uint32_t stripe, uint32_t stripes) {
  uint16_t option[2];
  memcpy(option, section + RUN_OPTION_AT, sizeof option);
  assert(option[0] == RT_OPT_RUN && option[1] == RUN_OPTION_BYTES);
  put32(section + RUN_OPTION_AT + 4 + RUN_ID_BYTES, stripe);
  put32(section + RUN_OPTION_AT + 4 + RUN_ID_BYTES + 4, stripes);
}

static size_t write_shb(uint8_t *out, const struct section *s) {
  put32(out, RT_BT_SHB);
  put32(out + 8, RT_PCAPNG_MAGIC);
  put16(out + 12, 1);  // version 1.0
  put16(out + 14, 0);
  memset(out + 16, 0xff, 8);  // section length unknown: the file grows
  size_t n = RUN_OPTION_AT;
  n += run_option(out + n, s->run_id);
  n += text_option(out + n, RT_OPT_COMMENT, s->comment);
  n += text_option(out + n, OPT_SHB_HARDWARE, s->hardware);
  n += text_option(out + n, OPT_SHB_OS, s->os);
  n += text_option(out + n, OPT_SHB_USERAPPL, s->application);
  return end_block(out, n);
}

static size_t write_idb(uint8_t *out, const struct section *s) {
  put32(out, RT_BT_IDB);
  put16(out + 8, s->linktype);
  put16(out + 10, 0);
  put32(out + 12, s->snaplen);
  size_t n = 16;
  n += text_option(out + n, RT_OPT_IF_NAME, s->interface_name);
  n += text_option(out + n, OPT_IF_DESCRIPTION, s->interface_description);
  n += pcapng_option(out + n, RT_OPT_IF_TSRESOL, &(uint8_t){9}, 1);
  if (s->filter && *s->filter) {
    // if_filter: one code byte, 0 = libpcap string.
    uint8_t text[TEXT_BYTES_MAX] = {0};
    size_t bytes = strlen(s->filter);
    if (bytes > sizeof text - 1) bytes = sizeof text - 1;
    memcpy(text + 1, s->filter, bytes);
    n += pcapng_option(out + n, RT_OPT_IF_FILTER, text, (uint16_t)(bytes + 1));
  }
  n += text_option(out + n, OPT_IF_OS, s->os);
  return end_block(out, n);
}

size_t pcapng_section(uint8_t *out, size_t cap, const struct section *s) {
  if (cap < SECTION_BYTES_MAX) return 0;
  size_t n = write_shb(out, s);
  return n + write_idb(out + n, s);
}

uint32_t pcapng_epb(uint8_t *out, const struct packet *p, uint32_t snaplen) {
  return pcapng_epb_kept(out, p, pcapng_kept(p, snaplen));
}

uint32_t pcapng_epb_kept(uint8_t *out, const struct packet *p, uint32_t caplen) {
  uint32_t total = epb_bytes(caplen);
  uint32_t head[7] = {RT_BT_EPB, total, 0, (uint32_t)(p->ts_ns >> 32), (uint32_t)p->ts_ns,
                      caplen,    packet_full_wirelen(p)};
  memcpy(out, head, sizeof head);
  if (caplen % 4) put32(out + total - 8, 0);  // padding first; the data overwrites what it needs
  uint8_t *data = out + sizeof head;
  if (packet_tagged(p) && caplen >= ETHER_ADDRESSES_BYTES + VLAN_TAG_BYTES) {
    uint8_t tag[VLAN_TAG_BYTES] = {(uint8_t)(p->vlan_tpid >> 8), (uint8_t)p->vlan_tpid,
                                   (uint8_t)(p->vlan_tci >> 8), (uint8_t)p->vlan_tci};
    memcpy(data, p->data, ETHER_ADDRESSES_BYTES);
    memcpy(data + ETHER_ADDRESSES_BYTES, tag, VLAN_TAG_BYTES);
    memcpy(data + ETHER_ADDRESSES_BYTES + VLAN_TAG_BYTES, p->data + ETHER_ADDRESSES_BYTES,
           caplen - ETHER_ADDRESSES_BYTES - VLAN_TAG_BYTES);
  } else {
    memcpy(data, p->data, caplen);
  }
  put32(out + total - 4, total);
  return total;
}

uint32_t pcapng_pad(uint8_t *out, size_t used, size_t align) {
  size_t gap = (align - used % align) % align;
  if (gap == 0) return 0;
  if (gap < PAD_BYTES_MIN) gap += align;
  memset(out, 0, gap);
  put32(out, RT_BT_PAD);
  put32(out + 4, (uint32_t)gap);
  put32(out + gap - 4, (uint32_t)gap);
  return (uint32_t)gap;
}
