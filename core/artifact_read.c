/* core/artifact_read.c - load a native artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * The input is a stream and may be hostile. A part's length is a claim: memory
 * grows with the bytes that have really come, so a file of a few bytes cannot
 * ask for gigabytes. Arrays become the run's lists without being copied. What
 * they contain is checked at the end, when all counts are known
 * (artifact_check.c); until then nothing looks into them.
 */
#include "core/artifact_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "core/alloc.h"
#include "core/fd.h"
#include "core/run_strings.h"
#include "core/tailbox.h"

enum { FIRST_BYTES = 1 << 20, SKIP_BYTES = 8192, TEXT_BYTES = 120 };

struct reader {
	int fd;
	uint64_t offset; /* of the next byte */
	uint64_t known;  /* bytes from the start that are there; 0 not known */
	struct tailbox__run *run;
	struct tailbox__error *err;
	struct tailbox__artifact_header header;
	struct tailbox__artifact_totals totals;
	bool has_meta, has_strings;
	bool has_list[TAILBOX__ARTIFACT_LIST_COUNT];
	uint64_t list_at[TAILBOX__ARTIFACT_LIST_COUNT];
};

static int fail(struct reader *r, int code, uint64_t offset, const char *what)
{
	return tailbox__artifact_fail(r->err, code, offset, what);
}

/* "part REQS: what", with what is not a letter shown as '?'. */
static int fail_part(struct reader *r, int code, uint64_t offset,
                     uint32_t kind, const char *what)
{
	char name[5] = "";
	char text[TEXT_BYTES];

	for (unsigned i = 0; i < 4; i++) {
		char c = (char)(kind >> 8 * i & 0xff);
		name[i] = (c >= 'A' && c <= 'Z') || c == '.' ? c : '?';
	}
	snprintf(text, sizeof(text), "part %s: %s", name, what);
	return fail(r, code, offset, text);
}

/* Read len bytes, or say that the file ends early. */
static int take(struct reader *r, void *buf, size_t len, const char *what)
{
	long n = tailbox__fd_read(r->fd, buf, len);

	if (n < 0)
		return fail(r, (int)n, r->offset, "cannot read");
	r->offset += (uint64_t)n;
	if ((size_t)n < len)
		return fail(r, -TAILBOX_ETRUNCATED, r->offset, what);
	return 0;
}

/* How much a regular file holds from here on: that much may be asked for at
 * once. */
static uint64_t known_bytes(int fd)
{
	const off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (at < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
}

static bool is_there(const struct reader *r, size_t bytes)
{
	return r->known >= r->offset && r->known - r->offset >= bytes;
}

/* A part's payload into memory of its own. *out is NULL on error. */
static int take_payload(struct reader *r,
                        const struct tailbox__artifact_part *head, char **out)
{
	size_t have = 0, room = 0;
	char *buf = NULL;
	int rc = 0;

	*out = NULL;
	if (head->bytes > PTRDIFF_MAX)
		return fail_part(r, -TAILBOX_EDAMAGED, r->offset, head->kind,
		                 "impossible length");
	size_t bytes = (size_t)head->bytes;
	while (!rc && (!buf || have < bytes)) {
		room = room ? room * 2 : FIRST_BYTES;
		if (room > bytes || is_there(r, bytes))
			room = bytes;
		char *grown = tailbox__realloc(buf, room, 1);
		if (!grown) {
			rc = -ENOMEM;
			break;
		}
		buf = grown;
		rc = take(r, buf + have, room - have,
		          "the file ends inside a part");
		have = room;
	}
	if (rc) {
		tailbox__free(buf);
		return rc;
	}
	*out = buf;
	return 0;
}

/* The part's checksum against what was read; then it counts. */
static int check_part(struct reader *r,
                      const struct tailbox__artifact_part *head, uint64_t at,
                      uint32_t crc)
{
	if (crc != head->checksum)
		return fail_part(r, -TAILBOX_EDAMAGED, at, head->kind,
		                 "wrong checksum");
	tailbox__artifact_count(&r->totals, crc);
	return 0;
}

static int take_checked(struct reader *r,
                        const struct tailbox__artifact_part *head, char **out)
{
	uint64_t at = r->offset - sizeof(*head);
	int rc = take_payload(r, head, out);

	if (rc)
		return rc;
	uint32_t crc = tailbox__artifact_head_crc(*head);
	if (head->bytes)
		crc = (uint32_t)crc32_z(crc, (const Bytef *)*out,
		                        (size_t)head->bytes);
	rc = check_part(r, head, at, crc);
	if (rc) {
		tailbox__free(*out);
		*out = NULL;
	}
	return rc;
}

static int skip_part(struct reader *r,
                     const struct tailbox__artifact_part *head)
{
	char buf[SKIP_BYTES];
	uint64_t at = r->offset - sizeof(*head);
	uint32_t crc = tailbox__artifact_head_crc(*head);

	for (uint64_t left = head->bytes; left;) {
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
		int rc = take(r, buf, n, "the file ends inside a part");
		if (rc)
			return rc;
		crc = (uint32_t)crc32_z(crc, (const Bytef *)buf, n);
		left -= n;
	}
	return check_part(r, head, at, crc);
}

static int take_strings(struct reader *r,
                        const struct tailbox__artifact_part *head)
{
	uint64_t at = r->offset;
	size_t where = 0;
	char *bytes;

	if (r->has_strings)
		return fail_part(r, -TAILBOX_EDAMAGED, at, head->kind,
		                 "there twice");
	r->has_strings = true;
	int rc = take_checked(r, head, &bytes);
	if (rc)
		return rc;
	rc = tailbox__strings_adopt(r->run->strings, bytes,
	                            (size_t)head->bytes, &where);
	if (!rc)
		return 0;
	tailbox__free(bytes);
	if (rc == -TAILBOX_EDAMAGED)
		fail_part(r, rc, at + where, head->kind,
		          "a string is cut, not ended or there twice");
	return rc;
}

static int take_meta(struct reader *r,
                     const struct tailbox__artifact_part *head)
{
	struct tailbox__artifact_meta disk;
	uint64_t at = r->offset;
	char *bytes;

	if (r->has_meta || head->bytes != sizeof(disk))
		return fail_part(r, -TAILBOX_EDAMAGED, at, head->kind,
		                 r->has_meta ? "there twice" : "wrong length");
	r->has_meta = true;
	int rc = take_checked(r, head, &bytes);
	if (rc)
		return rc;
	memcpy(&disk, bytes, sizeof(disk));
	tailbox__free(bytes);
	rc = tailbox__artifact_get_meta(r->run, &disk);
	if (rc)
		fail_part(r, rc, at, head->kind, "a value out of its range");
	return rc;
}

/* What items of an older version lack is all ones: not known. */
static int widen(char **bytes, size_t count, size_t from, size_t to)
{
	char *wide;

	if (from == to || count == 0)
		return 0;
	wide = tailbox__alloc(count, to);
	if (!wide)
		return -ENOMEM;
	memset(wide, 0xff, count * to);
	for (size_t i = 0; i < count; i++)
		memcpy(wide + i * to, *bytes + i * from, from);
	tailbox__free(*bytes);
	*bytes = wide;
	return 0;
}

static int take_list(struct reader *r,
                     const struct tailbox__artifact_part *head, size_t i)
{
	const struct tailbox__artifact_list *row = &tailbox__artifact_lists[i];
	const uint32_t size = head->item_bytes;
	uint64_t at = r->offset;
	char *bytes;

	if (r->has_list[i] ||
	    (size != row->item_bytes && size != row->older_bytes) ||
	    head->bytes % size)
		return fail_part(r, -TAILBOX_EDAMAGED, at, head->kind,
		                 r->has_list[i] ? "there twice"
		                                : "wrong length");
	r->has_list[i] = true;
	r->list_at[i] = at;
	int rc = take_checked(r, head, &bytes);
	if (rc)
		return rc;
	size_t count = (size_t)head->bytes / size;
	rc = widen(&bytes, count, size, row->item_bytes);
	if (rc) {
		tailbox__free(bytes);
		return rc;
	}
	if (row->is_kept && !r->run->kept &&
	    tailbox__run_create_kept(r->run, &r->run->kept) < 0) {
		tailbox__free(bytes);
		return -ENOMEM;
	}
	struct tailbox__any_list list = { bytes, count, count };
	struct tailbox__run *run = row->is_kept ? r->run->kept : r->run;
	memcpy((char *)run + row->offset, &list, sizeof(list));
	return 0;
}

static int take_end(struct reader *r,
                    const struct tailbox__artifact_part *head)
{
	const struct tailbox__artifact_totals before = r->totals;
	struct tailbox__artifact_end end;
	uint64_t at = r->offset;
	char *bytes, one;

	if (head->bytes != sizeof(end))
		return fail_part(r, -TAILBOX_EDAMAGED, at, head->kind,
		                 "wrong length");
	int rc = take_checked(r, head, &bytes);
	if (rc)
		return rc;
	memcpy(&end, bytes, sizeof(end));
	tailbox__free(bytes);
	if (end.parts != before.parts || end.checksum != before.checksum ||
	    end.file_bytes != r->offset ||
	    end.file_bytes != r->header.file_bytes)
		return fail(r, -TAILBOX_EDAMAGED, at,
		            "the totals at the end do not fit the file");
	long n = tailbox__fd_read(r->fd, &one, 1);
	if (n < 0)
		return fail(r, (int)n, r->offset, "cannot read");
	if (n)
		return fail(r, -TAILBOX_EDAMAGED, r->offset,
		            "bytes after the end");
	return 0;
}

static int take_part(struct reader *r,
                     const struct tailbox__artifact_part *head)
{
	if (head->kind == TAILBOX__PART_STRINGS)
		return take_strings(r, head);
	if (head->kind == TAILBOX__PART_META)
		return take_meta(r, head);
	for (size_t i = 0; i < TAILBOX__ARTIFACT_LIST_COUNT; i++)
		if (head->kind == tailbox__artifact_lists[i].kind)
			return take_list(r, head, i);
	return skip_part(r, head);
}

static int take_header(struct reader *r)
{
	long n = tailbox__fd_read(r->fd, &r->header, sizeof(r->header));

	if (n < 0)
		return fail(r, (int)n, 0, "cannot read");
	r->offset = (uint64_t)n;
	int rc = tailbox__artifact_check_header(&r->header, (size_t)n, r->err);
	if (rc)
		return rc;
	tailbox__artifact_count(&r->totals, r->header.checksum);
	r->totals.parts = 0;
	return 0;
}

/* What the header says beforehand against what came. */
static int check_whole(struct reader *r)
{
	const struct tailbox__run *run = r->run;

	if (!r->has_meta || !r->has_strings)
		return fail(r, -TAILBOX_EDAMAGED, r->offset,
		            "no metadata or no strings");
	if (r->header.requests != run->requests.count ||
	    r->header.started_ms != run->meta.started_ms ||
	    r->header.finalized_ms != run->meta.finalized_ms)
		return fail(r, -TAILBOX_EDAMAGED, 0,
		            "the header does not fit the parts");
	return tailbox__artifact_check_run(r->run, r->list_at, r->err);
}

static int take_all(struct reader *r)
{
	struct tailbox__artifact_part head;
	int rc = take_header(r);

	while (!rc) {
		rc = take(r, &head, sizeof(head),
		          "the file ends before its end part");
		if (rc)
			break;
		if (head.kind == TAILBOX__PART_END) {
			rc = take_end(r, &head);
			break;
		}
		rc = take_part(r, &head);
	}
	return rc ? rc : check_whole(r);
}

int tailbox__artifact_read(int fd, struct tailbox__run **out,
                           struct tailbox__error *err)
{
	struct reader r = { .fd = fd, .known = known_bytes(fd), .err = err };
	int rc = tailbox__run_create(&r.run);

	*out = NULL;
	if (!rc)
		rc = take_all(&r);
	if (rc) {
		tailbox__run_destroy(r.run);
		return tailbox__fail(err, rc, "%s", tailbox_strerror(rc));
	}
	*out = r.run;
	return 0;
}
