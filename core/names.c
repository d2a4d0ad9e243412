/* core/names.c - interned names: text once, numbers ever after.
 *
 * SPDX-License-Identifier: MIT
 *
 * The texts are on the tape, where every reader finds them; the hash table
 * that finds their numbers is private. Interning is lock-free: a number is
 * claimed, its text written, then it is offered to the table by one
 * compare-and-swap. Two threads that intern one text at once may both get a
 * number; readers compare texts, so that costs one entry and nothing else.
 *
 * Table and texts are of one crew, the present one when the call began: a
 * number of the table before would name a text that is being written.
 */
#include <string.h>

#include "core/internal.h"

/* Bytes of the UTF-8 sequence at s, 0 when it is not valid (overlong forms,
 * surrogates and what lies above U+10FFFF are not). */
static size_t sequence(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
	                                     : s[0] < 0xf0 ? 3
	                                     : s[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

size_t tailbox__clean_text(char *to, size_t room, const char *from, size_t len)
{
	size_t out = 0, n;

	for (size_t i = 0; i < len; i += n ? n : 1) {
		const unsigned char *s = (const unsigned char *)from + i;
		n = sequence(s, len - i);
		if (out + (n ? n : 1) > room)
			break;
		if (n == 0 || (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)))
			to[out++] = '?';
		else
			for (size_t k = 0; k < n; k++)
				to[out++] = (char)s[k];
	}
	return out;
}

uint64_t tailbox__name_hash(const char *text, size_t len)
{
	uint64_t h = tailbox__recorder.hash_seed;

	for (size_t i = 0; i < len; i++)
		h = tailbox__hash_step(h, (unsigned char)text[i]);
	return tailbox__hash_end(h);
}

static struct tailbox__name *name_at(struct tailbox__crew *c, uint64_t number)
{
	struct tailbox__tape_header *h = TAILBOX__GET(c->header);

	return (struct tailbox__name *)(void *)((char *)h + h->names_off) +
	       number;
}

static bool same(struct tailbox__crew *c, uint32_t number, uint64_t hash,
                 const char *text, size_t len)
{
	const struct tailbox__name *n = name_at(c, number);

	/* The table gave the number by acquire: the text is there. */
	return n->hash == hash && TAILBOX__GET(n->ready) == len + 1 &&
	       memcmp(n->text, text, len) == 0;
}

static uint16_t find(struct tailbox__crew *c, uint64_t hash, const char *text,
                     size_t len)
{
	uint32_t at = (uint32_t)hash % TAILBOX__NAMES_ROOM;

	for (;;) {
		/* Pairs with the release of offer(). */
		uint32_t number = atomic_load_explicit(&c->names[at],
		                                       memory_order_acquire);
		if (number == 0)
			return TAILBOX__NAME_NONE;
		if (same(c, number, hash, text, len))
			return (uint16_t)number;
		at = (at + 1) % TAILBOX__NAMES_ROOM;
	}
}

uint16_t tailbox__name_find(uint64_t hash, const char *text, size_t len)
{
	return find(tailbox__recorder.crew, hash, text, len);
}

static uint16_t offer(struct tailbox__crew *c, uint32_t number, uint64_t hash,
                      const char *text, size_t len)
{
	uint32_t at = (uint32_t)hash % TAILBOX__NAMES_ROOM;

	/* The table is twice as large as there are numbers: it ends. */
	for (;;) {
		uint32_t seen = 0;
		if (atomic_compare_exchange_strong_explicit(
		            &c->names[at], &seen, number, memory_order_acq_rel,
		            memory_order_acquire))
			return (uint16_t)number;
		if (same(c, seen, hash, text, len))
			return (uint16_t)seen;
		at = (at + 1) % TAILBOX__NAMES_ROOM;
	}
}

static uint16_t insert(struct tailbox__crew *c, uint64_t hash,
                       const char *text, size_t len)
{
	struct tailbox__tape_header *h = TAILBOX__GET(c->header);
	struct tailbox__name *n;
	uint64_t number = TAILBOX__GET(h->names_used);

	if (number < h->names_max)
		number = atomic_fetch_add_explicit(&h->names_used, 1,
		                                   memory_order_relaxed);
	if (number >= h->names_max) {
		tailbox__loss(TAILBOX__LOSS_NAMES);
		return TAILBOX__NAME_OTHER;
	}
	n = name_at(c, number);
	n->hash = hash;
	memcpy(n->text, text, len);
	n->text[len] = '\0';
	atomic_store_explicit(&n->ready, (uint32_t)len + 1,
	                      memory_order_release);
	return offer(c, (uint32_t)number, hash, text, len);
}

uint16_t tailbox__name(const char *text, size_t len)
{
	char clean[TAILBOX_NAME_MAX];
	struct tailbox__crew *c;
	uint64_t hash;
	uint16_t number;

	if (!tailbox__recorder_is_open())
		return TAILBOX__NAME_NONE;
	len = tailbox__clean_text(clean, sizeof(clean), text, len);
	if (len == 0)
		return TAILBOX__NAME_NONE;
	hash = tailbox__name_hash(clean, len);
	c = tailbox__recorder.crew;
	number = find(c, hash, clean, len);
	return number ? number : insert(c, hash, clean, len);
}

uint16_t tailbox__name_cstr(const char *text)
{
	return text ? tailbox__name(text, strnlen(text, 4096))
	            : TAILBOX__NAME_NONE;
}

void tailbox__names_open(struct tailbox__crew *c)
{
	static const char *const fixed[TAILBOX__NAME_FIXED] = {
		"", "{other}", "{unmatched}", "http", "mhd.ingress", "ok",
		"error", "timeout", "cancelled", "rejected"
	};
	struct tailbox__tape_header *h = TAILBOX__GET(c->header);

	for (uint32_t i = 0; i < TAILBOX__NAMES_ROOM; i++)
		TAILBOX__SET(c->names[i], 0);
	atomic_store(&h->names_used, 1);
	for (uint32_t i = 1; i < TAILBOX__NAME_FIXED; i++)
		insert(c, tailbox__name_hash(fixed[i], strlen(fixed[i])),
		       fixed[i], strlen(fixed[i]));
}
