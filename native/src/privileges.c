// What the process may do, see privileges.h.
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

void privileges_prepare(void) {
  const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  if (geteuid() == 0 && setrlimit(RLIMIT_MEMLOCK, &all)) log_verbose("locked memory stays limited: %s", strerror(errno));
}

// Raw calls: this is all of libcap that is needed. Keeps those of `keep` that there are.
static int reduce_capabilities(uint64_t keep) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  if (syscall(SYS_capget, &header, data)) return -errno;
  for (int i = 0; i < 2; i++) {
    data[i].effective = data[i].permitted &= (uint32_t)(keep >> (32 * i));
    data[i].inheritable = 0;
  }
  return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static int become(const struct passwd *pw, uint64_t keep) {
  if (prctl(PR_SET_KEEPCAPS, 1)) return -errno;
  if (initgroups(pw->pw_name, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid)) return -errno;
  int rc = reduce_capabilities(keep);
  if (rc) return rc;
  // Nothing may lead back.
  if (pw->pw_uid && (setuid(0) == 0 || getuid() != pw->pw_uid || geteuid() != pw->pw_uid)) return -EPERM;
  return 0;
}

int privileges_drop(const char *user, bool keep_network, struct failure *f) {
  const uint64_t memory = 1ull << CAP_IPC_LOCK;
  const uint64_t network = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_BPF;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) log_verbose("no_new_privs: %s", strerror(errno));
  if (!user) return 0;
  errno = 0;
  const struct passwd *pw = getpwnam(user);
  if (!pw) return fail(f, 0, "--user: there is no user %s; create it or name another", user);
  if (geteuid() == pw->pw_uid) return 0;
  if (geteuid() != 0) return fail(f, EPERM, "--user: only root can become %s; start it as root or drop --user", user);
  int parent_signal = 0;
  prctl(PR_GET_PDEATHSIG, &parent_signal);
  int rc = become(pw, memory | (keep_network ? network : 0));
  if (rc) return fail(f, -rc, "--user: cannot become %s: %s; check the limits of this container", user, strerror(-rc));
  prctl(PR_SET_PDEATHSIG, parent_signal);  // forgotten by the kernel with the change of user
  log_verbose("going on as user %s", user);
  return 0;
}
