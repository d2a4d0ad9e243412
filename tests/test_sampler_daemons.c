/* tests/test_sampler_daemons.c - the daemons in a sample: how many workers
 * they have, and what waits at their listen sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/sampling_fixture.h"

START_TEST(worker_count_sums_fixed_numbers_only)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon pool = add_daemon(TAILBOX__DAEMON_POOL, 4);
	struct tailbox__daemon single = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	struct tailbox__daemon outer =
	        add_daemon(TAILBOX__DAEMON_EXTERNAL, 1);

	sample_now(s);
	ck_assert_uint_eq(sample.rec.worker_count, 6);
	struct tailbox__daemon threads =
	        add_daemon(TAILBOX__DAEMON_THREADS, 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.worker_count, UINT32_MAX);
	tailbox__daemon_remove(threads.number);
	/* One that is not recorded does not count. */
	struct tailbox__daemon other = { .mode = TAILBOX__DAEMON_THREADS,
		                         .listen_fd = -1,
		                         .connection_limit = 5 };
	ck_assert_int_eq(tailbox__daemon_add(&other), 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.worker_count, 6);
	ck_assert(!has(TAILBOX__METRIC_CONNECTION_LIMIT,
	               (uint16_t)other.number));
	tailbox__daemon_remove(pool.number);
	tailbox__daemon_remove(single.number);
	tailbox__daemon_remove(outer.number);
	tailbox__daemon_remove(other.number);
	tailbox__sampling_destroy(s);
}
END_TEST

static void listen_on(struct tailbox__daemon *d, struct sockaddr *addr,
                      socklen_t len)
{
	struct stat st;

	d->mode = TAILBOX__DAEMON_POOL;
	d->workers = 2;
	d->is_recorded = true;
	d->connection_limit = 100;
	d->listen_fd = socket(addr->sa_family, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(d->listen_fd, addr, len), 0);
	ck_assert_int_eq(listen(d->listen_fd, 33), 0);
	ck_assert_int_eq(getsockname(d->listen_fd, addr, &len), 0);
	ck_assert_int_eq(fstat(d->listen_fd, &st), 0);
	d->listen_dev = st.st_dev;
	d->listen_ino = st.st_ino;
	ck_assert_int_eq(tailbox__daemon_add(d), 0);
}

START_TEST(one_unreadable_accept_queue_makes_the_sum_null)
{
	struct tailbox__sampling *s = sampling();
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct tailbox__daemon a = { 0 }, b, c = { 0 };
	int client = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_on(&a, (void *)&in, sizeof(in));
	ck_assert_int_eq(connect(client, (void *)&in, sizeof(in)), 0);
	do
		sample_now(s);
	while (sample.rec.global_queue_depth != 1);
	uint16_t number = (uint16_t)a.number;
	ck_assert_uint_eq(value(TAILBOX__METRIC_ACCEPT_QUEUE, number), 1);
	ck_assert_uint_eq(value(TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT, number),
	                  33);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTION_LIMIT, number),
	                  100);
	/* The same socket under two daemons is one queue. */
	b = a;
	ck_assert_int_eq(tailbox__daemon_add(&b), 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 1);
	ck_assert_uint_eq(sample.rec.worker_count, 4);
	tailbox__daemon_remove(b.number);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/sock", fixture_dir);
	listen_on(&c, (void *)&un, sizeof(un));
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, UINT64_MAX);
	ck_assert_uint_eq(value(TAILBOX__METRIC_ACCEPT_QUEUE, number), 1);
	ck_assert(!has(TAILBOX__METRIC_ACCEPT_QUEUE, (uint16_t)c.number));
	tailbox__daemon_remove(c.number);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 1);
	/* Closed without our knowing. */
	close(a.listen_fd);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, UINT64_MAX);
	ck_assert_uint_eq(sample.rec.worker_count, 2);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	tailbox__daemon_remove(a.number);
	close(client);
	close(c.listen_fd);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(a_daemon_that_was_stopped_behind_our_back_is_gone)
{
	struct tailbox__sampling *s = sampling();
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct helper worker;
	struct tailbox__daemon d = { .tid_count = 1 };

	helper_start(&worker, false);
	d.tids[0] = worker.tid;
	listen_on(&d, (void *)&in, sizeof(in));
	/* Quiesced: it works on what it has, and waits for no more. */
	close(d.listen_fd);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, UINT64_MAX);
	ck_assert_uint_eq(sample.rec.worker_count, 2);
	helper_end(&worker);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 0);
	ck_assert_uint_eq(sample.rec.worker_count, UINT32_MAX);
	ck_assert(!has(TAILBOX__METRIC_CONNECTION_LIMIT, (uint16_t)d.number));
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler_daemons");
	TCase *t = tape_case(s);

	tcase_add_test(t, worker_count_sums_fixed_numbers_only);
	tcase_add_test(t, one_unreadable_accept_queue_makes_the_sum_null);
	tcase_add_test(t,
	               a_daemon_that_was_stopped_behind_our_back_is_gone);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
