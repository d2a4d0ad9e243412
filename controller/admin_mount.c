/* controller/admin_mount.c - tailbox_admin_handle(): the calls of the admin
 * server on threads of the application.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker of the application must not wait for a disk, nor for another
 * thread that does. Calls that only look at memory are answered at once; all
 * others are jobs: a thread of their own makes the response, while the worker
 * waits a moment, which usually is enough. Suspending the connection would
 * suit better, but needs a flag of the application's daemon, and its stopping
 * while we hold one aborts the process: that is not ours to risk.
 *
 * A job has copies of what it needs of the request, because the worker may
 * have answered and the connection be gone. A response belongs to no
 * connection until it is queued, so it may be made on another thread.
 *
 * `life` is held for reading while a worker is in here, so that tailbox_stop()
 * can wait for them; `lock` guards the jobs.
 */
#include <tailbox/admin.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/admin_internal.h"
#include "controller/internal.h"
#include "core/alloc.h"
#include "core/daemons.h"

#define JOBS_MAX 4u
#define PATIENCE_NS UINT64_C(2000000)
#define PATIENCE_OWN_THREAD_NS UINT64_C(10000000000)
#define KEEP_NS UINT64_C(10000000000) /* a result for who asks again */
#define KEY_MAX 1024u

static const char *const copied_headers[TAILBOX__COPIED_MAX] = {
	"Range", "If-Range", "If-None-Match", "Accept-Encoding"
};

struct job {
	bool is_used, is_done, is_read_only, is_orphan;
	unsigned waiters;
	char key[KEY_MAX]; /* what is asked for: a GET may be joined */
	struct tailbox__admin_request q;
	tailbox__admin_call *call;
	char *copies[2 * TAILBOX__ADMIN_PARAMS_MAX + TAILBOX__COPIED_MAX + 1];
	unsigned copy_count;
};

/* One who stops is not kept waiting by those who keep coming. */
static pthread_rwlock_t life =
        PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static bool is_open;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_closing; /* with lock: nobody lingers */
static struct job jobs[JOBS_MAX];

/* --- what a job needs of a request ------------------------------------- */

/* NULL stays NULL. False: no memory. */
static bool copy(struct job *j, const char *from, const char **to)
{
	char *text;

	*to = NULL;
	if (from == NULL)
		return true;
	text = tailbox__strdup(from);
	if (text == NULL)
		return false;
	j->copies[j->copy_count++] = text;
	*to = text;
	return true;
}

static bool copy_request(struct job *j, const struct tailbox__admin_request *q)
{
	bool ok = copy(j, q->id, &j->q.id);

	j->q.via = q->via;
	j->q.is_head = q->is_head;
	j->q.as_text = q->as_text;
	j->q.prefix = "";
	for (uint32_t i = 0; ok && i < q->param_count; i++)
		ok = copy(j, q->params[i].name, &j->q.params[i].name) &&
		     copy(j, q->params[i].value, &j->q.params[i].value);
	j->q.param_count = q->param_count;
	for (size_t i = 0; ok && i < TAILBOX__COPIED_MAX; i++) {
		j->q.headers[i].name = copied_headers[i];
		ok = copy(j, tailbox__admin_header(q, copied_headers[i]),
		          &j->q.headers[i].value);
	}
	tailbox__admin_peer(q, j->q.peer);
	return ok;
}

/* Everything that the answer depends on, or false: too long for that. */
static bool make_key(char key[KEY_MAX], const struct tailbox__admin_request *q,
                     const char *path)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	bool fits;

	tailbox__text_add(&t, "%d%d %s", q->is_head, q->as_text, path);
	for (size_t i = 0; i < TAILBOX__COPIED_MAX; i++) {
		const char *v = tailbox__admin_header(q, copied_headers[i]);
		tailbox__text_add(&t, "\n%s", v != NULL ? v : "\t");
	}
	for (uint32_t i = 0; i < q->param_count; i++)
		tailbox__text_add(&t, "\n%s=%s", q->params[i].name,
		                  q->params[i].value);
	fits = !t.has_failed && t.len < KEY_MAX;
	if (fits)
		memcpy(key, t.buf, t.len + 1);
	tailbox__text_fini(&t);
	return fits;
}

/* --- the thread of a job ----------------------------------------------- */

static struct timespec until(uint64_t ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000u),
		                     .tv_nsec = (long)(ns % 1000000000u) };
	return ts;
}

/* With lock. Its response may have been taken by then. */
static void linger(struct job *j)
{
	const struct timespec end = until(tailbox__mono_ns() + KEEP_NS);

	while (j->q.response != NULL && !is_closing && !j->is_orphan &&
	       pthread_cond_timedwait(&changed, &lock, &end) == 0)
		;
	while (j->waiters > 0)
		pthread_cond_wait(&changed, &lock);
}

static void *job_thread(void *arg)
{
	struct job *j = arg;
	struct MHD_Response *left;

	tailbox__own_thread(true);
	(void)j->call(&j->q);
	tailbox__admin_transfer_end(&j->q);
	for (unsigned i = 0; i < j->copy_count; i++)
		tailbox__free(j->copies[i]);
	pthread_mutex_lock(&lock);
	j->is_done = true;
	pthread_cond_broadcast(&changed);
	linger(j);
	left = j->q.response, j->q.response = NULL;
	pthread_mutex_unlock(&lock);
	if (left != NULL)
		MHD_destroy_response(left);
	tailbox__own_thread(false);
	/* Last of all: tailbox_stop() waits for it. */
	pthread_mutex_lock(&lock);
	j->is_used = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* --- the worker -------------------------------------------------------- */

static struct job *find(const char *key)
{
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (jobs[i].is_used && jobs[i].is_read_only &&
		    strcmp(jobs[i].key, key) == 0 &&
		    (!jobs[i].is_done || jobs[i].q.response != NULL))
			return &jobs[i];
	return NULL;
}

/* A job that runs; NULL and *rc: -EBUSY, -ENOMEM, ... */
static struct job *begin(const struct tailbox__admin_request *q,
                         tailbox__admin_call *call, const char *key, int *rc)
{
	struct job *j = jobs;

	*rc = -EBUSY;
	while (j < jobs + JOBS_MAX && j->is_used)
		j++;
	if (j == jobs + JOBS_MAX)
		return NULL;
	memset(j, 0, sizeof(*j));
	j->call = call;
	j->q.is_job = true;
	j->is_read_only = key[0] != '\0';
	memcpy(j->key, key, strlen(key) + 1);
	*rc = copy_request(j, q) ? tailbox__thread_detached(job_thread, j) : -ENOMEM;
	if (*rc != 0) {
		for (unsigned i = 0; i < j->copy_count; i++)
			tailbox__free(j->copies[i]);
		return NULL;
	}
	j->is_used = true;
	return j;
}

/* Wait for it; NULL: it takes longer, or (*status is 0) there was no memory.
 * Who comes first takes the response. */
static struct MHD_Response *wait_for(struct job *j, uint64_t patience_ns,
                                     unsigned *status)
{
	const struct timespec end = until(tailbox__mono_ns() + patience_ns);
	struct MHD_Response *r = NULL;

	*status = MHD_HTTP_ACCEPTED;
	j->waiters++;
	while (!j->is_done &&
	       pthread_cond_timedwait(&changed, &lock, &end) == 0)
		;
	j->waiters--;
	if (j->is_done) {
		r = j->q.response, j->q.response = NULL;
		*status = j->q.status;
	} else if (!j->is_read_only) {
		j->is_orphan = true;
	}
	pthread_cond_broadcast(&changed);
	return r;
}

static uint64_t patience(const struct tailbox__admin_request *q)
{
	const union MHD_ConnectionInfo *c = MHD_get_connection_info(
	        q->connection, MHD_CONNECTION_INFO_DAEMON);
	const union MHD_DaemonInfo *d =
	        c != NULL ? MHD_get_daemon_info(c->daemon,
	                                        MHD_DAEMON_INFO_FLAGS)
	                  : NULL;

	return d != NULL && (d->flags & MHD_USE_THREAD_PER_CONNECTION)
	               ? PATIENCE_OWN_THREAD_NS
	               : PATIENCE_NS;
}

static enum MHD_Result under_way(struct tailbox__admin_request *q,
                                 bool is_read_only)
{
	struct MHD_Response *r;
	struct tailbox__json j;

	if (is_read_only)
		return tailbox__admin_error_header(
		        q, MHD_HTTP_SERVICE_UNAVAILABLE, "under_way",
		        "Retry-After", "1",
		        "it is being read; ask for it again");
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "result", "under_way");
	tailbox__json_end_object(&j);
	r = tailbox__admin_of_json(&j);
	if (r != NULL)
		MHD_add_response_header(r, "Retry-After", "1");
	return tailbox__admin_send(q, MHD_HTTP_ACCEPTED, r);
}

/* By a job. */
static enum MHD_Result aside(struct tailbox__admin_request *q,
                             tailbox__admin_call *call, const char *path,
                             bool is_read_only)
{
	char key[KEY_MAX] = "";
	struct MHD_Response *r = NULL;
	unsigned status = 0;
	enum MHD_Result sent;
	struct job *j;
	int rc = 0;

	if (is_read_only && !make_key(key, q, path))
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                            "too_long",
		                            "path, parameters and headers of "
		                            "this call are too long together");
	pthread_mutex_lock(&lock);
	j = is_read_only ? find(key) : NULL;
	if (j == NULL)
		j = begin(q, call, key, &rc);
	if (j != NULL)
		r = wait_for(j, patience(q), &status);
	pthread_mutex_unlock(&lock);
	if (j == NULL)
		return tailbox__admin_error_header(
		        q, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "Retry-After",
		        "1", rc == -EBUSY ? "4 calls are under way already"
		                          : tailbox_strerror(rc));
	if (r == NULL)
		return status != 0 ? under_way(q, is_read_only) : MHD_NO;
	sent = MHD_queue_response(q->connection, status, r);
	MHD_destroy_response(r);
	return sent;
}

/* What stands behind the prefix; NULL: it is not below it. */
static const char *below(const char *url, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(url, prefix, n) != 0)
		return NULL;
	if (url[n] == '\0')
		return "/";
	return url[n] == '/' ? url + n : NULL;
}

static enum MHD_Result handle(struct tailbox__admin_request *q,
                              const char *path, const char *method)
{
	tailbox__admin_call *call;
	enum MHD_Result sent;
	bool waits;

	if (!is_open)
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "not_started",
		                            "tailbox is not started");
	if (path == NULL)
		return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "not_found",
		                            "no call of tailbox");
	if (!q->is_trusted && tailbox__admin_remote.token.len == 0)
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "no_token",
		                            "[admin] token or token_file is "
		                            "not set");
	if (!tailbox__admin_may(q, method, path, &sent))
		return sent;
	if (tailbox__admin_has_body(q))
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                            "unexpected_body",
		                            "here no body is read: parameters "
		                            "come in the query, a token in "
		                            "Authorization");
	call = tailbox__admin_find(q, path, method, &waits, &sent);
	if (call == NULL)
		return sent;
	if (!waits)
		return tailbox__admin_answer(q, call);
	return aside(q, call, path, strcmp(method, "GET") == 0 ||
	                                    strcmp(method, "HEAD") == 0);
}

enum MHD_Result tailbox_admin_handle(struct MHD_Connection *c,
                                     const char *prefix, unsigned int flags,
                                     const char *url, const char *method)
{
	struct tailbox__admin_request *q;
	enum MHD_Result rc;

	if (c == NULL || url == NULL || method == NULL)
		return MHD_NO;
	if (prefix == NULL)
		prefix = "";
	tailbox_request_discard(tailbox__request_of(c));
	q = tailbox__zalloc(1, sizeof(*q));
	if (q == NULL)
		return MHD_NO;
	q->connection = c;
	q->via = TAILBOX__VIA_MOUNT;
	q->prefix = prefix;
	q->is_trusted = (flags & TAILBOX_ADMIN_TRUSTED) != 0;
	pthread_rwlock_rdlock(&life);
	rc = handle(q, below(url, prefix), method);
	pthread_rwlock_unlock(&life);
	tailbox__free(q);
	return rc;
}

/* --- start and stop ---------------------------------------------------- */

static void set_up(void)
{
	pthread_condattr_t attr;

	/* On Linux none of these fails. */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	pthread_condattr_destroy(&attr);
}

void tailbox__mount_open(void)
{
	pthread_once(&once, set_up);
	pthread_mutex_lock(&lock);
	is_closing = false;
	pthread_mutex_unlock(&lock);
	pthread_rwlock_wrlock(&life);
	is_open = true;
	pthread_rwlock_unlock(&life);
}

static bool any_job(void)
{
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (jobs[i].is_used)
			return true;
	return false;
}

void tailbox__mount_close(void)
{
	pthread_rwlock_wrlock(&life);
	is_open = false;
	pthread_rwlock_unlock(&life);
	pthread_once(&once, set_up);
	pthread_mutex_lock(&lock);
	is_closing = true;
	pthread_cond_broadcast(&changed);
	while (any_job())
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void tailbox__mount_in_child(void)
{
	const pthread_rwlock_t fresh =
	        PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

	memcpy(&life, &fresh, sizeof(life));
	pthread_mutex_init(&lock, NULL);
	set_up();
	is_open = false;
	memset(jobs, 0, sizeof(jobs));
}
