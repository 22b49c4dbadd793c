// Where the gateway is and what lets us in: --gateway and --token-file. Start-up only.
#ifndef RINGTAP_GATEWAY_H
#define RINGTAP_GATEWAY_H
#include <stdbool.h>

#include "log.h"

struct gateway {
  char host[256], path[1024];
  char authority[272];       // host:port as in a URL and in the Host header; IPv6 in brackets
  char authorization[1100];  // "Bearer TOKEN", empty without a token
  int port;
  bool tls;
};

// `url` is ws:// or wss://; the path is /ws/ingest when it has none. `token_file` may be NULL.
int gateway_parse(struct gateway *g, const char *url, const char *token_file, struct failure *f);
#endif
