/* tests/test_toml.c - the reader of the TOML subset: what it takes, what it
 * refuses and where it says that is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/tailbox.h"
#include "core/toml.h"

/* Everything that a text gives, one line each:
 *	1:1 [table]  2:1 table.key=text  3:5 !error  */
static char *read_bytes(const char *text, size_t len)
{
	static char out[65536];
	struct tailbox__toml t;
	struct tailbox__toml_item i;
	size_t n = 0;
	int rc, rounds = 0;

	out[0] = '\0';
	tailbox__toml_init(&t, text, len);
	for (;;) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;

		rc = tailbox__toml_next(&t, &i, &err);
		ck_assert_int_lt(rounds++, 5000);
		if (rc == 0)
			break;
		ck_assert_int_ne(rc, -ENOMEM);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%u:%u ",
		                      i.line, i.column);
		if (rc < 0)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "!%s",
			                      err.text);
		else if (i.kind == TAILBOX__TOML_TABLE)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "[%s]",
			                      i.path);
		else
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s=",
			                      i.path);
		if (rc < 0 || i.kind == TAILBOX__TOML_TABLE)
			;
		else if (i.kind == TAILBOX__TOML_INTEGER)
			n += (size_t)snprintf(out + n, sizeof(out) - n,
			                      "%s%" PRIu64,
			                      i.is_negative ? "-" : "",
			                      i.number);
		else if (i.kind == TAILBOX__TOML_BOOL)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s",
			                      i.flag ? "true" : "false");
		else if (i.kind == TAILBOX__TOML_ARRAY)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "[]");
		else
			n += (size_t)snprintf(out + n, sizeof(out) - n, "'%s'",
			                      i.text);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "\n");
		ck_assert_uint_lt(n, sizeof(out));
	}
	tailbox__toml_fini(&t);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
	return out;
}

static char *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

#define gives(text, want) ck_assert_str_eq(read_text(text), want)
/* One error at a place that has these words in it. */
static void refuses(const char *text, const char *place, const char *words)
{
	const char *got = read_text(text), *error = strstr(got, "!");

	ck_assert_msg(error != NULL, "taken: %s", text);
	while (error > got && error[-1] != '\n')
		error--;
	ck_assert_msg(strncmp(error, place, strlen(place)) == 0 &&
	                      error[strlen(place)] == ' ',
	              "%s: not at %s but %s", text, place, error);
	ck_assert_msg(strstr(error, words) != NULL, "%s: no \"%s\" in %s",
	              text, words, error);
	ck_assert_msg(strstr(strchr(error, '\n'), "!") == NULL,
	              "%s: more than one error: %s", text, got);
}

/* --- what is taken ------------------------------------------------------ */

START_TEST(nothing_is_nothing)
{
	gives("", "");
	gives("\n\r\n  \t\n# a comment\n#", "");
	gives("\xef\xbb\xbf# after a byte order mark", "");
}
END_TEST

START_TEST(tables_and_keys)
{
	gives("[a]\nb = 1\n[ a . c ]\n d=true # yes\n[x.y]\n[x]\r\nz=0\r\n",
	      "1:1 [a]\n2:1 a.b=1\n3:1 [a.c]\n4:2 a.c.d=true\n5:1 [x.y]\n"
	      "6:1 [x]\n7:1 x.z=0\n");
	gives("a-b_1 = 1\n2 = false", "1:1 a-b_1=1\n2:1 2=false\n");
}
END_TEST

START_TEST(quoted_keys_have_one_form)
{
	gives("[\"a\".'b']\n\"c\" = 1", "1:1 [a.b]\n2:1 a.b.c=1\n");
	gives("'a.b' = 1\n\"a b\" = 2\n\"\" = 3\n\"q\\\"\\u0001\" = 4",
	      "1:1 \"a.b\"=1\n2:1 \"a b\"=2\n3:1 \"\"=3\n"
	      "4:1 \"q\\\"\\u0001\"=4\n");
}
END_TEST

START_TEST(texts_and_escapes)
{
	gives("a = \"\"\nb = ''", "1:1 a=''\n2:1 b=''\n");
	gives("a = 'C:\\new' # '", "1:1 a='C:\\new'\n");
	gives("a = \"\\b\\t\\n\\f\\r\\\"\\\\\"",
	      "1:1 a='\b\t\n\f\r\"\\'\n");
	gives("a = \"\\u0041\\u00e9\\u20ac\\U0001F600\\uD7FF\\uE000\"",
	      "1:1 a='A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
	      "\xed\x9f\xbf\xee\x80\x80'\n");
	gives("a = \"tab\there\"", "1:1 a='tab\there'\n");
}
END_TEST

START_TEST(integers_to_their_ends)
{
	gives("a = 18446744073709551615\nb = -9223372036854775808\n"
	      "c = +7\nd = -0\ne = 1_000_000\nf = 0",
	      "1:1 a=18446744073709551615\n2:1 b=-9223372036854775808\n"
	      "3:1 c=7\n4:1 d=0\n5:1 e=1000000\n6:1 f=0\n");
}
END_TEST

START_TEST(arrays_of_texts)
{
	gives("a = []\nb = [ 'x' , \"y\", ] # end\nc = [\n # one\n 'p', # p\n\n"
	      "\t'q'\n]\nd = 1",
	      "1:1 a=[]\n2:1 b=[]\n2:7 b='x'\n2:13 b='y'\n3:1 c=[]\n"
	      "5:2 c='p'\n7:2 c='q'\n9:1 d=1\n");
}
END_TEST

START_TEST(columns_count_characters)
{
	gives("a = ['\xc3\xa9\xc3\xa9', 'b']\n",
	      "1:1 a=[]\n1:6 a='\xc3\xa9\xc3\xa9'\n1:12 a='b'\n");
}
END_TEST

/* --- what is refused ---------------------------------------------------- */

static const struct {
	const char *text, *place, *words;
} refused[] = {
	/* of TOML, and not read here */
	{ "a = 1.5", "1:5", "point or an exponent" },
	{ "a = 1e5", "1:5", "point or an exponent" },
	{ "a = inf", "1:5", "inf and nan" },
	{ "a = -nan", "1:5", "inf and nan" },
	{ "a = 1979-05-27", "1:5", "dates" },
	{ "a = 1979-05-27T07:32:00Z", "1:5", "dates" },
	{ "a = 07:32:00", "1:5", "dates" },
	{ "a = { b = 1 }", "1:5", "inline tables" },
	{ "[[a]]", "1:2", "arrays of tables" },
	{ "a = \"\"\"x\"\"\"", "1:5", "many lines" },
	{ "a = '''x'''", "1:5", "many lines" },
	{ "a.b = 1", "1:2", "dotted keys" },
	{ "a = 0x1f", "1:5", "decimal" },
	{ "a = [1, 2]", "1:6", "holds texts" },
	{ "a = [['x']]", "1:6", "holds texts" },
	{ "a = [true]", "1:6", "holds texts" },
	/* numbers */
	{ "a = 18446744073709551616", "1:5", "over 2^64" },
	{ "a = -9223372036854775809", "1:5", "under -2^63" },
	{ "a = 99999999999999999999999", "1:5", "over 2^64" },
	{ "a = 01", "1:5", "decimal" },
	{ "a = 1__0", "1:5", "not an integer" },
	{ "a = _1", "1:5", "quotes" },
	{ "a = 1_", "1:5", "not an integer" },
	{ "a = +", "1:5", "sign without" },
	{ "a = 10s", "1:5", "in quotes" },
	/* texts */
	{ "a = light", "1:5", "quotes" },
	{ "a = True", "1:5", "quotes" },
	{ "a = \"x", "1:7", "not closed" },
	{ "a = 'x\nb = 1", "1:7", "not closed" },
	{ "a = \"\\x41\"", "1:6", "no such escape" },
	{ "a = \"\\u12\"", "1:6", "no such escape" },
	{ "a = \"\\uD800\"", "1:6", "no such escape" },
	{ "a = \"\\U00110000\"", "1:6", "no such escape" },
	{ "a = \"\\u0000\"", "1:6", "no such escape" },
	{ "a = \"\x01\"", "1:6", "control character 0x01" },
	{ "a = \"\x7f\"", "1:6", "control character 0x7f" },
	{ "a = \"\xff\"", "1:6", "byte 0xff is not UTF-8" },
	{ "a = '\xc0\x80'", "1:6", "byte 0xc0 is not UTF-8" },
	{ "a = '\xed\xa0\x80'", "1:6", "not UTF-8" },
	{ "# \xc3", "1:3", "not UTF-8" },
	{ "# a\rb", "1:4", "control character 0x0d" },
	{ "a = 'b' \xff", "1:9", "line should end" },
	/* lines */
	{ "a = 1 b = 2", "1:7", "line should end" },
	{ "a = 'x' 'y'", "1:9", "line should end" },
	{ "[a] b", "1:5", "line should end" },
	{ "a", "1:2", "= is missing" },
	{ "a b = 1", "1:3", "= is missing" },
	{ "a =", "1:4", "value is missing" },
	{ "a = # none", "1:5", "value is missing" },
	{ "= 1", "1:1", "key or a [table]" },
	{ "\xc3\xa9 = 1", "1:1", "key or a [table]" },
	{ "[a", "1:3", "] is missing" },
	{ "[]", "1:2", "key or a [table]" },
	{ "[a.]", "1:4", "key or a [table]" },
	{ "[a]]", "1:4", "line should end" },
	/* arrays */
	{ "a = ['x'", "1:9", "not closed by ]" },
	{ "a = [\n'x'\n\n", "4:1", "array of line 1 is not closed" },
	{ "a = ['x' 'y']", "1:10", "comma or ]" },
	{ "a = [, 'x']", "1:6", "holds texts" },
	{ "a = ['x',, 'y']", "1:10", "holds texts" },
	{ "a = ['x'] 1", "1:11", "line should end" },
	/* twice */
	{ "a = 1\na = 2", "2:1", "a has a value already, in line 1" },
	{ "a = 1\n\"a\" = 2", "2:1", "already, in line 1" },
	{ "a = 1\na = ['x',\n'y']\n", "2:1", "already, in line 1" },
	{ "[t]\n[u]\n[t]", "3:1", "table t is there already, in line 1" },
	{ "[t]\na = 1\n[t.a]", "3:1", "t.a is no table" },
	{ "[t]\na = 1\n[t.a.b]", "3:1", "t.a is no table" },
	{ "[t.a]\n[t]\na = 1", "3:1", "t.a is a table, in line 1" },
};

START_TEST(refused_with_place_and_reason)
{
	refuses(refused[_i].text, refused[_i].place, refused[_i].words);
}
END_TEST

START_TEST(nul_is_no_text)
{
	ck_assert_ptr_nonnull(strstr(read_bytes("a = \"x\0y\"", 9),
	                             "1:7 !control character 0x00"));
	ck_assert_ptr_nonnull(strstr(read_bytes("\0", 1), "1:1 !"));
}
END_TEST

START_TEST(reading_goes_on_after_a_mistake)
{
	gives("a = 1.5\nb = 2\n[[x]]\nc = 3\n[t]\nd = [1,\n 'x',\n]\ne = 4\n"
	      "f = ['x' 'y',\ng = 5",
	      "1:5 !1.5: numbers with a point or an exponent are not read\n"
	      "2:1 b=2\n3:2 !arrays of tables ([[ ]]) are not read\n"
	      "5:1 [t]\n6:1 t.d=[]\n6:6 !an array holds texts, in quotes\n"
	      "9:1 t.e=4\n10:1 t.f=[]\n10:6 t.f='x'\n"
	      "10:10 !a comma or ] is missing in the array of line 10\n"
	      "11:1 t.g=5\n");
}
END_TEST

START_TEST(keys_of_a_table_that_is_there_twice_are_read)
{
	gives("[t]\na = 1\n[t]\nb = 2\n",
	      "1:1 [t]\n2:1 t.a=1\n3:1 !table t is there already, in line 1\n"
	      "4:1 t.b=2\n");
}
END_TEST

/* --- bounds ------------------------------------------------------------- */

START_TEST(texts_have_a_longest)
{
	char text[TAILBOX__TOML_TEXT_MAX + 16];

	for (int over = 0; over < 2; over++) {
		const size_t n = TAILBOX__TOML_TEXT_MAX + (size_t)over;
		memcpy(text, "a = '", 5);
		memset(text + 5, 'x', n);
		memcpy(text + 5 + n, "'", 2);
		ck_assert_int_eq(strstr(read_text(text), "!") != NULL, over);
	}
}
END_TEST

START_TEST(keys_have_a_longest)
{
	char text[TAILBOX__TOML_PATH_MAX + 16];

	for (int over = 0; over < 2; over++) {
		const size_t n = TAILBOX__TOML_PATH_MAX - 2 + (size_t)over;
		memcpy(text, "[t]\n", 4);
		memset(text + 4, 'x', n);
		memcpy(text + 4 + n, "=1", 3);
		ck_assert_int_eq(strstr(read_text(text), "!") != NULL, over);
	}
}
END_TEST

START_TEST(names_have_a_greatest_number)
{
	static char text[TAILBOX__TOML_NAMES_MAX * 16];

	for (int over = 0; over < 2; over++) {
		size_t n = 0;
		for (unsigned i = 0;
		     i < TAILBOX__TOML_NAMES_MAX + (unsigned)over; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			                      "k%u=1\n", i);
		ck_assert_int_eq(strstr(read_text(text), "!") != NULL, over);
	}
}
END_TEST

START_TEST(a_file_has_a_greatest_size)
{
	char *text = malloc(TAILBOX__TOML_SIZE_MAX + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, '\n', TAILBOX__TOML_SIZE_MAX + 1);
	ck_assert_str_eq(read_bytes(text, TAILBOX__TOML_SIZE_MAX), "");
	ck_assert_ptr_nonnull(strstr(read_bytes(text,
	                                        TAILBOX__TOML_SIZE_MAX + 1),
	                             "!more than 262144 bytes"));
	free(text);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
	static const char text[] = "[a.b]\nc = 1\n[d]\ne = ['x']\n";

	for (long n = 0;; n++) {
		struct tailbox__toml t;
		struct tailbox__toml_item i;
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		int rc;

		tailbox__alloc_fail_after(n);
		tailbox__toml_init(&t, text, sizeof(text) - 1);
		while ((rc = tailbox__toml_next(&t, &i, &err)) > 0)
			;
		tailbox__toml_fini(&t);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_eq(tailbox__alloc_live(), 0);
		if (rc == 0) {
			ck_assert_int_ge(n, 2);
			break;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

static void put_the_allocator_back(void)
{
	tailbox__alloc_fail_after(-1);
}

int main(void)
{
	Suite *s = suite_create("toml");
	TCase *tc = tcase_create("taken");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, nothing_is_nothing);
	tcase_add_test(tc, tables_and_keys);
	tcase_add_test(tc, quoted_keys_have_one_form);
	tcase_add_test(tc, texts_and_escapes);
	tcase_add_test(tc, integers_to_their_ends);
	tcase_add_test(tc, arrays_of_texts);
	tcase_add_test(tc, columns_count_characters);
	suite_add_tcase(s, tc);
	tc = tcase_create("refused");
	tcase_add_loop_test(tc, refused_with_place_and_reason, 0,
	                    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, nul_is_no_text);
	tcase_add_test(tc, reading_goes_on_after_a_mistake);
	tcase_add_test(tc, keys_of_a_table_that_is_there_twice_are_read);
	suite_add_tcase(s, tc);
	tc = tcase_create("bounds");
	tcase_add_checked_fixture(tc, NULL, put_the_allocator_back);
	tcase_add_test(tc, texts_have_a_longest);
	tcase_add_test(tc, keys_have_a_longest);
	tcase_add_test(tc, names_have_a_greatest_number);
	tcase_add_test(tc, a_file_has_a_greatest_size);
	tcase_add_test(tc, each_allocation_may_fail);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
