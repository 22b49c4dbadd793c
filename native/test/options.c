// Command line and configuration file: what is accepted, what is refused and how that reads.
#include "config.h"
#include "options.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static struct failure failure;

// Words separated by spaces; '_' stands for a space inside a word.
static int parse(struct options *o, const char *line) {
  static char copy[1024];
  char *argv[64] = {"ringtapd"};
  int argc = 1;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
  for (int i = 1; i < argc; i++)
    for (char *c = argv[i]; *c; c++)
      if (*c == '_') *c = ' ';
  return options_parse(o, argc, argv, &failure);
}

TEST(options_units_are_tcpdumps) {
  struct options o;
  CHECK(parse(&o, "-i eth0 -w out -C 5 -G 60 -W 3 -B 4096 -s 96 -c 10 tcp port 80") == 0);
  CHECK(o.rotate_bytes == 5000000 && o.rotate_ns == 60000000000ull && o.keep_files == 3);
  CHECK(o.ring_bytes == 4096 * 1024 && o.snaplen == 96 && o.count == 10);
  CHECK(!strcmp(o.filter, "tcp port 80") && !strcmp(o.ring, "afpacket"));
  CHECK(o.block_bytes == 4194304);
  CHECK(parse(&o, "-i eth0 -w out -C 2M --block-size 5632K") == 0);
  CHECK(o.rotate_bytes == 2 << 20 && o.block_bytes <= o.rotate_bytes && o.block_bytes % 4096 == 0);
  CHECK(parse(&o, "-r x.pcap -w out -s 0") == 0 && !strcmp(o.ring, "file") && o.snaplen == 262144);
  CHECK(parse(&o, "--synth pps=1 --store d -f tcp_or_udp") == 0 && !strcmp(o.ring, "synth"));
  CHECK(!strcmp(o.filter, "tcp or udp"));
}

TEST(options_of_shaping_are_off_until_asked_for) {
  struct options o;
  CHECK(parse(&o, "-w out") == 0 && !o.slice && !o.dedup && !o.flow_cutoff_bytes);
  CHECK(parse(&o, "-w out --dedup --flow-cutoff 10K --slice port_443=128,tls=handshake udp") == 0);
  CHECK(!strcmp(o.dedup, "5ms") && o.flow_cutoff_bytes == 10240 && !strcmp(o.filter, "udp"));
  CHECK(!strcmp(o.slice, "port 443=128,tls=handshake"));
  CHECK(parse(&o, "-w out --dedup=1000p,routed") == 0 && !strcmp(o.dedup, "1000p,routed"));
  CHECK(options_set(&o, "dedup", "", &failure) == 0 && !strcmp(o.dedup, "5ms"));  // as a line of --config
}

TEST(options_refusals_name_cause_and_cure) {
  static const struct {
    const char *line, *says;
  } bad[] = {
      {"-i eth0", "nothing to do"},
      {"--frobnicate", "unknown flag"},
      {"-i", "needs a value"},
      {"-w x --xdp-mode=native", "needs --ring=afxdp"},
      {"-w x --ring=afpacket --queues 0", "needs --ring=afxdp"},
      {"-w x --ring=afxdp --xdp-mode=fast", "zerocopy"},
      {"-w x --dpdk-args=-l0", "needs --ring=dpdk"},
      {"-w x --ring=tape", "unknown"},
      {"-w x --ring=file", "-r FILE"},
      {"-w x -r a -i eth0", "drop one"},
      {"-w x --store d", "use one"},
      {"--store a,,b", "empty name"},
      {"--store a,b,a", "named twice"},
      {"--store a --retain-age 7w", "not an age"},
      {"--store a --free-floor 95%", "not a size"},
      {"--store a --free-floor x", "not a size"},
      {"--store a --seccomp maybe", "on, off or log"},
      {"-w - -C 1", "rotated"},
      {"-w x -W 3", "needs -C or -G"},
      {"-w x -C 12q", "not a size"},
      {"-w x -C 99999999999999G", "not a size"},
      {"-w x -c -5", "not a whole number"},
      {"-w x -s 4294967296", "below 2^32"},
      {"-w x -s 300000", "is over"},
      {"-w x --block-size 5000", "multiple of 4096"},
      {"-w x --stats-interval nan", "not seconds"},
      {"-w x --stats-interval 0.05", "0.1 or more"},
      {"-w x --token-file t", "needs --gateway"},
      {"-w x --pool-blocks 1", "2 to 4096"},
      {"-w x --config /nonexistent", "/nonexistent"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct options o;
    int rc = parse(&o, bad[i].line);
    CHECK(rc < 0 && strstr(failure.text, bad[i].says));
    if (rc >= 0 || !strstr(failure.text, bad[i].says)) fprintf(stderr, "  %s -> %s\n", bad[i].line, failure.text);
  }
}

TEST(options_config_file_yields_to_the_command_line) {
  char path[] = "/tmp/ringtap-unit-XXXXXX", line[128];
  int fd = mkstemp(path);
  const char *text = "# comment\n\nstore = /somewhere\nsnaplen=128\nfilter = icmp or arp\nverbose=true\nname=a b\n";
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  struct options o;
  snprintf(line, sizeof line, "-s 64 --config %s", path);
  CHECK(parse(&o, line) == 0);
  CHECK(o.snaplen == 64 && !strcmp(o.store, "/somewhere") && !strcmp(o.filter, "icmp or arp") && o.verbose);
  CHECK(!strcmp(o.probe_name, "a b"));
  snprintf(line, sizeof line, "--config %s tcp", path);
  CHECK(parse(&o, line) == 0 && !strcmp(o.filter, "tcp") && o.snaplen == 128);
  CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, "store\n", 6, 0) == 6);
  CHECK(parse(&o, line) < 0 && strstr(failure.text, ":1: no '='"));
  CHECK(pwrite(fd, "colour=red\n", 11, 0) == 11);
  CHECK(parse(&o, line) < 0 && strstr(failure.text, ":1: --colour: unknown"));
  close(fd);
  unlink(path);
}

TEST(options_config_file_takes_every_option) {
  const char *sample, *name;
  size_t count = 0;
  for (; (name = options_name(count, &sample)); count++) {
    struct options *o = calloc(1, sizeof *o), *untouched = calloc(1, sizeof *o);
    char path[] = "/tmp/ringtap-unit-XXXXXX", text[128];
    int fd = mkstemp(path), n = snprintf(text, sizeof text, "%s = %s\n", name, sample ? sample : "true");
    CHECK(write(fd, text, (size_t)n) == n);
    int rc = config_read(o, path, &failure);
    if (!strcmp(name, "config"))
      CHECK(rc < 0 && strstr(failure.text, "do not nest"));
    else
      CHECK(rc == 0 && memcmp(o, untouched, offsetof(struct options, config_text)));
    if (rc && strcmp(name, "config")) fprintf(stderr, "  %s -> %s\n", name, failure.text);
    close(fd);
    unlink(path);
    free(o);
    free(untouched);
  }
  CHECK(count > 30);
}
