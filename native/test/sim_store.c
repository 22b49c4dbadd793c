// The simulation's writer, set up as main.c does. The only file here that knows struct writer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "writer.h"

struct sim_store {
  struct writer writer;
  atomic_bool stopping;
  uint8_t section[SECTION_BYTES_MAX];
  char dirs[DRIVES_MAX][PATH_MAX];
};

struct sim_store *sim_store_open(const char *dir, const struct sim_plan *plan, struct pool *pool) {
  struct sim_store *s = calloc(1, sizeof *s);
  SIM_CHECK(s, "no memory");
  struct writer_plan stores = {.interface = "sim", .stores_count = plan->drives, .rotate_bytes = plan->rotate_bytes};
  for (uint32_t i = 0; i < plan->drives; i++) {
    snprintf(s->dirs[i], sizeof s->dirs[i], "%s/%u", dir, i);
    stores.stores[i] = s->dirs[i];
  }
  struct failure f = {0};
  static const uint8_t run_id[RUN_ID_BYTES] = {1};
  struct section section = {.run_id = run_id, .application = "sim", .interface_name = "sim",
                            .linktype = RT_LINKTYPE_ETHERNET, .snaplen = 65535};
  uint32_t n = (uint32_t)pcapng_section(s->section, sizeof s->section, &section);
  n += pcapng_pad(s->section + n, n, RT_BLOCK_ALIGN_BYTES);
  int rc = writer_open(&s->writer, pool, &stores, s->section, n, &f);
  SIM_CHECK(rc == 0, "writer_open: %s", f.text);
  s->writer.stopping = &s->stopping;
  return s;
}

void sim_store_start(struct sim_store *s) { SIM_CHECK(writer_start(&s->writer) == 0, "no thread"); }
const _Atomic uint64_t *sim_store_stored(struct sim_store *s) { return &s->writer.dispatch.stored; }
const _Atomic uint64_t *sim_store_drops(struct sim_store *s) { return &s->writer.dispatch.store_drops; }

void sim_store_finish(struct sim_store *s, uint64_t *stored, uint64_t *drops) {
  writer_join(&s->writer);
  *stored = atomic_load(sim_store_stored(s));
  *drops = atomic_load(sim_store_drops(s));
  writer_destroy(&s->writer);
  free(s);
}
