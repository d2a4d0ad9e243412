/* core/reader_internal.h - what the two files of the reader share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_READER_INTERNAL_H
#define TAILBOX_CORE_READER_INTERNAL_H 1

#include "core/reader.h"

/* A block that may still give records. */
struct tailbox__followed {
	uint64_t ticket;
	uint32_t units;   /* read so far */
	uint8_t seen;     /* its head has carried this ticket */
	uint8_t looks;    /* times it was looked for in vain */
	uint8_t is_skip;  /* was busy under an older ticket */
};

struct tailbox__reader {
	int fd;
	bool owns_fd;
	bool first_poll;
	/* Only what this one has read is handed out; NULL = all. */
	const struct tailbox__reader *ahead;
	const char *map; /* the writer's own mapping; NULL = pread */
	uint64_t map_bytes;
	struct tailbox__tape_header header;
	struct {
		char text[112];
		uint8_t len;
	} *names;
	struct tailbox__slot *slots;
	struct tailbox__thread_entry *threads;
	uint64_t next_ticket; /* tickets up to here are in `follow` or done */
	struct {
		struct tailbox__followed *items;
		size_t count, room;
	} follow;
	uint64_t lost_blocks;
	uint64_t damaged_blocks, damaged_names, damaged_kept; /* met so far */
	_Alignas(8) char buf[TAILBOX__BLOCK_MOST];
};

/* Exactly `bytes` at offset. 0, -errno, -TAILBOX_ETRUNCATED. */
int tailbox__reader_at(struct tailbox__reader *r, void *to, size_t bytes,
                       uint64_t offset);

#endif
