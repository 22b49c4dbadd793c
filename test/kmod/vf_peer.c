// The VF's mailbox against a scripted physical function: registers, admin queues and virtchnl answers as an XL710
// PF would give them, and as one would that is broken or hostile. The peer lives behind the register writes.
//
//   vf_peer NAME   runs one script; prints what came of it, exits 0 when that is what the script expects.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kmod/vf_mailbox.h"
#include "virtchnl.h"

#define VSI 517
#define STEPS_MAX 64
#define REGISTERS 0x9000

struct peer {
	u32 registers[REGISTERS / 4];
	struct vf_mailbox *m;
	u32 send_head;   // of the VF's send queue
	u32 answer_head; // of its receive queue
	u32 slept_ms;
	const char *script;
	u32 heard[STEPS_MAX];
	u32 heard_count;
	struct virtchnl_queue_pair_info pair;
	u16 promiscuous;
};

static struct peer peer;

static int is(const char *script) { return !strcmp(peer.script, script); }

static void die(const char *what)
{
	printf("WRONG %s: %s\n", peer.script, what);
	exit(1);
}

// One message into the VF's receive queue, as the PF's firmware would deliver it.
static void say_as(u16 aq_opcode, u32 opcode, u32 retval, const void *data, u16 bytes, u16 claimed)
{
	struct vf_descriptor *d = &peer.m->receive.descriptors[peer.answer_head];

	if (peer.answer_head == peer.registers[VF_ARQT / 4]) die("no room in the receive queue");
	if (!(d->flags & VF_FLAG_BUFFER) || d->datalen != VF_BUFFER_BYTES) die("a receive descriptor that was not renewed");
	u64 dma = (u64)d->address_high << 32 | d->address_low;
	if (bytes) memcpy((void *)(uintptr_t)dma, data, bytes);
	d->opcode = aq_opcode;
	d->virtchnl_opcode = opcode;
	d->virtchnl_retval = retval;
	d->datalen = claimed;
	__atomic_store_n(&d->flags, (u16)(VF_FLAG_DD | VF_FLAG_BUFFER), __ATOMIC_RELEASE);
	peer.answer_head = (peer.answer_head + 1) % VF_QUEUE_LEN;
}

static void say(u32 opcode, u32 retval, const void *data, u16 bytes)
{
	say_as(VF_SEND_TO_VF, opcode, retval, data, bytes, bytes);
}

static void say_link(int up)
{
	struct virtchnl_pf_event event = { .event = VIRTCHNL_EVENT_LINK_CHANGE };

	event.event_data.link_event.link_status = up;
	say(VIRTCHNL_OP_EVENT, 0, &event, sizeof(event));
}

static void say_reset(void)
{
	struct virtchnl_pf_event event = { .event = VIRTCHNL_EVENT_RESET_IMPENDING };

	say(VIRTCHNL_OP_EVENT, 0, &event, sizeof(event));
}

static void answer_version(const u8 *data, u16 bytes)
{
	struct virtchnl_version_info version;

	if (bytes != sizeof(version)) die("VERSION of the wrong length");
	memcpy(&version, data, sizeof(version));
	if (version.major != 1 || version.minor != 1) die("not version 1.1");
	if (is("old")) version.minor = 0;
	if (is("short-version")) return say(VIRTCHNL_OP_VERSION, 0, &version, 4);
	say(VIRTCHNL_OP_VERSION, 0, &version, sizeof(version));
}

static void answer_resources(void)
{
	u8 memory[64] = {0};
	struct virtchnl_vf_resource *r = (void *)memory;

	r->num_vsis = is("no-vsi") ? 0 : 1;
	r->num_queue_pairs = 4;
	r->vsi_res[0].vsi_id = VSI;
	memcpy(r->vsi_res[0].default_mac_addr, "\x02\x11\x22\x33\x44\x55", 6);
	if (is("short-resources")) return say(VIRTCHNL_OP_GET_VF_RESOURCES, 0, memory, 20);
	if (is("huge"))	 // claims more than the buffer holds
		return say_as(VF_SEND_TO_VF, VIRTCHNL_OP_GET_VF_RESOURCES, 0, memory, 36, 0xffff);
	say(VIRTCHNL_OP_GET_VF_RESOURCES, 0, memory, 36);
}

static void check_queues(const u8 *data, u16 bytes)
{
	u16 ids[2];

	if (bytes != 72) die("CONFIG_VSI_QUEUES of the wrong length");
	memcpy(ids, data, sizeof(ids));
	memcpy(&peer.pair, data + 8, sizeof(peer.pair));
	if (ids[0] != VSI || ids[1] != 1 || peer.pair.rxq.vsi_id != VSI || peer.pair.txq.vsi_id != VSI) die("another VSI's queues");
}

static void check_select(const u8 *data, u16 bytes)
{
	struct virtchnl_queue_select select;

	if (bytes != sizeof(select)) die("queue selection of the wrong length");
	memcpy(&select, data, sizeof(select));
	if (select.vsi_id != VSI || select.rx_queues != 1) die("another queue");
}

static void answer(u32 opcode, const u8 *data, u16 bytes)
{
	if (is("silent") && opcode == VIRTCHNL_OP_CONFIG_VSI_QUEUES) return;
	if (is("events")) {
		say_link(1);
		say_link(opcode % 2);
	}
	if (is("stale")) say(VIRTCHNL_OP_ADD_ETH_ADDR, 0, NULL, 0);
	if (is("foreign")) say_as(0x0001, opcode, 0, NULL, 0, 0);
	if (is("reset") && opcode == VIRTCHNL_OP_CONFIG_IRQ_MAP) return say_reset();
	if (is("refusing") && opcode == VIRTCHNL_OP_CONFIG_PROMISCUOUS_MODE)
		return say(opcode, (u32)VIRTCHNL_STATUS_ERR_PARAM, NULL, 0);
	switch (opcode) {
	case VIRTCHNL_OP_VERSION: return answer_version(data, bytes);
	case VIRTCHNL_OP_GET_VF_RESOURCES: return answer_resources();
	case VIRTCHNL_OP_CONFIG_VSI_QUEUES: check_queues(data, bytes); break;
	case VIRTCHNL_OP_CONFIG_IRQ_MAP:
		if (bytes != 14) die("CONFIG_IRQ_MAP of the wrong length");
		break;
	case VIRTCHNL_OP_CONFIG_PROMISCUOUS_MODE: memcpy(&peer.promiscuous, data + 2, 2); break;
	case VIRTCHNL_OP_ENABLE_QUEUES:
	case VIRTCHNL_OP_DISABLE_QUEUES: check_select(data, bytes); break;
	}
	say(opcode, 0, NULL, 0);
}

// The VF moved its send tail: take what is new, as hardware does.
static void take_messages(u32 tail)
{
	while (peer.send_head != tail) {
		struct vf_descriptor *d = &peer.m->send.descriptors[peer.send_head];
		u64 dma = (u64)d->address_high << 32 | d->address_low;

		if (d->opcode != VF_SEND_TO_PF || d->flags & VF_FLAG_DD) die("no message where the tail says one is");
		if (d->datalen && (d->flags & (VF_FLAG_BUFFER | VF_FLAG_READ)) != (VF_FLAG_BUFFER | VF_FLAG_READ)) die("a message without its flags");
		peer.heard[peer.heard_count++ % STEPS_MAX] = d->virtchnl_opcode;
		u32 opcode = d->virtchnl_opcode;
		u16 bytes = d->datalen;
		if (is("deaf")) return;
		d->flags |= VF_FLAG_DD | (is("failing") ? VF_FLAG_ERR : 0);
		peer.send_head = (peer.send_head + 1) % VF_QUEUE_LEN;
		answer(opcode, bytes ? (const u8 *)(uintptr_t)dma : NULL, bytes);
	}
}

static u32 io_read(void *context, u32 reg)
{
	(void)context;
	return peer.registers[reg / 4];
}

static void io_write(void *context, u32 reg, u32 value)
{
	(void)context;
	peer.registers[reg / 4] = value;
	if (reg == VF_ATQT && peer.registers[VF_ATQLEN / 4] & VF_QUEUE_ENABLE) take_messages(value);
	if (reg == VF_ATQLEN && value & VF_QUEUE_ENABLE) peer.send_head = 0;
	if (reg == VF_ARQLEN && value & VF_QUEUE_ENABLE) peer.answer_head = 0;
}

static void io_sleep(void *context, u32 ms)
{
	(void)context;
	peer.slept_ms += ms;
	if (is("slow") && peer.slept_ms == 50) peer.registers[VF_RSTAT / 4] = VF_RSTAT_ACTIVE;
}

static void queue_memory(struct vf_queue *queue)
{
	queue->descriptors = calloc(VF_QUEUE_LEN, sizeof(*queue->descriptors));
	queue->buffers = calloc(VF_QUEUE_LEN, VF_BUFFER_BYTES);
	queue->descriptors_dma = (uintptr_t)queue->descriptors;
	queue->buffers_dma = (uintptr_t)queue->buffers;
}

static void check_happy(struct vf_mailbox *m, const struct vf_rings *rings)
{
	static const u32 order[] = {
		VIRTCHNL_OP_VERSION, VIRTCHNL_OP_GET_VF_RESOURCES, VIRTCHNL_OP_CONFIG_VSI_QUEUES, VIRTCHNL_OP_CONFIG_IRQ_MAP,
		VIRTCHNL_OP_DISABLE_VLAN_STRIPPING, VIRTCHNL_OP_CONFIG_PROMISCUOUS_MODE, VIRTCHNL_OP_ENABLE_QUEUES,
	};

	if (peer.heard_count != 7 || memcmp(peer.heard, order, sizeof(order))) die("another order of requests");
	if (m->vsi_id != VSI || m->queue_pairs != 4 || memcmp(m->mac, "\x02\x11\x22\x33\x44\x55", 6)) die("resources misread");
	if (peer.pair.rxq.dma_ring_addr != rings->rx_dma || peer.pair.rxq.ring_len != rings->rx_len ||
	    peer.pair.rxq.databuffer_size != rings->buffer_bytes || peer.pair.txq.dma_ring_addr != rings->tx_dma)
		die("queues misdescribed");
	if (peer.promiscuous != (FLAG_VF_UNICAST_PROMISC | FLAG_VF_MULTICAST_PROMISC)) die("not promiscuous");
	if (!(peer.registers[VF_DYN_CTLN0 / 4] & VF_DYN_CTLN_WB_ON_ITR)) die("descriptors would wait for company");
}

static int expected(const char *script)
{
	static const struct { const char *script; int result; } table[] = {
		{ "deaf", -ETIMEDOUT }, { "silent", -ETIMEDOUT }, { "old", -EPROTO }, { "short-version", -EPROTO },
		{ "short-resources", -EPROTO }, { "no-vsi", -EPROTO }, { "refusing", -EIO }, { "failing", -EIO },
		{ "reset", -ENODEV }, { "absent", -ETIMEDOUT },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].script, script)) return table[i].result;
	return 0;
}

int main(int argc, char **argv)
{
	static struct vf_mailbox m;
	struct vf_rings rings = { .rx_dma = 0x1234567890ull, .tx_dma = 0x9876543000ull, .rx_len = 4096, .buffer_bytes = 2048, .packet_bytes_max = 2048 };

	if (argc != 2) return 2;
	peer.script = argv[1];
	peer.m = &m;
	m.io = (struct vf_io){ .read = io_read, .write = io_write, .sleep = io_sleep };
	queue_memory(&m.send);
	queue_memory(&m.receive);
	peer.registers[VF_RSTAT / 4] = is("slow") || is("absent") ? 0 : VF_RSTAT_ACTIVE;
	int result = vf_mailbox_open(&m);
	if (!result) result = vf_negotiate(&m, &rings);
	if (result != expected(peer.script)) die(strerror(-result));
	if (!result) check_happy(&m, &rings);
	// Past the queues' ends several times over, with an event before each answer.
	for (int i = 0; !result && i < 5 * VF_QUEUE_LEN; i++) {
		say_link(i % 2);
		if (vf_disable(&m)) die("refused after many messages");
	}
	if (!result) {
		u32 changes = m.link_changes;
		say_link(!m.link_up);
		vf_poll_events(&m);
		if (m.link_changes != changes + 1) die("a link change unseen");
	}
	vf_mailbox_close(&m);
	if (peer.registers[VF_ATQLEN / 4] & VF_QUEUE_ENABLE) die("queues left on");
	free(m.send.descriptors), free(m.send.buffers), free(m.receive.descriptors), free(m.receive.buffers);
	printf("OK %s: result %d after %u requests\n", peer.script, result, peer.heard_count);
	return 0;
}
