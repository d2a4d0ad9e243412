/* core/folder.h - the artifact folder, and the names in it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Of the controller, and of `tailbox recover`, which places crash artifacts in
 * the same way.
 */
#ifndef TAILBOX_CORE_FOLDER_H
#define TAILBOX_CORE_FOLDER_H 1

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/run.h"

#define TAILBOX__ARTIFACT_SUFFIX ".tailbox"
#define TAILBOX__PART_SUFFIX ".part"
/* Of a file on its way to its name; that begins with a dot. */
#define TAILBOX__TEMPORARY_SUFFIX ".tmp"

enum tailbox__artifact_kind {
	TAILBOX__ARTIFACT_WINDOW,   /* 1, 2, ...: the window's number */
	TAILBOX__ARTIFACT_SNAPSHOT, /* s1, s2, ... */
	TAILBOX__ARTIFACT_CRASH,    /* c1, c2, ... */
	TAILBOX__ARTIFACT_KINDS
};
/* "window", "snapshot", "crash". */
const char *tailbox__artifact_kind_name(enum tailbox__artifact_kind kind);

/* What a name consists of, but for the service. */
struct tailbox__artifact_key {
	enum tailbox__artifact_kind kind;
	uint64_t second, id; /* since 1970; from 1, each kind its own */
};
enum { TAILBOX__ARTIFACT_ID_BYTES = 24 };
/* "3", "s1", "c1". Returns text. */
char *tailbox__artifact_id(char text[TAILBOX__ARTIFACT_ID_BYTES],
                           const struct tailbox__artifact_key *key);

enum { TAILBOX__FILE_NAME_BYTES = 272 };

/* Open the artifact folder, created when missing. Descriptor or -errno. */
int tailbox__folder_open(const char *path, struct tailbox__error *err);
/* SERVICE-YYYYMMDDTHHMMSSZ-ID. */
void tailbox__folder_name(char name[256], const char *service,
                          const struct tailbox__artifact_key *key);
/* What a name tells; false when it is not exactly one of `service`. */
bool tailbox__folder_parse(const char *service, const char *name,
                           struct tailbox__artifact_key *key);
/* Take a name that was never used: key->second is moved on while it is taken.
 * Of a crash with id 0 the id is the next one of the folder: those are counted
 * on from process to process, and looked up by it. Creates NAME.part. Its
 * descriptor, which holds a lock that says that the file is wanted, or -errno. */
int tailbox__folder_reserve(const char *path, const char *service,
                            struct tailbox__artifact_key *key, char name[256],
                            struct tailbox__error *err);
/* NAME and a suffix; false when it is too long. */
bool tailbox__folder_file(char out[TAILBOX__FILE_NAME_BYTES], const char *name,
                          const char *suffix);
bool tailbox__folder_is_char(char c); /* of a name */
/* Of an id that begins so. */
enum tailbox__artifact_kind tailbox__folder_kind(char letter);
void tailbox__folder_remove_part(const char *path, const char *name);
/* folder_sweep.c. Remove what killed processes of the service left half done:
 * the number of files; bytes: their size. */
unsigned tailbox__folder_sweep(int dirfd, const char *service, uint64_t *bytes);
/* The service as it stands in names: only [A-Za-z0-9._-], no leading dot. */
void tailbox__folder_service(char out[64], const char *service);

/* Place a run as crash artifact in the folder `path`: reserve, write, fsync,
 * rename, fsync of the folder. key: kind CRASH, the second, id 0; filled in.
 * 0 or -errno; err says why, and nothing is left behind. */
int tailbox__folder_place_crash(const struct tailbox__run *run,
                                const char *path, const char *service,
                                struct tailbox__artifact_key *key,
                                char name[256], struct tailbox__error *err);

#endif
