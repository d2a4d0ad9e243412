/* middleware/daemon.c - start and stop a daemon with the hooks in place.
 *
 * SPDX-License-Identifier: MIT
 *
 * The options are walked; the application's NOTIFY_COMPLETED,
 * NOTIFY_CONNECTION and URI_LOG_CALLBACK are kept in the hooks' closure and
 * ours take their place. Whatever goes wrong on our side, the server library
 * gets the arguments as they came: it then decides what happens, as without
 * us.
 *
 * A daemon that is stopped by plain MHD_stop_daemon() is fine: its callbacks
 * end, its closure stays. It is freed when a later daemon has the same
 * address, or never: there is no telling when the last callback has run. Its
 * entry in the list of daemons stays too; who looks at its listen socket
 * compares the socket's identity first.
 */
#include <tailbox/mhd.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>

#include "core/alloc.h"
#include "core/daemons.h"
#include "middleware/daemon.h"
#include "middleware/hooks.h"
#include "middleware/tasks.h"

/* From this long on a request pays for a look at its bytes. */
#define LONG_REQUEST_US 200u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct tailbox__mhd *list;

/* The arguments that are passed on as they are. */
struct plain {
	unsigned int flags;
	uint16_t port;
	MHD_AcceptPolicyCallback apc;
	void *apc_cls;
	MHD_AccessHandlerCallback dh;
	void *dh_cls;
};

/* Also while recording is switched off: it may be switched on. */
static bool is_open(void)
{
	return tailbox__recorder_is_open();
}

/* --- the list ---------------------------------------------------------- */

static void in_child(void)
{
	pthread_mutex_init(&lock, NULL);
}

static void set_up_once(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* Also in a process that never started tailbox. */
static void lock_list(void)
{
	pthread_once(&once, set_up_once);
	pthread_mutex_lock(&lock);
}

static struct tailbox__mhd *unlink_daemon(const struct MHD_Daemon *d)
{
	struct tailbox__mhd **at, *m;

	lock_list();
	for (at = &list; *at != NULL && (*at)->daemon != d; at = &(*at)->next)
		;
	m = *at;
	if (m != NULL)
		*at = m->next;
	pthread_mutex_unlock(&lock);
	if (m != NULL)
		tailbox__daemon_remove(TAILBOX__GET(m->number));
	return m;
}

static void link_daemon(struct tailbox__mhd *m, struct MHD_Daemon *d)
{
	/* One with this address was stopped without us. */
	tailbox__free(unlink_daemon(d));
	lock_list();
	m->daemon = d;
	m->next = list;
	list = m;
	pthread_mutex_unlock(&lock);
}

/* --- what is known of a daemon ----------------------------------------- */

static enum tailbox__daemon_mode mode_of(unsigned flags, unsigned pool_size)
{
	if (flags & MHD_USE_THREAD_PER_CONNECTION)
		return TAILBOX__DAEMON_THREADS;
	if (!(flags & MHD_USE_INTERNAL_POLLING_THREAD))
		return TAILBOX__DAEMON_EXTERNAL;
	/* A pool of one is none, says the library, and warns. */
	return pool_size > 1 ? TAILBOX__DAEMON_POOL : TAILBOX__DAEMON_SINGLE;
}

static uint32_t workers_of(enum tailbox__daemon_mode mode, unsigned pool_size)
{
	switch (mode) {
	case TAILBOX__DAEMON_SINGLE:
	case TAILBOX__DAEMON_EXTERNAL:
		return 1;
	case TAILBOX__DAEMON_POOL:
		return pool_size;
	case TAILBOX__DAEMON_THREADS:
		break;
	}
	return 0;
}

static uint32_t threads_of(enum tailbox__daemon_mode mode, unsigned pool_size)
{
	switch (mode) {
	case TAILBOX__DAEMON_EXTERNAL:
		return 0;
	case TAILBOX__DAEMON_POOL:
		return pool_size;
	case TAILBOX__DAEMON_SINGLE:
	case TAILBOX__DAEMON_THREADS: /* the one that listens */
		break;
	}
	return 1;
}

/* By the library that was loaded, not by the header. */
static uint32_t default_limit(void)
{
	return strncmp(MHD_get_version(), "0.9.", 4) == 0 ? FD_SETSIZE - 4 : 0;
}

static void fill_socket(struct tailbox__daemon *to, struct MHD_Daemon *d)
{
	const union MHD_DaemonInfo *i;
	struct stat st;

	to->listen_fd = -1;
	i = MHD_get_daemon_info(d, MHD_DAEMON_INFO_LISTEN_FD);
	if (i != NULL && i->listen_fd >= 0 && fstat(i->listen_fd, &st) == 0) {
		to->listen_fd = i->listen_fd;
		to->listen_dev = st.st_dev;
		to->listen_ino = st.st_ino;
	}
	i = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	if (i != NULL)
		to->port = i->port;
}

static tailbox_request request_of(void *connection)
{
	return tailbox_request_of(connection);
}

/* before: NULL for a daemon that is not recorded. */
static void register_daemon(struct tailbox__mhd *m, struct MHD_Daemon *d,
                            unsigned flags, const struct tailbox__options *o,
                            const struct tailbox__tasks *before,
                            const char *note)
{
	struct tailbox__daemon to;

	memset(&to, 0, sizeof(to));
	to.mode = mode_of(flags, o->pool_size);
	to.workers = workers_of(to.mode, o->pool_size);
	to.flags = flags;
	fill_socket(&to, d);
	to.connection_limit =
	        o->connection_limit ? o->connection_limit : default_limit();
	to.timeout_s = o->timeout_s;
	to.backlog = o->backlog;
	to.memory_limit = o->memory_limit;
	to.is_recorded = note == NULL;
	if (note != NULL)
		snprintf(to.note, sizeof(to.note), "%s", note);
	if (before != NULL)
		to.tid_count = tailbox__tasks_since(
		        before, threads_of(to.mode, o->pool_size), to.tids,
		        sizeof(to.tids) / sizeof(to.tids[0]));
	tailbox__daemon_set_library(MHD_get_version());
	tailbox__set_request_of(request_of);
	link_daemon(m, d);
	if (tailbox__daemon_add(&to) == 0)
		TAILBOX__SET(m->number, to.number);
}

/* --- start ------------------------------------------------------------- */

static struct tailbox__mhd *closure_of(const struct plain *p,
                                       const struct tailbox__options *o)
{
	struct tailbox__mhd *m;

	if (tailbox__connections_init() != 0)
		return NULL;
	m = tailbox__zalloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	m->handler = p->dh;
	m->handler_cls = p->dh_cls;
	m->uri_log = o->uri_log;
	m->uri_log_cls = o->uri_log_cls;
	m->completed = o->completed;
	m->completed_cls = o->completed_cls;
	m->connection = o->connection;
	m->connection_cls = o->connection_cls;
	m->jiffy = tailbox__us_to_ticks(tailbox__clock.jiffy_us);
	m->eighth = m->jiffy / 8;
	m->millisecond = tailbox__us_to_ticks(1000);
	m->long_request = tailbox__us_to_ticks(LONG_REQUEST_US);
	m->can_suspend = (p->flags & MHD_ALLOW_SUSPEND_RESUME & ~MHD_USE_ITC) !=
	                 0;
	m->is_per_connection = (p->flags & MHD_USE_THREAD_PER_CONNECTION) != 0;
	m->is_tls = (p->flags & MHD_USE_TLS) != 0;
	return m;
}

static struct MHD_Daemon *start_recorded(const struct plain *p,
                                         struct tailbox__mhd *m,
                                         struct tailbox__options *o)
{
	struct tailbox__tasks before;
	struct MHD_Daemon *d;

	tailbox__options_append(o, MHD_OPTION_NOTIFY_COMPLETED,
	                        (intptr_t)&tailbox__hook_completed, m);
	tailbox__options_append(o, MHD_OPTION_NOTIFY_CONNECTION,
	                        (intptr_t)&tailbox__hook_connection, m);
	tailbox__options_append(o, MHD_OPTION_URI_LOG_CALLBACK,
	                        (intptr_t)&tailbox__hook_uri_log, m);
	tailbox__tasks_take(&before);
	d = MHD_start_daemon(p->flags, p->port, p->apc, p->apc_cls,
	                     &tailbox__hook_handler, m, MHD_OPTION_ARRAY,
	                     o->items, MHD_OPTION_END);
	if (d == NULL)
		tailbox__free(m); /* its threads are joined */
	else
		register_daemon(m, d, p->flags, o, &before, NULL);
	tailbox__tasks_fini(&before);
	return d;
}

/* Say in status that this one runs, and why it is not recorded. */
static void note_unrecorded(const struct plain *p, struct MHD_Daemon *d,
                            const struct tailbox__options *o)
{
	struct tailbox__mhd *m = tailbox__zalloc(1, sizeof(*m));
	char note[96] = "out of memory";

	if (m == NULL)
		return;
	if (o->unknown != 0)
		snprintf(note, sizeof(note),
		         "MHD option %d is not known to tailbox %s", o->unknown,
		         TAILBOX_VERSION);
	register_daemon(m, d, p->flags, o, NULL, note);
}

struct MHD_Daemon *tailbox_mhd_start_daemon_va(
        unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback apc,
        void *apc_cls, MHD_AccessHandlerCallback dh, void *dh_cls, va_list ap)
{
	const struct plain p = { flags, port, apc, apc_cls, dh, dh_cls };
	struct tailbox__mhd *m = NULL;
	struct tailbox__options o;
	struct MHD_Daemon *d;
	va_list copy;

	if (!is_open() || dh == NULL)
		return MHD_start_daemon_va(flags, port, apc, apc_cls, dh,
		                           dh_cls, ap);
	va_copy(copy, ap);
	if (tailbox__options_from_va(&o, &copy) == 0)
		m = closure_of(&p, &o);
	va_end(copy);
	if (m != NULL) {
		d = start_recorded(&p, m, &o);
	} else {
		d = MHD_start_daemon_va(flags, port, apc, apc_cls, dh, dh_cls,
		                        ap);
		if (d != NULL)
			note_unrecorded(&p, d, &o);
	}
	tailbox__options_fini(&o);
	return d;
}

struct MHD_Daemon *
tailbox_mhd_start_daemon(unsigned int flags, uint16_t port,
                         MHD_AcceptPolicyCallback apc, void *apc_cls,
                         MHD_AccessHandlerCallback dh, void *dh_cls, ...)
{
	struct MHD_Daemon *d;
	va_list ap;

	va_start(ap, dh_cls);
	d = tailbox_mhd_start_daemon_va(flags, port, apc, apc_cls, dh, dh_cls,
	                                ap);
	va_end(ap);
	return d;
}

static struct MHD_Daemon *plain_array(const struct plain *p,
                                      const struct MHD_OptionItem *options)
{
	if (options == NULL)
		return MHD_start_daemon(p->flags, p->port, p->apc, p->apc_cls,
		                        p->dh, p->dh_cls, MHD_OPTION_END);
	return MHD_start_daemon(p->flags, p->port, p->apc, p->apc_cls, p->dh,
	                        p->dh_cls, MHD_OPTION_ARRAY, options,
	                        MHD_OPTION_END);
}

struct MHD_Daemon *
tailbox_mhd_start_daemon_array(unsigned int flags, uint16_t port,
                               MHD_AcceptPolicyCallback apc, void *apc_cls,
                               MHD_AccessHandlerCallback dh, void *dh_cls,
                               const struct MHD_OptionItem *options)
{
	const struct plain p = { flags, port, apc, apc_cls, dh, dh_cls };
	struct tailbox__mhd *m = NULL;
	struct tailbox__options o;
	struct MHD_Daemon *d;

	if (!is_open() || dh == NULL)
		return plain_array(&p, options);
	if (tailbox__options_from_array(&o, options) == 0)
		m = closure_of(&p, &o);
	if (m != NULL) {
		d = start_recorded(&p, m, &o);
	} else {
		d = plain_array(&p, options);
		if (d != NULL)
			note_unrecorded(&p, d, &o);
	}
	tailbox__options_fini(&o);
	return d;
}

/* --- stop -------------------------------------------------------------- */

void tailbox_mhd_stop_daemon(struct MHD_Daemon *daemon)
{
	struct tailbox__mhd *m;

	if (daemon == NULL)
		return;
	/* Off the list first: once it has stopped, the number of its listen
	 * socket may be another's. */
	m = unlink_daemon(daemon);
	MHD_stop_daemon(daemon);
	tailbox__free(m);
}
