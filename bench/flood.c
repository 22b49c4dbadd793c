// The benchmarks' traffic: numbered UDP frames sent by a BPF program that the kernel runs over live frames
// (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES) and redirects to an interface: no skb and no system call
// per frame. Paces inside the program, in one long call: repeated calls would come in bursts that overflow
// a veth's ring. And counts which numbers a capture file holds, whatever its format. Never part of the product.
//
// usage: rtflood send IFACE COUNT PPS SIZE|mix    prints `sent ns`; one CPU, the caller's; PPS 0: unpaced
//        rtflood count FILE...                    prints `distinct all`
//        rtflood gro IFACE                        lets a veth take redirected frames (its peer sends)
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { HEADERS = 42, FRAME_MAX = 1514, SIZES = 12, BATCH_MAX = 64, SPINS = 4000, LATE_NS = 100000 };
#define MAGIC "rt#flood"  // 8 bytes at HEADERS, then the number, 4 bytes little endian

// The map's one value, shared with the program.
struct state {
  uint64_t next;         // number of the next frame
  uint64_t count;        // stop there
  uint64_t start_ns;     // 0: the program sets it; later when it was kept from running
  uint64_t interval_fp;  // nanoseconds between frames, 48.16 fixed point
  uint64_t end_ns;
  uint64_t first_ns;     // when frame 0 left
  uint64_t _pad[2];
  struct size {
    int64_t delta;  // of the frame's end
    uint16_t ip_bytes, ip_checksum, udp_bytes, _pad;
  } size[SIZES];  // frame i has size[i % SIZES]
};
_Static_assert(sizeof(struct size) == 16, "the program computes with it");

static int bpf(int command, union bpf_attr *attr) { return (int)syscall(SYS_bpf, command, attr, sizeof *attr); }
static uint64_t pointer(const void *p) { return (uint64_t)(uintptr_t)p; }

static int die(const char *what) {
  fprintf(stderr, "rtflood: %s: %s\n", what, strerror(errno));
  exit(1);
}

// --- frames ---

static uint16_t ip_checksum(const uint8_t *ip) {
  uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons((uint16_t)~sum);
}

// To another host, so that the receiver's stack lets go of it behind the taps.
static void build_frame(uint8_t *f) {
  memset(f, 'x', FRAME_MAX);
  memcpy(f, "\x02\0\0\0\0\x99\x02\0\0\0\0\x01\x08\0", 14);
  memcpy(f + 14, "\x45\0\0\0\0\0\x40\0\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02", 20);
  memcpy(f + 34, "\x9c\x40\0\x09\0\0\0\0", 8);  // 40000 -> 9, no UDP checksum
  memcpy(f + HEADERS, MAGIC, 8);
}

static void set_size(struct size *s, const uint8_t *frame, int bytes) {
  uint8_t ip[20];
  memcpy(ip, frame + 14, 20);
  *s = (struct size){.delta = bytes - FRAME_MAX, .ip_bytes = htons((uint16_t)(bytes - 14)),
                     .udp_bytes = htons((uint16_t)(bytes - 34))};
  memcpy(ip + 2, &s->ip_bytes, 2);
  s->ip_checksum = ip_checksum(ip);
}

// "mix": 64, 594 and 1514 bytes as 5:2:5, spread; 756 on average.
static void set_sizes(struct state *s, const uint8_t *frame, const char *text) {
  static const int mix[SIZES] = {64, 1514, 64, 594, 1514, 64, 1514, 64, 1514, 594, 64, 1514};
  int bytes = atoi(text);
  if (strcmp(text, "mix") && (bytes < 60 || bytes > FRAME_MAX)) {
    fprintf(stderr, "rtflood: SIZE is mix or 60 to %d\n", FRAME_MAX);
    exit(2);
  }
  for (int i = 0; i < SIZES; i++) set_size(&s->size[i], frame, bytes ? bytes : mix[i]);
}

// --- the program ---

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ALU(op, d, s) INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALUI(op, d, i) INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define LD(w, d, s, o) INSN(BPF_LDX | BPF_MEM | (w), d, s, o, 0)
#define ST(w, d, o, s) INSN(BPF_STX | BPF_MEM | (w), d, s, o, 0)
#define JMP(op, d, s, o) INSN(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define JMPI(op, d, i, o) INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define AT(field) ((int16_t)offsetof(struct state, field))

// r6 context, r7 number of this frame, r8 when it is due, r9 state. One frame a run; a run that would wait too
// long for the verifier's taste drops its frame and the next run goes on waiting.
static int load_program(int map_fd, int ifindex) {
  struct bpf_insn code[] = {
      /*  0 */ MOV(6, 1),
      /*  1 */ INSN(BPF_LD | BPF_DW | BPF_IMM, 9, BPF_PSEUDO_MAP_VALUE, 0, map_fd),
      /*  2 */ INSN(0, 0, 0, 0, 0),
      /*  3 */ LD(BPF_DW, 7, 9, AT(next)),
      /*  4 */ LD(BPF_DW, 1, 9, AT(count)),
      /*  5 */ JMP(BPF_JGE, 7, 1, 52),  // all sent: -> 58 drop
      /*  6 */ CALL(BPF_FUNC_ktime_get_ns),
      /*  7 */ LD(BPF_DW, 8, 9, AT(start_ns)),
      /*  8 */ JMPI(BPF_JNE, 8, 0, 3),
      /*  9 */ MOV(8, 0),
      /* 10 */ ST(BPF_DW, 9, AT(start_ns), 0),
      /* 11 */ ST(BPF_DW, 9, AT(first_ns), 0),
      /* 12 */ LD(BPF_DW, 1, 9, AT(interval_fp)),
      /* 13 */ ALU(BPF_MUL, 1, 7),
      /* 14 */ ALUI(BPF_RSH, 1, 16),
      /* 15 */ ALU(BPF_ADD, 8, 1),
      /* 16 */ MOVI(5, 0),
      /* 17 */ INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 5, -8, 0),
      /* 18 */ JMP(BPF_JGE, 0, 8, 6),  // due: -> 25
      /* 19 */ CALL(BPF_FUNC_ktime_get_ns),
      /* 20 */ LD(BPF_DW, 5, 10, -8),
      /* 21 */ ALUI(BPF_ADD, 5, 1),
      /* 22 */ ST(BPF_DW, 10, -8, 5),
      /* 23 */ JMPI(BPF_JLT, 5, SPINS, -6),  // -> 18
      /* 24 */ JMPI(BPF_JA, 0, 0, 33),       // -> 58 drop
      /* 25 */ MOV(1, 0),  // kept from running for long: what was missed is not made up for in a burst
      /* 26 */ ALU(BPF_SUB, 1, 8),
      /* 27 */ JMPI(BPF_JLE, 1, LATE_NS, 3),
      /* 28 */ LD(BPF_DW, 2, 9, AT(start_ns)),
      /* 29 */ ALU(BPF_ADD, 2, 1),
      /* 30 */ ST(BPF_DW, 9, AT(start_ns), 2),
      /* 31 */ ST(BPF_DW, 9, AT(end_ns), 0),
      /* 32 */ MOV(1, 7),
      /* 33 */ ALUI(BPF_MOD, 1, SIZES),
      /* 34 */ JMPI(BPF_JGT, 1, SIZES - 1, 23),
      /* 35 */ ALUI(BPF_LSH, 1, 4),
      /* 36 */ MOV(8, 9),
      /* 37 */ ALU(BPF_ADD, 8, 1),  // its struct size
      /* 38 */ MOV(1, 6),
      /* 39 */ LD(BPF_DW, 2, 8, AT(size)),
      /* 40 */ CALL(BPF_FUNC_xdp_adjust_tail),
      /* 41 */ JMPI(BPF_JNE, 0, 0, 16),
      /* 42 */ LD(BPF_W, 2, 6, offsetof(struct xdp_md, data)),
      /* 43 */ LD(BPF_W, 3, 6, offsetof(struct xdp_md, data_end)),
      /* 44 */ MOV(4, 2),
      /* 45 */ ALUI(BPF_ADD, 4, HEADERS + 12),
      /* 46 */ JMP(BPF_JGT, 4, 3, 11),
      /* 47 */ LD(BPF_H, 1, 8, AT(size) + 8),
      /* 48 */ ST(BPF_H, 2, 16, 1),
      /* 49 */ LD(BPF_H, 1, 8, AT(size) + 10),
      /* 50 */ ST(BPF_H, 2, 24, 1),
      /* 51 */ LD(BPF_H, 1, 8, AT(size) + 12),
      /* 52 */ ST(BPF_H, 2, 38, 1),
      /* 53 */ ST(BPF_W, 2, HEADERS + 8, 7),
      /* 54 */ ALUI(BPF_ADD, 7, 1),
      /* 55 */ ST(BPF_DW, 9, AT(next), 7),
      /* 56 */ MOVI(1, ifindex),
      /* 57 */ JMPI(BPF_JA, 0, 0, 2),  // -> 60
      /* 58 */ MOVI(0, XDP_DROP),
      /* 59 */ EXIT(),
      /* 60 */ MOVI(2, 0),
      /* 61 */ CALL(BPF_FUNC_redirect),
      /* 62 */ EXIT(),
  };
  static char log[1 << 16];
  union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP, .insns = pointer(code), .license = pointer("GPL")};
  attr.insn_cnt = sizeof code / sizeof *code;
  attr.log_buf = pointer(log), attr.log_size = sizeof log, attr.log_level = 4;
  int fd = bpf(BPF_PROG_LOAD, &attr);
  if (fd < 0) {
    size_t n = strlen(log);
    fprintf(stderr, "rtflood: the kernel refuses the program: %s\n%s", strerror(errno), n > 2000 ? log + n - 2000 : log);
    exit(1);
  }
  return fd;
}

// --- sending ---

static pthread_t sender;
static void interrupt(int signal) { (void)signal; }

// Ends the one long call once all is sent.
static void *watch(void *arg) {
  volatile struct state *s = arg;
  while (s->next < s->count) usleep(1000);
  for (int i = 0; i < 10000; i++) {  // again, should one come between two batches
    usleep(1000);
    pthread_kill(sender, SIGUSR1);
  }
  return NULL;
}

static int send_all(const char *iface, uint64_t count, double pps, const char *size) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = sizeof(struct state), .max_entries = 1};
  map.map_flags = BPF_F_MMAPABLE;
  int map_fd = bpf(BPF_MAP_CREATE, &map);
  if (map_fd < 0) return die("no BPF map");
  struct state *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (s == MAP_FAILED) return die("no BPF map in memory");
  static uint8_t frame[FRAME_MAX];
  build_frame(frame);
  set_sizes(s, frame, size);
  s->count = count;
  s->interval_fp = pps > 0 ? (uint64_t)(65536e9 / pps) : 0;
  int ifindex = (int)if_nametoindex(iface);
  if (!ifindex) return die(iface);
  // Frames leave when their batch is whole: 50 us at most, and never more than fit into a ring.
  double batch = pps > 0 ? pps * 50e-6 : BATCH_MAX;
  union bpf_attr run = {.test = {.prog_fd = (uint32_t)load_program(map_fd, ifindex), .repeat = UINT32_MAX / 2,
                                 .data_in = pointer(frame), .data_size_in = FRAME_MAX, .flags = BPF_F_TEST_XDP_LIVE_FRAMES}};
  run.test.batch_size = batch < 1 ? 1 : batch > BATCH_MAX ? BATCH_MAX : (uint32_t)batch;
  struct sigaction action = {.sa_handler = interrupt};
  sigaction(SIGUSR1, &action, NULL);
  sender = pthread_self();
  pthread_t watcher;
  if (pthread_create(&watcher, NULL, watch, s)) return die("no thread");
  if (bpf(BPF_PROG_TEST_RUN, &run) < 0 && errno != EINTR) return die("BPF_PROG_TEST_RUN with live frames");
  printf("%llu %llu\n", (unsigned long long)s->next, (unsigned long long)(s->end_ns - s->first_ns));
  return 0;
}

// veth hands redirected frames on only where the receiver's NAPI runs, which GRO turns on.
static int gro_on(const char *iface) {
  struct ethtool_value value = {.cmd = ETHTOOL_SGRO, .data = 1};
  struct ifreq request = {.ifr_data = (void *)&value};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", iface);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return ioctl(fd, SIOCETHTOOL, &request) ? die(iface) : 0;
}

// --- counting ---

static uint64_t distinct, all;
static uint8_t *seen;
#define NUMBERS (1ull << 32)

static void count_bytes(const uint8_t *data, size_t bytes) {
  for (const uint8_t *p = data, *end = data + bytes; (p = memmem(p, (size_t)(end - p), MAGIC, 8)) && end - p >= 12; p += 12) {
    uint32_t n;
    memcpy(&n, p + 8, 4);
    all++;
    distinct += !(seen[n >> 3] >> (n & 7) & 1);
    seen[n >> 3] |= (uint8_t)(1u << (n & 7));
  }
}

static int count_file(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) return die(path);
  if (!st.st_size) return close(fd);
  const uint8_t *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return die(path);
  madvise((void *)data, (size_t)st.st_size, MADV_SEQUENTIAL);
  count_bytes(data, (size_t)st.st_size);
  munmap((void *)data, (size_t)st.st_size);
  return close(fd);
}

int main(int argc, char **argv) {
  if (argc == 6 && !strcmp(argv[1], "send")) return send_all(argv[2], strtoull(argv[3], NULL, 10), atof(argv[4]), argv[5]);
  if (argc == 3 && !strcmp(argv[1], "gro")) return gro_on(argv[2]);
  if (argc < 3 || strcmp(argv[1], "count")) {
    fprintf(stderr, "usage: rtflood send IFACE COUNT PPS SIZE|mix | count FILE... | gro IFACE\n");
    return 2;
  }
  seen = mmap(NULL, NUMBERS / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (seen == MAP_FAILED) return die("no memory");
  for (int i = 2; i < argc; i++) count_file(argv[i]);
  printf("%llu %llu\n", (unsigned long long)distinct, (unsigned long long)all);
  return 0;
}
