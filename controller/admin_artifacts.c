/* controller/admin_artifacts.c - list, download and delete artifacts.
 *
 * SPDX-License-Identifier: MIT
 *
 * An artifact never changes, so its checksum is its tag; the JSON forms have
 * tags of their own. The JSON is made on the way (admin_stream.c), the native
 * file is handed to the kernel.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin_load.h"
#include "controller/admin_report.h"
#include "core/alloc.h"

#define SUFFIX ".tailbox"
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
	                  tailbox__text_bytes(bytes, e->bytes),
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
	size_t n = strlen(q->id), suffix = strlen(SUFFIX);

	*is_native = n > suffix && strcmp(q->id + n - suffix, SUFFIX) == 0;
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

/* --- download ---------------------------------------------------------- */

static enum MHD_Result not_modified(struct tailbox__admin_request *q,
                                    const char *tag)
{
	static char nothing[1];
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        0, nothing, MHD_RESPMEM_PERSISTENT);

	if (r != NULL) {
		MHD_add_response_header(r, "ETag", tag);
		MHD_add_response_header(r, "Vary", "Accept-Encoding");
	}
	return tailbox__admin_send(q, MHD_HTTP_NOT_MODIFIED, r);
}

static void name_it(struct MHD_Response *r, const char *tag, const char *type,
                    const char *name, const char *suffix)
{
	char text[320];

	snprintf(text, sizeof(text), "attachment; filename=\"%s%s\"", name,
	         suffix);
	MHD_add_response_header(r, "ETag", tag);
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Content-Disposition", text);
}

static enum MHD_Result no_transfer(struct tailbox__admin_request *q, int rc,
                                   const struct tailbox__error *err)
{
	if (rc == -EBUSY)
		return tailbox__admin_error_header(
		        q, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "Retry-After",
		        "1", "4 artifacts are being sent already");
	return tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
	                            "artifact_unreadable", "%s",
	                            err->text[0] != '\0'
	                                    ? err->text
	                                    : tailbox_strerror(rc));
}

static ssize_t read_nothing(void *cls, uint64_t pos, char *buf, size_t max)
{
	(void)cls, (void)pos, (void)buf, (void)max;
	return MHD_CONTENT_READER_END_OF_STREAM;
}

/* To HEAD: loading a run for nobody would be a waste. */
static struct MHD_Response *no_stream(void)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024,
	                                         read_nothing, NULL, NULL);
}

static enum MHD_Result send_json(struct tailbox__admin_request *q,
                                 const struct tailbox__artifact_entry *e)
{
	bool is_gzip = tailbox__admin_wants_gzip(
	        tailbox__admin_header(q, "Accept-Encoding"));
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__loaded *loaded = NULL;
	struct MHD_Response *r;
	char tag[32];
	int rc;

	snprintf(tag, sizeof(tag), "\"%08" PRIx32 "-json%s\"", e->checksum,
	         is_gzip ? "-gzip" : "");
	if (tailbox__admin_has_tag(tailbox__admin_header(q, "If-None-Match"), tag))
		return not_modified(q, tag);
	rc = q->is_head ? 1 : tailbox__load(q, e, &loaded, &err);
	if (rc == 0)
		return MHD_YES; /* again, when it is there */
	if (rc < 0)
		return no_transfer(q, rc, &err);
	r = q->is_head ? no_stream() : tailbox__admin_stream(loaded, is_gzip);
	if (r != NULL) {
		name_it(r, tag, "application/json", e->name, ".json");
		MHD_add_response_header(r, "Vary", "Accept-Encoding");
		if (is_gzip)
			MHD_add_response_header(r, "Content-Encoding", "gzip");
	}
	return tailbox__admin_send(q, MHD_HTTP_OK, r);
}

/* Which part is asked for, as tailbox__admin_range(). A client that goes on
 * with another file than it began (If-Range) gets the whole. */
static int wanted_part(const struct tailbox__admin_request *q, const char *tag,
                       uint64_t size, uint64_t *first, uint64_t *count)
{
	const char *only_if = tailbox__admin_header(q, "If-Range");

	*first = 0;
	*count = size;
	if (q->is_head || (only_if != NULL && strcmp(only_if, tag) != 0))
		return 0;
	return tailbox__admin_range(tailbox__admin_header(q, "Range"), size, first,
	                            count);
}

/* fd is taken. NULL: *rc says why. */
static struct MHD_Response *of_file(const struct tailbox__admin_request *q,
                                    int fd, uint64_t first, uint64_t count,
                                    int *rc)
{
	struct MHD_Response *r;

	if (q->is_job && !q->is_head) {
		*rc = tailbox__admin_file(fd, first, count, &r);
		return r;
	}
	r = MHD_create_response_from_fd_at_offset64(count, fd, first);
	if (r == NULL) {
		close(fd);
		*rc = -ENOMEM;
	}
	return r;
}

static enum MHD_Result send_file(struct tailbox__admin_request *q,
                                 const struct tailbox__artifact_entry *e,
                                 const char *tag, int fd, uint64_t size)
{
	uint64_t first, count;
	int part = wanted_part(q, tag, size, &first, &count);
	struct MHD_Response *r;
	char text[80];
	int rc = 0;

	if (part < 0) {
		close(fd);
		snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
		return tailbox__admin_error_header(
		        q, MHD_HTTP_RANGE_NOT_SATISFIABLE, "no_such_range",
		        "Content-Range", text, "the file ends before that");
	}
	r = of_file(q, fd, first, count, &rc);
	if (r == NULL)
		return no_transfer(q, rc, &(struct tailbox__error)
		                                  TAILBOX__ERROR_INIT);
	name_it(r, tag, "application/octet-stream", e->name, SUFFIX);
	MHD_add_response_header(r, "Accept-Ranges", "bytes");
	if (part > 0) {
		snprintf(text, sizeof(text),
		         "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
		         first + count - 1, size);
		MHD_add_response_header(r, "Content-Range", text);
	}
	return tailbox__admin_send(
	        q, part > 0 ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, r);
}

static enum MHD_Result send_native(struct tailbox__admin_request *q,
                                   const struct tailbox__artifact_entry *e)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct stat st;
	char tag[16];
	int fd;

	snprintf(tag, sizeof(tag), "\"%08" PRIx32 "\"", e->checksum);
	if (tailbox__admin_has_tag(tailbox__admin_header(q, "If-None-Match"), tag))
		return not_modified(q, tag);
	if (!tailbox__admin_transfer(q))
		return no_transfer(q, -EBUSY, &err);
	fd = tailbox__artifact_open(e);
	if (fd < 0)
		return no_transfer(q, fd, &err);
	if (fstat(fd, &st) != 0) {
		close(fd);
		return no_transfer(q, -EIO, &err);
	}
	return send_file(q, e, tag, fd, (uint64_t)st.st_size);
}

enum MHD_Result tailbox__admin_artifact(struct tailbox__admin_request *q)
{
	struct tailbox__artifact_entry e;
	enum MHD_Result sent;
	bool is_native;

	if (tailbox__is_report(q))
		return tailbox__admin_report(q);
	if (!tailbox__admin_find_artifact(q, &e, &is_native, &sent))
		return sent;
	return is_native ? send_native(q, &e) : send_json(q, &e);
}

enum MHD_Result tailbox__admin_delete(struct tailbox__admin_request *q)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__artifact_entry e;
	struct tailbox__json j;
	enum MHD_Result sent;
	int rc;

	if (!tailbox__admin_has_windows(q, &sent))
		return sent;
	/* That it cannot be read is no reason to keep it: it has a name. */
	const struct lookup l = look_up(q, &e);
	if (l.rc != 0 && l.rc > -TAILBOX_EMALFORMED)
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
