/* controller/start_given.c - what program, environment and file say.
 *
 * SPDX-License-Identifier: MIT
 *
 * This is the one file that reads the environment, by secure_getenv(): in a
 * set-uid program the caller does not choose where files are made. A value
 * that cannot be used is replaced by the next in the order of precedence, and
 * named in a note.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/settings.h"
#include "controller/start_internal.h"
#include "core/recorder.h"
#include "core/run.h"

#define SERVICE_MAX 63u
/* A size that no version of the options will have: not initialised. */
#define OPTIONS_SANE 4096u

static struct tailbox_options *const options = &tailbox__start.options;
static struct tailbox__admin_facts *const facts = &tailbox__start.facts;

/* --- options ----------------------------------------------------------- */

static bool has_unknown_tail(const struct tailbox_options *from, size_t size)
{
	const unsigned char *p = (const unsigned char *)from;

	for (size_t i = sizeof(*from); i < size; i++)
		if (p[i] != 0)
			return true;
	return false;
}

/* A caller of an older header gives fewer fields, one of a newer header more:
 * those may be used only where they are zero. */
static void take_options(const struct tailbox_options *from)
{
	size_t size;

	tailbox_options_init(options);
	if (from == NULL)
		return;
	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size) || size > OPTIONS_SANE) {
		tailbox__start_note(
			"options.size is %zu: use tailbox_options_init(); "
			"all options are left at their defaults",
			size);
		return;
	}
	memcpy(options, from,
	       size < sizeof(*options) ? size & ~(sizeof(void *) - 1)
	                               : sizeof(*options));
	options->size = sizeof(*options);
	if (has_unknown_tail(from, size))
		tailbox__start_note(
			"options that this library does not know are left out");
}

static void check_options(void)
{
	struct tailbox_options *o = options;

	if (o->tape_bytes != 0 && (o->tape_bytes < TAILBOX__TAPE_MIN ||
	                           o->tape_bytes > TAILBOX__TAPE_MAX)) {
		tailbox__start_note(
			"tape_bytes %llu is not 1 MiB to 1 GiB: default taken",
			(unsigned long long)o->tape_bytes);
		o->tape_bytes = 0;
	}
	if (o->sample_interval_ms != 0 &&
	    (o->sample_interval_ms < 10 || o->sample_interval_ms > 60000)) {
		tailbox__start_note("sample_interval_ms %u is not 10 to 60000: "
		                    "default taken",
		                    (unsigned)o->sample_interval_ms);
		o->sample_interval_ms = 0;
	}
	if (o->drain_timeout_ms > 600000) {
		tailbox__start_note(
			"drain_timeout_ms %u is over 600000: default taken",
			(unsigned)o->drain_timeout_ms);
		o->drain_timeout_ms = 0;
	}
}

static bool is_blank(const char *s)
{
	return s == NULL || tailbox__is_blank(s, strnlen(s, PATH_MAX));
}

/* Cut to `max` bytes, not within a character. */
static size_t cut(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* A text that the configuration file sets, else NULL. */
static const char *of_file(enum tailbox__config_key key)
{
	const struct tailbox__config *c = tailbox__settings();

	if (c->origin[key].from != TAILBOX__FROM_FILE)
		return NULL;
	return (const char *)c + tailbox__config_keys[key].at;
}

static void take_version(void)
{
	const char *v = of_file(TAILBOX__KEY_SERVICE_VERSION);
	size_t n;

	if (v == NULL)
		v = options->service_version;

	if (is_blank(v))
		return;
	n = cut(v, sizeof(facts->service_version) - 1);
	memcpy(facts->service_version, v, n);
	facts->service_version[n] = '\0';
	if (v[n] != '\0')
		tailbox__start_note("service_version is cut to %zu bytes", n);
}

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* One '_' for each character, not for each byte of it. */
static void take_service(const char *name)
{
	const char *by_file = of_file(TAILBOX__KEY_SERVICE_NAME);
	size_t n, out = 0;

	if (by_file != NULL)
		name = by_file;
	if (is_blank(name))
		name = program_invocation_short_name;
	if (is_blank(name))
		name = "service";
	n = cut(name, SERVICE_MAX);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];
		if (is_plain(c))
			facts->service[out++] = (char)c;
		else if ((c & 0xc0) != 0x80)
			facts->service[out++] = '_';
	}
	if (out == 0)
		facts->service[out++] = '_';
	facts->service[out] = '\0';
	if (strcmp(facts->service, name) != 0)
		tailbox__start_note("service \"%.63s\" is shown as %s", name,
		                    facts->service);
}

/* --- folders ----------------------------------------------------------- */

/* The first folder of a list as systemd gives it, with /tailbox behind. */
static const char *of_list(char *to, size_t room, const char *list)
{
	if (is_blank(list))
		return NULL;
	snprintf(to, room, "%.*s/tailbox", (int)strcspn(list, ":"), list);
	return to;
}

/* The service may change its working folder later, so paths are absolute. */
static bool absolute(char to[PATH_MAX], const char *path, const char *what)
{
	char here[PATH_MAX];
	size_t n;

	if (is_blank(path))
		return false;
	if (path[0] == '/')
		n = (size_t)snprintf(to, PATH_MAX, "%s", path);
	else if (getcwd(here, sizeof(here)) != NULL)
		n = (size_t)snprintf(to, PATH_MAX, "%s/%s", here, path);
	else
		n = PATH_MAX;
	if (n >= PATH_MAX) {
		tailbox__start_note("%s cannot be used: path too long", what);
		return false;
	}
	while (n > 1 && to[n - 1] == '/')
		to[--n] = '\0';
	return true;
}

/* Descriptor of the run folder, or why there is none. */
int tailbox__start_run_folder(struct tailbox__error *err)
{
	char fallback[64], runtime[PATH_MAX];
	const struct {
		const char *what, *path;
		enum tailbox__config_from from;
	} order[] = {
		{"TAILBOX_DIR", secure_getenv("TAILBOX_DIR"),
	         TAILBOX__FROM_ENVIRONMENT},
		{"tape.dir", of_file(TAILBOX__KEY_TAPE_DIR),
	         TAILBOX__FROM_FILE},
		{"run_dir", options->run_dir, TAILBOX__FROM_PROGRAM},
		{"RUNTIME_DIRECTORY",
	         of_list(runtime, sizeof(runtime),
	                 secure_getenv("RUNTIME_DIRECTORY")),
	         TAILBOX__FROM_ENVIRONMENT},
		{"the default run folder", fallback, TAILBOX__FROM_DEFAULT},
	};
	int fd = -ENOENT;

	snprintf(fallback, sizeof(fallback), "/dev/shm/tailbox-%lu",
	         (unsigned long)geteuid());
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct tailbox__error why = TAILBOX__ERROR_INIT;
		if (!absolute(facts->run_dir, order[i].path, order[i].what))
			continue;
		facts->is_run_dir_of_service = order[i].path == runtime;
		fd = tailbox__run_folder(facts->run_dir, &why);
		if (fd >= 0) {
			tailbox__settings_chosen(TAILBOX__KEY_TAPE_DIR,
			                         facts->run_dir, order[i].from);
			return fd;
		}
		tailbox__start_note("%s cannot be used: %.400s", order[i].what,
		                    why.text);
		if (err->code == 0)
			*err = why;
	}
	facts->run_dir[0] = '\0';
	return fd;
}

/* A copy: the application may change its environment. */
const char *tailbox__start_path(void)
{
	static char path[4096];
	const char *said = secure_getenv("PATH");

	if (said == NULL || strlen(said) >= sizeof(path))
		return NULL;
	memcpy(path, said, strlen(said) + 1);
	return path;
}

void tailbox__start_artifact_folder(void)
{
	char state[PATH_MAX];
	const struct {
		const char *what, *path;
		enum tailbox__config_from from;
	} order[] = {
		{"TAILBOX_ARTIFACTS", secure_getenv("TAILBOX_ARTIFACTS"),
	         TAILBOX__FROM_ENVIRONMENT},
		{"artifacts.dir", of_file(TAILBOX__KEY_ARTIFACTS_DIR),
	         TAILBOX__FROM_FILE},
		{"artifact_dir", options->artifact_dir, TAILBOX__FROM_PROGRAM},
		{"STATE_DIRECTORY",
	         of_list(state, sizeof(state),
	                 secure_getenv("STATE_DIRECTORY")),
	         TAILBOX__FROM_ENVIRONMENT},
	};
	size_t n;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!absolute(facts->artifact_dir, order[i].path,
		              order[i].what))
			continue;
		tailbox__settings_chosen(TAILBOX__KEY_ARTIFACTS_DIR,
		                         facts->artifact_dir, order[i].from);
		return;
	}
	n = strlen(facts->run_dir);
	if (n + sizeof("/artifacts") > sizeof(facts->artifact_dir))
		n = 0; /* the tape does not open there either */
	memcpy(facts->artifact_dir, facts->run_dir, n);
	memcpy(facts->artifact_dir + n, "/artifacts", sizeof("/artifacts"));
	tailbox__settings_chosen(TAILBOX__KEY_ARTIFACTS_DIR,
	                         facts->artifact_dir, TAILBOX__FROM_DEFAULT);
}

/* --- TAILBOX ----------------------------------------------------------- */

enum said { SAID_NOTHING, SAID_OFF, SAID_ON };

static enum said what_tailbox_says(void)
{
	static const char *const off[] = {"off", "0", "no", "false"};
	static const char *const on[] = {"on", "1", "yes", "true"};
	const char *v = secure_getenv("TAILBOX");

	if (is_blank(v))
		return SAID_NOTHING;
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (strcasecmp(v, off[i]) == 0)
			return SAID_OFF;
	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		if (strcasecmp(v, on[i]) == 0)
			return SAID_ON;
	tailbox__start_note("TAILBOX=%.40s is neither off nor on: left out",
	                    v);
	return SAID_NOTHING;
}

/* --- configuration ----------------------------------------------------- */

/* A path may be longer than a note; its end and the reason tell most. */
static void note_message(const char *path,
                         const struct tailbox__config_message *m)
{
	const size_t n = strlen(path), cut_off = n > 100 ? n - 100 : 0;
	char text[400];

	tailbox__config_message_text(text, sizeof(text), path + cut_off, m);
	tailbox__start_note("%s", text);
}

/* A file that is wrong is left out as a whole: half of it may be worse than
 * nothing, such as an address without its token. */
static void read_config(const char *path)
{
	static struct tailbox__config_report report;
	const int rc = tailbox__settings_load(path, &report);
	uint32_t shown = 0;

	for (uint32_t i = 0; i < report.count && shown < 4; i++, shown++)
		note_message(path, &report.items[i]);
	if (report.errors + report.warnings > shown)
		tailbox__start_note(
			"configuration: %u more, see tailbox config check",
			(unsigned)(report.errors + report.warnings - shown));
	if (rc != 0)
		tailbox__start_note(
			"the configuration file is left out, for what is wrong "
			"in it");
	else
		tailbox__start_say("configuration %s", path);
}

static void configure(const char *service, bool says_on)
{
	const struct tailbox__settings_environment env = {
		.dir = secure_getenv("TAILBOX_DIR"),
		.artifacts = secure_getenv("TAILBOX_ARTIFACTS"),
		.says_on = says_on};
	char path[PATH_MAX];

	tailbox__settings_open(service, options, &env);
	if (absolute(path, secure_getenv("TAILBOX_CONFIG"), "TAILBOX_CONFIG") ||
	    absolute(path, options->config, "config"))
		read_config(path);
}

/* --- all of it --------------------------------------------------------- */

int tailbox__start_take(const char *service, const struct tailbox_options *opts)
{
	enum said said;

	take_options(opts);
	said = what_tailbox_says();
	if (said == SAID_OFF) {
		tailbox__start_say("off, as TAILBOX says");
		return -ECANCELED;
	}
	check_options();
	configure(service, said == SAID_ON);
	if (!tailbox__settings()->recorder.enabled) {
		tailbox__start_say("off, as recorder.enabled in the "
		                   "configuration says");
		return -ECANCELED;
	}
	take_service(service);
	take_version();
	return 0;
}
