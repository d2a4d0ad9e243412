/* controller/settings.c - the settings in force, and their reload.
 *
 * SPDX-License-Identifier: MIT
 *
 * `base` is what holds without a file; every reading begins there, so that a
 * key that was taken out of the file goes back to what it was. The file is
 * read without the lock, and reloads are one at a time.
 */
#include "controller/settings.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/internal.h"
#include "controller/trigger_watch.h"
#include "core/alloc.h"
#include "core/patterns.h"
#include "core/recorder.h"
#include "sampler/sampler.h"
#include "sampler/stack.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t reload_lock = PTHREAD_MUTEX_INITIALIZER;

static struct tailbox__config base, now;
static struct tailbox__config first; /* as read at start: fixed keys */
static struct tailbox__settings_status status;
static bool says_on;
static char folder[TAILBOX__CONFIG_PATH_MAX + 1]; /* at start; "" = unknown */
static struct chosen {
	char path[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = none yet */
	enum tailbox__config_from from;
} chosen_tape, chosen_artifacts;

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- what the program and the environment say --------------------------- */

static void set_text(enum tailbox__config_key key, const char *text,
                     enum tailbox__config_from from)
{
	if (text == NULL || tailbox__is_blank(text, strlen(text)))
		return;
	snprintf(tailbox__config_at(&base, key),
	         tailbox__config_keys[key].max + 1, "%s", text);
	base.origin[key].from = from;
}

static void set_number(enum tailbox__config_key key, uint64_t value)
{
	if (value == 0)
		return;
	*(uint64_t *)tailbox__config_at(&base, key) = value;
	base.origin[key].from = TAILBOX__FROM_PROGRAM;
}

/* The environment has the last word; over what a file said, too. */
static void put_environment(struct tailbox__config *c)
{
	static const enum tailbox__config_key keys[] = {
		TAILBOX__KEY_TAPE_DIR, TAILBOX__KEY_ARTIFACTS_DIR
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const enum tailbox__config_key key = keys[i];
		if (base.origin[key].from != TAILBOX__FROM_ENVIRONMENT)
			continue;
		memcpy(tailbox__config_at(c, key),
		       tailbox__config_at(&base, key),
		       tailbox__config_keys[key].max + 1);
		c->origin[key] = base.origin[key];
	}
	if (!says_on)
		return;
	c->recorder.enabled = true;
	c->origin[TAILBOX__KEY_RECORDER_ENABLED] =
	        (struct tailbox__config_origin){ TAILBOX__FROM_ENVIRONMENT, 0 };
}

void tailbox__settings_open(const char *service,
                            const struct tailbox_options *o,
                            const struct tailbox__settings_environment *env)
{
	tailbox__config_init(&base);
	memset(&status, 0, sizeof(status));
	status.loaded_ms = status.reload_ms = TAILBOX__NONE;
	chosen_tape.path[0] = chosen_artifacts.path[0] = '\0';
	says_on = env->says_on;
	if (getcwd(folder, sizeof(folder)) == NULL)
		folder[0] = '\0';
	set_text(TAILBOX__KEY_SERVICE_NAME, service, TAILBOX__FROM_PROGRAM);
	set_text(TAILBOX__KEY_SERVICE_VERSION, o->service_version,
	         TAILBOX__FROM_PROGRAM);
	set_text(TAILBOX__KEY_TAPE_DIR, o->run_dir, TAILBOX__FROM_PROGRAM);
	set_text(TAILBOX__KEY_ARTIFACTS_DIR, o->artifact_dir,
	         TAILBOX__FROM_PROGRAM);
	set_number(TAILBOX__KEY_TAPE_SIZE, o->tape_bytes);
	set_number(TAILBOX__KEY_SAMPLER_INTERVAL, o->sample_interval_ms);
	set_number(TAILBOX__KEY_WINDOW_DRAIN_TIMEOUT, o->drain_timeout_ms);
	set_text(TAILBOX__KEY_TAPE_DIR, env->dir, TAILBOX__FROM_ENVIRONMENT);
	set_text(TAILBOX__KEY_ARTIFACTS_DIR, env->artifacts,
	         TAILBOX__FROM_ENVIRONMENT);
	put_environment(&base);
	first = now = base;
	tailbox__slow_log_set(base.log.slow);
	tailbox__rare_set(base.rare.slow);
	(void)tailbox__patterns_set(&base.routes.patterns);
}

const struct tailbox__config *tailbox__settings(void)
{
	return &now;
}

void tailbox__settings_chosen(enum tailbox__config_key key, const char *path,
                              enum tailbox__config_from from)
{
	struct chosen *c = key == TAILBOX__KEY_TAPE_DIR ? &chosen_tape
	                                                : &chosen_artifacts;

	snprintf(c->path, sizeof(c->path), "%s", path);
	c->from = from;
}

void tailbox__settings_trouble(const char *text)
{
	pthread_mutex_lock(&lock);
	snprintf(status.trouble, sizeof(status.trouble), "%s", text);
	pthread_mutex_unlock(&lock);
}

void tailbox__settings_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_mutex_init(&reload_lock, NULL);
}

/* --- reading ------------------------------------------------------------ */

/* Keys whose new values wait for a restart, by name. */
static void name_fixed_keys(const struct tailbox__config *c, char *out,
                            size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[i];

		if (!tailbox__config_is_fixed(i) ||
		    tailbox__config_is_same(c, &first, i) || n >= size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s.%s",
		                      n > 0 ? ", " : "", k->table, k->name);
	}
}

static void put_error(const char *path,
                      const struct tailbox__config_report *report)
{
	const struct tailbox__config_message *m =
	        tailbox__config_first(report);

	status.error[0] = '\0';
	if (report->errors > 0 && m != NULL)
		tailbox__config_message_text(status.error,
		                             sizeof(status.error), path, m);
}

/* Relative to where the service was started: it may have gone elsewhere. */
static int make_absolute(struct tailbox__config *c,
                         struct tailbox__config_report *report)
{
	char path[2 * TAILBOX__CONFIG_PATH_MAX + 4];
	struct tailbox__config_message *m = &report->items[0];
	int n;

	if (c->artifacts.output_path[0] == '\0' ||
	    c->artifacts.output_path[0] == '/' || folder[0] == '\0')
		return 0;
	n = snprintf(path, sizeof(path), "%s/%s", folder,
	             c->artifacts.output_path);
	if (n <= (int)TAILBOX__CONFIG_PATH_MAX) {
		memcpy(c->artifacts.output_path, path, (size_t)n + 1);
		return 0;
	}
	memset(report, 0, sizeof(*report));
	report->errors = report->count = 1;
	m->line = c->origin[TAILBOX__KEY_ARTIFACTS_OUTPUT_PATH].line;
	m->column = 1;
	snprintf(m->text, sizeof(m->text),
	         "the output path is too long behind the working folder");
	return -ENAMETOOLONG;
}

/* A configuration with the file in it. NULL: rc says why. */
static struct tailbox__config *read_file(const char *path,
                                         struct tailbox__config_report *report,
                                         int *rc)
{
	struct tailbox__config *c = tailbox__alloc(1, sizeof(*c));

	if (c == NULL) {
		memset(report, 0, sizeof(*report));
		report->errors = report->count = 1;
		snprintf(report->items[0].text, sizeof(report->items[0].text),
		         "out of memory");
		*rc = -ENOMEM;
		return NULL;
	}
	*c = base;
	*rc = tailbox__config_load(c, path, report);
	if (*rc == 0)
		*rc = make_absolute(c, report);
	if (*rc != 0)
		tailbox__free(c), c = NULL;
	else
		put_environment(c);
	return c;
}

static void put_stacks(const struct tailbox__config_holds *h)
{
	if (tailbox__sampler_interval() == 0)
		return;
	const char *why = tailbox__stack_set(
	        tailbox__config_stack_signal(h->stack), h->stack,
	        h->stack_after);
	if (why != NULL)
		tailbox__log("holds: no stacks by %s: %s", h->stack, why);
}

void tailbox__settings_stacks(void)
{
	put_stacks(&now.holds);
}

/* Put it in force. The patterns go first: they alone can fail. */
static int install(const struct tailbox__config *c,
                   struct tailbox__config_report *report)
{
	const int rc = tailbox__patterns_set(&c->routes.patterns);

	if (rc != 0) {
		report->errors = 1;
		report->count = 1;
		memset(&report->items[0], 0, sizeof(report->items[0]));
		snprintf(report->items[0].text, sizeof(report->items[0].text),
		         rc == -ENOMEM
		                 ? "out of memory"
		                 : "the route patterns were changed too often: "
		                   "restart the service");
		return rc;
	}
	now = *c;
	tailbox__folder_caps(c->artifacts.max_size, c->artifacts.max_count);
	tailbox__recorder_set_hold_min(c->holds.min);
	put_stacks(&c->holds);
	tailbox__slow_log_set(c->log.slow);
	tailbox__rare_set(c->rare.slow);
	tailbox__trigger_set(&c->triggers);
	name_fixed_keys(c, status.restart, sizeof(status.restart));
	status.is_loaded = true;
	status.loaded_ms = wall_ms();
	return 0;
}

int tailbox__settings_load(const char *path,
                           struct tailbox__config_report *report)
{
	struct tailbox__config *c;
	int rc;

	snprintf(status.file, sizeof(status.file), "%s", path);
	c = read_file(path, report, &rc);
	if (c != NULL) {
		first = *c;
		rc = install(c, report);
	}
	tailbox__free(c);
	put_error(path, report);
	return rc;
}

static int reload(const char *path, struct tailbox__config_report *report)
{
	struct tailbox__config *c;
	int rc;

	c = read_file(path, report, &rc);
	pthread_mutex_lock(&lock);
	if (c != NULL)
		rc = install(c, report);
	status.reload_ms = wall_ms();
	if (rc == 0)
		status.reloads++;
	else
		status.failed_reloads++;
	put_error(path, report);
	pthread_mutex_unlock(&lock);
	tailbox__free(c);
	return rc;
}

int tailbox__reload(struct tailbox__config_report *report)
{
	const char *path = status.file; /* does not change after the start */
	char line[TAILBOX__CONFIG_PATH_MAX + 320];
	int rc;

	memset(report, 0, sizeof(*report));
	if (path[0] == '\0')
		return -ENOENT;
	pthread_mutex_lock(&reload_lock);
	rc = reload(path, report);
	pthread_mutex_unlock(&reload_lock);
	for (uint32_t i = 0; i < report->count; i++) {
		tailbox__config_message_text(line, sizeof(line), path,
		                             &report->items[i]);
		tailbox__log("%s", line);
	}
	if (rc == 0)
		tailbox__log("%s is loaded; an armed window keeps its settings",
		             path);
	else
		tailbox__log("%s is not loaded: the settings stay as they are",
		             path);
	/* -ENOENT of the file is not "there is none to read". */
	return rc == -ENOENT ? -TAILBOX_ESHAPE : rc;
}

/* --- what others want to know ------------------------------------------- */

void tailbox__settings_status(struct tailbox__settings_status *out)
{
	pthread_mutex_lock(&lock);
	*out = status;
	pthread_mutex_unlock(&lock);
}

/* A folder that a file names anew since the start is shown as it says. */
static void put_chosen(struct tailbox__config *c, enum tailbox__config_key key,
                       const struct chosen *chosen)
{
	if (chosen->path[0] == '\0' ||
	    !tailbox__config_is_same(c, &first, key))
		return;
	snprintf(tailbox__config_at(c, key), tailbox__config_keys[key].max + 1,
	         "%s", chosen->path);
	if (c->origin[key].from != chosen->from)
		c->origin[key] = (struct tailbox__config_origin){
			(uint32_t)chosen->from, 0
		};
}

void tailbox__settings_copy(struct tailbox__config *out)
{
	pthread_mutex_lock(&lock);
	*out = now;
	pthread_mutex_unlock(&lock);
	put_chosen(out, TAILBOX__KEY_TAPE_DIR, &chosen_tape);
	put_chosen(out, TAILBOX__KEY_ARTIFACTS_DIR, &chosen_artifacts);
}

static void override(uint64_t *limit, uint64_t value)
{
	if (value != TAILBOX__NONE)
		*limit = value;
}

static void put_sampler(struct tailbox__activation *a,
                        const struct tailbox__config *c)
{
	const struct tailbox__config_sampler *s = &c->sampler;

	a->no_sampler = !s->enabled;
	a->has_sampler_mode = s->mode != TAILBOX__NONE;
	if (a->has_sampler_mode)
		a->sampler_mode = (enum tailbox__mode)s->mode;
	a->has_max_samples = s->max_runtime_snapshots != TAILBOX__NONE;
	if (a->has_max_samples)
		a->max_samples = s->max_runtime_snapshots;
	a->is_interval_zero = s->interval == 0;
	a->is_interval_by_mode = s->interval == TAILBOX__NONE;
	if (!a->is_interval_by_mode)
		a->sample_interval_ms = (uint32_t)s->interval;
}

/* With lock held. */
static void put_wishes(struct tailbox__wishes *w)
{
	w->headline = now.artifacts.headline;
	memcpy(w->program, now.artifacts.on_artifact, sizeof(w->program));
	w->program_ms = now.artifacts.on_artifact_timeout;
}

void tailbox__settings_activation(struct tailbox__activation *a,
                                  const enum tailbox__mode *mode)
{
	const struct tailbox__config_window *w = &now.window;

	pthread_mutex_lock(&lock);
	tailbox__activation_init(
	        a, mode != NULL ? *mode : (enum tailbox__mode)w->mode);
	a->strict_lifecycle = w->strict_lifecycle;
	a->policy = (enum tailbox__run_end_policy)w->policy;
	a->duration_ms = w->duration;
	a->drain_timeout_ms = (uint32_t)w->drain_timeout;
	override(&a->limits.max_requests, w->max_requests);
	override(&a->limits.max_stages, w->max_stages);
	override(&a->limits.max_queues, w->max_queues);
	override(&a->limits.max_inflight_snapshots, w->max_inflight_snapshots);
	override(&a->limits.max_runtime_snapshots, w->max_runtime_snapshots);
	put_sampler(a, &now);
	a->has_sink = true;
	a->local_json = now.artifacts.local_json;
	memcpy(a->json_path, now.artifacts.output_path, sizeof(a->json_path));
	put_wishes(&a->wishes);
	pthread_mutex_unlock(&lock);
}

void tailbox__settings_wishes(struct tailbox__wishes *out)
{
	pthread_mutex_lock(&lock);
	put_wishes(out);
	pthread_mutex_unlock(&lock);
}
