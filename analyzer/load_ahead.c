/* analyzer/load_ahead.c - read elements that are like the ones before.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nearly all of a large Run JSON are elements of `requests`, `stages` and
 * `queues`, written by one program in one layout. yajl with the filter before
 * it reads 150 MB/s of that (doc/numbers.md), and 350 are promised. So after
 * each element that it has read, this looks whether the next ones are plain,
 * and if so stores them itself: whole, with known members only, integers of at
 * most 19 digits, strings without an escape. Whatever is different is left
 * alone, and the parser, which never knows that something was taken, reads it
 * or says what is wrong. So this decides nothing: where it could be mistaken
 * it gives up, and no error comes from here.
 *
 * An element that is given up half-way is taken back. Strings that it put into
 * the pool stay; the parser puts them there again.
 *
 * What stands between two values is remembered. Where the same bytes stand
 * after the same member again they mean the same, so one comparison takes the
 * place of six tokens. Any layout will do, and a change of it is learned.
 *
 * Reads run past what they look for, up to MARGIN bytes, instead of asking for
 * the end at each byte; nearer to the end nothing is taken.
 */
#include "analyzer/load_ahead.h"

#include <string.h>

#include "analyzer/load_json.h"

#define MARGIN (2 * TAILBOX__AHEAD_GAP)
#define END_OF_OBJECT UINT8_MAX
#define EXT_DEPTH 8u

_Static_assert(TAILBOX__AHEAD_MEMBERS < 32, "a bit per member");

struct element {
	struct tailbox__decoder *d;
	const struct tailbox__load_shape *shape;
	char *base;        /* the struct */
	const char *limit; /* MARGIN before the end of the text */
	uint32_t seen;     /* bit per member */
};

/* --- tokens: each gives where it ends, or NULL --------------------------- */

static const char *pass_space(const char *p, const char *limit)
{
	while (p < limit &&
	       (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p < limit ? p : NULL;
}

/* Space, one character, space. */
static const char *pass_mark(const char *p, const char *limit, char mark)
{
	p = pass_space(p, limit);
	return p && *p == mark ? pass_space(p + 1, limit) : NULL;
}

/* Whether a byte of the word is a quote, a backslash or below 0x20. May be
 * wrong about bytes behind the first that is, never about that there is one. */
static uint64_t odd_bytes(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
	const uint64_t quote = word ^ ones * '"';
	const uint64_t slash = word ^ ones * '\\';

	return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
	        ((word - ones * 0x20) & ~word)) &
	       high;
}

/* p: after the opening quote. Gives the closing one. */
static const char *find_quote(const char *p, const char *limit)
{
	while (p < limit) {
		uint64_t word, odd;

		memcpy(&word, p, sizeof(word));
		odd = odd_bytes(word);
		if (odd) {
			p += __builtin_ctzll(odd) / 8;
			return *p == '"' ? p : NULL;
		}
		p += sizeof(word);
	}
	return NULL;
}

static const char *take_integer(const char *p, uint64_t *out)
{
	const char *begin = p;
	uint64_t value = 0;
	unsigned digit;

	while ((digit = (unsigned)*p - '0') <= 9) {
		value = value * 10 + digit;
		p++;
		if (p - begin > 19)
			return NULL;
	}
	if (p == begin || (*begin == '0' && p - begin > 1))
		return NULL;
	*out = value;
	return p;
}

static const char *take_word(const char *p, const char *word, size_t len)
{
	return memcmp(p, word, len) == 0 ? p + len : NULL;
}

/* --- between values ------------------------------------------------------ */

static bool is_gap(const struct tailbox__gap *g, const char *p)
{
	uint64_t differ = 0, a, b;
	unsigned i = 0;

	for (; i + 8 <= g->len; i += 8) {
		memcpy(&a, g->bytes + i, sizeof(a));
		memcpy(&b, p + i, sizeof(b));
		differ |= a ^ b;
	}
	if (i < g->len) {
		memcpy(&a, g->bytes + i, sizeof(a));
		memcpy(&b, p + i, sizeof(b));
		differ |= (a ^ b) << 8 * (8 - (g->len - i));
	}
	return differ == 0 && g->len > 0;
}

static void learn(struct tailbox__gap *g, const char *from, const char *to,
                  uint8_t next)
{
	const size_t len = (size_t)(to - from);

	g->len = 0;
	if (len > TAILBOX__AHEAD_GAP)
		return;
	memset(g->bytes, 0, sizeof(g->bytes));
	memcpy(g->bytes, from, len);
	g->len = (uint8_t)len;
	g->next = next;
}

/* The name of a member, its colon and the space behind. */
static const char *take_name(const struct element *e, const char *p,
                             uint8_t *next)
{
	const char *end = *p == '"' ? find_quote(p + 1, e->limit) : NULL;
	size_t len;

	if (!end)
		return NULL;
	p++;
	len = (size_t)(end - p);
	for (uint8_t i = 0; i < e->shape->member_count; i++) {
		const struct tailbox__load_member *m = &e->shape->members[i];

		if (m->len != len || memcmp(m->name, p, len) != 0)
			continue;
		*next = i;
		return pass_mark(end + 1, e->limit, ':');
	}
	return NULL;
}

/* From the end of a value to the next one, or to the end of the object. */
static const char *take_gap(const struct element *e, struct tailbox__gap *g,
                            const char *p, uint8_t *next)
{
	const char *from = p;

	if (p >= e->limit)
		return NULL;
	if (is_gap(g, p)) {
		*next = g->next;
		return p + g->len;
	}
	p = pass_space(p, e->limit);
	if (p && *p == '}') {
		*next = END_OF_OBJECT;
		p++;
	} else {
		p = p ? pass_mark(p, e->limit, ',') : NULL;
		p = p ? take_name(e, p, next) : NULL;
	}
	if (p)
		learn(g, from, p, *next);
	return p;
}

/* From the end of an element to the first value of the next one. */
static const char *take_begin(const struct element *e, const char *p,
                              uint8_t *next)
{
	struct tailbox__gap *g = &e->d->ahead.begin;
	const char *from = p;

	if (p >= e->limit)
		return NULL;
	if (is_gap(g, p)) {
		*next = g->next;
		return p + g->len;
	}
	p = pass_mark(p, e->limit, ',');
	p = p ? pass_mark(p, e->limit, '{') : NULL;
	p = p ? take_name(e, p, next) : NULL;
	if (p)
		learn(g, from, p, *next);
	return p;
}

/* --- a value of a `tailbox` member --------------------------------------- */

struct nest { /* the brackets that are open */
	unsigned depth;
	uint32_t is_array; /* bit per level */
};

static const char *ext_scalar(struct element *e, const char *p,
                              enum tailbox__json_event as)
{
	struct tailbox__load_ext *x = &e->d->ext;
	const char *end = NULL;
	uint64_t number;
	int rc = 0;

	if (*p == '"') {
		end = find_quote(p + 1, e->limit);
		if (end)
			rc = tailbox__load_ext_event(
			        x, as, p + 1, (size_t)(end - p - 1));
		return end && rc == 0 ? end + 1 : NULL;
	}
	if (as == TAILBOX__JSON_KEY)
		return NULL;
	if (*p == 't') {
		end = take_word(p, "true", 4);
		as = TAILBOX__JSON_TRUE;
	} else if (*p == 'f') {
		end = take_word(p, "false", 5);
		as = TAILBOX__JSON_FALSE;
	} else {
		end = take_integer(p, &number);
		as = TAILBOX__JSON_NUMBER;
	}
	if (end)
		rc = tailbox__load_ext_event(x, as, p, (size_t)(end - p));
	return rc == 0 ? end : NULL;
}

static const char *ext_begin(struct element *e, struct nest *n, const char *p)
{
	const bool is_array = *p == '[';

	if (n->depth == EXT_DEPTH)
		return NULL;
	n->is_array &= ~(1u << n->depth);
	n->is_array |= (uint32_t)is_array << n->depth;
	/* The outermost one was begun by tailbox__load_ext_begin(). */
	if (n->depth++ > 0 &&
	    tailbox__load_ext_event(&e->d->ext,
	                            is_array ? TAILBOX__JSON_ARRAY
	                                     : TAILBOX__JSON_OBJECT,
	                            NULL, 0) < 0)
		return NULL;
	return pass_space(p + 1, e->limit);
}

static const char *ext_end(struct element *e, struct nest *n, const char *p)
{
	const bool is_array = *p == ']';

	if (is_array != (n->is_array >> --n->depth & 1) ||
	    tailbox__load_ext_event(&e->d->ext,
	                            is_array ? TAILBOX__JSON_ARRAY_END
	                                     : TAILBOX__JSON_OBJECT_END,
	                            NULL, 0) < 0)
		return NULL;
	return p + 1;
}

/* A key where one belongs, then a value; of a container only its begin. */
static const char *ext_item(struct element *e, struct nest *n, const char *p,
                            bool *is_open)
{
	if (!(n->is_array >> (n->depth - 1) & 1)) {
		p = ext_scalar(e, p, TAILBOX__JSON_KEY);
		p = p ? pass_mark(p, e->limit, ':') : NULL;
	}
	*is_open = p && (*p == '{' || *p == '[');
	if (!p || *is_open)
		return p ? ext_begin(e, n, p) : NULL;
	return ext_scalar(e, p, TAILBOX__JSON_STRING);
}

/* p: the opening bracket of the member's value. */
static const char *ext_value(struct element *e, const char *p)
{
	struct nest n = { 0, 0 };
	bool is_open = true;

	if (*p != '{' ||
	    tailbox__load_ext_begin(&e->d->ext, e->d->run,
	                            (enum tailbox__load_owner)e->shape->owner,
	                            e->base) < 0)
		return NULL;
	p = ext_begin(e, &n, p);
	while (p && n.depth > 0) {
		if (*p == '}' || *p == ']') {
			p = ext_end(e, &n, p);
			is_open = false;
		} else if (is_open) {
			p = ext_item(e, &n, p, &is_open);
		} else {
			p = pass_mark(p, e->limit, ',');
			p = p ? ext_item(e, &n, p, &is_open) : NULL;
		}
		if (p && n.depth > 0)
			p = pass_space(p, e->limit);
	}
	return p;
}

/* --- a value of a known member ------------------------------------------- */

static void mark(struct element *e, const struct tailbox__load_member *m)
{
	if (m->flag)
		*(uint32_t *)(e->base + e->shape->flags) |= m->flag;
}

static const char *take_number(struct element *e,
                               const struct tailbox__load_member *m,
                               const char *p)
{
	char *place = e->base + m->offset;
	uint64_t value;

	p = take_integer(p, &value);
	if (!p)
		return NULL;
	if (m->kind == TAILBOX__LOAD_U64)
		*(uint64_t *)place = value;
	else if (value <= UINT32_MAX)
		*(uint32_t *)place = (uint32_t)value;
	else
		return NULL;
	mark(e, m);
	return p;
}

static const char *take_string(struct element *e,
                               const struct tailbox__load_member *m,
                               const char *p, tailbox__str *last)
{
	const char *end = *p == '"' ? find_quote(p + 1, e->limit) : NULL;
	size_t len;

	if (!end)
		return NULL;
	p++;
	len = (size_t)(end - p);
	if (!tailbox__load_is_utf8(p, len))
		return NULL;
	*last = tailbox__run_str_near(e->d->run, p, len, *last);
	*(tailbox__str *)(e->base + m->offset) = *last;
	return *last ? end + 1 : NULL;
}

static const char *take_value(struct element *e, uint8_t at, const char *p)
{
	const struct tailbox__load_member *m = &e->shape->members[at];

	switch ((enum tailbox__load_kind)m->kind) {
	case TAILBOX__LOAD_U64:
	case TAILBOX__LOAD_U32:
		if (*p != 'n')
			return take_number(e, m, p);
		break;
	case TAILBOX__LOAD_STR:
		if (*p != 'n')
			return take_string(e, m, p, &e->d->ahead.last[at]);
		break;
	case TAILBOX__LOAD_NOT:
		if (*p == 't')
			return take_word(p, "true", 4);
		mark(e, m);
		return take_word(p, "false", 5);
	case TAILBOX__LOAD_EXT:
		return ext_value(e, p);
	case TAILBOX__LOAD_BOOL:
	case TAILBOX__LOAD_MODE:
	case TAILBOX__LOAD_REASON:
	case TAILBOX__LOAD_OBJECT:
	case TAILBOX__LOAD_ARRAY:
	case TAILBOX__LOAD_STRINGS:
		return NULL;
	}
	return m->class == TAILBOX__LOAD_NULLABLE ? take_word(p, "null", 4)
	                                          : NULL;
}

/* --- elements ------------------------------------------------------------ */

static const char *take_element(struct element *e, const char *p)
{
	struct tailbox__load_ahead *a = &e->d->ahead;
	uint8_t at;

	p = take_begin(e, p, &at);
	e->seen = 0;
	while (p && at != END_OF_OBJECT) {
		if (p >= e->limit || e->seen >> at & 1)
			return NULL;
		e->seen |= 1u << at;
		p = take_value(e, at, p);
		if (p)
			p = take_gap(e, &a->gaps[at], p, &at);
	}
	return (e->seen & a->required) == a->required ? p : NULL;
}

static void set_shape(struct tailbox__load_ahead *a,
                      const struct tailbox__load_shape *shape)
{
	memset(a, 0, sizeof(*a));
	a->shape = shape;
	for (unsigned i = 0; i < shape->member_count; i++)
		if (shape->members[i].class == TAILBOX__LOAD_REQUIRED)
			a->required |= 1u << i;
}

static bool is_in_array(const struct tailbox__decoder *d)
{
	const struct tailbox__frame *f =
	        &d->frames[d->depth > 0 ? d->depth - 1 : 0];

	return d->depth > 0 && d->skip == 0 && d->ext.level == 0 && !f->shape &&
	       f->member->kind == TAILBOX__LOAD_ARRAY &&
	       f->member->shape->member_count <= TAILBOX__AHEAD_MEMBERS;
}

size_t tailbox__load_ahead(struct tailbox__decoder *d, const char *text,
                           size_t len)
{
	struct tailbox__frame *f;
	struct element e = { .d = d };
	const char *p = text;

	if (len <= MARGIN || !is_in_array(d))
		return 0;
	f = &d->frames[d->depth - 1];
	e.shape = f->member->shape;
	e.limit = text + len - MARGIN;
	if (d->ahead.shape != e.shape)
		set_shape(&d->ahead, e.shape);
	for (;;) {
		const size_t ext_count = d->run->ext.count;
		const size_t value_count = d->run->values.count;
		const char *end = NULL;

		e.base = tailbox__load_list_add(f->base, e.shape->item_bytes);
		if (e.base) {
			tailbox__load_nothing_known(e.shape, e.base);
			end = take_element(&e, p);
		}
		if (!end) {
			if (e.base)
				tailbox__load_list_drop(f->base);
			d->run->ext.count = ext_count;
			d->run->values.count = value_count;
			d->ext.level = 0;
			return (size_t)(p - text);
		}
		f->count++;
		p = end;
	}
}
