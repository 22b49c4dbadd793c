// Live capture: DPDK, loaded when it is asked for and not before.
//
// DPDK and its drivers are some fifty shared objects. Linked into ringtapd they would be loaded at every
// start (tens of milliseconds) and have to be installed everywhere. So the source itself is a plugin
// (dpdk/plugin.c), built beside ringtapd when libdpdk is there, and this file is its loader.
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "source.h"

#define PLUGIN "ringtap-dpdk.so"
#define HOW_TO_GET_IT "apt-get install libdpdk-dev, then build again"

// Beside the executable, never from a search path: it runs with our rights.
static int plugin_path(char path[PATH_MAX]) {
  ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof PLUGIN);
  if (n <= 0) return -errno;
  path[n] = 0;
  char *slash = strrchr(path, '/');
  if (!slash) return -ENOENT;
  strcpy(slash + 1, PLUGIN);
  return 0;
}

static int dpdk_open(struct source *s, const struct options *o, struct failure *f) {
  char path[PATH_MAX];
  if (plugin_path(path) || access(path, R_OK))
    return fail(f, ENOENT, "--ring=dpdk: this ringtapd was built without DPDK; %s", HOW_TO_GET_IT);
  void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!plugin) return fail(f, ELIBACC, "--ring=dpdk: %.300s; %s", dlerror(), HOW_TO_GET_IT);
  const struct source_ops *ops = dlsym(plugin, "source_dpdk_plugin");
  if (!ops) return fail(f, ELIBBAD, "--ring=dpdk: %s is not of this ringtapd; build again", path);
  s->ops = ops;  // from here on we are out of the way; the plugin stays loaded to the end
  return ops->open(s, o, f);
}

const struct source_ops source_dpdk = {.name = "dpdk", .open = dpdk_open};
