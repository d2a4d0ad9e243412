/* core/config_take.c - one value for one key: type, range, look.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *kind_name(const struct tailbox__toml_item *item)
{
	switch (item->kind) {
	case TAILBOX__TOML_TABLE:
		return "a table";
	case TAILBOX__TOML_TEXT:
	case TAILBOX__TOML_ELEMENT:
		return "a text";
	case TAILBOX__TOML_INTEGER:
		return "a number";
	case TAILBOX__TOML_BOOL:
		return "a flag";
	case TAILBOX__TOML_ARRAY:
		return "an array";
	}
	return "";
}

bool tailbox__config_wrong_type(struct tailbox__config_reader *r,
                       enum tailbox__config_key key,
                       const struct tailbox__toml_item *item)
{
	const enum tailbox__config_type type = tailbox__config_keys[key].type;
	const bool lacks_unit = item->kind == TAILBOX__TOML_INTEGER &&
	                        (type == TAILBOX__CONFIG_SIZE ||
	                         type == TAILBOX__CONFIG_DURATION ||
	                         type == TAILBOX__CONFIG_MICROS);
	char takes[160];

	tailbox__config_takes(takes, sizeof(takes), key);
	tailbox__config_say(r, false, item, "%s is %s: it takes %s", item->path,
	                    lacks_unit ? "a number without a unit"
	                               : kind_name(item), takes);
	return false;
}

static bool out_of_range(struct tailbox__config_reader *r,
                         enum tailbox__config_key key,
                         const struct tailbox__toml_item *item,
                         const char *shown)
{
	char takes[160];

	tailbox__config_takes(takes, sizeof(takes), key);
	tailbox__config_say(r, false, item, "%s is %.40s: it takes %s",
	                    item->path, shown, takes);
	return false;
}

static bool take_count(struct tailbox__config_reader *r,
                       enum tailbox__config_key key,
                       const struct tailbox__toml_item *item, uint64_t *to)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	char shown[32];

	if (item->kind != TAILBOX__TOML_INTEGER)
		return tailbox__config_wrong_type(r, key, item);
	snprintf(shown, sizeof(shown), "%s%" PRIu64,
	         item->is_negative ? "-" : "", item->number);
	if (item->is_negative || item->number < k->min ||
	    item->number > k->max)
		return out_of_range(r, key, item, shown);
	*to = item->number;
	return true;
}

static bool take_unit(struct tailbox__config_reader *r,
                      enum tailbox__config_key key,
                      const struct tailbox__toml_item *item, uint64_t *to)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	bool (*const read)(const char *, uint64_t *, const char **) =
	        k->type == TAILBOX__CONFIG_SIZE     ? tailbox__config_size
	        : k->type == TAILBOX__CONFIG_MICROS ? tailbox__config_micros
	                                            : tailbox__config_duration;
	const char *why;
	uint64_t v;

	if (item->kind != TAILBOX__TOML_TEXT)
		return tailbox__config_wrong_type(r, key, item);
	if (!read(item->text, &v, &why)) {
		tailbox__config_say(r, false, item, "%s: \"%.40s\" %s",
		                    item->path, item->text, why);
		return false;
	}
	if ((v < k->min || v > k->max) &&
	    !(v == 0 && k->type == TAILBOX__CONFIG_MICROS))
		return out_of_range(r, key, item, item->text);
	*to = v;
	return true;
}

static bool take_choice(struct tailbox__config_reader *r,
                        enum tailbox__config_key key,
                        const struct tailbox__toml_item *item, uint64_t *to)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	char shown[48];

	if (item->kind != TAILBOX__TOML_TEXT)
		return tailbox__config_wrong_type(r, key, item);
	for (uint64_t i = 0; k->choices[i] != NULL; i++) {
		if (strcmp(k->choices[i], item->text) == 0) {
			*to = i;
			return true;
		}
	}
	snprintf(shown, sizeof(shown), "\"%.38s\"", item->text);
	return out_of_range(r, key, item, shown);
}

/* Length and look of a text. */
static bool text_is_good(struct tailbox__config_reader *r,
                         enum tailbox__config_key key,
                         const struct tailbox__toml_item *item, uint64_t min,
                         uint64_t max)
{
	char why[120];

	if (item->len < min || item->len > max) {
		tailbox__config_say(r, false, item,
		                    "%s has a text of %zu bytes: it takes %"
		                    PRIu64 " to %" PRIu64, item->path,
		                    item->len, min, max);
		return false;
	}
	if (!tailbox__config_is_wrong(key, item->text, item->len, why))
		return true;
	if (key == TAILBOX__KEY_ADMIN_TOKEN) /* not into a log */
		tailbox__config_say(r, false, item, "%s %s", item->path, why);
	else
		tailbox__config_say(r, false, item, "%s: \"%.60s\" %s",
		                    item->path, item->text, why);
	return false;
}

static bool take_text(struct tailbox__config_reader *r,
                      enum tailbox__config_key key,
                      const struct tailbox__toml_item *item, char *to)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];

	if (item->kind != TAILBOX__TOML_TEXT)
		return tailbox__config_wrong_type(r, key, item);
	if (!text_is_good(r, key, item, k->min, k->max))
		return false;
	memcpy(to, item->text, item->len + 1);
	return true;
}

static bool take_element(struct tailbox__config_reader *r,
                         enum tailbox__config_key key,
                         const struct tailbox__toml_item *item,
                         struct tailbox__config_list *list)
{
	if (!text_is_good(r, key, item, 1, TAILBOX__CONFIG_TEXT_MAX))
		return false;
	if (list->count >= TAILBOX__CONFIG_LIST_MAX) {
		tailbox__config_say(r, false, item,
		                    "%s has more than %u texts", item->path,
		                    TAILBOX__CONFIG_LIST_MAX);
		r->list = -1; /* said once */
		return false;
	}
	memcpy(list->items[list->count++], item->text, item->len + 1);
	return true;
}

static bool take_list(struct tailbox__config_reader *r,
                      enum tailbox__config_key key,
                      const struct tailbox__toml_item *item,
                      struct tailbox__config_list *list)
{
	if (item->kind == TAILBOX__TOML_ELEMENT)
		return take_element(r, key, item, list);
	if (item->kind != TAILBOX__TOML_ARRAY)
		return tailbox__config_wrong_type(r, key, item);
	memset(list, 0, sizeof(*list));
	r->list = (int)key;
	return true;
}

bool tailbox__config_take(struct tailbox__config_reader *r,
                          enum tailbox__config_key key,
                          const struct tailbox__toml_item *item)
{
	void *to = tailbox__config_at(r->c, key);
	bool ok = false;

	switch (tailbox__config_keys[key].type) {
	case TAILBOX__CONFIG_BOOL:
		if (item->kind != TAILBOX__TOML_BOOL)
			return tailbox__config_wrong_type(r, key, item);
		*(bool *)to = item->flag;
		ok = true;
		break;
	case TAILBOX__CONFIG_COUNT:
		ok = take_count(r, key, item, to);
		break;
	case TAILBOX__CONFIG_SIZE:
	case TAILBOX__CONFIG_DURATION:
	case TAILBOX__CONFIG_MICROS:
		ok = take_unit(r, key, item, to);
		break;
	case TAILBOX__CONFIG_CHOICE:
		ok = take_choice(r, key, item, to);
		break;
	case TAILBOX__CONFIG_TEXT:
		ok = take_text(r, key, item, to);
		break;
	case TAILBOX__CONFIG_LIST:
		ok = take_list(r, key, item, to);
		break;
	}
	if (ok && item->kind != TAILBOX__TOML_ELEMENT)
		r->c->origin[key] = (struct tailbox__config_origin){
			TAILBOX__FROM_FILE, item->line
		};
	return ok;
}
