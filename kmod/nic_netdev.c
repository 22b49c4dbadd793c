// SPDX-License-Identifier: GPL-2.0
/*
 * any existing Ethernet interface as the source: an rx handler puts socket buffers into a
 * ring of slots, the pollers take them from there as from hardware. By default the host's stack still
 * gets its packets (the ring holds clones); `netdev_consume` gives the interface to capture alone.
 *
 * The handler runs in softirq, on any CPU: it never sleeps; a full ring drops and counts. A slot belongs
 * to the handler while `skb` is NULL, to its poller otherwise.
 */
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "device.h"

#define NETDEV_DEVICES_MAX 8

static char *netdev_names[NETDEV_DEVICES_MAX];
static int netdev_names_given;
module_param_array_named(netdev, netdev_names, charp, &netdev_names_given, 0444);
MODULE_PARM_DESC(netdev, "interfaces to capture from, by name");
static bool netdev_consume;
module_param(netdev_consume, bool, 0444);
MODULE_PARM_DESC(netdev_consume, "the host's network stack no longer sees what is captured");

struct netdev_nic {
	struct rt_device *dev;
	struct net_device *netdev;	/* NULL when it has gone; under rtnl */
	struct sk_buff **ring;
	u32 count;
	spinlock_t lock;		/* handlers on several CPUs */
	u32 head;
	u64 received;
	u64 missed;			/* ring full */
	u64 errors;			/* no memory to bring a frame into one piece */
	u64 link_changes;		/* under rtnl */
	bool link_up;
};

static struct netdev_nic *netdev_nics[NETDEV_DEVICES_MAX];

/* One piece of memory that starts at the MAC header, with a stripped VLAN tag put back; NULL: freed. */
static struct sk_buff *netdev_whole_frame(struct sk_buff *skb)
{
	skb_push(skb, skb->data - skb_mac_header(skb));
	if (skb_vlan_tag_present(skb)) {
		skb = vlan_insert_tag_set_proto(skb, skb->vlan_proto, skb_vlan_tag_get(skb));
		if (!skb)
			return NULL;
		__vlan_hwaccel_clear_tag(skb);
	}
	if (skb_linearize(skb)) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/* Takes over `skb`. Softirq. */
static void netdev_enqueue(struct netdev_nic *nic, struct sk_buff *skb)
{
	struct sk_buff **slot;
	bool full;

	spin_lock(&nic->lock);
	nic->received++;
	slot = &nic->ring[nic->head];
	full = READ_ONCE(*slot);
	if (full) {
		nic->missed++;
	} else {
		/* Pairs with the acquire in netdev_harvest. */
		smp_store_release(slot, skb);
		nic->head = (nic->head + 1) % nic->count;
	}
	spin_unlock(&nic->lock);
	if (full)
		kfree_skb(skb);
}

static void netdev_count_error(struct netdev_nic *nic)
{
	spin_lock(&nic->lock);
	nic->received++;
	nic->errors++;
	spin_unlock(&nic->lock);
}

/* Softirq, under rcu_read_lock. */
static rx_handler_result_t netdev_handler(struct sk_buff **pskb)
{
	struct netdev_nic *nic = rcu_dereference((*pskb)->dev->rx_handler_data);
	struct sk_buff *skb;

	if (netdev_consume)
		skb = skb_share_check(*pskb, GFP_ATOMIC);
	else
		skb = skb_clone(*pskb, GFP_ATOMIC);
	if (skb)
		skb = netdev_whole_frame(skb);
	if (skb)
		netdev_enqueue(nic, skb);
	else
		netdev_count_error(nic);
	return netdev_consume ? RX_HANDLER_CONSUMED : RX_HANDLER_PASS;
}

static u32 netdev_harvest(struct rt_device *dev, struct rt_segment *seg, struct rt_frame *frames, u32 max)
{
	struct netdev_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < max; i++) {
		/* Pairs with netdev_enqueue. */
		struct sk_buff *skb = smp_load_acquire(&nic->ring[rt_descriptor(seg, i)]);

		if (!skb)
			break;
		frames[i].data = skb->data;
		frames[i].len = skb->len;
		frames[i].error = false;
	}
	return i;
}

static void netdev_give_back(struct rt_device *dev, struct rt_segment *seg, u32 n)
{
	struct netdev_nic *nic = dev->nic;
	u32 i;

	for (i = 0; i < n; i++) {
		struct sk_buff **slot = &nic->ring[rt_descriptor(seg, i)];

		consume_skb(*slot);
		/* Pairs with the look at the slot in netdev_enqueue. */
		smp_store_release(slot, NULL);
	}
}

static void netdev_stats(struct rt_device *dev, struct ringtap_nic_stats *stats)
{
	struct netdev_nic *nic = dev->nic;

	spin_lock_bh(&nic->lock);
	stats->received = nic->received;
	stats->missed = nic->missed;
	stats->errors = nic->errors;
	stats->link_changes = nic->link_changes;
	stats->link_up = READ_ONCE(nic->link_up);
	spin_unlock_bh(&nic->lock);
}

/* Under rtnl. After it the handler runs nowhere. */
static void netdev_detach(struct netdev_nic *nic)
{
	struct net_device *netdev = nic->netdev;

	if (!netdev)
		return;
	netdev_rx_handler_unregister(netdev);
	dev_set_promiscuity(netdev, -1);
	WRITE_ONCE(nic->netdev, NULL);
	WRITE_ONCE(nic->link_up, false);
	synchronize_net();
	dev_put(netdev);
}

static int netdev_start(struct rt_device *dev)
{
	struct netdev_nic *nic = dev->nic;
	int err;

	rtnl_lock();
	nic->link_up = netif_running(nic->netdev) && netif_carrier_ok(nic->netdev);
	err = nic->netdev->reg_state == NETREG_REGISTERED ? 0 : -ENODEV;
	if (!err)
		err = netdev_rx_handler_register(nic->netdev, netdev_handler, nic);
	if (!err) {
		err = dev_set_promiscuity(nic->netdev, 1);
		if (err)
			netdev_rx_handler_unregister(nic->netdev);
	}
	rtnl_unlock();
	return err;
}

/* Called with rtnl held when the interface vanishes, else without. */
static void netdev_stop(struct rt_device *dev)
{
	struct netdev_nic *nic = dev->nic;

	if (!READ_ONCE(nic->netdev))
		return;
	rtnl_lock();
	netdev_detach(nic);
	rtnl_unlock();
}

static const struct nic_ops netdev_ops = {
	.name = "netdev",
	.start = netdev_start,
	.stop = netdev_stop,
	.harvest = netdev_harvest,
	.give_back = netdev_give_back,
	.stats = netdev_stats,
};

/* Under rtnl. */
static void netdev_look_at_link(struct netdev_nic *nic)
{
	bool up = netif_running(nic->netdev) && netif_carrier_ok(nic->netdev);

	nic->link_changes += up != nic->link_up;
	WRITE_ONCE(nic->link_up, up);
}

/* Under rtnl. The device stays, for its listeners to drain, until the module goes. */
static int netdev_event(struct notifier_block *block, unsigned long event, void *data)
{
	struct net_device *netdev = netdev_notifier_info_to_dev(data);
	unsigned int i;

	for (i = 0; i < NETDEV_DEVICES_MAX; i++) {
		struct netdev_nic *nic = netdev_nics[i];

		if (!nic || nic->netdev != netdev)
			continue;
		netdev_look_at_link(nic);
		if (event == NETDEV_UNREGISTER) {
			netdev_detach(nic);
			rt_device_halt(nic->dev);
		}
	}
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = { .notifier_call = netdev_event };

static void netdev_nic_free(struct netdev_nic *nic)
{
	u32 i;

	for (i = 0; nic->ring && i < nic->count; i++)
		kfree_skb(nic->ring[i]);
	kvfree(nic->ring);
	kfree(nic);
}

/* Takes a reference to the interface, in the network namespace of whoever loads the module. */
static struct netdev_nic *netdev_nic_alloc(const char *name)
{
	struct netdev_nic *nic = kzalloc(sizeof(*nic), GFP_KERNEL);
	int err = -ENOMEM;

	if (!nic)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&nic->lock);
	nic->count = rt_params.ring;
	nic->ring = kvcalloc(nic->count, sizeof(*nic->ring), GFP_KERNEL);
	if (!nic->ring)
		goto fail;
	nic->netdev = dev_get_by_name(current->nsproxy->net_ns, name);
	err = -ENODEV;
	if (!nic->netdev) {
		pr_err("ringtap: netdev=%s: no such interface\n", name);
		goto fail;
	}
	err = -EINVAL;
	if (nic->netdev->type != ARPHRD_ETHER) {
		pr_err("ringtap: netdev=%s: not an Ethernet interface\n", name);
		dev_put(nic->netdev);
		goto fail;
	}
	return nic;

fail:
	netdev_nic_free(nic);
	return ERR_PTR(err);
}

/* The notifier sees `nic` from here on, so that an interface may vanish at any moment. Takes rtnl. */
static void netdev_show(unsigned int index, struct netdev_nic *nic)
{
	rtnl_lock();
	netdev_nics[index] = nic;
	rtnl_unlock();
}

static void netdev_drop(struct netdev_nic *nic)
{
	if (nic->netdev)
		dev_put(nic->netdev);
	netdev_nic_free(nic);
}

static int netdev_create_one(unsigned int index)
{
	const char *name = netdev_names[index];
	struct netdev_nic *nic = netdev_nic_alloc(name);
	int err;

	if (IS_ERR(nic))
		return PTR_ERR(nic);
	nic->dev = rt_device_create(&netdev_ops, nic, name, nic->count, dev_to_node(&nic->netdev->dev));
	if (IS_ERR(nic->dev)) {
		err = PTR_ERR(nic->dev);
		netdev_drop(nic);
		return err;
	}
	netdev_show(index, nic);
	err = rt_device_start(nic->dev);
	if (err) {
		pr_err("ringtap: netdev=%s: cannot attach (error %d; a bridge or bond may own it)\n", name, err);
		netdev_show(index, NULL);
		put_device(&nic->dev->dev);
		netdev_drop(nic);
	}
	return err;
}

void rt_netdev_exit(void)
{
	unsigned int i;

	if (!netdev_names_given)
		return;
	unregister_netdevice_notifier(&netdev_notifier);
	for (i = 0; i < NETDEV_DEVICES_MAX; i++) {
		if (!netdev_nics[i])
			continue;
		rt_device_destroy(netdev_nics[i]->dev);
		netdev_drop(netdev_nics[i]);
		netdev_nics[i] = NULL;
	}
}

int rt_netdev_init(void)
{
	int i;
	int err;

	if (!netdev_names_given)
		return 0;
	err = register_netdevice_notifier(&netdev_notifier);
	if (err)
		return err;
	for (i = 0; i < netdev_names_given; i++) {
		err = netdev_create_one(i);
		if (err) {
			rt_netdev_exit();
			return err;
		}
	}
	return 0;
}
