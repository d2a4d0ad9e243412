/* tests/e2e_stack.c - the stack of a worker that is held, by a signal.
 *
 * SPDX-License-Identifier: MIT
 *
 * Handlers of a real server that compute and wait, in functions that are not
 * inlined; this file is compiled with frame pointers (tests/local.mk). What
 * the service says of them is places in files; who reads it finds the
 * functions.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "analyzer/json_tree.h"
#include "analyzer/symbols.h"
#include "analyzer/timeline.h"
#include "cli/top_model.h"
#include "core/tape_run.h"
#include "core/validate.h"
#include "sampler/stack.h"
#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"

static char folder[40], file[80];
static struct MHD_Response *response;
static struct MHD_Daemon *server;
static uint16_t port;
static int gate[2]; /* a pipe that a handler reads from */
static atomic_bool is_over;
static atomic_int nap_rc, nap_errno, read_rc;

/* --- the application ----------------------------------------------------- */

void stack_spin_here(void);
void stack_read_here(void);
void stack_nap_here(void);

/* A function that calls nobody may do without a frame, whatever the flags:
 * not one that asks for its address. */
__attribute__((noinline)) void stack_spin_here(void)
{
	__asm__ volatile("" : : "r"(__builtin_frame_address(0)));
	while (!atomic_load_explicit(&is_over, memory_order_relaxed))
		atomic_signal_fence(memory_order_seq_cst);
}

__attribute__((noinline)) void stack_read_here(void)
{
	char c;

	read_rc = (int)read(gate[0], &c, 1);
}

__attribute__((noinline)) void stack_nap_here(void)
{
	const struct timespec long_one = { .tv_sec = 60 };

	nap_rc = nanosleep(&long_one, NULL);
	nap_errno = errno;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static int seen;

	(void)cls, (void)method, (void)version, (void)data, (void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	if (MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "at_once"))
		; /* no wait: it is for the route's name */
	else if (strcmp(url, "/spin") == 0)
		stack_spin_here();
	else if (strcmp(url, "/read") == 0)
		stack_read_here();
	else if (strcmp(url, "/nap") == 0)
		stack_nap_here();
	return MHD_queue_response(c, MHD_HTTP_OK, response);
}

static void write_config(const char *holds)
{
	FILE *f = fopen(file, "we");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "[holds]\n%s\n", holds);
	ck_assert_int_eq(fclose(f), 0);
}

static void start_service(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct tailbox_options o;

	tailbox_options_init(&o);
	o.run_dir = service_dir;
	o.config = file;
	ck_assert_int_eq(tailbox_start("e2e", &o), 0);
	snprintf(service_socket, sizeof(service_socket), "%s/e2e.%ld.sock",
	         service_dir, (long)getpid());
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	response = MHD_create_response_from_buffer(
	        5, (void *)(uintptr_t)"hello", MHD_RESPMEM_PERSISTENT);
	server = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_SOCK_ADDR, &sa,
	        MHD_OPTION_END);
	ck_assert_ptr_nonnull(server);
	port = e2e_port(server);
}

static void stop_service(void)
{
	tailbox_mhd_stop_daemon(server), server = NULL;
	MHD_destroy_response(response), response = NULL;
	tailbox_stop();
}

static void make_folder(const char *holds)
{
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(service_dir, sizeof(service_dir), "%s/run", folder);
	snprintf(file, sizeof(file), "%s/conf", folder);
	write_config(holds);
	ck_assert_int_eq(pipe(gate), 0);
	is_over = false;
	nap_rc = nap_errno = read_rc = 12345;
}

static void set_up(void)
{
	make_folder("stack = 'SIGRTMIN+5'\nstack_after = '20ms'");
	start_service();
}

static void tear_down(void)
{
	is_over = true;
	if (server != NULL)
		stop_service();
	close(gate[0]), close(gate[1]);
	nftw(folder, service_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- a client ------------------------------------------------------------ */

static int ask(const char *path)
{
	char text[160];
	const int fd = e2e_connect(port);

	snprintf(text, sizeof(text),
	         "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	         path);
	e2e_send(fd, text);
	return fd;
}

static void hear(int fd)
{
	struct e2e_bytes reply = e2e_read_all(fd);

	ck_assert_int_eq(e2e_status(&reply), 200);
	free(reply.text);
	close(fd);
}

/* The same of a path that has earned its name by an answer before. */
static int ask_known(const char *path)
{
	char text[80];

	snprintf(text, sizeof(text), "%s?at_once=1", path);
	hear(ask(text));
	return ask(path);
}

/* ThreadSanitizer lets a signal come where it likes: within frames of its own,
 * that keep no frame pointers, and not in a read(). */
#if defined(__SANITIZE_THREAD__)
enum { HAS_NAMES = false };
#else
enum { HAS_NAMES = true };
#endif

/* --- what is said -------------------------------------------------------- */

/* A path that is too long for a name is cut at its begin; that of this program
 * is known. */
static const char *whole_path(const char *path)
{
	static char self[4096];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const size_t len = strlen(path);

	self[n > 0 ? n : 0] = '\0';
	return n > (ssize_t)len && strcmp(self + n - len, path) == 0 ? self
	                                                             : path;
}

/* Names of frames, "stack_spin_here<answer<..."; what has none is "?". */
struct names {
	char text[2048];
	struct tailbox__symbols symbols;
};

static void add_name(struct names *n, const char *module, const char *build_id,
                     uint64_t address, bool is_first)
{
	const size_t len = strlen(n->text);
	uint64_t offset;
	const char *name = tailbox__symbols_frame(
	        &n->symbols, whole_path(module), build_id, address, !is_first,
	        &offset);

	snprintf(n->text + len, sizeof(n->text) - len, "%s%s",
	         len ? "<" : "", name ? name : "?");
}

static const char *text_of(tailbox__tree *t, const char *key)
{
	const char *text = tailbox__tree_text(t, key);

	return text ? text : "";
}

/* Of the first held worker that has a stack, by /workers; "" = none. */
static void names_of_workers(struct names *n)
{
	struct service_reply r = service_admin("GET", "/workers");
	tailbox__tree *t = tailbox__tree_parse(r.text, r.len);
	tailbox__tree *workers = tailbox__tree_member(t, "workers");

	ck_assert_int_eq(r.status, 200);
	n->text[0] = '\0';
	for (size_t i = 0; i < tailbox__tree_count(workers); i++) {
		tailbox__tree *frames = tailbox__tree_member(
		        tailbox__tree_member(
		                tailbox__tree_member(
		                        tailbox__tree_at(workers, i), "held"),
		                "stack"),
		        "frames");
		for (size_t k = 0; k < tailbox__tree_count(frames); k++) {
			tailbox__tree *f = tailbox__tree_at(frames, k);
			add_name(n, text_of(f, "module"),
			         text_of(f, "build_id"),
			         strtoull(text_of(f, "address"), NULL, 16),
			         k == 0);
		}
		if (n->text[0] != '\0')
			break;
	}
	tailbox__tree_free(t);
	free(r.text);
}

struct wish {
	struct names names;
	const char *text;
};

static bool is_named(void *cls)
{
	struct wish *w = cls;

	names_of_workers(&w->names);
	return HAS_NAMES ? strstr(w->names.text, w->text) != NULL
	                 : w->names.text[0] != '\0';
}

/* Until a held worker is seen there. */
static void wait_for(const char *names)
{
	static struct wish w;

	memset(&w, 0, sizeof(w));
	w.text = names;
	e2e_wait(is_named, &w, names);
	tailbox__symbols_fini(&w.names.symbols);
}

/* Of a stack of a run. */
static void names_of_stack(const struct tailbox__run *run, size_t stack,
                           struct names *n)
{
	n->text[0] = '\0';
	for (size_t i = 0; i < run->frames.count; i++) {
		const struct tailbox__run_frame *f = &run->frames.items[i];
		if (f->stack == stack)
			add_name(n, tailbox__run_text(run, f->module, NULL),
			         tailbox__run_text(run, f->build_id, NULL),
			         f->offset, n->text[0] == '\0');
	}
}

/* The run has one stack that begins so, of that route, held for so long. */
static void must_have(const struct tailbox__run *run, const char *names,
                      const char *route, uint64_t held_us)
{
	static struct names n;
	size_t found = 0;

	for (size_t i = 0; i < run->stacks.count; i++) {
		const struct tailbox__run_stack *s = &run->stacks.items[i];
		names_of_stack(run, i, &n);
		if (HAS_NAMES &&
		    strncmp(n.text, names, strlen(names)) != 0)
			continue;
		found++;
		ck_assert_str_eq(tailbox__run_text(run, s->route, NULL),
		                 route);
		ck_assert_uint_ge(s->held_us, held_us);
		ck_assert_uint_lt(s->held_us, UINT64_C(600000000));
		ck_assert_uint_eq(s->kind, 1); /* handler */
		ck_assert_uint_ne(s->number, 0);
		ck_assert_uint_ne(s->worker, UINT32_MAX);
	}
	tailbox__symbols_fini(&n.symbols);
	/* Once per hold. */
	ck_assert_msg(found == 1 || (!HAS_NAMES && found > 1),
	              "%zu %s in %zu stacks, the last is %s", found, names, run->stacks.count, n.text);
}

static uint64_t status_number(const char *key)
{
	struct service_reply r = service_admin("GET", "/status");
	tailbox__tree *t = tailbox__tree_parse(r.text, r.len);
	const uint64_t n = tailbox__tree_number(
	        tailbox__tree_member(t, "stacks"), key, UINT64_MAX);

	tailbox__tree_free(t);
	free(r.text);
	return n;
}

/* --- what people are shown ----------------------------------------------- */

static void tape_path(char path[200], pid_t pid)
{
	snprintf(path, 200, "%s/e2e.%ld.tape", service_dir, (long)pid);
}

/* Not where the path of this program is too long for a name. */
static bool is_findable(void)
{
	return strlen(whole_path("")) <= TAILBOX_NAME_MAX;
}

/* Of another process: to close a tape that this one writes is to die to others.
 */
static void top_must_show(pid_t pid, const char *function)
{
	const char *why = NULL;
	char path[200];
	size_t found = 0;

	tape_path(path, pid);
	struct cli__top_source *s = cli__top_open(path);
	ck_assert_ptr_nonnull(s);
	const struct cli__top *t = cli__top_frame(s, &why);
	ck_assert_ptr_nonnull(t);
	for (size_t i = 0; i < t->worker_count; i++) {
		const struct cli__top_worker *w = &t->workers[i];
		struct cli__top_text text = { .text = NULL };
		ck_assert(w->daemon != 0); /* not the sampler */
		if (w->stack_count == 0)
			continue;
		found++;
		if (HAS_NAMES)
			ck_assert_str_eq(w->stack[0].function, function);
		ck_assert_str_eq(w->held, "handler");
		cli__top_render_worker(t, w, 80, &text);
		ck_assert_ptr_nonnull(strstr(text.text, "STACK, "));
		ck_assert(!HAS_NAMES || strstr(text.text, function) != NULL);
		cli__top_text_fini(&text);
	}
	ck_assert_uint_eq(found, 1);
	cli__top_close(s);
}

static void timeline_must_show(const struct tailbox__run *run,
                               const char *want)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__timeline_options o;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(f);
	tailbox__timeline_options_init(&o);
	ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(!HAS_NAMES || strstr(text, want) != NULL,
	              "no %s in\n%s", want, text);
	free(text);
}

/* --- scenes -------------------------------------------------------------- */

START_TEST(a_handler_that_computes_is_shown_by_name)
{
	const struct timespec more = { .tv_nsec = 5 * 20000000 };
	const int fd = ask_known("/spin");

	wait_for("stack_spin_here<answer");
	nanosleep(&more, NULL); /* it would be asked again by now */
	ck_assert_int_eq(service_call("POST", "/snapshot"), 200);
	struct tailbox__run *json = service_fetch("/artifacts/s1");
	struct tailbox__run *native = service_fetch("/artifacts/s1.tailbox");
	must_have(json, "stack_spin_here<answer", "/spin", 20000);
	must_have(native, "stack_spin_here<answer", "/spin", 20000);
	ck_assert_uint_eq(json->stacks.count, native->stacks.count);
	ck_assert_uint_eq(json->frames.count, native->frames.count);
	ck_assert_int_eq(tailbox__symbols_fill(native), 0);
	if (is_findable())
		timeline_must_show(native, "stack_spin_here+0x");
	tailbox__run_destroy(json);
	tailbox__run_destroy(native);
	is_over = true;
	hear(fd);
}
END_TEST

START_TEST(a_window_keeps_what_was_taken_in_it)
{
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	const int fd = ask_known("/spin");
	wait_for("stack_spin_here<answer");
	is_over = true;
	hear(fd);
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	struct tailbox__run *run = service_fetch("/artifacts/1");
	must_have(run, "stack_spin_here<answer", "/spin", 20000);
	/* Its request has ended meanwhile, and is in the run. */
	for (size_t i = 0; i < run->stacks.count; i++)
		ck_assert_uint_ne(run->stacks.items[i].request, 0);
	tailbox__run_destroy(run);
	/* What is armed later has nothing of it. */
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	hear(ask("/"));
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	run = service_fetch("/artifacts/2");
	for (size_t i = 0; i < run->stacks.count; i++)
		ck_assert_str_ne(tailbox__run_text(
		                         run, run->stacks.items[i].route, NULL),
		                 "/spin");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_read_goes_on_and_its_caller_is_shown)
{
	const int fd = ask("/read");

	wait_for("stack_read_here");
	ck_assert_int_eq(read_rc, 12345);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	hear(fd);
	ck_assert_int_eq(read_rc, 1);
}
END_TEST

/* What the manual warns of. */
START_TEST(a_sleep_ends_early)
{
	hear(ask("/nap"));
	ck_assert_int_eq(nap_rc, -1);
	ck_assert_int_eq(nap_errno, EINTR);
}
END_TEST

static void *storm(void *arg)
{
	const int number = SIGRTMIN + 5;

	/* Queued ones are limited: EAGAIN then. */
	while (!atomic_load(&is_over))
		kill(getpid(), number);
	return arg;
}

START_TEST(a_service_survives_a_storm_of_the_signal)
{
	pthread_t t;
	sigset_t set;
	const int held = ask("/spin");

	/* For the service's threads: this one's sockets have no SA_RESTART. */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);

	wait_for("stack_spin_here");
	e2e_start(&t, storm, NULL);
	for (int i = 0; i < 200; i++)
		hear(ask("/"));
	is_over = true;
	e2e_join(t);
	hear(held);
	ck_assert_uint_ge(status_number("taken"), 1);
	ck_assert_uint_eq(status_number("failed"), 0);
}
END_TEST

static bool status_has(const char *text)
{
	struct service_reply r = service_admin("GET", "/status?format=text");
	const bool is = strstr(r.text, text) != NULL;

	free(r.text);
	return is;
}

START_TEST(a_reload_turns_it_off_and_on)
{
	struct sigaction a;

	ck_assert(status_has("by SIGRTMIN+5"));
	write_config("");
	ck_assert_int_eq(service_call("POST", "/reload"), 200);
	ck_assert(!status_has("\nstacks "));
	ck_assert_int_eq(sigaction(SIGRTMIN + 5, NULL, &a), 0);
	ck_assert(a.sa_handler == SIG_DFL);
	write_config("stack = 'SIGURG'\nstack_after = '10ms'");
	ck_assert_int_eq(service_call("POST", "/reload"), 200);
	ck_assert(status_has("by SIGURG of a worker held for 10 ms"));
	const int fd = ask("/spin");
	wait_for("stack_spin_here<answer");
	is_over = true;
	hear(fd);
}
END_TEST

START_TEST(a_child_and_a_stopped_service_have_the_default_again)
{
	const int number = SIGRTMIN + 5;
	struct sigaction a;
	int status;

	const int fd = ask_known("/spin");
	wait_for("stack_spin_here");
	const pid_t pid = fork();
	if (pid == 0)
		_exit(sigaction(number, NULL, &a) != 0 ||
		      a.sa_handler != SIG_DFL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	is_over = true;
	hear(fd);
	stop_service();
	ck_assert_int_eq(sigaction(number, NULL, &a), 0);
	ck_assert(a.sa_handler == SIG_DFL);
	is_over = false;
	start_service();
	const int again = ask_known("/spin");
	wait_for("stack_spin_here");
	is_over = true;
	hear(again);
}
END_TEST

/* --- after the end ------------------------------------------------------- */

static struct tailbox__run *run_of_tape(pid_t pid)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__tape_damage damage;
	struct tailbox__reader *r;
	struct tailbox__run *run;
	char path[200];

	tape_path(path, pid);
	if (tailbox__reader_open(path, &r, &err) != 0)
		return NULL;
	if (tailbox__tape_run(r, NULL, &run, &damage, &err) != 0)
		run = NULL;
	else
		ck_assert_uint_eq(tailbox__tape_damaged(&damage), 0);
	tailbox__reader_close(r);
	return run;
}

static bool has_stack(void *cls)
{
	struct tailbox__run *run = run_of_tape(*(pid_t *)cls);
	const bool has = run != NULL && run->stacks.count > 0;

	tailbox__run_destroy(run);
	return has;
}

static void serve(int tell)
{
	start_service();
	if (write(tell, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	for (;;)
		pause();
}

START_TEST(a_process_that_was_killed_leaves_its_stack)
{
	int told[2], status;

	make_folder("stack = 'SIGURG'\nstack_after = '20ms'");
	ck_assert_int_eq(pipe(told), 0);
	pid_t pid = fork();
	if (pid == 0)
		serve(told[1]);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(read(told[0], &port, sizeof(port)), sizeof(port));
	const int fd = ask_known("/spin");
	e2e_wait(has_stack, &pid, "a stack on the tape");
	if (is_findable())
		top_must_show(pid, "stack_spin_here");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	struct tailbox__run *run = run_of_tape(pid);
	ck_assert_ptr_nonnull(run);
	must_have(run, "stack_spin_here<answer", "/spin", 20000);
	tailbox__run_destroy(run);
	if (is_findable())
		top_must_show(pid, "stack_spin_here");
	close(fd);
	close(told[0]), close(told[1]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("e2e_stack");
	TCase *tc = tcase_create("live");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_handler_that_computes_is_shown_by_name);
	tcase_add_test(tc, a_window_keeps_what_was_taken_in_it);
	if (HAS_NAMES)
		tcase_add_test(tc, a_read_goes_on_and_its_caller_is_shown);
	tcase_add_test(tc, a_sleep_ends_early);
	tcase_add_test(tc, a_service_survives_a_storm_of_the_signal);
	tcase_add_test(tc, a_reload_turns_it_off_and_on);
	tcase_add_test(tc,
	               a_child_and_a_stopped_service_have_the_default_again);
	suite_add_tcase(s, tc);
	tc = tcase_create("dead");
	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, a_process_that_was_killed_leaves_its_stack);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
