// SPDX-License-Identifier: GPL-2.0
/* tap.c - see tap.h. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void tap_fail(const char *what)
{
	printf("FAIL %s: %s\n", what, strerror(errno));
	exit(1);
}

void tap_open(struct tap *tap, const char *path)
{
	tap->fd = open(path, O_RDWR | O_CLOEXEC);
	if (tap->fd < 0)
		tap_fail(path);
	if (ioctl(tap->fd, RINGTAP_IOC_INFO, &tap->info))
		tap_fail("INFO");
	tap->data = mmap(NULL, tap->info.data_bytes, PROT_READ, MAP_SHARED, tap->fd, RINGTAP_MMAP_DATA);
	tap->index = mmap(NULL, tap->info.index_bytes, PROT_READ, MAP_SHARED, tap->fd, (off_t)RINGTAP_MMAP_INDEX);
	if (tap->data == MAP_FAILED || tap->index == MAP_FAILED)
		tap_fail("mmap");
}

void tap_close(struct tap *tap)
{
	munmap((void *)tap->data, tap->info.data_bytes);
	munmap((void *)tap->index, tap->info.index_bytes);
	close(tap->fd);
}

int tap_take(struct tap *tap, struct ringtap_span *span)
{
	return ioctl(tap->fd, RINGTAP_IOC_TAKE, span) ? -errno : 0;
}

void tap_release(struct tap *tap, uint32_t slot)
{
	if (ioctl(tap->fd, RINGTAP_IOC_RELEASE, &slot))
		tap_fail("RELEASE");
}

void tap_next(const struct tap *tap, const struct ringtap_span *span, uint32_t *at, struct tap_packet *packet)
{
	const uint8_t *epb = tap->data + (size_t)span->slot * tap->info.block_bytes + *at;
	uint32_t head[7];
	uint32_t bytes_again;

	memcpy(head, epb, sizeof(head));
	errno = EBADMSG;
	if (head[0] != RINGTAP_BT_EPB || head[1] < 32 || head[1] % 4 || head[1] > span->to - *at ||
	    head[5] > head[1] - 32 || head[5] > head[6])
		tap_fail("a span that does not hold whole packets");
	memcpy(&bytes_again, epb + head[1] - 4, 4);
	if (bytes_again != head[1])
		tap_fail("a packet whose two lengths differ");
	packet->ts_ns = (uint64_t)head[3] << 32 | head[4];
	packet->caplen = head[5];
	packet->wirelen = head[6];
	packet->data = epb + 28;
	*at += head[1];
}

uint64_t tap_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
