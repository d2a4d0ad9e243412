/* core/task.h - what a thread does in the kernel, as /proc tells it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Of a thread of our own it needs no right; of another process's the right to
 * trace it, which the kernel may refuse to its own user as well.
 */
#ifndef TAILBOX_CORE_TASK_H
#define TAILBOX_CORE_TASK_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tailbox__task {
	char state;             /* letter of /proc/TID/stat; 0 = not known */
	char wchan[64];         /* kernel function it sleeps in; "" = not known */
	char syscall[32];       /* its name, else its number; "" = not known */
	const char *wchan_why;  /* why it is not known; static; NULL = it is */
	const char *syscall_why;
};

/* Look at a thread now; pid 0: of this process. Three files are opened, read
 * and closed: about 15 us. Any thread; does not wait for the one looked at. */
void tailbox__task_look(uint32_t pid, uint32_t tid, struct tailbox__task *out);
/* The system call alone; false: none, or not known (out is "", *why, if not
 * NULL, says why). */
bool tailbox__task_syscall(uint32_t pid, uint32_t tid, char *out, size_t room,
                           const char **why);

struct tailbox__json;
/* As member `kernel`: an object, null for NULL. What is not known is null,
 * with the reason beside it. */
void tailbox__task_json(struct tailbox__json *j, const struct tailbox__task *t);
/* The same for people: "S in futex (futex_wait_queue)", or why not. */
void tailbox__task_text(char *out, size_t room, const struct tailbox__task *t);

/* Name of a system call of this machine's kernel; NULL when we know none. */
const char *tailbox__syscall_name(uint64_t number);

/* --- the texts; of any origin ------------------------------------------- */

/* task/TID/stat: the state letter, 0 = unknown. The name in it may hold
 * anything, parentheses and spaces too. */
char tailbox__parse_state(const char *text);
/* task/TID/wchan: the kernel's function that it sleeps in. False when it runs
 * or the kernel does not tell ("0"), or out has no room for it. */
bool tailbox__parse_wchan(const char *text, char *out, size_t room);
/* task/TID/syscall: the number of the system call; -1: it is in none. False:
 * it runs, or the text is not of the expected shape. */
bool tailbox__parse_syscall(const char *text, int64_t *number);

#endif
