/* agent/take_out.c - the agent out of LD_PRELOAD.
 *
 * SPDX-License-Identifier: MIT
 *
 * In place, so that the program's envp and /proc/PID/environ say the same; what
 * the list no longer needs is cleared.
 */
#include "agent/agent.h"

#include <string.h>

static bool is_separator(char c)
{
	return c == ':' || c == ' ';
}

/* Where `what` is a whole entry of the list; NULL: nowhere. */
static char *find(char *list, const char *what, size_t len)
{
	for (char *at = list; (at = strstr(at, what)) != NULL; at++)
		if ((at == list || is_separator(at[-1])) &&
		    (at[len] == '\0' || is_separator(at[len])))
			return at;
	return NULL;
}

unsigned tailbox__take_out(char *list, const char *what, bool *is_empty)
{
	const size_t len = strlen(what);
	unsigned n = 0;
	char *at;

	*is_empty = false;
	while (len > 0 && (at = find(list, what, len)) != NULL) {
		char *from = at + len, *end = list + strlen(list);
		size_t rest;
		n++;
		/* One separator goes along: the one behind it, of the last
		 * entry the one before. */
		if (*from != '\0')
			from++;
		else if (at > list)
			at--;
		else
			*is_empty = true;
		rest = (size_t)(end - from);
		memmove(at, from, rest);
		memset(at + rest, 0, (size_t)(end - at) - rest);
	}
	return n;
}
