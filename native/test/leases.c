// Leases: every slot comes back once, in whatever order threads give them back, and never while it is out.
#include "leases.h"

#include <pthread.h>
#include <sched.h>

#include "unit.h"

#define WORKERS 3
#define ROUNDS 20000ull

static struct leases leases;
// What stands for the frames: the poller writes the ticket, workers check and wipe it before they release.
static uint64_t frames[LEASES_MAX];
static _Atomic uint64_t handed[WORKERS];  // 0: the worker is idle
static atomic_bool over;
static _Atomic uint64_t wrong;

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
    if (!old) continue;
    if (frames[old % LEASES_MAX] != old) atomic_fetch_add(&wrong, 1);
    frames[old % LEASES_MAX] = 0;
    lease_release(&leases, old);
  }
  for (int i = 0; i < 4; i++)
    if (held[i]) lease_release(&leases, held[i]);
  return NULL;
}

TEST(leases_come_back_once_from_any_thread_in_any_order) {
  pthread_t threads[WORKERS];
  leases = (struct leases){0};
  for (int i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, worker, &handed[i]);
  uint64_t back = 0;
  for (int i = 0; leases.ticket < ROUNDS; i++) {
    back += (uint64_t)__builtin_popcountll(leases_take_released(&leases));
    _Atomic uint64_t *to = &handed[i % WORKERS];
    if (!lease_possible(&leases) || atomic_load(to)) {
      sched_yield();
      continue;
    }
    uint32_t slot = lease_take(&leases);
    frames[slot] = leases.ticket;
    atomic_store(to, leases.ticket);
  }
  atomic_store(&over, true);
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  back += (uint64_t)__builtin_popcountll(leases_take_released(&leases));
  CHECK(atomic_load(&wrong) == 0);
  CHECK(back == ROUNDS && leases.out == 0);
}

TEST(leases_wait_for_the_oldest) {
  struct leases l = {0};
  for (unsigned i = 0; i < LEASES_MAX; i++) {
    CHECK(lease_possible(&l));
    lease_take(&l);
  }
  CHECK(!lease_possible(&l));
  for (uint64_t ticket = 2; ticket <= LEASES_MAX; ticket++) lease_release(&l, ticket);
  CHECK(__builtin_popcountll(leases_take_released(&l)) == LEASES_MAX - 1);
  CHECK(!lease_possible(&l));  // ticket 65 wants the slot of ticket 1
  lease_release(&l, 1);
  CHECK(leases_take_released(&l) == lease_bit(1) && lease_possible(&l) && leases_take_released(&l) == 0);
}
