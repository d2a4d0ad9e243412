/* controller/admin_download.c - download an artifact, as JSON or as its file.
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
	name_it(r, tag, "application/octet-stream", e->name,
	        TAILBOX__ARTIFACT_SUFFIX);
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
