/* core/run_json_out.h - the pieces that Run JSON is written from.
 *
 * SPDX-License-Identifier: MIT
 *
 * Inside core/run_json*.c only.
 */
#ifndef TAILBOX_CORE_RUN_JSON_OUT_H
#define TAILBOX_CORE_RUN_JSON_OUT_H 1

#include "core/json.h"
#include "core/run_json.h"

struct tailbox__run_json_out {
	const struct tailbox__run *run;
	struct tailbox__json json;
	size_t value; /* the next of run->values */
	bool has_ext; /* `tailbox` of the document has begun */
};

/* The document is a row of sections: text before the items, the items one by
 * one, text after them. */
struct tailbox__run_json_section {
	void (*begin)(struct tailbox__run_json_out *c);
	size_t (*count)(const struct tailbox__run *run);
	void (*item)(struct tailbox__run_json_out *c, size_t i);
	void (*end)(struct tailbox__run_json_out *c);
};

extern const struct tailbox__run_json_section tailbox__run_json_meta[3];
extern const struct tailbox__run_json_section tailbox__run_json_events[12];

/* For sections that end with their array. */
void tailbox__run_json_array_end(struct tailbox__run_json_out *c);

/* The members `tailbox` (doc/format.md lists their keys). Each writes the
 * member where there is something to say, else nothing. */
void tailbox__run_json_request_ext(struct tailbox__json *j,
                                   const struct tailbox__run *run,
                                   const struct tailbox__run_request *r);
void tailbox__run_json_span_ext(struct tailbox__json *j,
                                const struct tailbox__run *run,
                                const struct tailbox__run_span *s);
/* values: the count values of one snapshot. */
void tailbox__run_json_snapshot_ext(struct tailbox__json *j,
                                    const struct tailbox__run *run,
                                    const struct tailbox__run_value *values,
                                    size_t count);
/* A member whose value is a string of the run; none reads as "". */
static inline void tailbox__run_json_str(struct tailbox__json *j,
                                         const struct tailbox__run *run,
                                         const char *key, tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	tailbox__json_key(j, key);
	tailbox__json_string(j, text, len);
}

static inline void tailbox__run_json_num(struct tailbox__json *j,
                                         const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

/* Members by class: R (put_str, put_num), N (null when unknown). The keys are
 * literals: inlined, their length is a constant. */
static inline void put_str(struct tailbox__run_json_out *c, const char *key,
                           tailbox__str s)
{
	tailbox__run_json_str(&c->json, c->run, key, s);
}

static inline void put_num(struct tailbox__run_json_out *c, const char *key,
                           uint64_t value)
{
	tailbox__run_json_num(&c->json, key, value);
}

static inline void put_str_or_null(struct tailbox__run_json_out *c,
                                   const char *key, tailbox__str s)
{
	if (s) {
		put_str(c, key, s);
		return;
	}
	tailbox__json_key(&c->json, key);
	tailbox__json_null(&c->json);
}

static inline void put_num_or_null(struct tailbox__run_json_out *c,
                                   const char *key, uint64_t value)
{
	tailbox__json_key(&c->json, key);
	if (value == TAILBOX__NONE)
		tailbox__json_null(&c->json);
	else
		tailbox__json_u64(&c->json, value);
}

static inline void put_name(struct tailbox__run_json_out *c, const char *key,
                            const char *name)
{
	tailbox__json_key(&c->json, key);
	tailbox__json_cstr(&c->json, name);
}

static inline void put_bool(struct tailbox__run_json_out *c, const char *key,
                            bool value)
{
	tailbox__json_key(&c->json, key);
	tailbox__json_bool(&c->json, value);
}

#endif
