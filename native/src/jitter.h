// Random pauses at the places where threads meet, for the ThreadSanitizer build only (-DRINGTAP_JITTER):
// they make rare interleavings common. Nothing at all otherwise.
#ifndef RINGTAP_JITTER_H
#define RINGTAP_JITTER_H
#ifdef RINGTAP_JITTER
#include <sched.h>
#include <stdint.h>

#include "clock.h"

static inline void jitter(void) {
  static _Thread_local uint64_t state;
  if (!state) state = clock_monotonic_ns() | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  if (state % 512 == 0) clock_sleep_ns(state / 512 % 300000);
  else if (state % 32 == 0) sched_yield();
}
#else
static inline void jitter(void) {}
#endif
#endif
