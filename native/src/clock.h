// Time: nanoseconds since the UNIX epoch (stamps) and since boot (intervals). Any thread.
#ifndef RINGTAP_CLOCK_H
#define RINGTAP_CLOCK_H
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

uint64_t clock_realtime_ns(void);
uint64_t clock_monotonic_ns(void);
void clock_sleep_ns(uint64_t ns);

// "20261123T145942.123456789Z": sorts as text, never repeats within a run.
#define CLOCK_UTC_BYTES 32
void clock_format_utc(uint64_t ts_ns, char out[CLOCK_UTC_BYTES]);
#endif
