/* analyzer/load_json.c - Run JSON to a run, as a stream.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 2. A stack of frames follows the document;
 * the tables of load_shapes.c say what a member is and where its value goes.
 * The known structure is five levels deep, so the stack has a fixed size. An
 * unknown value is skipped by counting brackets, however deep it is.
 *
 * The first error ends it, and its text begins with the member's path.
 */
#include "analyzer/load_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/tailbox.h"

static int push(struct tailbox__decoder *d,
                const struct tailbox__load_shape *shape, char *base)
{
	/* The tables cannot nest deeper; this is for who changes them. */
	if (d->depth == TAILBOX__LOAD_FRAMES)
		return tailbox__load_fail(d, -TAILBOX_ESHAPE,
		                          "nested too deeply");

	struct tailbox__frame *f = &d->frames[d->depth++];

	memset(f, 0, sizeof(*f));
	f->shape = shape;
	f->base = base;
	if (!shape) {
		f->member = f[-1].member;
		return 0;
	}
	tailbox__load_nothing_known(shape, base);
	return 0;
}

/* The object on top is complete: are all its members there? */
static int pop(struct tailbox__decoder *d)
{
	struct tailbox__frame *f = &d->frames[d->depth - 1];

	f->member = NULL;
	for (unsigned i = 0; f->shape && i < f->shape->member_count; i++) {
		const struct tailbox__load_member *m = &f->shape->members[i];
		char what[80];

		if (m->class != TAILBOX__LOAD_REQUIRED || f->seen & 1u << i)
			continue;
		snprintf(what, sizeof(what), "\"%s\" is missing", m->name);
		return tailbox__load_fail(d, -TAILBOX_ESHAPE, what);
	}
	d->depth--;
	return 0;
}

static int on_key(struct tailbox__decoder *d, const char *text, size_t len)
{
	struct tailbox__frame *f = &d->frames[d->depth - 1];
	const unsigned count = f->shape->member_count;
	unsigned i = f->next;
	unsigned tried;

	for (tried = 0; tried < count; tried++, i++) {
		if (i >= count)
			i = 0;

		const struct tailbox__load_member *m = &f->shape->members[i];

		if (m->len == len && memcmp(m->name, text, len) == 0)
			break;
	}
	f->member = NULL;
	if (tried == count)
		return tailbox__load_is_utf8(text, len)
		               ? 0
		               : tailbox__load_bad_text(d);
	f->next = i + 1;
	if (f->seen & 1u << i) {
		/* Ours is no standard member: the first counts. */
		if (f->shape->members[i].kind == TAILBOX__LOAD_EXT)
			return 0;
		f->member = &f->shape->members[i];
		return tailbox__load_fail(d, -TAILBOX_ESHAPE,
		                          "the member is there twice");
	}
	f->seen |= 1u << i;
	f->member = &f->shape->members[i];
	return 0;
}

static int on_object(struct tailbox__decoder *d)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const struct tailbox__load_member *m = f->member;
	char *base = f->base + m->offset;

	if (tailbox__load_wanted(d) != TAILBOX__LOAD_OBJECT)
		return tailbox__load_mismatch(d);
	if (f->shape) {
		tailbox__load_mark(f);
		return push(d, m->shape, base);
	}
	base = tailbox__load_list_add(f->base, m->shape->item_bytes);
	return base ? push(d, m->shape, base) : tailbox__load_no_memory(d);
}

static int on_array(struct tailbox__decoder *d)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const enum tailbox__load_kind kind = tailbox__load_wanted(d);

	if (kind != TAILBOX__LOAD_ARRAY && kind != TAILBOX__LOAD_STRINGS)
		return tailbox__load_mismatch(d);
	return push(d, NULL, f->base + f->member->offset);
}

/* A value or an end inside the known structure. */
static int on_known(struct tailbox__decoder *d, enum tailbox__json_event event,
                    const char *text, size_t len)
{
	switch (event) {
	case TAILBOX__JSON_NULL:
	case TAILBOX__JSON_FALSE:
	case TAILBOX__JSON_TRUE:
	case TAILBOX__JSON_NUMBER:
	case TAILBOX__JSON_STRING:
		return tailbox__load_scalar(d, event, text, len);
	case TAILBOX__JSON_OBJECT:
		return on_object(d);
	case TAILBOX__JSON_ARRAY:
		return on_array(d);
	case TAILBOX__JSON_KEY:
		return on_key(d, text, len);
	case TAILBOX__JSON_OBJECT_END:
	case TAILBOX__JSON_ARRAY_END:
		return pop(d);
	}
	return 0;
}

static bool is_begin(enum tailbox__json_event event)
{
	return event == TAILBOX__JSON_OBJECT || event == TAILBOX__JSON_ARRAY;
}

static bool is_end(enum tailbox__json_event event)
{
	return event == TAILBOX__JSON_OBJECT_END ||
	       event == TAILBOX__JSON_ARRAY_END;
}

/* The value of a `tailbox` member: nothing that it holds is an error. */
static int on_ext(struct tailbox__decoder *d, enum tailbox__json_event event)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];

	if (event == TAILBOX__JSON_ARRAY)
		d->skip = 1;
	if (event != TAILBOX__JSON_OBJECT)
		return 0;

	const int ret = tailbox__load_ext_begin(
		&d->ext, d->run, (enum tailbox__load_owner)f->shape->owner,
		f->base);

	d->ext.inside = &d->inside;
	return ret < 0 ? tailbox__load_no_memory(d) : 0;
}

static int on_event(void *cls, enum tailbox__json_event event, const char *text,
                    size_t len)
{
	struct tailbox__decoder *d = cls;
	const struct tailbox__frame *f =
		&d->frames[d->depth ? d->depth - 1 : 0];

	if (d->skip) {
		d->skip += is_begin(event);
		d->skip -= is_end(event);
		return 0;
	}
	if (d->ext.level) {
		const int ret =
			tailbox__load_ext_event(&d->ext, event, text, len);

		return ret < 0 ? tailbox__load_no_memory(d) : 0;
	}
	if (d->depth == 0) {
		if (event != TAILBOX__JSON_OBJECT)
			return tailbox__load_fail(d, -TAILBOX_ESHAPE,
			                          "expected an object");
		return push(d, &tailbox__load_run_shape, (char *)d->run);
	}
	if (event == TAILBOX__JSON_KEY || is_end(event))
		return on_known(d, event, text, len);
	if (!f->member) { /* unknown */
		d->skip = is_begin(event);
		return 0;
	}
	if (f->shape && f->member->kind == TAILBOX__LOAD_EXT)
		return on_ext(d, event);
	if (!f->shape)
		d->frames[d->depth - 1].count++;
	return on_known(d, event, text, len);
}

static size_t ahead(void *cls, const char *text, size_t len)
{
	return tailbox__load_ahead(cls, text, len);
}

int tailbox__load_json(tailbox__read_fn read_fn, void *cls,
                       struct tailbox__run **out, struct tailbox__error *err)
{
	struct tailbox__error local = TAILBOX__ERROR_INIT;
	struct tailbox__decoder d = {.err = err ? err : &local};
	int ret = tailbox__run_create(out);

	if (ret < 0)
		return tailbox__fail(err, ret, "out of memory");
	d.run = *out;
	ret = tailbox__json_in(read_fn, cls, on_event, ahead, &d, d.err);
	if (ret == 0 && d.run->schema_version != 2)
		ret = tailbox__fail(d.err, -TAILBOX_EVERSION,
		                    "schema_version: %" PRIu64
		                    " is not supported, only 2",
		                    d.run->schema_version);
	if (ret == 0)
		return 0;
	tailbox__run_destroy(d.run);
	*out = NULL;
	return ret;
}
