/* analyzer/load_ext.h - the fields of our extension members.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_LOAD_EXT_H
#define TAILBOX_ANALYZER_LOAD_EXT_H 1

#include "analyzer/load_json.h"

struct tailbox__ext_field {
	const char *key;
	uint8_t type;
	uint8_t bytes; /* HEX; FLAG: its bit */
	uint16_t offset;
};

enum tailbox__ext_takes {
	TAILBOX__EXT_FIELDS,
	TAILBOX__EXT_ANY_PAIRS, /* of a key and a text or number */
	TAILBOX__EXT_ANY_STRINGS,
	TAILBOX__EXT_METRICS
};

/* Lists of the run that an array of FIELDS fills. */
enum {
	TAILBOX__EXT_OPEN,
	TAILBOX__EXT_HOLDS,
	TAILBOX__EXT_STACKS,
	TAILBOX__EXT_FRAMES,
	TAILBOX__EXT_KEPT_REQUESTS, /* from here on: of run->kept */
	TAILBOX__EXT_KEPT_STAGES,
	TAILBOX__EXT_KEPT_QUEUES
};

struct tailbox__ext_group { /* an object: the member itself, or one inside it */
	const char *key;    /* in the member; NULL = the member itself */
	uint8_t owner;
	uint8_t takes;
	uint8_t scope; /* METRICS: enum tailbox__scope */
	bool is_array; /* of such objects */
	uint8_t list;  /* FIELDS in an array: TAILBOX__EXT_OPEN ... */
	const struct tailbox__ext_field *fields;
	size_t field_count;
};

/* The group that a key of the owner names; key NULL: the member itself. NULL
 * when there is none. */
const struct tailbox__ext_group *
tailbox__ext_find_group(enum tailbox__load_owner owner, const char *key,
                        size_t len);
/* The field that a key of the group names, or NULL. */
const struct tailbox__ext_field *
tailbox__ext_find_field(const struct tailbox__ext_group *group, const char *key,
                        size_t len);

/* Store a value in the struct that has the field; what does not fit is passed
 * over. 0, -ENOMEM. */
int tailbox__ext_store_string(struct tailbox__run *run,
                              const struct tailbox__ext_field *f, char *base,
                              const char *text, size_t len);
void tailbox__ext_store_number(const struct tailbox__ext_field *f, char *base,
                               uint64_t value);
/* The value is `true` or `false`. */
void tailbox__ext_store_bool(const struct tailbox__ext_field *f, char *base,
                             bool value);

/* Intern; *out is 0 when it is not UTF-8. 0, -ENOMEM. */
int tailbox__ext_intern(struct tailbox__run *run, const char *text, size_t len,
                        tailbox__str *out);

#endif
