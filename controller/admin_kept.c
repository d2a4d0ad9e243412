/* controller/admin_kept.c - GET /requests?kept=1: slow, failed and cancelled
 * requests that the tape has kept.
 *
 * SPDX-License-Identifier: MIT
 *
 * From the tape by pread, as any other process would; while recording is off,
 * too, for they do not change then. Oldest first; of very many the newest.
 */
#include <errno.h>
#include <inttypes.h>

#include <tailbox.h>

#include "controller/admin_look.h"
#include "core/kept.h"
#include "core/request_line.h"

struct list {
	struct tailbox__reader *reader;
	struct tailbox__json *json; /* one of the two */
	struct tailbox__text *rows;
	uint64_t count, skip;
};

static int count_one(void *cls, const struct tailbox__kept_request *k)
{
	struct list *l = cls;

	(void)k;
	l->count++;
	return 0;
}

static void add_row(struct tailbox__text *t, const struct tailbox__line *l)
{
	static const char *const why[] = { "slow", "failed", "cancelled" };
	char at[TAILBOX__UNIT_TEXT], took[TAILBOX__UNIT_TEXT];

	tailbox__text_add(t, "%" PRIu64 "\t%s\t%s\t%s\t%u\t%s\t", l->number,
	                  tailbox__text_time(at, l->end_wall_ns / 1000000),
	                  tailbox__text_us(took, l->total_ns / 1000),
	                  l->route[0] != '\0' ? l->route : "-",
	                  (unsigned)l->status, l->outcome);
	for (unsigned i = 0, n = 0; i < 3; i++)
		if (l->kept_why & 1u << i)
			tailbox__text_add(t, "%s%s", n++ ? ", " : "", why[i]);
	tailbox__text_add(t, "\n");
}

static int put_one(void *cls, const struct tailbox__kept_request *k)
{
	struct list *l = cls;
	struct tailbox__line line;

	if (l->skip > 0) {
		l->skip--;
		return 0;
	}
	if (!tailbox__line_kept(&line, l->reader, k))
		return 0;
	if (l->json != NULL)
		tailbox__line_json(&line, l->json);
	else
		add_row(l->rows, &line);
	return 0;
}

static enum MHD_Result kept_text(struct tailbox__admin_request *q,
                                 struct list *l)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__text rows = TAILBOX__TEXT_INIT;

	l->rows = &rows;
	tailbox__text_add(&t, "%" PRIu64 " kept", l->count);
	if (l->skip > 0)
		tailbox__text_add(&t, ", the newest %u",
		                  TAILBOX__ADMIN_LIST_MAX);
	tailbox__text_add(&t, "\n");
	tailbox__text_add(&rows, ">NUMBER\tENDED\t>TOOK\tROUTE\t>STATUS\t"
	                         "OUTCOME\tWHY\n");
	(void)tailbox__reader_kept(l->reader, put_one, l);
	if (l->count > 0)
		tailbox__text_table(&t, &rows);
	tailbox__text_fini(&rows);
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}

enum MHD_Result tailbox__admin_kept(struct tailbox__admin_request *q)
{
	struct list l = { .reader = tailbox__admin_reader() };
	struct tailbox__json j;

	if (l.reader == NULL)
		return tailbox__look_failed(
			q, tailbox__admin_facts->is_recorded ? -ENOMEM
							     : -ENODATA);
	const int rc = tailbox__reader_kept(l.reader, count_one, &l);
	if (rc < 0)
		return tailbox__look_failed(q, rc);
	if (l.count > TAILBOX__ADMIN_LIST_MAX)
		l.skip = l.count - TAILBOX__ADMIN_LIST_MAX;
	if (q->as_text)
		return kept_text(q, &l);
	l.json = &j;
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_u64(&j, "count", l.count);
	tailbox__json_key(&j, "kept");
	tailbox__json_begin_array(&j);
	(void)tailbox__reader_kept(l.reader, put_one, &l);
	tailbox__json_end_array(&j);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}
