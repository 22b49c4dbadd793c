/* SPDX-License-Identifier: GPL-2.0 */
/*
 * a backend: something with one ring of receive descriptors. The core splits the ring into fixed
 * segments and gives each to one polling thread, which alone touches those descriptors between harvest
 * and give_back.
 */
#ifndef RINGTAP_NIC_H
#define RINGTAP_NIC_H

#include <linux/types.h>
#include <linux/uio.h>

#include "ringtap_uapi.h"

struct rt_device;
struct rt_segment;

/* A received frame where the NIC left it; valid until its descriptor is given back. */
struct rt_frame {
	const void *data;
	u32 len;
	bool error;		/* damaged: counted, not copied */
};

struct nic_ops {
	const char *name;
	/* Begins receiving; the pollers run already. Process context, may sleep. */
	int (*start)(struct rt_device *dev);
	/* Nothing more arrives after it; what has arrived may still be harvested. May sleep. */
	void (*stop)(struct rt_device *dev);
	/* Shows up to `max` finished descriptors from seg->next on, without moving. Poller. */
	u32 (*harvest)(struct rt_device *dev, struct rt_segment *seg, struct rt_frame *frames, u32 max);
	/* Returns `n` descriptors from seg->next on to the NIC. Poller. */
	void (*give_back)(struct rt_device *dev, struct rt_segment *seg, u32 n);
	/* Counters so far. Under dev->lock; may sleep. Fields start as RINGTAP_UNKNOWN. */
	void (*stats)(struct rt_device *dev, struct ringtap_nic_stats *stats);
	/* Optional: frames from user space (write(2)). May sleep. */
	ssize_t (*inject)(struct rt_device *dev, struct iov_iter *from);
	/* Optional: an order to make traffic (sysfs `generate`). May sleep. */
	int (*generate)(struct rt_device *dev, const char *order);
};

int rt_sim_create(void);
void rt_sim_destroy(void);
int rt_netdev_init(void);
void rt_netdev_exit(void);
/* All backends that own a PCI device (pci_ring.h). */
int rt_pci_init(void);
void rt_pci_exit(void);

#endif
