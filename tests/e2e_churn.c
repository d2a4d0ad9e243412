/* tests/e2e_churn.c - connections that open and close at random, by the
 * thousand, each with a thread of its own.
 *
 * SPDX-License-Identifier: MIT
 *
 * Poll mode, CONNECTION_LIMIT 2000, the default tape. Clients open connections,
 * ask now and then, and close: in order, with a reset, in the middle of a
 * request line or body, without a word. Then: no slot of the tape is in use any
 * more, no connection's state either, what was lost is zero or counted, and
 * memory is where it was after a warm-up as long as what follows.
 */
#include <limits.h>
#include <sys/resource.h>

#include "controller/controller.h"
#include "core/recorder.h"
#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"

/* Of churn, after as much warm-up. */
#ifdef E2E_LONG
enum { SECONDS = 30 };
#else
enum { SECONDS = 1 };
#endif
/* FEW: three quarters of them are open at a time, and each has a thread with
 * two blocks, so 300; the default tape has 879 blocks and entries for 1024
 * threads. MANY: 1350 of them. */
enum { CLIENTS = 4, FEW = 100, MANY = 450, LIMIT = 2000, BODY = 3000 };

/* These keep freed memory, to see who uses it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool memory_is_told = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
static const bool memory_is_told = false;
#else
static const bool memory_is_told = true;
#endif
#else
static const bool memory_is_told = true;
#endif

static struct MHD_Response *response;
static struct MHD_Daemon *server;
static uint16_t port;

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static int seen;
	tailbox_request r = tailbox_request_of(c);

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	if (*size > 0) {
		*size = 0;
		return MHD_YES;
	}
	TAILBOX_STAGE(r, "work") {
		tailbox_gauge_up(r, "answers");
	}
	return MHD_queue_response(c, MHD_HTTP_OK, response);
}

static void set_up(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	service_start(0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	response = MHD_create_response_from_buffer(
	        5, (void *)(uintptr_t)"hello", MHD_RESPMEM_PERSISTENT);
	server = tailbox_mhd_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
	                MHD_USE_THREAD_PER_CONNECTION,
	        0, NULL, NULL, answer, NULL, MHD_OPTION_CONNECTION_LIMIT,
	        (unsigned)LIMIT, MHD_OPTION_SOCK_ADDR, &sa, MHD_OPTION_END);
	ck_assert_ptr_nonnull(server);
	port = e2e_port(server);
}

static void tear_down(void)
{
	tailbox_mhd_stop_daemon(server), server = NULL;
	MHD_destroy_response(response), response = NULL;
	service_stop();
}

/* --- clients -------------------------------------------------------------- */

static struct client {
	pthread_t thread;
	uint64_t until_ns, until_opened;
	uint32_t random;
	/* Requests that were answered, and such as can have begun besides. */
	uint64_t answered, begun, opened;
	int fds[MANY];
} clients[CLIENTS];
static unsigned each; /* of fds in use */

static uint32_t draw(struct client *k, uint32_t below)
{
	k->random ^= k->random << 13;
	k->random ^= k->random >> 17;
	k->random ^= k->random << 5;
	return k->random % below;
}

static void get(struct client *k, int fd)
{
	struct e2e_bytes reply;

	e2e_send(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	reply = e2e_read_reply(fd, false);
	k->answered += e2e_status(&reply) == 200;
	free(reply.text);
}

static void post(struct client *k, int fd)
{
	static const char body[BODY];
	struct e2e_bytes reply;

	e2e_send(fd, "POST /b HTTP/1.1\r\nHost: x\r\n"
	             "Content-Length: 3000\r\n\r\n");
	e2e_send_bytes(fd, body, BODY);
	reply = e2e_read_reply(fd, false);
	k->answered += e2e_status(&reply) == 200;
	free(reply.text);
}

/* Leave, one way or another. */
static void leave(struct client *k, int fd)
{
	switch (draw(k, 6)) {
	case 0: /* in the line */
		e2e_send(fd, "GET /half HT");
		break;
	case 1: /* in the body */
		e2e_send(fd, "POST /half HTTP/1.1\r\nHost: x\r\n"
		             "Content-Length: 3000\r\n\r\nsome");
		k->begun++;
		break;
	case 2: /* without waiting for the answer */
		e2e_send(fd, "GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n");
		k->begun++;
		break;
	case 3:
		e2e_reset(fd);
		return;
	}
	close(fd);
}

/* On a slow machine a second is not enough to have most of them open. */
static bool goes_on(const struct client *k)
{
	const uint64_t now = e2e_now_ns();

	return now < k->until_ns ||
	       (k->opened < k->until_opened &&
	        now < k->until_ns + UINT64_C(60000000000));
}

static void *churn(void *arg)
{
	struct client *k = arg;

	while (goes_on(k)) {
		int *fd = &k->fds[draw(k, each)];
		if (*fd < 0) {
			*fd = e2e_connect(port);
			k->opened++;
		} else if (draw(k, 3) == 0) {
			leave(k, *fd);
			*fd = -1;
		} else if (draw(k, 4) == 0) {
			post(k, *fd);
		} else {
			get(k, *fd);
		}
	}
	for (unsigned i = 0; i < each; i++) {
		if (k->fds[i] >= 0)
			leave(k, k->fds[i]);
		k->fds[i] = -1;
	}
	return NULL;
}

static struct tailbox__recorder_status status;

static struct {
	uint64_t answered, begun, opened;
} sum;

static void add_up(void)
{
	memset(&sum, 0, sizeof(sum));
	for (unsigned i = 0; i < CLIENTS; i++) {
		sum.answered += clients[i].answered;
		sum.begun += clients[i].begun;
		sum.opened += clients[i].opened;
	}
}

/* What a client has left may not even have been accepted yet. */
static bool is_quiet(void *cls)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	uint64_t accepted = 0;

	(void)cls;
	for (uint64_t i = 0; i < TAILBOX__GET(tape->header->threads_used); i++)
		accepted += TAILBOX__GET(tape->threads[i].connections);
	if (accepted < sum.opened)
		return false;
	tailbox__recorder_status(&status);
	return status.connections == 0;
}

static void run(unsigned seconds)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].until_ns = e2e_now_ns() + seconds * 1000000000ull;
		clients[i].until_opened = clients[i].opened + 2 * each;
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		e2e_start(&clients[i].thread, churn, &clients[i]);
	for (unsigned i = 0; i < CLIENTS; i++)
		e2e_join(clients[i].thread);
	add_up();
	e2e_wait(is_quiet, NULL, "the last connection to close");
}

/* --- what is left ---------------------------------------------------------- */

/* In kB. A thread that has ended and was not joined yet has its stack still: so
 * the least of some looks. */
static unsigned long resident_kb(void)
{
	const unsigned long page_kb = (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
	unsigned long least = ULONG_MAX, pages, all;

	for (int i = 0; i < 20; i++) {
		FILE *f = fopen("/proc/self/statm", "re");
		ck_assert_ptr_nonnull(f);
		ck_assert_int_eq(fscanf(f, "%lu %lu", &all, &pages), 2);
		fclose(f);
		if (pages * page_kb < least)
			least = pages * page_kb;
		usleep(10000); /* another look, not a wait for something */
	}
	return least;
}

static uint64_t slots_used(void)
{
	return TAILBOX__GET(tailbox__recorder.tape.header->slots_used);
}

static void expect_no_slot_in_use(void)
{
	for (uint64_t i = 0; i < slots_used(); i++)
		ck_assert_uint_eq(
		        TAILBOX__GET(tailbox__recorder.tape.slots[i].state),
		        TAILBOX__SLOT_FREE);
}

/* A server and a client for each connection. */
static void take_descriptors(unsigned connections)
{
	const rlim_t need = 2 * CLIENTS * connections + 200;
	struct rlimit l;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	if (l.rlim_cur < need) {
		l.rlim_cur = need < l.rlim_max ? need : l.rlim_max;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	}
	each = connections;
	if (l.rlim_cur < need)
		each = (unsigned)(l.rlim_cur - 200) / 2 / CLIENTS;
}

static void churn_with(unsigned connections)
{
	take_descriptors(connections);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].random = 2463534242u + i;
		for (unsigned n = 0; n < each; n++)
			clients[i].fds[n] = -1;
	}
	run(SECONDS);
	expect_no_slot_in_use();
	const uint64_t slots = slots_used();
	const unsigned long before = resident_kb();
	run(SECONDS);
	expect_no_slot_in_use();
	const unsigned long after = resident_kb();
	printf("%llu connections, %llu requests, %llu then %llu slots, "
	       "%lu then %lu kB\n", (unsigned long long)sum.opened,
	       (unsigned long long)status.begun, (unsigned long long)slots,
	       (unsigned long long)slots_used(), before, after);
	/* The same slots again, not one for each connection; the server may
	 * take its time to close what a client has left. */
	ck_assert_uint_le(slots_used(), 2 * CLIENTS * each);
	ck_assert_uint_ge(sum.opened, 4 * CLIENTS * each);
	/* An eighth, 4 MB, is what the allocator's arenas come to, with a
	 * reserve. In the long form 300 bytes for each connection are more. */
	if (memory_is_told)
		ck_assert_uint_le(after, before + before / 8);
}

START_TEST(nothing_leaks_and_nothing_is_lost)
{
	churn_with(FEW);
	ck_assert_uint_eq(status.finished, status.begun);
	ck_assert_uint_ge(status.begun, sum.answered);
	ck_assert_uint_le(status.begun, sum.answered + sum.begun);
	ck_assert_uint_eq(status.lost_requests + status.lost_spans +
	                          status.lost_holds + status.lost_threads +
	                          status.lost_slots + status.lost_connections,
	                  0);
}
END_TEST

/* More threads than a tape has entries for, and more writers than blocks. */
START_TEST(what_is_lost_of_a_crowd_is_counted)
{
	churn_with(MANY);
	const uint64_t all = status.begun + status.lost_threads;
	ck_assert_uint_eq(status.finished + status.lost_requests,
	                  status.begun);
	ck_assert_uint_ge(all, sum.answered);
	ck_assert_uint_le(all, sum.answered + sum.begun);
	ck_assert_uint_eq(status.lost_slots + status.lost_connections, 0);
	printf("%llu lost with %llu threads\n",
	       (unsigned long long)(status.lost_requests + status.lost_threads),
	       (unsigned long long)TAILBOX__GET(
	               tailbox__recorder.tape.header->threads_used));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("e2e_churn");
	TCase *tc = tcase_create("churn");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 120 + 4 * SECONDS);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, nothing_leaks_and_nothing_is_lost);
	tcase_add_test(tc, what_is_lost_of_a_crowd_is_counted);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
