// Capture, see capture.h. Every function here but the last few is called under `turn`.
#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define POLL_MS 10
#define PUBLISH_NS (100 * NS_PER_MS)
#define POOL_WAIT_NS (200 * 1000ull)

static uint64_t load(const _Atomic uint64_t *counter) {
  return counter ? atomic_load_explicit(counter, memory_order_acquire) : 0;
}

static void read_source_counters(struct capture *c) {
  struct source_counters counters;
  c->source->ops->counters(c->source, &counters);
  c->now.received = counters.received;
  c->now.ring_drops = counters.drops;
  c->now.ring_starved = counters.starved;
}

// Later stages first: what they report was appended before.
static void refresh(struct capture *c) {
  struct accounts *a = &c->now;
  a->stored = load(c->stored);
  a->store_drops = load(c->store_drops);
  if (c->tap) {
    a->sent = load(&c->tap->sent);
    a->uplink_drops = tap_drops(c->tap);
    a->offered = c->tap->offered;
    a->sampled_out = c->tap->sampled_out;
  }
  a->ts_ns = clock_realtime_ns();
  read_source_counters(c);
}

static void publish(struct capture *c, bool wait) {
  refresh(c);
  if (wait)
    pthread_mutex_lock(&c->lock);
  else if (pthread_mutex_trylock(&c->lock))
    return;
  c->published = c->now;
  pthread_mutex_unlock(&c->lock);
}

void capture_accounts(struct capture *c, struct accounts *out) {
  pthread_mutex_lock(&c->lock);
  *out = c->published;
  pthread_mutex_unlock(&c->lock);
}

static void fill_counters(struct capture *c, struct block_counters *out) {
  read_source_counters(c);
  const struct accounts *a = &c->now;
  bool known = a->ring_drops != SOURCE_UNKNOWN;
  *out = (struct block_counters){
      .started_ts_ns = c->started_ts_ns,
      .received = a->received,
      .if_drops = load(&c->if_drops),
      .os_drops = known ? a->ring_drops + a->pool_drops : BLOCK_UNKNOWN,
      .delivered = a->appended,
      .ring_drops = known ? a->ring_drops - c->sealed_ring_drops : BLOCK_UNKNOWN,
      .pool_drops = a->pool_drops - c->sealed_pool_drops,
      .cutoff = a->cutoff - c->sealed_cutoff,
      .duplicates = a->duplicates - c->sealed_duplicates,
      .sliced_bytes = a->sliced_bytes - c->sealed_sliced_bytes,
  };
  c->sealed_ring_drops = known ? a->ring_drops : 0;
  c->sealed_pool_drops = a->pool_drops;
  c->sealed_cutoff = a->cutoff;
  c->sealed_duplicates = a->duplicates;
  c->sealed_sliced_bytes = a->sliced_bytes;
}

// The block is on its way once the copies into it are done.
static void seal(struct capture *c, bool rotate_after, bool last) {
  struct block_counters counters;
  fill_counters(c, &counters);
  block_seal(c->block, &counters, clock_realtime_ns());
  c->block->rotate_after = rotate_after;
  c->block->last = last;
  c->block = NULL;
  spsc_push(&c->sealed, c->block_index);
}

// Sealed blocks without a hole go to the writer, in the order of block_seq: one that is not complete yet
// holds back those behind it.
static void pass_on(struct capture *c) {
  uint32_t index;
  if (!c->pool) return;
  while (spsc_peek(&c->sealed, &index) && block_committed(&c->pool->blocks[index])) {
    spsc_pop(&c->sealed, &index);
    pool_fill(c->pool, index);
  }
}

// A patient source, or one that has been stopped, loses nothing by waiting for the writer. The worker's own
// places are filled first: the writer might be waiting for just these.
static bool pool_wait(struct capture *c, struct worker *w) {
  places_fill(&w->places);
  pass_on(c);
  while (!pool_take(c->pool, &c->block_index)) {
    if (!c->source->patient && !c->draining) return false;
    clock_sleep_ns(POOL_WAIT_NS);
    pass_on(c);
    if (clock_monotonic_ns() < c->publish_at_ns) continue;
    publish(c, false);
    c->publish_at_ns = clock_monotonic_ns() + PUBLISH_NS;
  }
  return true;
}

static bool block_take(struct capture *c, struct worker *w) {
  if (!pool_take(c->pool, &c->block_index) && !pool_wait(c, w)) return false;
  c->block = &c->pool->blocks[c->block_index];
  block_reset(c->block, ++c->block_seq);
  c->flush_at_ns = 0;  // set when housekeeping first meets packets in it
  return true;
}

static void record(struct capture *c, struct worker *w, const struct packet *p) {
  uint32_t kept = pcapng_kept(p, c->snaplen);
  uint8_t *place = c->block ? block_reserve(c->block, p, kept) : NULL;
  if (!place) {
    if (c->block) seal(c, false, false);
    if (!block_take(c, w)) {
      c->now.pool_drops++;
      return;
    }
    place = block_reserve(c->block, p, kept);
  }
  places_add(&w->places, c->block, place, p, kept);
  c->now.appended++;
}

static bool limit_reached(const struct capture *c) {
  return c->limit && (c->pool ? c->now.appended : c->now.unrecorded) >= c->limit;
}

static bool shaped_away(struct capture *c, struct packet *p) {
  enum shape_verdict verdict = shape_packet(c->shape, p, &c->now.sliced_bytes);
  c->now.cutoff += verdict == SHAPE_CUTOFF;
  c->now.duplicates += verdict == SHAPE_DUPLICATE;
  return verdict != SHAPE_KEEP;
}

static void sort_packet(struct capture *c, struct worker *w, struct packet *p) {
  if (c->filter.active && !filter_matches(&c->filter, p)) {
    c->now.filtered++;
    return;
  }
  if (limit_reached(c)) {
    c->now.unrecorded++;
    return;
  }
  if (c->shape && shaped_away(c, p)) return;
  if (c->pool)
    record(c, w, p);
  else
    c->now.unrecorded++;
  if (c->tap) tap_packet(c->tap, p, c->block ? c->block->seq : 0);
}

// Counted as walked last: while it waits for a block it is still on its way from the ring, and balances.
static void take_packet(struct capture *c, struct worker *w, struct packet *p) {
  c->now.wire_bytes += packet_full_wirelen(p);
  sort_packet(c, w, p);
  c->now.walked++;
}

static void housekeep(struct capture *c, struct worker *w, uint64_t now_ns) {
  if (c->block && c->block->packets) {
    if (!c->flush_at_ns) c->flush_at_ns = now_ns + c->flush_ns;
    bool rotate = atomic_load_explicit(&c->rotate, memory_order_relaxed);
    if (rotate || now_ns >= c->flush_at_ns) {
      atomic_store(&c->rotate, false);
      seal(c, rotate, false);
    }
  } else if (c->pool && atomic_exchange(&c->rotate, false) && (c->block || block_take(c, w))) {
    seal(c, true, false);  // an empty block: its ISB and the order to rotate
  }
  pass_on(c);
  if (now_ns < c->publish_at_ns) return;
  publish(c, false);
  c->publish_at_ns = now_ns + PUBLISH_NS;
}

static void drain(struct capture *c) {
  c->source->ops->stop(c->source);
  c->draining = true;
}

// What `poll` says instead of packets. After the first -ENODATA the source is stopped and drained like one
// that was told to; a failure ends at once.
static void source_said(struct capture *c, int rc) {
  if (c->draining) {
    c->ended = true;
    return;
  }
  c->result = rc == -ENODATA ? 0 : rc;
  drain(c);
  c->ended = c->result != 0;
}

// One turn as the sequencer. False when it was the last.
static bool take_turn(struct capture *c, struct worker *w) {
  if (c->ended) return false;
  pass_on(c);
  if (!c->draining && (atomic_load_explicit(&c->stop, memory_order_relaxed) || limit_reached(c))) drain(c);
  int n = c->source->ops->poll(c->source, w->packets, POLL_MS);
  if (n < 0) return source_said(c, n), !c->ended;
  if (n > 0 && c->source->ops->release) w->ticket = c->source->ticket;
  uint64_t now_ns = clock_monotonic_ns();
  if (c->tap) tap_tick(c->tap, now_ns);
  for (int i = 0; i < n; i++) take_packet(c, w, &w->packets[i]);
  housekeep(c, w, now_ns);
  return true;
}

// --- the threads ---

// Beside the other workers: nothing here needs the turn.
static void settle(struct capture *c, struct worker *w) {
  places_fill(&w->places);
  if (!w->ticket) return;
  jitter();
  c->source->ops->release(c->source, w->ticket);
  w->ticket = 0;
}

// By the last worker to leave: every place is filled, nobody takes a turn any more.
static void end(struct capture *c, struct worker *w) {
  if (c->tap) tap_flush(c->tap);
  if (c->pool) {
    if (c->block || block_take(c, w)) seal(c, false, true);  // even if empty: its ISB has the final counts
    pass_on(c);
  }
  publish(c, true);
  c->on_end(c->arg);
}

static void *worker_main(void *arg) {
  struct worker *w = arg;
  struct capture *c = w->capture;
  pthread_setname_np(pthread_self(), "rt-capture");
  for (bool more = true; more;) {
    pthread_mutex_lock(&c->turn);
    more = take_turn(c, w);
    pthread_mutex_unlock(&c->turn);
    settle(c, w);
  }
  if (atomic_fetch_sub(&c->working, 1) == 1) end(c, w);
  return NULL;
}

// Without threads for all of them the run goes on with fewer; with none it fails.
static int workers_start(struct capture *c) {
  uint32_t started = 0;
  int rc = 0;
  pthread_mutex_lock(&c->turn);  // nobody ends before `working` is right
  for (; started < c->workers && !rc; started += !rc) {
    c->worker[started].capture = c;
    rc = -pthread_create(&c->worker[started].thread, NULL, worker_main, &c->worker[started]);
    if (!rc) cpus_pin_worker(c->cpus, c->worker[started].thread, started);
  }
  if (started && rc) log_line("--workers: only %u of %u threads could be started; raise `ulimit -u`", started, c->workers);
  c->workers = started;
  atomic_store(&c->working, started);
  pthread_mutex_unlock(&c->turn);
  return started ? 0 : rc;
}

int capture_start(struct capture *c) {
  const struct source *s = c->source;
  pthread_mutex_init(&c->lock, NULL);
  pthread_mutex_init(&c->turn, NULL);
  uint32_t most = s->ops->release ? s->outstanding_max : 1;
  if (c->workers > most) {
    log_line("--workers: %s gives out packets to %u at a time; using %u", s->ops->name, most, most);
    c->workers = most;
  }
  c->worker = calloc(c->workers, sizeof *c->worker);
  if (!c->worker || (c->pool && spsc_init(&c->sealed, c->pool->count))) return -ENOMEM;
  if (s->filters) c->now.filtered = LEDGER_UNKNOWN;
  publish(c, true);
  return workers_start(c);
}

void capture_join(struct capture *c) {
  for (uint32_t i = 0; i < c->workers; i++) pthread_join(c->worker[i].thread, NULL);
  free(c->worker);
  spsc_free(&c->sealed);
}
