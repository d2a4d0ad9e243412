/* controller/admin_stream.c - an artifact as Run JSON, sent as it is made.
 *
 * SPDX-License-Identifier: MIT
 *
 * The server library asks for the next bytes when the client has taken the
 * last ones, so a slow client costs a buffer and the loaded run, and nobody
 * else waits. Clients that fetch the same artifact at one time share the run.
 * The compressor is set to its fastest: a long download competes with the
 * service for the processors.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "controller/admin_internal.h"
#include "core/alloc.h"
#include "core/artifact.h"
#include "core/run_json.h"

#define BLOCK_BYTES 16384u

/* A run that is being sent, by the name of its artifact. */
static struct loaded {
	char name[256];
	uint32_t checksum;
	unsigned users; /* 0 = the place is free */
	struct tailbox__run *run;
} loaded[TAILBOX__ADMIN_TRANSFERS_MAX];

static unsigned transfers;

struct stream {
	struct loaded *from;
	struct tailbox__run_json *json;
	bool is_gzip, has_deflate, is_done;
	z_stream z;
	char buf[BLOCK_BYTES]; /* JSON on its way into the compressor */
};

bool tailbox__admin_transfer(struct tailbox__admin_request *q)
{
	if (transfers == TAILBOX__ADMIN_TRANSFERS_MAX)
		return false;
	transfers++;
	q->is_transfer = true;
	return true;
}

void tailbox__admin_transfer_end(struct tailbox__admin_request *q)
{
	if (q->is_transfer)
		transfers--;
	q->is_transfer = false;
}

void tailbox__admin_stream_in_child(void)
{
	memset(loaded, 0, sizeof(loaded));
	transfers = 0;
}

/* --- loaded runs ------------------------------------------------------- */

static int load(struct loaded *l, const struct tailbox__artifact_entry *e,
                struct tailbox__error *err)
{
	int fd = tailbox__artifact_open(e), rc;

	if (fd < 0)
		return fd;
	rc = tailbox__artifact_read(fd, &l->run, err);
	close(fd);
	if (rc != 0)
		return rc;
	memcpy(l->name, e->name, sizeof(l->name));
	l->checksum = e->checksum;
	l->users = 1;
	return 0;
}

static struct loaded *borrow(const struct tailbox__artifact_entry *e, int *rc,
                             struct tailbox__error *err)
{
	struct loaded *unused = NULL;

	for (size_t i = 0; i < TAILBOX__ADMIN_TRANSFERS_MAX; i++) {
		struct loaded *l = &loaded[i];
		if (l->users == 0) {
			unused = l;
		} else if (l->checksum == e->checksum &&
		           strcmp(l->name, e->name) == 0) {
			l->users++;
			return l;
		}
	}
	/* There are as many places as transfers, but one that has just ended
	 * may not have let go of its run. */
	*rc = unused ? load(unused, e, err) : -EBUSY;
	return *rc == 0 ? unused : NULL;
}

static void give_back(struct loaded *l)
{
	if (--l->users > 0)
		return;
	tailbox__run_destroy(l->run), l->run = NULL;
}

/* --- the stream -------------------------------------------------------- */

static voidpf z_alloc(voidpf opaque, uInt n, uInt size)
{
	(void)opaque;
	return tailbox__alloc(n, size);
}

static void z_free(voidpf opaque, voidpf p)
{
	(void)opaque;
	tailbox__free(p);
}

static void stream_free(void *cls)
{
	struct stream *s = cls;

	if (s->has_deflate)
		deflateEnd(&s->z);
	tailbox__run_json_close(s->json);
	if (s->from != NULL)
		give_back(s->from);
	tailbox__free(s);
}

static int stream_begin(struct stream *s,
                        const struct tailbox__artifact_entry *e, bool is_gzip,
                        struct tailbox__error *err)
{
	int rc = 0;

	s->from = borrow(e, &rc, err);
	if (s->from == NULL)
		return rc;
	rc = tailbox__run_json_open(s->from->run, &s->json);
	if (rc != 0 || !is_gzip)
		return rc;
	s->is_gzip = true;
	s->z.zalloc = z_alloc;
	s->z.zfree = z_free;
	/* 15 bits of window, and 16 more for the gzip frame. */
	if (deflateInit2(&s->z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8,
	                 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	s->has_deflate = true;
	return 0;
}

static ssize_t read_plain(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = cls;
	long n = tailbox__run_json_read(s->json, buf, max);

	(void)pos;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return n > 0 ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

/* Never 0 bytes: the server library would ask again at once, and spin. */
static ssize_t read_gzip(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = cls;

	(void)pos;
	if (s->is_done)
		return MHD_CONTENT_READER_END_OF_STREAM;
	s->z.next_out = (Bytef *)buf;
	s->z.avail_out = (uInt)max;
	while (s->z.avail_out == max) {
		int flush = Z_NO_FLUSH, rc;
		if (s->z.avail_in == 0) {
			long n = tailbox__run_json_read(s->json, s->buf,
			                                sizeof(s->buf));
			if (n < 0)
				return MHD_CONTENT_READER_END_WITH_ERROR;
			s->z.next_in = (Bytef *)s->buf;
			s->z.avail_in = (uInt)n;
			if (n == 0)
				flush = Z_FINISH;
		}
		rc = deflate(&s->z, flush);
		if (rc == Z_STREAM_END) {
			s->is_done = true;
			break;
		}
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	return (ssize_t)(max - s->z.avail_out);
}

struct MHD_Response *
tailbox__admin_stream(struct tailbox__admin_request *q,
                      const struct tailbox__artifact_entry *e, bool is_gzip,
                      int *rc, struct tailbox__error *err)
{
	struct MHD_Response *r;
	struct stream *s;

	*rc = -EBUSY;
	if (!tailbox__admin_transfer(q))
		return NULL;
	*rc = -ENOMEM;
	s = tailbox__zalloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	*rc = stream_begin(s, e, is_gzip, err);
	if (*rc != 0) {
		stream_free(s);
		return NULL;
	}
	r = MHD_create_response_from_callback(
	        MHD_SIZE_UNKNOWN, BLOCK_BYTES, is_gzip ? read_gzip : read_plain,
	        s, stream_free);
	if (r == NULL) {
		*rc = -ENOMEM;
		stream_free(s);
	}
	return r;
}
