// Time, see clock.h.
#include "clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_realtime_ns(void) { return read_clock(CLOCK_REALTIME); }
uint64_t clock_monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }

void clock_sleep_ns(uint64_t ns) {
  struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
  nanosleep(&ts, NULL);
}

void clock_format_utc(uint64_t ts_ns, char out[CLOCK_UTC_BYTES]) {
  time_t seconds = (time_t)(ts_ns / NS_PER_S);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  size_t n = strftime(out, CLOCK_UTC_BYTES, "%Y%m%dT%H%M%S", &tm);
  snprintf(out + n, CLOCK_UTC_BYTES - n, ".%09uZ", (unsigned)(ts_ns % NS_PER_S));
}
