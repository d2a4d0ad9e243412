/* controller/start.c - tailbox_start() and tailbox_stop().
 *
 * SPDX-License-Identifier: MIT
 *
 * The first law lives here: whatever goes wrong, the service goes on. So
 * nothing is all or nothing. Each part that cannot start is left out and
 * named in a note; notes are said to the log and shown by /status:
 *
 *	config       as if there were no file
 *	run folder   the next one in the order of precedence is tried
 *	tape         unrecorded, but the admin server answers and says why
 *	controller   recorded, but no windows can be armed
 *	sampler      recorded, but without samples
 *	admin        recorded, but only the tape tells
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>
#include <tailbox.h>

#include "controller/abilities.h"
#include "controller/admin.h"
#include "controller/controller.h"
#include "controller/settings.h"
#include "controller/start_internal.h"
#include "controller/trigger_watch.h"
#include "core/daemons.h"
#include "core/patterns.h"
#include "core/recorder.h"
#include "core/run.h"
#include "sampler/pools.h"
#include "sampler/sampler.h"
#include "sampler/stack.h"

#define INTERVAL_DEFAULT_MS 500u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_started;
struct tailbox__start tailbox__start;
static struct tailbox_options *const options = &tailbox__start.options;
static struct tailbox__admin_facts *const facts = &tailbox__start.facts;

/* --- log and notes ----------------------------------------------------- */

/* Every line says whose it is. Also the log of the controller's threads. */
static void relay(void *cls, const char *text)
{
	char line[PATH_MAX + 512];

	(void)cls;
	if (options->log == NULL)
		return;
	snprintf(line, sizeof(line), "tailbox: %s", text);
	options->log(options->log_cls, line);
}

void tailbox__start_say(const char *fmt, ...)
{
	char text[PATH_MAX + 480];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) >= 0)
		relay(NULL, text);
	va_end(args);
}

void tailbox__start_note(const char *fmt, ...)
{
	char text[TAILBOX__NOTE_TEXT];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	for (char *p = text; *p != '\0'; p++) /* one line, no tabs */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (facts->note_count < TAILBOX__NOTES_MAX)
		memcpy(facts->notes[facts->note_count++], text, sizeof(text));
	else
		facts->notes_lost++;
	tailbox__start_say("%s", text);
}

/* --- fork -------------------------------------------------------------- */

/* The child has none of our threads and records only after a start of its
 * own. core looks after its tape by a handler of its own. */
static void in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	/* What may be called while not started. */
	tailbox__pools_in_child();
	tailbox__mount_in_child();
	if (!is_started)
		return;
	is_started = false;
	tailbox__admin_in_child();
	tailbox__controller_in_child();
	tailbox__trigger_signal_in_child();
	tailbox__sampler_in_child();
	tailbox__settings_in_child();
	tailbox__patterns_in_child();
}

static void set_up_once(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* --- the parts --------------------------------------------------------- */

static void start_controller(void)
{
	const struct tailbox__controller_config c = {
		.service = facts->service,
		.artifact_dir = facts->artifact_dir,
		.max_size = tailbox__settings()->artifacts.max_size,
		.max_count = tailbox__settings()->artifacts.max_count,
		.fill = facts->wish.fill,
		.run_dir = facts->run_dir,
		.max_crashes = tailbox__settings()->artifacts.max_crashes,
		.drain_timeout_ms = options->drain_timeout_ms,
		.sample_interval_ms = options->sample_interval_ms,
		.path = tailbox__start_path(),
		.log = relay};
	int rc;

	tailbox__trigger_set(&tailbox__settings()->triggers);
	rc = tailbox__controller_start(&c);
	facts->has_controller = rc == 0;
	if (rc != 0)
		tailbox__start_note("no windows can be armed: the controller "
		                    "did not start: "
		                    "%s",
		                    tailbox_strerror(rc));
}

static void start_sampler(void)
{
	int rc = tailbox__sampler_start(options->sample_interval_ms
	                                        ? options->sample_interval_ms
	                                        : INTERVAL_DEFAULT_MS);

	facts->has_sampler = rc == 0;
	if (rc != 0)
		tailbox__start_note(
			"no samples are taken: the sampler did not start: %s",
			tailbox_strerror(rc));
	else
		tailbox__settings_stacks();
}

static void start_admin(int dirfd)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	int rc;

	if (tailbox__admin_start(facts, dirfd, &err) != 0) {
		tailbox__start_note("no admin server: %.400s", err.text);
		return;
	}
	tailbox__start_say("admin socket %s", tailbox__admin_path());
	rc = tailbox__admin_start_tcp(&tailbox__settings()->admin, &err);
	if (rc > 0)
		tailbox__start_say("admin server on %s", tailbox__admin_tcp());
	if (rc >= 0)
		return;
	/* Not a note: the server that shows them is running. */
	tailbox__start_say("the admin server is not on TCP: %s", err.text);
	tailbox__settings_trouble(err.text);
}

static void arm_at_start(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__activation a;
	uint64_t id = 0;

	tailbox__settings_activation(&a, NULL);
	if (tailbox__arm(&a, &id, &err) != 0)
		tailbox__start_note("no window was armed at the start: %.200s",
		                    err.text);
}

static void note_the_time(void)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	facts->started_ms =
		(uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
	facts->started_mono_ms =
		(uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000;
}

/* A history comes from a file, so of a size only one in a file bounds it: what
 * the program said was for no history. */
static void take_wish(void)
{
	const struct tailbox__config *c = tailbox__settings();
	const bool is_of_file = c->origin[TAILBOX__KEY_TAPE_SIZE].from ==
	                        TAILBOX__FROM_FILE;

	facts->wish = (struct tailbox__tape_wish){
		.bytes = c->tape.history && !is_of_file ? 0 : c->tape.size,
		.history_ms = c->tape.history,
		.fill = tailbox__fill_read(facts->artifact_dir, facts->service)
	};
}

static int start_recorder(int dirfd)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int rc;

	/* The tape tells it, whichever daemons there will be. */
	tailbox__daemon_set_library(MHD_get_version());
	tailbox__tape_set_rare(tailbox__settings()->rare.size);
	take_wish();
	rc = tailbox__recorder_open(
		dirfd, facts->run_dir, facts->service,
		facts->service_version[0] ? facts->service_version : NULL,
		tailbox__tape_size(&facts->wish, dirfd, 0), &err);
	facts->is_recorded = rc == 0;
	if (rc != 0) {
		snprintf(facts->why_not, sizeof(facts->why_not), "%s",
		         err.text[0] ? err.text : tailbox_strerror(rc));
		tailbox__start_say("%s is not recorded: %s", facts->service,
		                   facts->why_not);
		return rc;
	}
	tailbox__recorder_set_hold_min(tailbox__settings()->holds.min);
	tailbox__start_say(
		"recording %s, pid %ld, on %s, %llu bytes", facts->service,
		(long)getpid(), tailbox__recorder.tape.path,
		(unsigned long long)tailbox__recorder.tape.file_bytes);
	return 0;
}

/* What works less well here than it could: nobody else would say it. */
static void note_abilities(void)
{
	int error;

	if (tailbox__ability_tcp_info(&error) == TAILBOX__ABILITY_NO)
		tailbox__start_note("getsockopt(TCP_INFO) is refused (%s): "
		                    "waits before the "
		                    "request line and bytes sent are not known",
		                    tailbox_strerror(error));
	if (!tailbox__recorder.has_membarrier)
		tailbox__start_note("membarrier is refused: each request pays "
		                    "for a fence of "
		                    "its own");
}

static int start(const char *service, const struct tailbox_options *opts)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int dirfd, rc;

	memset(facts, 0, sizeof(*facts));
	rc = tailbox__start_take(service, opts);
	if (rc != 0)
		return rc;
	note_the_time();
	dirfd = tailbox__start_run_folder(&err);
	if (dirfd < 0) {
		tailbox__start_say("%s is not recorded: %s", facts->service,
		                   err.text);
		return dirfd;
	}
	tailbox__start_artifact_folder();
	tailbox__switch_reset();
	is_started = true;
	rc = start_recorder(dirfd);
	if (rc == 0) {
		note_abilities();
		start_controller();
		start_sampler();
	}
	if (facts->has_controller && tailbox__settings()->window.arm_at_start)
		arm_at_start();
	start_admin(dirfd);
	return rc;
}

int tailbox_start(const char *service, const struct tailbox_options *opts)
{
	int rc;

	pthread_once(&once, set_up_once);
	pthread_mutex_lock(&lock);
	rc = is_started ? -EALREADY : start(service, opts);
	pthread_mutex_unlock(&lock);
	return rc;
}

void tailbox_stop(void)
{
	pthread_mutex_lock(&lock);
	if (is_started) {
		tailbox__admin_stop();
		tailbox__trigger_signal_clear();
		if (facts->has_controller)
			tailbox__controller_stop();
		if (facts->has_sampler)
			tailbox__sampler_stop();
		tailbox__stack_clear();
		if (facts->is_recorded)
			tailbox__recorder_close(false);
		tailbox__patterns_clear();
		is_started = false;
		tailbox__start_say("stopped recording %s", facts->service);
	}
	pthread_mutex_unlock(&lock);
}
