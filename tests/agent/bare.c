/* tests/agent/bare.c - a program of libmicrohttpd that knows nothing of tailbox.
 *
 * SPDX-License-Identifier: MIT
 *
 *     bare MODE [ARGUMENT...]
 *
 * Serves on a free port of 127.0.0.1, prints "port N" and goes on until a line
 * comes on standard input; exit status 3. /slow takes 10 s, /exit calls exit(5)
 * in the handler, /abort dies by SIGABRT, /env tells LD_PRELOAD and all
 * variables that begin with TAILBOX_AGENT. Built by tests/cli_run.sh.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

extern char **environ;

/* --- serving -------------------------------------------------------------- */

static void environment(char *to, size_t size)
{
	const char *list = getenv("LD_PRELOAD");
	size_t n = (size_t)snprintf(to, size, "LD_PRELOAD=%s\n",
	                            list ? list : "(unset)");

	for (char **e = environ; *e && n < size; e++)
		if (!strncmp(*e, "TAILBOX_AGENT", 13) ||
		    !strncmp(*e, "TAILBOX_NAME", 12))
			n += (size_t)snprintf(to + n, size - n, "%s\n", *e);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	char text[4096] = "hello\n";
	struct MHD_Response *r;
	enum MHD_Result ok;

	(void)cls, (void)method, (void)version, (void)upload;
	(void)upload_size, (void)req_cls;
	if (!strcmp(url, "/slow"))
		sleep(10);
	else if (!strcmp(url, "/exit"))
		exit(5);
	else if (!strcmp(url, "/abort"))
		abort();
	else if (!strcmp(url, "/env"))
		environment(text, sizeof(text));
	r = MHD_create_response_from_buffer(strlen(text), text,
	                                    MHD_RESPMEM_MUST_COPY);
	ok = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ok;
}

static struct MHD_Daemon *by_va(unsigned flags, uint16_t port, ...)
{
	struct MHD_Daemon *d;
	va_list ap;

	va_start(ap, port);
	d = MHD_start_daemon_va(flags, port, NULL, NULL, &answer, NULL, ap);
	va_end(ap);
	return d;
}

static struct MHD_Daemon *serve(unsigned threads)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD;
	struct MHD_Daemon *d;

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d = threads > 1 ? by_va(flags, 0, MHD_OPTION_SOCK_ADDR, &here,
	                        MHD_OPTION_THREAD_POOL_SIZE, threads,
	                        MHD_OPTION_END)
	                : MHD_start_daemon(flags, 0, NULL, NULL, &answer, NULL,
	                                   MHD_OPTION_SOCK_ADDR, &here,
	                                   MHD_OPTION_END);
	if (d == NULL) {
		puts("no daemon");
		exit(9);
	}
	printf("port %u\n",
	       (unsigned)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	return d;
}

static unsigned short port_of(struct MHD_Daemon *d)
{
	return MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void wait_for_line(void)
{
	while (getchar() != '\n' && !feof(stdin))
		;
}

/* --- load ----------------------------------------------------------------- */

/* One request on a connection of its own; false: no answer. */
static int get(unsigned short port, const char *path)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port) };
	char text[256];
	int s = socket(AF_INET, SOCK_STREAM, 0), n;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n = snprintf(text, sizeof(text),
	             "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	             path);
	if (connect(s, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    write(s, text, (size_t)n) != n) {
		close(s);
		return 0;
	}
	n = (int)read(s, text, sizeof(text));
	close(s);
	return n > 0;
}

static unsigned short target;
static _Atomic unsigned answered;

static void *client(void *cls)
{
	(void)cls;
	for (;;)
		answered += (unsigned)get(target, "/");
	return NULL;
}

/* exit() on the main thread while workers and clients are at it. */
static void under_load(void)
{
	const struct timespec step = { 0, 1000000 };
	pthread_t t;

	target = port_of(serve(4));
	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, client, NULL);
	while (answered < 1000)
		nanosleep(&step, NULL);
	exit(5);
}

/* --- modes ---------------------------------------------------------------- */

static int forks(void)
{
	struct MHD_Daemon *d = serve(1), *mine;
	int status;
	pid_t child = fork();

	if (child == 0) {
		mine = serve(1);
		for (int i = 0; i < 5; i++)
			if (!get(port_of(mine), "/child"))
				_exit(1);
		MHD_stop_daemon(mine);
		exit(6);
	}
	waitpid(child, &status, 0);
	printf("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	fflush(stdout);
	wait_for_line();
	MHD_stop_daemon(d);
	return 3;
}

/* As daemon(3) does, but standard output stays. */
static void background(void)
{
	if (fork() != 0)
		exit(0);
	setsid();
	close(STDIN_FILENO);
	serve(1);
	for (;;)
		pause();
}

/* Tells each SIGINT, and at SIGUSR1 how many there were. */
static int counts_signals(void)
{
	struct MHD_Daemon *d;
	sigset_t set;
	int n = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	d = serve(1);
	while (sigwaitinfo(&set, NULL) == SIGINT) {
		printf("int %d\n", ++n);
		fflush(stdout);
	}
	printf("usr1 after %d\n", n);
	MHD_stop_daemon(d);
	return 3;
}

/* What has the number of standard error is another file by now. */
static void takes_stderr(const char *path)
{
	close(STDERR_FILENO);
	if (open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) != STDERR_FILENO)
		exit(9);
}

static void put_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	printf("descriptors %d\n", n - 1);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "serve";
	struct MHD_Daemon *d, *second = NULL;

	if (!strcmp(mode, "load"))
		under_load();
	if (!strcmp(mode, "background"))
		background();
	if (!strcmp(mode, "fork"))
		return forks();
	if (!strcmp(mode, "signals"))
		return counts_signals();
	if (!strcmp(mode, "stderr") && argc > 2)
		takes_stderr(argv[2]);
	if (!strcmp(mode, "descriptors"))
		put_descriptors();
	if (!strcmp(mode, "none")) {
		puts("port 0");
		fflush(stdout);
		wait_for_line();
		return 4;
	}
	d = serve(!strcmp(mode, "pool") ? 3 : 1);
	if (!strcmp(mode, "two"))
		second = serve(2);
	wait_for_line();
	if (!strcmp(mode, "exec") && argc > 2)
		execv(argv[2], argv + 2);
	if (!strcmp(mode, "exit"))
		exit(5); /* the daemon serves on until the end */
	MHD_stop_daemon(d);
	if (second)
		MHD_stop_daemon(second);
	return 3;
}
