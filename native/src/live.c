// What live sources share, see live.h.
#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int live_find_interface(struct source *s, const struct options *o, struct iface *iface, struct failure *f) {
  char name[IF_NAMESIZE] = "", known[256];
  if (o->interface)
    snprintf(s->interface_name, sizeof s->interface_name, "%s", o->interface);
  else if (iface_default(name))
    snprintf(s->interface_name, sizeof s->interface_name, "%s", name);
  else
    return fail(f, ENODEV, "no default route to tell the interface by; name one with -i");
  int rc = iface_query(s->interface_name, 0, iface);
  if (rc == -ENODEV) {
    iface_names(known, sizeof known);
    return fail(f, ENODEV, "%s: no such interface; there are: %s", s->interface_name, known);
  }
  if (rc) return fail(f, -rc, "%s: %s", s->interface_name, strerror(-rc));
  int linktype = iface_linktype(iface->arphrd);
  if (linktype < 0)
    return fail(f, EOPNOTSUPP, "%s: hardware type %u is not supported yet; use an Ethernet, loopback or tun interface",
                s->interface_name, iface->arphrd);
  s->linktype = (uint16_t)linktype;
  s->ifindex = iface->index;
  return 0;
}
