// The accounts: what balances, what does not, and its JSON.
#include "ledger.h"

#include "unit.h"

static struct ledger sample(void) {
  return (struct ledger){.a = {.ts_ns = 18446744073709551615ull, .received = 105, .ring_drops = 5, .walked = 95,
                               .ring_starved = LEDGER_UNKNOWN, .cutoff = 3, .duplicates = 2, .sliced_bytes = 900,
                               .filtered = 10, .unrecorded = 3, .pool_drops = 7, .appended = 70, .stored = 40,
                               .store_drops = 20, .offered = 80, .sent = 50, .sampled_out = 10, .uplink_drops = 5},
                         .if_drops = LEDGER_UNKNOWN};
}

TEST(ledger_balances_while_running) {
  struct ledger l = sample();
  ledger_balance(&l);
  CHECK(l.in_flight == 5 + 10 && l.unaccounted == 0 && l.uplink_pending == 15 && l.uplink_unaccounted == 0);
}

TEST(ledger_shows_a_packet_a_stage_lost_or_invented) {
  struct ledger l = sample();
  l.a.appended--;  // walked, but neither filtered nor dropped nor in a block
  ledger_balance(&l);
  CHECK(l.unaccounted == 1);
  l = sample();
  l.a.stored += 31;  // more than was ever appended
  ledger_balance(&l);
  CHECK(l.unaccounted == -21 || l.unaccounted < 0);
  l = sample();
  l.final = true;  // nothing may be under way: the 15 are missing
  ledger_balance(&l);
  CHECK(l.in_flight == 0 && l.unaccounted == 15 && l.uplink_unaccounted == 15);
}

TEST(ledger_unknown_drops_count_as_none_and_print_as_null) {
  struct ledger l = sample();
  l.a.filtered = l.a.ring_drops = LEDGER_UNKNOWN;
  l.a.walked = 85, l.a.received = 85;
  ledger_balance(&l);
  CHECK(l.unaccounted == 0);
  struct ledger_names names = {"n\"\\\x01\xff\xc3\xa9", "eth0", "afpacket", true};
  strcpy(l.segment, "dir/file");
  strcpy(l.alarm[0], "a");
  strcpy(l.alarm[1], "b");
  l.alarms = 2;
  char out[LEDGER_JSON_BYTES];
  CHECK(ledger_json(out, sizeof out, &l, &names) == strlen(out));
  CHECK(strstr(out, "\"probe_name\":\"n\\\"\\\\\\u0001\\ufffd\xc3\xa9\""));
  CHECK(strstr(out, "\"cutoff\":3,\"duplicates\":2,\"sliced_bytes\":900,\"ring_starved\":null"));
  CHECK(strstr(out, "\"filtered\":null") && strstr(out, "\"ring_drops\":null") && strstr(out, "\"if_drops\":null"));
  CHECK(strstr(out, "\"ts_ns\":\"18446744073709551615\"") && strstr(out, "\"alarms\":[\"a\",\"b\"]}\n"));
  CHECK(ledger_json(out, 100, &l, &names) == 0);
}
