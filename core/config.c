/* core/config.c - the table of settings, and their defaults.
 *
 * SPDX-License-Identifier: MIT
 *
 * To add a setting: a member and a key in config.h, a row here, a paragraph in
 * doc/tailbox.conf.5. Everything else works from the row.
 */
#include "core/config.h"

#include <string.h>

#include "core/tape.h"

static const char *const modes[] = { "light", "investigation", NULL };
static const char *const policies[] = { "continue_after_limits_hit",
	                                "auto_seal_on_limits_hit", NULL };

static const char *const actions[] = { "snapshot", "arm", NULL };

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define TIB (MIB * MIB)
#define SECOND UINT64_C(1000)
#define DAY (24 * 3600 * SECOND)

#define ROW(table, name) #table, #name
#define AT(table, name) offsetof(struct tailbox__config, table.name)
#define BOOL(table, name, def, summary)                                        \
	{ ROW(table, name), TAILBOX__CONFIG_BOOL, AT(table, name), 0, 1, def,  \
	  NULL, NULL, summary }
#define NUMBER(type, table, name, min, max, def, unset, summary)               \
	{ ROW(table, name), TAILBOX__CONFIG_##type, AT(table, name), min, max, \
	  def, NULL, unset, summary }
#define CHOICE(table, name, choices, def, unset, summary)                      \
	{ ROW(table, name), TAILBOX__CONFIG_CHOICE, AT(table, name), 0, 1,     \
	  def, choices, unset, summary }
#define TEXT(table, name, min, unset, summary)                                 \
	{ ROW(table, name), TAILBOX__CONFIG_TEXT, AT(table, name), min,        \
	  sizeof(((struct tailbox__config *)NULL)->table.name) - 1, 0, NULL,   \
	  unset, summary }
#define LIST(table, name, unset, summary)                                      \
	{ ROW(table, name), TAILBOX__CONFIG_LIST, AT(table, name), 0,          \
	  TAILBOX__CONFIG_LIST_MAX, 0, NULL, unset, summary }
#define LIMIT(name, summary)                                                   \
	NUMBER(COUNT, window, name, 0, TAILBOX__CONFIG_LIMIT_MAX,              \
	       TAILBOX__NONE, "by the mode", summary)

const struct tailbox__config_key_info
        tailbox__config_keys[TAILBOX__KEY_COUNT] = {
	[TAILBOX__KEY_SERVICE_NAME] =
	        TEXT(service, name, 1, "the program's name",
	             "name of the service, in file names and reports"),
	[TAILBOX__KEY_SERVICE_VERSION] =
	        TEXT(service, version, 0, "not known",
	             "version of the service, kept in artifacts"),
	[TAILBOX__KEY_RECORDER_ENABLED] =
	        BOOL(recorder, enabled, true,
	             "record at all; false is as TAILBOX=off"),
	[TAILBOX__KEY_TAPE_DIR] =
	        TEXT(tape, dir, 1,
	             "$RUNTIME_DIRECTORY/tailbox or /dev/shm/tailbox-UID",
	             "folder of the tape and the admin socket"),
	[TAILBOX__KEY_TAPE_SIZE] =
	        NUMBER(SIZE, tape, size, TAILBOX__TAPE_MIN, TAILBOX__TAPE_MAX,
	               0, "16 MiB, or less where there is little memory",
	               "memory of the tape"),
	[TAILBOX__KEY_TAPE_HISTORY] =
	        NUMBER(DURATION, tape, history, SECOND, DAY, 0, "by its size",
	               "time that the tape is to hold, by the last run's rate"),
	[TAILBOX__KEY_ARTIFACTS_DIR] =
	        TEXT(artifacts, dir, 1,
	             "$STATE_DIRECTORY/tailbox or artifacts in the tape's "
	             "folder",
	             "folder of the artifacts"),
	[TAILBOX__KEY_ARTIFACTS_MAX_SIZE] =
	        NUMBER(SIZE, artifacts, max_size, MIB, TIB, 256 * MIB, NULL,
	               "artifacts are kept up to this size in all"),
	[TAILBOX__KEY_ARTIFACTS_MAX_COUNT] =
	        NUMBER(COUNT, artifacts, max_count, 1, 100000, 100, NULL,
	               "and up to this number; the oldest go first"),
	[TAILBOX__KEY_ARTIFACTS_MAX_CRASHES] =
	        NUMBER(COUNT, artifacts, max_crashes, 0, 1000, 10, NULL,
	               "so many of them of crashes; 0 makes none at a start"),
	[TAILBOX__KEY_ARTIFACTS_LOCAL_JSON] =
	        BOOL(artifacts, local_json, false,
	             "write each artifact as Run JSON too"),
	[TAILBOX__KEY_ARTIFACTS_OUTPUT_PATH] =
	        TEXT(artifacts, output_path, 1, "beside the artifact",
	             "where Run JSON goes: DIR/STEM-generation-ID.json"),
	[TAILBOX__KEY_ARTIFACTS_HEADLINE] =
	        BOOL(artifacts, headline, true,
	             "have what each says made into a line for lists"),
	[TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT] =
	        TEXT(artifacts, on_artifact, 1, "none",
	             "program that is started with each artifact"),
	[TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT_TIMEOUT] =
	        NUMBER(DURATION, artifacts, on_artifact_timeout, 100,
	               3600 * SECOND, 60 * SECOND, NULL,
	               "how long that program may take"),
	[TAILBOX__KEY_ADMIN_LISTEN] =
	        TEXT(admin, listen, 0, "no TCP, only the Unix socket",
	             "address and port of the admin server"),
	[TAILBOX__KEY_ADMIN_TOKEN] =
	        TEXT(admin, token, 16, "none",
	             "bearer token of the admin server over TCP"),
	[TAILBOX__KEY_ADMIN_TOKEN_FILE] =
	        TEXT(admin, token_file, 1, "none",
	             "file that holds the token"),
	[TAILBOX__KEY_ADMIN_ALLOW_HOSTS] =
	        LIST(admin, allow_hosts, "only the address that it listens on",
	             "further names in Host and Origin that are answered"),
	[TAILBOX__KEY_ADMIN_REPORT_COMMAND] =
	        TEXT(admin, report_command, 1, "the installed tailbox",
	             "path of the command that makes reports"),
	[TAILBOX__KEY_WINDOW_ARM_AT_START] =
	        BOOL(window, arm_at_start, false,
	             "arm a window when the service starts"),
	[TAILBOX__KEY_WINDOW_MODE] =
	        CHOICE(window, mode, modes, TAILBOX__MODE_LIGHT, NULL,
	               "default limits and cadence of a window"),
	[TAILBOX__KEY_WINDOW_STRICT_LIFECYCLE] =
	        BOOL(window, strict_lifecycle, false,
	             "no artifact while requests are open"),
	[TAILBOX__KEY_WINDOW_POLICY] =
	        CHOICE(window, policy, policies, TAILBOX__POLICY_CONTINUE,
	               NULL, "what happens when a limit is hit"),
	[TAILBOX__KEY_WINDOW_DURATION] =
	        NUMBER(DURATION, window, duration, 1, DAY, 0,
	               "until it is disarmed", "a window disarms by itself"),
	[TAILBOX__KEY_WINDOW_DRAIN_TIMEOUT] =
	        NUMBER(DURATION, window, drain_timeout, 1, 600 * SECOND,
	               10 * SECOND, NULL,
	               "how long a closing window waits for open requests"),
	[TAILBOX__KEY_WINDOW_MAX_REQUESTS] =
	        LIMIT(max_requests, "a window keeps the first so many requests"),
	[TAILBOX__KEY_WINDOW_MAX_STAGES] =
	        LIMIT(max_stages, "and the first so many stages"),
	[TAILBOX__KEY_WINDOW_MAX_QUEUES] =
	        LIMIT(max_queues, "and the first so many waits"),
	[TAILBOX__KEY_WINDOW_MAX_INFLIGHT_SNAPSHOTS] =
	        LIMIT(max_inflight_snapshots,
	              "and the first so many gauge moves"),
	[TAILBOX__KEY_WINDOW_MAX_RUNTIME_SNAPSHOTS] =
	        LIMIT(max_runtime_snapshots, "and the first so many samples"),
	[TAILBOX__KEY_SAMPLER_ENABLED] =
	        BOOL(sampler, enabled, true, "windows have samples"),
	[TAILBOX__KEY_SAMPLER_MODE] =
	        CHOICE(sampler, mode, modes, TAILBOX__NONE, "the window's",
	               "default cadence and retention of samples"),
	[TAILBOX__KEY_SAMPLER_INTERVAL] =
	        NUMBER(DURATION, sampler, interval, 10, 60 * SECOND,
	               TAILBOX__NONE, "by the mode",
	               "time between two samples of a window"),
	[TAILBOX__KEY_SAMPLER_MAX_RUNTIME_SNAPSHOTS] =
	        NUMBER(COUNT, sampler, max_runtime_snapshots, 0,
	               TAILBOX__CONFIG_LIMIT_MAX, TAILBOX__NONE, "by the mode",
	               "samples that the sampler takes in a window"),
	[TAILBOX__KEY_HOLDS_MIN] =
	        NUMBER(MICROS, holds, min, 10, 10 * SECOND * 1000, 1000, NULL,
	               "callbacks that take so long are recorded one by one"),
	[TAILBOX__KEY_HOLDS_STACK] =
	        TEXT(holds, stack, 0, "off",
	             "the signal by which a held worker's stack is taken"),
	[TAILBOX__KEY_HOLDS_STACK_AFTER] =
	        NUMBER(DURATION, holds, stack_after, 1, DAY, 100, NULL,
	               "once it has been held for this long"),
	[TAILBOX__KEY_ROUTES_PATTERNS] =
	        LIST(routes, patterns, "ids in paths are found by their look",
	             "routes by pattern; the first that matches"),
	[TAILBOX__KEY_RARE_SIZE] =
	        NUMBER(SIZE, rare, size, 0, TAILBOX__RARE_MAX, TAILBOX__NONE,
	               "1/16 of the tape",
	               "part of the tape for slow and failed requests; 0B: "
	               "none"),
	[TAILBOX__KEY_RARE_SLOW] =
	        NUMBER(DURATION, rare, slow, 0, DAY, 500, NULL,
	               "as slow as that; 0ms: only failed and cancelled ones"),
	[TAILBOX__KEY_LOG_SLOW] =
	        NUMBER(DURATION, log, slow, 1, DAY, 0, "nothing is logged",
	               "requests that take as long go to the log"),
	[TAILBOX__KEY_TRIGGERS_SLOW] =
	        NUMBER(DURATION, triggers, slow, 1, DAY, 0, "off",
	               "a request took this long"),
	[TAILBOX__KEY_TRIGGERS_OPEN] =
	        NUMBER(DURATION, triggers, open, 1, DAY, 0, "off",
	               "a request is open this long"),
	[TAILBOX__KEY_TRIGGERS_HELD] =
	        NUMBER(DURATION, triggers, held, 1, DAY, 0, "off",
	               "one callback holds a worker this long"),
	[TAILBOX__KEY_TRIGGERS_ROUTE_P99] =
	        LIST(triggers, route_p99, "off",
	             "p99 of a route is this long: \"/checkout 250ms\""),
	[TAILBOX__KEY_TRIGGERS_P99_FACTOR] =
	        NUMBER(COUNT, triggers, p99_factor, 2, 1000, 0, "off",
	               "p99 of a route is so many times what it was"),
	[TAILBOX__KEY_TRIGGERS_P99_FLOOR] =
	        NUMBER(DURATION, triggers, p99_floor, 1, DAY, 50, NULL,
	               "and at least this long"),
	[TAILBOX__KEY_TRIGGERS_ERROR_RATE] =
	        TEXT(triggers, error_rate, 0, "off",
	             "this share of requests failed: \"5%\""),
	[TAILBOX__KEY_TRIGGERS_MIN_COUNT] =
	        NUMBER(COUNT, triggers, min_count, 1, 1000000, 100, NULL,
	               "percentiles and rates count from so many requests"),
	[TAILBOX__KEY_TRIGGERS_ACCEPT_QUEUE] =
	        TEXT(triggers, accept_queue, 0, "off",
	             "so many connections wait: \"80%\" of the limit, \"100\""),
	[TAILBOX__KEY_TRIGGERS_CALL] =
	        BOOL(triggers, call, true,
	             "the application calls tailbox_trigger()"),
	[TAILBOX__KEY_TRIGGERS_SIGNAL] =
	        TEXT(triggers, signal, 0, "off",
	             "a signal comes that nobody else handles"),
	[TAILBOX__KEY_TRIGGERS_ACTION] =
	        CHOICE(triggers, action, actions, TAILBOX__ACTION_SNAPSHOT,
	               NULL, "what a trigger does"),
	[TAILBOX__KEY_TRIGGERS_LOOKBACK] =
	        NUMBER(DURATION, triggers, lookback, 1, DAY, 10 * SECOND, NULL,
	               "how much of the past it takes"),
	[TAILBOX__KEY_TRIGGERS_AFTER] =
	        NUMBER(DURATION, triggers, after, 0, 600 * SECOND, SECOND,
	               NULL, "and of what follows, before the snapshot"),
	[TAILBOX__KEY_TRIGGERS_DURATION] =
	        NUMBER(DURATION, triggers, duration, 1, DAY, 10 * SECOND, NULL,
	               "duration of the window that is armed"),
	[TAILBOX__KEY_TRIGGERS_COOLDOWN] =
	        NUMBER(DURATION, triggers, cooldown, 0, DAY, 60 * SECOND, NULL,
	               "time from one trigger to the next that acts"),
};

void *tailbox__config_at(struct tailbox__config *c,
                         enum tailbox__config_key key)
{
	return (char *)c + tailbox__config_keys[key].at;
}

void tailbox__config_init(struct tailbox__config *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[i];
		void *to = tailbox__config_at(c, i);

		switch (k->type) {
		case TAILBOX__CONFIG_BOOL:
			*(bool *)to = k->def != 0;
			break;
		case TAILBOX__CONFIG_COUNT:
		case TAILBOX__CONFIG_SIZE:
		case TAILBOX__CONFIG_DURATION:
		case TAILBOX__CONFIG_MICROS:
		case TAILBOX__CONFIG_CHOICE:
			*(uint64_t *)to = k->def;
			break;
		case TAILBOX__CONFIG_TEXT:
		case TAILBOX__CONFIG_LIST:
			break;
		}
	}
}

bool tailbox__config_is_unset(const struct tailbox__config *c,
                              enum tailbox__config_key key)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	const void *at = (const char *)c + k->at;
	uint64_t value;

	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		return false;
	case TAILBOX__CONFIG_COUNT:
	case TAILBOX__CONFIG_SIZE:
	case TAILBOX__CONFIG_DURATION:
	case TAILBOX__CONFIG_MICROS:
	case TAILBOX__CONFIG_CHOICE:
		memcpy(&value, at, sizeof(value));
		return k->unset != NULL && value == k->def;
	case TAILBOX__CONFIG_TEXT:
		return *(const char *)at == '\0';
	case TAILBOX__CONFIG_LIST:
		return ((const struct tailbox__config_list *)at)->count == 0;
	}
	return false;
}

bool tailbox__config_is_fixed(enum tailbox__config_key key)
{
	switch (key) {
	case TAILBOX__KEY_SERVICE_NAME:
	case TAILBOX__KEY_SERVICE_VERSION:
	case TAILBOX__KEY_RECORDER_ENABLED:
	case TAILBOX__KEY_TAPE_DIR:
	case TAILBOX__KEY_TAPE_SIZE:
	case TAILBOX__KEY_RARE_SIZE:
	case TAILBOX__KEY_TAPE_HISTORY:
	case TAILBOX__KEY_ARTIFACTS_DIR:
	case TAILBOX__KEY_ARTIFACTS_MAX_CRASHES:
	case TAILBOX__KEY_ADMIN_LISTEN:
	case TAILBOX__KEY_ADMIN_TOKEN:
	case TAILBOX__KEY_ADMIN_TOKEN_FILE:
	case TAILBOX__KEY_ADMIN_ALLOW_HOSTS:
	case TAILBOX__KEY_WINDOW_ARM_AT_START:
		return true;
	default:
		return false;
	}
}

bool tailbox__config_is_same(const struct tailbox__config *a,
                             const struct tailbox__config *b,
                             enum tailbox__config_key key)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	const char *x = (const char *)a + k->at, *y = (const char *)b + k->at;

	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case TAILBOX__CONFIG_COUNT:
	case TAILBOX__CONFIG_SIZE:
	case TAILBOX__CONFIG_DURATION:
	case TAILBOX__CONFIG_MICROS:
	case TAILBOX__CONFIG_CHOICE:
		return memcmp(x, y, sizeof(uint64_t)) == 0;
	case TAILBOX__CONFIG_TEXT:
		return strcmp(x, y) == 0;
	case TAILBOX__CONFIG_LIST:
		/* Reset as a whole before it is filled. */
		return memcmp(x, y, sizeof(struct tailbox__config_list)) == 0;
	}
	return false;
}

const char *tailbox__config_from_name(enum tailbox__config_from from)
{
	switch (from) {
	case TAILBOX__FROM_DEFAULT:
		return "default";
	case TAILBOX__FROM_PROGRAM:
		return "program";
	case TAILBOX__FROM_FILE:
		return "file";
	case TAILBOX__FROM_ENVIRONMENT:
		return "environment";
	}
	return NULL;
}
