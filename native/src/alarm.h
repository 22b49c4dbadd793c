// Conditions that hold now, each one clear sentence for the ledger. Any thread; never on a hot path.
#ifndef RINGTAP_ALARM_H
#define RINGTAP_ALARM_H

enum alarm_id { ALARM_STORE, ALARM_SYNC, ALARM_INTERFACE, ALARM_RING, ALARM_POOL, ALARM_LEDGER, ALARM_STARVED, ALARM_OVERSIZED, ALARM_COUNT };
#define ALARM_BYTES 256

void alarm_raise(enum alarm_id id, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void alarm_clear(enum alarm_id id);
// Copies the raised ones; returns how many.
int alarm_list(char out[ALARM_COUNT][ALARM_BYTES]);
#endif
