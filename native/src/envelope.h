// Frames of proto/ringtap.proto as bytes: what the probe says, and what the gateway answers. The
// gateway's frames are hostile input: the caller caps their size, protobuf-c checks their shape.
// Uplink thread only.
#ifndef RINGTAP_ENVELOPE_H
#define RINGTAP_ENVELOPE_H
#include "ledger.h"
#include "pcapng.h"
#include "tap.h"

struct hello {
  uint8_t run_id[RUN_ID_BYTES];
  const char *probe_name, *interface_name, *source, *filter;
  uint16_t linktype;
  bool synthetic;
  uint32_t uplink_snaplen;
  const uint8_t *section;  // SHB + IDB
  size_t section_bytes;
  uint64_t started_ts_ns;
};

// Each returns the frame's length, or 0 when it does not fit into `cap`.
size_t envelope_hello(uint8_t *out, size_t cap, const struct hello *h);
size_t envelope_batch(uint8_t *out, size_t cap, uint32_t probe, const struct batch *b);
size_t envelope_ledger(uint8_t *out, size_t cap, uint32_t probe, const struct ledger *l);

struct reply {
  enum { REPLY_WELCOME, REPLY_ACK, REPLY_REFUSAL, REPLY_OTHER } kind;
  uint32_t probe, credit_batches;  // welcome
  uint64_t seq;                    // welcome: resume_seq; ack: seq
  uint32_t code;                   // refusal
  char message[256];
};
// False when the bytes are no Frame.
bool envelope_parse(const uint8_t *data, size_t bytes, struct reply *out);
#endif
