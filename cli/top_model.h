/* cli/top_model.h - what `tailbox top` shows: one frame, out of a tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * A frame is plain values and owned texts, computed from the tape by pread and
 * from what the frames before it gathered. The process is asked for nothing.
 * Who renders it (top_text.c, top_json.c, top_screen.c) reads no tape.
 *
 * Names are clean of control bytes (the reader's doing), but are foreign
 * texts: show them with tailbox__show_text().
 */
#ifndef TAILBOX_CLI_TOP_MODEL_H
#define TAILBOX_CLI_TOP_MODEL_H 1

#include "cli/cli.h"
#include "core/reader.h"
#include "core/run.h"

/* Not known: TAILBOX__NONE. Texts are never NULL: "" = none. */

#define CLI__TOP_ID_MAX 96u /* TAILBOX_ID_MAX */

/* The stage or wait that a request is in. */
struct cli__top_where {
	bool is_in, is_wait;
	const char *name, *site; /* "shop_db.c:123 db_get" */
	uint64_t for_ns;
};

struct cli__top_request {
	uint64_t number, connection, age_ns, phase_ns;
	char id[CLI__TOP_ID_MAX + 1]; /* "" = it was given none */
	char route_text[128]; /* a route that is no name yet; see `route` */
	const char *route, *kind, *phase;
	struct cli__top_where where;
	uint32_t worker, daemon; /* worker: index; UINT32_MAX = none */
	bool is_suspended;
	/* The request that holds its worker; or that held it, before this one
	 * was read (is_ingress). number 0 = behind nobody. */
	struct {
		uint64_t number, held_ns;
		const char *route;
		uint32_t worker;
		bool is_ingress;
	} behind;
	/* For the one that is looked at closely. */
	uint64_t since_ms; /* wall time of its start */
	uint64_t phases_ns[TAILBOX__PHASE_COUNT];
	uint64_t bytes_in, bytes_out, calls;
	uint64_t trace_hi, trace_lo; /* both 0 = none */
	struct {
		const char *key, *value;
	} tags[4];
	unsigned tag_count;
};

#define CLI__TOP_STACK_MAX 32u

struct cli__top_worker {
	uint32_t index; /* UINT32_MAX = it never ran a callback */
	uint32_t tid;   /* 0 = not known */
	uint32_t daemon; /* 0 = a thread of the application */
	const char *held; /* "handler", ...; "" = it is not held */
	uint64_t held_ns, idle_ns;
	uint64_t number; /* of the request that holds it; 0 = none */
	const char *route;
	struct cli__top_where where;
	/* Connections with a request that it has not begun with, as sampled;
	 * and open requests of its that wait for it. */
	uint64_t behind_unread, behind_open;
	uint64_t finished, connections;
	char state;        /* of the kernel, as sampled; 0 = not known */
	const char *wchan; /* as sampled */
	/* Taken in this hold, the innermost first; names where known. */
	unsigned stack_count;
	uint64_t stack_ns; /* so long ago */
	struct cli__top_frame {
		const char *module, *build_id, *function; /* "" = not known */
		uint64_t address, function_offset;
		bool is_guessed;
	} stack[CLI__TOP_STACK_MAX];
};

/* A pool of the application, as sampled; or a name that requests wait for. */
struct cli__top_queue {
	const char *name;
	bool is_pool;
	uint64_t waiting, oldest_ns; /* open requests in this wait, now */
	uint64_t pool_waiting, busy, capacity;
};

struct cli__top_accept {
	uint32_t daemon;
	uint64_t now, limit, connection_limit;
};

struct cli__top_gauge {
	const char *name;
	int64_t value;
};

struct cli__top_loss {
	const char *key, *text;
	uint64_t count;
};

struct cli__top_rates { /* of the last ten seconds */
	uint64_t span_ns; /* that are covered; 0 = none */
	uint64_t finished, status_5xx;
	uint64_t p50_ns, p95_ns, p99_ns, max_ns;
};

struct cli__top {
	/* who */
	const char *service, *version;
	uint32_t pid;
	enum tailbox__writer_state writer;
	bool is_recording;
	uint64_t started_ms, as_of_ms; /* wall */
	/* Not live: ages count up to the last record, so long ago. */
	bool is_frozen;
	uint64_t last_record_ns; /* NONE: not known */
	uint64_t tape_bytes, history_ns;
	bool has_wrapped; /* older records were overwritten */
	/* cost: CPU time of the recorder's threads; shares since the frame
	 * before, at the first since the recorder's start */
	uint64_t own_cpu_ns, own_ppm, process_ppm;
	/* losses, those that are not 0 */
	struct cli__top_loss *losses;
	size_t loss_count;
	uint64_t begun, done, open;
	struct cli__top_rates rates;
	uint64_t connections, suspended; /* as sampled */
	uint64_t sample_age_ns;          /* NONE: there is none */
	uint64_t cpu_ppm; /* of one CPU, in the last 10 s */
	struct cli__top_worker *workers;
	size_t worker_count, held_count;
	struct cli__top_request *requests; /* oldest first */
	size_t request_count;
	struct cli__top_queue *queues;
	size_t queue_count;
	struct cli__top_accept *accepts;
	size_t accept_count;
	struct cli__top_gauge *gauges;
	size_t gauge_count;
};

/* The reading side. path: of the tape. NULL, told on standard error, when it
 * cannot be opened. */
struct cli__top_source;
struct cli__top_source *cli__top_open(const char *path);
void cli__top_close(struct cli__top_source *s);
/* The next frame; what the last one held is gone. NULL: *why says so. */
const struct cli__top *cli__top_frame(struct cli__top_source *s,
                                      const char **why);

/* --- renderers ------------------------------------------------------------ */

enum cli__top_line { /* what a line is */
	CLI__TOP_HEAD,
	CLI__TOP_LOSS,
	CLI__TOP_PLAIN,
	CLI__TOP_TITLE,
	CLI__TOP_WORKER,  /* item: index in workers */
	CLI__TOP_REQUEST, /* item: index in requests */
};

enum cli__top_sort {
	CLI__TOP_BY_AGE,
	CLI__TOP_BY_PHASE,
	CLI__TOP_BY_ROUTE,
	CLI__TOP_BY_WORKER,
	CLI__TOP_SORTS
};

struct cli__top_view {
	unsigned columns; /* 20 or more */
	size_t rows_max;  /* workers, and requests, shown at most; 0 = all */
	enum cli__top_sort sort;
	const char *filter; /* part of a route, id, stage ...; "" = all */
};

struct cli__top_text {
	char *text; /* lines, each ended by '\n' */
	size_t len;
	struct cli__top_row {
		size_t at, len; /* without the '\n' */
		enum cli__top_line kind;
		size_t item;
		bool is_first; /* of the item's lines */
	} *rows;
	size_t row_count, row_room;
	bool has_failed; /* out of memory */
};

void cli__top_render(const struct cli__top *t, const struct cli__top_view *v,
                     struct cli__top_text *out);
/* Everything of one worker or request. */
void cli__top_render_worker(const struct cli__top *t,
                            const struct cli__top_worker *w, unsigned columns,
                            struct cli__top_text *out);
void cli__top_render_request(const struct cli__top *t,
                             const struct cli__top_request *r,
                             unsigned columns, struct cli__top_text *out);
void cli__top_text_fini(struct cli__top_text *t);
extern const char *const cli__top_sort_names[CLI__TOP_SORTS];

void cli__top_json(const struct cli__top *t, struct tailbox__json *j);

/* The screen, until somebody quits. Gives the exit code; told, when there is
 * no terminal or no screen in this build. place: of the tape. */
int cli__top_screen(struct cli__top_source *s, const char *place,
                    uint64_t interval_ms);

#endif
