/* controller/child_text.c - how a child ended, in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "controller/child.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

const char *tailbox__child_last_words(const struct tailbox__child *c,
                                      char *line, size_t size)
{
	static const char name[] = "tailbox: ";
	const char *from = c->said;
	size_t n = 0;

	if (strncmp(from, name, sizeof(name) - 1) == 0)
		from += sizeof(name) - 1;
	for (; *from != '\0' && n + 1 < size; from++)
		line[n++] = *from == '\n'                ? ' '
		            : (unsigned char)*from < ' ' ? '?'
		                                         : *from;
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	return n > 0 ? line : "it does not say why";
}

static void why_late(const struct tailbox__child_limits *l, char *out,
                     size_t size)
{
	char cpu[64] = "";

	if (l->cpu_s != 0)
		snprintf(cpu, sizeof(cpu),
		         ", or than %" PRIu64 " s of CPU time", l->cpu_s);
	snprintf(out, size, "took longer than %" PRIu64 " ms%s, and was %s",
	         l->wall_ms, cpu, l->term_ms != 0 ? "ended" : "killed");
}

void tailbox__child_why(const struct tailbox__child *c,
                        const struct tailbox__child_limits *l, char *out,
                        size_t size)
{
	char line[200];

	switch (c->end) {
	case TAILBOX__CHILD_EXITED:
		snprintf(out, size, "exit status %d: %s", c->code,
		         tailbox__child_last_words(c, line, sizeof(line)));
		return;
	case TAILBOX__CHILD_UNKNOWN:
		snprintf(out, size, "its exit status was taken by the "
		                    "application");
		return;
	case TAILBOX__CHILD_KILLED:
		snprintf(out, size, "was ended by signal %d", c->code);
		return;
	case TAILBOX__CHILD_LATE:
		why_late(l, out, size);
		return;
	case TAILBOX__CHILD_TOO_MUCH:
		snprintf(out, size, "printed more than %zu bytes, and was "
		                    "killed",
		         l->output_bytes);
		return;
	case TAILBOX__CHILD_STOPPED:
		snprintf(out, size, "tailbox stops");
		return;
	case TAILBOX__CHILD_NO_START:
		snprintf(out, size, "does not start: %s",
		         tailbox_strerror(c->code));
		return;
	}
}
