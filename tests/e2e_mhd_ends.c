/* tests/e2e_mhd_ends.c - how a recorded request ended: its status and bytes,
 * who gave it up, and what the server answered by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_record_app.h"

/* --- bytes and statuses ------------------------------------------------ */

START_TEST(bytes_out_are_what_the_client_read)
{
	static const struct {
		const char *text;
		unsigned status;
	} rows[] = {
		{ GET("/hello"), 200 },
		{ "GET /hello HTTP/1.0\r\n\r\n", 200 },
		{ "HEAD /hello HTTP/1.1\r\n" CLOSE, 200 },
		{ GET("/at-once"), 200 },
		{ GET("/missing"), 404 },
		{ GET("/icy"), 200 },
		{ GET("/big"), 200 },
	};

	serve(_i);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct e2e_bytes b = e2e_exchange(server_port, rows[i].text);
		want(i + 1);
		check_sane(&seen[i]);
		ck_assert_uint_eq(seen[i].r.status, rows[i].status);
		ck_assert_uint_eq(seen[i].m.bytes_out, b.len);
		ck_assert_uint_eq(seen[i].m.daemon, server_number);
		free(b.text);
	}
	e2e_stop(&server);
	/* All is accounted for. */
	look();
	ck_assert_uint_eq(connection_count, 0);
	ck_assert_uint_eq(SUM_OF(unaccounted_bytes), 0);
}
END_TEST

START_TEST(the_server_answers_by_itself)
{
	struct e2e_bytes b;
	int fd;

	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /hello HTTP/1.1\r\nX: ");
	e2e_send_bytes(fd, big, 100000);
	b = e2e_read_all(fd);
	close(fd);
	want(1);
	ck_assert_uint_eq(seen[0].r.status, 431);
	ck_assert_uint_eq(seen[0].r.flags & TAILBOX__REQ_NO_HANDLER,
	                  TAILBOX__REQ_NO_HANDLER);
	ck_assert_uint_eq(seen[0].r.calls, 0);
	ck_assert_uint_eq(known(&seen[0], TAILBOX__KNOWN_SEND), 0);
	/* A reset may have thrown away the end of it. */
	ck_assert_uint_ge(seen[0].m.bytes_out, b.len);
	free(b.text);
	b = e2e_exchange(server_port,
	                 "POST /up HTTP/1.1\r\nContent-Length: x\r\n" CLOSE);
	want(2);
	ck_assert_uint_eq(seen[1].r.status, 400);
	ck_assert_uint_eq(seen[1].m.bytes_out, b.len);
	free(b.text);
	ck_assert_uint_eq(atomic_load(&completions), 0);
}
END_TEST

static bool has_connections(void *cls)
{
	look();
	return connection_count >= *(size_t *)cls;
}

START_TEST(rejections_belong_to_the_connection)
{
	size_t one = 1, two = 2, three = 3;
	struct e2e_bytes b, c;
	int fd;

	serve(_i);
	b = e2e_exchange(server_port, "GET / HTTP/7.7\r\n" CLOSE);
	e2e_wait(has_connections, &one, "a connection's record");
	ck_assert_uint_gt(b.len, 0);
	ck_assert_uint_eq(connections[0].unaccounted, b.len);
	ck_assert_uint_eq(connections[0].bytes_out, b.len);
	ck_assert_uint_eq(connections[0].requests, 0);
	ck_assert_uint_eq(connections[0].daemon, server_number);

	/* After a request that was served. */
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n");
	c = e2e_read_reply(fd, false);
	e2e_send(fd, "GET / HTTP/7.7\r\n" CLOSE);
	free(b.text);
	b = e2e_read_all(fd);
	close(fd);
	e2e_wait(has_connections, &two, "a connection's record");
	ck_assert_uint_eq(connections[1].unaccounted, b.len);
	ck_assert_uint_eq(connections[1].requests, 1);
	free(b.text);
	free(c.text);

	/* Nobody asked for anything. */
	close(e2e_connect(server_port));
	e2e_wait(has_connections, &three, "a connection's record");
	ck_assert_uint_eq(connections[2].unaccounted, 0);
	ck_assert_uint_eq(connections[2].bytes_in, 0);
	ck_assert_uint_eq(seen_count, 1);
	e2e_stop(&server);
	ck_assert_uint_eq(SUM_OF(connections), 3);
	ck_assert_uint_eq(SUM_OF(rejected_connections), 2);
	ck_assert_uint_eq(SUM_OF(no_request_connections), 1);
}
END_TEST

/* --- ends -------------------------------------------------------------- */

START_TEST(a_client_that_goes_away_in_the_body)
{
	int fd;

	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "POST /up HTTP/1.1\r\nContent-Length: 10\r\n" CLOSE
	             "abcde");
	reach(TAILBOX__PHASE_BODY);
	pause_ms(PAUSE_MS);
	close(fd);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 0);
	ck_assert_uint_eq(seen[0].r.termination, TAILBOX__TERM_CLIENT_ABORT);
	ck_assert_uint_eq(seen[0].r.phase, TAILBOX__PHASE_BODY);
	ck_assert(ms_of(seen[0].r.body) >= PAUSE_MS / 2.0);
	ck_assert_str_eq(route_of(&seen[0]), "{unmatched}");
}
END_TEST

START_TEST(a_handler_that_refuses)
{
	serve(_i);
	exchange(GET("/no"));
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 0);
	ck_assert_uint_eq(seen[0].r.termination, TAILBOX__TERM_WITH_ERROR);
	ck_assert_uint_eq(seen[0].r.phase, TAILBOX__PHASE_HANDLER);
}
END_TEST

START_TEST(time_limits)
{
	int fd;

	time_limit = 1;
	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n");
	free(e2e_read_all(fd).text);
	close(fd);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.termination, TAILBOX__TERM_TIMEOUT);
	ck_assert_uint_eq(seen[0].r.phase, TAILBOX__PHASE_HEADERS);
	ck_assert(ms_of(seen[0].r.headers) >= 500);
	ck_assert_uint_eq(seen[0].r.flags & TAILBOX__REQ_NO_HANDLER, 0);
}
END_TEST

START_TEST(an_early_response_discards_the_body)
{
	serve(_i);
	exchange("POST /early HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE "abcde");
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 413);
	ck_assert(seen[0].r.flags & TAILBOX__REQ_BODY_DISCARDED);
	exchange("POST /early HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE);
	want(2);
	ck_assert(!(seen[1].r.flags & TAILBOX__REQ_BODY_DISCARDED));
}
END_TEST

START_TEST(an_upgrade_ends_with_the_handler)
{
	int fd;

	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /upgrade HTTP/1.1\r\nHost: x\r\n"
	             "Connection: upgrade\r\nUpgrade: echo\r\n\r\n");
	free(e2e_read_reply(fd, false).text);
	sem_wait(&entered);
	/* The tunnel is open and the request is over. */
	want(1);
	pause_ms(PAUSE_MS);
	MHD_upgrade_action(upgraded, MHD_UPGRADE_ACTION_CLOSE);
	free(e2e_read_all(fd).text);
	close(fd);
	e2e_stop(&server);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 101);
	ck_assert_uint_eq(seen[0].r.termination, TAILBOX__TERM_COMPLETED);
	ck_assert(seen[0].r.flags & TAILBOX__REQ_UPGRADED);
	ck_assert_uint_eq(known(&seen[0], TAILBOX__KNOWN_SEND), 0);
	ck_assert_uint_eq(connection_count, 0);
	ck_assert_uint_eq(atomic_load(&completions), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mhd_ends");
	TCase *every = in_modes("every mode"), *some = in_modes("some");

	tcase_add_loop_test(every, bytes_out_are_what_the_client_read, 0,
	                    MODES);
	tcase_add_loop_test(every, the_server_answers_by_itself, 0, MODES);
	tcase_add_loop_test(every, rejections_belong_to_the_connection, 0,
	                    MODES);
	tcase_add_loop_test(every, a_client_that_goes_away_in_the_body, 0,
	                    MODES);
	tcase_add_loop_test(every, a_handler_that_refuses, 0, MODES);
	tcase_add_loop_test(every, an_early_response_discards_the_body, 0,
	                    MODES);
	tcase_add_loop_test(every, an_upgrade_ends_with_the_handler, 0, MODES);
	tcase_add_loop_test(some, time_limits, EPOLL, THREADS + 1);
	suite_add_tcase(s, every);
	suite_add_tcase(s, some);
	return run_suite(s);
}
