// The ring between two threads: order kept, nothing lost, full and empty told, contents visible.
#include "spsc.h"

#include <pthread.h>
#include <sched.h>

#include "unit.h"

enum { ROUNDS = 300000, SLOTS = 8 };
static struct spsc there, back;
static uint64_t payload[SLOTS];

static void *consume(void *arg) {
  bool *fine = arg;
  *fine = true;
  for (uint64_t i = 0; i < ROUNDS; i++) {
    uint32_t slot;
    while (!spsc_pop(&there, &slot)) sched_yield();
    if (payload[slot] != i) *fine = false;
    spsc_push(&back, slot);
  }
  return NULL;
}

TEST(spsc_hands_over_in_order_between_threads) {
  bool fine;
  pthread_t thread;
  CHECK(spsc_init(&there, SLOTS) == 0 && spsc_init(&back, SLOTS) == 0);
  for (uint32_t i = 0; i < SLOTS; i++) spsc_push(&back, i);
  pthread_create(&thread, NULL, consume, &fine);
  for (uint64_t i = 0; i < ROUNDS; i++) {
    uint32_t slot;
    while (!spsc_pop(&back, &slot)) sched_yield();
    payload[slot] = i;
    CHECK(spsc_push(&there, slot));
  }
  pthread_join(thread, NULL);
  CHECK(fine);
  CHECK(spsc_count(&there) == 0 && spsc_count(&back) == SLOTS);
  spsc_free(&there);
  spsc_free(&back);
}

TEST(spsc_tells_full_and_empty) {
  struct spsc q;
  uint32_t value;
  CHECK(spsc_init(&q, 3) == 0);  // rounded up to 4
  CHECK(!spsc_pop(&q, &value) && !spsc_peek(&q, &value));
  for (uint32_t i = 0; i < 4; i++) CHECK(spsc_push(&q, i));
  CHECK(!spsc_push(&q, 4));
  CHECK(spsc_peek(&q, &value) && value == 0 && spsc_count(&q) == 4);
  CHECK(spsc_pop(&q, &value) && value == 0 && spsc_push(&q, 4));
  spsc_free(&q);
}
