// The live tap and the batch queue: numbering, bounds, exact gaps, resending.
#include "batch_queue.h"
#include "clock.h"
#include "unit.h"

static struct tap tap;
static struct batch_queue queue;
static uint8_t data[1500];

static void begin(uint32_t slots, uint32_t snaplen, uint32_t pps) {
  struct failure f;
  CHECK(tap_init(&tap, slots, snaplen, pps, &f) == 0);
  memset(&queue, 0, sizeof queue);
  queue.tap = &tap;
  tap_tick(&tap, 1000000000);
}

static void packets(int n, uint64_t block_seq) {
  for (int i = 0; i < n; i++)
    tap_packet(&tap, &(struct packet){.data = data, .caplen = 1500, .wirelen = 1500, .ts_ns = 5 + (uint64_t)i}, block_seq);
}

static uint64_t balance(void) {
  uint64_t pending = tap.current ? tap.current->packets : 0;
  for (uint32_t i = 0; i < queue.count; i++) pending += tap.batch[queue.index[i]].packets;
  return tap.offered - tap.sampled_out - tap_drops(&tap) - tap.sent - pending;
}

TEST(tap_cuts_by_age_block_and_size) {
  begin(8, 256, 0);
  packets(3, 1);
  tap_tick(&tap, 1000000000 + BATCH_AGE_NS - 1);
  CHECK(spsc_count(&tap.filled) == 0);
  tap_tick(&tap, 1000000000 + BATCH_AGE_NS);
  CHECK(spsc_count(&tap.filled) == 1);
  packets(2, 1);
  packets(1, 2);
  CHECK(spsc_count(&tap.filled) == 2);
  int fit = BATCH_PAYLOAD_BYTES / (32 + 256);
  packets(fit, 2);
  CHECK(spsc_count(&tap.filled) == 3);
  const struct batch *b = &tap.batch[0];
  CHECK(b->seq == 1 && b->packets == 3 && b->packets_before == 0 && b->bytes == 3 * 288 && b->block_seq == 1);
  CHECK(b->first_ts_ns == 5 && b->last_ts_ns == 7);
  CHECK(tap.batch[1].seq == 2 && tap.batch[1].packets_before == 3 && tap.batch[2].packets_before == 5);
  tap_destroy(&tap);
}

TEST(tap_without_slots_loses_newest_and_numbers_the_gap) {
  begin(2, 64, 0);
  packets(1, 1), packets(1, 2), packets(4, 3), packets(2, 4);
  CHECK(tap.lost == 6 && balance() + 0 == spsc_count(&tap.filled));  // two batches of one packet wait
  queue_collect(&queue);
  queue_mark_sent(&queue), queue_mark_sent(&queue);
  CHECK(queue_acknowledge(&queue, 2) && tap.sent == 2);
  packets(1, 5);
  CHECK(tap.current->seq == 4 && tap.current->packets_before == 8);
  CHECK(balance() == 0);
  tap_destroy(&tap);
}

TEST(tap_samples_over_its_budget) {
  begin(8, 64, 100);  // the first tick fills the bucket: 80 ms of budget
  packets(50, 1);
  CHECK(tap.sampled_out == 50 - 8 && tap.offered == 50);
  tap_tick(&tap, 1050000000);
  packets(50, 1);
  CHECK(tap.offered - tap.sampled_out == 8 + 5);
  tap_destroy(&tap);
}

// Ticks of every length, most of them worth a fraction of a packet more than a whole number.
TEST(tap_delivers_the_rate_asked_for) {
  static const uint32_t rates[] = {7, 130, 999, 1000, 12345, 100000}, ticks_us[] = {90, 700, 1700, 3300, 10100};
  for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
    for (size_t i = 0; i < sizeof ticks_us / sizeof *ticks_us; i++) {
      begin(8, 64, rates[r]);
      packets(rates[r] / 10 + 2, 1);  // what a full bucket allows at the start
      uint64_t begun = tap.offered - tap.sampled_out, end_ns = 1000000000 + 5 * NS_PER_S;
      int offered = (int)((double)rates[r] * ticks_us[i] / 1e6) + 2;
      for (uint64_t at_ns = 1000000000; at_ns < end_ns;) {
        tap_tick(&tap, at_ns += ticks_us[i] * 1000ull);
        packets(offered, 1);
        tap.lost = 0;  // nobody takes the batches here
      }
      double sent = (double)(tap.offered - tap.sampled_out - begun), want = 5.0 * rates[r];
      CHECK(sent > want * 0.995 - 1 && sent < want * 1.005 + 1);
      CHECK((double)begun <= 0.02 * want + 1);
      tap_destroy(&tap);
    }
}

TEST(queue_sheds_oldest_unsent_but_never_what_was_sent) {
  begin(BATCH_SLOTS, 64, 0);
  for (uint64_t i = 1; i <= 10; i++) packets(1, i);
  tap_flush(&tap);
  queue_collect(&queue);
  CHECK(queue_next(&queue, 0) == NULL);
  for (int i = 0; i < 4; i++) queue_mark_sent(&queue);
  CHECK(queue_next(&queue, 4) == NULL && queue_next(&queue, 5)->seq == 5);
  queue_rewind(&queue);  // connection lost: 1 to 4 stay, whatever comes
  for (uint64_t i = 11; i <= 200; i++) {
    packets(1, i);
    tap_flush(&tap);
    queue_collect(&queue);
  }
  CHECK(queue.count == 4 + UNSENT_MAX && tap.shed == 200 - queue.count && tap.lost == 0);
  CHECK(tap.batch[queue.index[0]].seq == 1 && tap.batch[queue.index[4]].seq == 200 - UNSENT_MAX + 1);
  CHECK(!queue_acknowledge(&queue, 5));  // never sent
  CHECK(queue_acknowledge(&queue, 3) && tap.sent == 3 && queue_next(&queue, 9)->seq == 4);
  CHECK(balance() == 0);
  queue_discard(&queue);
  CHECK(balance() == 0 && queue.count == 0 && spsc_count(&tap.free) == BATCH_SLOTS);
  tap_destroy(&tap);
}
