/* tests/e2e_admin_busy.c - the admin server of a service that is busy: what is
 * open, many clients, slow clients, every worker stuck.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_unix_client.h"

#include <pthread.h>

#include <tailbox/mhd.h>

#include "tests/e2e_client.h"

/* --- what is open ------------------------------------------------------ */

START_TEST(requests_are_shown_oldest_first)
{
	tailbox_request old = tailbox_request_begin("/old", "job");
	tailbox_request young = tailbox_request_begin("/young", "job");
	struct answer a;
	char number[64];

	tailbox_request_set_id(old, "order-7");
	TAILBOX_STAGE(young, "db_query") {
		ask(&a, "GET", "/requests");
		has(a.body.p, "\"count\": 2");
		ck_assert(strstr(a.body.p, "/old") <
		          strstr(a.body.p, "/young"));
		has(a.body.p, "\"id\": \"order-7\"");
		snprintf(number, sizeof(number), "\"number\": %llu,",
		         (unsigned long long)tailbox_request_number(old));
		has(a.body.p, number);
		has(a.body.p, "\"kind\": \"stage\"");
		has(a.body.p, "\"name\": \"db_query\"");
		has(a.body.p, "\"site\": \"e2e_admin_busy.c:");
		has(a.body.p, "\"phase\": \"handler\"");
		has(a.body.p, "\"connection\": null");
		has(a.body.p, "\"suspended\": false");
		forget(&a);
		expect("GET", "/requests?format=text", 200, "stage db_query");
	}
	ask(&a, "GET", "/requests");
	has_not(a.body.p, "db_query");
	forget(&a);
	tailbox_request_finish(young, NULL);
	tailbox_request_finish(old, NULL);
	expect("GET", "/requests", 200, "\"count\": 0");
	expect("GET", "/requests?kept=1", 200, "\"kept\": []");
	expect("GET", "/requests?kept=1&format=text", 200, "0 kept\n");
	expect("GET", "/requests?kept=0", 200, "\"requests\": []");
	expect("GET", "/requests?kept=yes", 400, "bad_parameter");
	expect("GET", "/requests?kept=", 400, "bad_parameter");
}
END_TEST

START_TEST(request_list_is_bounded)
{
	enum { OPEN = 1100 };
	static tailbox_request r[OPEN];
	const char *p;
	struct answer a;
	int shown = 0;

	for (int i = 0; i < OPEN; i++) {
		r[i] = tailbox_request_begin(i ? "/many" : "/first", NULL);
		ck_assert_ptr_nonnull(r[i]);
	}
	ask(&a, "GET", "/requests");
	has(a.body.p, "\"count\": 1100");
	has(a.body.p, "/first");
	for (p = a.body.p; (p = strstr(p, "\"number\"")) != NULL; p++)
		shown++;
	ck_assert_int_eq(shown, 1000);
	forget(&a);
	expect("GET", "/requests?format=text", 200,
	       "1100 open, the 1000 oldest\n");
	for (int i = 0; i < OPEN; i++)
		tailbox_request_finish(r[i], NULL);
}
END_TEST

/* --- many clients, slow clients ---------------------------------------- */

static void *busy_client(void *arg)
{
	long *good = arg;

	for (int i = 0; i < 20; i++) {
		struct answer a;
		ask_with(&a, "GET", i % 2 ? "/status" : "/artifacts/1", NULL,
		         NULL, 0);
		/* More than four downloads at a time are told to wait. */
		*good += a.rc == CURLE_OK &&
		         (a.status == 200 ||
		          (i % 2 == 0 && a.status == 503));
		forget(&a);
	}
	return NULL;
}

START_TEST(sixteen_clients_at_a_time)
{
	pthread_t t[16];
	long good[16] = { 0 };

	capture(1000, "/artifacts/1");
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, busy_client,
		                                &good[i]), 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(t[i], NULL);
		ck_assert_int_eq(good[i], 20);
	}
}
END_TEST

/* A busy machine may delay one answer; behind a worker all would be late. */
static void is_quick(const char *target, struct answer *a)
{
	uint64_t begin, took;

	for (int i = 0; i < 20; i++) {
		begin = now_us();
		ask(a, "GET", target);
		took = now_us() - begin;
		ck_assert_int_eq(a->status, 200);
		if (took < 50000)
			return;
		if (i < 19)
			forget(a);
	}
	ck_abort_msg("%s took %llu us, 20 times", target,
	             (unsigned long long)took);
}

START_TEST(slow_readers_do_not_block_status)
{
	int slow[5];
	struct answer a;
	struct bytes b;

	capture(3000, "/artifacts/1");
	for (int i = 0; i < 5; i++) {
		char c;
		slow[i] = dial();
		say(slow[i], "GET /artifacts/1 HTTP/1.1\r\nHost: x\r\n\r\n");
		/* The first byte: the answer is under way. */
		ck_assert_int_eq(read(slow[i], &c, 1), 1);
		ck_assert_int_eq(c, 'H');
	}
	is_quick("/status", &a);
	forget(&a);
	/* The fifth was sent away. */
	b = hear(slow[4]);
	has(b.p, "TTP/1.1 503 ");
	has(b.p, "Retry-After: 1");
	has(b.p, "\"error\": \"busy\"");
	free(b.p);
	/* One goes away, one reads all of it. */
	close(slow[0]);
	b = hear(slow[1]);
	has(b.p, "TTP/1.1 200 ");
	ck_assert_str_eq(b.p + b.n - 5, "0\r\n\r\n");
	free(b.p);
	for (int i = 0;; i++) {
		ask(&a, "GET", "/artifacts/1");
		if (a.status == 200)
			break;
		ck_assert_int_lt(i, 5000);
		forget(&a);
		moment();
	}
	forget(&a);
	/* Stopping with two of them on the line. */
	tailbox_stop();
	close(slow[2]);
	close(slow[3]);
}
END_TEST

/* --- every worker stuck ------------------------------------------------ */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int stuck;
	bool go;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };

static enum MHD_Result stuck(void *cls, struct MHD_Connection *c,
                             const char *url, const char *method,
                             const char *version, const char *data,
                             size_t *size, void **req_cls)
{
	static char text[] = "late";
	static int seen;
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	TAILBOX_WAIT(tailbox_request_of(c), "gate", 0) {
		pthread_mutex_lock(&gate.lock);
		gate.stuck++;
		pthread_cond_broadcast(&gate.changed);
		while (!gate.go)
			pthread_cond_wait(&gate.changed, &gate.lock);
		pthread_mutex_unlock(&gate.lock);
	}
	r = MHD_create_response_from_buffer(4, text, MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

static void *http_client(void *arg)
{
	CURL *c = curl_easy_init();
	struct bytes b = { NULL, 0 };
	CURLcode rc;

	curl_easy_setopt(c, CURLOPT_URL, arg);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
	rc = curl_easy_perform(c);
	curl_easy_cleanup(c);
	free(b.p);
	return rc == CURLE_OK ? arg : NULL;
}

static int count_of(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

START_TEST(every_worker_stuck_is_shown_with_its_request)
{
	enum { WORKERS = 2 };
	struct MHD_Daemon *d;
	pthread_t t[WORKERS];
	struct answer a, status;
	char url[64];
	void *ok;

	d = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, stuck, NULL,
	        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)WORKERS,
	        MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	/* Idle workers that never ran a callback are there too. */
	ask(&a, "GET", "/workers");
	ck_assert_int_ge(count_of(a.body.p, "\"daemon\": 1"), WORKERS);
	has_not(a.body.p, "\"route\"");
	forget(&a);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/report", e2e_port(d));
	pthread_mutex_lock(&gate.lock);
	gate.go = false;
	gate.stuck = 0;
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(pthread_create(&t[i], NULL, http_client, url),
		                 0);
		/* A worker takes what comes while it is free: one by one, so
		 * that each of them gets one. */
		while (gate.stuck <= i)
			pthread_cond_wait(&gate.changed, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);

	is_quick("/status", &status);
	has(status.body.p, "\"open_requests\": 2,");
	has(status.body.p, "\"mode\": \"pool\"");
	is_quick("/workers", &a);
	ck_assert_int_eq(count_of(a.body.p, "\"kind\": \"handler\""), WORKERS);
	ck_assert_int_eq(count_of(a.body.p, "\"route\": \"/report\""), WORKERS);
	ck_assert_int_eq(count_of(a.body.p, "\"name\": \"gate\""), WORKERS);
	ck_assert_int_eq(count_of(a.body.p, "\"number\": null"), 0);
	ck_assert_int_ge(count_of(a.body.p, "\"for_us\": "), WORKERS);
	forget(&a);
	/* Held for a clock tick by now or in a moment. */
	for (int i = 0, n = 0; n < WORKERS; i++) {
		ck_assert_int_lt(i, 5000);
		moment();
		ask(&a, "GET", "/workers");
		n = count_of(a.body.p, "\"syscall\": \"futex\"");
		/* Where the kernel tells, a sleeper has one, else a reason. */
		if (n == WORKERS)
			ck_assert_int_eq(count_of(a.body.p, "\"wchan\": \"") +
			                         count_of(a.body.p,
			                                  "\"wchan_why_not\": \""),
			                 WORKERS);
		forget(&a);
	}
	is_quick("/workers?format=text", &a);
	ck_assert_int_eq(count_of(a.body.p, "/report"), WORKERS);
	forget(&a);
	is_quick("/requests", &a);
	has(a.body.p, "\"count\": 2");
	ck_assert_int_eq(count_of(a.body.p, "\"connection\": null"), 0);
	forget(&a);
	forget(&status);

	pthread_mutex_lock(&gate.lock);
	gate.go = true;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(t[i], &ok);
		ck_assert_ptr_eq(ok, url);
	}
	tailbox_mhd_stop_daemon(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_busy");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, start_recorder, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, requests_are_shown_oldest_first);
	tcase_add_test(t, request_list_is_bounded);
	tcase_add_test(t, sixteen_clients_at_a_time);
	tcase_add_test(t, slow_readers_do_not_block_status);
	tcase_add_test(t, every_worker_stuck_is_shown_with_its_request);
	suite_add_tcase(s, t);
	return run_suite(s);
}
