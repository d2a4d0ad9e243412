/* tests/fuzz_load.c - any bytes through the loaders, and what follows them.
 *
 * SPDX-License-Identifier: MIT
 *
 * With clang's -fsanitize=fuzzer a libFuzzer target; otherwise a program that
 * replays the files it is given, or without any the samples of the sources.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DTAILBOX_LIBFUZZER ...
 *
 * The bytes are loaded as a file of any kind, and as Run JSON whole and in
 * pieces of a size that the input chooses, at most 96 bytes: in those
 * analyzer/load_ahead.c finds nothing to take, so it is tried against the
 * parser, and both must come to the same run or the same error. A run that comes out is inspected, summarized,
 * normalized and written; it must load again as the same document, and a
 * normalized one must have no errors but those of metadata.
 *
 * A native artifact is tried a second time with all checksums made right: no
 * fuzzer guesses a CRC, and behind those stand the checks of inner bounds.
 */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include "analyzer/load.h"
#include "core/alloc.h"
#include "core/artifact.h"
#include "core/artifact_format.h"
#include "core/run_json.h"
#include "core/tailbox.h"
#include "core/validate.h"
#include "tests/pieces.h"

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
			        #condition);                                   \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int ignore(void *cls, const char *text)
{
	(void)cls;
	return text[0] == '\0';
}

/* The whole of a file in memory, for free(). */
static char *slurp(int fd, size_t *len)
{
	const off_t end = lseek(fd, 0, SEEK_END);
	char *text;

	MUST(end >= 0);
	*len = (size_t)end;
	text = malloc(*len + 1);
	MUST(text && pread(fd, text, *len, 0) == end);
	return text;
}

static int new_file(void)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

static char *as_json(const struct tailbox__run *run, size_t *len)
{
	const int fd = new_file();

	MUST(tailbox__run_json_write(run, fd) == 0);

	char *text = slurp(fd, len);

	close(fd);
	return text;
}

/* Write and load again. */
static struct tailbox__run *reload(const struct tailbox__run *run,
                                   bool is_native)
{
	const int fd = new_file();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *again;

	MUST((is_native ? tailbox__artifact_write(run, fd)
	                : tailbox__run_json_write(run, fd)) == 0);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	if (tailbox__load_fd(fd, &again, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	close(fd);
	return again;
}

/* What is written is read back as the same document. */
static void check_round_trip(const struct tailbox__run *run, bool is_native)
{
	size_t want_len, got_len;
	char *want = as_json(run, &want_len);
	struct tailbox__run *again = reload(run, is_native);
	char *got = as_json(again, &got_len);

	if (got_len != want_len || memcmp(got, want, got_len) != 0) {
		fprintf(stderr, "%.*s\n%.*s\n", (int)want_len, want,
		        (int)got_len, got);
		abort();
	}
	free(got);
	tailbox__run_destroy(again);
	free(want);
}

static void check_run(struct tailbox__run *run)
{
	struct tailbox__inspection in;

	/* A native artifact that was tampered with may hold sampled values
	 * in another order than JSON gives them back, but only once. */
	if (run->schema_version == 2) {
		struct tailbox__run *ordered = reload(run, false);

		check_round_trip(ordered, false);
		tailbox__run_destroy(ordered);
	}
	check_round_trip(run, true);
	MUST(tailbox__inspect(run, &in) == 0);
	MUST(tailbox__summaries(&in, false, ignore, NULL) == 0);
	MUST(tailbox__summaries(&in, true, ignore, NULL) == 0);
	tailbox__normalize(run, &in);
	tailbox__inspection_fini(&in);
	MUST(tailbox__inspect(run, &in) == 0);
	for (size_t i = 0; i < in.issues.count; i++)
		MUST(in.issues.items[i].is_warning ||
		     in.issues.items[i].section == TAILBOX__SECTION_METADATA);
	tailbox__inspection_fini(&in);
	check_round_trip(run, true);
}

/* Make every checksum right that is where one belongs. */
static void mend(char *bytes, size_t len)
{
	struct tailbox__artifact_totals totals = { 0, 0 };
	struct tailbox__artifact_header h;
	size_t at = sizeof(h);

	if (len < sizeof(h))
		return;
	memcpy(&h, bytes, sizeof(h));
	h.file_bytes = len;
	h.checksum = tailbox__artifact_header_crc(&h);
	memcpy(bytes, &h, sizeof(h));
	tailbox__artifact_count(&totals, h.checksum);
	totals.parts = 0; /* the header is none */
	while (len - at >= sizeof(struct tailbox__artifact_part)) {
		struct tailbox__artifact_part part;
		char *payload = bytes + at + sizeof(part);

		memcpy(&part, bytes + at, sizeof(part));
		at += sizeof(part);
		if (part.bytes > len - at)
			return;
		if (part.kind == TAILBOX__PART_END &&
		    part.bytes == sizeof(struct tailbox__artifact_end)) {
			struct tailbox__artifact_end end = {
				len, totals.parts, totals.checksum
			};

			memcpy(payload, &end, sizeof(end));
		}
		part.checksum = (uint32_t)crc32(
		        tailbox__artifact_head_crc(part), (void *)payload,
		        (unsigned)part.bytes);
		memcpy(payload - sizeof(part), &part, sizeof(part));
		tailbox__artifact_count(&totals, part.checksum);
		at += part.bytes;
	}
}

static int load_file(const void *bytes, size_t len)
{
	const int fd = new_file();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;

	MUST(write(fd, bytes, len) == (ssize_t)len);
	MUST(lseek(fd, 0, SEEK_SET) == 0);

	const int ret = tailbox__load_fd(fd, &run, &err);

	close(fd);
	MUST((ret == 0) == (run != NULL));
	MUST(ret == err.code);
	if (run)
		check_run(run);
	tailbox__run_destroy(run);
	return ret;
}

/* As Run JSON in steps; what comes of it as text, for free(). */
static char *load_in_steps(const uint8_t *bytes, size_t len, size_t step,
                           int *ret, size_t *text_len)
{
	struct input in = { bytes, len, 0, step };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;
	char *text;

	*ret = tailbox__load_json(read_input, &in, &run, &err);
	MUST((*ret == 0) == (run != NULL));
	MUST(*ret == err.code);
	if (run) {
		text = as_json(run, text_len);
		tailbox__run_destroy(run);
		return text;
	}
	text = malloc(sizeof(err.text) + 32);
	MUST(text);
	/* Where it is malformed yajl may find out one piece later. */
	snprintf(text, sizeof(err.text) + 32, "%s %llu",
	         *ret == -TAILBOX_EMALFORMED ? "" : err.text,
	         *ret == -TAILBOX_EMALFORMED
	                 ? 0
	                 : (unsigned long long)err.offset);
	*text_len = strlen(text);
	return text;
}

static int check_json(const uint8_t *bytes, size_t len)
{
	size_t whole_len, pieces_len;
	int whole_ret, pieces_ret;
	char *whole = load_in_steps(bytes, len, len + 1, &whole_ret, &whole_len);
	char *pieces =
	        load_in_steps(bytes, len, len ? bytes[len / 2] % 96u + 1 : 1,
	                      &pieces_ret, &pieces_len);

	MUST(whole_ret == pieces_ret);
	if (whole_len != pieces_len || memcmp(whole, pieces, whole_len) != 0) {
		fprintf(stderr, "%.*s\n%.*s\n", (int)whole_len, whole,
		        (int)pieces_len, pieces);
		abort();
	}
	free(whole);
	free(pieces);
	return whole_ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const int whole = load_file(bytes, len);
	const int json = check_json(bytes, len);

	if (len > 0 && bytes[0] == '{')
		MUST(json == whole);
	if (len >= 8 && tailbox__artifact_is_ours(bytes, len)) {
		char *mended = malloc(len);

		MUST(mended);
		memcpy(mended, bytes, len);
		mend(mended, len);
		load_file(mended, len);
		free(mended);
	}
	MUST(tailbox__alloc_live() == 0);
	return 0;
}

#ifndef TAILBOX_LIBFUZZER
static void replay(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}

	char *bytes = slurp(fileno(f), &len);

	fclose(f);
	LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
	free(bytes);
}

static size_t replay_samples(void)
{
	static const char *const patterns[] = {
		"tests/conformance/cases/*/run.json*", "tests/data/*"
	};
	const char *top = getenv("top_srcdir");
	size_t count = 0;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char full[4096];
		glob_t found;

		snprintf(full, sizeof(full), "%s/%s", top ? top : ".",
		         patterns[i]);
		MUST(glob(full, 0, NULL, &found) == 0);
		for (size_t k = 0; k < found.gl_pathc; k++)
			replay(found.gl_pathv[k]);
		count += found.gl_pathc;
		globfree(&found);
	}
	return count;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%zu files\n",
	       argc > 1 ? (size_t)argc - 1 : replay_samples());
	return EXIT_SUCCESS;
}
#endif
