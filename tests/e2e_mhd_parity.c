/* tests/e2e_mhd_parity.c - the application and its clients see what they
 * would see without us.
 *
 * SPDX-License-Identifier: MIT
 *
 * One application that does all that the server library allows writes down
 * every call it gets. A client script is played against it, once on a bare
 * daemon and once on a recorded one; then the two lists of calls and the
 * bytes that the client read are compared as text. In every mode of the
 * server, with and without callbacks of the application's own, recording and
 * paused.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#include <tailbox/mhd.h>

#include "middleware/connections.h"
#include "middleware/tcp_info.h"
#include "tests/e2e_client.h"
#include "tests/recorder_fixture.h"

#define BIG (4u << 20)
#define SOCKET_BUFFER (64 << 10) /* so that BIG is never all under way */

/* --- what happened ----------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	char text[65536];
	size_t len;
	char last[256];
	int opened, closed;
	int fd; /* the server's end of the connection opened last */
} log_ = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&log_.lock);
	/* A handler that is called again and again is one line. */
	if (strcmp(line, log_.last) != 0 &&
	    log_.len + strlen(line) + 2 < sizeof(log_.text))
		log_.len += (size_t)snprintf(log_.text + log_.len,
		                             sizeof(log_.text) - log_.len,
		                             "%s\n", line);
	snprintf(log_.last, sizeof(log_.last), "%s", line);
	pthread_mutex_unlock(&log_.lock);
}

static bool all_closed(void *cls)
{
	bool is;

	pthread_mutex_lock(&log_.lock);
	is = log_.closed >= *(int *)cls;
	pthread_mutex_unlock(&log_.lock);
	return is;
}

static bool has_logged(void *cls)
{
	bool is;

	pthread_mutex_lock(&log_.lock);
	is = strstr(log_.text, (const char *)cls) != NULL;
	pthread_mutex_unlock(&log_.lock);
	return is;
}

/* --- the application --------------------------------------------------- */

struct request {
	char path[64];
	unsigned calls;
	size_t body;
	bool was_suspended;
};

static struct MHD_Daemon *daemon_;
static bool is_wrapped;
static int helper_error;
static char *big;
static sem_t entered, let_go;
static pthread_t helper;
static bool has_helper;
static struct MHD_Connection *suspended;
static struct MHD_UpgradeResponseHandle *upgraded;
static int upgraded_fd;

static void suspend(struct MHD_Connection *c)
{
	if (is_wrapped)
		tailbox_mhd_suspend_connection(c);
	else
		MHD_suspend_connection(c);
}

static void resume(struct MHD_Connection *c)
{
	if (is_wrapped)
		tailbox_mhd_resume_connection(c);
	else
		MHD_resume_connection(c);
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status,
                             const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc = MHD_queue_response(c, status, r);

	MHD_destroy_response(r);
	return rc;
}

static ssize_t produce(void *cls, uint64_t pos, char *buf, size_t max)
{
	(void)cls;
	if (pos >= 30000)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (max > 30000 - pos)
		max = (size_t)(30000 - pos);
	memset(buf, 'p', max);
	return (ssize_t)max;
}

static enum MHD_Result reply_stream(struct MHD_Connection *c, uint64_t size)
{
	struct MHD_Response *r = MHD_create_response_from_callback(
	        size, 1024, produce, NULL, NULL);
	enum MHD_Result rc = MHD_queue_response(c, 200, r);

	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result reply_big(struct MHD_Connection *c)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        BIG, big, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc = MHD_queue_response(c, 200, r);

	MHD_destroy_response(r);
	return rc;
}

static void on_upgrade(void *cls, struct MHD_Connection *c, void *req_cls,
                       const char *extra, size_t extra_size, MHD_socket sock,
                       struct MHD_UpgradeResponseHandle *urh)
{
	struct request *q = req_cls;

	(void)cls, (void)c, (void)extra;
	note("upgraded %s extra %zu", q ? q->path : "-", extra_size);
	upgraded = urh;
	upgraded_fd = sock;
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

static void *resume_later(void *cls)
{
	bool *queue_first = cls;

	if (queue_first != NULL)
		reply(suspended, 203, "queued while suspended\n");
	resume(suspended);
	return NULL;
}

/* The other thread can only run when the handler has returned. */
static void start_helper(struct MHD_Connection *c, bool queue_first)
{
	static bool yes = true;

	suspended = c;
	helper_error = pthread_create(&helper, NULL, resume_later,
	                              queue_first ? &yes : NULL);
	has_helper = helper_error == 0;
}

static bool is(const struct request *q, const char *path)
{
	return strcmp(q->path, path) == 0;
}

/* In the first call; MHD_YES and nothing queued means go on. */
static enum MHD_Result first(struct request *q, struct MHD_Connection *c)
{
	if (is(q, "/at-once"))
		return reply(c, 200, "at once\n");
	if (is(q, "/early"))
		return reply(c, 413, "too large\n");
	if (is(q, "/no-first"))
		return MHD_NO;
	if (is(q, "/suspend-first") && !q->was_suspended) {
		q->was_suspended = true;
		q->calls = 0; /* the first call comes again */
		suspend(c);
		start_helper(c, false);
	}
	return MHD_YES;
}

static enum MHD_Result final(struct request *q, struct MHD_Connection *c)
{
	if (is(q, "/no"))
		return MHD_NO;
	if (is(q, "/again"))
		return q->calls < 200 ? MHD_YES : reply(c, 200, "at last\n");
	if (is(q, "/suspend") && !q->was_suspended) {
		q->was_suspended = true;
		suspend(c);
		start_helper(c, false);
		return MHD_YES;
	}
	if (is(q, "/suspend-queue")) {
		suspend(c);
		start_helper(c, true);
		return MHD_YES;
	}
	if (is(q, "/slow")) {
		sem_post(&entered);
		sem_wait(&let_go);
	}
	if (is(q, "/stream"))
		return reply_stream(c, MHD_SIZE_UNKNOWN);
	if (is(q, "/stream-known"))
		return reply_stream(c, 30000);
	if (is(q, "/big"))
		return reply_big(c);
	if (is(q, "/upgrade"))
		return reply_upgrade(c);
	if (is(q, "/missing"))
		return reply(c, 404, "no\n");
	if (is(q, "/icy"))
		return reply(c, 200 | MHD_ICY_FLAG, "icy\n");
	if (is(q, "/nothing"))
		return reply(c, 204, "");
	return reply(c, 200, "hello\n");
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct request *q = *req_cls;
	enum MHD_Result rc;

	if (q == NULL || q->calls == 0) {
		note("first %s %s %s %s cls %d size %zu", method, url, version,
		     q ? q->path : "-", cls == &log_, *size);
		if (q == NULL)
			q = *req_cls = calloc(1, sizeof(*q));
		snprintf(q->path, sizeof(q->path), "%s", url);
		q->calls = 1;
		return first(q, c);
	}
	q->calls++;
	if (*size != 0) {
		q->body += *size;
		note("upload %s", data != NULL ? "data" : "null");
		*size = 0;
		return MHD_YES;
	}
	note("final %s body %zu", q->path, q->body);
	rc = final(q, c);
	return rc;
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct request *q = calloc(1, sizeof(*q));

	(void)c;
	note("uri %s cls %d", uri, cls == &big);
	snprintf(q->path, sizeof(q->path), "from uri");
	return q;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **req_cls,
                         enum MHD_RequestTerminationCode toe)
{
	struct request *q = *req_cls;

	(void)c;
	note("completed %d %s body %zu cls %d", (int)toe, q ? q->path : "-",
	     q ? q->body : 0, cls == &daemon_);
	free(q);
	*req_cls = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode toe)
{
	pthread_mutex_lock(&log_.lock);
	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		log_.opened++;
		log_.fd = MHD_get_connection_info(
		        c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	}
	pthread_mutex_unlock(&log_.lock);
	note("connection %d context %s cls %d", (int)toe,
	     *context ? (const char *)*context : "-", cls == &entered);
	*context = (void *)(uintptr_t)"mine";
	pthread_mutex_lock(&log_.lock);
	log_.closed += toe == MHD_CONNECTION_NOTIFY_CLOSED;
	pthread_mutex_unlock(&log_.lock);
}

/* --- daemons ----------------------------------------------------------- */

enum { SELECT, POLL, EPOLL, POOL, THREADS, EXTERNAL, MODES };
static const char *const mode_names[MODES] = {
	"select", "poll", "epoll", "pool", "threads", "external"
};
static const unsigned mode_flags[MODES] = {
	MHD_USE_INTERNAL_POLLING_THREAD,
	MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
	MHD_USE_EPOLL_INTERNAL_THREAD,
	MHD_USE_EPOLL_INTERNAL_THREAD,
	MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
	0
};

static struct {
	pthread_t thread;
	atomic_bool is_over;
} loop;

static void *run_loop(void *cls)
{
	struct MHD_Daemon *d = cls;

	while (!atomic_load(&loop.is_over)) {
		struct timeval limit = { 0, 5000 };
		MHD_UNSIGNED_LONG_LONG ms;
		fd_set r, w, e;
		int max = -1;
		FD_ZERO(&r);
		FD_ZERO(&w);
		FD_ZERO(&e);
		if (MHD_get_fdset(d, &r, &w, &e, &max) != MHD_YES)
			break;
		if (MHD_get_timeout(d, &ms) == MHD_YES && ms == 0)
			limit.tv_usec = 0;
		select(max + 1, &r, &w, &e, &limit);
		MHD_run_from_select(d, &r, &w, &e);
	}
	return NULL;
}

static int mode;
/* Plays the steps of time-outs, which take a second each, in this mode only;
 * MODES = in each where there is something to see. */
static int patient_mode;
enum { NO_URI_LOG = 1, NO_COMPLETED = 2 };

static struct MHD_Daemon *start(int without, unsigned timeout_s)
{
	const unsigned flags = mode_flags[mode] | MHD_ALLOW_SUSPEND_RESUME |
	                       MHD_ALLOW_UPGRADE |
	                       MHD_USE_SUPPRESS_DATE_NO_CLOCK;
	struct MHD_OptionItem ops[8], end = { MHD_OPTION_END, 0, NULL };
	int n = 0;

	ops[n++] = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_CONNECTION,
		                            (intptr_t)&on_connection,
		                            &entered };
	ops[n++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_TIMEOUT,
		                            (intptr_t)timeout_s, NULL };
	if (mode == POOL)
		ops[n++] = (struct MHD_OptionItem){
			MHD_OPTION_THREAD_POOL_SIZE, 2, NULL
		};
	if (!(without & NO_COMPLETED))
		ops[n++] = (struct MHD_OptionItem){
			MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)&on_completed,
			&daemon_
		};
	if (!(without & NO_URI_LOG))
		ops[n++] = (struct MHD_OptionItem){ MHD_OPTION_URI_LOG_CALLBACK,
			                            (intptr_t)&on_uri, &big };
	ops[n] = end;
	if (is_wrapped)
		return tailbox_mhd_start_daemon_array(flags, 0, NULL, NULL,
		                                      answer, &log_, ops);
	return MHD_start_daemon(flags, 0, NULL, NULL, answer, &log_,
	                        MHD_OPTION_ARRAY, ops, MHD_OPTION_END);
}

static void set_up(int without, unsigned timeout_s)
{
	const int room = SOCKET_BUFFER;
	int fd;

	daemon_ = start(without, timeout_s);
	ck_assert_ptr_nonnull(daemon_);
	/* What it accepts inherits that. */
	fd = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room,
	                            sizeof(room)), 0);
	if (mode != EXTERNAL)
		return;
	atomic_store(&loop.is_over, false);
	ck_assert_int_eq(pthread_create(&loop.thread, NULL, run_loop, daemon_),
	                 0);
}

static void tear_down(void)
{
	if (mode == EXTERNAL) {
		atomic_store(&loop.is_over, true);
		pthread_join(loop.thread, NULL);
	}
	if (is_wrapped)
		tailbox_mhd_stop_daemon(daemon_);
	else
		MHD_stop_daemon(daemon_);
}

/* --- the script -------------------------------------------------------- */

#define END_OF_HEAD "Host: x\r\nConnection: close\r\n\r\n"

/* The server's end of the connection; -1 = not accepted yet. */
static int server_fd(void)
{
	int fd;

	pthread_mutex_lock(&log_.lock);
	fd = log_.opened > 0 ? log_.fd : -1;
	pthread_mutex_unlock(&log_.lock);
	return fd;
}

/* All of the first *cls bytes were received and taken. An end that comes
 * after that is an event of its own; one that comes together with data is seen
 * at once or, in epoll modes, at the time limit. */
static bool has_taken(void *cls)
{
	struct tailbox__tcp tcp;
	int fd = server_fd(), left = 0;

	return fd >= 0 && tailbox__tcp_info(fd, &tcp) &&
	       tcp.bytes_in >= *(size_t *)cls &&
	       ioctl(fd, FIONREAD, &left) == 0 && left == 0;
}

/* The client's end, orderly or not, has arrived. */
static bool has_end(void *cls)
{
	struct pollfd p = { server_fd(), POLLRDHUP, 0 };

	(void)cls;
	return poll(&p, 1, 0) == 1;
}

/* A step without `play` sends its text and reads to the end. */
struct step {
	const char *name, *text;
	void (*play)(uint16_t port, struct e2e_bytes *got);
};

static void play_keep_alive(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);
	struct e2e_bytes b;

	for (int i = 0; i < 3; i++) {
		e2e_send(fd, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
		b = e2e_read_reply(fd, false);
		free(b.text);
	}
	e2e_send(fd, "GET /two HTTP/1.1\r\n" END_OF_HEAD);
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_big_upload(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	e2e_send(fd, "POST /up HTTP/1.1\r\nContent-Length: 4194304\r\n"
	             END_OF_HEAD);
	e2e_send_bytes(fd, big, BIG);
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_continue(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);
	struct e2e_bytes b;

	e2e_send(fd, "POST /up HTTP/1.1\r\nExpect: 100-continue\r\n"
	             "Content-Length: 5\r\n" END_OF_HEAD);
	b = e2e_read_reply(fd, false);
	ck_assert_int_eq(e2e_status(&b), 100);
	free(b.text);
	e2e_send(fd, "abcde");
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_split(uint16_t port, struct e2e_bytes *got)
{
	const struct timespec ms = { 0, 2000000 };
	int fd = e2e_connect(port);

	e2e_send(fd, "GET /hel");
	nanosleep(&ms, NULL);
	e2e_send(fd, "lo HTTP/1.1\r\nHost:");
	nanosleep(&ms, NULL);
	e2e_send(fd, " x\r\nConnection: close\r\n\r\n");
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_upgrade(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);
	struct e2e_bytes b;
	char c;

	e2e_send(fd, "GET /upgrade HTTP/1.1\r\nHost: x\r\n"
	             "Connection: upgrade\r\nUpgrade: echo\r\n\r\n");
	*got = e2e_read_reply(fd, false);
	sem_wait(&entered);
	e2e_send(fd, "x");
	ck_assert_int_eq(recv(upgraded_fd, &c, 1, MSG_WAITALL) == 1 ||
	                         errno == EAGAIN, 1);
	e2e_send(upgraded_fd, "tunnel");
	b = e2e_read_len(fd, 6);
	ck_assert_str_eq(b.text, "tunnel");
	free(b.text);
	MHD_upgrade_action(upgraded, MHD_UPGRADE_ACTION_CLOSE);
	close(fd);
}

static void play_reset_in_handler(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	(void)got;
	e2e_send(fd, "GET /slow HTTP/1.1\r\n" END_OF_HEAD);
	sem_wait(&entered);
	e2e_reset(fd);
	e2e_wait(has_end, NULL, "the reset");
	sem_post(&let_go);
}

static void play_end_in_handler(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	(void)got;
	e2e_send(fd, "GET /slow HTTP/1.1\r\n" END_OF_HEAD);
	sem_wait(&entered);
	close(fd);
	e2e_wait(has_end, NULL, "the end");
	sem_post(&let_go);
}

static void play_half_close(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	e2e_send(fd, "GET /hello HTTP/1.1\r\n" END_OF_HEAD);
	shutdown(fd, SHUT_WR);
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_abort_in_body(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	(void)got;
	e2e_send(fd, "POST /up HTTP/1.1\r\nContent-Length: 100\r\n"
	             END_OF_HEAD "only a part");
	e2e_wait(has_logged, (void *)(uintptr_t)"upload", "the upload");
	close(fd);
}

static void play_abort_in_headers(uint16_t port, struct e2e_bytes *got)
{
	static const char part[] = "GET /hello HTTP/1.1\r\nHost: x";
	size_t len = sizeof(part) - 1;
	int fd = e2e_connect(port);

	(void)got;
	e2e_send(fd, part);
	e2e_wait(has_taken, &len, "the server to read");
	close(fd);
}

static void play_abort_in_reply(uint16_t port, struct e2e_bytes *got)
{
	const int room = SOCKET_BUFFER;
	int fd = e2e_connect(port), ours = 0, theirs = 0;
	socklen_t len = sizeof(int);
	struct e2e_bytes b;

	(void)got;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room,
	                            sizeof(room)), 0);
	e2e_send(fd, "GET /big HTTP/1.1\r\n" END_OF_HEAD);
	b = e2e_read_len(fd, 1000);
	free(b.text);
	/* The server cannot be done before the reset. */
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &ours, &len);
	getsockopt(server_fd(), SOL_SOCKET, SO_SNDBUF, &theirs, &len);
	ck_assert_int_lt(ours + theirs, BIG / 2);
	e2e_reset(fd);
}

static void play_connect_only(uint16_t port, struct e2e_bytes *got)
{
	(void)got;
	close(e2e_connect(port));
}

static void play_timeout(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	e2e_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n");
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_long_header(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	e2e_send(fd, "GET /hello HTTP/1.1\r\nX: ");
	e2e_send_bytes(fd, big, 100000);
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_long_target(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	e2e_send(fd, "GET /");
	e2e_send_bytes(fd, big, 100000);
	*got = e2e_read_all(fd);
	close(fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\n" END_OF_HEAD
#define POST(path, head, body)                                                 \
	"POST " path " HTTP/1.1\r\n" head END_OF_HEAD body

static const struct step script[] = {
	{ "plain", GET("/hello"), NULL },
	{ "query", GET("/hello?a=b%20c"), NULL },
	{ "at once", GET("/at-once"), NULL },
	{ "keep-alive", NULL, play_keep_alive },
	{ "pipelined",
	  "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
	  GET("/c"), NULL },
	{ "1.0", "GET /hello HTTP/1.0\r\n\r\n", NULL },
	{ "head", "HEAD /hello HTTP/1.1\r\n" END_OF_HEAD, NULL },
	{ "options", "OPTIONS * HTTP/1.1\r\n" END_OF_HEAD, NULL },
	{ "delete", "DELETE /x HTTP/1.1\r\n" END_OF_HEAD, NULL },
	{ "post", POST("/up", "Content-Length: 5\r\n", "abcde"), NULL },
	{ "empty post", POST("/up", "Content-Length: 0\r\n", ""), NULL },
	{ "get with body",
	  "GET /up HTTP/1.1\r\nContent-Length: 5\r\n" END_OF_HEAD "abcde",
	  NULL },
	{ "big post", NULL, play_big_upload },
	{ "chunked", POST("/up", "Transfer-Encoding: chunked\r\n",
	                  "5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"), NULL },
	{ "continue", NULL, play_continue },
	{ "early", POST("/early", "Content-Length: 5\r\n", "abcde"), NULL },
	{ "split", NULL, play_split },
	{ "missing", GET("/missing"), NULL },
	{ "204", GET("/nothing"), NULL },
	{ "icy", GET("/icy"), NULL },
	{ "stream", GET("/stream"), NULL },
	{ "stream known", GET("/stream-known"), NULL },
	{ "big", GET("/big"), NULL },
	{ "no in first", GET("/no-first"), NULL },
	{ "no in final", GET("/no"), NULL },
	{ "again", GET("/again"), NULL },
	{ "suspend in first", GET("/suspend-first"), NULL },
	{ "suspend in final", GET("/suspend"), NULL },
	{ "suspend a post", POST("/suspend", "Content-Length: 5\r\n", "abcde"),
	  NULL },
	{ "queue while suspended", GET("/suspend-queue"), NULL },
	{ "upgrade", NULL, play_upgrade },
	{ "no host", "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", NULL },
	{ "505", "GET /hello HTTP/7.7\r\n" END_OF_HEAD, NULL },
	{ "bad length", POST("/up", "Content-Length: x\r\n", ""), NULL },
	{ "431", NULL, play_long_header },
	{ "414", NULL, play_long_target },
	{ "reset in handler", NULL, play_reset_in_handler },
	{ "end in handler", NULL, play_end_in_handler },
	{ "half close", NULL, play_half_close },
	{ "abort in body", NULL, play_abort_in_body },
	{ "abort in headers", NULL, play_abort_in_headers },
	{ "abort in reply", NULL, play_abort_in_reply },
	{ "connect only", NULL, play_connect_only },
	{ "timeout in headers", NULL, play_timeout },
};
#define STEPS (sizeof(script) / sizeof(script[0]))

struct outcome {
	char *calls;
	struct e2e_bytes bytes;
};

static void play(const struct step *s, uint16_t port, struct outcome *out)
{
	int one = 1;

	if (getenv("E2E_VERBOSE") != NULL)
		fprintf(stderr, "%s %s\n", is_wrapped ? "ours" : "bare",
		        s->name);
	pthread_mutex_lock(&log_.lock);
	log_.len = 0;
	log_.text[0] = log_.last[0] = '\0';
	log_.opened = log_.closed = helper_error = 0;
	pthread_mutex_unlock(&log_.lock);
	out->bytes.text = NULL;
	out->bytes.len = 0;
	if (s->play != NULL)
		s->play(port, &out->bytes);
	else
		out->bytes = e2e_exchange(port, s->text);
	if (has_helper)
		pthread_join(helper, NULL);
	has_helper = false;
	ck_assert_int_eq(helper_error, 0);
	e2e_wait(all_closed, &one, s->name);
	pthread_mutex_lock(&log_.lock);
	out->calls = strdup(log_.text);
	pthread_mutex_unlock(&log_.lock);
}

/* These have daemons with a short limit to themselves; else a machine that is
 * slow for once would show a time-out where the script has none. */
static bool is_timeout(const struct step *s)
{
	return s->play == play_timeout;
}

/* With a thread for each connection libmicrohttpd 0.9.75 may miss the resume
 * of a suspended one and hang, bare or not. */
static bool is_left_out(const struct step *s)
{
	if (is_timeout(s))
		return (mode != POOL && mode != THREADS) ||
		       (mode != patient_mode && patient_mode != MODES);
	return mode == THREADS && strstr(s->name, "suspend") != NULL;
}

static void play_some(int without, bool timeouts, struct outcome *out)
{
	set_up(without, timeouts ? 1 : 4 * E2E_PATIENCE_MS / 1000);
	for (size_t i = 0; i < STEPS; i++)
		if (!is_left_out(&script[i]) &&
		    is_timeout(&script[i]) == timeouts)
			play(&script[i], e2e_port(daemon_), &out[i]);
	tear_down();
}

static void play_all(int without, struct outcome *out)
{
	memset(out, 0, STEPS * sizeof(*out));
	play_some(without, false, out);
	if (patient_mode == mode || patient_mode == MODES)
		play_some(without, true, out);
}

static void compare(const char *what, const struct outcome *bare,
                    const struct outcome *ours)
{
	for (size_t i = 0; i < STEPS; i++) {
		if (is_left_out(&script[i]))
			continue;
		ck_assert_msg(strcmp(bare[i].calls, ours[i].calls) == 0,
		              "%s, %s, %s: bare:\n%sours:\n%s",
		              mode_names[mode], what, script[i].name,
		              bare[i].calls, ours[i].calls);
		ck_assert_msg(bare[i].bytes.len == ours[i].bytes.len &&
		                      (bare[i].bytes.len == 0 ||
		                       memcmp(bare[i].bytes.text,
		                              ours[i].bytes.text,
		                              bare[i].bytes.len) == 0),
		              "%s, %s, %s: other bytes", mode_names[mode], what,
		              script[i].name);
	}
}

static void forget(struct outcome *o)
{
	for (size_t i = 0; i < STEPS; i++) {
		free(o[i].calls);
		free(o[i].bytes.text);
	}
}

static void parity(const char *what, int without, bool is_on, uint32_t fds)
{
	static struct outcome bare[STEPS], ours[STEPS];

	is_wrapped = false;
	play_all(without, bare);
	is_wrapped = true;
	fixture_open(TAILBOX__TAPE_MIN);
	tailbox__recorder_set(is_on);
	ck_assert_int_eq(tailbox__connections_init(), 0);
	tailbox__connections_limit(fds);
	play_all(without, ours);
	tailbox__connections_limit(0);
	fixture_close();
	compare(what, bare, ours);
	forget(bare);
	forget(ours);
}

#ifdef E2E_LONG
#define PATIENT(mode) MODES
#else
#define PATIENT(mode) (mode)
#endif

START_TEST(with_all_callbacks)
{
	mode = _i;
	patient_mode = PATIENT(POOL);
	parity("all callbacks", 0, true, 0);
}
END_TEST

/* Then our URI_LOG makes the server report requests that the application
 * would not hear of. */
START_TEST(without_a_uri_log)
{
	mode = _i;
	patient_mode = PATIENT(THREADS);
	parity("no URI_LOG", NO_URI_LOG, true, 0);
}
END_TEST

START_TEST(paused_without_a_uri_log)
{
	mode = _i;
	parity("paused", NO_URI_LOG, false, 0);
}
END_TEST

/* With a URI_LOG, that is: what no state is kept of cannot be told apart. */
START_TEST(descriptors_beyond_the_table_pass)
{
	mode = _i;
	parity("beyond the table", 0, true, 1);
}
END_TEST

static void before(void)
{
	signal(SIGPIPE, SIG_IGN);
	patient_mode = -1;
	big = malloc(BIG);
	memset(big, 'b', BIG);
	sem_init(&entered, 0, 0);
	sem_init(&let_go, 0, 0);
}

static void after(void)
{
	free(big);
	sem_destroy(&entered);
	sem_destroy(&let_go);
}

int main(void)
{
	Suite *s = suite_create("mhd_parity");
	TCase *t = tcase_create("modes");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, before, after);
	tcase_add_loop_test(t, with_all_callbacks, 0, MODES);
	tcase_add_loop_test(t, without_a_uri_log, 0, MODES);
	tcase_add_loop_test(t, paused_without_a_uri_log, 0, MODES);
	tcase_add_loop_test(t, descriptors_beyond_the_table_pass, 0, MODES);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
