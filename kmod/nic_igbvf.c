// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual function of an Intel 82576 (igb), named by the module parameter `pci`. Its one queue is its own; what it
 * may see is the PF's decision (igbvf_mailbox.c): its address, broadcast and, where the PF lets it, all multicast.
 * Receives only, polled, no interrupts.
 *
 * Tried on QEMU's igb under Debian's PF driver, not on hardware. What the NIC drops before the VF's queue is counted
 * where the VF cannot see it: `missed` is unknown.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "igbvf_mailbox.h"
#include "igbvf_regs.h"
#include "pci_ring.h"

struct igbvf_nic {
	struct pci_dev *pdev;
	u8 __iomem *registers;
	struct igbvf_descriptor *ring;
	dma_addr_t ring_dma;
	u32 count;
	struct rt_buffers buffers;
	struct rt_tail tail;
	struct igbvf_mailbox mailbox;	/* start, then under dev->lock */

	/* under dev->lock */
	u64 received;
	u32 received_register;
	u32 link_up;
	u64 link_changes;
};

/* --- the ring, by pollers --- */

static u32 igbvf_harvest(struct rt_device *dev, struct rt_segment *seg, struct rt_frame *frames, u32 max)
{
	struct igbvf_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < max; i++) {
		u32 n = rt_descriptor(seg, i);
		struct igbvf_descriptor *d = &nic->ring[n];
		u32 status = le32_to_cpu(READ_ONCE(d->status));

		if (!(status & IGBVF_RXD_DD))
			break;
		/* The length, and the frame, only after DD. */
		dma_rmb();
		frames[i].data = rt_buffer(&nic->buffers, n);
		frames[i].len = min_t(u32, le16_to_cpu(d->length), rt_params.frame_bytes);
		frames[i].error = !(status & IGBVF_RXD_EOP) || (status & IGBVF_RXD_DAMAGED);
	}
	return i;
}

/* Under the tail's lock; writel orders the fresh descriptors before it. */
static void igbvf_move_tail(struct rt_device *dev, u32 write)
{
	struct igbvf_nic *nic = dev->nic;

	writel(write, nic->registers + IGBVF_RDT);
}

/* The NIC has overwritten both words. */
static void igbvf_renew(struct igbvf_nic *nic, u32 n)
{
	nic->ring[n].address = cpu_to_le64(rt_buffer_dma(&nic->buffers, n));
	WRITE_ONCE(nic->ring[n].header_address, 0);
}

static void igbvf_give_back(struct rt_device *dev, struct rt_segment *seg, u32 n)
{
	struct igbvf_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < n; i++)
		igbvf_renew(nic, rt_descriptor(seg, i));
	rt_tail_return(&nic->tail, dev, seg, n, igbvf_move_tail);
}

/* --- the device --- */

/* Frames longer than the PF's default need its consent; without it they are dropped before the queue. */
static void igbvf_ask_for_more(struct igbvf_nic *nic)
{
	u32 length[2] = { IGBVF_SET_LPE, rt_params.frame_bytes };
	u32 multicast[1] = { IGBVF_SET_PROMISC | IGBVF_PROMISC_MULTICAST };

	if (rt_params.frame_bytes > 2048 && igbvf_mailbox_ask(&nic->mailbox, length, 2, 1))
		dev_warn(&nic->pdev->dev, "the PF refuses frames of %u bytes\n", rt_params.frame_bytes);
	if (igbvf_mailbox_ask(&nic->mailbox, multicast, 1, 1))
		dev_warn(&nic->pdev->dev, "the PF refuses multicast: only frames to %pM and broadcast are seen\n",
			 nic->mailbox.address);
}

/* DROP_EN: a full queue of ours must not hold the PF's and other VFs' frames back. */
static int igbvf_start_queue(struct igbvf_nic *nic)
{
	u32 size = rt_params.frame_bytes >> IGBVF_SRRCTL_BSIZE_SHIFT;
	u32 value;

	writel(lower_32_bits(nic->ring_dma), nic->registers + IGBVF_RDBAL);
	writel(upper_32_bits(nic->ring_dma), nic->registers + IGBVF_RDBAH);
	writel(nic->count * sizeof(struct igbvf_descriptor), nic->registers + IGBVF_RDLEN);
	writel(0, nic->registers + IGBVF_RDH);
	writel(0, nic->registers + IGBVF_RDT);
	writel(IGBVF_SRRCTL_ADVANCED_ONE_BUFFER | IGBVF_SRRCTL_DROP_EN | size, nic->registers + IGBVF_SRRCTL);
	writel(IGBVF_RXDCTL_ENABLE, nic->registers + IGBVF_RXDCTL);
	return readl_poll_timeout(nic->registers + IGBVF_RXDCTL, value, value & IGBVF_RXDCTL_ENABLE, 100, 100000);
}

static int igbvf_start(struct rt_device *dev)
{
	struct igbvf_nic *nic = dev->nic;
	int err = igbvf_mailbox_reset(&nic->mailbox);
	u32 n;

	if (err) {
		dev_err(&nic->pdev->dev, "the PF does not answer: is its driver loaded and the PF up? error %d\n", err);
		return err;
	}
	writel(~0u, nic->registers + IGBVF_EIMC);
	igbvf_ask_for_more(nic);
	rt_tail_init(&nic->tail, dev);
	for (n = 0; n < nic->count; n++)
		igbvf_renew(nic, n);
	nic->received_register = readl(nic->registers + IGBVF_VFGPRC);
	err = igbvf_start_queue(nic);
	if (err)
		return err;
	writel(nic->count - 1, nic->registers + IGBVF_RDT);
	return 0;
}

/* After it the NIC writes nowhere: writes under way have landed by the time the queue reads as off. */
static void igbvf_stop(struct rt_device *dev)
{
	struct igbvf_nic *nic = dev->nic;
	u32 value;

	writel(0, nic->registers + IGBVF_RXDCTL);
	if (readl_poll_timeout(nic->registers + IGBVF_RXDCTL, value, !(value & IGBVF_RXDCTL_ENABLE), 100, 100000))
		pci_clear_master(nic->pdev);
	usleep_range(10000, 12000);
}

/* Under dev->lock. */
static void igbvf_stats(struct rt_device *dev, struct ringtap_nic_stats *stats)
{
	struct igbvf_nic *nic = dev->nic;
	u32 received = readl(nic->registers + IGBVF_VFGPRC);
	u32 up = !!(readl(nic->registers + IGBVF_STATUS) & IGBVF_STATUS_LU);

	nic->received += received - nic->received_register;
	nic->received_register = received;
	nic->link_changes += up != nic->link_up;
	nic->link_up = up;
	stats->received = nic->received;
	stats->link_up = up;
	stats->link_changes = nic->link_changes;
	if (igbvf_mailbox_pf_reset(&nic->mailbox))
		dev_warn_once(&dev->dev, "the PF has reset: unbind this VF and bind it to go on\n");
}

static const struct nic_ops igbvf_ops = {
	.name = "igbvf",
	.start = igbvf_start,
	.stop = igbvf_stop,
	.harvest = igbvf_harvest,
	.give_back = igbvf_give_back,
	.stats = igbvf_stats,
};

static int igbvf_enable(struct pci_dev *pdev, struct igbvf_nic *nic)
{
	struct device *d = &pdev->dev;
	int err = pcim_enable_device(pdev);

	if (!err)
		err = pcim_iomap_regions(pdev, BIT(0), "ringtap");
	if (!err)
		err = dma_set_mask_and_coherent(d, DMA_BIT_MASK(64));
	if (err)
		return err;
	nic->registers = pcim_iomap_table(pdev)[0];
	nic->mailbox.registers = nic->registers;
	pci_set_master(pdev);
	nic->count = rt_params.ring;
	nic->ring = dmam_alloc_coherent(d, nic->count * sizeof(*nic->ring), &nic->ring_dma, GFP_KERNEL);
	return nic->ring ? rt_buffers_alloc(&nic->buffers, d, nic->count) : -ENOMEM;
}

static int igbvf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct igbvf_nic *nic;
	int err;

	if (!rt_pci_wanted(pdev))
		return -ENODEV;
	nic = devm_kzalloc(&pdev->dev, sizeof(*nic), GFP_KERNEL);
	if (!nic)
		return -ENOMEM;
	nic->pdev = pdev;
	err = igbvf_enable(pdev, nic);
	if (err)
		return dev_err_probe(&pdev->dev, err, "ringtap cannot set the VF up\n");
	return rt_pci_start(pdev, &igbvf_ops, nic, nic->count);
}

static const struct pci_device_id igbvf_ids[] = {
	{ PCI_VDEVICE(INTEL, 0x10CA) },	/* 82576 VF */
	{ 0 },
};

struct pci_driver rt_igbvf_driver = {
	.name = "ringtap-igbvf",
	.id_table = igbvf_ids,
	.probe = igbvf_probe,
	.remove = rt_pci_stop,
};
