/* tailbox/span.h - stages, waits and gauges inside a request.
 *
 * SPDX-License-Identifier: MIT
 *
 *     TAILBOX_STAGE(r, "db_query") {
 *             if (run_query(db) != 0)
 *                     TAILBOX_FAILED();
 *     }
 *     TAILBOX_WAIT(r, "db_pool", waiting_now) {
 *             conn = pool_get(pool);
 *     }
 *
 * A scope ends on every way out. Running off its end records a completed
 * event; return, break or goto out of it records a partial one, whose time is
 * a lower bound. r may be NULL. Any thread that holds the request may time
 * spans; begin and end of one span belong on one thread.
 * Cost: two clock reads and 32 bytes. No lock, allocation or system call,
 * but for the first use of a site.
 */
#ifndef TAILBOX_SPAN_H
#define TAILBOX_SPAN_H 1

#include <tailbox/request.h>

#ifdef __cplusplus
extern "C" {
#endif

/* depth when not known */
#define TAILBOX_DEPTH_UNKNOWN UINT32_MAX

enum { TAILBOX_SPAN_STAGE = 1, TAILBOX_SPAN_WAIT = 2 };

/* A place in the source that times something. Static storage; `cache_` is
 * the library's, start it at 0. The strings must live as long as the site. */
struct tailbox_site {
	const char *name;
	const char *file;
	const char *function;
	uint32_t line;
	uint32_t kind; /* TAILBOX_SPAN_STAGE or _WAIT */
	uint64_t cache_;
};

/* A span under way. The caller's storage (stack is fine); all fields are the
 * library's. */
struct tailbox_span {
	tailbox_request request_;
	uint64_t start_;
	uint64_t id_;
	uint64_t outer_since_;
	uint32_t outer_;
	uint32_t names_;
	uint32_t depth_;
	uint8_t kind_;
	uint8_t state_;
	uint8_t failed_;
	uint8_t once_;
};

/* Start timing. s: never NULL; filled always, also when nothing is recorded.
 * r: NULL records nothing. site: never NULL.
 * depth: how many were waiting already (waits), or TAILBOX_DEPTH_UNKNOWN.
 * Threads: any thread that holds the request. Since 0.1. */
TAILBOX_API void tailbox_span_begin(struct tailbox_span *s, tailbox_request r,
                                    struct tailbox_site *site, uint32_t depth);

/* End as completed. success: 0 = the wrapped operation failed (stages only).
 * A second end does nothing. Threads: the thread that began. Since 0.1. */
TAILBOX_API void tailbox_span_end(struct tailbox_span *s, int success);

/* End as partial: the work was given up. Does nothing on an ended span.
 * Threads: the thread that began. Since 0.1. */
TAILBOX_API void tailbox_span_abandon(struct tailbox_span *s);

/* Move a named gauge of things in flight up or down by one, through a
 * request. name is interned. Since 0.1. */
TAILBOX_API void tailbox_gauge_up(tailbox_request r, const char *name);
TAILBOX_API void tailbox_gauge_down(tailbox_request r, const char *name);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
/* Scopes nest, and with them the variable of the macros: not a finding for
 * -Wshadow, which is silent about macros of a system header. */
#pragma GCC system_header
#define TAILBOX_SITE_(name_, kind_)                                            \
	(__extension__({                                                       \
		static struct tailbox_site tailbox_site_ = {                   \
			(name_), __FILE__, __func__, __LINE__, (kind_), 0      \
		};                                                             \
		&tailbox_site_;                                                \
	}))

static inline struct tailbox_span tailbox_scope_open_(tailbox_request r,
                                                      struct tailbox_site *site,
                                                      uint32_t depth)
{
	struct tailbox_span s;
	tailbox_span_begin(&s, r, site, depth);
	s.once_ = 1;
	return s;
}

static inline int tailbox_scope_once_(struct tailbox_span *s)
{
	int run = s->once_;
	s->once_ = 0;
	return run;
}

#define TAILBOX_SCOPE_(r_, name_, kind_, depth_)                               \
	for (struct tailbox_span tailbox_scope_                                \
	             __attribute__((cleanup(tailbox_span_abandon))) =          \
	                     tailbox_scope_open_(                              \
	                             (r_), TAILBOX_SITE_(name_, kind_),        \
	                             (depth_));                                \
	     tailbox_scope_once_(&tailbox_scope_);                             \
	     tailbox_span_end(&tailbox_scope_, !tailbox_scope_.failed_))

/* Time the following statement or block as a stage / as a wait. name: a
 * string literal. depth: how many were waiting already, or
 * TAILBOX_DEPTH_UNKNOWN. Since 0.1. */
#define TAILBOX_STAGE(r, name)                                                 \
	TAILBOX_SCOPE_(r, name, TAILBOX_SPAN_STAGE, TAILBOX_DEPTH_UNKNOWN)
#define TAILBOX_WAIT(r, name, depth)                                           \
	TAILBOX_SCOPE_(r, name, TAILBOX_SPAN_WAIT, depth)

/* Inside TAILBOX_STAGE: the wrapped operation failed. Since 0.1. */
#define TAILBOX_FAILED() ((void)(tailbox_scope_.failed_ = 1))
#endif

#endif
