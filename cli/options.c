/* cli/options.c - command lines: one table per command.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "core/alloc.h"
#include "core/run.h"

enum { OPTIONS_MAX = 16, FIRST_LONG = 256, HELP = 255, TOKEN_FILE = 254 };

const char *cli__token_file;

bool cli__count(const char *text, uint64_t *value)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');
		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*value = n;
	return true;
}

bool cli__duration(const char *text, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 },
	};
	const uint64_t limit = UINT64_C(1000) * 86400000;
	uint64_t whole = 0, thousandths = 0, scale = 100;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		whole = whole * 10 + (uint64_t)(*at - '0');
		if (whole > limit)
			return false;
	}
	if (at == text)
		return false;
	if (*at == '.') {
		const char *point = at++;
		for (; *at >= '0' && *at <= '9'; at++, scale /= 10)
			thousandths += (uint64_t)(*at - '0') * scale;
		if (at == point + 1)
			return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(at, units[i].name))
			continue;
		*ms = whole * units[i].ms + thousandths * units[i].ms / 1000;
		return *ms <= limit;
	}
	return false;
}

void cli__list_fini(struct cli__list *l)
{
	tailbox__free(l->items);
	l->items = NULL;
	l->count = l->room = 0;
}

static bool list_add(struct cli__list *l, const char *value, int *rc)
{
	const char **item = tailbox__list_add(l);

	if (!item) {
		*rc = cli__no_memory();
		return false;
	}
	*item = value;
	return true;
}

/* Store the value of an option. On false *rc is set. */
static bool store(const struct cli__command *self, const struct cli__option *o,
                  const char *value, int *rc)
{
	uint64_t n = 0;

	switch (o->type) {
	case CLI__FLAG:
		*(bool *)o->to = true;
		return true;
	case CLI__TEXT:
		*(const char **)o->to = value;
		return true;
	case CLI__LIST:
		return list_add(o->to, value, rc);
	case CLI__DURATION:
		if (!cli__duration(value, &n)) {
			*rc = cli__usage(self,
			                 "--%s: \"%s\" is no duration; write "
			                 "30s, 500ms, 2m",
			                 o->name, value);
			return false;
		}
		break;
	case CLI__COUNT:
		if (!cli__count(value, &n)) {
			*rc = cli__usage(self, "--%s: \"%s\" is no number",
			                 o->name, value);
			return false;
		}
		break;
	}
	if (n < o->min || n > o->max) {
		const char *unit = o->type == CLI__DURATION ? "ms" : "";
		*rc = cli__usage(self,
		                 "--%s: %s is not within %llu%s to %llu%s",
		                 o->name, value, (unsigned long long)o->min,
		                 unit, (unsigned long long)o->max, unit);
		return false;
	}
	*(uint64_t *)o->to = n;
	return true;
}

/* Whether this is the second time, where there may be one. */
static bool is_repeated(const struct cli__option *o, uint32_t bit,
                        uint32_t *seen)
{
	const bool is_single = (o->type == CLI__FLAG || o->type == CLI__TEXT) &&
	                       o->max == 1;
	const bool is_second = *seen & bit;

	*seen |= bit;
	return is_single && is_second;
}

static void put_help(const struct cli__command *self)
{
	fprintf(cli__out(), "usage: tailbox %s %s\n\n%s.\n\n%s", self->name,
	        self->arguments, self->summary, self->help);
}

bool cli__options(const struct cli__command *self, int argc, char **argv,
                  const struct cli__option *options, int min, int max,
                  int *first, int *rc)
{
	struct option table[OPTIONS_MAX + 3] = { { NULL, 0, NULL, 0 } };
	char letters[2 * OPTIONS_MAX + 5] = "+:h";
	/* '+': an option behind an argument is not ours. */
	const char *use = max == CLI__REST ? letters : letters + 1;
	size_t n = 0, at = 3;
	uint32_t seen = 0; /* by OPTIONS_MAX */

	for (; options[n].name && n < OPTIONS_MAX; n++) {
		int has_arg = options[n].type != CLI__FLAG;
		table[n] = (struct option){ options[n].name, has_arg, NULL,
			                    FIRST_LONG + (int)n };
		if (options[n].letter) {
			letters[at++] = options[n].letter;
			if (has_arg)
				letters[at++] = ':';
		}
	}
	table[n] = (struct option){ "help", 0, NULL, HELP };
	table[n + 1] = (struct option){ "token-file", 1, NULL, TOKEN_FILE };
	letters[at] = '\0';

	opterr = 0;
	optind = 0; /* a glibc way to say: start over */
	for (;;) {
		int c = getopt_long(argc, argv, use, table, NULL);
		if (c == -1)
			break;
		if (c == HELP || c == 'h') {
			put_help(self);
			*rc = CLI__DONE;
			return false;
		}
		if (c == TOKEN_FILE) {
			cli__token_file = optarg;
			continue;
		}
		if (c == '?' || c == ':') {
			*rc = cli__usage(self, "%s: %s", argv[optind - 1],
			                 c == '?' ? "no such option"
			                          : "needs a value");
			return false;
		}
		size_t i = (size_t)(c - FIRST_LONG);
		for (i = c >= FIRST_LONG ? i : 0;
		     c < FIRST_LONG && options[i].letter != (char)c; i++)
			;
		if (is_repeated(&options[i], UINT32_C(1) << i, &seen)) {
			*rc = cli__usage(self, "--%s: given twice",
			                 options[i].name);
			return false;
		}
		if (!store(self, &options[i], optarg, rc))
			return false;
	}
	*first = optind;
	if (argc - optind < min || argc - optind > max) {
		*rc = argc - optind > max
		              ? cli__usage(self, "%s: too many arguments",
		                           argv[optind + max])
		              : cli__usage(self, "an argument is missing");
		return false;
	}
	return true;
}
