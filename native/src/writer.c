// Storing, see writer.h.
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "alarm.h"
#include "clock.h"
#include "stream.h"

#define SEGMENT_BYTES_DEFAULT (1ull << 30)
#define SILENT_NS (2 * NS_PER_S)

// --- opening ---

// Retention deletes whole files: so there must be several, on a small file system and under a small limit too.
static uint64_t default_rotation(const struct writer_plan *plan, const struct pool *pool, const char *dir) {
  uint64_t bytes = SEGMENT_BYTES_DEFAULT, least = 4ull * pool->blocks[0].capacity;
  struct statvfs v;
  if (plan->rotate_bytes || plan->rotate_ns) return plan->rotate_bytes;
  if (statvfs(dir, &v) == 0 && (uint64_t)v.f_blocks * v.f_frsize / 16 < bytes) bytes = (uint64_t)v.f_blocks * v.f_frsize / 16;
  uint64_t limit = plan->retain.bytes / (8 * plan->stores_count);
  if (limit && limit < bytes) bytes = limit;
  return bytes > least ? bytes : least;
}

static int drive_open(struct writer *w, const struct writer_plan *plan, uint32_t number, struct failure *f) {
  struct drive *d = &w->drives[number];
  *d = (struct drive){.dispatch = &w->dispatch, .number = number, .segments = &w->segments, .path_lock = &w->path_lock};
  struct segment_plan *sp = &d->segment.plan;
  *sp = (struct segment_plan){.rotate_bytes = plan->rotate_bytes, .rotate_ns = plan->rotate_ns, .keep = plan->keep};
  uint8_t *header = w->pool->scratch + (size_t)number * SECTION_BYTES_MAX;
  memcpy(header, w->header, w->header_bytes);
  pcapng_set_stripe(header, number, w->drives_count);
  d->name = plan->file ? plan->file : plan->stores[number];
  d->retention = plan->file ? NULL : &w->retention;
  int rc = plan->file ? segment_plan_file(sp, plan->file, f) : segment_plan_store(sp, d->name, plan->interface, f);
  if (rc) return rc;
  if (!plan->file) sp->rotate_bytes = default_rotation(plan, w->pool, d->name);
  if (segment_init(&d->segment, &w->names, header, w->header_bytes))
    return fail(f, ENOMEM, "-W: no memory for that many names");
  rc = segment_open(&d->segment, f);
  if (rc) return rc;
  strcpy(d->path, d->segment.path);
  atomic_fetch_add(&w->segments, 1);
  atomic_fetch_add(&w->dispatch.stored_bytes, w->header_bytes);
  return 0;
}

static int stream_begin(struct writer *w, const struct writer_plan *plan, struct failure *f) {
  w->segments = 1;
  w->stream_path = plan->stream ? plan->stream : "null";
  if (!plan->stream) {
    log_line("--store null: every packet is thrown away; `stored` counts what a drive would have had to take");
    return 0;
  }
  w->stream_name = strcmp(plan->stream, "-") ? plan->stream : "stdout";
  w->stream_fd = stream_open(plan->stream, f);
  return w->stream_fd < 0 ? w->stream_fd : 0;
}

int writer_open(struct writer *w, struct pool *pool, const struct writer_plan *plan, const uint8_t *header,
                uint32_t header_bytes, struct failure *f) {
  memset(w, 0, sizeof *w);
  w->pool = pool;
  w->stream_fd = -1;
  w->header = header;
  w->header_bytes = header_bytes;
  w->drives_count = plan->file ? 1 : plan->stores_count;
  pthread_mutex_init(&w->path_lock, NULL);
  pthread_mutex_init(&w->names.lock, NULL);
  if (dispatch_init(&w->dispatch, pool, w->drives_count ? w->drives_count : 1))
    return fail(f, ENOMEM, "block pool: no memory; use fewer --pool-blocks");
  if (!w->drives_count) return stream_begin(w, plan, f);
  int rc = 0;
  for (uint32_t i = 0; !rc && i < w->drives_count; i++) rc = drive_open(w, plan, i, f);
  w->retention.limits = plan->retain;
  return rc;
}

// --- a stream, or nowhere ---

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

static size_t stream_put(struct writer *w, const void *data, size_t bytes) {
  size_t written = 0;
  if (w->stream_fd < 0) return bytes;
  int rc = w->stream_gone ? -EPIPE : stream_write(w->stream_fd, data, bytes, w->stopping, &written);
  if (rc && !w->stream_gone) stream_ended(w, -rc);
  return written;
}

static void *stream_main(void *arg) {
  struct writer *w = arg;
  struct run r;
  uint64_t packets;
  pthread_setname_np(pthread_self(), "rt-writer");
  atomic_fetch_add(&w->dispatch.stored_bytes, stream_put(w, w->header, w->header_bytes));
  while (dispatch_take(&w->dispatch, UINT64_MAX, &r) == DISPATCH_RUN) {
    if (w->stream_fd >= 0) dispatch_finalize(&w->dispatch, &r);
    dispatch_return(&w->dispatch, &r, stream_put(w, r.data, r.bytes), false, &packets);
  }
  if (w->stream_fd >= 0) close(w->stream_fd);
  return NULL;
}

// --- the run ---

static int start_retention(struct writer *w) {
  const struct retention_limits limits = w->retention.limits;
  const char *dirs[DRIVES_MAX];
  if (!w->drives[0].retention) return 0;
  for (uint32_t i = 0; i < w->drives_count; i++) dirs[i] = w->drives[i].name;
  return retention_start(&w->retention, dirs, w->drives_count, &limits);
}

int writer_start(struct writer *w) {
  if (!w->drives_count) return -pthread_create(&w->thread, NULL, stream_main, w);
  int rc = start_retention(w);
  for (uint32_t i = 0; !rc && i < w->drives_count; i++) rc = drive_start(&w->drives[i]);
  return rc;
}

static void tell_silence(struct writer *w, uint32_t i, uint64_t busy_ns) {
  const struct drive *d = &w->drives[i];
  if (busy_ns >= SILENT_NS) {
    alarm_raise(ALARM_STORE, "%s: the drive has not answered for %llu s", d->name, (unsigned long long)(busy_ns / NS_PER_S));
    if (!w->silent[i])
      log_line("%s: the drive has not answered for %llu s; %s; check it (dmesg)", d->name,
               (unsigned long long)(busy_ns / NS_PER_S),
               w->drives_count > 1 ? "the others go on" : "blocks wait for it in memory");
    w->silent[i] = true;
  } else if (w->silent[i]) {
    log_line("%s: the drive answers again", d->name);
    w->silent[i] = false;
    if (!atomic_load(&w->dispatch.failed)) alarm_clear(ALARM_STORE);
  }
  atomic_store(&w->retention.avoid[i], w->silent[i]);
}

void writer_watch(struct writer *w) {
  for (uint32_t i = 0; i < w->drives_count; i++) {
    uint64_t since_ns = atomic_load(&w->drives[i].busy_since_ns);
    tell_silence(w, i, since_ns ? clock_monotonic_ns() - since_ns : 0);
  }
}

void writer_join(struct writer *w) {
  if (!w->drives_count) pthread_join(w->thread, NULL);
  for (uint32_t i = 0; i < w->drives_count; i++) drive_join(&w->drives[i]);
  retention_stop(&w->retention);
}

bool writer_kept_all(const struct writer *w) {
  if (w->stream_failed) return false;
  return w->stream_gone || atomic_load(&w->dispatch.store_drops) == 0;
}

void writer_destroy(struct writer *w) {
  for (uint32_t i = 0; i < w->drives_count; i++) segment_destroy(&w->drives[i].segment);
  dispatch_destroy(&w->dispatch);
  pthread_mutex_destroy(&w->names.lock);
  pthread_mutex_destroy(&w->path_lock);
}

bool writer_rotates(const struct writer *w) { return w->drives_count && !w->drives[0].segment.plan.single; }

void writer_path(struct writer *w, char out[PATH_MAX]) {
  snprintf(out, PATH_MAX, "%s", w->drives_count ? "" : w->stream_path);
  pthread_mutex_lock(&w->path_lock);
  for (uint32_t i = 0; i < w->drives_count && !out[0]; i++) strcpy(out, w->drives[i].path);
  pthread_mutex_unlock(&w->path_lock);
}
