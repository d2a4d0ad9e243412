/* controller/admin.c - the admin server: its daemons and their callbacks.
 *
 * SPDX-License-Identifier: MIT
 *
 * It has a daemon of its own because the application's cannot answer when it
 * is needed most: behind 100 ms handlers an answer took 330 ms there, and with
 * its connections used up there was none, where this one took 0.2 ms.
 *
 * Polling, not select(): descriptors of a busy service go beyond 1023. One
 * thread and its own connections for each of the two sockets, so that no crowd
 * on TCP takes anything from the Unix socket.
 * All signals are blocked in them, or a handler of the application might run
 * on a thread that the application does not know of.
 */
#include "controller/admin.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin_guard.h"
#include "controller/admin_internal.h"
#include "controller/admin_report.h"
#include "core/alloc.h"
#include "core/daemons.h"

#define TIMEOUT_S 10u
#define MEMORY_LIMIT ((size_t)32 * 1024)
/* A client that goes on sending after that is cut off. */
#define BODY_PATIENCE (1024u * 1024)

const struct tailbox__admin_facts *tailbox__admin_facts;

static struct {
	struct MHD_Daemon *daemon, *tcp;
	int listen_fd, tcp_fd; /* the daemons' */
	int dirfd;
	char name[128], path[PATH_MAX + 128];
	char address[TAILBOX__TCP_TEXT];
} server = { .listen_fd = -1, .tcp_fd = -1, .dirfd = -1 };

/* --- the thread -------------------------------------------------------- */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void thread_ends(void *arg)
{
	(void)arg;
	tailbox__own_thread(false);
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, thread_ends) == 0;
}

/* The server library makes the thread, so it is met at its first request. */
static void know_thread(void)
{
	if (!has_key || pthread_getspecific(key) != NULL)
		return;
	if (pthread_setspecific(key, &server) != 0)
		return;
	tailbox__own_thread(true);
	pthread_setname_np(pthread_self(), "tailbox-admin");
}

/* --- callbacks of the server library ----------------------------------- */

static enum MHD_Result route(struct tailbox__admin_request *q,
                             const char *method, const char *path)
{
	enum MHD_Result sent = MHD_NO;
	tailbox__admin_call *call;
	bool waits;

	call = tailbox__admin_find(q, path, method, &waits, &sent);
	return call != NULL ? tailbox__admin_answer(q, call) : sent;
}

static bool is_stranger(const struct tailbox__admin_request *q)
{
	return q->via == TAILBOX__VIA_TCP && !q->is_known;
}

/* Whether it says that it has a body that is not even read to be let go. One
 * that is read gets its answer for sure: a client that still sends when the
 * connection goes may see that alone. */
static bool says_too_large(const struct tailbox__admin_request *q)
{
	const char *text = MHD_lookup_connection_value(
	        q->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t n;

	return text != NULL &&
	       !tailbox__admin_count(text, 0,
	                             is_stranger(q) ? TAILBOX__ADMIN_BODY_MAX
	                                            : BODY_PATIENCE, &n);
}

bool tailbox__admin_has_body(const struct tailbox__admin_request *q)
{
	const char *length = tailbox__admin_header(
	        q, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return tailbox__admin_header(q, MHD_HTTP_HEADER_TRANSFER_ENCODING) !=
	               NULL ||
	       (length != NULL && strcmp(length, "0") != 0);
}

/* The head of a request is there. */
static enum MHD_Result begin(struct tailbox__admin_request *q, const char *path,
                             const char *method)
{
	enum MHD_Result sent;

	if (q->via != TAILBOX__VIA_UNIX &&
	    !tailbox__admin_may(q, method, path, &sent))
		return sent;
	q->takes_body = q->via != TAILBOX__VIA_UNIX &&
	                strcmp(path, "/session") == 0;
	/* Said before it is sent: no need to read it. */
	return says_too_large(q) ? tailbox__admin_too_large(q) : MHD_YES;
}

/* What is over TAILBOX__ADMIN_BODY_MAX is counted and let go. */
static enum MHD_Result take_body(struct tailbox__admin_request *q,
                                 const char *data, size_t n)
{
	uint64_t at = q->body_bytes;

	q->body_bytes += n;
	if (q->takes_body && q->body_bytes <= TAILBOX__ADMIN_BODY_MAX) {
		if (q->body == NULL)
			q->body = tailbox__alloc(TAILBOX__ADMIN_BODY_MAX, 1);
		if (q->body == NULL)
			return MHD_NO;
		memcpy(q->body + at, data, n);
	}
	/* A stranger's body has one purpose. */
	const uint64_t most = is_stranger(q) ? 2 * TAILBOX__ADMIN_BODY_MAX
	                                     : BODY_PATIENCE;
	return q->body_bytes > most ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *path, const char *method,
                              const char *version, const char *data,
                              size_t *data_size, void **req_cls)
{
	struct tailbox__admin_request *q = *req_cls;
	size_t n = *data_size;

	(void)version;
	if (q == NULL) {
		know_thread();
		q = tailbox__zalloc(1, sizeof(*q));
		if (q == NULL)
			return MHD_NO;
		q->connection = c;
		q->via = cls == &server.tcp ? TAILBOX__VIA_TCP
		                            : TAILBOX__VIA_UNIX;
		q->prefix = "";
		*req_cls = q;
		return begin(q, path, method);
	}
	if (q->is_refused)
		return tailbox__admin_refuse(q);
	if (n > 0) {
		*data_size = 0;
		return take_body(q, data, n);
	}
	if (q->via == TAILBOX__VIA_UNIX)
		tailbox__guard_admit(c);
	return route(q, method, path);
}

static void completed(void *cls, struct MHD_Connection *c, void **req_cls,
                      enum MHD_RequestTerminationCode why)
{
	struct tailbox__admin_request *q = *req_cls;

	(void)cls, (void)c, (void)why;
	if (q == NULL)
		return;
	tailbox__admin_transfer_end(q);
	tailbox__free(q->body);
	tailbox__free(q);
	*req_cls = NULL;
}

/* --- start and stop ---------------------------------------------------- */

static const struct MHD_OptionItem for_tcp[] = {
	{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)tailbox__guard_notify, NULL },
	{ MHD_OPTION_END, 0, NULL }
};
static const struct MHD_OptionItem for_unix[] = {
	{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)tailbox__guard_notify,
	  &server },
	{ MHD_OPTION_END, 0, NULL }
};

/* which: &server.daemon or &server.tcp. */
static struct MHD_Daemon *start_daemon(int fd, struct MHD_Daemon **which)
{
	bool is_tcp = which == &server.tcp;
	struct MHD_Daemon *d;
	sigset_t all, old;

	/* The thread inherits the mask of the one that makes it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	d = MHD_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
	                MHD_ALLOW_SUSPEND_RESUME,
	        0, NULL, NULL, answer, which, MHD_OPTION_LISTEN_SOCKET, fd,
	        MHD_OPTION_CONNECTION_LIMIT, TAILBOX__GUESTS_MAX,
	        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_LIMIT,
	        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_ARRAY,
	        is_tcp ? for_tcp : for_unix, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return d;
}

/* Whether fd still is what it was: a start that fails closes the listening
 * socket in some of its ways out, and another thread may have the number. */
static void close_if_same(int fd, const struct stat *was)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_dev == was->st_dev &&
	    st.st_ino == was->st_ino)
		close(fd);
}

/* Start a daemon on fd, which is gone when that fails. */
static int serve(int fd, struct MHD_Daemon **which, struct tailbox__error *err)
{
	struct stat st = { 0 };

	(void)fstat(fd, &st);
	*which = start_daemon(fd, which);
	if (*which != NULL)
		return 0;
	close_if_same(fd, &st);
	return tailbox__fail(err, -EIO,
	                     "libmicrohttpd did not start the admin server");
}

int tailbox__admin_start(const struct tailbox__admin_facts *facts, int dirfd,
                         struct tailbox__error *err)
{
	int fd, rc;

	pthread_once(&key_once, make_key);
	snprintf(server.name, sizeof(server.name), "%s.%ld.sock",
	         facts->service, (long)getpid());
	fd = tailbox__admin_listen(dirfd, facts->run_dir, server.name, err);
	if (fd < 0) {
		close(dirfd);
		return fd;
	}
	tailbox__admin_facts = facts;
	snprintf(server.path, sizeof(server.path), "%s/%s", facts->run_dir,
	         server.name);
	tailbox__admin_load_open();
	tailbox__admin_report_open();
	tailbox__admin_snapshot_open();
	rc = serve(fd, &server.daemon, err);
	if (rc != 0) {
		unlinkat(dirfd, server.name, 0);
		close(dirfd);
		server.path[0] = '\0';
		return rc;
	}
	server.listen_fd = fd;
	server.dirfd = dirfd;
	return 0;
}

int tailbox__admin_start_tcp(const struct tailbox__config_admin *c,
                             struct tailbox__error *err)
{
	struct tailbox__admin_remote *r = &tailbox__admin_remote;
	int fd, rc;

	if (server.daemon == NULL || server.tcp != NULL)
		return tailbox__fail(err, -TAILBOX_ESTATE,
		                     "the admin server does not run, or has "
		                     "TCP already");
	rc = tailbox__token_read(c, &r->token, err);
	r->allow_hosts = c->allow_hosts;
	/* Without a token too: the application may check by its own means. */
	tailbox__mount_open();
	if (rc != 0)
		return rc;
	if (c->listen[0] == '\0')
		return 0;
	if (r->token.len == 0)
		return tailbox__fail(err, -EACCES,
		                     "[admin] listen is set, but neither token "
		                     "nor token_file: without one everybody "
		                     "could ask");
	fd = tailbox__tcp_listen(c->listen, server.address, &r->port, err);
	if (fd < 0)
		return fd;
	rc = tailbox__guard_start();
	if (rc != 0) {
		close(fd);
		tailbox__fail(err, rc, "no thread for the admin server: %s",
		              tailbox_strerror(rc));
	} else {
		rc = serve(fd, &server.tcp, err);
	}
	if (rc != 0) {
		tailbox__guard_stop();
		server.address[0] = '\0';
		return rc;
	}
	server.tcp_fd = fd;
	return 1;
}

/* The token too: another start may be without one. */
static void forget_remote(void)
{
	explicit_bzero(&tailbox__admin_remote, sizeof(tailbox__admin_remote));
	server.tcp_fd = -1;
	server.address[0] = '\0';
}

void tailbox__admin_stop(void)
{
	if (server.daemon == NULL)
		return;
	/* Before the jobs of mounted forms, which wait for it. */
	tailbox__admin_report_close();
	tailbox__admin_snapshot_close();
	tailbox__mount_close();
	tailbox__admin_load_close();
	tailbox__guard_stop();
	/* These join the threads and close the listening sockets. */
	if (server.tcp != NULL)
		MHD_stop_daemon(server.tcp), server.tcp = NULL;
	MHD_stop_daemon(server.daemon), server.daemon = NULL;
	server.listen_fd = -1;
	forget_remote();
	tailbox__sessions_clear();
	tailbox__admin_reader_close();
	unlinkat(server.dirfd, server.name, 0);
	close(server.dirfd), server.dirfd = -1;
	server.path[0] = '\0';
	tailbox__admin_facts = NULL;
}

const char *tailbox__admin_path(void)
{
	return server.path;
}

const char *tailbox__admin_tcp(void)
{
	return server.address;
}

const char *tailbox__admin_socket_name(void)
{
	return server.name;
}

void tailbox__admin_in_child(void)
{
	/* Kept reachable, never touched: their thread is the parent's. */
	static struct MHD_Daemon *inherited[2];

	if (server.daemon == NULL)
		return;
	inherited[0] = server.daemon, server.daemon = NULL;
	inherited[1] = server.tcp, server.tcp = NULL;
	(void)inherited;
	/* Or clients of a dead parent would connect, and wait. */
	close(server.listen_fd), server.listen_fd = -1;
	if (server.tcp_fd >= 0)
		close(server.tcp_fd);
	close(server.dirfd), server.dirfd = -1;
	server.path[0] = '\0';
	tailbox__admin_facts = NULL;
	forget_remote();
	tailbox__admin_routes_in_child();
	tailbox__guard_in_child();
	tailbox__admin_file_in_child();
	tailbox__sessions_in_child();
	tailbox__admin_reader_in_child();
	tailbox__admin_load_in_child();
}
