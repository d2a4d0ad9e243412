/* tests/e2e_sampler.c - the sampler beside a real server whose workers are
 * idle, held, or all held.
 *
 * SPDX-License-Identifier: MIT
 */
#include <tailbox/mhd.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "core/daemons.h"
#include "sampler/sampler.h"
#include "sampler/workers.h"
#include "tests/test_sampler_fixture.h"

enum { HELD_MS = 60 };

static struct MHD_Daemon *server;
static uint16_t port;

/* While the gate is shut, GET /slow stays in the handler. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool is_shut;
	unsigned inside;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 };

static void gate_set(bool is_shut)
{
	pthread_mutex_lock(&gate.lock);
	gate.is_shut = is_shut;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_pass(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.inside++;
	pthread_cond_broadcast(&gate.moved);
	while (gate.is_shut)
		pthread_cond_wait(&gate.moved, &gate.lock);
	gate.inside--;
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait_for(unsigned inside)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.inside < inside)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static char text[] = "hello\n";
	static int seen;

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	if (!*req_cls) {
		*req_cls = &seen;
		return MHD_YES;
	}
	if (strcmp(url, "/slow") == 0)
		gate_pass();
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return result;
}

static void start(unsigned flags, unsigned pool)
{
	gate_set(false);
	fixture_open(TAILBOX__TAPE_DEFAULT);
	samples_open();
	server = tailbox_mhd_start_daemon(
	        flags, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_THREAD_POOL_SIZE, pool,
	        MHD_OPTION_LISTEN_BACKLOG_SIZE, 40u, MHD_OPTION_END);
	ck_assert_ptr_nonnull(server);
	port = MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port;
	ck_assert_int_eq(tailbox__sampler_start(10), 0);
}

static void stop(void)
{
	gate_set(false);
	tailbox_mhd_stop_daemon(server);
	tailbox__sampler_stop();
	samples_close();
	fixture_close();
}

/* --- clients -------------------------------------------------------------- */

static int client(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

static void ask(int fd, const char *path)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
	                 "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

	ck_assert_int_eq(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void hear(int fd)
{
	char text[2048];
	size_t len = 0;

	do {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		ck_assert_int_gt(n, 0);
		len += (size_t)n;
		text[len] = '\0';
	} while (!strstr(text, "\r\n\r\nhello\n"));
}

static void get(int fd, const char *path)
{
	ask(fd, path);
	hear(fd);
}

/* --- waiting for what the samples say ------------------------------------- */

/* Until the condition holds in a sample; what it was is left in `sample`. The
 * suite's timeout ends it when it never does. */
#define WAIT_UNTIL(condition)                                                  \
	do                                                                     \
		samples_wait(samples_count + 1);                               \
	while (!(condition))

static uint64_t longest_held_us(void)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < sample.count; i++)
		if (sample.of[i].metric == TAILBOX__METRIC_WORKER_HELD_US &&
		    sample.of[i].value > most)
			most = sample.of[i].value;
	return most;
}

/* The subject of the worker that has been held longest. */
static uint16_t holder(void)
{
	uint64_t most = longest_held_us();

	for (unsigned i = 0; i < sample.count; i++)
		if (sample.of[i].metric == TAILBOX__METRIC_WORKER_HELD_US &&
		    sample.of[i].value == most)
			return sample.of[i].subject;
	return UINT16_MAX;
}

static uint64_t first_of(enum tailbox__metric metric)
{
	for (unsigned i = 0; i < sample.count; i++)
		if (sample.of[i].metric == metric)
			return sample.of[i].value;
	return TAILBOX__UNKNOWN;
}

/* --- tests ---------------------------------------------------------------- */

#define INTERNAL MHD_USE_INTERNAL_POLLING_THREAD
#define EPOLL (INTERNAL | MHD_USE_EPOLL)

static unsigned asleep(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sample.count; i++)
		n += sample.of[i].metric == TAILBOX__METRIC_WORKER_STATE &&
		     sample.of[i].value == 'S';
	return n;
}

START_TEST(idle_workers_are_seen)
{
	start(EPOLL, 4);
	WAIT_UNTIL(subjects(TAILBOX__METRIC_WORKER_HELD_US) == 4 &&
	           asleep() == 4);
	ck_assert_uint_eq(sample.rec.worker_count, 4);
	ck_assert_uint_eq(sample.rec.alive_tasks, 0);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 0);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), 0);
	ck_assert_uint_eq(first_of(TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT), 40);
	for (unsigned i = 0; i < sample.count; i++) {
		const struct tailbox__value *v = &sample.of[i];

		if (v->metric == TAILBOX__METRIC_WORKER_WCHAN)
			ck_assert_ptr_nonnull(strstr(name(v->value), "epoll"));
		if (v->metric == TAILBOX__METRIC_WORKER_HELD_US)
			ck_assert_uint_eq(v->value, 0);
	}
	/* One of them gets work: it goes by its thread index from now on, and
	 * there are four still. */
	int fd = client();
	get(fd, "/");
	WAIT_UNTIL(value(TAILBOX__METRIC_CONNECTIONS, 0) == 1);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 4);
	unsigned seen = 0;
	for (unsigned i = 0; i < sample.count; i++)
		if (sample.of[i].metric == TAILBOX__METRIC_WORKER_CONNECTIONS)
			seen += sample.of[i].subject < TAILBOX__WORKER_UNSEEN;
	ck_assert_uint_eq(seen, 1);
	close(fd);
	stop();
}
END_TEST

static void behind_one_worker(unsigned flags)
{
	enum { OTHERS = 5, READY = 3 };
	int slow, others[OTHERS];

	start(flags, 0);
	slow = client();
	get(slow, "/slow"); /* open still; the route has its name then */
	for (int i = 0; i < OTHERS; i++) {
		others[i] = client();
		get(others[i], "/");
	}
	gate_set(true);
	ask(slow, "/slow");
	gate_wait_for(1);
	for (int i = 0; i < READY; i++)
		ask(others[i], "/");
	shutdown(others[READY], SHUT_WR); /* leaves: not a request */
	WAIT_UNTIL(sample.rec.local_queue_depth == READY &&
	           longest_held_us() >= HELD_MS * 1000);
	uint16_t who = holder();
	ck_assert_uint_eq(sample.rec.worker_count, 1);
	ck_assert_uint_eq(sample.rec.alive_tasks, 1);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 1);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND, who), READY);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_CONNECTIONS, who),
	                  OTHERS + 1);
	ck_assert_str_eq(name(value(TAILBOX__METRIC_WORKER_ROUTE, who)),
	                 "/slow");
	WAIT_UNTIL(value(TAILBOX__METRIC_WORKER_STATE, who) == 'S');
	if (access("/proc/self/syscall", R_OK) == 0) {
		WAIT_UNTIL(value(TAILBOX__METRIC_WORKER_SYSCALL, who) !=
		           TAILBOX__UNKNOWN);
#if defined(__x86_64__)
		ck_assert_str_eq(name(value(TAILBOX__METRIC_WORKER_SYSCALL,
		                            who)), "futex");
#endif
	}
	gate_set(false);
	hear(slow);
	for (int i = 0; i < READY; i++)
		hear(others[i]);
	WAIT_UNTIL(sample.rec.alive_tasks == 0 && longest_held_us() == 0);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	for (int i = 0; i < OTHERS; i++)
		close(others[i]);
	close(slow);
	WAIT_UNTIL(value(TAILBOX__METRIC_CONNECTIONS, 0) == 0);
	stop();
}

START_TEST(requests_behind_an_epoll_worker)
{
	behind_one_worker(EPOLL);
}
END_TEST

START_TEST(requests_behind_a_poll_worker)
{
	behind_one_worker(INTERNAL | MHD_USE_POLL);
}
END_TEST

START_TEST(requests_behind_a_select_worker)
{
	behind_one_worker(INTERNAL);
}
END_TEST

/* n connections ask while the only worker is held. True: it sleeps afterwards
 * and has not served them. */
static bool sleeps_with(unsigned flags, int n)
{
	int slow, others[160];
	bool is_asleep;

	start(flags, 0);
	slow = client();
	get(slow, "/");
	for (int i = 0; i < n; i++) {
		others[i] = client();
		get(others[i], "/");
	}
	gate_set(true);
	ask(slow, "/slow");
	gate_wait_for(1);
	for (int i = 0; i < n; i++)
		ask(others[i], "/");
	WAIT_UNTIL(sample.rec.local_queue_depth == (uint64_t)n);
	ck_assert_uint_eq(first_of(TAILBOX__METRIC_WORKER_READY),
	                  TAILBOX__UNKNOWN);
	gate_set(false);
	hear(slow);
	/* It stays so for more than a sample, or they are served. */
	struct pollfd first = { .fd = others[0], .events = POLLIN };
	unsigned seen = 0;
	while (seen < 3 && poll(&first, 1, 0) == 0) {
		samples_wait(samples_count + 1);
		seen += first_of(TAILBOX__METRIC_WORKER_READY) ==
		        (uint64_t)n;
	}
	is_asleep = seen == 3;
	/* Anything that happens wakes the loop. */
	int waker = client();
	for (int i = 0; i < n; i++)
		hear(others[i]);
	/* Asleep again, with nothing before it. */
	if (n >= 128)
		WAIT_UNTIL(first_of(TAILBOX__METRIC_WORKER_READY) == 0);
	else
		ck_assert_uint_eq(first_of(TAILBOX__METRIC_WORKER_READY),
		                  TAILBOX__UNKNOWN);
	for (int i = 0; i < n; i++)
		close(others[i]);
	close(waker);
	close(slow);
	stop();
	return is_asleep;
}

START_TEST(an_epoll_loop_that_sleeps_with_128_ready_is_seen)
{
	/* Of later versions nothing is promised. */
	if (strcmp(MHD_get_version(), "1.0") < 0)
		ck_assert(sleeps_with(EPOLL, 128));
	else
		(void)sleeps_with(EPOLL, 128);
	ck_assert(!sleeps_with(EPOLL, 127));
	ck_assert(!sleeps_with(EPOLL, 129));
	ck_assert(!sleeps_with(INTERNAL | MHD_USE_POLL, 128));
}
END_TEST

START_TEST(new_connections_wait_when_all_workers_are_held)
{
	enum { MORE = 7 };
	int slow[12], more[MORE];
	unsigned used = 0;

	start(EPOLL, 2);
	gate_set(true);
	/* One worker may take them all until it is held itself. */
	for (; used < 12 && value(TAILBOX__METRIC_BUSY_WORKERS, 0) != 2;
	     used++) {
		slow[used] = client();
		ask(slow[used], "/slow");
		WAIT_UNTIL(value(TAILBOX__METRIC_BUSY_WORKERS, 0) >= 1);
		samples_wait(samples_count + 2);
	}
	gate_wait_for(2);
	samples_wait(samples_count + 2);
	uint64_t before = sample.rec.global_queue_depth;
	ck_assert_uint_ne(before, TAILBOX__UNKNOWN);
	for (int i = 0; i < MORE; i++)
		more[i] = client();
	WAIT_UNTIL(sample.rec.global_queue_depth == before + MORE);
	ck_assert_uint_eq(sample.rec.worker_count, 2);
	ck_assert_uint_eq(first_of(TAILBOX__METRIC_ACCEPT_QUEUE),
	                  before + MORE);
	gate_set(false);
	WAIT_UNTIL(sample.rec.global_queue_depth == 0);
	for (unsigned i = 0; i < used; i++) {
		hear(slow[i]);
		close(slow[i]);
	}
	for (int i = 0; i < MORE; i++)
		close(more[i]);
	stop();
}
END_TEST

START_TEST(threads_per_connection_have_no_worker_count)
{
	start(INTERNAL | MHD_USE_THREAD_PER_CONNECTION, 0);
	int fds[3];
	gate_set(true);
	for (int i = 0; i < 3; i++) {
		fds[i] = client();
		ask(fds[i], "/slow");
	}
	gate_wait_for(3);
	WAIT_UNTIL(sample.rec.alive_tasks == 3 &&
	           longest_held_us() >= HELD_MS * 1000 &&
	           value(TAILBOX__METRIC_BUSY_WORKERS, 0) == 3);
	ck_assert_uint_eq(sample.rec.worker_count, UINT32_MAX);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	gate_set(false);
	for (int i = 0; i < 3; i++) {
		hear(fds[i]);
		close(fds[i]);
	}
	/* Their threads end with them. */
	WAIT_UNTIL(value(TAILBOX__METRIC_CONNECTIONS, 0) == 0);
	stop();
}
END_TEST

static void *run_loop(void *arg)
{
	atomic_bool *must_end = arg;

	while (!atomic_load(must_end))
		MHD_run_wait(server, 20);
	return NULL;
}

START_TEST(a_loop_of_the_application_is_one_worker)
{
	atomic_bool must_end = false;
	pthread_t loop;

	start(MHD_USE_EPOLL, 0);
	pthread_create(&loop, NULL, run_loop, &must_end);
	int slow = client(), other = client();
	get(slow, "/slow");
	get(other, "/");
	gate_set(true);
	ask(slow, "/slow");
	gate_wait_for(1);
	ask(other, "/");
	WAIT_UNTIL(sample.rec.local_queue_depth == 1 &&
	           longest_held_us() >= HELD_MS * 1000);
	ck_assert_uint_eq(sample.rec.worker_count, 1);
	gate_set(false);
	hear(slow);
	hear(other);
	atomic_store(&must_end, true);
	pthread_join(loop, NULL);
	close(slow);
	close(other);
	stop();
}
END_TEST

START_TEST(a_server_stopped_without_us_is_gone)
{
	start(EPOLL, 2);
	WAIT_UNTIL(sample.rec.worker_count == 2);
	MHD_stop_daemon(server);
	WAIT_UNTIL(sample.rec.worker_count == UINT32_MAX);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 0);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 0);
	tailbox__sampler_stop();
	samples_close();
	fixture_close();
}
END_TEST

/* Not a measurement: that is for a quiet machine and bench/. It finds the
 * mistake that makes a sample ten times as dear. TAILBOX_SAMPLER_COST=SECONDS
 * prints the figure at 100 ms instead, with TAILBOX_SAMPLER_CONNECTIONS of
 * them, 20 at least and 400 at most. */
START_TEST(a_sample_is_cheap)
{
	struct tailbox__sampler_cost a, b;
	const char *seconds = getenv("TAILBOX_SAMPLER_COST");
	unsigned samples = 100;

	const char *wanted = getenv("TAILBOX_SAMPLER_CONNECTIONS");
	unsigned n = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 20;
	int fds[400];

	ck_assert(n >= 20 && n <= 400);
	start(EPOLL, 2);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = client();
		get(fds[i], "/");
	}
	samples_wait(samples_count + 1);
	if (seconds) {
		samples = 10 * (unsigned)strtoul(seconds, NULL, 10);
		tailbox__sampler_set_interval(100);
		samples_wait(samples_count + 2);
	}
	tailbox__sampler_cost(&a);
	do {
		usleep(10000);
		tailbox__sampler_cost(&b);
	} while (b.samples - a.samples < samples);
	uint64_t each = (b.cpu_ns - a.cpu_ns) / (b.samples - a.samples);
	if (seconds)
		printf("sampler: %u samples at 100 ms, 2 workers, %u "
		       "connections: %.1f us each, %.4f%% of one CPU\n",
		       samples, n, (double)each / 1000, (double)each / 1e6);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
	ck_assert_uint_lt(each, 500000);
#endif
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("e2e_sampler");
	TCase *t = tcase_create("servers");

	const char *seconds = getenv("TAILBOX_SAMPLER_COST");
	tcase_set_timeout(t, seconds ? 3600 : 60);
	tcase_add_test(t, idle_workers_are_seen);
	tcase_add_test(t, requests_behind_an_epoll_worker);
	tcase_add_test(t, requests_behind_a_poll_worker);
	tcase_add_test(t, requests_behind_a_select_worker);
	tcase_add_test(t, an_epoll_loop_that_sleeps_with_128_ready_is_seen);
	tcase_add_test(t, new_connections_wait_when_all_workers_are_held);
	tcase_add_test(t, threads_per_connection_have_no_worker_count);
	tcase_add_test(t, a_loop_of_the_application_is_one_worker);
	tcase_add_test(t, a_server_stopped_without_us_is_gone);
	tcase_add_test(t, a_sample_is_cheap);
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
