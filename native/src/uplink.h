// The uplink thread: a WebSocket client (libwebsockets) that sends batches and ledgers to the gateway,
// within its credit, and reconnects for ever with back-off. Viewing may shed; recording never notices.
#ifndef RINGTAP_UPLINK_H
#define RINGTAP_UPLINK_H
#include "envelope.h"

struct uplink;

// `url` is ws:// or wss://; path /ws/ingest when it has none. Start-up only; does not connect yet.
int uplink_open(struct uplink **out, struct tap *tap, const char *url, const char *token_file, const struct hello *hello,
                struct failure *f);
int uplink_start(struct uplink *u);
// Hands over the newest ledger; an older one not yet sent is replaced. Main thread.
void uplink_ledger(struct uplink *u, const struct ledger *l);
// The tap is closed: sends what is left, at most for `patience_ns`, then gives the rest up as shed.
// True when that is done: the tap's counters are final then. False when the uplink is stuck in the resolver:
// what was not acknowledged by now never will be.
bool uplink_drain(struct uplink *u, uint64_t patience_ns);
// Sends the last ledger handed over, closes, ends the thread, frees. False when it is stuck: then nothing was
// freed, the thread may still touch the uplink and its tap, and the process has to end by _exit.
bool uplink_close(struct uplink *u);
#endif
