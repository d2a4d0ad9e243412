/* analyzer/options_help.c - every option, explained.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/options_internal.h"

#include <inttypes.h>
#include <string.h>

#define INDENT 13
#define WIDTH 79

/* Words behind a label, as many in a line as there is room for. */
static void paragraph(FILE *out, const char *label, const char *text)
{
	size_t column = INDENT;

	fprintf(out, "    %-*s", INDENT - 4, label);
	while (*text != '\0') {
		const size_t n = strcspn(text, " ");
		if (column > INDENT && column + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", INDENT, "");
			column = INDENT;
		}
		column += n;
		if (column > INDENT + n) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static const char *type_name(enum tailbox__option_type type)
{
	switch (type) {
	case TAILBOX__OPTION_SIZE:
		return "count of 64 bits";
	case TAILBOX__OPTION_U64:
		return "number of 64 bits";
	case TAILBOX__OPTION_U8:
		return "number of 8 bits";
	case TAILBOX__OPTION_BOOL:
		return "true or false";
	case TAILBOX__OPTION_LIST:
		break;
	}
	return "list of texts";
}

static void standard(FILE *out, const struct tailbox__option_info *info)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, info->number);
	if (info->type == TAILBOX__OPTION_LIST)
		paragraph(out, "default", info->list);
	else if (info->type == TAILBOX__OPTION_BOOL)
		paragraph(out, "default", info->number != 0 ? "true" : "false");
	else
		paragraph(out, "default", number);
}

static void type_and_range(FILE *out, const struct tailbox__option_info *info)
{
	const char *allowed = info->allowed;
	char text[128];

	/* A bool's name says all. */
	if (allowed == NULL && info->type != TAILBOX__OPTION_BOOL)
		allowed = "0 or more";
	snprintf(text, sizeof(text), "%s%s%s", type_name(info->type),
	         allowed != NULL ? ": " : "", allowed != NULL ? allowed : "");
	paragraph(out, "type", text);
}

void tailbox__analyzer_options_help(FILE *out)
{
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const struct tailbox__option_info *info =
		        &tailbox__option_table[i];
		const bool is_bool = info->type == TAILBOX__OPTION_BOOL;

		fprintf(out, "%s%s\n", i > 0 ? "\n" : "", info->path);
		standard(out, info);
		type_and_range(out, info);
		paragraph(out, "affects", info->affects);
		paragraph(out, is_bool ? "true" : "raising", info->raising);
		paragraph(out, is_bool ? "false" : "lowering", info->lowering);
	}
}
