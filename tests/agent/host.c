/* tests/agent/host.c - a program without libmicrohttpd that gets one later.
 *
 * SPDX-License-Identifier: MIT
 *
 *     host dlopen LIBRARY    take the functions of libmicrohttpd by dlsym()
 *     host plugin LIBRARY    call serve() of a plugin that is linked with it
 *
 * Either way it serves until a line comes on standard input, unloads the
 * library, and ends with 3. Built by tests/cli_run.sh, the plugin as well: this
 * file with -DPLUGIN.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#ifdef PLUGIN
#define CALL(name) MHD_##name
void *start(void);
void stop(void *d);
#else
#define CALL(name) ((__typeof__(&MHD_##name))find("MHD_" #name))
static void *library;

static void *find(const char *name)
{
	void *f = dlsym(library, name);

	if (f == NULL) {
		fprintf(stderr, "host: %s\n", dlerror());
		exit(9);
	}
	return f;
}
#endif

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	static char text[] = "hello\n";
	struct MHD_Response *r;
	enum MHD_Result ok;

	(void)cls, (void)url, (void)method, (void)version;
	(void)upload, (void)upload_size, (void)req_cls;
	r = CALL(create_response_from_buffer)(sizeof(text) - 1, text,
	                                      MHD_RESPMEM_PERSISTENT);
	ok = CALL(queue_response)(c, MHD_HTTP_OK, r);
	CALL(destroy_response)(r);
	return ok;
}

void *start(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct MHD_Daemon *d;

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d = CALL(start_daemon)(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
	                       &answer, NULL, MHD_OPTION_SOCK_ADDR, &here,
	                       MHD_OPTION_END);
	if (d == NULL)
		exit(9);
	printf("port %u\n", (unsigned)CALL(get_daemon_info)(
	                            d, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	return d;
}

void stop(void *d)
{
	CALL(stop_daemon)(d);
}

#ifndef PLUGIN
int main(int argc, char **argv)
{
	void *(*begin)(void) = &start;
	void (*end)(void *) = &stop;
	void *d;

	library = argc > 2 ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (library == NULL) {
		fprintf(stderr, "host: %s\n", dlerror());
		return 9;
	}
	if (!strcmp(argv[1], "plugin")) {
		begin = (void *(*)(void))find("start");
		end = (void (*)(void *))find("stop");
	}
	d = begin();
	while (getchar() != '\n' && !feof(stdin))
		;
	end(d);
	dlclose(library);
	return 3;
}
#endif
