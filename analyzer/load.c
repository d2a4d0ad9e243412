/* analyzer/load.c - load an artifact of either kind, packed or not.
 *
 * SPDX-License-Identifier: MIT
 *
 * The kind is told by the first bytes, so a stream here can be peeked into.
 * Two of them stand behind each other when the input is packed: the file, and
 * what gunzip makes of it. Run JSON is decoded from the stream as it comes.
 * The native reader wants a descriptor of its own: it gets the file itself
 * where that can be rewound, else a copy in memory.
 */
#include "analyzer/load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include "core/alloc.h"
#include "core/artifact.h"
#include "core/fd.h"
#include "core/tailbox.h"

#define PIECE_BYTES 65536u
#define HEAD_BYTES 8u

struct stream {
	tailbox__read_fn read;
	void *cls;
	char head[HEAD_BYTES]; /* peeked at */
	size_t have, used;     /* of head */
};

struct gunzip {
	struct stream *from;
	z_stream z;
	char *in;
	bool is_between; /* one gzip member has ended; there may be more */
};

static long read_descriptor(void *cls, char *buf, size_t room)
{
	const int *fd = cls;

	for (;;) {
		const ssize_t n = read(*fd, buf, room);

		if (n >= 0)
			return n;
		if (errno != EINTR)
			return -errno;
	}
}

static long stream_read(void *cls, char *buf, size_t room)
{
	struct stream *s = cls;
	const size_t held = s->have - s->used;
	const size_t n = held < room ? held : room;

	if (n == 0)
		return s->read(s->cls, buf, room);
	memcpy(buf, s->head + s->used, n);
	s->used += n;
	return (long)n;
}

static int stream_peek(struct stream *s)
{
	while (s->have < HEAD_BYTES) {
		const long n = s->read(s->cls, s->head + s->have,
		                       HEAD_BYTES - s->have);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		s->have += (size_t)n;
	}
	return 0;
}

static void *zlib_alloc(void *cls, unsigned n, unsigned size)
{
	(void)cls;
	return tailbox__alloc(n, size);
}

static void zlib_free(void *cls, void *p)
{
	(void)cls;
	tailbox__free(p);
}

/* Between members, where the input may end and zeroes may stand (tape drives
 * leave them). Gives whether there is a further member. */
static bool next_member(struct gunzip *g)
{
	while (g->z.avail_in && *g->z.next_in == 0) {
		g->z.next_in++;
		g->z.avail_in--;
	}
	if (g->z.avail_in == 0)
		return false;
	g->is_between = false;
	return inflateReset(&g->z) == Z_OK;
}

static long gunzip_read(void *cls, char *buf, size_t room)
{
	struct gunzip *g = cls;

	g->z.next_out = (unsigned char *)buf;
	g->z.avail_out = room < PIECE_BYTES ? (unsigned)room : PIECE_BYTES;
	while ((char *)g->z.next_out == buf) {
		if (g->z.avail_in == 0) {
			const long n = stream_read(g->from, g->in, PIECE_BYTES);

			if (n < 0)
				return n;
			if (n == 0)
				return g->is_between ? 0 : -TAILBOX_ETRUNCATED;
			g->z.next_in = (unsigned char *)g->in;
			g->z.avail_in = (unsigned)n;
		}
		if (g->is_between && !next_member(g))
			continue;
		switch (inflate(&g->z, Z_NO_FLUSH)) {
		case Z_OK:
		case Z_BUF_ERROR:
			break;
		case Z_STREAM_END:
			g->is_between = true;
			break;
		case Z_MEM_ERROR:
			return -ENOMEM;
		default:
			return -TAILBOX_EDAMAGED;
		}
	}
	return (char *)g->z.next_out - buf;
}

static int gunzip_init(struct gunzip *g, struct stream *from)
{
	memset(g, 0, sizeof(*g));
	g->from = from;
	g->z.zalloc = zlib_alloc;
	g->z.zfree = zlib_free;
	g->in = tailbox__alloc(PIECE_BYTES, 1);
	/* 15 bits of window; + 16: gzip and nothing else. */
	if (g->in && inflateInit2(&g->z, 15 + 16) == Z_OK)
		return 0;
	tailbox__free(g->in);
	return -ENOMEM;
}

static void gunzip_fini(struct gunzip *g)
{
	inflateEnd(&g->z);
	tailbox__free(g->in);
}

static int cannot(struct tailbox__error *err, const char *what, int code)
{
	return tailbox__fail(err, code, "cannot %s: %s", what,
	                     tailbox_strerror(code));
}

/* Copy the rest of the stream to where it can be read by descriptor. */
static int copy_to(struct stream *s, int fd, struct tailbox__error *err)
{
	char piece[4096];

	for (;;) {
		const long n = stream_read(s, piece, sizeof(piece));

		if (n < 0)
			return cannot(err, "read", (int)n);
		if (n == 0)
			break;

		const int ret = tailbox__fd_write(fd, piece, (size_t)n);

		if (ret < 0)
			return cannot(err, "copy", ret);
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return cannot(err, "copy", -errno);
	return 0;
}

static int load_native(struct stream *s, struct tailbox__run **out,
                       struct tailbox__error *err)
{
	const int copy = memfd_create("tailbox-artifact", MFD_CLOEXEC);

	if (copy < 0)
		return cannot(err, "copy", -errno);

	int ret = copy_to(s, copy, err);

	if (ret == 0)
		ret = tailbox__artifact_read(copy, out, err);
	close(copy);
	return ret;
}

/* The stream is unpacked and has been peeked into. fd: the file that holds
 * the same bytes, or -1. */
static int load_stream(struct stream *s, int fd, struct tailbox__run **out,
                       struct tailbox__error *err)
{
	if (s->have == HEAD_BYTES &&
	    tailbox__artifact_is_ours(s->head, s->have)) {
		if (fd >= 0 && lseek(fd, -(off_t)s->have, SEEK_CUR) >= 0)
			return tailbox__artifact_read(fd, out, err);
		return load_native(s, out, err);
	}
	if (s->have > 0 && s->have < HEAD_BYTES &&
	    memcmp(s->head, TAILBOX__ARTIFACT_MAGIC, s->have) == 0)
		return tailbox__fail(err, -TAILBOX_ETRUNCATED,
		                     "the input ends in its first bytes");
	return tailbox__load_json(stream_read, s, out, err);
}

static int load_packed(struct stream *packed, struct tailbox__run **out,
                       struct tailbox__error *err)
{
	struct gunzip g;
	struct stream s = { .read = gunzip_read, .cls = &g };
	int ret = gunzip_init(&g, packed);

	if (ret < 0)
		return cannot(err, "unpack", ret);
	ret = stream_peek(&s);
	if (ret < 0)
		cannot(err, "unpack", ret);
	else
		ret = load_stream(&s, -1, out, err);
	gunzip_fini(&g);
	return ret;
}

int tailbox__load_fd(int fd, struct tailbox__run **out,
                     struct tailbox__error *err)
{
	struct stream s = { .read = read_descriptor, .cls = &fd };

	*out = NULL;

	const int ret = stream_peek(&s);

	if (ret < 0)
		return cannot(err, "read", ret);
	if (s.have >= 2 && memcmp(s.head, "\x1f\x8b", 2) == 0)
		return load_packed(&s, out, err);
	return load_stream(&s, fd, out, err);
}

int tailbox__load_path(const char *path, struct tailbox__run **out,
                       struct tailbox__error *err)
{
	*out = NULL;
	if (strcmp(path, "-") == 0)
		return tailbox__load_fd(STDIN_FILENO, out, err);

	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return cannot(err, "open", -errno);

	const int ret = tailbox__load_fd(fd, out, err);

	close(fd);
	return ret;
}
