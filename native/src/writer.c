// The writer thread, see writer.h.
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alarm.h"
#include "clock.h"
#include "stream.h"

#define RETRY_DELAY_MIN_NS (100 * NS_PER_MS)
#define RETRY_DELAY_MAX_NS (5 * NS_PER_S)
#define TELL_AGAIN_NS (60 * NS_PER_S)
#define RUN_BYTES_MAX (8u << 20)  // larger writes gain nothing (measured)
#define RUN_BLOCKS_MAX 256u

// Sealed blocks that lie one behind the other in memory: one write.
struct run {
  uint32_t count;
  uint32_t index[RUN_BLOCKS_MAX];
  const uint8_t *data;
  uint64_t bytes;
  uint64_t packets;
  bool rotate_after, last;
};

static void add(_Atomic uint64_t *counter, uint64_t n) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_release);
}

static void set_path(struct writer *w) {
  pthread_mutex_lock(&w->path_lock);
  strcpy(w->path, w->segment.path);
  pthread_mutex_unlock(&w->path_lock);
}

void writer_path(struct writer *w, char out[PATH_MAX]) {
  pthread_mutex_lock(&w->path_lock);
  strcpy(out, w->path);
  pthread_mutex_unlock(&w->path_lock);
}

int writer_open(struct writer *w, struct pool *pool, const uint8_t *header, uint32_t header_bytes, const char *stream,
                struct failure *f) {
  w->pool = pool;
  w->stream_fd = -1;
  w->retry_delay_ns = RETRY_DELAY_MIN_NS;
  pthread_mutex_init(&w->path_lock, NULL);
  memcpy(pool->scratch, header, header_bytes);
  if (segment_init(&w->segment, pool->scratch, header_bytes)) return fail(f, ENOMEM, "-W: no memory for that many names");
  if (stream) {
    w->stream_fd = stream_open(stream, f);
    if (w->stream_fd < 0) return w->stream_fd;
    w->stream_name = strcmp(stream, "-") ? stream : "stdout";
    snprintf(w->path, sizeof w->path, "%s", stream);
  } else {
    int rc = segment_open(&w->segment, f);
    if (rc) return rc;
    diskio_init(&w->io, pool->memory, pool->bytes);
    add(&w->stored_bytes, header_bytes);
    set_path(w);
  }
  add(&w->segments, 1);
  return 0;
}

// Only whole blocks may be joined: a partial one leaves a gap in memory behind its end.
static bool run_takes(const struct run *r, const struct block *b, uint64_t room) {
  if (r->count == 0) return true;
  return r->count < RUN_BLOCKS_MAX && !r->rotate_after && !r->last && b->base == r->data + r->bytes &&
         r->bytes + b->length <= RUN_BYTES_MAX && r->bytes + b->length <= room;
}

// Collects what is queued; `room` is what the current file still takes. Waits for the first block if asked.
static bool run_gather(struct writer *w, struct run *r, uint64_t room, bool wait) {
  *r = (struct run){0};
  uint32_t index;
  if (wait)
    while (!spsc_peek(&w->pool->filled, &index)) sem_wait(&w->pool->filled_wake);
  while (spsc_peek(&w->pool->filled, &index) && run_takes(r, &w->pool->blocks[index], room)) {
    struct block *b = &w->pool->blocks[index];
    spsc_pop(&w->pool->filled, &index);
    block_finalize(b, w->drops_since_block);
    w->drops_since_block = 0;
    if (r->count == 0) r->data = b->base;
    r->index[r->count++] = index;
    r->bytes += b->length;
    r->packets += b->packets;
    r->rotate_after = b->rotate_after;
    r->last = b->last;
  }
  return r->count > 0;
}

// Accounts for a run of which the first `written` bytes are safe, and gives its blocks back.
static void run_finish(struct writer *w, const struct run *r, uint64_t written) {
  uint64_t end = 0, complete = 0, stored = 0, lost = 0;
  for (uint32_t i = 0; i < r->count; i++) {
    const struct block *b = &w->pool->blocks[r->index[i]];
    end += b->length;
    if (end <= written) {
      stored += b->packets;
      complete = end;
    } else {
      lost += b->packets;
    }
  }
  w->segment.offset += complete;
  w->segment.packets += stored;
  add(&w->stored_bytes, complete);
  add(&w->stored, stored);
  add(&w->store_drops, lost);
  w->drops_since_block += lost;
  for (uint32_t i = 0; i < r->count; i++) spsc_push(&w->pool->free, r->index[i]);
}

// Once per cause, however often it is tried again: with a full drive every retry fails.
static void tell(struct writer *w, int err, const char *what) {
  uint64_t now_ns = clock_monotonic_ns();
  if (err == w->told_err && now_ns - w->told_at_ns < TELL_AGAIN_NS) return;
  w->told_err = err;
  w->told_at_ns = now_ns;
  w->told = true;
  log_line("%s; recording goes on when it can, what is lost is counted in store_drops", what);
}

static void back_off(struct writer *w, int err, const char *what) {
  tell(w, err, what);
  alarm_raise(ALARM_STORE, "%s; packets not stored so far: %llu", what,
              (unsigned long long)atomic_load(&w->store_drops));
  w->retry_at_ns = clock_monotonic_ns() + w->retry_delay_ns;
  w->retry_delay_ns *= 2;
  if (w->retry_delay_ns > RETRY_DELAY_MAX_NS) w->retry_delay_ns = RETRY_DELAY_MAX_NS;
}

static int segment_leave(struct writer *w, bool discard_empty) {
  syncer_closing(&w->syncer);
  return segment_close(&w->segment, discard_empty);
}

static void segment_failed(struct writer *w, int err) {
  char what[PATH_MAX + 160];
  snprintf(what, sizeof what, "%s: write failed: %s; %s", w->segment.path, strerror(err), cure(err));
  segment_truncate(&w->segment);
  if (!w->segment.plan.single) segment_leave(w, true);  // a single file goes on where it was cut
  set_path(w);
  back_off(w, err, what);
}

// A new file for the next block; false while the drive refuses.
static bool segment_ready(struct writer *w) {
  if (w->retry_at_ns && clock_monotonic_ns() < w->retry_at_ns) return false;
  if (w->segment.fd >= 0) return true;
  struct failure f;
  if (segment_open(&w->segment, &f)) {
    w->segment.path[0] = 0;
    back_off(w, f.err, f.text);
    return false;
  }
  syncer_opened(&w->syncer, w->segment.fd);
  add(&w->segments, 1);
  add(&w->stored_bytes, w->segment.header_bytes);
  set_path(w);
  return true;
}

static void segment_finish(struct writer *w) {
  int rc = segment_leave(w, false);
  if (rc) log_line("segment: sync failed: %s; its tail may not survive a power loss", strerror(-rc));
  set_path(w);
}

// Carries on after short writes. Returns bytes safely written, less than the run's when it failed.
static uint64_t wait_all(struct writer *w, const struct run *r, int *err) {
  uint64_t done = 0;
  for (;;) {
    ssize_t n = diskio_wait(&w->io);
    if (n <= 0) {
      *err = n == 0 ? EIO : (int)-n;
      return done;
    }
    done += (uint64_t)n;
    if (done >= r->bytes) return done;
    done -= done % RT_BLOCK_ALIGN_BYTES;  // O_DIRECT goes on from an aligned place
    diskio_submit(&w->io, w->segment.fd, r->data + done, r->bytes - done, w->segment.offset + done);
  }
}

// Bytes the file may still take once it is `end` bytes long.
static uint64_t room_after(const struct writer *w, uint64_t end) {
  uint64_t limit = w->segment.plan.rotate_bytes;
  if (!limit) return UINT64_MAX;
  return limit > end ? limit - end : 0;
}

// Stores `r`; meanwhile gathers (and checksums) the next run.
static void run_store(struct writer *w, const struct run *r, struct run *next) {
  *next = (struct run){0};
  if (w->segment.fd >= 0 && segment_is_due(&w->segment, r->bytes, clock_monotonic_ns())) segment_finish(w);
  if (!segment_ready(w)) {
    run_finish(w, r, 0);
    return;
  }
  diskio_submit(&w->io, w->segment.fd, r->data, r->bytes, w->segment.offset);
  if (!r->last && !r->rotate_after) run_gather(w, next, room_after(w, w->segment.offset + r->bytes), false);
  int err = 0;
  uint64_t written = wait_all(w, r, &err);
  run_finish(w, r, written);
  syncer_wrote(&w->syncer);
  if (err) {
    segment_failed(w, err);
  } else if (w->retry_delay_ns != RETRY_DELAY_MIN_NS) {
    w->retry_delay_ns = RETRY_DELAY_MIN_NS;
    w->retry_at_ns = 0;
    if (w->told)
      log_line("%s: writing again, %llu packets were lost", w->segment.path,
               (unsigned long long)atomic_load(&w->store_drops));
    w->told = false;
    alarm_clear(ALARM_STORE);
  }
  if (r->rotate_after && writer_rotates(w) && w->segment.fd >= 0 && w->segment.packets) segment_finish(w);
}

// A half-written block cannot be followed by another: the run ends.
static void stream_ended(struct writer *w, int err) {
  w->stream_gone = true;
  w->stream_failed = err != EPIPE;
  if (w->stream_failed) {
    const char *how = err == ETIMEDOUT ? "its reader takes nothing" : strerror(err);
    log_line("%s: write failed: %s; %s; what it did not take is counted in store_drops", w->stream_name, how,
             err == ETIMEDOUT ? "read on or end the reader" : cure(err));
    alarm_raise(ALARM_STORE, "%s: write failed: %s", w->stream_name, how);
  }
  w->on_reader_gone(w->arg);
}

static void run_stream(struct writer *w, const struct run *r) {
  size_t written = 0;
  int rc = w->stream_gone ? -EPIPE : stream_write(w->stream_fd, r->data, r->bytes, w->stopping, &written);
  run_finish(w, r, written);
  if (rc && !w->stream_gone) stream_ended(w, -rc);
}

static void stream_main(struct writer *w) {
  size_t written;
  int rc = stream_write(w->stream_fd, w->segment.header, w->segment.header_bytes, w->stopping, &written);
  add(&w->stored_bytes, written);
  if (rc) stream_ended(w, -rc);
  for (struct run r = {0}; !r.last;) {
    run_gather(w, &r, UINT64_MAX, true);
    run_stream(w, &r);
  }
  close(w->stream_fd);
}

static void files_main(struct writer *w) {
  struct run a = {0}, b = {0}, *now = &a, *next = &b;
  for (bool last = false; !last;) {
    if (now->count == 0) run_gather(w, now, room_after(w, w->segment.offset), true);
    last = now->last;
    run_store(w, now, next);
    struct run *swap = now;
    now = next;
    next = swap;
  }
  segment_finish(w);
  syncer_stop(&w->syncer);
  diskio_destroy(&w->io);
}

static void *writer_main(void *arg) {
  struct writer *w = arg;
  pthread_setname_np(pthread_self(), "rt-writer");
  if (w->stream_fd >= 0)
    stream_main(w);
  else
    files_main(w);
  return NULL;
}

int writer_start(struct writer *w) {
  int rc = w->stream_fd < 0 ? syncer_start(&w->syncer, w->segment.path) : 0;
  if (rc) return rc;
  if (w->stream_fd < 0) syncer_opened(&w->syncer, w->segment.fd);
  return -pthread_create(&w->thread, NULL, writer_main, w);
}

void writer_join(struct writer *w) { pthread_join(w->thread, NULL); }

bool writer_kept_all(const struct writer *w) {
  if (w->stream_failed) return false;
  return w->stream_gone || atomic_load(&w->store_drops) == 0;
}

void writer_destroy(struct writer *w) {
  segment_destroy(&w->segment);
  pthread_mutex_destroy(&w->path_lock);
}
