/* core/run_strings.c - the string pool of a run: text to number and back.
 *
 * SPDX-License-Identifier: MIT
 *
 * Text lies in chunks that never move. `text` turns a number into a pointer;
 * `slots`, an open-addressing table with linear steps, turns text into a
 * number. A slot carries 32 bits of the hash beside the number: a new id, the
 * usual case in a large run, then costs one cache miss and no look at other
 * texts, and the table grows without reading any text.
 *
 * Invariants: number n was the n-th new text; no two texts are equal; at least
 * a quarter of the slots is free. A failed call changes nothing that shows.
 *
 * The hash is seeded per run, because ids come from clients: a fixed one lets
 * them choose ids that all collide. Nothing depends on the order in the table.
 */
#include "core/run_strings.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "core/alloc.h"
#include "core/tailbox.h"

enum {
	LENGTH_BYTES = sizeof(uint32_t),
	FRAME_BYTES = LENGTH_BYTES + 1, /* around each text */
	FIRST_SLOTS = 64,
	FIRST_TEXTS = 64,
	FIRST_CHUNK = 2048,
	LARGEST_CHUNK = 1 << 20,
	AHEAD = 32 /* texts */
};

static uint32_t length_of(const char *text)
{
	uint32_t len;
	memcpy(&len, text - LENGTH_BYTES, sizeof(len));
	return len;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9fb21c651e98df25u;
	return h ^ h >> 29;
}

static uint32_t hash_of(const struct tailbox__run_strings *s, const char *text,
                        size_t len)
{
	uint64_t h = s->seed ^ len;
	uint64_t word;

	for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		h = mix(h, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, text, len);
		h = mix(h, word);
	}
	h = mix(h, s->seed);
	return (uint32_t)(h >> 32);
}

static uint64_t slot_of(uint32_t hash, uint32_t number)
{
	return (uint64_t)hash << 32 | number;
}

/* The slot that holds the text, or the free one where it belongs. */
static uint64_t *find(const struct tailbox__run_strings *s, uint32_t hash,
                      const char *text, size_t len)
{
	for (size_t i = hash;; i++) {
		uint64_t *slot = &s->slots[i & s->slot_mask];
		if (!*slot)
			return slot;
		if ((uint32_t)(*slot >> 32) != hash)
			continue;
		const char *other = s->text[(uint32_t)*slot - 1];
		/* text may be NULL when len is 0. */
		if (length_of(other) == len &&
		    (!len || !memcmp(other, text, len)))
			return slot;
	}
}

/* Whether one more slot keeps a quarter free; else four times the slots at
 * first, later twice. */
static bool grow_slots(struct tailbox__run_strings *s)
{
	size_t have = s->slot_mask + 1;

	if (s->count + (size_t)1 <= have - have / 4)
		return true;
	size_t want = have < 65536 ? have * 4 : have * 2;
	uint64_t *slots = tailbox__zalloc(want, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < have; i++) {
		if (!s->slots[i])
			continue;
		size_t to = s->slots[i] >> 32;
		while (slots[to & (want - 1)])
			to++;
		slots[to & (want - 1)] = s->slots[i];
	}
	tailbox__free(s->slots);
	s->slots = slots;
	s->slot_mask = want - 1;
	return true;
}

static bool grow_texts(struct tailbox__run_strings *s)
{
	if (s->count < s->text_room)
		return true;
	if (s->count >= UINT32_MAX - 1)
		return false;
	uint32_t want = s->text_room > UINT32_MAX / 2 ? UINT32_MAX
	                                              : s->text_room * 2;
	const char **text =
	        tailbox__realloc(s->text, want, sizeof(*text));
	if (!text)
		return false;
	s->text = text;
	s->text_room = want;
	return true;
}

static void append_chunk(struct tailbox__run_strings *s,
                         struct tailbox__chunk *chunk)
{
	if (s->last)
		s->last->next = chunk;
	else
		s->first = chunk;
	s->last = chunk;
}

/* Room for `need` bytes at the end of the last chunk. The tail of the chunk
 * before is given up: it must stay in the order of the numbers. */
static bool grow_chunk(struct tailbox__run_strings *s, size_t need)
{
	const struct tailbox__chunk *last = s->last;

	if (last && last->room - last->used >= need)
		return true;
	size_t room = last ? last->room * 2 : FIRST_CHUNK;
	if (room > LARGEST_CHUNK)
		room = LARGEST_CHUNK;
	if (room < need)
		room = need;
	struct tailbox__chunk *chunk = tailbox__zalloc(1, sizeof(*chunk));
	if (!chunk)
		return false;
	chunk->bytes = tailbox__alloc(room, 1);
	if (!chunk->bytes) {
		tailbox__free(chunk);
		return false;
	}
	chunk->room = room;
	append_chunk(s, chunk);
	return true;
}

static const char *store(struct tailbox__run_strings *s, const char *text,
                         size_t len)
{
	struct tailbox__chunk *chunk = s->last;
	char *to = chunk->bytes + chunk->used;
	uint32_t stored = (uint32_t)len;

	memcpy(to, &stored, sizeof(stored));
	to += LENGTH_BYTES;
	if (len)
		memcpy(to, text, len);
	to[len] = '\0';
	chunk->used += len + FRAME_BYTES;
	s->bytes += len + FRAME_BYTES;
	return to;
}

uint32_t tailbox__strings_put(struct tailbox__run_strings *s, const char *text,
                              size_t len)
{
	if (len > TAILBOX__STR_MAX_BYTES)
		return 0;
	uint32_t hash = hash_of(s, text, len);
	uint64_t *slot = find(s, hash, text, len);
	if (*slot)
		return (uint32_t)*slot;

	size_t mask = s->slot_mask;
	if (!grow_slots(s) || !grow_texts(s) ||
	    !grow_chunk(s, len + FRAME_BYTES))
		return 0;
	if (s->slot_mask != mask)
		slot = find(s, hash, text, len);
	s->text[s->count++] = store(s, text, len);
	*slot = slot_of(hash, s->count);
	return s->count;
}

uint32_t tailbox__strings_find(const struct tailbox__run_strings *s,
                               const char *text, size_t len)
{
	return (uint32_t)*find(s, hash_of(s, text, len), text, len);
}

/* Count the texts of a foreign block; false with *at where it is wrong. */
static bool count_texts(const char *bytes, size_t len, size_t *count,
                        size_t *at)
{
	*count = 0;
	for (*at = 0; *at < len; ++*count) {
		uint32_t n;
		size_t left = len - *at;
		if (left < FRAME_BYTES)
			return false;
		memcpy(&n, bytes + *at, sizeof(n));
		if (n > left - FRAME_BYTES ||
		    bytes[*at + LENGTH_BYTES + n] != '\0')
			return false;
		*at += FRAME_BYTES + (size_t)n;
	}
	return true;
}

/* Tables for exactly `count` texts and the next few. */
static bool make_room(struct tailbox__run_strings *s, size_t count)
{
	size_t slots = FIRST_SLOTS;

	while (count + 1 > slots - slots / 4)
		slots *= 2;
	uint64_t *new_slots = tailbox__zalloc(slots, sizeof(*new_slots));
	if (!new_slots)
		return false;
	tailbox__free(s->slots);
	s->slots = new_slots;
	s->slot_mask = slots - 1;
	if (count <= s->text_room)
		return true;
	const char **text =
	        tailbox__realloc(s->text, count, sizeof(*text));
	if (!text)
		return false;
	s->text = text;
	s->text_room = (uint32_t)count;
	return true;
}

/* Put in the n texts behind those that are there. The place of each is asked
 * for before the first is looked at: in a large table every place is a wait
 * for memory, and so they overlap. */
static bool put_texts(struct tailbox__run_strings *s, const char *bytes,
                      size_t n, size_t *at)
{
	const char *texts[AHEAD];
	uint32_t hashes[AHEAD];
	size_t next = *at;

	for (size_t i = 0; i < n; i++) {
		texts[i] = bytes + next + LENGTH_BYTES;
		hashes[i] = hash_of(s, texts[i], length_of(texts[i]));
		__builtin_prefetch(&s->slots[hashes[i] & s->slot_mask], 1);
		next += FRAME_BYTES + (size_t)length_of(texts[i]);
	}
	for (size_t i = 0; i < n; i++) {
		const uint32_t len = length_of(texts[i]);
		uint64_t *slot = find(s, hashes[i], texts[i], len);
		if (*slot)
			return false;
		s->text[s->count++] = texts[i];
		*slot = slot_of(hashes[i], s->count);
		*at += FRAME_BYTES + (size_t)len;
	}
	return true;
}

int tailbox__strings_adopt(struct tailbox__run_strings *s, char *bytes,
                           size_t len, size_t *at)
{
	size_t count;

	if (!count_texts(bytes, len, &count, at) || count >= UINT32_MAX)
		return -TAILBOX_EDAMAGED;
	if (!make_room(s, count))
		return -ENOMEM;
	*at = 0;
	for (size_t left = count; left;) {
		const size_t n = left < AHEAD ? left : AHEAD;
		if (!put_texts(s, bytes, n, at))
			return -TAILBOX_EDAMAGED;
		left -= n;
	}
	struct tailbox__chunk *chunk = tailbox__zalloc(1, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	chunk->bytes = bytes;
	chunk->used = len;
	chunk->room = len;
	append_chunk(s, chunk);
	s->bytes = len;
	return 0;
}

static uint64_t new_seed(const void *salt)
{
	uint64_t seed;

	/* Without entropy the address is what is left to hide behind. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(seed))
		seed = (uint64_t)(uintptr_t)salt * 0xd6e8feb86659fd93u;
	return seed | 1;
}

struct tailbox__run_strings *tailbox__strings_create(void)
{
	struct tailbox__run_strings *s = tailbox__zalloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->text = tailbox__alloc(FIRST_TEXTS, sizeof(*s->text));
	s->slots = tailbox__zalloc(FIRST_SLOTS, sizeof(*s->slots));
	if (!s->text || !s->slots) {
		tailbox__strings_destroy(s);
		return NULL;
	}
	s->text_room = FIRST_TEXTS;
	s->slot_mask = FIRST_SLOTS - 1;
	s->seed = new_seed(s);
	return s;
}

void tailbox__strings_destroy(struct tailbox__run_strings *s)
{
	if (!s)
		return;
	for (struct tailbox__chunk *c = s->first, *next; c; c = next) {
		next = c->next;
		tailbox__free(c->bytes);
		tailbox__free(c);
	}
	tailbox__free(s->slots);
	tailbox__free(s->text);
	tailbox__free(s);
}
