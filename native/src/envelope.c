// Frames of proto/ringtap.proto as bytes, see envelope.h.
#include "envelope.h"

#include <string.h>

#include "ringtap.pb-c.h"

static char *text(const char *s) { return (char *)(s ? s : ""); }  // protobuf-c wants them writable, writes none

static size_t pack(uint8_t *out, size_t cap, const Ringtap__Frame *frame) {
  size_t n = ringtap__frame__get_packed_size(frame);
  return n <= cap ? ringtap__frame__pack(frame, out) : 0;
}

size_t envelope_hello(uint8_t *out, size_t cap, const struct hello *h) {
  Ringtap__Hello hello = RINGTAP__HELLO__INIT;
  hello.protocol = RT_PROTOCOL_VERSION;
  hello.run_id = (ProtobufCBinaryData){RUN_ID_BYTES, (uint8_t *)h->run_id};
  hello.probe_name = text(h->probe_name);
  hello.interface_name = text(h->interface_name);
  hello.linktype = h->linktype;
  hello.source = text(h->source);
  hello.synthetic = h->synthetic;
  hello.filter = text(h->filter);
  hello.uplink_snaplen = h->uplink_snaplen;
  hello.section = (ProtobufCBinaryData){h->section_bytes, (uint8_t *)h->section};
  hello.started_ts_ns = h->started_ts_ns;
  Ringtap__Frame frame = RINGTAP__FRAME__INIT;
  frame.body_case = RINGTAP__FRAME__BODY_HELLO;
  frame.hello = &hello;
  return pack(out, cap, &frame);
}

static size_t put_varint(uint8_t *out, uint64_t v) {
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) out[n++] = (uint8_t)(v | 0x80);
  out[n++] = (uint8_t)v;
  return n;
}

// Frame{batch{fields..., payload}}: the fields are packed by protobuf-c, the payload is appended as the
// last field by hand, so that megabytes are not packed twice.
size_t envelope_batch(uint8_t *out, size_t cap, uint32_t probe, const struct batch *b) {
  Ringtap__Batch batch = RINGTAP__BATCH__INIT;
  batch.probe = probe;
  batch.seq = b->seq;
  batch.first_ts_ns = b->first_ts_ns;
  batch.last_ts_ns = b->last_ts_ns;
  batch.packets = b->packets;
  batch.packets_before = b->packets_before;
  batch.offered_total = b->offered_total;
  batch.sampled_out_total = b->sampled_out_total;
  batch.uplink_drops_total = b->uplink_drops_total;
  batch.block_seq = b->block_seq;
  uint8_t fields[256];
  if (ringtap__batch__get_packed_size(&batch) > sizeof fields - 16) return 0;
  size_t n = ringtap__batch__pack(&batch, fields);
  fields[n++] = 15 << 3 | 2;  // payload, length-delimited
  n += put_varint(fields + n, b->bytes);
  uint8_t head[16];
  size_t h = 0;
  head[h++] = RINGTAP__FRAME__BODY_BATCH << 3 | 2;
  h += put_varint(head + h, n + b->bytes);
  if (h + n + b->bytes > cap) return 0;
  memcpy(out, head, h);
  memcpy(out + h, fields, n);
  memcpy(out + h + n, b->payload, b->bytes);
  return h + n + b->bytes;
}

// An absent field means unknown.
#define SET_KNOWN(m, field, FIELD, count)                                        \
  do {                                                                          \
    if ((count) != LEDGER_UNKNOWN) {                                            \
      (m)->maybe_##field##_case = RINGTAP__LEDGER__MAYBE_##FIELD##_##FIELD; \
      (m)->field = (count);                                                     \
    }                                                                           \
  } while (0)

static void fill_ledger(Ringtap__Ledger *m, const struct ledger *l) {
  const struct accounts *a = &l->a;
  m->ts_ns = a->ts_ns;
  m->ring_received = a->received;
  SET_KNOWN(m, filtered, FILTERED, a->filtered);
  SET_KNOWN(m, ring_drops, RING_DROPS, a->ring_drops);
  SET_KNOWN(m, if_drops, IF_DROPS, l->if_drops);
  SET_KNOWN(m, ring_starved, RING_STARVED, a->ring_starved);
  m->pool_drops = a->pool_drops;
  m->unrecorded = a->unrecorded;
  m->cutoff = a->cutoff;
  m->duplicates = a->duplicates;
  m->sliced_bytes = a->sliced_bytes;
  m->stored = a->stored;
  m->store_drops = a->store_drops;
  m->in_flight = l->in_flight;
  m->unaccounted = l->unaccounted;
  m->received_bytes = a->wire_bytes;
  m->stored_bytes = l->stored_bytes;
  m->offered = a->offered;
  m->sent = a->sent;
  m->sampled_out = a->sampled_out;
  m->uplink_drops = a->uplink_drops;
  m->uplink_pending = l->uplink_pending;
  m->segment = text(l->segment);
  m->segments = l->segments;
  m->final = l->final;
  m->pool_blocks_free = l->pool_free;
  m->pool_blocks = l->pool_blocks;
}

size_t envelope_ledger(uint8_t *out, size_t cap, uint32_t probe, const struct ledger *l) {
  Ringtap__Ledger message = RINGTAP__LEDGER__INIT;
  char *alarms[ALARM_COUNT];
  for (int i = 0; i < l->alarms; i++) alarms[i] = text(l->alarm[i]);
  fill_ledger(&message, l);
  message.probe = probe;
  message.n_alarms = (size_t)l->alarms;
  message.alarms = alarms;
  Ringtap__Frame frame = RINGTAP__FRAME__INIT;
  frame.body_case = RINGTAP__FRAME__BODY_LEDGER;
  frame.ledger = &message;
  return pack(out, cap, &frame);
}

static void parse_refusal(const Ringtap__Refusal *m, struct reply *out) {
  out->kind = REPLY_REFUSAL;
  out->code = m->code;
  size_t n = strnlen(m->message, sizeof out->message - 1);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)m->message[i];
    out->message[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;  // nothing that could drive a terminal
  }
}

bool envelope_parse(const uint8_t *data, size_t bytes, struct reply *out) {
  *out = (struct reply){.kind = REPLY_OTHER};
  Ringtap__Frame *frame = ringtap__frame__unpack(NULL, bytes, data);
  if (!frame) return false;
  if (frame->body_case == RINGTAP__FRAME__BODY_WELCOME) {
    out->kind = REPLY_WELCOME;
    out->probe = frame->welcome->probe;
    out->credit_batches = frame->welcome->credit_batches;
    out->seq = frame->welcome->resume_seq;
  } else if (frame->body_case == RINGTAP__FRAME__BODY_ACK) {
    out->kind = REPLY_ACK;
    out->seq = frame->ack->seq;
  } else if (frame->body_case == RINGTAP__FRAME__BODY_REFUSAL) {
    parse_refusal(frame->refusal, out);
  }
  ringtap__frame__free_unpacked(frame, NULL);
  return true;
}
