// SPDX-License-Identifier: GPL-2.0
/*
 * classic BPF on frames that live in a NIC's ring. The kernel's own checker and JIT do the
 * work; they want a socket buffer, so each poller keeps one whose pointers it aims at the frame.
 */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "device.h"

/* Under dev->lock. Checks the program as a socket filter would be; 0 instructions removes the filter. */
int rt_filter_set(struct rt_device *dev, const struct ringtap_filter *filter)
{
	struct bpf_prog *program = NULL;
	struct bpf_prog *old;
	int err;

	if (filter->reserved || filter->instructions > BPF_MAXINSNS)
		return -EINVAL;
	if (filter->instructions) {
		struct sock_fprog request = {
			.len = filter->instructions,
			.filter = u64_to_user_ptr(filter->program),
		};

		err = bpf_prog_create_from_user(&program, &request, NULL, false);
		if (err)
			return err;
	}
	old = rcu_replace_pointer(dev->filter, program, lockdep_is_held(&dev->lock));
	dev->filter_instructions = filter->instructions;
	if (old) {
		synchronize_rcu();
		bpf_prog_destroy(old);
	}
	return 0;
}

struct sk_buff *rt_filter_skb_create(void)
{
	struct sk_buff *skb = alloc_skb(0, GFP_KERNEL);

	if (skb) {
		/* Ancillary loads look at the device; any will do that never goes away. */
		skb->dev = init_net.loopback_dev;
		/* Where its own memory is, for destroy. */
		*(unsigned char **)skb->cb = skb->head;
	}
	return skb;
}

void rt_filter_skb_destroy(struct sk_buff *skb)
{
	if (!skb)
		return;
	skb->head = *(unsigned char **)skb->cb;
	skb->data = skb->head;
	skb_reset_tail_pointer(skb);
	skb->len = 0;
	kfree_skb(skb);
}

/* Bytes the program wants kept, 0 to drop. Poller, under rcu_read_lock. */
u32 rt_filter_run(const struct bpf_prog *program, struct sk_buff *skb, const struct rt_frame *frame)
{
	skb->head = (unsigned char *)frame->data;
	skb->data = skb->head;
	skb->len = frame->len;
	skb_set_tail_pointer(skb, frame->len);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, min_t(u32, ETH_HLEN, frame->len));
	skb->protocol = frame->len >= ETH_HLEN ? ((const struct ethhdr *)frame->data)->h_proto : 0;
	return bpf_prog_run_pin_on_cpu(program, skb);
}
