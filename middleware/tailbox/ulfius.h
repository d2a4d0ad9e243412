/* tailbox/ulfius.h - record a service of Ulfius, its endpoints as routes.
 *
 * SPDX-License-Identifier: MIT
 *
 * Needs ulfius.h 2.x. Two calls around what the service does anyway:
 *
 *     #define TAILBOX_ULFIUS_IMPLEMENTATION
 *     #include <tailbox/ulfius.h>
 *     ...
 *     tailbox_start("api", NULL);
 *     ulfius_init_instance(&api, 8080, NULL, NULL);
 *     ulfius_add_endpoint_by_val(&api, "GET", "/users", ":id", 0, &user, NULL);
 *     tailbox_ulfius_attach(&api);
 *     ulfius_start_framework(&api);
 *     ...
 *     ulfius_stop_framework(&api);
 *     tailbox_ulfius_detach(&api);
 *     ulfius_clean_instance(&api);
 *     tailbox_stop();
 *
 * TAILBOX_ULFIUS_IMPLEMENTATION: in one C source of the program, not of a
 * library, for it has to define MHD_start_daemon. Ulfius starts its daemon
 * itself, and the linker finds a definition in the program before the one of
 * libmicrohttpd. It does what MHD_start_daemon does, unless it is called for
 * an attached instance. Not for a program that has such a definition already,
 * nor with an Ulfius that was linked with -Bsymbolic.
 */
#ifndef TAILBOX_ULFIUS_H
#define TAILBOX_ULFIUS_H 1

#include <ulfius.h>

#include <tailbox/mhd.h>
#include <tailbox/ulfius_route.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Record the daemon that Ulfius starts for this instance next, by any of its
 * functions, and name requests by the endpoints that it has now: "GET
 * /users/{id}". Of several that answer a request in turn the last one names
 * it. Endpoints that are added later, and requests that none answers, are
 * named as by tailbox_mhd_start_daemon().
 * The callbacks in the instance's list of endpoints are replaced, and put back
 * by tailbox_ulfius_detach(); a program that looks at them there sees that.
 * Threads: one thread per instance, before it is started. Allocates.
 * Returns 0, -EINVAL (instance is NULL), -EALREADY (it is attached), -ENOMEM;
 * after an error nothing has changed. Since 0.1. */
int tailbox_ulfius_attach(struct _u_instance *instance);

/* Undo that: after ulfius_stop_framework() and before
 * ulfius_clean_instance(). An instance that is not attached, and NULL, do
 * nothing. Threads: one thread per instance. Since 0.1. */
void tailbox_ulfius_detach(struct _u_instance *instance);

/* Inside a callback of an endpoint: the request that is being served, NULL
 * when it is not recorded. Elsewhere NULL. For TAILBOX_STAGE and the like;
 * hand it over to whom works on the request. Threads: any thread. Since 0.1. */
tailbox_request tailbox_ulfius_request(void);

#ifdef __cplusplus
}
#endif

#ifdef TAILBOX_ULFIUS_IMPLEMENTATION

#ifdef __cplusplus
#error "TAILBOX_ULFIUS_IMPLEMENTATION belongs into a C source"
#endif

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

struct tailbox__ulfius_endpoint {
	int (*call)(const struct _u_request *request,
	            struct _u_response *response, void *user_data);
	void *user_data;
	char route[TAILBOX_ULFIUS_ROUTE_SIZE];
};

struct tailbox__ulfius {
	struct tailbox__ulfius *next;
	struct _u_instance *instance;
	MHD_AccessHandlerCallback handler; /* of Ulfius */
	int count;
	struct tailbox__ulfius_endpoint endpoints[];
};

static pthread_mutex_t tailbox__ulfius_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tailbox__ulfius *tailbox__ulfius_all;
/* What this thread serves now: callbacks of Ulfius are not told. */
static __thread struct MHD_Connection *tailbox__ulfius_connection;

/* Under the lock: where an attached instance hangs, or the end. */
static struct tailbox__ulfius **tailbox__ulfius_find(const void *instance)
{
	struct tailbox__ulfius **at = &tailbox__ulfius_all;

	while (*at != NULL && (*at)->instance != instance)
		at = &(*at)->next;
	return at;
}

tailbox_request tailbox_ulfius_request(void)
{
	return tailbox__ulfius_connection != NULL
	               ? tailbox_request_of(tailbox__ulfius_connection)
	               : NULL;
}

static int tailbox__ulfius_call(const struct _u_request *request,
                                struct _u_response *response, void *user_data)
{
	const struct tailbox__ulfius_endpoint *e = user_data;

	tailbox_request_set_route(tailbox_ulfius_request(), e->route);
	return e->call(request, response, e->user_data);
}

static enum MHD_Result
tailbox__ulfius_handler(void *cls, struct MHD_Connection *c, const char *url,
                        const char *method, const char *version,
                        const char *data, size_t *size, void **req_cls)
{
	const struct tailbox__ulfius *u = cls;
	enum MHD_Result result;

	tailbox__ulfius_connection = c;
	result = u->handler(u->instance, c, url, method, version, data, size,
	                    req_cls);
	tailbox__ulfius_connection = NULL;
	return result;
}

/* Ulfius gives the instance as the closure of its handler. Daemons of others,
 * and the ones that tailbox starts, have other closures. */
__attribute__((visibility("default"))) struct MHD_Daemon *
MHD_start_daemon(unsigned int flags, uint16_t port,
                 MHD_AcceptPolicyCallback apc, void *apc_cls,
                 MHD_AccessHandlerCallback dh, void *dh_cls, ...)
{
	struct tailbox__ulfius *u;
	struct MHD_Daemon *d;
	va_list ap;

	pthread_mutex_lock(&tailbox__ulfius_lock);
	u = *tailbox__ulfius_find(dh_cls);
	pthread_mutex_unlock(&tailbox__ulfius_lock);
	va_start(ap, dh_cls);
	if (u == NULL) {
		d = MHD_start_daemon_va(flags, port, apc, apc_cls, dh, dh_cls,
		                        ap);
	} else {
		u->handler = dh;
		d = tailbox_mhd_start_daemon_va(flags, port, apc, apc_cls,
		                                tailbox__ulfius_handler, u, ap);
	}
	va_end(ap);
	return d;
}

static void tailbox__ulfius_wrap(struct tailbox__ulfius *u)
{
	for (int i = 0; i < u->count; i++) {
		struct tailbox__ulfius_endpoint *to = &u->endpoints[i];
		struct _u_endpoint *e = &u->instance->endpoint_list[i];
		to->call = e->callback_function;
		to->user_data = e->user_data;
		tailbox_ulfius_route(to->route, e->http_method, e->url_prefix,
		                     e->url_format);
		e->callback_function = tailbox__ulfius_call;
		e->user_data = to;
	}
}

int tailbox_ulfius_attach(struct _u_instance *instance)
{
	struct tailbox__ulfius *u, **at;
	int count, rc = 0;

	if (instance == NULL)
		return -EINVAL;
	count = instance->endpoint_list != NULL ? instance->nb_endpoints : 0;
	u = calloc(1, sizeof(*u) + (size_t)count * sizeof(u->endpoints[0]));
	if (u == NULL)
		return -ENOMEM;
	u->instance = instance;
	u->count = count;
	pthread_mutex_lock(&tailbox__ulfius_lock);
	at = tailbox__ulfius_find(instance);
	if (*at != NULL)
		rc = -EALREADY;
	else
		*at = u;
	pthread_mutex_unlock(&tailbox__ulfius_lock);
	if (rc == 0)
		tailbox__ulfius_wrap(u);
	else
		free(u);
	return rc;
}

void tailbox_ulfius_detach(struct _u_instance *instance)
{
	struct tailbox__ulfius *u, **at;

	pthread_mutex_lock(&tailbox__ulfius_lock);
	at = instance != NULL ? tailbox__ulfius_find(instance) : NULL;
	u = at != NULL ? *at : NULL;
	if (u != NULL)
		*at = u->next;
	pthread_mutex_unlock(&tailbox__ulfius_lock);
	if (u == NULL)
		return;
	/* Some may be gone, and others there, by now. */
	for (int i = 0; i < instance->nb_endpoints; i++) {
		struct _u_endpoint *e = &instance->endpoint_list[i];
		struct tailbox__ulfius_endpoint *from = e->user_data;
		if (e->callback_function != tailbox__ulfius_call)
			continue;
		e->callback_function = from->call;
		e->user_data = from->user_data;
	}
	free(u);
}

#endif /* TAILBOX_ULFIUS_IMPLEMENTATION */
#endif
