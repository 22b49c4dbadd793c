/* SPDX-License-Identifier: GPL-2.0 */
/*
 * the virtual function's registers, mailbox and receive descriptor of Intel's 82576, as nic_igbvf.c uses them. Named
 * as in the "82576EB Gigabit Ethernet Controller Datasheet", chapter "Programming Interface", VF registers; the
 * messages are those of the PF's Linux driver (drivers/net/ethernet/intel/igb, igbvf).
 */
#ifndef RINGTAP_IGBVF_REGS_H
#define RINGTAP_IGBVF_REGS_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

/* VTCTRL, VTSTATUS: device control and status of the VF */
#define IGBVF_CTRL 0x00000
#define IGBVF_CTRL_RST BIT(26)
#define IGBVF_STATUS 0x00008
#define IGBVF_STATUS_LU BIT(1)
/* VTEIMC, extended interrupt mask clear */
#define IGBVF_EIMC 0x01528
/* Receive queue 0 */
#define IGBVF_RDBAL 0x02800
#define IGBVF_RDBAH 0x02804
#define IGBVF_RDLEN 0x02808
#define IGBVF_SRRCTL 0x0280C
#define IGBVF_SRRCTL_ADVANCED_ONE_BUFFER BIT(25)
#define IGBVF_SRRCTL_BSIZE_SHIFT 10	/* in KiB */
#define IGBVF_SRRCTL_DROP_EN BIT(31)
#define IGBVF_RDH 0x02810
#define IGBVF_RDT 0x02818
#define IGBVF_RXDCTL 0x02828
#define IGBVF_RXDCTL_ENABLE BIT(25)
/* Good packets received by the VF: counts up and wraps, is not cleared by reading */
#define IGBVF_VFGPRC 0x00F10

/* V2PMAILBOX: the lock and the bells of VMBMEM, 16 words */
#define IGBVF_MAILBOX 0x00C40
#define IGBVF_MAILBOX_REQ BIT(0)	/* VF has put a message */
#define IGBVF_MAILBOX_ACK BIT(1)	/* VF has taken one */
#define IGBVF_MAILBOX_VFU BIT(2)	/* the buffer is the VF's: may be refused */
#define IGBVF_MAILBOX_PFSTS BIT(4)	/* PF has put a message; cleared by reading */
#define IGBVF_MAILBOX_PFACK BIT(5)	/* PF has taken ours; cleared by reading */
#define IGBVF_MAILBOX_RSTI BIT(6)	/* the PF resets; */
#define IGBVF_MAILBOX_RSTD BIT(7)	/* it has; cleared by reading */
#define IGBVF_MESSAGE 0x00800
#define IGBVF_MESSAGE_WORDS 16

/* The first word of a message: what, and how it ended */
#define IGBVF_RESET 0x01u
#define IGBVF_SET_LPE 0x05u	/* word 1: largest frame, bytes */
#define IGBVF_SET_PROMISC 0x06u
#define IGBVF_PROMISC_MULTICAST (0x02u << 16)
#define IGBVF_REPLY_ACK BIT(31)
#define IGBVF_REPLY_NACK BIT(30)
#define IGBVF_REPLY_CTS BIT(29)	/* the PF takes further messages */

/* Advanced receive descriptor, one buffer */
struct igbvf_descriptor {
	__le64 address;		/* written back: RSS hash, packet type */
	union {
		__le64 header_address;	/* to the NIC: 0 */
		struct {
			__le32 status;
			__le16 length;
			__le16 vlan;
		};
	};
};

static_assert(sizeof(struct igbvf_descriptor) == 16);

#define IGBVF_RXD_DD BIT(0)
#define IGBVF_RXD_EOP BIT(1)
/* Extended errors of `status`: CRC or alignment, symbol, sequence, carrier extension, data */
#define IGBVF_RXD_DAMAGED (BIT(24) | BIT(25) | BIT(26) | BIT(28) | BIT(31))

#endif
