/* controller/admin_report.c - GET /artifacts/ID/report: the analysis of an
 * artifact, made by the installed command as a child.
 *
 * SPDX-License-Identifier: MIT
 *
 * The service never runs the analyzer itself: that takes memory and time as the
 * artifact pleases, and reads what may be damaged. The child has limits
 * (child.c), and a failure of it is an answer.
 *
 * One report at a time, and one child (command.c). A thread waits for it, while
 * its client's connection is suspended and others are answered; then the
 * connection is resumed and the request is answered again from the start, as
 * artifacts are (admin_load.c).
 * Who asks for the same meanwhile shares it, up to a few, so that connections
 * are left for /status; others are told to come again. Nothing is kept for
 * later: the command may be another one by then.
 *
 * `lock` guards the one under way, users and waiters. `child` is written by its
 * thread before is_done is set, and does not change after that.
 */
#include "controller/admin_report.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/internal.h"
#include "core/alloc.h"
#include "core/daemons.h"

#define REPORT "/report"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct tailbox__report_made *current; /* under way; NULL = none */
static bool is_closed = true;
static atomic_bool must_stop;

/* --- making one -------------------------------------------------------- */

/* With the lock. */
static void let_go(struct tailbox__report_made *m)
{
	if (--m->users > 0)
		return;
	tailbox__free(m->child.out);
	tailbox__free(m);
}

void tailbox__report_release(struct tailbox__report_made *m)
{
	if (m == NULL)
		return;
	pthread_mutex_lock(&lock);
	let_go(m);
	pthread_mutex_unlock(&lock);
}

static void run_command(struct tailbox__report_made *m)
{
	char word[] = "analyze", format[] = "--json";
	char *argv[] = { m->command, word, m->path, m->as_text ? NULL : format,
		         NULL };

	tailbox__command_run(argv, &tailbox__report_limits, &must_stop,
	                     &m->child);
}

static void *report_thread(void *arg)
{
	struct tailbox__report_made *m = arg;

	tailbox__own_thread(true);
	pthread_setname_np(pthread_self(), "tailbox-report");
	run_command(m);
	tailbox__own_thread(false);
	pthread_mutex_lock(&lock);
	m->is_done = true;
	for (unsigned i = 0; i < m->waiter_count; i++)
		MHD_resume_connection(m->waiters[i]);
	m->waiter_count = 0;
	current = NULL;
	let_go(m);
	/* Last of all: who stops the server waits for it. */
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int make(const struct tailbox__admin_request *q,
                const struct tailbox__artifact_entry *e, const char *command,
                struct tailbox__report_made **out)
{
	struct tailbox__report_made *m = tailbox__zalloc(1, sizeof(*m));
	int rc;

	if (m == NULL)
		return -ENOMEM;
	m->entry = *e;
	m->as_text = q->as_text;
	snprintf(m->command, sizeof(m->command), "%s", command);
	snprintf(m->path, sizeof(m->path), "%s/%s.tailbox",
	         tailbox__admin_facts->artifact_dir, e->name);
	m->users = 2; /* the thread, and who asks */
	rc = tailbox__thread_detached(report_thread, m);
	if (rc != 0) {
		tailbox__free(m);
		return rc;
	}
	*out = m;
	return 0;
}

static bool is_same(const struct tailbox__report_made *m,
                    const struct tailbox__admin_request *q,
                    const struct tailbox__artifact_entry *e)
{
	return m->as_text == q->as_text && m->entry.checksum == e->checksum &&
	       strcmp(m->entry.name, e->name) == 0;
}

/* With the lock. 1: it is done; 0: the connection is suspended; -EBUSY ... */
static int come_in(struct tailbox__admin_request *q,
                   const struct tailbox__artifact_entry *e, const char *command)
{
	int rc = 0;

	if (q->report == NULL) {
		if (is_closed)
			return -EBUSY;
		if (current == NULL) {
			rc = make(q, e, command, &current);
			if (rc == 0)
				q->report = current;
			else
				return rc;
		} else if (!is_same(current, q, e) ||
		           (!q->is_job &&
		            current->waiter_count ==
		                    TAILBOX__REPORT_WAITERS_MAX)) {
			return -EBUSY;
		} else {
			q->report = current;
			current->users++;
		}
	}
	/* A job has no connection, and a thread that may wait. */
	while (q->is_job && !q->report->is_done)
		pthread_cond_wait(&changed, &lock);
	if (q->report->is_done)
		return 1;
	MHD_suspend_connection(q->connection);
	q->report->waiters[q->report->waiter_count++] = q->connection;
	return 0;
}

/* --- the call ---------------------------------------------------------- */

bool tailbox__is_report(const struct tailbox__admin_request *q)
{
	const size_t n = strlen(q->id), suffix = strlen(REPORT);

	return n > suffix && strcmp(q->id + n - suffix, REPORT) == 0;
}

static enum MHD_Result report(struct tailbox__admin_request *q,
                              const struct tailbox__artifact_entry *e)
{
	char command[TAILBOX__CONFIG_PATH_MAX + 1];
	const char *why;
	int rc;

	if (tailbox__command_find(command) != 0)
		return MHD_NO;
	why = tailbox__command_why_not(command);
	if (why != NULL)
		return tailbox__report_no_command(q, command, why);
	if (q->is_head)
		return tailbox__admin_send(
			q, MHD_HTTP_OK,
			MHD_create_response_from_buffer(0, (char[]){ "" },
		                                        MHD_RESPMEM_MUST_COPY));
	pthread_mutex_lock(&lock);
	rc = come_in(q, e, command);
	pthread_mutex_unlock(&lock);
	if (rc == 0)
		return MHD_YES; /* again, when it is there */
	if (rc == -EBUSY)
		return tailbox__admin_error_header(
			q, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "Retry-After",
			"1", "another report is being made");
	if (rc < 0)
		return tailbox__report_failed(
			q, "was not started: ", tailbox_strerror(rc));
	return tailbox__report_send(q, q->report);
}

enum MHD_Result tailbox__admin_report(struct tailbox__admin_request *q)
{
	const size_t n = strlen(q->id) - strlen(REPORT);
	struct tailbox__artifact_entry e;
	enum MHD_Result sent;
	char id[256] = "";
	bool is_native;

	if (q->report != NULL) /* it was found before */
		return tailbox__report_send(q, q->report);
	if (n < sizeof(id))
		memcpy(id, q->id, n);
	q->id = id; /* too long is empty, and refused */
	if (!tailbox__admin_find_artifact(q, &e, &is_native, &sent))
		return sent;
	if (is_native)
		return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "not_found",
		                            "a report is at "
		                            "/artifacts/ID/report, without "
		                            ".tailbox");
	return report(q, &e);
}

/* --- start and stop ---------------------------------------------------- */

void tailbox__admin_report_open(void)
{
	pthread_mutex_lock(&lock);
	is_closed = false;
	atomic_store_explicit(&must_stop, false, memory_order_relaxed);
	pthread_mutex_unlock(&lock);
}

void tailbox__admin_report_close(void)
{
	pthread_mutex_lock(&lock);
	is_closed = true;
	/* relaxed: it carries no data */
	atomic_store_explicit(&must_stop, true, memory_order_relaxed);
	while (current != NULL)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void tailbox__admin_report_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&changed, NULL);
	current = NULL;
	is_closed = true;
}
