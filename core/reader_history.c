/* core/reader_history.c - how far back a tape reaches without a gap.
 *
 * SPDX-License-Identifier: MIT
 *
 * Blocks are recycled oldest ticket first, and a block that is still being
 * written is skipped. So a retired block whose ticket is within the last round
 * shows that all those taken after it are there, too: the oldest of them says
 * since when. A block in use may be far older (its thread has little to say)
 * and shows nothing of the others.
 */
#include <stddef.h>

#include "core/reader_internal.h"

uint64_t tailbox__reader_whole_since(struct tailbox__reader *r)
{
	const struct tailbox__tape_header *h = &r->header;
	uint64_t last = 0, since = 0, oldest = UINT64_MAX;
	struct {
		uint64_t head, pub, thread, first_tick;
	} b;

	if (tailbox__reader_at(r, &last, sizeof(last),
	                       offsetof(struct tailbox__tape_header,
	                                next_ticket)) != 0)
		return 0;
	if (last < h->blocks_max) /* ticket 0 is never given */
		return h->anchor_tick;
	for (uint32_t i = 0; i < h->blocks_max; i++) {
		if (tailbox__reader_at(r, &b, sizeof(b),
		                       h->blocks_off +
		                               (uint64_t)i * h->block_bytes) !=
		    0)
			break;
		const uint64_t ticket = TAILBOX__HEAD_TICKET(b.head);
		if (ticket == 0 || TAILBOX__HEAD_ACTIVE(b.head) ||
		    ticket + h->blocks_max <= last || ticket >= oldest)
			continue;
		oldest = ticket;
		since = b.first_tick;
	}
	return since;
}
