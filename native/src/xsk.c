// One AF_XDP socket with its umem, see xsk.h.
#include "xsk.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define COMPLETIONS 64u  // nothing is sent; libxdp wants the ring all the same

// Huge pages, reserved ones or what the kernel can find: every packet lies in another 2 or 4 KiB.
static int map_memory(struct xsk *x, uint64_t bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED) at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at == MAP_FAILED) return -errno;
  madvise(at, bytes, MADV_HUGEPAGE);  // the kernel fills it in when the umem is registered
  x->memory = at;
  x->memory_bytes = bytes;
  return 0;
}

static int make_umem(struct xsk *x, uint32_t frames, uint32_t frame_bytes) {
  struct xsk_umem_config config = {.fill_size = frames, .comp_size = COMPLETIONS, .frame_size = frame_bytes,
                                   .frame_headroom = XDP_STAMP_BYTES};
  return xsk_umem__create(&x->umem, x->memory, x->memory_bytes, &x->fill, &x->completion, &config);
}

static int make_socket(struct xsk *x, const char *interface, uint32_t frames, uint16_t bind_flags) {
  struct xsk_socket_config config = {.rx_size = frames,
                                     .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,  // ours: xdp_prog.h
                                     .bind_flags = bind_flags | XDP_USE_NEED_WAKEUP};
  return xsk_socket__create(&x->socket, interface, x->queue, x->umem, &x->rx, NULL, &config);
}

static void fill_all(struct xsk *x, uint32_t frames, uint32_t frame_bytes) {
  uint32_t at = 0;
  xsk_ring_prod__reserve(&x->fill, frames, &at);
  for (uint32_t i = 0; i < frames; i++) *xsk_ring_prod__fill_addr(&x->fill, at + i) = (uint64_t)i * frame_bytes;
  xsk_ring_prod__submit(&x->fill, frames);
}

int xsk_open(struct xsk *x, const char *interface, uint32_t queue, uint32_t frames, uint32_t frame_bytes,
             uint16_t bind_flags) {
  *x = (struct xsk){.queue = queue};
  int rc = map_memory(x, (uint64_t)frames * frame_bytes);
  if (!rc) rc = make_umem(x, frames, frame_bytes);
  if (!rc) fill_all(x, frames, frame_bytes);  // before bind: a driver may take its frames right then
  if (!rc) rc = make_socket(x, interface, frames, bind_flags);
  if (rc) xsk_close(x);
  return rc;
}

void xsk_close(struct xsk *x) {
  if (x->socket) xsk_socket__delete(x->socket);
  if (x->umem) xsk_umem__delete(x->umem);
  if (x->memory) munmap(x->memory, x->memory_bytes);
  *x = (struct xsk){0};
}

void xsk_read_statistics(struct xsk *x) {
  struct xdp_statistics now = {0};
  socklen_t bytes = sizeof now;  // kernels before 5.9 fill only the first half
  if (getsockopt(xsk_socket__fd(x->socket), SOL_XDP, XDP_STATISTICS, &now, &bytes) == 0) x->statistics = now;
}
