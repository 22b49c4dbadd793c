// SPDX-License-Identifier: GPL-2.0
/*
 * a NIC without hardware: descriptors filled at memory speed by a kernel thread (sysfs
 * `generate`) or by user space (write). For tests and for finding the limits of everything behind it.
 *
 * A descriptor belongs to the filler while `len` is 0, to its poller otherwise; the store and load of
 * `len` order the frame's bytes. Fillers take turns under sim->fill_lock.
 *
 * A generated frame is a broadcast of EtherType 0x88B5 (IEEE 802 local experimental) holding its number,
 * 64 bits in this machine's byte order, and then the bytes (offset & 0xff).
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "device.h"

#define SIM_DEVICES_MAX 8
#define SIM_ETHERTYPE 0x88B5
#define SIM_FRAME_BYTES_MIN (ETH_HLEN + 8)

static unsigned int sim_devices;
module_param_named(sim, sim_devices, uint, 0444);
MODULE_PARM_DESC(sim, "simulated NICs to create (0 to 8)");

struct sim_descriptor {
	u32 len;
	u8 *frame;
};

/* What the generator was told to do. */
struct sim_order {
	u64 frames;
	u32 bytes;		/* 0: sizes 64, 65, 66... around the largest */
	u32 rate;		/* frames a second, 0: as fast as memory */
	bool drop;		/* a full ring loses the frame instead of waiting */
};

struct sim_nic {
	struct rt_device *dev;
	struct sim_descriptor *ring;
	u8 *frames;
	u32 count;
	u32 head;		/* next descriptor to fill; under fill_lock */
	u64 number;		/* of the next generated frame */
	struct mutex fill_lock;
	struct task_struct *generator;
	wait_queue_head_t wait;
	struct sim_order order;	/* frames == 0: idle */
	u64 received;
	u64 missed;
};

static struct sim_nic *sim_nics[SIM_DEVICES_MAX];

/* The descriptor to fill next, or NULL when the ring is full. Under fill_lock. */
static struct sim_descriptor *sim_free_descriptor(struct sim_nic *sim)
{
	struct sim_descriptor *d = &sim->ring[sim->head];

	/* Pairs with sim_give_back: the poller has read the old frame. */
	return smp_load_acquire(&d->len) ? NULL : d;
}

/* Under fill_lock. */
static void sim_fill_done(struct sim_nic *sim, struct sim_descriptor *d, u32 len)
{
	/* Pairs with sim_harvest: the frame is written. */
	smp_store_release(&d->len, len);
	sim->head = (sim->head + 1) % sim->count;
	WRITE_ONCE(sim->received, sim->received + 1);
}

static u32 sim_next_bytes(const struct sim_order *order, u64 number)
{
	return order->bytes ? order->bytes : 64 + (u32)(number % (ETH_FRAME_LEN - 64 + 1));
}

/* True when a frame was made or lost, false when the ring is full and the order says to wait. */
static bool sim_generate_one(struct sim_nic *sim, const struct sim_order *order)
{
	struct sim_descriptor *d;

	mutex_lock(&sim->fill_lock);
	d = sim_free_descriptor(sim);
	if (d) {
		memcpy(d->frame + ETH_HLEN, &sim->number, sizeof(sim->number));
		sim_fill_done(sim, d, sim_next_bytes(order, sim->number));
	} else if (order->drop) {
		WRITE_ONCE(sim->missed, sim->missed + 1);
	}
	if (d || order->drop)
		sim->number++;
	mutex_unlock(&sim->fill_lock);
	return d || order->drop;
}

/* Frames that are due by now at the order's rate. */
static u64 sim_due(const struct sim_order *order, u64 started_ns)
{
	u64 elapsed_us = div_u64(ktime_get_ns() - started_ns, NSEC_PER_USEC);

	return order->rate ? div_u64(elapsed_us * order->rate, USEC_PER_SEC) : U64_MAX;
}

static void sim_run_order(struct sim_nic *sim)
{
	struct sim_order order = sim->order;
	u64 started_ns = ktime_get_ns();
	u64 done = 0;

	while (done < order.frames && !kthread_should_stop()) {
		u64 due = min(order.frames, sim_due(&order, started_ns));
		u32 burst = 0;

		while (done < due && burst < RT_BATCH_FRAMES && sim_generate_one(sim, &order)) {
			done++;
			burst++;
		}
		/* Nothing due, or a full ring: its pollers may want this CPU. */
		if (!burst)
			usleep_range(5, 20);
		cond_resched();
	}
}

static int sim_generator(void *data)
{
	struct sim_nic *sim = data;

	while (!kthread_should_stop()) {
		wait_event_interruptible(sim->wait, READ_ONCE(sim->order.frames) || kthread_should_stop());
		if (kthread_should_stop())
			break;
		sim_run_order(sim);
		WRITE_ONCE(sim->order.frames, 0);
	}
	return 0;
}

/* "FRAMES BYTES RATE wait|drop"; -EBUSY while an order is under way. */
static int sim_generate(struct rt_device *dev, const char *text)
{
	struct sim_nic *sim = dev->nic;
	struct sim_order order;
	char policy[5];
	int err = 0;

	if (sscanf(text, "%llu %u %u %4s", &order.frames, &order.bytes, &order.rate, policy) != 4)
		return -EINVAL;
	order.drop = !strcmp(policy, "drop");
	if (!order.drop && strcmp(policy, "wait"))
		return -EINVAL;
	if (order.bytes && (order.bytes < SIM_FRAME_BYTES_MIN || order.bytes > rt_params.frame_bytes))
		return -EINVAL;
	mutex_lock(&dev->lock);
	if (READ_ONCE(sim->order.frames)) {
		err = -EBUSY;
	} else {
		sim->order.bytes = order.bytes;
		sim->order.rate = order.rate;
		sim->order.drop = order.drop;
		WRITE_ONCE(sim->order.frames, order.frames);	/* wake_up orders */
		wake_up(&sim->wait);
	}
	mutex_unlock(&dev->lock);
	return err;
}

/* One frame of a write: its length (u32), then its bytes. 0, or -errno with nothing consumed that counts. */
static int sim_inject_one(struct sim_nic *sim, struct iov_iter *from)
{
	struct sim_descriptor *d;
	u32 len;
	int err = 0;

	if (!copy_from_iter_full(&len, sizeof(len), from))
		return -EFAULT;
	if (!len || len > rt_params.frame_bytes || len > iov_iter_count(from))
		return -EINVAL;
	mutex_lock(&sim->fill_lock);
	d = sim_free_descriptor(sim);
	if (!d)
		err = -EAGAIN;
	else if (!copy_from_iter_full(d->frame, len, from))
		err = -EFAULT;
	else
		sim_fill_done(sim, d, len);
	mutex_unlock(&sim->fill_lock);
	return err;
}

/* Whole frames only: returns the bytes of those taken, like a short write, when the ring fills up. */
static ssize_t sim_inject(struct rt_device *dev, struct iov_iter *from)
{
	size_t total = iov_iter_count(from);
	size_t taken = 0;
	int err = 0;

	while (iov_iter_count(from) && !err && !signal_pending(current)) {
		err = sim_inject_one(dev->nic, from);
		if (!err)
			taken = total - iov_iter_count(from);
		cond_resched();
	}
	return taken ? taken : err;
}

static u32 sim_harvest(struct rt_device *dev, struct rt_segment *seg, struct rt_frame *frames, u32 max)
{
	struct sim_nic *sim = dev->nic;
	u32 i;

	for (i = 0; i < max; i++) {
		struct sim_descriptor *d = &sim->ring[rt_descriptor(seg, i)];

		/* Pairs with sim_fill_done. */
		frames[i].len = smp_load_acquire(&d->len);
		if (!frames[i].len)
			break;
		frames[i].data = d->frame;
		frames[i].error = false;
	}
	return i;
}

static void sim_give_back(struct rt_device *dev, struct rt_segment *seg, u32 n)
{
	struct sim_nic *sim = dev->nic;
	u32 i;

	for (i = 0; i < n; i++) {
		/* Pairs with sim_free_descriptor. */
		smp_store_release(&sim->ring[rt_descriptor(seg, i)].len, 0);
	}
}

static void sim_stats(struct rt_device *dev, struct ringtap_nic_stats *stats)
{
	struct sim_nic *sim = dev->nic;

	stats->received = READ_ONCE(sim->received);
	stats->missed = READ_ONCE(sim->missed);
	stats->errors = 0;
	stats->link_up = 1;
}

static int sim_start(struct rt_device *dev)
{
	struct sim_nic *sim = dev->nic;
	struct task_struct *task = kthread_run(sim_generator, sim, "%s/sim", dev_name(&dev->dev));

	if (IS_ERR(task))
		return PTR_ERR(task);
	sim->generator = task;
	return 0;
}

static void sim_stop(struct rt_device *dev)
{
	struct sim_nic *sim = dev->nic;

	kthread_stop(sim->generator);
}

static const struct nic_ops sim_ops = {
	.name = "sim",
	.start = sim_start,
	.stop = sim_stop,
	.harvest = sim_harvest,
	.give_back = sim_give_back,
	.stats = sim_stats,
	.inject = sim_inject,
	.generate = sim_generate,
};

static void sim_nic_free(struct sim_nic *sim)
{
	vfree(sim->frames);
	vfree(sim->ring);
	kfree(sim);
}

/* All but the number is written once, here. */
static void sim_template(u8 *frame, u32 bytes)
{
	struct ethhdr *eth = (struct ethhdr *)frame;
	u32 i;

	for (i = 0; i < bytes; i++)
		frame[i] = (u8)i;
	eth_broadcast_addr(eth->h_dest);
	eth_zero_addr(eth->h_source);
	eth->h_source[0] = 2;	/* locally administered */
	eth->h_proto = htons(SIM_ETHERTYPE);
}

static struct sim_nic *sim_nic_alloc(void)
{
	struct sim_nic *sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	u32 i;

	if (!sim)
		return NULL;
	sim->count = rt_params.ring;
	sim->ring = vzalloc(array_size(sim->count, sizeof(*sim->ring)));
	sim->frames = vzalloc(array_size(sim->count, rt_params.frame_bytes));
	if (!sim->ring || !sim->frames) {
		sim_nic_free(sim);
		return NULL;
	}
	for (i = 0; i < sim->count; i++) {
		sim->ring[i].frame = sim->frames + (size_t)i * rt_params.frame_bytes;
		sim_template(sim->ring[i].frame, rt_params.frame_bytes);
	}
	mutex_init(&sim->fill_lock);
	init_waitqueue_head(&sim->wait);
	return sim;
}

static int sim_create_one(unsigned int index)
{
	struct sim_nic *sim = sim_nic_alloc();
	struct rt_device *dev;
	char name[16];
	int err;

	if (!sim)
		return -ENOMEM;
	snprintf(name, sizeof(name), "sim%u", index);
	dev = rt_device_create(&sim_ops, sim, name, sim->count, NUMA_NO_NODE);
	if (IS_ERR(dev)) {
		sim_nic_free(sim);
		return PTR_ERR(dev);
	}
	err = rt_device_start(dev);
	if (err) {
		put_device(&dev->dev);
		sim_nic_free(sim);
		return err;
	}
	sim->dev = dev;
	sim_nics[index] = sim;
	return 0;
}

void rt_sim_destroy(void)
{
	unsigned int i;

	for (i = 0; i < SIM_DEVICES_MAX; i++) {
		if (!sim_nics[i])
			continue;
		rt_device_destroy(sim_nics[i]->dev);
		sim_nic_free(sim_nics[i]);
		sim_nics[i] = NULL;
	}
}

int rt_sim_create(void)
{
	unsigned int i;
	int err;

	if (sim_devices > SIM_DEVICES_MAX)
		return -EINVAL;
	for (i = 0; i < sim_devices; i++) {
		err = sim_create_one(i);
		if (err) {
			rt_sim_destroy();
			return err;
		}
	}
	return 0;
}
