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
  CHECK(filter_compile(&filter, "tcp prot 80", 1, 65535, &f) < 0 && f.err == 0 && strstr(f.text, "syntax error"));
}
