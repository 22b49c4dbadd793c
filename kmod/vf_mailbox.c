// SPDX-License-Identifier: GPL-2.0
/* See vf_mailbox.h. */
#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/if_ether.h>
#endif

#include "vf_mailbox.h"

#ifdef __KERNEL__
#include <linux/avf/virtchnl.h>
#else
#include "virtchnl.h"
#endif

#define VF_STEP_MS 1
#define VF_ACTIVE_MS 10000
#define VF_ANSWER_MS 2000

/* Sizes on the wire of messages whose last array newer headers leave empty. */
#define VF_RESOURCES_BYTES 36
#define VF_QUEUES_BYTES 72
#define VF_VECTORS_BYTES 14

/* XL710 is little endian, and so is every machine it is built into. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the admin queue's descriptors are little endian"
#endif

static u32 vf_read(struct vf_mailbox *m, u32 reg)
{
	return m->io.read(m->io.context, reg);
}

static void vf_write(struct vf_mailbox *m, u32 reg, u32 value)
{
	m->io.write(m->io.context, reg, value);
}

static u64 vf_buffer_dma(const struct vf_queue *queue, u32 index)
{
	return queue->buffers_dma + (u64)index * VF_BUFFER_BYTES;
}

/* Gives a receive descriptor (back) to the PF. */
static void vf_post(struct vf_mailbox *m, u32 index)
{
	struct vf_descriptor *d = &m->receive.descriptors[index];
	u64 dma = vf_buffer_dma(&m->receive, index);

	memset(d, 0, sizeof(*d));
	d->flags = VF_FLAG_BUFFER | VF_FLAG_LARGE;
	d->datalen = VF_BUFFER_BYTES;
	d->address_high = (u32)(dma >> 32);
	d->address_low = (u32)dma;
}

static int vf_wait_active(struct vf_mailbox *m)
{
	u32 waited;

	for (waited = 0; waited < VF_ACTIVE_MS; waited += VF_STEP_MS) {
		u32 state = vf_read(m, VF_RSTAT) & VF_RSTAT_MASK;

		if (state == VF_RSTAT_ACTIVE || state == VF_RSTAT_COMPLETED)
			return 0;
		m->io.sleep(m->io.context, VF_STEP_MS);
	}
	return -ETIMEDOUT;
}

int vf_mailbox_open(struct vf_mailbox *m)
{
	u32 i;
	int err = vf_wait_active(m);

	if (err)
		return err;
	vf_mailbox_close(m);
	m->send.next = 0;
	m->receive.next = 0;
	m->reset = false;
	for (i = 0; i < VF_QUEUE_LEN; i++)
		vf_post(m, i);
	vf_write(m, VF_ATQH, 0);
	vf_write(m, VF_ATQT, 0);
	vf_write(m, VF_ATQBAL, (u32)m->send.descriptors_dma);
	vf_write(m, VF_ATQBAH, (u32)(m->send.descriptors_dma >> 32));
	vf_write(m, VF_ATQLEN, VF_QUEUE_LEN | VF_QUEUE_ENABLE);
	vf_write(m, VF_ARQH, 0);
	vf_write(m, VF_ARQT, 0);
	vf_write(m, VF_ARQBAL, (u32)m->receive.descriptors_dma);
	vf_write(m, VF_ARQBAH, (u32)(m->receive.descriptors_dma >> 32));
	vf_write(m, VF_ARQLEN, VF_QUEUE_LEN | VF_QUEUE_ENABLE);
	/* All but one: head == tail means none. */
	vf_write(m, VF_ARQT, VF_QUEUE_LEN - 1);
	/* The base address reads back unless a reset came between. */
	return vf_read(m, VF_ARQBAL) == (u32)m->receive.descriptors_dma ? 0 : -ENODEV;
}

void vf_mailbox_close(struct vf_mailbox *m)
{
	vf_write(m, VF_ATQLEN, 0);
	vf_write(m, VF_ARQLEN, 0);
}

/* Waits until the PF has taken the descriptor. */
static int vf_send(struct vf_mailbox *m, u32 opcode, const void *message, u16 bytes)
{
	u32 index = m->send.next;
	struct vf_descriptor *d = &m->send.descriptors[index];
	u64 dma = vf_buffer_dma(&m->send, index);
	u32 waited;

	memset(d, 0, sizeof(*d));
	d->flags = VF_FLAG_SILENT;
	d->opcode = VF_SEND_TO_PF;
	d->virtchnl_opcode = opcode;
	if (bytes) {
		memcpy(m->send.buffers + (size_t)index * VF_BUFFER_BYTES, message, bytes);
		d->flags |= VF_FLAG_BUFFER | VF_FLAG_READ | (bytes > VF_LARGE_BYTES ? VF_FLAG_LARGE : 0);
		d->datalen = bytes;
		d->address_high = (u32)(dma >> 32);
		d->address_low = (u32)dma;
	}
	m->send.next = (index + 1) % VF_QUEUE_LEN;
	vf_write(m, VF_ATQT, m->send.next);
	for (waited = 0; waited < VF_ANSWER_MS; waited += VF_STEP_MS) {
		u16 flags = READ_ONCE(d->flags);

		if (flags & VF_FLAG_DD)
			return flags & VF_FLAG_ERR ? -EIO : 0;
		m->io.sleep(m->io.context, VF_STEP_MS);
	}
	return -ETIMEDOUT;
}

struct vf_message {
	u32 opcode;
	u32 retval;
	u16 bytes;
	u8 data[VF_BUFFER_BYTES];
};

/* The next message, if there is one; its descriptor is given back. */
static bool vf_receive(struct vf_mailbox *m, struct vf_message *message)
{
	u32 index = m->receive.next;
	struct vf_descriptor *d = &m->receive.descriptors[index];

	if (!(READ_ONCE(d->flags) & VF_FLAG_DD))
		return false;
	/* The rest of the descriptor and its buffer only after DD. */
	smp_rmb();
	message->opcode = d->opcode == VF_SEND_TO_VF ? d->virtchnl_opcode : VIRTCHNL_OP_UNKNOWN;
	message->retval = d->virtchnl_retval;
	message->bytes = min_t(u16, d->datalen, VF_BUFFER_BYTES);
	memcpy(message->data, m->receive.buffers + (size_t)index * VF_BUFFER_BYTES, message->bytes);
	vf_post(m, index);
	vf_write(m, VF_ARQT, index);
	m->receive.next = (index + 1) % VF_QUEUE_LEN;
	return true;
}

static void vf_event(struct vf_mailbox *m, const struct vf_message *message)
{
	struct virtchnl_pf_event event;
	bool up;

	if (message->bytes < sizeof(event))
		return;
	memcpy(&event, message->data, sizeof(event));
	if (event.event == VIRTCHNL_EVENT_RESET_IMPENDING || event.event == VIRTCHNL_EVENT_PF_DRIVER_CLOSE)
		m->reset = true;
	if (event.event != VIRTCHNL_EVENT_LINK_CHANGE)
		return;
	up = event.event_data.link_event.link_status;
	m->link_changes += up != m->link_up;
	m->link_up = up;
}

/* Waits for the answer to `opcode`; events on the way are taken, stale answers dropped. */
static int vf_answer(struct vf_mailbox *m, u32 opcode, struct vf_message *message)
{
	u32 waited = 0;

	while (waited < VF_ANSWER_MS) {
		if (m->reset)
			return -ENODEV;
		if (!vf_receive(m, message)) {
			m->io.sleep(m->io.context, VF_STEP_MS);
			waited += VF_STEP_MS;
		} else if (message->opcode == VIRTCHNL_OP_EVENT) {
			vf_event(m, message);
		} else if (message->opcode == opcode) {
			return message->retval ? -EIO : 0;
		}
	}
	return -ETIMEDOUT;
}

static int vf_request(struct vf_mailbox *m, u32 opcode, const void *request, u16 bytes, struct vf_message *message)
{
	int err = vf_send(m, opcode, request, bytes);

	return err ? err : vf_answer(m, opcode, message);
}

static int vf_agree_version(struct vf_mailbox *m, struct vf_message *message)
{
	struct virtchnl_version_info version = { VIRTCHNL_VERSION_MAJOR, VIRTCHNL_VERSION_MINOR };
	int err = vf_request(m, VIRTCHNL_OP_VERSION, &version, sizeof(version), message);

	if (err)
		return err;
	if (message->bytes < sizeof(version))
		return -EPROTO;
	memcpy(&version, message->data, sizeof(version));
	/* 1.0 knows no capabilities in GET_VF_RESOURCES and is older than any PF we could meet. */
	return version.major == 1 && version.minor >= 1 ? 0 : -EPROTO;
}

static int vf_get_resources(struct vf_mailbox *m, struct vf_message *message)
{
	u32 wanted = VIRTCHNL_VF_OFFLOAD_L2 | VIRTCHNL_VF_OFFLOAD_VLAN | VIRTCHNL_VF_OFFLOAD_WB_ON_ITR;
	const struct virtchnl_vf_resource *resource = (const void *)message->data;
	int err = vf_request(m, VIRTCHNL_OP_GET_VF_RESOURCES, &wanted, sizeof(wanted), message);

	if (err)
		return err;
	if (message->bytes < VF_RESOURCES_BYTES || resource->num_vsis < 1 || resource->num_queue_pairs < 1)
		return -EPROTO;
	m->vsi_id = resource->vsi_res[0].vsi_id;
	m->queue_pairs = resource->num_queue_pairs;
	memcpy(m->mac, resource->vsi_res[0].default_mac_addr, sizeof(m->mac));
	return 0;
}

/* The PF wants a pair; the transmit half stays idle. */
static int vf_configure_queues(struct vf_mailbox *m, const struct vf_rings *rings, struct vf_message *message)
{
	u64 memory[VF_QUEUES_BYTES / sizeof(u64)] = { 0 };
	struct virtchnl_vsi_queue_config_info *info = (void *)memory;
	struct virtchnl_queue_pair_info *pair = (void *)((u8 *)memory + 8);

	info->vsi_id = m->vsi_id;
	info->num_queue_pairs = 1;
	pair->txq.vsi_id = m->vsi_id;
	pair->txq.ring_len = VF_TX_RING_LEN;
	pair->txq.dma_ring_addr = rings->tx_dma;
	pair->rxq.vsi_id = m->vsi_id;
	pair->rxq.ring_len = rings->rx_len;
	pair->rxq.databuffer_size = rings->buffer_bytes;
	pair->rxq.max_pkt_size = rings->packet_bytes_max;
	pair->rxq.dma_ring_addr = rings->rx_dma;
	return vf_request(m, VIRTCHNL_OP_CONFIG_VSI_QUEUES, memory, sizeof(memory), message);
}

/*
 * Even a poller needs a vector: its timer makes the NIC write descriptors back that do not fill a cache line
 * (virtchnl.h, CONFIG_IRQ_MAP). The interrupt itself stays off.
 */
static int vf_map_vector(struct vf_mailbox *m, struct vf_message *message)
{
	u8 memory[VF_VECTORS_BYTES] = { 0 };
	struct virtchnl_vector_map map = { .vsi_id = m->vsi_id, .vector_id = 1, .rxq_map = 1, .txq_map = 1 };
	u16 vectors = 1;
	int err;

	memcpy(memory, &vectors, sizeof(vectors));
	memcpy(memory + 2, &map, sizeof(map));
	err = vf_request(m, VIRTCHNL_OP_CONFIG_IRQ_MAP, memory, sizeof(memory), message);
	if (!err)
		vf_write(m, VF_DYN_CTLN0, VF_DYN_CTLN_WB_ON_ITR | VF_DYN_CTLN_INTERVAL_2US);
	return err;
}

static int vf_select(struct vf_mailbox *m, u32 opcode, struct vf_message *message)
{
	struct virtchnl_queue_select select = { .vsi_id = m->vsi_id, .rx_queues = 1, .tx_queues = 1 };

	return vf_request(m, opcode, &select, sizeof(select), message);
}

/* An untrusted VF is told yes and stays as it is: see README, trust. */
static int vf_promiscuous(struct vf_mailbox *m, struct vf_message *message)
{
	struct virtchnl_promisc_info promiscuous = {
		.vsi_id = m->vsi_id,
		.flags = FLAG_VF_UNICAST_PROMISC | FLAG_VF_MULTICAST_PROMISC,
	};

	return vf_request(m, VIRTCHNL_OP_CONFIG_PROMISCUOUS_MODE, &promiscuous, sizeof(promiscuous), message);
}

static struct vf_message *vf_message_new(void)
{
#ifdef __KERNEL__
	return kmalloc(sizeof(struct vf_message), GFP_KERNEL);
#else
	return malloc(sizeof(struct vf_message));
#endif
}

static void vf_message_free(struct vf_message *message)
{
#ifdef __KERNEL__
	kfree(message);
#else
	free(message);
#endif
}

int vf_negotiate(struct vf_mailbox *m, const struct vf_rings *rings)
{
	struct vf_message *message = vf_message_new();
	int err;

	if (!message)
		return -ENOMEM;
	err = vf_agree_version(m, message);
	if (!err)
		err = vf_get_resources(m, message);
	if (!err)
		err = vf_configure_queues(m, rings, message);
	if (!err)
		err = vf_map_vector(m, message);
	if (!err)
		err = vf_request(m, VIRTCHNL_OP_DISABLE_VLAN_STRIPPING, NULL, 0, message);
	if (!err)
		err = vf_promiscuous(m, message);
	if (!err)
		err = vf_select(m, VIRTCHNL_OP_ENABLE_QUEUES, message);
	vf_message_free(message);
	return err;
}

int vf_disable(struct vf_mailbox *m)
{
	struct vf_message *message = vf_message_new();
	int err = message ? vf_select(m, VIRTCHNL_OP_DISABLE_QUEUES, message) : -ENOMEM;

	vf_message_free(message);
	return err;
}

void vf_poll_events(struct vf_mailbox *m)
{
	struct vf_message *message = vf_message_new();
	u32 i;

	/* At most one lap: a PF that never falls silent does not hold us. */
	for (i = 0; message && i < VF_QUEUE_LEN && vf_receive(m, message); i++)
		if (message->opcode == VIRTCHNL_OP_EVENT)
			vf_event(m, message);
	vf_message_free(message);
}
