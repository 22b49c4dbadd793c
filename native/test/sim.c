// The simulation's runs: draws a plan from a seed, lets it happen, checks the accounts. See sim.h.
// usage: sim [--seed N] [--runs N] [--seconds S]    (S ends early; seed of run i is N + i)
#include "sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum { RUN_SECONDS_MAX = 30 };  // one that takes longer hangs

static uint64_t seed_now;
static char dir[64];

uint64_t sim_draw(struct sim_random *r) {
  uint64_t z = r->state += 0x9E3779B97F4A7C15ull;  // splitmix64
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

void sim_broken(const char *condition, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  fprintf(stderr, "sim: seed %llu: not true: %s (%s); again with --seed %llu --runs 1; files in %s\n",
          (unsigned long long)seed_now, condition, text, (unsigned long long)seed_now, dir);
  _exit(1);
}

static void hangs(int signal) {
  (void)signal;
  char line[100];
  int n = snprintf(line, sizeof line, "sim: seed %llu hangs\n", (unsigned long long)seed_now);
  if (write(STDERR_FILENO, line, (size_t)n) < 0) _exit(3);
  _exit(1);
}

// Each kind of trouble is absent in half of the runs: rare and frequent ones meet in every mixture.
static uint32_t maybe(struct sim_random *r, uint32_t most_pm) {
  return sim_chance(r, 500) ? 0 : (uint32_t)sim_below(r, most_pm);
}

static struct sim_plan draw_plan(uint64_t seed) {
  struct sim_random r = {seed};
  struct sim_plan p = {.seed = seed};
  p.blocks = 2 + (uint32_t)sim_below(&r, 10);
  p.block_bytes = 4096u * (1 + (uint32_t)sim_below(&r, 8));
  p.packets = (uint32_t)sim_below(&r, 3000);
  p.packet_bytes_max = 64 + (uint32_t)sim_below(&r, 1450);
  p.rotate_bytes = sim_chance(&r, 500) ? 0 : 60000 + (uint32_t)sim_below(&r, 400000);
  p.workers = 1 + (uint32_t)sim_below(&r, 4);
  p.drives = sim_chance(&r, 400) ? 1 : 2 + (uint32_t)sim_below(&r, 3);
  p.patient = sim_chance(&r, 300);
  p.repeats = sim_chance(&r, 300);
  p.ring_drop_pm = maybe(&r, 100);
  p.poll_wait_pm = maybe(&r, 500);
  p.write_wait_pm = maybe(&r, 1000);
  p.short_pm = maybe(&r, 300);
  p.error_pm = maybe(&r, 200);
  p.full_pm = maybe(&r, 100);
  p.open_pm = maybe(&r, 300);
  p.sync_pm = maybe(&r, 500);
  p.lost_connection_pm = maybe(&r, 100);
  p.ack_wait_pm = maybe(&r, 1000);
  p.uplink_pps = sim_chance(&r, 500) ? 0 : 1 + (uint32_t)sim_below(&r, 100000);
  p.uring = sim_chance(&r, 200);
  p.slots = sim_chance(&r, 500) ? BATCH_SLOTS : 2 + (uint32_t)sim_below(&r, 6);
  return p;
}

static void ended(void *arg) { atomic_store((atomic_bool *)arg, true); }

// While all is under way the accounts must balance, too.
static struct accounts watch(struct capture *c, atomic_bool *end, struct sim_random *r) {
  struct ledger l = {0};
  while (!atomic_load(end)) {
    if (sim_chance(r, 30)) atomic_store(&c->rotate, true);
    if (sim_chance(r, 2)) atomic_store(&c->stop, true);
    capture_accounts(c, &l.a);
    ledger_balance(&l);
    SIM_CHECK(l.unaccounted == 0 && l.uplink_unaccounted == 0, "on the way: %lld, %lld", (long long)l.unaccounted,
              (long long)l.uplink_unaccounted);
    clock_sleep_ns(sim_below(r, 400000));
  }
  capture_join(c);
  capture_accounts(c, &l.a);
  return l.a;
}

static void check_pool(const struct pool *pool) {
  bool seen[64] = {false};
  uint32_t index, count = 0;
  struct spsc free_blocks = pool->free;  // a copy: the pool goes next
  for (; spsc_pop(&free_blocks, &index); count++) {
    SIM_CHECK(index < pool->count && !seen[index], "block %u is free twice", index);
    seen[index] = true;
  }
  SIM_CHECK(count == pool->count, "%u of %u blocks came back", count, pool->count);
}

struct totals {
  uint64_t runs, stored, store_drops, pool_drops, ring_drops, duplicates, sent, uplink_drops;
};

static void add_totals(struct totals *t, const struct accounts *a) {
  t->runs++;
  t->stored += a->stored;
  t->store_drops += a->store_drops;
  t->pool_drops += a->pool_drops;
  t->ring_drops += a->ring_drops;
  t->duplicates += a->duplicates;
  t->sent += a->sent;
  t->uplink_drops += a->uplink_drops;
}

static void check_ledger(struct ledger *l, uint64_t on_disk) {
  l->final = true;
  ledger_balance(l);
  const struct accounts *a = &l->a;
  SIM_CHECK(l->unaccounted == 0 && l->uplink_unaccounted == 0, "at the end: %lld, %lld", (long long)l->unaccounted,
            (long long)l->uplink_unaccounted);
  SIM_CHECK(a->received == a->filtered + a->cutoff + a->duplicates + a->unrecorded + a->ring_drops + a->pool_drops +
                               a->store_drops + a->stored,
            "received %llu", (unsigned long long)a->received);
  SIM_CHECK(on_disk == a->stored, "%llu packets on disk, stored %llu", (unsigned long long)on_disk,
            (unsigned long long)a->stored);
}

static void run(uint64_t seed, struct totals *totals) {
  struct sim_plan plan = draw_plan(seed);
  struct sim_random random = {seed * 11 + 4};
  static struct capture c;
  struct source source;
  struct pool pool;
  struct tap tap;
  struct failure f;
  atomic_bool end = false;
  memset(&c, 0, sizeof c);
  sim_source_open(&source, &plan);
  SIM_CHECK(!pool_init(&pool, plan.blocks, plan.block_bytes, &f), "%s", f.text);
  SIM_CHECK(!tap_init(&tap, plan.slots, 64, plan.uplink_pps, &f), "%s", f.text);
  struct options o = {.slice = plan.repeats ? "any=40" : NULL, .dedup = plan.repeats ? "300p" : NULL};
  SIM_CHECK(!shape_open(&c.shape, &o, source.linktype, &f), "%s", f.text);
  sim_disk_plan(&plan);
  struct sim_store *store = sim_store_open(dir, &plan, &pool);
  sim_disk_begin();
  sim_store_start(store);
  c.source = &source, c.pool = &pool, c.tap = &tap;
  c.stored = sim_store_stored(store), c.store_drops = sim_store_drops(store);
  c.snaplen = block_snaplen_max(plan.block_bytes);
  c.flush_ns = 1 + sim_below(&random, 2000 * NS_PER_MS);
  c.limit = sim_chance(&random, 200) ? 1 + sim_below(&random, plan.packets + 1) : 0;
  static const struct cpus anywhere;
  c.workers = plan.workers, c.cpus = &anywhere;
  c.on_end = ended, c.arg = &end;
  struct sim_gateway *gateway = sim_gateway_start(&plan, &tap);
  SIM_CHECK(capture_start(&c) == 0, "no thread");
  struct ledger l = {.a = watch(&c, &end, &random)};
  sim_gateway_finish(gateway);
  sim_store_finish(store, &l.a.stored, &l.a.store_drops);
  sim_disk_end();
  l.a.sent = atomic_load(&tap.sent), l.a.uplink_drops = tap_drops(&tap);
  check_ledger(&l, sim_files_check(dir));
  check_pool(&pool);
  add_totals(totals, &l.a);
  shape_close(c.shape);
  source.ops->close(&source);
  tap_destroy(&tap);
  pool_destroy(&pool);
}

int main(int argc, char **argv) {
  uint64_t seed = (uint64_t)time(NULL), runs = UINT64_MAX, seconds = 10;
  for (int i = 1; i + 1 < argc; i += 2) {
    uint64_t value = strtoull(argv[i + 1], NULL, 10);
    if (!strcmp(argv[i], "--seed")) seed = value;
    if (!strcmp(argv[i], "--runs")) runs = value, seconds = seconds == 10 ? 86400 : seconds;
    if (!strcmp(argv[i], "--seconds")) seconds = value;
  }
  snprintf(dir, sizeof dir, "%s/ringtap-sim-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  if (!mkdtemp(dir)) return perror(dir), 1;
  signal(SIGALRM, hangs);
  printf("sim: first seed %llu\n", (unsigned long long)seed);
  fflush(stdout);
  struct totals t = {0};
  for (time_t until = time(NULL) + (time_t)seconds; t.runs < runs && time(NULL) < until;) {
    seed_now = seed + t.runs;
    alarm(RUN_SECONDS_MAX);
    run(seed_now, &t);
  }
  rmdir(dir);
  printf("sim: %llu runs held: stored %llu, store drops %llu, pool drops %llu, ring drops %llu, duplicates %llu, "
         "sent %llu, uplink drops %llu\n", (unsigned long long)t.runs, (unsigned long long)t.stored,
         (unsigned long long)t.store_drops, (unsigned long long)t.pool_drops, (unsigned long long)t.ring_drops,
         (unsigned long long)t.duplicates, (unsigned long long)t.sent, (unsigned long long)t.uplink_drops);
  return 0;
}
