// The engine without a WebAssembly runtime: reads a capture file through the module that wasm2c turned
// into C, and prints its largest flows; with -c only how many packets and conversations there are. Which call may follow which is in asm/ABI.md; every address and
// offset comes from the module itself.
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../proto/gen/constants.h"
#include "ringtap.h"

enum { MAX_FLOWS = 1 << 18, SHOWN = 10 };

static Z_ringtap_instance_t engine;

#define CONSTANT(name) (*Z_ringtapZ_##name(&engine))

// Memory may move whenever the module runs: addresses are turned into pointers anew each time.
static uint8_t *at(uint32_t address) { return Z_ringtapZ_memory(&engine)->data + address; }

static uint16_t load16(uint32_t address) {
  uint16_t v;
  memcpy(&v, at(address), sizeof v);
  return v;
}

static uint64_t load64(uint32_t address) {
  uint64_t v;
  memcpy(&v, at(address), sizeof v);
  return v;
}

static uint32_t load32(uint32_t address) {
  uint32_t v;
  memcpy(&v, at(address), sizeof v);
  return v;
}

// One chunk into the module's own memory. False at the end of the file.
static bool feed(FILE *file) {
  uint32_t address = Z_ringtapZ_reserve(&engine);
  size_t n = fread(at(address), 1, CONSTANT(CHUNK_MAX), file);
  if (n == 0) return false;
  // Without rows and filter there is nothing to stop for.
  return Z_ringtapZ_push(&engine, (uint32_t)n, 0) == CONSTANT(GO);
}

// Counter `which` of a flow (0 packets, 2 bytes), both ways: 32 bits, and 16 above them in the rest.
static uint64_t flow_sum(uint32_t number, uint32_t which) {
  uint32_t low = Z_ringtapZ_flow_entry(&engine, number) + CONSTANT(FLOW_PACKETS_A) + 4 * which;
  uint32_t high = Z_ringtapZ_flow_more(&engine, number) + CONSTANT(MORE_CARRIES) + 2 * which;
  uint64_t carries = (uint64_t)load16(high) + load16(high + 2);
  return (carries << 32) + load32(low) + load32(low + 4);
}

static uint64_t flow_bytes(uint32_t number) { return flow_sum(number, 2); }

static int by_bytes(const void *a, const void *b) {
  uint64_t x = flow_bytes(*(const uint32_t *)a), y = flow_bytes(*(const uint32_t *)b);
  return x < y ? 1 : x > y ? -1 : 0;
}

static void print_end(uint32_t number, int side) {
  uint32_t entry = Z_ringtapZ_flow_entry(&engine, number);
  char text[INET6_ADDRSTRLEN] = "";
  bool v4 = ((load16(entry + CONSTANT(FLOW_KIND)) >> 8) & 15) == 4;
  uint32_t v6 = Z_ringtapZ_flow_more(&engine, number) + (side ? CONSTANT(MORE_B0) : CONSTANT(MORE_A0));
  uint32_t address = v4 ? entry + CONSTANT(FLOW_ADDRS) + 4u * side : v6;
  inet_ntop(v4 ? AF_INET : AF_INET6, at(address), text, sizeof text);
  printf(" %s:%u", text, ntohs(load16(entry + CONSTANT(FLOW_PORTS) + 2u * side)));
}

static void print_flow(uint32_t number) {
  uint64_t packets = flow_sum(number, 0);
  printf("%u", load16(Z_ringtapZ_flow_entry(&engine, number) + CONSTANT(FLOW_KIND)) & 0xff);
  print_end(number, 0);
  print_end(number, 1);
  printf(" %" PRIu64 " packets %" PRIu64 " bytes\n", packets, flow_bytes(number));
}

static bool print_flows(void) {
  // Nothing is exported or drained here, so every slot holds a flow.
  uint32_t count = Z_ringtapZ_flow_count(&engine);
  uint32_t *numbers = malloc((count + 1) * sizeof *numbers);
  if (!numbers) return false;
  for (uint32_t i = 0; i < count; i++) numbers[i] = i;
  qsort(numbers, count, sizeof *numbers, by_bytes);
  for (uint32_t i = 0; i < count && i < SHOWN; i++) print_flow(numbers[i]);
  free(numbers);
  return true;
}

static void print_counts(uint32_t totals) {
  printf("%" PRIu64 " tcp, %" PRIu64 " udp conversations\n", load64(totals + CONSTANT(TOTALS_TCP_CONVERSATIONS)),
         load64(totals + CONSTANT(TOTALS_UDP_CONVERSATIONS)));
}

int main(int argc, char **argv) {
  bool counts = argc == 3 && strcmp(argv[1], "-c") == 0;
  if (argc != 2 + counts) {
    fprintf(stderr, "usage: top_flows [-c] FILE\n");
    return 2;
  }
  const char *name = argv[argc - 1];
  FILE *file = fopen(name, "rb");
  if (!file) {
    perror(name);
    return 1;
  }
  wasm_rt_init();
  Z_ringtap_init_module();
  Z_ringtap_instantiate(&engine);
  if (Z_ringtapZ_abi_version(&engine) != RT_ABI_VERSION) {
    fprintf(stderr, "top_flows: the module has ABI version %u, this program needs %u\n",
            Z_ringtapZ_abi_version(&engine), RT_ABI_VERSION);
    return 1;
  }
  if (Z_ringtapZ_init(&engine, MAX_FLOWS, 1, 2) != 0) {
    fprintf(stderr, "top_flows: not enough memory for %d flows\n", MAX_FLOWS);
    return 1;
  }
  // With counts only, flows that ended are forgotten.
  if (counts) Z_ringtapZ_flow_options(&engine, 2, 0, 0, 0, 0, 0);
  while (feed(file)) continue;
  bool unread = ferror(file);
  fclose(file);
  Z_ringtapZ_stream_end(&engine);
  uint32_t totals = Z_ringtapZ_totals(&engine);
  printf("%" PRIu64 " packets, %" PRIu64 " bytes, %u flows\n", load64(totals + CONSTANT(TOTALS_PACKETS)),
         load64(totals + CONSTANT(TOTALS_ORIGINAL_BYTES)), Z_ringtapZ_flow_count(&engine));
  if (counts) print_counts(totals);
  bool ok = (counts || print_flows()) && !unread && Z_ringtapZ_error_code(&engine) == 0;
  if (!ok) fprintf(stderr, "%s: could not be read to its end\n", name);
  Z_ringtap_free(&engine);
  return ok ? 0 : 1;
}
