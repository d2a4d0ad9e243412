/* core/config_text.c - settings as text: units, what a key takes, all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

/* --- units -------------------------------------------------------------- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	{ "d", 86400000 }, { NULL, 0 }
};

static const struct unit micros[] = {
	{ "us", 1 }, { "ms", 1000 }, { "s", 1000000 },
	{ NULL, 0 }
};

static const struct unit sizes[] = {
	{ "B", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
	{ "TiB", UINT64_C(1) << 40 }, { NULL, 0 }
};

static bool with_unit(const char *text, const struct unit *u, uint64_t *out,
                      const char **why, const char *missing)
{
	const char *p = text;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		const unsigned digit = (unsigned)(*p - '0');
		if (v > (UINT64_MAX - digit) / 10) {
			*why = "too large";
			return false;
		}
		v = v * 10 + digit;
	}
	if (p == text) {
		*why = "does not begin with a digit";
		return false;
	}
	for (; u->name != NULL; u++) {
		if (strcmp(p, u->name) != 0)
			continue;
		*why = "too large";
		if (v > UINT64_MAX / u->factor)
			return false;
		*out = v * u->factor;
		return true;
	}
	*why = missing;
	return false;
}

bool tailbox__config_duration(const char *text, uint64_t *ms, const char **why)
{
	return with_unit(text, durations, ms, why,
	                 "needs a whole number and a unit, ms s m h or d");
}

bool tailbox__config_micros(const char *text, uint64_t *us, const char **why)
{
	return with_unit(text, micros, us, why,
	                 "needs a whole number and a unit, us ms or s");
}

bool tailbox__config_size(const char *text, uint64_t *bytes, const char **why)
{
	return with_unit(text, sizes, bytes, why,
	                 "needs a whole number and a unit, B KiB MiB GiB or "
	                 "TiB");
}

/* --- triggers ----------------------------------------------------------- */

/* Up to four digits behind a point, in millionths of the whole. */
static bool percent(const char *text, const char *end, uint64_t *ppm)
{
	uint64_t v = 0, unit = 10000;
	const char *p = text;

	for (; p < end && *p >= '0' && *p <= '9' && v <= 100; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (p == text)
		return false;
	v *= unit;
	if (p < end && *p == '.' && p + 1 < end) {
		for (p++; p < end && *p >= '0' && *p <= '9' && unit > 1; p++)
			v += (uint64_t)(*p - '0') * (unit /= 10);
	}
	*ppm = v;
	return p == end && v > 0 && v <= 1000000;
}

bool tailbox__config_share(const char *text, uint64_t *value, bool *is_ppm)
{
	const size_t len = strlen(text);
	uint64_t v = 0;

	*value = 0;
	*is_ppm = len > 0 && text[len - 1] == '%';
	if (*is_ppm) {
		const bool ok = percent(text, text + len - 1, &v);
		*value = ok ? v : 0;
		return ok;
	}
	if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
		return false;
	for (; *text != '\0'; text++)
		v = v * 10 + (uint64_t)(*text - '0');
	*value = v;
	return v > 0;
}

bool tailbox__config_route_bound(const char *text, size_t *route_len,
                                 uint64_t *ms)
{
	const char *blank = strrchr(text, ' '), *why;

	if (blank == NULL || blank == text)
		return false;
	*route_len = (size_t)(blank - text);
	return tailbox__config_duration(blank + 1, ms, &why) && *ms > 0;
}

int tailbox__config_signal(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = { { "SIGHUP", SIGHUP },   { "SIGQUIT", SIGQUIT },
		        { "SIGUSR1", SIGUSR1 }, { "SIGUSR2", SIGUSR2 },
		        { "SIGWINCH", SIGWINCH } };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	return 0;
}

int tailbox__config_stack_signal(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = { { "SIGURG", SIGURG },   { "SIGUSR1", SIGUSR1 },
		        { "SIGUSR2", SIGUSR2 }, { "SIGPROF", SIGPROF },
		        { "SIGWINCH", SIGWINCH } };
	static const char first[] = "SIGRTMIN+";
	const char *digits = name + sizeof(first) - 1;
	int n = 0;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	if (strncmp(name, first, sizeof(first) - 1) != 0 || *digits == '\0' ||
	    strlen(digits) > 2 || strspn(digits, "0123456789") != strlen(digits))
		return 0;
	for (; *digits != '\0'; digits++)
		n = n * 10 + (*digits - '0');
	return n <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + n : 0;
}

static void unit_text(char *out, uint64_t v, const struct unit *u)
{
	const struct unit *best = u;

	for (; u->name != NULL; u++)
		if (v % u->factor == 0 && v >= u->factor)
			best = u;
	snprintf(out, 32, "%" PRIu64 "%s", v / best->factor, best->name);
}

void tailbox__config_duration_text(char *out, uint64_t ms)
{
	unit_text(out, ms, durations);
}

void tailbox__config_micros_text(char *out, uint64_t us)
{
	unit_text(out, us, micros);
}

void tailbox__config_size_text(char *out, uint64_t bytes)
{
	unit_text(out, bytes, sizes);
}

/* --- what a key takes --------------------------------------------------- */

void tailbox__config_takes(char *out, size_t size,
                           enum tailbox__config_key key)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	char min[32], max[32];

	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		snprintf(out, size, "true or false");
		break;
	case TAILBOX__CONFIG_COUNT:
		snprintf(out, size, "a whole number, %" PRIu64 " to %" PRIu64,
		         k->min, k->max);
		break;
	case TAILBOX__CONFIG_SIZE:
		tailbox__config_size_text(min, k->min);
		tailbox__config_size_text(max, k->max);
		snprintf(out, size, "a size with its unit, \"%s\" to \"%s\"",
		         min, max);
		break;
	case TAILBOX__CONFIG_DURATION:
		tailbox__config_duration_text(min, k->min);
		tailbox__config_duration_text(max, k->max);
		snprintf(out, size,
		         "a duration with its unit, \"%s\" to \"%s\"", min,
		         max);
		break;
	case TAILBOX__CONFIG_MICROS:
		tailbox__config_micros_text(min, k->min);
		tailbox__config_micros_text(max, k->max);
		snprintf(out, size,
		         "a duration with its unit, \"%s\" to \"%s\", or "
		         "\"0us\" for none", min, max);
		break;
	case TAILBOX__CONFIG_CHOICE:
		snprintf(out, size, "\"%s\" or \"%s\"", k->choices[0],
		         k->choices[1]);
		break;
	case TAILBOX__CONFIG_TEXT:
		snprintf(out, size, "a text of %" PRIu64 " to %" PRIu64
		                    " bytes", k->min, k->max);
		break;
	case TAILBOX__CONFIG_LIST:
		snprintf(out, size, "an array of at most %" PRIu64 " texts",
		         k->max);
		break;
	}
}

/* --- values ------------------------------------------------------------- */

static bool is_secret(enum tailbox__config_key key)
{
	return key == TAILBOX__KEY_ADMIN_TOKEN;
}

static void put_cstr(tailbox__config_put put, void *cls, const char *s)
{
	put(cls, s, strlen(s));
}

/* A basic string of TOML. Texts hold no control characters, by the checks of
 * the reader; one from the program may. */
static void put_quoted(tailbox__config_put put, void *cls, const char *s)
{
	char escape[8];

	put(cls, "\"", 1);
	for (; *s != '\0'; s++) {
		const unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			put(cls, escape, 6);
			continue;
		}
		if (c == '"' || c == '\\')
			put(cls, "\\", 1);
		put(cls, s, 1);
	}
	put(cls, "\"", 1);
}

static void put_list(const struct tailbox__config_list *list,
                     tailbox__config_put put, void *cls)
{
	put(cls, "[", 1);
	for (uint32_t i = 0; i < list->count; i++) {
		if (i > 0)
			put(cls, ", ", 2);
		put_quoted(put, cls, list->items[i]);
	}
	put(cls, "]", 1);
}

static uint64_t number_at(const struct tailbox__config *c,
                          enum tailbox__config_key key)
{
	uint64_t v;

	memcpy(&v, (const char *)c + tailbox__config_keys[key].at, sizeof(v));
	return v;
}

void tailbox__config_value(const struct tailbox__config *c,
                           enum tailbox__config_key key,
                           tailbox__config_put put, void *cls)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	const void *at = (const char *)c + k->at;
	char text[32] = "", quoted[40];

	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		put_cstr(put, cls, *(const bool *)at ? "true" : "false");
		return;
	case TAILBOX__CONFIG_COUNT:
		snprintf(text, sizeof(text), "%" PRIu64, number_at(c, key));
		put_cstr(put, cls, text);
		return;
	case TAILBOX__CONFIG_SIZE:
		tailbox__config_size_text(text, number_at(c, key));
		break;
	case TAILBOX__CONFIG_DURATION:
		tailbox__config_duration_text(text, number_at(c, key));
		break;
	case TAILBOX__CONFIG_MICROS:
		tailbox__config_micros_text(text, number_at(c, key));
		break;
	case TAILBOX__CONFIG_CHOICE:
		put_quoted(put, cls, k->choices[number_at(c, key)]);
		return;
	case TAILBOX__CONFIG_TEXT:
		put_quoted(put, cls, is_secret(key) ? "..." : at);
		return;
	case TAILBOX__CONFIG_LIST:
		put_list(at, put, cls);
		return;
	}
	snprintf(quoted, sizeof(quoted), "\"%s\"", text);
	put_cstr(put, cls, quoted);
}

/* --- all of it ---------------------------------------------------------- */

static void put_origin(const struct tailbox__config *c,
                       enum tailbox__config_key key, tailbox__config_put put,
                       void *cls)
{
	const struct tailbox__config_origin *o = &c->origin[key];
	char text[32];

	put_cstr(put, cls, "  # ");
	if (o->from == TAILBOX__FROM_FILE && o->line == 0) {
		put_cstr(put, cls, "default of the controller tables\n");
		return;
	}
	put_cstr(put, cls, tailbox__config_from_name(o->from));
	if (o->from == TAILBOX__FROM_FILE) {
		snprintf(text, sizeof(text), ", line %u", (unsigned)o->line);
		put_cstr(put, cls, text);
	}
	put(cls, "\n", 1);
}

static void show_one(const struct tailbox__config *c,
                     enum tailbox__config_key key, tailbox__config_put put,
                     void *cls)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];

	if (tailbox__config_is_unset(c, key)) {
		put_cstr(put, cls, "# ");
		put_cstr(put, cls, k->name);
		put_cstr(put, cls, ": ");
		put_cstr(put, cls, k->unset);
	} else {
		put_cstr(put, cls, k->name);
		put_cstr(put, cls, " = ");
		tailbox__config_value(c, key, put, cls);
	}
	put_origin(c, key, put, cls);
}

void tailbox__config_show(const struct tailbox__config *c,
                          tailbox__config_put put, void *cls)
{
	const char *table = "";

	if (c->file[0] != '\0') {
		put_cstr(put, cls, "# file: ");
		put_cstr(put, cls, c->file);
		put(cls, "\n", 1);
	}
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[i];

		if (strcmp(k->table, table) != 0) {
			table = k->table;
			put_cstr(put, cls, i > 0 || c->file[0] ? "\n[" : "[");
			put_cstr(put, cls, table);
			put_cstr(put, cls, "]\n");
		}
		show_one(c, i, put, cls);
	}
}

static void json_value(const struct tailbox__config *c,
                       enum tailbox__config_key key, struct tailbox__json *j)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	const void *at = (const char *)c + k->at;
	const struct tailbox__config_list *list = at;

	if (tailbox__config_is_unset(c, key) &&
	    k->type != TAILBOX__CONFIG_LIST) {
		tailbox__json_null(j);
		return;
	}
	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		tailbox__json_bool(j, *(const bool *)at);
		break;
	case TAILBOX__CONFIG_COUNT:
	case TAILBOX__CONFIG_SIZE:
	case TAILBOX__CONFIG_DURATION:
	case TAILBOX__CONFIG_MICROS:
		tailbox__json_u64(j, number_at(c, key));
		break;
	case TAILBOX__CONFIG_CHOICE:
		tailbox__json_cstr(j, k->choices[number_at(c, key)]);
		break;
	case TAILBOX__CONFIG_TEXT:
		tailbox__json_cstr(j, is_secret(key) ? "..." : at);
		break;
	case TAILBOX__CONFIG_LIST:
		tailbox__json_begin_array(j);
		for (uint32_t i = 0; i < list->count; i++)
			tailbox__json_cstr(j, list->items[i]);
		tailbox__json_end_array(j);
		break;
	}
}

void tailbox__config_json(const struct tailbox__config *c,
                          struct tailbox__json *j)
{
	char name[64];

	tailbox__json_begin_object(j);
	tailbox__json_key(j, "file");
	tailbox__json_cstr(j, c->file[0] != '\0' ? c->file : NULL);
	tailbox__json_key(j, "values");
	tailbox__json_begin_object(j);
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[i];
		const struct tailbox__config_origin *o = &c->origin[i];

		snprintf(name, sizeof(name), "%s.%s", k->table, k->name);
		tailbox__json_key(j, name);
		tailbox__json_begin_object(j);
		tailbox__json_key(j, "value");
		json_value(c, i, j);
		tailbox__json_key(j, "from");
		tailbox__json_cstr(j, tailbox__config_from_name(o->from));
		tailbox__json_key(j, "line");
		if (o->from == TAILBOX__FROM_FILE && o->line != 0)
			tailbox__json_u64(j, o->line);
		else
			tailbox__json_null(j);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_object(j);
	tailbox__json_end_object(j);
}

/* --- names of spec 10.6 ------------------------------------------------- */

bool tailbox__config_output_name(char *out, size_t size, const char *base,
                                 uint64_t id)
{
	const char *slash = strrchr(base, '/');
	const char *file = slash ? slash + 1 : base;
	const char *dot = strrchr(file, '.');
	const char *stem = file, *extension = "json";
	int stem_len, n;

	if (dot != NULL && dot != file) { /* ".name" is all stem */
		extension = dot + 1;
		stem_len = (int)(dot - file);
	} else {
		stem_len = (int)strlen(file);
	}
	if (stem_len == 0 || strcmp(file, "..") == 0 ||
	    strcmp(file, ".") == 0) {
		stem = "tailtriage-run";
		stem_len = (int)strlen(stem);
		extension = "json";
	}
	n = snprintf(out, size, "%.*s%.*s-generation-%" PRIu64 ".%s",
	             (int)(file - base), base, stem_len, stem, id, extension);
	return n > 0 && (size_t)n < size;
}
