// SPDX-License-Identifier: GPL-2.0
/* See pci_ring.h. */
#include <linux/dma-mapping.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/string.h>

#include "pci_ring.h"

static char *rt_pci;
module_param_named(pci, rt_pci, charp, 0444);
MODULE_PARM_DESC(pci, "82574L, 82540EM, 82576 VF or XL710 VF NICs to own: \"all\" or PCI addresses, comma separated");

bool rt_pci_wanted(struct pci_dev *pdev)
{
	const char *address = pci_name(pdev);
	const char *at = rt_pci;
	size_t length = strlen(address);

	if (!at)
		return false;
	if (!strcmp(at, "all"))
		return true;
	while (*at) {
		size_t n = strcspn(at, ",");

		if (n == length && !strncmp(at, address, n))
			return true;
		at += n;
		if (*at)
			at++;
	}
	return false;
}

int rt_pci_start(struct pci_dev *pdev, const struct nic_ops *ops, void *nic, u32 descriptors)
{
	struct rt_device *dev = rt_device_create(ops, nic, pci_name(pdev), descriptors, dev_to_node(&pdev->dev));
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = rt_device_start(dev);
	if (err) {
		put_device(&dev->dev);
		return err;
	}
	pci_set_drvdata(pdev, dev);
	return 0;
}

void rt_pci_stop(struct pci_dev *pdev)
{
	rt_device_destroy(pci_get_drvdata(pdev));
	pci_clear_master(pdev);
}

int rt_buffers_alloc(struct rt_buffers *buffers, struct device *d, u32 count)
{
	u32 chunks;
	u32 i;

	buffers->per_chunk = RT_CHUNK_BYTES / rt_params.frame_bytes;
	chunks = DIV_ROUND_UP(count, buffers->per_chunk);
	for (i = 0; i < chunks; i++) {
		size_t bytes = min(count, buffers->per_chunk) * (size_t)rt_params.frame_bytes;

		buffers->chunks[i].memory =
			dmam_alloc_coherent(d, bytes, &buffers->chunks[i].dma, GFP_KERNEL);
		if (!buffers->chunks[i].memory)
			return -ENOMEM;
	}
	return 0;
}

void rt_tail_init(struct rt_tail *tail, const struct rt_device *dev)
{
	u32 index;

	spin_lock_init(&tail->lock);
	tail->returned = 0;
	for (index = 0; index < dev->segment_count; index++)
		tail->done[index] = dev->segments[index].first;
}

/* Moves `returned` over what the segments have finished. True when it moved. Lock held. */
static bool rt_tail_advance(struct rt_tail *tail, const struct rt_device *dev)
{
	u64 before = tail->returned;
	u32 position;
	u32 index;

	div_u64_rem(tail->returned, dev->descriptors, &position);
	index = min(position / dev->segments[0].count, dev->segment_count - 1);
	for (;;) {
		const struct rt_segment *seg = &dev->segments[index];
		u64 lap_end = tail->returned + (seg->first + seg->count - position);

		tail->returned = max(tail->returned, min(tail->done[index], lap_end));
		if (tail->returned != lap_end)
			return tail->returned != before;
		index = (index + 1) % dev->segment_count;
		position = dev->segments[index].first;
	}
}

void rt_tail_return(struct rt_tail *tail, struct rt_device *dev, const struct rt_segment *seg, u32 n,
		    void (*move)(struct rt_device *dev, u32 write))
{
	u32 write;

	spin_lock(&tail->lock);
	tail->done[seg->index] = seg->arrival + n;
	/* A finished segment goes on one lap later. */
	if (seg->next + n == seg->first + seg->count)
		tail->done[seg->index] += dev->descriptors - seg->count;
	if (rt_tail_advance(tail, dev)) {
		/* One descriptor is never handed over: head == tail means none (SDM 3.2.6). */
		div_u64_rem(tail->returned + dev->descriptors - 1, dev->descriptors, &write);
		move(dev, write);
	}
	spin_unlock(&tail->lock);
}

static struct pci_driver *const rt_pci_drivers[] = { &rt_e1000_driver, &rt_xl710vf_driver, &rt_igbvf_driver };

/* Without the parameter nothing is registered, so that no device is even looked at. */
int rt_pci_init(void)
{
	u32 i;
	int err = 0;

	for (i = 0; rt_pci && i < ARRAY_SIZE(rt_pci_drivers) && !err; i++)
		err = pci_register_driver(rt_pci_drivers[i]);
	if (!err)
		return 0;
	/* The last one tried is not registered. */
	for (i--; i; i--)
		pci_unregister_driver(rt_pci_drivers[i - 1]);
	return err;
}

void rt_pci_exit(void)
{
	u32 i;

	for (i = ARRAY_SIZE(rt_pci_drivers); rt_pci && i; i--)
		pci_unregister_driver(rt_pci_drivers[i - 1]);
}
