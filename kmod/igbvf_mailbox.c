// SPDX-License-Identifier: GPL-2.0
/* See igbvf_mailbox.h. */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/string.h>

#include "igbvf_mailbox.h"
#include "igbvf_regs.h"

#define POLL_US 500
#define PATIENCE_US 2000000
#define ATTEMPTS 3

/* Bits that reading clears stay in `bells` until they are asked for. */
static u32 igbvf_mailbox_bells(struct igbvf_mailbox *m)
{
	m->bells |= readl(m->registers + IGBVF_MAILBOX);
	return m->bells;
}

static int igbvf_mailbox_await(struct igbvf_mailbox *m, u32 bits)
{
	u32 bells;
	int err = read_poll_timeout(igbvf_mailbox_bells, bells, bells & bits, POLL_US, PATIENCE_US, false, m);

	m->bells &= ~bits;
	return err;
}

/* The buffer is ours once VFU reads back as set: the PF may hold it. */
static bool igbvf_mailbox_take(struct igbvf_mailbox *m)
{
	writel(IGBVF_MAILBOX_VFU, m->registers + IGBVF_MAILBOX);
	m->bells &= ~IGBVF_MAILBOX_VFU;
	return igbvf_mailbox_bells(m) & IGBVF_MAILBOX_VFU;
}

static int igbvf_mailbox_lock(struct igbvf_mailbox *m)
{
	bool taken;

	return read_poll_timeout(igbvf_mailbox_take, taken, taken, POLL_US, PATIENCE_US, false, m);
}

int igbvf_mailbox_ask(struct igbvf_mailbox *m, u32 *words, u32 send, u32 receive)
{
	u32 what = words[0];
	int err = igbvf_mailbox_lock(m);
	u32 i;

	if (err)
		return err;
	m->bells = 0;
	for (i = 0; i < send; i++)
		writel(words[i], m->registers + IGBVF_MESSAGE + 4 * i);
	/* Rings the bell and gives the buffer up. */
	writel(IGBVF_MAILBOX_REQ, m->registers + IGBVF_MAILBOX);
	err = igbvf_mailbox_await(m, IGBVF_MAILBOX_PFACK);
	if (!err)
		err = igbvf_mailbox_await(m, IGBVF_MAILBOX_PFSTS);
	if (!err)
		err = igbvf_mailbox_lock(m);
	if (err)
		return err;
	for (i = 0; i < receive; i++)
		words[i] = readl(m->registers + IGBVF_MESSAGE + 4 * i);
	writel(IGBVF_MAILBOX_ACK, m->registers + IGBVF_MAILBOX);
	return (words[0] & ~IGBVF_REPLY_CTS) == (what | IGBVF_REPLY_ACK) ? 0 : -EPERM;
}

static int igbvf_mailbox_reset_once(struct igbvf_mailbox *m)
{
	u32 words[3] = { IGBVF_RESET };
	int err;

	m->bells = 0;
	writel(IGBVF_CTRL_RST, m->registers + IGBVF_CTRL);
	err = igbvf_mailbox_await(m, IGBVF_MAILBOX_RSTI | IGBVF_MAILBOX_RSTD);
	/* The PF needs a moment; its answer carries our address. */
	usleep_range(10000, 12000);
	if (!err)
		err = igbvf_mailbox_ask(m, words, 1, 3);
	if (!err)
		memcpy(m->address, &words[1], sizeof(m->address));
	else
		memset(m->address, 0, sizeof(m->address));
	/* Refused only means that no address was given to this VF: its queue is on all the same. */
	return err == -EPERM ? 0 : err;
}

/* A PF that resets itself meanwhile forgets what it was asked. */
int igbvf_mailbox_reset(struct igbvf_mailbox *m)
{
	int err = -ETIMEDOUT;
	u32 i;

	for (i = 0; i < ATTEMPTS && err == -ETIMEDOUT; i++)
		err = igbvf_mailbox_reset_once(m);
	return err;
}

bool igbvf_mailbox_pf_reset(struct igbvf_mailbox *m)
{
	bool reset = igbvf_mailbox_bells(m) & (IGBVF_MAILBOX_RSTI | IGBVF_MAILBOX_RSTD);

	m->bells = 0;
	return reset;
}
