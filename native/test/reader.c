// The file reader against every prefix of small captures, both byte orders, and against damage. Each
// prefix lies in its own allocation, so that ASan sees the first byte read too far.
#include "reader.h"

#include <stdlib.h>

#include "constants.h"
#include "unit.h"

struct bytes {
  uint8_t data[1024];
  size_t n;
  bool swapped;
};

static void put(struct bytes *b, uint32_t v, int width) {
  for (int i = 0; i < width; i++) b->data[b->n++] = (uint8_t)(v >> 8 * (b->swapped ? width - 1 - i : i));
}

static struct bytes pcap(uint32_t magic, bool swapped, int packets) {
  struct bytes b = {.swapped = swapped};
  put(&b, magic, 4), put(&b, 2, 2), put(&b, 4, 2), put(&b, 0, 4), put(&b, 0, 4), put(&b, 65535, 4), put(&b, 1, 4);
  for (int i = 0; i < packets; i++) {
    put(&b, 100 + (uint32_t)i, 4), put(&b, 7, 4), put(&b, 5, 4), put(&b, 60, 4);
    if (magic == RT_PCAP_MAGIC_MODIFIED) put(&b, 0, 4), put(&b, 0, 4);
    for (int k = 0; k < 5; k++) put(&b, 'a', 1);
  }
  return b;
}

static struct bytes pcapng(bool swapped, int packets) {
  struct bytes b = {.swapped = swapped};
  put(&b, RT_BT_SHB, 4), put(&b, 28, 4), put(&b, RT_PCAPNG_MAGIC, 4), put(&b, 1, 2), put(&b, 0, 2);
  put(&b, ~0u, 4), put(&b, ~0u, 4), put(&b, 28, 4);
  put(&b, RT_BT_IDB, 4), put(&b, 32, 4), put(&b, 113, 2), put(&b, 0, 2), put(&b, 0, 4);
  put(&b, RT_OPT_IF_TSRESOL, 2), put(&b, 1, 2), put(&b, 0, 0), b.data[b.n++] = 9, put(&b, 0, 1), put(&b, 0, 2);
  put(&b, 0, 4), put(&b, 32, 4);
  for (int i = 0; i < packets; i++) {
    put(&b, 0x0BAD, 4), put(&b, 16, 4), put(&b, 42, 4), put(&b, 16, 4);  // unknown: skipped
    put(&b, RT_BT_EPB, 4), put(&b, 40, 4), put(&b, 0, 4), put(&b, 1, 4), put(&b, (uint32_t)i, 4);
    put(&b, 5, 4), put(&b, 60, 4);
    for (int k = 0; k < 8; k++) put(&b, k < 5 ? 'a' : 0, 1);
    put(&b, 40, 4);
  }
  return b;
}

// Packets of the first `n` bytes; `*rest` is what was left over, `*bad` whether damage was told.
static int count(const struct bytes *b, size_t n, size_t *rest, bool *bad, struct packet *last) {
  uint8_t *copy = malloc(n ? n : 1);
  memcpy(copy, b->data, n);
  struct reader *r = calloc(1, sizeof *r);
  int packets = 0;
  size_t at = 0;
  *bad = false;
  for (bool more = true; more;) {
    size_t used, need = 0;
    uint16_t linktype;
    struct failure f;
    switch (reader_next(r, copy + at, n - at, &used, &need, last, &linktype, &f)) {
      case READER_PACKET:
        packets++;
        break;
      case READER_SKIPPED:
        break;
      case READER_BAD:
        *bad = true;
        more = false;
        break;
      case READER_NEED_MORE:
        CHECK(need > n - at);
        more = false;
    }
    at += used;
  }
  *rest = n - at;
  last->data = NULL;
  free(r);
  free(copy);
  return packets;
}

static void every_prefix(const struct bytes *b, int packets) {
  struct packet p;
  size_t rest;
  bool bad;
  int seen = 0;
  for (size_t n = 0; n <= b->n; n++) {
    int now = count(b, n, &rest, &bad, &p);
    CHECK(!bad && now >= seen && now <= packets);
    CHECK((n == b->n) == (now == packets && rest == 0));
    seen = now;
  }
  CHECK(seen == packets);
}

TEST(reader_every_prefix_of_every_pcap_magic) {
  const uint32_t magics[] = {RT_PCAP_MAGIC_US, RT_PCAP_MAGIC_NS, RT_PCAP_MAGIC_MODIFIED};
  for (int i = 0; i < 6; i++) {
    struct bytes b = pcap(magics[i / 2], i % 2, 3);
    every_prefix(&b, 3);
    struct packet p;
    size_t rest;
    bool bad;
    count(&b, b.n, &rest, &bad, &p);
    CHECK(p.caplen == 5 && p.wirelen == 60);
    CHECK(p.ts_ns == 102000000000ull + (magics[i / 2] == RT_PCAP_MAGIC_NS ? 7 : 7000));
  }
}

TEST(reader_every_prefix_of_pcapng_in_both_orders) {
  for (int swapped = 0; swapped < 2; swapped++) {
    struct bytes b = pcapng(swapped, 3);
    every_prefix(&b, 3);
    struct packet p;
    size_t rest;
    bool bad;
    count(&b, b.n, &rest, &bad, &p);
    CHECK(p.caplen == 5 && p.wirelen == 60 && p.ts_ns == (1ull << 32) + 2);
  }
}

// Whatever one byte is changed to: no crash, no endless loop, never more packets than bytes allow.
TEST(reader_survives_every_single_byte_of_damage) {
  struct bytes good[] = {pcap(RT_PCAP_MAGIC_US, false, 3), pcapng(false, 3), pcapng(true, 3)};
  const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
  for (int g = 0; g < 3; g++)
    for (size_t at = 0; at < good[g].n; at++)
      for (size_t v = 0; v < sizeof values; v++) {
        struct bytes b = good[g];
        b.data[at] = values[v];
        struct packet p;
        size_t rest;
        bool bad;
        CHECK(count(&b, b.n, &rest, &bad, &p) < 10);
      }
}

TEST(reader_names_what_is_no_capture) {
  struct reader *r = calloc(1, sizeof *r);
  struct packet p;
  struct failure f;
  size_t used, need;
  uint16_t linktype;
  CHECK(reader_next(r, (const uint8_t *)"\x1f\x8b\x08\0", 4, &used, &need, &p, &linktype, &f) == READER_BAD);
  CHECK(strstr(f.text, "gzip") && strstr(f.text, "zcat"));
  CHECK(reader_next(r, (const uint8_t *)"<!DOCTYPE", 9, &used, &need, &p, &linktype, &f) == READER_BAD);
  CHECK(strstr(f.text, "no capture file"));
  free(r);
}
