// What can be told to be wrong before anything is opened for writing. Start-up only; leaves nothing behind.
#ifndef RINGTAP_PREFLIGHT_H
#define RINGTAP_PREFLIGHT_H
#include "options.h"

// Refuses (err 0: wrong usage) an output that is also an input or another output, under whatever name.
int preflight_clash(const struct options *o, struct failure *f);
// Could --store or -w be written now? Tries it, with a page of a file that is gone afterwards.
int preflight_output(const struct options *o, struct failure *f);
// Are --gateway and --token-file well-formed? Connects to nothing.
int preflight_gateway(const struct options *o, struct failure *f);
#endif
