/* core/config_check.c - what a text must look like to be a setting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/config_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/tailbox.h"

enum { WHY = 120 };

static bool say(char *why, const char *text)
{
	snprintf(why, WHY, "%s", text);
	return true;
}

static bool has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

/* --- addresses ---------------------------------------------------------- */

static bool is_port(const char *s)
{
	unsigned v = 0;
	size_t n = 0;

	for (; s[n] >= '0' && s[n] <= '9' && n < 5; n++)
		v = v * 10 + (unsigned)(s[n] - '0');
	return n > 0 && s[n] == '\0' && v <= 65535;
}

/* ADDRESS:PORT, where an IPv6 address stands in brackets; without an address,
 * or with localhost, it is 127.0.0.1. */
static bool listen_is_wrong(const char *text, size_t len, char *why)
{
	const char *colon = strrchr(text, ':');
	const bool is_v6 = text[0] == '[';
	char host[64];
	struct in6_addr address;
	size_t n;

	if (len == 0 || is_port(text))
		return false;
	if (colon == NULL || !is_port(colon + 1))
		return say(why, "needs an address and a port, such as "
		                "\"127.0.0.1:9180\"");
	n = (size_t)(colon - text);
	if (n == 0 || (n == 9 && memcmp(text, "localhost", 9) == 0))
		return false;
	if (is_v6 && (n < 3 || text[n - 1] != ']'))
		return say(why, "an IPv6 address stands in [ ], such as "
		                "\"[::1]:9180\"");
	if (is_v6) {
		text++;
		n -= 2;
	}
	if (n >= sizeof(host))
		return say(why, "is no IP address");
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host, &address) != 1)
		return say(why, strchr(host, ':') != NULL
		                        ? "an IPv6 address stands in [ ], "
		                          "such as \"[::1]:9180\""
		                        : "is no IP address; names are not "
		                          "looked up");
	return false;
}

/* --- tokens and hosts --------------------------------------------------- */

static bool token_is_wrong(const char *text, size_t len, char *why)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= 0x20 ||
		    (unsigned char)text[i] >= 0x7f)
			return say(why, "holds a blank or something that is "
			                "not ASCII");
	return false;
}

/* As it stands in Host: a name or an address, perhaps with a port. */
static bool host_is_wrong(const char *text, size_t len, char *why)
{
	for (size_t i = 0; i < len; i++) {
		const char c = text[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || strchr(".-_:[]", c) != NULL))
			return say(why, "is no host; write it as in the Host "
			                "header, without http://");
	}
	return false;
}

/* --- routes ------------------------------------------------------------- */

static bool is_in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool segment_is_wrong(const char *s, size_t len, bool is_last, char *why)
{
	if (len == 1 && s[0] == '*')
		return is_last ? false
		               : say(why, "* stands for the rest and must be "
		                          "the last segment");
	if (memchr(s, '*', len) != NULL)
		return say(why, "* must be a segment of its own");
	if (memchr(s, '{', len) == NULL && memchr(s, '}', len) == NULL)
		return false;
	if (len < 3 || s[0] != '{' || s[len - 1] != '}')
		return say(why, "{name} must be a segment of its own");
	for (size_t i = 1; i + 1 < len; i++)
		if (!is_in_name(s[i]))
			return say(why, "a name in { } has letters, digits, _ "
			                "and - only");
	return false;
}

static bool pattern_is_wrong(const char *text, size_t len, char *why)
{
	size_t at = 1;

	if (text[0] != '/')
		return say(why, "a pattern begins with /");
	if (len > TAILBOX_NAME_MAX)
		return say(why, "a pattern has at most 111 bytes");
	if (strchr(text, '?') != NULL || strchr(text, '#') != NULL)
		return say(why, "a pattern is a path, without ? and #");
	for (;;) {
		const size_t n = strcspn(text + at, "/");
		const bool is_last = text[at + n] == '\0';

		if (segment_is_wrong(text + at, n, is_last, why))
			return true;
		if (is_last)
			return false;
		at += n + 1;
	}
}

/* --- triggers ----------------------------------------------------------- */

static bool route_bound_is_wrong(const char *text, char *why)
{
	size_t len;
	uint64_t ms;

	if (!tailbox__config_route_bound(text, &len, &ms))
		return say(why, "needs a route, a blank and a duration, such as "
		                "\"/checkout 250ms\"");
	return len > TAILBOX_NAME_MAX &&
	       say(why, "a route has at most 111 bytes");
}

static bool share_is_wrong(const char *text, size_t len, bool is_percent,
                           char *why)
{
	uint64_t value;
	bool is_ppm;

	if (len == 0)
		return false; /* off */
	if (tailbox__config_share(text, &value, &is_ppm) &&
	    (is_ppm || !is_percent))
		return false;
	return say(why, is_percent ? "needs a percentage above 0, such as "
	                             "\"5%\" or \"0.5%\""
	                           : "needs a percentage of the queue's limit "
	                             "or a number above 0, such as \"80%\"");
}

static bool signal_is_wrong(const char *text, size_t len, char *why)
{
	return len > 0 && tailbox__config_signal(text) == 0 &&
	       say(why, "is none of SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGWINCH");
}

static bool stack_signal_is_wrong(const char *text, size_t len, char *why)
{
	return len > 0 && tailbox__config_stack_signal(text) == 0 &&
	       say(why, "is none of SIGURG SIGUSR1 SIGUSR2 SIGPROF SIGWINCH "
	                "SIGRTMIN+0 to SIGRTMIN+30");
}

/* --- by key ------------------------------------------------------------- */

bool tailbox__config_is_wrong(enum tailbox__config_key key, const char *text,
                              size_t len, char *why)
{
	_Static_assert(TAILBOX_NAME_MAX == 111, "the message says so");
	if (has_control(text, len))
		return say(why, "holds a control character");
	switch (key) {
	case TAILBOX__KEY_SERVICE_NAME:
		return tailbox__is_blank(text, len) && say(why, "is blank");
	case TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT:
		return text[0] != '/' &&
		       say(why, "is no absolute path; there is no shell, and "
		                "no search");
	case TAILBOX__KEY_ADMIN_LISTEN:
		return listen_is_wrong(text, len, why);
	case TAILBOX__KEY_ADMIN_TOKEN:
		return token_is_wrong(text, len, why);
	case TAILBOX__KEY_ADMIN_ALLOW_HOSTS:
		return host_is_wrong(text, len, why);
	case TAILBOX__KEY_ROUTES_PATTERNS:
		return pattern_is_wrong(text, len, why);
	case TAILBOX__KEY_TRIGGERS_ROUTE_P99:
		return route_bound_is_wrong(text, why);
	case TAILBOX__KEY_TRIGGERS_ERROR_RATE:
		return share_is_wrong(text, len, true, why);
	case TAILBOX__KEY_TRIGGERS_ACCEPT_QUEUE:
		return share_is_wrong(text, len, false, why);
	case TAILBOX__KEY_TRIGGERS_SIGNAL:
		return signal_is_wrong(text, len, why);
	case TAILBOX__KEY_HOLDS_STACK:
		return stack_signal_is_wrong(text, len, why);
	default:
		return false;
	}
}
