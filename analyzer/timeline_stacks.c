/* analyzer/timeline_stacks.c - where held workers were.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/symbols.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"
#include "core/json_put.h"
#include "core/run_json.h"

enum { STACKS_SHOWN = 3, FRAMES_SHOWN = 8 };

/* The first frame of the stack; those of one follow each other. */
static size_t first_frame(const struct tailbox__run *run, size_t stack)
{
	size_t low = 0, high = run->frames.count;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;
		if (run->frames.items[mid].stack < stack)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void put_frames(const struct tailbox__run *run, size_t stack, FILE *out,
                       size_t width)
{
	const size_t first = first_frame(run, stack);
	size_t i = first;

	for (; i < run->frames.count && run->frames.items[i].stack == stack;
	     i++) {
		char text[TAILBOX__FRAME_ROOM];
		if (i - first == FRAMES_SHOWN) {
			fprintf(out, "%13s...\n", "");
			break;
		}
		tailbox__run_frame_text(text, sizeof(text), run,
		                        &run->frames.items[i]);
		fprintf(out, "%13s", "");
		tailbox__show_text(out, text, strlen(text),
		                   width > 13 ? width - 13 : 1);
		fputc('\n', out);
	}
}

static void put_stack(const struct tailbox__run *run, size_t stack, FILE *out,
                      size_t width)
{
	const struct tailbox__run_stack *s = &run->stacks.items[stack];
	char text[TAILBOX__SHOW_ROOM];
	size_t len;
	const char *route = tailbox__run_text(run, s->route, &len);

	fprintf(out, "%9s  ", s->held_us != TAILBOX__NONE
	                              ? tailbox__show_us(text, s->held_us)
	                              : "?");
	tailbox__show_padded(out, len ? route : "-", len ? len : 1, 28);
	if (s->worker != UINT32_MAX)
		fprintf(out, "  worker %" PRIu32, s->worker);
	if (s->at_us != TAILBOX__NONE)
		fprintf(out, " at +%s", tailbox__show_us(text, s->at_us));
	fputc('\n', out);
	put_frames(run, stack, out, width);
}

void tailbox__tl_put_stacks(const struct tailbox__run *run, FILE *out,
                            size_t width)
{
	const size_t n = run->stacks.count;

	if (!n)
		return;
	fprintf(out, "\nwhere held workers were, the last %s%zu\n",
	        n > STACKS_SHOWN ? "of " : "", n);
	for (size_t i = n > STACKS_SHOWN ? n - STACKS_SHOWN : 0; i < n; i++)
		put_stack(run, i, out, width);
}

void tailbox__tl_put_stacks_json(struct tailbox__json *j,
                                 const struct tailbox__run *run)
{
	const size_t n = run->stacks.count;
	const size_t from = n > STACKS_SHOWN ? n - STACKS_SHOWN : 0;

	put_num(j, "stacks", n);
	tailbox__json_key(j, "last_stacks");
	tailbox__json_begin_array(j);
	for (size_t i = from; i < n; i++)
		tailbox__run_json_stack(j, run, &run->stacks.items[i]);
	tailbox__json_end_array(j);
	tailbox__json_key(j, "last_stack_frames");
	tailbox__json_begin_array(j);
	for (size_t i = first_frame(run, from); i < run->frames.count; i++)
		tailbox__run_json_frame(j, run, &run->frames.items[i]);
	tailbox__json_end_array(j);
}
