/* tests/e2e_mhd_record.c - what a recorded daemon leaves on the tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * Real servers in every mode, real sockets, and the tape read back by its
 * reader. Bounds on times are one-sided where the machine could be slow: a
 * phase in which the client or the handler waited is at least that long, and
 * the other phases are shorter than the whole.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <tailbox/mhd.h>

#include "core/daemons.h"
#include "core/run.h"
#define E2E_WITH_CURL 1
#include "tests/e2e_client.h"
#include "tests/recorder_fixture.h"

#define PAUSE_MS 30
#define ROUNDS 6 /* one of them is not disturbed by the machine */
#define BIG (16u << 20)

static void pause_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* --- the application --------------------------------------------------- */

static char *big;
static sem_t entered, let_go;
static struct MHD_Connection *suspended;
static _Atomic(tailbox_request) handle;
static struct MHD_UpgradeResponseHandle *upgraded;
static atomic_uint completions;

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status,
                             const char *text, size_t len)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        len, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc = MHD_queue_response(c, status, r);

	MHD_destroy_response(r);
	return rc;
}

static void on_upgrade(void *cls, struct MHD_Connection *c, void *req_cls,
                       const char *extra, size_t extra_size, MHD_socket sock,
                       struct MHD_UpgradeResponseHandle *urh)
{
	(void)cls, (void)c, (void)req_cls, (void)extra, (void)extra_size;
	(void)sock;
	upgraded = urh;
	sem_post(&entered);
}

static enum MHD_Result reply_upgrade(struct MHD_Connection *c)
{
	struct MHD_Response *r =
	        MHD_create_response_for_upgrade(on_upgrade, NULL);
	enum MHD_Result rc;

	MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "echo");
	rc = MHD_queue_response(c, MHD_HTTP_SWITCHING_PROTOCOLS, r);
	MHD_destroy_response(r);
	return rc;
}

struct request {
	unsigned calls;
	bool was_suspended;
};

static enum MHD_Result first(struct MHD_Connection *c, const char *url)
{
	handle = tailbox_request_of(c);
	if (strcmp(url, "/early") == 0)
		return reply(c, 413, "", 0);
	if (strcmp(url, "/at-once") == 0)
		return reply(c, 200, "now", 3);
	return MHD_YES;
}

static enum MHD_Result suspend(struct request *q, struct MHD_Connection *c,
                               bool is_plain)
{
	if (q->was_suspended)
		return reply(c, 200, "back", 4);
	q->was_suspended = true;
	suspended = c;
	if (is_plain)
		MHD_suspend_connection(c);
	else
		tailbox_mhd_suspend_connection(c);
	sem_post(&entered);
	return MHD_YES;
}

static enum MHD_Result final(struct request *q, struct MHD_Connection *c,
                             const char *url)
{
	if (strcmp(url, "/wait") == 0) {
		sem_post(&entered);
		sem_wait(&let_go);
	} else if (strcmp(url, "/sleep") == 0) {
		pause_ms(PAUSE_MS);
	} else if (strcmp(url, "/no") == 0) {
		return MHD_NO;
	} else if (strcmp(url, "/suspend") == 0) {
		return suspend(q, c, false);
	} else if (strcmp(url, "/suspend-plain") == 0) {
		return suspend(q, c, true);
	} else if (strcmp(url, "/spin") == 0) {
		return q->calls < 1000 ? MHD_YES : reply(c, 200, "done", 4);
	} else if (strcmp(url, "/never") == 0) {
		return MHD_YES;
	} else if (strcmp(url, "/upgrade") == 0) {
		return reply_upgrade(c);
	} else if (strncmp(url, "/missing", 8) == 0) {
		return reply(c, 404, "no", 2);
	} else if (strcmp(url, "/icy") == 0) {
		return reply(c, 200 | MHD_ICY_FLAG, "icy", 3);
	} else if (strcmp(url, "/big") == 0) {
		return reply(c, 200, big, BIG);
	} else if (strcmp(url, "/named") == 0) {
		tailbox_request_set_route(handle, "the name");
	} else if (strcmp(url, "/discard") == 0) {
		tailbox_request_discard(handle);
	}
	return reply(c, 200, "hello", 5);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct request *q = *req_cls;

	(void)cls, (void)method, (void)version, (void)data;
	if (q == NULL) {
		*req_cls = calloc(1, sizeof(*q));
		return first(c, url);
	}
	q->calls++;
	if (*size != 0) {
		*size = 0;
		return MHD_YES;
	}
	return final(q, c, url);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **req_cls,
                         enum MHD_RequestTerminationCode toe)
{
	(void)cls, (void)c, (void)toe;
	free(*req_cls);
	*req_cls = NULL;
	atomic_fetch_add(&completions, 1);
}

/* --- servers ----------------------------------------------------------- */

enum { SELECT, POLL, EPOLL, POOL, THREADS, EXTERNAL, MODES };
static const unsigned mode_flags[MODES] = {
	MHD_USE_INTERNAL_POLLING_THREAD,
	MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
	MHD_USE_EPOLL_INTERNAL_THREAD,
	MHD_USE_EPOLL_INTERNAL_THREAD,
	MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
	0
};

static struct server {
	struct MHD_Daemon *d;
	int mode;
	uint16_t port;
	uint32_t number;
	pthread_t thread;
	atomic_bool is_over;
} server;

static void *run_loop(void *cls)
{
	struct server *s = cls;

	while (!atomic_load(&s->is_over)) {
		struct timeval limit = { 0, 5000 };
		MHD_UNSIGNED_LONG_LONG ms;
		fd_set r, w, e;
		int max = -1;
		FD_ZERO(&r);
		FD_ZERO(&w);
		FD_ZERO(&e);
		if (MHD_get_fdset(s->d, &r, &w, &e, &max) != MHD_YES)
			break;
		if (MHD_get_timeout(s->d, &ms) == MHD_YES && ms == 0)
			limit.tv_usec = 0;
		select(max + 1, &r, &w, &e, &limit);
		MHD_run_from_select(s->d, &r, &w, &e);
	}
	return NULL;
}

/* Numbers are not used again in a process. */
static uint32_t last_number(void)
{
	static struct tailbox__daemon all[TAILBOX__DAEMONS_MAX];
	uint32_t n = tailbox__daemons(all), last = 0;

	while (n-- > 0)
		if (all[n].number > last)
			last = all[n].number;
	return last;
}

/* Of a connection, in seconds: long, but for tests of it; a machine that is
 * slow for once would have it come into the others. */
static unsigned time_limit;

static void serve_on(int mode, int listen_fd)
{
	struct MHD_OptionItem ops[] = {
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)&on_completed, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)time_limit, NULL },
		{ MHD_OPTION_THREAD_POOL_SIZE, mode == POOL ? 2 : 0, NULL },
		{ MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (listen_fd < 0)
		ops[3].option = MHD_OPTION_END;
	if (mode != POOL)
		ops[2] = ops[1];
	server.mode = mode;
	server.d = tailbox_mhd_start_daemon_array(
	        mode_flags[mode] | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE,
	        0, NULL, NULL, answer, NULL, ops);
	ck_assert_ptr_nonnull(server.d);
	server.number = last_number();
	server.port = listen_fd < 0 ? e2e_port(server.d) : 0;
	atomic_store(&server.is_over, false);
	if (mode == EXTERNAL)
		ck_assert_int_eq(pthread_create(&server.thread, NULL, run_loop,
		                                &server), 0);
}

static void serve(int mode)
{
	serve_on(mode, -1);
}

static void stop(void)
{
	if (server.d == NULL)
		return;
	if (server.mode == EXTERNAL) {
		atomic_store(&server.is_over, true);
		pthread_join(server.thread, NULL);
	}
	tailbox_mhd_stop_daemon(server.d);
	server.d = NULL;
}

/* --- the tape ---------------------------------------------------------- */

static struct tailbox__reader *reader;
static struct fixture_records got;

struct seen {
	struct tailbox__rec_request r;
	struct tailbox__rec_more m;
	struct tailbox__rec_trace t;
	bool has_more, has_trace;
};
static struct seen seen[64];
static size_t seen_count;
static struct tailbox__rec_connection connections[16];
static size_t connection_count;

static size_t take(const char *p)
{
	struct seen *s = &seen[seen_count < 64 ? seen_count++ : 63];
	size_t n = 64;

	memset(s, 0, sizeof(*s));
	memcpy(&s->r, p, 64);
	for (int i = 0; i < s->r.more; i++, n += 64) {
		if (p[n] == TAILBOX__REC_MORE) {
			memcpy(&s->m, p + n, 64);
			s->has_more = true;
		} else if (p[n] == TAILBOX__REC_TRACE) {
			memcpy(&s->t, p + n, 64);
			s->has_trace = true;
		}
	}
	return n;
}

/* Blocks of different threads come in no order. */
static int by_line(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->r.line < y->r.line ? -1 : x->r.line > y->r.line;
}

static int by_opened(const void *a, const void *b)
{
	const struct tailbox__rec_connection *x = a, *y = b;

	return x->opened < y->opened ? -1 : x->opened > y->opened;
}

/* All that was recorded so far; the first 64 requests in detail. */
static void look(void)
{
	const size_t kind = TAILBOX__BLOCK_REQUESTS;

	fixture_forget(&got);
	tailbox__reader_rewind(reader);
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
	seen_count = connection_count = 0;
	for (size_t at = 0; at < got.len[kind];) {
		const char *p = got.bytes[kind] + at;
		if (*p == TAILBOX__REC_REQUEST) {
			at += take(p);
			continue;
		}
		ck_assert_int_eq(*p, TAILBOX__REC_CONNECTION);
		if (connection_count < 16)
			memcpy(&connections[connection_count++], p, 64);
		at += 64;
	}
	qsort(seen, seen_count, sizeof(seen[0]), by_line);
	qsort(connections, connection_count, sizeof(connections[0]), by_opened);
}

static uint64_t sum(size_t field)
{
	return tailbox__reader_sum(reader, field);
}
#define SUM_OF(name) sum(offsetof(struct tailbox__thread_entry, name))

static double ms_of(uint32_t packed)
{
	return (double)tailbox__ticks_to_ns(tailbox__reader_scale(reader),
	                                    tailbox__unpack(packed)) / 1e6;
}

static const char *route_of(const struct seen *s)
{
	return tailbox__reader_name(reader, s->r.route, NULL);
}

static bool is_recorded(void *cls)
{
	look();
	return seen_count >= *(size_t *)cls;
}

static bool has_connections(void *cls)
{
	look();
	return connection_count >= *(size_t *)cls;
}

/* Wait for `n` requests and no more than that. */
static void want(size_t n)
{
	e2e_wait(is_recorded, &n, "records");
	ck_assert_uint_eq(seen_count, n);
}

static uint32_t known(const struct seen *s, uint32_t bits)
{
	return s->r.known & bits;
}

/* What holds of every request. */
static void check_sane(const struct seen *s)
{
	double total = ms_of(s->r.total);
	double parts = ms_of(s->r.headers) + ms_of(s->r.body) +
	               ms_of(s->r.handler) + ms_of(s->r.suspended) +
	               ms_of(s->r.send);

	ck_assert_uint_ne(s->r.number, 0);
	ck_assert_uint_ne(s->r.connection, 0);
	ck_assert_str_eq(tailbox__reader_name(reader, s->r.kind, NULL), "http");
	/* Suspended time runs from the call, in which the handler still is. */
	if (s->r.known & TAILBOX__KNOWN_SUSPENDED)
		parts -= ms_of(s->r.handler);
	ck_assert_msg(parts <= total + 0.001, "%f of %f ms", parts, total);
}

static void exchange(const char *text)
{
	struct e2e_bytes b = e2e_exchange(server.port, text);

	free(b.text);
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" CLOSE

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
	ck_assert_int_eq(e2e_load(server.port, "/hello", count, 8), count);
	e2e_wait(is_quiet, NULL, "open requests to end");
	stop();
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
	b = e2e_exchange(server.port,
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

	serve(_i);
	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = e2e_connect(server.port);
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
	stop();
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

/* Is there a request in phase *cls? */
static bool has_open(void *cls)
{
	const struct tailbox__slot *slots;
	long n = tailbox__reader_slots(reader, &slots);

	for (long i = 0; i < n; i++)
		if (TAILBOX__GET(slots[i].state) == TAILBOX__SLOT_OPEN &&
		    TAILBOX__GET(slots[i].phase) == *(uint32_t *)cls)
			return true;
	return false;
}

static void reach(uint32_t phase)
{
	e2e_wait(has_open, &phase, tailbox__phase_names[phase]);
}

/* --- phases ------------------------------------------------------------ */

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
	fd = e2e_connect(server.port);
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
		fd = e2e_connect(server.port);
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
	fd = e2e_connect(server.port);
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
	fd = e2e_connect(server.port);
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
		struct e2e_bytes b = e2e_exchange(server.port, rows[i].text);
		want(i + 1);
		check_sane(&seen[i]);
		ck_assert_uint_eq(seen[i].r.status, rows[i].status);
		ck_assert_uint_eq(seen[i].m.bytes_out, b.len);
		ck_assert_uint_eq(seen[i].m.daemon, server.number);
		free(b.text);
	}
	stop();
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
	fd = e2e_connect(server.port);
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
	b = e2e_exchange(server.port,
	                 "POST /up HTTP/1.1\r\nContent-Length: x\r\n" CLOSE);
	want(2);
	ck_assert_uint_eq(seen[1].r.status, 400);
	ck_assert_uint_eq(seen[1].m.bytes_out, b.len);
	free(b.text);
	ck_assert_uint_eq(atomic_load(&completions), 0);
}
END_TEST

START_TEST(rejections_belong_to_the_connection)
{
	size_t one = 1, two = 2, three = 3;
	struct e2e_bytes b, c;
	int fd;

	serve(_i);
	b = e2e_exchange(server.port, "GET / HTTP/7.7\r\n" CLOSE);
	e2e_wait(has_connections, &one, "a connection's record");
	ck_assert_uint_gt(b.len, 0);
	ck_assert_uint_eq(connections[0].unaccounted, b.len);
	ck_assert_uint_eq(connections[0].bytes_out, b.len);
	ck_assert_uint_eq(connections[0].requests, 0);
	ck_assert_uint_eq(connections[0].daemon, server.number);

	/* After a request that was served. */
	fd = e2e_connect(server.port);
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
	close(e2e_connect(server.port));
	e2e_wait(has_connections, &three, "a connection's record");
	ck_assert_uint_eq(connections[2].unaccounted, 0);
	ck_assert_uint_eq(connections[2].bytes_in, 0);
	ck_assert_uint_eq(seen_count, 1);
	stop();
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
	fd = e2e_connect(server.port);
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
	fd = e2e_connect(server.port);
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
	fd = e2e_connect(server.port);
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
	stop();
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

/* --- suspension -------------------------------------------------------- */

static void *fetch(void *cls)
{
	free(e2e_exchange(server.port, cls).text);
	return NULL;
}

static void suspend_for(const char *text,
                        void (*resume)(struct MHD_Connection *), bool queue)
{
	pthread_t t;

	e2e_start(&t, fetch, (void *)(uintptr_t)text);
	sem_wait(&entered);
	pause_ms(PAUSE_MS);
	if (queue)
		reply(suspended, 203, "other", 5);
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
	stop();
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
		                  server.number);
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

/* --- on and off -------------------------------------------------------- */

START_TEST(paused_is_not_recorded)
{
	int fd;

	serve(_i);
	tailbox__recorder_set(false);
	fd = e2e_connect(server.port);
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
	stop();
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
	fd = e2e_connect(server.port);
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
	ck_assert_int_eq(MHD_add_connection(server.d, pair[1], (void *)&a,
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
	struct server one;

	serve(EPOLL);
	one = server;
	serve(POOL);
	exchange(GET("/hello"));
	want(1);
	ck_assert_uint_eq(seen[0].m.daemon, server.number);
	free(e2e_exchange(one.port, GET("/hello")).text);
	want(2);
	ck_assert_uint_eq(seen[1].m.daemon, one.number);
	ck_assert_uint_ne(one.number, server.number);
	stop();
	tailbox_mhd_stop_daemon(one.d);
}
END_TEST

/* Slots and states come and go with connections. */
START_TEST(connections_come_and_go)
{
	serve(_i);
	for (int i = 0; i < 300; i++)
		exchange(GET("/hello"));
	stop();
	look();
	ck_assert_uint_eq(SUM_OF(finished), 300);
	ck_assert_uint_eq(SUM_OF(connections), 300);
	tailbox__reader_refresh(reader);
	ck_assert_uint_le(TAILBOX__GET(
	        tailbox__reader_header(reader)->slots_used), 64);
}
END_TEST

static void before(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	signal(SIGPIPE, SIG_IGN);
	big = malloc(BIG);
	memset(big, 'b', BIG);
	sem_init(&entered, 0, 0);
	sem_init(&let_go, 0, 0);
	atomic_store(&completions, 0);
	time_limit = 60;
	fixture_open((uint64_t)4 << 20);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
}

static void after(void)
{
	stop();
	tailbox__reader_close(reader);
	reader = NULL;
	fixture_forget(&got);
	fixture_close();
	free(big);
	sem_destroy(&entered);
	sem_destroy(&let_go);
}

int main(void)
{
	Suite *s = suite_create("mhd_record");
	TCase *every = tcase_create("every mode"), *some = tcase_create("some");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(every, 60);
	tcase_set_timeout(some, 60);
	tcase_add_checked_fixture(every, before, after);
	tcase_add_checked_fixture(some, before, after);
	tcase_add_loop_test(every, every_request_once, 0, MODES);
	tcase_add_loop_test(every, one_connection_is_one_number, 0, MODES);
	tcase_add_loop_test(every, connections_in_turn, 0, MODES);
	tcase_add_loop_test(every, a_slow_handler_is_handler_time, 0, MODES);
	tcase_add_loop_test(every, split_headers_are_header_time, 0, MODES);
	tcase_add_loop_test(every, a_slow_upload_is_body_time, 0, MODES);
	tcase_add_loop_test(every, uploads_of_every_kind, 0, MODES);
	tcase_add_loop_test(every, waiting_for_100_continue_is_body_time, 0,
	                    MODES);
	tcase_add_loop_test(every, a_slow_reader_is_send_time, 0, MODES);
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
	tcase_add_loop_test(every, a_stuck_worker_is_seen, 0, MODES);
	tcase_add_loop_test(every, paused_is_not_recorded, 0, MODES);
	tcase_add_loop_test(every, connections_come_and_go, 0, MODES);
	/* Not where each connection has a thread, see the parity test. */
	tcase_add_loop_test(some, suspended_time_is_told, 0, THREADS);
	tcase_add_loop_test(some, queued_while_suspended, 0, THREADS);
	tcase_add_loop_test(some, an_upload_that_is_suspended, 0, THREADS);
	tcase_add_loop_test(some, time_limits, EPOLL, THREADS + 1);
	tcase_add_loop_test(some, a_spinning_handler_is_one_record, EPOLL,
	                    THREADS);
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
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
