/* analyzer/json_in.h - JSON as a stream of events.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_JSON_IN_H
#define TAILBOX_ANALYZER_JSON_IN_H 1

#include <stddef.h>

#include "analyzer/load.h"

enum tailbox__json_event {
	TAILBOX__JSON_NULL,
	TAILBOX__JSON_FALSE,
	TAILBOX__JSON_TRUE,
	TAILBOX__JSON_NUMBER, /* text: as it stands in the input */
	TAILBOX__JSON_STRING, /* text: decoded; may hold NULs and, where the
	                         input does, bytes that are not UTF-8 */
	TAILBOX__JSON_KEY,    /* text: as for strings */
	TAILBOX__JSON_OBJECT,
	TAILBOX__JSON_OBJECT_END,
	TAILBOX__JSON_ARRAY,
	TAILBOX__JSON_ARRAY_END
};

/* text is valid during the call only and is not NUL-terminated. Return 0 to
 * go on, or a negative code after having put it into the error. */
typedef int (*tailbox__json_fn)(void *cls, enum tailbox__json_event event,
                                const char *text, size_t len);

/* After an object that is inside two other containers: take what follows of
 * it, in whole elements from comma to closing bracket, so that the parser goes
 * on behind them as if they had not been there. Returns the bytes taken. */
typedef size_t (*tailbox__json_ahead_fn)(void *cls, const char *text,
                                         size_t len);

/* Read one JSON document, by the syntax rules of spec/run-artifact.md section
 * 2, in pieces of 128 KiB. fn must refuse a document that is no object. Memory
 * does not depend on the size of the document but for its longest string and
 * its depth.
 * 0, what fn returned, what read_fn returned, -ENOMEM, -TAILBOX_EMALFORMED,
 * -TAILBOX_ETRUNCATED. err: never NULL. */
int tailbox__json_in(tailbox__read_fn read_fn, void *read_cls,
                     tailbox__json_fn fn, tailbox__json_ahead_fn ahead,
                     void *cls,
                     struct tailbox__error *err);

#endif
