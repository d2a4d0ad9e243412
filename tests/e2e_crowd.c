/* tests/e2e_crowd.c - a thread for each connection, and a crowd of those.
 *
 * SPDX-License-Identifier: MIT
 *
 * On the smallest tape, which has entries for 128 threads, and on the default
 * one. Connections stay open, and with them their threads, so that all are
 * there at once.
 */
#include "controller/controller.h"
#include "core/recorder.h"
#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"

enum { CROWD = 150, MORE = 300 };

static struct MHD_Response *response;
static struct MHD_Daemon *server;
static uint16_t port;
static int fds[MORE];
static unsigned fd_count;

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static int seen;
	tailbox_request r = tailbox_request_of(c);

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	TAILBOX_STAGE(r, "work") {
		tailbox_request_set_route(r, "/crowd");
		tailbox_gauge_up(r, "answers");
	}
	return MHD_queue_response(c, MHD_HTTP_OK, response);
}

static void start(uint64_t tape_bytes)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct tailbox_options o;

	snprintf(service_dir, sizeof(service_dir),
	         "/dev/shm/tailbox-e2e-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(service_dir));
	tailbox_options_init(&o);
	o.run_dir = service_dir;
	o.tape_bytes = tape_bytes;
	ck_assert_int_eq(tailbox_start("e2e", &o), 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	response = MHD_create_response_from_buffer(
	        5, (void *)(uintptr_t)"hello", MHD_RESPMEM_PERSISTENT);
	server = tailbox_mhd_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
	                MHD_USE_THREAD_PER_CONNECTION,
	        0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, &sa,
	        MHD_OPTION_END);
	ck_assert_ptr_nonnull(server);
	port = e2e_port(server);
	fd_count = 0;
}

static void tear_down(void)
{
	while (fd_count > 0)
		close(fds[--fd_count]);
	tailbox_mhd_stop_daemon(server), server = NULL;
	MHD_destroy_response(response), response = NULL;
	service_stop();
}

static void ask(int fd)
{
	e2e_send(fd, "GET /crowd HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void hear(int fd)
{
	struct e2e_bytes reply = e2e_read_reply(fd, false);

	ck_assert_int_eq(e2e_status(&reply), 200);
	free(reply.text);
}

/* All of them ask at once, each so often. */
static void gather(unsigned connections, unsigned rounds)
{
	while (fd_count < connections)
		fds[fd_count++] = e2e_connect(port);
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned n = 0; n < connections; n++)
			ask(fds[n]);
		for (unsigned n = 0; n < connections; n++)
			hear(fds[n]);
	}
}

static struct tailbox__recorder_status status;

static bool is_quiet(void *cls)
{
	(void)cls;
	tailbox__recorder_status(&status);
	return status.open_requests == 0;
}

/* What was answered ends a moment later. */
static void look(void)
{
	e2e_wait(is_quiet, NULL, "the last request to end");
}

/* A thread without an entry records nothing, and each request that it answers
 * is counted, once: its line, its handler's two calls, its stage and its end
 * are all of one request. So is one that has an entry and whose connection has
 * no slot; a connection that has none is counted by itself. */
START_TEST(each_request_is_recorded_or_counted_once)
{
	start(TAILBOX__TAPE_MIN);
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	ck_assert_uint_lt(h->threads_max, CROWD);
	gather(CROWD, 3);
	look();
	ck_assert_uint_eq(status.begun + status.lost_threads +
	                          status.lost_slots,
	                  3 * CROWD + CROWD - h->slots_max);
	ck_assert_uint_eq(status.finished + status.lost_requests, status.begun);
	ck_assert_uint_gt(status.begun, 3 * 100);
	ck_assert_uint_ge(status.lost_threads, 3 * (CROWD - h->threads_max));
	ck_assert_uint_eq(status.lost_connections, 0);
	/* Those who come when the others have gone find their entries. */
	const uint64_t lost = status.lost_threads, begun = status.begun;
	while (fd_count > 0)
		close(fds[--fd_count]);
	for (unsigned i = 0; i < 1000; i++) {
		tailbox__recorder_status(&status);
		if (status.connections == 0)
			break;
		usleep(10000);
	}
	gather(10, 3);
	look();
	ck_assert_uint_eq(status.lost_threads, lost);
	ck_assert_uint_eq(status.begun, begun + 30);
}
END_TEST

/* Of the smallest tape a hundred and more threads hold a block or two each. The
 * one that goes on goes round the others. */
START_TEST(who_goes_on_among_those_who_stand_loses_nothing)
{
	start(TAILBOX__TAPE_MIN);
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	const uint64_t rounds =
	        2 * h->blocks_max * (h->block_bytes / 64) / 50 + 1;

	gather(100, 1);
	look();
	const uint64_t lost = status.lost_requests;
	const uint64_t begun = status.begun;
	ask(fds[0]);
	struct e2e_bytes one = e2e_read_reply(fds[0], false);
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned n = 0; n < 50; n++)
			ask(fds[0]);
		struct e2e_bytes all = e2e_read_len(fds[0], 50 * one.len);
		ck_assert_uint_eq(all.len, 50 * one.len);
		free(all.text);
	}
	free(one.text);
	look();
	ck_assert_uint_eq(status.begun, begun + 1 + 50 * rounds);
	ck_assert_uint_eq(status.lost_requests, lost);
	ck_assert_uint_eq(status.lost_threads, 0);
}
END_TEST

START_TEST(three_hundred_threads_lose_nothing_by_default)
{
	start(TAILBOX__TAPE_DEFAULT);
	gather(MORE, 5);
	look();
	ck_assert_uint_eq(status.begun, 5 * MORE);
	ck_assert_uint_eq(status.finished, 5 * MORE);
	ck_assert_uint_eq(status.spans, 5 * MORE);
	ck_assert_uint_eq(status.moves, 5 * MORE);
	ck_assert_uint_eq(status.connections, MORE);
	ck_assert_uint_eq(status.lost_requests + status.lost_spans +
	                          status.lost_holds + status.lost_threads +
	                          status.lost_slots + status.lost_connections,
	                  0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("e2e_crowd");
	TCase *tc = tcase_create("crowd");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, each_request_is_recorded_or_counted_once);
	tcase_add_test(tc, who_goes_on_among_those_who_stand_loses_nothing);
	tcase_add_test(tc, three_hundred_threads_lose_nothing_by_default);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
