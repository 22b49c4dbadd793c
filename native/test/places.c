// Reserve, copy, commit: nothing counts as complete before its copy; order is that of reservation. Leases; CPU lists.
#include "places.h"

#include <sched.h>
#include <stdlib.h>

#include "cpus.h"
#include "leases.h"
#include "unit.h"

static struct block make(uint32_t capacity) {
  struct block b = {.base = aligned_alloc(4096, capacity), .capacity = capacity};
  memset(b.base, 0xee, capacity);
  block_reset(&b, 1);
  return b;
}

static void reserve(struct places *s, struct block *b, const struct packet *p) {
  uint32_t kept = pcapng_kept(p, 65535);
  places_add(s, b, block_reserve(b, p, kept), p, kept);
}

TEST(places_block_is_complete_only_when_every_copy_is_committed) {
  uint8_t data[100] = {1, 2, 3};
  struct packet p[4];
  for (int i = 0; i < 4; i++) p[i] = (struct packet){.data = data, .caplen = 60 + (uint32_t)i, .wirelen = 99, .ts_ns = 7};
  struct block b = make(8192);
  static struct places mine, other;
  CHECK(block_committed(&b));  // empty: nothing is missing
  reserve(&mine, &b, &p[0]);
  reserve(&other, &b, &p[1]);
  reserve(&mine, &b, &p[2]);
  CHECK(!block_committed(&b));
  places_fill(&mine);
  CHECK(!block_committed(&b) && mine.count == 0);
  places_fill(&mine);  // nothing left: commits nothing twice
  CHECK(!block_committed(&b));
  places_fill(&other);
  CHECK(block_committed(&b));
  uint32_t at = ISB_BYTES, caplen;
  for (uint32_t i = 0; i < 3; i++, at += epb_bytes(caplen)) {
    memcpy(&caplen, b.base + at + 20, 4);
    CHECK(caplen == 60 + i && !memcmp(b.base + at + 28, data, 3));
  }
  CHECK(at == b.used);
  free(b.base);
}

TEST(places_of_several_blocks_are_committed_to_each) {
  uint8_t data[60] = {0};
  struct packet p = {.data = data, .caplen = 60, .wirelen = 60};
  struct block a = make(4096), b = make(4096);
  static struct places s;
  reserve(&s, &a, &p);
  reserve(&s, &b, &p);
  reserve(&s, &b, &p);
  places_fill(&s);
  CHECK(a.committed == 1 && b.committed == 2 && block_committed(&a) && block_committed(&b));
  free(a.base);
  free(b.base);
}

TEST(places_reserved_room_is_exactly_what_is_written) {
  uint8_t data[64] = {0};
  for (uint32_t snaplen = 1; snaplen < 80; snaplen++)
    for (uint32_t caplen = 0; caplen < 64; caplen++)
      for (uint16_t tpid = 0; tpid <= 1; tpid++) {
        struct packet p = {.data = data, .caplen = caplen, .wirelen = 64, .vlan_tpid = tpid ? 0x8100 : 0};
        uint8_t out[200];
        uint32_t kept = pcapng_kept(&p, snaplen);
        CHECK(kept <= snaplen && pcapng_epb_kept(out, &p, kept) == epb_bytes(kept));
      }
}

TEST(leases_come_back_in_any_order_and_are_never_given_twice) {
  static struct leases l = {.count = 3};
  uint64_t t[3];
  for (int i = 0; i < 3; i++) t[i] = leases_take(&l, leases_free(&l));
  CHECK(leases_free(&l) == l.count && t[0] && t[1] && t[2]);
  for (int round = 0; round < 10; round++) {  // the first one stays out all the time
    leases_give(&l, t[1 + round % 2]);
    uint32_t lease = leases_free(&l);
    CHECK(lease < l.count && leases_take(&l, lease) == t[1 + round % 2] && leases_held(&l, (uint32_t)t[0] - 1));
  }
}

TEST(cpus_lists) {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  unsigned cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) cpu++;
  struct cpus c;
  struct failure f;
  char list[64];
  CHECK(cpus_parse(&c, NULL, 2, &f) == 0 && c.count == 0);
  snprintf(list, sizeof list, "%u,%u-%u", cpu, cpu, cpu);
  CHECK(cpus_parse(&c, list, 2, &f) == 0 && c.count == 2 && c.cpu[1] == cpu);
  const char *const bad[] = {"", ",", "1,", "a", "1-", "-1", "3-2", "0x1", "1;2", "99999", "1 ", "0-99999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(cpus_parse(&c, bad[i], 1, &f) < 0 && strstr(f.text, "--cpus"));
}
