// Command line and configuration file, see options.h. One table holds every flag.
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "constants.h"
#include "pcapng.h"
#include "shape_dedup.h"
#include "source_select.h"

enum kind { TEXT, WINDOW, FLAG, COUNT, BYTES, SECONDS, SPEED, RING, FILTER, U32, AGE, FLOOR, SECCOMP };

struct spec {
  const char *name;
  char letter;
  enum kind kind;
  size_t at;
  uint64_t unit;  // BYTES: what a number without suffix counts
  const char *value;
  const char *help;
};

#define AT(field) offsetof(struct options, field)
static const struct spec specs[] = {
    {"interface", 'i', TEXT, AT(interface), 0, "NAME", "capture on this interface (default: the default route's)"},
    {"write", 'w', TEXT, AT(write_path), 0, "FILE", "write pcapng to FILE, - for stdout"},
    {"store", 0, TEXT, AT(store), 0, "DIR[,DIR]", "write segments, striped over the drives; null: nowhere"},
    {"retain-bytes", 0, BYTES, AT(retain.bytes), 1, "BYTES", "delete the oldest segments beyond that size"},
    {"retain-age", 0, AGE, AT(retain.age_ns), 0, "AGE", "delete segments older than 90, 10m, 12h or 7d"},
    {"free-floor", 0, FLOOR, AT(retain), 0, "SIZE", "keep SIZE or N% of the drive free (5%, at most 4G)"},
    {"snaplen", 's', U32, AT(snaplen), 0, "N", "bytes kept of each packet (262144)"},
    {"filter", 'f', FILTER, AT(filter), 0, "EXPR", "capture filter, as trailing words too; see pcap-filter(7)"},
    {"slice", 0, TEXT, AT(slice), 0, "RULES", "cut packets by rules, such as tls=handshake,udp/53=full,tcp=96; below"},
    {"flow-cutoff", 0, BYTES, AT(flow_cutoff_bytes), 1, "BYTES", "only the first payload bytes of each flow, 0: all (0)"},
    {"dedup", 0, WINDOW, AT(dedup), 0, "[=WINDOW]", "drop frames seen a moment ago: 5ms, 1000p, 5ms,routed (5ms)"},
    {"count", 'c', COUNT, AT(count), 0, "N", "end after N recorded packets"},
    {"rotate-size", 'C', BYTES, AT(rotate_bytes), 1000000, "N", "new file after N million bytes (K, M, G: 1024s)"},
    {"rotate-seconds", 'G', SECONDS, AT(rotate_ns), 0, "S", "new file after S seconds"},
    {"keep-files", 'W', COUNT, AT(keep_files), 0, "N", "keep the last N files of this run"},
    {"ring-size", 'B', BYTES, AT(ring_bytes), 1024, "KIB", "kernel ring buffer (65536)"},
    {"ring", 0, RING, AT(ring), 0, "KIND", "afpacket, afxdp, dpdk, kmod, file, synth or auto"},
    {"xdp-mode", 0, TEXT, AT(xdp_mode), 0, "MODE", "of afxdp: auto, zerocopy, native or generic (auto)"},
    {"queues", 0, TEXT, AT(queues), 0, "LIST", "of afxdp: all, or numbers such as 0,2 (all)"},
    {"dpdk-args", 0, TEXT, AT(dpdk_args), 0, "ARGS", "of dpdk: arguments of the EAL"},
    {"workers", 0, COUNT, AT(workers), 0, "N", "threads that copy packets, in order, from one queue (1)"},
    {"fanout", 0, COUNT, AT(fanout), 0, "N", "kernel rings, merged by time; --ring=afpacket (1)"},
    {"fanout-mode", 0, TEXT, AT(fanout_mode), 0, "MODE", "what spreads packets over them: hash, lb, cpu, rnd or qm (hash)"},
    {"cpus", 0, TEXT, AT(cpus), 0, "LIST", "CPUs of workers, writer, others, in this order (not pinned)"},
    {"read", 'r', TEXT, AT(read_path), 0, "FILE", "replay pcap or pcapng, - for stdin; implies --ring=file"},
    {"speed", 0, SPEED, AT(speed), 0, "X", "replay at X times the recorded speed, 0: at once (0)"},
    {"synth", 0, TEXT, AT(synth), 0, "SPEC", "seed=1,pps=1000,size=64-1514|mix,flows=100,count=N,ready=N,clock=fixed"},
    {"block-size", 0, BYTES, AT(block_bytes), 1, "BYTES", "recorder block, a multiple of 4096 (4M)"},
    {"pool-blocks", 0, COUNT, AT(pool_blocks), 0, "N", "recorder blocks in memory (16)"},
    {"flush-interval", 0, SECONDS, AT(flush_ns), 0, "S", "write a block at least every S seconds (1)"},
    {"gateway", 0, TEXT, AT(gateway), 0, "URL", "stream to ws://HOST:PORT/ws/ingest or wss://..."},
    {"token-file", 0, TEXT, AT(token_file), 0, "FILE", "file with the gateway's token"},
    {"name", 0, TEXT, AT(probe_name), 0, "PROBE", "name of this probe (host name)"},
    {"uplink-snaplen", 0, U32, AT(uplink_snaplen), 0, "N", "bytes of each packet on the uplink, 0: all (256)"},
    {"uplink-pps", 0, U32, AT(uplink_pps), 0, "N", "packets/s on the uplink, the rest sampled out (100000)"},
    {"stats", 0, TEXT, AT(stats_path), 0, "FILE", "ledger lines go to FILE instead of stderr"},
    {"stats-interval", 0, SECONDS, AT(stats_ns), 0, "S", "seconds between ledger lines, 0: only the last (1)"},
    {"user", 0, TEXT, AT(user), 0, "NAME", "go on as this user once the source is open"},
    {"seccomp", 0, SECCOMP, AT(seccomp), 0, "MODE", "on, off or log: allow only the system calls it needs"},
    {"config", 0, TEXT, AT(config_path), 0, "FILE", "read `long-name=value` lines first"},
    {"list-interfaces", 'D', FLAG, AT(list_interfaces), 0, NULL, "print interfaces as JSON lines"},
    {"check", 0, FLAG, AT(check), 0, NULL, "only try source, filter and output; one JSON line"},
    {"exit-with-parent", 0, FLAG, AT(exit_with_parent), 0, NULL, "flush and end when the starting process dies"},
    {"verbose", 'v', FLAG, AT(verbose), 0, NULL, "say more"},
    {"version", 'V', FLAG, AT(version), 0, NULL, "print the version"},
    {"help", 'h', FLAG, AT(help), 0, NULL, "print this"},
};
enum { SPECS = sizeof specs / sizeof *specs };

void options_help(void) {
  printf("usage: ringtapd [-i NAME | -r FILE | --ring=synth] [-w FILE | --store DIR] [--gateway URL] [EXPR]\n"
         "Records every packet as pcapng; streams a truncated copy to a gateway.\n\n");
  for (int i = 0; i < SPECS; i++) {
    char left[64];
    const struct spec *s = &specs[i];
    snprintf(left, sizeof left, "%s%c%s--%s%s%s", s->letter ? "-" : " ", s->letter ? s->letter : ' ',
             s->letter ? ", " : "  ", s->name, s->value && *s->value != '[' ? " " : "", s->value ? s->value : "");
    printf("  %-26s %s\n", left, s->help);
  }
  printf("\nRules of --slice: MATCH=KEEP[,MATCH=KEEP...]; the first that matches decides, without one a packet stays whole.\n"
         "  MATCH  any, ip, ip6, arp, icmp, tls, tcp, udp or sctp; tcp/PORTS, udp/PORTS, sctp/PORTS or port PORTS (N, N-M)\n"
         "  KEEP   full, BYTES of the frame, headers, headers+BYTES of payload; of tls also handshake\n"
         "TCP packets with SYN, FIN or RST pass a --flow-cutoff. --dedup=...,routed ignores MAC addresses, TTL and IPv4\n"
         "header checksum. What is removed is counted: cutoff, duplicates, sliced_bytes.\n");
  printf("\nExit: 0 done, 1 failed, 2 wrong usage. SIGHUP starts a new file where there are several; SIGUSR1 prints a\n"
         "ledger line now; SIGINT or SIGTERM flush and end.\n");
}

static int bad(const struct spec *s, const char *value, struct failure *f) {
  static const char *const wants[] = {[COUNT] = "a whole number", [U32] = "a whole number below 2^32",
                                      [BYTES] = "a size such as 64, 512K, 4M or 1G", [SECONDS] = "seconds such as 0.5",
                                      [SPEED] = "a number such as 1, 2.5 or 0",
                                      [AGE] = "an age such as 90, 10m, 12h or 7d",
                                      [FLOOR] = "a size such as 4G or a share such as 5%",
                                      [SECCOMP] = "on, off or log"};
  return fail(f, 0, "--%s: \"%s\" is not %s", s->name, value, wants[s->kind]);
}

static bool parse_whole(const char *text, uint64_t *out, char **end) {
  if (!isdigit((unsigned char)*text)) return false;
  errno = 0;
  *out = strtoull(text, end, 10);
  return errno == 0;
}

static bool parse_bytes(const char *text, uint64_t unit, uint64_t *out) {
  char *end;
  if (!parse_whole(text, out, &end)) return false;
  static const char suffixes[] = "kmgt";
  if (*end) {
    const char *at = strchr(suffixes, tolower((unsigned char)*end));
    if (!at || !*at || end[1]) return false;
    unit = 1ull << (10 * (at - suffixes + 1));
  }
  return !__builtin_mul_overflow(*out, unit, out);
}

static bool parse_real(const char *text, double max, double *out) {
  char *end;
  if (!isdigit((unsigned char)*text) && *text != '.') return false;
  *out = strtod(text, &end);
  return !*end && isfinite(*out) && *out >= 0 && *out <= max;
}

static bool parse_age(const char *text, uint64_t *out) {
  static const struct {
    char suffix;
    uint64_t seconds;
  } units[] = {{0, 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  char *end;
  uint64_t n;
  if (!parse_whole(text, &n, &end) || (*end && end[1])) return false;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (units[i].suffix == *end) return !__builtin_mul_overflow(n, units[i].seconds * NS_PER_S, out);
  return false;
}

static bool parse_floor(const char *text, struct retention_limits *out) {
  char number[32];
  size_t n = strlen(text);
  double percent;
  if (!n || text[n - 1] != '%') {
    out->floor_percent = 0;
    return parse_bytes(text, 1, &out->floor_bytes);
  }
  if (n >= sizeof number) return false;
  snprintf(number, sizeof number, "%.*s", (int)n - 1, text);
  if (!parse_real(number, 90, &percent)) return false;
  out->floor_percent = percent;
  out->floor_bytes = 0;
  return true;
}

static int set_ring(struct options *o, const char *value, struct failure *f) {
  if (!source_exists(value)) return fail(f, 0, "--ring=%s: unknown; use %s", value, source_names);
  o->ring = value;
  return 0;
}

static int append_filter(struct options *o, const char *value, struct failure *f) {
  size_t have = strlen(o->filter);
  int n = snprintf(o->filter + have, sizeof o->filter - have, "%s%s", have ? " " : "", value);
  if (n < 0 || (size_t)n >= sizeof o->filter - have)
    return fail(f, 0, "filter: longer than %d bytes; shorten it", FILTER_BYTES_MAX - 1);
  return 0;
}

static int set(struct options *o, const struct spec *s, const char *value, struct failure *f) {
  char *field = (char *)o + s->at, *end;
  uint64_t whole;
  double real;
  switch (s->kind) {
    case TEXT:
      if (!*value) return fail(f, 0, "--%s: needs a value", s->name);
      *(const char **)field = value;
      return 0;
    case WINDOW:
      *(const char **)field = value && *value ? value : DEDUP_WINDOW_DEFAULT;
      return 0;
    case FLAG:
      if (value && *value && strcmp(value, "true") && strcmp(value, "false")) return fail(f, 0, "--%s: takes no value", s->name);
      *(bool *)field = !value || strcmp(value, "false");
      return 0;
    case COUNT:
      if (!parse_whole(value, &whole, &end) || *end) return bad(s, value, f);
      *(uint64_t *)field = whole;
      return 0;
    case U32:
      if (!parse_whole(value, &whole, &end) || *end || whole > UINT32_MAX) return bad(s, value, f);
      *(uint32_t *)field = (uint32_t)whole;
      return 0;
    case BYTES:
      return parse_bytes(value, s->unit, (uint64_t *)field) ? 0 : bad(s, value, f);
    case SECONDS:
      if (!parse_real(value, 1e9, &real)) return bad(s, value, f);
      *(uint64_t *)field = (uint64_t)(real * 1e9);
      o->flush_given |= s->at == AT(flush_ns);
      return 0;
    case SPEED:
      return parse_real(value, 1e6, (double *)field) ? 0 : bad(s, value, f);
    case RING:
      return set_ring(o, value, f);
    case AGE:
      return parse_age(value, (uint64_t *)field) ? 0 : bad(s, value, f);
    case FLOOR:
      return parse_floor(value, (struct retention_limits *)field) ? 0 : bad(s, value, f);
    case SECCOMP:
      *(const char **)field = value;
      return !strcmp(value, "on") || !strcmp(value, "off") || !strcmp(value, "log") ? 0 : bad(s, value, f);
    case FILTER:
      o->filter[0] = 0;
      return append_filter(o, value, f);
  }
  return 0;
}

int options_set(struct options *o, const char *name, const char *value, struct failure *f) {
  for (int i = 0; i < SPECS; i++)
    if (!strcmp(specs[i].name, name)) return set(o, &specs[i], value, f);
  return fail(f, 0, "--%s: unknown option; see ringtapd --help", name);
}

const char *options_name(size_t index, const char **sample) {
  static const char *const samples[] = {[TEXT] = "text", [COUNT] = "20", [BYTES] = "1M", [SECONDS] = "2.5", [SPEED] = "1.5",
                                        [RING] = "synth", [FILTER] = "tcp port 80", [U32] = "100", [AGE] = "7d",
                                        [FLOOR] = "10%", [SECCOMP] = "log"};
  if (index >= SPECS) return NULL;
  *sample = specs[index].kind == FLAG ? NULL : samples[specs[index].kind];
  return specs[index].name;
}

static void defaults(struct options *o) {
  *o = (struct options){
      .snaplen = RT_SNAPLEN_DEFAULT,
      .ring_bytes = 64u << 20,
      .block_bytes = RT_BLOCK_BYTES_DEFAULT,
      .pool_blocks = 16,
      .flush_ns = NS_PER_S,
      .workers = 1,
      .fanout = 1,
      .fanout_mode = "hash",
      .uplink_snaplen = RT_UPLINK_SNAPLEN_DEFAULT,
      .uplink_pps = 100000,
      .stats_ns = NS_PER_S,
      .retain = {.floor_percent = 5, .floor_bytes = 4ull << 30},
  };
}

static int check_sizes(struct options *o, struct failure *f) {
  if (o->snaplen == 0) o->snaplen = RT_SNAPLEN_DEFAULT;  // as in tcpdump
  if (o->snaplen > RT_SNAPLEN_DEFAULT) return fail(f, 0, "--snaplen: %u is over %u", o->snaplen, RT_SNAPLEN_DEFAULT);
  if (o->block_bytes < 4096 || o->block_bytes % 4096 || o->block_bytes > 256u << 20)
    return fail(f, 0, "--block-size: %llu is not a multiple of 4096 from 4K to 256M",
                (unsigned long long)o->block_bytes);
  if (o->pool_blocks < 2 || o->pool_blocks > 4096) return fail(f, 0, "--pool-blocks: use 2 to 4096");
  if (o->ring_bytes < 1u << 18 || o->ring_bytes > 1ull << 33) return fail(f, 0, "-B: use 256 to 8388608 (KiB)");
  if (o->keep_files > 1000000) return fail(f, 0, "-W: use at most 1000000");
  if (o->flush_ns < NS_PER_MS) return fail(f, 0, "--flush-interval: use 0.001 or more");
  if (o->stats_ns && o->stats_ns < 100 * NS_PER_MS) return fail(f, 0, "--stats-interval: use 0, or 0.1 or more");
  return 0;
}

static int check_threads(struct options *o, struct failure *f) {
  if (o->workers < 1 || o->workers > 64) return fail(f, 0, "--workers: use 1 to 64");
  if (o->fanout < 1 || o->fanout > 64) return fail(f, 0, "--fanout: use 1 to 64");
  static const char *const modes[] = {"hash", "lb", "cpu", "rnd", "qm"};
  bool known = false;
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) known |= !strcmp(o->fanout_mode, modes[i]);
  if (!known) return fail(f, 0, "--fanout-mode: \"%s\" is unknown; use hash, lb, cpu, rnd or qm", o->fanout_mode);
  if (o->fanout > 1 && strcmp(o->ring, "afpacket"))
    return fail(f, 0, "--fanout: --ring=%s has one queue; use --ring=afpacket, or --workers", o->ring);
  return 0;
}

static int split_stores(struct options *o, struct failure *f) {
  o->stores_count = 0;
  if (!o->store || !strcmp(o->store, "null")) return 0;
  if (strlen(o->store) >= sizeof o->stores_text) return fail(f, 0, "--store: too long; use shorter paths");
  char *text = strcpy(o->stores_text, o->store), *dir;
  while ((dir = strsep(&text, ","))) {
    if (!*dir) return fail(f, 0, "--store: an empty name between commas; write DIR,DIR");
    for (uint32_t i = 0; i < o->stores_count; i++)
      if (!strcmp(o->stores[i], dir)) return fail(f, 0, "--store: %s is named twice; name each directory once", dir);
    if (o->stores_count == STORES_MAX) return fail(f, 0, "--store: more than %u directories; name fewer", STORES_MAX);
    o->stores[o->stores_count++] = dir;
  }
  return 0;
}

static int check_outputs(struct options *o, struct failure *f) {
  if (o->write_path && o->store) return fail(f, 0, "-w and --store: use one of them");
  if (!o->write_path && !o->store && !o->gateway && !o->check)
    return fail(f, 0, "nothing to do: name a file with -w, a directory with --store or a gateway with --gateway");
  bool rotates = o->rotate_bytes || o->rotate_ns;
  if (o->write_path && !strcmp(o->write_path, "-") && (rotates || o->keep_files))
    return fail(f, 0, "-w -: stdout cannot be rotated; drop -C, -G and -W");
  if (o->keep_files && !rotates) return fail(f, 0, "-W: needs -C or -G");
  if (o->token_file && !o->gateway) return fail(f, 0, "--token-file: needs --gateway");
  return 0;
}

static int check_source(struct options *o, struct failure *f) {
  if (!o->ring) o->ring = o->read_path ? "file" : o->synth ? "synth" : "afpacket";
  bool file = !strcmp(o->ring, "file"), synth = !strcmp(o->ring, "synth");
  if (file && !o->read_path) return fail(f, 0, "--ring=file: name the capture with -r FILE");
  if (!file && o->read_path) return fail(f, 0, "-r: reads a file, --ring=%s does not; drop one", o->ring);
  static const char *const xdp_modes[] = {"auto", "zerocopy", "native", "generic"};
  bool known = !o->xdp_mode;
  for (int i = 0; i < 4 && !known; i++) known = !strcmp(o->xdp_mode, xdp_modes[i]);
  if (!known) return fail(f, 0, "--xdp-mode: \"%s\" is unknown; use auto, zerocopy, native or generic", o->xdp_mode);
  bool xdp = !strcmp(o->ring, "afxdp");
  if (!xdp && (o->xdp_mode || o->queues))
    return fail(f, 0, "--%s: needs --ring=afxdp", o->xdp_mode ? "xdp-mode" : "queues");
  if (o->dpdk_args && strcmp(o->ring, "dpdk")) return fail(f, 0, "--dpdk-args: needs --ring=dpdk");
  if (!synth && o->synth) return fail(f, 0, "--synth: needs --ring=synth");
  if ((file || synth) && o->interface) return fail(f, 0, "-i: --ring=%s uses no interface; drop one", o->ring);
  return 0;
}

static int validate(struct options *o, struct failure *f) {
  if (o->help || o->version || o->list_interfaces) return 0;
  int rc = check_sizes(o, f);
  if (!rc) rc = check_source(o, f);
  if (!rc) rc = check_threads(o, f);
  if (!rc) rc = check_outputs(o, f);
  if (!rc) rc = split_stores(o, f);
  // Short files want blocks that fit into them.
  uint64_t fits = o->rotate_bytes < 128u << 10 ? 64u << 10 : (o->rotate_bytes - SECTION_BYTES_MAX) / 4096 * 4096;
  if (o->rotate_bytes && o->block_bytes > fits) o->block_bytes = fits;
  if (!o->flush_given && o->write_path && !strcmp(o->write_path, "-")) o->flush_ns = 100 * NS_PER_MS;
  return rc;
}

// Words after the flags make the filter, as in tcpdump; they win over -f.
static int parse_argv(struct options *o, int argc, char **argv, bool only_config, struct failure *f) {
  struct option longs[SPECS + 1] = {0};
  char shorts[2 * SPECS + 4] = "+:";
  for (int i = 0; i < SPECS; i++) {
    longs[i] = (struct option){specs[i].name, specs[i].kind == FLAG ? no_argument : specs[i].kind == WINDOW ? optional_argument : required_argument, NULL, 256 + i};
    if (specs[i].letter) {
      size_t n = strlen(shorts);
      shorts[n] = specs[i].letter;
      shorts[n + 1] = specs[i].kind == FLAG ? 0 : ':';
    }
  }
  optind = 0;
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
    if (c == '?') return fail(f, 0, "%s: unknown flag; see ringtapd --help", argv[optind - 1]);
    if (c == ':') return fail(f, 0, "%s: needs a value; see ringtapd --help", argv[optind - 1]);
    const struct spec *s = NULL;
    for (int i = 0; i < SPECS; i++)
      if (c == 256 + i || (c < 256 && specs[i].letter == c)) s = &specs[i];
    bool config = !strcmp(s->name, "config");
    int rc = only_config ? (config ? config_read(o, optarg, f) : 0) : set(o, s, optarg, f);
    if (rc) return rc;
  }
  if (!only_config && optind < argc) o->filter[0] = 0;
  for (int i = optind; !only_config && i < argc; i++) {
    int rc = append_filter(o, argv[i], f);
    if (rc) return rc;
  }
  return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct failure *f) {
  defaults(o);
  int rc = parse_argv(o, argc, argv, true, f);
  if (!rc) rc = parse_argv(o, argc, argv, false, f);
  return rc ? rc : validate(o, f);
}
