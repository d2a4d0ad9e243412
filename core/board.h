/* core/board.h - what the preload agent tells `tailbox run`.
 *
 * SPDX-License-Identifier: MIT
 *
 * One block of shared memory, made by the command and mapped by the agent when
 * it is loaded; no descriptor stays open in the program for it, and a program
 * that forks before it serves takes the mapping along. The agent only adds:
 * entries are taken by counting up, and are complete once their state says so.
 * Whoever reads it believes nothing of what a program may have overwritten:
 * texts are cut at their room, counts at TAILBOX__BOARD_ENTRIES.
 */
#ifndef TAILBOX_CORE_BOARD_H
#define TAILBOX_CORE_BOARD_H 1

#include <stdatomic.h>
#include <stdint.h>

#define TAILBOX__BOARD_MAGIC UINT64_C(0x317264616f626274) /* "tbboard1" */
#define TAILBOX__BOARD_ENTRIES 32u

/* The environment by which the command speaks to the agent; the agent takes
 * all of it out when it is loaded, but for TAILBOX_AGENT_CHILDREN. */
#define TAILBOX__AGENT_BOARD "TAILBOX_AGENT_BOARD"     /* a path */
#define TAILBOX__AGENT_PRELOAD "TAILBOX_AGENT_PRELOAD" /* what to take out */
#define TAILBOX__AGENT_CHILDREN "TAILBOX_AGENT_CHILDREN" /* set: stay in */
#define TAILBOX__AGENT_NAME "TAILBOX_NAME" /* of the service */

enum tailbox__board_state {
	TAILBOX__BOARD_EMPTY,
	TAILBOX__BOARD_RECORDING, /* tape is set */
	TAILBOX__BOARD_REFUSED    /* why is set */
};

struct tailbox__board_entry {
	_Atomic uint32_t state;
	uint32_t is_said; /* on the program's standard error */
	uint32_t pid;     /* in the program's own pid namespace */
	char tape[1024];
	char why[256];
};

struct tailbox__board {
	uint64_t magic;
	_Atomic uint32_t loaded; /* programs that the agent was loaded into */
	_Atomic uint32_t taken;  /* entries; beyond the last: not told */
	struct tailbox__board_entry entries[TAILBOX__BOARD_ENTRIES];
};

#endif
