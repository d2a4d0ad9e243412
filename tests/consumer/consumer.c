/* consumer.c - a service outside of the tree, in strict C99: what a user
 * compiles against an installed tailbox. Serves three requests to itself.
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <tailbox/mhd.h>
#include <tailbox/pool.h>

static struct tailbox_pool *pool;

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	static char text[] = "hello\n";
	tailbox_request r = tailbox_request_of(connection);
	enum MHD_Result result = MHD_NO;

	(void)cls, (void)url, (void)method, (void)version;
	(void)upload, (void)upload_size, (void)req_cls;
	TAILBOX_WAIT(r, "consumer_pool", tailbox_pool_waiting(pool)) {
		tailbox_pool_busy_add(pool, 1);
	}
	TAILBOX_STAGE(r, "answer") {
		struct MHD_Response *response = MHD_create_response_from_buffer(
			sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);

		result = MHD_queue_response(connection, MHD_HTTP_OK, response);
		MHD_destroy_response(response);
		if (result != MHD_YES)
			TAILBOX_FAILED();
	}
	tailbox_pool_busy_add(pool, -1);
	return result;
}

/* Ask once; 1 when the answer is 200. */
static int ask(unsigned port)
{
	static const char line[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
	                           "Connection: close\r\n\r\n";
	struct sockaddr_in to;
	char buf[1024];
	size_t have = 0;
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(&to, 0, sizeof(to));
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return 0;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    write(fd, line, sizeof(line) - 1) != (ssize_t)sizeof(line) - 1) {
		close(fd);
		return 0;
	}
	while (have < sizeof(buf) - 1 &&
	       (n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	buf[have] = '\0';
	return strncmp(buf, "HTTP/1.1 200", 12) == 0;
}

int main(void)
{
	struct MHD_Daemon *d;
	const union MHD_DaemonInfo *info;
	int served = 0;
	int recorded;
	int i;

	if (strcmp(tailbox_version(), TAILBOX_VERSION) != 0) {
		printf("header %s, library %s\n", TAILBOX_VERSION,
		       tailbox_version());
		return 1;
	}
	recorded = tailbox_start("consumer", NULL);
	if (recorded != 0)
		printf("not recorded: %s\n", tailbox_strerror(recorded));
	pool = tailbox_pool_register("consumer_pool", TAILBOX_POOL_RESOURCE, 2);
	d = tailbox_mhd_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
	                             NULL, &answer, NULL, MHD_OPTION_END);
	if (d == NULL)
		return 1;
	info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	for (i = 0; info != NULL && i < 3; i++)
		served += ask(info->port);
	tailbox_mhd_stop_daemon(d);
	tailbox_pool_unregister(pool);
	tailbox_stop();
	printf("served %d requests\n", served);
	return served != 3 || recorded != 0;
}
