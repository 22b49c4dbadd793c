// Messages for people, on stderr, one line each: `ringtapd: what: why; how to fix`.
// A failure travels up as a value and is printed once, where it is handled. Any thread.
#ifndef RINGTAP_LOG_H
#define RINGTAP_LOG_H
#include <stdbool.h>

struct failure {
  int err;         // positive errno, 0 for "wrong usage"
  char text[512];  // `what: why; how`
};

// Fills `f` (may be NULL) and returns -err, or -EINVAL when err is 0.
int fail(struct failure *f, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// What to do about `err` (positive errno) of a file that is to be written: the `how` of a message.
const char *cure(int err);

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_verbose(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_set_verbose(bool on);
#endif
