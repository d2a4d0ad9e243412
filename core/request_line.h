/* core/request_line.h - a finished request as one line: logfmt, or JSON.
 *
 * SPDX-License-Identifier: MIT
 *
 * From its records on a tape, in the process or out of it: the log of slow
 * requests and `tailbox tail` say the same about one.
 */
#ifndef TAILBOX_CORE_REQUEST_LINE_H
#define TAILBOX_CORE_REQUEST_LINE_H 1

#include "core/json.h"
#include "core/kept.h"
#include "core/reader.h"
#include "core/run.h"

#define TAILBOX__LINE_MAX 2048u
#define TAILBOX__LINE_WAITS_MAX 8u

struct tailbox__line {
	uint64_t number, end; /* tick of its end */
	uint64_t end_wall_ns;
	const char *id; /* "" = it has none, but its number */
	const char *route, *kind, *outcome; /* the reader's, or static */
	const char *holder_route;
	uint64_t total_ns; /* its ingress wait included */
	uint64_t phases_ns[TAILBOX__PHASE_COUNT]; /* NONE: not known */
	uint64_t bytes_in, bytes_out;             /* NONE: not known */
	uint64_t reader_ns; /* of `send`; NONE: not known */
	uint64_t holder_number;                   /* 0 = none */
	uint32_t worker;
	uint16_t status; /* 0 = none */
	struct tailbox__line_wait {
		const char *name;
		uint64_t ns;
	} waits[TAILBOX__LINE_WAITS_MAX];
	unsigned wait_count;
	struct tailbox__line_wait stages[TAILBOX__LINE_WAITS_MAX];
	unsigned stage_count; /* of a kept one; else none are known */
	uint32_t kept_why;    /* TAILBOX__RARE_...; 0 = it is not a kept one */
	uint32_t cut_spans;   /* of a kept one: it had so many more */
	char id_text[112 + 1];
};

/* Fill from the record at the beginning of `records`, whose further records
 * follow it. False: it is no request's. */
bool tailbox__line_read(struct tailbox__line *l, struct tailbox__reader *r,
                        const char *records, size_t bytes);
/* Fill from one that the tape kept, its stages and waits as well. */
bool tailbox__line_kept(struct tailbox__line *l, struct tailbox__reader *r,
                        const struct tailbox__kept_request *k);
/* Add to what the request waited for under this name; the names beyond the
 * maximum are one, called "other". */
void tailbox__line_wait(struct tailbox__line *l, const char *name, uint64_t ns);
/* As logfmt, without a newline; cut at a field's end when it does not fit.
 * size: at least 64. Returns its length. */
size_t tailbox__line_logfmt(const struct tailbox__line *l, char *buf,
                            size_t size);
/* As a JSON object of one line. */
void tailbox__line_json(const struct tailbox__line *l, struct tailbox__json *j);
/* Whether a value can stand in logfmt as it is; else it is quoted. */
bool tailbox__logfmt_is_bare(const char *text);

#endif
