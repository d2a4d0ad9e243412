/* core/task.c - what a thread does in the kernel, as /proc tells it.
 *
 * SPDX-License-Identifier: MIT
 *
 * The three files are of three instants: a thread that goes on meanwhile may
 * show a call that it had left when its state was read. What is asked about is
 * stuck, and then they agree.
 */
#include "core/task.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/json.h"

/* --- texts ----------------------------------------------------------------- */

char tailbox__parse_state(const char *text)
{
	const char *at = strrchr(text, ')');

	if (!at || at[1] != ' ')
		return 0;
	char c = at[2];
	if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
		return 0;
	return at[3] == ' ' ? c : 0;
}

bool tailbox__parse_wchan(const char *text, char *out, size_t room)
{
	size_t len = strcspn(text, " \t\n");

	if (len == 0 || len >= room || text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

bool tailbox__parse_syscall(const char *text, int64_t *number)
{
	int64_t n = 0;
	size_t i = 0;

	if (strncmp(text, "-1 ", 3) == 0) {
		*number = -1;
		return true;
	}
	for (; text[i] >= '0' && text[i] <= '9' && i < 9; i++)
		n = n * 10 + (text[i] - '0');
	/* Its arguments follow. */
	if (i == 0 || text[i] != ' ')
		return false;
	*number = n;
	return true;
}

/* --- files ----------------------------------------------------------------- */

/* What stands in a file of the thread; false: *why says why not. */
static bool read_file(uint32_t pid, uint32_t tid, const char *name, char *buf,
                      size_t room, const char **why)
{
	char path[80], process[16] = "self";

	if (pid)
		snprintf(process, sizeof(process), "%" PRIu32, pid);
	snprintf(path, sizeof(path), "/proc/%s/task/%" PRIu32 "/%s", process,
	         tid, name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	long n = fd < 0 ? -errno : tailbox__fd_read(fd, buf, room - 1);
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	if (n > 0)
		return true;
	switch (-n) {
	case EPERM:
	case EACCES:
		*why = "not permitted: it takes the right to trace the process";
		break;
	case ENOENT:
	case ESRCH:
		*why = "there is no such thread, or the kernel does not tell";
		break;
	default:
		*why = "cannot be read";
	}
	return false;
}

bool tailbox__task_syscall(uint32_t pid, uint32_t tid, char *out, size_t room,
                           const char **why)
{
	const char *unused;
	char text[256];
	int64_t number = -1;

	if (why == NULL)
		why = &unused;
	*why = NULL;
	out[0] = '\0';
	if (!read_file(pid, tid, "syscall", text, sizeof(text), why))
		return false;
	if (!tailbox__parse_syscall(text, &number))
		*why = strncmp(text, "running", 7) == 0
		               ? "it runs, or waits for a CPU"
		               : "the kernel tells it in a way not known here";
	else if (number < 0)
		*why = "it is in no system call";
	if (*why != NULL)
		return false;
	const char *name = tailbox__syscall_name((uint64_t)number);
	if (name != NULL)
		snprintf(out, room, "%s", name);
	else
		snprintf(out, room, "%" PRId64, number);
	return true;
}

void tailbox__task_look(uint32_t pid, uint32_t tid, struct tailbox__task *out)
{
	char text[1024];

	memset(out, 0, sizeof(*out));
	if (!read_file(pid, tid, "stat", text, sizeof(text),
	               &out->wchan_why)) {
		out->syscall_why = out->wchan_why;
		return;
	}
	out->state = tailbox__parse_state(text);
	tailbox__task_syscall(pid, tid, out->syscall, sizeof(out->syscall),
	                      &out->syscall_why);
	if (!read_file(pid, tid, "wchan", text, sizeof(text),
	               &out->wchan_why) ||
	    tailbox__parse_wchan(text, out->wchan, sizeof(out->wchan)))
		return;
	/* "0": of a thread that runs, and also where it may not be told. */
	if (out->syscall[0] == '\0' && out->syscall_why != NULL)
		out->wchan_why = out->syscall_why;
	else
		out->wchan_why = "the kernel does not tell";
}

/* --- what was seen ---------------------------------------------------------- */

static void put_known(struct tailbox__json *j, const char *key,
                      const char *why_key, const char *text, const char *why)
{
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, text[0] != '\0' ? text : NULL);
	if (text[0] != '\0')
		return;
	tailbox__json_key(j, why_key);
	tailbox__json_cstr(j, why);
}

void tailbox__task_json(struct tailbox__json *j, const struct tailbox__task *t)
{
	tailbox__json_key(j, "kernel");
	if (t == NULL) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__json_key(j, "state");
	if (t->state)
		tailbox__json_string(j, &t->state, 1);
	else
		tailbox__json_null(j);
	put_known(j, "syscall", "syscall_why_not", t->syscall, t->syscall_why);
	put_known(j, "wchan", "wchan_why_not", t->wchan, t->wchan_why);
	tailbox__json_end_object(j);
}

void tailbox__task_text(char *out, size_t room, const struct tailbox__task *t)
{
	const char state[2] = { t->state ? t->state : '?', '\0' };

	if (t->syscall[0] != '\0' && t->wchan[0] != '\0')
		snprintf(out, room, "%s in %s (%s)", state, t->syscall,
		         t->wchan);
	else if (t->syscall[0] != '\0' || t->wchan[0] != '\0')
		snprintf(out, room, "%s in %s", state,
		         t->syscall[0] != '\0' ? t->syscall : t->wchan);
	else
		snprintf(out, room, "%s: %s", state,
		         t->syscall_why != NULL ? t->syscall_why
		                                : "nothing is told");
}
