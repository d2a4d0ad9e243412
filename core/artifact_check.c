/* core/artifact_check.c - check what a loaded artifact points to.
 *
 * SPDX-License-Identifier: MIT
 *
 * After this, code that works on a run may use every string number, index and
 * enumerator without looking. A checksum shows accidents only: these checks
 * are what makes a file from a stranger safe. Times and durations are not
 * looked at: a run may contradict itself, that is for validation.
 */
#include "core/artifact_format.h"

#include <errno.h>

#include "core/alloc.h"
#include "core/metrics.h"
#include "core/record.h"
#include "core/tailbox.h"

struct check {
	struct tailbox__run *run;
	uint32_t strings; /* valid numbers are 0..strings */
};

static bool is_str(const struct check *c, uint64_t s)
{
	return s <= c->strings;
}

static bool meta_ok(const struct check *c)
{
	const struct tailbox__run_meta *m = &c->run->meta;

	return is_str(c, m->run_id) && is_str(c, m->service_name) &&
	       is_str(c, m->service_version) && is_str(c, m->host);
}

static bool extra_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_pair *p = &c->run->meta.extra.items[i];

	return p->key && is_str(c, p->key) && is_str(c, p->text);
}

static bool warning_ok(const struct check *c, size_t i)
{
	return is_str(c, c->run->meta.warnings.items[i]);
}

static bool unfinished_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_unfinished *u =
	        &c->run->meta.unfinished.items[i];

	return is_str(c, u->id) && is_str(c, u->route);
}

static bool request_is_ok(const struct check *c, const struct tailbox__run *run,
                          size_t i)
{
	const struct tailbox__run_request *r = &run->requests.items[i];

	return is_str(c, r->id) && is_str(c, r->route) && is_str(c, r->kind) &&
	       is_str(c, r->outcome) && r->ext <= run->ext.count;
}

static bool request_ok(const struct check *c, size_t i)
{
	return request_is_ok(c, c->run, i);
}

static bool kept_request_ok(const struct check *c, size_t i)
{
	return request_is_ok(c, c->run->kept, i);
}

static bool ext_is_ok(const struct check *c, const struct tailbox__run_ext *e)
{
	for (unsigned k = 0; k < sizeof(e->tag_key) / sizeof(*e->tag_key); k++)
		if (!is_str(c, e->tag_key[k]) || !is_str(c, e->tag_value[k]))
			return false;
	return e->termination < TAILBOX__TERM_COUNT &&
	       is_str(c, e->holder_route);
}

static bool ext_ok(const struct check *c, size_t i)
{
	return ext_is_ok(c, &c->run->ext.items[i]);
}

static bool kept_ext_ok(const struct check *c, size_t i)
{
	return ext_is_ok(c, &c->run->kept->ext.items[i]);
}

static bool span_ok(const struct check *c, const struct tailbox__run_span *s)
{
	return is_str(c, s->request) && is_str(c, s->name) &&
	       is_str(c, s->site);
}

static bool stage_ok(const struct check *c, size_t i)
{
	return span_ok(c, &c->run->stages.items[i]);
}

static bool queue_ok(const struct check *c, size_t i)
{
	return span_ok(c, &c->run->queues.items[i]);
}

static bool kept_stage_ok(const struct check *c, size_t i)
{
	return span_ok(c, &c->run->kept->stages.items[i]);
}

static bool kept_queue_ok(const struct check *c, size_t i)
{
	return span_ok(c, &c->run->kept->queues.items[i]);
}

static bool gauge_ok(const struct check *c, size_t i)
{
	return is_str(c, c->run->inflight.items[i].gauge);
}

static bool snapshot_ok(const struct check *c, size_t i)
{
	(void)c;
	(void)i;
	return true;
}

static bool value_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_value *v = &c->run->values.items[i];

	if (v->snapshot >= c->run->snapshots.count ||
	    (i && v->snapshot < v[-1].snapshot))
		return false;
	if (v->metric >= TAILBOX__METRIC_COUNT)
		return true; /* of a later version; removed below */
	if (tailbox__metric_is_name(v->metric) && !is_str(c, v->value))
		return false;
	return tailbox__metric_info[v->metric].scope != TAILBOX__SCOPE_POOL ||
	       is_str(c, v->subject);
}

static bool open_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_open *o = &c->run->open.items[i];

	return is_str(c, o->id) && is_str(c, o->route) &&
	       is_str(c, o->where) && is_str(c, o->site) &&
	       o->phase <= TAILBOX__PHASE_COUNT && /* not known */
	       o->where_kind < TAILBOX__OPEN_IN_COUNT;
}

static bool hold_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_hold *h = &c->run->holds.items[i];

	return is_str(c, h->request) && is_str(c, h->route) &&
	       h->kind < TAILBOX__HOLD_KINDS;
}

static bool stack_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_stack *s = &c->run->stacks.items[i];

	return is_str(c, s->request) && is_str(c, s->route) &&
	       s->kind < TAILBOX__HOLD_KINDS && s->end < TAILBOX__STACK_ENDS;
}

static bool frame_ok(const struct check *c, size_t i)
{
	const struct tailbox__run_frame *f = &c->run->frames.items[i];

	return f->stack < c->run->stacks.count &&
	       (i == 0 || f->stack >= f[-1].stack) && is_str(c, f->module) &&
	       is_str(c, f->build_id) && is_str(c, f->function);
}

/* In the order of tailbox__artifact_lists. */
static const struct {
	bool (*is_ok)(const struct check *c, size_t i);
	const char *what;
} checks[TAILBOX__ARTIFACT_LIST_COUNT] = {
	{ extra_ok, "a further fact names a string that is not there" },
	{ warning_ok, "a warning names a string that is not there" },
	{ unfinished_ok, "an unfinished request has a number out of range" },
	{ request_ok, "a request has a number out of range" },
	{ ext_ok, "extension data has a number out of range" },
	{ stage_ok, "a stage has a number out of range" },
	{ queue_ok, "a queue has a number out of range" },
	{ gauge_ok, "a gauge sample has a number out of range" },
	{ snapshot_ok, "" },
	{ value_ok, "a sampled value is out of order or out of range" },
	{ open_ok, "an open request has a number out of range" },
	{ hold_ok, "a hold has a number out of range" },
	{ stack_ok, "a stack has a number out of range" },
	{ frame_ok, "a frame is out of order or has a number out of range" },
	{ kept_request_ok, "a kept request has a number out of range" },
	{ kept_ext_ok, "extension data has a number out of range" },
	{ kept_stage_ok, "a stage has a number out of range" },
	{ kept_queue_ok, "a queue has a number out of range" },
};

/* Keys of metadata.tailbox must differ: they become one JSON object. One
 * mark per string, because a stranger may send any number of keys. */
static int check_extra_keys(const struct check *c, uint64_t at,
                            struct tailbox__error *err)
{
	size_t count = c->run->meta.extra.count;

	if (count < 2)
		return 0;
	bool *seen = tailbox__zalloc((size_t)c->strings + 1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	int rc = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		tailbox__str key = c->run->meta.extra.items[i].key;
		if (seen[key])
			rc = tailbox__artifact_fail(
			        err, -TAILBOX_EDAMAGED, at,
			        "a key of the metadata is there twice");
		seen[key] = true;
	}
	tailbox__free(seen);
	return rc;
}

static void remove_unknown_values(struct tailbox__run *run)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->values.count; i++)
		if (run->values.items[i].metric < TAILBOX__METRIC_COUNT)
			run->values.items[kept++] = run->values.items[i];
	run->values.count = kept;
}

int tailbox__artifact_check_run(
        struct tailbox__run *run,
        const uint64_t at[TAILBOX__ARTIFACT_LIST_COUNT],
        struct tailbox__error *err)
{
	const struct check c = { run, tailbox__run_str_count(run) };

	if (!meta_ok(&c))
		return tailbox__artifact_fail(
		        err, -TAILBOX_EDAMAGED, UINT64_MAX,
		        "the metadata names a string that is not there");
	for (size_t n = 0; n < TAILBOX__ARTIFACT_LIST_COUNT; n++) {
		const size_t count = tailbox__artifact_list_of(run, n).count;
		for (size_t i = 0; i < count; i++)
			if (!checks[n].is_ok(&c, i))
				return tailbox__artifact_fail(
				        err, -TAILBOX_EDAMAGED,
				        at[n] +
				                i * tailbox__artifact_lists[n]
				                            .item_bytes,
				        checks[n].what);
	}
	int rc = check_extra_keys(&c, at[0], err);
	if (!rc)
		remove_unknown_values(run);
	return rc;
}
