/* tests/e2e_kill9.c - SIGKILL under load: no answer a client had is missing.
 *
 * SPDX-License-Identifier: MIT
 *
 * The server is this program again (argument --server FOLDER): a recorded pool
 * whose answers carry the number of their request. Clients note each number
 * and when they had it; after the kill `tailbox export TAPE` must give every
 * one that was there a millisecond before, finished or in phase `send`, and
 * nothing twice.
 *
 * TAILBOX_KILLS in the environment says how often; else 4 times, and 20 as
 * e2e_long_kill9.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tailbox/mhd.h>

#include "analyzer/load.h"

#define CLIENTS 8
#define NOTES_MAX 200000

#ifdef E2E_LONG
enum { KILLS = 20 };
#else
enum { KILLS = 4 };
#endif

/* --- the server -------------------------------------------------------- */

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	char number[32];
	struct MHD_Response *r = NULL;
	enum MHD_Result ok;

	(void)url, (void)method, (void)version, (void)data;
	(void)size;
	/* An answer from the first call would close the connection. */
	if (*req_cls == NULL) {
		*req_cls = cls;
		return MHD_YES;
	}
	snprintf(number, sizeof(number), "%llu",
	         (unsigned long long)tailbox_request_number(
	                 tailbox_request_of(c)));
	TAILBOX_STAGE(tailbox_request_of(c), "work") {
		r = MHD_create_response_from_buffer(strlen(number), number,
		                                    MHD_RESPMEM_MUST_COPY);
	}
	MHD_add_response_header(r, "X-Number", number);
	ok = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ok;
}

static int serve(const char *dir)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct tailbox_options o;
	struct MHD_Daemon *d;

	tailbox_options_init(&o);
	o.run_dir = dir;
	o.tape_bytes = 16u << 20;
	if (tailbox_start("victim", &o) != 0)
		return 3;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d = tailbox_mhd_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL,
	                             NULL, answer, &sa, MHD_OPTION_SOCK_ADDR,
	                             &sa, MHD_OPTION_THREAD_POOL_SIZE, 2u,
	                             MHD_OPTION_END);
	if (d == NULL)
		return 4;
	printf("%u\n", (unsigned)MHD_get_daemon_info(
	                       d, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	for (;;)
		pause();
}

/* --- clients ----------------------------------------------------------- */

struct note {
	uint64_t number, at_ns;
};

struct client {
	pthread_t thread;
	uint16_t port;
	struct note *notes;
	size_t count;
};

static atomic_ulong answers;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_port = htons(port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One request; its number, or 0 when the server is gone. */
static uint64_t ask(int fd)
{
	static const char request[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
	char buf[1024], *p, *body;
	size_t have = 0;

	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return 0;
	for (;;) {
		ssize_t n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
		if (n <= 0)
			return 0;
		have += (size_t)n;
		buf[have] = '\0';
		p = strstr(buf, "X-Number: ");
		body = strstr(buf, "\r\n\r\n");
		if (p != NULL && body != NULL) {
			unsigned long long number = strtoull(p + 10, NULL, 10);
			char text[32];
			snprintf(text, sizeof(text), "%llu", number);
			if (strlen(body + 4) >= strlen(text))
				return number;
		}
	}
}

static void *client(void *arg)
{
	struct client *c = arg;
	int fd = connect_to(c->port);
	uint64_t number;

	while (fd >= 0 && c->count < NOTES_MAX && (number = ask(fd)) != 0) {
		c->notes[c->count].number = number;
		c->notes[c->count].at_ns = now_ns();
		c->count++;
		atomic_fetch_add(&answers, 1);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* --- one kill ---------------------------------------------------------- */

static char dir[64];

static pid_t start_server(uint16_t *port)
{
	int out[2];
	char line[32] = "";
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execl("/proc/self/exe", "e2e_kill9", "--server", dir,
		      (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	ck_assert_int_gt(read(out[0], line, sizeof(line) - 1), 0);
	close(out[0]);
	*port = (uint16_t)strtoul(line, NULL, 10);
	ck_assert_uint_ne(*port, 0);
	return pid;
}

static struct tailbox__run *export_tape(pid_t pid)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const char *build = getenv("top_builddir");
	struct tailbox__run *run = NULL;
	char tape[128], json[128], tool[512];
	int status;
	pid_t child;

	snprintf(tape, sizeof(tape), "%s/victim.%ld.tape", dir, (long)pid);
	snprintf(json, sizeof(json), "%s/%ld.json", dir, (long)pid);
	snprintf(tool, sizeof(tool), "%s/tailbox", build ? build : ".");
	child = fork();
	if (child == 0) {
		execl(tool, tool, "export", "--to", "json", tape, "-o", json,
		      (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "%s export %s: status %d", tool, tape,
	              status);
	ck_assert_msg(tailbox__load_path(json, &run, &err) == 0, "%s",
	              err.text);
	unlink(tape);
	unlink(json);
	return run;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Numbers that the artifact has, sorted; the finished ones are unique. */
static uint64_t *numbers_of(const struct tailbox__run *run, size_t *count)
{
	uint64_t *v = calloc(run->requests.count + run->open.count + 1,
	                     sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < run->requests.count; i++) {
		uint32_t ext = run->requests.items[i].ext;
		ck_assert_uint_gt(ext, 0);
		v[n++] = run->ext.items[ext - 1].number;
	}
	qsort(v, n, sizeof(*v), ascending);
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ne(v[i], v[i - 1]);
	for (size_t i = 0; i < run->open.count; i++)
		if (run->open.items[i].phase == TAILBOX__PHASE_SEND)
			v[n++] = run->open.items[i].number;
	qsort(v, n, sizeof(*v), ascending);
	*count = n;
	return v;
}

static void check_notes(const struct client *clients, uint64_t killed_ns,
                        const struct tailbox__run *run)
{
	size_t count, checked = 0, missing = 0;
	uint64_t *numbers = numbers_of(run, &count);

	for (int i = 0; i < CLIENTS; i++) {
		for (size_t k = 0; k < clients[i].count; k++) {
			const struct note *n = &clients[i].notes[k];
			if (n->at_ns + 1000000 > killed_ns)
				continue;
			checked++;
			if (bsearch(&n->number, numbers, count,
			            sizeof(*numbers), ascending) == NULL)
				missing++;
		}
	}
	ck_assert_msg(missing == 0, "%zu of %zu answers are missing (%zu on "
	              "tape)", missing, checked, count);
	ck_assert_uint_gt(checked, 0);
	free(numbers);
}

static void kill_once(unsigned seed)
{
	struct client clients[CLIENTS];
	struct tailbox__run *run;
	uint64_t killed_ns, enough = 200 + seed * 7919u % 12000;
	uint16_t port;
	pid_t pid = start_server(&port);
	int status;

	atomic_store(&answers, 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].port = port;
		clients[i].count = 0;
		clients[i].notes = calloc(NOTES_MAX, sizeof(struct note));
		ck_assert_ptr_nonnull(clients[i].notes);
		ck_assert_int_eq(pthread_create(&clients[i].thread, NULL,
		                                client, &clients[i]), 0);
	}
	while (atomic_load(&answers) < enough)
		sched_yield();
	killed_ns = now_ns();
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	run = export_tape(pid);
	check_notes(clients, killed_ns, run);
	tailbox__run_destroy(run);
	for (int i = 0; i < CLIENTS; i++)
		free(clients[i].notes);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

START_TEST(every_answer_a_client_had_is_there)
{
	const char *times = getenv("TAILBOX_KILLS");
	unsigned n = times ? (unsigned)strtoul(times, NULL, 10) : KILLS;

	snprintf(dir, sizeof(dir), "/dev/shm/tailbox-kill-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (unsigned i = 0; i < n; i++)
		kill_once(i + 1);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("kill9");
	TCase *t = tcase_create("kill9");
	SRunner *sr;
	int failed;

	if (argc == 3 && strcmp(argv[1], "--server") == 0)
		return serve(argv[2]);
	tcase_set_timeout(t, 600);
	tcase_add_test(t, every_answer_a_client_had_is_there);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
