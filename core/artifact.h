/* core/artifact.h - the native artifact, `.tailbox`: a run on disk.
 *
 * SPDX-License-Identifier: MIT
 *
 * The bytes are described in doc/format.md: a 64-byte header, then parts, each
 * with kind, length and CRC-32, little endian, then an end part. It is the
 * run's arrays as they are, so loading is reading and checking.
 */
#ifndef TAILBOX_CORE_ARTIFACT_H
#define TAILBOX_CORE_ARTIFACT_H 1

#include "core/run.h"

#define TAILBOX__ARTIFACT_MAGIC "TBXRUN\r\n" /* 8 bytes */
#define TAILBOX__ARTIFACT_VERSION 1u

/* Write the run to fd from its present position (blocking; any file). 0 or
 * -errno. What was written on failure is the caller's to remove. */
int tailbox__artifact_write(const struct tailbox__run *run, int fd);

/* Write to `folder/name` so that either the whole file or nothing is there:
 * temporary name, write, fsync, rename without replacing, fsync of the
 * folder. dirfd: the folder, open. 0, -EEXIST, or -errno; err says the step.
 * The temporary file is gone after a failure. */
int tailbox__artifact_place(const struct tailbox__run *run, int dirfd,
                            const char *name, struct tailbox__error *err);

/* The same in another form: run_json.h has one. */
typedef int tailbox__run_writer(const struct tailbox__run *run, int fd);
int tailbox__run_place(const struct tailbox__run *run,
                       tailbox__run_writer *write, int dirfd,
                       const char *name, struct tailbox__error *err);
/* The same for any small file that lies beside one. */
typedef int tailbox__file_writer(const void *cls, int fd);
int tailbox__file_place(tailbox__file_writer *write, const void *cls,
                        int dirfd, const char *name,
                        struct tailbox__error *err);

/* Load. fd is read from its present position to the end by read(), so pipes
 * work. *out is NULL on error. 0, -errno, -ENOMEM, -TAILBOX_EFOREIGN,
 * -TAILBOX_EVERSION, -TAILBOX_ETRUNCATED, -TAILBOX_EDAMAGED; err has the byte
 * offset. Everything is bounds-checked: any input is safe. */
int tailbox__artifact_read(int fd, struct tailbox__run **out,
                           struct tailbox__error *err);

/* The first bytes of a file: 1 when they are ours. len >= 8. */
int tailbox__artifact_is_ours(const void *bytes, size_t len);

/* Facts of the header without loading: number of requests and so on, for
 * lists. pread at 0. */
struct tailbox__artifact_info {
	uint64_t file_bytes;
	uint64_t requests;    /* retained */
	uint64_t started_ms, finalized_ms;
	uint32_t checksum;    /* over the checksums of all parts: for ETag */
};
int tailbox__artifact_info(int fd, struct tailbox__artifact_info *out,
                           struct tailbox__error *err);

#endif
