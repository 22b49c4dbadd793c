// The system calls a running probe needs, see confine.h.
#include "confine.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

// By name: numbers differ between machines, and what a machine does not have is skipped.
static const char *const allowed[] = {
    // files
    "read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "close_range", "open", "openat", "openat2", "fstat",
    "stat", "lstat", "newfstatat", "fstatat64", "statx", "access", "faccessat", "faccessat2", "fcntl", "fcntl64", "flock",
    "fsync", "fdatasync", "ftruncate", "fallocate", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rename",
    "renameat", "renameat2", "getdents", "getdents64", "statfs", "fstatfs", "readlink", "readlinkat", "getcwd", "umask", "dup", "dup2", "dup3",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    // waiting
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "eventfd2", "pipe", "pipe2", "timerfd_create", "timerfd_settime", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "gettimeofday", "time", "times",
    // network: the ring, the interface's state, the uplink and its name resolution
    "socket", "socketpair", "connect", "bind", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendto",
    "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "ioctl", "bpf",
    // memory
    "mmap", "munmap", "mprotect", "mremap", "madvise", "mlock", "mlock2", "munlock", "brk", "mincore", "get_mempolicy", "mbind",
    // threads and signals
    "set_robust_list", "rseq", "futex", "futex_waitv", "exit", "exit_group", "membarrier", "sched_yield",
    "sched_getaffinity", "sched_setaffinity", "sched_setscheduler", "sched_getscheduler", "sched_getparam", "sched_setparam",
    "getcpu", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending", "sigaltstack", "tgkill",
    "restart_syscall", "prctl", "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrlimit",
    "prlimit64", "getpriority", "setpriority", "getrusage", "sysinfo", "uname", "getrandom", "arch_prctl",
};

enum { CALLS_MAX = 600 };
static const char *names[CALLS_MAX];  // looked up before: a signal handler may not
static atomic_bool told[CALLS_MAX];

static void say(const char *name, int number) {
  char line[200];
  int n = snprintf(line, sizeof line,
                   "ringtapd: seccomp: the system call %s (%d) is not in the profile and was refused; "
                   "report it, and use --seccomp=off until then\n", name ? name : "unknown", number);
  if (write(STDERR_FILENO, line, (size_t)n) < 0) return;
}

static void refused(int signal, siginfo_t *info, void *context) {
  (void)signal;
  int number = info->si_syscall;
  bool known = number >= 0 && number < CALLS_MAX;
  if (!known || !atomic_exchange(&told[number], true)) say(known ? names[number] : NULL, number);
  mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
#if defined(__x86_64__)
  m->gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
  m->regs[0] = (unsigned long long)-EPERM;
#else
  (void)m;
  _exit(1);
#endif
}

static void prepare(void) {
  for (int i = 0; i < CALLS_MAX; i++) names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
  struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGSYS, &action, NULL);
}

static int load(uint32_t otherwise) {
  scmp_filter_ctx filter = seccomp_init(otherwise);
  if (!filter) return -ENOMEM;
  int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  for (size_t i = 0; !rc && i < sizeof allowed / sizeof *allowed; i++) {
    int number = seccomp_syscall_resolve_name(allowed[i]);
    if (number >= 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
  }
  // Threads, but no processes.
  if (!rc) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  // clone3's flags cannot be looked at: glibc then takes clone.
  if (!rc) rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (!rc) rc = seccomp_load(filter);
  seccomp_release(filter);
  return rc;
}

int confine(const char *mode, struct failure *f) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  if (!mode) return 0;  // the sanitizers' own calls are not in the profile
#endif
  if (mode && !strcmp(mode, "off")) return 0;
  prepare();
  int rc = load(mode && !strcmp(mode, "log") ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
  if (!rc) return 0;
  if (mode) return fail(f, -rc, "--seccomp=%s: refused by the kernel: %s; use --seccomp=off", mode, strerror(-rc));
  log_verbose("seccomp: refused by the kernel: %s; going on without", strerror(-rc));
  return 0;
}
