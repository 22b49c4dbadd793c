// Memory of a table that is looked up at random: zeroed, touched before the first packet, on huge pages where there
// are any, because most of a lookup's time is finding the page. Start-up only.
#ifndef RINGTAP_SHAPE_TABLE_H
#define RINGTAP_SHAPE_TABLE_H
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TABLE_PAGE_BYTES ((size_t)2 << 20)

// NULL without memory. free() it.
static inline void *table_alloc(size_t bytes) {
  bytes = (bytes + TABLE_PAGE_BYTES - 1) & ~(TABLE_PAGE_BYTES - 1);
  void *table = aligned_alloc(TABLE_PAGE_BYTES, bytes);
  if (!table) return NULL;
  madvise(table, bytes, MADV_HUGEPAGE);
  return memset(table, 0, bytes);
}
#endif
