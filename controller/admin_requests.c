/* controller/admin_requests.c - GET /requests: what is open, oldest first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_look.h"
#include "core/alloc.h"
#include "core/run.h"

static const char *phase_name(const struct tailbox__slot *s)
{
	uint32_t phase = TAILBOX__GET(s->phase);

	return phase < TAILBOX__PHASE_COUNT ? tailbox__phase_names[phase]
	                                    : NULL;
}

/* The ingress wait lies before the line and belongs to the request. */
static uint64_t age_us(const struct tailbox__look *l,
                       const struct tailbox__slot *s)
{
	uint64_t ingress = tailbox__slot_ingress(s);

	return tailbox__look_us(l, TAILBOX__GET(s->line)) +
	       tailbox__ticks_to_ns(l->scale, ingress) / 1000;
}

static void put_request(struct tailbox__json *j, const struct tailbox__look *l,
                        const struct tailbox__slot *s)
{
	struct tailbox__where w = tailbox__look_where(l, s);
	char id[TAILBOX_ID_MAX + 1], route[TAILBOX_NAME_MAX + 1];
	uint32_t flags = TAILBOX__GET(s->flags);

	tailbox__look_id(s, id);
	tailbox__look_route(l, s, route);
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "number", TAILBOX__GET(s->number));
	tailbox__admin_put_text(j, "id",
	                        flags & TAILBOX__REQ_HAS_ID ? id : NULL);
	tailbox__admin_put_text(j, "route", route);
	tailbox__admin_put_text(
		j, "kind",
		tailbox__reader_name(l->r, TAILBOX__GET(s->kind), NULL));
	tailbox__admin_put_u64(j, "age_us", age_us(l, s));
	tailbox__admin_put_text(j, "phase", phase_name(s));
	tailbox__admin_put_u64(
		j, "phase_age_us",
		tailbox__look_us(l, tailbox__slot_phase_since(s)));
	tailbox__look_put_where(j, &w);
	tailbox__admin_put_u64(j, "worker", TAILBOX__GET(s->thread));
	tailbox__admin_put_u64(j, "daemon",
	                       tailbox__admin_or_none(TAILBOX__GET(s->daemon)));
	tailbox__admin_put_u64(
		j, "connection",
		tailbox__admin_or_none(TAILBOX__GET(s->connection)));
	tailbox__admin_put_bool(j, "suspended", flags & TAILBOX__REQ_SUSPENDED);
	tailbox__json_end_object(j);
}

static void add_request(struct tailbox__text *t, const struct tailbox__look *l,
                        const struct tailbox__slot *s)
{
	char age[TAILBOX__UNIT_TEXT], phase_age[TAILBOX__UNIT_TEXT];
	char route[TAILBOX_NAME_MAX + 1];
	const char *phase = phase_name(s);
	struct tailbox__where w = tailbox__look_where(l, s);

	tailbox__look_route(l, s, route);
	tailbox__text_add(
		t, "%" PRIu64 "\t%s\t%s\t%s%s\t%s\t%u\t",
		TAILBOX__GET(s->number), tailbox__text_us(age, age_us(l, s)),
		route[0] != '\0' ? route : "-", phase ? phase : "-",
		TAILBOX__GET(s->flags) & TAILBOX__REQ_SUSPENDED ? " (suspended)"
								: "",
		tailbox__text_us(
			phase_age,
			tailbox__look_us(l, tailbox__slot_phase_since(s))),
		(unsigned)TAILBOX__GET(s->thread));
	tailbox__look_add_where(t, &w);
	tailbox__text_add(t, "\n");
}

static int by_line(const void *a, const void *b)
{
	const struct tailbox__slot *const *x = a, *const *y = b;
	uint64_t s = TAILBOX__GET((*x)->line), t = TAILBOX__GET((*y)->line);

	return s < t ? -1 : s > t;
}

/* Open requests, oldest first. Their number, or -ENOMEM. */
static long open_requests(const struct tailbox__look *l,
                          const struct tailbox__slot ***out)
{
	const struct tailbox__slot **list;
	long n = 0;

	list = tailbox__alloc((size_t)l->slot_count, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	for (long i = 0; i < l->slot_count; i++)
		if (TAILBOX__GET(l->slots[i].state) == TAILBOX__SLOT_OPEN)
			list[n++] = &l->slots[i];
	qsort(list, (size_t)n, sizeof(*list), by_line);
	*out = list;
	return n;
}

static enum MHD_Result requests_text(struct tailbox__admin_request *q,
                                     const struct tailbox__look *l,
                                     const struct tailbox__slot **list, long n,
                                     long shown)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__text rows = TAILBOX__TEXT_INIT;

	tailbox__text_add(&t, "%ld open", n);
	if (shown < n)
		tailbox__text_add(&t, ", the %ld oldest", shown);
	tailbox__text_add(&t, "\n");
	tailbox__text_add(&rows, ">NUMBER\t>AGE\tROUTE\tPHASE\t>FOR\t>WORKER\t"
	                         "IN\t>FOR\tAT\n");
	for (long i = 0; i < shown; i++)
		add_request(&rows, l, list[i]);
	if (shown > 0)
		tailbox__text_table(&t, &rows);
	tailbox__text_fini(&rows);
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}

enum MHD_Result tailbox__admin_requests(struct tailbox__admin_request *q)
{
	const char *kept = tailbox__admin_param(q, "kept");
	const struct tailbox__slot **list = NULL;
	struct tailbox__json j;
	enum MHD_Result rc;
	struct tailbox__look l;
	uint64_t is_kept = 0;

	if (kept != NULL && !tailbox__admin_count(kept, 0, 1, &is_kept))
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                            "bad_parameter",
		                            "parameter kept takes 0 or 1");
	if (is_kept)
		return tailbox__admin_kept(q);
	long n = tailbox__look(&l), shown;
	if (n == 0)
		n = open_requests(&l, &list);
	if (n < 0)
		return tailbox__look_failed(q, (int)n);
	shown = n < (long)TAILBOX__ADMIN_LIST_MAX
	                ? n
	                : (long)TAILBOX__ADMIN_LIST_MAX;
	if (q->as_text) {
		rc = requests_text(q, &l, list, n, shown);
		tailbox__free(list);
		return rc;
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_u64(&j, "count", (uint64_t)n);
	tailbox__json_key(&j, "requests");
	tailbox__json_begin_array(&j);
	for (long i = 0; i < shown; i++)
		put_request(&j, &l, list[i]);
	tailbox__json_end_array(&j);
	tailbox__json_end_object(&j);
	tailbox__free(list);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}
