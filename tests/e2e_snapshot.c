/* tests/e2e_snapshot.c - POST /snapshot and arm?lookback= of a service under
 * load, against what its clients know.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every request carries its number as id, and its client keeps the instants
 * before it was sent and after it was answered. What lies inside the covered
 * time as the client saw it must be in the artifact, and what was over before
 * it must not.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <time.h>

#include "analyzer/json_tree.h"
#include "tests/e2e_admin_client.h"

enum { CLIENTS = 3, MADE_MAX = 100000 };

static struct made {
	_Atomic uint64_t sent_us, answered_us; /* 0 = not yet */
} made[MADE_MAX];
static atomic_uint made_count;
static atomic_bool must_stop;
static struct MHD_Daemon *daemon_;
static uint16_t port;
static pthread_t clients[CLIENTS];

static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static char text[] = "ok\n";
	struct MHD_Response *r;
	enum MHD_Result ret;

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	(void)req_cls;
	tailbox_request_set_id(tailbox_request_of(c), url + 1);
	tailbox_request_set_route(tailbox_request_of(c), "/n");
	r = MHD_create_response_from_buffer(3, text, MHD_RESPMEM_PERSISTENT);
	ret = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return ret;
}

static void *client(void *arg)
{
	CURL *c = curl_easy_init();

	(void)arg;
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, service_ignore);
	while (!must_stop) {
		const unsigned i = atomic_fetch_add(&made_count, 1);
		char url[64];
		ck_assert_uint_lt(i, MADE_MAX);
		snprintf(url, sizeof(url), "http://127.0.0.1:%u/%u",
		         (unsigned)port, i);
		curl_easy_setopt(c, CURLOPT_URL, url);
		made[i].sent_us = wall_us();
		ck_assert_int_eq(curl_easy_perform(c), CURLE_OK);
		made[i].answered_us = wall_us();
	}
	curl_easy_cleanup(c);
	return NULL;
}

static void load_start(void)
{
	service_start(2000);
	daemon_ = tailbox_mhd_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL,
	        &answer, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u,
	        MHD_OPTION_END);
	ck_assert_ptr_nonnull(daemon_);
	port = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&clients[i], NULL, client,
		                                NULL),
		                 0);
	/* Longer than is looked back, so that some lies before it. */
	while (made_count < 600 || wall_us() < made[0].sent_us + 300000)
		usleep(1000);
}

static void load_stop(void)
{
	must_stop = true;
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	tailbox_mhd_stop_daemon(daemon_);
	service_stop();
}

static uint64_t extra(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	ck_assert_msg(x != NULL, "no %s", key);
	return x->number;
}

/* until_us: what was answered by then is in. */
static void check(const struct tailbox__run *run, uint64_t until_us)
{
	/* Wall times of a run are whole ms. */
	const uint64_t from_us = run->meta.started_ms * 1000 +
	                         extra(run, "covered_from_run_us");
	static uint8_t is_in[MADE_MAX];
	unsigned inside = 0;

	memset(is_in, 0, sizeof(is_in));
	for (size_t i = 0; i < run->requests.count + run->open.count; i++) {
		const bool is_done = i < run->requests.count;
		const tailbox__str id =
		        is_done ? run->requests.items[i].id
		                : run->open.items[i - run->requests.count].id;
		char *end;
		const char *text = tailbox__run_text(run, id, NULL);
		const unsigned long n = strtoul(text, &end, 10);
		/* An open one may not have its id yet. */
		if (!is_done && (*end != '\0' || end == text))
			continue;
		ck_assert_msg(*end == '\0' && n < made_count, "id %s", text);
		ck_assert_uint_eq(is_in[n]++, 0);
	}
	for (unsigned i = 0; i < made_count; i++) {
		const struct made *m = &made[i];
		if (m->sent_us >= from_us + 2000 && m->answered_us &&
		    m->answered_us < until_us) {
			inside++;
			ck_assert_msg(is_in[i], "%u is missing", i);
		}
		if (m->answered_us && m->answered_us + 2000 < from_us)
			ck_assert_msg(!is_in[i], "%u is older", i);
	}
	ck_assert_uint_gt(inside, 0);
}

START_TEST(snapshots_under_load_have_what_the_clients_made)
{
	for (int i = 0; i < 4; i++) {
		const uint64_t before = wall_us();
		struct service_reply r = service_admin(
		        "POST", i % 2 ? "/snapshot?last=60s&note=a%20b"
		                      : "/snapshot?last=100ms&mode="
		                        "investigation");
		ck_assert_msg(r.status == 200, "%ld %s", r.status, r.text);
		tailbox__tree *j = tailbox__tree_parse(r.text, r.len);
		char id[16], path[64];
		snprintf(id, sizeof(id), "s%d", i + 1);
		ck_assert_str_eq(tailbox__tree_text(j, "id"), id);
		snprintf(path, sizeof(path), "/artifacts/%s", id);
		struct tailbox__run *run = service_fetch(path);
		ck_assert_uint_eq(tailbox__tree_number(j, "requests", 0),
		                  run->requests.count);
		ck_assert_uint_eq(tailbox__tree_number(j, "asked_us", 0),
		                  i % 2 ? 60000000 : 100000);
		ck_assert_uint_eq(tailbox__tree_number(j, "covered_us", 0),
		                  extra(run, "covered_us"));
		if (i % 2 == 0) /* and some lie before it */
			ck_assert_uint_gt(extra(run, "older_requests"), 0);
		check(run, before);
		tailbox__run_destroy(run);
		tailbox__tree_free(j);
		free(r.text);
	}
}
END_TEST

START_TEST(a_window_that_looks_back_has_the_seam)
{
	struct service_reply r =
	        service_admin("POST", "/arm?lookback=100ms&max_requests=90000");

	ck_assert_msg(r.status == 200, "%ld %s", r.status, r.text);
	free(r.text);
	const unsigned then = made_count;
	while (made_count < then + 300)
		usleep(1000);
	const uint64_t before = wall_us();
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	struct tailbox__run *run = service_fetch("/artifacts/1");
	check(run, before);
	ck_assert_uint_gt(extra(run, "armed_at_run_us"), 0);
	ck_assert_uint_eq(extra(run, "asked_us"), 100000);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(bad_parameters_make_nothing)
{
	static const char *const bad[] = {
		"/snapshot?last=0s", "/snapshot?last=60", "/snapshot?last=25h",
		"/snapshot?last=",   "/snapshot?mode=x",  "/snapshot?duration=1s",
		"/snapshot?max_requests=-1", "/arm?lookback=0ms",
		"/arm?lookback=x", "/snapshot?last=1s&last=2s",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(service_call("POST", bad[i]) == 400, "%s",
		              bad[i]);
	ck_assert_int_eq(service_call("GET", "/snapshot"), 405);
	struct service_reply r = service_admin("GET", "/artifacts");
	ck_assert_ptr_null(strstr(r.text, "\"kind\""));
	free(r.text);
}
END_TEST

START_TEST(status_tells_the_size_for_a_minute)
{
	uint64_t history = 0;

	/* The rate is known after a second. */
	for (int i = 0; i < 3000 && !history; i++) {
		struct service_reply r = service_admin("GET", "/status");
		tailbox__tree *j = tailbox__tree_parse(r.text, r.len);
		tailbox__tree *t = tailbox__tree_member(j, "tape");
		history = tailbox__tree_number(t, "history_ms", 0);
		const uint64_t bytes = tailbox__tree_number(t, "bytes", 0);
		const uint64_t need =
		        tailbox__tree_number(t, "bytes_for_60s", 0);
		if (history) {
			ck_assert_uint_eq(need & (need - 1), 0);
			ck_assert(need == (1u << 20) ||
			          need / 2 * history < bytes * 60000);
			ck_assert_uint_ge(need * history, bytes * 60000);
		}
		tailbox__tree_free(j);
		free(r.text);
		usleep(1000);
	}
	ck_assert_uint_gt(history, 0);
}
END_TEST

static void *post_snapshot(void *arg)
{
	*(long *)arg = service_call("POST", "/snapshot");
	return NULL;
}

START_TEST(many_at_once_are_made_or_told_to_come_again)
{
	enum { MANY = 6 };
	pthread_t threads[MANY];
	long status[MANY], made_ok = 0;

	for (int i = 0; i < MANY; i++)
		pthread_create(&threads[i], NULL, post_snapshot, &status[i]);
	/* Others are answered meanwhile. */
	ck_assert_int_eq(service_call("GET", "/healthz"), 200);
	for (int i = 0; i < MANY; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_msg(status[i] == 200 || status[i] == 409, "%ld",
		              status[i]);
		made_ok += status[i] == 200;
	}
	ck_assert_int_gt(made_ok, 0);
	struct service_reply r = service_admin("GET", "/status");
	tailbox__tree *j = tailbox__tree_parse(r.text, r.len);
	tailbox__tree *s = tailbox__tree_member(j, "snapshots");
	ck_assert_uint_eq(tailbox__tree_number(s, "made", 0), made_ok);
	ck_assert(!tailbox__tree_is_true(s, "under_way"));
	tailbox__tree_free(j);
	free(r.text);
}
END_TEST

static Suite *snapshot_suite(void)
{
	Suite *suite = suite_create("snapshot over HTTP");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, load_start, load_stop);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, snapshots_under_load_have_what_the_clients_made);
	tcase_add_test(t, a_window_that_looks_back_has_the_seam);
	tcase_add_test(t, bad_parameters_make_nothing);
	tcase_add_test(t, status_tells_the_size_for_a_minute);
	tcase_add_test(t, many_at_once_are_made_or_told_to_come_again);
	suite_add_tcase(suite, t);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(snapshot_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
