// The XDP program of --ring=afxdp and its attachment. Main thread, at start-up and stop.
//
// The program is a handful of instructions, so it is written out here and loaded by bpf(2): no compiler
// for BPF is needed to build, and no object file to run. It is attached by a bpf_link, which lives as long
// as our file descriptor: however this process ends, kill -9 included, the interface is left as it was.
#ifndef RINGTAP_XDP_PROG_H
#define RINGTAP_XDP_PROG_H
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"

// Ahead of each frame, where the driver leaves room for it: CLOCK_TAI when the program saw the frame.
#define XDP_STAMP_BYTES 8

struct xdp_prog {
  int map_fd;   // XSKMAP: queue -> socket
  int prog_fd;
  int link_fd;  // -1: not attached
  bool stamps;
};

// 0 or -errno. `queues`: one more than the highest queue number. Without kernel support for the stamp
// (before Linux 6.1) the program does without.
int xdp_prog_load(struct xdp_prog *p, uint32_t queues, const char *interface, struct failure *f);
// `flags`: XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE. 0 or -errno, -EBUSY when another program is there.
int xdp_prog_attach(struct xdp_prog *p, unsigned ifindex, uint32_t flags);
// After this no frame is under way to our sockets any more.
void xdp_prog_detach(struct xdp_prog *p);
void xdp_prog_unload(struct xdp_prog *p);
// The name of the loaded program `id`; "" when it has none or may not be looked at.
void xdp_prog_name(uint32_t id, char out[BPF_OBJ_NAME_LEN]);
#endif
