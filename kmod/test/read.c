// SPDX-License-Identifier: GPL-2.0
/*
 * read.c - `tap read DEV [NAME=VALUE...]`: one listener that checks every frame it gets and prints what it
 * saw as one line of JSON. Ends when the closing frame was seen or `packets` are accounted for, and then
 * nothing came for `idle_ms` (0: at once); fails after `limit_ms`.
 *
 *   mode=packet|block  packets=N  idle_ms=300  limit_ms=60000  snaplen=N  filter=odd  write=FILE
 *   stall_ms=N         leases the first span, sleeps, goes on        ready=FILE  created when listening
 */
#define _GNU_SOURCE	/* O_DIRECT */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NUMBERS_MAX (64u << 20)

struct options {
	const char *device, *mode, *filter, *write, *ready;
	uint64_t packets, idle_ms, limit_ms, stall_ms, snaplen;
};

struct seen {
	uint8_t *numbers;	/* bitmap */
	uint64_t packets, bytes, foreign, tagged, bad, duplicates, inversions, stamps_backwards, truncated, spans, blocks;
	uint64_t highest, displacement, last_ts_ns, lost;
	bool any, end;
};

static const char *value_of(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) || word[n] != '=' ? NULL : word + n + 1;
}

static bool read_number(const char *word, const char *name, uint64_t *value)
{
	const char *text = value_of(word, name);

	if (text)
		*value = strtoull(text, NULL, 10);
	return text;
}

static bool read_text(const char *word, const char *name, const char **value)
{
	const char *text = value_of(word, name);

	if (text)
		*value = text;
	return text;
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .device = argv[0], .mode = "packet", .idle_ms = 300, .limit_ms = 60000 };

	for (int i = 1; i < argc; i++) {
		const char *w = argv[i];

		if (!read_text(w, "mode", &o.mode) && !read_text(w, "filter", &o.filter) &&
		    !read_text(w, "write", &o.write) && !read_text(w, "ready", &o.ready) &&
		    !read_number(w, "packets", &o.packets) && !read_number(w, "idle_ms", &o.idle_ms) &&
		    !read_number(w, "limit_ms", &o.limit_ms) && !read_number(w, "stall_ms", &o.stall_ms) &&
		    !read_number(w, "snaplen", &o.snaplen)) {
			errno = EINVAL;
			tap_fail(w);
		}
	}
	return o;
}

/* Keeps the frames whose number is odd (and the closing frame): loads from beyond the MAC header. */
static void set_odd_filter(struct tap *tap)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TAP_ETHERTYPE_END, 2, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct ringtap_filter filter = {
		.instructions = sizeof(program) / sizeof(program[0]),
		.program = (uintptr_t)program,
	};

	if (ioctl(tap->fd, RINGTAP_IOC_FILTER, &filter))
		tap_fail("FILTER");
}

static void set_up(struct tap *tap, const struct options *o)
{
	uint32_t mode = strcmp(o->mode, "block") ? RINGTAP_MODE_PACKET : RINGTAP_MODE_BLOCK;
	uint32_t snaplen = (uint32_t)o->snaplen;

	tap_open(tap, o->device);
	if (ioctl(tap->fd, RINGTAP_IOC_MODE, &mode))
		tap_fail("MODE");
	if (snaplen && ioctl(tap->fd, RINGTAP_IOC_SNAPLEN, &snaplen))
		tap_fail("SNAPLEN");
	if (o->filter)
		set_odd_filter(tap);
	if (o->ready && close(open(o->ready, O_CREAT | O_WRONLY, 0600)))
		tap_fail(o->ready);
}

/* The pattern behind the number: every byte is its offset, `shift` for a tag in front. An uncopied byte shows. */
static bool intact(const struct tap_packet *p, uint32_t shift)
{
	for (uint32_t i = 22 + shift; i < p->caplen; i++)
		if (p->data[i] != (uint8_t)(i - shift))
			return false;
	return true;
}

static void check_number(struct seen *s, uint64_t number)
{
	if (number >= NUMBERS_MAX) {
		s->bad++;
		return;
	}
	if (s->numbers[number / 8] & 1u << number % 8)
		s->duplicates++;
	s->numbers[number / 8] |= (uint8_t)(1u << number % 8);
	if (s->any && number < s->highest)
		s->inversions++;
	if (s->any && number < s->highest && s->highest - number > s->displacement)
		s->displacement = s->highest - number;
	if (number > s->highest || !s->any)
		s->highest = number;
	s->any = true;
}

static uint32_t ether_type(const struct tap_packet *p, uint32_t at)
{
	return p->caplen >= at + 2 ? (uint32_t)p->data[at] << 8 | p->data[at + 1] : 0;
}

static void check(struct seen *s, const struct tap_packet *p)
{
	uint32_t type = ether_type(p, 12);
	uint32_t shift = 0;
	uint64_t number;

	s->truncated += p->caplen < p->wirelen;
	s->stamps_backwards += p->ts_ns < s->last_ts_ns;
	s->last_ts_ns = p->ts_ns;
	if (type == 0x8100) {
		shift = 4;
		s->tagged++;
		type = ether_type(p, 16);
	}
	if (type == TAP_ETHERTYPE_END) {
		s->end = true;
		return;
	}
	if (type != TAP_ETHERTYPE || p->caplen < 22 + shift) {
		s->foreign++;
		return;
	}
	s->packets++;
	s->bytes += p->wirelen;
	s->bad += !intact(p, shift);
	memcpy(&number, p->data + 14 + shift, sizeof(number));
	check_number(s, number);
}

/* SHB and IDB (nanoseconds), padded to a block's alignment by a local-use block. */
static void write_section(int fd)
{
	static _Alignas(4096) uint8_t page[4096];
	uint32_t shb[7] = { 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0xFFFFFFFF, 0xFFFFFFFF, 28 };
	uint32_t idb[8] = { 1, 32, 1, 262144, 1u << 16 | 9, 9, 0, 32 };
	uint32_t pad[2] = { RINGTAP_BT_PAD, 4096 - 60 };

	memcpy(page, shb, 28);
	memcpy(page + 28, idb, 32);
	memcpy(page + 60, pad, 8);
	memcpy(page + 4092, pad + 1, 4);
	if (write(fd, page, sizeof(page)) != sizeof(page))
		tap_fail("write");
}

/* Straight from the mapping to the file, as the recorder would. */
static void write_block(int fd, const struct tap *tap, const struct ringtap_span *span)
{
	const uint8_t *block = tap->data + (size_t)span->slot * tap->info.block_bytes;

	if (write(fd, block, span->block_bytes) != (ssize_t)span->block_bytes)
		tap_fail("write (O_DIRECT, from the mapping)");
}

static void read_span(const struct tap *tap, const struct ringtap_span *span, struct seen *s)
{
	struct tap_packet packet;
	uint32_t packets = 0;

	for (uint32_t at = span->from; at < span->to; packets++) {
		tap_next(tap, span, &at, &packet);
		check(s, &packet);
	}
	errno = EBADMSG;
	if (packets != span->packets)
		tap_fail("a span whose packet count is wrong");
	s->spans++;
	s->blocks += span->sealed;
	s->lost = span->lost;
}

static void report(struct tap *tap, const struct seen *s, uint64_t started_ms)
{
	static struct ringtap_stats stats;

	if (ioctl(tap->fd, RINGTAP_IOC_STATS, &stats))
		tap_fail("STATS");
	printf("RESULT {\"packets\":%llu,\"bytes\":%llu,\"foreign\":%llu,\"tagged\":%llu,\"bad\":%llu,\"duplicates\":%llu,"
	       "\"inversions\":%llu,\"stamps_backwards\":%llu,\"truncated\":%llu,\"highest\":%llu,\"displacement\":%llu,\"spans\":%llu,"
	       "\"blocks\":%llu,\"end\":%s,\"offered\":%llu,\"delivered\":%llu,\"lost\":%llu,\"pending\":%llu,"
	       "\"ms\":%llu}\n",
	       (unsigned long long)s->packets, (unsigned long long)s->bytes, (unsigned long long)s->foreign, (unsigned long long)s->tagged,
	       (unsigned long long)s->bad, (unsigned long long)s->duplicates, (unsigned long long)s->inversions,
	       (unsigned long long)s->stamps_backwards, (unsigned long long)s->truncated,
	       (unsigned long long)s->highest, (unsigned long long)s->displacement,
	       (unsigned long long)s->spans, (unsigned long long)s->blocks,
	       s->end ? "true" : "false", (unsigned long long)stats.listener.offered,
	       (unsigned long long)stats.listener.delivered, (unsigned long long)stats.listener.lost,
	       (unsigned long long)stats.listener.pending, (unsigned long long)(tap_now_ms() - started_ms));
	fflush(stdout);
}

/* Whether all is seen that the options wait for; the listener then waits only for the line to fall idle. */
static bool satisfied(const struct options *o, const struct seen *s)
{
	return s->end || (o->packets && s->packets + s->foreign + s->lost >= o->packets);
}

static void listen(struct tap *tap, const struct options *o, struct seen *s, int out)
{
	uint64_t deadline_ms = tap_now_ms() + o->limit_ms;
	uint64_t stall_ms = o->stall_ms;
	struct ringtap_span span;

	while (tap_now_ms() < deadline_ms) {
		struct pollfd poller = { .fd = tap->fd, .events = POLLIN };
		int err = tap_take(tap, &span);

		if (err == -ENODEV)
			return;
		if (err == -EAGAIN) {
			if (poll(&poller, 1, o->idle_ms ? (int)o->idle_ms : 100) == 0 && satisfied(o, s))
				return;
			continue;
		}
		if (err) {
			errno = -err;
			tap_fail("TAKE");
		}
		if (stall_ms) {
			usleep((useconds_t)stall_ms * 1000);
			stall_ms = 0;
		}
		read_span(tap, &span, s);
		if (out >= 0)
			write_block(out, tap, &span);
		tap_release(tap, span.slot);
		if (!o->idle_ms && satisfied(o, s))
			return;
	}
	errno = ETIMEDOUT;
	tap_fail("read");
}

int tap_read_command(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	uint64_t started_ms = tap_now_ms();
	struct seen s = { .numbers = calloc(NUMBERS_MAX / 8, 1) };
	struct tap tap;
	int out = -1;

	if (!s.numbers)
		tap_fail("calloc");
	if (o.write) {
		out = open(o.write, O_CREAT | O_TRUNC | O_WRONLY | O_DIRECT, 0600);
		if (out < 0)
			tap_fail(o.write);
		write_section(out);
	}
	set_up(&tap, &o);
	listen(&tap, &o, &s, out);
	report(&tap, &s, started_ms);
	if (out >= 0 && close(out))
		tap_fail(o.write);
	tap_close(&tap);
	free(s.numbers);
	return 0;
}
