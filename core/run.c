/* core/run.c - a run in memory: create, fill, destroy, and its small rules.
 *
 * SPDX-License-Identifier: MIT
 *
 * The string pool is in run_strings.c; validation in validate.c; the forms on
 * disk in artifact*.c and run_json*.c.
 */
#include "core/run.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/record.h"
#include "core/run_strings.h"
#include "core/utf8.h"

enum {
	FIRST_ITEMS = 8,
	LARGE_BYTES = 1 << 20
};

const char *const tailbox__phase_names[TAILBOX__PHASE_COUNT] = {
	[TAILBOX__PHASE_INGRESS] = "ingress_wait",
	[TAILBOX__PHASE_HEADERS] = "headers",
	[TAILBOX__PHASE_BODY] = "body",
	[TAILBOX__PHASE_HANDLER] = "handler",
	[TAILBOX__PHASE_SUSPENDED] = "suspended",
	[TAILBOX__PHASE_RESUME] = "resume_delay",
	[TAILBOX__PHASE_SEND] = "send",
};

const char *const tailbox__hold_names[TAILBOX__HOLD_KINDS] = {
	NULL, "handler", "uri_log", "completed", "connection", "reader"
};

const char *const tailbox__stack_end_names[TAILBOX__STACK_ENDS] = {
	[TAILBOX__STACK_WHOLE] = "whole",
	[TAILBOX__STACK_DEEP] = "deep",
	[TAILBOX__STACK_UNSOUND] = "unsound",
	[TAILBOX__STACK_ELSEWHERE] = "elsewhere",
};

const char *const tailbox__open_in_names[TAILBOX__OPEN_IN_COUNT] = {
	"unknown", "stage", "wait"
};

const char *const tailbox__term_names[TAILBOX__TERM_COUNT] = {
	[TAILBOX__TERM_UNKNOWN] = "unknown",
	[TAILBOX__TERM_COMPLETED] = "completed",
	[TAILBOX__TERM_WITH_ERROR] = "with_error",
	[TAILBOX__TERM_TIMEOUT] = "timeout",
	[TAILBOX__TERM_DAEMON_SHUTDOWN] = "daemon_shutdown",
	[TAILBOX__TERM_READ_ERROR] = "read_error",
	[TAILBOX__TERM_CLIENT_ABORT] = "client_abort",
};

struct tailbox__limits tailbox__limits_of(enum tailbox__mode mode)
{
	uint64_t factor = mode == TAILBOX__MODE_INVESTIGATION ? 3 : 1;

	return (struct tailbox__limits){
		.max_requests = 100000 * factor,
		.max_stages = 200000 * factor,
		.max_queues = 200000 * factor,
		.max_inflight_snapshots = 200000 * factor,
		.max_runtime_snapshots = 100000 * factor,
	};
}

static struct tailbox__run *create(struct tailbox__run_strings *strings)
{
	struct tailbox__run *run = tailbox__zalloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->strings = strings;
	run->schema_version = 2;
	run->meta.finalized_ms = TAILBOX__NONE;
	return run;
}

int tailbox__run_create(struct tailbox__run **out)
{
	struct tailbox__run_strings *strings = tailbox__strings_create();

	*out = strings ? create(strings) : NULL;
	if (!*out)
		tailbox__strings_destroy(strings);
	return *out ? 0 : -ENOMEM;
}

int tailbox__run_create_kept(struct tailbox__run *run,
                             struct tailbox__run **out)
{
	*out = create(run->strings);
	if (!*out)
		return -ENOMEM;
	(*out)->is_kept = true;
	return 0;
}

void tailbox__run_destroy(struct tailbox__run *run)
{
	if (!run)
		return;
	tailbox__run_destroy(run->kept);
	tailbox__free(run->meta.warnings.items);
	tailbox__free(run->meta.unfinished.items);
	tailbox__free(run->meta.extra.items);
	tailbox__free(run->requests.items);
	tailbox__free(run->stages.items);
	tailbox__free(run->queues.items);
	tailbox__free(run->inflight.items);
	tailbox__free(run->snapshots.items);
	tailbox__free(run->ext.items);
	tailbox__free(run->values.items);
	tailbox__free(run->open.items);
	tailbox__free(run->holds.items);
	tailbox__free(run->stacks.items);
	tailbox__free(run->frames.items);
	if (!run->is_kept)
		tailbox__strings_destroy(run->strings);
	tailbox__free(run);
}

tailbox__str tailbox__run_str(struct tailbox__run *run, const char *s,
                              size_t len)
{
	return tailbox__strings_put(run->strings, s, len);
}

tailbox__str tailbox__run_str_near(struct tailbox__run *run, const char *s,
                                   size_t len, tailbox__str near)
{
	if (tailbox__strings_is(run->strings, near, s, len))
		return near;
	if (tailbox__strings_is(run->strings, near + 1, s, len))
		return near + 1;
	return tailbox__run_str(run, s, len);
}

tailbox__str tailbox__run_cstr(struct tailbox__run *run, const char *s)
{
	return tailbox__run_str(run, s, strlen(s));
}

tailbox__str tailbox__run_find(const struct tailbox__run *run, const char *s)
{
	return tailbox__strings_find(run->strings, s, strlen(s));
}

const char *tailbox__run_text(const struct tailbox__run *run, tailbox__str s,
                              size_t *len)
{
	const struct tailbox__run_strings *pool = run->strings;
	const char *text = "";
	uint32_t n = 0;

	if (s && s <= pool->count) {
		text = pool->text[s - 1];
		memcpy(&n, text - sizeof(n), sizeof(n));
	}
	if (len)
		*len = n;
	return text;
}

int tailbox__run_compare(const struct tailbox__run *run, tailbox__str a,
                         tailbox__str b)
{
	size_t an, bn;
	const char *at = tailbox__run_text(run, a, &an);
	const char *bt = tailbox__run_text(run, b, &bn);
	const int order = memcmp(at, bt, an < bn ? an : bn);

	return order != 0 ? order : (an > bn) - (an < bn);
}

uint32_t tailbox__run_str_count(const struct tailbox__run *run)
{
	return run->strings->count;
}

/* `items` points to a pointer of another type: read and write it as bytes, or
 * the compiler may assume that the caller's pointer did not change. */
void *tailbox__list_grow(void **items, size_t *count, size_t *room,
                         size_t item_bytes)
{
	char *base;

	memcpy(&base, items, sizeof(base));
	if (*count == *room) {
		size_t want = *room ? *room + *room / 2 + 1 : FIRST_ITEMS;
		char *grown = NULL;

		/* Of a large block only the pages that are used are there:
		 * rather have room than move it often, if that is granted. */
		if (*room > LARGE_BYTES / item_bytes) {
			grown = tailbox__realloc(base, *room * 16, item_bytes);
			want = grown ? *room * 16 : want;
		}
		if (!grown)
			grown = tailbox__realloc(base, want, item_bytes);
		if (!grown)
			return NULL;
		base = grown;
		memcpy(items, &base, sizeof(base));
		*room = want;
	}
	return memset(base + item_bytes * (*count)++, 0, item_bytes);
}

/* The entry of a key, NULL when there is none. */
static struct tailbox__run_pair *extra_of(const struct tailbox__run *run,
                                          const char *key)
{
	size_t bytes = strlen(key);

	for (size_t i = 0; i < run->meta.extra.count; i++) {
		struct tailbox__run_pair *pair = &run->meta.extra.items[i];
		size_t len;
		const char *text = tailbox__run_text(run, pair->key, &len);
		if (len == bytes && !memcmp(text, key, len))
			return pair;
	}
	return NULL;
}

int tailbox__run_set_extra(struct tailbox__run *run, const char *key,
                           const char *text, uint64_t number)
{
	/* Strings first: a failure must not leave half an entry. */
	tailbox__str key_str = tailbox__run_cstr(run, key);
	tailbox__str text_str = text ? tailbox__run_cstr(run, text) : 0;
	if (!key_str || (text && !text_str))
		return -ENOMEM;

	struct tailbox__run_pair *pair = extra_of(run, key);
	if (!pair)
		pair = tailbox__list_add(&run->meta.extra);
	if (!pair)
		return -ENOMEM;
	pair->key = key_str;
	pair->text = text_str;
	pair->number = text ? 0 : number;
	return 0;
}

const struct tailbox__run_pair *
tailbox__run_extra(const struct tailbox__run *run, const char *key)
{
	return extra_of(run, key);
}

bool tailbox__run_has_ended(const struct tailbox__run *run)
{
	const struct tailbox__run_pair *x = extra_of(run, "writer");
	const char *writer = x ? tailbox__run_text(run, x->text, NULL) : "";

	return !strcmp(writer, "closed") || !strcmp(writer, "dead");
}

uint32_t tailbox__run_live_pid(const struct tailbox__run *run)
{
	return run->meta.has_pid && !tailbox__run_has_ended(run) ? run->meta.pid
	                                                         : 0;
}

static const char *outcome_of_status(unsigned status)
{
	if (status == 408)
		return "timeout";
	if (status >= 500 && status <= 599)
		return "error";
	if (status >= 400 && status <= 499)
		return "rejected";
	return "ok";
}

const char *tailbox__outcome_of(unsigned status,
                                enum tailbox__termination term)
{
	switch (term) {
	case TAILBOX__TERM_TIMEOUT:
		return "timeout";
	case TAILBOX__TERM_DAEMON_SHUTDOWN:
		return "cancelled";
	case TAILBOX__TERM_READ_ERROR:
	case TAILBOX__TERM_CLIENT_ABORT:
	case TAILBOX__TERM_UNKNOWN: /* given up without being finished */
		if (!status)
			return "cancelled";
		break;
	case TAILBOX__TERM_WITH_ERROR:
		if (!status)
			return "error";
		break;
	case TAILBOX__TERM_COMPLETED:
	case TAILBOX__TERM_COUNT:
		break;
	}
	return outcome_of_status(status);
}

static bool is_white_space(uint32_t cp)
{
	switch (cp) {
	case 0x20:
	case 0x85:
	case 0xa0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202f:
	case 0x205f:
	case 0x3000:
		return true;
	}
	return (cp >= 0x09 && cp <= 0x0d) || (cp >= 0x2000 && cp <= 0x200a);
}

void tailbox__trim(const char **s, size_t *len)
{
	uint32_t cp;

	while (*len) {
		const size_t n = tailbox__utf8_next(*s, *len, &cp);

		if (!is_white_space(cp))
			break;
		*s += n;
		*len -= n;
	}
	while (*len) {
		size_t n = 1; /* back to where a character may begin */

		while (n < *len && n < 4 && ((*s)[*len - n] & 0xc0) == 0x80)
			n++;
		if (tailbox__utf8_next(*s + *len - n, n, &cp) != n ||
		    !is_white_space(cp))
			break;
		*len -= n;
	}
}

bool tailbox__is_blank(const char *s, size_t len)
{
	tailbox__trim(&s, &len);
	return len == 0;
}
