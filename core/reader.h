/* core/reader.h - read a tape, alive or dead, ours or another process's.
 *
 * SPDX-License-Identifier: MIT
 *
 * By pread into memory of our own, not by a mapping of its own: a reader cannot
 * disturb the writer and no race of theirs is ours. The writer's own process
 * may look into the mapping that it has anyway; see tailbox__reader_map(). A tape may be damaged or hostile:
 * every offset and count is checked. One thread per reader.
 */
#ifndef TAILBOX_CORE_READER_H
#define TAILBOX_CORE_READER_H 1

#include <stdbool.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/record.h"

struct tailbox__reader;

/* Open by descriptor (borrowed; it must stay open) or path. *out NULL on
 * error. -errno, -ENOMEM, -TAILBOX_EFOREIGN, -TAILBOX_EVERSION,
 * -TAILBOX_ETRUNCATED, -TAILBOX_EDAMAGED. */
int tailbox__reader_open_fd(int fd, struct tailbox__reader **out,
                            struct tailbox__error *err);
int tailbox__reader_open(const char *path, struct tailbox__reader **out,
                         struct tailbox__error *err);
void tailbox__reader_close(struct tailbox__reader *r); /* NULL allowed */
/* For the process that writes the tape: take records from its mapping, `bytes`
 * that stay mapped as long as the reader is used, in place of a pread or three
 * per block. All else is read as ever. */
void tailbox__reader_map(struct tailbox__reader *r, const void *tape,
                         uint64_t bytes);

/* The header as last read (atomics may be read as plain words), and read it
 * again. */
const struct tailbox__tape_header *
tailbox__reader_header(const struct tailbox__reader *r);
int tailbox__reader_refresh(struct tailbox__reader *r);

/* Clock: best scale known now (from both anchors when they are >= 50 ms
 * apart) and wall time of a tick in ns. */
struct tailbox__clock_scale
tailbox__reader_scale(const struct tailbox__reader *r);
uint64_t tailbox__reader_wall_ns(const struct tailbox__reader *r,
                                 uint64_t tick);
/* The writer's clock now, in its ticks: exact where the tape uses the TSC or
 * CLOCK_MONOTONIC of this same boot. 0 when it cannot be told. */
uint64_t tailbox__reader_now(const struct tailbox__reader *r);

/* Text of a name, "" for 0, "{damaged}" for what cannot be. Read once and
 * kept. Valid until close. Never NULL. *len may be NULL. */
const char *tailbox__reader_name(struct tailbox__reader *r, uint16_t name,
                                 size_t *len);

/* Slots and thread entries that were ever used, copied now. The arrays are
 * the reader's and valid until the next such call or close. A slot whose
 * words changed during the copy is read again; number of items or -errno. */
long tailbox__reader_slots(struct tailbox__reader *r,
                           const struct tailbox__slot **out);
long tailbox__reader_threads(struct tailbox__reader *r,
                             const struct tailbox__thread_entry **out);

/* Call `fn` for every run of records published since the last poll (all that
 * is still there at the first), in the order each block was written; blocks
 * of different threads come in no order. kind: enum tailbox__block_kind.
 * Records are good: those overwritten while being read are not handed out.
 * fn returns 0, or a value that ends the poll and is returned (what was not
 * handed out comes next time).
 * Returns 0, fn's value, or -errno. */
typedef int (*tailbox__records_fn)(void *cls, unsigned kind, uint32_t thread,
                                   const char *records, size_t bytes);
int tailbox__reader_poll(struct tailbox__reader *r, tailbox__records_fn fn,
                         void *cls);
/* By a reader that has read nothing yet: hand out what `ahead` has been handed
 * out so far and is still there, as the first poll would, and nothing else. So
 * who begins to listen to `ahead` now gets the past from here, and no record
 * twice or never. `ahead` is left as it is; r may only be closed or asked for
 * what is no record afterwards. */
int tailbox__reader_poll_past(struct tailbox__reader *r,
                              const struct tailbox__reader *ahead,
                              tailbox__records_fn fn, void *cls);
/* Start over: the next poll hands out all that is there. */
void tailbox__reader_rewind(struct tailbox__reader *r);

/* The tick since when every record that was written is still there: what ended
 * after it was not overwritten. 0 when it cannot be told. Looks at each block:
 * about 1 ms for 16 MiB. */
uint64_t tailbox__reader_whole_since(struct tailbox__reader *r);

/* Blocks that were recycled before they were read whole, in all. */
uint64_t tailbox__reader_lost_blocks(const struct tailbox__reader *r);

/* When the first block of the tickets first..last that is there was taken;
 * *before: blocks still there with older tickets. 0 when none is. */
uint64_t tailbox__reader_taken(struct tailbox__reader *r, uint64_t first,
                               uint64_t last, uint64_t *before);

/* What no writer leaves behind, met so far: heads of blocks and names that
 * cannot be. A tape has no checksums (it is written all the time), so this is
 * the damage that shows, not all there is. */
uint64_t tailbox__reader_damaged_blocks(const struct tailbox__reader *r);
uint64_t tailbox__reader_damaged_names(const struct tailbox__reader *r);

/* Ticks that a record can carry lie from the opening of the tape up to this:
 * a minute from now, where the clock is one of this boot, else an hour after
 * the last sign of life of the follower. After jumps of the clock all are possible. */
void tailbox__reader_range(const struct tailbox__reader *r, uint64_t *first,
                           uint64_t *last);
/* The last tick within the range that header, threads and slots name: when
 * the writer was seen last, but for its records. Reads slots and threads. */
uint64_t tailbox__reader_last_sign(struct tailbox__reader *r);

/* Sum over the thread entries of one counter: offset of the field. */
uint64_t tailbox__reader_sum(struct tailbox__reader *r, size_t field_offset);

/* What became of the writer. */
enum tailbox__writer_state {
	TAILBOX__WRITER_LIVE,
	TAILBOX__WRITER_STOPPED, /* lives, stopped by a signal or debugger */
	TAILBOX__WRITER_CLOSED,  /* ended in order */
	TAILBOX__WRITER_DEAD     /* open tape without its lock */
};
/* By end state and F_OFD_GETLK/F_GETLK on the file (never from inside the
 * writing process) and /proc/PID/stat: a lock of a process that began at
 * another time than the writer is somebody else's. */
enum tailbox__writer_state
tailbox__reader_writer(struct tailbox__reader *r);
/* The writer's process number as this process sees it: another one than the
 * header's where they are in different pid namespaces. 0 when there is no
 * writer (any longer) or it cannot be seen from here. */
uint32_t tailbox__reader_writer_pid(struct tailbox__reader *r);

#endif
