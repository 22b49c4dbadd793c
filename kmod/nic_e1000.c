// SPDX-License-Identifier: GPL-2.0
/*
 * owns an Intel gigabit NIC with the legacy receive path: 82574L (PCI Express, "e1000e")
 * and 82540EM ("e1000"). Receives only, promiscuous, polled, no interrupts, no transmit.
 *
 * A device is taken only when the module parameter `pci` names it ("all", or addresses such as
 * 0000:02:00.0): loading the module never takes a NIC by surprise, so there is no MODULE_DEVICE_TABLE.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "device.h"
#include "e1000_regs.h"
#include "pci_ring.h"

struct e1000_nic {
	struct pci_dev *pdev;
	u8 __iomem *registers;
	struct e1000_descriptor *ring;
	dma_addr_t ring_dma;
	u32 count;
	struct rt_buffers buffers;
	struct rt_tail tail;

	/* under dev->lock */
	struct ringtap_nic_stats totals;
	u64 crc_errors;
	u64 rx_errors;
	u64 length_errors;
};

static u32 e1000_read(struct e1000_nic *nic, u32 reg)
{
	return readl(nic->registers + reg);
}

static void e1000_write(struct e1000_nic *nic, u32 reg, u32 value)
{
	writel(value, nic->registers + reg);
}

/* --- the ring, by pollers --- */

static u32 e1000_harvest(struct rt_device *dev, struct rt_segment *seg, struct rt_frame *frames, u32 max)
{
	struct e1000_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < max; i++) {
		u32 n = rt_descriptor(seg, i);
		struct e1000_descriptor *d = &nic->ring[n];

		if (!(READ_ONCE(d->status) & E1000_RXD_DD))
			break;
		/* The rest of the descriptor, and the frame, only after DD. */
		dma_rmb();
		frames[i].data = rt_buffer(&nic->buffers, n);
		frames[i].len = min_t(u32, le16_to_cpu(d->length), rt_params.frame_bytes);
		/* A frame fits one buffer, or the NIC has counted it as too long. */
		frames[i].error = !(d->status & E1000_RXD_EOP) || (d->errors & E1000_RXD_DAMAGED);
	}
	return i;
}

/* Under the tail's lock; writel orders the cleared status before it. */
static void e1000_move_tail(struct rt_device *dev, u32 write)
{
	e1000_write(dev->nic, E1000_RDT, write);
}

static void e1000_give_back(struct rt_device *dev, struct rt_segment *seg, u32 n)
{
	struct e1000_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < n; i++)
		WRITE_ONCE(nic->ring[rt_descriptor(seg, i)].status, 0);
	rt_tail_return(&nic->tail, dev, seg, n, e1000_move_tail);
}

/* --- the device --- */

/* SDM 14.3 and 13.4.1: quiesce, reset, wait; interrupts stay masked ever after. */
static int e1000_reset(struct e1000_nic *nic)
{
	u32 value;
	u32 i;

	e1000_write(nic, E1000_IMC, ~0u);
	e1000_write(nic, E1000_RCTL, 0);
	if (pci_is_pcie(nic->pdev)) {
		e1000_write(nic, E1000_CTRL, e1000_read(nic, E1000_CTRL) | E1000_CTRL_GIO_MASTER_DISABLE);
		/* Requests under way may take some 100 us; the reset goes ahead regardless. */
		readl_poll_timeout(nic->registers + E1000_STATUS, value, !(value & E1000_STATUS_GIO_MASTER_ENABLE),
				   100, 80000);
	}
	e1000_write(nic, E1000_CTRL, e1000_read(nic, E1000_CTRL) | E1000_CTRL_RST);
	usleep_range(20000, 25000);
	if (readl_poll_timeout(nic->registers + E1000_CTRL, value, !(value & E1000_CTRL_RST), 1000, 100000))
		return -EIO;
	e1000_write(nic, E1000_IMC, ~0u);
	e1000_read(nic, E1000_ICR);
	value = e1000_read(nic, E1000_CTRL) & ~E1000_CTRL_GIO_MASTER_DISABLE;
	e1000_write(nic, E1000_CTRL, value | E1000_CTRL_SLU | E1000_CTRL_ASDE);
	for (i = 0; i < E1000_MTA_WORDS; i++)
		e1000_write(nic, E1000_MTA + 4 * i, 0);
	return 0;
}

/* SDM 13.4.22: BSIZE 00 is 2048 bytes; with BSEX, 01 16384, 10 8192, 11 4096. */
static u32 e1000_rctl(void)
{
	u32 rctl = E1000_RCTL_EN | E1000_RCTL_SBP | E1000_RCTL_UPE | E1000_RCTL_MPE | E1000_RCTL_BAM |
		   E1000_RCTL_SECRC;

	switch (rt_params.frame_bytes) {
	case 4096:
		return rctl | E1000_RCTL_LPE | E1000_RCTL_BSEX | 3u << E1000_RCTL_BSIZE_SHIFT;
	case 8192:
		return rctl | E1000_RCTL_LPE | E1000_RCTL_BSEX | 2u << E1000_RCTL_BSIZE_SHIFT;
	case 16384:
		return rctl | E1000_RCTL_LPE | E1000_RCTL_BSEX | 1u << E1000_RCTL_BSIZE_SHIFT;
	default:
		return rctl;
	}
}

/* SDM 14.4, Receive Initialization. */
static int e1000_start(struct rt_device *dev)
{
	struct e1000_nic *nic = dev->nic;

	rt_tail_init(&nic->tail, dev);
	e1000_write(nic, E1000_RDTR, 0);
	e1000_write(nic, E1000_RADV, 0);
	e1000_write(nic, E1000_RDBAL, lower_32_bits(nic->ring_dma));
	e1000_write(nic, E1000_RDBAH, upper_32_bits(nic->ring_dma));
	e1000_write(nic, E1000_RDLEN, nic->count * sizeof(struct e1000_descriptor));
	e1000_write(nic, E1000_RDH, 0);
	e1000_write(nic, E1000_RDT, nic->count - 1);
	e1000_write(nic, E1000_RCTL, e1000_rctl());
	return 0;
}

/* After it the NIC writes nowhere. */
static void e1000_stop(struct rt_device *dev)
{
	struct e1000_nic *nic = dev->nic;

	e1000_write(nic, E1000_RCTL, 0);
	e1000_read(nic, E1000_STATUS);
	usleep_range(10000, 12000);
}

/*
 * Adds a clear-on-read counter to its total. QEMU's models keep some of them (MPC, RNBC) when read: there a
 * second read tells, and the value is the total.
 */
static void e1000_count(struct e1000_nic *nic, u32 reg, u64 *total)
{
	u32 value = e1000_read(nic, reg);

	if (value && nic->pdev->subsystem_vendor == PCI_SUBVENDOR_ID_REDHAT_QUMRANET &&
	    e1000_read(nic, reg) >= value)
		*total = value;
	else
		*total += value;
}

/* Under dev->lock. */
static void e1000_stats(struct rt_device *dev, struct ringtap_nic_stats *stats)
{
	struct e1000_nic *nic = dev->nic;
	struct ringtap_nic_stats *t = &nic->totals;
	u32 up = !!(e1000_read(nic, E1000_STATUS) & E1000_STATUS_LU);

	e1000_count(nic, E1000_GPRC, &t->received);
	e1000_count(nic, E1000_MPC, &t->missed);
	e1000_count(nic, E1000_RNBC, &t->no_buffer);
	e1000_count(nic, E1000_CRCERRS, &nic->crc_errors);
	e1000_count(nic, E1000_RXERRC, &nic->rx_errors);
	e1000_count(nic, E1000_RLEC, &nic->length_errors);
	t->errors = nic->crc_errors + nic->rx_errors + nic->length_errors;
	if (up != t->link_up) {
		t->link_changes++;
		dev_info(&dev->dev, "link %s\n", up ? "up" : "down");
	}
	t->link_up = up;
	*stats = *t;
}

static const struct nic_ops e1000_ops = {
	.name = "e1000e",
	.start = e1000_start,
	.stop = e1000_stop,
	.harvest = e1000_harvest,
	.give_back = e1000_give_back,
	.stats = e1000_stats,
};

static int e1000_memory(struct e1000_nic *nic)
{
	struct device *d = &nic->pdev->dev;
	int err;
	u32 i;

	nic->count = rt_params.ring;
	nic->ring = dmam_alloc_coherent(d, nic->count * sizeof(*nic->ring), &nic->ring_dma, GFP_KERNEL);
	if (!nic->ring)
		return -ENOMEM;
	err = rt_buffers_alloc(&nic->buffers, d, nic->count);
	for (i = 0; i < nic->count && !err; i++)
		nic->ring[i].address = cpu_to_le64(rt_buffer_dma(&nic->buffers, i));
	return err;
}

static int e1000_enable(struct pci_dev *pdev, struct e1000_nic *nic)
{
	int err = pcim_enable_device(pdev);

	if (err)
		return err;
	err = pcim_iomap_regions(pdev, BIT(0), "ringtap");
	if (err)
		return err;
	nic->registers = pcim_iomap_table(pdev)[0];
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (err)
		return err;
	err = e1000_reset(nic);
	if (err)
		return err;
	pci_set_master(pdev);
	return e1000_memory(nic);
}

static int e1000_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct e1000_nic *nic;
	int err;

	if (!rt_pci_wanted(pdev))
		return -ENODEV;
	nic = devm_kzalloc(&pdev->dev, sizeof(*nic), GFP_KERNEL);
	if (!nic)
		return -ENOMEM;
	nic->pdev = pdev;
	err = e1000_enable(pdev, nic);
	if (err)
		return dev_err_probe(&pdev->dev, err, "ringtap cannot set the NIC up\n");
	return rt_pci_start(pdev, &e1000_ops, nic, nic->count);
}

static const struct pci_device_id e1000_ids[] = {
	{ PCI_VDEVICE(INTEL, 0x10D3) },	/* 82574L */
	{ PCI_VDEVICE(INTEL, 0x100E) },	/* 82540EM */
	{ 0 },
};

struct pci_driver rt_e1000_driver = {
	.name = "ringtap",
	.id_table = e1000_ids,
	.probe = e1000_probe,
	.remove = rt_pci_stop,
};
