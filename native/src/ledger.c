// The recorder's accounts, see ledger.h.
#include "ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint64_t known(uint64_t count) { return count == LEDGER_UNKNOWN ? 0 : count; }
static uint64_t at_least_0(int64_t n) { return n > 0 ? (uint64_t)n : 0; }

void ledger_balance(struct ledger *l) {
  const struct accounts *a = &l->a;
  int64_t in_ring = (int64_t)(a->received - known(a->ring_drops) - a->walked);
  int64_t in_blocks = (int64_t)(a->appended - a->stored - a->store_drops);
  l->in_flight = l->final ? 0 : at_least_0(in_ring) + at_least_0(in_blocks);
  uint64_t removed = known(a->filtered) + a->cutoff + a->duplicates + a->unrecorded;
  uint64_t lost = known(a->ring_drops) + a->pool_drops + a->store_drops;
  l->unaccounted = (int64_t)(a->received - removed - lost - a->stored - l->in_flight);
  int64_t pending = (int64_t)(a->offered - a->sampled_out - a->sent - a->uplink_drops);
  l->uplink_pending = l->final ? 0 : at_least_0(pending);
  l->uplink_unaccounted = pending - (int64_t)l->uplink_pending;
}

struct text {
  char *out;
  size_t cap, n;
};

static void print(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void print(struct text *t, const char *fmt, ...) {
  if (t->n >= t->cap) return;
  va_list args;
  va_start(args, fmt);
  int more = vsnprintf(t->out + t->n, t->cap - t->n, fmt, args);
  va_end(args);
  t->n += more > 0 ? (size_t)more : 0;
}

// Length of the well-formed UTF-8 sequence at `p`, 0 when it is none.
static size_t utf8_length(const unsigned char *p) {
  if (*p < 0x80) return 1;
  size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
  if (*p < 0xc2 || *p > 0xf4) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f)) return 0;
  if ((*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f)) return 0;
  return n;
}

static void print_string(struct text *t, const char *text) {
  print(t, "\"");
  for (const unsigned char *p = (const unsigned char *)text; *p;) {
    size_t n = utf8_length(p);
    if (n == 0)
      print(t, "\\ufffd");
    else if (*p < 0x20 || *p == 0x7f)
      print(t, "\\u%04x", *p);
    else if (*p == '"' || *p == '\\')
      print(t, "\\%c", *p);
    else
      print(t, "%.*s", (int)n, (const char *)p);
    p += n ? n : 1;
  }
  print(t, "\"");
}

size_t json_string(char *out, size_t cap, const char *text) {
  struct text t = {out, cap, 0};
  print_string(&t, text);
  return t.n < cap ? t.n : 0;
}

static void print_text(struct text *t, const char *key, const char *text) {
  print(t, ",\"%s\":", key);
  print_string(t, text);
}

static void print_count(struct text *t, const char *key, uint64_t n) {
  if (n == LEDGER_UNKNOWN)
    print(t, ",\"%s\":null", key);
  else
    print(t, ",\"%s\":%" PRIu64, key, n);
}

static void print_counts(struct text *t, const struct ledger *l) {
  const struct accounts *a = &l->a;
  const struct {
    const char *key;
    uint64_t n;
  } rows[] = {{"ring_received", a->received}, {"filtered", a->filtered},       {"ring_drops", a->ring_drops},
              {"pool_drops", a->pool_drops},  {"unrecorded", a->unrecorded},   {"stored", a->stored},
              {"store_drops", a->store_drops}, {"in_flight", l->in_flight},    {"if_drops", l->if_drops},
              {"received_bytes", a->wire_bytes}, {"stored_bytes", l->stored_bytes}, {"offered", a->offered},
              {"sent", a->sent},              {"sampled_out", a->sampled_out}, {"uplink_drops", a->uplink_drops},
              {"uplink_pending", l->uplink_pending}, {"segments", l->segments}, {"pool_blocks_free", l->pool_free},
              {"pool_blocks", l->pool_blocks}, {"cutoff", a->cutoff},       {"duplicates", a->duplicates},
              {"sliced_bytes", a->sliced_bytes}, {"ring_starved", a->ring_starved},
              {"expired_segments", l->expired_segments}, {"expired_bytes", l->expired_bytes}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) print_count(t, rows[i].key, rows[i].n);
  print(t, ",\"unaccounted\":%" PRId64, l->unaccounted);
}

size_t ledger_json(char *out, size_t cap, const struct ledger *l, const struct ledger_names *names) {
  struct text t = {out, cap, 0};
  print(&t, "{\"type\":\"ledger\"");
  print_text(&t, "probe_name", names->probe_name);
  print_text(&t, "interface", names->interface);
  print_text(&t, "source", names->source);
  print(&t, ",\"synthetic\":%s,\"ts_ns\":\"%" PRIu64 "\"", names->synthetic ? "true" : "false", l->a.ts_ns);
  print_counts(&t, l);
  print_text(&t, "segment", l->segment);
  print(&t, ",\"final\":%s,\"alarms\":[", l->final ? "true" : "false");
  for (int i = 0; i < l->alarms; i++) {
    if (i) print(&t, ",");
    print_string(&t, l->alarm[i]);
  }
  print(&t, "]}\n");
  return t.n < cap ? t.n : 0;
}
