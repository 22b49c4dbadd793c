// Configuration file: lines `long-name=value`; `#` begins a comment line. Start-up only.
#ifndef RINGTAP_CONFIG_H
#define RINGTAP_CONFIG_H
#include "options.h"

// Applies every line; the command line, read later, wins. Values lie in `o`.
int config_read(struct options *o, const char *path, struct failure *f);
#endif
