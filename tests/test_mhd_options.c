/* tests/test_mhd_options.c - the walk over a daemon's options.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <tailbox/mhd.h>

#include "core/alloc.h"
#include "core/daemons.h"
#include "middleware/connections.h"
#include "middleware/options.h"
#include "middleware/tasks.h"
#include "tests/recorder_fixture.h"

static int walk(struct tailbox__options *o, ...)
{
	va_list ap;
	int rc;

	va_start(ap, o);
	rc = tailbox__options_from_va(o, &ap);
	va_end(ap);
	return rc;
}

static char thing[4];
static int fence; /* its address is the last argument of every walk */

/* What an option's arguments look like, once more and by hand. */
enum shape { SIZE, UINT, U32, INT, PTR, FN_CLS, SIZE_PTR, LEN_PTR };
static const struct {
	int option;
	enum shape shape;
} all[] = {
	{ 1, SIZE },    { 2, UINT },    { 3, UINT },     { 4, FN_CLS },
	{ 5, UINT },    { 6, PTR },     { 7, FN_CLS },   { 8, PTR },
	{ 9, PTR },     { 10, INT },    { 11, PTR },     { 12, INT },
	{ 13, FN_CLS }, { 14, UINT },   { 16, FN_CLS },  { 17, SIZE_PTR },
	{ 18, UINT },   { 19, SIZE },   { 20, PTR },     { 21, SIZE },
	{ 22, PTR },    { 23, UINT },   { 24, PTR },     { 25, UINT },
	{ 26, PTR },    { 27, FN_CLS }, { 28, UINT },    { 29, INT },
	{ 30, FN_CLS }, { 31, PTR },    { 32, UINT },    { 33, INT },
	{ 34, INT },    { 35, SIZE_PTR }, { 36, UINT },  { 37, PTR },
	{ 38, INT },    { 39, INT },    { 40, LEN_PTR }, { 41, UINT },
	{ 42, U32 },
};
#define COUNT ((int)(sizeof(all) / sizeof(all[0])))

static bool is_ours(int option)
{
	return option == MHD_OPTION_NOTIFY_COMPLETED ||
	       option == MHD_OPTION_NOTIFY_CONNECTION ||
	       option == MHD_OPTION_URI_LOG_CALLBACK;
}

/* After the option comes a listen socket of 77: it is only found where the
 * arguments before it were read with the right types. */
#define THEN MHD_OPTION_LISTEN_SOCKET, 77, MHD_OPTION_SOCK_ADDR, &fence,      \
	     MHD_OPTION_END

static int walk_one(struct tailbox__options *o, int option, enum shape shape)
{
	switch (shape) {
	case SIZE:
		return walk(o, option, (size_t)1 << 40 | 5, THEN);
	case UINT:
		return walk(o, option, 0xfffffff5u, THEN);
	case U32:
		return walk(o, option, (uint32_t)0xfffffff5u, THEN);
	case INT:
		return walk(o, option, -5, THEN);
	case PTR:
		return walk(o, option, (void *)thing, THEN);
	case FN_CLS:
		return walk(o, option, &free, (void *)thing, THEN);
	case SIZE_PTR:
		return walk(o, option, (size_t)1 << 40 | 5, (void *)thing,
		            THEN);
	case LEN_PTR:
		return walk(o, option, (socklen_t)0xfffffff5u, (void *)thing,
		            THEN);
	}
	return -1;
}

static struct MHD_OptionItem item_of(int option, enum shape shape)
{
	struct MHD_OptionItem it = { MHD_OPTION_END, 0, NULL };

	memcpy(&it.option, &option, sizeof(option));
	if (shape == SIZE_PTR || shape == LEN_PTR)
		it.ptr_value = thing;
	switch (shape) {
	case SIZE_PTR:
	case SIZE:
		it.value = (intptr_t)1 << 40 | 5;
		break;
	case LEN_PTR:
	case UINT:
	case U32:
		it.value = (intptr_t)0xfffffff5u;
		break;
	case INT:
		it.value = -5;
		break;
	case PTR:
		it.ptr_value = thing;
		break;
	case FN_CLS:
		it.value = (intptr_t)&free;
		it.ptr_value = thing;
		break;
	}
	return it;
}

static void check_item(const struct MHD_OptionItem *got,
                       const struct MHD_OptionItem *want)
{
	ck_assert_int_eq((int)got->option, (int)want->option);
	ck_assert_int_eq(got->value, want->value);
	ck_assert_ptr_eq(got->ptr_value, want->ptr_value);
}

static void check_taken_out(const struct tailbox__options *o, int option)
{
	void (*fn)(void) = option == MHD_OPTION_NOTIFY_COMPLETED
	                           ? (void (*)(void))o->completed
	                   : option == MHD_OPTION_NOTIFY_CONNECTION
	                           ? (void (*)(void))o->connection
	                           : (void (*)(void))o->uri_log;
	void *cls = option == MHD_OPTION_NOTIFY_COMPLETED ? o->completed_cls
	            : option == MHD_OPTION_NOTIFY_CONNECTION
	                    ? o->connection_cls
	                    : o->uri_log_cls;

	ck_assert(fn == (void (*)(void))&free);
	ck_assert_ptr_eq(cls, thing);
}

START_TEST(each_option_by_varargs)
{
	int option = all[_i].option;
	struct MHD_OptionItem want = item_of(option, all[_i].shape);
	struct tailbox__options o;
	size_t n = 0;

	ck_assert_int_eq(walk_one(&o, option, all[_i].shape), 0);
	if (is_ours(option))
		check_taken_out(&o, option);
	else
		check_item(&o.items[n++], &want);
	ck_assert_uint_eq(o.count, n + 2);
	ck_assert_int_eq(o.items[n].option, MHD_OPTION_LISTEN_SOCKET);
	ck_assert_int_eq(o.items[n].value, 77);
	ck_assert_ptr_eq(o.items[n + 1].ptr_value, &fence);
	ck_assert_int_eq(o.items[n + 2].option, MHD_OPTION_END);
	tailbox__options_fini(&o);
}
END_TEST

START_TEST(each_option_by_array)
{
	int option = all[_i].option;
	struct MHD_OptionItem array[] = {
		item_of(option, all[_i].shape),
		{ MHD_OPTION_LISTEN_SOCKET, 77, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct tailbox__options o;
	size_t n = 0;

	ck_assert_int_eq(tailbox__options_from_array(&o, array), 0);
	if (is_ours(option))
		check_taken_out(&o, option);
	else
		check_item(&o.items[n++], &array[0]);
	ck_assert_uint_eq(o.count, n + 1);
	check_item(&o.items[n], &array[1]);
	ck_assert_int_eq(o.items[n + 1].option, MHD_OPTION_END);
	tailbox__options_fini(&o);
}
END_TEST

START_TEST(every_number_is_in_the_table)
{
	ck_assert_int_eq(COUNT + 2, 43); /* with END and ARRAY */
}
END_TEST

START_TEST(facts_are_noted)
{
	struct tailbox__options o;

	ck_assert_int_eq(walk(&o, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	                      (size_t)4096, MHD_OPTION_CONNECTION_LIMIT, 5u,
	                      MHD_OPTION_CONNECTION_TIMEOUT, 6u,
	                      MHD_OPTION_THREAD_POOL_SIZE, 7u,
	                      MHD_OPTION_LISTEN_BACKLOG_SIZE, 8u,
	                      MHD_OPTION_END), 0);
	ck_assert_uint_eq(o.memory_limit, 4096);
	ck_assert_uint_eq(o.connection_limit, 5);
	ck_assert_uint_eq(o.timeout_s, 6);
	ck_assert_uint_eq(o.pool_size, 7);
	ck_assert_uint_eq(o.backlog, 8);
	tailbox__options_fini(&o);
}
END_TEST

START_TEST(nested_arrays_are_flattened_in_order)
{
	struct MHD_OptionItem inner[] = {
		{ MHD_OPTION_CONNECTION_LIMIT, 3, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)&free, thing },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem outer[] = {
		{ MHD_OPTION_CONNECTION_LIMIT, 2, NULL },
		{ MHD_OPTION_ARRAY, 0, inner },
		{ MHD_OPTION_CONNECTION_LIMIT, 4, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct tailbox__options o;

	ck_assert_int_eq(walk(&o, MHD_OPTION_CONNECTION_LIMIT, 1u,
	                      MHD_OPTION_ARRAY, outer,
	                      MHD_OPTION_CONNECTION_LIMIT, 5u, MHD_OPTION_END),
	                 0);
	ck_assert_uint_eq(o.count, 5);
	for (size_t i = 0; i < o.count; i++)
		ck_assert_int_eq(o.items[i].value, (intptr_t)i + 1);
	check_taken_out(&o, MHD_OPTION_NOTIFY_COMPLETED);
	ck_assert_uint_eq(o.connection_limit, 5);
	tailbox__options_fini(&o);
}
END_TEST

START_TEST(the_last_of_a_callback_counts)
{
	struct tailbox__options o;

	ck_assert_int_eq(walk(&o, MHD_OPTION_NOTIFY_COMPLETED, &malloc, NULL,
	                      MHD_OPTION_NOTIFY_COMPLETED, &free, thing,
	                      MHD_OPTION_END), 0);
	check_taken_out(&o, MHD_OPTION_NOTIFY_COMPLETED);
	tailbox__options_fini(&o);
	ck_assert_int_eq(walk(&o, MHD_OPTION_NOTIFY_COMPLETED, &free, thing,
	                      MHD_OPTION_NOTIFY_COMPLETED, NULL, NULL,
	                      MHD_OPTION_END), 0);
	ck_assert(o.completed == NULL);
	tailbox__options_fini(&o);
}
END_TEST

START_TEST(an_unknown_option_ends_the_walk)
{
	static const int unknown[] = { 43, 44, 1000, -1, -2147483647 };
	struct tailbox__options o;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct MHD_OptionItem array[] = {
			item_of(unknown[i], PTR), { MHD_OPTION_END, 0, NULL }
		};
		ck_assert_int_eq(walk(&o, MHD_OPTION_CONNECTION_LIMIT, 1u,
		                      unknown[i], thing, MHD_OPTION_END),
		                 -ENOTSUP);
		ck_assert_int_eq(o.unknown, unknown[i]);
		tailbox__options_fini(&o);
		ck_assert_int_eq(tailbox__options_from_array(&o, array),
		                 -ENOTSUP);
		ck_assert_int_eq(o.unknown, unknown[i]);
		tailbox__options_fini(&o);
	}
}
END_TEST

START_TEST(an_endless_nest_is_left_alone)
{
	struct MHD_OptionItem array[] = {
		{ MHD_OPTION_ARRAY, 0, NULL }, { MHD_OPTION_END, 0, NULL }
	};
	struct tailbox__options o;

	array[0].ptr_value = array;
	ck_assert_int_eq(tailbox__options_from_array(&o, array), -ENOTSUP);
	ck_assert_int_eq(o.unknown, MHD_OPTION_ARRAY);
	tailbox__options_fini(&o);
}
END_TEST

START_TEST(many_options_and_room_for_ours)
{
	struct MHD_OptionItem array[1001];
	struct tailbox__options o;

	for (int n = 0; n < 1000; n++) {
		for (int i = 0; i < n; i++)
			array[i] = item_of(MHD_OPTION_CONNECTION_LIMIT, UINT);
		array[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
		ck_assert_int_eq(tailbox__options_from_array(&o, array), 0);
		for (unsigned i = 1; i < TAILBOX__OPTIONS_SPARE; i++)
			tailbox__options_append(&o, 4, i, thing);
		ck_assert_uint_eq(o.count, (size_t)n + 3);
		ck_assert_int_eq(o.items[o.count].option, MHD_OPTION_END);
		tailbox__options_fini(&o);
	}
}
END_TEST

START_TEST(without_memory_nothing_leaks)
{
	struct MHD_OptionItem array[101];
	struct tailbox__options o;
	long live = tailbox__alloc_live();

	for (int i = 0; i < 100; i++)
		array[i] = item_of(MHD_OPTION_CONNECTION_LIMIT, UINT);
	array[100] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	for (long n = 0;; n++) {
		tailbox__alloc_fail_after(n);
		int rc = tailbox__options_from_array(&o, array);
		tailbox__alloc_fail_after(-1);
		tailbox__options_fini(&o);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

/* --- daemons ----------------------------------------------------------- */

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	(void)cls, (void)c, (void)url, (void)method, (void)version, (void)data;
	(void)size, (void)req_cls;
	return MHD_NO;
}

#define SINGLE MHD_USE_INTERNAL_POLLING_THREAD

static struct tailbox__daemon only_daemon(void)
{
	static struct tailbox__daemon all_daemons[TAILBOX__DAEMONS_MAX];

	ck_assert_uint_eq(tailbox__daemons(all_daemons), 1);
	return all_daemons[0];
}

static uint32_t daemons(void)
{
	static struct tailbox__daemon all_daemons[TAILBOX__DAEMONS_MAX];

	return tailbox__daemons(all_daemons);
}

START_TEST(a_daemon_is_described)
{
	struct tailbox__daemon info;
	struct MHD_Daemon *d;

	d = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_THREAD_POOL_SIZE, 3u, MHD_OPTION_CONNECTION_LIMIT,
	        30u, MHD_OPTION_CONNECTION_TIMEOUT, 9u, MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	info = only_daemon();
	ck_assert(info.is_recorded);
	ck_assert_str_eq(info.note, "");
	ck_assert_int_eq(info.mode, TAILBOX__DAEMON_POOL);
	ck_assert_uint_eq(info.workers, 3);
	ck_assert_uint_eq(info.tid_count, 3);
	ck_assert_int_ge(info.listen_fd, 0);
	ck_assert_uint_ne(info.listen_ino, 0);
	ck_assert_uint_ne(info.port, 0);
	ck_assert_uint_eq(info.connection_limit, 30);
	ck_assert_uint_eq(info.timeout_s, 9);
	ck_assert_str_eq(tailbox__daemon_library(), MHD_get_version());
	tailbox_mhd_stop_daemon(d);
	ck_assert_uint_eq(daemons(), 0);
}
END_TEST

START_TEST(modes_are_told_apart)
{
	static const struct {
		unsigned flags;
		enum tailbox__daemon_mode mode;
		uint32_t workers, tids;
	} rows[] = {
		{ SINGLE, TAILBOX__DAEMON_SINGLE, 1, 1 },
		{ SINGLE | MHD_USE_POLL, TAILBOX__DAEMON_SINGLE, 1, 1 },
		{ SINGLE | MHD_USE_THREAD_PER_CONNECTION,
		  TAILBOX__DAEMON_THREADS, 0, 1 },
		{ MHD_USE_EPOLL, TAILBOX__DAEMON_EXTERNAL, 1, 0 },
	};
	struct MHD_Daemon *d;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tailbox__daemon info;
		d = tailbox_mhd_start_daemon_array(rows[i].flags, 0, NULL, NULL,
		                                   answer, NULL, NULL);
		ck_assert_ptr_nonnull(d);
		info = only_daemon();
		ck_assert_int_eq(info.mode, rows[i].mode);
		ck_assert_uint_eq(info.workers, rows[i].workers);
		ck_assert_uint_eq(info.tid_count, rows[i].tids);
		tailbox_mhd_stop_daemon(d);
	}
}
END_TEST

/* The library refuses what nobody knows; our part is to hand it on. */
START_TEST(unknown_options_reach_the_library)
{
	struct MHD_OptionItem array[] = { item_of(4711, PTR),
		                          { MHD_OPTION_END, 0, NULL } };
	long live = tailbox__alloc_live();

	ck_assert_ptr_null(tailbox_mhd_start_daemon(
	        SINGLE, 0, NULL, NULL, answer, NULL, 4711, thing,
	        MHD_OPTION_END));
	ck_assert_ptr_null(tailbox_mhd_start_daemon_array(
	        SINGLE, 0, NULL, NULL, answer, NULL, array));
	ck_assert_uint_eq(daemons(), 0);
	ck_assert_int_eq(tailbox__alloc_live(), live);
}
END_TEST

/* A nest that is too deep for us is none for the library. */
START_TEST(an_unrecorded_daemon_runs_and_says_why)
{
	struct MHD_OptionItem nest[TAILBOX__OPTIONS_DEPTH_MAX + 2][2];
	struct tailbox__daemon info;
	struct MHD_Daemon *d;

	memset(nest, 0, sizeof(nest));
	for (int i = 0; i <= TAILBOX__OPTIONS_DEPTH_MAX; i++) {
		nest[i][0].option = MHD_OPTION_ARRAY;
		nest[i][0].ptr_value = nest[i + 1];
		nest[i][1].option = MHD_OPTION_END;
	}
	nest[TAILBOX__OPTIONS_DEPTH_MAX + 1][0].option = MHD_OPTION_END;
	d = tailbox_mhd_start_daemon_array(SINGLE, 0, NULL, NULL, answer, NULL,
	                                   nest[0]);
	ck_assert_ptr_nonnull(d);
	info = only_daemon();
	ck_assert(!info.is_recorded);
	ck_assert_ptr_nonnull(strstr(info.note, "option 15"));
	tailbox_mhd_stop_daemon(d);
	ck_assert_uint_eq(daemons(), 0);
}
END_TEST

START_TEST(without_memory_a_daemon_still_starts)
{
	for (long n = 0; n < 40; n++) {
		struct MHD_Daemon *d;
		tailbox__alloc_fail_after(n);
		d = tailbox_mhd_start_daemon(SINGLE, 0, NULL, NULL, answer,
		                             NULL, MHD_OPTION_END);
		tailbox__alloc_fail_after(-1);
		ck_assert_ptr_nonnull(d);
		tailbox_mhd_stop_daemon(d);
		ck_assert_uint_eq(daemons(), 0);
	}
}
END_TEST

START_TEST(plain_stop_is_safe)
{
	struct MHD_Daemon *d;

	for (int i = 0; i < 5; i++) {
		d = tailbox_mhd_start_daemon(SINGLE, 0, NULL, NULL, answer,
		                             NULL, MHD_OPTION_END);
		ck_assert_ptr_nonnull(d);
		MHD_stop_daemon(d);
	}
	d = tailbox_mhd_start_daemon(SINGLE, 0, NULL, NULL, answer, NULL,
	                             MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	tailbox_mhd_stop_daemon(d);
	tailbox_mhd_stop_daemon(NULL);
}
END_TEST

START_TEST(not_started_means_plain)
{
	long live = tailbox__alloc_live();
	struct MHD_Daemon *d;

	d = tailbox_mhd_start_daemon(SINGLE, 0, NULL, NULL, answer, NULL,
	                             MHD_OPTION_CONNECTION_LIMIT, 5u,
	                             MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(daemons(), 0);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	tailbox_mhd_stop_daemon(d);
	d = tailbox_mhd_start_daemon_array(SINGLE, 0, NULL, NULL, answer, NULL,
	                                   NULL);
	ck_assert_ptr_nonnull(d);
	tailbox_mhd_stop_daemon(d);
	ck_assert_ptr_null(tailbox_request_of(NULL));
}
END_TEST

START_TEST(tasks_are_found)
{
	struct tailbox__tasks before;
	struct MHD_Daemon *d;
	uint32_t tids[4];

	tailbox__tasks_take(&before);
	ck_assert_uint_ge(before.count, 1);
	ck_assert_uint_eq(tailbox__tasks_since(&before, 0, tids, 4), 0);
	d = MHD_start_daemon(SINGLE | MHD_USE_EPOLL, 0, NULL, NULL, answer,
	                     NULL, MHD_OPTION_THREAD_POOL_SIZE, 3u,
	                     MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(tailbox__tasks_since(&before, 3, tids, 4), 3);
	ck_assert_uint_eq(tailbox__tasks_since(&before, 3, tids, 2), 2);
	/* More than expected: the names decide, and come one by one. */
	ck_assert_uint_ge(tailbox__tasks_since(&before, 2, tids, 4), 2);
	MHD_stop_daemon(d);
	tailbox__tasks_fini(&before);
}
END_TEST

static void open_small(void)
{
	fixture_open(TAILBOX__TAPE_MIN);
}

int main(void)
{
	Suite *s = suite_create("mhd_options");
	TCase *t = tcase_create("walk"), *d = tcase_create("daemon");
	TCase *off = tcase_create("off");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, each_option_by_varargs, 0, COUNT);
	tcase_add_loop_test(t, each_option_by_array, 0, COUNT);
	tcase_add_test(t, every_number_is_in_the_table);
	tcase_add_test(t, facts_are_noted);
	tcase_add_test(t, nested_arrays_are_flattened_in_order);
	tcase_add_test(t, the_last_of_a_callback_counts);
	tcase_add_test(t, an_unknown_option_ends_the_walk);
	tcase_add_test(t, an_endless_nest_is_left_alone);
	tcase_add_test(t, many_options_and_room_for_ours);
	tcase_add_test(t, without_memory_nothing_leaks);
	tcase_add_checked_fixture(d, open_small, fixture_close);
	tcase_add_test(d, a_daemon_is_described);
	tcase_add_test(d, modes_are_told_apart);
	tcase_add_test(d, unknown_options_reach_the_library);
	tcase_add_test(d, an_unrecorded_daemon_runs_and_says_why);
	tcase_add_test(d, without_memory_a_daemon_still_starts);
	tcase_add_test(d, plain_stop_is_safe);
	tcase_add_test(d, tasks_are_found);
	tcase_add_test(off, not_started_means_plain);
	suite_add_tcase(s, t);
	suite_add_tcase(s, off);
	suite_add_tcase(s, d);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
