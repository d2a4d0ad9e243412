/* controller/admin_params.c - read what a client sent: query and headers.
 *
 * SPDX-License-Identifier: MIT
 *
 * Strict on purpose: a misspelt parameter that is ignored arms the wrong
 * window, and one learns of it after the incident. Headers are read as RFC
 * 9110 has it, sections 12.5.3 (Accept-Encoding), 13.1.2 (If-None-Match) and
 * 14.2 (Range), and what makes no sense in them is passed over.
 */
#include <string.h>
#include <strings.h>

#include "controller/admin_internal.h"

struct walk {
	struct tailbox__admin_request *q;
	const char *const *allowed;
	const char *wrong, *name;
};

const char *tailbox__admin_param(const struct tailbox__admin_request *q,
                                 const char *name)
{
	for (uint32_t i = 0; i < q->param_count; i++)
		if (strcmp(q->params[i].name, name) == 0)
			return q->params[i].value;
	return NULL;
}

static bool is_in(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static enum MHD_Result take(void *cls, enum MHD_ValueKind kind, const char *key,
                            size_t key_len, const char *value,
                            size_t value_len)
{
	struct walk *w = cls;
	struct tailbox__admin_request *q = w->q;

	(void)kind;
	w->name = key ? key : "";
	if (value == NULL)
		value = "", value_len = 0;
	/* %00 would hide what stands behind it. */
	if (strlen(w->name) != key_len || strlen(value) != value_len)
		w->wrong = "has a NUL byte";
	else if (!is_in(w->allowed, w->name))
		w->wrong = "is not known here";
	else if (tailbox__admin_param(q, w->name) != NULL)
		w->wrong = "is given twice";
	else if (q->param_count == TAILBOX__ADMIN_PARAMS_MAX)
		w->wrong = "is one too many";
	if (w->wrong != NULL)
		return MHD_NO;
	q->params[q->param_count].name = w->name;
	q->params[q->param_count++].value = value;
	return MHD_YES;
}

const char *tailbox__admin_params(struct tailbox__admin_request *q,
                                  const char *const *allowed,
                                  const char **name)
{
	struct walk w = { q, allowed, NULL, "" };
	const char *format;

	/* First of all, so that errors come as they were asked for. */
	format = MHD_lookup_connection_value(q->connection,
	                                     MHD_GET_ARGUMENT_KIND, "format");
	q->as_text = format != NULL && strcmp(format, "text") == 0;
	q->param_count = 0;
	MHD_get_connection_values_n(q->connection, MHD_GET_ARGUMENT_KIND, take,
	                            &w);
	*name = w.name;
	if (w.wrong != NULL)
		return w.wrong;
	format = tailbox__admin_param(q, "format");
	if (format != NULL && !q->as_text && strcmp(format, "json") != 0) {
		*name = "format";
		return "is text or json";
	}
	return NULL;
}

/* --- numbers ----------------------------------------------------------- */

/* Leading digits; the end, or NULL without any or beyond 2^63. */
static const char *digits(const char *text, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > ((uint64_t)INT64_MAX - 9) / 10)
			return NULL;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*out = v;
	return p == text ? NULL : p;
}

bool tailbox__admin_count(const char *text, uint64_t min, uint64_t max,
                          uint64_t *out)
{
	uint64_t v;
	const char *end = digits(text, &v);

	if (end == NULL || *end != '\0' || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool tailbox__admin_duration(const char *text, uint64_t min_ms, uint64_t max_ms,
                             uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		      { "h", 3600000 } };
	uint64_t v;
	const char *end = digits(text, &v);

	if (end == NULL)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (v > max_ms / units[i].ms || v * units[i].ms < min_ms)
			return false;
		*out = v * units[i].ms;
		return true;
	}
	return false;
}

/* --- headers ----------------------------------------------------------- */

const char *tailbox__admin_header(const struct tailbox__admin_request *q,
                                  const char *name)
{
	if (!q->is_job)
		return MHD_lookup_connection_value(q->connection,
		                                   MHD_HEADER_KIND, name);
	for (size_t i = 0; i < TAILBOX__COPIED_MAX; i++)
		if (q->headers[i].name != NULL &&
		    strcasecmp(q->headers[i].name, name) == 0)
			return q->headers[i].value;
	return NULL;
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* A q-value in thousandths; what is no number counts as 0. */
static int quality(const char *p)
{
	int q = 0, scale = 1000;

	if (*p != '0' && *p != '1')
		return 0;
	q = (*p++ - '0') * 1000;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && scale > 1; p++) {
			scale /= 10;
			q += (*p - '0') * scale;
		}
	return q > 1000 ? 1000 : q;
}

/* The weight of one element `name [;param]* `. */
static int weight(const char *p, const char *end)
{
	while (p < end && (p = memchr(p, ';', (size_t)(end - p))) != NULL) {
		p = skip_space(p + 1);
		if (p < end && (*p == 'q' || *p == 'Q')) {
			const char *eq = skip_space(p + 1);
			if (*eq == '=')
				return quality(skip_space(eq + 1));
		}
	}
	return 1000;
}

bool tailbox__admin_wants_gzip(const char *header)
{
	int gzip = -1, identity = -1, any = -1;

	for (const char *p = header; p != NULL && *p != '\0';) {
		const char *end, *stop;
		size_t n;
		p = skip_space(p);
		end = p + strcspn(p, ",");
		stop = p + strcspn(p, "; \t,");
		n = (size_t)(stop - p);
		if ((n == 4 && strncasecmp(p, "gzip", 4) == 0) ||
		    (n == 6 && strncasecmp(p, "x-gzip", 6) == 0))
			gzip = weight(p, end);
		else if (n == 8 && strncasecmp(p, "identity", 8) == 0)
			identity = weight(p, end);
		else if (n == 1 && *p == '*')
			any = weight(p, end);
		p = *end == ',' ? end + 1 : end;
	}
	if (gzip < 0)
		gzip = any;
	/* Not named, identity is allowed but nobody's wish. */
	return gzip > 0 && gzip >= identity;
}

bool tailbox__admin_has_tag(const char *header, const char *tag)
{
	size_t n = strlen(tag);

	for (const char *p = header; p != NULL && *p != '\0';) {
		p += strspn(p, " \t,");
		if (*p == '*')
			return true;
		if (p[0] == 'W' && p[1] == '/')
			p += 2;
		if (strncmp(p, tag, n) == 0)
			return true;
		if (*p != '"') {
			p += strcspn(p, ",");
			continue;
		}
		/* A comma inside the quotes does not end it. */
		p = strchr(p + 1, '"');
		if (p != NULL)
			p++;
	}
	return false;
}

int tailbox__admin_range(const char *header, uint64_t size, uint64_t *first,
                         uint64_t *count)
{
	uint64_t a, b = size;
	const char *p;

	if (header == NULL || strncasecmp(header, "bytes=", 6) != 0)
		return 0;
	header += 6;
	if (*header == '-') { /* the last so many */
		p = digits(header + 1, &b);
		if (p == NULL || *p != '\0')
			return 0;
		*count = b < size ? b : size;
		*first = size - *count;
		return *count > 0 ? 1 : -1;
	}
	p = digits(header, &a);
	if (p == NULL || *p++ != '-')
		return 0;
	if (*p != '\0') {
		p = digits(p, &b);
		if (p == NULL || *p != '\0' || b < a)
			return 0;
		b++;
	}
	if (a >= size)
		return -1;
	*first = a;
	*count = (b < size ? b : size) - a;
	return 1;
}
