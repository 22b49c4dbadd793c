// Names of segments, what their headers tell, and who may delete them.
#include "segment_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "block.h"
#include "retention.h"
#include "segment_sum.h"
#include "unit.h"

TEST(segment_names_of_ours_and_of_others) {
  static const char *const ours[] = {"ringtap-eth0-20261123T145942.123456789Z-000001.pcapng",
                                     "ringtap-eth0.100-20261123T145942.123456789Z-1000001.pcapng"};
  static const char *const others[] = {"", "ringtap-", "ringtap-eth0.pcapng", "x-eth0-20261123T145942.123456789Z-000001.pcapng",
                                       "ringtap--20261123T145942.123456789Z-000001.pcapng",
                                       "ringtap-eth0-20261123T145942.123456789Z-00001.pcapng",
                                       "ringtap-eth0-20261123T145942.12345678Z-000001.pcapng",
                                       "ringtap-eth0-20261123T145942.123456789Z-000001.pcapng.bak",
                                       "ringtap-eth0-20261123T145942.123456789Z-000001.rtidx",
                                       "ringtap-eth0-20261123T145942.123456789Z-00000x.pcapng"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) CHECK(segment_name_is(ours[i]));
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) CHECK(!segment_name_is(others[i]));
}

TEST(segment_names_sort_by_stamp_and_number_not_by_interface) {
  const char *a = "ringtap-zz-20261123T145942.123456789Z-000001.pcapng", *b = "ringtap-aa-20261123T145942.123456790Z-000001.pcapng";
  const char *c = "ringtap-aa-20261123T145942.123456790Z-999999.pcapng", *d = "ringtap-aa-20261123T145942.123456790Z-1000000.pcapng";
  CHECK(segment_name_compare(a, b) < 0 && segment_name_compare(b, c) < 0 && segment_name_compare(c, d) < 0);
  CHECK(segment_name_compare(d, a) > 0 && segment_name_compare(c, c) == 0);
}

static const char name[] = "ringtap-t-20261123T145942.123456789Z-000001.pcapng";

// Two blocks of 8192 and 4096 bytes behind a section of 4096.
static void make_segment(uint8_t *file) {
  struct section s = {.interface_name = "t", .linktype = 1, .snaplen = 100, .run_id = (const uint8_t *)"0123456789abcdef"};
  static uint8_t section[SECTION_BYTES_MAX];
  size_t n = pcapng_section(section, sizeof section, &s);
  n += pcapng_pad(section + n, n, 4096);
  CHECK(n == 4096);
  memcpy(file, section, n);
  const struct block_counters none = {.if_drops = BLOCK_UNKNOWN};
  static const uint8_t data[100];
  for (uint32_t i = 0; i < 2; i++) {
    struct block b = {.base = file + (i ? 12288 : 4096), .capacity = 8192};
    block_reset(&b, i + 1);
    for (uint32_t k = 0; k < (i ? 3u : 40u); k++)
      CHECK(block_append(&b, &(struct packet){.data = data, .caplen = 100, .wirelen = 100, .ts_ns = 1000 * (i + 1) + k}, 100));
    block_seal(&b, &none, 5);
    CHECK(b.length == (i ? 4096 : 8192));
  }
}

enum { FILE_BYTES = 16384 };

TEST(segment_sum_of_every_prefix_and_of_noise_stays_within_it) {
  uint8_t *file = calloc(1, FILE_BYTES + 4096);
  char path[] = "/tmp/ringtap-unit-XXXXXX";
  int fd = mkstemp(path);
  struct segment_sum sum;
  unlink(path);
  make_segment(file);
  CHECK(pwrite(fd, file, FILE_BYTES, 0) == FILE_BYTES);
  segment_sum(fd, &sum);
  CHECK(sum.whole && sum.blocks == 2 && sum.packets == 43 && sum.first_ts_ns == 1000 && sum.last_ts_ns == 2002);
  for (int end = FILE_BYTES - 4; end >= 0; end -= 4) {
    CHECK(ftruncate(fd, end) == 0);
    segment_sum(fd, &sum);
    CHECK(sum.packets <= 43);
  }
  srand(1);
  for (int round = 0; round < 500; round++) {
    memset(file, 0, FILE_BYTES);
    make_segment(file);
    for (int k = 0; k < 3; k++) file[4096 * (rand() % 4) + rand() % 300] = (uint8_t)rand();
    CHECK(pwrite(fd, file, FILE_BYTES, 0) == FILE_BYTES);
    segment_sum(fd, &sum);  // must end, and read nothing it should not (sanitizers)
  }
  close(fd);
  free(file);
}

TEST(retention_deletes_with_index_and_line_but_never_a_locked_file) {
  char dir[] = "/tmp/ringtap-unit-XXXXXX", path[256], index[256], expired[256], line[512] = "";
  uint8_t *file = calloc(1, FILE_BYTES);
  CHECK(mkdtemp(dir) != NULL);
  make_segment(file);
  snprintf(path, sizeof path, "%s/%s", dir, name);
  snprintf(index, sizeof index, "%s/%.*s.rtidx", dir, (int)strlen(name) - 7, name);
  snprintf(expired, sizeof expired, "%s/expired.jsonl", dir);
  int fd = open(path, O_CREAT | O_RDWR, 0600), other = open(index, O_CREAT | O_RDWR, 0600);
  CHECK(write(fd, file, FILE_BYTES) == FILE_BYTES && flock(fd, LOCK_EX) == 0);
  CHECK(retention_delete(path, "age") == -EBUSY && access(path, F_OK) == 0 && access(expired, F_OK) != 0);
  close(fd);
  CHECK(retention_delete(path, "age") == 0 && access(path, F_OK) != 0 && access(index, F_OK) != 0);
  CHECK(retention_delete(path, "age") == -ENOENT);
  FILE *lines = fopen(expired, "r");
  CHECK(lines && fgets(line, sizeof line, lines));
  CHECK(strstr(line, "{\"stem\":\"ringtap-t-20261123T145942.123456789Z-000001\",\"first_ts_ns\":\"1000\",\"last_ts_ns\":\"2002\","
                     "\"packets\":43,\"bytes\":16384,\"reason\":\"age\",\"deleted_ts_ns\":\"") == line);
  fclose(lines);
  close(other);
  unlink(expired);
  CHECK(rmdir(dir) == 0);
  free(file);
}
