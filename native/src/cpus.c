// Where threads run, see cpus.h.
#include "cpus.h"

#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static int add(struct cpus *c, unsigned long cpu, const cpu_set_t *allowed, struct failure *f) {
  if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, allowed))
    return fail(f, 0, "--cpus: CPU %lu is not there or not ours; taskset -cp $$ shows which are", cpu);
  if (c->count == CPUS_MAX) return fail(f, 0, "--cpus: more than %d CPUs; name fewer", CPUS_MAX);
  c->cpu[c->count++] = (unsigned short)cpu;
  return 0;
}

int cpus_parse(struct cpus *c, const char *list, unsigned workers, struct failure *f) {
  *c = (struct cpus){.workers = workers};
  if (!list) return 0;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  for (const char *at = list;; at++) {
    char *end;
    if (!isdigit((unsigned char)*at)) return fail(f, 0, "--cpus: \"%s\" is no list such as 1 or 2,4-6", list);
    unsigned long first = strtoul(at, &end, 10), last = first;
    if (*end == '-' && isdigit((unsigned char)end[1])) last = strtoul(end + 1, &end, 10);
    if (last < first || (*end && *end != ',')) return fail(f, 0, "--cpus: \"%s\" is no list such as 1 or 2,4-6", list);
    for (unsigned long cpu = first; cpu <= last; cpu++) {
      int rc = add(c, cpu, &allowed, f);
      if (rc) return rc;
    }
    at = end;
    if (!*at) return 0;
  }
}

static void pin(pthread_t thread, const cpu_set_t *set) {
  int err = pthread_setaffinity_np(thread, sizeof *set, set);
  if (err) log_line("--cpus: a thread cannot be moved: %s; it runs where it is", strerror(err));
}

static void pin_one(const struct cpus *c, pthread_t thread, unsigned at) {
  if (!c->count) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(c->cpu[at % c->count], &set);
  pin(thread, &set);
}

void cpus_enter_others(const struct cpus *c) {
  if (!c->count) return;
  unsigned taken = c->workers + 1, from = c->count > taken ? taken : 0;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (unsigned i = from; i < c->count; i++) CPU_SET(c->cpu[i], &set);
  pin(pthread_self(), &set);
}

void cpus_pin_worker(const struct cpus *c, pthread_t thread, unsigned number) { pin_one(c, thread, number); }
void cpus_enter_writer(const struct cpus *c) { pin_one(c, pthread_self(), c->workers); }
