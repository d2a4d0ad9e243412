/* controller/admin_stream.c - an artifact as Run JSON, sent as it is made.
 *
 * SPDX-License-Identifier: MIT
 *
 * The server library asks for the next bytes when the client has taken the
 * last ones, so a slow client costs a buffer and the loaded run
 * (admin_load.c), and nobody else waits. A step makes little at a time: the
 * compressor is set to its fastest, since a long download competes with the
 * service for the processors, and to small blocks, since /status waits for
 * the step that is being made.
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "controller/admin_load.h"
#include "core/alloc.h"
#include "core/run_json.h"

#define BLOCK_BYTES 16384u
/* 2048 symbols a block; with the default 8 one was worth 500 KB of JSON. */
#define MEM_LEVEL 5

struct stream {
	struct tailbox__loaded *from;
	struct tailbox__run_json *json;
	bool is_gzip, has_deflate, is_done;
	z_stream z;
	char buf[BLOCK_BYTES]; /* JSON on its way into the compressor */
};

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
	tailbox__load_release(s->from);
	tailbox__free(s);
}

static int stream_begin(struct stream *s, struct tailbox__loaded *l,
                        bool is_gzip)
{
	int rc;

	s->from = tailbox__load_keep(l);
	rc = tailbox__run_json_open(tailbox__load_run(l), &s->json);
	if (rc != 0 || !is_gzip)
		return rc;
	s->is_gzip = true;
	s->z.zalloc = z_alloc;
	s->z.zfree = z_free;
	/* 15 bits of window, and 16 more for the gzip frame. */
	if (deflateInit2(&s->z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, MEM_LEVEL,
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

struct MHD_Response *tailbox__admin_stream(struct tailbox__loaded *l,
                                           bool is_gzip)
{
	struct stream *s = tailbox__zalloc(1, sizeof(*s));
	struct MHD_Response *r;

	if (s == NULL)
		return NULL;
	if (stream_begin(s, l, is_gzip) != 0) {
		stream_free(s);
		return NULL;
	}
	r = MHD_create_response_from_callback(
	        MHD_SIZE_UNKNOWN, BLOCK_BYTES, is_gzip ? read_gzip : read_plain,
	        s, stream_free);
	if (r == NULL)
		stream_free(s);
	return r;
}
