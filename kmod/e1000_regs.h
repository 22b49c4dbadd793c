/* SPDX-License-Identifier: GPL-2.0 */
/*
 * the registers and the descriptor nic_e1000.c uses. Section numbers are those of Intel's
 * "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" (SDM, 8254x), whose
 * legacy receive path the 82574L keeps; "DS" is the 82574 datasheet where it differs.
 */
#ifndef RINGTAP_E1000_REGS_H
#define RINGTAP_E1000_REGS_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

/* SDM 13.4.1, Device Control */
#define E1000_CTRL 0x00000
#define E1000_CTRL_GIO_MASTER_DISABLE BIT(2)	/* PCI Express parts: DS, CTRL */
#define E1000_CTRL_ASDE BIT(5)
#define E1000_CTRL_SLU BIT(6)
#define E1000_CTRL_RST BIT(26)
/* SDM 13.4.2, Device Status */
#define E1000_STATUS 0x00008
#define E1000_STATUS_LU BIT(1)
#define E1000_STATUS_GIO_MASTER_ENABLE BIT(19)
/* SDM 13.4.21, Interrupt Mask Clear; 13.4.17, Interrupt Cause Read */
#define E1000_ICR 0x000C0
#define E1000_IMC 0x000D8
/* SDM 13.4.22, Receive Control */
#define E1000_RCTL 0x00100
#define E1000_RCTL_EN BIT(1)
#define E1000_RCTL_SBP BIT(2)	/* store bad packets */
#define E1000_RCTL_UPE BIT(3)	/* unicast promiscuous */
#define E1000_RCTL_MPE BIT(4)	/* multicast promiscuous */
#define E1000_RCTL_LPE BIT(5)	/* long packets */
#define E1000_RCTL_BAM BIT(15)	/* broadcast accept */
#define E1000_RCTL_BSIZE_SHIFT 16
#define E1000_RCTL_BSEX BIT(25)
#define E1000_RCTL_SECRC BIT(26)	/* strip the CRC */
/* SDM 13.4.25 to 13.4.29, the receive descriptor ring */
#define E1000_RDBAL 0x02800
#define E1000_RDBAH 0x02804
#define E1000_RDLEN 0x02808
#define E1000_RDH 0x02810
#define E1000_RDT 0x02818
/* SDM 13.4.30, 13.4.31: interrupt delays, unused by a poller */
#define E1000_RDTR 0x02820
#define E1000_RADV 0x0282C
/* SDM 13.5.1, Multicast Table Array (128 words); promiscuous, so left zero */
#define E1000_MTA 0x05200
#define E1000_MTA_WORDS 128
/* SDM 13.7, statistics: 32 bits, cleared by reading, sticking at their maximum */
#define E1000_CRCERRS 0x04000	/* 13.7.1 */
#define E1000_RXERRC 0x0400C	/* 13.7.4 */
#define E1000_MPC 0x04010	/* 13.7.5 */
#define E1000_RLEC 0x04040	/* 13.7.15 */
#define E1000_GPRC 0x04074	/* 13.7.27 */
#define E1000_RNBC 0x040A0	/* 13.7.33 */

/* SDM 3.2.3, Receive Descriptor Format (legacy): the NIC writes all but the address. */
struct e1000_descriptor {
	__le64 address;
	__le16 length;
	__le16 checksum;
	u8 status;
	u8 errors;
	__le16 special;
};

static_assert(sizeof(struct e1000_descriptor) == 16);

/* SDM 3.2.3.1, status; 3.2.3.2, errors (Table 3-3): set only for frames kept by RCTL.SBP */
#define E1000_RXD_DD BIT(0)
#define E1000_RXD_EOP BIT(1)
#define E1000_RXD_ERR_CE BIT(0)
#define E1000_RXD_ERR_SE BIT(1)
#define E1000_RXD_ERR_SEQ BIT(2)
#define E1000_RXD_ERR_RXE BIT(7)
#define E1000_RXD_DAMAGED (E1000_RXD_ERR_CE | E1000_RXD_ERR_SE | E1000_RXD_ERR_SEQ | E1000_RXD_ERR_RXE)

#endif
