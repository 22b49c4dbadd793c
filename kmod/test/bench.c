// SPDX-License-Identifier: GPL-2.0
/*
 * `tap bench DEV FRAMES BYTES`: how fast the core takes simulated frames when nothing holds it up. A listener
 * is open (without one nothing is copied) but takes nothing; the generator waits for room in the ring.
 * Beside it the bare copy: the same bytes by memcpy, from as many source buffers into as large a target.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BUFFER_BYTES 2048u

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void order(const char *device, unsigned long long frames, unsigned int bytes)
{
	char path[128], text[64];
	const char *name = strrchr(device, '/');
	int n = snprintf(text, sizeof(text), "%llu %u 0 wait", frames, bytes);
	int fd;

	snprintf(path, sizeof(path), "/sys/class/ringtap/%s/generate", name ? name + 1 : device);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		tap_fail(path);
	close(fd);
}

static double through_the_ring(struct tap *tap, const char *device, unsigned long long frames, unsigned int bytes)
{
	uint64_t before = __atomic_load_n(&tap->index->published_packets, __ATOMIC_ACQUIRE);
	double started = seconds();

	order(device, frames, bytes);
	while (__atomic_load_n(&tap->index->published_packets, __ATOMIC_ACQUIRE) - before < frames)
		usleep(200);
	return seconds() - started;
}

static double bare_copy(const struct tap *tap, unsigned long long frames, unsigned int bytes)
{
	size_t sources = tap->info.ring_descriptors;
	size_t target_bytes = tap->info.data_bytes;
	uint8_t *from = malloc(sources * FRAME_BUFFER_BYTES);
	uint8_t *to = malloc(target_bytes);
	double started;
	size_t at = 0;

	if (!from || !to)
		tap_fail("malloc");
	memset(from, 1, sources * FRAME_BUFFER_BYTES);
	memset(to, 0, target_bytes);
	started = seconds();
	for (unsigned long long i = 0; i < frames; i++) {
		memcpy(to + at, from + i % sources * FRAME_BUFFER_BYTES, bytes);
		at += (bytes + 35u) & ~3u;
		if (at + FRAME_BUFFER_BYTES > target_bytes)
			at = 0;
	}
	started = seconds() - started;
	free(from);
	free(to);
	return started;
}

int tap_bench_command(int argc, char **argv)
{
	unsigned long long frames;
	unsigned int bytes;
	struct tap tap;

	if (argc < 3)
		return 2;
	frames = strtoull(argv[1], NULL, 10);
	bytes = (unsigned int)strtoul(argv[2], NULL, 10);
	tap_open(&tap, argv[0]);
	errno = EINVAL;
	if (bytes > FRAME_BUFFER_BYTES)
		tap_fail(argv[2]);
	through_the_ring(&tap, argv[0], frames / 10, bytes);
	printf("BENCH %u %.9f %.9f\n", bytes, through_the_ring(&tap, argv[0], frames, bytes),
	       bare_copy(&tap, frames, bytes));
	tap_close(&tap);
	return 0;
}
