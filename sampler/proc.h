/* sampler/proc.h - read the kernel's text files: kept open, parsed in place.
 *
 * SPDX-License-Identifier: MIT
 *
 * Parsers take NUL-terminated text of any origin and give TAILBOX__UNKNOWN
 * (or false, or 0) for what is not there or not of the expected shape.
 */
#ifndef TAILBOX_SAMPLER_PROC_H
#define TAILBOX_SAMPLER_PROC_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/task.h" /* more of them */

/* --- files ---------------------------------------------------------------- */

enum {
	TAILBOX__PROC_CLOSED = -1, /* to be opened at the next read */
	TAILBOX__PROC_ABSENT = -2  /* not there or not ours: not tried again */
};

/* A file that is kept open. Start with TAILBOX__PROC_FILE. */
struct tailbox__proc_file {
	int fd;
	uint32_t opened; /* how often: a change means another thread's file */
};
#define TAILBOX__PROC_FILE { TAILBOX__PROC_CLOSED, 0 }

/* Read path from its beginning into buf, NUL-terminated; of a text that does
 * not fit the whole lines that do. Opens it when it is not open, and once more
 * when the kernel says that the thread behind it has ended. path NULL: only
 * when it is open; it is closed after a failure that a path might mend. Gives
 * the length, or -1: closed or absent then, buf is "". One thread per file. */
long tailbox__proc_read(struct tailbox__proc_file *f, const char *path,
                        char *buf, size_t room);
/* Close; the next read opens again, also what was absent. */
void tailbox__proc_close(struct tailbox__proc_file *f);

/* --- parsers -------------------------------------------------------------- */

/* task/TID/schedstat: "run_ns wait_ns slices": time on a CPU, time runnable
 * and waiting for one, times it was put on one. */
bool tailbox__parse_schedstat(const char *text, uint64_t *run_ns,
                              uint64_t *wait_ns, uint64_t *slices);
/* pressure/...: the total of the line "some", us since boot. */
uint64_t tailbox__parse_psi(const char *text);
/* Lines "KEY NUMBER": cpu.stat of a cgroup. */
uint64_t tailbox__parse_keyed(const char *text, const char *key);
/* net/netstat: a counter of the two lines that begin with "TcpExt:". */
uint64_t tailbox__parse_netstat(const char *text, const char *key);
/* statm: resident pages. */
uint64_t tailbox__parse_statm(const char *text);
/* Decimal digits up to a blank, a newline or the end; no sign. Leading blanks
 * are skipped. *end: behind the number; may be NULL. UNKNOWN when there are
 * no digits, on overflow, and when something else follows them. */
uint64_t tailbox__parse_number(const char *text, const char **end);

#endif
