/* tests/artifact_fixture.h - bytes that are loaded as a native artifact.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_ARTIFACT_FIXTURE_H
#define TAILBOX_TESTS_ARTIFACT_FIXTURE_H 1

#include <zlib.h>

#include "core/artifact_format.h"
#include "core/tailbox.h"
#include "tests/sample_runs.h"

static inline int load_bytes(const char *bytes, size_t len,
                             struct tailbox__run **run,
                             struct tailbox__error *err)
{
	int fd = sample_file(bytes, len);
	int rc = tailbox__artifact_read(fd, run, err);

	close(fd);
	ck_assert_msg(!rc == !!*run, "rc %d", rc);
	return rc;
}

/* Load bytes that must not load; gives the code. */
static inline int load_wrong(const char *bytes, size_t len,
                             struct tailbox__error *err)
{
	struct tailbox__run *run = (void *)&len;
	long live = tailbox__alloc_live();

	*err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	int rc = load_bytes(bytes, len, &run, err);
	ck_assert_int_lt(rc, 0);
	ck_assert_ptr_null(run);
	ck_assert_int_eq(err->code, rc);
	ck_assert_int_gt((int)strlen(err->text), 0);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	return rc;
}

/* The part of a kind; NULL when it is not there. */
static inline char *part_of(char *bytes, size_t len, uint32_t kind)
{
	struct tailbox__artifact_part head;

	for (size_t at = 64; at < len; at += sizeof(head) + head.bytes) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.kind == kind)
			return bytes + at;
	}
	return NULL;
}

/* Make all checksums and totals right again, so that what is wrong reaches
 * the checks behind them. */
static inline void reseal(char *bytes, size_t len)
{
	struct tailbox__artifact_header *h = (void *)bytes;
	struct tailbox__artifact_totals totals = { 0 };
	struct tailbox__artifact_part head;
	size_t at = sizeof(*h);

	h->file_bytes = len;
	h->checksum = tailbox__artifact_header_crc(h);
	tailbox__artifact_count(&totals, h->checksum);
	totals.parts = 0;
	while (len - at >= sizeof(head)) {
		memcpy(&head, bytes + at, sizeof(head));
		char *payload = bytes + at + sizeof(head);
		if (head.bytes > len - at - sizeof(head))
			return;
		if (head.kind == TAILBOX__PART_END) {
			struct tailbox__artifact_end end = {
				len, totals.parts, totals.checksum
			};
			if (head.bytes == sizeof(end))
				memcpy(payload, &end, sizeof(end));
		}
		head.checksum = (uint32_t)crc32_z(
		        tailbox__artifact_head_crc(head),
		        (const Bytef *)payload, head.bytes);
		memcpy(bytes + at, &head, sizeof(head));
		tailbox__artifact_count(&totals, head.checksum);
		at += sizeof(head) + head.bytes;
	}
}

/* A run that was let in must be safe to use, wherever it came from. */
static inline void use(struct tailbox__run *run)
{
	size_t len;

	free(sample_json(run, &len));
	free(sample_native(run, &len));
	tailbox__run_destroy(run);
}

#endif
