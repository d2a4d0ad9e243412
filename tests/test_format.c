/* tests/test_format.c - doc/format.md tells the truth.
 *
 * SPDX-License-Identifier: MIT
 *
 * The hexdump of the tiny artifact and every key of the tables are compared
 * with what the library writes. After a change of the format,
 *	tests/test_format --write FILE
 * writes the tiny artifact anew; the hexdump is for a human to annotate.
 */
#include <check.h>
#include <ctype.h>
#include <fcntl.h>

#include "core/artifact_format.h"
#include "tests/sample_runs.h"

#define HEADING "### A tiny artifact\n"

/* The bytes of one line "OFFSET  HEX HEX ...  what": appended to out. A line
 * that does not begin with an offset is not of the dump. */
static size_t take_line(const char *line, unsigned char *out, size_t have)
{
	char *p;
	unsigned long offset = strtoul(line, &p, 16);

	if (p - line != 4 || strncmp(p, "  ", 2) != 0)
		return have;
	ck_assert_uint_eq(offset, have);
	p += 2;
	for (;;) {
		if (!isxdigit((unsigned char)p[0]) ||
		    !isxdigit((unsigned char)p[1]))
			break;
		out[have++] = (unsigned char)strtoul(p, &p, 16);
		if (*p != ' ')
			break;
		p++;
	}
	return have;
}

/* The bytes that the document shows, for free(). */
static char *bytes_of_doc(size_t *len)
{
	size_t doc_len;
	char *doc = sample_source("doc/format.md", &doc_len);
	unsigned char *out = malloc(doc_len);
	char *line = strstr(doc, HEADING);

	ck_assert_msg(line, "no heading in doc/format.md");
	char *end = strstr(line + 1, "\n### ");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	*len = 0;
	for (; line; line = strchr(line, '\n')) {
		line++;
		*len = take_line(line, out, *len);
	}
	free(doc);
	return (char *)out;
}

START_TEST(hexdump_of_the_doc_is_what_is_written)
{
	struct tailbox__run *run = sample_tiny();
	size_t len, doc_len;
	char *bytes = sample_native(run, &len);
	char *doc = bytes_of_doc(&doc_len);

	ck_assert_uint_eq(doc_len, len);
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(doc[i] == bytes[i],
		              "byte %zx: written %02x, shown %02x", i,
		              (unsigned char)bytes[i], (unsigned char)doc[i]);
	free(doc);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(committed_file_is_what_is_written)
{
	struct tailbox__run *run = sample_tiny();
	size_t len, file_len;
	char *bytes = sample_native(run, &len);
	char *file = sample_source("tests/data/tiny.tailbox", &file_len);

	ck_assert_uint_eq(file_len, len);
	ck_assert(!memcmp(file, bytes, len));
	free(file);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

static void assert_told(const char *doc, const char *text)
{
	ck_assert_msg(strstr(doc, text), "doc/format.md does not have: %s",
	              text);
}

START_TEST(every_metric_is_in_the_doc)
{
	static const char *const places[] = {
		[TAILBOX__SCOPE_MACHINE] = "snapshot",
		[TAILBOX__SCOPE_WORKER] = "workers",
		[TAILBOX__SCOPE_POOL] = "pools",
		[TAILBOX__SCOPE_DAEMON] = "daemons",
	};
	size_t len;
	char *doc = sample_source("doc/format.md", &len);
	char row[128];

	for (unsigned i = 0; i < TAILBOX__METRIC_COUNT; i++) {
		const struct tailbox__metric_info *m = &tailbox__metric_info[i];
		snprintf(row, sizeof(row), "| %u | `%s` | %s |", i, m->key,
		         places[m->scope]);
		assert_told(doc, row);
	}
	free(doc);
}
END_TEST

START_TEST(every_name_is_in_the_doc)
{
	size_t len;
	char *doc = sample_source("doc/format.md", &len);
	char text[64];

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++) {
		snprintf(text, sizeof(text), "| `%s` |",
		         tailbox__phase_names[i]);
		assert_told(doc, text);
	}
	for (unsigned i = 1; i < TAILBOX__TERM_COUNT; i++) {
		snprintf(text, sizeof(text), "`%s`", tailbox__term_names[i]);
		assert_told(doc, text);
	}
	for (unsigned i = 0; i < TAILBOX__ARTIFACT_LIST_COUNT; i++) {
		const struct tailbox__artifact_list *l =
		        &tailbox__artifact_lists[i];
		snprintf(text, sizeof(text), "| `%.4s` | %u |",
		         (const char *)&l->kind, l->item_bytes);
		assert_told(doc, text);
	}
	free(doc);
}
END_TEST

/* Every key below a `tailbox` member of a run that uses all of them. */
START_TEST(every_extension_key_is_in_the_doc)
{
	struct tailbox__run *run = sample_full();
	size_t len;
	char *json = sample_json(run, &len), *rest = NULL;
	char *doc = sample_source("doc/format.md", &len);
	unsigned found = 0;
	long inside = 0; /* the indent of the member we are in */
	char text[80];

	for (char *line = strtok_r(json, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		long indent = (long)strspn(line, " ");
		char *key = line + indent;
		if (inside && indent <= inside)
			inside = 0;
		if (!strncmp(key, "\"tailbox\": {", 12))
			inside = indent;
		char *end = *key == '"' ? strstr(key, "\": ") : NULL;
		if (!inside || indent == inside || !end)
			continue;
		*end = '\0';
		if (!strcmp(key + 1, "tenant") || !strcmp(key + 1, "plan\\n"))
			continue; /* tags are the application's */
		snprintf(text, sizeof(text), "`%s`", key + 1);
		assert_told(doc, text);
		found++;
	}
	ck_assert_uint_gt(found, 50);
	free(json);
	free(doc);
	tailbox__run_destroy(run);
}
END_TEST

static int write_tiny(const char *path)
{
	struct tailbox__run *run = sample_tiny();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int rc = fd < 0 ? -1 : tailbox__artifact_write(run, fd);

	if (fd >= 0)
		close(fd);
	tailbox__run_destroy(run);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("format");
	TCase *tc = tcase_create("doc");

	tcase_add_test(tc, hexdump_of_the_doc_is_what_is_written);
	tcase_add_test(tc, committed_file_is_what_is_written);
	tcase_add_test(tc, every_metric_is_in_the_doc);
	tcase_add_test(tc, every_name_is_in_the_doc);
	tcase_add_test(tc, every_extension_key_is_in_the_doc);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--write"))
		return write_tiny(argv[2]);
	return sample_run_suite(make_suite());
}
