// What the probe says on the wire: the golden ledgers, byte for byte.
#include "envelope.h"

#include "golden.h"
#include "unit.h"

static bool written_as(const struct ledger *l, const unsigned char *golden, size_t bytes) {
  uint8_t out[512];
  size_t n = envelope_ledger(out, sizeof out, 7, l);
  CHECK(envelope_ledger(out, bytes - 1, 7, l) == 0);
  return n == bytes && !memcmp(out, golden, bytes);
}

TEST(envelope_writes_the_golden_ledger) {
  struct ledger l = {.a = {.ts_ns = 1732373983000000000ull, .received = 1000, .ring_drops = 5, .pool_drops = 1,
                           .ring_starved = LEDGER_UNKNOWN, .filtered = LEDGER_UNKNOWN, .stored = 900,
                           .store_drops = 2, .wire_bytes = 64000, .offered = 1000, .sent = 800, .sampled_out = 100,
                           .uplink_drops = 50},
                     .in_flight = 93, .unaccounted = -1, .uplink_pending = 50, .if_drops = LEDGER_UNKNOWN,
                     .stored_bytes = 131072, .segments = 1, .pool_free = 15, .pool_blocks = 16, .final = true,
                     .segment = "a.pcapng", .alarms = 1, .alarm = {"disk full"}};
  CHECK(written_as(&l, golden_ledger, sizeof golden_ledger));
}

TEST(envelope_writes_what_shaping_removed) {
  struct ledger l = {.a = {.ts_ns = 1732373983000000000ull, .received = 1000, .stored = 600, .wire_bytes = 64000,
                           .cutoff = 300, .duplicates = 100, .sliced_bytes = 5000000000ull},
                     .if_drops = LEDGER_UNKNOWN, .stored_bytes = 131072};
  CHECK(written_as(&l, golden_ledger_shaped, sizeof golden_ledger_shaped));
}
