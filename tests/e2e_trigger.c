/* tests/e2e_trigger.c - a slow request over real sockets, and the artifact
 * that it makes of the past.
 *
 * SPDX-License-Identifier: MIT
 *
 * One client asks all the time and notes when. What it asked in the covered
 * time has to be there, by id, one for one, and nothing else. Its clock and the
 * artifact's are put together by the requests themselves: each was begun after
 * it was sent and before its answer was there, and of thousands of those bounds
 * the tightest leave a few us.
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

/* By the client: when it sent and when it had the answer, us. */
static struct {
	uint64_t sent, had;
} asked[ASKED_MAX];
static unsigned asked_count;

static uint64_t now_us(void)
{
	return e2e_now_ns() / 1000;
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
	asked[asked_count].sent = now_us();
	e2e_send(fd, text);
	reply = e2e_read_reply(fd, false);
	asked[asked_count++].had = now_us();
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

/* The client's number of a request; each is one of its own, and there once. */
static unsigned number_of(const struct tailbox__run *run, size_t at,
                          bool *is_there)
{
	const char *id =
	        tailbox__run_text(run, run->requests.items[at].id, NULL);
	unsigned n = ASKED_MAX;
	char again[16];

	ck_assert_msg(sscanf(id, "c%u", &n) == 1, "%s", id);
	snprintf(again, sizeof(again), "c%u", n);
	ck_assert_str_eq(id, again);
	ck_assert_uint_lt(n, asked_count);
	ck_assert_msg(!is_there[n], "%s is there twice", id);
	is_there[n] = true;
	return n;
}

/* Whether it begins at its line: a wait before that is told to a jiffy. */
static bool is_exact(const struct tailbox__run *run,
                     const struct tailbox__run_request *q)
{
	const struct tailbox__run_ext *x =
	        q->ext ? &run->ext.items[q->ext - 1] : NULL;

	return !x || x->phase_ns[TAILBOX__PHASE_INGRESS] == TAILBOX__NONE;
}

/* Those that are there, from the first to the last, and between which clock
 * readings of the client's the run's zero lies. */
struct found {
	unsigned first, last;
	int64_t zero_after, zero_before;
};

static struct found find(const struct tailbox__run *run, bool *is_there)
{
	struct found f = { ASKED_MAX, 0, INT64_MIN, INT64_MAX };

	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_request *q = &run->requests.items[i];
		const unsigned n = number_of(run, i, is_there);
		ck_assert(q->flags & TAILBOX__HAS_START_US);
		f.first = n < f.first ? n : f.first;
		f.last = n > f.last ? n : f.last;
		if (!is_exact(run, q))
			continue;
		const int64_t after = (int64_t)(asked[n].sent - q->start_us);
		const int64_t before = (int64_t)(asked[n].had - q->start_us);
		if (after > f.zero_after)
			f.zero_after = after;
		if (before < f.zero_before)
			f.zero_before = before;
	}
	return f;
}

/* What a client can know of the two ends: which request was under way then. The
 * run's us are whole ones, and a clock may be steered by 500 ppm. */
static void expect_covered(const struct tailbox__run *run,
                           const struct found *f)
{
	const int64_t covered = (int64_t)extra_of(run, "covered_us");
	const int64_t from = (int64_t)extra_of(run, "covered_from_run_us");
	const int64_t vague = 10 + covered / 2000;

	ck_assert_int_le(f->zero_after, f->zero_before + vague);
	ck_assert_int_le(f->zero_before - f->zero_after, 1000);
	/* The first ended in the covered time, and so began in it or was under
	 * way when it began; the one before had begun before. */
	ck_assert_uint_gt(f->first, 0);
	ck_assert_int_ge((int64_t)asked[f->first].had,
	                 f->zero_after + from - vague);
	ck_assert_int_le((int64_t)asked[f->first - 1].sent,
	                 f->zero_before + from + vague);
	/* The last began in it; the one after it ended later. */
	ck_assert_uint_lt(f->last + 1, asked_count);
	ck_assert_int_le((int64_t)asked[f->last].sent,
	                 f->zero_before + from + covered + vague);
	ck_assert_int_ge((int64_t)asked[f->last + 1].had,
	                 f->zero_after + from + covered - vague);
}

START_TEST(a_slow_request_keeps_exactly_the_covered_time)
{
	static bool is_there[ASKED_MAX];
	const int fd = e2e_connect(port);
	const uint64_t start = now_us();

	/* Half as long again as what is looked back at. */
	while (now_us() - start < LOOKBACK_MS * 1500)
		ask(fd, "");
	const unsigned slow = asked_count;
	ask(fd, "/slow");
	for (unsigned i = 0; !is_made(); i++) {
		ck_assert_uint_lt(i, 20000);
		ask(fd, "");
	}
	ask(fd, "");
	close(fd);
	struct tailbox__run *run = service_fetch("/artifacts/s1");
	const struct found f = find(run, is_there);
	/* One for one: none between the first and the last is missing. */
	ck_assert_uint_eq(run->requests.count, f.last - f.first + 1);
	for (unsigned i = 0; i < asked_count; i++)
		ck_assert_msg(is_there[i] == (i >= f.first && i <= f.last),
		              "c%u", i);
	ck_assert(is_there[slow]);
	ck_assert_uint_gt(run->requests.count, 100);
	ck_assert_uint_eq(run->truncation.dropped_requests, 0);
	ck_assert_uint_eq(extra_of(run, "overwritten_blocks"), 0);
	ck_assert_uint_ge(extra_of(run, "covered_us"), LOOKBACK_MS * 1000);
	expect_covered(run, &f);
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
	ck_assert_msg(strstr(r.text, "\"made\": 1,") != NULL, "%s", r.text);
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
