// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual function of an Intel XL710 (Ethernet 700 series), named by the module parameter `pci`. The PF sets
 * its one queue up on request (vf_mailbox.c); from then on it is a ring like any other.
 *
 * UNTESTED ON HARDWARE. The talk with the PF is tested against a scripted peer only, the ring not at all.
 * What the NIC drops before the VF's queue is counted where the VF cannot see it: `missed` is unknown.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "pci_ring.h"
#include "vf_mailbox.h"

/* The PF gives VFs 32-byte descriptors; hardware looks at tails in steps of 8. */
struct xl710_descriptor {
	__le64 address;		/* written back: mirroring, RSS */
	__le64 status;		/* to the NIC: header address, 0 */
	__le64 reserved[2];
};

static_assert(sizeof(struct xl710_descriptor) == 32);

#define XL710_TAIL_STEP 8u
#define XL710_STATUS_DD BIT_ULL(0)
#define XL710_STATUS_EOF BIT_ULL(1)
#define XL710_ERROR_RXE BIT_ULL(19)
#define XL710_ERROR_OVERSIZE BIT_ULL(25)
#define XL710_LENGTH_SHIFT 38
#define XL710_LENGTH_MASK 0x3FFFu
/* Largest frame of the 700 series. */
#define XL710_PACKET_BYTES_MAX 9728u

struct xl710vf_nic {
	struct pci_dev *pdev;
	u8 __iomem *registers;
	struct xl710_descriptor *ring;
	dma_addr_t ring_dma;
	dma_addr_t tx_dma;
	u32 count;
	u32 tail_written;
	struct rt_buffers buffers;
	struct rt_tail tail;
	struct mutex talk;		/* the mailbox, between stop and stats */
	struct vf_mailbox mailbox;
};

/* --- the ring, by pollers --- */

static u32 xl710vf_harvest(struct rt_device *dev, struct rt_segment *seg, struct rt_frame *frames, u32 max)
{
	struct xl710vf_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < max; i++) {
		u32 n = rt_descriptor(seg, i);
		u64 status = le64_to_cpu(READ_ONCE(nic->ring[n].status));

		if (!(status & XL710_STATUS_DD))
			break;
		/* The frame only after DD. */
		dma_rmb();
		frames[i].data = rt_buffer(&nic->buffers, n);
		frames[i].len = min_t(u32, (status >> XL710_LENGTH_SHIFT) & XL710_LENGTH_MASK,
				      rt_params.frame_bytes);
		frames[i].error = !(status & XL710_STATUS_EOF) || (status & (XL710_ERROR_RXE | XL710_ERROR_OVERSIZE));
	}
	return i;
}

/* Under the tail's lock; writel orders the fresh descriptors before it. */
static void xl710vf_move_tail(struct rt_device *dev, u32 write)
{
	struct xl710vf_nic *nic = dev->nic;

	write &= ~(XL710_TAIL_STEP - 1);
	if (write == nic->tail_written)
		return;
	nic->tail_written = write;
	writel(write, nic->registers + VF_QRX_TAIL0);
}

static void xl710vf_renew(struct xl710vf_nic *nic, u32 n)
{
	nic->ring[n].address = cpu_to_le64(rt_buffer_dma(&nic->buffers, n));
	WRITE_ONCE(nic->ring[n].status, 0);
}

static void xl710vf_give_back(struct rt_device *dev, struct rt_segment *seg, u32 n)
{
	struct xl710vf_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < n; i++)
		xl710vf_renew(nic, rt_descriptor(seg, i));
	rt_tail_return(&nic->tail, dev, seg, n, xl710vf_move_tail);
}

/* --- the device --- */

static u32 xl710vf_io_read(void *context, u32 reg)
{
	struct xl710vf_nic *nic = context;

	return readl(nic->registers + reg);
}

static void xl710vf_io_write(void *context, u32 reg, u32 value)
{
	struct xl710vf_nic *nic = context;

	writel(value, nic->registers + reg);
}

static void xl710vf_io_sleep(void *context, u32 ms)
{
	usleep_range(1000 * ms, 1500 * ms);
}

static int xl710vf_start(struct rt_device *dev)
{
	struct xl710vf_nic *nic = dev->nic;
	struct vf_rings rings = {
		.rx_dma = nic->ring_dma,
		.tx_dma = nic->tx_dma,
		.rx_len = nic->count,
		.buffer_bytes = rt_params.frame_bytes,
		.packet_bytes_max = min(rt_params.frame_bytes, XL710_PACKET_BYTES_MAX),
	};
	int err = vf_mailbox_open(&nic->mailbox);
	u32 n;

	if (err)
		return err;
	rt_tail_init(&nic->tail, dev);
	for (n = 0; n < nic->count; n++)
		xl710vf_renew(nic, n);
	err = vf_negotiate(&nic->mailbox, &rings);
	if (err) {
		vf_mailbox_close(&nic->mailbox);
		dev_err(&nic->pdev->dev, "the PF does not set the VF up: error %d\n", err);
		return err;
	}
	nic->tail_written = RT_NONE;
	xl710vf_move_tail(dev, nic->count - 1);
	return 0;
}

/* After it the NIC writes nowhere: the queue is off, or the VF lost its right to the bus. */
static void xl710vf_stop(struct rt_device *dev)
{
	struct xl710vf_nic *nic = dev->nic;

	mutex_lock(&nic->talk);
	if (vf_disable(&nic->mailbox))
		pci_clear_master(nic->pdev);
	vf_mailbox_close(&nic->mailbox);
	mutex_unlock(&nic->talk);
	usleep_range(10000, 12000);
}

static void xl710vf_stats(struct rt_device *dev, struct ringtap_nic_stats *stats)
{
	struct xl710vf_nic *nic = dev->nic;

	mutex_lock(&nic->talk);
	vf_poll_events(&nic->mailbox);
	mutex_unlock(&nic->talk);
	stats->link_up = nic->mailbox.link_up;
	stats->link_changes = nic->mailbox.link_changes;
	if (nic->mailbox.reset)
		dev_warn_once(&dev->dev, "the PF resets this VF: unbind and bind it to go on\n");
}

static const struct nic_ops xl710vf_ops = {
	.name = "xl710vf",
	.start = xl710vf_start,
	.stop = xl710vf_stop,
	.harvest = xl710vf_harvest,
	.give_back = xl710vf_give_back,
	.stats = xl710vf_stats,
};

static int xl710vf_queue_memory(struct device *d, struct vf_queue *queue)
{
	dma_addr_t dma;

	queue->descriptors =
		dmam_alloc_coherent(d, VF_QUEUE_LEN * sizeof(*queue->descriptors), &dma, GFP_KERNEL);
	queue->descriptors_dma = dma;
	if (!queue->descriptors)
		return -ENOMEM;
	queue->buffers = dmam_alloc_coherent(d, VF_QUEUE_LEN * VF_BUFFER_BYTES, &dma, GFP_KERNEL);
	queue->buffers_dma = dma;
	return queue->buffers ? 0 : -ENOMEM;
}

static int xl710vf_memory(struct xl710vf_nic *nic)
{
	struct device *d = &nic->pdev->dev;
	int err;

	nic->count = rt_params.ring;
	nic->ring = dmam_alloc_coherent(d, nic->count * sizeof(*nic->ring), &nic->ring_dma, GFP_KERNEL);
	/* Transmit descriptors of 16 bytes, never given to the NIC. */
	if (!nic->ring || !dmam_alloc_coherent(d, VF_TX_RING_LEN * 16, &nic->tx_dma, GFP_KERNEL))
		return -ENOMEM;
	err = rt_buffers_alloc(&nic->buffers, d, nic->count);
	if (!err)
		err = xl710vf_queue_memory(d, &nic->mailbox.send);
	if (!err)
		err = xl710vf_queue_memory(d, &nic->mailbox.receive);
	return err;
}

static int xl710vf_enable(struct pci_dev *pdev, struct xl710vf_nic *nic)
{
	int err = pcim_enable_device(pdev);

	if (!err)
		err = pcim_iomap_regions(pdev, BIT(0), "ringtap");
	if (!err)
		err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	nic->registers = pcim_iomap_table(pdev)[0];
	pci_set_master(pdev);
	return xl710vf_memory(nic);
}

static int xl710vf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct xl710vf_nic *nic;
	int err;

	if (!rt_pci_wanted(pdev))
		return -ENODEV;
	nic = devm_kzalloc(&pdev->dev, sizeof(*nic), GFP_KERNEL);
	if (!nic)
		return -ENOMEM;
	nic->pdev = pdev;
	mutex_init(&nic->talk);
	nic->mailbox.io = (struct vf_io){
		.context = nic,
		.read = xl710vf_io_read,
		.write = xl710vf_io_write,
		.sleep = xl710vf_io_sleep,
	};
	err = xl710vf_enable(pdev, nic);
	if (err)
		return dev_err_probe(&pdev->dev, err, "ringtap cannot set the VF up\n");
	dev_warn(&pdev->dev, "the XL710 VF backend is untested on hardware\n");
	return rt_pci_start(pdev, &xl710vf_ops, nic, nic->count);
}

static const struct pci_device_id xl710vf_ids[] = {
	{ PCI_VDEVICE(INTEL, 0x154C) },	/* XL710/X710 VF */
	{ PCI_VDEVICE(INTEL, 0x1571) },	/* the same under Hyper-V */
	{ 0 },
};

struct pci_driver rt_xl710vf_driver = {
	.name = "ringtap-vf",
	.id_table = xl710vf_ids,
	.probe = xl710vf_probe,
	.remove = rt_pci_stop,
};
