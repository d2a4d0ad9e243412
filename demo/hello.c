/* demo/hello.c - the smallest adoption of tailbox: one include, a start and a
 * stop of each, and of MHD_start_daemon the name. Then, while it runs:
 *     tailbox capture 10s hello
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>

#include <tailbox/mhd.h>

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	static char text[] = "hello\n";

	(void)cls, (void)url, (void)method, (void)version;
	(void)upload, (void)upload_size, (void)req_cls;
	struct MHD_Response *r = MHD_create_response_from_buffer(
		sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result ok = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ok;
}

int main(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
	                            .sin_port = htons(8888) };
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

	tailbox_start("hello", NULL); /* never fails the service */
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, &answer, NULL,
		MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_END);
	if (d == NULL) {
		perror("hello: cannot serve on 127.0.0.1:8888");
	} else {
		puts("http://127.0.0.1:8888/ - Enter stops");
		getchar();
	}
	tailbox_mhd_stop_daemon(d); /* NULL does nothing */
	tailbox_stop();
	return d == NULL;
}
