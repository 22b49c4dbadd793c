/* SPDX-License-Identifier: GPL-2.0 */
/*
 * the talk of an 82576 VF with its PF's driver: one buffer of 16 words, a lock that either side may hold, and
 * bells. One thread at a time; sleeps.
 */
#ifndef RINGTAP_IGBVF_MAILBOX_H
#define RINGTAP_IGBVF_MAILBOX_H

#include <linux/if_ether.h>
#include <linux/types.h>

struct igbvf_mailbox {
	u8 __iomem *registers;
	u32 bells;		/* of V2PMAILBOX, seen and not yet answered */
	u8 address[ETH_ALEN];	/* the PF gave us, after a reset; zeros for none */
};

/* Resets the VF and lets the PF set it up. -ETIMEDOUT: no PF driver answers (is the PF up?). */
int igbvf_mailbox_reset(struct igbvf_mailbox *m);
/* Sends `send` words, takes the answer's first `receive` in their place. -EPERM: refused. */
int igbvf_mailbox_ask(struct igbvf_mailbox *m, u32 *words, u32 send, u32 receive);
/* Has the PF reset the device since the last call? Then the queue is off. */
bool igbvf_mailbox_pf_reset(struct igbvf_mailbox *m);

#endif
