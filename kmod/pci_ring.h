/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What backends with a real descriptor ring share: whether a device was named, the frames' DMA memory, and the
 * tail, which pollers that finish in any order at segment borders may only move over the finished prefix.
 */
#ifndef RINGTAP_PCI_RING_H
#define RINGTAP_PCI_RING_H

#include <linux/pci.h>
#include <linux/spinlock.h>

#include "device.h"

/* Larger coherent allocations fail on ordinary machines. */
#define RT_CHUNK_BYTES (2u << 20)
#define RT_CHUNKS_MAX 32

/* One buffer of rt_params.frame_bytes for each descriptor. */
struct rt_buffers {
	struct {
		u8 *memory;
		dma_addr_t dma;
	} chunks[RT_CHUNKS_MAX];
	u32 per_chunk;
};

struct rt_tail {
	spinlock_t lock;		/* pollers only */
	u64 returned;			/* arrival number of the next descriptor to hand over */
	u64 done[RINGTAP_SEGMENTS_MAX];	/* arrival number each segment has finished up to */
};

extern struct pci_driver rt_e1000_driver;
extern struct pci_driver rt_xl710vf_driver;
extern struct pci_driver rt_igbvf_driver;

/* Whether the module parameter `pci` names the device. */
bool rt_pci_wanted(struct pci_dev *pdev);
/* The end of every probe: a capture device over a NIC that is set up; and the whole of every remove. */
int rt_pci_start(struct pci_dev *pdev, const struct nic_ops *ops, void *nic, u32 descriptors);
void rt_pci_stop(struct pci_dev *pdev);
/* Device managed memory: freed after remove, when the NIC is long stopped. */
int rt_buffers_alloc(struct rt_buffers *buffers, struct device *d, u32 count);

static inline u8 *rt_buffer(const struct rt_buffers *buffers, u32 descriptor)
{
	return buffers->chunks[descriptor / buffers->per_chunk].memory +
	       (size_t)(descriptor % buffers->per_chunk) * rt_params.frame_bytes;
}

static inline dma_addr_t rt_buffer_dma(const struct rt_buffers *buffers, u32 descriptor)
{
	return buffers->chunks[descriptor / buffers->per_chunk].dma +
	       (descriptor % buffers->per_chunk) * rt_params.frame_bytes;
}

/* Before the NIC receives. */
void rt_tail_init(struct rt_tail *tail, const struct rt_device *dev);
/*
 * `n` descriptors from seg->next on are ready again. True when the NIC may have more: `write` then is the index
 * to put into its tail register, still under the lock, by `move`.
 */
void rt_tail_return(struct rt_tail *tail, struct rt_device *dev, const struct rt_segment *seg, u32 n,
		    void (*move)(struct rt_device *dev, u32 write));

#endif
