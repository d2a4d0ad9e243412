/* core/config_controller.c - the [controller...] tables of tailtriage.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 10.7. With such a file all settings of a window
 * come from it: what it leaves out gets the default of these tables, not what
 * the program or we would take. Unknown keys are told and passed over. A
 * number beyond what tailbox can do is no reason to refuse a file that the
 * other tool takes: it is brought into range, with a warning.
 */
#include "core/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/tailbox.h"

#define ACTIVATION "controller.activation"

enum table { CONTROLLER, ACTIVATED, SINK, LIMITS, SAMPLER, POLICY };

static const struct {
	const char *path;
	bool is_required;
} tables[TAILBOX__CONTROLLER_TABLES] = {
	[CONTROLLER] = { "controller", true },
	[ACTIVATED] = { ACTIVATION, true },
	[SINK] = { ACTIVATION ".sink", true },
	[LIMITS] = { ACTIVATION ".capture_limits_override", false },
	[SAMPLER] = { ACTIVATION ".runtime_sampler", false },
	[POLICY] = { ACTIVATION ".run_end_policy", false },
};

enum how {
	PLAIN,
	NAME,     /* text, cut where it is too long */
	TYPE,     /* must be local_json */
	OUTPUT,   /* may be empty */
	CLAMPED,  /* integer, brought into range */
	INTERVAL  /* the same; 0 stays and is found out when a window is armed */
};

static const struct row {
	enum table table;
	const char *name;
	bool is_required; /* where its table is there */
	enum how how;
	enum tailbox__config_key key;
} rows[] = {
	{ CONTROLLER, "service_name", false, NAME, TAILBOX__KEY_SERVICE_NAME },
	{ CONTROLLER, "initially_enabled", false, PLAIN,
	  TAILBOX__KEY_WINDOW_ARM_AT_START },
	{ ACTIVATED, "mode", true, PLAIN, TAILBOX__KEY_WINDOW_MODE },
	{ ACTIVATED, "strict_lifecycle", false, PLAIN,
	  TAILBOX__KEY_WINDOW_STRICT_LIFECYCLE },
	{ SINK, "type", true, TYPE, TAILBOX__KEY_ARTIFACTS_LOCAL_JSON },
	{ SINK, "output_path", true, OUTPUT,
	  TAILBOX__KEY_ARTIFACTS_OUTPUT_PATH },
	{ LIMITS, "max_requests", false, CLAMPED,
	  TAILBOX__KEY_WINDOW_MAX_REQUESTS },
	{ LIMITS, "max_stages", false, CLAMPED,
	  TAILBOX__KEY_WINDOW_MAX_STAGES },
	{ LIMITS, "max_queues", false, CLAMPED,
	  TAILBOX__KEY_WINDOW_MAX_QUEUES },
	{ LIMITS, "max_inflight_snapshots", false, CLAMPED,
	  TAILBOX__KEY_WINDOW_MAX_INFLIGHT_SNAPSHOTS },
	{ LIMITS, "max_runtime_snapshots", false, CLAMPED,
	  TAILBOX__KEY_WINDOW_MAX_RUNTIME_SNAPSHOTS },
	{ SAMPLER, "enabled_for_armed_runs", true, PLAIN,
	  TAILBOX__KEY_SAMPLER_ENABLED },
	{ SAMPLER, "mode_override", false, PLAIN, TAILBOX__KEY_SAMPLER_MODE },
	{ SAMPLER, "interval_ms", false, INTERVAL,
	  TAILBOX__KEY_SAMPLER_INTERVAL },
	{ SAMPLER, "max_runtime_snapshots", false, CLAMPED,
	  TAILBOX__KEY_SAMPLER_MAX_RUNTIME_SNAPSHOTS },
	{ POLICY, "kind", true, PLAIN, TAILBOX__KEY_WINDOW_POLICY },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS == TAILBOX__CONTROLLER_KEYS, "has_key has room for each");

/* All but service_name and initially_enabled, which fall back. */
static bool is_of_activation(const struct row *row)
{
	return row->table != CONTROLLER;
}

void tailbox__config_controller_begin(struct tailbox__config_reader *r)
{
	struct tailbox__config *c = r->c;

	for (unsigned i = 0; i < ROWS; i++) {
		const enum tailbox__config_key key = rows[i].key;
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[key];
		void *to = tailbox__config_at(c, key);

		if (!is_of_activation(&rows[i]))
			continue;
		if (k->type == TAILBOX__CONFIG_BOOL)
			*(bool *)to = k->def != 0;
		else if (k->type == TAILBOX__CONFIG_TEXT)
			*(char *)to = '\0';
		else
			*(uint64_t *)to = k->def;
		c->origin[key] = (struct tailbox__config_origin){
			TAILBOX__FROM_FILE, 0
		};
	}
	c->sampler.enabled = false;
}

/* --- values ------------------------------------------------------------- */

static bool take_name(struct tailbox__config_reader *r,
                      const struct row *row, struct tailbox__toml_item item)
{
	char text[sizeof(r->c->service.name)];
	size_t n = sizeof(text) - 1;

	if (item.kind != TAILBOX__TOML_TEXT || item.len <= n)
		return tailbox__config_take(r, row->key, &item);
	while (n > 0 && ((unsigned char)item.text[n] & 0xc0) == 0x80)
		n--;
	memcpy(text, item.text, n);
	text[n] = '\0';
	tailbox__config_say(r, true, &item, "%s is cut to %zu bytes",
	                    item.path, n);
	item.text = text;
	item.len = n;
	return tailbox__config_take(r, row->key, &item);
}

static bool take_type(struct tailbox__config_reader *r,
                      const struct row *row,
                      const struct tailbox__toml_item *item)
{
	if (item->kind != TAILBOX__TOML_TEXT ||
	    strcmp(item->text, "local_json") != 0) {
		tailbox__config_say(r, false, item,
		                    "%s takes \"local_json\"", item->path);
		return false;
	}
	r->c->artifacts.local_json = true;
	r->c->origin[row->key].line = item->line;
	return true;
}

static bool take_output(struct tailbox__config_reader *r,
                        const struct row *row, struct tailbox__toml_item item)
{
	static const char fixed[] = "tailtriage-run.json";

	if (item.kind == TAILBOX__TOML_TEXT && item.len == 0) {
		tailbox__config_say(r, true, &item, "%s is empty: %s is taken",
		                    item.path, fixed);
		item.text = fixed;
		item.len = sizeof(fixed) - 1;
	}
	return tailbox__config_take(r, row->key, &item);
}

static bool take_clamped(struct tailbox__config_reader *r,
                         const struct row *row,
                         const struct tailbox__toml_item *item)
{
	const struct tailbox__config_key_info *k =
	        &tailbox__config_keys[row->key];
	uint64_t *to = tailbox__config_at(r->c, row->key), v = item->number;

	if (item->kind != TAILBOX__TOML_INTEGER || item->is_negative) {
		tailbox__config_say(r, false, item,
		                    "%s takes a whole number, 0 or more",
		                    item->path);
		return false;
	}
	if (v < k->min && !(row->how == INTERVAL && v == 0))
		v = k->min;
	if (v > k->max)
		v = k->max;
	if (v != item->number)
		tailbox__config_say(r, true, item,
		                    "%s is %" PRIu64 ": %" PRIu64 " is taken",
		                    item->path, item->number, v);
	*to = v;
	r->c->origin[row->key].line = item->line;
	return true;
}

static void take(struct tailbox__config_reader *r, const struct row *row,
                 const struct tailbox__toml_item *item)
{
	switch (row->how) {
	case PLAIN:
		tailbox__config_take(r, row->key, item);
		break;
	case NAME:
		take_name(r, row, *item);
		break;
	case TYPE:
		take_type(r, row, item);
		break;
	case OUTPUT:
		take_output(r, row, *item);
		break;
	case CLAMPED:
	case INTERVAL:
		take_clamped(r, row, item);
		break;
	}
}

/* --- items -------------------------------------------------------------- */

/* Each table that the path is in or is. */
static void note_tables(struct tailbox__config_reader *r,
                        const struct tailbox__toml_item *item)
{
	for (unsigned i = 0; i < TAILBOX__CONTROLLER_TABLES; i++) {
		const bool is_it = strcmp(item->path, tables[i].path) == 0;

		/* [controller.activation] makes a [controller]; the key
		 * "controller" with a value does not. */
		if (is_it && item->kind != TAILBOX__TOML_TABLE)
			continue;
		if (tailbox__config_is_in(item->path, tables[i].path) &&
		    (r->tables[i] == 0 || is_it))
			r->tables[i] = item->line;
	}
}

static bool is_known_table(const char *path)
{
	for (unsigned i = 0; i < TAILBOX__CONTROLLER_TABLES; i++)
		if (strcmp(path, tables[i].path) == 0)
			return true;
	return tailbox__config_is_in(path, "analyzer");
}

static int find_row(const char *path)
{
	char name[96];

	for (unsigned i = 0; i < ROWS; i++) {
		snprintf(name, sizeof(name), "%s.%s",
		         tables[rows[i].table].path, rows[i].name);
		if (strcmp(name, path) == 0)
			return (int)i;
	}
	return -1;
}

static void wrong_kind(struct tailbox__config_reader *r,
                       const struct tailbox__toml_item *item, const char *is)
{
	tailbox__config_say(r, false, item, "%s is %s", item->path, is);
}

void tailbox__config_controller_item(struct tailbox__config_reader *r,
                                     const struct tailbox__toml_item *item)
{
	const int row = find_row(item->path);

	if (item->kind == TAILBOX__TOML_ELEMENT)
		return; /* no key here takes an array */
	note_tables(r, item);
	if (item->kind == TAILBOX__TOML_TABLE) {
		r->is_skipping = false;
		if (row >= 0)
			wrong_kind(r, item, "a value, not a table");
		else if (!is_known_table(item->path))
			tailbox__config_say(r, true, item,
			                    "unknown table [%s]", item->path);
		if (row >= 0 || !is_known_table(item->path) ||
		    tailbox__config_is_in(item->path, "analyzer"))
			r->is_skipping = true;
		return;
	}
	if (r->is_skipping)
		return;
	if (row >= 0) {
		r->has_key[row] = true;
		take(r, &rows[row], item);
	} else if (is_known_table(item->path)) {
		wrong_kind(r, item, "a table, not a value");
	} else {
		tailbox__config_say(r, true, item, "unknown key %s",
		                    item->path);
	}
}

void tailbox__config_controller_end(struct tailbox__config_reader *r)
{
	struct tailbox__toml_item at = { .line = r->controller_line,
		                         .column = 1 };

	for (unsigned i = 0; i < TAILBOX__CONTROLLER_TABLES; i++)
		if (tables[i].is_required && r->tables[i] == 0)
			tailbox__config_say(r, false, &at,
			                    "[%s] is missing",
			                    tables[i].path);
	for (unsigned i = 0; i < ROWS; i++) {
		const uint32_t line = r->tables[rows[i].table];

		if (!rows[i].is_required || line == 0 || r->has_key[i])
			continue;
		at.line = line;
		tailbox__config_say(r, false, &at, "%s.%s is missing",
		                    tables[rows[i].table].path, rows[i].name);
	}
}
