/* SPDX-License-Identifier: GPL-2.0 */
/*
 * writing the pcapng blocks of ringtap_uapi.h, in this machine's byte order. Pure functions
 * over the caller's memory, any context; they never check room, the ring has reserved it.
 */
#ifndef RINGTAP_KMOD_BLOCK_H
#define RINGTAP_KMOD_BLOCK_H

#include "env.h"
#include "ringtap_uapi.h"

#define RT_EPB_OVERHEAD_BYTES 32u
#define RT_PAD_BYTES_MIN 12u

/*
 * Value of RINGTAP_OPT_BLOCK_HEADER: the recorder's own block header, so that blocks of either origin
 * read alike. The kernel leaves crc32c 0 and counts it cannot know RINGTAP_UNKNOWN.
 */
struct rt_block_header {
	u32 version;
	u32 crc32c;
	u64 block_seq;
	u64 first_ts_ns;
	u64 last_ts_ns;
	u64 packets;
	u64 bytes;
	u64 ring_drops;
	u64 pool_drops;
	u64 store_drops;
	u32 block_bytes;
	u32 used_bytes;
	u64 cutoff;		/* removed on purpose: never here, so 0 */
	u64 duplicates;
	u64 sliced_bytes;
};

static_assert(sizeof(struct rt_block_header) == 104, "a file format");

/* type, length, interface, stamp; six u64 options; the header option; opt_endofopt; length. */
#define RT_HEADER_BYTES (8 + 4 + 8 + 6 * 12 + 4 + (u32)sizeof(struct rt_block_header) + 4 + 4)
static_assert(RT_HEADER_BYTES % 4 == 0, "pcapng blocks are padded to 32 bits");

/* Totals since the device was created; RINGTAP_UNKNOWN ones are left out of the ISB. */
struct rt_block_counters {
	u64 started_ts_ns;
	u64 received;
	u64 if_drops;
	u64 os_drops;
	u64 delivered;
};

static inline u32 rt_epb_bytes(u32 caplen)
{
	return RT_EPB_OVERHEAD_BYTES + ((caplen + 3) & ~3u);
}

/* Stamps are two 32-bit halves, high first, whatever the byte order. */
static inline void rt_put_time(u8 *at, u64 ts_ns)
{
	u32 halves[2] = { (u32)(ts_ns >> 32), (u32)ts_ns };

	memcpy(at, halves, sizeof(halves));
}

/* An Enhanced Packet Block without options: the one copy of a packet. Returns its length. */
static inline u32 rt_put_epb(u8 *at, u64 ts_ns, const void *frame, u32 caplen, u32 wirelen)
{
	u32 bytes = rt_epb_bytes(caplen);
	u32 head[7] = { RINGTAP_BT_EPB, bytes, 0, (u32)(ts_ns >> 32), (u32)ts_ns, caplen, wirelen };
	u32 tail[2] = { 0, bytes };

	/* Padding first: its zeros end up behind the frame's last byte. */
	memcpy(at + bytes - 8, tail, 8);
	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), frame, caplen);
	return bytes;
}

/* Padding that takes `used` to a multiple of RINGTAP_BLOCK_ALIGN_BYTES. Returns its length. */
static inline u32 rt_put_pad(u8 *at, u32 used)
{
	u32 bytes = ALIGN(used + RT_PAD_BYTES_MIN, (u32)RINGTAP_BLOCK_ALIGN_BYTES) - used;
	u32 head[2] = { RINGTAP_BT_PAD, bytes };

	memcpy(at, head, sizeof(head));
	memset(at + sizeof(head), 0, bytes - 12);
	memcpy(at + bytes - 4, &bytes, 4);
	return bytes;
}

static inline u32 rt_put_u64_option(u8 *at, u16 code, u64 value)
{
	u16 head[2] = { code, 8 };

	memcpy(at, head, sizeof(head));
	memcpy(at + 4, &value, 8);
	return 12;
}

static inline u32 rt_put_count_option(u8 *at, u16 code, u64 value)
{
	return value == RINGTAP_UNKNOWN ? 0 : rt_put_u64_option(at, code, value);
}

static inline u32 rt_put_time_option(u8 *at, u16 code, u64 ts_ns)
{
	u32 bytes = rt_put_u64_option(at, code, 0);

	rt_put_time(at + 4, ts_ns);
	return bytes;
}

/*
 * The Interface Statistics Block at a block's start. Options left out give their room to the last one,
 * so its length is always RT_HEADER_BYTES.
 */
static inline void rt_put_header(u8 *at, const struct rt_block_header *header,
				 const struct rt_block_counters *counters, u64 now_ns)
{
	u32 head[3] = { RINGTAP_BT_ISB, RT_HEADER_BYTES, 0 };
	u32 n = 20;
	u16 option[2];

	memcpy(at, head, sizeof(head));
	rt_put_time(at + 12, now_ns);
	n += rt_put_time_option(at + n, 2, counters->started_ts_ns);
	n += rt_put_time_option(at + n, 3, now_ns);
	n += rt_put_count_option(at + n, 4, counters->received);
	n += rt_put_count_option(at + n, 5, counters->if_drops);
	n += rt_put_count_option(at + n, 7, counters->os_drops);
	n += rt_put_count_option(at + n, 8, counters->delivered);
	option[0] = RINGTAP_OPT_BLOCK_HEADER;
	option[1] = (u16)(RT_HEADER_BYTES - 8 - n - 4);
	memcpy(at + n, option, sizeof(option));
	memset(at + n + 4, 0, RT_HEADER_BYTES - n - 4);
	memcpy(at + n + 4, header, sizeof(*header));
	memcpy(at + RT_HEADER_BYTES - 4, &head[1], 4);
}

#endif
