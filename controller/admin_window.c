/* controller/admin_window.c - POST /arm and /disarm.
 *
 * SPDX-License-Identifier: MIT
 *
 * A parameter that cannot be read is an error that names it and what it takes;
 * nothing is armed then. What a parameter may be is one row of a table.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_internal.h"
#include "controller/settings.h"
#include "core/utf8.h"

#define DURATION_MAX_MS ((uint64_t)24 * 3600 * 1000)
#define COUNT_MAX 10000000u

static bool read_mode(const char *text, enum tailbox__mode *mode)
{
	if (strcmp(text, "light") == 0)
		*mode = TAILBOX__MODE_LIGHT;
	else if (strcmp(text, "investigation") == 0)
		*mode = TAILBOX__MODE_INVESTIGATION;
	else
		return false;
	return true;
}

static bool take_mode(struct tailbox__activation *a, const char *text)
{
	/* Read before all others, since it sets their defaults. */
	return read_mode(text, &a->mode);
}

static bool take_duration(struct tailbox__activation *a, const char *text)
{
	return tailbox__admin_duration(text, 1, DURATION_MAX_MS,
	                               &a->duration_ms);
}

static bool take_lookback(struct tailbox__activation *a, const char *text)
{
	return tailbox__admin_duration(text, 1, DURATION_MAX_MS,
	                               &a->lookback_ms);
}

static bool take_interval(struct tailbox__activation *a, const char *text)
{
	uint64_t ms;

	if (!tailbox__admin_duration(text, 10, 60000, &ms))
		return false;
	a->sample_interval_ms = (uint32_t)ms;
	return true;
}

static bool take_note(struct tailbox__activation *a, const char *text)
{
	size_t len = strlen(text), n;
	uint32_t cp;

	if (len > TAILBOX__NOTE_MAX)
		return false;
	for (size_t i = 0; i < len; i += n) {
		n = tailbox__utf8_next(text + i, len - i, &cp);
		if (cp == TAILBOX__UTF8_INVALID || cp < 0x20 || cp == 0x7f)
			return false;
	}
	memcpy(a->note, text, len + 1);
	return true;
}

static bool take_policy(struct tailbox__activation *a, const char *text)
{
	if (strcmp(text, "continue_after_limits_hit") == 0)
		a->policy = TAILBOX__POLICY_CONTINUE;
	else if (strcmp(text, "auto_seal_on_limits_hit") == 0)
		a->policy = TAILBOX__POLICY_SEAL;
	else
		return false;
	return true;
}

static bool take_strict(struct tailbox__activation *a, const char *text)
{
	uint64_t v;

	if (!tailbox__admin_count(text, 0, 1, &v))
		return false;
	a->strict_lifecycle = v != 0;
	return true;
}

#define TAKE_LIMIT(member)                                                     \
	static bool take_##member(struct tailbox__activation *a,               \
	                          const char *text)                            \
	{                                                                      \
		return tailbox__admin_count(text, 0, COUNT_MAX,                \
		                            &a->limits.member);                \
	}
TAKE_LIMIT(max_requests)
TAKE_LIMIT(max_stages)
TAKE_LIMIT(max_queues)
TAKE_LIMIT(max_inflight_snapshots)
TAKE_LIMIT(max_runtime_snapshots)

#define COUNT_TEXT "a number, 0 to 10000000"

static const struct {
	const char *name;
	bool (*take)(struct tailbox__activation *a, const char *text);
	const char *takes;
} parameters[] = {
	{ "mode", take_mode, "light or investigation" },
	{ "duration", take_duration,
	  "a number and ms, s, m or h, from 1ms to 24h" },
	{ "lookback", take_lookback,
	  "a number and ms, s, m or h, from 1ms to 24h" },
	{ "note", take_note, "one line of UTF-8, at most 255 bytes" },
	{ "max_requests", take_max_requests, COUNT_TEXT },
	{ "max_stages", take_max_stages, COUNT_TEXT },
	{ "max_queues", take_max_queues, COUNT_TEXT },
	{ "max_inflight_snapshots", take_max_inflight_snapshots, COUNT_TEXT },
	{ "max_runtime_snapshots", take_max_runtime_snapshots, COUNT_TEXT },
	{ "policy", take_policy,
	  "continue_after_limits_hit or auto_seal_on_limits_hit" },
	{ "strict", take_strict, "0 or 1" },
	{ "sample_interval", take_interval,
	  "a number and ms or s, from 10ms to 60s" },
};

/* 0, or the row + 1 of the parameter that is wrong. */
static size_t read_activation(const struct tailbox__admin_request *q,
                              struct tailbox__activation *a)
{
	enum tailbox__mode mode;
	const char *text = tailbox__admin_param(q, "mode");

	if (text != NULL && !read_mode(text, &mode))
		return 1;
	tailbox__settings_activation(a, text != NULL ? &mode : NULL);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]);
	     i++) {
		text = tailbox__admin_param(q, parameters[i].name);
		if (text != NULL && !parameters[i].take(a, text))
			return i + 1;
	}
	return 0;
}

bool tailbox__admin_activation(struct tailbox__admin_request *q,
                               struct tailbox__activation *a,
                               enum MHD_Result *sent)
{
	const size_t wrong = read_activation(q, a);

	if (wrong == 0)
		return true;
	*sent = tailbox__admin_error(
	        q, MHD_HTTP_BAD_REQUEST, "bad_parameter",
	        "parameter %s takes %s", parameters[wrong - 1].name,
	        parameters[wrong - 1].takes);
	return false;
}

/* The name that the artifact of window `id` will have; "" when that window is
 * not there any more. */
static void artifact_of(uint64_t id, char name[256])
{
	struct tailbox__window_status w;

	tailbox__window_status(&w);
	name[0] = '\0';
	if (w.state != TAILBOX__WINDOW_DISABLED && w.id == id)
		memcpy(name, w.artifact, sizeof(w.artifact));
}

/* Done already, by its duration or limits: then it is in the folder. */
static void artifact_name(uint64_t id, char name[256])
{
	struct tailbox__artifact_entry e;
	char text[24];

	artifact_of(id, name);
	if (name[0] != '\0')
		return;
	snprintf(text, sizeof(text), "%" PRIu64, id);
	if (tailbox__artifact_find(text, &e) == 0)
		memcpy(name, e.name, sizeof(e.name));
}

bool tailbox__admin_has_windows(struct tailbox__admin_request *q,
                                enum MHD_Result *sent)
{
	const struct tailbox__admin_facts *f = tailbox__admin_facts;

	if (f->has_controller)
		return true;
	*sent = tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
	                             f->is_recorded ? "no_windows"
	                                            : "not_recorded",
	                             "%s",
	                             f->is_recorded
	                                     ? "the controller did not start, "
	                                       "see notes in /status"
	                                     : f->why_not);
	return false;
}

enum MHD_Result tailbox__admin_arm(struct tailbox__admin_request *q)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__activation a;
	struct tailbox__json j;
	enum MHD_Result sent;
	char name[256];
	uint64_t id = 0;
	int rc;

	if (!tailbox__admin_activation(q, &a, &sent) ||
	    !tailbox__admin_has_windows(q, &sent))
		return sent;
	rc = tailbox__arm(&a, &id, &err);
	if (rc == -ECANCELED)
		return tailbox__admin_error(q, MHD_HTTP_CONFLICT,
		                            "recorder_off", "%s", err.text);
	if (rc == -TAILBOX_ESTATE)
		return tailbox__admin_error_id(
		        q, MHD_HTTP_CONFLICT, "already_armed",
		        err.text[0] != '\0' ? err.text
		                            : "a window is armed already",
		        id);
	if (rc != 0)
		return tailbox__admin_error(
		        q,
		        rc == -EINVAL ? MHD_HTTP_BAD_REQUEST
		                      : MHD_HTTP_INTERNAL_SERVER_ERROR,
		        rc == -EINVAL ? "bad_parameter" : "cannot_arm", "%s",
		        err.text[0] != '\0' ? err.text : tailbox_strerror(rc));
	artifact_name(id, name);
	if (q->as_text) {
		tailbox__text_add(&t, "armed window %" PRIu64 ", artifact %s\n",
		                  id, name[0] != '\0' ? name : "-");
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_u64(&j, "id", id);
	tailbox__admin_put_text(&j, "state", "armed");
	tailbox__admin_put_text(&j, "artifact", name);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

static enum MHD_Result disarmed(struct tailbox__admin_request *q, int result,
                                uint64_t id, uint32_t in_flight)
{
	static const char *const names[] = {
		[TAILBOX__DISARM_ALREADY] = "already_disabled",
		[TAILBOX__DISARM_CLOSING] = "closing",
		[TAILBOX__DISARM_FINALIZED] = "finalized"
	};
	bool is_idle = result == TAILBOX__DISARM_ALREADY;
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;
	char name[256] = "";

	if (!is_idle)
		artifact_name(id, name);
	if (q->as_text) {
		tailbox__text_add(&t, "%s", names[result]);
		if (!is_idle)
			tailbox__text_add(&t,
			                  " window %" PRIu64
			                  ", %u in flight, artifact %s",
			                  id, (unsigned)in_flight,
			                  name[0] != '\0' ? name : "-");
		tailbox__text_add(&t, "\n");
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "result", names[result]);
	tailbox__admin_put_u64(&j, "id", is_idle ? TAILBOX__NONE : id);
	tailbox__admin_put_u64(&j, "in_flight", is_idle ? 0 : in_flight);
	tailbox__admin_put_text(&j, "artifact", name);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

enum MHD_Result tailbox__admin_disarm(struct tailbox__admin_request *q)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	uint32_t in_flight = 0;
	enum MHD_Result sent;
	uint64_t id = 0;
	int rc;

	if (!tailbox__admin_has_windows(q, &sent))
		return sent;
	rc = tailbox__disarm(&id, &in_flight, &err);
	if (rc < 0 || rc > TAILBOX__DISARM_FINALIZED)
		return tailbox__admin_error_id(
		        q, MHD_HTTP_INTERNAL_SERVER_ERROR, "window_failed",
		        err.text[0] != '\0' ? err.text : tailbox_strerror(rc),
		        id);
	return disarmed(q, rc, id, in_flight);
}
