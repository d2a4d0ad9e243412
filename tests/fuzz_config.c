/* tests/fuzz_config.c - any bytes as a configuration.
 *
 * SPDX-License-Identifier: MIT
 *
 * With clang's -fsanitize=fuzzer a libFuzzer target; otherwise a program that
 * reads the files it is given, or without any the samples of the sources,
 * each of them whole, cut at each byte, and with each byte changed.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DTAILBOX_LIBFUZZER ...
 *
 * What is taken has every value in its range, and what `config show` makes of
 * it is taken again and gives the same. What is refused says why and leaves
 * the configuration as it was.
 */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/config_file.h"
#include "core/tailbox.h"
#include "core/utf8.h"

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
			        #condition);                                   \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct tailbox__config defaults, config, again;
static struct tailbox__config_report report;

static void check_messages(size_t len)
{
	MUST(report.count <= TAILBOX__CONFIG_MESSAGES_MAX);
	MUST(report.count <= report.errors + report.warnings);
	for (uint32_t i = 0; i < report.count; i++) {
		const struct tailbox__config_message *m = &report.items[i];
		const size_t n = strlen(m->text);

		MUST(n > 0 && n < sizeof(m->text));
		MUST(m->line <= len + 1 && m->column <= len + 1);
		for (size_t k = 0; k < n; k++)
			MUST((unsigned char)m->text[k] >= 0x20);
	}
}

static void check_value(const struct tailbox__config_key_info *k, void *at)
{
	const struct tailbox__config_list *list = at;
	uint64_t v;

	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		return;
	case TAILBOX__CONFIG_COUNT:
	case TAILBOX__CONFIG_SIZE:
	case TAILBOX__CONFIG_DURATION:
	case TAILBOX__CONFIG_MICROS:
	case TAILBOX__CONFIG_CHOICE:
		memcpy(&v, at, sizeof(v));
		/* 0: spec 10.7 has it found out later */
		MUST((v == 0 && k->type == TAILBOX__CONFIG_MICROS) ||
		     v == k->def || (v >= k->min && v <= k->max) ||
		     (v == 0 && k->at == offsetof(struct tailbox__config,
		                                  sampler.interval)));
		return;
	case TAILBOX__CONFIG_TEXT:
		MUST(strlen(at) <= k->max);
		return;
	case TAILBOX__CONFIG_LIST:
		MUST(list->count <= k->max);
		for (uint32_t i = 0; i < list->count; i++)
			MUST(memchr(list->items[i], '\0',
			            sizeof(list->items[i])) &&
			     list->items[i][0] != '\0');
		return;
	}
}

struct text {
	char *at;
	size_t len, room;
};

static void put(void *cls, const char *s, size_t len)
{
	struct text *t = cls;

	if (t->room - t->len < len) {
		t->room = t->room * 2 + len + 4096;
		t->at = realloc(t->at, t->room);
		MUST(t->at);
	}
	memcpy(t->at + t->len, s, len);
	t->len += len;
}

/* What is shown is a file that gives the same values. */
static void check_shown(void)
{
	struct text shown = { NULL, 0, 0 };

	tailbox__config_show(&config, put, &shown);
	again = defaults;
	/* A token is not shown, and an interval of 0 is for the other kind of
	 * file only. */
	if (config.admin.token[0] == '\0' && config.sampler.interval != 0) {
		MUST(tailbox__config_read(&again, shown.at, shown.len,
		                          &report) == 0);
		MUST(memcmp(&again, &config,
		            offsetof(struct tailbox__config, origin)) == 0);
	}
	free(shown.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int rc;

	if (!defaults.recorder.enabled)
		tailbox__config_init(&defaults);
	config = defaults;
	rc = tailbox__config_read(&config, (const char *)bytes, len, &report);
	MUST(rc == 0 || rc == -TAILBOX_ESHAPE);
	MUST((rc == 0) == (report.errors == 0));
	check_messages(len);
	if (rc != 0) {
		MUST(tailbox__config_first(&report) != NULL);
		MUST(memcmp(&config, &defaults, sizeof(config)) == 0);
	} else {
		for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++)
			check_value(&tailbox__config_keys[i],
			            tailbox__config_at(&config, i));
		check_shown();
	}
	MUST(tailbox__alloc_live() == 0);
	return 0;
}

#ifndef TAILBOX_LIBFUZZER
static size_t slurp(const char *path, uint8_t *buf, size_t room)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	n = fread(buf, 1, room, f);
	fclose(f);
	return n;
}

static unsigned long replay(const char *path)
{
	static const uint8_t odd[] = { 0, '"', '\n', '[', '=', 0xff };
	static uint8_t bytes[65536];
	const size_t len = slurp(path, bytes, sizeof(bytes));
	unsigned long count = 1;

	LLVMFuzzerTestOneInput(bytes, len);
	for (size_t i = 0; i < len && len < 4096; i++) {
		const uint8_t was = bytes[i];
		const uint8_t now = odd[i % sizeof(odd)];

		LLVMFuzzerTestOneInput(bytes, i);
		bytes[i] = now != was ? now : (uint8_t)(was ^ 1);
		LLVMFuzzerTestOneInput(bytes, len);
		bytes[i] = was;
		count += 2;
	}
	return count;
}

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	unsigned long count = 0;
	char pattern[4096];
	glob_t found;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	if (argc == 1) {
		snprintf(pattern, sizeof(pattern), "%s/tests/config/*",
		         top ? top : ".");
		MUST(glob(pattern, 0, NULL, &found) == 0);
		for (size_t i = 0; i < found.gl_pathc; i++)
			count += replay(found.gl_pathv[i]);
		globfree(&found);
	}
	printf("%lu texts\n", count);
	return EXIT_SUCCESS;
}
#endif
