// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ringtapN: what listeners may ask, see ringtap_uapi.h. Everything from user space is
 * hostile: sizes and slots are checked, nothing the user can write is ever read back, and both regions
 * can only be mapped for reading.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "device.h"

#define RT_LINKTYPE_ETHERNET 1

/* Under dev->lock. What one listener asked for must not outlive it. */
static void rt_reset_choices(struct rt_device *dev)
{
	static const struct ringtap_filter none;

	rt_filter_set(dev, &none);
	WRITE_ONCE(dev->snaplen, RT_SNAPLEN_DEFAULT);
}

static int rt_open(struct inode *inode, struct file *filp)
{
	struct rt_device *dev = container_of(inode->i_cdev, struct rt_device, cdev);
	struct rt_file *file;
	int err;

	if (!capable(CAP_NET_RAW))
		return -EPERM;
	file = kzalloc(struct_size(file, leased, dev->ring.count), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	file->dev = dev;
	get_device(&dev->dev);
	rt_sysfs_init_file(file);
	mutex_lock(&dev->lock);
	err = READ_ONCE(dev->gone) ? -ENODEV : rt_ring_attach(&dev->ring, &file->listener, file->leased);
	if (!err) {
		err = rt_sysfs_add_file(file, ++dev->listeners_ever);
		if (err)
			rt_ring_detach(&dev->ring, &file->listener);
	}
	mutex_unlock(&dev->lock);
	if (err) {
		kobject_put(&file->kobj);
		put_device(&dev->dev);
		return err;
	}
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int rt_release(struct inode *inode, struct file *filp)
{
	struct rt_file *file = filp->private_data;
	struct rt_device *dev = file->dev;

	kobject_del(&file->kobj);
	mutex_lock(&dev->lock);
	rt_ring_detach(&dev->ring, &file->listener);
	if (!dev->ring.listeners)
		rt_reset_choices(dev);
	mutex_unlock(&dev->lock);
	kobject_put(&file->kobj);
	put_device(&dev->dev);
	return 0;
}

static long rt_ioctl_info(struct rt_device *dev, void __user *arg)
{
	struct ringtap_info info = {
		.abi_version = RINGTAP_ABI_VERSION,
		.blocks = dev->ring.count,
		.block_bytes = dev->ring.block_bytes,
		.header_bytes = RT_HEADER_BYTES,
		.data_bytes = dev->data_bytes,
		.index_bytes = dev->index_bytes,
		.linktype = RT_LINKTYPE_ETHERNET,
		.snaplen = READ_ONCE(dev->snaplen),
		.segments = dev->segment_count,
		.ring_descriptors = dev->descriptors,
		.leases_max = dev->ring.leases_max,
		.filter_instructions = READ_ONCE(dev->filter_instructions),
	};

	strscpy(info.backend, dev->ops->name, sizeof(info.backend));
	strscpy(info.source, dev->source, sizeof(info.source));
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long rt_ioctl_mode(struct rt_file *file, void __user *arg)
{
	u32 mode;

	if (copy_from_user(&mode, arg, sizeof(mode)))
		return -EFAULT;
	if (mode > RINGTAP_MODE_BLOCK)
		return -EINVAL;
	spin_lock(&file->dev->ring.lock);
	file->listener.mode = mode;
	spin_unlock(&file->dev->ring.lock);
	return 0;
}

static long rt_ioctl_take(struct rt_file *file, void __user *arg)
{
	/* Before the ring, pairing with rt_device_halt: what was published until it went is still given. */
	bool gone = smp_load_acquire(&file->dev->gone);
	struct ringtap_span span = { 0 };
	int err = rt_ring_take(&file->dev->ring, &file->listener, &span);

	if (err)
		return err == -EAGAIN && gone ? -ENODEV : err;
	/* A bad pointer loses the caller's own span: it is counted as delivered, and stays leased. */
	return copy_to_user(arg, &span, sizeof(span)) ? -EFAULT : 0;
}

static long rt_ioctl_release(struct rt_file *file, void __user *arg)
{
	u32 slot;

	if (copy_from_user(&slot, arg, sizeof(slot)))
		return -EFAULT;
	return rt_ring_release(&file->dev->ring, &file->listener, slot);
}

static long rt_ioctl_filter(struct rt_device *dev, void __user *arg)
{
	struct ringtap_filter filter;
	long err;

	if (copy_from_user(&filter, arg, sizeof(filter)))
		return -EFAULT;
	mutex_lock(&dev->lock);
	err = dev->ring.listeners > 1 ? -EBUSY : rt_filter_set(dev, &filter);
	mutex_unlock(&dev->lock);
	return err;
}

static long rt_ioctl_snaplen(struct rt_device *dev, void __user *arg)
{
	u32 snaplen;
	long err = 0;

	if (copy_from_user(&snaplen, arg, sizeof(snaplen)))
		return -EFAULT;
	if (!snaplen)
		return -EINVAL;
	mutex_lock(&dev->lock);
	if (dev->ring.listeners > 1)
		err = -EBUSY;
	else
		WRITE_ONCE(dev->snaplen, snaplen);
	mutex_unlock(&dev->lock);
	return err;
}

static long rt_ioctl_stats(struct rt_file *file, void __user *arg)
{
	struct rt_device *dev = file->dev;
	struct ringtap_stats *stats = kzalloc(sizeof(*stats), GFP_KERNEL);
	long err;
	u32 i;

	if (!stats)
		return -ENOMEM;
	rt_device_nic_stats(dev, &stats->nic);
	rt_ring_listener_stats(&dev->ring, &file->listener, &stats->listener);
	stats->segments = dev->segment_count;
	stats->listeners = READ_ONCE(dev->ring.listeners);
	for (i = 0; i < dev->segment_count; i++)
		stats->segment[i] = dev->segments[i].stats;
	err = copy_to_user(arg, stats, sizeof(*stats)) ? -EFAULT : 0;
	kfree(stats);
	return err;
}

static long rt_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct rt_file *file = filp->private_data;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case RINGTAP_IOC_INFO:
		return rt_ioctl_info(file->dev, user);
	case RINGTAP_IOC_MODE:
		return rt_ioctl_mode(file, user);
	case RINGTAP_IOC_TAKE:
		return rt_ioctl_take(file, user);
	case RINGTAP_IOC_RELEASE:
		return rt_ioctl_release(file, user);
	case RINGTAP_IOC_FILTER:
		return rt_ioctl_filter(file->dev, user);
	case RINGTAP_IOC_SNAPLEN:
		return rt_ioctl_snaplen(file->dev, user);
	case RINGTAP_IOC_STATS:
		return rt_ioctl_stats(file, user);
	default:
		return -ENOTTY;
	}
}

static __poll_t rt_poll(struct file *filp, poll_table *wait)
{
	struct rt_file *file = filp->private_data;
	struct rt_device *dev = file->dev;
	bool whole = READ_ONCE(file->listener.mode) == RINGTAP_MODE_BLOCK;
	__poll_t events = 0;

	poll_wait(filp, whole ? &dev->sealed_wait : &dev->published_wait, wait);
	if (READ_ONCE(dev->gone))
		events |= EPOLLHUP;
	if (rt_ring_readable(&dev->ring, &file->listener))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

/* The mapping holds the file, the file the device: the memory cannot go away under it. */
static vm_fault_t rt_fault(struct vm_fault *vmf)
{
	struct rt_file *file = vmf->vma->vm_private_data;
	struct rt_device *dev = file->dev;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	void *at;

	if (offset < dev->data_bytes)
		at = dev->ring.data + offset;
	else if (offset >= RINGTAP_MMAP_INDEX && offset - RINGTAP_MMAP_INDEX < dev->index_bytes)
		at = (u8 *)dev->ring.index + (offset - RINGTAP_MMAP_INDEX);
	else
		return VM_FAULT_SIGBUS;
	vmf->page = vmalloc_to_page(at);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct rt_vm_ops = {
	.fault = rt_fault,
};

/* Whether offset..offset+bytes lies in a region of `size` bytes that starts at `base`. */
static bool rt_within(u64 offset, u64 bytes, u64 base, u64 size)
{
	return offset >= base && bytes <= size && offset - base <= size - bytes;
}

static int rt_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct rt_file *file = filp->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 bytes = vma->vm_end - vma->vm_start;

	if (vma->vm_pgoff > (U64_MAX >> PAGE_SHIFT) ||
	    (!rt_within(offset, bytes, RINGTAP_MMAP_DATA, file->dev->data_bytes) &&
	     !rt_within(offset, bytes, RINGTAP_MMAP_INDEX, file->dev->index_bytes)))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	/* Nor may mprotect or mremap grant later what was refused now. */
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_private_data = file;
	vma->vm_ops = &rt_vm_ops;
	return 0;
}

static ssize_t rt_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct rt_file *file = iocb->ki_filp->private_data;

	if (!file->dev->ops->inject)
		return -EINVAL;
	return file->dev->ops->inject(file->dev, from);
}

const struct file_operations rt_file_ops = {
	.owner = THIS_MODULE,
	.open = rt_open,
	.release = rt_release,
	.unlocked_ioctl = rt_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = rt_poll,
	.mmap = rt_mmap,
	.write_iter = rt_write_iter,
};
