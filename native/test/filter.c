// Capture filters on packets of this process.
#include "filter.h"

#include "unit.h"

TEST(filter_matches_and_refuses_with_libpcaps_words) {
  struct filter filter = {0};
  struct failure f;
  uint8_t arp[60] = {[12] = 0x08, [13] = 0x06}, ip[60] = {[12] = 0x08};
  CHECK(filter_matches(&filter, &(struct packet){.data = arp, .caplen = 60, .wirelen = 60}));
  CHECK(filter_compile(&filter, "arp", 1, 65535, &f) == 0);
  CHECK(filter_matches(&filter, &(struct packet){.data = arp, .caplen = 60, .wirelen = 60}));
  CHECK(!filter_matches(&filter, &(struct packet){.data = ip, .caplen = 60, .wirelen = 60}));
  CHECK(!filter_matches(&filter, &(struct packet){.data = arp, .caplen = 13, .wirelen = 60}));
  filter_free(&filter);
  // LINKTYPE_RAW is 101 in files, but DLT_RAW is 12; LINKTYPE_LINUX_SLL is the same in both.
  uint8_t raw[28] = {0x45, [3] = 28, [9] = 17, [22] = 0, [23] = 53}, sll[44] = {[14] = 0x08};
  memcpy(sll + 16, raw, sizeof raw);
  const struct packet of_raw = {.data = raw, .caplen = 28, .wirelen = 28}, of_sll = {.data = sll, .caplen = 44, .wirelen = 44};
  for (int i = 0; i < 2; i++) {
    CHECK(filter_compile(&filter, "udp dst port 53", i ? 113 : 101, 65535, &f) == 0);
    CHECK(filter_matches(&filter, &of_raw) == (i == 0) && filter_matches(&filter, &of_sll) == (i == 1));
    filter_free(&filter);
  }
  CHECK(filter_compile(&filter, "tcp prot 80", 1, 65535, &f) < 0 && f.err == 0 && strstr(f.text, "syntax error"));
}
