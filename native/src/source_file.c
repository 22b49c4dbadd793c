// Replay of a pcap or pcapng file, or stdin, at once or at the recorded pace. Patient: a replayed
// packet is never dropped, the reader waits for a free block instead.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "constants.h"
#include "leases.h"
#include "reader.h"
#include "source.h"

#define BUFFER_BYTES (READER_RECORD_BYTES_MAX + (1u << 20))
#define READ_BYTES (1u << 20)
#define BUFFERS_MAX 4            // with several workers: some copy out of one while the next is read into
#define ALL_LENT_NS (50 * 1000ull)  // how long to leave the turn to nobody when all are lent

struct file_source {
  int fd;
  const char *path;
  struct reader reader;
  uint8_t *buffer;    // the current one of `buffers`
  size_t begin, end;  // unread bytes of it
  size_t need;        // bytes from `begin` the reader waits for
  bool eof, stopping;
  bool pending;       // `packet` was read but not shown yet
  bool linktype_known;
  struct packet packet;
  double speed;
  uint64_t first_ts_ns, started_ns;
  uint64_t received;
  uint8_t *buffers[BUFFERS_MAX];
  uint32_t buffer_count;
  struct leases leases;
  const uint8_t *lent[LEASES_MAX];  // the buffer each lease's packets lie in
  int deferred;  // failure met by open behind the file header: shown by the first poll
};

static bool lent(const struct file_source *x, const uint8_t *buffer) {
  for (uint32_t i = 0; i < x->leases.count; i++)
    if (leases_held(&x->leases, i) && x->lent[i] == buffer) return true;
  return false;
}

// Moves what is unread to the start of a buffer that nobody copies from; false when there is none.
static bool make_room(struct file_source *x) {
  uint8_t *to = lent(x, x->buffer) ? NULL : x->buffer;
  for (uint32_t i = 0; !to && i < x->buffer_count; i++)
    if (!lent(x, x->buffers[i])) to = x->buffers[i];
  if (!to) return false;
  memmove(to, x->buffer + x->begin, x->end - x->begin);
  x->buffer = to;
  x->end -= x->begin;
  x->begin = 0;
  return true;
}

// 1 when something was read, 0 when nothing came in time, -errno.
static int refill(struct source *s, struct file_source *x, int timeout_ms) {
  if (!make_room(x)) {
    clock_sleep_ns(ALL_LENT_NS);
    return 0;
  }
  struct pollfd p = {.fd = x->fd, .events = POLLIN};
  if (poll(&p, 1, timeout_ms) == 0) return 0;
  size_t room = BUFFER_BYTES - x->end;
  ssize_t n = read(x->fd, x->buffer + x->end, room < READ_BYTES ? room : READ_BYTES);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
  if (n < 0) return fail(&s->failure, errno, "%s: read failed: %s", x->path, strerror(errno));
  x->eof = n == 0;
  x->end += (size_t)n;
  return 1;
}

static int at_eof(struct source *s, struct file_source *x) {
  size_t left = x->end - x->begin;
  if (left == 0 && x->reader.state != READER_START) return -ENODATA;
  if (x->reader.position == 0 && x->reader.state == READER_START && left == 0)
    return fail(&s->failure, EBADMSG, "%s: empty; pcap and pcapng files can be read", x->path);
  return fail(&s->failure, EBADMSG,
              "%s: truncated at byte %llu, after %llu packets: %zu bytes are left where %zu are needed", x->path,
              (unsigned long long)x->reader.position, (unsigned long long)x->reader.packets, left, x->need);
}

static int check_linktype(struct source *s, struct file_source *x, uint16_t linktype) {
  if (!x->linktype_known) s->linktype = linktype;
  x->linktype_known = true;
  if (linktype == s->linktype) return 0;
  return fail(&s->failure, EOPNOTSUPP,
              "%s: packet %llu has linktype %u, the ones before %u; split it by interface, mixed ones are not replayed",
              x->path, (unsigned long long)x->reader.packets, linktype, s->linktype);
}

// Reads on until `packet` is pending (1), more input is wanted (0), or the end or damage (-errno).
static int advance(struct source *s, struct file_source *x) {
  for (;;) {
    size_t used;
    uint16_t linktype = 0;
    struct failure f;
    switch (reader_next(&x->reader, x->buffer + x->begin, x->end - x->begin, &used, &x->need, &x->packet, &linktype,
                        &f)) {
      case READER_NEED_MORE:
        return x->eof ? at_eof(s, x) : 0;
      case READER_BAD:
        return fail(&s->failure, EBADMSG, "%s: %s", x->path, f.text);
      case READER_SKIPPED:
        x->begin += used;
        break;
      case READER_PACKET:
        x->begin += used;
        if (check_linktype(s, x, linktype)) return -EOPNOTSUPP;
        x->pending = true;
        x->received++;
        return 1;
    }
  }
}

// Nanoseconds until the pending packet is due; 0 at once.
static uint64_t due_in(struct file_source *x) {
  if (x->speed <= 0) return 0;
  uint64_t now = clock_monotonic_ns();
  if (!x->started_ns) {
    x->started_ns = now;
    x->first_ts_ns = x->packet.ts_ns;
  }
  if (x->packet.ts_ns <= x->first_ts_ns) return 0;
  double due = (double)(x->packet.ts_ns - x->first_ts_ns) / x->speed, passed = (double)(now - x->started_ns);
  return due > passed ? (uint64_t)(due - passed < 1e15 ? due - passed : 1e15) : 0;
}

// Up to SOURCE_BATCH packets that are due, all from one buffer.
static int collect(struct source *s, struct file_source *x, struct packet *out, int timeout_ms) {
  for (int n = 0;;) {
    if (!x->pending) {
      int rc = advance(s, x);
      if (rc < 0) {
        x->deferred = rc;
        return n ? n : rc;
      }
      if (rc == 0) {
        if (n) return n;
        rc = refill(s, x, timeout_ms);
        if (rc <= 0) return rc;
        continue;
      }
    }
    uint64_t wait_ns = due_in(x), limit_ns = (uint64_t)timeout_ms * NS_PER_MS;
    if (wait_ns && n) return n;
    if (wait_ns) clock_sleep_ns(wait_ns < limit_ns ? wait_ns : limit_ns);
    if (wait_ns > limit_ns) return 0;
    x->pending = false;
    out[n++] = x->packet;
    if (n == SOURCE_BATCH) return n;
  }
}

static int file_poll(struct source *s, struct packet *out, int timeout_ms) {
  struct file_source *x = s->state;
  if (x->stopping) return -ENODATA;
  if (x->deferred) return x->deferred;
  uint32_t lease = leases_free(&x->leases);
  if (lease == x->leases.count) return 0;
  int n = collect(s, x, out, timeout_ms);
  if (n <= 0) return n;
  x->lent[lease] = x->buffer;
  s->ticket = leases_take(&x->leases, lease);
  return n;
}

static void file_release(struct source *s, uint64_t ticket) {
  leases_give(&((struct file_source *)s->state)->leases, ticket);
}

static void file_close(struct source *s) {
  struct file_source *x = s->state;
  if (!x) return;
  if (x->fd > STDIN_FILENO) close(x->fd);
  for (uint32_t i = 0; i < x->buffer_count; i++) free(x->buffers[i]);
  free(x);
  s->state = NULL;
}

// Reads up to the first packet: its linktype belongs into the section header.
static int open_stream(struct source *s, struct file_source *x, struct failure *f) {
  int rc;
  s->linktype = RT_LINKTYPE_ETHERNET;
  while ((rc = advance(s, x)) == 0) {
    rc = refill(s, x, -1);
    if (rc < 0) break;
  }
  if (rc < 0 && x->reader.state == READER_START) {
    *f = s->failure;
    return rc;
  }
  if (rc < 0 && x->reader.interfaces) s->linktype = x->reader.interface[0].linktype;
  x->deferred = rc < 0 ? rc : 0;
  return 0;
}

static int file_open(struct source *s, const struct options *o, struct failure *f) {
  struct file_source *x = calloc(1, sizeof *x);
  if (!x) return fail(f, ENOMEM, "%s: no memory", o->read_path);
  s->state = x;
  x->leases.count = s->outstanding_max = (uint32_t)o->workers;
  uint32_t buffers = o->workers > 1 ? BUFFERS_MAX : 1;
  while (x->buffer_count < buffers && (x->buffers[x->buffer_count] = malloc(BUFFER_BYTES))) x->buffer_count++;
  if (x->buffer_count < buffers) return file_close(s), fail(f, ENOMEM, "%s: no memory", o->read_path);
  x->buffer = x->buffers[0];
  bool from_stdin = !strcmp(o->read_path, "-");
  x->path = from_stdin ? "stdin" : o->read_path;
  x->speed = o->speed;
  const char *slash = strrchr(x->path, '/');
  snprintf(s->interface_name, sizeof s->interface_name, "%s", slash && slash[1] ? slash + 1 : x->path);
  snprintf(s->description, sizeof s->description, "replayed file; stamps: as recorded");
  s->patient = true;
  x->fd = from_stdin ? STDIN_FILENO : open(x->path, O_RDONLY | O_CLOEXEC);
  int rc = x->fd < 0 ? fail(f, errno, "%s: %s; check the path and its permissions", x->path, strerror(errno))
                     : open_stream(s, x, f);
  if (rc) file_close(s);
  return rc;
}

static void file_stop(struct source *s) {
  struct file_source *x = s->state;
  x->stopping = true;
  if (x->pending) {  // read ahead, never shown: not received
    x->received--;
    x->pending = false;
  }
}

static void file_counters(struct source *s, struct source_counters *out) {
  struct file_source *x = s->state;
  *out = (struct source_counters){.received = x->received, .drops = 0, .starved = SOURCE_UNKNOWN};
}

const struct source_ops source_file = {.name = "file",
                                       .open = file_open,
                                       .poll = file_poll,
                                       .release = file_release,
                                       .stop = file_stop,
                                       .counters = file_counters,
                                       .close = file_close};
