// SPDX-License-Identifier: GPL-2.0
/* main.c - `tap COMMAND ARG...`: the user space of the guest tests; statically linked. */
#include "tap.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "read", tap_read_command },
	{ "send", tap_send_command },
	{ "inject", tap_inject_command },
	{ "hostile", tap_hostile_command },
	{ "bench", tap_bench_command },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 2, argv + 2);
	printf("usage: tap read|send|inject|hostile|bench TARGET [ARG...]\n");
	return 2;
}
