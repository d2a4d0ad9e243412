/* core/kept.c - the tape's ring of rare requests, as its one writer sees it.
 *
 * SPDX-License-Identifier: MIT
 *
 * An entry is put together in memory of our own and then stored word by word,
 * as all that others read meanwhile. The checksum is for what no order of
 * stores can tell: a tape that was damaged at rest.
 */
#include "core/kept.h"

#include <string.h>
#include <zlib.h>

#include "core/recorder.h"

static uint64_t ring_bytes(const struct tailbox__tape *tape)
{
	return tape->header->rare_bytes - sizeof(*tape->rare);
}

static tailbox__a64 *word_at(struct tailbox__tape *tape, uint64_t place)
{
	char *ring = (char *)tape->rare + sizeof(*tape->rare);

	return (tailbox__a64 *)(void *)(ring + place % ring_bytes(tape));
}

/* Bytes of the entry there; one that cannot be is all that is left. */
static uint64_t entry_bytes(struct tailbox__tape *tape, uint64_t place,
                            uint64_t left)
{
	const uint64_t word = TAILBOX__GET(
	        *word_at(tape, place + offsetof(struct tailbox__kept, bytes)));
	const uint32_t bytes = (uint32_t)word;

	return bytes < sizeof(struct tailbox__kept) || bytes % 32 != 0 ||
	                       bytes > left
	               ? left
	               : bytes;
}

static void make_room(struct tailbox__tape *tape, uint64_t bytes)
{
	struct tailbox__rare *rare = tape->rare;
	const uint64_t next = TAILBOX__GET(rare->next);
	uint64_t first = TAILBOX__GET(rare->first), gone = 0;

	while (next - first + bytes > ring_bytes(tape)) {
		first += entry_bytes(tape, first, next - first);
		gone++;
	}
	if (gone == 0)
		return;
	TAILBOX__ADD(rare->overwritten, gone);
	/* Not a store: those of the entry may not be seen before it. */
	atomic_exchange_explicit(&rare->first, first, memory_order_acq_rel);
}

void tailbox__kept_put(struct tailbox__tape *tape,
                       const struct tailbox__kept_request *k)
{
	struct tailbox__rare *rare = tape->rare;
	const uint64_t next = TAILBOX__GET(rare->next);
	const size_t spans = k->span_count * sizeof(*k->spans);
	struct tailbox__kept head = {
		.magic = TAILBOX__KEPT_MAGIC,
		.at = next,
		.bytes = (uint32_t)(sizeof(head) + k->record_bytes + spans),
		.units = (uint16_t)(k->record_bytes / 64),
		.spans = (uint16_t)k->span_count,
		.cut_spans = k->cut_spans,
		.why = k->why,
	};
	char buf[TAILBOX__KEPT_BYTES_MAX];

	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), k->records, k->record_bytes);
	if (spans)
		memcpy(buf + sizeof(head) + k->record_bytes, k->spans, spans);
	head.checksum = (uint32_t)crc32_z(0, (const Bytef *)buf, head.bytes);
	memcpy(buf, &head, sizeof(head));
	make_room(tape, head.bytes);
	for (size_t at = 0; at < head.bytes; at += 8) {
		uint64_t word;
		memcpy(&word, buf + at, sizeof(word));
		TAILBOX__SET(*word_at(tape, next + at), word);
	}
	TAILBOX__ADD(rare->kept, 1);
	TAILBOX__ADD(rare->cut_spans, k->cut_spans);
	/* Pairs with the reader's look at it before the entry. */
	atomic_store_explicit(&rare->next, next + head.bytes,
	                      memory_order_release);
}

void tailbox__kept_status_of(const struct tailbox__tape *tape,
                             struct tailbox__kept_status *out)
{
	const struct tailbox__rare *rare = tape->rare;

	memset(out, 0, sizeof(*out));
	if (rare == NULL)
		return;
	*out = (struct tailbox__kept_status){
		.bytes = tape->header->rare_bytes,
		.slow_ns = tailbox__kept_slow_ns(
		        tailbox__scale_of_hz(tailbox__clock.hz),
		        TAILBOX__GET(rare->slow)),
		.kept = TAILBOX__GET(rare->kept),
		.overwritten = TAILBOX__GET(rare->overwritten),
		.passed_over = TAILBOX__GET(rare->passed_over),
		.cut_spans = TAILBOX__GET(rare->cut_spans),
	};
}
