// Conditions that hold now, see alarm.h.
#include "alarm.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char texts[ALARM_COUNT][ALARM_BYTES];

void alarm_raise(enum alarm_id id, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  pthread_mutex_lock(&lock);
  vsnprintf(texts[id], ALARM_BYTES, fmt, args);
  pthread_mutex_unlock(&lock);
  va_end(args);
}

void alarm_clear(enum alarm_id id) {
  pthread_mutex_lock(&lock);
  texts[id][0] = 0;
  pthread_mutex_unlock(&lock);
}

int alarm_list(char out[ALARM_COUNT][ALARM_BYTES]) {
  int n = 0;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < ALARM_COUNT; i++)
    if (texts[i][0]) memcpy(out[n++], texts[i], ALARM_BYTES);
  pthread_mutex_unlock(&lock);
  return n;
}
