/* tests/parity_script.c - what clients do with the application of parity_app.h:
 * requests of every kind, and every way to go away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/parity_script.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "middleware/tcp_info.h"
#include "tests/parity_app.h"

#define END_OF_HEAD "Host: x\r\nConnection: close\r\n\r\n"

/* All of the first *cls bytes were received and taken. An end that comes
 * after that is an event of its own; one that comes together with data is seen
 * at once or, in epoll modes, at the time limit. */
static bool has_taken(void *cls)
{
	struct tailbox__tcp tcp;
	int fd = parity_server_fd(), left = 0;

	return fd >= 0 && tailbox__tcp_info(fd, &tcp) &&
	       tcp.bytes_in >= *(size_t *)cls &&
	       ioctl(fd, FIONREAD, &left) == 0 && left == 0;
}

/* The client's end, orderly or not, has arrived. */
static bool has_end(void *cls)
{
	struct pollfd p = { parity_server_fd(), POLLRDHUP, 0 };

	(void)cls;
	return poll(&p, 1, 0) == 1;
}

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
	e2e_send_bytes(fd, parity.big, PARITY_BIG);
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
	sem_wait(&parity.entered);
	e2e_send(fd, "x");
	ck_assert_int_eq(recv(parity.upgraded_fd, &c, 1, MSG_WAITALL) == 1 ||
	                         errno == EAGAIN, 1);
	e2e_send(parity.upgraded_fd, "tunnel");
	b = e2e_read_len(fd, 6);
	ck_assert_str_eq(b.text, "tunnel");
	free(b.text);
	MHD_upgrade_action(parity.upgraded, MHD_UPGRADE_ACTION_CLOSE);
	close(fd);
}

static void play_reset_in_handler(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	(void)got;
	e2e_send(fd, "GET /slow HTTP/1.1\r\n" END_OF_HEAD);
	sem_wait(&parity.entered);
	e2e_reset(fd);
	e2e_wait(has_end, NULL, "the reset");
	sem_post(&parity.let_go);
}

static void play_end_in_handler(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	(void)got;
	e2e_send(fd, "GET /slow HTTP/1.1\r\n" END_OF_HEAD);
	sem_wait(&parity.entered);
	close(fd);
	e2e_wait(has_end, NULL, "the end");
	sem_post(&parity.let_go);
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
	e2e_wait(parity_has_logged, (void *)(uintptr_t)"upload", "the upload");
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
	const int room = PARITY_SOCKET_BUFFER;
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
	getsockopt(parity_server_fd(), SOL_SOCKET, SO_SNDBUF, &theirs, &len);
	ck_assert_int_lt(ours + theirs, PARITY_BIG / 2);
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
	e2e_send_bytes(fd, parity.big, 100000);
	*got = e2e_read_all(fd);
	close(fd);
}

static void play_long_target(uint16_t port, struct e2e_bytes *got)
{
	int fd = e2e_connect(port);

	e2e_send(fd, "GET /");
	e2e_send_bytes(fd, parity.big, 100000);
	*got = e2e_read_all(fd);
	close(fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\n" END_OF_HEAD
#define POST(path, head, body)                                                 \
	"POST " path " HTTP/1.1\r\n" head END_OF_HEAD body

const struct parity_step parity_script[] = {
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
const size_t parity_steps = sizeof(parity_script) / sizeof(parity_script[0]);

bool parity_is_timeout(const struct parity_step *s)
{
	return s->play == play_timeout;
}
