/* tests/e2e_main_job.c - arm, load, disarm, download: nothing missing, nothing
 * twice, nothing leaked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>

#include "core/validate.h"
#include "tests/e2e_admin_client.h"

#define CLIENTS 8

#ifdef E2E_LONG
enum { COUNTED = 20000 };
#else
enum { COUNTED = 4000 };
#endif

/* Limits of time and memory do not hold under a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* --- the service ------------------------------------------------------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static int gate_is_shut, gate_waiting;

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

static void shut_gate(int is_shut)
{
	pthread_mutex_lock(&gate);
	gate_is_shut = is_shut;
	pthread_cond_broadcast(&gate_changed);
	pthread_mutex_unlock(&gate);
}

static void await_waiting(int n)
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
	tailbox_gauge_up(r, "answering");
	TAILBOX_WAIT(r, "pool", 0) {
		TAILBOX_STAGE(r, "work") {
			;
		}
	}
	tailbox_gauge_down(r, "answering");
	return MHD_queue_response(c, MHD_HTTP_OK, cls);
}

static struct MHD_Response *response;

static struct MHD_Daemon *daemon_start(unsigned flags, unsigned pool,
                                       uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct MHD_OptionItem o[] = {
		{ MHD_OPTION_SOCK_ADDR, 0, &sa },
		{ pool ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		  (intptr_t)pool, NULL },
		{ MHD_OPTION_END, 0, NULL }
	};
	struct MHD_Daemon *d;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	response = MHD_create_response_from_buffer(
	        5, (void *)(uintptr_t)"hello", MHD_RESPMEM_PERSISTENT);
	d = tailbox_mhd_start_daemon_array(flags, 0, NULL, NULL, answer,
	                                   response, o);
	ck_assert_ptr_nonnull(d);
	*port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
	return d;
}

static void daemon_stop(struct MHD_Daemon *d)
{
	tailbox_mhd_stop_daemon(d);
	MHD_destroy_response(response);
}

/* `l` is not on the stack: without fork, libcheck goes on after a failure, and
 * so do these threads. */
static void load_start(struct service_load *l, int n, uint16_t port,
                       const char *path, long each, const int *stop)
{
	for (int i = 0; i < n; i++) {
		l[i] = (struct service_load){ .port = port, .path = path,
			                      .requests = each, .stop = stop };
		ck_assert_int_eq(pthread_create(&l[i].thread, NULL,
		                                service_load_thread, &l[i]), 0);
	}
}

static long load_join(struct service_load *l, int n)
{
	long done = 0;

	for (int i = 0; i < n; i++) {
		pthread_join(l[i].thread, NULL);
		done += l[i].done;
	}
	return done;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* No finding of any kind, and no id twice. */
static void check_run(const struct tailbox__run *run)
{
	const struct tailbox__run_pair *mhd =
	        tailbox__run_extra(run, "mhd_version");
	struct tailbox__inspection in;
	size_t twice = 0; /* each assertion writes a line for libcheck */
	char *seen = calloc(tailbox__run_str_count(run) + 1, 1);

	ck_assert_ptr_nonnull(mhd);
	ck_assert_str_eq(tailbox__run_text(run, mhd->text, NULL),
	                 MHD_get_version());
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_uint_eq(in.issues.count, 0);
	tailbox__inspection_fini(&in);
	for (size_t i = 0; i < run->requests.count; i++) {
		tailbox__str id = run->requests.items[i].id;
		twice += seen[id];
		seen[id] = 1;
	}
	ck_assert_uint_eq(twice, 0);
	free(seen);
}

static size_t count_route(const struct tailbox__run *run, const char *route)
{
	size_t n = 0;

	for (size_t i = 0; i < run->requests.count; i++)
		n += strcmp(tailbox__run_text(run,
		                              run->requests.items[i].route,
		                              NULL), route) == 0;
	return n;
}

/* --- many requests ----------------------------------------------------- */

static const struct {
	const char *name;
	unsigned flags, pool;
} modes[] = {
	{ "epoll pool", MHD_USE_EPOLL_INTERNAL_THREAD, 2 },
	{ "epoll single", MHD_USE_EPOLL_INTERNAL_THREAD, 0 },
	{ "select", MHD_USE_SELECT_INTERNALLY, 0 },
	{ "thread per connection",
	  MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0 }
};

START_TEST(exactly_the_requests_between_arm_and_disarm)
{
	static struct service_load l[CLIENTS];
	struct tailbox__run *native, *json;
	struct MHD_Daemon *d;
	uint16_t port;

	service_start(0);
	d = daemon_start(modes[_i].flags, modes[_i].pool, &port);
	load_start(l, CLIENTS, port, "/before", 10, NULL);
	ck_assert_int_eq(load_join(l, CLIENTS), CLIENTS * 10);
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	load_start(l, CLIENTS, port, "/counted", COUNTED / CLIENTS, NULL);
	ck_assert_int_eq(load_join(l, CLIENTS), COUNTED);
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	load_start(l, CLIENTS, port, "/after", 10, NULL);
	ck_assert_int_eq(load_join(l, CLIENTS), CLIENTS * 10);

	native = service_fetch("/artifacts/1.tailbox");
	json = service_fetch("/artifacts/1");
	check_run(native);
	check_run(json);
	ck_assert_msg(native->requests.count == COUNTED, "%s: %zu requests",
	              modes[_i].name, native->requests.count);
	ck_assert_uint_eq(json->requests.count, COUNTED);
	ck_assert_uint_eq(native->stages.count, COUNTED);
	ck_assert_uint_ge(native->queues.count, COUNTED); /* and mhd.ingress */
	ck_assert_uint_eq(native->inflight.count, 2 * COUNTED);
	ck_assert_uint_eq(native->open.count, 0);
	ck_assert(!native->truncation.limits_hit);
	ck_assert_uint_eq(count_route(native, "/counted"), COUNTED);
	tailbox__run_destroy(native);
	tailbox__run_destroy(json);
	daemon_stop(d);
	service_stop();
}
END_TEST

/* --- what belongs to a window ------------------------------------------ */

START_TEST(in_flight_at_disarm_is_in_and_later_is_not)
{
	static struct service_load slow, l;
	struct tailbox__run *run;
	struct service_reply r;
	struct MHD_Daemon *d;
	uint16_t port;

	service_start(20000);
	d = daemon_start(MHD_USE_THREAD_PER_CONNECTION |
	                         MHD_USE_INTERNAL_POLLING_THREAD, 0, &port);
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	shut_gate(1);
	load_start(&slow, 1, port, "/gate", 1, NULL);
	await_waiting(1);
	r = service_admin("POST", "/disarm");
	ck_assert_int_eq(r.status, 200);
	ck_assert_msg(strstr(r.text, "closing") != NULL, "%s", r.text);
	free(r.text);
	load_start(&l, 1, port, "/later", 3, NULL);
	ck_assert_int_eq(load_join(&l, 1), 3);
	ck_assert_int_eq(service_call("GET", "/artifacts/1"), 404);
	shut_gate(0);
	ck_assert_int_eq(load_join(&slow, 1), 1);
	run = service_fetch("/artifacts/1");
	check_run(run);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(count_route(run, "/gate"), 1);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	tailbox__run_destroy(run);
	daemon_stop(d);
	service_stop();
}
END_TEST

START_TEST(one_that_never_ends_is_listed_after_the_drain_timeout)
{
	static struct service_load slow, l;
	struct tailbox__run *run;
	struct MHD_Daemon *d;
	uint16_t port;

	service_start(200);
	d = daemon_start(MHD_USE_EPOLL_INTERNAL_THREAD, 2, &port);
	/* Names /gate, so that a worker that hangs there can be told. */
	load_start(&l, 1, port, "/gate", 1, NULL);
	ck_assert_int_eq(load_join(&l, 1), 1);
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	shut_gate(1);
	load_start(&slow, 1, port, "/gate", 1, NULL);
	await_waiting(1);
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	run = service_fetch("/artifacts/1");
	check_run(run);
	ck_assert_uint_eq(run->requests.count, 0);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	ck_assert_str_eq(tailbox__run_text(
	                         run, run->meta.unfinished.items[0].route,
	                         NULL), "/gate");
	ck_assert_uint_eq(run->meta.warnings.count, 1);
	ck_assert_uint_eq(run->open.count, 1);
	ck_assert_uint_eq(run->open.items[0].phase, TAILBOX__PHASE_HANDLER);
	tailbox__run_destroy(run);
	shut_gate(0);
	ck_assert_int_eq(load_join(&slow, 1), 1);
	daemon_stop(d);
	service_stop();
}
END_TEST

/* --- 100 cycles -------------------------------------------------------- */

struct usage {
	long rss_kb, fds, threads;
};

/* Without the sampler's view of the kernel: it opens the file of a thread when
 * it first has to look there, and says itself how many it opens at most. */
static bool is_sampled(int dirfd, const char *name)
{
	char to[64];
	ssize_t n = readlinkat(dirfd, name, to, sizeof(to) - 1);

	to[n > 0 ? n : 0] = '\0';
	return strncmp(to, "/proc/", 6) == 0;
}

static long entries(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	long n = 0, sampled = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (is_sampled(dirfd(d), e->d_name))
			sampled++;
		else
			n++;
	if (d != NULL)
		closedir(d);
	/* Three for each of up to three threads, a few for the machine. */
	ck_assert_int_le(sampled, 3 * 3 + 10);
	return n;
}

static struct usage usage_now(void)
{
	struct usage u = { 0, entries("/proc/self/fd"),
		           entries("/proc/self/task") };
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			u.rss_kb = strtol(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	return u;
}

/* Threads, sockets and children in passing come to their end, a leak does not:
 * what is used once it is no more than `before`, or after half a minute. */
static struct usage usage_at_rest(const struct usage *before)
{
	struct usage u = usage_now();

	for (int i = 0; i < 3000 && (u.threads > before->threads ||
	                             u.fds > before->fds); i++) {
		usleep(10000);
		u = usage_now();
	}
	return u;
}

/* Numbers that the window has. */
static size_t take_numbers(const struct tailbox__run *run, uint64_t *all,
                           size_t count)
{
	for (size_t i = 0; i < run->requests.count; i++) {
		uint32_t ext = run->requests.items[i].ext;
		if (ext == 0)
			ck_abort_msg("a request without a number");
		all[count++] = run->ext.items[ext - 1].number;
	}
	return count;
}

START_TEST(a_hundred_cycles_under_load_leak_nothing)
{
	enum { ROOM = 4000000 };
	static struct service_load l[4];
	uint64_t *all = calloc(ROOM, sizeof(*all)); /* touched as it fills */
	struct usage at10 = { 0, 0, 0 }, at100;
	size_t twice = 0;
	struct MHD_Daemon *d;
	char path[64];
	size_t count = 0;
	static int stop;
	uint16_t port;

	stop = 0;
	service_start(0);
	d = daemon_start(MHD_USE_EPOLL_INTERNAL_THREAD, 2, &port);
	memset(all, 1, ROOM * sizeof(*all)); /* not to be taken for growth */
	load_start(l, 4, port, "/cycle", -1, &stop);
	for (int i = 1; i <= 100; i++) {
		struct tailbox__run *run;
		struct service_reply r = service_admin("POST", "/arm");
		ck_assert_msg(r.status == 200, "cycle %d: %s", i, r.text);
		snprintf(path, sizeof(path), "\"id\": %d,", i);
		ck_assert_msg(strstr(r.text, path) != NULL, "%s", r.text);
		free(r.text);
		usleep(5000); /* some load in the window */
		ck_assert_int_eq(service_call("POST", "/disarm"), 200);
		snprintf(path, sizeof(path), "/artifacts/%d.tailbox", i);
		run = service_fetch(path);
		check_run(run);
		ck_assert_uint_lt(count + run->requests.count, ROOM);
		count = take_numbers(run, all, count);
		tailbox__run_destroy(run);
		if (i == 10)
			at10 = usage_now();
	}
	at100 = usage_at_rest(&at10);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	ck_assert_int_gt(load_join(l, 4), 0);
	ck_assert_uint_gt(count, 100);
	qsort(all, count, sizeof(*all), ascending);
	for (size_t i = 1; i < count; i++)
		twice += all[i] == all[i - 1];
	ck_assert_uint_eq(twice, 0);
	ck_assert_int_le(at100.threads, at10.threads);
	ck_assert_int_le(at100.fds, at10.fds);
	/* The allocator's arenas and the artifacts' size wander; a leak of
	 * one spool or run per cycle would be tens of megabytes. */
	ck_assert_msg(SANITIZED || at100.rss_kb < at10.rss_kb + 4096,
	              "RSS grew from %ld to %ld kB", at10.rss_kb,
	              at100.rss_kb);
	free(all);
	daemon_stop(d);
	service_stop();
}
END_TEST

/* --- every worker stuck ------------------------------------------------ */

START_TEST(status_and_workers_answer_while_every_worker_is_stuck)
{
	static struct service_load slow[2], l;
	struct service_reply r;
	struct MHD_Daemon *d;
	uint16_t port;
	const char *p;
	int held = 0, tries = 0;

	service_start(0);
	d = daemon_start(MHD_USE_SELECT_INTERNALLY, 2, &port);
	load_start(&l, 1, port, "/gate", 1, NULL);
	ck_assert_int_eq(load_join(&l, 1), 1);
	shut_gate(1);
	/* Accepting is the workers' choice: go on until both hang. */
	load_start(&slow[0], 1, port, "/gate", 1, NULL);
	await_waiting(1);
	load_start(&slow[1], 1, port, "/gate", 1, NULL);
	await_waiting(2);
	/* A busy machine may delay one; all would be late behind a worker. */
	do {
		r = service_admin("GET", "/status");
		ck_assert_int_eq(r.status, 200);
		free(r.text);
	} while (r.seconds >= 0.050 && ++tries < 20);
	ck_assert_msg(tries < 20, "/status took %.3f s, 20 times", r.seconds);
	r = service_admin("GET", "/workers");
	ck_assert_int_eq(r.status, 200);
	for (p = r.text; (p = strstr(p, "\"/gate\"")) != NULL; p++)
		held++;
	ck_assert_msg(held == 2, "%s", r.text);
	free(r.text);
	shut_gate(0);
	load_join(slow, 2);
	daemon_stop(d);
	service_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("main_job");
	TCase *t = tcase_create("main_job");
	SRunner *sr;
	int failed;

	curl_global_init(CURL_GLOBAL_ALL);
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, exactly_the_requests_between_arm_and_disarm, 0,
	                    sizeof(modes) / sizeof(modes[0]));
	tcase_add_test(t, in_flight_at_disarm_is_in_and_later_is_not);
	tcase_add_test(t, one_that_never_ends_is_listed_after_the_drain_timeout);
	tcase_add_test(t, a_hundred_cycles_under_load_leak_nothing);
	tcase_add_test(t,
	               status_and_workers_answer_while_every_worker_is_stuck);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
