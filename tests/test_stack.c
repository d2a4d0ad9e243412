/* tests/test_stack.c - stacks of held workers: the walk, the signal, the
 * record, and the names.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "core/config.h"
#include "core/tape_feed.h"
#include "sampler/stack.h"
#include "tests/assemble_fixture.h"

/* --- the walk, on stacks made by hand ------------------------------------ */

enum { WORDS = 200 };

static uintptr_t words[WORDS];

static uintptr_t at(unsigned i)
{
	return (uintptr_t)&words[i];
}

/* A stack whose pointer stands at the first word. */
static struct tailbox__stack_from from_here(uintptr_t fp)
{
	const struct tailbox__stack_from f = {
		.pc = 0x1000,
		.sp = at(0),
		.fp = fp,
		.low = at(0),
		.high = (uintptr_t)(words + WORDS),
	};

	return f;
}

static struct tailbox__stack_raw walk(struct tailbox__stack_from f)
{
	static struct tailbox__stack_raw out;

	memset(&out, 0x5a, sizeof(out));
	tailbox__stack_walk(&f, &out);
	ck_assert_uint_ge(out.count, 1);
	ck_assert_uint_eq(out.pc[0], 0x1000);
	return out;
}

static void frame(unsigned i, uintptr_t next, uintptr_t back)
{
	words[i] = next;
	words[i + 1] = back;
}

START_TEST(a_chain_is_followed_to_its_end)
{
	frame(3, at(10), 0x2000);
	frame(10, at(50), 0x3000);
	frame(50, 0, 0x4000);
	const struct tailbox__stack_raw r = walk(from_here(at(3)));
	ck_assert_uint_eq(r.count, 4);
	ck_assert_uint_eq(r.pc[1], 0x2000);
	ck_assert_uint_eq(r.pc[3], 0x4000);
	ck_assert_uint_eq(r.end, TAILBOX__STACK_WHOLE);
	ck_assert_uint_eq(r.word_count, 3); /* up to the frame */
	/* A frame that goes nowhere is the first function's. */
	frame(50, at(60), 0);
	ck_assert_uint_eq(walk(from_here(at(3))).count, 3);
	ck_assert_uint_eq(walk(from_here(at(3))).end, TAILBOX__STACK_WHOLE);
	ck_assert_uint_eq(walk(from_here(0)).count, 1);
	ck_assert_uint_eq(walk(from_here(0)).end, TAILBOX__STACK_WHOLE);
}
END_TEST

/* Where the second frame pointer is wrong, and how. */
START_TEST(what_is_no_frame_pointer_ends_it)
{
	const uintptr_t wrong[] = {
		at(3),           /* itself */
		at(0),           /* back */
		at(4),           /* within the frame before */
		at(10) + 1,      /* not aligned */
		at(10) + 4,
		at(WORDS - 1),   /* no room for two words */
		(uintptr_t)(words + WORDS), /* behind the end */
		at(0) - 64,      /* below */
		8, UINTPTR_MAX - 7, UINTPTR_MAX,
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		frame(3, wrong[i], 0x2000);
		const struct tailbox__stack_raw r = walk(from_here(at(3)));
		ck_assert_msg(r.count == 2 && r.pc[1] == 0x2000 &&
		                      r.end == TAILBOX__STACK_UNSOUND,
		              "%zu: %u frames, end %u", i, r.count, r.end);
		/* The first one as well. */
		if (wrong[i] == at(3) || wrong[i] == at(4) || wrong[i] == at(0))
			continue;
		ck_assert_uint_eq(walk(from_here(wrong[i])).count, 1);
		ck_assert_uint_eq(walk(from_here(wrong[i])).end,
		                  TAILBOX__STACK_UNSOUND);
	}
	/* The last place where one fits. */
	frame(3, at(WORDS - 2), 0x2000);
	frame(WORDS - 2, 0, 0x3000);
	ck_assert_uint_eq(walk(from_here(at(3))).count, 3);
}
END_TEST

START_TEST(it_has_a_greatest_depth)
{
	for (unsigned n = TAILBOX__STACK_DEPTH - 2;
	     n < TAILBOX__STACK_DEPTH + 2; n++) {
		for (unsigned i = 0; i < n; i++)
			frame(2 * i, i + 1 < n ? at(2 * i + 2) : 0, 0x2000 + i);
		const struct tailbox__stack_raw r = walk(from_here(at(0)));
		const bool is_deep = n + 1 > TAILBOX__STACK_DEPTH;
		ck_assert_uint_eq(r.count, is_deep ? TAILBOX__STACK_DEPTH
		                                   : n + 1);
		ck_assert_uint_eq(r.end, is_deep ? TAILBOX__STACK_DEEP
		                                 : TAILBOX__STACK_WHOLE);
	}
}
END_TEST

START_TEST(on_another_stack_nothing_is_read)
{
	struct tailbox__stack_from f = from_here(at(3));

	frame(3, 0, 0x2000);
	f.sp = f.low - 8;
	ck_assert_uint_eq(walk(f).end, TAILBOX__STACK_ELSEWHERE);
	ck_assert_uint_eq(walk(f).count, 1);
	ck_assert_uint_eq(walk(f).word_count, 0);
	f.sp = f.high;
	ck_assert_uint_eq(walk(f).end, TAILBOX__STACK_ELSEWHERE);
	f = from_here(at(3));
	f.low = f.high = 0; /* not known */
	ck_assert_uint_eq(walk(f).end, TAILBOX__STACK_ELSEWHERE);
}
END_TEST

START_TEST(words_beside_the_frame_are_bounded)
{
	struct tailbox__stack_from f = from_here(1); /* no frame */

	for (unsigned i = 0; i < WORDS; i++)
		words[i] = i;
	struct tailbox__stack_raw r = walk(f);
	ck_assert_uint_eq(r.word_count, TAILBOX__STACK_WORDS);
	ck_assert_uint_eq(r.word[TAILBOX__STACK_WORDS - 1],
	                  TAILBOX__STACK_WORDS - 1);
	f.sp = at(WORDS - 3) + 1; /* to the end, from the next whole word */
	r = walk(f);
	ck_assert_uint_eq(r.word_count, 2);
	ck_assert_uint_eq(r.word[0], WORDS - 2);
}
END_TEST

#if defined(__x86_64__)
START_TEST(calls_are_told_from_other_code)
{
	static const struct {
		unsigned char code[8];
		size_t n;
		bool is_call;
	} rows[] = {
		{ { 0xe8, 1, 2, 3, 4 }, 5, true },
		{ { 0xff, 0xd0 }, 2, true },             /* *%rax */
		{ { 0x41, 0xff, 0xd4 }, 3, true },       /* *%r12 */
		{ { 0xff, 0x15, 1, 2, 3, 4 }, 6, true }, /* *1(%rip) */
		{ { 0xff, 0x50, 0x18 }, 3, true },       /* *24(%rax) */
		{ { 0xff, 0x94, 0x24, 1, 2, 3, 4 }, 7, true },
		{ { 0xff, 0x14, 0xc5, 1, 2, 3, 4 }, 7, true },
		{ { 0xff, 0x54, 0x24, 0x08 }, 4, true },
		{ { 0xe9, 1, 2, 3, 4 }, 5, false },      /* jmp */
		{ { 0xff, 0x25, 1, 2, 3, 4 }, 6, false },
		{ { 0xff, 0xe0 }, 2, false },
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 }, 7, false },
		{ { 1, 2, 3, 4 }, 4, false }, /* e8 would be before it */
		{ { 0xd0 }, 1, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Exactly so many bytes, so that a sanitizer sees more. */
		unsigned char *code = malloc(rows[i].n);
		ck_assert_ptr_nonnull(code);
		memcpy(code, rows[i].code, rows[i].n);
		ck_assert_msg(tailbox__stack_is_after_call(code + rows[i].n,
		                                           rows[i].n) ==
		                      rows[i].is_call,
		              "row %zu", i);
		free(code);
	}
	const unsigned char call[] = { 0x90, 0x0f, 0x05, 0xc3 };
	ck_assert(tailbox__stack_is_at_syscall(call + 1, 1, 3));
	ck_assert(tailbox__stack_is_at_syscall(call + 3, 3, 1));
	ck_assert(!tailbox__stack_is_at_syscall(call + 2, 2, 2));
	ck_assert(!tailbox__stack_is_at_syscall(call + 1, 1, 1));
	ck_assert(!tailbox__stack_is_at_syscall(call + 3, 1, 1));
}
END_TEST
#endif

/* --- which signals ------------------------------------------------------- */

START_TEST(signals_by_name)
{
	static const char *const wrong[] = {
		"",           "SIGKILL",     "SIGSEGV",       "SIGRTMIN",
		"SIGRTMIN+",  "SIGRTMIN+31", "SIGRTMIN+99",   "SIGRTMIN+100",
		"SIGRTMIN+-1", "SIGRTMIN+ 1", "SIGRTMIN+1x",  "SIGRTMIN-1",
		"sigurg",     "SIGURG ",     "SIGHUP",        "SIGCHLD",
	};

	ck_assert_int_eq(tailbox__config_stack_signal("SIGURG"), SIGURG);
	ck_assert_int_eq(tailbox__config_stack_signal("SIGPROF"), SIGPROF);
	ck_assert_int_eq(tailbox__config_stack_signal("SIGRTMIN+0"), SIGRTMIN);
	ck_assert_int_eq(tailbox__config_stack_signal("SIGRTMIN+30"),
	                 SIGRTMIN + 30);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(tailbox__config_stack_signal(wrong[i]) == 0, "%s",
		              wrong[i]);
}
END_TEST

static void handler_of_the_application(int number)
{
	(void)number;
}

static struct sigaction now_of(int number)
{
	struct sigaction a;

	ck_assert_int_eq(sigaction(number, NULL, &a), 0);
	return a;
}

static void set_action(int number, void (*handler)(int))
{
	struct sigaction a = { .sa_handler = handler };

	ck_assert_int_eq(sigaction(number, &a, NULL), 0);
}

static struct tailbox__stack_status status(void)
{
	struct tailbox__stack_status s;

	tailbox__stack_status(&s);
	return s;
}

START_TEST(a_signal_that_somebody_uses_is_left_alone)
{
	const int n = SIGRTMIN + 4;

	ck_assert(!status().is_on);
	set_action(n, handler_of_the_application);
	ck_assert_str_eq(tailbox__stack_set(n, "SIGRTMIN+4", 100),
	                 "it has a handler already");
	ck_assert(!status().is_on);
	ck_assert_str_eq(status().trouble, "it has a handler already");
	ck_assert_str_eq(status().signal, "SIGRTMIN+4");
	ck_assert(now_of(n).sa_handler == handler_of_the_application);
	set_action(n, SIG_IGN);
	ck_assert_str_eq(tailbox__stack_set(n, "SIGRTMIN+4", 100),
	                 "it is ignored by the application");
	ck_assert(now_of(n).sa_handler == SIG_IGN);
	set_action(n, SIG_DFL);
	ck_assert_ptr_null(tailbox__stack_set(n, "SIGRTMIN+4", 100));
	ck_assert(status().is_on);
	ck_assert_str_eq(status().trouble, "");
	const int want = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
	ck_assert_int_eq(now_of(n).sa_flags & want, want);
	/* Another one: the first is given back. */
	ck_assert_ptr_null(tailbox__stack_set(SIGURG, "SIGURG", 100));
	ck_assert(now_of(n).sa_handler == SIG_DFL);
	/* What the application does later is its own. */
	set_action(SIGURG, handler_of_the_application);
	ck_assert(!status().is_on);
	ck_assert_str_eq(status().trouble,
	                 "the application has taken the signal since");
	tailbox__stack_clear();
	ck_assert(now_of(SIGURG).sa_handler == handler_of_the_application);
	set_action(SIGURG, SIG_DFL);
}
END_TEST

START_TEST(one_that_is_pending_at_the_end_kills_nobody)
{
	const int n = SIGRTMIN + 4; /* by default: the end of the process */
	sigset_t set, before;

	ck_assert_ptr_null(tailbox__stack_set(n, "SIGRTMIN+4", 100));
	raise(n); /* nobody is asked: nothing happens */
	sigemptyset(&set);
	sigaddset(&set, n);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	raise(n);
	ck_assert_int_eq(sigpending(&set), 0);
	ck_assert(sigismember(&set, n));
	tailbox__stack_clear();
	ck_assert(now_of(n).sa_handler == SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	raise(SIGURG); /* anything that lets it come */
}
END_TEST

/* --- a worker, and what comes onto the tape ------------------------------ */

static atomic_bool is_over, blocks_it;
static atomic_uint ready;
/* Of the hold: another one each time, as ticks are. Ticks are ns here. */
static uint64_t hold_tick = T0;

__attribute__((noinline)) static void spin(void)
{
	__asm__ volatile("" : : "r"(__builtin_frame_address(0)));
	while (!atomic_load_explicit(&is_over, memory_order_relaxed))
		sched_yield();
}

/* Held since a moment of long ago, by the injected clock. */
static void *worker(void *arg)
{
	struct tailbox__thread *t = tailbox__thread_get();
	sigset_t all;

	if (t == NULL)
		return arg;
	sigfillset(&all);
	if (blocks_it)
		pthread_sigmask(SIG_BLOCK, &all, NULL);
	TAILBOX__SET(t->entry->hold_kind, TAILBOX__HOLD_HANDLER);
	TAILBOX__SET(t->entry->hold_route, tailbox__name_cstr("/held"));
	TAILBOX__SET(t->entry->hold_slot, UINT32_MAX);
	TAILBOX__SET(t->entry->hold_since, hold_tick);
	ready = t->index + 1;
	spin();
	TAILBOX__SET(t->entry->hold_since, 0);
	return arg;
}

static pthread_t worker_thread;

static void setup(void)
{
	assemble_open();
	is_over = blocks_it = false;
	ready = 0;
	ck_assert_ptr_nonnull(tailbox__thread_get()); /* as the sampler */
	ck_assert_ptr_null(tailbox__stack_set(SIGURG, "SIGURG", 100));
}

static void start_worker(void)
{
	hold_tick++;
	ck_assert_int_eq(pthread_create(&worker_thread, NULL, worker, NULL), 0);
	while (!ready)
		sched_yield();
}

static void end_worker(void)
{
	is_over = true;
	ck_assert_int_eq(pthread_join(worker_thread, NULL), 0);
}

static void teardown(void)
{
	tailbox__stack_clear();
	assemble_close();
}

static int take(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	return tailbox__assembly_add(cls, kind, thread, records, bytes);
}

/* Looks until a stack is taken. */
static void look_until_taken(uint64_t count)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; status().taken < count; i++) {
		ck_assert_int_lt(i, 20000);
		tailbox__stack_look();
		nanosleep(&ms, NULL);
	}
}

START_TEST(a_held_worker_is_asked_once_for_each_hold)
{
	struct tailbox__stack s;
	uint64_t tick;

	start_worker();
	fixture_now = T0 + 99 * (uint64_t)MS;
	tailbox__stack_look();
	ck_assert_uint_eq(status().asked, 0); /* not long enough */
	fixture_now = T0 + 101 * (uint64_t)MS;
	look_until_taken(1);
	for (int i = 0; i < 50; i++)
		tailbox__stack_look();
	ck_assert_uint_eq(status().asked, 1);
	ck_assert_uint_eq(status().taken, 1);
	ck_assert(tailbox__stack_of(ready - 1, hold_tick, &s, &tick));
	ck_assert_uint_ge(s.count, 1);
	ck_assert(!tailbox__stack_of(ready - 1, hold_tick + 1, &s, &tick));
	ck_assert(!tailbox__stack_of(ready, hold_tick, &s, &tick));
	ck_assert(!tailbox__stack_of(UINT32_MAX, hold_tick, &s, &tick));
	end_worker();
	ck_assert_int_eq(tailbox__reader_poll(fixture_reader, take, assembly()),
	                 0);
	finish();
	ck_assert_uint_eq(fixture_run->stacks.count, 1);
	const struct tailbox__run_stack *k = fixture_run->stacks.items;
	ck_assert_str_eq(tailbox__run_text(fixture_run, k->route, NULL),
	                 "/held");
	ck_assert_uint_eq(k->held_us, 100999);
	ck_assert_uint_eq(k->worker, ready - 1);
	ck_assert_uint_eq(k->kind, TAILBOX__HOLD_HANDLER);
	ck_assert_uint_eq(fixture_run->frames.count, s.count);
	for (uint32_t i = 0; i < s.count; i++) {
		const struct tailbox__run_frame *f =
		        &fixture_run->frames.items[i];
		ck_assert_uint_eq(f->stack, 0);
		ck_assert_uint_eq(f->offset,
		                  tailbox__frame_offset(s.frame[i]));
		ck_assert_uint_eq(f->flags, s.guessed >> i & 1);
	}
}
END_TEST

START_TEST(a_thread_that_blocks_the_signal_is_not_sent_it)
{
	blocks_it = true;
	start_worker();
	fixture_now = T0 + 500 * (uint64_t)MS;
	for (int i = 0; i < 10; i++)
		tailbox__stack_look();
	ck_assert_uint_eq(status().blocked, 1);
	ck_assert_uint_eq(status().asked, 0);
	end_worker();
}
END_TEST

START_TEST(a_thread_that_is_gone_is_forgotten)
{
	start_worker();
	fixture_now = T0 + 500 * (uint64_t)MS;
	tailbox__stack_look(); /* asked; answered or not */
	end_worker();
	tailbox__stack_look();
	is_over = false;
	ready = 0;
	const uint64_t taken = status().taken;
	start_worker(); /* may have the same entry */
	look_until_taken(taken + 1);
	end_worker();
}
END_TEST

/* --- a damaged tape ------------------------------------------------------ */

struct batch {
	char bytes[20 * 64];
	size_t len;
};

static void add_sample(struct batch *b, uint64_t tick)
{
	struct tailbox__rec_sample r;

	memset(&r, 0, sizeof(r));
	r.type = TAILBOX__REC_SAMPLE;
	r.tick = tick;
	memcpy(b->bytes + b->len, &r, sizeof(r));
	b->len += sizeof(r);
}

static struct tailbox__rec_stack good_stack(uint64_t tick)
{
	struct tailbox__rec_stack r;

	memset(&r, 0, sizeof(r));
	r.type = TAILBOX__REC_STACK;
	r.more = 2;
	r.count = 9;
	r.tick = tick;
	r.hold = T0 + 1;
	r.guessed = 2;
	return r;
}

static void add_stack(struct batch *b, const struct tailbox__rec_stack *r,
                      uint8_t frames_type, unsigned frames)
{
	struct tailbox__rec_frames f;

	memcpy(b->bytes + b->len, r, sizeof(*r));
	b->len += sizeof(*r);
	for (unsigned i = 0; i < frames; i++) {
		memset(&f, 0, sizeof(f));
		f.type = frames_type;
		f.count = i ? 2 : 7;
		for (unsigned k = 0; k < f.count; k++)
			f.frame[k] = TAILBOX__FRAME_ANYWHERE(0x1000 + k);
		memcpy(b->bytes + b->len, &f, sizeof(f));
		b->len += sizeof(f);
	}
}

/* Feeds it; gives what was left out. */
static uint64_t feed_tape(const struct batch *b)
{
	struct tailbox__tape_feed f;

	tailbox__tape_feed_init(&f, fixture_reader);
	f.assembly = assembly();
	ck_assert_int_eq(tailbox__tape_feed(&f, TAILBOX__BLOCK_SAMPLES, 0,
	                                    b->bytes, b->len), 0);
	finish();
	return f.damage.records;
}

START_TEST(a_good_record_comes_through_between_samples)
{
	struct tailbox__rec_stack r = good_stack(T0 + 500 * MS);
	struct batch b = { .len = 0 };

	add_sample(&b, T0 + 400 * MS);
	add_stack(&b, &r, TAILBOX__REC_FRAMES, 2);
	add_sample(&b, T0 + 600 * MS);
	ck_assert_uint_eq(feed_tape(&b), 0);
	ck_assert_uint_eq(fixture_run->snapshots.count, 2);
	ck_assert_uint_eq(fixture_run->stacks.count, 1);
	ck_assert_uint_eq(fixture_run->frames.count, 9);
	ck_assert_uint_eq(fixture_run->frames.items[1].flags,
	                  TAILBOX__FRAME_GUESSED);
	ck_assert_uint_eq(fixture_run->frames.items[8].offset, 0x1001);
	ck_assert_uint_eq(fixture_run->frames.items[8].module, 0);
}
END_TEST

START_TEST(a_damaged_one_hurts_nothing_beside_it)
{
	for (int how = 0; how < 7; how++) {
		struct tailbox__rec_stack r = good_stack(T0 + 500 * MS);
		struct batch b = { .len = 0 };

		if (how > 0)
			teardown(), setup();
		r.count = how == 1 ? 33 : r.count;
		r.more = how == 2 ? 200 : r.more;
		r.end = how == 3 ? TAILBOX__STACK_ENDS : r.end;
		r.hold = how == 4 ? r.tick + 1 : r.hold;
		r.route = how == 5 ? UINT16_MAX : r.route;
		r.tick = how == 6 ? 5 : r.tick;
		add_sample(&b, T0 + 400 * MS);
		add_stack(&b, &r, how ? TAILBOX__REC_FRAMES
		                      : TAILBOX__REC_VALUES, 2);
		add_sample(&b, T0 + 600 * MS);
		/* The head, and each record that has lost its head. */
		ck_assert_msg(feed_tape(&b) == 3, "%d", how);
		ck_assert_uint_eq(fixture_run->snapshots.count, 2);
		ck_assert_uint_eq(fixture_run->stacks.count, 0);
		ck_assert_uint_eq(fixture_run->frames.count, 0);
	}
}
END_TEST

START_TEST(one_that_is_torn_is_left_out)
{
	struct tailbox__rec_stack r = good_stack(T0 + 500 * MS);
	struct batch b = { .len = 0 };

	add_sample(&b, T0 + 400 * MS);
	add_stack(&b, &r, TAILBOX__REC_FRAMES, 1); /* of two */
	ck_assert_uint_eq(feed_tape(&b), 2);
	ck_assert_uint_eq(fixture_run->snapshots.count, 1);
	ck_assert_uint_eq(fixture_run->stacks.count, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("stack");
	TCase *tc = tcase_create("walk");

	tcase_add_test(tc, a_chain_is_followed_to_its_end);
	tcase_add_test(tc, what_is_no_frame_pointer_ends_it);
	tcase_add_test(tc, it_has_a_greatest_depth);
	tcase_add_test(tc, on_another_stack_nothing_is_read);
	tcase_add_test(tc, words_beside_the_frame_are_bounded);
#if defined(__x86_64__)
	tcase_add_test(tc, calls_are_told_from_other_code);
#endif
	suite_add_tcase(s, tc);
	tc = tcase_create("signal");
	tcase_add_test(tc, signals_by_name);
	tcase_add_test(tc, a_signal_that_somebody_uses_is_left_alone);
	tcase_add_test(tc, one_that_is_pending_at_the_end_kills_nobody);
	suite_add_tcase(s, tc);
	tc = tcase_create("worker");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_held_worker_is_asked_once_for_each_hold);
	tcase_add_test(tc, a_thread_that_blocks_the_signal_is_not_sent_it);
	tcase_add_test(tc, a_thread_that_is_gone_is_forgotten);
	tcase_add_test(tc, a_good_record_comes_through_between_samples);
	tcase_add_test(tc, a_damaged_one_hurts_nothing_beside_it);
	tcase_add_test(tc, one_that_is_torn_is_left_out);
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
