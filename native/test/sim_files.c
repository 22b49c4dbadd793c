// Reads what a run left on disk, see sim.h: an own little reader, none of the recorder's code but the checksum.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crc32c.h"
#include "sim.h"

enum { ISB_OPTIONS_AT = 20 };

struct stored_block {
  uint64_t seq, packets;
  uint32_t first, last;  // numbers of its packets
};

struct stored {
  struct stored_block *block;
  size_t count, room;
  uint64_t packets;
};

static uint32_t u32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static uint8_t *read_file(const char *path, size_t *bytes) {
  FILE *f = fopen(path, "re");
  struct stat st;
  SIM_CHECK(f && fstat(fileno(f), &st) == 0, "%s", path);
  uint8_t *data = malloc((size_t)st.st_size + 1);
  *bytes = fread(data, 1, (size_t)st.st_size, f);
  SIM_CHECK(*bytes == (size_t)st.st_size, "%s", path);
  fclose(f);
  return data;
}

// The block header among the options of an ISB, which ends at `end`.
static const uint8_t *find_header(const uint8_t *isb, uint32_t end) {
  for (uint32_t at = ISB_OPTIONS_AT; at + 4 <= end;) {
    uint16_t option[2];
    memcpy(option, isb + at, 4);
    if (option[0] == RT_OPT_BLOCK_HEADER && option[1] >= sizeof(struct block_header)) return isb + at + 4;
    at += 4 + ((option[1] + 3u) & ~3u);
  }
  return NULL;
}

static void read_packets(struct stored *s, const uint8_t *data, uint32_t bytes, const struct block_header *h) {
  struct stored_block b = {.seq = h->block_seq};
  for (uint32_t at = u32(data + 4); at < bytes; at += u32(data + at + 4)) {
    const uint8_t *p = data + at;
    SIM_CHECK(bytes - at >= 12 && u32(p + 4) <= bytes - at && u32(p + 4) % 4 == 0, "block %llu", (unsigned long long)b.seq);
    if (u32(p) != RT_BT_EPB) continue;
    uint32_t number;
    SIM_CHECK(sim_frame_number(p + 28, u32(p + 20), &number), "block %llu: a frame changed", (unsigned long long)b.seq);
    SIM_CHECK(!b.packets || number > b.last, "block %llu: packet %u behind %u", (unsigned long long)b.seq, number, b.last);
    if (!b.packets++) b.first = number;
    b.last = number;
  }
  SIM_CHECK(b.packets == h->packets, "block %llu", (unsigned long long)b.seq);
  if (s->count == s->room) s->block = realloc(s->block, (s->room = s->room * 2 + 64) * sizeof *s->block);
  s->block[s->count++] = b;
  s->packets += b.packets;
}

// A file is its section header, padded, and whole recorder blocks, to the last byte.
static void read_segment(struct stored *s, const char *path) {
  size_t bytes;
  uint8_t *data = read_file(path, &bytes);
  size_t at = 0;
  while (at < bytes) {
    SIM_CHECK(bytes - at >= 12 && u32(data + at + 4) >= 12 && u32(data + at + 4) <= bytes - at,
              "%s: broken at %zu of %zu", path, at, bytes);
    if (u32(data + at) != RT_BT_ISB) {
      at += u32(data + at + 4);
      continue;
    }
    struct block_header h;
    const uint8_t *header = find_header(data + at, u32(data + at + 4) - 4);
    SIM_CHECK(header, "%s: a block without header at %zu", path, at);
    memcpy(&h, header, sizeof h);
    uint32_t isb_bytes = u32(data + at + 4);
    SIM_CHECK(h.block_bytes >= isb_bytes && h.block_bytes <= bytes - at, "%s: block cut at %zu", path, at);
    SIM_CHECK(h.crc32c == crc32c(0, data + at + isb_bytes, h.block_bytes - isb_bytes), "%s: checksum at %zu", path, at);
    read_packets(s, data + at, h.block_bytes, &h);
    at += h.block_bytes;
  }
  free(data);
}

static void read_directory(struct stored *s, const char *dir) {
  DIR *d = opendir(dir);
  SIM_CHECK(d, "%s", dir);
  for (struct dirent *e; (e = readdir(d));) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    if (e->d_name[0] == '.') continue;
    if (e->d_type == DT_DIR)
      read_directory(s, path);
    else
      read_segment(s, path);
    remove(path);
  }
  closedir(d);
}

static int by_seq(const void *a, const void *b) {
  uint64_t x = ((const struct stored_block *)a)->seq, y = ((const struct stored_block *)b)->seq;
  return x < y ? -1 : x > y;
}

uint64_t sim_files_check(const char *dir) {
  struct stored s = {0};
  read_directory(&s, dir);
  if (s.count) qsort(s.block, s.count, sizeof *s.block, by_seq);
  bool any = false;
  uint32_t last = 0;
  for (size_t i = 0; i < s.count; i++) {
    const struct stored_block *b = &s.block[i];
    SIM_CHECK(i == 0 || b->seq > b[-1].seq, "block %llu is on disk twice", (unsigned long long)b->seq);
    if (!b->packets) continue;
    SIM_CHECK(!any || b->first > last, "block %llu: packet %u behind %u", (unsigned long long)b->seq, b->first, last);
    any = true;
    last = b->last;
  }
  free(s.block);
  return s.packets;
}
