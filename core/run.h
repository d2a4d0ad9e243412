/* core/run.h - a run in memory: what an artifact becomes once loaded.
 *
 * SPDX-License-Identifier: MIT
 *
 * The arrays hold plain fixed-size values, and strings are numbers of a pool
 * of the run, so that an id is compared by comparing two integers and the
 * native artifact (core/artifact.h) is these arrays as they are. Times are
 * those of spec/run-artifact.md: wall ms, run offset us, duration us. All of
 * a standard event's times are independent values: a loaded document may
 * contradict itself and validation has to see that.
 *
 * A run belongs to one thread at a time.
 */
#ifndef TAILBOX_CORE_RUN_H
#define TAILBOX_CORE_RUN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* A string of the run's pool. 0 is "none" (null, absent); the empty string
 * is a string like others. Equal text has equal numbers. */
typedef uint32_t tailbox__str;

#define TAILBOX__NONE UINT64_MAX /* an integer that is not known */

enum { /* flags of requests, spans, gauge samples, snapshots */
	TAILBOX__HAS_START_US = 1u << 0, /* started_at_run_us / at_run_us */
	TAILBOX__HAS_END_US = 1u << 1,   /* finished_at_run_us */
	TAILBOX__PARTIAL = 1u << 2,      /* "completed": false */
	TAILBOX__FAILED = 1u << 3,       /* stage: "success": false */
	TAILBOX__HAS_WORKERS = 1u << 4   /* snapshot: worker_count present */
};

struct tailbox__run_request { /* 64 bytes */
	tailbox__str id, route, kind, outcome;
	uint64_t start_ms, end_ms;
	uint64_t start_us, end_us; /* valid by flags */
	uint64_t latency_us;
	uint32_t flags;
	uint32_t ext; /* index in run->ext plus 1; 0 = none */
};

/* Phases in the order they happen. The table of names is phase_names. */
enum tailbox__phase {
	TAILBOX__PHASE_INGRESS,   /* data lay in the socket, worker was held */
	TAILBOX__PHASE_HEADERS,   /* request line to first handler call */
	TAILBOX__PHASE_BODY,      /* body uploaded, outside the handler */
	TAILBOX__PHASE_HANDLER,   /* in the application's handler */
	TAILBOX__PHASE_SUSPENDED, /* suspend to resume */
	TAILBOX__PHASE_RESUME,    /* resume to next handler call */
	TAILBOX__PHASE_SEND,      /* response queued to completion */
	TAILBOX__PHASE_COUNT
};
/* "ingress_wait", "headers", "body", "handler", "suspended", "resume_delay",
 * "send" */
extern const char *const tailbox__phase_names[TAILBOX__PHASE_COUNT];

enum tailbox__termination { /* how MHD ended it; 0 = not known */
	TAILBOX__TERM_UNKNOWN,
	TAILBOX__TERM_COMPLETED,
	TAILBOX__TERM_WITH_ERROR,
	TAILBOX__TERM_TIMEOUT,
	TAILBOX__TERM_DAEMON_SHUTDOWN,
	TAILBOX__TERM_READ_ERROR,
	TAILBOX__TERM_CLIENT_ABORT,
	TAILBOX__TERM_COUNT
};
extern const char *const tailbox__term_names[TAILBOX__TERM_COUNT];

struct tailbox__run_ext { /* 192 bytes; what `tailbox` of a request holds */
	uint64_t number;              /* of the request in its process */
	uint64_t connection;          /* 0 = not known */
	uint64_t bytes_in, bytes_out; /* TAILBOX__NONE = not known */
	uint64_t phase_ns[TAILBOX__PHASE_COUNT]; /* TAILBOX__NONE: not known */
	uint64_t holder_number;  /* request that held the worker; 0 none */
	uint64_t holder_ns;      /* how long it held it so far or in all */
	uint8_t trace_id[16];    /* all 0 = none */
	uint8_t parent_id[8];
	uint8_t trace_flags;
	uint8_t termination;     /* enum tailbox__termination */
	uint8_t ext_flags;       /* TAILBOX__EXT_... */
	uint8_t reserved;
	uint16_t status;         /* 0 = none queued */
	uint16_t daemon;         /* number of the daemon, from 1; 0 = none */
	uint32_t worker;         /* thread index; UINT32_MAX = not known */
	uint32_t handler_calls;
	tailbox__str holder_route;
	tailbox__str tag_key[4], tag_value[4]; /* 0 = none */
	uint32_t reserved2;
	uint64_t reader_ns; /* of `send`: in the content reader; or NONE */
};

enum {
	TAILBOX__EXT_NO_HANDLER = 1u << 0, /* MHD answered by itself */
	TAILBOX__EXT_UPGRADED = 1u << 1,
	TAILBOX__EXT_BODY_DISCARDED = 1u << 2 /* response before the body */
};

/* A stage or a queue event (two arrays of the same type). 64 bytes. */
struct tailbox__run_span {
	tailbox__str request, name;
	uint64_t start_ms, end_ms;
	uint64_t start_us, end_us;
	uint64_t dur_us; /* latency_us / wait_us */
	uint64_t depth;  /* depth_at_start; TAILBOX__NONE = null */
	uint32_t flags;
	tailbox__str site; /* "file:line function"; 0 = none */
};

struct tailbox__run_gauge { /* 32 bytes */
	tailbox__str gauge;
	uint32_t flags;
	uint64_t at_ms, at_us;
	uint64_t count;
};

struct tailbox__run_snapshot { /* 64 bytes; TAILBOX__NONE = null */
	uint64_t at_ms, at_us;
	uint64_t alive_tasks, global_queue_depth, local_queue_depth;
	uint64_t blocking_queue_depth, remote_schedule_count;
	uint32_t worker_count; /* valid by flags */
	uint32_t flags;
};

/* One value beyond the standard keys of a snapshot; ordered by snapshot, then
 * by scope, then by subject. 24 bytes. */
struct tailbox__run_value {
	uint32_t snapshot; /* index of the snapshot */
	uint16_t metric;   /* enum tailbox__metric */
	uint16_t reserved;
	uint32_t subject; /* WORKER, DAEMON: its number; POOL: tailbox__str */
	uint32_t reserved2;
	uint64_t value; /* a name metric: tailbox__str */
};

/* A request that had not ended when the run was finalized: extension
 * `tailbox.open_requests` of the top level, beside the bounded sample. */
struct tailbox__run_open { /* 64 bytes */
	tailbox__str id, route;
	uint64_t start_us; /* run offset of its start */
	uint64_t number;
	uint64_t since_us; /* run offset since when it is in phase or `where` */
	tailbox__str where; /* stage or wait it is in; 0 = none */
	tailbox__str site;
	uint32_t worker; /* UINT32_MAX = not known */
	uint8_t phase;   /* enum tailbox__phase; _COUNT = not known */
	uint8_t where_kind; /* of `where`: enum tailbox__open_in */
	uint8_t flags;      /* enum tailbox__open_flag */
	uint8_t reserved;
	uint64_t phase_since_us; /* run offset; valid by flags */
	uint64_t connection;
};

/* What the application was called for: one hold of a worker. The tape's enum
 * tailbox__hold. */
enum { TAILBOX__HOLD_KINDS = 6 };
/* NULL for 0, "handler", "uri_log", "completed", "connection", "reader" */
extern const char *const tailbox__hold_names[TAILBOX__HOLD_KINDS];

/* One callback that held its worker for long: extension `tailbox.holds` of the
 * top level, in the order of their starts. */
struct tailbox__run_hold { /* 40 bytes */
	tailbox__str request; /* its id; 0 = of no request of this run */
	tailbox__str route;   /* 0 = not known */
	uint64_t start_us;    /* run offset; TAILBOX__NONE = not known */
	uint64_t dur_us;      /* TAILBOX__NONE = not known */
	uint64_t number;      /* of the request; 0 = for the connection */
	uint32_t worker;      /* UINT32_MAX = not known */
	uint8_t kind;         /* 0 = not known */
	uint8_t reserved[3];
};

/* Where a worker was while a callback held it: extension `tailbox.stacks` of
 * the top level, in the order in which they were taken. */
struct tailbox__run_stack { /* 40 bytes */
	tailbox__str request; /* its id; 0 = of no request of this run */
	tailbox__str route;   /* 0 = not known */
	uint64_t at_us;       /* run offset; TAILBOX__NONE = not known */
	uint64_t held_us;     /* for so long until then; as above */
	uint64_t number;      /* of the request; 0 = for the connection */
	uint32_t worker;      /* UINT32_MAX = not known */
	uint8_t kind;         /* as of a hold */
	uint8_t end;          /* enum tailbox__stack_end of core/record.h */
	uint8_t reserved[2];
};

/* Why a stack has no more frames: "whole", "deep", "unsound", "elsewhere". */
extern const char *const tailbox__stack_end_names[];

enum { TAILBOX__FRAME_GUESSED = 1u << 0 }; /* run_frame.flags */

/* One frame of a stack: extension `tailbox.stack_frames`. Those of one stack
 * follow each other, the innermost first, in the order of the stacks. A
 * service leaves `function` out; who reads the file where the module is may
 * put it in (cli/symbols.h). */
struct tailbox__run_frame { /* 40 bytes */
	uint32_t stack;        /* index of the stack */
	tailbox__str module;   /* path; 0 = none is known at that address */
	tailbox__str build_id; /* hexadecimal; 0 = not known */
	tailbox__str function; /* 0 = not looked up, or not known */
	uint64_t offset;       /* in the module's own addresses */
	uint64_t function_offset; /* from the function's begin */
	uint32_t flags;
	uint32_t reserved;
};

enum tailbox__open_in {
	TAILBOX__OPEN_IN_UNKNOWN,
	TAILBOX__OPEN_IN_STAGE, /* as TAILBOX_SPAN_STAGE */
	TAILBOX__OPEN_IN_WAIT,  /* as TAILBOX_SPAN_WAIT */
	TAILBOX__OPEN_IN_COUNT
};
extern const char *const tailbox__open_in_names[TAILBOX__OPEN_IN_COUNT];

enum tailbox__open_flag {
	/* A callback of this request is what its worker was in. */
	TAILBOX__OPEN_HOLDS_WORKER = 1u << 0,
	TAILBOX__OPEN_HAS_PHASE_SINCE = 1u << 1
};

enum tailbox__mode { TAILBOX__MODE_LIGHT, TAILBOX__MODE_INVESTIGATION };

enum tailbox__end_reason {
	TAILBOX__END_NONE, /* null */
	TAILBOX__END_MANUAL_DISARM,
	TAILBOX__END_SHUTDOWN,
	TAILBOX__END_AUTO_SEAL
};

struct tailbox__limits {
	uint64_t max_requests, max_stages, max_queues;
	uint64_t max_inflight_snapshots, max_runtime_snapshots;
};

/* The defaults of a mode (spec 7.3). */
struct tailbox__limits tailbox__limits_of(enum tailbox__mode mode);

struct tailbox__run_core_config { /* effective_core_config */
	bool present;
	enum tailbox__mode mode;
	struct tailbox__limits limits;
	bool strict_lifecycle;
};

struct tailbox__run_sampler_config { /* effective_tokio_sampler_config */
	bool present;
	enum tailbox__mode inherited_mode;
	bool has_override;
	enum tailbox__mode override_mode, resolved_mode;
	uint64_t cadence_ms, retention;
};

/* Growable lists: items, count, room. */
#define TAILBOX__LIST(type)                                                    \
	struct {                                                               \
		type *items;                                                   \
		size_t count, room;                                            \
	}

struct tailbox__run_pair { /* a further fact: `tailbox` of metadata */
	tailbox__str key;
	tailbox__str text; /* 0: the value is the number */
	uint64_t number;
};

struct tailbox__run_unfinished {
	tailbox__str id, route;
};

struct tailbox__run_meta {
	tailbox__str run_id, service_name, service_version, host;
	uint64_t started_ms;
	uint64_t finalized_ms; /* TAILBOX__NONE = null */
	enum tailbox__mode mode;
	struct tailbox__run_core_config core;
	struct tailbox__run_sampler_config sampler;
	bool has_pid;
	uint32_t pid;
	enum tailbox__end_reason end_reason;
	TAILBOX__LIST(tailbox__str) warnings; /* lifecycle_warnings */
	uint64_t unfinished_count;
	TAILBOX__LIST(struct tailbox__run_unfinished) unfinished; /* sample */
	/* Extensions, in the order added; keys are unique. Keys we write:
	 * doc/format.md. */
	TAILBOX__LIST(struct tailbox__run_pair) extra;
};

struct tailbox__run_truncation {
	bool limits_hit;
	uint64_t dropped_requests, dropped_stages, dropped_queues;
	uint64_t dropped_inflight_snapshots, dropped_runtime_snapshots;
};

struct tailbox__run_strings; /* the pool */

struct tailbox__run {
	uint64_t schema_version; /* 2 */
	struct tailbox__run_meta meta;
	TAILBOX__LIST(struct tailbox__run_request) requests;
	TAILBOX__LIST(struct tailbox__run_span) stages;
	TAILBOX__LIST(struct tailbox__run_span) queues;
	TAILBOX__LIST(struct tailbox__run_gauge) inflight;
	TAILBOX__LIST(struct tailbox__run_snapshot) snapshots;
	struct tailbox__run_truncation truncation;
	TAILBOX__LIST(struct tailbox__run_ext) ext;
	TAILBOX__LIST(struct tailbox__run_value) values;
	TAILBOX__LIST(struct tailbox__run_open) open;
	TAILBOX__LIST(struct tailbox__run_hold) holds;
	TAILBOX__LIST(struct tailbox__run_stack) stacks;
	TAILBOX__LIST(struct tailbox__run_frame) frames;
	struct tailbox__run_strings *strings;
	/* Slow, failed and cancelled requests that are no part of the run's
	 * time, or were dropped from it, with their stages and queues: requests,
	 * ext, stages and queues of a run of its own, whose run offsets count
	 * from the start of the earliest of them. NULL = none. */
	struct tailbox__run *kept;
	bool is_kept; /* it is such a one: the strings are the other run's */
};

/* An empty run: schema 2, mode light, finalized null. *out is NULL on error.
 * 0 or -ENOMEM. */
int tailbox__run_create(struct tailbox__run **out);
void tailbox__run_destroy(struct tailbox__run *run); /* NULL allowed */
/* One that is to become run->kept: with the strings of `run`, and to be
 * destroyed before it. *out is NULL on error. 0 or -ENOMEM. */
int tailbox__run_create_kept(struct tailbox__run *run,
                             struct tailbox__run **out);

/* Intern len bytes (NUL bytes allowed). Gives the number (> 0), or 0 when
 * memory or the 32-bit space ran out. */
tailbox__str tailbox__run_str(struct tailbox__run *run, const char *s,
                              size_t len);
/* The same, looking at the string `near` and the one after it first: cheap
 * where texts repeat or come in the order in which they were put in. */
tailbox__str tailbox__run_str_near(struct tailbox__run *run, const char *s,
                                   size_t len, tailbox__str near);
tailbox__str tailbox__run_cstr(struct tailbox__run *run, const char *s);
/* The number of a text that may be there; 0 = it is not. */
tailbox__str tailbox__run_find(const struct tailbox__run *run, const char *s);
/* The text of a string; *len may be NULL. s == 0 gives "" and 0. Always
 * NUL-terminated, may hold NULs. Valid until the run is destroyed: the pool
 * never moves text. */
const char *tailbox__run_text(const struct tailbox__run *run, tailbox__str s,
                              size_t *len);
/* Order of two texts by their bytes: below, at or above 0, as memcmp(). */
int tailbox__run_compare(const struct tailbox__run *run, tailbox__str a,
                         tailbox__str b);
/* Number of strings: valid ones are 1..count. */
uint32_t tailbox__run_str_count(const struct tailbox__run *run);

/* Append a zeroed item to a list of the run. NULL when out of memory. The
 * pointer is valid until the next append to that list. */
#define tailbox__list_add(list)                                                \
	((__typeof__((list)->items))tailbox__list_grow(                        \
	        (void **)&(list)->items, &(list)->count, &(list)->room,        \
	        sizeof(*(list)->items)))
void *tailbox__list_grow(void **items, size_t *count, size_t *room,
                         size_t item_bytes);

/* Set an extension of metadata, replacing one of the same key. text NULL:
 * the number. 0 or -ENOMEM. */
int tailbox__run_set_extra(struct tailbox__run *run, const char *key,
                           const char *text, uint64_t number);
/* Find one; NULL when absent. */
const struct tailbox__run_pair *
tailbox__run_extra(const struct tailbox__run *run, const char *key);
/* Whether the process had ended when its tape was read: its pid is nobody's, or
 * another one's. False = it had not, or the run does not tell. */
bool tailbox__run_has_ended(const struct tailbox__run *run);
/* The pid of a process that can still be looked at; 0 = it has ended, or is not
 * known. */
uint32_t tailbox__run_live_pid(const struct tailbox__run *run);

/* Canonical outcome of an HTTP status and how MHD ended the request (spec
 * section 8): "ok", "error", "timeout", "cancelled", "rejected".
 * status 0 = none queued. Static storage. */
const char *tailbox__outcome_of(unsigned status,
                                enum tailbox__termination term);

/* Take white space (spec section 1: Unicode's) off both ends. */
void tailbox__trim(const char **s, size_t *len);
/* Whether the text is blank: nothing but white space. */
bool tailbox__is_blank(const char *s, size_t len);

#endif
