// Capture filters: compiled by libpcap, run in the kernel (live) or here (replay, synth).
#ifndef RINGTAP_FILTER_H
#define RINGTAP_FILTER_H
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "packet.h"

struct filter {
  bool active;
  struct bpf_program program;
};

// For packets this process matches itself. `linktype` is the LINKTYPE_ of a file.
int filter_compile(struct filter *filter, const char *expr, uint16_t linktype, uint32_t snaplen, struct failure *f);
// For the kernel: libpcap's live compiler knows that the kernel keeps stripped VLAN tags beside the
// packet, so `vlan 5` works as in tcpdump. Opens the interface for a moment.
int filter_compile_live(struct filter *filter, const char *expr, const char *interface, uint32_t snaplen,
                        struct failure *f);
void filter_free(struct filter *filter);

static inline bool filter_matches(const struct filter *filter, const struct packet *p) {
  return !filter->active || pcap_offline_filter(&filter->program,
                                                &(struct pcap_pkthdr){.caplen = p->caplen, .len = p->wirelen},
                                                p->data) != 0;
}
#endif
