/* tests/e2e_mhd_ingress.c - requests that waited for a worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * The client measures its own wait; what the tape says of it must be within a
 * jiffy and a millisecond of that, with the request that held the worker. A
 * machine with other work on it may delay the client itself; so each scene is
 * played a few times and one good round is enough. What must never be seen is
 * a wait that was none, and there every round counts.
 */
#include <math.h>
#include <stddef.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include <tailbox/mhd.h>

#include "core/run.h"
#include "tests/e2e_client.h"
#include "tests/recorder_fixture.h"

#define HOLD_MS 60
#define ROUNDS 60
#define CLIENTS 4

#ifdef E2E_LONG
enum { IDLE_REQUESTS = 60000 };
#else
enum { IDLE_REQUESTS = 6000 };
#endif

static void pause_ms(unsigned ms)
{
	struct timespec t = { 0, (long)ms * 1000000 };

	nanosleep(&t, NULL);
}

static sem_t entered;

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	if (*req_cls == NULL) {
		*req_cls = &entered;
		return MHD_YES;
	}
	if (strcmp(url, "/slow") == 0) {
		sem_post(&entered);
		pause_ms(HOLD_MS);
	} else if (strcmp(url, "/ten") == 0) {
		pause_ms(10);
	}
	r = MHD_create_response_from_buffer(5, (void *)(uintptr_t)"hello",
	                                    MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return rc;
}

static struct MHD_Daemon *d;
static struct tailbox__reader *reader;
static struct fixture_records got;

static void serve(unsigned flags, unsigned pool)
{
	struct MHD_OptionItem ops[] = {
		{ pool ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		  (intptr_t)pool, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	d = tailbox_mhd_start_daemon_array(flags, 0, NULL, NULL, answer, NULL,
	                                   ops);
	ck_assert_ptr_nonnull(d);
}

/* --- what the tape says ------------------------------------------------ */

struct wait {
	uint64_t number, line;
	double ms, holder_ms;
	char holder[32], route[32];
	uint64_t holder_number;
	bool is_known;
};
static struct wait waits[2048]; /* 18 a round and less */
static size_t wait_count;
static size_t request_count, ingress_count;

static int by_line(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

static void keep(const struct tailbox__rec_request *r,
                 const struct tailbox__rec_more *m)
{
	struct tailbox__clock_scale scale = tailbox__reader_scale(reader);
	struct wait *w = &waits[wait_count++];

	memset(w, 0, sizeof(*w));
	w->number = r->number;
	w->line = r->line;
	w->is_known = r->known & TAILBOX__KNOWN_INGRESS;
	snprintf(w->route, sizeof(w->route), "%s",
	         tailbox__reader_name(reader, r->route, NULL));
	if (!w->is_known)
		return;
	w->ms = (double)tailbox__ticks_to_ns(scale,
	                                     tailbox__unpack(m->ingress)) / 1e6;
	w->holder_ms = m->holder_ms;
	w->holder_number = m->holder_number;
	snprintf(w->holder, sizeof(w->holder), "%s",
	         tailbox__reader_name(reader, m->holder_route, NULL));
}

static void look(void)
{
	const size_t kind = TAILBOX__BLOCK_REQUESTS;

	fixture_forget(&got);
	tailbox__reader_rewind(reader);
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
	wait_count = request_count = ingress_count = 0;
	for (size_t at = 0; at < got.len[kind]; at += 64) {
		struct tailbox__rec_request r;
		struct tailbox__rec_more m;
		memcpy(&r, got.bytes[kind] + at, 64);
		if (r.type != TAILBOX__REC_REQUEST)
			continue;
		memset(&m, 0, sizeof(m));
		if (r.more)
			memcpy(&m, got.bytes[kind] + at + 64, 64);
		request_count++;
		ingress_count += (r.known & TAILBOX__KNOWN_INGRESS) != 0;
		if (wait_count < sizeof(waits) / sizeof(waits[0]))
			keep(&r, &m);
	}
	qsort(waits, wait_count, sizeof(waits[0]), by_line);
}

static bool has_all(void *cls)
{
	look();
	return request_count >= *(size_t *)cls;
}

static void want(size_t n)
{
	e2e_wait(has_all, &n, "records");
}

/* --- clients ----------------------------------------------------------- */

struct client {
	int fd;
	const char *path;
	double ms; /* from the request to its answer */
	pthread_t thread;
	uint64_t sent;
};

static void ask(struct client *c)
{
	char text[128];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
	         c->path);
	c->sent = e2e_now_ns();
	e2e_send(c->fd, text);
}

static void *hear(void *cls)
{
	struct client *c = cls;

	free(e2e_read_reply(c->fd, false).text);
	c->ms = (double)(e2e_now_ns() - c->sent) / 1e6;
	return NULL;
}

static void *ask_and_hear(void *cls)
{
	ask(cls);
	return hear(cls);
}

static void open_client(struct client *c, const char *path)
{
	c->fd = e2e_connect(e2e_port(d));
	c->path = path;
}

/* A request that is served at once: then the connection is not new. */
static void warm(struct client *c)
{
	const char *path = c->path;

	c->path = "/hello";
	ask_and_hear(c);
	c->path = path;
}

static double tolerance(void)
{
	return tailbox__clock.jiffy_us / 1000.0 + 1;
}

static bool is_near(const struct wait *w, double client_ms)
{
	return w->is_known && fabs(w->ms - client_ms) <= tolerance();
}

/* --- scenes ------------------------------------------------------------ */

/* `slow` holds the worker; the others ask while it does. They are new
 * connections or not. True: all is as the clients saw it. */
static bool play_behind(bool is_new)
{
	struct client slow, c[CLIENTS];
	size_t before = request_count;
	bool is_good = true;
	const struct wait *w;

	open_client(&slow, "/slow");
	warm(&slow);
	for (int i = 0; i < CLIENTS && !is_new; i++) {
		open_client(&c[i], "/hello");
		warm(&c[i]);
	}
	before += 1 + (is_new ? 0 : CLIENTS);
	e2e_start(&slow.thread, ask_and_hear, &slow);
	sem_wait(&entered);
	for (int i = 0; i < CLIENTS; i++) {
		pause_ms(8);
		if (is_new)
			open_client(&c[i], "/hello");
		ask(&c[i]);
		e2e_start(&c[i].thread, hear, &c[i]);
	}
	e2e_join(slow.thread);
	for (int i = 0; i < CLIENTS; i++)
		e2e_join(c[i].thread);
	want(before + 1 + CLIENTS);
	/* In order of their lines, which need not be that of the clients. */
	w = &waits[before];
	ck_assert_str_eq(w->route, "/slow");
	for (int i = 0; i < CLIENTS; i++) {
		bool found = false;
		for (int k = 1; k <= CLIENTS; k++)
			found |= is_near(&w[k], c[i].ms);
		is_good &= found;
	}
	for (int k = 1; k <= CLIENTS; k++) {
		if (!w[k].is_known)
			return false;
		is_good &= strcmp(w[k].holder, "/slow") == 0 &&
		           w[k].holder_number == w->number &&
		           w[k].holder_ms >= HOLD_MS;
	}
	for (int i = 0; i < CLIENTS; i++)
		close(c[i].fd);
	close(slow.fd);
	return is_good;
}

static const unsigned single_flags[] = {
	MHD_USE_INTERNAL_POLLING_THREAD,
	MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
	MHD_USE_EPOLL_INTERNAL_THREAD
};

START_TEST(waits_behind_a_slow_handler)
{
	int good = 0;

	serve(single_flags[_i], 0);
	for (int i = 0; i < ROUNDS && good == 0; i++)
		good += play_behind(false);
	ck_assert_int_gt(good, 0);
}
END_TEST

START_TEST(waits_to_be_accepted)
{
	int good = 0;

	serve(single_flags[_i], 0);
	for (int i = 0; i < ROUNDS && good == 0; i++)
		good += play_behind(true);
	ck_assert_int_gt(good, 0);
}
END_TEST

/* Each waits for those before it, not only for the first. */
static bool play_queue(void)
{
	struct client slow, c[CLIENTS];
	size_t before = request_count + 1 + CLIENTS;
	bool is_good = true;

	open_client(&slow, "/slow");
	warm(&slow);
	for (int i = 0; i < CLIENTS; i++) {
		open_client(&c[i], "/ten");
		warm(&c[i]);
	}
	e2e_start(&slow.thread, ask_and_hear, &slow);
	sem_wait(&entered);
	pause_ms(HOLD_MS - 20);
	for (int i = 0; i < CLIENTS; i++) {
		ask(&c[i]);
		e2e_start(&c[i].thread, hear, &c[i]);
	}
	e2e_join(slow.thread);
	for (int i = 0; i < CLIENTS; i++)
		e2e_join(c[i].thread);
	want(before + 1 + CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		bool found = false;
		/* The client's figure has its own ten in it. */
		for (int k = 1; k <= CLIENTS; k++)
			found |= is_near(&waits[before + (size_t)k],
			                 c[i].ms - 10);
		is_good &= found;
		close(c[i].fd);
	}
	close(slow.fd);
	return is_good;
}

START_TEST(waits_add_up)
{
	int good = 0;

	serve(MHD_USE_EPOLL_INTERNAL_THREAD, 0);
	for (int i = 0; i < ROUNDS && good == 0; i++)
		good += play_queue();
	ck_assert_int_gt(good, 0);
}
END_TEST

/* One worker of two is held; those that the other serves wait for nobody. */
static bool play_pool(void)
{
	struct client slow, c[8];
	size_t before = request_count + 9, behind = 0, known = 0;
	bool is_good = true;

	open_client(&slow, "/slow");
	warm(&slow);
	for (int i = 0; i < 8; i++) {
		open_client(&c[i], "/hello");
		warm(&c[i]);
	}
	e2e_start(&slow.thread, ask_and_hear, &slow);
	sem_wait(&entered);
	for (int i = 0; i < 8; i++)
		ask(&c[i]);
	for (int i = 0; i < 8; i++)
		e2e_start(&c[i].thread, hear, &c[i]);
	e2e_join(slow.thread);
	for (int i = 0; i < 8; i++)
		e2e_join(c[i].thread);
	want(before + 9);
	for (int i = 0; i < 8; i++) {
		bool found = false;
		behind += c[i].ms > HOLD_MS / 2.0;
		for (size_t k = 1; k <= 8; k++)
			found |= is_near(&waits[before + k], c[i].ms);
		is_good &= c[i].ms < HOLD_MS / 2.0 || found;
		close(c[i].fd);
	}
	for (size_t k = 0; k <= 8; k++) {
		const struct wait *w = &waits[before + k];
		known += w->is_known;
		is_good &= !w->is_known || strcmp(w->holder, "/slow") == 0;
	}
	close(slow.fd);
	return is_good && known == behind;
}

START_TEST(only_those_of_the_held_worker_wait)
{
	int good = 0;

	serve(MHD_USE_EPOLL_INTERNAL_THREAD, 2);
	for (int i = 0; i < ROUNDS && good == 0; i++)
		good += play_pool();
	ck_assert_int_gt(good, 0);
}
END_TEST

/* --- what is no wait --------------------------------------------------- */

START_TEST(the_request_before_is_no_holder)
{
	struct client c;

	serve(MHD_USE_EPOLL_INTERNAL_THREAD, 0);
	open_client(&c, "/slow");
	for (int i = 0; i < 3; i++) {
		/* Both at once; the second waits for the first alone. */
		e2e_send(c.fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
		               "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		hear(&c);
		hear(&c);
	}
	want(6);
	/* The connection itself may have waited, on a busy machine. */
	for (int i = 1; i < 6; i++)
		ck_assert(!waits[i].is_known);
	close(c.fd);
}
END_TEST

START_TEST(a_thread_for_each_connection_waits_for_none)
{
	struct client slow, c;
	size_t base;

	serve(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
	      0);
	open_client(&slow, "/slow");
	open_client(&c, "/hello");
	warm(&slow);
	warm(&c);
	want(2);
	base = ingress_count;
	e2e_start(&slow.thread, ask_and_hear, &slow);
	sem_wait(&entered);
	for (int i = 0; i < 10; i++)
		ask_and_hear(&c);
	e2e_join(slow.thread);
	want(13);
	ck_assert_uint_eq(ingress_count, base);
	close(c.fd);
	close(slow.fd);
}
END_TEST

/* One after the other, so nobody waits, whatever the kernel's figure says:
 * on an idle server it is a jiffy too long now and then. */
START_TEST(light_load_shows_no_wait)
{
	const size_t most = IDLE_REQUESTS;
	struct client c[3];
	size_t lost, base;

	serve(MHD_USE_EPOLL_INTERNAL_THREAD, 2);
	for (int i = 0; i < 3; i++) {
		open_client(&c[i], "/hello");
		warm(&c[i]);
	}
	want(3);
	base = ingress_count; /* of being accepted late, on a busy machine */
	for (size_t i = 0; i < most; i++) {
		ask_and_hear(&c[i % 3]);
		if (i % 5000 == 0)
			pause_ms(20);
	}
	want(most + 3);
	lost = tailbox__reader_sum(reader,
	                           offsetof(struct tailbox__thread_entry,
	                                    lost_requests));
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_eq(request_count, most + 3);
	ck_assert_uint_eq(ingress_count, base);
	for (int i = 0; i < 3; i++)
		close(c[i].fd);
}
END_TEST

static void before(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	signal(SIGPIPE, SIG_IGN);
	sem_init(&entered, 0, 0);
	fixture_open((uint64_t)16 << 20);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
}

static void after(void)
{
	tailbox_mhd_stop_daemon(d);
	d = NULL;
	tailbox__reader_close(reader);
	fixture_forget(&got);
	fixture_close();
	sem_destroy(&entered);
	request_count = 0;
}

int main(void)
{
	Suite *s = suite_create("mhd_ingress");
	TCase *t = tcase_create("waits");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, before, after);
	tcase_add_loop_test(t, waits_behind_a_slow_handler, 0, 3);
	tcase_add_loop_test(t, waits_to_be_accepted, 0, 3);
	tcase_add_test(t, waits_add_up);
	tcase_add_test(t, only_those_of_the_held_worker_wait);
	tcase_add_test(t, the_request_before_is_no_holder);
	tcase_add_test(t, a_thread_for_each_connection_waits_for_none);
	tcase_add_test(t, light_load_shows_no_wait);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
