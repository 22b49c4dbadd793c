// How segments of a store are named: ringtap-INTERFACE-YYYYMMDDTHHMMSS.NNNNNNNNNZ-SEQ.pcapng. Whatever is named
// otherwise is not ours. Pure functions.
#ifndef RINGTAP_SEGMENT_NAME_H
#define RINGTAP_SEGMENT_NAME_H
#include <stdbool.h>

#define SEGMENT_PREFIX "ringtap-"
#define SEGMENT_SUFFIX ".pcapng"
#define SEGMENT_INDEX_SUFFIX ".rtidx"

bool segment_name_is(const char *name);
// Both are segment names: older first, as their stamps and then their numbers say.
int segment_name_compare(const char *a, const char *b);
#endif
