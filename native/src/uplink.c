// The uplink thread, see uplink.h.
//
//   WAITING --due--> CONNECTING --upgrade--> GREETING --Welcome--> READY
//      ^                 |                      |                    |
//      +--- back-off ----+----------------------+--- closed, bad ----+
#include "uplink.h"

#include <errno.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "batch_queue.h"
#include "clock.h"
#include "gateway.h"

#define TICK_US 20000
#define BACK_OFF_MIN_NS (250 * NS_PER_MS)
#define BACK_OFF_MAX_NS (10 * NS_PER_S)
#define REFUSED_BACK_OFF_NS (30 * NS_PER_S)  // wrong token or version: somebody has to mend it first
#define CLOSE_PATIENCE_NS (300 * NS_PER_MS)
#define STUCK_PATIENCE_NS (100 * NS_PER_MS)  // beyond the above, for a thread that answers to nothing: a slow resolver
#define REPLY_BYTES_MAX 65536u  // gateway frames are tiny

enum state { WAITING, CONNECTING, GREETING, READY };
enum phase { RUNNING, DRAINING, CLOSING };

struct uplink {
  struct hello hello;
  struct tap *tap;
  struct batch_queue queue;
  struct gateway gateway;

  pthread_t thread;
  struct lws_context *context;
  struct lws *wsi;
  lws_sorted_usec_list_t tick;
  enum state state;
  bool hello_sent;
  uint32_t probe, credit;
  uint64_t connect_at_ns, back_off_ns;
  char said[320];  // last trouble told, so that it is told once
  size_t reply_bytes;
  uint8_t reply[REPLY_BYTES_MAX];
  uint8_t send[LWS_PRE + RT_FRAME_BYTES_MAX];

  _Atomic int phase;
  uint64_t drain_until_ns;  // written before phase becomes DRAINING or CLOSING
  bool drained, ended;  // ended: libwebsockets gave up for good
  bool tried;           // to connect, at least once
  sem_t drained_event;
  pthread_mutex_t ledger_lock;
  bool ledger_pending;
  struct ledger ledger;
};

// --- trouble ---
// Told once, never an alarm of the ledger: nothing is lost by it, and it would reach the gateway too late.

static void trouble(struct uplink *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void trouble(struct uplink *u, const char *fmt, ...) {
  char line[sizeof u->said];
  va_list args;
  va_start(args, fmt);
  vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  if (!strcmp(line, u->said)) return;
  strcpy(u->said, line);
  log_line("gateway %s: %s", u->gateway.authority, line);
}

static void retry_later(struct uplink *u, uint64_t at_least_ns) {
  uint64_t wait_ns = u->back_off_ns > at_least_ns ? u->back_off_ns : at_least_ns;
  uint32_t jitter;
  if (getrandom(&jitter, sizeof jitter, 0) != sizeof jitter) jitter = 0;
  wait_ns += wait_ns / 4 * (jitter % 1000) / 1000;
  uint64_t at_ns = clock_monotonic_ns() + wait_ns;
  if (at_ns > u->connect_at_ns) u->connect_at_ns = at_ns;
  u->back_off_ns = u->back_off_ns * 2 < BACK_OFF_MAX_NS ? u->back_off_ns * 2 : BACK_OFF_MAX_NS;
}

static void disconnected(struct uplink *u) {
  u->wsi = NULL;
  u->state = WAITING;
  u->hello_sent = false;
  u->reply_bytes = 0;
  queue_rewind(&u->queue);
  retry_later(u, 0);
}

// --- replies ---

static bool welcome(struct uplink *u, const struct reply *r) {
  if (!queue_acknowledge(&u->queue, r->seq)) {
    trouble(u, "says it has batch %llu, which was never sent; reconnecting", (unsigned long long)r->seq);
    return false;
  }
  if (u->said[0]) log_line("gateway %s: connected", u->gateway.authority);
  u->said[0] = 0;
  u->probe = r->probe;
  u->credit = r->credit_batches;
  u->state = READY;
  u->back_off_ns = BACK_OFF_MIN_NS;
  return true;
}

// False: close the connection.
static bool handle_reply(struct uplink *u) {
  struct reply r;
  if (!envelope_parse(u->reply, u->reply_bytes, &r)) {
    trouble(u, "sent a frame that is no Ringtap protobuf; reconnecting");
    return false;
  }
  switch (r.kind) {
    case REPLY_WELCOME:
      return welcome(u, &r);
    case REPLY_ACK:
      if (u->state == READY && queue_acknowledge(&u->queue, r.seq)) return true;
      trouble(u, "acknowledged batch %llu, which was never sent; reconnecting", (unsigned long long)r.seq);
      return false;
    case REPLY_REFUSAL:
      trouble(u, "refused (%u): %s", r.code, r.message);
      if (r.code == RT_CLOSE_VERSION || r.code == RT_CLOSE_UNAUTHORIZED) retry_later(u, REFUSED_BACK_OFF_NS);
      return false;
    case REPLY_OTHER:
      return true;  // a newer gateway may say more than we know
  }
  return true;
}

static int receive(struct uplink *u, struct lws *wsi, const void *data, size_t bytes) {
  if (bytes > sizeof u->reply - u->reply_bytes) {
    trouble(u, "sent a frame over %u bytes; reconnecting", REPLY_BYTES_MAX);
    return -1;
  }
  memcpy(u->reply + u->reply_bytes, data, bytes);
  u->reply_bytes += bytes;
  if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi)) return 0;
  bool fine = handle_reply(u);
  u->reply_bytes = 0;
  if (fine && u->state == READY) lws_callback_on_writable(wsi);
  return fine ? 0 : -1;
}

// --- sending ---

static int send_bytes(struct uplink *u, size_t bytes) {
  if (bytes == 0) return 0;
  int n = lws_write(u->wsi, u->send + LWS_PRE, bytes, LWS_WRITE_BINARY);
  return n < 0 ? -1 : 1;
}

static size_t take_ledger(struct uplink *u, uint8_t *out) {
  size_t n = 0;
  pthread_mutex_lock(&u->ledger_lock);
  if (u->ledger_pending) n = envelope_ledger(out, RT_FRAME_BYTES_MAX, u->probe, &u->ledger);
  u->ledger_pending = false;
  pthread_mutex_unlock(&u->ledger_lock);
  return n;
}

// One frame: 1 sent, 0 nothing to send, -1 broken. libwebsockets masks in place, so batches are
// copied into `send` and stay whole for sending again.
static int send_one(struct uplink *u) {
  uint8_t *out = u->send + LWS_PRE;
  if (!u->hello_sent) {
    u->hello_sent = true;
    return send_bytes(u, envelope_hello(out, RT_FRAME_BYTES_MAX, &u->hello));
  }
  if (u->state != READY) return 0;
  size_t n = take_ledger(u, out);
  if (n) return send_bytes(u, n);
  const struct batch *b = queue_next(&u->queue, u->credit);
  if (!b) return 0;
  int rc = send_bytes(u, envelope_batch(out, RT_FRAME_BYTES_MAX, u->probe, b));
  if (rc > 0) queue_mark_sent(&u->queue);
  return rc;
}

static int writable(struct uplink *u) {
  int rc = send_one(u);
  if (rc == 0 && u->state == READY && atomic_load(&u->phase) == CLOSING) {
    lws_close_reason(u->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
    return -1;  // everything said: libwebsockets sends the close frame
  }
  if (rc > 0) lws_callback_on_writable(u->wsi);
  return rc < 0 ? -1 : 0;
}

// --- connecting ---

static void connect_now(struct uplink *u) {
  static const uint32_t never[] = {1000};
  static const lws_retry_bo_t idle = {
      .retry_ms_table = never, .retry_ms_table_count = 1, .secs_since_valid_ping = 5, .secs_since_valid_hangup = 12};
  struct lws_client_connect_info info = {.context = u->context,
                                         .address = u->gateway.host,
                                         .host = u->gateway.authority,
                                         .origin = NULL,  // no browser: RFC 6455 10.2 leaves it out, and a gateway compares it with Host
                                         .port = u->gateway.port,
                                         .path = u->gateway.path,
                                         .protocol = NULL,
                                         .local_protocol_name = "ringtap",
                                         .ssl_connection = u->gateway.tls ? LCCSCF_USE_SSL : 0,
                                         .retry_and_idle_policy = &idle,
                                         .pwsi = &u->wsi};
  u->state = CONNECTING;
  u->tried = true;
  if (!lws_client_connect_via_info(&info) && u->state == CONNECTING) {
    trouble(u, "cannot be connected to; retrying");
    disconnected(u);
  }
}

static void connection_error(struct uplink *u, const char *why, size_t bytes) {
  char text[160];
  snprintf(text, sizeof text, "%.*s", why ? (int)bytes : 7, why ? why : "no answer");
  bool refused = strstr(text, "401") || strstr(text, "403") || strstr(text, "unauthorized");
  if (refused)
    trouble(u, "token not accepted (%s); check --token-file", text);
  else
    trouble(u, "not reachable (%s); recording goes on, retrying", text);
  disconnected(u);
  if (refused) retry_later(u, REFUSED_BACK_OFF_NS);
}

static void peer_closes(struct uplink *u, const uint8_t *in, size_t bytes) {
  unsigned code = bytes >= 2 ? (unsigned)in[0] << 8 | in[1] : 0;
  if (u->said[0]) return;  // a Refusal came first and said more
  trouble(u, "closed the connection (%u)%s%.*s; retrying", code, bytes > 2 ? ": " : "", bytes > 2 ? (int)bytes - 2 : 0,
          (const char *)in + 2);
  if (code == RT_CLOSE_VERSION || code == RT_CLOSE_UNAUTHORIZED) retry_later(u, REFUSED_BACK_OFF_NS);
}

// --- the loop ---

static bool may_still_send(const struct uplink *u) {
  if (u->ended || (u->state == WAITING && u->tried) || clock_monotonic_ns() > u->drain_until_ns) return false;
  return u->state != READY || u->queue.count;
}

static void drain_if_done(struct uplink *u) {
  if (u->drained || may_still_send(u)) return;
  queue_discard(&u->queue);
  u->drained = true;
  sem_post(&u->drained_event);
}

static void pump(struct uplink *u) {
  queue_collect(&u->queue);
  // A run may be over before this thread's first turn: what it has to say is still worth one attempt.
  bool may_connect = atomic_load(&u->phase) == RUNNING || !u->tried;
  if (u->state == WAITING && may_connect && clock_monotonic_ns() >= u->connect_at_ns) connect_now(u);
  if (u->wsi && u->state == READY) lws_callback_on_writable(u->wsi);
  if (atomic_load(&u->phase) == DRAINING) drain_if_done(u);
}

static void on_tick(lws_sorted_usec_list_t *sul) {
  struct uplink *u = lws_container_of(sul, struct uplink, tick);
  pump(u);
  lws_sul_schedule(u->context, 0, &u->tick, on_tick, TICK_US);
}

static int add_authorization(struct uplink *u, struct lws *wsi, void *in, size_t bytes) {
  if (!u->gateway.authorization[0]) return 0;
  unsigned char **p = in, *end = *p + bytes;
  return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, (unsigned char *)u->gateway.authorization,
                                      (int)strlen(u->gateway.authorization), p, end)
             ? -1
             : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t bytes) {
  (void)user;
  struct uplink *u = lws_context_user(lws_get_context(wsi));
  switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
      return add_authorization(u, wsi, in, bytes);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
      u->wsi = wsi;
      u->state = GREETING;
      lws_callback_on_writable(wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      return wsi == u->wsi ? writable(u) : 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
      return wsi == u->wsi ? receive(u, wsi, in, bytes) : 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
      peer_closes(u, in, bytes);
      return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      connection_error(u, in, bytes);
      return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
      if (!u->said[0] && atomic_load(&u->phase) == RUNNING) trouble(u, "connection lost; recording goes on, retrying");
      disconnected(u);
      return 0;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
      pump(u);
      return 0;
    default:
      return 0;
  }
}

static bool closed(const struct uplink *u) {
  if (atomic_load(&u->phase) != CLOSING) return false;
  return u->state != READY || clock_monotonic_ns() > u->drain_until_ns;
}

// The uplink cannot go on. The tap does, so its batches are shed, and the end of the run is not held up.
static void idle(struct uplink *u) {
  trouble(u, "libwebsockets ended; recording goes on without the uplink, start ringtapd anew for it");
  while (atomic_load(&u->phase) != CLOSING) {
    queue_discard(&u->queue);
    if (atomic_load(&u->phase) == DRAINING) drain_if_done(u);
    clock_sleep_ns(TICK_US * 1000);
  }
}

static void *uplink_main(void *arg) {
  struct uplink *u = arg;
  pthread_setname_np(pthread_self(), "rt-uplink");
  lws_sul_schedule(u->context, 0, &u->tick, on_tick, 1);
  while (!closed(u) && !u->ended) u->ended = lws_service(u->context, 0) < 0;
  lws_sul_schedule(u->context, 0, &u->tick, NULL, LWS_SET_TIMER_USEC_CANCEL);
  if (u->ended) idle(u);
  return NULL;
}

// --- start and end ---

static void wake(void *arg) { lws_cancel_service(((struct uplink *)arg)->context); }

static const struct lws_protocols protocols[] = {{"ringtap", on_event, 0, 16384, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};

static int create_context(struct uplink *u, struct failure *f) {
  lws_set_log_level(0, NULL);
  struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
                                           .protocols = protocols,
                                           .user = u,
                                           .timeout_secs = 5,
                                           .gid = (gid_t)-1,
                                           .uid = (uid_t)-1,
                                           .options = u->gateway.tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0};
  u->context = lws_create_context(&info);
  return u->context ? 0 : fail(f, ENOMEM, "--gateway: libwebsockets could not start");
}

int uplink_open(struct uplink **out, struct tap *tap, const char *url, const char *token_file, const struct hello *hello,
                struct failure *f) {
  struct uplink *u = calloc(1, sizeof *u);
  if (!u) return fail(f, ENOMEM, "--gateway: no memory");
  u->tap = u->queue.tap = tap;
  u->hello = *hello;
  u->back_off_ns = BACK_OFF_MIN_NS;
  sem_init(&u->drained_event, 0, 0);
  pthread_mutex_init(&u->ledger_lock, NULL);
  int rc = gateway_parse(&u->gateway, url, token_file, f);
  if (!rc) rc = create_context(u, f);
  if (rc) {
    free(u);
    return rc;
  }
  tap->wake = wake;
  tap->wake_arg = u;
  *out = u;
  return 0;
}

int uplink_start(struct uplink *u) { return -pthread_create(&u->thread, NULL, uplink_main, u); }

void uplink_ledger(struct uplink *u, const struct ledger *l) {
  pthread_mutex_lock(&u->ledger_lock);
  u->ledger = *l;
  u->ledger_pending = true;
  pthread_mutex_unlock(&u->ledger_lock);
  wake(u);
}

static struct timespec deadline(uint64_t patience_ns) {
  uint64_t at_ns = clock_monotonic_ns() + patience_ns;
  return (struct timespec){.tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};
}

bool uplink_drain(struct uplink *u, uint64_t patience_ns) {
  u->drain_until_ns = clock_monotonic_ns() + patience_ns;
  atomic_store(&u->phase, DRAINING);
  wake(u);
  struct timespec at = deadline(patience_ns + STUCK_PATIENCE_NS);
  int rc;
  do rc = sem_clockwait(&u->drained_event, CLOCK_MONOTONIC, &at);
  while (rc && errno == EINTR);
  return rc == 0;
}

bool uplink_close(struct uplink *u) {
  u->drain_until_ns = clock_monotonic_ns() + CLOSE_PATIENCE_NS;
  atomic_store(&u->phase, CLOSING);
  wake(u);
  struct timespec at = deadline(CLOSE_PATIENCE_NS + STUCK_PATIENCE_NS);
  if (pthread_clockjoin_np(u->thread, NULL, CLOCK_MONOTONIC, &at)) return false;
  lws_context_destroy(u->context);
  sem_destroy(&u->drained_event);
  pthread_mutex_destroy(&u->ledger_lock);
  free(u);
  return true;
}
