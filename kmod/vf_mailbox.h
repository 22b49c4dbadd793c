/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual function's talk with its physical function, as on XL710: admin queue descriptors carry virtchnl
 * messages (linux/avf/virtchnl.h). Knows neither PCI nor DMA: registers go through struct vf_io, memory is the
 * caller's; so the same source runs against a scripted peer in test/kmod.
 *
 * One caller at a time, process context, sleeps through vf_io. What comes from the PF is checked: lengths,
 * opcodes, results.
 */
#ifndef RINGTAP_VF_MAILBOX_H
#define RINGTAP_VF_MAILBOX_H

#include "env.h"

#define VF_QUEUE_LEN 16		/* descriptors of each admin queue */
#define VF_BUFFER_BYTES 4096
#define VF_TX_RING_LEN 64	/* of the transmit queue that the PF wants configured; never used */

/* Registers of a VF, in the order of the XL710 datasheet: admin queues, reset, interrupts, queues. */
#define VF_ATQBAH 0x00007800
#define VF_ATQBAL 0x00007C00
#define VF_ATQH 0x00006400
#define VF_ATQLEN 0x00006800
#define VF_ATQT 0x00008400
#define VF_ARQBAH 0x00006000
#define VF_ARQBAL 0x00006C00
#define VF_ARQH 0x00007400
#define VF_ARQLEN 0x00008000
#define VF_ARQT 0x00007000
#define VF_QUEUE_ENABLE (1u << 31)
#define VF_RSTAT 0x00008800	/* VFGEN_RSTAT */
#define VF_RSTAT_MASK 3u
#define VF_RSTAT_COMPLETED 1u
#define VF_RSTAT_ACTIVE 2u
#define VF_DYN_CTL0 0x00005C00
#define VF_DYN_CTLN0 0x00003800	/* VFINT_DYN_CTLN1 of the first queue vector */
#define VF_DYN_CTLN_INTERVAL_2US (1u << 5)
#define VF_DYN_CTLN_WB_ON_ITR (1u << 30)
#define VF_QRX_TAIL0 0x00002000

/* Admin queue descriptor of the XL710, as used to talk to the PF. */
struct vf_descriptor {
	u16 flags;
	u16 opcode;
	u16 datalen;
	u16 retval;
	u32 virtchnl_opcode;	/* cookie, high */
	u32 virtchnl_retval;	/* cookie, low */
	u32 params[2];
	u32 address_high;
	u32 address_low;
};

static_assert(sizeof(struct vf_descriptor) == 32, "an XL710 layout");

#define VF_FLAG_DD (1u << 0)
#define VF_FLAG_ERR (1u << 2)
#define VF_FLAG_LARGE (1u << 9)		/* buffer over 512 bytes */
#define VF_FLAG_READ (1u << 10)		/* the buffer holds our message */
#define VF_FLAG_BUFFER (1u << 12)
#define VF_FLAG_SILENT (1u << 13)	/* no interrupt */
#define VF_LARGE_BYTES 512u
#define VF_SEND_TO_PF 0x0801
#define VF_SEND_TO_VF 0x0802

struct vf_io {
	void *context;
	u32 (*read)(void *context, u32 reg);
	void (*write)(void *context, u32 reg, u32 value);	/* orders earlier memory writes */
	void (*sleep)(void *context, u32 ms);
};

struct vf_queue {
	struct vf_descriptor *descriptors;	/* VF_QUEUE_LEN */
	u8 *buffers;				/* VF_QUEUE_LEN * VF_BUFFER_BYTES */
	u64 descriptors_dma;
	u64 buffers_dma;
	u32 next;
};

struct vf_mailbox {
	struct vf_io io;
	struct vf_queue send;
	struct vf_queue receive;
	/* learned */
	u16 vsi_id;
	u16 queue_pairs;
	u8 mac[6];
	bool link_up;
	u32 link_changes;
	bool reset;		/* the PF resets us: nothing more can be said */
};

/* What the PF is told of the one queue pair. */
struct vf_rings {
	u64 rx_dma;
	u64 tx_dma;
	u32 rx_len;		/* multiple of 32 */
	u32 buffer_bytes;	/* multiple of 128 */
	u32 packet_bytes_max;
};

/* 0, -ETIMEDOUT, -EIO (the PF refused), -EPROTO (it spoke otherwise), -ENODEV (reset). */
int vf_mailbox_open(struct vf_mailbox *m);
void vf_mailbox_close(struct vf_mailbox *m);
/* Version, resources, queues, vector, stripping off, promiscuous, on. */
int vf_negotiate(struct vf_mailbox *m, const struct vf_rings *rings);
int vf_disable(struct vf_mailbox *m);
/* Takes what the PF said by itself: link changes, resets. Does not wait. */
void vf_poll_events(struct vf_mailbox *m);

#endif
