/* core/config.h - the settings of a service, and where each came from.
 *
 * SPDX-License-Identifier: MIT
 *
 * Plain values in fixed space: a configuration is copied by assignment and
 * owns nothing. It is large (lists of TAILBOX__CONFIG_LIST_MAX lines of text):
 * keep it in static or allocated memory, not on a thread's stack.
 *
 * tailbox__config_keys[] describes each value once: reader, `config show` and
 * the checks of ranges all use that table, doc/tailbox.conf.5 is held against
 * it by a test. Precedence: environment, file, program, default.
 * Threads: one thread per object; the table is constant.
 */
#ifndef TAILBOX_CORE_CONFIG_H
#define TAILBOX_CORE_CONFIG_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/run.h" /* enum tailbox__mode, TAILBOX__NONE */

enum tailbox__run_end_policy {
	TAILBOX__POLICY_CONTINUE, /* continue_after_limits_hit */
	TAILBOX__POLICY_SEAL      /* auto_seal_on_limits_hit */
};

#define TAILBOX__CONFIG_PATH_MAX 1023u /* bytes of a path */
#define TAILBOX__CONFIG_TEXT_MAX 255u  /* of any other text */
#define TAILBOX__CONFIG_LIST_MAX 64u   /* texts in a list */
/* What the admin calls and the tables take for a limit of a window. */
#define TAILBOX__CONFIG_LIMIT_MAX 10000000u

/* A list of texts; none of them is empty. */
struct tailbox__config_list {
	uint32_t count;
	char items[TAILBOX__CONFIG_LIST_MAX][TAILBOX__CONFIG_TEXT_MAX + 1];
};

/* One sub-struct per table of the file. Numbers are uint64_t; sizes are in
 * bytes, durations in ms (holds.min in us). Text "" and TAILBOX__NONE: not set. */

struct tailbox__config_service {
	char name[64];
	char version[64]; /* "" = not known */
};

struct tailbox__config_recorder {
	bool enabled; /* false: as TAILBOX=off */
};

struct tailbox__config_tape {
	char dir[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = the usual places */
	uint64_t size; /* 0 = by what there is */
	uint64_t history; /* ms that it is to hold; 0 = not said */
};

struct tailbox__config_artifacts {
	char dir[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = the usual places */
	uint64_t max_size, max_count; /* of the folder */
	uint64_t max_crashes; /* of those in it; 0 = make none */
	bool local_json; /* write Run JSON too */
	/* where to, see tailbox__config_output_name(); "" = beside the native
	 * artifact, by its name */
	char output_path[TAILBOX__CONFIG_PATH_MAX + 1];
	bool headline; /* have one made of each */
	char on_artifact[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = none */
	uint64_t on_artifact_timeout; /* ms */
};

struct tailbox__config_admin {
	char listen[TAILBOX__CONFIG_TEXT_MAX + 1]; /* "127.0.0.1:9180",
	                                              "[::1]:0"; "" = no TCP */
	char token[TAILBOX__CONFIG_TEXT_MAX + 1];
	char token_file[TAILBOX__CONFIG_PATH_MAX + 1];
	struct tailbox__config_list allow_hosts; /* of Host and Origin */
	char report_command[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = installed */
};

/* What a window gets that is armed without parameters. */
struct tailbox__config_window {
	bool arm_at_start;
	uint64_t mode; /* enum tailbox__mode */
	bool strict_lifecycle;
	uint64_t policy; /* enum tailbox__run_end_policy */
	uint64_t duration; /* ms; 0 = until disarm */
	uint64_t drain_timeout; /* ms */
	/* NONE = by the mode */
	uint64_t max_requests, max_stages, max_queues;
	uint64_t max_inflight_snapshots, max_runtime_snapshots;
};

/* The sampler in windows; between windows it goes on at its light cadence. */
struct tailbox__config_sampler {
	bool enabled;
	uint64_t mode; /* enum tailbox__mode; NONE = the window's */
	/* ms; NONE = by the mode. 0 comes from a controller file only, and
	 * such a window cannot be armed (spec 10.7). */
	uint64_t interval;
	uint64_t max_runtime_snapshots; /* NONE = by the mode */
};

struct tailbox__config_holds {
	uint64_t min; /* us; 0 = none are recorded one by one */
	char stack[16]; /* "SIGRTMIN+3": a signal; "" = no stacks are taken */
	uint64_t stack_after; /* ms */
};

struct tailbox__config_routes {
	/* "/users/{id}/orders", "/static/" with a last segment of one star */
	struct tailbox__config_list patterns;
};

/* Slow, failed and cancelled requests, kept apart from the others. */
struct tailbox__config_rare {
	uint64_t size; /* bytes, of the tape; NONE = its share, 0 = none */
	uint64_t slow; /* ms; 0 = only those that failed or were cancelled */
};

struct tailbox__config_log {
	uint64_t slow; /* ms; 0 = slow requests are not logged */
};

/* What makes an artifact by itself. 0, "" and empty lists: off. */
struct tailbox__config_triggers {
	uint64_t slow, open, held; /* ms */
	struct tailbox__config_list route_p99; /* "/checkout 250ms" */
	uint64_t p99_factor; /* times the rolling value of the route */
	uint64_t p99_floor;  /* ms: and at least that */
	char error_rate[16]; /* "5%" */
	uint64_t min_count;  /* requests that percentiles and rates take */
	char accept_queue[16]; /* "80%" of its limit, or "100" */
	bool call;           /* tailbox_trigger() */
	char signal[16];     /* "SIGUSR2" */
	uint64_t action;     /* enum tailbox__trigger_action */
	uint64_t lookback, after, duration, cooldown; /* ms */
};

enum tailbox__trigger_action {
	TAILBOX__ACTION_SNAPSHOT, /* of what was before and a little after */
	TAILBOX__ACTION_ARM       /* a window that begins in the past */
};

/* In the order of the file's tables and of `config show`. */
enum tailbox__config_key {
	TAILBOX__KEY_SERVICE_NAME,
	TAILBOX__KEY_SERVICE_VERSION,
	TAILBOX__KEY_RECORDER_ENABLED,
	TAILBOX__KEY_TAPE_DIR,
	TAILBOX__KEY_TAPE_SIZE,
	TAILBOX__KEY_TAPE_HISTORY,
	TAILBOX__KEY_ARTIFACTS_DIR,
	TAILBOX__KEY_ARTIFACTS_MAX_SIZE,
	TAILBOX__KEY_ARTIFACTS_MAX_COUNT,
	TAILBOX__KEY_ARTIFACTS_MAX_CRASHES,
	TAILBOX__KEY_ARTIFACTS_LOCAL_JSON,
	TAILBOX__KEY_ARTIFACTS_OUTPUT_PATH,
	TAILBOX__KEY_ARTIFACTS_HEADLINE,
	TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT,
	TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT_TIMEOUT,
	TAILBOX__KEY_ADMIN_LISTEN,
	TAILBOX__KEY_ADMIN_TOKEN,
	TAILBOX__KEY_ADMIN_TOKEN_FILE,
	TAILBOX__KEY_ADMIN_ALLOW_HOSTS,
	TAILBOX__KEY_ADMIN_REPORT_COMMAND,
	TAILBOX__KEY_WINDOW_ARM_AT_START,
	TAILBOX__KEY_WINDOW_MODE,
	TAILBOX__KEY_WINDOW_STRICT_LIFECYCLE,
	TAILBOX__KEY_WINDOW_POLICY,
	TAILBOX__KEY_WINDOW_DURATION,
	TAILBOX__KEY_WINDOW_DRAIN_TIMEOUT,
	TAILBOX__KEY_WINDOW_MAX_REQUESTS,
	TAILBOX__KEY_WINDOW_MAX_STAGES,
	TAILBOX__KEY_WINDOW_MAX_QUEUES,
	TAILBOX__KEY_WINDOW_MAX_INFLIGHT_SNAPSHOTS,
	TAILBOX__KEY_WINDOW_MAX_RUNTIME_SNAPSHOTS,
	TAILBOX__KEY_SAMPLER_ENABLED,
	TAILBOX__KEY_SAMPLER_MODE,
	TAILBOX__KEY_SAMPLER_INTERVAL,
	TAILBOX__KEY_SAMPLER_MAX_RUNTIME_SNAPSHOTS,
	TAILBOX__KEY_HOLDS_MIN,
	TAILBOX__KEY_HOLDS_STACK,
	TAILBOX__KEY_HOLDS_STACK_AFTER,
	TAILBOX__KEY_ROUTES_PATTERNS,
	TAILBOX__KEY_RARE_SIZE,
	TAILBOX__KEY_RARE_SLOW,
	TAILBOX__KEY_LOG_SLOW,
	TAILBOX__KEY_TRIGGERS_SLOW,
	TAILBOX__KEY_TRIGGERS_OPEN,
	TAILBOX__KEY_TRIGGERS_HELD,
	TAILBOX__KEY_TRIGGERS_ROUTE_P99,
	TAILBOX__KEY_TRIGGERS_P99_FACTOR,
	TAILBOX__KEY_TRIGGERS_P99_FLOOR,
	TAILBOX__KEY_TRIGGERS_ERROR_RATE,
	TAILBOX__KEY_TRIGGERS_MIN_COUNT,
	TAILBOX__KEY_TRIGGERS_ACCEPT_QUEUE,
	TAILBOX__KEY_TRIGGERS_CALL,
	TAILBOX__KEY_TRIGGERS_SIGNAL,
	TAILBOX__KEY_TRIGGERS_ACTION,
	TAILBOX__KEY_TRIGGERS_LOOKBACK,
	TAILBOX__KEY_TRIGGERS_AFTER,
	TAILBOX__KEY_TRIGGERS_DURATION,
	TAILBOX__KEY_TRIGGERS_COOLDOWN,
	TAILBOX__KEY_COUNT
};

enum tailbox__config_from { /* weakest first */
	TAILBOX__FROM_DEFAULT,
	TAILBOX__FROM_PROGRAM, /* tailbox_start() and its options */
	TAILBOX__FROM_FILE,
	TAILBOX__FROM_ENVIRONMENT
};

struct tailbox__config_origin {
	uint32_t from; /* enum tailbox__config_from */
	uint32_t line; /* FROM_FILE: from 1; 0 = the file leaves it out, and
	                  what it leaves out has its default */
};

struct tailbox__config {
	struct tailbox__config_service service;
	struct tailbox__config_recorder recorder;
	struct tailbox__config_tape tape;
	struct tailbox__config_artifacts artifacts;
	struct tailbox__config_admin admin;
	struct tailbox__config_window window;
	struct tailbox__config_sampler sampler;
	struct tailbox__config_holds holds;
	struct tailbox__config_routes routes;
	struct tailbox__config_rare rare;
	struct tailbox__config_log log;
	struct tailbox__config_triggers triggers;
	struct tailbox__config_origin origin[TAILBOX__KEY_COUNT];
	char file[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = none was read */
};

/* All defaults. */
void tailbox__config_init(struct tailbox__config *c);

/* --- the table of keys -------------------------------------------------- */

enum tailbox__config_type {
	TAILBOX__CONFIG_BOOL,
	TAILBOX__CONFIG_COUNT,
	TAILBOX__CONFIG_SIZE,     /* bytes; in files with a unit, "16MiB" */
	TAILBOX__CONFIG_DURATION, /* ms; in files with a unit, "500ms" */
	TAILBOX__CONFIG_MICROS,   /* us; the same, "500us"; 0 = none, whatever
	                             min says */
	TAILBOX__CONFIG_CHOICE,   /* one of `choices`, by number */
	TAILBOX__CONFIG_TEXT,     /* min..max: bytes */
	TAILBOX__CONFIG_LIST      /* min..max: texts */
};

struct tailbox__config_key_info {
	const char *table, *name;
	enum tailbox__config_type type;
	size_t at; /* in struct tailbox__config */
	uint64_t min, max;
	uint64_t def; /* numbers, choices, bools; texts and lists: empty */
	const char *const *choices; /* ended by NULL */
	const char *unset; /* what "" or NONE or 0 means, for people; NULL: it
	                      always has a value */
	const char *summary; /* one line */
};
extern const struct tailbox__config_key_info
        tailbox__config_keys[TAILBOX__KEY_COUNT];

/* Where the value of a key is: bool *, uint64_t *, char * or struct
 * tailbox__config_list *, by its type. */
void *tailbox__config_at(struct tailbox__config *c,
                         enum tailbox__config_key key);
/* Whether it is not set, so that `unset` tells what goes. */
bool tailbox__config_is_unset(const struct tailbox__config *c,
                              enum tailbox__config_key key);
/* Whether it counts at start only: a reload does not change it. */
bool tailbox__config_is_fixed(enum tailbox__config_key key);
/* Whether two configurations have the same value there. */
bool tailbox__config_is_same(const struct tailbox__config *a,
                             const struct tailbox__config *b,
                             enum tailbox__config_key key);
/* "default", "program", "environment", "file". */
const char *tailbox__config_from_name(enum tailbox__config_from from);

/* --- config_text.c: values as text -------------------------------------- */

/* A number and its unit, nothing else: "500ms", "10s", "5m", "24h", "7d";
 * "512B", "64KiB", "16MiB", "1GiB", "1TiB". False: it is none, *why says what
 * is missing (static). */
bool tailbox__config_duration(const char *text, uint64_t *ms,
                              const char **why);
/* As a duration, and in "us" too. */
bool tailbox__config_micros(const char *text, uint64_t *us, const char **why);
bool tailbox__config_size(const char *text, uint64_t *bytes, const char **why);
/* "5%" or "0.5%" as millionths (*is_ppm), above 0 and up to 100%; or a whole
 * number above 0. False, and *value 0: it is neither. */
bool tailbox__config_share(const char *text, uint64_t *value, bool *is_ppm);
/* "ROUTE DURATION": the length of the route, and ms above 0. */
bool tailbox__config_route_bound(const char *text, size_t *route_len,
                                 uint64_t *ms);
/* The number of a signal that may be a trigger, by name; 0 = none of them. */
int tailbox__config_signal(const char *name);
/* The same of one that stacks may be taken by: "SIGURG", "SIGRTMIN+3". */
int tailbox__config_stack_signal(const char *name);
/* The same back, in the largest unit that is exact; out holds 32 bytes. */
void tailbox__config_duration_text(char *out, uint64_t ms);
void tailbox__config_micros_text(char *out, uint64_t us);
void tailbox__config_size_text(char *out, uint64_t bytes);
/* What a key takes, for people: "a duration with its unit, 1ms to 24h". */
void tailbox__config_takes(char *out, size_t size,
                           enum tailbox__config_key key);

typedef void (*tailbox__config_put)(void *cls, const char *text, size_t len);
/* The value of a key as it stands in a file. A token is shown as "...". */
void tailbox__config_value(const struct tailbox__config *c,
                           enum tailbox__config_key key,
                           tailbox__config_put put, void *cls);
/* All of it as a file with comments that say where each value came from;
 * what is not set stands in a comment. */
void tailbox__config_show(const struct tailbox__config *c,
                          tailbox__config_put put, void *cls);
struct tailbox__json;
/* The same for programs: {"file", "values": {"window.mode": {"value", "from",
 * "line"}}}. What is not set is null. */
void tailbox__config_json(const struct tailbox__config *c,
                          struct tailbox__json *j);
/* Where Run JSON of a window goes (spec 10.6): base "dir/stem.ext" gives
 * "dir/stem-generation-ID.ext"; without extension it is .json. False: it does
 * not fit into size. */
bool tailbox__config_output_name(char *out, size_t size, const char *base,
                                 uint64_t id);

#endif
