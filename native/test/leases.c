// Leases: a slot is out until its ticket is given back, by any thread and in any order.
#include "leases.h"

#include <pthread.h>
#include <sched.h>

#include "unit.h"

#define WORKERS 3
#define ROUNDS 20000ull

static struct leases leases;
// What stands for the frames: the poller writes the round, workers check and wipe it before they give back.
static uint64_t frames[LEASES_MAX];
static _Atomic uint64_t handed[WORKERS];  // ticket; 0: the worker is idle
static atomic_bool over;
static _Atomic uint64_t wrong;

static void give_back(uint64_t ticket) {
  if (!frames[ticket - 1]) atomic_fetch_add(&wrong, 1);
  frames[ticket - 1] = 0;
  leases_give(&leases, ticket);
}

static void *worker(void *arg) {
  _Atomic uint64_t *mine = arg;
  uint64_t held[4] = {0}, n = 0;  // gives back late and in another order
  for (;;) {
    uint64_t ticket = atomic_exchange(mine, 0);
    if (!ticket && atomic_load(&over)) break;
    if (!ticket) {
      sched_yield();
      continue;
    }
    uint64_t *place = &held[n++ * 7 % 4], old = *place;
    *place = ticket;
    if (old) give_back(old);
  }
  for (int i = 0; i < 4; i++)
    if (held[i]) give_back(held[i]);
  return NULL;
}

TEST(leases_come_back_from_any_thread_in_any_order) {
  pthread_t threads[WORKERS];
  leases = (struct leases){.count = LEASES_MAX};
  for (int i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, worker, &handed[i]);
  uint64_t round = 0;
  for (int i = 0; round < ROUNDS; i++) {
    uint32_t lease = leases_free(&leases);
    _Atomic uint64_t *to = &handed[i % WORKERS];
    if (lease == leases.count || atomic_load(to)) {
      sched_yield();
      continue;
    }
    if (frames[lease]) atomic_fetch_add(&wrong, 1);  // still a worker's
    frames[lease] = ++round;
    atomic_store(to, leases_take(&leases, lease));
  }
  atomic_store(&over, true);
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  CHECK(atomic_load(&wrong) == 0);
  for (uint32_t i = 0; i < LEASES_MAX; i++) CHECK(!leases_held(&leases, i));
}

TEST(leases_one_that_is_kept_does_not_stop_the_others) {
  struct leases l = {.count = 2};
  uint64_t kept = leases_take(&l, leases_free(&l));
  for (int i = 0; i < 1000; i++) {
    uint32_t lease = leases_free(&l);
    CHECK(lease == 1);
    leases_give(&l, leases_take(&l, lease));
  }
  CHECK(leases_take(&l, leases_free(&l)) == 2 && leases_free(&l) == l.count);
  leases_give(&l, kept);
  CHECK(leases_free(&l) == kept - 1);
}
