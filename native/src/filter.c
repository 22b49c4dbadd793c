// Capture filters, see filter.h. Start-up only, but for filter_matches.
#include "filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "constants.h"

static int compile(struct filter *filter, pcap_t *pcap, const char *expr, struct failure *f) {
  if (pcap_compile(pcap, &filter->program, expr, 1, PCAP_NETMASK_UNKNOWN))
    return fail(f, 0, "filter \"%s\": %s; see pcap-filter(7)", expr, pcap_geterr(pcap));
  filter->active = true;
  return 0;
}

int filter_compile(struct filter *filter, const char *expr, uint16_t linktype, uint32_t snaplen, struct failure *f) {
  // A file's LINKTYPE_ is not always the DLT_ of the same number (RAW: 101 and 12). libpcap maps one to the
  // other when it opens a file, so it is given a file's header.
  struct pcap_file_header header = {.magic = RT_PCAP_MAGIC_US, .version_major = PCAP_VERSION_MAJOR,
                                    .version_minor = PCAP_VERSION_MINOR, .snaplen = snaplen, .linktype = linktype};
  char text[PCAP_ERRBUF_SIZE];
  FILE *file = fmemopen(&header, sizeof header, "r");
  if (!file) return fail(f, ENOMEM, "filter: no memory");
  pcap_t *pcap = pcap_fopen_offline(file, text);
  if (!pcap) {
    fclose(file);
    return fail(f, EOPNOTSUPP, "filter: packets of linktype %u: %s; leave the filter out", linktype, text);
  }
  int rc = compile(filter, pcap, expr, f);
  pcap_close(pcap);
  return rc;
}

int filter_compile_live(struct filter *filter, const char *expr, const char *interface, uint32_t snaplen,
                        struct failure *f) {
  char text[PCAP_ERRBUF_SIZE];
  pcap_t *pcap = pcap_create(interface, text);
  if (!pcap) return fail(f, ENODEV, "filter: %s: %s", interface, text);
  pcap_set_snaplen(pcap, (int)snaplen);
  pcap_set_buffer_size(pcap, 1 << 20);
  int rc = pcap_activate(pcap);
  if (rc < 0)
    rc = fail(f, ENETDOWN, "filter: %s cannot be opened by libpcap: %s; is the interface up?", interface,
              pcap_geterr(pcap));
  else
    rc = compile(filter, pcap, expr, f);
  pcap_close(pcap);
  return rc;
}

void filter_free(struct filter *filter) {
  if (filter->active) pcap_freecode(&filter->program);
  filter->active = false;
}
