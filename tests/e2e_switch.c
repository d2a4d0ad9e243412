/* tests/e2e_switch.c - the kill switch, over real sockets: TAILBOX=off, and
 * POST /recorder under load.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>

#include "core/recorder.h"
#include "core/validate.h"
#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"

#define CLIENTS 4

/* --- the server library, watched --------------------------------------- */

static struct {
	unsigned calls;
	MHD_AcceptPolicyCallback apc;
	void *apc_cls;
	MHD_AccessHandlerCallback dh;
	void *dh_cls;
	int first_option;
} started;

/* In place of the library's: a program's own symbols go before. */
struct MHD_Daemon *MHD_start_daemon_va(unsigned int flags, uint16_t port,
                                       MHD_AcceptPolicyCallback apc,
                                       void *apc_cls,
                                       MHD_AccessHandlerCallback dh,
                                       void *dh_cls, va_list ap)
{
	struct MHD_Daemon *(*real)(unsigned int, uint16_t,
	                           MHD_AcceptPolicyCallback, void *,
	                           MHD_AccessHandlerCallback, void *, va_list);
	va_list copy;

	*(void **)&real = dlsym(RTLD_NEXT, "MHD_start_daemon_va");
	started.calls++;
	started.apc = apc;
	started.apc_cls = apc_cls;
	started.dh = dh;
	started.dh_cls = dh_cls;
	va_copy(copy, ap);
	started.first_option = va_arg(copy, int);
	va_end(copy);
	return real(flags, port, apc, apc_cls, dh, dh_cls, ap);
}

/* --- the service ------------------------------------------------------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_is_shut;
static int gate_waiting;

static void wait_at_gate(void)
{
	pthread_mutex_lock(&gate);
	gate_waiting++;
	pthread_cond_broadcast(&gate_changed);
	while (gate_is_shut)
		pthread_cond_wait(&gate_changed, &gate);
	gate_waiting--;
	pthread_mutex_unlock(&gate);
}

static void gate_shut(bool is_shut)
{
	pthread_mutex_lock(&gate);
	gate_is_shut = is_shut;
	pthread_cond_broadcast(&gate_changed);
	pthread_mutex_unlock(&gate);
}

static void gate_await(int n)
{
	pthread_mutex_lock(&gate);
	while (gate_waiting < n)
		pthread_cond_wait(&gate_changed, &gate);
	pthread_mutex_unlock(&gate);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static int seen;
	tailbox_request r = tailbox_request_of(c);

	(void)method, (void)version, (void)data, (void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	if (strcmp(url, "/gate") == 0)
		wait_at_gate();
	TAILBOX_STAGE(r, "work") {
		tailbox_gauge_up(r, "answering");
	}
	return MHD_queue_response(c, MHD_HTTP_OK, cls);
}

static struct MHD_Response *response;
static struct MHD_Daemon *server;
static uint16_t port;

static enum MHD_Result accept_all(void *cls, const struct sockaddr *a,
                                  socklen_t len)
{
	(void)cls, (void)a, (void)len;
	return MHD_YES;
}

static void server_start(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	response = MHD_create_response_from_buffer(
	        5, (void *)(uintptr_t)"hello", MHD_RESPMEM_PERSISTENT);
	server = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, accept_all, &port, answer,
	        response, MHD_OPTION_THREAD_POOL_SIZE, 2u,
	        MHD_OPTION_SOCK_ADDR, &sa, MHD_OPTION_END);
	ck_assert_ptr_nonnull(server);
	port = e2e_port(server);
}

static void server_stop(void)
{
	tailbox_mhd_stop_daemon(server), server = NULL;
	MHD_destroy_response(response), response = NULL;
}

static void set_up(void)
{
	service_start(0);
	server_start();
}

static void tear_down(void)
{
	gate_shut(false);
	if (server)
		server_stop();
	service_stop();
}

/* --- what is asked ----------------------------------------------------- */

/* An answer of the admin server that has this in it. */
static void say(const char *method, const char *path, long status,
                const char *part)
{
	struct service_reply r = service_admin(method, path);

	ck_assert_msg(r.status == status, "%s: %ld %s", path, r.status,
	              r.text);
	ck_assert_msg(strstr(r.text, part) != NULL, "%s: no %s in %s", path,
	              part, r.text);
	free(r.text);
}

static void off(void)
{
	say("POST", "/recorder?on=0", 200, "\"on\": false");
}

/* Not before the window that off closed is written. */
static void on(void)
{
	for (int i = 0;; i++) {
		const long status = service_call("POST", "/recorder?on=1");
		if (status == 200)
			return;
		ck_assert_int_eq(status, 409);
		ck_assert_int_lt(i, 3000);
		usleep(10000);
	}
}

static void load_begin(struct service_load *l, long each, const int *stop)
{
	for (int i = 0; i < CLIENTS; i++) {
		l[i] = (struct service_load){ .port = port, .path = "/x",
			                      .requests = each, .stop = stop };
		ck_assert_int_eq(pthread_create(&l[i].thread, NULL,
		                                service_load_thread, &l[i]), 0);
	}
}

static long load_end(struct service_load *l)
{
	long done = 0;

	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(l[i].thread, NULL);
		done += l[i].done;
	}
	return done;
}

static long load(long each)
{
	struct service_load l[CLIENTS];

	load_begin(l, each, NULL);
	return load_end(l);
}

static char *tape_copy(void)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;
	char *copy = malloc(t->file_bytes);

	ck_assert_ptr_nonnull(copy);
	ck_assert_int_eq(pread(t->fd, copy, t->file_bytes, 0),
	                 (ssize_t)t->file_bytes);
	return copy;
}

static uint64_t finished(void)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(t->header->threads_used);
	uint64_t n = 0;

	for (uint64_t i = 0; i < used; i++)
		n += TAILBOX__GET(t->threads[i].finished);
	return n;
}

static bool is_finished(void *count)
{
	return finished() >= *(uint64_t *)count;
}

static const char *text_extra(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	return x ? tailbox__run_text(run, x->text, NULL) : NULL;
}

static void check_run(const struct tailbox__run *run)
{
	struct tailbox__inspection in;

	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_uint_eq(in.issues.count, 0);
	tailbox__inspection_fini(&in);
}

/* --- TAILBOX=off ------------------------------------------------------- */

static unsigned count_in(const char *path)
{
	struct dirent *e;
	unsigned n = 0;
	DIR *d = opendir(path);

	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return n;
}

static void *nothing(void *arg)
{
	return arg;
}

START_TEST(by_the_environment_all_is_plain)
{
	char dir[] = "/tmp/tailbox-e2e-XXXXXX", run[64], artifacts[64];
	unsigned tasks, fds;
	pthread_t first;

	/* A sanitizer adds a thread of its own to the first one. */
	ck_assert_int_eq(pthread_create(&first, NULL, nothing, NULL), 0);
	pthread_join(first, NULL);
	tasks = count_in("/proc/self/task");
	fds = count_in("/proc/self/fd");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(run, sizeof(run), "%s/run", dir);
	snprintf(artifacts, sizeof(artifacts), "%s/artifacts", dir);
	setenv("TAILBOX_DIR", run, 1);
	setenv("TAILBOX_ARTIFACTS", artifacts, 1);
	setenv("TAILBOX", "off", 1);
	ck_assert_int_eq(tailbox_start("e2e", NULL), -ECANCELED);
	ck_assert_uint_eq(count_in("/proc/self/task"), tasks);
	ck_assert_uint_eq(count_in("/proc/self/fd"), fds);
	memset(&started, 0, sizeof(started));
	server_start();
	/* Exactly what the application gave, and its options at once. */
	ck_assert_uint_eq(started.calls, 1);
	ck_assert(started.apc == accept_all);
	ck_assert_ptr_eq(started.apc_cls, &port);
	ck_assert(started.dh == answer);
	ck_assert_ptr_eq(started.dh_cls, response);
	ck_assert_int_eq(started.first_option, MHD_OPTION_THREAD_POOL_SIZE);
	ck_assert_int_eq(load(25), 25 * CLIENTS);
	/* The pool's threads are the server's own. */
	ck_assert_uint_eq(count_in("/proc/self/task"), tasks + 2);
	server_stop();
	tailbox_stop();
	ck_assert_uint_eq(count_in(dir), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_DIR");
	unsetenv("TAILBOX_ARTIFACTS");
}
END_TEST

/* The same test finds the hooks when they are there. */
START_TEST(else_the_handler_is_ours)
{
	memset(&started, 0, sizeof(started));
	service_start(0);
	server_start();
	ck_assert_uint_eq(started.calls, 0); /* by way of another function */
	ck_assert_uint_gt(count_in(service_dir), 0);
	server_stop();
	service_stop();
}
END_TEST

/* --- at run time ------------------------------------------------------- */

START_TEST(while_off_a_thousand_requests_change_no_byte)
{
	int kept = e2e_connect(port);
	char *before, *after;
	uint64_t all = 1;

	/* A connection of before, and what ends and begins meanwhile. */
	e2e_send(kept, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(kept, false).text);
	e2e_wait(is_finished, &all, "the first request's record");
	off();
	before = tape_copy();
	ck_assert_int_eq(load(250), 250 * CLIENTS);
	e2e_send(kept, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(kept, false).text);
	after = tape_copy();
	ck_assert_int_eq(memcmp(before, after,
	                        tailbox__recorder.tape.file_bytes), 0);
	free(before);
	free(after);
	ck_assert_uint_eq(finished(), 1);
	close(kept);
}
END_TEST

START_TEST(off_under_load_ends_the_window_and_serves_on)
{
	struct service_load l[CLIENTS];
	struct tailbox__run *run;
	uint64_t some = 200;
	int stop = 0;

	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	load_begin(l, -1, &stop);
	e2e_wait(is_finished, &some, "requests of the window");
	say("POST", "/recorder?on=0", 200, "\"closed_window\": 1");
	say("POST", "/recorder?on=0", 200, "\"changed\": false");
	say("POST", "/arm", 409, "switched off by unix uid ");
	say("GET", "/status", 200, "\"why_not\": \"switched off\"");
	say("GET", "/status", 200, "\"switched\": 1");
	say("GET", "/status", 200, "\"open_requests\": null");
	say("GET", "/requests", 200, "\"count\": null");
	say("GET", "/workers", 200, "\"count\": null");
	say("GET", "/healthz", 200, "ok");
	run = service_fetch("/artifacts/1");
	check_run(run);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_str_eq(text_extra(run, "end_detail"), "recorder_off");
	ck_assert_uint_ge(run->requests.count, 200);
	tailbox__run_destroy(run);

	on();
	say("GET", "/status", 200, "\"switched\": 2");
	some = finished() + 200;
	e2e_wait(is_finished, &some, "requests after on");
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	some = finished() + 200;
	e2e_wait(is_finished, &some, "requests of the second window");
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	run = service_fetch("/artifacts/2");
	check_run(run);
	ck_assert_uint_ge(run->requests.count, 190);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	tailbox__run_destroy(run);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	ck_assert_int_gt(load_end(l), 600);
}
END_TEST

/* A worker may be asleep between a request's record and its end. */
static bool has_no_request(void *arg)
{
	struct service_reply r = service_admin("GET", "/requests");
	const bool is = strstr(r.text, "\"count\": 0") != NULL;

	(void)arg;
	free(r.text);
	return is;
}

START_TEST(an_open_request_is_cut_and_told)
{
	int fd = e2e_connect(port);
	struct tailbox__run *run;
	struct e2e_bytes reply;
	uint64_t one;

	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	gate_shut(true);
	e2e_send(fd, "GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
	gate_await(1);
	off(); /* the window does not wait for it */
	run = service_fetch("/artifacts/1");
	ck_assert_uint_eq(run->requests.count, 0);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	tailbox__run_destroy(run);
	say("GET", "/status", 200, "\"cut_requests\": 1");
	gate_shut(false);
	reply = e2e_read_reply(fd, false);
	ck_assert_int_eq(e2e_status(&reply), 200);
	free(reply.text);
	on();
	one = finished();
	e2e_wait(has_no_request, NULL, "no open request");
	/* The connection goes on in its own slot. */
	e2e_send(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(fd, false).text);
	one++;
	e2e_wait(is_finished, &one, "a record after on");
	e2e_wait(has_no_request, NULL, "no open request");
	close(fd);
}
END_TEST

static bool has_no_connection(void *arg)
{
	struct service_reply r = service_admin("GET", "/status");
	const bool is = strstr(r.text, "\"connections\": 0,") !=
	                NULL;

	(void)arg;
	free(r.text);
	return is;
}

START_TEST(what_closed_meanwhile_is_gone)
{
	int fd[20];

	for (int i = 0; i < 20; i++) {
		fd[i] = e2e_connect(port);
		e2e_send(fd[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
		free(e2e_read_reply(fd[i], false).text);
	}
	off();
	for (int i = 0; i < 20; i++)
		e2e_reset(fd[i]);
	on();
	e2e_wait(has_no_connection, NULL, "no connection");
	/* And no slot is lost by it. */
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 20; i++) {
			fd[i] = e2e_connect(port);
			e2e_send(fd[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
			free(e2e_read_reply(fd[i], false).text);
		}
		off();
		for (int i = 0; i < 20; i++)
			e2e_reset(fd[i]);
		on();
		e2e_wait(has_no_connection, NULL, "no connection");
	}
	ck_assert_uint_le(TAILBOX__GET(tailbox__recorder.tape.header
	                                       ->slots_used), 64);
}
END_TEST

START_TEST(off_and_on_at_any_pace)
{
	struct service_load l[CLIENTS];
	struct tailbox__run *run;
	uint64_t some = 100;
	int stop = 0;
	char path[64];

	load_begin(l, -1, &stop);
	e2e_wait(is_finished, &some, "requests");
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(service_call("POST", "/arm"), 200);
		off();
		snprintf(path, sizeof(path), "/artifacts/%d", i + 1);
		run = service_fetch(path);
		check_run(run);
		tailbox__run_destroy(run);
		on();
	}
	some = finished() + 100;
	e2e_wait(is_finished, &some, "requests after all that");
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	load_end(l);
	say("GET", "/status", 200, "\"switched\": 80");
	/* Two workers, the sampler, the admin server, as before. */
	ck_assert_uint_le(TAILBOX__GET(tailbox__recorder.tape.header
	                                       ->threads_used), 8);
}
END_TEST

START_TEST(a_daemon_that_starts_while_off_is_recorded_later)
{
	uint64_t all = 100;

	server_stop();
	off();
	server_start();
	ck_assert_int_eq(load(25), 25 * CLIENTS);
	ck_assert_uint_eq(finished(), 0);
	on();
	ck_assert_int_eq(load(25), 25 * CLIENTS);
	e2e_wait(is_finished, &all, "records");
	ck_assert_uint_eq(finished(), 100);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
	say("POST", "/recorder", 400, "parameter on is missing");
	say("POST", "/recorder?on=2", 400, "parameter on takes 0 or 1");
	say("POST", "/recorder?on=yes", 400, "0 or 1");
	say("POST", "/recorder?off=1", 400, "off");
	say("GET", "/recorder?on=0", 405, "POST");
	say("POST", "/recorder?on=1", 200, "\"changed\": false");
	say("GET", "/status", 200, "\"switched\": 0");
	say("GET", "/status", 200, "\"switched_by\": null");
	say("POST", "/recorder?on=0&format=text", 200, "recording is off\n");
	say("GET", "/status?format=text", 200, "by unix uid ");
	service_stop(); /* while off */
	service_start(0);
	say("GET", "/status", 200, "\"switched\": 0");
	say("GET", "/status", 200, "\"on\": true");
}
END_TEST

/* --- threads that sleep ------------------------------------------------ */

/* Voluntary switches of the thread of this name; 0: it is not there. */
static unsigned long switches_of(const char *name)
{
	char path[300], line[128], comm[32] = "";
	unsigned long n = 0;
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");

	ck_assert_ptr_nonnull(d);
	while (n == 0 && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
		         e->d_name);
		FILE *f = fopen(path, "r");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
			if (sscanf(line, "Name: %31s", comm) == 1 &&
			    strcmp(comm, name) != 0)
				break;
			if (sscanf(line, "voluntary_ctxt_switches: %lu",
			           &n) == 1)
				break;
		}
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
	return n;
}

/* They have their names and have slept once. */
static bool have_begun(void *arg)
{
	(void)arg;
	return switches_of("tailbox-sampler") != 0 &&
	       switches_of("tailbox-follow") != 0;
}

START_TEST(sampler_and_follower_do_not_wake)
{
	unsigned long sampler, follower, now;

	e2e_wait(have_begun, NULL, "sampler and follower");
	off();
	sampler = switches_of("tailbox-sampler");
	follower = switches_of("tailbox-follow");
	/* Unparked they wake twice and two dozen times in this time. A few are
	 * for the pass that was under way and the last one. */
	usleep(1200000);
	now = switches_of("tailbox-sampler");
	ck_assert_msg(now <= sampler + 1, "sampler: %lu", now - sampler);
	now = switches_of("tailbox-follow");
	ck_assert_msg(now <= follower + 4, "follower: %lu", now - follower);
	on();
}
END_TEST

static Suite *switch_suite(void)
{
	Suite *s = suite_create("switch");
	TCase *plain = tcase_create("environment"), *t = tcase_create("switch");

	tcase_add_test(plain, by_the_environment_all_is_plain);
	tcase_add_test(plain, else_the_handler_is_ours);
	tcase_set_timeout(plain, 60);
	suite_add_tcase(s, plain);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, while_off_a_thousand_requests_change_no_byte);
	tcase_add_test(t, off_under_load_ends_the_window_and_serves_on);
	tcase_add_test(t, an_open_request_is_cut_and_told);
	tcase_add_test(t, what_closed_meanwhile_is_gone);
	tcase_add_test(t, off_and_on_at_any_pace);
	tcase_add_test(t, a_daemon_that_starts_while_off_is_recorded_later);
	tcase_add_test(t, what_is_wrong_is_said);
	tcase_add_test(t, sampler_and_follower_do_not_wake);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(switch_suite());

	curl_global_init(CURL_GLOBAL_DEFAULT);
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	curl_global_cleanup();
	return failed ? 1 : 0;
}
