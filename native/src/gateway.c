// Where the gateway is, see gateway.h.
#include "gateway.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

#include "constants.h"

static int parse_url(struct gateway *g, const char *url, struct failure *f) {
  char copy[1024];
  const char *scheme, *host, *path;
  if (strlen(url) >= sizeof copy) return fail(f, 0, "--gateway: URL too long");
  strcpy(copy, url);
  if ((strncmp(url, "ws://", 5) && strncmp(url, "wss://", 6)) || lws_parse_uri(copy, &scheme, &host, &g->port, &path) ||
      !*host || g->port <= 0 || g->port > 65535)
    return fail(f, 0, "--gateway: \"%.200s\" is no ws:// or wss:// URL, such as ws://127.0.0.1:%u/ws/ingest", url,
                RT_GATEWAY_PORT_DEFAULT);
  g->tls = url[2] == 's';
  snprintf(g->host, sizeof g->host, "%s", host);
  bool v6 = strchr(host, ':');  // libwebsockets took the brackets off, RFC 3986 3.2.2 wants them
  snprintf(g->authority, sizeof g->authority, "%s%s%s:%d", v6 ? "[" : "", g->host, v6 ? "]" : "", g->port);
  while (*path == '/') path++;
  snprintf(g->path, sizeof g->path, "/%s", *path ? path : "ws/ingest");
  return 0;
}

static int read_token(struct gateway *g, const char *path, struct failure *f) {
  if (!path) return 0;
  char token[1025] = "";
  FILE *file = fopen(path, "re");
  if (!file) return fail(f, errno, "--token-file: %s: %s; check the path and its permissions", path, strerror(errno));
  size_t n = fread(token, 1, sizeof token - 1, file);
  fclose(file);
  n = strcspn(token, "\r\n");
  token[n] = 0;
  for (size_t i = 0; i < n; i++)
    if (token[i] <= ' ' || token[i] > '~') n = 0;
  if (n == 0 || n > 1000) return fail(f, 0, "--token-file: %s: no token in its first line", path);
  snprintf(g->authorization, sizeof g->authorization, "Bearer %s", token);
  return 0;
}

int gateway_parse(struct gateway *g, const char *url, const char *token_file, struct failure *f) {
  int rc = parse_url(g, url, f);
  return rc ? rc : read_token(g, token_file, f);
}
