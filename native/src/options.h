// Command line and configuration file, checked once at start-up; read-only ever after.
#ifndef RINGTAP_OPTIONS_H
#define RINGTAP_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"

#include "retention.h"

#define FILTER_BYTES_MAX 4096
#define STORES_MAX 16u

struct options {
  const char *interface, *read_path, *write_path, *store, *synth;
  char filter[FILTER_BYTES_MAX];
  const char *ring;  // a source's name, or auto until it is opened
  const char *xdp_mode, *queues;  // of afxdp, checked there; NULL: auto, all
  const char *dpdk_args;          // of dpdk: to the EAL
  uint32_t snaplen;
  const char *slice, *dedup;  // NULL: off; languages of shape_rules.h and shape_dedup.h
  uint64_t flow_cutoff_bytes;  // 0: off
  uint64_t count;         // packets to record, 0: no limit
  uint64_t rotate_bytes;  // 0: never
  uint64_t rotate_ns;     // 0: never
  uint64_t keep_files;    // 0: all
  uint64_t ring_bytes;
  uint64_t block_bytes;
  uint64_t pool_blocks;
  uint64_t flush_ns;
  uint64_t workers;         // capture threads
  uint64_t fanout;          // kernel rings of afpacket
  const char *fanout_mode;  // hash | lb | cpu | rnd | qm
  const char *cpus;         // NULL: nothing is pinned
  double speed;  // of replay; 0: as fast as it goes
  const char *gateway, *token_file, *probe_name, *config_path;
  uint32_t uplink_snaplen, uplink_pps;
  const char *stats_path;
  uint64_t stats_ns;
  struct retention_limits retain;
  const char *user, *seccomp;  // seccomp: on | off | log, NULL: as this build and machine can
  bool list_interfaces, check, version, help, verbose, exit_with_parent;
  bool flush_given;
  // Made of `store` by options_parse:
  const char *stores[STORES_MAX];
  uint32_t stores_count;  // 0 with `store`: "null", nothing is kept
  char stores_text[FILTER_BYTES_MAX];
  char config_text[4 * FILTER_BYTES_MAX];  // values read from --config
  size_t config_used;
};

// 0, or a negative number with one clear line in `f`: the usage was wrong (exit 2). Strings point into
// argv or into `o` itself: do not copy it.
int options_parse(struct options *o, int argc, char **argv, struct failure *f);
// Sets one option by its long name, as a line `name=value` of a --config file does.
int options_set(struct options *o, const char *name, const char *value, struct failure *f);
void options_help(void);
// The long names of all options, NULL at the end; `*sample` is a value it accepts, NULL for those that take none.
const char *options_name(size_t index, const char **sample);
#endif
