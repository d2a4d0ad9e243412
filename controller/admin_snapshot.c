/* controller/admin_snapshot.c - POST /snapshot.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread makes it, while its client's connection is suspended and others are
 * answered; then the connection is resumed and the request answered from the
 * start, as artifacts are (admin_load.c).
 *
 * A second one that comes meanwhile is refused with 409 and when to come again,
 * not put behind: its past would be another one by the time it is cut, and who
 * asks twice at such a moment wants the first.
 *
 * `lock` guards who uses it and is_done; the rest is its thread's until then.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_internal.h"
#include "controller/internal.h"
#include "core/alloc.h"
#include "core/daemons.h"

#define LAST_MAX_MS ((uint64_t)24 * 3600 * 1000)

struct tailbox__snapshot_asked {
	unsigned users; /* its thread, and who asks */
	bool is_done;
	struct MHD_Connection *waiter; /* suspended; NULL = none */
	struct tailbox__snapshot snapshot;
	struct tailbox__artifact_key key;
	char name[256];
	struct tailbox__error err;
	int rc;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned under_way;
static bool is_closed = true;

/* With the lock. */
static void let_go(struct tailbox__snapshot_asked *s)
{
	if (--s->users == 0)
		tailbox__free(s);
}

void tailbox__admin_snapshot_release(struct tailbox__snapshot_asked *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&lock);
	let_go(s);
	pthread_mutex_unlock(&lock);
}

static void take(struct tailbox__snapshot_asked *s)
{
	s->rc = tailbox__snapshot_take(&s->snapshot, &s->key, s->name,
	                               &s->err);
}

static void *snapshot_thread(void *arg)
{
	struct tailbox__snapshot_asked *s = arg;

	tailbox__own_thread(true);
	pthread_setname_np(pthread_self(), "tailbox-snap");
	take(s);
	tailbox__own_thread(false);
	pthread_mutex_lock(&lock);
	s->is_done = true;
	if (s->waiter != NULL)
		MHD_resume_connection(s->waiter);
	under_way--;
	let_go(s);
	/* Last of all: who stops the server waits for it. */
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* --- the answer -------------------------------------------------------- */

static enum MHD_Result failed(struct tailbox__admin_request *q,
                              const struct tailbox__snapshot_asked *s)
{
	const char *why = s->err.text[0] != '\0' ? s->err.text
	                                         : tailbox_strerror(s->rc);

	if (s->rc == -EBUSY)
		return tailbox__admin_error_header(
		        q, MHD_HTTP_CONFLICT, "snapshot_under_way",
		        "Retry-After", "1", why);
	if (s->rc == -TAILBOX_ESTATE)
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "stopping", "%s", why);
	return tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
	                            "no_snapshot", "%s", why);
}

static enum MHD_Result send_text(struct tailbox__admin_request *q,
                                 const struct tailbox__snapshot_asked *s,
                                 const struct tailbox__snapshot_status *f)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	char id[TAILBOX__ARTIFACT_ID_BYTES], us[TAILBOX__UNIT_TEXT];

	tailbox__text_add(&t, "snapshot %s, artifact %s\n",
	                  tailbox__artifact_id(id, &s->key), s->name);
	if (strcmp(f->last, s->name) == 0) {
		tailbox__text_add(&t,
		                  "%" PRIu64 " requests of the last %s, %" PRIu64
		                  " still open\n",
		                  f->requests,
		                  tailbox__text_us(us, f->covered_us),
		                  f->unfinished);
		if (f->older_open)
			tailbox__text_add(&t,
			                  "%" PRIu64 " open ones began before, "
			                  "see /requests\n",
			                  f->older_open);
	}
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}

static enum MHD_Result done(struct tailbox__admin_request *q,
                            const struct tailbox__snapshot_asked *s)
{
	struct tailbox__snapshot_status f;
	char id[TAILBOX__ARTIFACT_ID_BYTES];
	struct tailbox__json j;

	if (s->rc != 0)
		return failed(q, s);
	tailbox__snapshot_status(&f);
	if (q->as_text)
		return send_text(q, s, &f);
	/* Another one may have been made since. */
	if (strcmp(f.last, s->name) != 0)
		f.requests = f.unfinished = f.asked_us = f.covered_us =
		        f.older_requests = f.older_open = TAILBOX__NONE;
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "id", tailbox__artifact_id(id, &s->key));
	tailbox__admin_put_text(&j, "artifact", s->name);
	tailbox__admin_put_u64(&j, "requests", f.requests);
	tailbox__admin_put_u64(&j, "unfinished", f.unfinished);
	tailbox__admin_put_u64(&j, "asked_us", f.asked_us);
	tailbox__admin_put_u64(&j, "covered_us", f.covered_us);
	tailbox__admin_put_u64(&j, "older_requests", f.older_requests);
	tailbox__admin_put_u64(&j, "older_open", f.older_open);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

/* --- the call ---------------------------------------------------------- */

static bool read_snapshot(struct tailbox__admin_request *q,
                          struct tailbox__snapshot *s, enum MHD_Result *sent)
{
	const char *last = tailbox__admin_param(q, "last");
	struct tailbox__activation a;

	if (!tailbox__admin_activation(q, &a, sent))
		return false;
	memset(s, 0, sizeof(*s));
	s->mode = a.mode;
	s->limits = a.limits;
	memcpy(s->note, a.note, sizeof(s->note));
	if (last == NULL ||
	    tailbox__admin_duration(last, 1, LAST_MAX_MS, &s->last_ms))
		return true;
	*sent = tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST, "bad_parameter",
	                             "parameter last takes a number and ms, s, "
	                             "m or h, from 1ms to 24h");
	return false;
}

/* Start the thread and suspend the connection until it is done. */
static int start(struct tailbox__admin_request *q,
                 struct tailbox__snapshot_asked *s)
{
	int rc = -TAILBOX_ESTATE;

	pthread_mutex_lock(&lock);
	if (!is_closed)
		rc = tailbox__thread_detached(snapshot_thread, s);
	if (rc == 0) {
		under_way++;
		s->users++;
		s->waiter = q->connection;
		MHD_suspend_connection(q->connection);
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

enum MHD_Result tailbox__admin_snapshot(struct tailbox__admin_request *q)
{
	struct tailbox__snapshot_asked *s = q->snapshot;
	enum MHD_Result sent;

	if (s != NULL) /* resumed */
		return done(q, s);
	s = tailbox__zalloc(1, sizeof(*s));
	if (s == NULL)
		return MHD_NO;
	s->users = 1;
	s->err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	q->snapshot = s; /* let go of when the request ends */
	if (!read_snapshot(q, &s->snapshot, &sent) ||
	    !tailbox__admin_has_windows(q, &sent))
		return sent;
	/* A job has no connection, and a thread that may wait. */
	if (q->is_job) {
		take(s);
		return done(q, s);
	}
	/* Once it is started, s is the thread's. */
	const int rc = start(q, s);
	if (rc == 0)
		return MHD_YES; /* again, when it is there */
	s->rc = rc;
	return failed(q, s);
}

/* --- start and stop ---------------------------------------------------- */

void tailbox__admin_snapshot_open(void)
{
	pthread_mutex_lock(&lock);
	is_closed = false;
	pthread_mutex_unlock(&lock);
}

void tailbox__admin_snapshot_close(void)
{
	pthread_mutex_lock(&lock);
	is_closed = true;
	while (under_way > 0)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void tailbox__admin_snapshot_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&changed, NULL);
	under_way = 0;
	is_closed = true;
}
