/* tests/test_load_ahead.c - elements that are read without the parser.
 *
 * SPDX-License-Identifier: MIT
 *
 * Whatever a document holds, it comes to the same run or the same error as
 * with the parser alone, to which it is given in pieces so small that there
 * is no whole element in any.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/load.h"
#include "core/tailbox.h"
#include "tests/pieces.h"
#include "tests/sample_runs.h"

#define SMALL_PIECE 90 /* bytes */

/* What comes of a document, as text, for free(). Which of two texts an error
 * in the syntax has may depend on the pieces (see json_in.c). */
static char *load(const char *bytes, size_t len, size_t step, int *ret)
{
	struct input in = { bytes, len, 0, step };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;
	char *text = NULL;
	size_t text_len;

	*ret = tailbox__load_json(read_input, &in, &run, &err);
	if (*ret == 0)
		text = sample_json(run, &text_len);
	else if (*ret == -TAILBOX_EMALFORMED)
		text = strdup("malformed");
	else if (asprintf(&text, "%s at %" PRIu64, err.text, err.offset) < 0)
		abort();
	tailbox__run_destroy(run);
	return text;
}

static int expect_same(const char *bytes, size_t len)
{
	int ret, want_ret;
	char *got = load(bytes, len, len + 1, &ret);
	char *want = load(bytes, len, SMALL_PIECE, &want_ret);

	ck_assert_int_eq(ret, want_ret);
	sample_assert_same(got, strlen(got), want, strlen(want));
	free(got);
	free(want);
	return ret;
}

#define HEAD                                                                   \
	"{\"schema_version\":2,\"metadata\":{\"run_id\":\"r\","                \
	"\"service_name\":\"s\",\"started_at_unix_ms\":1,\"mode\":\"light\"},"
#define TAIL                                                                   \
	",\"queues\":[],\"inflight\":[],\"runtime_snapshots\":[],"            \
	"\"unknown\":\"so long that what is before it is not at the end of "   \
	"the piece, since nothing is taken there, however plain it is\"}"
#define PLAIN(n)                                                               \
	"{\"request_id\":\"req-" #n "\",\"route\":\"/r\",\"kind\":null,"       \
	"\"started_at_unix_ms\":1" #n ",\"started_at_run_us\":" #n ","         \
	"\"finished_at_unix_ms\":20,\"finished_at_run_us\":9,"                 \
	"\"latency_us\":1" #n ",\"outcome\":\"ok\","                           \
	"\"tailbox\":{\"status\":200,\"phases_us\":{\"send\":3},"              \
	"\"tags\":{\"a\":\"b\"},\"no_handler\":true,\"x\":[{},[1,false]]}}"

/* Three requests like each other, of which the last is changed. */
static const struct {
	const char *from, *to;
	int want;
} rows[] = {
	{ "", "", 0 },
	{ "\"/r\"", "\"/r\\u0041\"", 0 },
	{ "\"/r\"", "\"/\xc3\xa4\"", 0 },
	{ "\"/r\"", "\"/\xc3\"", -TAILBOX_EMALFORMED },
	{ "\"/r\"", "\"/\\ud800\"", -TAILBOX_EMALFORMED },
	{ "\"/r\"", "\"/\x01\"", -TAILBOX_EMALFORMED },
	{ "\"/r\"", "null", -TAILBOX_ESHAPE },
	{ "\"/r\"", "7", -TAILBOX_ESHAPE },
	{ "\"kind\":null", "\"kind\":\"http\"", 0 },
	{ "\"kind\":null", "\"kind\":nul", -TAILBOX_EMALFORMED },
	{ "\"kind\":null", "\"Kind\":[{\"kind\":{}}]", 0 },
	{ "\"kind\":null,", "", 0 },
	{ "\"kind\":null,", "\"kind\":null,\"kind\":null,", -TAILBOX_ESHAPE },
	{ "\"kind\":null,", "\"kind\":null,,", -TAILBOX_EMALFORMED },
	{ "\"kind\":null,", " \t\n\r \"kind\" : null , ", 0 },
	{ "\"kind\":null,", "\v\"kind\":null,", -TAILBOX_EMALFORMED },
	{ "\"latency_us\":13", "\"latency_us\":18446744073709551615", 0 },
	{ "\"latency_us\":13", "\"latency_us\":18446744073709551616",
	  -TAILBOX_ESHAPE },
	{ "\"latency_us\":13", "\"latency_us\":9999999999999999999", 0 },
	{ "\"latency_us\":13", "\"latency_us\":0", 0 },
	{ "\"latency_us\":13", "\"latency_us\":013", -TAILBOX_EMALFORMED },
	{ "\"latency_us\":13", "\"latency_us\":-1", -TAILBOX_ESHAPE },
	{ "\"latency_us\":13", "\"latency_us\":1.0", -TAILBOX_ESHAPE },
	{ "\"latency_us\":13", "\"latency_us\":1e1", -TAILBOX_ESHAPE },
	{ "\"latency_us\":13", "\"latency_us\":", -TAILBOX_EMALFORMED },
	{ "\"latency_us\":13,", "", -TAILBOX_ESHAPE },
	{ "\"outcome\":\"ok\"", "\"outcome\":\"ok", -TAILBOX_EMALFORMED },
	{ "\"status\":200", "\"status\":\"200\"", 0 },
	{ "\"status\":200", "\"status\":2e2", 0 },
	{ "\"status\":200", "\"status\":{\"status\":[]}", 0 },
	{ "\"status\":200", "\"status\":{\"status\":[}", -TAILBOX_EMALFORMED },
	{ "\"status\":200", "\"status\":[[[[[[[[[[[[]]]]]]]]]]]]", 0 },
	{ "\"status\":200", "\"\\u0073tatus\":201", 0 },
	{ "\"status\":200", "\"status\" 200", -TAILBOX_EMALFORMED },
	{ "[1,false]", "[1,]", -TAILBOX_EMALFORMED },
	{ "[1,false]", "[1 false]", -TAILBOX_EMALFORMED },
	{ "{},[1", "{,},[1", -TAILBOX_EMALFORMED },
	{ "{},[1", "{1},[1", -TAILBOX_EMALFORMED },
	{ "\"tailbox\":{", "\"tailbox\":[{", -TAILBOX_EMALFORMED },
	{ "\"tailbox\":{", "\"tailbox\":{},\"tailbox\":{", 0 },
	{ "\"no_handler\":true", "\"no_handler\":true,\"tags\":{\"c\":\"d\"}",
	  0 },
	{ "]]}}", "]]}", -TAILBOX_EMALFORMED },
	{ "]]}}", "]]}},", -TAILBOX_EMALFORMED },
	{ "]]}}", "]]}}}", -TAILBOX_EMALFORMED },
};

static char *three(size_t row)
{
	static const char last[] = PLAIN(3);
	const char *place = strstr(last, rows[row].from);
	char *text;

	ck_assert_ptr_nonnull(place);
	ck_assert(asprintf(&text,
	                   HEAD "\"requests\":[" PLAIN(1) "," PLAIN(2)
	                        ",%.*s%s%s," PLAIN(4) "],\"stages\":[]" TAIL,
	                   (int)(place - last), last, rows[row].to,
	                   place + strlen(rows[row].from)) > 0);
	return text;
}

START_TEST(an_element_that_differs)
{
	char *text = three((size_t)_i);

	ck_assert_msg(expect_same(text, strlen(text)) == rows[_i].want,
	              "%s", rows[_i].to);
	free(text);
}
END_TEST

START_TEST(any_byte_changed)
{
	static const char other[] = "\"\\{}[],: 0-\x80" "e\n";
	char *text = three(0);
	const size_t len = strlen(text);
	const size_t from = (size_t)(strstr(text, "req-2") - text);
	const size_t to = (size_t)(strstr(text, "req-4") - text);

	for (size_t at = from; at < to; at++) {
		const char was = text[at];

		for (size_t i = 0; i < sizeof(other); i++) {
			text[at] = other[i];
			expect_same(text, len);
		}
		text[at] = was;
	}
	free(text);
}
END_TEST

START_TEST(cut_at_each_byte)
{
	char *text = three(0);

	for (size_t n = strlen(text); n-- > 0;)
		ck_assert_int_eq(expect_same(text, n), -TAILBOX_ETRUNCATED);
	free(text);
}
END_TEST

/* All that tailbox itself writes, in its own layout. */
START_TEST(what_is_written_is_read_back)
{
	struct tailbox__run *run = sample_full();
	size_t len;
	char *text = sample_json(run, &len);

	ck_assert_int_eq(expect_same(text, len), 0);
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("load_ahead");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, an_element_that_differs, 0,
	                    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, any_byte_changed);
	tcase_add_test(t, cut_at_each_byte);
	tcase_add_test(t, what_is_written_is_read_back);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
