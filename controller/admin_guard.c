/* controller/admin_guard.c - keep a crowd from the server.
 *
 * SPDX-License-Identifier: MIT
 *
 * A stranger is a connection that has not shown a token yet. Strangers have
 * little time, whatever they send meanwhile, and when places become few the
 * one that has been here longest goes first: so a thousand idle connections
 * are of no more use than none, since a client that knows the token needs its
 * place for a moment only. To cut a connection is to shut its socket down: the
 * server library then sees the end of the input, and closes it itself.
 *
 * On the Unix socket, which only its user may open, a stranger is a connection
 * whose request is not complete: a monitor that leaks its connections must not
 * shut the socket for everybody else. The library's own timeout ends those.
 *
 * Answers to wrong tokens are held back after the first few, by suspending
 * the connection; the thread goes on. That slows one client down and no
 * crowd; what keeps a crowd out is the length of the token.
 *
 * `lock` guards all of it. A socket is shut down under the lock, and a guest
 * leaves the table under it before the library closes the socket: so the
 * number still is that socket's. Nothing is held once is_open is false, so
 * that the library can stop. (It aborts the process when a connection is
 * suspended then.)
 */
#include "controller/admin_guard.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "controller/internal.h"
#include "core/daemons.h"

#define MS UINT64_C(1000000)
/* Free places that a newcomer finds, though some of the cut ones may be held:
 * the library stops taking connections when there is no place. */
#define SPARE 16u
_Static_assert(TAILBOX__HELD_MAX < SPARE, "held ones leave places free");

struct guest {
	struct MHD_Connection *connection; /* NULL = free */
	int fd;
	bool is_admitted, is_cut;
	uint64_t since_ns, number;
	unsigned char address[16];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* on CLOCK_MONOTONIC */
static pthread_t thread;
static bool is_open;

static struct crowd {
	unsigned per_address;
	struct guest guests[TAILBOX__GUESTS_MAX];
} on_tcp = { .per_address = TAILBOX__TCP_PER_ADDRESS_MAX },
  on_unix = { .per_address = TAILBOX__GUESTS_MAX };
static uint64_t next_number;
static struct tailbox__guard_counts counts;

static struct {
	struct MHD_Connection *connection;
	uint64_t due_ns;
} held[TAILBOX__HELD_MAX];
static unsigned held_count;

/* When the last wrong tokens came, the latest anywhere in the ring. */
static uint64_t wrong_ns[TAILBOX__WRONG_MAX];
static unsigned wrong_next;

/* --- guests ------------------------------------------------------------ */

static void read_address(struct MHD_Connection *c, unsigned char to[16])
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	memset(to, 0, 16);
	if (info == NULL || info->client_addr == NULL)
		return;
	if (info->client_addr->sa_family == AF_INET6)
		memcpy(to,
		       &((const struct sockaddr_in6 *)(const void *)
		                 info->client_addr)->sin6_addr,
		       16);
	else if (info->client_addr->sa_family == AF_INET)
		memcpy(to + 12,
		       &((const struct sockaddr_in *)(const void *)
		                 info->client_addr)->sin_addr,
		       4);
}

static void cut(struct guest *g)
{
	if (g->is_cut)
		return;
	g->is_cut = true;
	shutdown(g->fd, SHUT_RDWR);
}

/* The stranger that has been here longest, of one address or (NULL) of any. */
static struct guest *longest(struct crowd *crowd, const unsigned char *address,
                             unsigned *count)
{
	struct guest *found = NULL;

	*count = 0;
	for (size_t i = 0; i < TAILBOX__GUESTS_MAX; i++) {
		struct guest *g = &crowd->guests[i];
		if (g->connection == NULL || g->is_cut ||
		    (address != NULL && memcmp(g->address, address, 16) != 0))
			continue;
		++*count;
		if (!g->is_admitted &&
		    (found == NULL || g->number < found->number))
			found = g;
	}
	return found;
}

/* The newcomer is one of those counted, so there always is one to go. */
static void make_room(struct crowd *crowd, const struct guest *g)
{
	struct guest *goes;
	unsigned count;

	goes = longest(crowd, g->address, &count);
	if (count <= crowd->per_address) {
		goes = longest(crowd, NULL, &count);
		if (count <= TAILBOX__GUESTS_MAX - SPARE)
			return;
	}
	cut(goes);
	counts.gave_way++;
}

static void arrived(struct crowd *crowd, struct MHD_Connection *c,
                    void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct guest *g = crowd->guests;

	*context = NULL;
	if (info == NULL)
		return;
	while (g < crowd->guests + TAILBOX__GUESTS_MAX &&
	       g->connection != NULL)
		g++;
	if (g == crowd->guests + TAILBOX__GUESTS_MAX) {
		/* As many places as connections, so this cannot be. */
		shutdown(info->connect_fd, SHUT_RDWR);
		return;
	}
	memset(g, 0, sizeof(*g));
	g->connection = c;
	g->fd = info->connect_fd;
	g->since_ns = tailbox__mono_ns();
	g->number = ++next_number;
	read_address(c, g->address);
	*context = g;
	make_room(crowd, g);
	if (crowd == &on_tcp)
		pthread_cond_signal(&changed);
}

void tailbox__guard_notify(void *cls, struct MHD_Connection *c, void **context,
                           enum MHD_ConnectionNotificationCode what)
{
	struct guest *g = *context;

	pthread_mutex_lock(&lock);
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		arrived(cls == NULL ? &on_tcp : &on_unix, c, context);
	else if (g != NULL)
		g->connection = NULL;
	pthread_mutex_unlock(&lock);
}

void tailbox__guard_admit(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct guest *g = info != NULL ? info->socket_context : NULL;

	pthread_mutex_lock(&lock);
	if (g != NULL)
		g->is_admitted = true;
	pthread_mutex_unlock(&lock);
}

/* --- wrong tokens ------------------------------------------------------ */

bool tailbox__guard_wrong(uint64_t now_ns)
{
	uint64_t before;

	pthread_mutex_lock(&lock);
	counts.wrong_tokens++;
	before = wrong_ns[wrong_next];
	wrong_ns[wrong_next] = now_ns;
	wrong_next = (wrong_next + 1) % TAILBOX__WRONG_MAX;
	pthread_mutex_unlock(&lock);
	return before != 0 && now_ns - before < TAILBOX__WRONG_WINDOW_MS * MS;
}

bool tailbox__guard_hold(struct MHD_Connection *c, uint64_t now_ns)
{
	bool is_held;

	pthread_mutex_lock(&lock);
	is_held = is_open && held_count < TAILBOX__HELD_MAX;
	if (is_held) {
		MHD_suspend_connection(c);
		held[held_count].connection = c;
		held[held_count++].due_ns =
		        now_ns + TAILBOX__WRONG_DELAY_MS * MS;
		pthread_cond_signal(&changed);
	}
	pthread_mutex_unlock(&lock);
	return is_held;
}

/* --- time -------------------------------------------------------------- */

static bool is_timed(const struct guest *g)
{
	return g->connection != NULL && !g->is_admitted && !g->is_cut;
}

static uint64_t deadline(const struct guest *g)
{
	return g->since_ns + TAILBOX__TCP_STRANGER_MS * MS;
}

/* Do what is due; the instant of what comes next, UINT64_MAX = nothing. */
static uint64_t turn(uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < held_count;) {
		if (is_open && held[i].due_ns > now_ns) {
			if (held[i].due_ns < next)
				next = held[i].due_ns;
			i++;
			continue;
		}
		MHD_resume_connection(held[i].connection);
		held[i] = held[--held_count];
	}
	for (size_t i = 0; i < TAILBOX__GUESTS_MAX; i++) {
		struct guest *g = &on_tcp.guests[i];
		if (!is_timed(g))
			continue;
		if (deadline(g) > now_ns) {
			if (deadline(g) < next)
				next = deadline(g);
			continue;
		}
		cut(g);
		counts.too_slow++;
	}
	return next;
}

static void *run(void *arg)
{
	uint64_t next;

	(void)arg;
	tailbox__own_thread(true);
	pthread_mutex_lock(&lock);
	while (is_open) {
		next = turn(tailbox__mono_ns());
		if (next == UINT64_MAX) {
			pthread_cond_wait(&changed, &lock);
		} else {
			const struct timespec ts = {
				.tv_sec = (time_t)(next / 1000000000u),
				.tv_nsec = (long)(next % 1000000000u)
			};
			pthread_cond_timedwait(&changed, &lock, &ts);
		}
	}
	pthread_mutex_unlock(&lock);
	tailbox__own_thread(false);
	return NULL;
}

void tailbox__guard_counts(struct tailbox__guard_counts *out)
{
	pthread_mutex_lock(&lock);
	*out = counts;
	pthread_mutex_unlock(&lock);
}

/* --- start and stop ---------------------------------------------------- */

static void clear(void)
{
	memset(on_tcp.guests, 0, sizeof(on_tcp.guests));
	memset(wrong_ns, 0, sizeof(wrong_ns));
	memset(&counts, 0, sizeof(counts));
	held_count = 0;
}

int tailbox__guard_start(void)
{
	pthread_condattr_t attr;
	int rc;

	rc = pthread_condattr_init(&attr);
	if (rc != 0)
		return -rc;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&changed, &attr);
	pthread_condattr_destroy(&attr);
	if (rc != 0)
		return -rc;
	clear();
	is_open = true;
	rc = tailbox__thread_start(&thread, run, "tailbox-guard");
	if (rc != 0) {
		is_open = false;
		pthread_cond_destroy(&changed);
	}
	return rc;
}

void tailbox__guard_stop(void)
{
	bool was_open;

	pthread_mutex_lock(&lock);
	was_open = is_open;
	is_open = false;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	if (!was_open)
		return;
	pthread_join(thread, NULL);
	pthread_mutex_lock(&lock);
	(void)turn(tailbox__mono_ns());
	pthread_mutex_unlock(&lock);
	/* The condition stays: connections come until the daemon stops. */
}

void tailbox__guard_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	is_open = false;
	clear();
	memset(on_unix.guests, 0, sizeof(on_unix.guests));
}

/* --- tests ------------------------------------------------------------- */

void tailbox__guard_forgive(void)
{
	pthread_mutex_lock(&lock);
	memset(wrong_ns, 0, sizeof(wrong_ns));
	pthread_mutex_unlock(&lock);
}

unsigned tailbox__guard_held(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = held_count;
	pthread_mutex_unlock(&lock);
	return n;
}
