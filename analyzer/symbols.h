/* analyzer/symbols.h - which function an address of a file is in.
 *
 * SPDX-License-Identifier: MIT
 *
 * Whoever reads a stack looks its names up, never the service: this opens
 * files, reads a lot and takes memory. It is right only where the file at the
 * path is the one that ran, which its build id says; without one, or with
 * another, nothing is found.
 */
#ifndef TAILBOX_ANALYZER_SYMBOLS_H
#define TAILBOX_ANALYZER_SYMBOLS_H 1

#include <stdbool.h>
#include <stdint.h>

#include "core/run.h"

/* Files that are looked into: what a stranger's artifact names is not to keep
 * anybody busy. */
#define TAILBOX__SYMBOL_FILES_MAX 256u

/* Files that were looked into, kept for the next question. Start with zeros. */
struct tailbox__symbols {
	TAILBOX__LIST(struct tailbox__symbol_file *) files;
};
void tailbox__symbols_fini(struct tailbox__symbols *s);

/* The function that an instruction at this address (as the file counts) is
 * in. path: absolute; build_id: hexadecimal, as on the tape. *offset: from the
 * function's begin. The text is valid until _fini(). NULL: not known. */
const char *tailbox__symbols_find(struct tailbox__symbols *s,
                                  const char *path, const char *build_id,
                                  uint64_t address, uint64_t *offset);
/* The same of a frame of a stack: is_return where the address is one that is
 * returned to, so that the call before it is what is looked for. */
const char *tailbox__symbols_frame(struct tailbox__symbols *s,
                                   const char *path, const char *build_id,
                                   uint64_t address, bool is_return,
                                   uint64_t *offset);
/* Look up all frames of the run that have no function yet. 0 or -ENOMEM. */
int tailbox__symbols_fill(struct tailbox__run *run);

/* A frame in one line: "work+0x1b (server)", "?work+0x1b (server)" where it is
 * guessed, "server+0x11f4 3f2a..." without a function, "0x7f.." without a
 * module. Any text is NULL or "" where it is not known. Cut to room. */
void tailbox__frame_text(char *out, size_t room, const char *module,
                         const char *build_id, uint64_t address,
                         const char *function, uint64_t function_offset,
                         bool is_guessed);
/* The same of a frame of a run. */
void tailbox__run_frame_text(char *out, size_t room,
                             const struct tailbox__run *run,
                             const struct tailbox__run_frame *f);
#define TAILBOX__FRAME_ROOM 320u

#endif
