/* controller/trigger.h - when something is wrong enough to keep the past.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two parts without threads, locks or a clock of their own:
 *
 *   tailbox__triggers      figures against bounds. The follower feeds it what
 *                          it reads anyway, and asks once per pass what fired.
 *   tailbox__trigger_desk  what a firing leads to: one artifact at a time,
 *                          then a cool-down; all that lose are counted.
 *
 * A figure fires when it is at its bound or over. Slow requests, open ones and
 * holds fire one by one, each once. Percentiles, rates and queues fire when
 * they reach the bound, and again only after they were below it.
 */
#ifndef TAILBOX_CONTROLLER_TRIGGER_H
#define TAILBOX_CONTROLLER_TRIGGER_H 1

#include "core/buckets.h"
#include "core/config.h"
#include "core/record.h"

enum tailbox__trigger_kind {
	TAILBOX__TRIGGER_SLOW,       /* a request has taken too long: us */
	TAILBOX__TRIGGER_OPEN,       /* and is not over yet: us */
	TAILBOX__TRIGGER_HELD,       /* a worker: us */
	TAILBOX__TRIGGER_ROUTE_P99,  /* over the bound of its route: us */
	TAILBOX__TRIGGER_P99_FACTOR, /* over k times what it used to be: us */
	TAILBOX__TRIGGER_ERROR_RATE, /* ppm */
	TAILBOX__TRIGGER_ACCEPT_QUEUE, /* connections */
	TAILBOX__TRIGGER_CALL,       /* tailbox_trigger(): no figure */
	TAILBOX__TRIGGER_SIGNAL,     /* no figure */
	TAILBOX__TRIGGER_KINDS
};
/* As the keys of [triggers] are called. */
extern const char *const
        tailbox__trigger_names[TAILBOX__TRIGGER_KINDS];

enum { TAILBOX__TRIGGER_REASON = 120, TAILBOX__TRIGGER_WHAT = 128 };

/* One firing, or several of a kind in one pass: the worst of them. */
struct tailbox__firing {
	enum tailbox__trigger_kind kind;
	uint64_t count;
	uint64_t figure, bound; /* NONE = it has none */
	uint64_t number;        /* of the request; 0 = none */
	char what[TAILBOX__TRIGGER_WHAT]; /* route, daemon or reason */
};

/* --- figures ------------------------------------------------------------ */

enum {
	TAILBOX__TRIGGER_ROUTES = 64, /* that have a percentile of their own */
	TAILBOX__TRIGGER_SUB = 8,     /* buckets per doubling: 12% */
	TAILBOX__TRIGGER_BUCKETS = 44 * TAILBOX__TRIGGER_SUB,
	TAILBOX__TRIGGER_DAEMONS = 16
};
/* Rates and percentiles are those of the last 5 to 10 s. */
#define TAILBOX__TRIGGER_HALF_NS 5000000000u

/* A route: counted exactly against its bounds, the histograms are for what a
 * text says and for the rolling value. */
struct tailbox__trigger_route {
	char name[112];
	uint64_t bound, factor_bound; /* ticks; UINT64_MAX = none (yet) */
	uint32_t count[2], over[2], over_factor[2]; /* this half, the last */
	bool is_over, is_over_factor;
	uint32_t buckets[2][TAILBOX__TRIGGER_BUCKETS];
	float rolling[TAILBOX__TRIGGER_BUCKETS];
	float rolling_count;
};

struct tailbox__triggers {
	struct tailbox__config_triggers config;
	uint64_t hz;
	/* What each request is held against: ticks, UINT64_MAX = off. */
	uint64_t slow;
	uint64_t open, held;
	uint64_t error_ppm, queue_ppm, queue_count; /* 0 = off */
	bool has_routes;
	uint8_t half; /* 0 or 1: which half is being filled */
	uint64_t half_ns; /* when it began; 0 = not begun */
	uint64_t count[2], failed[2];
	bool is_error_over, is_queue_over;
	uint64_t open_until, held_until; /* ticks: looked at up to */
	struct tailbox__firing fired[TAILBOX__TRIGGER_KINDS];
	/* Routes by the number of their name: index plus 1; 255 = none. */
	uint8_t route_of[4096];
	uint32_t route_count;
	struct tailbox__trigger_route *routes; /* NULL: not in use */
	const char *(*name)(void *cls, uint16_t number); /* NULL = unknown */
	void *name_cls;
};

/* name: text of a name, valid at least until the next call. 0 or -ENOMEM:
 * then percentiles of routes are off, and all else works. */
int tailbox__triggers_init(struct tailbox__triggers *t,
                           const struct tailbox__config_triggers *config,
                           uint64_t hz,
                           const char *(*name)(void *cls, uint16_t number),
                           void *name_cls);
void tailbox__triggers_fini(struct tailbox__triggers *t);

/* The seldom half of tailbox__triggers_request(). */
void tailbox__triggers_slow(struct tailbox__triggers *t, uint64_t ticks,
                            const struct tailbox__rec_request *q);
struct tailbox__trigger_route *
tailbox__triggers_find(struct tailbox__triggers *t, uint16_t route);

static inline unsigned tailbox__trigger_bucket(uint64_t ticks)
{
	const unsigned b = tailbox__bucket(ticks, TAILBOX__TRIGGER_SUB);

	return b < TAILBOX__TRIGGER_BUCKETS ? b : TAILBOX__TRIGGER_BUCKETS - 1;
}

static inline void tailbox__triggers_route(struct tailbox__triggers *t,
                                           uint64_t ticks, uint16_t route)
{
	const uint8_t known = t->route_of[route & 4095];
	struct tailbox__trigger_route *r =
	        known && known != 255 ? &t->routes[known - 1]
	        : known               ? NULL
	                              : tailbox__triggers_find(t, route);
	if (!r)
		return;
	r->count[t->half]++;
	r->over[t->half] += ticks >= r->bound;
	r->over_factor[t->half] += ticks >= r->factor_bound;
	r->buckets[t->half][tailbox__trigger_bucket(ticks)]++;
}

/* Whether anything here goes by single requests. */
static inline bool
tailbox__triggers_want_requests(const struct tailbox__triggers *t)
{
	return t->slow != UINT64_MAX || t->error_ppm || t->has_routes;
}

/* A finished request that took so many ticks, its ingress wait included. */
static inline void
tailbox__triggers_request(struct tailbox__triggers *t, uint64_t ticks,
                          const struct tailbox__rec_request *q, bool is_failed)
{
	t->count[t->half]++;
	t->failed[t->half] += is_failed;
	if (__builtin_expect(ticks >= t->slow, 0))
		tailbox__triggers_slow(t, ticks, q);
	if (t->has_routes)
		tailbox__triggers_route(t, ticks, q->route);
}

/* 5xx, or an outcome of error or timeout. */
static inline bool
tailbox__request_is_failed(const struct tailbox__rec_request *q)
{
	if (q->outcome)
		return q->outcome == TAILBOX__NAME_ERROR ||
		       q->outcome == TAILBOX__NAME_TIMEOUT;
	return q->status >= 500 ||
	       q->termination == TAILBOX__TERM_WITH_ERROR ||
	       q->termination == TAILBOX__TERM_TIMEOUT;
}

/* A request is open since `line`, at tick `now`. Between two calls of
 * tailbox__triggers_looked_open() each is seen at most once. */
void tailbox__triggers_open(struct tailbox__triggers *t, uint64_t now,
                            uint64_t line, uint64_t number, uint16_t route);
void tailbox__triggers_looked_open(struct tailbox__triggers *t, uint64_t now);
/* The same for workers and what holds them. */
void tailbox__triggers_held(struct tailbox__triggers *t, uint64_t now,
                            uint64_t since, uint32_t tid, uint16_t route);
void tailbox__triggers_looked_held(struct tailbox__triggers *t, uint64_t now);
/* A sample's records as they are on the tape. */
void tailbox__triggers_samples(struct tailbox__triggers *t,
                               const char *records, size_t bytes);
/* `count` calls or signals; reason: NULL or "" = none. */
void tailbox__triggers_asked(struct tailbox__triggers *t,
                             enum tailbox__trigger_kind kind, uint64_t count,
                             const char *reason);

/* What fired since the last call, at most one entry per kind, in the order of
 * their kinds. now_ns: monotonic. */
unsigned tailbox__triggers_judge(struct tailbox__triggers *t, uint64_t now_ns,
                                 struct tailbox__firing
                                         out[TAILBOX__TRIGGER_KINDS]);
/* The rates and percentiles of routes, for judge(). */
void tailbox__triggers_judge_routes(struct tailbox__triggers *t);
void tailbox__triggers_turn_routes(struct tailbox__triggers *t);
/* Note a firing; what: NULL or a text to copy. The worst figure is kept. */
void tailbox__triggers_fire(struct tailbox__triggers *t,
                            enum tailbox__trigger_kind kind, uint64_t count,
                            uint64_t figure, uint64_t bound, uint64_t number,
                            const char *what);
/* Ticks as us. */
uint64_t tailbox__triggers_us(const struct tailbox__triggers *t,
                              uint64_t ticks);

/* --- what comes of it --------------------------------------------------- */

enum tailbox__trigger_result {
	TAILBOX__TRIGGER_UNDER_WAY, /* its artifact is being made */
	TAILBOX__TRIGGER_MADE,
	TAILBOX__TRIGGER_COVERED, /* is inside the artifact of another */
	TAILBOX__TRIGGER_COOLING, /* came after it, within the cool-down */
	TAILBOX__TRIGGER_FAILED,  /* no artifact came of it: `error` */
	TAILBOX__TRIGGER_RESULTS
};
extern const char *const
        tailbox__trigger_results[TAILBOX__TRIGGER_RESULTS];

enum { TAILBOX__TRIGGER_LAST = 24 };

struct tailbox__trigger_entry {
	uint64_t at_ms; /* wall */
	uint64_t episode;
	struct tailbox__firing firing; /* count: how many of this kind */
	enum tailbox__trigger_result result;
	char artifact[24]; /* id, "s3"; "" = not known */
};

struct tailbox__trigger_desk {
	enum {
		TAILBOX__DESK_IDLE,
		TAILBOX__DESK_TAKEN, /* what fires now will be covered */
		TAILBOX__DESK_CUT,   /* the artifact has its end */
		TAILBOX__DESK_COOLING
	} state;
	uint64_t episode;     /* of the artifact in hand or the last */
	uint64_t fired_ns;
	uint64_t cool_ns;     /* cooling: until then */
	char artifact[24];    /* of this episode */
	struct {
		uint64_t fired, made, covered, cooling, failed;
	} counts[TAILBOX__TRIGGER_KINDS];
	uint64_t entries;     /* ever; the last ones are in `last` */
	struct tailbox__trigger_entry last[TAILBOX__TRIGGER_LAST];
	char error[TAILBOX__ERROR_TEXT]; /* of the last that failed */
};

/* A firing comes in. True: it is the one that an artifact is made for. */
bool tailbox__desk_take(struct tailbox__trigger_desk *d,
                        const struct tailbox__firing *f, uint64_t now_ns,
                        uint64_t wall_ms);
/* From here on nothing that fires is in the artifact. */
void tailbox__desk_cut(struct tailbox__trigger_desk *d);
/* It is there, or error says why not. cooldown_ms counts from the firing, but
 * never ends before now. */
void tailbox__desk_done(struct tailbox__trigger_desk *d, const char *artifact,
                        const char *error, uint64_t cooldown_ms,
                        uint64_t now_ns);
/* The entry that the artifact in hand is made for; NULL: none is. */
const struct tailbox__trigger_entry *
tailbox__desk_in_hand(const struct tailbox__trigger_desk *d);
/* "slow GET /x: 213 ms, bound 200 ms", at most `size`. Returns out. */
char *tailbox__firing_text(char *out, size_t size,
                           const struct tailbox__firing *f);

#endif
