// Shaping: rules, TLS records across segments, flow cutoff, duplicates; and that no frame, however cut or
// random, is read past its end (each lies in memory of exactly its size, under ASan).
#include "shape.h"

#include <stdlib.h>

#include "clock.h"
#include "constants.h"
#include "unit.h"

static struct shape *make(const char *slice, uint64_t cutoff_bytes, const char *dedup) {
  struct options o = {.slice = slice, .flow_cutoff_bytes = cutoff_bytes, .dedup = dedup};
  struct shape *s = NULL;
  struct failure f;
  CHECK(shape_open(&s, &o, RT_LINKTYPE_ETHERNET, &f) == 0);
  return s;
}

static bool refused(const char *slice, const char *dedup) {
  struct options o = {.slice = slice, .dedup = dedup};
  struct shape *s = NULL;
  struct failure f = {0};
  int rc = shape_open(&s, &o, RT_LINKTYPE_ETHERNET, &f);
  shape_close(s);
  return rc && f.err == 0 && strstr(f.text, slice ? "--slice" : "--dedup") && !strchr(f.text, '\n');
}

struct frame {
  uint8_t bytes[2000];
  uint32_t length;
};

enum { TCP_HEADERS = 14 + 20 + 20, UDP_HEADERS = 14 + 20 + 8 };

// Ethernet, IPv4, TCP or UDP; `back` swaps the ends.
static struct frame ip_frame(uint8_t protocol, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq,
                             const void *payload, uint32_t bytes, bool back) {
  struct frame f = {{0}, 14 + 20 + (protocol == 6 ? 20 : 8) + bytes};
  uint8_t *ip = f.bytes + 14, *t = ip + 20;
  f.bytes[12] = 8;
  ip[0] = 0x45, ip[8] = 64, ip[9] = protocol;
  ip[2] = (uint8_t)((f.length - 14) >> 8), ip[3] = (uint8_t)(f.length - 14);
  ip[12] = ip[16] = 10, ip[15] = back ? 2 : 1, ip[19] = back ? 1 : 2;
  uint16_t from = back ? dport : sport, to = back ? sport : dport;
  t[0] = (uint8_t)(from >> 8), t[1] = (uint8_t)from, t[2] = (uint8_t)(to >> 8), t[3] = (uint8_t)to;
  if (protocol == 6) {
    for (int i = 0; i < 4; i++) t[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
    t[12] = 0x50, t[13] = flags;
  }
  if (payload) memcpy(f.bytes + f.length - bytes, payload, bytes);
  return f;
}

static uint64_t clock_ns = 1000 * NS_PER_S;
static uint64_t sliced;
static uint32_t not_captured;  // wire bytes that a snaplen took away before us

// Bytes kept, or minus the verdict.
static int64_t take(struct shape *s, const struct frame *f) {
  uint8_t *data = malloc(f->length ? f->length : 1);
  memcpy(data, f->bytes, f->length);
  struct packet p = {.data = data, .caplen = f->length, .wirelen = f->length + not_captured, .ts_ns = clock_ns};
  uint64_t before = sliced;
  enum shape_verdict v = shape_packet(s, &p, &sliced);
  CHECK(p.caplen <= f->length && (v != SHAPE_KEEP || sliced - before == f->length - p.caplen));
  free(data);
  return v == SHAPE_KEEP ? (int64_t)p.caplen : -(int64_t)v;
}

static int64_t take_tcp(struct shape *s, uint8_t flags, uint32_t seq, const void *payload, uint32_t bytes, bool back) {
  struct frame f = ip_frame(6, 40000, 443, flags, seq, payload, bytes, back);
  return take(s, &f);
}

TEST(slice_first_rule_that_matches_decides) {
  struct shape *s = make("udp/53=full,port 5000-5010=headers+8,udp=headers,tcp=96,any=20", 0, NULL);
  struct frame dns = ip_frame(17, 1234, 53, 0, 0, NULL, 400, true), ranged = ip_frame(17, 5010, 9, 0, 0, NULL, 400, false);
  struct frame udp = ip_frame(17, 5011, 9, 0, 0, NULL, 400, false), icmp = ip_frame(1, 0, 0, 0, 0, NULL, 400, false);
  struct frame fragment = ip_frame(17, 53, 53, 0, 0, NULL, 400, false);
  fragment.bytes[14 + 7] = 5;  // a later fragment: its first bytes are no ports
  CHECK(take(s, &dns) == UDP_HEADERS + 400);
  CHECK(take(s, &ranged) == UDP_HEADERS + 8);
  CHECK(take(s, &udp) == UDP_HEADERS);
  CHECK(take_tcp(s, 16, 1, NULL, 400, false) == 96 && take_tcp(s, 16, 1, NULL, 10, false) == TCP_HEADERS + 10);
  CHECK(take(s, &icmp) == 20);
  CHECK(take(s, &fragment) == 14 + 20);
  shape_close(s);
}

TEST(slice_finds_the_transport_behind_ipv6_extension_headers) {
  struct shape *s = make("udp/53=headers+4,udp=headers,ip6=60", 0, NULL);
  struct frame f = {{0}, 14 + 40 + 8 + 8 + 8 + 300};  // hop-by-hop options, fragment header, UDP
  uint8_t *ip = f.bytes + 14;
  f.bytes[12] = 0x86, f.bytes[13] = 0xDD;
  ip[0] = 0x60, ip[4] = (8 + 8 + 8 + 300) >> 8, ip[5] = (8 + 8 + 8 + 300) & 255, ip[6] = 0;
  ip[40] = 44, ip[48] = 17, ip[57] = 53, ip[59] = 9;
  CHECK(take(s, &f) == 14 + 40 + 24 + 4);
  ip[57] = 54;
  CHECK(take(s, &f) == 14 + 40 + 24);
  ip[50] = 1;  // a later fragment
  CHECK(take(s, &f) == 14 + 40 + 16);
  ip[48] = 59;  // no next header
  CHECK(take(s, &f) == 60);
  shape_close(s);
}

TEST(slice_counts_bytes_with_the_tag_that_is_put_back) {
  struct shape *s = make("any=64", 0, NULL);
  struct frame f = ip_frame(17, 1, 2, 0, 0, NULL, 400, false);
  struct packet p = {.data = f.bytes, .caplen = f.length, .wirelen = f.length, .vlan_tpid = 0x8100};
  CHECK(shape_packet(s, &p, &sliced) == SHAPE_KEEP && packet_full_caplen(&p) == 64 && p.wirelen == f.length);
  shape_close(s);
}

TEST(slice_and_dedup_refuse_what_they_do_not_know) {
  static const char *const slices[] = {"", "tcp", "tcp=", "tcp=13", "tcp=9x", "tcp=999999", "tcp/=9", "tcp/70000=64",
                                       "tcp/9-5=64", "ip/5=64", "port=64", "tcp=handshake", "quic=64", "tcp=64,", ",",
                                       "tls=headers+", "tcp=64,,udp=64"};
  for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) CHECK(refused(slices[i], NULL));
  static const char *const windows[] = {"5", "0ms", "ms", "11s", "9999999p", "5ms,", "5ms,routedx", "-5ms", "5 ms",
                                        "99999999999999999999999ms"};
  for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) CHECK(refused(NULL, windows[i]));
  char many[400] = "tcp=64";
  for (int i = 0; i < 40; i++) strcat(many, ",tcp=64");
  CHECK(refused(many, NULL));
}

static uint32_t put_record(uint8_t *out, uint8_t type, uint32_t bytes) {
  memset(out, 0xa5, 5 + bytes);
  out[0] = type, out[1] = 3, out[2] = 3, out[3] = (uint8_t)(bytes >> 8), out[4] = (uint8_t)bytes;
  if (type == 22) out[5] = 2, out[6] = 0, out[9] = 3, out[10] = 3;
  return 5 + bytes;
}

// A server's side as in TLS 1.3, cut into segments of every size: all of the hello, nothing of the data.
TEST(tls_handshake_is_kept_and_application_data_is_not) {
  static uint8_t stream[9000];
  uint32_t n = put_record(stream, 22, 3000), data_at = n + put_record(stream + n, 20, 1);
  n = data_at + put_record(stream + data_at, 23, 4000);
  n += put_record(stream + n, 23, 500);
  for (uint32_t segment = 200; segment <= 1460; segment += 90) {
    struct shape *s = make("tls=handshake,tcp=54", 0, NULL);
    uint32_t seq = UINT32_MAX - 1000;  // wraps in the middle
    for (uint32_t at = 0; at < n; at += segment) {
      uint32_t bytes = n - at < segment ? n - at : segment;
      int64_t kept = take_tcp(s, 16, seq + at, stream + at, bytes, false) - TCP_HEADERS;
      if (at + bytes <= data_at) CHECK(kept == bytes);
      if (at > data_at && at < data_at + 4005) CHECK(kept == 0);
      if (at <= data_at && at + bytes >= data_at + 5) CHECK(kept == data_at + 5 - at);
    }
    CHECK(take_tcp(s, 16, seq, stream, 200, false) == TCP_HEADERS + 200);  // the hello sent again stays whole
    CHECK(take_tcp(s, 16, 77, "plain", 5, true) == TCP_HEADERS + 5);       // of this direction nothing is known
    shape_close(s);
  }
}

TEST(tls_is_found_again_behind_a_gap_and_not_seen_where_it_is_not) {
  static uint8_t stream[6000];
  struct shape *s = make("tls=handshake", 0, NULL);
  uint32_t hello = put_record(stream, 22, 300), n = hello + put_record(stream + hello, 23, 1000);
  CHECK(take_tcp(s, 16, 0, stream, n, false) == TCP_HEADERS + hello + 5);
  memset(stream + 1500, 0x11, 1000);
  CHECK(take_tcp(s, 16, 90000, stream + 1500, 1000, false) == TCP_HEADERS);  // lost its place: still data
  put_record(stream + 1500, 21, 2);                                        // a record again: an alert
  CHECK(take_tcp(s, 16, 95000, stream + 1500, 7, false) == TCP_HEADERS + 7);
  shape_close(s);
  s = make("tls=handshake", 0, NULL);
  put_record(stream, 23, 5000);  // five bytes alone prove nothing
  CHECK(take_tcp(s, 16, 0, stream, 1000, false) == TCP_HEADERS + 1000);
  shape_close(s);
}

// A header split over two segments is not read beyond the first; what comes after it is found again.
TEST(tls_headers_may_be_split_anywhere) {
  static uint8_t stream[2000];
  uint32_t first = put_record(stream, 22, 100), n = first + put_record(stream + first, 23, 400);
  for (uint32_t cut = first; cut <= first + 5; cut++) {
    struct shape *s = make("tls=handshake", 0, NULL);
    CHECK(take_tcp(s, 16, 0, stream, cut, false) == TCP_HEADERS + cut);
    take_tcp(s, 16, cut, stream + cut, n - cut, false);
    put_record(stream + n, 23, 50);
    CHECK(take_tcp(s, 16, n, stream + n, 55, false) == TCP_HEADERS + 5);
    shape_close(s);
  }
}

TEST(cutoff_keeps_the_first_bytes_of_both_directions_and_the_ends) {
  struct shape *s = make(NULL, 1000, NULL);
  CHECK(take_tcp(s, TCP_HEADERS ? 2 : 0, 1, NULL, 0, false) == TCP_HEADERS);
  CHECK(take_tcp(s, 16, 2, NULL, 600, false) == TCP_HEADERS + 600);
  CHECK(take_tcp(s, 16, 9, NULL, 600, true) == TCP_HEADERS + 400);  // crosses: cut there
  CHECK(take_tcp(s, 16, 9, NULL, 600, false) == -SHAPE_CUTOFF);
  CHECK(take_tcp(s, 16, 9, NULL, 0, true) == -SHAPE_CUTOFF);
  CHECK(take_tcp(s, 17, 9, NULL, 50, true) == TCP_HEADERS);  // FIN stays, its payload does not
  CHECK(take_tcp(s, 4, 9, NULL, 0, false) == TCP_HEADERS);
  CHECK(take_tcp(s, 2, 1, NULL, 0, false) == TCP_HEADERS && take_tcp(s, 16, 2, NULL, 600, false) == TCP_HEADERS + 600);
  struct frame udp = ip_frame(17, 7, 8, 0, 0, NULL, 600, false), arp = {{0}, 60};
  arp.bytes[12] = 8, arp.bytes[13] = 6;
  CHECK(take(s, &udp) == UDP_HEADERS + 600 && take(s, &udp) == UDP_HEADERS + 400 && take(s, &udp) == -SHAPE_CUTOFF);
  clock_ns += 121 * NS_PER_S;  // silent for so long: another flow
  CHECK(take(s, &udp) == UDP_HEADERS + 600);
  for (int i = 0; i < 50; i++) CHECK(take(s, &arp) == 60);
  shape_close(s);
}

TEST(cutoff_does_not_count_padding_and_bounds_its_table) {
  struct shape *s = make(NULL, 10, NULL);
  struct frame f = ip_frame(17, 7, 8, 0, 0, NULL, 5, false);
  f.length = 60;
  CHECK(take(s, &f) == 60 && take(s, &f) == 60 && take(s, &f) == -SHAPE_CUTOFF);
  CHECK(take_tcp(s, 16, 1, NULL, 50, false) == TCP_HEADERS + 10);
  for (uint32_t i = 0; i < 1200000; i++) {  // far more flows than there are entries
    struct frame other = ip_frame(17, (uint16_t)i, 9, 0, 0, NULL, 5, false);
    other.bytes[14 + 13] = (uint8_t)(i >> 16);
    struct packet p = {.data = other.bytes, .caplen = other.length, .wirelen = other.length, .ts_ns = ++clock_ns};
    CHECK(shape_packet(s, &p, &sliced) == SHAPE_KEEP);
    if (i % 1000 == 0) CHECK(take_tcp(s, 16, 1, NULL, 0, false) == -SHAPE_CUTOFF);  // never silent: not forgotten
  }
  CHECK(take(s, &f) == 60);  // forgotten, so kept
  shape_close(s);
}

TEST(dedup_by_time_and_by_count) {
  struct shape *s = make(NULL, 0, "5ms");
  struct frame f = ip_frame(17, 7, 8, 0, 0, "x", 1, false), g = ip_frame(17, 7, 8, 0, 0, "y", 1, false);
  CHECK(take(s, &f) > 0 && take(s, &g) > 0 && take(s, &f) == -SHAPE_DUPLICATE);
  clock_ns += 5 * NS_PER_MS;
  CHECK(take(s, &f) == -SHAPE_DUPLICATE);
  clock_ns += 1000;
  CHECK(take(s, &f) > 0);  // removed ones do not make the window longer
  clock_ns -= 3600 * NS_PER_S;
  CHECK(take(s, &f) > 0 && take(s, &f) == -SHAPE_DUPLICATE);  // the clock stepped back
  shape_close(s);
  s = make(NULL, 0, "3p");
  CHECK(take(s, &f) > 0 && take(s, &f) == -SHAPE_DUPLICATE && take(s, &g) > 0 && take(s, &f) == -SHAPE_DUPLICATE);
  CHECK(take(s, &f) > 0);
  f.length--;
  CHECK(take(s, &f) > 0);
  shape_close(s);
}

TEST(dedup_routed_ignores_what_a_router_changes) {
  struct frame f = ip_frame(17, 7, 8, 0, 0, "same payload", 12, false), g = f;
  g.bytes[0] = 9, g.bytes[14 + 8]--, g.bytes[14 + 10] = 0xab;
  struct shape *s = make(NULL, 0, "5ms");
  CHECK(take(s, &f) > 0 && take(s, &g) > 0);
  shape_close(s);
  s = make(NULL, 0, "5ms,routed");
  CHECK(take(s, &f) > 0 && take(s, &g) == -SHAPE_DUPLICATE);
  g.bytes[14 + 1] = 4;  // DSCP: routers may, but then it is said
  CHECK(take(s, &g) > 0);
  shape_close(s);
}

// All frames of a run differ: nothing may be taken for a duplicate.
TEST(dedup_takes_no_two_frames_for_one) {
  struct shape *s = make(NULL, 0, "1s");
  struct frame f = ip_frame(17, 7, 8, 0, 0, NULL, 40, false);
  for (uint32_t i = 0; i < 1000000; i++) {
    memcpy(f.bytes + UDP_HEADERS + i % 30, &i, 4);
    memcpy(f.bytes + UDP_HEADERS + 34, &i, 4);
    struct packet p = {.data = f.bytes, .caplen = f.length, .wirelen = f.length, .ts_ns = clock_ns};
    CHECK(shape_packet(s, &p, &sliced) == SHAPE_KEEP);
  }
  shape_close(s);
}

TEST(shape_reads_no_frame_past_its_end) {
  static const uint16_t types[] = {0x0800, 0x86DD, 0x8100, 0x88A8, 0x0806};
  struct shape *s = make("tls=handshake,tcp=headers,udp/53=headers+9,any=700", 100000, "1ms,routed");
  uint64_t random = 20260101;
  for (int i = 0; i < 300000; i++) {
    struct frame f;
    for (int j = 0; j < 160; j += 8) {
      random = random * 6364136223846793005ull + 1442695040888963407ull;
      memcpy(f.bytes + j, &random, 8);
    }
    uint16_t type = types[random >> 40 & 3];
    f.bytes[12] = (uint8_t)(type >> 8), f.bytes[13] = (uint8_t)type;
    f.bytes[14] = type == 0x0800 ? (uint8_t)(0x45 + (random >> 50 & 3)) : type == 0x86DD ? 0x60 : f.bytes[14];
    f.bytes[14 + (type == 0x0800 ? 9 : 6)] = (uint8_t[]){6, 17, 0, 44, 51, 60, 43, 58}[random >> 60 & 7];
    if (i % 3 == 0) f.bytes[14 + 20 + 20] = 22, f.bytes[14 + 20 + 21] = 3;
    f.length = (uint32_t)(random >> 20) % 160;
    not_captured = i % 2 ? 0 : (uint32_t)(random >> 30) % 2000;
    take(s, &f);
  }
  uint8_t hello[400];
  put_record(hello, 22, 395);
  struct frame f = ip_frame(6, 1, 2, 16, 5, hello, 400, false);
  for (uint32_t words = 5; words < 16; words++) {
    f.bytes[14 + 20 + 12] = (uint8_t)(words << 4);
    uint32_t whole = f.length;
    for (uint32_t n = whole; n > 0; n--) {  // every prefix of it
      f.length = n;
      not_captured = whole - n;
      take(s, &f);
    }
    f.length = whole;
  }
  not_captured = 0;
  shape_close(s);
}
