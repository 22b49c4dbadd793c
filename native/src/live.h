// What live sources share: finding the interface that is meant, and its first check.
#ifndef RINGTAP_LIVE_H
#define RINGTAP_LIVE_H
#include "iface.h"
#include "source.h"

// The interface of -i or of the default route. Fills s->interface_name, ifindex and linktype, or says why not.
int live_find_interface(struct source *s, const struct options *o, struct iface *iface, struct failure *f);
#endif
