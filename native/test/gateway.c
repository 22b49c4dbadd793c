// Where a URL leads: path, port, brackets.
#include "gateway.h"

#include "unit.h"

TEST(gateway_url_gives_host_port_path_and_authority) {
  static const struct {
    const char *url, *host, *authority, *path;
    int port;
    bool tls;
  } good[] = {
      {"ws://127.0.0.1:9000", "127.0.0.1", "127.0.0.1:9000", "/ws/ingest", 9000, false},
      {"ws://127.0.0.1:9000/", "127.0.0.1", "127.0.0.1:9000", "/ws/ingest", 9000, false},
      {"ws://probe.example/ws/ingest", "probe.example", "probe.example:80", "/ws/ingest", 80, false},
      {"wss://probe.example/a/b", "probe.example", "probe.example:443", "/a/b", 443, true},
      {"ws://[::1]:8080", "::1", "[::1]:8080", "/ws/ingest", 8080, false},
      {"ws://[fe80::2]:1/x", "fe80::2", "[fe80::2]:1", "/x", 1, false},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct gateway g = {0};
    struct failure f;
    CHECK(gateway_parse(&g, good[i].url, NULL, &f) == 0);
    CHECK(!strcmp(g.host, good[i].host) && !strcmp(g.authority, good[i].authority));
    CHECK(!strcmp(g.path, good[i].path) && g.port == good[i].port && g.tls == good[i].tls);
    if (strcmp(g.path, good[i].path)) fprintf(stderr, "  %s -> %s\n", good[i].url, g.path);
  }
}

TEST(gateway_url_refused) {
  static const char *const bad[] = {"http://x", "ws://", "nonsense", "", "ws://host:99999999", "ws://host:0"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct gateway g = {0};
    struct failure f;
    CHECK(gateway_parse(&g, bad[i], NULL, &f) < 0 && f.err == 0 && strstr(f.text, "/ws/ingest"));
    if (gateway_parse(&g, bad[i], NULL, &f) == 0) fprintf(stderr, "  %s accepted\n", bad[i]);
  }
}
