/* tests/e2e_stop_callbacks.c - tailbox is stopped and started many times in one
 * call of the application, each kind of call in turn.
 *
 * SPDX-License-Identifier: MIT
 *
 * More often than tapes are kept for who is in the middle. Before a stop, after
 * a start, both or neither, the thread asks something of the tape that is open,
 * and so becomes one of it. Clients see nothing of that, and what is recorded
 * on the last tape is of the last tape.
 */
#include <check.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tailbox/mhd.h>

#include "core/recorder.h"
#include "tests/e2e_client.h"

enum { STARTS = 12 };

/* Calls of the application. */
enum call {
	NO_CALL,
	URI_LOG,
	FIRST,
	UPLOAD,
	FINAL,
	QUEUED, /* final, with its response queued */
	READER,
	READER_END,
	COMPLETED,
	CONNECTION_START,
	CONNECTION_END,
	CALLS
};

static char base[64];
static atomic_int place; /* enum call */
static atomic_bool asks_before, asks_after;
static atomic_uint calls;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void setup(void)
{
	char path[96];
	FILE *f;

	snprintf(base, sizeof(base), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/conf", base);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs("[tape]\nsize = \"1MiB\"\n", f), 0);
	ck_assert_int_eq(fclose(f), 0);
	unsetenv("TAILBOX");
	setenv("TAILBOX_DIR", base, 1);
	setenv("TAILBOX_CONFIG", path, 1);
	ck_assert_int_eq(tailbox_start("stop", NULL), 0);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void teardown(void)
{
	tailbox_stop();
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the application --------------------------------------------------- */

static void ask(void)
{
	tailbox_request_finish(tailbox_request_begin("/own", NULL), NULL);
}

static void called(enum call which)
{
	if ((int)which != atomic_load(&place))
		return;
	pthread_mutex_lock(&one_at_a_time);
	for (int i = 0; i < STARTS; i++) {
		if (atomic_load(&asks_before))
			ask();
		tailbox_stop();
		if (tailbox_start("stop", NULL) != 0)
			abort(); /* not on libcheck's thread */
		if (atomic_load(&asks_after))
			ask();
	}
	atomic_fetch_add(&calls, 1);
	pthread_mutex_unlock(&one_at_a_time);
}

static void *uri_log(void *cls, const char *uri, struct MHD_Connection *c)
{
	(void)cls, (void)uri, (void)c;
	called(URI_LOG);
	return NULL;
}

static ssize_t read_content(void *cls, uint64_t at, char *to, size_t room)
{
	(void)cls, (void)room;
	called(READER);
	if (at >= 2)
		return MHD_CONTENT_READER_END_OF_STREAM;
	*to = "ok"[at];
	return 1;
}

static void end_content(void *cls)
{
	(void)cls;
	called(READER_END);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	if (*req_cls == NULL) {
		*req_cls = base;
		called(FIRST);
		return MHD_YES;
	}
	if (*size != 0) {
		called(UPLOAD);
		*size = 0;
		return MHD_YES;
	}
	called(FINAL);
	r = tailbox_mhd_create_response_from_callback(2, 16, read_content,
	                                              NULL, end_content);
	rc = tailbox_mhd_queue_response(c, MHD_HTTP_OK, r);
	called(QUEUED);
	MHD_destroy_response(r);
	return rc;
}

static void completed(void *cls, struct MHD_Connection *c, void **req_cls,
                      enum MHD_RequestTerminationCode toe)
{
	(void)cls, (void)c, (void)req_cls, (void)toe;
	called(COMPLETED);
}

static void connection(void *cls, struct MHD_Connection *c, void **context,
                       enum MHD_ConnectionNotificationCode toe)
{
	(void)cls, (void)c, (void)context;
	called(toe == MHD_CONNECTION_NOTIFY_STARTED ? CONNECTION_START
	                                            : CONNECTION_END);
}

static struct MHD_Daemon *serve(unsigned flags)
{
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
	        flags, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_URI_LOG_CALLBACK, uri_log, NULL,
	        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
	        MHD_OPTION_NOTIFY_CONNECTION, connection, NULL,
	        MHD_OPTION_END);

	ck_assert_ptr_nonnull(d);
	return d;
}

/* --- the tests --------------------------------------------------------- */

static void exchange(int fd, const char *text)
{
	struct e2e_bytes b;

	e2e_send(fd, text);
	b = e2e_read_reply(fd, false);
	ck_assert_int_eq(e2e_status(&b), 200);
	ck_assert_str_eq(b.text + b.len - 2, "ok");
	free(b.text);
}

static const unsigned modes[] = {
	MHD_USE_EPOLL_INTERNAL_THREAD,
	MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD
};

static void ask_three_times(uint16_t port)
{
	int fd = e2e_connect(port);

	exchange(fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	exchange(fd, "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
	             "abc");
	exchange(fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	close(fd);
}

static bool has_seen(void *cls)
{
	(void)cls;
	return atomic_load(&calls) > 0;
}

START_TEST(starts_within_one_call)
{
	struct MHD_Daemon *d = serve(modes[_i % 2]);

	atomic_store(&place, 1 + _i / 2);
	for (int asks = 0; asks < 4; asks++) {
		atomic_store(&asks_before, asks & 1);
		atomic_store(&asks_after, asks & 2);
		atomic_store(&calls, 0);
		ask_three_times(e2e_port(d));
		e2e_wait(has_seen, NULL, "the call");
	}
	tailbox_mhd_stop_daemon(d);
	/* And now it records, on the tape that is open. */
	atomic_store(&place, NO_CALL);
	tailbox_stop();
	ck_assert_int_eq(tailbox_start("stop", NULL), 0);
	d = serve(modes[_i % 2]);
	ask_three_times(e2e_port(d));
	tailbox_mhd_stop_daemon(d);
	uint64_t finished = 0;
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	for (uint64_t i = 0; i < TAILBOX__GET(tape->header->threads_used); i++)
		finished += TAILBOX__GET(tape->threads[i].finished);
	ck_assert_uint_eq(finished, 3);
}
END_TEST

/* --- a suspended connection -------------------------------------------- */

static _Atomic(struct MHD_Connection *) suspended;
static const char *its_slot;
static bool is_gone; /* by the thread that stops */

/* Linked with --wrap. The memory of the slot is given back, but nothing shall
 * lie there again: who looks there is killed. */
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes)
{
	const char *from = at;

	if (its_slot == NULL || its_slot < from || its_slot >= from + bytes)
		return __real_munmap(at, bytes);
	is_gone = true;
	return mprotect(at, bytes, PROT_NONE);
}

static enum MHD_Result suspend_or_answer(void *cls, struct MHD_Connection *c,
                                         const char *url, const char *method,
                                         const char *version, const char *data,
                                         size_t *size, void **req_cls)
{
	if (*req_cls == NULL || strcmp(url, "/suspend") != 0)
		return answer(cls, c, url, method, version, data, size,
		              req_cls);
	if (atomic_load(&suspended) == NULL) {
		its_slot = (const char *)tailbox__slot_of(
		        tailbox_request_of(c));
		tailbox_mhd_suspend_connection(c);
		atomic_store(&suspended, c);
	}
	return MHD_YES;
}

static bool is_suspended(void *cls)
{
	(void)cls;
	return atomic_load(&suspended) != NULL;
}

/* Its worker is one of each tape that comes, until the memory of the first one
 * is gone; another thread answers. */
START_TEST(a_suspended_connection_is_answered_by_another_thread)
{
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0,
	        NULL, NULL, suspend_or_answer, NULL, MHD_OPTION_END);
	struct MHD_Response *r;
	struct e2e_bytes b;
	int fd, other;

	atomic_store(&place, NO_CALL);
	ck_assert_ptr_nonnull(d);
	fd = e2e_connect(e2e_port(d));
	other = e2e_connect(e2e_port(d));
	e2e_send(fd, "GET /suspend HTTP/1.1\r\nHost: a\r\n\r\n");
	e2e_wait(is_suspended, NULL, "the suspension");
	ck_assert_ptr_nonnull(its_slot);
	for (int i = 0; !is_gone; i++) {
		ck_assert_int_lt(i, STARTS);
		exchange(other, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
		tailbox_stop();
		ck_assert_int_eq(tailbox_start("stop", NULL), 0);
	}
	exchange(other, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	r = tailbox_mhd_create_response_from_callback(2, 16, read_content,
	                                              NULL, NULL);
	ck_assert_int_eq(tailbox_mhd_queue_response(suspended, 200, r),
	                 MHD_YES);
	MHD_destroy_response(r);
	tailbox_mhd_resume_connection(suspended);
	b = e2e_read_reply(fd, false);
	ck_assert_int_eq(e2e_status(&b), 200);
	free(b.text);
	close(fd);
	close(other);
	tailbox_mhd_stop_daemon(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stop_callbacks");
	TCase *t = tcase_create("stop_callbacks");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, starts_within_one_call, 0, 2 * (CALLS - 1));
	tcase_add_test(t, a_suspended_connection_is_answered_by_another_thread);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
