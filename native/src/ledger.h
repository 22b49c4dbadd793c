// The recorder's accounts: where every packet went. Meanings as in message Ledger of proto/ringtap.proto.
// Each stage counts for itself, so that a packet lost by a bug shows up as `unaccounted`.
#ifndef RINGTAP_LEDGER_H
#define RINGTAP_LEDGER_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alarm.h"

#define LEDGER_UNKNOWN UINT64_MAX

// What capture knows at one moment. The later stages' counters are read right then, so they
// never run ahead of its own.
struct accounts {
  uint64_t ts_ns;
  uint64_t received, ring_drops;  // told by the source; drops may be LEDGER_UNKNOWN
  uint64_t ring_starved;          // told by the source, may be LEDGER_UNKNOWN; no packets of its own
  uint64_t walked;                // taken from the source
  uint64_t filtered;              // LEDGER_UNKNOWN when the kernel filters
  uint64_t cutoff, duplicates;    // removed by shaping (shape.h)
  uint64_t sliced_bytes;          // cut off packets that were kept
  uint64_t unrecorded;            // nobody asked to record them: no output, or past --count
  uint64_t pool_drops;
  uint64_t appended;              // copied into blocks
  uint64_t wire_bytes;
  uint64_t stored, store_drops;
  uint64_t offered, sampled_out, sent, uplink_drops;
};

struct ledger {
  struct accounts a;
  uint64_t in_flight;
  int64_t unaccounted;
  uint64_t uplink_pending;
  int64_t uplink_unaccounted;
  uint64_t if_drops;  // LEDGER_UNKNOWN without a network interface
  uint64_t stored_bytes, segments;
  uint64_t expired_bytes, expired_segments;  // deleted by retention
  uint64_t pool_free, pool_blocks;
  bool final;
  char segment[PATH_MAX];
  int alarms;
  char alarm[ALARM_COUNT][ALARM_BYTES];
};

// Computes in_flight, unaccounted and the uplink's. With `final` every queue is empty, nothing may be
// under way any more, and whatever does not add up is unaccounted.
void ledger_balance(struct ledger *l);

struct ledger_names {
  const char *probe_name, *interface, *source;
  bool synthetic;
};
// One JSON object and a newline; returns its length, cut never in the middle: 0 when it does not fit.
size_t ledger_json(char *out, size_t cap, const struct ledger *l, const struct ledger_names *names);
#define LEDGER_JSON_BYTES 32768

// Text as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
size_t json_string(char *out, size_t cap, const char *text);
#endif
