/* tailbox/ulfius_route.h - the route that an endpoint of Ulfius is.
 *
 * SPDX-License-Identifier: MIT
 *
 * Used by tailbox/ulfius.h; needs no header of Ulfius.
 */
#ifndef TAILBOX_ULFIUS_ROUTE_H
#define TAILBOX_ULFIUS_ROUTE_H 1

#include <stddef.h>

#include <tailbox/request.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What does not fit into the name of a route is left out. */
#define TAILBOX_ULFIUS_ROUTE_SIZE (TAILBOX_NAME_MAX + 1)

static inline size_t tailbox__ulfius_put(char *to, size_t n, char c)
{
	if (n < TAILBOX_ULFIUS_ROUTE_SIZE - 1)
		to[n++] = c;
	return n;
}

/* "/" and a segment, for each: "a//:b" is "/a/{b}". */
static inline size_t tailbox__ulfius_path(char *to, size_t n, const char *s)
{
	char end;

	for (; s != NULL && *s != '\0'; s++) {
		if (*s == '/')
			continue;
		n = tailbox__ulfius_put(to, n, '/');
		end = *s == ':' || *s == '@' ? '}' : '\0';
		if (end != '\0') {
			n = tailbox__ulfius_put(to, n, '{');
			s++;
		}
		while (*s != '\0' && *s != '/')
			n = tailbox__ulfius_put(to, n, *s++);
		if (end != '\0')
			n = tailbox__ulfius_put(to, n, end);
		if (*s == '\0')
			break;
	}
	return n;
}

/* "GET /users/{id}" of the method GET, the prefix "/users" and the format
 * ":id", as ulfius_add_endpoint_by_val() takes them; for any method ("*") the
 * path alone. method, prefix, format: NULL is as "". to has room for
 * TAILBOX_ULFIUS_ROUTE_SIZE bytes. Threads: any thread. Since 0.1. */
static inline void tailbox_ulfius_route(char *to, const char *method,
                                        const char *prefix, const char *format)
{
	size_t n = 0, path;

	if (method != NULL && !(method[0] == '*' && method[1] == '\0'))
		while (*method != '\0')
			n = tailbox__ulfius_put(to, n, *method++);
	if (n != 0)
		n = tailbox__ulfius_put(to, n, ' ');
	path = n;
	n = tailbox__ulfius_path(to, n, prefix);
	n = tailbox__ulfius_path(to, n, format);
	if (n == path)
		n = tailbox__ulfius_put(to, n, '/');
	to[n] = '\0';
}

#ifdef __cplusplus
}
#endif
#endif
