/* controller/controller.h - windows: follow the tape, cut artifacts.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two threads: the follower reads each block once as it fills and spools what
 * an armed window may need; the finisher drains, assembles and places
 * artifacts, so that neither fsync nor a full disk delays the follower. Every
 * function here may be called from any thread; none waits for a disk.
 * spec/run-artifact.md section 10 has the state machine.
 */
#ifndef TAILBOX_CONTROLLER_CONTROLLER_H
#define TAILBOX_CONTROLLER_CONTROLLER_H 1

#include <stdbool.h>

#include "core/config.h"
#include "core/error.h"
#include "core/folder.h"

#define TAILBOX__NOTE_MAX 255u
#define TAILBOX__CAUSE_MAX 255u

/* The longest headline of an artifact, and what holds one. */
#define TAILBOX__HEADLINE_BYTES 120u
#define TAILBOX__HEADLINE_ROOM (TAILBOX__HEADLINE_BYTES + 1u)

/* What is to be done with an artifact once it is there. */
struct tailbox__wishes {
	bool headline; /* have one made */
	/* Then start this with it; "" = none. Absolute path. */
	char program[TAILBOX__CONFIG_PATH_MAX + 1];
	uint64_t program_ms; /* how long it may take */
};

/* What one activation uses: a copy is kept for its whole life. */
struct tailbox__activation {
	enum tailbox__mode mode;
	struct tailbox__limits limits;
	bool strict_lifecycle;
	enum tailbox__run_end_policy policy;
	uint64_t duration_ms;     /* 0 = until disarm */
	uint32_t sample_interval_ms; /* 0 = by mode */
	uint32_t drain_timeout_ms;   /* 0 = the controller's */
	/* The sampler in this window. */
	bool no_sampler;           /* no samples are kept */
	bool is_interval_by_mode;  /* not the controller's */
	bool is_interval_zero;     /* as spec 10.7 has it: cannot be armed */
	bool has_sampler_mode, has_max_samples;
	enum tailbox__mode sampler_mode;
	uint64_t max_samples;
	/* Whether and where Run JSON goes, in place of the controller's. */
	bool has_sink, local_json;
	char json_path[TAILBOX__CONFIG_PATH_MAX + 1];
	struct tailbox__wishes wishes;
	char note[TAILBOX__NOTE_MAX + 1];
	/* The window begins so long before it is armed, or where the tape
	 * does. The records of that time are read by the follower, soon. */
	uint64_t lookback_ms;
	/* What armed it, for metadata.tailbox.cause; "" = it was asked for. */
	char cause[TAILBOX__CAUSE_MAX + 1];
};
/* Defaults: light, its limits, not strict, continue, no duration. */
void tailbox__activation_init(struct tailbox__activation *a,
                              enum tailbox__mode mode);

struct tailbox__controller_config {
	const char *service; /* borrowed until stop, like all strings here */
	const char *artifact_dir; /* created when missing, 0700 */
	uint32_t drain_timeout_ms; /* 0 = 10000 */
	uint32_t sample_interval_ms; /* 0 = by mode; between windows: light */
	uint64_t max_size, max_count; /* of the folder; 0 = default */
	uint64_t fill; /* tailbox__fill_read() */
	/* Where tapes of crashes lie, and how many artifacts of them are kept;
	 * NULL, 0 = no crash artifact is made. */
	const char *run_dir;
	uint64_t max_crashes;
	bool local_json;              /* Run JSON as well as the native file */
	const char *json_path; /* base of its name (spec 10.6), absolute; NULL
	                          or "" = beside the native file */
	const char *path; /* PATH of programs that are started; NULL = usual */
	void (*log)(void *cls, const char *line); /* NULL = silent */
	void *log_cls;
};

/* Start the threads. Needs an open recorder. A missing or unwritable artifact
 * folder is no failure: it is told in status, and tried again for each
 * artifact. 0, -ENOMEM, -errno. */
int tailbox__controller_start(const struct tailbox__controller_config *c);
/* Seal with reason `shutdown` at once (what is open becomes unfinished),
 * write the artifact, join. */
void tailbox__controller_stop(void);
void tailbox__controller_in_child(void);

/* Arm. *id: the window's number. 0, -TAILBOX_ESTATE (armed already; *id is
 * that window), -ECANCELED (switched off), -EINVAL, -errno; err says why. */
int tailbox__arm(const struct tailbox__activation *a, uint64_t *id,
                 struct tailbox__error *err);

enum tailbox__disarm_result {
	TAILBOX__DISARM_ALREADY,  /* nothing was armed: "already_disabled" */
	TAILBOX__DISARM_CLOSING,  /* "closing": *in_flight to wait for, then
	                             the artifact is written */
	TAILBOX__DISARM_FINALIZED /* the artifact is there already */
};
/* Disarm, reason manual_disarm. Negative: terminally failed before, err says
 * why. *id: which window. */
int tailbox__disarm(uint64_t *id, uint32_t *in_flight,
                    struct tailbox__error *err);

enum tailbox__window_state {
	TAILBOX__WINDOW_DISABLED,
	TAILBOX__WINDOW_ACTIVE,
	TAILBOX__WINDOW_CLOSING,
	TAILBOX__WINDOW_FAILED /* terminally; a new arm is allowed */
};

struct tailbox__window_status {
	enum tailbox__window_state state;
	uint64_t id;      /* of the active one; DISABLED: the next id */
	struct tailbox__activation activation; /* when not DISABLED */
	uint64_t started_ms;  /* wall */
	char artifact[256];   /* name it will have */
	bool is_accepting, is_closing, is_finalizing;
	uint32_t in_flight;
	uint64_t spooled_requests, spooled_bytes;
	bool limits_hit;
	char last_error[TAILBOX__ERROR_TEXT]; /* "" = none */
};
void tailbox__window_status(struct tailbox__window_status *out);

/* --- snapshot.c: the recent past ---------------------------------------- */

struct tailbox__artifact_key;

struct tailbox__snapshot {
	uint64_t last_ms; /* how far back from now; 0 = all that is there */
	enum tailbox__mode mode;
	struct tailbox__limits limits;
	char note[TAILBOX__NOTE_MAX + 1];
	/* What triggered it, for metadata.tailbox.cause; "" = it was asked
	 * for. */
	char cause[TAILBOX__CAUSE_MAX + 1];
};
/* Defaults: light, its limits, all that is there. */
void tailbox__snapshot_init(struct tailbox__snapshot *s,
                            enum tailbox__mode mode);
/* Cut the recent past out of the tape and place it as artifact s1, s2, ...
 * Returns when it is placed: it may wait for a disk, and needs the stack and
 * memory of an assembly. So never on a worker, and never on the follower,
 * whose reader it leaves alone. A window that is armed is no hindrance, nor is
 * it changed; that recording is off is none either: what was before it is cut.
 * One at a time. *key, name: of the artifact; may be NULL. 0, -EBUSY (another
 * one is being made: key and name are its), -EINVAL, -TAILBOX_ESTATE (not
 * started, or stopping), -ENOMEM, -errno of folder or disk: nothing is left
 * then. Stopping waits for it. */
int tailbox__snapshot_take(const struct tailbox__snapshot *s,
                           struct tailbox__artifact_key *key, char name[256],
                           struct tailbox__error *err);

struct tailbox__snapshot_status {
	uint64_t made, failed; /* since the start */
	bool is_under_way;
	char last[256];       /* name of the last that was made; "" = none */
	/* What is in that one; asked_us NONE = all that was there. */
	uint64_t requests, unfinished, asked_us, covered_us;
	uint64_t older_requests, older_open;
	char last_error[TAILBOX__ERROR_TEXT]; /* "" = none */
};
void tailbox__snapshot_status(struct tailbox__snapshot_status *out);

/* What the recorder has done, from the tape's own counters, as of the
 * follower's last look (at most ~100 ms old) or, for the counters, now. */
struct tailbox__recorder_status {
	uint64_t begun, finished, discarded, spans, moves, holds;
	uint64_t lost_requests, lost_spans, lost_holds, late_spans, lost_tags;
	uint64_t lost_names, lost_threads, lost_slots, lost_connections;
	uint64_t clock_steps;   /* jumps of the clock that were seen */
	uint64_t lost_blocks;   /* recycled before the follower read them */
	uint64_t open_requests, connections, suspended;
	uint64_t history_ms;    /* what the tape holds at the present rate;
	                           TAILBOX__NONE = not known yet */
	uint64_t fill;          /* bytes of tape a second that the next start
	                           goes by; TAILBOX__NONE = not known yet */
	uint64_t follower_cpu_ns, follower_records;
	uint64_t rate_milli;    /* requests per 1000 s over the last 10 s */
	/* of the requests finished in the last 10 s; NONE: none */
	uint64_t p50_us, p95_us, p99_us, max_us;
};
void tailbox__recorder_status(struct tailbox__recorder_status *out);

/* fill.c. How fast the last tape of the service filled, in bytes a second, as
 * its run left it in the artifact folder. 0 = not known. */
uint64_t tailbox__fill_read(const char *artifact_dir, const char *service);

/* --- cost.c: what the recorder itself costs ------------------------------ */

struct tailbox__cost_status { /* NONE: not known */
	uint64_t request_milli_ns; /* recording a request, 1/1000 ns, measured
	                              in a loop at the start */
	uint64_t threads_ns;  /* CPU time of our threads so far */
	uint64_t threads_ppm; /* the same in the last 10 s, of one CPU */
	uint64_t process_ppm; /* all of the recorder in the last 10 s, of the
	                         process's CPU time: an estimate */
};
void tailbox__cost_status(struct tailbox__cost_status *out);

/* --- switch.c: the kill switch ------------------------------------------ */

struct tailbox__switch_status {
	bool is_on;
	uint64_t count; /* of changes, both ways, since the start */
	uint64_t at_ms; /* wall, of the last one; NONE = there was none */
	char by[96];    /* who made it: "unix uid 0 pid 7", "tcp ADDRESS" */
	uint64_t cut;   /* requests that were open when it went off, in all */
	uint64_t window; /* that the last change closed; 0 = none */
};
/* Off: no thread writes to the tape, sampler and follower sleep; an armed
 * window ends with manual_disarm and the detail "recorder_off", what is open
 * is cut: unfinished in that window, else without a record. On: as before.
 * 1; 0 when it was so already; -EBUSY: on, while the window that off has
 * closed is being written; -TAILBOX_ESTATE: no tape. Needs no controller. */
int tailbox__switch(bool on, const char *by);
void tailbox__switch_status(struct tailbox__switch_status *out);
/* At a start. */
void tailbox__switch_reset(void);

/* --- the artifact folder ----------------------------------------------- */

struct tailbox__artifact_entry {
	struct tailbox__artifact_key key; /* of another process: its own */
	char name[256];   /* "shop-20251120T031241Z-3", without extension */
	bool is_ours;     /* made by this process */
	bool is_pinned;   /* the caps do not apply to it */
	uint64_t json_bytes; /* of the JSON beside it; 0 = none */
	uint64_t headline_bytes; /* of the file beside it; 0 = none */
	char headline[TAILBOX__HEADLINE_ROOM]; /* "" = not known */
	uint64_t bytes, requests, started_ms, finalized_ms;
	uint32_t checksum;
};
/* List, newest first, at most `max`; returns the number or -errno. Only files
 * that are artifacts of this service by name and header. *older, if not NULL:
 * how many more there are by their names, which were not looked into. */
long tailbox__artifacts(struct tailbox__artifact_entry *out, size_t max,
                        long *older);
/* Find by id (of this process) or full name; only [A-Za-z0-9._-].
 * 0, -EINVAL (no such name can be), -ENOENT, another -errno of file or folder,
 * -TAILBOX_E... for a file of that name that is no artifact, or damaged: then
 * *out has its name. */
int tailbox__artifact_find(const char *id,
                           struct tailbox__artifact_entry *out);
/* Open its native file for reading: descriptor or -errno. */
int tailbox__artifact_open(const struct tailbox__artifact_entry *e);
/* With what lies beside it. */
int tailbox__artifact_delete(const struct tailbox__artifact_entry *e);
/* Pin or unpin: kept on disk, so across restarts. 0, -ENOENT, -errno. */
int tailbox__artifact_pin(struct tailbox__artifact_entry *e, bool on);

#define TAILBOX__FOLDER_SIZE_DEFAULT ((uint64_t)256 << 20)
#define TAILBOX__FOLDER_COUNT_DEFAULT 100u

/* Tapes of this service that were left behind, since the start. */
struct tailbox__crash_status {
	uint64_t recovered; /* became artifacts */
	uint64_t kept;      /* tapes that could not be recovered: still there */
	uint64_t removed;   /* of those the oldest, because they were many */
	char last[256];     /* name of the last artifact; "" = none */
	char error[TAILBOX__ERROR_TEXT]; /* of the last tape kept; "" = none */
};

struct tailbox__folder_status {
	uint64_t max_size, max_count; /* in force */
	uint64_t deleted, deleted_bytes; /* because of them, since the start */
	uint64_t json_written, json_lost;
	char json_error[TAILBOX__ERROR_TEXT]; /* of the last; "" = none */
	struct tailbox__crash_status crashes;
};
/* --- after.c: headlines and hand-over ----------------------------------- */

struct tailbox__handover_status {
	uint64_t started;   /* programs, each try */
	uint64_t timed_out; /* of them */
	/* Artifacts: handed over; given up after the last try; of which the
	 * application took the exit status; not tried (again) because there
	 * were too many, they were gone, or the service stops. */
	uint64_t succeeded, failed, unknown, dropped;
	uint64_t waiting;
	/* The last one; name "" = none yet. */
	char name[256];
	const char *result; /* "running", "succeeded", ... (static) */
	unsigned tries;
	uint64_t at_ms;   /* wall; NONE = none yet */
	char detail[300]; /* what was wrong with it; "" */
};

struct tailbox__after_status {
	/* The last artifact; name "" = none yet, headline "" = not known. */
	char kind[12], name[256], headline[TAILBOX__HEADLINE_ROOM];
	uint64_t headlines, headlines_failed; /* made, not made */
	uint64_t headlines_dropped; /* too many were waiting */
	uint64_t headlines_waiting;
	/* Why the last one that is missing is missing; "" = none is. */
	char headline_error[TAILBOX__ERROR_TEXT];
	struct tailbox__handover_status handover;
};
void tailbox__after_status(struct tailbox__after_status *out);

/* New caps, from the next artifact on; 0 = default. */
void tailbox__folder_caps(uint64_t max_size, uint64_t max_count);
void tailbox__folder_status(struct tailbox__folder_status *out);

#endif
