/* core/artifact_format.h - the bytes of the native artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * Inside core/artifact*.c and their tests. doc/format.md describes the same
 * for readers who do not read C. Everything is in the byte order of the
 * machine that wrote it, and the header says which; all machines we run on are
 * little endian. Arrays are dumped as they lie in memory, so the asserts below
 * are the format: a compiler that lays a struct out otherwise must not build.
 */
#ifndef TAILBOX_CORE_ARTIFACT_FORMAT_H
#define TAILBOX_CORE_ARTIFACT_FORMAT_H 1

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/artifact.h"

#define TAILBOX__BYTE_ORDER 0x01020304u

/* Four letters in file order (little endian). */
#define TAILBOX__KIND(a, b, c, d)                                              \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 |            \
	 (uint32_t)(d) << 24)

#define TAILBOX__PART_META TAILBOX__KIND('M', 'E', 'T', 'A')
#define TAILBOX__PART_STRINGS TAILBOX__KIND('S', 'T', 'R', 'S')
#define TAILBOX__PART_END TAILBOX__KIND('E', 'N', 'D', '.')

/* The arrays: X(kind, member of struct tailbox__run, item bytes). Written in
 * this order, empty ones left out; read in any order. */
#define TAILBOX__ARTIFACT_LISTS(X)                                             \
	X(TAILBOX__KIND('E', 'X', 'T', 'R'), meta.extra, 16)                   \
	X(TAILBOX__KIND('W', 'A', 'R', 'N'), meta.warnings, 4)                 \
	X(TAILBOX__KIND('U', 'N', 'F', 'I'), meta.unfinished, 8)               \
	X(TAILBOX__KIND('R', 'E', 'Q', 'S'), requests, 64)                     \
	X(TAILBOX__KIND('R', 'E', 'X', 'T'), ext, 192)                         \
	X(TAILBOX__KIND('S', 'T', 'A', 'G'), stages, 64)                       \
	X(TAILBOX__KIND('Q', 'U', 'E', 'U'), queues, 64)                       \
	X(TAILBOX__KIND('G', 'A', 'U', 'G'), inflight, 32)                     \
	X(TAILBOX__KIND('S', 'N', 'A', 'P'), snapshots, 64)                    \
	X(TAILBOX__KIND('V', 'A', 'L', 'S'), values, 24)                       \
	X(TAILBOX__KIND('O', 'P', 'E', 'N'), open, 64)                         \
	X(TAILBOX__KIND('H', 'O', 'L', 'D'), holds, 40)                        \
	X(TAILBOX__KIND('S', 'T', 'A', 'K'), stacks, 40)                       \
	X(TAILBOX__KIND('F', 'R', 'A', 'M'), frames, 40)

/* The same of run->kept. */
#define TAILBOX__ARTIFACT_KEPT_LISTS(X)                                        \
	X(TAILBOX__KIND('K', 'R', 'E', 'Q'), requests, 64)                     \
	X(TAILBOX__KIND('K', 'E', 'X', 'T'), ext, 192)                         \
	X(TAILBOX__KIND('K', 'S', 'T', 'G'), stages, 64)                       \
	X(TAILBOX__KIND('K', 'Q', 'U', 'E'), queues, 64)

#define TAILBOX__ARTIFACT_LIST_COUNT 18u
/* REXT before it had the content reader's time. */
#define TAILBOX__ARTIFACT_OLDER_EXT 184u

/* Every list of a run has this layout; copied in and out as bytes, because
 * their types differ. */
struct tailbox__any_list {
	void *items;
	size_t count, room;
};

struct tailbox__artifact_list {
	uint32_t kind, item_bytes;
	uint32_t older_bytes; /* what items of an older version have; the rest
	                         of them is not known */
	size_t offset; /* in struct tailbox__run */
	bool is_kept;  /* of run->kept */
};

extern const struct tailbox__artifact_list
        tailbox__artifact_lists[TAILBOX__ARTIFACT_LIST_COUNT];
/* List i of the run: an empty one where it has no kept requests. */
struct tailbox__any_list
tailbox__artifact_list_of(const struct tailbox__run *run, size_t i);

/* The first 64 bytes. They keep their meaning in every version. */
struct tailbox__artifact_header {
	char magic[8];
	uint32_t byte_order;
	uint32_t version;
	uint64_t file_bytes;
	uint64_t requests;
	uint64_t started_ms, finalized_ms;
	uint8_t reserved[12]; /* 0 */
	uint32_t checksum;    /* CRC-32 of the bytes before */
};

struct tailbox__artifact_part {
	uint32_t kind;
	uint32_t item_bytes; /* of an array; 0 for other parts */
	uint64_t bytes;      /* that follow this head */
	uint32_t checksum;   /* CRC-32 of this head with 0 here, then of them */
	uint32_t reserved;   /* 0 */
};

struct tailbox__artifact_meta {
	tailbox__str run_id, service_name, service_version, host;
	uint64_t schema_version;
	uint64_t started_ms, finalized_ms;
	uint32_t mode, end_reason;
	uint32_t has_pid, pid;
	uint32_t has_core, core_mode, strict_lifecycle, limits_hit;
	uint64_t max_requests, max_stages, max_queues;
	uint64_t max_inflight_snapshots, max_runtime_snapshots;
	uint32_t has_sampler, inherited_mode, has_override, override_mode;
	uint32_t resolved_mode, reserved;
	uint64_t cadence_ms, retention;
	uint64_t unfinished_count;
	uint64_t dropped_requests, dropped_stages, dropped_queues;
	uint64_t dropped_inflight_snapshots, dropped_runtime_snapshots;
};

struct tailbox__artifact_end {
	uint64_t file_bytes; /* all of them, this part included */
	uint32_t parts;      /* before this one */
	uint32_t checksum;   /* CRC-32 of the checksums of the header and of
	                        those parts, in file order */
};

/* Sums over the file, kept by writer and reader alike. */
struct tailbox__artifact_totals {
	uint32_t parts;
	uint32_t checksum;
};

void tailbox__artifact_count(struct tailbox__artifact_totals *t,
                             uint32_t checksum);
/* CRC-32 of a head, to be continued over what follows. */
uint32_t tailbox__artifact_head_crc(struct tailbox__artifact_part head);
/* CRC-32 of a header without its checksum. */
uint32_t
tailbox__artifact_header_crc(const struct tailbox__artifact_header *h);

void tailbox__artifact_put_meta(const struct tailbox__run *run,
                                struct tailbox__artifact_meta *disk);
/* All but the lists of run->meta, which have parts of their own. 0, or
 * -TAILBOX_EDAMAGED when a value is out of its range; strings are not
 * checked here. */
int tailbox__artifact_get_meta(struct tailbox__run *run,
                               const struct tailbox__artifact_meta *disk);

/* Check the first `have` bytes of a file (have may be less than 64). 0 or
 * -TAILBOX_E...; err has the offset. */
int tailbox__artifact_check_header(const struct tailbox__artifact_header *h,
                                   size_t have, struct tailbox__error *err);
/* Check every number in the run that points somewhere or is one of a few.
 * at: for each list, the byte offset of its first item. Values of metrics
 * that this version does not know are removed. 0, -ENOMEM,
 * -TAILBOX_EDAMAGED. */
int tailbox__artifact_check_run(
        struct tailbox__run *run,
        const uint64_t at[TAILBOX__ARTIFACT_LIST_COUNT],
        struct tailbox__error *err);
/* tailbox__fail() with a byte offset. */
int tailbox__artifact_fail(struct tailbox__error *err, int code,
                           uint64_t offset, const char *what);

#define TAILBOX__AT(type, member, want)                                        \
	static_assert(offsetof(struct tailbox__##type, member) == (want),      \
	              #type "." #member)

#define TAILBOX__X(kind, member, bytes)                                        \
	static_assert(sizeof(*((struct tailbox__run *)0)->member.items) ==     \
	                      (bytes),                                         \
	              #member);                                                \
	static_assert(sizeof(((struct tailbox__run *)0)->member) ==            \
	                      sizeof(struct tailbox__any_list),                \
	              #member);
TAILBOX__ARTIFACT_LISTS(TAILBOX__X)
#undef TAILBOX__X

static_assert(sizeof(struct tailbox__artifact_header) == 64, "header");
static_assert(sizeof(struct tailbox__artifact_part) == 24, "part");
static_assert(sizeof(struct tailbox__artifact_meta) == 200, "meta");
static_assert(sizeof(struct tailbox__artifact_end) == 16, "end");

TAILBOX__AT(run_request, outcome, 12);
TAILBOX__AT(run_request, start_ms, 16);
TAILBOX__AT(run_request, latency_us, 48);
TAILBOX__AT(run_request, flags, 56);
TAILBOX__AT(run_request, ext, 60);
TAILBOX__AT(run_ext, phase_ns, 32);
TAILBOX__AT(run_ext, holder_number, 88);
TAILBOX__AT(run_ext, trace_id, 104);
TAILBOX__AT(run_ext, parent_id, 120);
TAILBOX__AT(run_ext, trace_flags, 128);
TAILBOX__AT(run_ext, termination, 129);
TAILBOX__AT(run_ext, ext_flags, 130);
TAILBOX__AT(run_ext, status, 132);
TAILBOX__AT(run_ext, daemon, 134);
TAILBOX__AT(run_ext, worker, 136);
TAILBOX__AT(run_ext, holder_route, 144);
TAILBOX__AT(run_ext, tag_key, 148);
TAILBOX__AT(run_ext, tag_value, 164);
TAILBOX__AT(run_span, start_ms, 8);
TAILBOX__AT(run_span, dur_us, 40);
TAILBOX__AT(run_span, depth, 48);
TAILBOX__AT(run_span, flags, 56);
TAILBOX__AT(run_span, site, 60);
TAILBOX__AT(run_gauge, at_ms, 8);
TAILBOX__AT(run_gauge, count, 24);
TAILBOX__AT(run_snapshot, alive_tasks, 16);
TAILBOX__AT(run_snapshot, worker_count, 56);
TAILBOX__AT(run_snapshot, flags, 60);
TAILBOX__AT(run_value, metric, 4);
TAILBOX__AT(run_value, subject, 8);
TAILBOX__AT(run_value, value, 16);
TAILBOX__AT(run_open, start_us, 8);
TAILBOX__AT(run_open, where, 32);
TAILBOX__AT(run_open, worker, 40);
TAILBOX__AT(run_open, phase, 44);
TAILBOX__AT(run_open, where_kind, 45);
TAILBOX__AT(run_open, flags, 46);
TAILBOX__AT(run_open, phase_since_us, 48);
TAILBOX__AT(run_open, connection, 56);
TAILBOX__AT(run_hold, start_us, 8);
TAILBOX__AT(run_hold, number, 24);
TAILBOX__AT(run_hold, worker, 32);
TAILBOX__AT(run_hold, kind, 36);
TAILBOX__AT(run_stack, at_us, 8);
TAILBOX__AT(run_stack, number, 24);
TAILBOX__AT(run_stack, worker, 32);
TAILBOX__AT(run_stack, kind, 36);
TAILBOX__AT(run_stack, end, 37);
TAILBOX__AT(run_frame, function, 12);
TAILBOX__AT(run_frame, offset, 16);
TAILBOX__AT(run_frame, function_offset, 24);
TAILBOX__AT(run_frame, flags, 32);
TAILBOX__AT(run_pair, number, 8);
#undef TAILBOX__AT

#endif
