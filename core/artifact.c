/* core/artifact.c - the native artifact: write, recognise, look at the header.
 *
 * SPDX-License-Identifier: MIT
 *
 * A file is a header, parts, and an end part. The header holds the facts that
 * a list of artifacts shows, and a part can be skipped without being known,
 * so a later version may add parts and this one still reads the rest. Each
 * part carries a CRC-32 and the end part one over all of these: it tells two
 * artifacts apart without reading them whole.
 *
 * All lengths are known before the first byte is written, so the output may
 * be a pipe. Reading is in artifact_read.c, placing in artifact_place.c.
 */
#include "core/artifact_format.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/fd.h"
#include "core/run_strings.h"
#include "core/tailbox.h"

const struct tailbox__artifact_list
        tailbox__artifact_lists[TAILBOX__ARTIFACT_LIST_COUNT] = {
#define X(letters, member, size)                                               \
	{ letters, size,                                                       \
	  letters == TAILBOX__KIND('R', 'E', 'X', 'T')                          \
	          ? TAILBOX__ARTIFACT_OLDER_EXT                                \
	          : size,                                                      \
	  offsetof(struct tailbox__run, member), false },
	TAILBOX__ARTIFACT_LISTS(X)
#undef X
#define X(letters, member, size)                                               \
	{ letters, size, size, offsetof(struct tailbox__run, member), true },
	TAILBOX__ARTIFACT_KEPT_LISTS(X)
#undef X
};

struct writer {
	int fd;
	struct tailbox__artifact_totals totals;
	uint64_t file_bytes;
};

static uint32_t crc_of(uint32_t crc, const void *bytes, size_t len)
{
	return len ? (uint32_t)crc32_z(crc, bytes, len) : crc;
}

uint32_t tailbox__artifact_head_crc(struct tailbox__artifact_part head)
{
	head.checksum = 0;
	return crc_of(0, &head, sizeof(head));
}

uint32_t tailbox__artifact_header_crc(const struct tailbox__artifact_header *h)
{
	return crc_of(0, h,
	              offsetof(struct tailbox__artifact_header, checksum));
}

void tailbox__artifact_count(struct tailbox__artifact_totals *t,
                             uint32_t checksum)
{
	t->checksum = crc_of(t->checksum, &checksum, sizeof(checksum));
	t->parts++;
}

int tailbox__artifact_fail(struct tailbox__error *err, int code,
                           uint64_t offset, const char *what)
{
	if (err && !err->code)
		err->offset = offset;
	return tailbox__fail(err, code, "%s", what);
}

/* One part whose payload is a row of chunks. */
static int put_part(struct writer *w, uint32_t kind, uint32_t item_bytes,
                    const struct tailbox__chunk *first)
{
	struct tailbox__artifact_part head = {
		.kind = kind,
		.item_bytes = item_bytes,
	};
	const struct tailbox__chunk *c;

	for (c = first; c; c = c->next)
		head.bytes += c->used;
	uint32_t crc = tailbox__artifact_head_crc(head);
	for (c = first; c; c = c->next)
		crc = crc_of(crc, c->bytes, c->used);
	head.checksum = crc;
	tailbox__artifact_count(&w->totals, crc);

	int rc = tailbox__fd_write(w->fd, &head, sizeof(head));
	for (c = first; c && !rc; c = c->next)
		rc = tailbox__fd_write(w->fd, c->bytes, c->used);
	return rc;
}

static int put_bytes(struct writer *w, uint32_t kind, uint32_t item_bytes,
                     const void *bytes, size_t len)
{
	const struct tailbox__chunk one = {
		.bytes = (char *)(uintptr_t)bytes, /* only read */
		.used = len,
	};
	return put_part(w, kind, item_bytes, &one);
}

struct tailbox__any_list
tailbox__artifact_list_of(const struct tailbox__run *run, size_t i)
{
	const struct tailbox__artifact_list *row = &tailbox__artifact_lists[i];
	struct tailbox__any_list list = { NULL, 0, 0 };

	if (row->is_kept)
		run = run->kept;
	if (run)
		memcpy(&list, (const char *)run + row->offset, sizeof(list));
	return list;
}

static uint64_t bytes_of(const struct tailbox__run *run)
{
	const uint64_t head = sizeof(struct tailbox__artifact_part);
	uint64_t bytes = sizeof(struct tailbox__artifact_header) + head +
	                 run->strings->bytes + head +
	                 sizeof(struct tailbox__artifact_meta) + head +
	                 sizeof(struct tailbox__artifact_end);

	for (size_t i = 0; i < TAILBOX__ARTIFACT_LIST_COUNT; i++) {
		uint64_t count = tailbox__artifact_list_of(run, i).count;
		if (count)
			bytes += head +
			         count * tailbox__artifact_lists[i].item_bytes;
	}
	return bytes;
}

static int put_header(struct writer *w, const struct tailbox__run *run)
{
	struct tailbox__artifact_header h = {
		.byte_order = TAILBOX__BYTE_ORDER,
		.version = TAILBOX__ARTIFACT_VERSION,
		.file_bytes = w->file_bytes,
		.requests = run->requests.count,
		.started_ms = run->meta.started_ms,
		.finalized_ms = run->meta.finalized_ms,
	};

	memcpy(h.magic, TAILBOX__ARTIFACT_MAGIC, sizeof(h.magic));
	h.checksum = tailbox__artifact_header_crc(&h);
	tailbox__artifact_count(&w->totals, h.checksum);
	w->totals.parts = 0; /* the header is none */
	return tailbox__fd_write(w->fd, &h, sizeof(h));
}

static int put_meta(struct writer *w, const struct tailbox__run *run)
{
	struct tailbox__artifact_meta disk;

	tailbox__artifact_put_meta(run, &disk);
	return put_bytes(w, TAILBOX__PART_META, 0, &disk, sizeof(disk));
}

static int put_lists(struct writer *w, const struct tailbox__run *run)
{
	int rc = 0;

	for (size_t i = 0; i < TAILBOX__ARTIFACT_LIST_COUNT && !rc; i++) {
		const struct tailbox__artifact_list *row =
		        &tailbox__artifact_lists[i];
		struct tailbox__any_list list = tailbox__artifact_list_of(run, i);
		if (list.count)
			rc = put_bytes(w, row->kind, row->item_bytes,
			               list.items,
			               list.count * row->item_bytes);
	}
	return rc;
}

static int put_end(struct writer *w)
{
	struct tailbox__artifact_end end = {
		.file_bytes = w->file_bytes,
		.parts = w->totals.parts,
		.checksum = w->totals.checksum,
	};

	return put_bytes(w, TAILBOX__PART_END, 0, &end, sizeof(end));
}

int tailbox__artifact_write(const struct tailbox__run *run, int fd)
{
	struct writer w = { .fd = fd, .file_bytes = bytes_of(run) };
	int rc = put_header(&w, run);

	if (!rc)
		rc = put_part(&w, TAILBOX__PART_STRINGS, 0,
		              run->strings->first);
	if (!rc)
		rc = put_meta(&w, run);
	if (!rc)
		rc = put_lists(&w, run);
	if (!rc)
		rc = put_end(&w);
	return rc;
}

int tailbox__artifact_is_ours(const void *bytes, size_t len)
{
	const size_t magic = sizeof(TAILBOX__ARTIFACT_MAGIC) - 1;

	return len >= magic && !memcmp(bytes, TAILBOX__ARTIFACT_MAGIC, magic);
}

int tailbox__artifact_check_header(const struct tailbox__artifact_header *h,
                                   size_t have, struct tailbox__error *err)
{
	const size_t magic = sizeof(h->magic);

	if (memcmp(h->magic, TAILBOX__ARTIFACT_MAGIC,
	           have < magic ? have : magic) != 0)
		return tailbox__artifact_fail(err, -TAILBOX_EFOREIGN, 0,
		                              "not a native artifact");
	if (have < sizeof(*h))
		return tailbox__artifact_fail(err, -TAILBOX_ETRUNCATED, have,
		                              "the file ends in its header");
	if (h->byte_order == __builtin_bswap32(TAILBOX__BYTE_ORDER))
		return tailbox__artifact_fail(
		        err, -TAILBOX_EFOREIGN,
		        offsetof(struct tailbox__artifact_header, byte_order),
		        "written by a machine of another byte order");
	if (h->checksum != tailbox__artifact_header_crc(h))
		return tailbox__artifact_fail(err, -TAILBOX_EDAMAGED, 0,
		                              "header: wrong checksum");
	if (h->version != TAILBOX__ARTIFACT_VERSION)
		return tailbox__artifact_fail(
		        err, -TAILBOX_EVERSION,
		        offsetof(struct tailbox__artifact_header, version),
		        "of a version that this library does not read");
	if (h->byte_order != TAILBOX__BYTE_ORDER)
		return tailbox__artifact_fail(
		        err, -TAILBOX_EDAMAGED,
		        offsetof(struct tailbox__artifact_header, byte_order),
		        "header: no known byte order");
	return 0;
}

/* pread all of len; the number of bytes, or -errno. */
static long read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done,
		                  (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (long)done;
}

/* Read and check the end part of a file of `size` bytes. */
static int read_end(int fd, uint64_t size, struct tailbox__artifact_end *end,
                    struct tailbox__error *err)
{
	struct {
		struct tailbox__artifact_part head;
		struct tailbox__artifact_end end;
	} last;
	uint64_t at = size - sizeof(last);

	long n = read_at(fd, &last, sizeof(last), at);
	if (n < 0)
		return tailbox__artifact_fail(err, (int)n, at,
		                              "cannot read the end part");
	if ((size_t)n < sizeof(last))
		return tailbox__artifact_fail(err, -TAILBOX_ETRUNCATED,
		                              at + (uint64_t)n,
		                              "the file ends early");
	uint32_t crc = tailbox__artifact_head_crc(last.head);
	if (last.head.kind != TAILBOX__PART_END ||
	    last.head.checksum != crc_of(crc, &last.end, sizeof(last.end)) ||
	    last.end.file_bytes != size)
		return tailbox__artifact_fail(err, -TAILBOX_EDAMAGED, at,
		                              "no end part at the end");
	*end = last.end;
	return 0;
}

int tailbox__artifact_info(int fd, struct tailbox__artifact_info *out,
                           struct tailbox__error *err)
{
	struct tailbox__artifact_header h;
	struct tailbox__artifact_end end = { 0 };
	struct stat st;

	memset(out, 0, sizeof(*out));
	long n = read_at(fd, &h, sizeof(h), 0);
	if (n < 0)
		return tailbox__artifact_fail(err, (int)n, 0,
		                              "cannot read the header");
	int rc = tailbox__artifact_check_header(&h, (size_t)n, err);
	if (rc)
		return rc;
	if (fstat(fd, &st))
		return tailbox__artifact_fail(err, -errno, 0, "fstat");
	uint64_t size = (uint64_t)st.st_size;
	if (size < h.file_bytes)
		return tailbox__artifact_fail(err, -TAILBOX_ETRUNCATED, size,
		                              "the file ends early");
	if (size > h.file_bytes || size < sizeof(h) + sizeof(end))
		return tailbox__artifact_fail(err, -TAILBOX_EDAMAGED,
		                              h.file_bytes,
		                              "bytes after the end");
	rc = read_end(fd, size, &end, err);
	if (rc)
		return rc;
	out->file_bytes = size;
	out->requests = h.requests;
	out->started_ms = h.started_ms;
	out->finalized_ms = h.finalized_ms;
	out->checksum = end.checksum;
	return 0;
}
