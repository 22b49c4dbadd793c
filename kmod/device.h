/* SPDX-License-Identifier: GPL-2.0 */
/*
 * one capture device: a backend, its segments' pollers, the ring they fill and the character
 * device that listeners open.
 *
 * Locks, outermost first: rtnl (netdev backend), dev->lock, ring.lock. Pollers take only ring.lock.
 */
#ifndef RINGTAP_DEVICE_H
#define RINGTAP_DEVICE_H

#include <linux/bpf.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/skbuff.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "nic.h"
#include "ring.h"

#define RT_BATCH_FRAMES 64
#define RT_SNAPLEN_DEFAULT 262144u

/* Module parameters, checked once by rt_params_check(). */
struct rt_params {
	unsigned int segments;
	unsigned int ring;		/* descriptors */
	unsigned int frame_bytes;	/* of one descriptor's buffer */
	unsigned int buffer_mb;
	unsigned int block_kb;
	unsigned int listeners;
	unsigned int spin;		/* empty polls before sleeping */
	unsigned int idle_us;		/* sleep between polls; 0 never sleeps */
	unsigned int flush_ms;		/* a block with packets is sealed after this */
	int cpus[RINGTAP_SEGMENTS_MAX];
	unsigned int cpus_given;
};

extern struct rt_params rt_params;

/* One fixed part of the descriptor ring. All but `stats` and `task` belong to its poller. */
struct rt_segment {
	struct rt_device *dev;
	u32 index;
	u32 first;		/* descriptor */
	u32 count;
	u32 next;		/* descriptor to look at */
	u64 arrival;		/* number of the frame in `next`: laps * ring + next */
	u64 unreported;		/* frames seen since the last reservation */
	u32 idle;
	struct sk_buff *skb;	/* shows frames to the filter, see filter.c */
	struct rt_frame frames[RT_BATCH_FRAMES];
	u32 keep[RT_BATCH_FRAMES];	/* bytes to store; 0: not stored */
	u64 ts_ns[RT_BATCH_FRAMES];
	/* written by the poller only, read by anyone with READ_ONCE */
	struct ringtap_segment_stats stats ____cacheline_aligned;
	struct task_struct *task;
	struct kobject kobj;
};

struct rt_device {
	struct device dev;
	struct cdev cdev;
	const struct nic_ops *ops;
	void *nic;		/* the backend's own */
	char source[32];
	u32 segment_count;
	u32 descriptors;
	struct rt_segment *segments;
	struct rt_ring ring;
	u32 index_bytes;
	size_t data_bytes;

	wait_queue_head_t published_wait;
	wait_queue_head_t sealed_wait;
	bool gone;		/* no more packets will come */
	struct bpf_prog __rcu *filter;
	u32 snaplen;		/* READ_ONCE by pollers */

	struct mutex lock;	/* the fields below, filter and snaplen writes, opening */
	u32 filter_instructions;
	u64 listeners_ever;
	struct ringtap_nic_stats nic_stats;
	struct delayed_work refresh;
	struct kobject *segments_dir;
	struct kobject *listeners_dir;
};

/* One open file. Freed by its kobject. */
struct rt_file {
	struct rt_device *dev;
	struct rt_listener listener;
	struct kobject kobj;
	u8 leased[];
};

/* The life of a device (device.c). `nic` stays the caller's and must outlive rt_device_destroy(). */
struct rt_device *rt_device_create(const struct nic_ops *ops, void *nic, const char *source, u32 descriptors,
				   int node);
int rt_device_start(struct rt_device *dev);
void rt_device_halt(struct rt_device *dev);
void rt_device_destroy(struct rt_device *dev);
void rt_device_nic_stats(struct rt_device *dev, struct ringtap_nic_stats *stats);
int rt_devices_init(void);
void rt_devices_exit(void);

/* segment.c */
int rt_segments_start(struct rt_device *dev, int node);
void rt_segments_stop(struct rt_device *dev);
/* Position of descriptor `i` (below seg->count) behind seg->next; never past the segment. */
static inline u32 rt_descriptor(const struct rt_segment *seg, u32 i)
{
	return seg->next + i;
}

/* filter.c */
int rt_filter_set(struct rt_device *dev, const struct ringtap_filter *filter);
struct sk_buff *rt_filter_skb_create(void);
void rt_filter_skb_destroy(struct sk_buff *skb);
u32 rt_filter_run(const struct bpf_prog *prog, struct sk_buff *skb, const struct rt_frame *frame);

/* chardev.c */
extern const struct file_operations rt_file_ops;

/* sysfs.c */
extern const struct attribute_group *rt_device_groups[];
int rt_sysfs_add_segments(struct rt_device *dev);
void rt_sysfs_remove_segments(struct rt_device *dev);
void rt_sysfs_init_file(struct rt_file *file);
int rt_sysfs_add_file(struct rt_file *file, u64 number);

#endif
