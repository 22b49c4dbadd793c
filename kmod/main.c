// SPDX-License-Identifier: GPL-2.0
/* registers and unregisters, and checks the module's parameters; nothing else. */
#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/module.h>

#include "device.h"

struct rt_params rt_params = {
	.segments = 1,
	.ring = 4096,
	.frame_bytes = 2048,
	.buffer_mb = 128,
	.block_kb = 4096,
	.listeners = 4,
	.spin = 1000,
	.idle_us = 50,
	.flush_ms = 1000,
};

module_param_named(segments, rt_params.segments, uint, 0444);
MODULE_PARM_DESC(segments, "parts of the RX ring, each with a polling thread (1 to 16)");
module_param_named(ring, rt_params.ring, uint, 0444);
MODULE_PARM_DESC(ring, "receive descriptors, a power of two (64 to 4096)");
module_param_named(frame_bytes, rt_params.frame_bytes, uint, 0444);
MODULE_PARM_DESC(frame_bytes, "buffer of one descriptor: 2048, 4096, 8192 or 16384");
module_param_named(buffer_mb, rt_params.buffer_mb, uint, 0444);
MODULE_PARM_DESC(buffer_mb, "intermediate buffer, MiB (1 to 65536)");
module_param_named(block_kb, rt_params.block_kb, uint, 0444);
MODULE_PARM_DESC(block_kb, "block of the buffer, KiB, a multiple of 4 (128 to 65536)");
module_param_named(listeners, rt_params.listeners, uint, 0444);
MODULE_PARM_DESC(listeners, "how many may open a device at once (1 to 64)");
module_param_named(spin, rt_params.spin, uint, 0444);
MODULE_PARM_DESC(spin, "empty polls before a poller sleeps");
module_param_named(idle_us, rt_params.idle_us, uint, 0444);
MODULE_PARM_DESC(idle_us, "sleep between empty polls, microseconds (0: never sleep)");
module_param_named(flush_ms, rt_params.flush_ms, uint, 0444);
MODULE_PARM_DESC(flush_ms, "a block with packets is sealed after this, milliseconds (1 to 60000)");
module_param_array_named(cpus, rt_params.cpus, int, &rt_params.cpus_given, 0444);
MODULE_PARM_DESC(cpus, "CPU of each segment's poller (default: spread, near the NIC)");

/* One line that names the parameter at fault. */
static bool rt_in_range(const char *name, unsigned int value, unsigned int low, unsigned int high)
{
	if (value >= low && value <= high)
		return true;
	pr_err("ringtap: %s=%u is not within %u..%u\n", name, value, low, high);
	return false;
}

static bool rt_cpus_online(void)
{
	unsigned int i;

	for (i = 0; i < rt_params.cpus_given; i++) {
		int cpu = rt_params.cpus[i];

		if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu)) {
			pr_err("ringtap: cpus: CPU %d is not online\n", cpu);
			return false;
		}
	}
	return true;
}

static int rt_params_check(void)
{
	const struct rt_params *p = &rt_params;
	unsigned int blocks_min = p->segments + 2 + p->listeners;

	if (!rt_in_range("segments", p->segments, 1, RINGTAP_SEGMENTS_MAX) ||
	    !rt_in_range("ring", p->ring, 64, 4096) ||
	    !rt_in_range("frame_bytes", p->frame_bytes, 2048, 16384) ||
	    !rt_in_range("buffer_mb", p->buffer_mb, 1, 65536) ||
	    !rt_in_range("block_kb", p->block_kb, 128, 65536) ||
	    !rt_in_range("listeners", p->listeners, 1, 64) ||
	    !rt_in_range("idle_us", p->idle_us, 0, 100000) ||
	    !rt_in_range("flush_ms", p->flush_ms, 1, 60000) || !rt_cpus_online())
		return -EINVAL;
	if (!is_power_of_2(p->ring) || !is_power_of_2(p->frame_bytes) || p->block_kb % 4) {
		pr_err("ringtap: ring and frame_bytes must be powers of two, block_kb a multiple of 4\n");
		return -EINVAL;
	}
	if (p->buffer_mb * 1024 / p->block_kb < blocks_min) {
		pr_err("ringtap: buffer_mb=%u holds fewer than %u blocks of %u KiB: enlarge it or shrink block_kb\n",
		       p->buffer_mb, blocks_min, p->block_kb);
		return -EINVAL;
	}
	return 0;
}

static int __init rt_init(void)
{
	int err = rt_params_check();

	if (err)
		return err;
	err = rt_devices_init();
	if (err)
		return err;
	err = rt_sim_create();
	if (err)
		goto exit_devices;
	err = rt_netdev_init();
	if (err)
		goto exit_sim;
	err = rt_pci_init();
	if (err)
		goto exit_netdev;
	return 0;

exit_netdev:
	rt_netdev_exit();
exit_sim:
	rt_sim_destroy();
exit_devices:
	rt_devices_exit();
	return err;
}

static void __exit rt_exit(void)
{
	rt_pci_exit();
	rt_netdev_exit();
	rt_sim_destroy();
	rt_devices_exit();
}

module_init(rt_init);
module_exit(rt_exit);
MODULE_DESCRIPTION("Ringtap: one RX ring, many pollers, nothing read before it is written");
MODULE_AUTHOR("The Ringtap authors");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
