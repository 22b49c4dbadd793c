// The rules of --slice, see shape_rules.h.
#include "shape_rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { RULE_BYTES_MAX = 64, BYTES_LEAST = 14 };

static int bad(struct failure *f, const char *rule, const char *why) {
  return fail(f, 0, "--slice: \"%s\": %s; write MATCH=KEEP such as tls=handshake, tcp=96, udp/53=full", rule, why);
}

// A whole number up to `most`; moves *text behind it.
static bool number(const char **text, uint32_t most, uint32_t *out) {
  if (!isdigit((unsigned char)**text)) return false;
  uint64_t n = 0;
  for (; isdigit((unsigned char)**text); ++*text) {
    n = n * 10 + (uint64_t)(**text - '0');
    if (n > most) return false;
  }
  *out = (uint32_t)n;
  return true;
}

static bool parse_ports(struct slice_rule *r, const char *text) {
  uint32_t first, last;
  if (!number(&text, 65535, &first)) return false;
  last = first;
  if (*text == '-' && (text++, !number(&text, 65535, &last))) return false;
  r->ports = true;
  r->port_first = (uint16_t)first;
  r->port_last = (uint16_t)last;
  return !*text && first <= last;
}

static bool parse_match(struct slice_rule *r, char *text) {
  static const char *const names[] = {"any", "ip", "ip6", "arp", "icmp", "tls", "tcp", "udp", "sctp", "port"};
  char *ports = text + strcspn(text, "/ ");
  if (*ports) *ports++ = 0;
  else ports = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(text, names[i])) continue;
    r->match = i;
    if (r->match < MATCH_TCP) return !ports;
    return ports ? parse_ports(r, ports) : r->match != MATCH_PORT;
  }
  return false;
}

static bool parse_keep(struct slice_rule *r, const char *text) {
  const char *more = text + strlen("headers+");
  r->keep = !strcmp(text, "full") ? KEEP_FULL : !strcmp(text, "handshake") ? KEEP_HANDSHAKE : KEEP_HEADERS;
  if (r->keep != KEEP_HEADERS) return r->keep == KEEP_FULL || r->match == MATCH_TLS;
  if (!strcmp(text, "headers")) return true;
  if (!strncmp(text, "headers+", 8)) return number(&more, 262144, &r->bytes) && !*more;
  r->keep = KEEP_BYTES;
  return number(&text, 262144, &r->bytes) && !*text && r->bytes >= BYTES_LEAST;
}

static int parse_rule(struct slice_rule *r, const char *text, size_t bytes, struct failure *f) {
  char rule[RULE_BYTES_MAX], copy[RULE_BYTES_MAX];
  if (bytes >= sizeof rule) return fail(f, 0, "--slice: a rule is longer than %d bytes; shorten it", RULE_BYTES_MAX - 1);
  memcpy(rule, text, bytes);
  rule[bytes] = 0;
  strcpy(copy, rule);
  char *equals = strchr(copy, '=');
  if (!equals) return bad(f, rule, "no '='");
  *equals++ = 0;
  if (!parse_match(r, copy)) return bad(f, rule, "matches any, ip, ip6, arp, icmp, tls, tcp, udp, sctp or port, with /N or /N-M");
  if (!parse_keep(r, equals)) return bad(f, rule, "keeps full, headers, headers+N, 14 bytes or more, or of tls handshake");
  return 0;
}

int slice_parse(struct slice_rules *rules, const char *text, struct failure *f) {
  memset(rules, 0, sizeof *rules);
  for (;;) {
    size_t bytes = strcspn(text, ",");
    if (rules->count == RULES_MAX) return fail(f, 0, "--slice: more than %d rules; drop some", RULES_MAX);
    struct slice_rule *r = &rules->rule[rules->count++];
    int rc = parse_rule(r, text, bytes, f);
    if (rc) return rc;
    rules->tls |= r->match == MATCH_TLS;
    rules->headers |= r->match != MATCH_ANY || r->keep == KEEP_HEADERS;
    if (!text[bytes]) return 0;
    text += bytes + 1;
  }
}

static bool has_port(const struct slice_rule *r, const struct headers *h) {
  if (!r->ports) return true;
  if (!h->transport) return false;
  for (int i = 0; i < 2; i++)
    if (h->port[i] >= r->port_first && h->port[i] <= r->port_last) return true;
  return false;
}

static bool matches(const struct slice_rule *r, const struct headers *h, bool tls_known) {
  switch (r->match) {
    case MATCH_ANY: return true;
    case MATCH_IP: return h->ip_version == 4;
    case MATCH_IP6: return h->ip_version == 6;
    case MATCH_ARP: return h->ethertype == 0x0806;
    case MATCH_ICMP: return h->ip_version && (h->protocol == IP_ICMP || h->protocol == IP_ICMPV6);
    case MATCH_TLS: return tls_known;
    case MATCH_TCP: return h->ip_version && h->protocol == IP_TCP && has_port(r, h);
    case MATCH_UDP: return h->ip_version && h->protocol == IP_UDP && has_port(r, h);
    case MATCH_SCTP: return h->ip_version && h->protocol == IP_SCTP && has_port(r, h);
    case MATCH_PORT: return has_port(r, h);
  }
  return false;
}

static uint32_t at_most(uint64_t bytes, uint32_t caplen) { return bytes < caplen ? (uint32_t)bytes : caplen; }

uint32_t slice_keep(const struct slice_rules *rules, const struct packet *p, const struct headers *h, bool tls_known,
                    uint32_t tls_keep) {
  for (int i = 0; i < rules->count; i++) {
    const struct slice_rule *r = &rules->rule[i];
    if (!matches(r, h, tls_known)) continue;
    uint32_t tag = packet_tagged(p) && r->bytes >= ETHER_ADDRESSES_BYTES + VLAN_TAG_BYTES ? VLAN_TAG_BYTES : 0;
    if (r->keep == KEEP_BYTES) return at_most(r->bytes - tag, p->caplen);
    if (r->keep == KEEP_HEADERS && h->payload_at) return at_most((uint64_t)h->payload_at + r->bytes, p->caplen);
    if (r->keep == KEEP_HANDSHAKE) return at_most((uint64_t)h->payload_at + tls_keep, p->caplen);
    return p->caplen;
  }
  return p->caplen;
}
