/* tests/config_file_fixture.h - settings that are read out of a text, and what
 * is said about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_CONFIG_FILE_FIXTURE_H
#define TAILBOX_TESTS_CONFIG_FILE_FIXTURE_H 1

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_file.h"
#include "core/tailbox.h"

static struct tailbox__config config, before;
static struct tailbox__config_report report;

static inline void setup(void)
{
	tailbox__config_init(&config);
}

static inline int read_text(const char *text)
{
	return tailbox__config_read(&config, text, strlen(text), &report);
}

/* All messages, "LINE:COLUMN: text" each, in a buffer used again. */
static inline const char *messages(void)
{
	static char out[16384];
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < report.count; i++) {
		char line[400];
		tailbox__config_message_text(line, sizeof(line), "f",
		                             &report.items[i]);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s\n", line);
	}
	return out;
}

static inline void takes(const char *text)
{
	ck_assert_msg(read_text(text) == 0, "%s\nrefused: %s", text,
	              messages());
	ck_assert_msg(report.count == 0, "%s\n%s", text, messages());
}

static inline void refuses(const char *text, const char *message)
{
	tailbox__config_init(&config);
	before = config;
	ck_assert_msg(read_text(text) == -TAILBOX_ESHAPE, "taken: %s", text);
	ck_assert_msg(strcmp(messages(), message) == 0, "%s\n%s\nnot %s", text,
	              messages(), message);
	ck_assert(memcmp(&config, &before, sizeof(config)) == 0);
}

static inline void warns(const char *text, const char *message)
{
	tailbox__config_init(&config);
	ck_assert_msg(read_text(text) == 0, "%s\nrefused: %s", text,
	              messages());
	ck_assert_str_eq(messages(), message);
}

/* The path of a file of tests/config. */
static inline const char *sample(const char *name)
{
	static char path[4200];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/tests/config/%s", top ? top : ".",
	         name);
	return path;
}

static inline TCase *new_case(Suite *s, const char *name, SFun begin, SFun end)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, begin, end);
	suite_add_tcase(s, tc);
	return tc;
}

#endif
