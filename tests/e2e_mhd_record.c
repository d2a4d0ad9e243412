/* tests/e2e_mhd_record.c - a recorded daemon leaves each request on the tape,
 * once, under its name, connection and daemon.
 *
 * SPDX-License-Identifier: MIT
 *
 * Real servers in every mode, real sockets, and the tape read back by its
 * reader.
 */
#define E2E_WITH_CURL 1
#include "tests/e2e_record_app.h"

#include <sys/un.h>

/* --- counts ------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_quiet(void *cls)
{
	const struct tailbox__slot *slots;
	long n = tailbox__reader_slots(reader, &slots);

	(void)cls;
	for (long i = 0; i < n; i++)
		if (TAILBOX__GET(slots[i].state) > TAILBOX__SLOT_IDLE)
			return false;
	return true;
}

START_TEST(every_request_once)
{
	const long count = 3000;
	const size_t kind = TAILBOX__BLOCK_REQUESTS;
	static uint64_t numbers[3000];
	size_t n = 0;

	serve(_i);
	ck_assert_int_eq(e2e_load(server_port, "/hello", count, 8), count);
	e2e_wait(is_quiet, NULL, "open requests to end");
	e2e_stop(&server);
	look();
	for (size_t at = 0; at < got.len[kind]; at += 64) {
		struct tailbox__rec_request r;
		memcpy(&r, got.bytes[kind] + at, 64);
		if (r.type != TAILBOX__REC_REQUEST)
			continue;
		ck_assert_uint_lt(n, count);
		numbers[n++] = r.number;
		ck_assert_uint_eq(r.status, 200);
		ck_assert_uint_eq(r.termination, TAILBOX__TERM_COMPLETED);
		ck_assert_uint_eq(r.calls, 2);
		/* All phases but ingress, which the machine may cause. */
		ck_assert_uint_eq(r.known & 0x7e,
		                  TAILBOX__KNOWN_HEADERS |
		                          TAILBOX__KNOWN_HANDLER |
		                          TAILBOX__KNOWN_SEND);
	}
	ck_assert_uint_eq(n, count);
	qsort(numbers, n, sizeof(numbers[0]), by_number);
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ne(numbers[i - 1], numbers[i]);
	for (size_t i = 0; i < seen_count; i++) {
		check_sane(&seen[i]);
		ck_assert_str_eq(route_of(&seen[i]), "/hello");
	}
	ck_assert_uint_eq(SUM_OF(begun), count);
	ck_assert_uint_eq(SUM_OF(finished), count);
	ck_assert_uint_eq(SUM_OF(lost_requests), 0);
}
END_TEST

START_TEST(one_connection_is_one_number)
{
	struct e2e_bytes b;
	uint64_t end = 0;

	serve(_i);
	b = e2e_exchange(server_port,
	                 "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	                 "GET /items/7?x HTTP/1.1\r\nHost: x\r\n\r\n"
	                 GET("/c"));
	free(b.text);
	want(3);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(seen[i].r.connection, seen[0].r.connection);
		/* Strictly one after the other. */
		ck_assert_uint_ge(seen[i].r.line + 1, end);
		end = seen[i].r.line + tailbox__unpack(seen[i].r.total);
		check_sane(&seen[i]);
	}
	ck_assert_str_eq(route_of(&seen[1]), "/items/{id}");
	exchange(GET("/d"));
	want(4);
	ck_assert_uint_ne(seen[3].r.connection, seen[0].r.connection);
}
END_TEST

/* More than a thread remembers, so that it forgets and finds them again. */
START_TEST(connections_in_turn)
{
	enum { CONNECTIONS = 200, TURNS = 3 };
	const size_t kind = TAILBOX__BLOCK_REQUESTS;
	static int fds[CONNECTIONS];
	static unsigned requests[CONNECTIONS + 1];
	struct e2e_bytes b;

	/* libmicrohttpd 0.9.75 waits for epoll again when it got 128 events,
	 * for as long as this: a stop that was among them, behind so many
	 * connections that end, takes effect only then. */
	time_limit = E2E_PATIENCE_MS / 1000;
	serve(_i);
	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = e2e_connect(server_port);
	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < CONNECTIONS; i++) {
			e2e_send(fds[i], "GET /hello HTTP/1.1\r\n"
			                 "Host: x\r\n\r\n");
			b = e2e_read_reply(fds[i], false);
			free(b.text);
		}
	}
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	e2e_stop(&server);
	look();
	memset(requests, 0, sizeof(requests));
	for (size_t at = 0; at < got.len[kind]; at += 64) {
		struct tailbox__rec_request r;
		memcpy(&r, got.bytes[kind] + at, 64);
		if (r.type != TAILBOX__REC_REQUEST)
			continue;
		ck_assert_uint_ge(r.connection, 1);
		ck_assert_uint_le(r.connection, CONNECTIONS);
		requests[r.connection]++;
	}
	for (int i = 1; i <= CONNECTIONS; i++)
		ck_assert_msg(requests[i] == TURNS,
		              "connection %d: %u requests; %llu lost", i,
		              requests[i],
		              (unsigned long long)SUM_OF(lost_requests));
}
END_TEST

/* Slots and states come and go with connections. */
START_TEST(connections_come_and_go)
{
	serve(_i);
	for (int i = 0; i < 300; i++)
		exchange(GET("/hello"));
	e2e_stop(&server);
	look();
	ck_assert_uint_eq(SUM_OF(finished), 300);
	ck_assert_uint_eq(SUM_OF(connections), 300);
	tailbox__reader_refresh(reader);
	ck_assert_uint_le(TAILBOX__GET(
	        tailbox__reader_header(reader)->slots_used), 64);
}
END_TEST

/* --- names and handles ------------------------------------------------- */

START_TEST(only_answers_earn_names)
{
	const struct tailbox__tape_header *h = tailbox__reader_header(reader);
	uint64_t names;
	char text[128];

	serve(_i);
	exchange(GET("/hello"));
	tailbox__reader_refresh(reader);
	names = TAILBOX__GET(h->names_used);
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text),
		         "GET /missing%c HTTP/1.1\r\n" CLOSE, 'a' + i);
		exchange(text);
	}
	want(21);
	tailbox__reader_refresh(reader);
	ck_assert_uint_eq(TAILBOX__GET(h->names_used), names);
	ck_assert_str_eq(route_of(&seen[0]), "/hello");
	for (int i = 1; i < 21; i++)
		ck_assert_str_eq(route_of(&seen[i]), "{unmatched}");
}
END_TEST

START_TEST(the_application_speaks_of_its_request)
{
	serve(_i);
	exchange(GET("/named"));
	want(1);
	ck_assert_str_eq(route_of(&seen[0]), "the name");
	ck_assert_ptr_nonnull(handle);
	exchange(GET("/discard"));
	exchange(GET("/hello"));
	want(2);
	ck_assert_str_eq(route_of(&seen[1]), "/hello");
	ck_assert_uint_eq(SUM_OF(discarded), 1);
}
END_TEST

START_TEST(traceparent_is_kept)
{
	serve(_i);
	exchange("GET /hello HTTP/1.1\r\nTraceparent: "
	         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
	         CLOSE);
	exchange("GET /hello HTTP/1.1\r\nTraceparent: nonsense\r\n" CLOSE);
	want(2);
	ck_assert(seen[0].has_trace && !seen[1].has_trace);
	ck_assert_uint_eq(seen[0].t.hi, 0x4bf92f3577b34da6ull);
	ck_assert_uint_eq(seen[0].t.parent, 0x00f067aa0ba902b7ull);
	ck_assert_uint_eq(seen[0].t.flags, 1);
}
END_TEST

/* --- on and off -------------------------------------------------------- */

START_TEST(paused_is_not_recorded)
{
	int fd;

	serve(_i);
	tailbox__recorder_set(false);
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(fd, false).text);
	look();
	ck_assert_uint_eq(seen_count, 0);
	/* On the same connection: */
	tailbox__recorder_set(true);
	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(fd, false).text);
	want(1);
	tailbox__recorder_set(false);
	e2e_send(fd, GET("/hello"));
	free(e2e_read_all(fd).text);
	close(fd);
	e2e_stop(&server);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(connection_count, 0);
}
END_TEST

START_TEST(a_daemon_outlives_the_recorder)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int fd;

	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(fd, false).text);
	want(1);
	tailbox__reader_close(reader);
	fixture_close();
	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	free(e2e_read_reply(fd, false).text);
	fixture_open(TAILBOX__TAPE_MIN);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
	e2e_send(fd, GET("/items/5"));
	free(e2e_read_all(fd).text);
	close(fd);
	want(1);
	check_sane(&seen[0]);
	ck_assert_str_eq(route_of(&seen[0]), "/items/{id}");
}
END_TEST

/* --- other sockets ----------------------------------------------------- */

static void play_unix(const struct sockaddr_un *a, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (const void *)a, len), 0);
	e2e_send(fd, GET("/hello"));
	free(e2e_read_all(fd).text);
	close(fd);
}

START_TEST(a_unix_socket_has_no_wire)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(a);

	/* Autobind: a name of the kernel's choice. */
	ck_assert_int_eq(bind(fd, (void *)&a, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(fd, (void *)&a, &len), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	serve_on(_i, fd);
	play_unix(&a, len);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 200);
	ck_assert_uint_eq(known(&seen[0], TAILBOX__KNOWN_BYTES_OUT |
	                                          TAILBOX__KNOWN_INGRESS), 0);
}
END_TEST

START_TEST(added_connections)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int pair[2];

	serve(_i);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	                            pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, 0), 0);
	ck_assert_int_eq(MHD_add_connection(server.daemon, pair[1], (void *)&a,
	                                    sizeof(a)), MHD_YES);
	e2e_send(pair[0], GET("/hello"));
	free(e2e_read_all(pair[0]).text);
	close(pair[0]);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 200);
}
END_TEST

START_TEST(two_daemons_are_told_apart)
{
	struct e2e_server one;
	uint16_t one_port;
	uint32_t one_number;

	serve(EPOLL);
	one = server;
	one_port = server_port;
	one_number = server_number;
	serve(POOL);
	exchange(GET("/hello"));
	want(1);
	ck_assert_uint_eq(seen[0].m.daemon, server_number);
	free(e2e_exchange(one_port, GET("/hello")).text);
	want(2);
	ck_assert_uint_eq(seen[1].m.daemon, one_number);
	ck_assert_uint_ne(one_number, server_number);
	e2e_stop(&server);
	e2e_stop(&one);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mhd_record");
	TCase *every = in_modes("every mode"), *some = in_modes("some");

	tcase_add_loop_test(every, every_request_once, 0, MODES);
	tcase_add_loop_test(every, one_connection_is_one_number, 0, MODES);
	tcase_add_loop_test(every, connections_in_turn, 0, MODES);
	tcase_add_loop_test(every, connections_come_and_go, 0, MODES);
	tcase_add_loop_test(every, paused_is_not_recorded, 0, MODES);
	tcase_add_loop_test(some, only_answers_earn_names, EPOLL, EPOLL + 1);
	tcase_add_loop_test(some, the_application_speaks_of_its_request, EPOLL,
	                    EPOLL + 1);
	tcase_add_loop_test(some, traceparent_is_kept, EPOLL, EPOLL + 1);
	tcase_add_loop_test(some, a_daemon_outlives_the_recorder, EPOLL,
	                    THREADS + 1);
	tcase_add_loop_test(some, a_unix_socket_has_no_wire, EPOLL,
	                    THREADS + 1);
	tcase_add_loop_test(some, added_connections, SELECT, THREADS);
	tcase_add_test(some, two_daemons_are_told_apart);
	suite_add_tcase(s, every);
	suite_add_tcase(s, some);
	return run_suite(s);
}
