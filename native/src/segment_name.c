// How segments of a store are named, see segment_name.h.
#include "segment_name.h"

#include <ctype.h>
#include <string.h>

enum { STAMP_CHARS = 26 };  // "20261123T145942.123456789Z"

// Behind PREFIX and interface, which holds no '-'; NULL when there is none.
static const char *stamp_of(const char *name) {
  size_t prefix = strlen(SEGMENT_PREFIX);
  if (strncmp(name, SEGMENT_PREFIX, prefix)) return NULL;
  const char *dash = strchr(name + prefix, '-');
  return dash && dash > name + prefix ? dash + 1 : NULL;
}

static bool matches(const char *text, const char *shape) {
  for (; *shape; shape++, text++)
    if (*shape == '0' ? !isdigit((unsigned char)*text) : *text != *shape) return false;
  return true;
}

bool segment_name_is(const char *name) {
  const char *stamp = stamp_of(name);
  if (!stamp || !matches(stamp, "00000000T000000.000000000Z-000000")) return false;
  const char *end = stamp + STAMP_CHARS + 1;
  while (isdigit((unsigned char)*end)) end++;
  return !strcmp(end, SEGMENT_SUFFIX);
}

int segment_name_compare(const char *a, const char *b) {
  const char *x = stamp_of(a), *y = stamp_of(b);
  int by_stamp = strncmp(x, y, STAMP_CHARS);
  if (by_stamp) return by_stamp;
  size_t m = strlen(x), n = strlen(y);  // numbers have leading zeros up to a million
  return m != n ? (m < n ? -1 : 1) : strcmp(x, y);
}
