/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tap.h - a small user of /dev/ringtapN for the guest tests: opening, mapping, walking spans. Errors end
 * the process with one line, as in a test nothing can go on.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../uapi/ringtap_uapi.h"

#define TAP_ETHERTYPE 0x88B5u	/* numbered frame, see nic_sim.c */
#define TAP_ETHERTYPE_END 0x88B6u	/* the last frame of a test */

struct tap {
	int fd;
	struct ringtap_info info;
	const uint8_t *data;
	const struct ringtap_index *index;
};

struct tap_packet {
	const uint8_t *data;
	uint64_t ts_ns;
	uint32_t caplen;
	uint32_t wirelen;
};

void tap_fail(const char *what) __attribute__((noreturn));
void tap_open(struct tap *tap, const char *path);
void tap_close(struct tap *tap);
/* 0, or -errno. */
int tap_take(struct tap *tap, struct ringtap_span *span);
void tap_release(struct tap *tap, uint32_t slot);
/* Reads the EPB at *at (offset in the span's slot) and moves on; fails on anything that is not one. */
void tap_next(const struct tap *tap, const struct ringtap_span *span, uint32_t *at, struct tap_packet *packet);
uint64_t tap_now_ms(void);

/* The commands of main.c. */
int tap_read_command(int argc, char **argv);
int tap_send_command(int argc, char **argv);
int tap_inject_command(int argc, char **argv);
int tap_hostile_command(int argc, char **argv);
int tap_bench_command(int argc, char **argv);

#endif
