/* tests/ulfius/api.c - a service of Ulfius, as it is and with the adapter.
 *
 * SPDX-License-Identifier: MIT
 *
 *     api        prints "port N", serves on 127.0.0.1 until a line comes on
 *                standard input; exit status 0
 *
 * With WITH_TAILBOX it is recorded by tailbox/ulfius.h; without, it knows
 * nothing of tailbox. What clients see is the same. Built by tests/ulfius.sh.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TAILBOX
#define TAILBOX_ULFIUS_IMPLEMENTATION
#include <tailbox/ulfius.h>
#define STAGE(name) TAILBOX_STAGE(tailbox_ulfius_request(), name)
#else
#include <ulfius.h>
#define STAGE(name)
#endif

#define ENDPOINT(name)                                                         \
	static int name(const struct _u_request *request,                      \
	                struct _u_response *response, void *user_data)

static int say(struct _u_response *response, unsigned status, const char *what,
               const char *text)
{
	char body[256];

	snprintf(body, sizeof(body), "%s %s\n", what, text ? text : "-");
	ulfius_set_string_body_response(response, status, body);
	return U_CALLBACK_COMPLETE;
}

/* Sees each request below /users before the endpoint that answers it. */
ENDPOINT(filter)
{
	(void)request;
	ulfius_add_header_to_response(response, "X-Seen", user_data);
	return U_CALLBACK_CONTINUE;
}

ENDPOINT(user)
{
	STAGE("look_up") {
		say(response, 200, user_data,
		    u_map_get(request->map_url, "id"));
	}
	return U_CALLBACK_COMPLETE;
}

ENDPOINT(add_user)
{
	return say(response, 201, user_data,
	           u_map_get(request->map_post_body, "name"));
}

ENDPOINT(file)
{
	return say(response, 200, user_data, request->http_url);
}

ENDPOINT(nothing)
{
	(void)request;
	return say(response, 404, user_data, NULL);
}

/* A port that was free a moment ago: Ulfius takes no 0. */
static unsigned free_port(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&here, size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &size) != 0)
		here.sin_port = 0;
	close(fd);
	return ntohs(here.sin_port);
}

static void add_endpoints(struct _u_instance *api)
{
	static char yes[] = "yes", one[] = "user", added[] = "added",
	            path[] = "file", none[] = "nothing"; /* it takes void * */

	ulfius_add_endpoint_by_val(api, "*", "/users", "*", 0, filter, yes);
	ulfius_add_endpoint_by_val(api, "GET", "/users/", "/:id", 1, user, one);
	ulfius_add_endpoint_by_val(api, "POST", "users", NULL, 1, add_user,
	                           added);
	ulfius_add_endpoint_by_val(api, "GET", NULL, "/files/*", 1, file, path);
	ulfius_set_default_endpoint(api, nothing, none);
}

#ifdef WITH_TAILBOX
static struct _u_endpoint before;

static int attach(struct _u_instance *api)
{
	before = api->endpoint_list[1];
	return tailbox_ulfius_attach(api) != 0 ||
	       tailbox_ulfius_attach(api) != -EALREADY ||
	       tailbox_ulfius_attach(NULL) != -EINVAL;
}

static int detach(struct _u_instance *api)
{
	const struct _u_endpoint *now = &api->endpoint_list[1];

	if (now->callback_function == before.callback_function)
		return 1;
	tailbox_ulfius_detach(api);
	tailbox_ulfius_detach(api);
	tailbox_ulfius_detach(NULL);
	return now->callback_function != before.callback_function ||
	       now->user_data != before.user_data;
}
#else
#define attach(api) 0
#define detach(api) 0
#endif

static int start(struct _u_instance *api, struct sockaddr_in *here)
{
	int rc;

	here->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	here->sin_port = htons((uint16_t)free_port());
	if (ulfius_init_instance(api, ntohs(here->sin_port), here, NULL))
		return 1;
	add_endpoints(api);
	if (attach(api) != 0)
		return 1;
	rc = ulfius_start_framework(api);
	if (rc == U_OK) {
		printf("port %u\n", api->port);
		fflush(stdout);
	} else if (detach(api) == 0) {
		ulfius_clean_instance(api);
	}
	return rc;
}

static int stop(struct _u_instance *api)
{
	int rc = ulfius_stop_framework(api);

	if (detach(api) != 0)
		return 1;
	ulfius_clean_instance(api);
	return rc;
}

int main(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct _u_instance api;
	int rc = 1;

#ifdef WITH_TAILBOX
	tailbox_start("api", NULL);
#endif
	/* Somebody else may have been given the port meanwhile. */
	for (int i = 0; i < 5 && rc != 0; i++)
		rc = start(&api, &here);
	if (rc == 0) {
		getchar();
		rc = stop(&api);
	}
#ifdef WITH_TAILBOX
	tailbox_stop();
#endif
	return rc;
}
