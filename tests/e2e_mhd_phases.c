/* tests/e2e_mhd_phases.c - where the time of a recorded request went: headers,
 * body, handler, suspended, send.
 *
 * SPDX-License-Identifier: MIT
 *
 * Bounds on times are one-sided where the machine could be slow: a phase in
 * which the client or the handler waited is at least that long, and the other
 * phases are shorter than the whole.
 */
#include "tests/e2e_record_app.h"

#define ROUNDS 6 /* one of them is not disturbed by the machine */

START_TEST(a_slow_handler_is_handler_time)
{
	serve(_i);
	exchange(GET("/sleep"));
	want(1);
	check_sane(&seen[0]);
	ck_assert(ms_of(seen[0].r.handler) >= PAUSE_MS);
	ck_assert(known(&seen[0], TAILBOX__KNOWN_BODY) == 0);
}
END_TEST

START_TEST(split_headers_are_header_time)
{
	int fd;

	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost:");
	reach(TAILBOX__PHASE_HEADERS);
	pause_ms(PAUSE_MS);
	e2e_send(fd, " x\r\nConnection: close\r\n\r\n");
	free(e2e_read_all(fd).text);
	close(fd);
	want(1);
	check_sane(&seen[0]);
	ck_assert(ms_of(seen[0].r.headers) >= PAUSE_MS);
}
END_TEST

START_TEST(a_slow_upload_is_body_time)
{
	const struct seen *last;
	size_t n = 0;
	int fd;

	serve(_i);
	do {
		fd = e2e_connect(server_port);
		e2e_send(fd, "POST /up HTTP/1.1\r\nContent-Length: 10\r\n"
		             CLOSE "abcde");
		reach(TAILBOX__PHASE_BODY);
		pause_ms(PAUSE_MS);
		e2e_send(fd, "fghij");
		free(e2e_read_all(fd).text);
		close(fd);
		want(++n);
		last = &seen[n - 1];
		check_sane(last);
		ck_assert_uint_eq(last->m.bytes_in, 10);
		ck_assert(known(last, TAILBOX__KNOWN_BODY));
		ck_assert(ms_of(last->r.body) >= PAUSE_MS);
		ck_assert_uint_ge(last->r.calls, 3);
	} while (ms_of(last->r.handler) >= ms_of(last->r.body) && n < ROUNDS);
	ck_assert(ms_of(last->r.handler) < ms_of(last->r.body));
}
END_TEST

START_TEST(uploads_of_every_kind)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {
		{ "POST /up HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE "abcde",
		  5 },
		{ "POST /up HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE, 0 },
		{ "PUT /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		  "5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n", 8 },
		{ "GET /up HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE "abcde",
		  5 },
	};

	serve(_i);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		exchange(rows[i].text);
		want(i + 1);
		check_sane(&seen[i]);
		ck_assert_uint_eq(seen[i].r.status, 200);
		ck_assert_uint_eq(seen[i].m.bytes_in, rows[i].bytes);
		ck_assert_uint_eq(known(&seen[i], TAILBOX__KNOWN_BODY) != 0,
		                  rows[i].bytes != 0);
	}
}
END_TEST

START_TEST(waiting_for_100_continue_is_body_time)
{
	struct e2e_bytes b;
	int fd;

	serve(_i);
	fd = e2e_connect(server_port);
	e2e_send(fd, "POST /up HTTP/1.1\r\nExpect: 100-continue\r\n"
	             "Content-Length: 5\r\n" CLOSE);
	b = e2e_read_reply(fd, false);
	ck_assert_int_eq(e2e_status(&b), 100);
	free(b.text);
	pause_ms(PAUSE_MS);
	e2e_send(fd, "abcde");
	free(e2e_read_all(fd).text);
	close(fd);
	want(1);
	check_sane(&seen[0]);
	ck_assert(ms_of(seen[0].r.body) >= PAUSE_MS);
}
END_TEST

START_TEST(a_slow_reader_is_send_time)
{
	struct e2e_bytes b;
	int fd, small = 65536;

	serve(_i);
	fd = e2e_connect(server_port);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	e2e_send(fd, GET("/big"));
	b = e2e_read_len(fd, 1000);
	free(b.text);
	pause_ms(PAUSE_MS);
	b = e2e_read_all(fd);
	close(fd);
	want(1);
	check_sane(&seen[0]);
	ck_assert(ms_of(seen[0].r.send) >= PAUSE_MS / 2.0);
	ck_assert_uint_eq(seen[0].m.bytes_out, b.len + 1000);
	free(b.text);
}
END_TEST

/* --- suspension -------------------------------------------------------- */

static void suspend_for(const char *text,
                        void (*resume)(struct MHD_Connection *), bool queue)
{
	pthread_t t;

	e2e_start(&t, fetch, (void *)(uintptr_t)text);
	sem_wait(&entered);
	pause_ms(PAUSE_MS);
	if (queue)
		e2e_reply(suspended, 203, "other", 5);
	resume(suspended);
	e2e_join(t);
}

START_TEST(suspended_time_is_told)
{
	uint32_t bits = TAILBOX__KNOWN_SUSPENDED | TAILBOX__KNOWN_RESUME;

	const struct seen *last;
	size_t n = 0;

	serve(_i);
	/* The machine may stop the handler for that long as well, not always. */
	do {
		suspend_for(GET("/suspend"), tailbox_mhd_resume_connection,
		            false);
		want(++n);
		last = &seen[n - 1];
		check_sane(last);
		ck_assert_uint_eq(last->r.status, 200);
		ck_assert_uint_eq(known(last, bits), bits);
		ck_assert(ms_of(last->r.suspended) >= PAUSE_MS);
		ck_assert_uint_eq(SUM_OF(resumes), n);
		ck_assert_uint_eq(last->r.flags & TAILBOX__REQ_SUSPENDED, 0);
	} while (ms_of(last->r.handler) >= PAUSE_MS && n < ROUNDS);
	ck_assert(ms_of(last->r.handler) < PAUSE_MS);

	/* The server's own calls: no telling when it was resumed. */
	suspend_for(GET("/suspend-plain"), MHD_resume_connection, false);
	want(++n);
	last = &seen[n - 1];
	check_sane(last);
	ck_assert_uint_eq(known(last, bits), TAILBOX__KNOWN_SUSPENDED);
	/* As above: the handler may have been stopped behind its suspend. */
	ck_assert(ms_of(last->r.suspended) + ms_of(last->r.handler) >=
	          PAUSE_MS);
	ck_assert_uint_eq(SUM_OF(resumes), n);

	/* Ours for the server's. */
	suspend_for(GET("/suspend-plain"), tailbox_mhd_resume_connection,
	            false);
	want(++n);
	last = &seen[n - 1];
	check_sane(last);
	ck_assert_uint_eq(known(last, bits), bits);
}
END_TEST

START_TEST(queued_while_suspended)
{
	serve(_i);
	suspend_for(GET("/suspend"), tailbox_mhd_resume_connection, true);
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 203);
	ck_assert_uint_eq(known(&seen[0], TAILBOX__KNOWN_SUSPENDED |
	                                          TAILBOX__KNOWN_SEND),
	                  TAILBOX__KNOWN_SUSPENDED);
	suspend_for(GET("/suspend-plain"), MHD_resume_connection, true);
	want(2);
	check_sane(&seen[1]);
	ck_assert_uint_eq(known(&seen[1], TAILBOX__KNOWN_SUSPENDED |
	                                          TAILBOX__KNOWN_SEND), 0);
}
END_TEST

START_TEST(an_upload_that_is_suspended)
{
	const struct seen *last;
	size_t n = 0;

	serve(_i);
	do {
		suspend_for("POST /suspend HTTP/1.1\r\nContent-Length: 5\r\n"
		            CLOSE "abcde",
		            tailbox_mhd_resume_connection, false);
		want(++n);
		last = &seen[n - 1];
		check_sane(last);
		ck_assert_uint_eq(last->m.bytes_in, 5);
		ck_assert(ms_of(last->r.suspended) >= PAUSE_MS);
	} while (ms_of(last->r.body) >= PAUSE_MS && n < ROUNDS);
	ck_assert(ms_of(last->r.body) < PAUSE_MS);
}
END_TEST

/* --- spin -------------------------------------------------------------- */

START_TEST(a_spinning_handler_is_one_record)
{
	serve(_i);
	exchange(GET("/spin"));
	want(1);
	check_sane(&seen[0]);
	ck_assert_uint_eq(seen[0].r.status, 200);
	ck_assert_uint_eq(seen[0].r.calls, 1001);
	e2e_stop(&server);
	time_limit = 1;
	serve(_i);
	exchange(GET("/never"));
	want(2);
	check_sane(&seen[1]);
	ck_assert_uint_eq(seen[1].r.termination, TAILBOX__TERM_TIMEOUT);
	ck_assert_uint_gt(seen[1].r.calls, 2);
	/* All that time is the handler's. */
	ck_assert(ms_of(seen[1].r.handler) > ms_of(seen[1].r.total) / 2);
}
END_TEST

/* --- what is seen while it happens ------------------------------------- */

static bool is_held(void *cls)
{
	const struct tailbox__thread_entry *e;
	long n = tailbox__reader_threads(reader, &e);

	for (long i = 0; i < n; i++) {
		if (TAILBOX__GET(e[i].hold_since) == 0)
			continue;
		*(struct tailbox__thread_entry *)cls = e[i];
		return true;
	}
	return false;
}

START_TEST(a_stuck_worker_is_seen)
{
	const char *text = GET("/wait");
	static struct tailbox__thread_entry e;
	const struct tailbox__slot *slots;
	pthread_t t;

	serve(_i);
	for (int i = 0; i < 2; i++) {
		e2e_start(&t, fetch, (void *)(uintptr_t)text);
		sem_wait(&entered);
		e2e_wait(is_held, &e, "the hold");
		ck_assert_uint_eq(TAILBOX__GET(e.hold_kind),
		                  TAILBOX__HOLD_HANDLER);
		ck_assert_uint_ne(TAILBOX__GET(e.worker), 0);
		ck_assert_int_gt(tailbox__reader_slots(reader, &slots), 0);
		slots += TAILBOX__GET(e.hold_slot);
		ck_assert_uint_eq(TAILBOX__GET(slots->state),
		                  TAILBOX__SLOT_OPEN);
		ck_assert_uint_eq(TAILBOX__GET(slots->phase),
		                  TAILBOX__PHASE_HANDLER);
		ck_assert_uint_eq(TAILBOX__GET(slots->daemon),
		                  server_number);
		/* At first its route has no name and stands in the id. */
		if (TAILBOX__GET(slots->route) == 0)
			ck_assert_int_eq(memcmp(slots->id_text, "/wait", 6), 0);
		else
			ck_assert_str_eq(
			        tailbox__reader_name(reader,
			                             TAILBOX__GET(slots->route),
			                             NULL), "/wait");
		ck_assert_uint_eq(TAILBOX__GET(slots->route) == 0, i == 0);
		sem_post(&let_go);
		e2e_join(t);
		want((size_t)i + 1);
	}
	ck_assert(!is_held(&e));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mhd_phases");
	TCase *every = in_modes("every mode"), *some = in_modes("some");

	tcase_add_loop_test(every, a_slow_handler_is_handler_time, 0, MODES);
	tcase_add_loop_test(every, split_headers_are_header_time, 0, MODES);
	tcase_add_loop_test(every, a_slow_upload_is_body_time, 0, MODES);
	tcase_add_loop_test(every, uploads_of_every_kind, 0, MODES);
	tcase_add_loop_test(every, waiting_for_100_continue_is_body_time, 0,
	                    MODES);
	tcase_add_loop_test(every, a_slow_reader_is_send_time, 0, MODES);
	tcase_add_loop_test(every, a_stuck_worker_is_seen, 0, MODES);
	/* Not where each connection has a thread, see the parity test. */
	tcase_add_loop_test(some, suspended_time_is_told, 0, THREADS);
	tcase_add_loop_test(some, queued_while_suspended, 0, THREADS);
	tcase_add_loop_test(some, an_upload_that_is_suspended, 0, THREADS);
	tcase_add_loop_test(some, a_spinning_handler_is_one_record, EPOLL,
	                    THREADS);
	suite_add_tcase(s, every);
	suite_add_tcase(s, some);
	return run_suite(s);
}
