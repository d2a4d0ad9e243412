/* controller/admin_artifacts.c - list, find, delete and keep artifacts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_report.h"
#include "core/alloc.h"

#define PIN "/pin"

/* --- the list ---------------------------------------------------------- */

static void put_entry(struct tailbox__json *j,
                      const struct tailbox__artifact_entry *e)
{
	char id[TAILBOX__ARTIFACT_ID_BYTES];

	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "id", tailbox__artifact_id(id, &e->key));
	tailbox__admin_put_text(j, "kind",
	                        tailbox__artifact_kind_name(e->key.kind));
	tailbox__admin_put_text(j, "name", e->name);
	tailbox__admin_put_u64(j, "bytes", e->bytes);
	tailbox__admin_put_u64(j, "requests", e->requests);
	tailbox__admin_put_u64(j, "started_at_unix_ms", e->started_ms);
	tailbox__admin_put_u64(j, "finalized_at_unix_ms", e->finalized_ms);
	tailbox__admin_put_bool(j, "ours", e->is_ours);
	tailbox__admin_put_bool(j, "pinned", e->is_pinned);
	tailbox__admin_put_u64(j, "json_bytes",
	                       tailbox__admin_or_none(e->json_bytes));
	tailbox__admin_put_text(j, "headline", e->headline);
	tailbox__json_end_object(j);
}

static void add_entry(struct tailbox__text *t,
                      const struct tailbox__artifact_entry *e)
{
	char bytes[TAILBOX__UNIT_TEXT], at[TAILBOX__UNIT_TEXT];
	char took[TAILBOX__UNIT_TEXT], id[TAILBOX__ARTIFACT_ID_BYTES];
	uint64_t ms = TAILBOX__NONE;

	if (e->finalized_ms != TAILBOX__NONE &&
	    e->finalized_ms >= e->started_ms)
		ms = (e->finalized_ms - e->started_ms) * 1000;
	if (e->is_ours)
		tailbox__text_add(t, "%s\t", tailbox__artifact_id(id, &e->key));
	else
		tailbox__text_add(t, "-\t");
	tailbox__text_add(t, "%s\t%" PRIu64 "\t%s\t%s\t%s%s\t%s\n",
	                  tailbox__text_time(at, e->started_ms), e->requests,
	                  tailbox__show_bytes(bytes, e->bytes),
	                  tailbox__text_us(took, ms), e->name,
	                  e->is_pinned ? "  pinned" : "",
	                  e->headline[0] != '\0' ? e->headline : "-");
}

static enum MHD_Result list_text(struct tailbox__admin_request *q,
                                 const struct tailbox__artifact_entry *e,
                                 long n, long older)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__text rows = TAILBOX__TEXT_INIT;

	tailbox__text_add(&t, "%ld in %s", n,
	                  tailbox__admin_facts->artifact_dir);
	if (older > 0)
		tailbox__text_add(&t, ", and %ld older ones", older);
	tailbox__text_add(&t, "\n");
	tailbox__text_add(&rows,
	                  ">ID\tSTARTED\t>REQUESTS\t>SIZE\t>TOOK\tNAME\tHEADLINE\n");
	for (long i = 0; i < n; i++)
		add_entry(&rows, &e[i]);
	if (n > 0)
		tailbox__text_table(&t, &rows);
	tailbox__text_fini(&rows);
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}

static enum MHD_Result list_json(struct tailbox__admin_request *q,
                                 const struct tailbox__artifact_entry *e,
                                 long n, long older)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "artifacts");
	tailbox__json_begin_array(&j);
	for (long i = 0; i < n; i++)
		put_entry(&j, &e[i]);
	tailbox__json_end_array(&j);
	tailbox__admin_put_u64(&j, "older", (uint64_t)older);
	tailbox__admin_put_text(&j, "folder",
	                        tailbox__admin_facts->artifact_dir);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

/* Without the one that cannot be had yet: its file is there a moment before its
 * window is over. Asked after the folder was read, or it might be over then. */
static long leave_out_early(struct tailbox__artifact_entry *e, long n)
{
	struct tailbox__window_status w;
	long kept = 0;

	tailbox__window_status(&w);
	if (n <= 0 || (w.state != TAILBOX__WINDOW_ACTIVE &&
	               w.state != TAILBOX__WINDOW_CLOSING))
		return n;
	for (long i = 0; i < n; i++)
		if (!e[i].is_ours || e[i].key.id != w.id ||
		    e[i].key.kind != TAILBOX__ARTIFACT_WINDOW)
			e[kept++] = e[i];
	return kept;
}

enum MHD_Result tailbox__admin_artifacts(struct tailbox__admin_request *q)
{
	struct tailbox__artifact_entry *e;
	enum MHD_Result rc;
	long n, older;

	if (!tailbox__admin_has_windows(q, &rc))
		return rc;
	e = tailbox__alloc(TAILBOX__ADMIN_LIST_MAX, sizeof(*e));
	if (e == NULL)
		return MHD_NO;
	n = tailbox__artifacts(e, TAILBOX__ADMIN_LIST_MAX, &older);
	if (n == -ENOENT)
		n = 0; /* made with the first artifact */
	n = leave_out_early(e, n);
	if (n < 0)
		rc = tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
		                          "folder_unreadable", "%s: %s",
		                          tailbox__admin_facts->artifact_dir,
		                          tailbox_strerror((int)n));
	else
		rc = q->as_text ? list_text(q, e, n, older)
		                : list_json(q, e, n, older);
	tailbox__free(e);
	return rc;
}

/* --- finding one ------------------------------------------------------- */

/* Is it the window that is open or being written? */
static bool is_under_way(const char *id)
{
	struct tailbox__window_status w;
	char number[24];

	tailbox__window_status(&w);
	if (w.state != TAILBOX__WINDOW_ACTIVE &&
	    w.state != TAILBOX__WINDOW_CLOSING)
		return false;
	snprintf(number, sizeof(number), "%" PRIu64, w.id);
	return strcmp(id, number) == 0 || strcmp(id, w.artifact) == 0;
}

/* q->id without its suffix; *is_native: it had one. */
static bool split_id(const struct tailbox__admin_request *q, char id[256],
                     bool *is_native)
{
	size_t n = strlen(q->id), suffix = strlen(TAILBOX__ARTIFACT_SUFFIX);

	*is_native = n > suffix && strcmp(q->id + n - suffix,
	                                  TAILBOX__ARTIFACT_SUFFIX) == 0;
	if (*is_native)
		n -= suffix;
	if (n == 0 || n > 255)
		return false;
	memcpy(id, q->id, n);
	id[n] = '\0';
	return true;
}

/* q->id and what became of it. */
struct lookup {
	char id[256];
	bool is_native, is_early;
	int rc; /* of tailbox__artifact_find() */
};

static struct lookup look_up(const struct tailbox__admin_request *q,
                             struct tailbox__artifact_entry *e)
{
	struct lookup l = { .rc = 0 };

	if (!split_id(q, l.id, &l.is_native)) {
		l.rc = -EINVAL;
		return l;
	}
	/* Its file is there a moment before the window is over. Who has the
	 * artifact may arm the next one, so it is not ready until then. */
	l.is_early = is_under_way(l.id);
	l.rc = l.is_early ? -ENOENT : tailbox__artifact_find(l.id, e);
	return l;
}

static enum MHD_Result say_why_not(struct tailbox__admin_request *q,
                                   const struct lookup *l)
{
	if (l->rc == -EINVAL)
		return tailbox__admin_error(
		        q, MHD_HTTP_BAD_REQUEST, "bad_id",
		        "an artifact is named by its number or full name");
	if (l->rc != -ENOENT)
		return tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
		                            "artifact_unreadable",
		                            "%.200s in %.400s: %s", l->id,
		                            tailbox__admin_facts->artifact_dir,
		                            tailbox_strerror(l->rc));
	if (l->is_early)
		return tailbox__admin_error_header(
		        q, MHD_HTTP_NOT_FOUND, "not_ready", "Retry-After", "1",
		        "this window is not finalized yet");
	return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "not_found",
	                            "no artifact %.200s", l->id);
}

bool tailbox__admin_find_artifact(struct tailbox__admin_request *q,
                                  struct tailbox__artifact_entry *e,
                                  bool *is_native, enum MHD_Result *sent)
{
	if (!tailbox__admin_has_windows(q, sent))
		return false;
	const struct lookup l = look_up(q, e);
	*is_native = l.is_native;
	if (l.rc != 0)
		*sent = say_why_not(q, &l);
	return l.rc == 0;
}

/* --- delete and keep --------------------------------------------------- */

enum MHD_Result tailbox__admin_delete(struct tailbox__admin_request *q)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__artifact_entry e;
	struct tailbox__json j;
	enum MHD_Result sent;
	int rc;

	if (!tailbox__admin_has_windows(q, &sent))
		return sent;
	/* That it is damaged is no reason to keep it: it has a name. What was
	 * never an artifact is somebody else's. */
	const struct lookup l = look_up(q, &e);
	if (l.rc != 0 && l.rc != -TAILBOX_ETRUNCATED &&
	    l.rc != -TAILBOX_EDAMAGED && l.rc != -TAILBOX_EVERSION)
		return say_why_not(q, &l);
	rc = tailbox__artifact_delete(&e);
	if (rc != 0 && rc != -ENOENT)
		return tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
		                            "cannot_delete", "%s: %s", e.name,
		                            tailbox_strerror(rc));
	if (q->as_text) {
		tailbox__text_add(&t, "deleted %s\n", e.name);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "result", "deleted");
	tailbox__admin_put_text(&j, "name", e.name);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

static enum MHD_Result send_pinned(struct tailbox__admin_request *q,
                                   const struct tailbox__artifact_entry *e)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;

	if (q->as_text) {
		tailbox__text_add(&t, "%s %s\n",
		                  e->is_pinned ? "pinned" : "unpinned",
		                  e->name);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "name", e->name);
	tailbox__admin_put_bool(&j, "pinned", e->is_pinned);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

/* POST /artifacts/ID/pin?on=0 or 1; without `on` it is 1. */
enum MHD_Result tailbox__admin_pin(struct tailbox__admin_request *q)
{
	const char *text = tailbox__admin_param(q, "on");
	struct tailbox__artifact_entry e;
	enum MHD_Result sent;
	size_t n = strlen(q->id), suffix = strlen(PIN);
	char id[256] = "";
	bool is_native;
	uint64_t on = 1;
	int rc;

	if (n <= suffix || n - suffix >= sizeof(id) ||
	    strcmp(q->id + n - suffix, PIN) != 0)
		return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "not_found",
		                            "what can be posted here is "
		                            "/artifacts/ID/pin");
	memcpy(id, q->id, n - suffix);
	q->id = id;
	if (text != NULL && !tailbox__admin_count(text, 0, 1, &on))
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                            "bad_parameter",
		                            "parameter on takes 0 or 1");
	if (!tailbox__admin_find_artifact(q, &e, &is_native, &sent))
		return sent;
	rc = tailbox__artifact_pin(&e, on != 0);
	if (rc == -ENOENT)
		return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "not_found",
		                            "no artifact %.200s", id);
	if (rc != 0)
		return tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
		                            "cannot_pin", "%s: %s", e.name,
		                            tailbox_strerror(rc));
	return send_pinned(q, &e);
}
