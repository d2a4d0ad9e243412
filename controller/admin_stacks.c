/* controller/admin_stacks.c - stacks of held workers in /status and /workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/admin_look.h"
#include "controller/admin_status.h"

/* Of a table's cell. */
#define CELL_FRAMES 3u

/* --- /workers ------------------------------------------------------------ */

static const char *name_of(const struct tailbox__look *l, uint16_t name)
{
	return tailbox__reader_name(l->r, name, NULL);
}

static void put_frame(struct tailbox__json *j, const struct tailbox__look *l,
                      uint64_t frame, bool is_guessed)
{
	char offset[24];

	snprintf(offset, sizeof(offset), "0x%" PRIx64,
	         tailbox__frame_offset(frame));
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "module",
	                        name_of(l, tailbox__frame_path(frame)));
	tailbox__admin_put_text(j, "build_id",
	                        name_of(l, tailbox__frame_build(frame)));
	tailbox__admin_put_text(j, "address", offset);
	tailbox__json_key(j, "guessed");
	tailbox__json_bool(j, is_guessed);
	tailbox__json_end_object(j);
}

void tailbox__look_put_stack(struct tailbox__json *j,
                             const struct tailbox__look *l, long thread,
                             uint64_t hold)
{
	struct tailbox__stack s;
	uint64_t tick;

	tailbox__json_key(j, "stack");
	if (thread < 0 ||
	    !tailbox__stack_of((uint32_t)thread, hold, &s, &tick)) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "age_us", tailbox__look_us(l, tick));
	tailbox__admin_put_text(j, "end", tailbox__stack_end_names[s.end]);
	tailbox__json_key(j, "frames");
	tailbox__json_begin_array(j);
	for (uint32_t i = 0; i < s.count; i++)
		put_frame(j, l, s.frame[i], s.guessed >> i & 1);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
}

void tailbox__look_add_stack(struct tailbox__text *t,
                             const struct tailbox__look *l, long thread,
                             uint64_t hold)
{
	struct tailbox__stack s;
	uint64_t tick;

	if (thread < 0 ||
	    !tailbox__stack_of((uint32_t)thread, hold, &s, &tick)) {
		tailbox__text_add(t, "-");
		return;
	}
	for (uint32_t i = 0; i < s.count && i < CELL_FRAMES; i++) {
		const char *path = name_of(l, tailbox__frame_path(s.frame[i]));
		const char *slash = strrchr(path, '/');
		tailbox__text_add(t, "%s%s%s+0x%" PRIx64, i ? " < " : "",
		                  s.guessed >> i & 1 ? "?" : "",
		                  slash ? slash + 1 : path,
		                  tailbox__frame_offset(s.frame[i]));
	}
	if (s.count > CELL_FRAMES)
		tailbox__text_add(t, " ...");
}

/* --- /status ------------------------------------------------------------- */

void tailbox__status_put_stacks(struct tailbox__json *j,
                                const struct tailbox__status *s)
{
	const struct tailbox__stack_status *k = &s->stacks;

	tailbox__json_key(j, "stacks");
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "signal", k->signal);
	tailbox__json_key(j, "on");
	tailbox__json_bool(j, k->is_on);
	tailbox__admin_put_text(j, "why_not", k->trouble);
	tailbox__admin_put_u64(j, "after_ms", k->is_on ? k->after_ms
	                                               : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "asked", k->asked);
	tailbox__admin_put_u64(j, "taken", k->taken);
	tailbox__admin_put_u64(j, "late", k->late);
	tailbox__admin_put_u64(j, "blocked", k->blocked);
	tailbox__admin_put_u64(j, "failed", k->failed);
	tailbox__json_end_object(j);
}

void tailbox__status_add_stacks(struct tailbox__text *t,
                                const struct tailbox__status *s)
{
	const struct tailbox__stack_status *k = &s->stacks;

	if (k->signal[0] == '\0')
		return;
	if (!k->is_on) {
		tailbox__text_add(t, "stacks\tnot by %s: %s\n", k->signal,
		                  k->trouble);
		return;
	}
	tailbox__text_add(t,
	                  "stacks\tby %s of a worker held for %" PRIu64
	                  " ms: %" PRIu64 " taken",
	                  k->signal, k->after_ms, k->taken);
	if (k->late)
		tailbox__text_add(t, ", %" PRIu64 " too late", k->late);
	if (k->blocked)
		tailbox__text_add(t, ", %" PRIu64 " not asked for: the thread "
		                  "blocks the signal", k->blocked);
	if (k->failed)
		tailbox__text_add(t, ", %" PRIu64 " FAILED", k->failed);
	tailbox__text_add(t, "\n");
}
