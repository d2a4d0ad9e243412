/* tests/matrix_app.c - an application that writes down every call it gets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/matrix_app.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tailbox/mhd.h>

#include "tests/e2e_client.h"

#define THREADS_MAX 1024
#define AGAIN_NS 10000000

static struct calls {
	char text[32768];
	size_t len;
} calls[MATRIX_CONNECTIONS_MAX];

static struct {
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	int connections;
	bool is_recorded;
	pthread_t threads[THREADS_MAX];
	int thread_count;
} app = { .lock = PTHREAD_MUTEX_INITIALIZER,
	  .changed = PTHREAD_COND_INITIALIZER };

struct request {
	char path[64];
	unsigned count; /* of calls */
	size_t body;
	/* A suspension, under the lock. */
	struct MHD_Connection *suspended;
	bool was_suspended, is_back;
};

/* --- writing down ------------------------------------------------------ */

static void __attribute__((format(printf, 2, 3)))
note(struct MHD_Connection *c, const char *fmt, ...)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct calls *to = i ? i->socket_context : NULL;
	va_list ap;
	int n;

	if (to == NULL || to < calls || to >= calls + MATRIX_CONNECTIONS_MAX)
		abort(); /* the context that STARTED left is not there */
	pthread_mutex_lock(&app.lock);
	va_start(ap, fmt);
	n = vsnprintf(to->text + to->len, sizeof(to->text) - to->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(to->text) - to->len)
		to->len += (size_t)n;
	pthread_mutex_unlock(&app.lock);
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode toe)
{
	const bool is_new = toe == MHD_CONNECTION_NOTIFY_STARTED;
	const bool was_empty = *context == NULL;

	if (is_new) {
		pthread_mutex_lock(&app.lock);
		if (app.connections < MATRIX_CONNECTIONS_MAX)
			*context = &calls[app.connections++];
		pthread_mutex_unlock(&app.lock);
	}
	note(c, "%s cls %d empty %d\n", is_new ? "started" : "closed",
	     cls == &app.lock, was_empty);
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct request *q = calloc(1, sizeof(*q));

	note(c, "uri %s cls %d\n", uri, cls == &app.connections);
	snprintf(q->path, sizeof(q->path), "%s", uri);
	return q;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **req_cls,
                         enum MHD_RequestTerminationCode toe)
{
	struct request *q = *req_cls;

	note(c, "completed %d %s calls %u body %zu cls %d\n", (int)toe,
	     q->path, q->count, q->body, cls == &app.threads);
	free(q);
	*req_cls = NULL;
}

/* --- threads ----------------------------------------------------------- */

static void start_thread(void *(*fn)(void *), void *cls)
{
	pthread_mutex_lock(&app.lock);
	if (app.thread_count == THREADS_MAX ||
	    pthread_create(&app.threads[app.thread_count], NULL, fn, cls) != 0)
		abort();
	app.thread_count++;
	pthread_mutex_unlock(&app.lock);
}

void matrix_app_join(void)
{
	int n;

	/* Who is just being started is counted under the same lock. */
	pthread_mutex_lock(&app.lock);
	n = app.thread_count;
	app.thread_count = 0;
	pthread_mutex_unlock(&app.lock);
	for (int i = 0; i < n; i++)
		pthread_join(app.threads[i], NULL);
}

static void resume(struct MHD_Connection *c, bool is_first)
{
	if (app.is_recorded && is_first)
		tailbox_mhd_resume_connection(c);
	else
		MHD_resume_connection(c);
}

/* With a thread for each connection libmicrohttpd 0.9.75 has all of them wait
 * for one signal, and who comes first may take it from the one it is meant for:
 * a resume is missed, bare or not: for as long as one likes, where that one is
 * always the first to wake. So it is made again, more often each time, until the
 * handler is called. Under the lock: until then the connection is there. */
static void *resume_it(void *cls)
{
	struct request *q = cls;
	struct timespec until;

	pthread_mutex_lock(&app.lock);
	for (int i = 0; !q->is_back; i++) {
		for (int k = 0; k <= i * i && k < 1000; k++) {
			resume(q->suspended, i == 0);
			sched_yield();
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += (until.tv_nsec + AGAIN_NS) / 1000000000;
		until.tv_nsec = (until.tv_nsec + AGAIN_NS) % 1000000000;
		pthread_cond_timedwait(&app.changed, &app.lock, &until);
	}
	q->suspended = NULL; /* q is the handler's again */
	pthread_cond_broadcast(&app.changed);
	pthread_mutex_unlock(&app.lock);
	return NULL;
}

struct echo {
	int fd;
	struct MHD_UpgradeResponseHandle *handle;
};

static void *echo_it(void *cls)
{
	struct echo *e = cls;
	struct pollfd p = { e->fd, POLLIN, 0 }; /* it does not block */
	char text[4];

	if (poll(&p, 1, E2E_PATIENCE_MS) == 1 &&
	    recv(e->fd, text, sizeof(text), 0) == sizeof(text))
		e2e_send_bytes(e->fd, text, sizeof(text));
	MHD_upgrade_action(e->handle, MHD_UPGRADE_ACTION_CLOSE);
	free(e);
	return NULL;
}

/* --- answers ----------------------------------------------------------- */

static void on_upgrade(void *cls, struct MHD_Connection *c, void *req_cls,
                       const char *extra, size_t extra_size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle)
{
	struct request *q = req_cls;
	struct echo *e = malloc(sizeof(*e));

	(void)extra;
	note(c, "upgrade %s extra %zu cls %d\n", q->path, extra_size,
	     cls == &app);
	e->fd = fd;
	e->handle = handle;
	start_thread(echo_it, e);
}

static enum MHD_Result queue(struct MHD_Connection *c, unsigned status,
                             struct MHD_Response *r)
{
	enum MHD_Result rc;

	rc = app.is_recorded ? tailbox_mhd_queue_response(c, status, r)
	                     : MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result upgrade(struct MHD_Connection *c)
{
	struct MHD_Response *r =
	        MHD_create_response_for_upgrade(on_upgrade, &app);

	if (r == NULL)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "echo");
	return queue(c, MHD_HTTP_SWITCHING_PROTOCOLS, r);
}

static bool is_suspended(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c,
	                               MHD_CONNECTION_INFO_CONNECTION_SUSPENDED)
	               ->suspended == MHD_YES;
}

static void suspend(struct request *q, struct MHD_Connection *c)
{
	q->was_suspended = true;
	q->suspended = c;
	/* After a resume that was one too many the server takes the next
	 * suspension for done. */
	for (int i = 0; i < 2 && !is_suspended(c); i++)
		if (app.is_recorded)
			tailbox_mhd_suspend_connection(c);
		else
			MHD_suspend_connection(c);
	start_thread(resume_it, q);
}

static bool starts(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

/* It is called again: tell the one who resumes, and wait for that to have gone,
 * for the request ends after this. */
static void come_back(struct request *q)
{
	pthread_mutex_lock(&app.lock);
	q->is_back = true;
	pthread_cond_broadcast(&app.changed);
	while (q->suspended != NULL)
		pthread_cond_wait(&app.changed, &app.lock);
	pthread_mutex_unlock(&app.lock);
}

static enum MHD_Result final(struct request *q, struct MHD_Connection *c)
{
	const char *text = q->path;

	if (starts(q->path, "/suspend")) {
		if (!q->was_suspended) {
			suspend(q, c);
			return MHD_YES;
		}
		come_back(q);
	}
	if (starts(q->path, "/upgrade"))
		return upgrade(c);
	return queue(c, starts(q->path, "/missing") ? 404 : 200,
	             MHD_create_response_from_buffer(
	                     strlen(text), (void *)(uintptr_t)text,
	                     MHD_RESPMEM_MUST_COPY));
}

enum MHD_Result matrix_answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct request *q = *req_cls;

	note(c, "call %u %s %s %s cls %d same %d data %d size %zu\n",
	     ++q->count, method, url, version, cls == &app,
	     strcmp(url, q->path) == 0, data != NULL, *size);
	if (q->count == 1)
		return MHD_YES;
	if (*size != 0) {
		q->body += *size;
		*size = 0;
		return MHD_YES;
	}
	return final(q, c);
}

/* --- what tests ask ---------------------------------------------------- */

void matrix_app_reset(bool is_recorded)
{
	memset(calls, 0, sizeof(calls));
	app.connections = 0;
	app.is_recorded = is_recorded;
}

void matrix_app_options(struct MHD_OptionItem *to)
{
	to[0] = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_CONNECTION,
		                         (intptr_t)&on_connection, &app.lock };
	to[1] = (struct MHD_OptionItem){ MHD_OPTION_URI_LOG_CALLBACK,
		                         (intptr_t)&on_uri, &app.connections };
	to[2] = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_COMPLETED,
		                         (intptr_t)&on_completed,
		                         &app.threads };
}

void *matrix_app_cls(void)
{
	return &app;
}

int matrix_connections(void)
{
	return app.connections;
}

const char *matrix_calls(int connection)
{
	return calls[connection].text;
}
