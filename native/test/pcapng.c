// Section header, options, padding.
#include "pcapng.h"

#include <stdlib.h>

#include "unit.h"

static uint32_t u32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

TEST(pad_reaches_the_next_multiple_for_every_offset) {
  static uint8_t out[4096 + 12];
  for (size_t used = 4; used <= 8192; used += 4) {
    uint32_t n = pcapng_pad(out, used, 4096);
    CHECK((used + n) % 4096 == 0 && n < 4096 + 12);
    if (used % 4096 == 0) CHECK(n == 0);
    if (n) CHECK(n >= 12 && u32(out) == RT_BT_PAD && u32(out + 4) == n && u32(out + n - 4) == n);
  }
}

TEST(section_is_two_whole_blocks_even_with_endless_text) {
  static char text[100000];
  memset(text, 'x', sizeof text - 1);
  struct section s = {text, text, text, text, text, text, text, 1, 65535, NULL};
  uint8_t *out = malloc(SECTION_BYTES_MAX);
  CHECK(pcapng_section(out, SECTION_BYTES_MAX - 1, &s) == 0);
  size_t n = pcapng_section(out, SECTION_BYTES_MAX, &s);
  uint32_t shb = u32(out + 4), idb = u32(out + shb + 4);
  CHECK(n > 0 && n <= SECTION_BYTES_MAX && shb + idb == n && u32(out) == RT_BT_SHB && u32(out + shb) == RT_BT_IDB);
  CHECK(u32(out + shb - 4) == shb && u32(out + n - 4) == idb);
  free(out);
}

TEST(section_of_a_run_says_which_stripe_it_is) {
  uint8_t id[RUN_ID_BYTES], *out = malloc(SECTION_BYTES_MAX);
  memset(id, 7, sizeof id);
  struct section s = {.comment = "c", .linktype = 1, .snaplen = 100, .run_id = id};
  CHECK(pcapng_section(out, SECTION_BYTES_MAX, &s) > 0);
  const uint16_t option[2] = {RT_OPT_RUN, 24};
  CHECK(!memcmp(out + 24, option, 4) && !memcmp(out + 28, id, sizeof id) && u32(out + 44) == 0 && u32(out + 48) == 1);
  pcapng_set_stripe(out, 2, 3);
  CHECK(u32(out + 44) == 2 && u32(out + 48) == 3 && u32(out + 52) == (RT_OPT_COMMENT | 1u << 16));
  free(out);
}
