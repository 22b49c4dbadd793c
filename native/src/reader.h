// Reads pcap and pcapng from a byte stream, both byte orders, s/us/ns and any if_tsresol. Pure state
// machine over the caller's bytes: no I/O, no allocation. The input is hostile: every length is
// checked and capped before use.
#ifndef RINGTAP_READER_H
#define RINGTAP_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "packet.h"

#define READER_RECORD_BYTES_MAX (16u << 20)  // longer blocks or records are damage
#define READER_INTERFACES_MAX 256

struct reader_interface {
  uint16_t linktype;
  uint32_t snaplen;
  uint64_t units_per_s;  // of its stamps
  int64_t offset_s;      // if_tsoffset
};

struct reader {
  enum { READER_START, READER_PCAP, READER_PCAPNG } state;
  bool swapped, ns, modified;
  uint64_t position;  // bytes consumed so far, for messages
  uint64_t packets;
  uint32_t interfaces;
  struct reader_interface interface[READER_INTERFACES_MAX];
};

enum reader_result {
  READER_NEED_MORE,  // *need bytes from `data` on are wanted
  READER_PACKET,     // *out is filled; its data points into `data`
  READER_SKIPPED,    // something else was consumed
  READER_BAD,        // damaged or no capture: `f` says what
};

// Looks at the `bytes` bytes at `data`. *used bytes were consumed (0 for NEED_MORE and BAD).
enum reader_result reader_next(struct reader *r, const uint8_t *data, size_t bytes, size_t *used, size_t *need,
                               struct packet *out, uint16_t *linktype, struct failure *f);
#endif
