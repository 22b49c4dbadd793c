/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ringtap_uapi.h - the whole contract between /dev/ringtapN and user space.
 *
 * A device owns one buffer of `blocks` blocks, `block_bytes` each, mapped read-only. Blocks are taken in
 * the order of their sequence numbers (1, 2, 3...), not of their place in the buffer (their slot):
 *
 *   0            header_bytes (184)                         used       bytes (multiple of 4096)
 *   +--------------------+-----+-----+--- ... ---+-----------+------------+
 *   | ISB, written when  | EPB | EPB |           | EPB       | RINGTAP_BT_PAD
 *   | the block is sealed| pcapng, in this machine's byte order
 *   +--------------------+-----+-----+--- ... ---+-----------+------------+
 *
 * A sealed block never changes while a listener leases it, so it may be written to disk with O_DIRECT
 * straight from the mapping. In an open block all bytes below `published` are final.
 *
 * A listener is one open file (not a process: a forked child shares it). Each has its own position;
 * one that falls behind the buffer loses the oldest blocks it does not lease, counted for it alone.
 */
#ifndef RINGTAP_UAPI_H
#define RINGTAP_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define RINGTAP_ABI_VERSION 1
#define RINGTAP_SEGMENTS_MAX 16
#define RINGTAP_BLOCK_ALIGN_BYTES 4096
#define RINGTAP_UNKNOWN (~0ULL)	/* a count nobody can tell; never shown as 0 */

/* pcapng, as in proto/constants.json. */
#define RINGTAP_BT_ISB 0x00000005
#define RINGTAP_BT_EPB 0x00000006
#define RINGTAP_BT_PAD 0x80005254
#define RINGTAP_OPT_BLOCK_HEADER 0xA001

/* Offsets for mmap(2): PROT_READ only, any whole-page part of either region. */
#define RINGTAP_MMAP_DATA 0ULL
#define RINGTAP_MMAP_INDEX (1ULL << 40)

enum ringtap_state {
	RINGTAP_FREE,		/* never filled */
	RINGTAP_OPEN,		/* packets are being reserved and committed */
	RINGTAP_CLOSING,	/* full; some copies still under way */
	RINGTAP_SEALED,		/* complete: ISB, packets, padding */
};

/* One slot of the index. Written by the kernel only; load `published` with acquire order. */
struct ringtap_slot {
	__u64 seq;		/* 0: never filled */
	__u32 published;	/* bytes from the block's start that are final */
	__u32 state;		/* enum ringtap_state */
};

/* The index region: one page or more, read-only. */
struct ringtap_index {
	__u32 abi_version;
	__u32 blocks;
	__u32 block_bytes;
	__u32 header_bytes;
	__u64 published_packets;	/* since the device was created */
	__u64 reserved;
	struct ringtap_slot slots[];
};

struct ringtap_info {
	__u32 abi_version;
	__u32 blocks;
	__u32 block_bytes;
	__u32 header_bytes;
	__u64 data_bytes;	/* size of the region at RINGTAP_MMAP_DATA */
	__u64 index_bytes;	/* size of the region at RINGTAP_MMAP_INDEX */
	__u32 linktype;		/* LINKTYPE_ETHERNET */
	__u32 snaplen;
	__u32 segments;
	__u32 ring_descriptors;
	__u32 leases_max;	/* slots one listener may hold at once */
	__u32 filter_instructions;	/* 0: everything passes */
	char backend[16];
	char source[32];	/* interface name or PCI address */
};

enum ringtap_mode {
	RINGTAP_MODE_PACKET,	/* take whatever is final, also of the open block (default) */
	RINGTAP_MODE_BLOCK,	/* take sealed blocks only */
};

/* A run of whole EPBs, leased to the caller: data[slot * block_bytes + from .. + to). */
struct ringtap_span {
	__u32 slot;
	__u32 from;
	__u32 to;
	__u32 packets;		/* EPBs in the run */
	__u64 seq;
	__u32 sealed;		/* 1: nothing will be added to this block */
	__u32 block_bytes;	/* sealed: length with padding, a multiple of 4096; else 0 */
	__u64 lost;		/* packets this listener lost so far, in all */
};

struct ringtap_filter {
	__u32 instructions;	/* 0 removes the filter */
	__u32 reserved;		/* 0 */
	__u64 program;		/* pointer to struct sock_filter[instructions] */
};

/*
 * The ledger of one segment, in packets since the device was created:
 * received = errors + filtered + unclaimed + pool_drops + published.
 */
struct ringtap_segment_stats {
	__u64 received;
	__u64 errors;		/* frames the NIC marked as damaged */
	__u64 filtered;
	__u64 unclaimed;	/* nobody listened */
	__u64 pool_drops;	/* no block to copy into; 0 unless there is a bug */
	__u64 published;
	__u64 published_bytes;	/* wire lengths */
	__u64 truncated;	/* published, cut at the snaplen or by the filter */
	__u64 reordered;	/* published behind a packet that arrived later */
	__u64 batches;
};

/* offered = delivered + lost + pending, in packets since the listener opened the device. */
struct ringtap_listener_stats {
	__u64 offered;
	__u64 delivered;
	__u64 lost;
	__u64 pending;
};

/* What happened before the ring; RINGTAP_UNKNOWN where the source cannot tell. */
struct ringtap_nic_stats {
	__u64 received;		/* good frames the NIC saw */
	__u64 missed;		/* lost for want of descriptors */
	__u64 no_buffer;	/* times a frame had to wait for a descriptor */
	__u64 errors;		/* damaged frames: CRC, length, alignment */
	__u64 link_changes;
	__u32 link_up;
	__u32 reserved;
};

struct ringtap_stats {
	struct ringtap_nic_stats nic;
	struct ringtap_listener_stats listener;	/* the caller */
	__u32 segments;
	__u32 listeners;
	struct ringtap_segment_stats segment[RINGTAP_SEGMENTS_MAX];
};

/*
 * TAKE    next span; leases its slot once, however many spans of it are taken.
 *         EAGAIN nothing yet (poll), ENOBUFS leases_max slots held, ENODEV device gone and drained.
 * RELEASE gives a slot back; EINVAL when the caller does not hold it. The position stays.
 * FILTER  classic BPF, run before the copy; SNAPLEN bytes kept of each packet. Both belong to the
 *         device and are reset when the last listener leaves; EBUSY while anyone else listens.
 */
#define RINGTAP_IOC_MAGIC 0xD7
#define RINGTAP_IOC_INFO _IOR(RINGTAP_IOC_MAGIC, 0, struct ringtap_info)
#define RINGTAP_IOC_MODE _IOW(RINGTAP_IOC_MAGIC, 1, __u32)
#define RINGTAP_IOC_TAKE _IOR(RINGTAP_IOC_MAGIC, 2, struct ringtap_span)
#define RINGTAP_IOC_RELEASE _IOW(RINGTAP_IOC_MAGIC, 3, __u32)
#define RINGTAP_IOC_FILTER _IOW(RINGTAP_IOC_MAGIC, 4, struct ringtap_filter)
#define RINGTAP_IOC_SNAPLEN _IOW(RINGTAP_IOC_MAGIC, 5, __u32)
#define RINGTAP_IOC_STATS _IOR(RINGTAP_IOC_MAGIC, 6, struct ringtap_stats)

#endif
