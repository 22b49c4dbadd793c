// CRC-32C: the vectors of RFC 3720 appendix B.4, and hardware = table on every length and alignment.
#include "crc32c.h"

#include <stdlib.h>

#include "unit.h"

TEST(crc32c_rfc3720_vectors) {
  unsigned char data[32] = {0};
  CHECK(crc32c(0, data, 32) == 0x8A9136AA);
  memset(data, 0xff, 32);
  CHECK(crc32c(0, data, 32) == 0x62A8AB43);
  for (int i = 0; i < 32; i++) data[i] = (unsigned char)i;
  CHECK(crc32c(0, data, 32) == 0x46DD794E);
  CHECK(crc32c(0, "123456789", 9) == 0xE3069283);
  CHECK(crc32c_table(0, "123456789", 9) == 0xE3069283);
}

TEST(crc32c_table_equals_hardware_and_continues) {
  static unsigned char data[3000];  // longer than what is folded at a time
  unsigned x = 1;
  for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)((x = x * 1103515245 + 12345) >> 16);
  for (size_t from = 0; from < 9; from++)
    for (size_t n = 0; from + n <= sizeof data; n += n < 300 ? 7 : 61) {
      unsigned whole = crc32c(0, data + from, n);
      CHECK(whole == crc32c_table(0, data + from, n));
      CHECK(whole == crc32c(crc32c(0, data + from, n / 3), data + from + n / 3, n - n / 3));
    }
}

TEST(crc32c_of_long_data_in_lanes) {
  enum { BYTES = 40000 };
  unsigned char *data = malloc(BYTES);
  unsigned x = 7;
  for (size_t i = 0; i < BYTES; i++) data[i] = (unsigned char)((x = x * 1103515245 + 12345) >> 16);
  for (size_t from = 0; from < 4; from++)
    for (size_t n = 12200; from + n <= BYTES; n += 1009) CHECK(crc32c(5, data + from, n) == crc32c_table(5, data + from, n));
  free(data);
}
