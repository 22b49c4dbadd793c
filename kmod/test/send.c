// SPDX-License-Identifier: GPL-2.0
/*
 * send.c - numbered frames, as nic_sim.c makes them, from user space:
 *   tap send IFACE FRAMES BYTES RATE [VLAN]   through a packet socket, then the closing frame
 *   tap inject DEV FRAMES BYTES               into a simulated NIC's descriptors, then the closing frame
 */
#define _GNU_SOURCE	/* sendmmsg */
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_BYTES_MAX 2048u
#define BATCH 32u

static void frame_fill(uint8_t *frame, uint32_t bytes, uint32_t type, uint64_t number)
{
	for (uint32_t i = 22; i < bytes; i++)
		frame[i] = (uint8_t)i;
	memset(frame, 0xff, 6);
	memset(frame + 6, 0, 6);
	frame[6] = 2;
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	memcpy(frame + 14, &number, sizeof(number));
}

/* Puts an 802.1Q tag behind the addresses; the frame has room for it. */
static void frame_tag(uint8_t *frame, uint32_t bytes, uint32_t vlan)
{
	memmove(frame + 16, frame + 12, bytes - 12);
	frame[12] = 0x81;
	frame[13] = 0;
	frame[14] = (uint8_t)(vlan >> 8);
	frame[15] = (uint8_t)vlan;
}

static int packet_socket(const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		tap_fail(interface);
	return fd;
}

static void send_all(int fd, struct mmsghdr *messages, uint32_t count)
{
	for (uint32_t done = 0; done < count;) {
		int n = sendmmsg(fd, messages + done, count - done, 0);

		if (n < 0 && errno != ENOBUFS)
			tap_fail("sendmmsg");
		if (n > 0)
			done += (uint32_t)n;
		else
			usleep(100);
	}
}

/* Sleeps until `sent` frames are due at `rate` a second. */
static void pace(uint64_t started_ms, uint64_t sent, uint64_t rate)
{
	while (rate && sent * 1000 / rate > tap_now_ms() - started_ms)
		usleep(500);
}

int tap_send_command(int argc, char **argv)
{
	static uint8_t frames[BATCH][FRAME_BYTES_MAX];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
	uint64_t started_ms = tap_now_ms();
	uint64_t total, rate;
	uint32_t bytes, vlan;
	int fd;

	if (argc < 4)
		return 2;
	total = strtoull(argv[1], NULL, 10);
	bytes = (uint32_t)strtoul(argv[2], NULL, 10);
	rate = strtoull(argv[3], NULL, 10);
	vlan = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
	fd = packet_socket(argv[0]);
	memset(messages, 0, sizeof(messages));
	for (uint32_t i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){ .iov_base = frames[i], .iov_len = bytes + (vlan ? 4 : 0) };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (uint64_t sent = 0; sent < total;) {
		uint32_t n = 0;

		for (; n < BATCH && sent < total; n++) {
			frame_fill(frames[n], bytes, TAP_ETHERTYPE, sent++);
			if (vlan)
				frame_tag(frames[n], bytes, vlan);
		}
		send_all(fd, messages, n);
		pace(started_ms, sent, rate);
	}
	usleep(200000);	/* the closing frame must find room */
	frame_fill(frames[0], bytes, TAP_ETHERTYPE_END, 0);
	if (vlan)
		frame_tag(frames[0], bytes, vlan);
	send_all(fd, messages, 1);
	close(fd);
	printf("SENT %llu\n", (unsigned long long)total);
	return 0;
}

int tap_inject_command(int argc, char **argv)
{
	static uint8_t record[4 + FRAME_BYTES_MAX];
	uint64_t total;
	uint32_t bytes;
	int fd;

	if (argc < 3)
		return 2;
	total = strtoull(argv[1], NULL, 10);
	bytes = (uint32_t)strtoul(argv[2], NULL, 10);
	fd = open(argv[0], O_WRONLY);
	if (fd < 0)
		tap_fail(argv[0]);
	memcpy(record, &bytes, 4);
	for (uint64_t sent = 0; sent <= total;) {
		frame_fill(record + 4, bytes, sent < total ? TAP_ETHERTYPE : TAP_ETHERTYPE_END, sent);
		if (write(fd, record, 4 + bytes) == (ssize_t)(4 + bytes))
			sent++;
		else if (errno == EAGAIN)
			usleep(50);
		else
			tap_fail("write");
	}
	close(fd);
	return 0;
}
