// What a segment holds, told by the headers of its recorder blocks alone: a few hundred bytes are read of each
// block. Any thread; the file may still grow or be damaged: what was whole in front of that is summed.
#ifndef RINGTAP_SEGMENT_SUM_H
#define RINGTAP_SEGMENT_SUM_H
#include <stdbool.h>
#include <stdint.h>

struct segment_sum {
  uint64_t blocks, packets;
  uint64_t first_ts_ns, last_ts_ns;  // 0 without packets
  bool whole;                        // false: something in it could not be read, so there may be more
};

// Of an open file; its position does not matter.
void segment_sum(int fd, struct segment_sum *out);
#endif
