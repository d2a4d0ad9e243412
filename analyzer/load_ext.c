/* analyzer/load_ext.c - our own extension members of Run JSON.
 *
 * SPDX-License-Identifier: MIT
 *
 * The counterpart of core/run_json_ext.c; doc/format.md names the keys. These
 * members may come from a later tailbox, or from somebody else under the same
 * name, so nothing in them is an error: what is not known, of another type or
 * out of range is passed over, and the rest is taken.
 *
 * A `tailbox` member is an object (level 1). A known key of it holds a value,
 * or a group: an object (level 2), or an array (2) of objects (3). Kept requests
 * are such objects and have a `tailbox` of their own, for which there is a
 * second reader.
 */
#include "analyzer/load_ext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/metrics.h"
#include "core/record.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* So many keys of metadata are kept; ours are fewer. */
#define MAX_EXTRA 256u

static const char *const subject_keys[] = {
	[TAILBOX__SCOPE_MACHINE] = NULL,
	[TAILBOX__SCOPE_WORKER] = "worker",
	[TAILBOX__SCOPE_POOL] = "name",
	[TAILBOX__SCOPE_DAEMON] = "daemon",
};

enum { NO_METRIC = -1, THE_SUBJECT = -2 };

static bool is(const char *key, const char *text, size_t len)
{
	return strlen(key) == len && memcmp(key, text, len) == 0;
}

/* In an item of run->kept. */
static bool is_kept(const struct tailbox__load_ext *x)
{
	return x->level == 3 && x->group->takes == TAILBOX__EXT_FIELDS &&
	       x->group->list >= TAILBOX__EXT_KEPT_REQUESTS;
}

/* Remember what the next value belongs to. */
static int on_key(struct tailbox__load_ext *x, const char *text, size_t len)
{
	const struct tailbox__ext_group *g = x->group;

	x->field = NULL;
	x->metric = NO_METRIC;
	x->key = 0;
	x->is_tailbox = is_kept(x) && is("tailbox", text, len);
	x->inner = x->level == 1 ? tailbox__ext_find_group(x->owner, text, len)
	                         : NULL;
	switch ((enum tailbox__ext_takes)g->takes) {
	case TAILBOX__EXT_FIELDS:
		x->field = tailbox__ext_find_field(g, text, len);
		break;
	case TAILBOX__EXT_ANY_PAIRS:
	case TAILBOX__EXT_ANY_STRINGS:
		return tailbox__ext_intern(x->run, text, len, &x->key);
	case TAILBOX__EXT_METRICS:
		if (g->is_array && is(subject_keys[g->scope], text, len))
			x->metric = THE_SUBJECT;
		for (int i = 0; i < TAILBOX__METRIC_COUNT; i++)
			if (tailbox__metric_info[i].scope ==
			            (enum tailbox__scope)g->scope &&
			    is(tailbox__metric_info[i].key, text, len))
				x->metric = i;
		break;
	}
	return 0;
}

/* A tag: the first four count. */
static int store_tag(struct tailbox__load_ext *x, const char *text, size_t len)
{
	struct tailbox__run_ext *e = (struct tailbox__run_ext *)(void *)x->base;

	for (size_t i = 0; i < COUNT(e->tag_key); i++) {
		if (e->tag_key[i])
			continue;
		if (tailbox__ext_intern(x->run, text, len, &e->tag_value[i]) <
		    0)
			return -ENOMEM;
		if (e->tag_value[i])
			e->tag_key[i] = x->key;
		return 0;
	}
	return 0;
}

/* A further fact of metadata; of a key that repeats the last one counts. */
static int store_extra(struct tailbox__load_ext *x, tailbox__str text,
                       uint64_t number)
{
	struct tailbox__run_pair *pair = NULL;

	for (size_t i = 0; i < x->run->meta.extra.count; i++)
		if (x->run->meta.extra.items[i].key == x->key)
			pair = &x->run->meta.extra.items[i];
	if (!pair && x->run->meta.extra.count >= MAX_EXTRA)
		return 0;
	if (!pair)
		pair = tailbox__list_add(&x->run->meta.extra);
	if (!pair)
		return -ENOMEM;
	pair->key = x->key;
	pair->text = text;
	pair->number = number;
	return 0;
}

static int add_value(struct tailbox__load_ext *x, uint64_t number)
{
	struct tailbox__run_value *v = tailbox__list_add(&x->run->values);

	if (!v)
		return -ENOMEM;
	v->snapshot = x->snapshot;
	v->metric = (uint16_t)x->metric;
	v->value = number;
	return 0;
}

/* A metric that is text: a letter or a name. */
static int add_text_value(struct tailbox__load_ext *x, const char *text,
                          size_t len)
{
	tailbox__str name;

	if (x->metric == TAILBOX__METRIC_WORKER_STATE)
		return len == 1 ? add_value(x, (unsigned char)text[0]) : 0;
	if (!tailbox__metric_is_name((unsigned)x->metric))
		return 0;
	if (tailbox__ext_intern(x->run, text, len, &name) < 0)
		return -ENOMEM;
	return name ? add_value(x, name) : 0;
}

static int on_string(struct tailbox__load_ext *x, const char *text, size_t len)
{
	tailbox__str s;

	if (x->field)
		return tailbox__ext_store_string(x->run, x->field, x->base,
		                                 text, len);
	if (x->metric >= 0)
		return add_text_value(x, text, len);
	if (x->metric == THE_SUBJECT &&
	    x->group->scope == TAILBOX__SCOPE_POOL) {
		if (tailbox__ext_intern(x->run, text, len, &s) < 0)
			return -ENOMEM;
		x->has_subject = s != 0;
		x->subject = s;
	}
	if (x->key && x->group->takes == TAILBOX__EXT_ANY_STRINGS)
		return store_tag(x, text, len);
	if (x->key) {
		if (tailbox__ext_intern(x->run, text, len, &s) < 0)
			return -ENOMEM;
		return s ? store_extra(x, s, 0) : 0;
	}
	return 0;
}

static int on_number(struct tailbox__load_ext *x, const char *text, size_t len)
{
	uint64_t value;

	if (!tailbox__load_u64(text, len, &value))
		return 0;
	if (x->field)
		tailbox__ext_store_number(x->field, x->base, value);
	else if (x->metric == THE_SUBJECT &&
	         x->group->scope != TAILBOX__SCOPE_POOL &&
	         value <= UINT32_MAX) {
		x->has_subject = true;
		x->subject = (uint32_t)value;
	} else if (x->metric >= 0 &&
	           x->metric != TAILBOX__METRIC_WORKER_STATE &&
	           !tailbox__metric_is_name((unsigned)x->metric))
		return add_value(x, value);
	else if (x->key && x->group->takes == TAILBOX__EXT_ANY_PAIRS)
		return store_extra(x, 0, value);
	return 0;
}

static struct tailbox__run_open *add_open(struct tailbox__run *run)
{
	struct tailbox__run_open *o = tailbox__list_add(&run->open);

	if (!o)
		return NULL;
	o->start_us = o->since_us = TAILBOX__NONE;
	o->worker = UINT32_MAX;
	o->phase = TAILBOX__PHASE_COUNT;
	return o;
}

static struct tailbox__run_hold *add_hold(struct tailbox__run *run)
{
	struct tailbox__run_hold *h = tailbox__list_add(&run->holds);

	if (!h)
		return NULL;
	h->start_us = h->dur_us = TAILBOX__NONE;
	h->worker = UINT32_MAX;
	return h;
}

static struct tailbox__run_stack *add_stack(struct tailbox__run *run)
{
	struct tailbox__run_stack *s = tailbox__list_add(&run->stacks);

	if (!s)
		return NULL;
	s->at_us = s->held_us = TAILBOX__NONE;
	s->worker = UINT32_MAX;
	s->end = TAILBOX__STACK_UNSOUND;
	return s;
}

static struct tailbox__run_frame *add_frame(struct tailbox__run *run)
{
	struct tailbox__run_frame *f = tailbox__list_add(&run->frames);

	if (!f)
		return NULL;
	f->stack = UINT32_MAX;
	f->offset = TAILBOX__NONE;
	return f;
}

static struct tailbox__run_span *add_span(struct tailbox__run *kept,
                                          unsigned list)
{
	struct tailbox__run_span *s = list == TAILBOX__EXT_KEPT_STAGES
	                                      ? tailbox__list_add(&kept->stages)
	                                      : tailbox__list_add(&kept->queues);

	if (s)
		s->depth = TAILBOX__NONE;
	return s;
}

/* NULL: no memory. */
static char *add_item(struct tailbox__run *run, unsigned list)
{
	if (list >= TAILBOX__EXT_KEPT_REQUESTS && !run->kept &&
	    tailbox__run_create_kept(run, &run->kept) < 0)
		return NULL;
	switch (list) {
	case TAILBOX__EXT_OPEN:
		return (char *)add_open(run);
	case TAILBOX__EXT_HOLDS:
		return (char *)add_hold(run);
	case TAILBOX__EXT_STACKS:
		return (char *)add_stack(run);
	case TAILBOX__EXT_FRAMES:
		return (char *)add_frame(run);
	case TAILBOX__EXT_KEPT_REQUESTS:
		return (char *)tailbox__list_add(&run->kept->requests);
	default:
		return (char *)add_span(run->kept, list);
	}
}

static int begin_item(struct tailbox__load_ext *x)
{
	x->has_subject = false;
	x->first_of_item = x->run->values.count;
	if (x->group->takes != TAILBOX__EXT_FIELDS)
		return 0;
	x->base = add_item(x->run, x->group->list);
	return x->base ? 0 : -ENOMEM;
}

/* Frames stand in the order of their stacks, which stand before them. */
static bool frame_is_whole(const struct tailbox__run *run)
{
	const size_t last = run->frames.count - 1;
	const struct tailbox__run_frame *f = run->frames.items;

	return f[last].offset != TAILBOX__NONE &&
	       f[last].stack < run->stacks.count &&
	       (last == 0 || f[last - 1].stack <= f[last].stack);
}

/* One that lacks what makes it one goes again. */
static void end_fields(struct tailbox__run *run, unsigned list, const char *item)
{
	const void *at = item;
	const struct tailbox__run_hold *h = at;
	const struct tailbox__run_open *o = at;
	const struct tailbox__run_request *r = at;
	const struct tailbox__run_span *s = at;

	switch (list) {
	case TAILBOX__EXT_OPEN:
		run->open.count -= !o->id;
		break;
	case TAILBOX__EXT_HOLDS:
		run->holds.count -= h->start_us == TAILBOX__NONE ||
		                    h->dur_us == TAILBOX__NONE;
		break;
	case TAILBOX__EXT_STACKS: /* one that says nothing keeps its number */
		break;
	case TAILBOX__EXT_FRAMES:
		run->frames.count -= !frame_is_whole(run);
		break;
	case TAILBOX__EXT_KEPT_REQUESTS:
		run->kept->requests.count -= !r->id || !r->route || !r->outcome;
		break;
	case TAILBOX__EXT_KEPT_STAGES:
		run->kept->stages.count -= !s->request || !s->name;
		break;
	default:
		run->kept->queues.count -= !s->request || !s->name;
		break;
	}
}

/* An item that does not say whose it is goes again. */
static void end_item(struct tailbox__load_ext *x)
{
	struct tailbox__run *run = x->run;

	if (x->group->takes == TAILBOX__EXT_FIELDS) {
		end_fields(run, x->group->list, x->base);
		return;
	}
	if (!x->has_subject)
		run->values.count = x->first_of_item;
	for (size_t i = x->first_of_item; i < run->values.count; i++)
		run->values.items[i].subject = x->subject;
}

static int compare_values(const void *a, const void *b)
{
	const struct tailbox__run_value *v = a, *w = b;
	const int scope = (int)tailbox__metric_info[v->metric].scope -
	                  (int)tailbox__metric_info[w->metric].scope;

	if (scope)
		return scope;
	if (v->subject != w->subject)
		return v->subject < w->subject ? -1 : 1;
	return (int)v->metric - (int)w->metric;
}

/* The values of a snapshot in the order of a run, each once. */
static void sort_values(struct tailbox__load_ext *x)
{
	const size_t count = x->run->values.count - x->first_value;
	size_t kept = 0;

	if (count == 0)
		return;
	struct tailbox__run_value *v = x->run->values.items + x->first_value;

	qsort(v, count, sizeof(*v), compare_values);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_values(&v[kept - 1], &v[i]) != 0)
			v[kept++] = v[i];
	x->run->values.count = x->first_value + kept;
}

static struct tailbox__run_ext *add_ext(struct tailbox__run *run,
                                        struct tailbox__run_request *r)
{
	struct tailbox__run_ext *e = tailbox__list_add(&run->ext);

	if (!e)
		return NULL;
	e->bytes_in = e->bytes_out = e->reader_ns = TAILBOX__NONE;
	e->worker = UINT32_MAX;
	for (size_t i = 0; i < TAILBOX__PHASE_COUNT; i++)
		e->phase_ns[i] = TAILBOX__NONE;
	r->ext = (uint32_t)run->ext.count;
	return e;
}

int tailbox__load_ext_begin(struct tailbox__load_ext *x,
                            struct tailbox__run *run,
                            enum tailbox__load_owner owner, void *item)
{
	memset(x, 0, sizeof(*x));
	x->run = run;
	x->owner = owner;
	x->group = tailbox__ext_find_group(owner, NULL, 0);
	x->metric = NO_METRIC;
	x->base = item;
	x->level = 1;
	x->first_value = run->values.count;
	if (owner == TAILBOX__LOAD_OF_SNAPSHOT)
		x->snapshot = (uint32_t)(run->snapshots.count - 1);
	if (owner == TAILBOX__LOAD_OF_REQUEST) {
		x->base = (char *)add_ext(run, item);
		if (!x->base)
			return -ENOMEM;
	}
	return 0;
}

/* The `tailbox` of a kept request, stage or wait. */
static int begin_inside(struct tailbox__load_ext *x)
{
	x->is_inside = true;
	return tailbox__load_ext_begin(
	        x->inside, x->run->kept,
	        x->group->list == TAILBOX__EXT_KEPT_REQUESTS
	                ? TAILBOX__LOAD_OF_REQUEST
	                : TAILBOX__LOAD_OF_SPAN,
	        x->base);
}

static int on_begin(struct tailbox__load_ext *x, bool is_array)
{
	if (x->is_tailbox && !is_array) {
		x->is_tailbox = false; /* the first counts */
		return begin_inside(x);
	}
	if (x->level == 2 && x->group->is_array && !is_array) {
		x->level = 3;
		return begin_item(x);
	}
	if (!x->inner || x->inner->is_array != is_array) {
		x->skip = 1;
		return 0;
	}
	x->group = x->inner;
	x->inner = NULL;
	x->level = 2;
	return 0;
}

static int on_end(struct tailbox__load_ext *x)
{
	if (x->level == 3)
		end_item(x);
	else if (x->level == 2)
		x->group = tailbox__ext_find_group(x->owner, NULL, 0);
	else if (x->owner == TAILBOX__LOAD_OF_SNAPSHOT)
		sort_values(x);
	/* No value may be taken for one of the last key in there. */
	x->field = NULL;
	x->metric = NO_METRIC;
	x->key = 0;
	x->level--;
	return x->level == 0;
}

int tailbox__load_ext_event(struct tailbox__load_ext *x,
                            enum tailbox__json_event event, const char *text,
                            size_t len)
{
	const bool is_array = event == TAILBOX__JSON_ARRAY ||
	                      event == TAILBOX__JSON_ARRAY_END;

	if (x->is_inside) {
		const int ret =
		        tailbox__load_ext_event(x->inside, event, text, len);
		x->is_inside = ret == 0;
		return ret < 0 ? ret : 0;
	}
	if (x->skip) {
		if (is_array || event == TAILBOX__JSON_OBJECT ||
		    event == TAILBOX__JSON_OBJECT_END)
			x->skip += event == TAILBOX__JSON_ARRAY ||
			                           event == TAILBOX__JSON_OBJECT
			                   ? 1u
			                   : (uint64_t)-1;
		return 0;
	}
	switch (event) {
	case TAILBOX__JSON_KEY:
		return on_key(x, text, len);
	case TAILBOX__JSON_STRING:
		return on_string(x, text, len);
	case TAILBOX__JSON_NUMBER:
		return on_number(x, text, len);
	case TAILBOX__JSON_TRUE:
	case TAILBOX__JSON_FALSE:
		if (x->field)
			tailbox__ext_store_bool(x->field, x->base,
			                        event == TAILBOX__JSON_TRUE);
		break;
	case TAILBOX__JSON_OBJECT:
	case TAILBOX__JSON_ARRAY:
		return on_begin(x, is_array);
	case TAILBOX__JSON_OBJECT_END:
	case TAILBOX__JSON_ARRAY_END:
		return on_end(x);
	case TAILBOX__JSON_NULL:
		break;
	}
	return 0;
}
