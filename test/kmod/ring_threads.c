// The kernel's ring.c in user space, under a sanitizer: writers and listeners as threads that share nothing
// but the ring. Every packet is checked to its last byte, every listener's account to the last packet.
//
// Exits 0 and prints totals, or 1 with a line that names what was wrong.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../kmod/ring.h"

#define WRITERS 3
#define LISTENERS 3
#define BATCHES 3000
#define BATCH_PACKETS 8
#define BLOCKS 16
#define BLOCK_BYTES (128 * 1024)

static struct rt_ring ring;
static uint64_t arrivals;	// hands out arrival numbers, as a NIC would
static int writing = WRITERS;
static pthread_barrier_t start;

struct account {
	uint64_t packets, lost, stamps_backwards;
};

static void die(const char *what)
{
	printf("WRONG %s\n", what);
	exit(1);
}

static uint32_t packet_bytes(uint64_t number)
{
	return 22 + (uint32_t)(number * 2654435761u % 1400);
}

static void fill(uint8_t *frame, uint64_t number)
{
	uint32_t bytes = packet_bytes(number);

	memset(frame, (int)(number & 0xff), bytes);
	memcpy(frame, &number, sizeof(number));
}

static uint8_t *put(uint8_t *at, uint64_t number)
{
	uint8_t frame[1500];

	fill(frame, number);
	return at + rt_put_epb(at, number + 1, frame, packet_bytes(number), packet_bytes(number));
}

static void *writer_run(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument;

	for (int i = 0; i < BATCHES; i++) {
		struct rt_batch batch = { .packets = BATCH_PACKETS, .received = BATCH_PACKETS };

		batch.arrival = __atomic_fetch_add(&arrivals, BATCH_PACKETS, __ATOMIC_RELAXED);
		batch.arrival_end = batch.arrival + BATCH_PACKETS;
		batch.first_ts_ns = batch.arrival + 1;
		batch.last_ts_ns = batch.arrival_end;
		for (uint64_t n = batch.arrival; n < batch.arrival_end; n++)
			batch.bytes += rt_epb_bytes(packet_bytes(n));
		if (!rt_ring_reserve(&ring, me, &batch)) die("no slot to write to");
		uint8_t *at = batch.at;
		for (uint64_t n = batch.arrival; n < batch.arrival_end; n++) {
			at = put(at, n);
			if (n % 4 == 0) sched_yield();
		}
		if (at != batch.at + batch.bytes) die("a batch of the wrong length");
		rt_ring_commit(&ring, me, &batch);
		if (i % 64 == 0) rt_ring_flush(&ring, batch.last_ts_ns, batch.last_ts_ns);
	}
	__atomic_fetch_sub(&writing, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void check_packet(const uint8_t *epb, uint32_t room)
{
	uint32_t head[7];
	uint64_t number;
	uint8_t expected[1500];

	memcpy(head, epb, sizeof(head));
	if (head[0] != RINGTAP_BT_EPB || head[1] > room || head[5] < 22 || head[5] > 1500) die("no packet where one was published");
	memcpy(&number, epb + 28, sizeof(number));
	if (packet_bytes(number) != head[5]) die("a packet with another's length");
	fill(expected, number);
	if (memcmp(epb + 28, expected, head[5])) die("a packet with uncopied bytes");
}

static void check_span(const struct ringtap_span *span)
{
	const uint8_t *block = ring.data + (size_t)span->slot * BLOCK_BYTES;
	uint32_t packets = 0;

	for (uint32_t at = span->from; at < span->to; packets++) {
		check_packet(block + at, span->to - at);
		uint32_t bytes;
		memcpy(&bytes, block + at + 4, 4);
		at += bytes;
	}
	if (packets != span->packets) die("a span with another number of packets");
	// As a reader of the mapped index would: what it shows as published is final.
	if (__atomic_load_n(&ring.index->slots[span->slot].published, __ATOMIC_ACQUIRE) < span->to) die("an index behind a span");
}

static void *listener_run(void *argument)
{
	uint32_t kind = (uint32_t)(uintptr_t)argument;
	struct account *account = calloc(1, sizeof(*account));
	uint8_t leased[BLOCKS] = {0};
	struct rt_listener listener;
	struct ringtap_listener_stats stats;
	struct ringtap_span span;

	if (rt_ring_attach(&ring, &listener, leased)) die("attach");
	pthread_barrier_wait(&start);
	listener.mode = kind == 1 ? RINGTAP_MODE_BLOCK : RINGTAP_MODE_PACKET;
	for (;;) {
		int done = __atomic_load_n(&writing, __ATOMIC_ACQUIRE) == 0;
		if (done) rt_ring_flush(&ring, UINT64_MAX, 0);
		int err = rt_ring_take(&ring, &listener, &span);
		if (err == -EAGAIN && done) break;
		if (err == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (err) die("take");
		check_span(&span);
		if (kind == 2)
			for (int i = 0; i < 2000; i++) sched_yield();  // the slow one, leasing meanwhile
		check_span(&span);
		account->packets += span.packets;
		if (rt_ring_release(&ring, &listener, span.slot)) die("release");
	}
	rt_ring_listener_stats(&ring, &listener, &stats);
	account->lost = stats.lost;
	if (stats.delivered != account->packets || stats.pending || stats.offered != stats.delivered + stats.lost)
		die("an account that does not add up");
	rt_ring_detach(&ring, &listener);
	return account;
}

int main(void)
{
	static struct rt_block blocks[BLOCKS];
	pthread_t writers[WRITERS], listeners[LISTENERS];
	uint64_t total = (uint64_t)WRITERS * BATCHES * BATCH_PACKETS;

	ring.block_bytes = BLOCK_BYTES;
	ring.count = BLOCKS;
	ring.blocks = blocks;
	ring.data = calloc(BLOCKS, BLOCK_BYTES);
	ring.index = calloc(1, sizeof(*ring.index) + BLOCKS * sizeof(ring.index->slots[0]));
	if (rt_ring_init(&ring, WRITERS, LISTENERS)) die("init");
	pthread_barrier_init(&start, NULL, LISTENERS + 1);
	for (uintptr_t i = 0; i < LISTENERS; i++) pthread_create(&listeners[i], NULL, listener_run, (void *)i);
	pthread_barrier_wait(&start);
	for (uintptr_t i = 0; i < WRITERS; i++) pthread_create(&writers[i], NULL, writer_run, (void *)i);
	for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
	for (int i = 0; i < LISTENERS; i++) {
		struct account *account;
		pthread_join(listeners[i], (void **)&account);
		printf("LISTENER %d packets %lu lost %lu\n", i, account->packets, account->lost);
		if (account->packets + account->lost != total) die("packets neither delivered nor lost");
		free(account);
	}
	free(ring.data);
	free(ring.index);
	printf("OK %lu packets\n", total);
	return 0;
}
