// The engine, translated to C by wasm2c, under libFuzzer and AddressSanitizer. WebAssembly's own bounds are
// those of the whole memory, so a decoder that reads into a neighbouring arena traps nowhere: here everything
// around the bytes at hand (the rest of the chunk, the carry, the rest of the scratch area) is poisoned, so
// that one byte too far is a report. Single-threaded; never writes files; what it reads is its input alone.
//
// An input is: mode, linktype, count of filter instructions, those (12 bytes each), then
//   PACKETS  frames, each u16 length, u8 to add to the wire length, u8 to add to the time, bytes: each is
//            read as the last packet of a chunk and then decoded into a tree
//   STREAM   a capture file, whole or in chunks whose sizes the mode picks
#include <sanitizer/asan_interface.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../proto/gen/constants.h"
#include "ringtap.h"

enum {
  MODE_STREAM = 1,
  MODE_CHUNKS = 2,
  MODE_ROWS = 4,
  MODE_FILTER = 8,
  MODE_SCAN = 16,
  MODE_EXPORTS = 32,
  MODE_BATCHES = 64,
  MAX_FLOWS = 64,
  FILTER_MAX = 64,
  DECODED_MAX = 8, // rows of a stream that are decoded
  INSN_BYTES = 12,
  // Copies of scattered CRYPTO frames lie this far behind the frame (MADE_GAP in tree.ts).
  MADE_GAP = 64,
};

static Z_ringtap_instance_t engine;
#define CONSTANT(name) (*Z_ringtapZ_##name(&engine))
// wasm2c writes the letter Z of a name as Z5A: NODE_SIZ5AE is NODE_SIZE.
#define PCAP_NS 0xa1b23c4du

// The linktypes of proto/dispatch.ts and one that has no decoder.
static const uint32_t LINKTYPES[] = {1,   0,   9,   12,  14,  50,  51,  101, 104, 105, 108, 113, 127, 228, 229, 276,
                                     147, 6,   10,  100, 107, 109, 117, 119, 123, 129, 163, 192, 226, 239, 258};

// The filter of this input, given for every linktype that asks.
static const uint8_t *filter;
static uint32_t filter_count;
static uint32_t decoded;
static bool chunked;

// Called by wasm-rt's wasm_rt_trap (WASM_RT_TRAP_HANDLER).
void on_trap(int code) {
  fprintf(stderr, "trap %d\n", code);
  abort();
}

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "broken promise: %s\n", what);
  abort();
}

static uint8_t *at(uint32_t address) { return Z_ringtapZ_memory(&engine)->data + address; }
static uint32_t load32(uint32_t address) {
  uint32_t v;
  memcpy(&v, at(address), sizeof v);
  return v;
}
static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }

// ── areas of input: poisoned but for the bytes at hand ───────────────────────────────────────────
static void poison_all(void) {
  // The carry lies right before the chunk; between the scratch area and the chunk nothing else is input.
  ASAN_POISON_MEMORY_REGION(at(CONSTANT(CHUNK_BASE)), CONSTANT(INDEX_BASE) - CONSTANT(CHUNK_BASE));
  ASAN_POISON_MEMORY_REGION(at(CONSTANT(SCRATCH_BASE)), CONSTANT(CAPLEN_MAX));
}

static void carry_open(bool open) {
  uint32_t base = CONSTANT(CHUNK_BASE) - CONSTANT(HELD_MAX) - 64;
  if (open) ASAN_UNPOISON_MEMORY_REGION(at(base), CONSTANT(CHUNK_BASE) - base);
  else ASAN_POISON_MEMORY_REGION(at(base), CONSTANT(CHUNK_BASE) - base);
}

// ── trees ────────────────────────────────────────────────────────────────────────────────────────
static void check_nodes(uint32_t count, uint32_t length) {
  check(count <= CONSTANT(NODE_MAX), "more nodes than NODE_MAX");
  for (uint32_t i = 0; i < count; i++) {
    uint32_t node = CONSTANT(NODES_BASE) + i * CONSTANT(NODE_STRIDE);
    uint64_t end = (uint64_t)load32(node + CONSTANT(NODE_OFFSET)) + load32(node + CONSTANT(NODE_LENGTH));
    uint64_t made = (uint64_t)load32(node + CONSTANT(NODE_AT)) + load32(node + CONSTANT(NODE_SIZ5AE));
    check(end <= length, "a node leaves the frame");
    check(made <= CONSTANT(CAPLEN_MAX), "a node's bytes leave the scratch area");
  }
}

static void decode(uint32_t linktype, const uint8_t *bytes, uint32_t length, uint32_t wirelen) {
  uint32_t scratch = CONSTANT(SCRATCH_BASE);
  uint32_t room = CONSTANT(CAPLEN_MAX);
  if (length > room) length = room;
  ASAN_UNPOISON_MEMORY_REGION(at(scratch), room);
  memcpy(at(scratch), bytes, length);
  // A handshake put together is never longer than the frame: a gap, its room, and poison again.
  uint32_t gap = room - length < MADE_GAP ? room - length : MADE_GAP;
  ASAN_POISON_MEMORY_REGION(at(scratch + length), gap);
  uint32_t rest = length + gap + length + MADE_GAP;
  if (rest < room) ASAN_POISON_MEMORY_REGION(at(scratch + rest), room - rest);
  check_nodes(Z_ringtapZ_decode(&engine, linktype, length, wirelen), length);
  ASAN_POISON_MEMORY_REGION(at(scratch), room);
}

// ── the stream ───────────────────────────────────────────────────────────────────────────────────
static void take_rows(uint32_t length) {
  uint32_t low = CONSTANT(CHUNK_BASE) - (chunked ? CONSTANT(HELD_MAX) + 64 : 0);
  for (uint32_t i = 0; i < Z_ringtapZ_row_count(&engine); i++) {
    uint32_t row = CONSTANT(ROWS_BASE) + i * CONSTANT(ROW_STRIDE);
    uint32_t bytes = load32(row + CONSTANT(ROW_BYTES)), caplen = load32(row + CONSTANT(ROW_CAPLEN));
    check(bytes >= low && (uint64_t)bytes + caplen <= (uint64_t)CONSTANT(CHUNK_BASE) + length,
          "a row leaves the chunk");
    if (decoded++ < DECODED_MAX)
      decode(load32(row + CONSTANT(ROW_LINKTYPE)), at(bytes), caplen, load32(row + CONSTANT(ROW_WIRELEN)));
  }
}

// The input's own instructions: hostile ones must end and reject, never trap.
static void add_filter(void) {
  uint32_t to = Z_ringtapZ_filter_add(&engine, Z_ringtapZ_filter_key(&engine), filter_count);
  if (to == 0) {
    Z_ringtapZ_filter_restart(&engine);
    to = Z_ringtapZ_filter_add(&engine, Z_ringtapZ_filter_key(&engine), filter_count);
  }
  check(to != 0, "no room for one filter");
  for (uint32_t i = 0; i < filter_count; i++) {
    const uint8_t *insn = filter + i * INSN_BYTES;
    uint8_t *out = at(to + i * CONSTANT(INSN_STRIDE));
    memset(out, 0, CONSTANT(INSN_STRIDE));
    memcpy(out + CONSTANT(INSN_CODE), insn, 2);
    memcpy(out + CONSTANT(INSN_JT), insn + 4, 2);
    memcpy(out + CONSTANT(INSN_JF), insn + 6, 2);
    memcpy(out + CONSTANT(INSN_K), insn + 8, 4);
  }
}

static void push(const uint8_t *bytes, uint32_t length, uint32_t mode) {
  // What the chunk before left unread is moved by reserve(): only then may its bytes become poison.
  static uint32_t last;
  uint32_t address = Z_ringtapZ_reserve(&engine);
  bool rows = mode & MODE_ROWS;
  ASAN_POISON_MEMORY_REGION(at(address), last);
  ASAN_UNPOISON_MEMORY_REGION(at(address), length);
  last = length;
  memcpy(at(address), bytes, length);
  uint32_t status = Z_ringtapZ_push(&engine, length, rows);
  for (uint32_t turns = 0; status != CONSTANT(GO); turns++) {
    check(turns < 1 << 20, "stops without end");
    if (status == CONSTANT(STOP_ROWS)) {
      take_rows(length);
      status = Z_ringtapZ_resume(&engine, 1);
      continue;
    }
    if (status == CONSTANT(STOP_FILTER)) add_filter();
    else if (status == CONSTANT(STOP_FLOWS)) Z_ringtapZ_export_clear(&engine);
    else check(false, "an unknown reason to stop");
    status = Z_ringtapZ_resume(&engine, rows ? 2 : 0);
  }
  if (rows) take_rows(length);
}

static void run_stream(const uint8_t *data, size_t size, uint32_t mode) {
  for (size_t done = 0; done < size;) {
    size_t step = size - done;
    if (chunked) step = 1 + (data[done] * 7u + done) % 193;
    if (step > size - done) step = size - done;
    if (step > CONSTANT(CHUNK_MAX)) step = CONSTANT(CHUNK_MAX);
    push(data + done, (uint32_t)step, mode);
    done += step;
  }
}

static void run_packets(uint32_t linktype, const uint8_t *data, size_t size, uint32_t mode) {
  uint8_t *record = malloc(16 + 65535);
  uint8_t header[24] = {0};
  put32(header, PCAP_NS);
  header[4] = 2, header[6] = 4;
  put32(header + 16, CONSTANT(CAPLEN_MAX));
  put32(header + 20, linktype);
  push(header, sizeof header, mode);
  for (uint32_t time = 0; size >= 4;) {
    uint32_t length = load16(data), wirelen = length + data[2];
    time += data[3];
    data += 4, size -= 4;
    if (length > size) length = (uint32_t)size, wirelen = length;
    put32(record, time), put32(record + 4, 0), put32(record + 8, length), put32(record + 12, wirelen);
    memcpy(record + 16, data, length);
    push(record, 16 + length, mode);
    decode(linktype, data, length, wirelen);
    data += length, size -= length;
  }
  free(record);
}

static void ask_everything(uint32_t mode) {
  Z_ringtapZ_stream_end(&engine);
  Z_ringtapZ_totals(&engine);
  check(Z_ringtapZ_flow_count(&engine) <= MAX_FLOWS, "more flows than asked for");
  for (uint32_t kind = 0; kind < 4; kind++) Z_ringtapZ_talkers(&engine, kind);
  if (!(mode & MODE_EXPORTS)) return;
  for (uint32_t from = 0, turns = 0; from < Z_ringtapZ_flow_slots(&engine); turns++) {
    check(turns < MAX_FLOWS + 1, "exports without end");
    from = Z_ringtapZ_export_rest(&engine, from);
    Z_ringtapZ_export_clear(&engine);
  }
  check(Z_ringtapZ_flow_count(&engine) == 0, "flows are left after the last export");
}

// Proof that a read of one byte too many is seen: the module itself hashes 11 bytes where 10 are at hand.
static void read_too_far(void) {
  ASAN_UNPOISON_MEMORY_REGION(at(CONSTANT(SCRATCH_BASE)), 10);
  Z_ringtapZ_digest(&engine, 11);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  wasm_rt_init();
  Z_ringtap_init_module();
  Z_ringtap_instantiate(&engine);
  check(Z_ringtapZ_abi_version(&engine) == RT_ABI_VERSION, "another ABI version");
  check(Z_ringtapZ_init(&engine, MAX_FLOWS, 1, 2) == 0, "no memory");
  poison_all();
  if (getenv("RINGTAP_FUZZ_SELFTEST")) read_too_far();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  uint32_t mode = data[0], linktype = LINKTYPES[data[1] % (sizeof LINKTYPES / sizeof *LINKTYPES)];
  filter_count = mode & MODE_FILTER ? data[2] % FILTER_MAX : 0;
  if (3 + (size_t)filter_count * INSN_BYTES > size) return 0;
  filter = data + 3;
  data += 3 + filter_count * INSN_BYTES, size -= 3 + filter_count * INSN_BYTES;
  decoded = 0;
  chunked = (mode & MODE_STREAM) && (mode & MODE_CHUNKS);

  carry_open(chunked);
  Z_ringtapZ_flow_options(&engine, (mode & MODE_EXPORTS) != 0, 30, 20, 10, 5, mode & MODE_BATCHES ? 2 : 1);
  Z_ringtapZ_filter_clear(&engine, mode & MODE_FILTER ? 3 : 0);
  Z_ringtapZ_scan_only(&engine, (mode & MODE_SCAN) != 0);
  Z_ringtapZ_reset(&engine);
  if (mode & MODE_STREAM) run_stream(data, size, mode);
  else run_packets(linktype, data, size, mode);
  ask_everything(mode);
  return 0;
}
