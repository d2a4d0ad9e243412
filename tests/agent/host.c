/* tests/agent/host.c - a program without libmicrohttpd that gets one later.
 *
 * SPDX-License-Identifier: MIT
 *
 *     host dlopen LIBRARY [LIBRARY2]  functions of libmicrohttpd by dlsym(); a
 *                                     daemon of each library
 *     host plugin LIBRARY             start() of a plugin that is linked with it
 *
 * Either way it serves until a line comes on standard input, unloads the
 * library, and ends with 3. Built by tests/cli_run.sh, the plugin as well: this
 * file with -DPLUGIN. With -DEARLY it serves as soon as it is loaded.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#ifdef PLUGIN
#define CALL(library, name) MHD_##name
/* For dlsym(), whatever -fvisibility= says. */
__attribute__((visibility("default"))) void *start(void *library);
__attribute__((visibility("default"))) void stop(void *library, void *d);
#else
#define CALL(library, name)                                                    \
	((__typeof__(&MHD_##name))find(library, "MHD_" #name))

static void *find(void *library, const char *name)
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
	r = CALL(cls, create_response_from_buffer)(sizeof(text) - 1, text,
	                                           MHD_RESPMEM_PERSISTENT);
	ok = CALL(cls, queue_response)(c, MHD_HTTP_OK, r);
	CALL(cls, destroy_response)(r);
	return ok;
}

/* For dlsym(), whatever -fvisibility= says. */
__attribute__((visibility("default"))) void *start(void *library);
__attribute__((visibility("default"))) void stop(void *library, void *d);

void *start(void *library)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct MHD_Daemon *d;

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d = CALL(library, start_daemon)(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL,
	                                NULL, &answer, library,
	                                MHD_OPTION_SOCK_ADDR, &here,
	                                MHD_OPTION_END);
	if (d == NULL)
		exit(9);
	printf("port %u\n", (unsigned)CALL(library, get_daemon_info)(
	                            d, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	return d;
}

void stop(void *library, void *d)
{
	(void)library;
	CALL(library, stop_daemon)(d);
}

#ifdef EARLY
/* Before main(), and maybe before the agent. */
__attribute__((constructor)) static void early(void)
{
	start(NULL);
}
#endif

#ifndef PLUGIN
static void *open_library(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		fprintf(stderr, "host: %s\n", dlerror());
		exit(9);
	}
	return library;
}

int main(int argc, char **argv)
{
	void *(*begin)(void *) = &start, *library[2], *d[2];
	void (*end)(void *, void *) = &stop;
	const int n = argc - 2;

	if (n < 1 || n > 2)
		return 9;
	for (int i = 0; i < n; i++) {
		library[i] = open_library(argv[2 + i]);
		if (!strcmp(argv[1], "plugin")) {
			begin = (void *(*)(void *))find(library[i], "start");
			end = (void (*)(void *, void *))find(library[i], "stop");
		}
		d[i] = begin(library[i]);
	}
	while (getchar() != '\n' && !feof(stdin))
		;
	for (int i = 0; i < n; i++) {
		end(library[i], d[i]);
		dlclose(library[i]);
	}
	return 3;
}
#endif
