/* tests/e2e_server.h - a daemon in any way that the server library can be run.
 *
 * SPDX-License-Identifier: MIT
 *
 * How it waits for its sockets, and what drives it: a thread or threads of its
 * own, an application's loop, or connections that the application accepts and
 * hands over. Recorded or bare.
 */
#ifndef TAILBOX_TESTS_E2E_SERVER_H
#define TAILBOX_TESTS_E2E_SERVER_H 1

#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <tailbox/mhd.h>

#include "tests/e2e_client.h"

enum e2e_polling {
	E2E_SELECT, E2E_POLL, E2E_EPOLL, E2E_AUTO, E2E_POLLINGS
};
enum e2e_drive {
	E2E_SINGLE,
	E2E_POOL_2,
	E2E_POOL_8,
	E2E_THREADS,   /* a thread for each connection */
	E2E_RUN,       /* external: MHD_run */
	E2E_FDSET,     /* external: MHD_get_fdset, MHD_run_from_select */
	E2E_ADD,       /* MHD_add_connection, beside a listening socket */
	E2E_NO_LISTEN, /* the same without one */
	E2E_DRIVES
};
static const char *const e2e_polling_names[E2E_POLLINGS] = {
	"select", "poll", "epoll", "auto"
};
static const char *const e2e_drive_names[E2E_DRIVES] = {
	"single", "pool 2", "pool 8", "threads", "MHD_run", "fdset",
	"add", "no listen"
};

struct e2e_server {
	/* Set these; zeroed is a bare daemon, select, single. */
	enum e2e_polling polling;
	enum e2e_drive drive;
	bool is_recorded;
	unsigned flags; /* beside those of the two */
	const struct sockaddr *address; /* NULL: 127.0.0.1, any port */
	socklen_t address_len;
	int listen_fd; /* one that listens already, taken; 0 = none */
	bool listens_itself; /* the daemon makes the socket, on any address */
	MHD_AccessHandlerCallback handler;
	void *handler_cls;
	struct MHD_OptionItem options[12]; /* more; 0 ends them */

	struct MHD_Daemon *daemon;
	int accept_fd; /* where clients connect, with E2E_ADD and the like */
	pthread_t thread;
	bool has_thread;
	atomic_bool is_over;
};

static inline bool e2e_is_external(const struct e2e_server *s)
{
	return s->drive == E2E_RUN || s->drive == E2E_FDSET;
}

static inline bool e2e_is_added(const struct e2e_server *s)
{
	return s->drive == E2E_ADD || s->drive == E2E_NO_LISTEN;
}

static inline unsigned e2e_flags(const struct e2e_server *s)
{
	static const unsigned polling[] = { 0, MHD_USE_POLL, MHD_USE_EPOLL,
		                            MHD_USE_AUTO };
	unsigned flags = s->flags | polling[s->polling];

	if (!e2e_is_external(s))
		flags |= MHD_USE_INTERNAL_POLLING_THREAD;
	if (s->drive == E2E_THREADS)
		flags |= MHD_USE_THREAD_PER_CONNECTION;
	if (s->drive == E2E_NO_LISTEN)
		flags |= MHD_USE_NO_LISTEN_SOCKET;
	if (e2e_is_added(s))
		flags |= MHD_USE_ITC;
	return flags;
}

/* One turn of an application's loop. */
static inline bool e2e_turn(struct e2e_server *s)
{
	struct timeval limit = { 0, 5000 };
	MHD_UNSIGNED_LONG_LONG ms;
	fd_set r, w, e;
	int max = -1;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	if (MHD_get_fdset(s->daemon, &r, &w, &e, &max) != MHD_YES)
		return false;
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms == 0)
		limit.tv_usec = 0;
	if (select(max + 1, &r, &w, &e, &limit) < 0)
		return false;
	return (s->drive == E2E_RUN
	                ? MHD_run(s->daemon)
	                : MHD_run_from_select(s->daemon, &r, &w, &e)) ==
	       MHD_YES;
}

/* Accept, and hand over. */
static inline void e2e_hand_over(struct e2e_server *s)
{
	struct pollfd p = { s->accept_fd, POLLIN, 0 };
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd;

	if (poll(&p, 1, 5) != 1)
		return;
	fd = accept4(s->accept_fd, (struct sockaddr *)&from, &len,
	             SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		MHD_add_connection(s->daemon, fd, (struct sockaddr *)&from,
		                   len);
}

static inline void *e2e_drive_it(void *cls)
{
	struct e2e_server *s = cls;

	while (!atomic_load(&s->is_over))
		if (e2e_is_added(s))
			e2e_hand_over(s);
		else if (!e2e_turn(s))
			break;
	return NULL;
}

static inline int e2e_listen(const struct sockaddr *a, socklen_t len)
{
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (bind(fd, a, len) < 0 || listen(fd, 32) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* False: the server library refuses it. A socket that was to be taken is
 * closed then. */
static inline bool e2e_serve(struct e2e_server *s)
{
	struct sockaddr_in loopback = { .sin_family = AF_INET };
	struct sockaddr_in6 loopback6 = { .sin6_family = AF_INET6,
		                          .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct MHD_OptionItem ops[20];
	int n = 0, fd = -1;

	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!s->listens_itself) {
		fd = s->listen_fd > 0 ? s->listen_fd
		     : s->address     ? e2e_listen(s->address, s->address_len)
		                      : e2e_listen((struct sockaddr *)&loopback,
		                                   sizeof(loopback));
		ck_assert_int_ge(fd, 0);
	}
	s->accept_fd = e2e_is_added(s) ? fd : -1;
	if (s->drive == E2E_POOL_2 || s->drive == E2E_POOL_8)
		ops[n++] = (struct MHD_OptionItem){
			MHD_OPTION_THREAD_POOL_SIZE,
			s->drive == E2E_POOL_2 ? 2 : 8, NULL
		};
	if (!e2e_is_added(s) && fd >= 0)
		ops[n++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET,
			                            fd, NULL };
	else if (s->drive == E2E_ADD) /* never on every address */
		ops[n++] = (struct MHD_OptionItem){
			MHD_OPTION_SOCK_ADDR, 0,
			s->flags & MHD_USE_IPv6 ? (void *)&loopback6
			                        : (void *)&loopback
		};
	for (int i = 0; s->options[i].option != MHD_OPTION_END; i++)
		ops[n++] = s->options[i];
	ops[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	s->daemon = s->is_recorded
	        ? tailbox_mhd_start_daemon_array(e2e_flags(s), 0, NULL, NULL,
	                                         s->handler, s->handler_cls,
	                                         ops)
	        : MHD_start_daemon(e2e_flags(s), 0, NULL, NULL, s->handler,
	                           s->handler_cls, MHD_OPTION_ARRAY, ops,
	                           MHD_OPTION_END);
	if (s->daemon == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	atomic_store(&s->is_over, false);
	s->has_thread = e2e_is_external(s) || e2e_is_added(s);
	if (s->has_thread)
		ck_assert_int_eq(pthread_create(&s->thread, NULL, e2e_drive_it,
		                                s), 0);
	return true;
}

static inline void e2e_stop(struct e2e_server *s)
{
	if (s->daemon == NULL)
		return;
	atomic_store(&s->is_over, true);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	if (s->is_recorded)
		tailbox_mhd_stop_daemon(s->daemon);
	else
		MHD_stop_daemon(s->daemon);
	if (s->accept_fd >= 0)
		close(s->accept_fd);
	s->daemon = NULL;
}

/* Where to connect. own: with E2E_ADD, where the daemon listens itself. */
static inline socklen_t e2e_address_of(const struct e2e_server *s, bool own,
                                       struct sockaddr_storage *a)
{
	socklen_t len = sizeof(*a);
	int fd = s->accept_fd;

	if (fd < 0 || own)
		fd = MHD_get_daemon_info(s->daemon,
		                         MHD_DAEMON_INFO_LISTEN_FD)->listen_fd;
	memset(a, 0, sizeof(*a));
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return len;
}

static inline uint16_t e2e_port_of(const struct e2e_server *s)
{
	struct sockaddr_storage a;

	e2e_address_of(s, false, &a);
	ck_assert_int_eq(a.ss_family, AF_INET);
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

/* --- what a handler answers -------------------------------------------- */

/* data: stays until the answer is sent. */
static inline enum MHD_Result e2e_reply(struct MHD_Connection *c,
                                        unsigned status, const void *data,
                                        size_t len)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        len, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc = MHD_queue_response(c, status, r);

	MHD_destroy_response(r);
	return rc;
}

static inline enum MHD_Result e2e_reply_upgrade(struct MHD_Connection *c,
                                                MHD_UpgradeHandler fn)
{
	struct MHD_Response *r = MHD_create_response_for_upgrade(fn, NULL);
	enum MHD_Result rc;

	MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "echo");
	rc = MHD_queue_response(c, MHD_HTTP_SWITCHING_PROTOCOLS, r);
	MHD_destroy_response(r);
	return rc;
}

#endif
