// SPDX-License-Identifier: GPL-2.0
/*
 * the life of a capture device:
 *
 *   rt_device_create   memory, ring, numbers           -> rt_device_destroy
 *   rt_device_start    /dev node, sysfs, pollers, NIC  -> rt_device_halt (also when the NIC vanishes)
 *
 * Open files outlive both: they hold the struct, which frees itself with its last reference.
 */
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "device.h"

#define RT_DEVICES_MAX 64

static struct class *rt_class;
static dev_t rt_devt;
static DEFINE_IDA(rt_ida);

struct rt_allocation {
	size_t bytes;
	void *memory;
};

/* Runs on a CPU of the wanted node, so that its memory is preferred; huge pages where they can be had. */
static long rt_allocate_here(void *data)
{
	struct rt_allocation *a = data;

	a->memory = vmalloc_huge(a->bytes, GFP_KERNEL | __GFP_ZERO);
	return 0;
}

static void *rt_allocate(size_t bytes, int node)
{
	struct rt_allocation a = { .bytes = bytes };

	work_on_cpu(cpumask_local_spread(0, node), rt_allocate_here, &a);
	return a.memory;
}

static void rt_device_release(struct device *d)
{
	struct rt_device *dev = container_of(d, struct rt_device, dev);

	ida_free(&rt_ida, MINOR(dev->dev.devt));
	vfree(dev->ring.data);
	vfree(dev->ring.index);
	kvfree(dev->ring.blocks);
	kvfree(dev->segments);
	kfree(dev);
}

static int rt_device_memory(struct rt_device *dev, int node)
{
	struct rt_ring *ring = &dev->ring;

	ring->block_bytes = rt_params.block_kb * 1024;
	ring->count = rt_params.buffer_mb * 1024 / rt_params.block_kb;
	dev->data_bytes = (size_t)ring->count * ring->block_bytes;
	dev->index_bytes = PAGE_ALIGN(sizeof(*ring->index) + ring->count * sizeof(ring->index->slots[0]));
	dev->segments = kvcalloc(dev->segment_count, sizeof(*dev->segments), GFP_KERNEL);
	ring->blocks = kvcalloc(ring->count, sizeof(*ring->blocks), GFP_KERNEL);
	ring->index = vzalloc(dev->index_bytes);
	ring->data = rt_allocate(dev->data_bytes, node);
	if (!dev->segments || !ring->blocks || !ring->index || !ring->data)
		return -ENOMEM;
	return 0;
}

/* The last counters, so that they stay readable when the NIC is gone. Under dev->lock. */
static void rt_refresh_locked(struct rt_device *dev)
{
	struct ringtap_nic_stats *s = &dev->nic_stats;

	if (READ_ONCE(dev->gone))
		return;
	s->received = s->missed = s->no_buffer = s->errors = RINGTAP_UNKNOWN;
	dev->ops->stats(dev, s);
	WRITE_ONCE(dev->ring.counters.if_drops, s->missed);
}

/* Hardware counters are 32 bits wide and links change unseen: look once a second. */
static void rt_refresh(struct work_struct *work)
{
	struct rt_device *dev = container_of(work, struct rt_device, refresh.work);

	mutex_lock(&dev->lock);
	rt_refresh_locked(dev);
	mutex_unlock(&dev->lock);
	schedule_delayed_work(&dev->refresh, HZ);
}

void rt_device_nic_stats(struct rt_device *dev, struct ringtap_nic_stats *stats)
{
	mutex_lock(&dev->lock);
	rt_refresh_locked(dev);
	*stats = dev->nic_stats;
	mutex_unlock(&dev->lock);
}

struct rt_device *rt_device_create(const struct nic_ops *ops, void *nic, const char *source, u32 descriptors,
				   int node)
{
	struct rt_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int id;
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	id = ida_alloc_max(&rt_ida, RT_DEVICES_MAX - 1, GFP_KERNEL);
	if (id < 0) {
		kfree(dev);
		return ERR_PTR(id);
	}
	dev->ops = ops;
	dev->nic = nic;
	dev->descriptors = descriptors;
	dev->segment_count = min(rt_params.segments, descriptors);
	dev->snaplen = RT_SNAPLEN_DEFAULT;
	strscpy(dev->source, source, sizeof(dev->source));
	mutex_init(&dev->lock);
	init_waitqueue_head(&dev->published_wait);
	init_waitqueue_head(&dev->sealed_wait);
	INIT_DELAYED_WORK(&dev->refresh, rt_refresh);
	device_initialize(&dev->dev);
	dev->dev.class = rt_class;
	dev->dev.devt = MKDEV(MAJOR(rt_devt), id);
	dev->dev.groups = rt_device_groups;
	dev->dev.release = rt_device_release;
	set_dev_node(&dev->dev, node);
	err = dev_set_name(&dev->dev, "ringtap%d", id);
	if (!err)
		err = rt_device_memory(dev, node);
	if (!err)
		err = rt_ring_init(&dev->ring, dev->segment_count, rt_params.listeners);
	if (err) {
		put_device(&dev->dev);
		return ERR_PTR(err);
	}
	dev->ring.counters.started_ts_ns = ktime_get_real_ns();
	dev->ring.counters.if_drops = RINGTAP_UNKNOWN;
	dev->ring.counters.os_drops = 0;
	return dev;
}

int rt_device_start(struct rt_device *dev)
{
	int err;

	cdev_init(&dev->cdev, &rt_file_ops);
	dev->cdev.owner = THIS_MODULE;
	err = rt_segments_start(dev, dev_to_node(&dev->dev));
	if (err)
		goto stop_segments;
	err = dev->ops->start(dev);
	if (err)
		goto stop_segments;
	err = cdev_device_add(&dev->cdev, &dev->dev);
	if (err)
		goto stop_nic;
	err = rt_sysfs_add_segments(dev);
	if (err)
		goto delete_cdev;
	schedule_delayed_work(&dev->refresh, 0);
	dev_info(&dev->dev, "%s %s: %u descriptors in %u segments, %u blocks of %u KiB\n", dev->ops->name,
		 dev->source, dev->descriptors, dev->segment_count, dev->ring.count, dev->ring.block_bytes / 1024);
	return 0;

delete_cdev:
	/* Somebody may have it open already. */
	rt_device_halt(dev);
	cdev_device_del(&dev->cdev, &dev->dev);
	return err;
stop_nic:
	dev->ops->stop(dev);
stop_segments:
	rt_segments_stop(dev);
	return err;
}

/* Stops the NIC, lets the pollers drain it, seals the tail and tells the listeners. Idempotent. */
void rt_device_halt(struct rt_device *dev)
{
	cancel_delayed_work_sync(&dev->refresh);
	if (READ_ONCE(dev->gone))
		return;
	dev->ops->stop(dev);
	rt_segments_stop(dev);
	mutex_lock(&dev->lock);
	rt_refresh_locked(dev);
	rt_ring_flush(&dev->ring, RINGTAP_UNKNOWN, ktime_get_real_ns());
	/* Pairs with the acquire in rt_ioctl_take: the tail is sealed. */
	smp_store_release(&dev->gone, true);
	mutex_unlock(&dev->lock);
	wake_up_interruptible_all(&dev->published_wait);
	wake_up_interruptible_all(&dev->sealed_wait);
}

/* After rt_device_start() succeeded. */
void rt_device_destroy(struct rt_device *dev)
{
	rt_device_halt(dev);
	rt_sysfs_remove_segments(dev);
	cdev_device_del(&dev->cdev, &dev->dev);
	put_device(&dev->dev);
}

int rt_devices_init(void)
{
	int err = alloc_chrdev_region(&rt_devt, 0, RT_DEVICES_MAX, "ringtap");

	if (err)
		return err;
	rt_class = rt_class_create("ringtap");
	if (IS_ERR(rt_class)) {
		unregister_chrdev_region(rt_devt, RT_DEVICES_MAX);
		return PTR_ERR(rt_class);
	}
	return 0;
}

void rt_devices_exit(void)
{
	class_destroy(rt_class);
	unregister_chrdev_region(rt_devt, RT_DEVICES_MAX);
	ida_destroy(&rt_ida);
}
