/* sampler/proc.c - read the kernel's text files: kept open, parsed in place.
 *
 * SPDX-License-Identifier: MIT
 *
 * Opening a file of /proc costs about eight times what reading it does, so
 * the sampler keeps them open and reads at offset 0 each time: the kernel
 * makes the text anew then. A file of a thread that has ended gives ESRCH for
 * ever, also when its number is in use again: hence the second open.
 *
 * What the kernel does not have (no CONFIG_SCHEDSTATS, no PSI) or does not
 * let us see stays so while we run and is not asked for again.
 *
 * Texts come from the kernel, but the parsers do not rely on that: a kernel of
 * next year may write them differently, and a filter (lxcfs, gVisor) may
 * stand in between. Nothing here uses the locale.
 */
#include "sampler/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sampler/values.h"

/* --- files ---------------------------------------------------------------- */

void tailbox__proc_close(struct tailbox__proc_file *f)
{
	int fd = f->fd;

	/* First, so that a child forked in between cannot close a number
	 * that somebody else has got by then. */
	f->fd = TAILBOX__PROC_CLOSED;
	if (fd >= 0)
		close(fd);
}

static bool open_file(struct tailbox__proc_file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0) {
		f->fd = fd;
		f->opened++;
		return true;
	}
	/* The process may run out of descriptors and have some again. */
	if (errno != EMFILE && errno != ENFILE && errno != EINTR &&
	    errno != ENOMEM)
		f->fd = TAILBOX__PROC_ABSENT;
	return false;
}

static long read_start(int fd, char *buf, size_t room)
{
	ssize_t n;

	do
		n = pread(fd, buf, room, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Text that fills the buffer may be cut inside a number, which would read as
 * a smaller one: keep the lines that are whole. */
static long whole_lines(char *buf, long n)
{
	while (n > 0 && buf[n - 1] != '\n')
		n--;
	buf[n] = '\0';
	return n;
}

long tailbox__proc_read(struct tailbox__proc_file *f, const char *path,
                        char *buf, size_t room)
{
	long n;

	buf[0] = '\0';
	if (f->fd == TAILBOX__PROC_ABSENT)
		return -1;
	if (f->fd < 0 && (!path || !open_file(f, path)))
		return -1;
	n = read_start(f->fd, buf, room - 1);
	if (n == -ESRCH) {
		tailbox__proc_close(f);
		if (!path || !open_file(f, path))
			return -1;
		n = read_start(f->fd, buf, room - 1);
	}
	if (n < 0) {
		tailbox__proc_close(f);
		/* PSI that is compiled in but switched off opens and then
		 * says EOPNOTSUPP. */
		if (n != -ESRCH)
			f->fd = TAILBOX__PROC_ABSENT;
		buf[0] = '\0';
		return -1;
	}
	buf[n] = '\0';
	return (size_t)n < room - 1 ? n : whole_lines(buf, n);
}

/* --- parsers -------------------------------------------------------------- */

static bool is_gap(char c)
{
	return c == ' ' || c == '\t';
}

uint64_t tailbox__parse_number(const char *text, const char **end)
{
	uint64_t n = 0;
	const char *s = text;

	if (end)
		*end = text;
	while (is_gap(*s))
		s++;
	if (*s < '0' || *s > '9')
		return TAILBOX__UNKNOWN;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned)(*s - '0'), &n))
			return TAILBOX__UNKNOWN;
	if (*s && *s != '\n' && !is_gap(*s))
		return TAILBOX__UNKNOWN;
	if (end)
		*end = s;
	return n;
}

bool tailbox__parse_schedstat(const char *text, uint64_t *run_ns,
                              uint64_t *wait_ns, uint64_t *slices)
{
	const char *at;
	uint64_t run = tailbox__parse_number(text, &at);
	uint64_t wait = tailbox__parse_number(at, &at);
	uint64_t count = tailbox__parse_number(at, &at);

	if (run == TAILBOX__UNKNOWN || wait == TAILBOX__UNKNOWN ||
	    count == TAILBOX__UNKNOWN)
		return false;
	*run_ns = run;
	*wait_ns = wait;
	*slices = count;
	return true;
}

/* The line that begins with head; NULL = none. */
static const char *line_of(const char *text, const char *head)
{
	size_t n = strlen(head);

	while (*text) {
		if (strncmp(text, head, n) == 0)
			return text;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

uint64_t tailbox__parse_psi(const char *text)
{
	static const char key[] = " total=";
	const char *line = line_of(text, "some ");

	if (!line)
		return TAILBOX__UNKNOWN;
	const char *at = strstr(line, key);
	if (!at || at > line + strcspn(line, "\n"))
		return TAILBOX__UNKNOWN;
	at += sizeof(key) - 1;
	return is_gap(*at) ? TAILBOX__UNKNOWN :
	                     tailbox__parse_number(at, NULL);
}

uint64_t tailbox__parse_keyed(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = line_of(text, key); at;
	     at = line_of(at + n, key))
		if (is_gap(at[n]) && (at == text || at[-1] == '\n'))
			return tailbox__parse_number(at + n, NULL);
	return TAILBOX__UNKNOWN;
}

/* Step over one word and the gap before it; its length, 0 at a line's end. */
static size_t word(const char **at)
{
	while (is_gap(**at))
		++*at;
	size_t n = strcspn(*at, " \t\n");

	*at += n;
	return n;
}

uint64_t tailbox__parse_netstat(const char *text, const char *key)
{
	static const char head[] = "TcpExt:";
	const char *names = line_of(text, head);

	if (!names)
		return TAILBOX__UNKNOWN;
	names += sizeof(head) - 1;
	const char *numbers = names + strcspn(names, "\n");
	if (*numbers != '\n' || strncmp(numbers + 1, head, sizeof(head) - 1))
		return TAILBOX__UNKNOWN;
	numbers += sizeof(head);

	size_t len = strlen(key), n;
	while ((n = word(&names)) != 0) {
		if (n == len && memcmp(names - n, key, n) == 0)
			return tailbox__parse_number(numbers, NULL);
		if (word(&numbers) == 0)
			break;
	}
	return TAILBOX__UNKNOWN;
}

uint64_t tailbox__parse_statm(const char *text)
{
	const char *at;

	if (tailbox__parse_number(text, &at) == TAILBOX__UNKNOWN)
		return TAILBOX__UNKNOWN;
	return tailbox__parse_number(at, NULL);
}
