// SPDX-License-Identifier: GPL-2.0
/*
 * the counters, one value a file, below /sys/class/ringtap/ringtapN:
 *
 *   backend source snaplen ...          the device
 *   nic/{received,missed,...}           what happened before the ring; "unknown" where nobody can tell
 *   segments/0/{received,filtered,...}  struct ringtap_segment_stats
 *   listeners/7/{offered,lost,...}      struct ringtap_listener_stats, while it is open
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "device.h"

static struct rt_device *rt_from(struct device *d)
{
	return container_of(d, struct rt_device, dev);
}

static ssize_t rt_emit(char *text, u64 value)
{
	return value == RINGTAP_UNKNOWN ? sysfs_emit(text, "unknown\n") : sysfs_emit(text, "%llu\n", value);
}

/* --- the device --- */

static ssize_t backend_show(struct device *d, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%s\n", rt_from(d)->ops->name);
}
static DEVICE_ATTR_RO(backend);

static ssize_t source_show(struct device *d, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%s\n", rt_from(d)->source);
}
static DEVICE_ATTR_RO(source);

static ssize_t blocks_show(struct device *d, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", rt_from(d)->ring.count);
}
static DEVICE_ATTR_RO(blocks);

static ssize_t block_bytes_show(struct device *d, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", rt_from(d)->ring.block_bytes);
}
static DEVICE_ATTR_RO(block_bytes);

static ssize_t snaplen_show(struct device *d, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", READ_ONCE(rt_from(d)->snaplen));
}
static DEVICE_ATTR_RO(snaplen);

static ssize_t published_show(struct device *d, struct device_attribute *attr, char *text)
{
	return rt_emit(text, READ_ONCE(rt_from(d)->ring.index->published_packets));
}
static DEVICE_ATTR_RO(published);

static ssize_t generate_store(struct device *d, struct device_attribute *attr, const char *text, size_t count)
{
	struct rt_device *dev = rt_from(d);
	int err = dev->ops->generate ? dev->ops->generate(dev, text) : -EOPNOTSUPP;

	return err ? err : count;
}
static DEVICE_ATTR_WO(generate);

static struct attribute *rt_device_attrs[] = {
	&dev_attr_backend.attr,	 &dev_attr_source.attr,	   &dev_attr_blocks.attr,   &dev_attr_block_bytes.attr,
	&dev_attr_snaplen.attr,	 &dev_attr_published.attr, &dev_attr_generate.attr, NULL,
};

static const struct attribute_group rt_device_group = { .attrs = rt_device_attrs };

#define RT_NIC_COUNTER(field)                                                                      \
	static ssize_t field##_show(struct device *d, struct device_attribute *attr, char *text) \
	{                                                                                          \
		struct ringtap_nic_stats stats;                                                    \
												   \
		rt_device_nic_stats(rt_from(d), &stats);                                           \
		return rt_emit(text, stats.field);                                                 \
	}                                                                                          \
	static DEVICE_ATTR_RO(field)

RT_NIC_COUNTER(received);
RT_NIC_COUNTER(missed);
RT_NIC_COUNTER(no_buffer);
RT_NIC_COUNTER(errors);
RT_NIC_COUNTER(link_changes);
RT_NIC_COUNTER(link_up);

static struct attribute *rt_nic_attrs[] = {
	&dev_attr_received.attr, &dev_attr_missed.attr,	 &dev_attr_no_buffer.attr, &dev_attr_errors.attr,
	&dev_attr_link_changes.attr, &dev_attr_link_up.attr, NULL,
};

static const struct attribute_group rt_nic_group = { .name = "nic", .attrs = rt_nic_attrs };

const struct attribute_group *rt_device_groups[] = { &rt_device_group, &rt_nic_group, NULL };

/* --- segments and listeners: directories of u64 counters that lie in one struct --- */

struct rt_counter {
	struct attribute attr;
	u32 index;	/* of the u64 in the struct */
};

#define RT_COUNTER(type, field)                                                          \
	{                                                                                \
		.attr = { .name = #field, .mode = 0444 },                                \
		.index = offsetof(struct ringtap_##type##_stats, field) / sizeof(u64),   \
	}

static struct rt_counter rt_segment_counters[] = {
	RT_COUNTER(segment, received),	RT_COUNTER(segment, errors),	      RT_COUNTER(segment, filtered),
	RT_COUNTER(segment, unclaimed), RT_COUNTER(segment, pool_drops),      RT_COUNTER(segment, published),
	RT_COUNTER(segment, truncated), RT_COUNTER(segment, published_bytes), RT_COUNTER(segment, reordered),
	RT_COUNTER(segment, batches),
};

static struct rt_counter rt_listener_counters[] = {
	RT_COUNTER(listener, offered), RT_COUNTER(listener, delivered), RT_COUNTER(listener, lost),
	RT_COUNTER(listener, pending),
};

static ssize_t rt_segment_show(struct kobject *kobj, struct attribute *attr, char *text)
{
	const struct rt_segment *seg = container_of(kobj, struct rt_segment, kobj);
	const u64 *counters = (const u64 *)&seg->stats;

	return rt_emit(text, READ_ONCE(counters[container_of(attr, struct rt_counter, attr)->index]));
}

static ssize_t rt_listener_show(struct kobject *kobj, struct attribute *attr, char *text)
{
	struct rt_file *file = container_of(kobj, struct rt_file, kobj);
	struct ringtap_listener_stats stats;

	rt_ring_listener_stats(&file->dev->ring, &file->listener, &stats);
	return rt_emit(text, ((u64 *)&stats)[container_of(attr, struct rt_counter, attr)->index]);
}

/* Segments live in an array of the device, whose reference their directory holds. */
static void rt_segment_kobj_release(struct kobject *kobj)
{
	put_device(&container_of(kobj, struct rt_segment, kobj)->dev->dev);
}

static void rt_file_kobj_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct rt_file, kobj));
}

static const struct sysfs_ops rt_segment_sysfs_ops = { .show = rt_segment_show };
static const struct sysfs_ops rt_listener_sysfs_ops = { .show = rt_listener_show };
static const struct kobj_type rt_segment_type = {
	.sysfs_ops = &rt_segment_sysfs_ops,
	.release = rt_segment_kobj_release,
};
static const struct kobj_type rt_listener_type = {
	.sysfs_ops = &rt_listener_sysfs_ops,
	.release = rt_file_kobj_release,
};

static int rt_add_counters(struct kobject *kobj, struct rt_counter *counters, u32 count)
{
	int err = 0;
	u32 i;

	for (i = 0; i < count && !err; i++)
		err = sysfs_create_file(kobj, &counters[i].attr);
	return err;
}

static int rt_add_segment(struct rt_device *dev, u32 index)
{
	struct kobject *kobj = &dev->segments[index].kobj;
	int err;

	get_device(&dev->dev);
	kobject_init(kobj, &rt_segment_type);
	err = kobject_add(kobj, dev->segments_dir, "%u", index);
	if (!err)
		err = rt_add_counters(kobj, rt_segment_counters, ARRAY_SIZE(rt_segment_counters));
	return err;
}

int rt_sysfs_add_segments(struct rt_device *dev)
{
	int err = 0;
	u32 index;

	dev->segments_dir = kobject_create_and_add("segments", &dev->dev.kobj);
	dev->listeners_dir = kobject_create_and_add("listeners", &dev->dev.kobj);
	if (!dev->segments_dir || !dev->listeners_dir)
		err = -ENOMEM;
	for (index = 0; index < dev->segment_count && !err; index++)
		err = rt_add_segment(dev, index);
	if (err)
		rt_sysfs_remove_segments(dev);
	return err;
}

/* Also for a half-finished add: what was never initialised is left alone. */
void rt_sysfs_remove_segments(struct rt_device *dev)
{
	u32 index;

	for (index = 0; index < dev->segment_count; index++) {
		struct kobject *kobj = &dev->segments[index].kobj;

		if (!kobj->state_initialized)
			continue;
		kobject_del(kobj);
		kobject_put(kobj);
	}
	mutex_lock(&dev->lock);
	kobject_put(dev->segments_dir);
	kobject_put(dev->listeners_dir);
	dev->segments_dir = NULL;
	dev->listeners_dir = NULL;
	mutex_unlock(&dev->lock);
}

void rt_sysfs_init_file(struct rt_file *file)
{
	kobject_init(&file->kobj, &rt_listener_type);
}

/* Under dev->lock. */
int rt_sysfs_add_file(struct rt_file *file, u64 number)
{
	int err;

	if (!file->dev->listeners_dir)
		return -ENODEV;
	err = kobject_add(&file->kobj, file->dev->listeners_dir, "%llu", number);
	if (!err)
		err = rt_add_counters(&file->kobj, rt_listener_counters, ARRAY_SIZE(rt_listener_counters));
	if (err)
		kobject_del(&file->kobj);
	return err;
}
