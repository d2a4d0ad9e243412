/* tests/e2e_config.c - a service with a configuration file: what counts over
 * what, what a bad file does, reload, windows and routes by it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_client.h"

#include <stdarg.h>

#include <tailbox.h>

#include "controller/settings.h"
#include "core/alloc.h"
#include "core/run.h"

static char file[128], folder[40];
static char log_text[16384];
static struct tailbox_options options;

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

/* Threads of ours log at the same time. */
static void keep_log(void *cls, const char *line)
{
	(void)cls;
	pthread_mutex_lock(&log_lock);
	const size_t n = strlen(log_text);
	snprintf(log_text + n, sizeof(log_text) - n, "%s\n", line);
	pthread_mutex_unlock(&log_lock);
}

/* What has been said by now. */
static const char *logged(void)
{
	static char text[sizeof(log_text)];

	pthread_mutex_lock(&log_lock);
	memcpy(text, log_text, sizeof(text));
	pthread_mutex_unlock(&log_lock);
	return text;
}

static void clear_environment(void)
{
	static const char *const names[] = {
		"TAILBOX", "TAILBOX_DIR", "TAILBOX_ARTIFACTS",
		"TAILBOX_CONFIG", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static void setup(void)
{
	clear_environment();
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/tailbox.conf", folder);
	snprintf(service_dir, sizeof(service_dir), "%s/run", folder);
	snprintf(service_socket, sizeof(service_socket), "%s/e2e.%ld.sock",
	         service_dir, (long)getpid());
	log_text[0] = '\0';
	tailbox_options_init(&options);
	options.run_dir = service_dir;
	options.tape_bytes = 1 << 20;
	options.config = file;
	options.log = keep_log;
}

static void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox_stop();
	clear_environment();
	nftw(folder, service_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *text)
{
	FILE *f = fopen(file, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void start(void)
{
	ck_assert_int_eq(tailbox_start("e2e", &options), 0);
}

/* An answer, in a buffer that the next call uses again. */
static const char *ask(const char *method, const char *path, long status)
{
	static char text[65536];
	struct service_reply r = service_admin(method, path);

	snprintf(text, sizeof(text), "%s", r.text);
	free(r.text);
	ck_assert_msg(r.status == status, "%s %s: %ld %s", method, path,
	              r.status, text);
	return text;
}

#define has(text, what)                                                        \
	ck_assert_msg(strstr(text, what) != NULL, "no %s in: %s", what, text)
#define has_not(text, what)                                                    \
	ck_assert_msg(strstr(text, what) == NULL, "%s in: %s", what, text)

static const char *shown(void)
{
	return ask("GET", "/config?format=text", 200);
}

/* --- where settings come from ------------------------------------------- */

START_TEST(without_a_file_nothing_is_said)
{
	options.config = NULL;
	start();
	has(ask("GET", "/status", 200), "\"config\": null");
	has(shown(), "size = \"1MiB\"  # program");
	has(shown(), "name = \"e2e\"  # program");
	has(ask("POST", "/reload", 404), "TAILBOX_CONFIG");
	has(ask("POST", "/reload", 404), "no_config");
	ask("GET", "/reload", 405);
	ask("POST", "/config", 405);
	ask("POST", "/reload?x=1", 400);
}
END_TEST

START_TEST(the_file_goes_before_the_program)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "[service]\nversion = '7.1'\n[tape]\nsize = '2MiB'\n"
	         "[artifacts]\ndir = '%s/kept'\n", folder);
	put(text);
	options.service_version = "1.0";
	start();
	has(ask("GET", "/status", 200), "\"service_version\": \"7.1\"");
	has(ask("GET", "/status", 200), "\"loaded\": true");
	has(ask("GET", "/status", 200), "\"last_reload_at_unix_ms\": null");
	has(ask("GET", "/status", 200), "/kept\"");
	has(ask("GET", "/status?format=text", 200), file);
	has(ask("GET", "/status", 200), "\"notes\": []");
	has(shown(), "size = \"2MiB\"  # file, line 4");
	has(shown(), "/kept\"  # file, line 6");
	has(ask("GET", "/config", 200), "\"line\": 4");
}
END_TEST

START_TEST(the_environment_goes_before_the_file)
{
	char text[512], other[128];

	snprintf(text, sizeof(text),
	         "[recorder]\nenabled = false\n[tape]\ndir = '%s/file'\n"
	         "[artifacts]\ndir = '%s/kept'\n", folder, folder);
	put(text);
	snprintf(other, sizeof(other), "%s/env", folder);
	setenv("TAILBOX_ARTIFACTS", other, 1);
	setenv("TAILBOX_DIR", service_dir, 1);
	setenv("TAILBOX", "on", 1);
	options.run_dir = NULL;
	start();
	has(ask("GET", "/status", 200), "/env\"");
	has(shown(), "enabled = true  # environment");
	has(shown(), "/run\"  # environment");
	has(shown(), "/env\"  # environment");
	/* A reload does not turn that round. */
	ask("POST", "/reload", 200);
	has(shown(), "enabled = true  # environment");
	has(shown(), "/env\"  # environment");
}
END_TEST

START_TEST(tape_folder_by_file)
{
	char text[256];

	snprintf(text, sizeof(text), "[tape]\ndir = '%s'\n", service_dir);
	put(text);
	options.run_dir = "/nowhere/that/is";
	start();
	has(shown(), "/run\"  # file, line 2");
}
END_TEST

START_TEST(environment_names_the_file)
{
	put("[window]\nmode = 'investigation'\n");
	options.config = "/nowhere/tailbox.conf";
	setenv("TAILBOX_CONFIG", file, 1);
	start();
	has(shown(), "mode = \"investigation\"  # file, line 2");
	tailbox_stop();
	setenv("TAILBOX_CONFIG", "", 1); /* blank: the option */
	start();
	has(ask("GET", "/status", 200), "/nowhere/tailbox.conf");
}
END_TEST

START_TEST(service_name_by_file)
{
	put("[service]\nname = 'shop'\n");
	start();
	snprintf(service_socket, sizeof(service_socket), "%s/shop.%ld.sock",
	         service_dir, (long)getpid());
	has(ask("GET", "/status", 200), "\"service\": \"shop\"");
	has(shown(), "name = \"shop\"  # file, line 2");
}
END_TEST

START_TEST(the_file_opens_tcp)
{
	char text[256];

	put("[admin]\nlisten = '127.0.0.1:0'\ntoken = 'sixteen-bytes-xx'\n");
	start();
	has(ask("GET", "/status", 200), "\"tcp\": \"127.0.0.1:");
	has(ask("GET", "/status", 200), "\"trouble\": null");
	has_not(shown(), "sixteen");
	has_not(ask("GET", "/config", 200), "sixteen");
	tailbox_stop();
	snprintf(text, sizeof(text),
	         "[admin]\nlisten = '127.0.0.1:0'\ntoken_file = '%s/none'\n",
	         folder);
	put(text);
	start();
	has(ask("GET", "/status", 200), "/none");
	has_not(ask("GET", "/status", 200), "\"trouble\": null");
	has(ask("GET", "/status?format=text", 200), "config trouble");
	has(logged(), "is not on TCP");
}
END_TEST

START_TEST(a_file_can_say_off)
{
	put("[recorder]\nenabled = false\n");
	ck_assert_int_eq(tailbox_start("e2e", &options), -ECANCELED);
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert_int_ne(access(service_dir, F_OK), 0);
	has(logged(), "recorder.enabled");
}
END_TEST

START_TEST(an_older_caller_has_no_config)
{
	put("[window]\nmode = 'investigation'\n");
	options.size = offsetof(struct tailbox_options, config);
	start();
	has(ask("GET", "/status", 200), "\"config\": null");
}
END_TEST

/* --- bad files ---------------------------------------------------------- */

static const struct {
	const char *text, *place;
} bad[] = {
	{ "[window]\nmode = 'lite'\n", ":2:1: window.mode is " },
	{ "[window]\nduration = 30\n", ":2:1: window.duration is a number" },
	{ "[window]\nmod = 'light'\n", ":2:1: unknown key window.mod" },
	{ "[tape]\nsize = '1KiB'\n", ":2:1: tape.size is 1KiB" },
	{ "[tape]\nsize = '2MiB'\n[controller]\n", ":3:1: a file has either" },
	{ "[controller]\nservice_name = ''\n", ":2:1: controller.service_name" },
	{ "[window\n", ":1:8: ] is missing" },
	{ "\xff", ":1:1: " },
	{ NULL, ": No such file or directory" },
};

START_TEST(a_bad_file_is_told_and_the_service_runs)
{
	if (bad[_i].text != NULL)
		put(bad[_i].text);
	start();
	ck_assert_int_eq(tailbox_is_recording(), 1);
	has(logged(), bad[_i].place);
	has(logged(), file);
	has(ask("GET", "/status", 200), bad[_i].place);
	has(ask("GET", "/status", 200), "\"loaded\": false");
	has(ask("GET", "/status", 200), "the configuration file is left out");
	has(ask("GET", "/status?format=text", 200), "NOT LOADED");
	has(shown(), "mode = \"light\"  # default");
	has(shown(), "size = \"1MiB\"  # program");
	/* Mended, it is taken without a restart. */
	put("[window]\nmode = 'investigation'\n");
	ask("POST", "/reload", 200);
	has(shown(), "mode = \"investigation\"  # file, line 2");
	has(ask("GET", "/status", 200), "\"loaded\": true");
	has(ask("GET", "/status", 200), "\"last_error\": null");
}
END_TEST

START_TEST(warnings_are_noted)
{
	put("[controller]\nextra = 1\n[controller.activation]\nmode = 'light'\n"
	    "[controller.activation.sink]\ntype = 'local_json'\n"
	    "output_path = 'x.json'\n");
	start();
	has(ask("GET", "/status", 200),
	    ":2:1: warning: unknown key controller.extra");
	has(ask("GET", "/status", 200), "\"loaded\": true");
}
END_TEST

/* --- reload ------------------------------------------------------------- */

START_TEST(reload_is_whole_or_not_at_all)
{
	put("[window]\nmode = 'light'\nmax_requests = 5\n");
	start();
	put("[window]\nmode = 'investigation'\nmax_requests = 'x'\n");
	const char *answer = ask("POST", "/reload", 400);
	has(answer, "\"bad_config\"");
	has(answer, ":3:1: window.max_requests is a text");
	has(answer, "\"line\": 3");
	has(shown(), "mode = \"light\"  # file, line 2");
	has(shown(), "max_requests = 5  # file, line 3");
	answer = ask("GET", "/status", 200);
	has(answer, "\"failed_reloads\": 1");
	has(answer, ":3:1: window.max_requests");
	answer = ask("POST", "/reload?format=text", 400);
	has(answer, ":3:1: window.max_requests");
	has(answer, "stay as they are");
	has(ask("GET", "/status?format=text", 200), "FAILED");
	unlink(file);
	has(ask("POST", "/reload", 400), "No such file or directory");
	put("[window]\nmode = 'investigation'\n");
	has(ask("POST", "/reload", 200), "\"result\": \"reloaded\"");
	has(shown(), "mode = \"investigation\"  # file, line 2");
	has(shown(), "# max_requests: by the mode  # default");
	answer = ask("GET", "/status", 200);
	has(answer, "\"reloads\": 1");
	has(answer, "\"failed_reloads\": 3");
	has(answer, "\"last_error\": null");
	has(answer, "\"state\": \"disabled\""); /* nothing was started */
}
END_TEST

START_TEST(what_needs_a_restart_is_named)
{
	put("[tape]\nsize = '1MiB'\n");
	start();
	put("[tape]\nsize = '4MiB'\n[service]\nname = 'other'\n"
	    "[window]\narm_at_start = true\n");
	has(ask("POST", "/reload", 200), "\"restart_needed\": \"service.name, "
	                                 "tape.size, window.arm_at_start\"");
	has(ask("GET", "/status", 200), "\"restart_needed\": \"service.name");
	has(ask("GET", "/status", 200), "\"state\": \"disabled\"");
	put("[tape]\nsize = '1MiB'\n");
	has(ask("POST", "/reload", 200), "\"restart_needed\": null");
	has(ask("POST", "/reload?format=text", 200), "is loaded");
}
END_TEST

START_TEST(a_running_window_keeps_its_settings)
{
	put("[window]\nmax_requests = 5\npolicy = 'auto_seal_on_limits_hit'\n");
	start();
	has(ask("POST", "/arm", 200), "\"id\": 1");
	put("[window]\nmax_requests = 6\nmode = 'investigation'\n");
	ask("POST", "/reload", 200);
	const char *answer = ask("GET", "/status", 200);
	has(answer, "\"max_requests\": 5,");
	has(answer, "\"policy\": \"auto_seal_on_limits_hit\"");
	has(answer, "\"mode\": \"light\"");
	ask("POST", "/disarm", 200);
	tailbox__run_destroy(service_fetch("/artifacts/1"));
	has(ask("POST", "/arm", 200), "\"id\": 2");
	answer = ask("GET", "/status", 200);
	has(answer, "\"max_requests\": 6,");
	has(answer, "\"max_stages\": 600000,");
	has(answer, "\"policy\": \"continue_after_limits_hit\"");
}
END_TEST

/* --- windows by the file ------------------------------------------------ */

START_TEST(arm_takes_its_defaults_from_the_file)
{
	put("[window]\nmode = 'investigation'\nstrict_lifecycle = true\n"
	    "duration = '1h'\nmax_queues = 17\n[sampler]\ninterval = '70ms'\n");
	start();
	ask("POST", "/arm?max_stages=3", 200);
	const char *answer = ask("GET", "/status", 200);
	has(answer, "\"mode\": \"investigation\"");
	has(answer, "\"strict\": true");
	has(answer, "\"duration_ms\": 3600000");
	has(answer, "\"max_queues\": 17,");
	has(answer, "\"max_stages\": 3,");
	has(answer, "\"max_requests\": 300000,");
	has(answer, "\"sample_interval_ms\": 70");
}
END_TEST

START_TEST(parameters_of_arm_go_before_the_file)
{
	put("[window]\nmode = 'investigation'\nmax_queues = 17\n"
	    "duration = '1h'\n");
	start();
	ask("POST", "/arm?mode=light&max_queues=4&duration=2h&strict=0", 200);
	const char *answer = ask("GET", "/status", 200);
	has(answer, "\"mode\": \"light\"");
	has(answer, "\"max_queues\": 4,");
	has(answer, "\"max_requests\": 100000,");
	has(answer, "\"duration_ms\": 7200000");
}
END_TEST

START_TEST(a_window_can_be_armed_at_the_start)
{
	struct tailbox__run *run;

	put("[window]\narm_at_start = true\nmax_requests = 3\n");
	start();
	has(ask("GET", "/status", 200), "\"state\": \"active\"");
	for (int i = 0; i < 5; i++)
		tailbox_request_finish(tailbox_request_begin("/x", NULL), NULL);
	ask("POST", "/disarm", 200);
	run = service_fetch("/artifacts/1");
	ck_assert_uint_eq(run->requests.count, 3);
	ck_assert_uint_eq(run->meta.core.limits.max_requests, 3);
	tailbox__run_destroy(run);
}
END_TEST

#define CONTROLLER                                                             \
	"[controller]\ninitially_enabled = true\n[controller.activation]\n"    \
	"mode = 'light'\n[controller.activation.sink]\n"                       \
	"type = 'local_json'\noutput_path = '/nowhere/run.json'\n"

START_TEST(a_controller_file_has_no_sampler_unless_it_says_so)
{
	struct tailbox__run *run;

	put(CONTROLLER);
	start();
	ask("POST", "/disarm", 200);
	run = service_fetch("/artifacts/1");
	ck_assert(!run->meta.sampler.present);
	ck_assert_uint_eq(run->snapshots.count, 0);
	tailbox__run_destroy(run);
	put(CONTROLLER "[controller.activation.runtime_sampler]\n"
	               "enabled_for_armed_runs = true\n"
	               "mode_override = 'investigation'\n"
	               "max_runtime_snapshots = 1\n");
	ask("POST", "/reload", 200);
	ask("POST", "/arm", 200);
	ask("POST", "/disarm", 200);
	run = service_fetch("/artifacts/2");
	ck_assert(run->meta.sampler.present);
	ck_assert(run->meta.sampler.has_override);
	ck_assert_int_eq(run->meta.sampler.resolved_mode,
	                 TAILBOX__MODE_INVESTIGATION);
	ck_assert_int_eq(run->meta.sampler.inherited_mode,
	                 TAILBOX__MODE_LIGHT);
	ck_assert_uint_eq(run->meta.sampler.cadence_ms, 100);
	ck_assert_uint_eq(run->meta.sampler.retention, 1);
	ck_assert_uint_le(run->snapshots.count, 1);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_controller_file_has_its_json_where_it_says)
{
	char here[256], text[512], path[256];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	ck_assert_int_eq(chdir(folder), 0); /* a relative path, and then away */
	put("[controller]\n[controller.activation]\nmode = 'light'\n"
	    "[controller.activation.sink]\ntype = 'local_json'\n"
	    "output_path = 'run.one.json'\n");
	start();
	ck_assert_int_eq(chdir(here), 0);
	snprintf(text, sizeof(text), "output_path = \"%s/run.one.json\"  "
	                             "# file, line 6", folder);
	has(shown(), text);
	ask("POST", "/arm", 200);
	put("[artifacts]\nmax_count = 7\nmax_size = '2MiB'\n");
	ask("POST", "/reload", 200);
	has(ask("GET", "/status", 200), "\"max_count\": 7");
	has(ask("GET", "/status", 200), "\"max_size\": 2097152");
	ask("POST", "/disarm", 200);
	tailbox__run_destroy(service_fetch("/artifacts/1"));
	snprintf(path, sizeof(path), "%s/run.one-generation-1.json", folder);
	ck_assert_int_eq(access(path, R_OK), 0);
	/* The next window goes by the new file, and that has none. */
	ask("POST", "/arm", 200);
	ask("POST", "/disarm", 200);
	tailbox__run_destroy(service_fetch("/artifacts/2"));
	has(ask("GET", "/status", 200), "\"json_written\": 1");
	snprintf(path, sizeof(path), "%s/run.one-generation-2.json", folder);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(an_interval_of_0_is_found_out_when_a_window_is_armed)
{
	put(CONTROLLER "[controller.activation.runtime_sampler]\n"
	               "enabled_for_armed_runs = true\ninterval_ms = 0\n");
	start();
	has(ask("GET", "/status", 200), "no window was armed at the start");
	has(ask("POST", "/arm", 400), "sampler interval of 0");
	has(ask("GET", "/status", 200), "\"state\": \"disabled\"");
	ask("POST", "/arm?sample_interval=50ms", 200);
	has(ask("GET", "/status", 200), "\"id\": 1");
}
END_TEST

START_TEST(the_programs_interval_does_not_count_with_a_controller_file)
{
	struct tailbox__run *run;

	put(CONTROLLER "[controller.activation.runtime_sampler]\n"
	               "enabled_for_armed_runs = true\n");
	options.sample_interval_ms = 30;
	start();
	ask("POST", "/disarm", 200);
	run = service_fetch("/artifacts/1");
	ck_assert_uint_eq(run->meta.sampler.cadence_ms, 500);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_drain_ends_as_the_file_says)
{
	struct tailbox__run *run;
	tailbox_request r;

	put("[window]\ndrain_timeout = '1ms'\n");
	options.drain_timeout_ms = 600000;
	start();
	ask("POST", "/arm", 200);
	r = tailbox_request_begin("/slow", NULL);
	ask("POST", "/disarm", 200);
	run = service_fetch("/artifacts/1");
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	tailbox__run_destroy(run);
	tailbox_request_finish(r, NULL);
}
END_TEST

/* --- routes ------------------------------------------------------------- */

static enum MHD_Result answer_ok(void *cls, struct MHD_Connection *c,
                                 const char *url, const char *method,
                                 const char *version, const char *data,
                                 size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size, (void)req_cls;
	r = MHD_create_response_from_buffer(2, (char[]){ "ok" },
	                                    MHD_RESPMEM_MUST_COPY);
	rc = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return rc;
}

static struct MHD_Daemon *serve(uint16_t *port)
{
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer_ok, NULL,
	        MHD_OPTION_END);

	ck_assert_ptr_nonnull(d);
	*port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
	return d;
}

/* `count` times the same target on one connection that is kept. */
static void get(CURL *c, uint16_t port, const char *target, int count)
{
	char url[256];
	long status = 0;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)port,
	         target);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, service_ignore);
	for (int i = 0; i < count; i++) {
		ck_assert_int_eq(curl_easy_perform(c), CURLE_OK);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
		ck_assert_int_eq(status, 200);
	}
}

/* All requests of window `id` have this route. */
static void routes_are(unsigned id, size_t count, const char *route)
{
	struct tailbox__run *run;
	char path[32];

	snprintf(path, sizeof(path), "/artifacts/%u", id);
	run = service_fetch(path);
	ck_assert_uint_eq(run->requests.count, count);
	for (size_t i = 0; i < count; i++) {
		const char *got =
		        tailbox__run_text(run,
		                          run->requests.items[i].route, NULL);
		ck_assert_msg(strcmp(got, route) == 0, "window %u: %s, not %s",
		              id, got, route);
	}
	tailbox__run_destroy(run);
}

static void window_of(CURL *c, uint16_t port, unsigned id, const char *route)
{
	ask("POST", "/arm", 200);
	get(c, port, "/users/bob?x=1", 20);
	ask("POST", "/disarm", 200);
	routes_are(id, 20, route);
}

/* A target that a connection repeats has its route from a cache, which must
 * not outlive the patterns it was filled by. */
START_TEST(routes_follow_the_file)
{
	CURL *c = curl_easy_init();
	struct MHD_Daemon *d;
	uint16_t port;

	put("");
	start();
	d = serve(&port);
	window_of(c, port, 1, "/users/bob");
	put("[routes]\npatterns = ['/users/{name}']\n");
	ask("POST", "/reload", 200);
	window_of(c, port, 2, "/users/{name}");
	put("[routes]\npatterns = ['/users/*', '/users/{name}']\n");
	ask("POST", "/reload", 200);
	window_of(c, port, 3, "/users/*");
	put("[routes]\npatterns = ['users']\n");
	ask("POST", "/reload", 400);
	window_of(c, port, 4, "/users/*");
	put("");
	ask("POST", "/reload", 200);
	window_of(c, port, 5, "/users/bob");
	curl_easy_cleanup(c);
	tailbox_mhd_stop_daemon(d);
}
END_TEST

START_TEST(patterns_end_with_the_service)
{
	CURL *c = curl_easy_init();
	struct MHD_Daemon *d;
	uint16_t port;

	put("[routes]\npatterns = ['/*']\n");
	start();
	tailbox_stop();
	options.config = NULL;
	start();
	d = serve(&port);
	window_of(c, port, 1, "/users/bob");
	curl_easy_cleanup(c);
	tailbox_mhd_stop_daemon(d);
}
END_TEST

/* --- no memory ---------------------------------------------------------- */

START_TEST(a_reload_without_memory_changes_nothing)
{
	static struct tailbox__config_report report;
	static struct tailbox__config config;

	put("[window]\nmode = 'investigation'\n");
	start();
	put("[window]\nmode = 'light'\n[routes]\npatterns = ['/*']\n");
	for (long n = 0;; n++) {
		int rc;

		tailbox__alloc_fail_after(n);
		rc = tailbox__reload(&report);
		tailbox__alloc_fail_after(-1);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_uint_ge(report.errors, 1);
		tailbox__settings_copy(&config);
		ck_assert_uint_eq(config.window.mode,
		                  TAILBOX__MODE_INVESTIGATION);
		ck_assert_int_lt(n, 100);
	}
	tailbox__settings_copy(&config);
	ck_assert_uint_eq(config.window.mode, TAILBOX__MODE_LIGHT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("e2e_config");
	TCase *tc = tcase_create("start");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, without_a_file_nothing_is_said);
	tcase_add_test(tc, the_file_goes_before_the_program);
	tcase_add_test(tc, the_environment_goes_before_the_file);
	tcase_add_test(tc, tape_folder_by_file);
	tcase_add_test(tc, environment_names_the_file);
	tcase_add_test(tc, service_name_by_file);
	tcase_add_test(tc, the_file_opens_tcp);
	tcase_add_test(tc, a_file_can_say_off);
	tcase_add_test(tc, an_older_caller_has_no_config);
	tcase_add_loop_test(tc, a_bad_file_is_told_and_the_service_runs, 0,
	                    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, warnings_are_noted);
	tcase_add_test(tc, a_reload_without_memory_changes_nothing);
	suite_add_tcase(s, tc);
	tc = tcase_create("reload");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, reload_is_whole_or_not_at_all);
	tcase_add_test(tc, what_needs_a_restart_is_named);
	tcase_add_test(tc, a_running_window_keeps_its_settings);
	suite_add_tcase(s, tc);
	tc = tcase_create("windows");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, arm_takes_its_defaults_from_the_file);
	tcase_add_test(tc, parameters_of_arm_go_before_the_file);
	tcase_add_test(tc, a_window_can_be_armed_at_the_start);
	tcase_add_test(tc, a_controller_file_has_no_sampler_unless_it_says_so);
	tcase_add_test(tc, a_controller_file_has_its_json_where_it_says);
	tcase_add_test(tc, an_interval_of_0_is_found_out_when_a_window_is_armed);
	tcase_add_test(
	        tc, the_programs_interval_does_not_count_with_a_controller_file);
	tcase_add_test(tc, a_drain_ends_as_the_file_says);
	suite_add_tcase(s, tc);
	tc = tcase_create("routes");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, routes_follow_the_file);
	tcase_add_test(tc, patterns_end_with_the_service);
	suite_add_tcase(s, tc);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	curl_global_cleanup();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
