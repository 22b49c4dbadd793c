// The capture thread, see capture.h.
#include "capture.h"

#include <errno.h>
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

static void seal(struct capture *c, bool rotate_after, bool last) {
  struct block_counters counters;
  fill_counters(c, &counters);
  block_seal(c->block, &counters, clock_realtime_ns());
  c->block->rotate_after = rotate_after;
  c->block->last = last;
  c->block = NULL;
  pool_fill(c->pool, c->block_index);
}

// A patient source, or one that has been stopped, loses nothing by waiting for the writer.
static bool block_take(struct capture *c) {
  bool patient = c->source->patient || c->draining;
  while (!pool_take(c->pool, &c->block_index)) {
    if (!patient) return false;
    clock_sleep_ns(POOL_WAIT_NS);
    if (clock_monotonic_ns() >= c->publish_at_ns) {
      publish(c, false);
      c->publish_at_ns = clock_monotonic_ns() + PUBLISH_NS;
    }
  }
  c->block = &c->pool->blocks[c->block_index];
  block_reset(c->block, ++c->block_seq);
  c->flush_at_ns = 0;  // set when housekeeping first meets packets in it
  return true;
}

static void record(struct capture *c, const struct packet *p) {
  if (c->block && block_append(c->block, p, c->snaplen)) {
    c->now.appended++;
    return;
  }
  if (c->block) seal(c, false, false);
  if (!block_take(c)) {
    c->now.pool_drops++;
    return;
  }
  block_append(c->block, p, c->snaplen);
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

static void take_packet(struct capture *c, struct packet *p) {
  c->now.walked++;
  c->now.wire_bytes += packet_full_wirelen(p);
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
    record(c, p);
  else
    c->now.unrecorded++;
  if (c->tap) tap_packet(c->tap, p, c->block ? c->block->seq : 0);
}

static void housekeep(struct capture *c, uint64_t now_ns) {
  if (c->block && c->block->packets) {
    if (!c->flush_at_ns) c->flush_at_ns = now_ns + c->flush_ns;
    bool rotate = atomic_load_explicit(&c->rotate, memory_order_relaxed);
    if (rotate || now_ns >= c->flush_at_ns) {
      atomic_store(&c->rotate, false);
      seal(c, rotate, false);
    }
  } else if (c->pool && atomic_exchange(&c->rotate, false) && (c->block || block_take(c))) {
    seal(c, true, false);  // an empty block: its ISB and the order to rotate
  }
  if (now_ns < c->publish_at_ns) return;
  publish(c, false);
  c->publish_at_ns = now_ns + PUBLISH_NS;
}

// Until the source ends, fails, or `stop` is asked for. 0 or -errno.
static int pump(struct capture *c) {
  struct packet packets[SOURCE_BATCH];
  while (c->draining || !atomic_load_explicit(&c->stop, memory_order_relaxed)) {
    int n = c->source->ops->poll(c->source, packets, POLL_MS);
    if (n < 0) return n == -ENODATA ? 0 : n;
    uint64_t now_ns = clock_monotonic_ns();
    if (c->tap) tap_tick(c->tap, now_ns);
    for (int i = 0; i < n; i++) take_packet(c, &packets[i]);
    housekeep(c, now_ns);
    if (!c->draining && limit_reached(c)) return 0;
  }
  return 0;
}

static void *capture_main(void *arg) {
  struct capture *c = arg;
  pthread_setname_np(pthread_self(), "rt-capture");
  c->result = pump(c);
  c->source->ops->stop(c->source);
  c->draining = true;
  if (c->result == 0) pump(c);
  if (c->tap) tap_flush(c->tap);
  if (c->pool) {
    if (c->block || block_take(c)) seal(c, false, true);  // even if empty: its ISB has the final counts
  }
  publish(c, true);
  c->on_end(c->arg);
  return NULL;
}

int capture_start(struct capture *c) {
  pthread_mutex_init(&c->lock, NULL);
  if (c->source->filters) c->now.filtered = LEDGER_UNKNOWN;
  publish(c, true);
  return -pthread_create(&c->thread, NULL, capture_main, c);
}

void capture_join(struct capture *c) { pthread_join(c->thread, NULL); }
