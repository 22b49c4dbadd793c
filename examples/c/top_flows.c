// The engine without a WebAssembly runtime: reads a capture file through the module that wasm2c turned
// into C, and prints its largest flows. Which call may follow which is in asm/ABI.md; every address and
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

static uint32_t load32(uint32_t address) {
  uint32_t v;
  memcpy(&v, at(address), sizeof v);
  return v;
}

static uint64_t load64(uint32_t address) {
  uint64_t v;
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

// Counter `which` of entry `number`: 32 bits in its first part, 16 above them in the second.
static uint64_t counter(uint32_t number, uint32_t which) {
  uint32_t low = load32(Z_ringtapZ_flow_entry(&engine, number) + CONSTANT(FLOW_PACKETS_A) + 4 * which);
  uint16_t high = load16(Z_ringtapZ_flow_more(&engine, number) + CONSTANT(MORE_CARRIES) + 2 * which);
  return (uint64_t)high << 32 | low;
}

enum { PACKETS = 0, WIRE = 2 };  // each of A, then of B

static uint64_t both(uint32_t number, uint32_t which) { return counter(number, which) + counter(number, which + 1); }

static int by_bytes(const void *a, const void *b) {
  uint64_t x = both(*(const uint32_t *)a, WIRE), y = both(*(const uint32_t *)b, WIRE);
  return x < y ? 1 : x > y ? -1 : 0;
}

static void print_end(uint32_t number, uint32_t side) {
  char text[INET6_ADDRSTRLEN] = "";
  uint32_t entry = Z_ringtapZ_flow_entry(&engine, number), more = Z_ringtapZ_flow_more(&engine, number);
  bool v4 = ((load16(entry + CONSTANT(FLOW_KIND)) >> 8) & 15) == 4;
  uint32_t v6 = more + (side ? CONSTANT(MORE_B0) : CONSTANT(MORE_A0));
  inet_ntop(v4 ? AF_INET : AF_INET6, at(v4 ? entry + CONSTANT(FLOW_ADDRS) + 4 * side : v6), text, sizeof text);
  printf(" %s:%u", text, ntohs(load16(entry + CONSTANT(FLOW_PORTS) + 2 * side)));
}

static void print_flow(uint32_t number) {
  printf("%u", load16(Z_ringtapZ_flow_entry(&engine, number) + CONSTANT(FLOW_KIND)) & 0xff);
  print_end(number, 0);
  print_end(number, 1);
  printf(" %" PRIu64 " packets %" PRIu64 " bytes\n", both(number, PACKETS), both(number, WIRE));
}

static bool print_flows(void) {
  uint32_t slots = Z_ringtapZ_flow_slots(&engine), count = 0;
  uint32_t *numbers = malloc((slots + 1) * sizeof *numbers);
  if (!numbers) return false;
  for (uint32_t i = 0; i < slots; i++)
    if (load16(Z_ringtapZ_flow_entry(&engine, i) + CONSTANT(FLOW_KIND))) numbers[count++] = i;
  qsort(numbers, count, sizeof *numbers, by_bytes);
  for (uint32_t i = 0; i < count && i < SHOWN; i++) print_flow(numbers[i]);
  free(numbers);
  return true;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: top_flows FILE\n");
    return 2;
  }
  FILE *file = fopen(argv[1], "rb");
  if (!file) {
    perror(argv[1]);
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
  while (feed(file)) continue;
  bool unread = ferror(file);
  fclose(file);
  Z_ringtapZ_stream_end(&engine);
  uint32_t totals = Z_ringtapZ_totals(&engine);
  printf("%" PRIu64 " packets, %" PRIu64 " bytes, %u flows\n", load64(totals + CONSTANT(TOTALS_PACKETS)),
         load64(totals + CONSTANT(TOTALS_ORIGINAL_BYTES)), Z_ringtapZ_flow_count(&engine));
  bool ok = print_flows() && !unread && Z_ringtapZ_error_code(&engine) == 0;
  if (!ok) fprintf(stderr, "%s: could not be read to its end\n", argv[1]);
  Z_ringtap_free(&engine);
  return ok ? 0 : 1;
}
