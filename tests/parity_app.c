/* tests/parity_app.c - an application that does all that the server library
 * allows, and writes down every call it gets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/parity_app.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tailbox/mhd.h>

#include "tests/e2e_server.h"

struct parity parity;

/* --- what happened ----------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	char text[65536];
	size_t len;
	char last[256];
	int opened, closed;
	int fd; /* the server's end of the connection opened last */
} log_ = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&log_.lock);
	/* A handler that is called again and again is one line. */
	if (strcmp(line, log_.last) != 0 &&
	    log_.len + strlen(line) + 2 < sizeof(log_.text))
		log_.len += (size_t)snprintf(log_.text + log_.len,
		                             sizeof(log_.text) - log_.len,
		                             "%s\n", line);
	snprintf(log_.last, sizeof(log_.last), "%s", line);
	pthread_mutex_unlock(&log_.lock);
}

bool parity_has_closed(void *cls)
{
	bool is;

	pthread_mutex_lock(&log_.lock);
	is = log_.closed >= *(int *)cls;
	pthread_mutex_unlock(&log_.lock);
	return is;
}

bool parity_has_logged(void *cls)
{
	bool is;

	pthread_mutex_lock(&log_.lock);
	is = strstr(log_.text, (const char *)cls) != NULL;
	pthread_mutex_unlock(&log_.lock);
	return is;
}

int parity_server_fd(void)
{
	int fd;

	pthread_mutex_lock(&log_.lock);
	fd = log_.opened > 0 ? log_.fd : -1;
	pthread_mutex_unlock(&log_.lock);
	return fd;
}

char *parity_calls(void)
{
	char *text;

	pthread_mutex_lock(&log_.lock);
	text = strdup(log_.text);
	pthread_mutex_unlock(&log_.lock);
	return text;
}

/* --- the application --------------------------------------------------- */

struct request {
	char path[64];
	unsigned calls;
	size_t body;
	bool was_suspended;
};

static pthread_t helper;
static int helper_error;
static bool has_helper;
static struct MHD_Connection *suspended;

static void suspend(struct MHD_Connection *c)
{
	if (parity.is_wrapped)
		tailbox_mhd_suspend_connection(c);
	else
		MHD_suspend_connection(c);
}

static void resume(struct MHD_Connection *c)
{
	if (parity.is_wrapped)
		tailbox_mhd_resume_connection(c);
	else
		MHD_resume_connection(c);
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status,
                             const char *text)
{
	return e2e_reply(c, status, text, strlen(text));
}

static ssize_t produce(void *cls, uint64_t pos, char *buf, size_t max)
{
	(void)cls;
	if (pos >= 30000)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (max > 30000 - pos)
		max = (size_t)(30000 - pos);
	memset(buf, 'p', max);
	return (ssize_t)max;
}

static enum MHD_Result reply_stream(struct MHD_Connection *c, uint64_t size)
{
	struct MHD_Response *r = MHD_create_response_from_callback(
	        size, 1024, produce, NULL, NULL);
	enum MHD_Result rc = MHD_queue_response(c, 200, r);

	MHD_destroy_response(r);
	return rc;
}

static void on_upgrade(void *cls, struct MHD_Connection *c, void *req_cls,
                       const char *extra, size_t extra_size, MHD_socket sock,
                       struct MHD_UpgradeResponseHandle *urh)
{
	struct request *q = req_cls;

	(void)cls, (void)c, (void)extra;
	note("upgraded %s extra %zu", q ? q->path : "-", extra_size);
	parity.upgraded = urh;
	parity.upgraded_fd = sock;
	sem_post(&parity.entered);
}

static void *resume_later(void *cls)
{
	bool *queue_first = cls;

	if (queue_first != NULL)
		reply(suspended, 203, "queued while suspended\n");
	resume(suspended);
	return NULL;
}

/* The other thread can only run when the handler has returned. */
static void start_helper(struct MHD_Connection *c, bool queue_first)
{
	static bool yes = true;

	suspended = c;
	helper_error = pthread_create(&helper, NULL, resume_later,
	                              queue_first ? &yes : NULL);
	has_helper = helper_error == 0;
}

static bool is(const struct request *q, const char *path)
{
	return strcmp(q->path, path) == 0;
}

/* In the first call; MHD_YES and nothing queued means go on. */
static enum MHD_Result first(struct request *q, struct MHD_Connection *c)
{
	if (is(q, "/at-once"))
		return reply(c, 200, "at once\n");
	if (is(q, "/early"))
		return reply(c, 413, "too large\n");
	if (is(q, "/no-first"))
		return MHD_NO;
	if (is(q, "/suspend-first") && !q->was_suspended) {
		q->was_suspended = true;
		q->calls = 0; /* the first call comes again */
		suspend(c);
		start_helper(c, false);
	}
	return MHD_YES;
}

static enum MHD_Result final(struct request *q, struct MHD_Connection *c)
{
	if (is(q, "/no"))
		return MHD_NO;
	if (is(q, "/again"))
		return q->calls < 200 ? MHD_YES : reply(c, 200, "at last\n");
	if (is(q, "/suspend") && !q->was_suspended) {
		q->was_suspended = true;
		suspend(c);
		start_helper(c, false);
		return MHD_YES;
	}
	if (is(q, "/suspend-queue")) {
		suspend(c);
		start_helper(c, true);
		return MHD_YES;
	}
	if (is(q, "/slow")) {
		sem_post(&parity.entered);
		sem_wait(&parity.let_go);
	}
	if (is(q, "/stream"))
		return reply_stream(c, MHD_SIZE_UNKNOWN);
	if (is(q, "/stream-known"))
		return reply_stream(c, 30000);
	if (is(q, "/big"))
		return e2e_reply(c, 200, parity.big, PARITY_BIG);
	if (is(q, "/upgrade"))
		return e2e_reply_upgrade(c, on_upgrade);
	if (is(q, "/missing"))
		return reply(c, 404, "no\n");
	if (is(q, "/icy"))
		return reply(c, 200 | MHD_ICY_FLAG, "icy\n");
	if (is(q, "/nothing"))
		return reply(c, 204, "");
	return reply(c, 200, "hello\n");
}

enum MHD_Result parity_answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct request *q = *req_cls;
	enum MHD_Result rc;

	if (q == NULL || q->calls == 0) {
		note("first %s %s %s %s cls %d size %zu", method, url, version,
		     q ? q->path : "-", cls == &log_, *size);
		if (q == NULL)
			q = *req_cls = calloc(1, sizeof(*q));
		snprintf(q->path, sizeof(q->path), "%s", url);
		q->calls = 1;
		return first(q, c);
	}
	q->calls++;
	if (*size != 0) {
		q->body += *size;
		note("upload %s", data != NULL ? "data" : "null");
		*size = 0;
		return MHD_YES;
	}
	note("final %s body %zu", q->path, q->body);
	rc = final(q, c);
	return rc;
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct request *q = calloc(1, sizeof(*q));

	(void)c;
	note("uri %s cls %d", uri, cls == &parity.big);
	snprintf(q->path, sizeof(q->path), "from uri");
	return q;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **req_cls,
                         enum MHD_RequestTerminationCode toe)
{
	struct request *q = *req_cls;

	(void)c;
	note("completed %d %s body %zu cls %d", (int)toe, q ? q->path : "-",
	     q ? q->body : 0, cls == &helper);
	free(q);
	*req_cls = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode toe)
{
	pthread_mutex_lock(&log_.lock);
	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		log_.opened++;
		log_.fd = MHD_get_connection_info(
		        c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	}
	pthread_mutex_unlock(&log_.lock);
	note("connection %d context %s cls %d", (int)toe,
	     *context ? (const char *)*context : "-", cls == &parity.entered);
	*context = (void *)(uintptr_t)"mine";
	pthread_mutex_lock(&log_.lock);
	log_.closed += toe == MHD_CONNECTION_NOTIFY_CLOSED;
	pthread_mutex_unlock(&log_.lock);
}

void parity_app_reset(void)
{
	pthread_mutex_lock(&log_.lock);
	log_.len = 0;
	log_.text[0] = log_.last[0] = '\0';
	log_.opened = log_.closed = helper_error = 0;
	pthread_mutex_unlock(&log_.lock);
}

void *parity_app_cls(void)
{
	return &log_;
}

void parity_app_options(int without, unsigned timeout_s,
                        struct MHD_OptionItem *to)
{
	*to++ = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_CONNECTION,
		                         (intptr_t)&on_connection,
		                         &parity.entered };
	*to++ = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_TIMEOUT,
		                         (intptr_t)timeout_s, NULL };
	if (!(without & NO_COMPLETED))
		*to++ = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_COMPLETED,
			                         (intptr_t)&on_completed,
			                         &helper };
	if (!(without & NO_URI_LOG))
		*to++ = (struct MHD_OptionItem){ MHD_OPTION_URI_LOG_CALLBACK,
			                         (intptr_t)&on_uri,
			                         &parity.big };
	*to = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
}

int parity_app_join(void)
{
	if (has_helper)
		pthread_join(helper, NULL);
	has_helper = false;
	return helper_error;
}

void parity_app_open(void)
{
	parity.big = malloc(PARITY_BIG);
	memset(parity.big, 'b', PARITY_BIG);
	sem_init(&parity.entered, 0, 0);
	sem_init(&parity.let_go, 0, 0);
}

void parity_app_close(void)
{
	free(parity.big);
	sem_destroy(&parity.entered);
	sem_destroy(&parity.let_go);
}
