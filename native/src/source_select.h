// Which source a run uses, by --ring. Main thread, start-up only.
#ifndef RINGTAP_SOURCE_SELECT_H
#define RINGTAP_SOURCE_SELECT_H
#include "source.h"

// Opens the source of o->ring, and with `auto` the best that may be used, saying in one line which and why;
// o->ring is then its name. 0, or a negative number with `f` filled.
int source_open(struct source *s, struct options *o, struct failure *f);
// Whether `name` is a source or `auto`; the names are for error lines.
bool source_exists(const char *name);
extern const char source_names[];
#endif
