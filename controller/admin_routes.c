/* controller/admin_routes.c - which call a path and a method are.
 *
 * SPDX-License-Identifier: MIT
 *
 * A new call is a line of the table, and one of the index (admin_index.c).
 */
#include "controller/admin_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "controller/admin_report.h"

/* The library's name for it changed between versions. */
#define STATUS_TOO_LARGE 413u

static const char *const takes_format[] = { "format", NULL };
static const char *const takes_kept[] = { "format", "kept", NULL };
static const char *const takes_on[] = { "format", "on", NULL };
static const char *const takes_arm[] = {
	"format", "mode", "duration", "note", "max_requests", "max_stages",
	"max_queues", "max_inflight_snapshots", "max_runtime_snapshots",
	"policy", "strict", "sample_interval", "lookback", NULL
};
static const char *const takes_snapshot[] = {
	"format", "last", "mode", "note", "max_requests", "max_stages",
	"max_queues", "max_inflight_snapshots", "max_runtime_snapshots", NULL
};

enum method { GET, POST, DELETE, METHODS };

/* HEAD is GET whose body the server library leaves out. */
static const char *const method_names[METHODS] = { "GET, HEAD", "POST",
	                                           "DELETE" };

static const struct route {
	const char *path; /* "/x/" takes what follows as an id */
	enum method method;
	tailbox__admin_call *answer;
	const char *const *params;
} routes[] = {
	{ "/", GET, tailbox__admin_index, takes_format },
	{ "/status", GET, tailbox__admin_status, takes_format },
	{ "/requests", GET, tailbox__admin_requests, takes_kept },
	{ "/workers", GET, tailbox__admin_workers, takes_format },
	{ "/artifacts", GET, tailbox__admin_artifacts, takes_format },
	{ "/artifacts/", GET, tailbox__admin_artifact, takes_format },
	{ "/artifacts/", DELETE, tailbox__admin_delete, takes_format },
	{ "/artifacts/", POST, tailbox__admin_pin, takes_on },
	{ "/arm", POST, tailbox__admin_arm, takes_arm },
	{ "/disarm", POST, tailbox__admin_disarm, takes_format },
	{ "/snapshot", POST, tailbox__admin_snapshot, takes_snapshot },
	{ "/recorder", POST, tailbox__admin_recorder, takes_on },
	{ "/session", POST, tailbox__admin_session_begin, takes_format },
	{ "/session", DELETE, tailbox__admin_session_end, takes_format },
	{ "/config", GET, tailbox__admin_config, takes_format },
	{ "/reload", POST, tailbox__admin_reload, takes_format },
	{ "/healthz", GET, tailbox__admin_health, takes_format },
};

static bool path_is(const struct route *r, const char *path, const char **id)
{
	size_t n = strlen(r->path);

	*id = NULL;
	if (n == 1 || r->path[n - 1] != '/')
		return strcmp(path, r->path) == 0;
	if (strncmp(path, r->path, n) != 0 || path[n] == '\0')
		return false;
	*id = path + n;
	return true;
}

static bool method_is(enum method m, const char *name)
{
	switch (m) {
	case GET:
		return strcmp(name, "GET") == 0 || strcmp(name, "HEAD") == 0;
	case POST:
		return strcmp(name, "POST") == 0;
	case DELETE:
		return strcmp(name, "DELETE") == 0;
	case METHODS:
		break;
	}
	return false;
}

static const struct route *find_route(struct tailbox__admin_request *q,
                                      const char *method, const char *path,
                                      unsigned *allowed)
{
	*allowed = 0;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const char *id;
		if (!path_is(&routes[i], path, &id))
			continue;
		q->id = id;
		if (method_is(routes[i].method, method))
			return &routes[i];
		*allowed |= 1u << routes[i].method;
	}
	return NULL;
}

static enum MHD_Result no_route(struct tailbox__admin_request *q,
                                const char *method, unsigned allowed)
{
	char allow[64] = "", detail[128];

	if (allowed == 0)
		return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "not_found",
		                            "no such call; GET / lists them");
	for (unsigned m = 0; m < METHODS; m++)
		if (allowed & 1u << m) {
			size_t n = strlen(allow);
			snprintf(allow + n, sizeof(allow) - n, "%s%s",
			         n ? ", " : "", method_names[m]);
		}
	snprintf(detail, sizeof(detail), "%.20s is not possible here, only %s",
	         method, allow);
	return tailbox__admin_error_header(q, MHD_HTTP_METHOD_NOT_ALLOWED,
	                                   "method_not_allowed", "Allow", allow,
	                                   detail);
}

enum MHD_Result tailbox__admin_too_large(struct tailbox__admin_request *q)
{
	return tailbox__admin_error(q, STATUS_TOO_LARGE,
	                            "body_too_large",
	                            "parameters come in the query; at most %u "
	                            "bytes of body are read",
	                            TAILBOX__ADMIN_BODY_MAX);
}

/* Guards the one reader of the tape. */
static pthread_mutex_t look_lock = PTHREAD_MUTEX_INITIALIZER;

static bool takes_look(tailbox__admin_call *call)
{
	return call == tailbox__admin_requests ||
	       call == tailbox__admin_workers;
}

/* What only looks at memory; whoever adds a call need not think of it. */
static bool waits_for_nothing(tailbox__admin_call *call)
{
	return takes_look(call) || call == tailbox__admin_index ||
	       call == tailbox__admin_health || call == tailbox__admin_status ||
	       call == tailbox__admin_session_begin ||
	       call == tailbox__admin_session_end ||
	       call == tailbox__admin_recorder;
}

tailbox__admin_call *tailbox__admin_find(struct tailbox__admin_request *q,
                                         const char *path, const char *method,
                                         bool *waits, enum MHD_Result *sent)
{
	static const char *const none[] = { NULL };
	const char *wrong, *name;
	const struct route *r;
	unsigned allowed;

	q->is_head = strcmp(method, "HEAD") == 0;
	r = find_route(q, method, path, &allowed);
	wrong = tailbox__admin_params(q, r ? r->params : none, &name);
	if (r == NULL)
		*sent = no_route(q, method, allowed);
	else if (q->body_bytes > TAILBOX__ADMIN_BODY_MAX)
		*sent = tailbox__admin_too_large(q);
	/* Taking no notice of `-d duration=30s` would arm for ever. */
	else if (q->body_bytes > 0 && r->answer != tailbox__admin_session_begin)
		*sent = tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                             "unexpected_body",
		                             "parameters come in the query, "
		                             "not in a body");
	else if (wrong != NULL)
		*sent = tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                             "bad_parameter",
		                             "parameter %.64s %s", name, wrong);
	else {
		*waits = !waits_for_nothing(r->answer);
		return r->answer;
	}
	return NULL;
}

enum MHD_Result tailbox__admin_answer(struct tailbox__admin_request *q,
                                      tailbox__admin_call *call)
{
	enum MHD_Result sent;

	if (!takes_look(call))
		return call(q);
	/* Held while the answer is put together, not while it is sent. */
	pthread_mutex_lock(&look_lock);
	sent = call(q);
	pthread_mutex_unlock(&look_lock);
	return sent;
}

void tailbox__admin_routes_in_child(void)
{
	pthread_mutex_init(&look_lock, NULL);
}
