// SPDX-License-Identifier: GPL-2.0
/*
 * hostile.c - `tap hostile DEV`: everything a listener should not do. Prints one line for each attempt
 * that was not refused as it should be, then `HOSTILE n tried, m wrong`. What the kernel makes of it
 * shows in its log, which the host reads.
 */
#define _GNU_SOURCE	/* mremap */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned int tried, wrong;

static void expect(const char *what, long result, int error)
{
	tried++;
	if (error ? (result == -1 && errno == error) : result != -1)
		return;
	wrong++;
	printf("WRONG %s: result %ld, %s; expected %s\n", what, result, strerror(errno),
	       error ? strerror(error) : "success");
}

static void bad_ioctls(struct tap *tap)
{
	struct ringtap_filter filter = { 0 };
	struct sock_filter loop[] = { BPF_JUMP(BPF_JMP | BPF_JA, 0xfffffffe, 0, 0), BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_filter no_return[] = { BPF_STMT(BPF_LD | BPF_IMM, 1) };
	uint32_t values[] = { 0, 1, 2, 0x7fffffff, 0xffffffff };
	void *bad = (void *)0xffff800000000000ull;

	for (unsigned int n = 0; n < 256; n++) {
		if (n < 7)
			continue;
		expect("unknown ioctl", ioctl(tap->fd, _IOWR(RINGTAP_IOC_MAGIC, n, struct ringtap_stats), bad), ENOTTY);
	}
	expect("size mismatch", ioctl(tap->fd, _IOR(RINGTAP_IOC_MAGIC, 0, char), bad), ENOTTY);
	expect("INFO to nowhere", ioctl(tap->fd, RINGTAP_IOC_INFO, NULL), EFAULT);
	expect("INFO to kernel", ioctl(tap->fd, RINGTAP_IOC_INFO, bad), EFAULT);
	expect("STATS to kernel", ioctl(tap->fd, RINGTAP_IOC_STATS, bad), EFAULT);
	expect("STATS to read-only", ioctl(tap->fd, RINGTAP_IOC_STATS, (void *)tap->data), EFAULT);
	expect("MODE from kernel", ioctl(tap->fd, RINGTAP_IOC_MODE, bad), EFAULT);
	expect("FILTER from kernel", ioctl(tap->fd, RINGTAP_IOC_FILTER, bad), EFAULT);
	for (unsigned int i = 0; i < 5; i++) {
		expect("RELEASE of what is not held", ioctl(tap->fd, RINGTAP_IOC_RELEASE, &values[i]), EINVAL);
		if (values[i] > 1)
			expect("MODE", ioctl(tap->fd, RINGTAP_IOC_MODE, &values[i]), EINVAL);
	}
	expect("SNAPLEN 0", ioctl(tap->fd, RINGTAP_IOC_SNAPLEN, &values[0]), EINVAL);
	expect("SNAPLEN huge", ioctl(tap->fd, RINGTAP_IOC_SNAPLEN, &values[4]), 0);
	filter = (struct ringtap_filter){ .instructions = 0x10001, .program = (uintptr_t)loop };
	expect("FILTER too long", ioctl(tap->fd, RINGTAP_IOC_FILTER, &filter), EINVAL);
	filter = (struct ringtap_filter){ .instructions = 2, .program = (uintptr_t)bad };
	expect("FILTER program in kernel", ioctl(tap->fd, RINGTAP_IOC_FILTER, &filter), EFAULT);
	filter = (struct ringtap_filter){ .instructions = 2, .program = (uintptr_t)loop };
	expect("FILTER loop", ioctl(tap->fd, RINGTAP_IOC_FILTER, &filter), EINVAL);
	filter = (struct ringtap_filter){ .instructions = 1, .program = (uintptr_t)no_return };
	expect("FILTER without return", ioctl(tap->fd, RINGTAP_IOC_FILTER, &filter), EINVAL);
	filter = (struct ringtap_filter){ .instructions = 1, .reserved = 1, .program = (uintptr_t)no_return };
	expect("FILTER reserved", ioctl(tap->fd, RINGTAP_IOC_FILTER, &filter), EINVAL);
}

static void try_map(const char *what, struct tap *tap, size_t bytes, int prot, uint64_t offset, int error)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, tap->fd, (off_t)offset);

	expect(what, at == MAP_FAILED ? -1 : 0, error);
	if (at != MAP_FAILED)
		munmap(at, bytes);
}

static void bad_maps(struct tap *tap)
{
	uint64_t data = tap->info.data_bytes;
	void *at;

	try_map("map writable", tap, 4096, PROT_READ | PROT_WRITE, 0, EPERM);
	try_map("map executable", tap, 4096, PROT_READ | PROT_EXEC, 0, EPERM);
	try_map("map index writable", tap, 4096, PROT_WRITE, RINGTAP_MMAP_INDEX, EPERM);
	try_map("map past the data", tap, 4096, PROT_READ, data, EINVAL);
	try_map("map across the data's end", tap, 8192, PROT_READ, data - 4096, EINVAL);
	try_map("map between the regions", tap, 4096, PROT_READ, RINGTAP_MMAP_INDEX - 4096, EINVAL);
	try_map("map past the index", tap, 4096, PROT_READ, RINGTAP_MMAP_INDEX + tap->info.index_bytes, EINVAL);
	try_map("map at the end of all", tap, 4096, PROT_READ, 0x7ffffffffffff000ull, EINVAL);
	try_map("map more than there is", tap, data + 4096, PROT_READ, 0, EINVAL);
	try_map("map the last page", tap, 4096, PROT_READ, data - 4096, 0);
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, tap->fd, 0);
	expect("map private", at == MAP_FAILED ? -1 : 0, 0);
	expect("private made writable", mprotect(at, 4096, PROT_READ | PROT_WRITE), EACCES);
	munmap(at, 4096);
	expect("made writable", mprotect((void *)tap->data, 4096, PROT_READ | PROT_WRITE), EACCES);
	expect("made executable", mprotect((void *)tap->data, 4096, PROT_READ | PROT_EXEC), EACCES);
	at = mremap((void *)tap->index, tap->info.index_bytes, tap->info.index_bytes + 4096, MREMAP_MAYMOVE);
	expect("grown", at == MAP_FAILED ? -1 : 0, EFAULT);
}

static void hoard(struct tap *tap)
{
	struct ringtap_span span;
	uint32_t held = 0;
	int err;

	for (unsigned int i = 0; i < 100000; i++) {
		err = tap_take(tap, &span);
		if (err == -ENOBUFS)
			break;
		if (err == -EAGAIN)
			usleep(1000);
		held += !err;
	}
	errno = ENOBUFS;
	expect("hoarding ends", err == -ENOBUFS ? -1 : 0, ENOBUFS);
	tried++;
	if (held < tap->info.leases_max) {
		wrong++;
		printf("WRONG hoarded %u spans, fewer than %u leases\n", held, tap->info.leases_max);
	}
}

static void random_ioctls(struct tap *tap)
{
	uint8_t argument[sizeof(struct ringtap_stats)];

	for (unsigned int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < 64; k++)
			argument[k] = (uint8_t)rand();
		/* MODE .. SNAPLEN; a random program pointer faults or is refused. */
		ioctl(tap->fd, _IOC((unsigned int)rand() % 4, RINGTAP_IOC_MAGIC, (unsigned int)rand() % 8,
				    rand() % 2 ? 4 : 16), argument);
		if (i % 3 == 0)
			ioctl(tap->fd, RINGTAP_IOC_TAKE, argument);
	}
}

static void *poll_forever(void *fd)
{
	struct pollfd poller = { .fd = *(int *)fd, .events = POLLIN };

	while (poll(&poller, 1, 50) >= 0 && !(poller.revents & POLLNVAL))
		;
	return NULL;
}

static void close_during_poll(const char *path)
{
	for (unsigned int i = 0; i < 20; i++) {
		pthread_t thread;
		struct tap tap;

		tap_open(&tap, path);
		if (pthread_create(&thread, NULL, poll_forever, &tap.fd))
			tap_fail("pthread_create");
		usleep(1000);
		tap_close(&tap);
		pthread_join(thread, NULL);
	}
}

/* Forked children read on through the inherited file and mapping, and die in the middle. */
static void fork_and_die(const char *path)
{
	struct tap tap;

	tap_open(&tap, path);
	for (unsigned int i = 0; i < 30; i++) {
		pid_t child = fork();

		if (child == 0) {
			struct ringtap_span span;
			volatile uint8_t sum = 0;

			for (;;)
				if (!tap_take(&tap, &span))
					for (uint32_t at = span.from; at < span.to; at += 64)
						sum += tap.data[(size_t)span.slot * tap.info.block_bytes + at];
		}
		usleep(3000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	tap_close(&tap);
}

static void too_many(const char *path)
{
	int fds[128];
	unsigned int n = 0;

	while (n < 128 && (fds[n] = open(path, O_RDWR)) >= 0)
		n++;
	expect("listener too many", n == 128 ? 0 : -1, EBUSY);
	while (n)
		close(fds[--n]);
}

static void without_rights(const char *path)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (setuid(65534))
			_exit(2);
		_exit(open(path, O_RDONLY) < 0 && (errno == EPERM || errno == EACCES) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	expect("open without CAP_NET_RAW", status ? 0 : -1, errno);
}

int tap_hostile_command(int argc, char **argv)
{
	struct tap tap;
	struct tap second;

	if (argc < 1)
		return 2;
	tap_open(&tap, argv[0]);
	bad_ioctls(&tap);
	bad_maps(&tap);
	tap_open(&second, argv[0]);
	expect("SNAPLEN while others listen", ioctl(second.fd, RINGTAP_IOC_SNAPLEN, &(uint32_t){ 64 }), EBUSY);
	tap_close(&second);
	hoard(&tap);
	random_ioctls(&tap);
	tap_close(&tap);
	close_during_poll(argv[0]);
	fork_and_die(argv[0]);
	too_many(argv[0]);
	without_rights(argv[0]);
	printf("HOSTILE %u tried, %u wrong\n", tried, wrong);
	return wrong != 0;
}
