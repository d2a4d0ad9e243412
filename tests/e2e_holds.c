/* tests/e2e_holds.c - callbacks of a real server that hold their worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * The application measures its own callbacks. What the run says of one must
 * not be shorter than that, and is longer by less than a clock tick: a machine
 * with other work on it may take the worker off its CPU in between, so each
 * scene may be played a few times for that.
 */
#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include <tailbox/mhd.h>

#include "core/assemble.h"
#include "tests/e2e_client.h"
#include "tests/recorder_fixture.h"

enum { HOLD_MS = 30, MIN_US = 20000, ROUNDS = 8 };

static struct MHD_Daemon *d;
static struct tailbox__reader *reader;
static struct tailbox__run *run;
static _Atomic uint64_t began_ns, took_ns; /* of the callback that pauses */
static atomic_bool pauses_at_start;

static const unsigned modes[] = {
	MHD_USE_EPOLL_INTERNAL_THREAD,
	MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD,
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

static void pause_ms(unsigned ms)
{
	const struct timespec t = { 0, (long)ms * 1000000 };

	nanosleep(&t, NULL);
}

/* Hold the worker; since: when the callback was entered. */
static void hold(uint64_t since)
{
	pause_ms(HOLD_MS);
	took_ns = e2e_now_ns() - since;
}

/* --- the application ------------------------------------------------------ */

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)method, (void)version, (void)data;
	if (*req_cls == NULL) {
		began_ns = e2e_now_ns();
		*req_cls = strcmp(url, "/done") == 0 ? (void *)&took_ns
		                                     : (void *)&began_ns;
		return MHD_YES;
	}
	if (*size != 0) {
		*size = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/slow") == 0)
		hold(began_ns); /* its first call belongs to it */
	r = MHD_create_response_from_buffer(5, (void *)(uintptr_t)"hello",
	                                    MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return rc;
}

static void *uri_log(void *cls, const char *uri, struct MHD_Connection *c)
{
	const uint64_t since = e2e_now_ns();

	(void)cls, (void)c;
	if (strcmp(uri, "/line") == 0)
		hold(since);
	return NULL;
}

static void completed(void *cls, struct MHD_Connection *c, void **req_cls,
                      enum MHD_RequestTerminationCode toe)
{
	const uint64_t since = e2e_now_ns();

	(void)cls, (void)c, (void)toe;
	if (*req_cls == &took_ns)
		hold(since);
}

static void connection(void *cls, struct MHD_Connection *c, void **context,
                       enum MHD_ConnectionNotificationCode toe)
{
	const uint64_t since = e2e_now_ns();

	(void)cls, (void)c, (void)context;
	if (toe == MHD_CONNECTION_NOTIFY_STARTED && pauses_at_start)
		hold(since);
}

/* --- what the run says ---------------------------------------------------- */

static int take(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	return tailbox__assembly_add(cls, kind, thread, records, bytes);
}

/* The whole tape. */
static void look(void)
{
	const struct tailbox__assembly_config config = {
		.until_tick = UINT64_MAX,
		.limits = tailbox__limits_of(TAILBOX__MODE_LIGHT),
	};
	struct tailbox__assembly *a;

	tailbox__run_destroy(run);
	ck_assert_int_eq(tailbox__assembly_create(reader, &config, &a), 0);
	tailbox__reader_rewind(reader);
	ck_assert_int_eq(tailbox__reader_poll(reader, take, a), 0);
	ck_assert_int_eq(tailbox__assembly_finish(a, &run, NULL), 0);
	tailbox__assembly_destroy(a);
}

static bool is_text(tailbox__str s, const char *want)
{
	return strcmp(tailbox__run_text(run, s, NULL), want) == 0;
}

static const struct tailbox__run_request *request_of(const char *route)
{
	for (size_t i = 0; i < run->requests.count; i++)
		if (is_text(run->requests.items[i].route, route))
			return &run->requests.items[i];
	ck_abort_msg("no request of %s", route);
	return NULL;
}

/* The only hold of that kind and route. */
static const struct tailbox__run_hold *hold_of(const char *kind,
                                               const char *route)
{
	const struct tailbox__run_hold *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < run->holds.count; i++) {
		const struct tailbox__run_hold *h = &run->holds.items[i];

		ck_assert_uint_ge(h->dur_us, MIN_US - 1);
		ck_assert_uint_gt(h->kind, 0);
		if (strcmp(tailbox__hold_names[h->kind], kind) == 0 &&
		    is_text(h->route, route)) {
			found = h;
			n++;
		}
	}
	ck_assert_msg(n == 1, "%u holds %s of \"%s\"", n, kind, route);
	return found;
}

/* --- scenes --------------------------------------------------------------- */

static void serve(unsigned mode)
{
	fixture_open(TAILBOX__TAPE_MIN);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL), 0);
	tailbox__recorder_set_hold_min(MIN_US);
	d = tailbox_mhd_start_daemon(
	        mode, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_URI_LOG_CALLBACK, uri_log, NULL,
	        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
	        MHD_OPTION_NOTIFY_CONNECTION, connection, NULL,
	        MHD_OPTION_CONNECTION_TIMEOUT, 10, MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
}

static void finish(void)
{
	tailbox_mhd_stop_daemon(d), d = NULL;
	look();
	ck_assert_uint_eq(tailbox__run_extra(run, "lost_holds")->number, 0);
	ck_assert_uint_eq(tailbox__run_extra(run, "hold_min_us")->number,
	                  MIN_US);
	tailbox__reader_close(reader), reader = NULL;
	fixture_close();
}

static void teardown(void)
{
	tailbox__run_destroy(run), run = NULL;
}

static void get(const char *path)
{
	char text[128];

	snprintf(text, sizeof(text),
	         "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	         path);
	struct e2e_bytes b = e2e_exchange(e2e_port(d), text);
	ck_assert_int_eq(e2e_status(&b), 200);
	free(b.text);
}

static bool is_exact(const struct tailbox__run_hold *h)
{
	const uint64_t us = took_ns / 1000;

	/* Two clocks: a microsecond for the rounding of each, and the rate of
	 * one that was measured. */
	ck_assert_uint_ge(h->dur_us + 2 + us / 1000, us);
	return h->dur_us < us + tailbox__clock.jiffy_us;
}

static const struct scene {
	const char *path, *kind;
} scenes[] = {
	{ "/slow", "handler" }, { "/line", "uri_log" }, { "/done", "completed" }
};

/* One hold, of the right request, route and kind, and as long as it was. */
START_TEST(a_slow_callback_is_one_hold)
{
	const struct scene *s = &scenes[_i % 3];
	bool is_good = false;

	for (int i = 0; i < ROUNDS && !is_good; i++) {
		serve(modes[_i / 3]);
		get("/quick");
		get(s->path);
		get("/quick");
		finish();
		const struct tailbox__run_hold *h = hold_of(s->kind, s->path);
		const struct tailbox__run_request *r = request_of(s->path);
		ck_assert_uint_eq(h->request, r->id);
		ck_assert_uint_eq(h->number,
		                  run->ext.items[r->ext - 1].number);
		ck_assert_uint_eq(h->worker,
		                  run->ext.items[r->ext - 1].worker);
		ck_assert_uint_ge(h->start_us, r->start_us);
		is_good = is_exact(h);
	}
	ck_assert_msg(is_good, "no round was exact to a clock tick");
}
END_TEST

START_TEST(a_hold_for_a_connection)
{
	serve(modes[_i]);
	pauses_at_start = true;
	get("/quick");
	pauses_at_start = false;
	finish();
	const struct tailbox__run_hold *h = hold_of("connection", "");
	ck_assert_uint_eq(h->number, 0);
	ck_assert_uint_eq(h->request, 0);
	(void)is_exact(h);
}
END_TEST

/* The first call of a GET returned and the second never came, for the body
 * that it promised did not: the worker was free all that time. */
START_TEST(a_body_that_never_comes_holds_nobody)
{
	int fd;

	serve(modes[_i]);
	fd = e2e_connect(e2e_port(d));
	e2e_send(fd, "GET /body HTTP/1.1\r\nHost: x\r\n"
	             "Content-Length: 5\r\n\r\n");
	pause_ms(2 * HOLD_MS);
	e2e_reset(fd);
	get("/slow"); /* its hold is there, so the other one would be */
	finish();
	hold_of("handler", "/slow");
	for (size_t i = 0; i < run->holds.count; i++)
		ck_assert_uint_eq(run->holds.items[i].number,
		                  hold_of("handler", "/slow")->number);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("e2e_holds");
	TCase *t = tcase_create("holds");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, a_slow_callback_is_one_hold, 0, 3 * MODES);
	tcase_add_loop_test(t, a_hold_for_a_connection, 0, MODES);
	tcase_add_loop_test(t, a_body_that_never_comes_holds_nobody, 0, MODES);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
