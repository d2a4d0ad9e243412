/* agent/ulfius.c - a service of Ulfius has its endpoints as routes.
 *
 * SPDX-License-Identifier: MIT
 *
 * All that add an endpoint, inside Ulfius too, call ulfius_add_endpoint(),
 * which copies what it is given. In its place a copy is added whose callback
 * is ours; it names the request that this thread serves, then goes on to the
 * one of the program. The program sees that only where it reads its list of
 * endpoints back. Nothing of Ulfius is linked or included: the layout below
 * is that of each Ulfius 2, and others are left alone.
 */
#include <dlfcn.h>
#include <string.h>

#include <tailbox/ulfius_route.h>

#include "agent/agent.h"
#include "agent/real.h"
#include "core/alloc.h"
#include "middleware/hooks.h"

struct _u_instance;
struct _u_request;
struct _u_response;
struct _u_endpoint {
	char *http_method, *url_prefix, *url_format;
	unsigned priority;
	int (*callback)(const struct _u_request *request,
	                struct _u_response *response, void *user_data);
	void *user_data;
};

/* One per endpoint that is added, and never freed: Ulfius does not tell when it
 * drops one. In a list, so that it is no leak to those who look for such. */
struct named {
	struct named *next;
	int (*callback)(const struct _u_request *request,
	                struct _u_response *response, void *user_data);
	void *user_data;
	char route[TAILBOX_ULFIUS_ROUTE_SIZE];
};

static _Atomic(struct named *) all;

static void keep(struct named *n)
{
	n->next = atomic_load_explicit(&all, memory_order_relaxed);
	/* Relaxed: nobody follows it. */
	while (!atomic_compare_exchange_weak_explicit(&all, &n->next, n,
	                                              memory_order_relaxed,
	                                              memory_order_relaxed))
		;
}

static int call(const struct _u_request *request, struct _u_response *response,
                void *user_data)
{
	const struct named *n = user_data;

	tailbox_request_set_route(tailbox__request_here(), n->route);
	return n->callback(request, response, n->user_data);
}

static bool is_known(void *function)
{
	static const char name[] = "/libulfius.so.2.";
	Dl_info info;

	return dladdr(function, &info) != 0 && info.dli_fname != NULL &&
	       strstr(info.dli_fname, name) != NULL;
}

__attribute__((visibility("default"))) int
ulfius_add_endpoint(struct _u_instance *instance, const struct _u_endpoint *e);
int ulfius_add_endpoint(struct _u_instance *instance,
                        const struct _u_endpoint *e)
{
	static struct tailbox__real real = { .name = "ulfius_add_endpoint" };
	int (*plain)(struct _u_instance *i, const struct _u_endpoint *e);
	struct _u_endpoint copy;
	struct named *n;
	int rc;

	plain = tailbox__real_of(&real, __builtin_return_address(0));
	if (plain == NULL)
		return 1; /* U_ERROR */
	if (e == NULL || e->callback == NULL || !is_known((void *)plain) ||
	    (n = tailbox__alloc(1, sizeof(*n))) == NULL)
		return plain(instance, e);
	n->callback = e->callback;
	n->user_data = e->user_data;
	tailbox_ulfius_route(n->route, e->http_method, e->url_prefix,
	                     e->url_format);
	copy = *e;
	copy.callback = call;
	copy.user_data = n;
	rc = plain(instance, &copy);
	if (rc == 0)
		keep(n);
	else
		tailbox__free(n);
	return rc;
}
