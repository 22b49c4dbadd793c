// SPDX-License-Identifier: GPL-2.0
/*
 * the pollers: one kernel thread per segment of the descriptor ring. Each looks only at its
 * own descriptors, stamps and filters what is finished, copies it once into the ring, commits, and gives
 * the descriptors back. Never waits for a listener or for another poller.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/topology.h>

#include "device.h"

#define RT_FLUSH_CHECK_POLLS 256

static void rt_count(u64 *counter, u64 n)
{
	WRITE_ONCE(*counter, *counter + n);
}

/* Bytes to keep of a frame, 0 when it is not to be stored. */
static u32 rt_judge(struct rt_segment *seg, const struct bpf_prog *filter, const struct rt_frame *frame, u32 keep_max)
{
	u32 keep = min(frame->len, keep_max);

	if (frame->error) {
		rt_count(&seg->stats.errors, 1);
		return 0;
	}
	if (filter)
		keep = min(keep, rt_filter_run(filter, seg->skb, frame));
	if (!keep)
		rt_count(&seg->stats.filtered, 1);
	else if (keep < frame->len)
		rt_count(&seg->stats.truncated, 1);
	return keep;
}

/* Stamps and judges the frames; returns how many fit one reservation. */
static u32 rt_prepare(struct rt_segment *seg, struct rt_batch *batch, u32 n)
{
	const u32 bytes_max = rt_ring_batch_bytes_max(&seg->dev->ring);
	const u32 keep_max = min(READ_ONCE(seg->dev->snaplen), bytes_max - RT_EPB_OVERHEAD_BYTES - 3);
	const struct bpf_prog *filter;
	u32 i;

	rcu_read_lock();
	filter = rcu_dereference(seg->dev->filter);
	for (i = 0; i < n; i++) {
		/* The frame's whole length as a bound: it is judged once only. */
		if (batch->bytes + rt_epb_bytes(min(seg->frames[i].len, keep_max)) > bytes_max)
			break;
		seg->ts_ns[i] = ktime_get_real_ns();
		seg->keep[i] = rt_judge(seg, filter, &seg->frames[i], keep_max);
		if (!seg->keep[i])
			continue;
		if (!batch->packets++)
			batch->first_ts_ns = seg->ts_ns[i];
		batch->last_ts_ns = seg->ts_ns[i];
		batch->bytes += rt_epb_bytes(seg->keep[i]);
		batch->wire_bytes += seg->frames[i].len;
	}
	rcu_read_unlock();
	return i;
}

static void rt_copy(struct rt_segment *seg, u8 *at, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (seg->keep[i])
			at += rt_put_epb(at, seg->ts_ns[i], seg->frames[i].data, seg->keep[i], seg->frames[i].len);
}

static void rt_wake(struct rt_device *dev, bool sealed)
{
	if (wq_has_sleeper(&dev->published_wait))
		wake_up_interruptible_poll(&dev->published_wait, EPOLLIN | EPOLLRDNORM);
	if (sealed && wq_has_sleeper(&dev->sealed_wait))
		wake_up_interruptible_poll(&dev->sealed_wait, EPOLLIN | EPOLLRDNORM);
}

/* The heart: reserve, copy, commit. */
static void rt_store(struct rt_segment *seg, struct rt_batch *batch, u32 n)
{
	struct rt_ring *ring = &seg->dev->ring;

	batch->received = seg->unreported;
	if (!rt_ring_reserve(ring, seg->index, batch)) {
		rt_count(&seg->stats.pool_drops, batch->packets);
		return;
	}
	seg->unreported = 0;
	rt_copy(seg, batch->at, n);
	rt_wake(seg->dev, rt_ring_commit(ring, seg->index, batch));
	rt_count(&seg->stats.published, batch->packets);
	rt_count(&seg->stats.published_bytes, batch->wire_bytes);
	rt_count(&seg->stats.batches, 1);
	if (batch->reordered)
		rt_count(&seg->stats.reordered, batch->packets);
}

static void rt_advance_segment(struct rt_segment *seg, u32 n)
{
	seg->next += n;
	seg->arrival += n;
	if (seg->next == seg->first + seg->count) {
		seg->next = seg->first;
		seg->arrival += seg->dev->descriptors - seg->count;
	}
}

/* One look at the segment; how many descriptors were finished. */
static u32 rt_poll_once(struct rt_segment *seg)
{
	struct rt_device *dev = seg->dev;
	struct rt_batch batch = { .arrival = seg->arrival };
	u32 n = min_t(u32, RT_BATCH_FRAMES, seg->first + seg->count - seg->next);

	n = dev->ops->harvest(dev, seg, seg->frames, n);
	if (!n)
		return 0;
	if (READ_ONCE(dev->ring.listeners)) {
		n = rt_prepare(seg, &batch, n);
		batch.arrival_end = seg->arrival + n;
		seg->unreported += n;
		if (batch.packets)
			rt_store(seg, &batch, n);
	} else {
		rt_count(&seg->stats.unclaimed, n);
	}
	rt_count(&seg->stats.received, n);
	dev->ops->give_back(dev, seg, n);
	rt_advance_segment(seg, n);
	return n;
}

/* Nothing has come: seal what has waited long enough, then be kind to the others on this CPU. */
static void rt_idle(struct rt_segment *seg)
{
	struct rt_device *dev = seg->dev;

	bool sleepy = seg->idle++ >= rt_params.spin && rt_params.idle_us;

	if (seg->index == 0 && (sleepy || seg->idle % RT_FLUSH_CHECK_POLLS == 0)) {
		u64 now_ns = ktime_get_real_ns();

		if (rt_ring_flush(&dev->ring, now_ns - rt_params.flush_ms * NSEC_PER_MSEC, now_ns))
			rt_wake(dev, true);
	}
	if (sleepy)
		usleep_range(rt_params.idle_us, 2 * rt_params.idle_us);
	else
		cpu_relax();
}

static int rt_poller(void *data)
{
	struct rt_segment *seg = data;

	while (!kthread_should_stop()) {
		if (rt_poll_once(seg))
			seg->idle = 0;
		else
			rt_idle(seg);
		cond_resched();
	}
	/* The NIC is stopped: at most one lap is left. */
	while (rt_poll_once(seg))
		cond_resched();
	return 0;
}

static void rt_segment_init(struct rt_device *dev, u32 index)
{
	struct rt_segment *seg = &dev->segments[index];

	seg->dev = dev;
	seg->index = index;
	seg->count = dev->descriptors / dev->segment_count;
	seg->first = index * seg->count;
	if (index == dev->segment_count - 1)
		seg->count = dev->descriptors - seg->first;
	seg->next = seg->first;
	seg->arrival = seg->first;
}

static int rt_segment_cpu(u32 index, int node)
{
	return index < rt_params.cpus_given ? rt_params.cpus[index] : cpumask_local_spread(index, node);
}

static int rt_segment_start(struct rt_device *dev, u32 index, int node)
{
	struct rt_segment *seg = &dev->segments[index];
	int cpu = rt_segment_cpu(index, node);
	struct task_struct *task;

	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	seg->skb = rt_filter_skb_create();
	if (!seg->skb)
		return -ENOMEM;
	task = kthread_create_on_node(rt_poller, seg, cpu_to_node(cpu), "%s/%u", dev_name(&dev->dev), index);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	seg->task = task;
	wake_up_process(task);
	return 0;
}

/* On failure the caller calls rt_segments_stop(). */
int rt_segments_start(struct rt_device *dev, int node)
{
	u32 index;
	int err;

	for (index = 0; index < dev->segment_count; index++)
		rt_segment_init(dev, index);
	for (index = 0; index < dev->segment_count; index++) {
		err = rt_segment_start(dev, index, node);
		if (err)
			return err;
	}
	return 0;
}

/* Idempotent. After it no poller runs and everything harvested is published. */
void rt_segments_stop(struct rt_device *dev)
{
	u32 index;

	for (index = 0; index < dev->segment_count; index++) {
		struct rt_segment *seg = &dev->segments[index];

		if (seg->task)
			kthread_stop(seg->task);
		seg->task = NULL;
		rt_filter_skb_destroy(seg->skb);
		seg->skb = NULL;
	}
}
