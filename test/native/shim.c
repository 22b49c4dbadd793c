// Preloaded into ringtapd by tests: a resolver that answers late (SHIM_RESOLVER_S) and a libwebsockets
// that gives up (SHIM_SERVICE_CALLS: after so many calls lws_service fails for good).
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

struct lws_context;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  (void)node, (void)service, (void)hints, (void)result;
  const char *seconds = getenv("SHIM_RESOLVER_S");
  if (seconds) sleep((unsigned)atoi(seconds));
  return EAI_AGAIN;
}

int lws_service(struct lws_context *context, int timeout_ms) {
  static int calls;
  const char *limit = getenv("SHIM_SERVICE_CALLS");
  if (limit && ++calls > atoi(limit)) return -1;
  return ((int (*)(struct lws_context *, int))dlsym(RTLD_NEXT, "lws_service"))(context, timeout_ms);
}
