/* tests/e2e_mhd_responses.c - every kind of response, and the time in content
 * readers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <tailbox/mhd.h>

#include <errno.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "core/run.h"
#include "tests/recorder_fixture.h"
#include "tests/e2e_server.h"

#define SIZE 30000u
#define BIG (8u << 20)
#define PAUSE_MS 5

/* --- ways to run it ---------------------------------------------------- */

static const struct {
	enum e2e_polling polling;
	enum e2e_drive drive;
} ways[] = {
	{ E2E_SELECT, E2E_SINGLE }, { E2E_POLL, E2E_SINGLE },
	{ E2E_EPOLL, E2E_SINGLE },  { E2E_EPOLL, E2E_POOL_2 },
	{ E2E_POLL, E2E_THREADS },  { E2E_SELECT, E2E_FDSET },
};
#define WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

static struct e2e_server server;
static uint16_t port;
static struct MHD_OptionItem options[1]; /* more than usual */

static bool has_threads(void)
{
	return server.drive == E2E_THREADS;
}

/* --- responses --------------------------------------------------------- */

enum kind {
	BUFFER, KNOWN_SIZE, UNKNOWN_SIZE, FILE_FD, PIPE, IOVEC, EMPTY, UPGRADE,
	KINDS
};
static const char *const paths[KINDS] = {
	"/buffer", "/known", "/unknown", "/fd", "/pipe", "/iovec", "/empty",
	"/upgrade"
};

static char content[SIZE];
static unsigned pause_ms;     /* in each call of a reader */
static bool is_queued_plainly;
static struct MHD_Response *shared; /* what "/shared" gives */
static atomic_int freed, calls, in_reader;
static bool is_reader_failing;
static struct MHD_UpgradeResponseHandle *upgraded;
static sem_t has_upgraded;

static void pause_for(unsigned ms)
{
	struct timespec t = { 0, (long)ms * 1000000 };

	while (ms != 0 && nanosleep(&t, &t) < 0)
		;
}

/* cls: how many bytes there are. */
static ssize_t produce(void *cls, uint64_t pos, char *buf, size_t max)
{
	const uint64_t size = *(const unsigned *)cls;

	atomic_fetch_add(&calls, 1);
	atomic_fetch_add(&in_reader, 1);
	pause_for(pause_ms);
	atomic_fetch_sub(&in_reader, 1);
	if (is_reader_failing && pos > 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (pos >= size)
		return MHD_CONTENT_READER_END_OF_STREAM;
	for (size_t i = 0; i < max; i++) {
		if (pos + i >= size)
			return (ssize_t)i;
		buf[i] = content[(pos + i) % SIZE];
	}
	return (ssize_t)max;
}

static void count_end(void *cls)
{
	ck_assert_uint_eq(*(unsigned *)cls % SIZE % 2, 0);
	atomic_fetch_add(&freed, 1);
}

static unsigned bytes_of_stream = SIZE, bytes_of_big = BIG;

static struct MHD_Response *stream(uint64_t size, unsigned *bytes)
{
	return tailbox_mhd_create_response_from_callback(size, 16384, produce,
	                                                 bytes, count_end);
}

static struct MHD_Response *from_file(void)
{
	int fd = memfd_create("content", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, SIZE), SIZE);
	return MHD_create_response_from_fd(SIZE, fd);
}

static struct MHD_Response *from_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], content, SIZE), SIZE);
	close(ends[1]);
	return MHD_create_response_from_pipe(ends[0]);
}

static struct MHD_Response *from_iovec(void)
{
	const struct MHD_IoVec parts[] = { { content, 10000 },
		                           { content + 10000, 1 },
		                           { content + 10001, SIZE - 10001 } };

	return MHD_create_response_from_iovec(parts, 3, NULL, NULL);
}

static void on_upgrade(void *cls, struct MHD_Connection *c, void *req_cls,
                       const char *extra, size_t extra_size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *urh)
{
	(void)cls, (void)c, (void)req_cls, (void)extra, (void)extra_size;
	ck_assert_int_eq(send(fd, "tunnel", 6, MSG_NOSIGNAL), 6);
	upgraded = urh;
	sem_post(&has_upgraded);
}

static struct MHD_Response *for_upgrade(void)
{
	struct MHD_Response *r =
	        MHD_create_response_for_upgrade(on_upgrade, NULL);

	MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "tunnel");
	return r;
}

static struct MHD_Response *make(enum kind kind)
{
	switch (kind) {
	case BUFFER:
		return MHD_create_response_from_buffer(SIZE, content,
		                                       MHD_RESPMEM_MUST_COPY);
	case KNOWN_SIZE:
		return stream(SIZE, &bytes_of_stream);
	case UNKNOWN_SIZE:
		return stream(MHD_SIZE_UNKNOWN, &bytes_of_stream);
	case FILE_FD:
		return from_file();
	case PIPE:
		return from_pipe();
	case IOVEC:
		return from_iovec();
	case EMPTY:
	case KINDS:
		break;
	case UPGRADE:
		return for_upgrade();
	}
	return MHD_create_response_from_buffer(0, NULL,
	                                       MHD_RESPMEM_PERSISTENT);
}

static unsigned status_of(enum kind kind)
{
	return kind == UPGRADE ? 101 : kind == EMPTY ? 204 : 200;
}

static enum MHD_Result queue(struct MHD_Connection *c, unsigned status,
                             struct MHD_Response *r)
{
	return is_queued_plainly ? MHD_queue_response(c, status, r)
	                         : tailbox_mhd_queue_response(c, status, r);
}

/* Another thread answers while the connection is suspended. */
static void *answer_later(void *cls)
{
	struct MHD_Connection *c = cls;
	struct MHD_Response *r = stream(SIZE, &bytes_of_stream);

	queue(c, 200, r);
	MHD_destroy_response(r);
	tailbox_mhd_resume_connection(c);
	return NULL;
}

static pthread_t later;

static enum MHD_Result suspend(struct MHD_Connection *c)
{
	tailbox_mhd_suspend_connection(c);
	e2e_start(&later, answer_later, c);
	return MHD_YES;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;
	int kind = 0;

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	if (*req_cls == NULL) {
		*req_cls = content;
		return MHD_YES;
	}
	if (strcmp(url, "/shared") == 0)
		return queue(c, 200, shared);
	if (strcmp(url, "/later") == 0)
		return suspend(c);
	while (kind < KINDS && strcmp(url, paths[kind]) != 0)
		kind++;
	r = make((enum kind)kind);
	rc = queue(c, status_of((enum kind)kind), r);
	MHD_destroy_response(r);
	return rc;
}

/* --- the tape ---------------------------------------------------------- */

struct seen {
	struct tailbox__rec_request r;
	struct tailbox__rec_reader reader;
	bool has_reader;
};

static struct tailbox__reader *reader;
static struct fixture_records got;
static struct seen seen[64];
static size_t seen_count;

/* Blocks of different threads come in no order. */
static int by_line(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->r.line < y->r.line ? -1 : x->r.line > y->r.line;
}

static void look(void)
{
	const size_t kind = TAILBOX__BLOCK_REQUESTS;

	fixture_forget(&got);
	tailbox__reader_rewind(reader);
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
	seen_count = 0;
	for (size_t at = 0; at < got.len[kind]; at += 64) {
		const char *p = got.bytes[kind] + at;

		if (*p == TAILBOX__REC_REQUEST && seen_count < 64) {
			memset(&seen[seen_count], 0, sizeof(seen[0]));
			memcpy(&seen[seen_count++].r, p, 64);
		} else if (*p == TAILBOX__REC_READER) {
			memcpy(&seen[seen_count - 1].reader, p, 64);
			seen[seen_count - 1].has_reader = true;
		}
	}
	qsort(seen, seen_count, sizeof(seen[0]), by_line);
}

static bool is_recorded(void *cls)
{
	look();
	return seen_count >= *(size_t *)cls;
}

static void want(size_t n)
{
	e2e_wait(is_recorded, &n, "records");
	ck_assert_uint_eq(seen_count, n);
}

/* Holds in readers, of one request, or of none that is known (0). */
static unsigned holds_of(uint64_t number)
{
	const size_t kind = TAILBOX__BLOCK_SPANS;
	struct tailbox__rec_span s;
	unsigned n = 0;

	for (size_t at = 0; at < got.len[kind]; at += sizeof(s)) {
		memcpy(&s, got.bytes[kind] + at, sizeof(s));
		n += s.type == TAILBOX__SPAN_HOLD &&
		     s.flags == TAILBOX__HOLD_READER && s.number == number;
	}
	return n;
}

static double ms_of(uint64_t ticks)
{
	return (double)tailbox__ticks_to_ns(tailbox__reader_scale(reader),
	                                    ticks) / 1e6;
}

/* --- a client ---------------------------------------------------------- */

static void before(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	for (unsigned i = 0; i < SIZE; i++)
		content[i] = (char)('a' + i * 7 % 26);
	pause_ms = 0;
	is_queued_plainly = is_reader_failing = false;
	shared = NULL;
	atomic_store(&freed, 0);
	atomic_store(&calls, 0);
	sem_init(&has_upgraded, 0, 0);
	fixture_open(4 << 20);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
}

static void after(void)
{
	e2e_stop(&server);
	fixture_forget(&got);
	tailbox__reader_close(reader);
	fixture_close();
}

static void serve(int way)
{
	memset(&server, 0, sizeof(server));
	server.polling = ways[way].polling;
	server.drive = ways[way].drive;
	server.is_recorded = true;
	server.flags = MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME |
	               MHD_USE_SUPPRESS_DATE_NO_CLOCK;
	server.handler = answer;
	server.options[0] = options[0];
	ck_assert(e2e_serve(&server));
	port = e2e_port_of(&server);
}

static void ask(int fd, const char *path, bool is_last)
{
	char text[160];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n",
	         path, is_last ? "Connection: close\r\n" : "");
	e2e_send(fd, text);
}

static struct e2e_bytes fetch(const char *path)
{
	int fd = e2e_connect(port);
	struct e2e_bytes b;

	ask(fd, path, true);
	b = e2e_read_all(fd);
	close(fd);
	return b;
}

/* The body, chunks put together; in place. */
static size_t body_of(const struct e2e_bytes *b, char **body)
{
	char *head_end = strstr(b->text, "\r\n\r\n"), *from, *to;
	size_t n;

	ck_assert_ptr_nonnull(head_end);
	*body = to = from = head_end + 4;
	if (strstr(b->text, "chunked") == NULL)
		return b->len - (size_t)(from - b->text);
	while ((n = strtoul(from, &from, 16)) != 0) {
		memmove(to, from + 2, n);
		to += n;
		from += 2 + n + 2;
	}
	return (size_t)(to - *body);
}

static void check_bytes(enum kind kind, struct e2e_bytes *b)
{
	char *body;
	size_t n;

	ck_assert_uint_eq((unsigned)e2e_status(b), status_of(kind));
	n = body_of(b, &body);
	if (kind == EMPTY) {
		ck_assert_uint_eq(n, 0);
	} else if (kind == UPGRADE) {
		ck_assert_uint_eq(n, 6);
		ck_assert_int_eq(memcmp(body, "tunnel", 6), 0);
	} else {
		ck_assert_uint_eq(n, SIZE);
		ck_assert_int_eq(memcmp(body, content, SIZE), 0);
	}
	free(b->text);
}

/* --- each kind --------------------------------------------------------- */

static void play(enum kind kind)
{
	int fd = e2e_connect(port);
	struct e2e_bytes b;

	if (kind != UPGRADE) {
		ask(fd, paths[kind], true);
		b = e2e_read_all(fd);
	} else {
		e2e_send(fd, "GET /upgrade HTTP/1.1\r\nHost: x\r\n"
		             "Connection: Upgrade\r\nUpgrade: tunnel\r\n\r\n");
		sem_wait(&has_upgraded);
		MHD_upgrade_action(upgraded, MHD_UPGRADE_ACTION_CLOSE);
		b = e2e_read_all(fd);
	}
	close(fd);
	check_bytes(kind, &b);
}

START_TEST(each_kind_of_response)
{
	serve(_i);
	for (int kind = 0; kind < KINDS; kind++) {
		play((enum kind)kind);
		want((size_t)kind + 1);
		const struct seen *s = &seen[kind];
		const bool is_stream = kind == KNOWN_SIZE ||
		                       kind == UNKNOWN_SIZE;
		const unsigned usual = kind == UPGRADE
		                       ? TAILBOX__KNOWN_USUAL &
		                                 ~TAILBOX__KNOWN_SEND
		                       : TAILBOX__KNOWN_USUAL;
		ck_assert_uint_eq(s->r.status, status_of((enum kind)kind));
		ck_assert_uint_eq(s->r.termination, TAILBOX__TERM_COMPLETED);
		ck_assert_msg((s->r.known & 0x7e) == (usual & 0x7e),
		              "%s: known %x", paths[kind], s->r.known);
		ck_assert_int_eq(s->has_reader, is_stream);
		ck_assert_uint_le(tailbox__unpack(s->r.send),
		                  tailbox__unpack(s->r.total));
		if (is_stream)
			ck_assert_uint_le(s->reader.ticks,
			                  tailbox__unpack(s->r.send));
	}
	/* Of the server's own readers, of files, we know nothing. */
	e2e_stop(&server);
	ck_assert_int_eq(atomic_load(&freed), 2);
}
END_TEST

/* --- how long readers take --------------------------------------------- */

START_TEST(a_slow_reader_is_reader_time_and_holds_the_worker)
{
	struct e2e_bytes b;

	pause_ms = PAUSE_MS;
	serve(_i);
	b = fetch("/known");
	check_bytes(KNOWN_SIZE, &b);
	want(1);
	const int n = atomic_load(&calls);
	ck_assert_int_ge(n, 2);
	ck_assert(seen[0].has_reader);
	ck_assert(seen[0].r.known & TAILBOX__KNOWN_READER);
	ck_assert(ms_of(seen[0].reader.ticks) >= PAUSE_MS * n);
	ck_assert_uint_le(seen[0].reader.ticks,
	                  tailbox__unpack(seen[0].r.send));
	ck_assert_uint_eq(holds_of(seen[0].r.number), (unsigned)n);
	ck_assert_uint_eq(holds_of(0), 0);
}
END_TEST

START_TEST(a_response_queued_past_us)
{
	struct e2e_bytes b;

	pause_ms = PAUSE_MS;
	is_queued_plainly = true;
	serve(_i);
	b = fetch("/unknown");
	check_bytes(UNKNOWN_SIZE, &b);
	want(1);
	/* Nobody says for whom it is read, but for a thread of its own. */
	ck_assert_int_eq(seen[0].has_reader, has_threads());
	ck_assert_int_eq((seen[0].r.known & TAILBOX__KNOWN_READER) != 0,
	                 has_threads());
	ck_assert_uint_eq(holds_of(has_threads() ? seen[0].r.number : 0),
	                  (unsigned)atomic_load(&calls));
}
END_TEST

static bool is_called(void *cls)
{
	return atomic_load(&calls) >= *(int *)cls;
}

START_TEST(a_response_for_two_at_once)
{
	int first, second, one = 1;
	struct e2e_bytes b;

	serve(_i);
	shared = stream(BIG, &bytes_of_big);
	first = e2e_connect(port);
	ask(first, "/shared", true);
	/* It is more than fits on the way, so this one is not over yet. */
	e2e_wait(is_called, &one, "the first call");
	second = e2e_connect(port);
	ask(second, "/shared", true);
	for (int i = 0; i < 2; i++) {
		/* The second first: it is queued when some of it came. */
		b = e2e_read_all(i == 0 ? second : first);
		ck_assert_uint_gt(b.len, BIG);
		free(b.text);
	}
	close(first);
	close(second);
	want(2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(seen[i].has_reader, has_threads());
	e2e_stop(&server);
	MHD_destroy_response(shared);
	ck_assert_int_eq(atomic_load(&freed), 1);
}
END_TEST

static atomic_int lines;

static void *count_line(void *cls, const char *uri, struct MHD_Connection *c)
{
	(void)uri, (void)c;
	atomic_fetch_add(&lines, 1);
	return cls;
}

static bool has_line(void *cls)
{
	(void)cls;
	return atomic_load(&lines) > 0;
}

/* The other one began while recording was off: no request, but a second one. */
START_TEST(a_response_for_one_and_for_one_that_is_not_recorded)
{
	int first, second, one = 1;
	struct e2e_bytes b;

	options[0] = (struct MHD_OptionItem){ MHD_OPTION_URI_LOG_CALLBACK,
		                              (intptr_t)count_line, NULL };
	serve(_i);
	shared = stream(BIG, &bytes_of_big);
	tailbox__recorder_set(false);
	second = e2e_connect(port);
	e2e_send(second, "GET /shared HTTP/1.1\r\nConnection: close\r\n");
	e2e_wait(has_line, NULL, "the line of the second");
	tailbox__recorder_set(true);
	first = e2e_connect(port);
	ask(first, "/shared", true);
	e2e_wait(is_called, &one, "the first call");
	e2e_send(second, "Host: x\r\n\r\n");
	b = e2e_read_all(second);
	ck_assert_uint_gt(b.len, BIG);
	free(b.text);
	b = e2e_read_all(first);
	ck_assert_uint_gt(b.len, BIG);
	free(b.text);
	close(first);
	close(second);
	want(1);
	ck_assert_int_eq(seen[0].has_reader, has_threads());
	e2e_stop(&server);
	MHD_destroy_response(shared);
}
END_TEST

START_TEST(a_response_for_one_after_the_other)
{
	struct e2e_bytes b;
	int fd;

	serve(_i);
	shared = stream(SIZE, &bytes_of_stream);
	fd = e2e_connect(port);
	for (int i = 0; i < 5; i++) {
		ask(fd, "/shared", i == 4);
		b = e2e_read_reply(fd, false);
		check_bytes(KNOWN_SIZE, &b);
		want((size_t)i + 1);
		ck_assert(seen[i].has_reader);
	}
	close(fd);
	e2e_stop(&server);
	ck_assert_int_eq(atomic_load(&freed), 0);
	MHD_destroy_response(shared);
	ck_assert_int_eq(atomic_load(&freed), 1);
}
END_TEST

START_TEST(a_response_that_another_thread_queues)
{
	struct e2e_bytes b;

	/* There libmicrohttpd 0.9.75 may miss the resume; tests/matrix_app.c */
	serve(_i);
	if (has_threads())
		return;
	b = fetch("/later");
	e2e_join(later);
	check_bytes(KNOWN_SIZE, &b);
	want(1);
	ck_assert(seen[0].has_reader);
	ck_assert(seen[0].r.known & TAILBOX__KNOWN_SUSPENDED);
}
END_TEST

START_TEST(a_reader_that_ends_with_an_error)
{
	struct e2e_bytes b;

	is_reader_failing = true;
	serve(_i);
	b = fetch("/known");
	ck_assert_int_eq(e2e_status(&b), 200);
	ck_assert_uint_lt(b.len, SIZE);
	free(b.text);
	want(1);
	ck_assert_uint_eq(seen[0].r.termination, TAILBOX__TERM_WITH_ERROR);
	ck_assert(seen[0].has_reader);
}
END_TEST

START_TEST(a_client_that_goes_away)
{
	int fd, one = 1;

	serve(_i);
	shared = stream(BIG, &bytes_of_big);
	fd = e2e_connect(port);
	ask(fd, "/shared", true);
	e2e_wait(is_called, &one, "the first call");
	e2e_reset(fd);
	want(1);
	ck_assert_uint_eq(seen[0].r.termination, TAILBOX__TERM_WITH_ERROR);
	ck_assert(seen[0].has_reader);
	e2e_stop(&server);
	MHD_destroy_response(shared);
	ck_assert_int_eq(atomic_load(&freed), 1);
}
END_TEST

/* --- the constructor --------------------------------------------------- */

START_TEST(what_mhd_refuses)
{
	ck_assert_ptr_null(tailbox_mhd_create_response_from_callback(
	        SIZE, 1024, NULL, NULL, NULL));
	ck_assert_ptr_null(tailbox_mhd_create_response_from_callback(
	        SIZE, 0, produce, &bytes_of_stream, count_end));
	ck_assert_int_eq(atomic_load(&freed), 0);
	ck_assert_int_eq(tailbox_mhd_queue_response(NULL, 200, NULL), MHD_NO);
}
END_TEST

/* More than the table of responses holds: then nothing is known of some, and
 * all work. */
START_TEST(very_many_responses)
{
	enum { MANY = 3000 };
	static struct MHD_Response *all[MANY];
	struct e2e_bytes b;

	serve(_i);
	for (int i = 0; i < MANY; i++)
		all[i] = stream(SIZE, &bytes_of_stream);
	for (int i = 0; i < MANY; i += MANY - 1) {
		shared = all[i];
		b = fetch("/shared");
		check_bytes(KNOWN_SIZE, &b);
	}
	for (int i = 0; i < MANY; i++)
		MHD_destroy_response(all[i]);
	ck_assert_int_eq(atomic_load(&freed), MANY);
	b = fetch("/known");
	check_bytes(KNOWN_SIZE, &b);
	want(3);
	ck_assert(seen[0].has_reader && seen[2].has_reader);
}
END_TEST

START_TEST(switched_off_in_between)
{
	struct e2e_bytes b;

	serve(_i);
	shared = stream(SIZE, &bytes_of_stream);
	tailbox__recorder_set(false);
	b = fetch("/shared");
	check_bytes(KNOWN_SIZE, &b);
	tailbox__recorder_set(true);
	b = fetch("/shared");
	check_bytes(KNOWN_SIZE, &b);
	want(1);
	ck_assert(seen[0].has_reader);
	e2e_stop(&server);
	MHD_destroy_response(shared);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mhd_responses");
	TCase *t = tcase_create("every way");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, after);
	tcase_add_loop_test(t, each_kind_of_response, 0, WAYS);
	tcase_add_loop_test(t,
	                    a_slow_reader_is_reader_time_and_holds_the_worker,
	                    0, WAYS);
	tcase_add_loop_test(t, a_response_queued_past_us, 0, WAYS);
	tcase_add_loop_test(t, a_response_for_two_at_once, 0, WAYS);
	tcase_add_loop_test(
	        t, a_response_for_one_and_for_one_that_is_not_recorded, 0,
	        WAYS);
	tcase_add_loop_test(t, a_response_for_one_after_the_other, 0, WAYS);
	tcase_add_loop_test(t, a_response_that_another_thread_queues, 0, WAYS);
	tcase_add_loop_test(t, a_reader_that_ends_with_an_error, 0, WAYS);
	tcase_add_loop_test(t, a_client_that_goes_away, 0, WAYS);
	tcase_add_test(t, what_mhd_refuses);
	tcase_add_loop_test(t, very_many_responses, 2, 4);
	tcase_add_loop_test(t, switched_off_in_between, 2, 4);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
