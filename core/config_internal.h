/* core/config_internal.h - what the files that read settings share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_CONFIG_INTERNAL_H
#define TAILBOX_CORE_CONFIG_INTERNAL_H 1

#include "core/config_file.h"
#include "core/toml.h"

/* Tables of a controller file. */
enum { TAILBOX__CONTROLLER_TABLES = 6, TAILBOX__CONTROLLER_KEYS = 16 };

struct tailbox__config_reader {
	struct tailbox__config *c; /* a copy, until the end */
	struct tailbox__config_report *report;
	/* Lines of the first table of each family; 0 = none. */
	uint32_t flat_line, controller_line;
	char flat_name[64];
	bool is_skipping; /* keys of a table that is not known */
	int list;         /* key whose elements come, -1 = none */
	uint32_t tables[TAILBOX__CONTROLLER_TABLES]; /* their lines */
	bool has_key[TAILBOX__CONTROLLER_KEYS];
};

/* Add to the report. */
void tailbox__config_say(struct tailbox__config_reader *r, bool is_warning,
                         const struct tailbox__toml_item *at, const char *fmt,
                         ...) __attribute__((format(printf, 4, 5)));

/* Take the value of an item for a key. False: it was wrong and is told. */
bool tailbox__config_take(struct tailbox__config_reader *r,
                          enum tailbox__config_key key,
                          const struct tailbox__toml_item *item);
/* Tell that it takes another type. False. */
bool tailbox__config_wrong_type(struct tailbox__config_reader *r,
                                enum tailbox__config_key key,
                                const struct tailbox__toml_item *item);
/* What is wrong with a text or an element for this key, in `why` (120
 * bytes); false: nothing is. Ranges of length are checked already. */
bool tailbox__config_is_wrong(enum tailbox__config_key key, const char *text,
                              size_t len, char *why);

/* config_flat.c. The first name of a path, when it is that of a flat table. */
const char *tailbox__config_flat_table(const char *path);
void tailbox__config_flat_item(struct tailbox__config_reader *r,
                               const struct tailbox__toml_item *item);
/* What no key can tell by itself. */
void tailbox__config_flat_end(struct tailbox__config_reader *r);

/* config_controller.c */
void tailbox__config_controller_begin(struct tailbox__config_reader *r);
void tailbox__config_controller_item(struct tailbox__config_reader *r,
                                     const struct tailbox__toml_item *item);
void tailbox__config_controller_end(struct tailbox__config_reader *r);
/* Whether path is `table` or in it. */
bool tailbox__config_is_in(const char *path, const char *table);

#endif
