/* tests/e2e_stop.c - tailbox is stopped and started while daemons serve.
 *
 * SPDX-License-Identifier: MIT
 *
 * Clients ask all the time, for names that nobody had before; the handler
 * marks stages, tags, sets routes. Meanwhile tailbox is stopped and started
 * again and again, with and without patterns. No client may see any of it, and
 * each new tape is recorded on. And a handler that is in the middle of it is
 * the old tape's to its end.
 */
#include <check.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tailbox/mhd.h>

#include "core/recorder.h"
#include "tests/e2e_client.h"

#define CLIENTS 3
#define ROUNDS 25

static char base[64], with_patterns[96], without[96];

static void write_file(char path[96], const char *name, const char *text)
{
	FILE *f;

	snprintf(path, 96, "%s/%s", base, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	unsetenv("TAILBOX");
	setenv("TAILBOX_DIR", base, 1);
	write_file(with_patterns, "with",
	           "[routes]\npatterns = [\"/a/{x}/b\", \"/b/{y}/*\"]\n");
	write_file(without, "without", "[tape]\nsize = \"1MiB\"\n");
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void teardown(void)
{
	tailbox_stop();
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the application --------------------------------------------------- */

static void pause_us(long us)
{
	const struct timespec t = { 0, us * 1000 };

	nanosleep(&t, NULL);
}

static void work(tailbox_request r, const char *url)
{
	tailbox_request own = tailbox_request_begin(url, "job");

	tailbox_request_tag(r, "what", url);
	TAILBOX_STAGE(r, "work") {
		tailbox_gauge_up(r, "working");
		/* Long enough for a stop and a start to fall into it. */
		pause_us(url[1] == 'b' ? 3000 : 50);
		tailbox_gauge_down(r, "working");
	}
	if (url[1] == 'c')
		tailbox_request_set_route(r, url);
	tailbox_request_finish(own, NULL);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	if (*req_cls == NULL) {
		*req_cls = &base;
		return MHD_YES;
	}
	work(tailbox_request_of(c), url);
	r = MHD_create_response_from_buffer(2, (void *)(uintptr_t) "ok",
	                                    MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

/* --- the clients ------------------------------------------------------- */

static atomic_bool is_over;
static atomic_ulong answered, refused;
static uint16_t port;

/* Some keep their connection over many starts, some come anew. */
static void *client(void *arg)
{
	const unsigned me = (unsigned)(uintptr_t)arg;
	int fd = -1;

	for (unsigned n = 0; !atomic_load(&is_over); n++) {
		char text[160];
		struct e2e_bytes b;

		if (fd < 0)
			fd = e2e_connect(port);
		snprintf(text, sizeof(text),
		         "GET /%c/n%ux%u/b HTTP/1.1\r\nHost: a\r\n\r\n",
		         'a' + (int)(n % 3), me, n);
		e2e_send(fd, text);
		b = e2e_read_reply(fd, false);
		if (e2e_status(&b) == 200)
			atomic_fetch_add(&answered, 1);
		else
			atomic_fetch_add(&refused, 1);
		free(b.text);
		if (me == 0 && n % 7 == 6) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* --- the tests --------------------------------------------------------- */

static bool is_recorded_on(void *cls)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	uint64_t used = TAILBOX__GET(tape->header->threads_used), n = 0;

	(void)cls;
	for (uint64_t i = 0; i < used; i++)
		n += TAILBOX__GET(tape->threads[i].finished);
	return n >= 3;
}

static const struct {
	unsigned flags, pool;
} modes[] = {
	{ MHD_USE_EPOLL_INTERNAL_THREAD, 2 },
	{ MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0 },
};

START_TEST(daemons_serve_over_stops_and_starts)
{
	pthread_t clients[CLIENTS];
	struct MHD_Daemon *d;

	setenv("TAILBOX_CONFIG", without, 1);
	ck_assert_int_eq(tailbox_start("stop", NULL), 0);
	d = tailbox_mhd_start_daemon(modes[_i].flags, 0, NULL, NULL, answer,
	                             NULL, MHD_OPTION_THREAD_POOL_SIZE,
	                             modes[_i].pool, MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	port = e2e_port(d);
	for (uintptr_t i = 0; i < CLIENTS; i++)
		e2e_start(&clients[i], client, (void *)i);
	for (int i = 0; i < ROUNDS; i++) {
		e2e_wait(is_recorded_on, NULL, "requests on the tape");
		tailbox_stop();
		pause_us(500 * (i % 4));
		setenv("TAILBOX_CONFIG", i % 2 ? without : with_patterns, 1);
		ck_assert_int_eq(tailbox_start("stop", NULL), 0);
	}
	e2e_wait(is_recorded_on, NULL, "requests on the last tape");
	tailbox_stop();
	atomic_store(&is_over, true);
	for (int i = 0; i < CLIENTS; i++)
		e2e_join(clients[i]);
	tailbox_mhd_stop_daemon(d);
	ck_assert_uint_gt(atomic_load(&answered), 3 * ROUNDS);
	ck_assert_uint_eq(atomic_load(&refused), 0);
}
END_TEST

/* --- a handler that lasts over a stop and a start ----------------------- */

enum {
	CROWD = 128, /* threads that a tape of 1 MiB has room for */
	STARTS = 20  /* more tapes than are kept for who is in the middle */
};

static atomic_bool is_inside, may_return, may_go, is_asking;
static atomic_uint crowd;

static bool is_set(void *cls)
{
	return atomic_load((atomic_bool *)cls);
}

/* Meanwhile the handler's thread may become one of each new tape. */
static bool may_answer(void *cls)
{
	(void)cls;
	if (atomic_load(&is_asking))
		tailbox_request_finish(tailbox_request_begin("/own", NULL),
		                       NULL);
	return atomic_load(&may_return);
}

static bool is_registered(void *cls)
{
	(void)cls;
	return atomic_load(&crowd) == CROWD;
}

/* One more thread that the tape knows. */
static void *one_more(void *arg)
{
	tailbox_request_finish(tailbox_request_begin("/crowd", NULL), NULL);
	atomic_fetch_add(&crowd, 1);
	e2e_wait(is_set, &may_go, "the end");
	return arg;
}

static enum MHD_Result answer_late(void *cls, struct MHD_Connection *c,
                                   const char *url, const char *method,
                                   const char *version, const char *data,
                                   size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)url, (void)method, (void)version, (void)data, (void)size;
	if (cls == NULL && *req_cls == NULL) {
		*req_cls = &base;
		return MHD_YES;
	}
	TAILBOX_STAGE(tailbox_request_of(c), "late") {
		atomic_store(&is_inside, true);
		e2e_wait(may_answer, NULL, "the next start");
	}
	r = MHD_create_response_from_buffer(2, (void *)(uintptr_t) "ok",
	                                    MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

static uint64_t holds(void)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	uint64_t used = TAILBOX__GET(tape->header->threads_used), n = 0;

	for (uint64_t i = 0; i < used; i++)
		n += TAILBOX__GET(tape->threads[i].holds);
	return n;
}

static void start_again(int times)
{
	for (int i = 0; i < times; i++) {
		tailbox_stop();
		ck_assert_int_eq(tailbox_start("stop", NULL), 0);
		/* The handler's thread has time to ask. */
		if (atomic_load(&is_asking))
			pause_us(1000);
	}
}

/* The stage's end takes an entry of the new tape for the handler's thread, or
 * finds none left (_i & 1). Its call was of the old one all the same. It is
 * the first call or the second (_i & 2), and lasts over one start or many
 * (_i & 4), in which its thread is silent or not (_i & 8). */
START_TEST(a_handler_returns_after_the_next_start)
{
	pthread_t threads[CROWD];
	struct MHD_Daemon *d;
	struct e2e_bytes b;
	int fd;

	setenv("TAILBOX_CONFIG", without, 1);
	ck_assert_int_eq(tailbox_start("stop", NULL), 0);
	d = tailbox_mhd_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL,
	                             NULL, answer_late, _i & 2 ? base : NULL,
	                             MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	fd = e2e_connect(e2e_port(d));
	e2e_send(fd, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
	e2e_wait(is_set, &is_inside, "the handler");
	atomic_store(&is_asking, _i & 8);
	start_again(_i & 4 ? STARTS : 1);
	atomic_store(&is_asking, false);
	for (int i = 0; _i & 1 && i < CROWD; i++)
		e2e_start(&threads[i], one_more, NULL);
	if (_i & 1)
		e2e_wait(is_registered, NULL, "the crowd");
	pause_us(2000); /* of a length that is recorded */
	atomic_store(&may_return, true);
	b = e2e_read_reply(fd, false);
	ck_assert_int_eq(e2e_status(&b), 200);
	free(b.text);
	ck_assert_uint_eq(holds(), 0);
	atomic_store(&may_go, true);
	for (int i = 0; _i & 1 && i < CROWD; i++)
		e2e_join(threads[i]);
	close(fd);
	tailbox_mhd_stop_daemon(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stop");
	TCase *t = tcase_create("stop");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, daemons_serve_over_stops_and_starts, 0,
	                    sizeof(modes) / sizeof(modes[0]));
	tcase_add_loop_test(t, a_handler_returns_after_the_next_start, 0, 16);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
