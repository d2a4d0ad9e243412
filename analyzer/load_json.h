/* analyzer/load_json.h - what the files of the Run JSON loader share.
 *
 * SPDX-License-Identifier: MIT
 *
 * load_json.c follows the document, by the tables of load_shapes.c;
 * load_values.c stores its values; load_ext.c reads our own extensions;
 * load_fail.c words the errors.
 */
#ifndef TAILBOX_ANALYZER_LOAD_JSON_H
#define TAILBOX_ANALYZER_LOAD_JSON_H 1

#include "analyzer/json_in.h"
#include "analyzer/load_ahead.h"
#include "core/run.h"

enum tailbox__load_kind {
	TAILBOX__LOAD_U64,
	TAILBOX__LOAD_U32,
	TAILBOX__LOAD_STR,
	TAILBOX__LOAD_BOOL,
	TAILBOX__LOAD_NOT, /* bool; false sets the flag */
	TAILBOX__LOAD_MODE,
	TAILBOX__LOAD_REASON,
	TAILBOX__LOAD_OBJECT,  /* of `shape`, inside the same struct */
	TAILBOX__LOAD_ARRAY,   /* a list of objects of `shape` */
	TAILBOX__LOAD_STRINGS, /* a list of strings */
	TAILBOX__LOAD_EXT      /* `tailbox` */
};

/* Presence classes of spec/run-artifact.md section 1. N and O read alike. */
enum tailbox__load_class {
	TAILBOX__LOAD_REQUIRED,
	TAILBOX__LOAD_NULLABLE,
	TAILBOX__LOAD_DEFAULTED
};

struct tailbox__load_member {
	const char *name;
	uint8_t len, kind, class;
	uint16_t offset; /* of the value in the object's struct */
	uint16_t has;    /* offset of a bool "is there"; 0 = none */
	uint32_t flag;   /* flag bit "is there" (NOT: "is false"); 0 = none */
	const struct tailbox__load_shape *shape;
};

/* Whom a `tailbox` member extends. */
enum tailbox__load_owner {
	TAILBOX__LOAD_OF_NOTHING,
	TAILBOX__LOAD_OF_RUN,
	TAILBOX__LOAD_OF_METADATA,
	TAILBOX__LOAD_OF_REQUEST,
	TAILBOX__LOAD_OF_SPAN,
	TAILBOX__LOAD_OF_SNAPSHOT
};

struct tailbox__load_shape { /* of an object */
	const struct tailbox__load_member *members;
	uint8_t member_count;
	uint8_t owner;       /* enum tailbox__load_owner */
	uint16_t flags;      /* offset of its flags */
	uint16_t none;       /* offset of an integer that has no member and is
	                        to be "not known"; 0 = none */
	uint32_t item_bytes; /* as an element of an array */
};

extern const struct tailbox__load_shape tailbox__load_run_shape;

/* An unsigned 64-bit integer as it must stand in the input: digits only. */
bool tailbox__load_u64(const char *text, size_t len, uint64_t *out);
bool tailbox__load_is_utf8(const char *text, size_t len);

/* The reader of one `tailbox` member. Whatever is odd or unknown in there is
 * passed over. */
struct tailbox__load_ext {
	struct tailbox__run *run;
	enum tailbox__load_owner owner;
	unsigned level; /* 1 = in the member itself */
	uint64_t skip;  /* open containers that are passed over */
	const struct tailbox__ext_group *group;
	const struct tailbox__ext_group
		*inner; /* that the last key names, or NULL */
	char *base;     /* struct that fields are stored in */
	const struct tailbox__ext_field
		*field;   /* of the last key; NULL = unknown */
	int metric;       /* of the last key; -1 = none */
	tailbox__str key; /* the last key, where any key will do */
	uint32_t snapshot;
	size_t first_value;   /* in run->values, of this snapshot */
	size_t first_of_item; /* of a worker, pool or daemon */
	bool has_subject;
	uint32_t subject;
	bool is_tailbox; /* the last key names the `tailbox` of an item */
	bool is_inside;  /* which is read by: */
	struct tailbox__load_ext *inside;
};

/* The object that is the value has begun. item: the run_request or run_span
 * that is extended, which must stay where it is until the end. 0, -ENOMEM. */
int tailbox__load_ext_begin(struct tailbox__load_ext *x,
                            struct tailbox__run *run,
                            enum tailbox__load_owner owner, void *item);
/* 1 when this event closed the member, else 0, -ENOMEM. */
int tailbox__load_ext_event(struct tailbox__load_ext *x,
                            enum tailbox__json_event event, const char *text,
                            size_t len);

#define TAILBOX__LOAD_FRAMES                                                   \
	8u /* run, metadata, unfinished, sample, its element: 5 */

struct tailbox__frame {
	const struct tailbox__load_shape *shape; /* NULL: an array */
	/* Object: whose value comes next, NULL = skip it. Array: its own. */
	const struct tailbox__load_member *member;
	char *base;     /* the struct; of an array: the list */
	uint64_t count; /* array: elements so far */
	uint32_t seen;  /* object: bit per member */
	unsigned next;  /* object: where to look for the next key first */
};

struct tailbox__decoder {
	struct tailbox__run *run;
	struct tailbox__error *err;
	struct tailbox__load_ext ext; /* when ext.level > 0 */
	struct tailbox__load_ext inside; /* `tailbox` inside of it */
	struct tailbox__load_ahead ahead;
	uint64_t skip;                /* open containers of an unknown value */
	unsigned depth;
	struct tailbox__frame frames[TAILBOX__LOAD_FRAMES];
};

/* Put an error "PATH: what" in, and return code. */
int tailbox__load_fail(struct tailbox__decoder *d, int code, const char *what);
/* The value is not what the table wants. */
int tailbox__load_mismatch(struct tailbox__decoder *d);
int tailbox__load_bad_text(struct tailbox__decoder *d);
int tailbox__load_no_memory(struct tailbox__decoder *d);

/* What the next value is to be. */
enum tailbox__load_kind tailbox__load_wanted(const struct tailbox__decoder *d);
/* A value was stored: note that it is there. */
void tailbox__load_mark(const struct tailbox__frame *f);
/* Append to a TAILBOX__LIST of a type that only the table knows. */
void *tailbox__load_list_add(char *list, size_t item_bytes);
/* Take the last item off it. */
void tailbox__load_list_drop(char *list);
/* Of a new object: what may be absent is not known. */
void tailbox__load_nothing_known(const struct tailbox__load_shape *shape,
                                 char *base);
/* Store a string, number, boolean or null. */
int tailbox__load_scalar(struct tailbox__decoder *d,
                         enum tailbox__json_event event, const char *text,
                         size_t len);

#endif
