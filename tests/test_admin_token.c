/* tests/test_admin_token.c - tokens of the admin server and the sessions that
 * they buy: where they are read from, and what they are compared with.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/admin_internal.h"
#include "controller/admin_token.h"

#define TOKEN "correct-horse-battery-staple"

START_TEST(token_is_compared_as_a_whole)
{
	static struct tailbox__config_admin c;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__token t;
	char text[600];

	/* Every length of a token... */
	for (size_t len = 0; len <= 255; len++) {
		memset(&c, 0, sizeof(c));
		memset(c.token, 'a', len);
		err = (struct tailbox__error)TAILBOX__ERROR_INIT;
		if (len > 0 && len < TAILBOX__TOKEN_MIN) {
			ck_assert_int_eq(tailbox__token_read(&c, &t, &err),
			                 -EINVAL);
			ck_assert_ptr_nonnull(strstr(err.text, "bytes"));
			continue;
		}
		ck_assert_int_eq(tailbox__token_read(&c, &t, &err), 0);
		ck_assert_uint_eq(t.len, len);
		/* ...against every length of what is given. */
		memset(text, 'a', sizeof(text));
		for (size_t given = 0; given <= sizeof(text); given++)
			ck_assert(tailbox__token_is(&t, text, given) ==
			          (given == len && len > 0));
		/* One wrong byte anywhere. */
		for (size_t i = 0; i < len; i++) {
			text[i] ^= 1;
			ck_assert(!tailbox__token_is(&t, text, len));
			text[i] ^= 1;
		}
	}
}
END_TEST

static int token_of_file(const char *content, size_t n, mode_t mode,
                         struct tailbox__token *t, struct tailbox__error *err)
{
	static struct tailbox__config_admin c;
	int fd, rc;

	memset(&c, 0, sizeof(c));
	snprintf(c.token_file, sizeof(c.token_file), "/tmp/tailbox-test-XXXXXX");
	fd = mkstemp(c.token_file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, n), (ssize_t)n);
	fchmod(fd, mode);
	close(fd);
	*err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	rc = tailbox__token_read(&c, t, err);
	unlink(c.token_file);
	return rc;
}

START_TEST(token_file_is_private_and_trimmed)
{
	static struct tailbox__config_admin c;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__token t;
	char text[5000];

	ck_assert_int_eq(token_of_file(" \t" TOKEN "\r\n", sizeof(TOKEN) + 3,
	                               0600, &t, &err), 0);
	ck_assert(tailbox__token_is(&t, TOKEN, strlen(TOKEN)));
	ck_assert_int_eq(token_of_file(TOKEN, strlen(TOKEN), 0400, &t, &err),
	                 0);
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		ck_assert_int_eq(token_of_file(TOKEN, strlen(TOKEN), 0600 | bit,
		                               &t, &err), -EPERM);
		ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
		ck_assert_uint_eq(t.len, 0);
	}
	memset(text, 'x', sizeof(text));
	for (size_t n = 0; n <= 300; n++)
		ck_assert_int_eq(token_of_file(text, n, 0600, &t, &err),
		                 n >= 16 && n <= 256 ? 0 : -EINVAL);
	ck_assert_int_eq(token_of_file(text, sizeof(text), 0600, &t, &err),
	                 -EINVAL);
	/* Nothing in it but visible ASCII; the error does not show it. */
	for (int byte = 0; byte < 256; byte++) {
		memset(text, 'x', 20);
		text[10] = (char)byte;
		ck_assert_int_eq(token_of_file(text, 20, 0600, &t, &err),
		                 byte > 0x20 && byte < 0x7f ? 0 : -EINVAL);
		ck_assert_ptr_null(strstr(err.text, "xxxx"));
	}
	memset(&c, 0, sizeof(c));
	snprintf(c.token_file, sizeof(c.token_file), "/nonexistent/token");
	ck_assert_int_eq(tailbox__token_read(&c, &t, &err), -ENOENT);
	snprintf(c.token_file, sizeof(c.token_file), "/tmp");
	ck_assert_int_eq(tailbox__token_read(&c, &t, &err), -EINVAL);
	snprintf(c.token, sizeof(c.token), TOKEN);
	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(tailbox__token_read(&c, &t, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "both"));
}
END_TEST

START_TEST(sessions_end_and_the_oldest_goes)
{
	char text[TAILBOX__SESSIONS_MAX + 1][TAILBOX__SESSION_TEXT + 1];
	const uint64_t life = TAILBOX__SESSION_S * UINT64_C(1000000000);
	uint64_t now = 1000;

	tailbox__sessions_clear();
	for (size_t i = 0; i <= TAILBOX__SESSIONS_MAX; i++) {
		ck_assert_int_eq(tailbox__session_make(text[i], now + i), 0);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(text[k], text[i]);
	}
	ck_assert(!tailbox__session_is(text[0], now + 20));
	ck_assert(tailbox__session_is(text[1], now + 20));
	ck_assert(tailbox__session_is(text[1], now + 1 + life - 1));
	ck_assert(!tailbox__session_is(text[1], now + 1 + life));
	tailbox__session_end(text[2]);
	ck_assert(!tailbox__session_is(text[2], now + 20));
	tailbox__session_end(text[2]);
	tailbox__session_end("");
	/* Nothing that is free is a session of zeros. */
	ck_assert(!tailbox__session_is("", now));
	text[3][0] ^= 1;
	ck_assert(!tailbox__session_is(text[3], now + 20));
	text[3][0] ^= 1;
	text[3][TAILBOX__SESSION_TEXT - 1] = '\0';
	ck_assert(!tailbox__session_is(text[3], now + 20));
	tailbox__sessions_clear();
	ck_assert(!tailbox__session_is(text[4], now + 20));
}
END_TEST

static const struct {
	bool is_json;
	const char *body, *token; /* NULL = refused */
} bodies[] = {
	{ false, "token=abc", "abc" },
	{ false, "token=a%2Bb+c%41", "a+b cA" },
	{ false, "token=", "" },
	{ false, "token=a%2", NULL },
	{ false, "token=a%zz", NULL },
	{ false, "token=a&x=1", NULL },
	{ false, "x=1&token=a", NULL },
	{ false, "toke=abc", NULL },
	{ false, "", NULL },
	{ true, "{\"token\":\"abc\"}", "abc" },
	{ true, " { \"token\" :\n\"abc\" } \r\n", "abc" },
	{ true, "{\"token\":\"\\u0041\\\"\\\\\\/\"}", "A\"\\/" },
	{ true, "{\"token\":\"\"}", "" },
	{ true, "{\"token\":\"abc\",\"x\":1}", NULL },
	{ true, "{\"token\":\"abc\"", NULL },
	{ true, "{\"token\":\"abc", NULL },
	{ true, "{\"token\":\"abc\\", NULL },
	{ true, "{\"token\":\"\\u00e9\"}", NULL },
	{ true, "{\"token\":\"\\u004\"}", NULL },
	{ true, "{\"token\":\"\\n\"}", NULL },
	{ true, "{\"token\":1}", NULL },
	{ true, "{\"token\":\"abc\"}x", NULL },
	{ true, "[\"token\"]", NULL },
	{ true, "", NULL },
};

START_TEST(token_is_read_from_a_body)
{
	char text[TAILBOX__TOKEN_MAX + 1], body[1000];
	/* At the very end of a block, so that a sanitizer sees a step over. */
	size_t n = strlen(bodies[_i].body), len = 0;
	char *copy = malloc(n + 1);
	bool ok;

	memcpy(copy, bodies[_i].body, n);
	ok = (bodies[_i].is_json ? tailbox__session_json
	                         : tailbox__session_form)(copy, copy + n, text,
	                                                  &len);
	free(copy);
	ck_assert_msg(ok == (bodies[_i].token != NULL), "%s", bodies[_i].body);
	if (ok) {
		ck_assert_uint_eq(len, strlen(bodies[_i].token));
		ck_assert_int_eq(memcmp(text, bodies[_i].token, len), 0);
	}
	/* Longer than any token stays longer. */
	memset(body, 'x', sizeof(body));
	memcpy(body, "token=", 6);
	ck_assert(tailbox__session_form(body, body + sizeof(body), text, &len));
	ck_assert_uint_eq(len, TAILBOX__TOKEN_MAX + 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_token");
	TCase *t = tcase_create("token");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, token_is_compared_as_a_whole);
	tcase_add_test(t, token_file_is_private_and_trimmed);
	tcase_add_test(t, sessions_end_and_the_oldest_goes);
	tcase_add_loop_test(t, token_is_read_from_a_body, 0,
	                    sizeof(bodies) / sizeof(bodies[0]));
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
