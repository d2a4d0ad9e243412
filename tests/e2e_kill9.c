/* tests/e2e_kill9.c - SIGKILL under load: no answer a client had is missing.
 *
 * SPDX-License-Identifier: MIT
 *
 * The server is this program again (argument --server FOLDER): a recorded pool
 * of workers that mark stages and waits. Each client sends ids of its own,
 * "cCLIENT-NUMBER", and from the number follow the path, the status, the size
 * of the answer and the names of stage and wait: so whatever is on the tape
 * can be held against what was asked. Windows are armed now and then. At a
 * random instant the server is killed, `tailbox recover` makes an artifact of
 * its tape, and
 *
 *	every answer that a client had a millisecond before the kill is in it,
 *	finished or in phase `send`, under its id;
 *	nothing is in it that was not asked for, nothing twice, and every part
 *	of a record fits its id: none is torn;
 *	nothing is called damaged, and the tape is gone.
 *
 * TAILBOX_KILLS in the environment says how often; else 4 times, and 20 as
 * e2e_long_kill9. TAILBOX_SEED is the first round's: a failure names its own,
 * and is repeated with TAILBOX_KILLS=1 (as far as chance comes of seeds).
 * tests/kill9.sh is the comfortable way.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tailbox/mhd.h>

#include "analyzer/load.h"

#define CLIENTS 8
#define NOTES_MAX 60000
#define WORKERS 4u
#define ANSWER_MAX 64u

#ifdef E2E_LONG
enum { KILLS = 20 };
#else
enum { KILLS = 4 };
#endif

/* --- what follows from a number ---------------------------------------- */

static unsigned status_of(uint64_t n)
{
	static const unsigned of[] = { 200, 201, 202, 409, 500 };

	return of[n % 5];
}

static unsigned bytes_of(uint64_t n)
{
	return 1 + (unsigned)(n * 13 % ANSWER_MAX);
}

static unsigned path_of(uint64_t n)
{
	return (unsigned)(n % 7);
}

static unsigned stage_of(uint64_t n)
{
	return (unsigned)(n % 3);
}

/* "c3-17" taken apart; false for what is no such id. */
static bool take_id(const char *id, unsigned *client, uint64_t *n)
{
	char again[TAILBOX_ID_MAX];
	unsigned long long number;

	if (sscanf(id, "c%u-%llu", client, &number) != 2)
		return false;
	snprintf(again, sizeof(again), "c%u-%llu", *client, number);
	*n = number;
	return strcmp(again, id) == 0;
}

/* --- the server -------------------------------------------------------- */

static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;

static void work(tailbox_request r, uint64_t n)
{
	const struct timespec nap = { 0, 200000 };
	volatile unsigned spin = (unsigned)(n * 37 % 500);

	if (n % 2 == 0) {
		TAILBOX_WAIT(r, "pool", 1) {
			pthread_mutex_lock(&pool);
		}
		pthread_mutex_unlock(&pool);
	}
	switch (stage_of(n)) {
	case 0:
		TAILBOX_STAGE(r, "work0") {
			while (spin > 0)
				spin--;
		}
		break;
	case 1:
		TAILBOX_STAGE(r, "work1") {
			if (n % 64 == 1)
				nanosleep(&nap, NULL);
		}
		break;
	default:
		TAILBOX_STAGE(r, "work2") {
			while (spin > 0)
				spin--;
		}
	}
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static char text[ANSWER_MAX + 1];
	tailbox_request r = tailbox_request_of(c);
	struct MHD_Response *out;
	enum MHD_Result ok;
	unsigned client;
	const char *id;
	uint64_t n;

	(void)url, (void)method, (void)version, (void)data;
	(void)size;
	/* An answer from the first call would close the connection. */
	if (*req_cls == NULL) {
		*req_cls = cls;
		return MHD_YES;
	}
	id = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Id");
	if (id == NULL || !take_id(id, &client, &n))
		return MHD_NO;
	tailbox_request_set_id(r, id);
	work(r, n);
	out = MHD_create_response_from_buffer(bytes_of(n), text,
	                                      MHD_RESPMEM_PERSISTENT);
	ok = MHD_queue_response(c, status_of(n), out);
	MHD_destroy_response(out);
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
	                             &sa, MHD_OPTION_THREAD_POOL_SIZE, WORKERS,
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

struct client {
	pthread_t thread;
	uint16_t port;
	unsigned index;
	uint64_t sent;     /* numbers 1..sent were asked */
	uint64_t *had_ns;  /* when the answer to number i + 1 was there */
	size_t count;
};

static atomic_ulong answers;
static atomic_bool is_over;

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

/* Ask number n, and take the whole answer; false when the server is gone. */
static bool ask(int fd, unsigned client, uint64_t n)
{
	char buf[1024], *body;
	size_t have = 0;
	int len = snprintf(buf, sizeof(buf),
	                   "GET /w%u HTTP/1.1\r\nHost: x\r\n"
	                   "X-Id: c%u-%llu\r\n\r\n",
	                   path_of(n), client, (unsigned long long)n);

	if (send(fd, buf, (size_t)len, MSG_NOSIGNAL) < 0)
		return false;
	for (;;) {
		ssize_t got = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
		if (got <= 0)
			return false;
		have += (size_t)got;
		/* The body is zeros. */
		body = memmem(buf, have, "\r\n\r\n", 4);
		if (body != NULL &&
		    have - (size_t)(body + 4 - buf) >= bytes_of(n))
			return true;
	}
}

static void *client(void *arg)
{
	struct client *c = arg;
	int fd = connect_to(c->port);

	while (fd >= 0 && c->sent < NOTES_MAX && !atomic_load(&is_over)) {
		c->sent++;
		if (!ask(fd, c->index, c->sent))
			break;
		c->had_ns[c->count++] = now_ns();
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

/* A window by the admin socket; whatever comes of it is no matter here. */
static void call(pid_t pid, const char *what)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[512];
	int n = snprintf(text, sizeof(text),
	                 "POST %s HTTP/1.1\r\nHost: localhost\r\n"
	                 "Content-Length: 0\r\nConnection: close\r\n\r\n",
	                 what);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/victim.%ld.sock", dir,
	         (long)pid);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	    send(fd, text, (size_t)n, MSG_NOSIGNAL) == n)
		while (recv(fd, text, sizeof(text), 0) > 0)
			;
	close(fd);
}

/* `tailbox recover TAPE -o FILE`, loaded. Tape and socket must be gone. */
static struct tailbox__run *recover(pid_t pid)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const char *build = getenv("top_builddir");
	struct tailbox__run *run = NULL;
	char tape[128], file[128], said[128], tool[512];
	int status;
	pid_t child;

	snprintf(tape, sizeof(tape), "%s/victim.%ld.tape", dir, (long)pid);
	snprintf(file, sizeof(file), "%s/%ld.tailbox", dir, (long)pid);
	snprintf(said, sizeof(said), "%s/said", dir);
	snprintf(tool, sizeof(tool), "%s/tailbox", build ? build : ".");
	child = fork();
	if (child == 0) {
		int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		execl(tool, tool, "recover", tape, "-o", file, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "%s recover %s: status %d", tool, tape,
	              status);
	ck_assert_msg(access(tape, F_OK) != 0, "%s is still there", tape);
	ck_assert_msg(tailbox__load_path(file, &run, &err) == 0, "%s",
	              err.text);
	unlink(file);
	snprintf(tape, sizeof(tape), "%s/victim.%ld.sock", dir, (long)pid);
	ck_assert_msg(access(tape, F_OK) != 0, "%s is still there", tape);
	return run;
}

/* --- what must be ------------------------------------------------------ */

/* Marks of the numbers that the artifact has, by client. */
static unsigned char *marks[CLIENTS];

static const char *text(const struct tailbox__run *run, tailbox__str s)
{
	return tailbox__run_text(run, s, NULL);
}

/* The mark of an id that was asked for. */
static unsigned char *mark_of(const struct client *clients, const char *id,
                              uint64_t *n)
{
	unsigned who;

	ck_assert_msg(take_id(id, &who, n) && who < CLIENTS,
	              "an id that nobody made: %s", id);
	ck_assert_msg(*n >= 1 && *n <= clients[who].sent,
	              "a request that nobody sent: %s", id);
	return &marks[who][*n - 1];
}

/* What is counted includes the head of the answer, which is as long for each
 * answer of one status and as many digits of length. */
static bool bytes_fit(uint64_t n, uint64_t bytes)
{
	static uint64_t heads[5][2];
	uint64_t *head = &heads[n % 5][bytes_of(n) > 9];

	if (bytes == TAILBOX__NONE)
		return true; /* not known */
	if (bytes < bytes_of(n))
		return false;
	if (*head == 0)
		*head = bytes - bytes_of(n);
	return bytes - bytes_of(n) == *head;
}

static void check_request(const struct client *clients,
                          const struct tailbox__run *run, size_t i)
{
	const struct tailbox__run_request *r = &run->requests.items[i];
	const struct tailbox__run_ext *x = &run->ext.items[r->ext - 1];
	char route[16];
	uint64_t n;
	unsigned char *mark = mark_of(clients, text(run, r->id), &n);

	ck_assert_msg(!*mark, "twice: %s", text(run, r->id));
	*mark = 1;
	snprintf(route, sizeof(route), "/w%u", path_of(n));
	ck_assert_msg(r->ext > 0 && x->status == status_of(n) &&
	                      bytes_fit(n, x->bytes_out) &&
	                      strcmp(text(run, r->route), route) == 0,
	              "torn: %s is %s %u %llu", text(run, r->id),
	              text(run, r->route), (unsigned)x->status,
	              (unsigned long long)x->bytes_out);
}

/* Only the id of a request that got to its handler is the client's. */
static void check_open(const struct client *clients,
                       const struct tailbox__run *run, size_t i)
{
	const struct tailbox__run_open *o = &run->open.items[i];
	const char *id = text(run, o->id);
	uint64_t n;

	ck_assert_uint_lt(o->phase, TAILBOX__PHASE_COUNT);
	if (id[0] != 'c') {
		ck_assert_int_ne(o->phase, TAILBOX__PHASE_SEND);
		return;
	}
	unsigned char *mark = mark_of(clients, id, &n);
	ck_assert_msg(!*mark, "open and finished, or twice open: %s", id);
	*mark = o->phase == TAILBOX__PHASE_SEND ? 1 : 2;
	if (o->where)
		ck_assert_msg(o->site &&
		                      strstr(text(run, o->site), "e2e_kill9.c"),
		              "%s is at %s", id, text(run, o->site));
}

static void check_spans(const struct client *clients,
                        const struct tailbox__run *run)
{
	char name[16];
	uint64_t n;

	for (size_t i = 0; i < run->stages.count; i++) {
		const struct tailbox__run_span *s = &run->stages.items[i];
		if (text(run, s->request)[0] == '/')
			continue; /* not yet given its id */
		(void)mark_of(clients, text(run, s->request), &n);
		snprintf(name, sizeof(name), "work%u", stage_of(n));
		ck_assert_str_eq(text(run, s->name), name);
	}
	for (size_t i = 0; i < run->queues.count; i++) {
		const struct tailbox__run_span *s = &run->queues.items[i];
		if (strcmp(text(run, s->name), "pool") != 0)
			continue;
		(void)mark_of(clients, text(run, s->request), &n);
		ck_assert_uint_eq(n % 2, 0);
	}
}

static struct {
	uint64_t rounds, answers, finished, open, sending, spans;
} total;

static void check(const struct client *clients, uint64_t killed_ns,
                  const struct tailbox__run *run)
{
	const struct tailbox__run_pair *damaged =
	        tailbox__run_extra(run, "damaged");
	size_t checked = 0, missing = 0;

	ck_assert_msg(damaged != NULL && damaged->number == 0,
	              "a sound tape is called damaged");
	for (size_t i = 0; i < run->requests.count; i++)
		check_request(clients, run, i);
	ck_assert_uint_le(run->open.count, CLIENTS);
	for (size_t i = 0; i < run->open.count; i++) {
		check_open(clients, run, i);
		total.sending += run->open.items[i].phase ==
		                 TAILBOX__PHASE_SEND;
	}
	check_spans(clients, run);
	for (int i = 0; i < CLIENTS; i++) {
		for (size_t k = 0; k < clients[i].count; k++) {
			if (clients[i].had_ns[k] + 1000000 > killed_ns)
				continue;
			checked++;
			missing += marks[i][k] != 1;
		}
	}
	ck_assert_msg(missing == 0, "%zu of %zu answers are missing (%zu in "
	              "the artifact)", missing, checked, run->requests.count);
	total.answers += checked;
	total.finished += run->requests.count;
	total.open += run->open.count;
	total.spans += run->stages.count + run->queues.count;
}

static void start_clients(struct client *clients, uint16_t port)
{
	atomic_store(&answers, 0);
	atomic_store(&is_over, false);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .port = port, .index = i };
		clients[i].had_ns = calloc(NOTES_MAX, sizeof(uint64_t));
		marks[i] = calloc(NOTES_MAX, 1);
		ck_assert(clients[i].had_ns != NULL && marks[i] != NULL);
		ck_assert_int_eq(pthread_create(&clients[i].thread, NULL,
		                                client, &clients[i]), 0);
	}
}

/* Some answers, then up to 100 ms and then some ns: where it hits is chance;
 * a window is armed in between in two rounds of three. */
static void wait_for_the_instant(unsigned seed, pid_t pid)
{
	uint64_t some = 1 + rand_r(&seed) % 50, end;

	while (atomic_load(&answers) < some)
		sched_yield();
	end = now_ns() + (unsigned)rand_r(&seed) % 100000000u;
	if (seed % 3 != 0)
		call(pid, "/arm?duration=30ms");
	if (seed % 3 == 1)
		call(pid, "/disarm");
	while (now_ns() + 1000000 < end)
		usleep(500);
	while (now_ns() < end)
		;
}

static void kill_once(unsigned seed)
{
	struct client clients[CLIENTS];
	struct tailbox__run *run;
	uint64_t killed_ns;
	uint16_t port;
	pid_t pid = start_server(&port);
	int status;

	start_clients(clients, port);
	wait_for_the_instant(seed, pid);
	killed_ns = now_ns();
	kill(pid, SIGKILL);
	atomic_store(&is_over, true);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	run = recover(pid);
	check(clients, killed_ns, run);
	tailbox__run_destroy(run);
	for (int i = 0; i < CLIENTS; i++) {
		free(clients[i].had_ns);
		free(marks[i]);
	}
	total.rounds++;
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
	const char *first = getenv("TAILBOX_SEED");
	unsigned n = times ? (unsigned)strtoul(times, NULL, 10) : KILLS;
	unsigned seed = first ? (unsigned)strtoul(first, NULL, 10) : 1;

	snprintf(dir, sizeof(dir), "/dev/shm/tailbox-kill-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (unsigned i = 0; i < n; i++) {
		fprintf(stderr, "seed %u\n", seed + i);
		kill_once(seed + i);
	}
	fprintf(stderr,
	        "%llu kills: %llu answers had 1 ms before, all there; %llu "
	        "finished, %llu in flight (%llu in send), %llu spans; none "
	        "invented, twice or torn\n",
	        (unsigned long long)total.rounds,
	        (unsigned long long)total.answers,
	        (unsigned long long)total.finished,
	        (unsigned long long)total.open,
	        (unsigned long long)total.sending,
	        (unsigned long long)total.spans);
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
	tcase_set_timeout(t, 7200);
	tcase_add_test(t, every_answer_a_client_had_is_there);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
