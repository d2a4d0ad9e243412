/* tests/e2e_trigger.c - a slow request over real sockets, and the artifact
 * that it makes of the past.
 *
 * SPDX-License-Identifier: MIT
 *
 * One client asks all the time and notes when: by the same clock as the
 * artifact's wall times. What it asked in the covered time has to be there, by
 * id, and nothing else.
 */
#include <time.h>

#include "core/validate.h"
#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"

#ifdef E2E_LONG
#define LOOKBACK_MS 10000u
#else
#define LOOKBACK_MS 1000u
#endif
#define SLOW_MS 200u
#define ASKED_MAX 200000u

static char folder[40], file[80];
static struct MHD_Response *response;
static struct MHD_Daemon *server;
static uint16_t port;

/* By the client: when it sent and when it had the answer, wall us. */
static struct {
	uint64_t sent, had;
} asked[ASKED_MAX];
static unsigned asked_count;

static uint64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* /NUMBER, and /slow/NUMBER takes its time. */
static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static int seen;
	const struct timespec slow = { .tv_nsec = SLOW_MS * 1000000 };

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	tailbox_request_set_id(tailbox_request_of(c), strrchr(url, '/') + 1);
	if (strncmp(url, "/slow/", 6) == 0)
		nanosleep(&slow, NULL);
	return MHD_queue_response(c, MHD_HTTP_OK, response);
}

static void set_up(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct tailbox_options o;
	FILE *f;

	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(service_dir, sizeof(service_dir), "%s/run", folder);
	snprintf(service_socket, sizeof(service_socket), "%s/e2e.%ld.sock",
	         service_dir, (long)getpid());
	snprintf(file, sizeof(file), "%s/conf", folder);
	f = fopen(file, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "[triggers]\nslow = '%ums'\nlookback = '%ums'\n"
	           "after = '100ms'\n[window]\nmax_requests = 1000000\n",
	        SLOW_MS, LOOKBACK_MS);
	ck_assert_int_eq(fclose(f), 0);
	tailbox_options_init(&o);
	o.run_dir = service_dir;
	o.config = file;
	o.tape_bytes = 64 << 20;
	ck_assert_int_eq(tailbox_start("e2e", &o), 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	response = MHD_create_response_from_buffer(
	        5, (void *)(uintptr_t)"hello", MHD_RESPMEM_PERSISTENT);
	server = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_SOCK_ADDR, &sa,
	        MHD_OPTION_END);
	ck_assert_ptr_nonnull(server);
	port = e2e_port(server);
	asked_count = 0;
}

static void tear_down(void)
{
	tailbox_mhd_stop_daemon(server), server = NULL;
	MHD_destroy_response(response), response = NULL;
	tailbox_stop();
	nftw(folder, service_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- the client ---------------------------------------------------------- */

static void ask(int fd, const char *path)
{
	struct e2e_bytes reply;
	char text[160];

	ck_assert_uint_lt(asked_count, ASKED_MAX);
	snprintf(text, sizeof(text), "GET %s/c%u HTTP/1.1\r\nHost: x\r\n\r\n",
	         path, asked_count);
	asked[asked_count].sent = wall_us();
	e2e_send(fd, text);
	reply = e2e_read_reply(fd, false);
	asked[asked_count++].had = wall_us();
	ck_assert_int_eq(e2e_status(&reply), 200);
	free(reply.text);
}

static bool is_made(void)
{
	struct service_reply r = service_admin("GET", "/status");
	const bool is = strstr(r.text, "\"result\": \"made\"") != NULL;

	free(r.text);
	return is;
}

/* --- what has to be in --------------------------------------------------- */

static uint64_t extra_of(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	ck_assert_msg(x != NULL, "no %s", key);
	return x->number;
}

/* Wall us of a run's zero, to the millisecond that its times are told in. */
static uint64_t zero_us(const struct tailbox__run *run)
{
	const struct tailbox__run_request *q = &run->requests.items[0];

	ck_assert(q->flags & TAILBOX__HAS_START_US);
	return q->start_ms * 1000 - q->start_us;
}

/* Each id in the run is one of ours, and is there once. */
static void mark(const struct tailbox__run *run, bool *is_there)
{
	for (size_t i = 0; i < run->requests.count; i++) {
		const char *id = tailbox__run_text(
		        run, run->requests.items[i].id, NULL);
		unsigned n = ASKED_MAX;

		ck_assert_msg(sscanf(id, "c%u", &n) == 1, "%s", id);
		ck_assert_uint_lt(n, asked_count);
		ck_assert(!is_there[n]);
		is_there[n] = true;
	}
}

START_TEST(a_slow_request_keeps_exactly_the_covered_time)
{
	static bool is_there[ASKED_MAX];
	const int fd = e2e_connect(port);
	const uint64_t start = wall_us();
	unsigned before = 0, must = 0;

	/* Half as long again as what is looked back at. */
	while (wall_us() - start < LOOKBACK_MS * 1500)
		ask(fd, "");
	ask(fd, "/slow");
	for (unsigned i = 0; !is_made(); i++) {
		ck_assert_uint_lt(i, 20000);
		ask(fd, "");
	}
	close(fd);
	struct tailbox__run *run = service_fetch("/artifacts/s1");
	mark(run, is_there);
	ck_assert_uint_eq(run->truncation.dropped_requests, 0);
	ck_assert_uint_eq(extra_of(run, "overwritten_blocks"), 0);
	const uint64_t from = zero_us(run) +
	                      extra_of(run, "covered_from_run_us");
	const uint64_t until = from + extra_of(run, "covered_us");

	/* Times of the run are told to 1 ms; the two ends are that vague. */
	for (unsigned i = 0; i < asked_count; i++) {
		if (asked[i].had + 2000 < from) {
			before++;
			ck_assert_msg(!is_there[i], "c%u was before", i);
		} else if (asked[i].sent > from + 2000 &&
		           asked[i].had + 2000 < until) {
			must++;
			ck_assert_msg(is_there[i], "c%u is not there", i);
		} else if (asked[i].sent > until + 2000) {
			ck_assert_msg(!is_there[i], "c%u came after", i);
		}
	}
	ck_assert_uint_gt(before, 0);
	ck_assert_uint_gt(must, 100);
	ck_assert_uint_ge(until - from, LOOKBACK_MS * 1000);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_storm_over_http_is_one_artifact_and_999_counted)
{
	const int fd = e2e_connect(port);
	struct service_reply r;

	ask(fd, "");
	close(fd);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(tailbox_trigger("storm"), 0);
	for (unsigned i = 0; !is_made(); i++) {
		ck_assert_uint_lt(i, 20000);
		usleep(1000); /* another process would poll too */
	}
	r = service_admin("GET", "/status");
	ck_assert_msg(strstr(r.text, "\"fired\": 1000") != NULL, "%s", r.text);
	ck_assert_msg(strstr(r.text, "\"covered\": 999") != NULL, "%s", r.text);
	free(r.text);
	r = service_admin("GET", "/status?format=text");
	ck_assert_msg(strstr(r.text, "call 1000 (999 without") != NULL, "%s",
	              r.text);
	ck_assert_msg(strstr(r.text, "covered by s1") != NULL, "%s", r.text);
	free(r.text);
	r = service_admin("GET", "/artifacts");
	ck_assert_ptr_nonnull(strstr(r.text, "\"s1\""));
	ck_assert_ptr_null(strstr(r.text, "\"s2\""));
	free(r.text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("e2e_trigger");
	TCase *tc = tcase_create("trigger");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_slow_request_keeps_exactly_the_covered_time);
	tcase_add_test(tc, a_storm_over_http_is_one_artifact_and_999_counted);
	suite_add_tcase(s, tc);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
