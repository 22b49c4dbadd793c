// One drive of the recorder, see drive.h.
#include "drive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alarm.h"
#include "clock.h"

#define RETRY_DELAY_MIN_NS (100 * NS_PER_MS)
#define RETRY_DELAY_MAX_NS (5 * NS_PER_S)
#define TELL_AGAIN_NS (60 * NS_PER_S)
#define LOOK_NS NS_PER_S
#define IDLE_NS (20 * NS_PER_MS)  // how soon a failed drive notices the end of the run

static void set_path(struct drive *d) {
  pthread_mutex_lock(d->path_lock);
  strcpy(d->path, d->segment.path);
  pthread_mutex_unlock(d->path_lock);
}

static uint64_t lost_so_far(const struct drive *d) { return atomic_load(&d->dispatch->store_drops); }

// --- failing and recovering ---

// Once per cause, however often it is tried again: with a full drive every retry fails.
static void tell(struct drive *d, int err, const char *what) {
  uint64_t now_ns = clock_monotonic_ns();
  if (err == d->told_err && now_ns - d->told_at_ns < TELL_AGAIN_NS) return;
  d->told_err = err;
  d->told_at_ns = now_ns;
  d->told = true;
  const char *goes_on = d->dispatch->drives > 1 ? "the other drives go on" : "recording goes on when it can";
  log_line("%s; %s, what is lost is counted in store_drops", what, goes_on);
}

// At first, and as long as blocks get through, it is tried again at once: a new file may do where an old one failed.
static void back_off(struct drive *d, int err, const char *what) {
  tell(d, err, what);
  if (!d->failed) dispatch_failed(d->dispatch, true);
  alarm_raise(ALARM_STORE, "%s; packets not stored so far: %llu", what, (unsigned long long)lost_so_far(d));
  atomic_store(&d->failing, true);
  d->retry_at_ns = clock_monotonic_ns() + d->retry_delay_ns;
  d->retry_delay_ns = d->retry_delay_ns ? 2 * d->retry_delay_ns : RETRY_DELAY_MIN_NS;
  if (d->retry_delay_ns > RETRY_DELAY_MAX_NS) d->retry_delay_ns = RETRY_DELAY_MAX_NS;
  d->failed = true;
  d->probing = false;
}

static void recover(struct drive *d) {
  if (!d->failed) return;
  d->failed = d->probing = false;
  d->retry_delay_ns = 0;
  uint32_t still = dispatch_failed(d->dispatch, false);
  if (d->told)
    log_line("%s: writing again, %llu packets were lost", d->segment.path, (unsigned long long)lost_so_far(d));
  d->told = false;
  atomic_store(&d->failing, false);
  if (!still) alarm_clear(ALARM_STORE);
}

// --- the file ---

static int segment_leave(struct drive *d, bool discard_empty) {
  syncer_closing(&d->syncer);
  return segment_close(&d->segment, discard_empty);
}

static void segment_failed(struct drive *d, int err) {
  char what[PATH_MAX + 160];
  snprintf(what, sizeof what, "%s: write failed: %s; %s", d->segment.path, strerror(err), cure(err));
  segment_truncate(&d->segment);
  if (!d->segment.plan.single) segment_leave(d, true);  // a single file goes on where it was cut
  set_path(d);
  back_off(d, err, what);
}

static void segment_finish(struct drive *d) {
  int rc = segment_leave(d, false);
  if (rc) log_line("%s: sync failed: %s; its tail may not survive a power loss", d->name, strerror(-rc));
  set_path(d);
}

// Somebody removed, renamed or unmounted it under our hands: what comes next belongs into a file that is found.
static void leave_if_gone(struct drive *d) {
  uint64_t now_ns = clock_monotonic_ns();
  if (d->segment.fd < 0 || d->segment.plan.single || now_ns - d->looked_at_ns < LOOK_NS) return;
  d->looked_at_ns = now_ns;
  if (segment_is_reachable(&d->segment)) return;
  log_line("%s: no longer there under its name, with %llu packets: removed, renamed or unmounted; going on in a new file",
           d->segment.path, (unsigned long long)d->segment.packets);
  segment_finish(d);
}

// A file that takes `r`; false while the drive refuses.
static bool segment_ready(struct drive *d, uint64_t bytes) {
  struct failure f;
  leave_if_gone(d);
  int rc = d->retention ? retention_room(d->retention, d->number, bytes, &f) : 0;
  if (!rc && d->segment.fd >= 0) return true;
  bool opens = !rc;
  if (opens) rc = segment_open(&d->segment, &f);
  if (rc) {
    if (opens) d->segment.path[0] = 0;
    back_off(d, f.err, f.text);
    return false;
  }
  syncer_opened(&d->syncer, d->segment.fd);
  atomic_fetch_add(d->segments, 1);
  atomic_fetch_add(&d->dispatch->stored_bytes, d->segment.header_bytes);
  d->looked_at_ns = clock_monotonic_ns();
  set_path(d);
  return true;
}

static bool rotates(const struct drive *d) { return !d->segment.plan.single; }

// By size, age, order (a rescued block is older than what the file has), or because somebody asked for it.
static void rotate_if_due(struct drive *d, const struct run *r) {
  const struct segment *s = &d->segment;
  if (s->fd < 0) return;
  uint64_t behind = d->dispatch->rotate_seq;
  bool asked = s->packets && s->last_seq <= behind && r->first_seq > behind;
  bool older = s->last_seq > r->first_seq;
  if (segment_is_due(s, r->bytes, clock_monotonic_ns()) || (rotates(d) && (asked || older))) segment_finish(d);
}

// Bytes the file may still take once it is `end` bytes long.
static uint64_t room_after(const struct drive *d, uint64_t end) {
  uint64_t limit = d->segment.plan.rotate_bytes;
  if (!limit || d->segment.fd < 0) return UINT64_MAX;
  return limit > end ? limit - end : 0;
}

// --- writing ---

// Carries on after short writes. Returns bytes safely written, less than the run's when it failed.
static uint64_t wait_all(struct drive *d, const struct run *r, int *err) {
  uint64_t done = 0;
  for (;;) {
    ssize_t n = diskio_wait(&d->io);
    if (n <= 0) {
      *err = n == 0 ? EIO : (int)-n;
      return done;
    }
    done += (uint64_t)n;
    if (done >= r->bytes) return done;
    done -= done % RT_BLOCK_ALIGN_BYTES;  // O_DIRECT goes on from an aligned place
    diskio_submit(&d->io, d->segment.fd, r->data + done, r->bytes - done, d->segment.offset + done);
  }
}

// Blocks not stored go to whoever can, unless this was the last attempt and none got through.
static void run_finish(struct drive *d, const struct run *r, uint64_t written) {
  uint64_t packets;
  bool progress = written >= d->dispatch->pool->blocks[r->index[0]].length;
  if (progress) d->last_try = false;
  if (progress) d->retry_delay_ns = 0;
  d->segment.offset += dispatch_return(d->dispatch, r, written, !d->last_try, &packets);
  d->segment.packets += packets;
  if (written) d->segment.last_seq = r->last_seq;
}

// Not even tried: what comes next must not overtake what has failed.
static void give_back(struct drive *d, struct run *r) {
  uint64_t packets;
  if (r->count) dispatch_return(d->dispatch, r, 0, true, &packets);
  r->count = 0;
}

// Stores `r`; meanwhile gathers (and checksums) the next run.
static void run_store(struct drive *d, const struct run *r, struct run *next) {
  next->count = 0;
  dispatch_finalize(d->dispatch, r);
  atomic_store(&d->busy_since_ns, clock_monotonic_ns());
  rotate_if_due(d, r);
  if (!segment_ready(d, r->bytes)) {
    run_finish(d, r, 0);
    return;
  }
  diskio_submit(&d->io, d->segment.fd, r->data, r->bytes, d->segment.offset);
  if (!r->rotate_after && !d->failed) {
    dispatch_take_more(d->dispatch, room_after(d, d->segment.offset + r->bytes), next);
    dispatch_finalize(d->dispatch, next);
  }
  int err = 0;
  uint64_t written = wait_all(d, r, &err);
  run_finish(d, r, written);
  syncer_wrote(&d->syncer);
  if (err) {
    segment_failed(d, err);
    give_back(d, next);
  } else {
    recover(d);
  }
  if (r->rotate_after && rotates(d) && d->segment.fd >= 0 && d->segment.packets) segment_finish(d);
}

// --- the loop ---

static enum dispatch_answer take(struct drive *d, struct run *r) {
  if (d->failed && !d->probing) return dispatch_take_failed(d->dispatch, r);
  return dispatch_take(d->dispatch, room_after(d, d->segment.offset), r);
}

// It makes a file and writes its header: only when that works are blocks risked again.
static void try_again(struct drive *d) {
  uint64_t now_ns = clock_monotonic_ns();
  if (now_ns < d->retry_at_ns)
    clock_sleep_ns(d->retry_at_ns - now_ns < IDLE_NS ? d->retry_at_ns - now_ns : IDLE_NS);
  else
    d->probing = segment_ready(d, d->dispatch->pool->blocks[0].capacity);
}

// At the end of the run a failed drive is tried, whatever its delay, until nothing gets through.
static void lose(struct drive *d, const struct run *r, struct run *next) {
  uint64_t packets;
  bool tries = dispatch_ends(d->dispatch) && !d->last_try;
  if (tries) {
    d->last_try = true;
    run_store(d, r, next);
  } else {
    dispatch_return(d->dispatch, r, 0, false, &packets);
  }
}

static void *drive_main(void *arg) {
  struct drive *d = arg;
  pthread_setname_np(pthread_self(), "rt-drive");
  struct run a = {0}, b = {0}, *now = &a, *next = &b;
  for (;;) {
    enum dispatch_answer answer = now->count ? DISPATCH_RUN : take(d, now);
    if (answer == DISPATCH_END) break;
    if (answer == DISPATCH_LATER) {
      try_again(d);
      continue;
    }
    if (answer == DISPATCH_LOSE)
      lose(d, now, next);
    else
      run_store(d, now, next);
    atomic_store(&d->busy_since_ns, 0);
    now->count = 0;
    struct run *swap = now;
    now = next;
    next = swap;
  }
  segment_finish(d);
  syncer_stop(&d->syncer);
  diskio_destroy(&d->io);
  return NULL;
}

int drive_start(struct drive *d) {
  const struct pool *pool = d->dispatch->pool;
  diskio_init(&d->io, pool->memory, pool->bytes);
  int rc = syncer_start(&d->syncer, d->segment.path);
  if (rc) return rc;
  syncer_opened(&d->syncer, d->segment.fd);
  set_path(d);
  return -pthread_create(&d->thread, NULL, drive_main, d);
}

void drive_join(struct drive *d) { pthread_join(d->thread, NULL); }
