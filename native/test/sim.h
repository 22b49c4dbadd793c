// The simulation: the recorder's own capture, pool, writer, tap and batch queue, between a source, a drive and
// a gateway that are made to misbehave. All is drawn from one seed, which is printed when a promise is broken:
// the accounts balance at every moment and at the end, every block counted as stored is readable, none is on
// disk twice, packets keep their order, and the gateway gets each batch in order or is told exactly what is
// missing. Threads are real, so a seed repeats what happens but not when.
#ifndef RINGTAP_SIM_H
#define RINGTAP_SIM_H
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "batch_queue.h"
#include "capture.h"

// One stream of random numbers; each thread of a run has its own.
struct sim_random {
  uint64_t state;
};
uint64_t sim_draw(struct sim_random *r);
static inline uint64_t sim_below(struct sim_random *r, uint64_t n) { return sim_draw(r) % n; }
static inline bool sim_chance(struct sim_random *r, uint64_t per_mille) { return sim_below(r, 1000) < per_mille; }

// Ends the program, naming the seed.
#define SIM_CHECK(condition, ...) \
  do {                            \
    if (!(condition)) sim_broken(#condition, __VA_ARGS__); \
  } while (0)
void sim_broken(const char *condition, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

struct sim_plan {
  uint64_t seed;
  uint32_t blocks, block_bytes, packets, packet_bytes_max, rotate_bytes;
  uint32_t workers, drives;
  bool patient, repeats, uring;  // repeats: the source sends frames twice, --dedup is on
  uint32_t ring_drop_pm;  // all *_pm in per mille
  uint32_t poll_wait_pm, write_wait_pm, short_pm, error_pm, full_pm, open_pm, sync_pm;
  uint32_t lost_connection_pm, ack_wait_pm, uplink_pps, slots;
};

// sim_source.c: numbered packets in bursts, some of them lost on the way; ends after plan->packets.
void sim_source_open(struct source *s, const struct sim_plan *plan);
// The number a frame carries, or false when its bytes are not what was sent.
bool sim_frame_number(const uint8_t *data, uint32_t caplen, uint32_t *number);

// sim_disk.c: system calls of storing, between the recorder and the kernel; faults only between begin and end.
void sim_disk_plan(const struct sim_plan *plan);  // before the store is opened
void sim_disk_begin(void);
void sim_disk_end(void);

// sim_store.c: the writer, as main.c sets it up.
struct sim_store;
struct sim_store *sim_store_open(const char *dir, const struct sim_plan *plan, struct pool *pool);
void sim_store_start(struct sim_store *s);
const _Atomic uint64_t *sim_store_stored(struct sim_store *s);
const _Atomic uint64_t *sim_store_drops(struct sim_store *s);
// Waits for the last block and frees; the final counts.
void sim_store_finish(struct sim_store *s, uint64_t *stored, uint64_t *drops);

// sim_gateway.c: the uplink's thread with a gateway at its other end.
struct sim_gateway;
struct sim_gateway *sim_gateway_start(const struct sim_plan *plan, struct tap *tap);
void sim_gateway_finish(struct sim_gateway *g);  // capture has ended; checks what arrived

// sim_files.c: reads and removes every file below `dir`, with a reader of its own. Returns how many packets they hold.
uint64_t sim_files_check(const char *dir);
#endif
