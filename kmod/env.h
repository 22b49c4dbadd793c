/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What ring.c, block.h and vf_mailbox.c need of their surroundings. In the kernel the kernel's own; in user
 * space (the tests of test/kmod) pthreads and compiler atomics of the same meaning.
 */
#ifndef RINGTAP_ENV_H
#define RINGTAP_ENV_H

#ifdef __KERNEL__

#include <linux/bitmap.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

#else

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

typedef pthread_mutex_t spinlock_t;
#define spin_lock_init(lock) pthread_mutex_init(lock, NULL)
#define spin_lock(lock) pthread_mutex_lock(lock)
#define spin_unlock(lock) pthread_mutex_unlock(lock)
#define lockdep_assert_held(lock) ((void)(lock))

#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
/* As the kernel's: orders all earlier accesses before the store. */
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define WARN_ON_ONCE(condition) ({ bool failed_ = (condition); assert(!failed_); failed_; })

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
/* As the kernel's: orders earlier loads before later ones. */
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define ALIGN(x, a) (((x) + (a) - 1) & ~((a) - 1))
#define static_assert _Static_assert

#endif
#endif
