// The XDP program of --ring=afxdp, see xdp_prog.h.
#include "xdp_prog.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define LICENSE "Dual MIT/GPL"
#define SETTLE_NS (20 * NS_PER_MS)

// The instructions used, as in the kernel's instruction-set document.
#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LOAD_U32(d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define STORE_U64(d, o, s) INSN(BPF_STX | BPF_MEM | BPF_DW, d, s, o, 0)
#define UNLESS_0(d, skip) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, skip, 0)
#define IF_GREATER(d, s, skip) INSN(BPF_JMP | BPF_JGT | BPF_X, d, s, skip, 0)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define MD(field) offsetof(struct xdp_md, field)

enum { R0, R1, R2, R3, R6 = 6, R7, R8, STAMP_INSNS = 10, REDIRECT_INSNS = 6 };

// if (!bpf_xdp_adjust_meta(ctx, -8)) *(u64 *)ctx->data_meta = bpf_ktime_get_tai_ns();
// A driver without room for metadata leaves the frame unstamped.
static const struct bpf_insn stamp[STAMP_INSNS] = {
    MOV_IMM(R2, -XDP_STAMP_BYTES),
    CALL(BPF_FUNC_xdp_adjust_meta),
    UNLESS_0(R0, 7),
    LOAD_U32(R7, R6, MD(data_meta)),
    LOAD_U32(R8, R6, MD(data)),
    MOV(R2, R7),
    ADD_IMM(R2, XDP_STAMP_BYTES),
    IF_GREATER(R2, R8, 2),
    CALL(BPF_FUNC_ktime_get_tai_ns),
    STORE_U64(R7, 0, R0),
};

// return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS): a queue without a socket of ours goes
// on to the stack.
static void put_redirect(struct bpf_insn *at, int map_fd) {
  at[0] = LOAD_U32(R2, R6, MD(rx_queue_index));
  at[1] = INSN(BPF_LD | BPF_DW | BPF_IMM, R1, BPF_PSEUDO_MAP_FD, 0, map_fd);
  at[2] = INSN(0, 0, 0, 0, 0);  // upper half of the 64-bit immediate
  at[3] = MOV_IMM(R3, XDP_PASS);
  at[4] = CALL(BPF_FUNC_redirect_map);
  at[5] = EXIT;
}

static int load(struct xdp_prog *p, bool stamps) {
  struct bpf_insn insns[1 + STAMP_INSNS + REDIRECT_INSNS] = {MOV(R6, R1)};
  size_t n = 1;
  if (stamps) memcpy(insns + n, stamp, sizeof stamp), n += STAMP_INSNS;
  put_redirect(insns + n, p->map_fd);
  n += REDIRECT_INSNS;
  p->prog_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "ringtap", LICENSE, insns, n, NULL);
  p->stamps = stamps;
  return p->prog_fd < 0 ? -errno : 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args) {
  (void)level, (void)format, (void)args;
  return 0;
}

int xdp_prog_load(struct xdp_prog *p, uint32_t queues, const char *interface, struct failure *f) {
  *p = (struct xdp_prog){.map_fd = -1, .prog_fd = -1, .link_fd = -1};
  libbpf_set_print(quiet);  // what fails is told by us, in one line
  p->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "ringtap", sizeof(uint32_t), sizeof(int), queues, NULL);
  int rc = p->map_fd < 0 ? -errno : 0;
  if (!rc) rc = load(p, true);
  if (rc == -EINVAL) rc = load(p, false);
  if (!rc) return 0;
  xdp_prog_unload(p);
  if (rc == -EPERM)
    return fail(f, EPERM, "%s: no right to load an XDP program; run as root or: setcap "
                          "cap_net_raw,cap_net_admin,cap_bpf,cap_ipc_lock+ep $(command -v ringtapd)", interface);
  return fail(f, -rc, "%s: XDP program: %s; use --ring=afpacket", interface, strerror(-rc));
}

int xdp_prog_attach(struct xdp_prog *p, unsigned ifindex, uint32_t flags) {
  DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
  p->link_fd = bpf_link_create(p->prog_fd, (int)ifindex, BPF_XDP, &opts);
  return p->link_fd < 0 ? -errno : 0;
}

// Drivers call the program inside an RCU read-side section, so a grace period ends the last call; the
// global membarrier is one.
void xdp_prog_detach(struct xdp_prog *p) {
  if (p->link_fd < 0) return;
  close(p->link_fd);
  p->link_fd = -1;
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0)) clock_sleep_ns(SETTLE_NS);
}

void xdp_prog_unload(struct xdp_prog *p) {
  xdp_prog_detach(p);
  if (p->prog_fd >= 0) close(p->prog_fd);
  if (p->map_fd >= 0) close(p->map_fd);
  p->prog_fd = p->map_fd = -1;
}

void xdp_prog_name(uint32_t id, char out[BPF_OBJ_NAME_LEN]) {
  struct bpf_prog_info info = {0};
  uint32_t bytes = sizeof info;
  int fd = bpf_prog_get_fd_by_id(id);
  out[0] = 0;
  if (fd < 0) return;
  if (bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0) memcpy(out, info.name, BPF_OBJ_NAME_LEN);
  out[BPF_OBJ_NAME_LEN - 1] = 0;
  close(fd);
}
