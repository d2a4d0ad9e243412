/* tests/test_record.c - what threads write and what a reader finds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/wait.h>

#include <tailbox/span.h>

#include "core/internal.h"
#include "tests/recorder_fixture.h"

static struct tailbox__reader *reader;
static struct fixture_records got;

static void open_small(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	fixture_open(TAILBOX__TAPE_MIN);
	ck_assert_int_eq(tailbox__reader_open_fd(
	                         tailbox__recorder.tape.fd, &reader, &err), 0);
}

static void close_small(void)
{
	tailbox__reader_close(reader);
	reader = NULL;
	fixture_forget(&got);
	fixture_close();
}

static void read_the_mapping(void)
{
	tailbox__reader_map(reader, tailbox__recorder.tape.header,
	                    tailbox__recorder.tape.file_bytes);
}

static void poll_all(void)
{
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
}

static const struct tailbox__rec_request *request_at(size_t offset)
{
	ck_assert_uint_gt(got.len[TAILBOX__BLOCK_REQUESTS], offset);
	return (const void *)(got.bytes[TAILBOX__BLOCK_REQUESTS] + offset);
}

static const struct tailbox__rec_span *span_at(size_t i)
{
	ck_assert_uint_gt(got.len[TAILBOX__BLOCK_SPANS], i * 32);
	return (const void *)(got.bytes[TAILBOX__BLOCK_SPANS] + i * 32);
}

static const char *name_of(uint16_t name)
{
	return tailbox__reader_name(reader, name, NULL);
}

START_TEST(a_finished_request_is_one_record)
{
	tailbox_request r = tailbox_request_begin("/items/{id}", "job");
	const struct tailbox__rec_request *rec;

	ck_assert_ptr_nonnull(r);
	ck_assert_uint_gt(tailbox_request_number(r), 0);
	tailbox_request_finish(r, "rejected");
	poll_all();
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_REQUESTS], 64);
	rec = request_at(0);
	ck_assert_int_eq(rec->type, TAILBOX__REC_REQUEST);
	ck_assert_int_eq(rec->more, 0);
	ck_assert_str_eq(name_of(rec->route), "/items/{id}");
	ck_assert_str_eq(name_of(rec->kind), "job");
	ck_assert_str_eq(name_of(rec->outcome), "rejected");
	ck_assert_uint_gt(rec->total, 0);
	poll_all();
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_REQUESTS], 64);
}
END_TEST

START_TEST(nothing_happens_through_a_stale_or_null_handle)
{
	tailbox_request r = tailbox_request_begin("/a", NULL), other;
	struct tailbox_span s;
	static struct tailbox_site site = { "x", "f.c", "f", 1,
		                            TAILBOX_SPAN_STAGE, 0 };

	tailbox_request_finish(r, NULL);
	other = tailbox_request_begin("/b", NULL);
	tailbox_request_set_route(r, "/wrong");
	tailbox_request_discard(r);
	tailbox_request_finish(r, "error");
	tailbox_request_finish(NULL, "error");
	tailbox_request_tag(NULL, "a", "b");
	tailbox_span_begin(&s, r, &site, 0);
	tailbox_span_end(&s, 1);
	tailbox_span_begin(&s, NULL, &site, 0);
	tailbox_span_end(&s, 1);
	tailbox_gauge_up(r, "g");
	ck_assert_uint_eq(tailbox_request_number(r), 0);
	tailbox_request_finish(other, NULL);
	poll_all();
	ck_assert_uint_eq(fixture_count(&got), 2);
	ck_assert_str_eq(name_of(request_at(64)->route), "/b");
	ck_assert_str_eq(name_of(request_at(64)->outcome), "ok");
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_SPANS], 0);
}
END_TEST

START_TEST(id_and_tags_follow_their_request)
{
	char id[TAILBOX_ID_MAX + 20];
	tailbox_request r = tailbox_request_begin("/a", NULL);
	const struct tailbox__rec_more *m;
	const struct tailbox__rec_id *i;

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	tailbox_request_set_id(r, id);
	for (int n = 0; n < 5; n++)
		tailbox_request_tag(r, "tenant", n ? "a" : "b");
	tailbox_request_finish(r, NULL);
	poll_all();
	ck_assert_int_eq(request_at(0)->more, 3);
	m = (const void *)request_at(64);
	ck_assert_int_eq(m->type, TAILBOX__REC_MORE);
	ck_assert_int_eq(m->tag_count, 4);
	ck_assert_str_eq(name_of((uint16_t)m->tags[0]), "tenant");
	ck_assert_str_eq(name_of((uint16_t)(m->tags[0] >> 16)), "b");
	i = (const void *)request_at(128);
	ck_assert_int_eq(i->type, TAILBOX__REC_ID);
	ck_assert_int_eq(i->len, 56);
	ck_assert_int_eq(i[1].len, TAILBOX_ID_MAX - 56);
	ck_assert_uint_eq(
	        tailbox__reader_sum(reader,
	                            offsetof(struct tailbox__thread_entry,
	                                     lost_tags)), 1);
}
END_TEST

START_TEST(a_discarded_request_leaves_no_record)
{
	tailbox_request r = tailbox_request_begin("/a", NULL);

	tailbox_request_discard(r);
	tailbox_request_finish(r, NULL);
	poll_all();
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_REQUESTS], 0);
	ck_assert_uint_eq(
	        tailbox__reader_sum(reader,
	                            offsetof(struct tailbox__thread_entry,
	                                     discarded)), 1);
}
END_TEST

static int leave_early(tailbox_request r)
{
	TAILBOX_STAGE(r, "early") {
		return 7;
	}
	return 0;
}

START_TEST(scopes_end_on_every_way_out)
{
	tailbox_request r = tailbox_request_begin("/a", NULL);
	const struct tailbox__slot *slot = tailbox__slot_of(r);

	TAILBOX_STAGE(r, "outer") {
		TAILBOX_WAIT(r, "pool", 3) {
			ck_assert_uint_eq(tailbox__slot_where(slot),
			                  TAILBOX_SPAN_WAIT);
		}
		ck_assert_uint_eq(tailbox__slot_where(slot),
		                  TAILBOX_SPAN_STAGE);
		TAILBOX_FAILED();
	}
	ck_assert_uint_eq(tailbox__slot_where(slot), 0);
	ck_assert_int_eq(leave_early(r), 7);
	tailbox_request_finish(r, NULL);
	poll_all();
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_SPANS], 3 * 32);
	ck_assert_str_eq(name_of(span_at(0)->name), "pool");
	ck_assert_int_eq(span_at(0)->type, TAILBOX_SPAN_WAIT);
	ck_assert_uint_eq(span_at(0)->depth, 3);
	ck_assert_int_eq(span_at(0)->flags, 0);
	ck_assert_str_eq(name_of(span_at(1)->name), "outer");
	ck_assert_int_eq(span_at(1)->flags, TAILBOX__SPAN_FAILED);
	ck_assert_uint_eq(span_at(1)->depth, TAILBOX_DEPTH_UNKNOWN);
	ck_assert_int_eq(span_at(2)->flags,
	                 TAILBOX__SPAN_PARTIAL | TAILBOX__SPAN_FAILED);
	ck_assert_ptr_nonnull(strstr(name_of(span_at(2)->site),
	                             "test_record.c:"));
	ck_assert_ptr_nonnull(strstr(name_of(span_at(2)->site),
	                             " leave_early"));
}
END_TEST

START_TEST(a_span_that_outlives_its_request_is_late)
{
	tailbox_request r = tailbox_request_begin("/a", NULL);
	struct tailbox_span s;
	static struct tailbox_site site = { "x", "f.c", "f", 1,
		                            TAILBOX_SPAN_STAGE, 0 };

	tailbox_span_begin(&s, r, &site, 0);
	tailbox_request_finish(r, NULL);
	tailbox_span_end(&s, 1);
	tailbox_span_end(&s, 1);
	poll_all();
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_SPANS], 0);
	ck_assert_uint_eq(
	        tailbox__reader_sum(reader,
	                            offsetof(struct tailbox__thread_entry,
	                                     late_spans)), 1);
}
END_TEST

START_TEST(names_are_bounded_clean_and_counted)
{
	char text[300];
	uint16_t a, b;

	ck_assert_uint_eq(tailbox__name_cstr("abc"),
	                  tailbox__name_cstr("abc"));
	ck_assert_uint_eq(tailbox__name_cstr(""), 0);
	ck_assert_uint_eq(tailbox__name_cstr(NULL), 0);
	memset(text, 'n', sizeof(text));
	a = tailbox__name(text, TAILBOX_NAME_MAX);
	b = tailbox__name(text, sizeof(text));
	ck_assert_uint_eq(a, b);
	ck_assert_uint_ne(tailbox__name(text, TAILBOX_NAME_MAX - 1), a);
	/* A character that would not fit whole is left out whole. */
	memcpy(text + TAILBOX_NAME_MAX - 1, "\xc3\xa9", 2);
	b = tailbox__name(text, sizeof(text));
	ck_assert_uint_eq(b, tailbox__name(text, TAILBOX_NAME_MAX - 1));
	ck_assert_str_eq(name_of(tailbox__name("a\xff\n", 3)), "a??");
	for (int i = 0; i < 400; i++) {
		snprintf(text, sizeof(text), "route-%d", i);
		a = tailbox__name_cstr(text);
	}
	ck_assert_uint_eq(a, TAILBOX__NAME_OTHER);
	ck_assert_uint_gt(
	        TAILBOX__GET(tailbox__recorder.tape.header
	                             ->losses[TAILBOX__LOSS_NAMES]), 0);
	ck_assert_uint_eq(tailbox__name_cstr("abc"),
	                  tailbox__name_cstr("abc"));
}
END_TEST

START_TEST(slots_run_out_and_come_back)
{
	uint32_t max = tailbox__recorder.tape.header->slots_max;
	tailbox_request *all = calloc(max, sizeof(*all)), r;

	for (uint32_t i = 0; i < max; i++) {
		all[i] = tailbox_request_begin("/a", NULL);
		ck_assert_ptr_nonnull(all[i]);
	}
	ck_assert_ptr_null(tailbox_request_begin("/a", NULL));
	ck_assert_uint_eq(
	        TAILBOX__GET(tailbox__recorder.tape.header
	                             ->losses[TAILBOX__LOSS_SLOTS]), 1);
	tailbox_request_finish(all[5], NULL);
	r = tailbox_request_begin("/b", NULL);
	ck_assert_ptr_nonnull(r);
	tailbox_request_finish(r, NULL);
	for (uint32_t i = 0; i < max; i++)
		tailbox_request_finish(all[i], NULL);
	poll_all();
	ck_assert_uint_eq(fixture_count(&got), max + 1);
	free(all);
}
END_TEST

/* Every record is handed out once, or its loss is told. */
START_TEST(the_oldest_blocks_are_recycled)
{
	uint64_t blocks = tailbox__recorder.tape.header->blocks_max;
	uint64_t n = blocks * 63 + 630;

	if (_i)
		read_the_mapping();
	poll_all();
	for (uint64_t i = 0; i < n; i++)
		tailbox_request_finish(tailbox_request_begin("/a", NULL),
		                       NULL);
	poll_all();
	ck_assert_uint_le(fixture_count(&got), blocks * 63);
	ck_assert_uint_ge(fixture_count(&got), (blocks - 1) * 63);
	ck_assert_uint_ge(tailbox__reader_lost_blocks(reader), 9);
	ck_assert_uint_le(tailbox__reader_lost_blocks(reader), 11);
	ck_assert_uint_eq(
	        tailbox__reader_sum(reader,
	                            offsetof(struct tailbox__thread_entry,
	                                     finished)), n);
}
END_TEST

#define THREADS 4
#define EACH 20000

static void *work(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		tailbox_request r = tailbox_request_begin("/t", NULL);
		TAILBOX_STAGE(r, "s") {
			;
		}
		tailbox_request_finish(r, NULL);
	}
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

START_TEST(threads_and_a_follower_agree)
{
	pthread_t t[THREADS];
	uint64_t *numbers, n = 0, finished;

	if (_i)
		read_the_mapping();
	poll_all(); /* from here on a loss is told */
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, work, NULL), 0);
	do {
		poll_all();
		finished = tailbox__reader_sum(
		        reader,
		        offsetof(struct tailbox__thread_entry, finished));
	} while (finished < THREADS * EACH);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	poll_all();
	numbers = calloc(THREADS * EACH, sizeof(*numbers));
	for (size_t i = 0; i < got.len[TAILBOX__BLOCK_REQUESTS]; i += 64) {
		ck_assert_int_eq(request_at(i)->type, TAILBOX__REC_REQUEST);
		numbers[n++] = request_at(i)->number;
	}
	/* Spans take block space too: what was recycled unread is told. */
	if (tailbox__reader_lost_blocks(reader) == 0)
		ck_assert_uint_eq(n, THREADS * EACH);
	qsort(numbers, n, sizeof(*numbers), by_number);
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ne(numbers[i], numbers[i - 1]);
	free(numbers);
}
END_TEST

/* What lies behind the end of the mapping is read from the file. */
START_TEST(a_mapping_gives_what_the_file_does)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t sizes[] = { tape->file_bytes, tape->header->blocks_off,
		                   tape->header->blocks_off + 100, 0 };
	struct fixture_records mapped = { 0 };

	for (int i = 0; i < 1000; i++) {
		tailbox_request r = tailbox_request_begin("/a", NULL);
		tailbox_request_set_id(r, "an id");
		TAILBOX_STAGE(r, "s") { }
		tailbox_request_finish(r, NULL);
	}
	poll_all();
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_REQUESTS], 2 * 64 * 1000);
	for (size_t i = 0; i < 4; i++) {
		tailbox__reader_map(reader, tape->header, sizes[i]);
		tailbox__reader_rewind(reader);
		ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect,
		                                      &mapped),
		                 0);
		for (int kind = 1; kind < 4; kind++) {
			ck_assert_uint_eq(mapped.len[kind], got.len[kind]);
			if (got.len[kind])
				ck_assert_mem_eq(mapped.bytes[kind],
				                 got.bytes[kind],
				                 got.len[kind]);
		}
		fixture_forget(&mapped);
	}
	ck_assert_uint_eq(tailbox__reader_lost_blocks(reader), 0);
}
END_TEST

START_TEST(a_thread_goes_on_where_an_ended_one_stopped)
{
	pthread_t t;

	for (int i = 0; i < 20; i++) {
		pthread_create(&t, NULL, work, NULL);
		pthread_join(t, NULL);
	}
	ck_assert_uint_eq(
	        TAILBOX__GET(tailbox__recorder.tape.header->threads_used), 1);
}
END_TEST

START_TEST(durations_pack_and_never_shrink_upwards)
{
	uint64_t v = 1;

	for (int i = 0; i < 56; i++, v = v * 2 + (uint64_t)i % 3) {
		uint64_t down = tailbox__unpack(tailbox__pack(v));
		uint64_t up = tailbox__unpack(tailbox__pack_up(v));
		ck_assert_uint_le(down, v);
		ck_assert_uint_ge(up, v);
		ck_assert_uint_le(v - down, v >> 26);
		ck_assert_uint_le(up - v, (v >> 25) + 1);
		if (v < (1u << 27))
			ck_assert_uint_eq(down, v);
	}
	ck_assert_uint_eq(tailbox__pack_up(0), 0);
	ck_assert_uint_eq(tailbox__unpack(tailbox__pack_up((1u << 27) + 1)),
	                  (1u << 27) + 2);
}
END_TEST

START_TEST(a_forked_child_writes_nothing)
{
	tailbox_request r = tailbox_request_begin("/parent", NULL), c;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		c = tailbox_request_begin("/child", NULL);
		tailbox_request_finish(r, "error");
		_exit(c == NULL && !tailbox_is_recording() ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	tailbox_request_finish(r, NULL);
	poll_all();
	ck_assert_uint_eq(fixture_count(&got), 1);
	ck_assert_str_eq(name_of(request_at(0)->outcome), "ok");
	ck_assert_int_eq(TAILBOX__GET(tailbox__recorder.tape.header
	                                      ->end_state),
	                 TAILBOX__END_OPEN);
}
END_TEST

START_TEST(off_means_no_request)
{
	tailbox__recorder_set(false);
	ck_assert_ptr_null(tailbox_request_begin("/a", NULL));
	tailbox__recorder_set(true);
	ck_assert_ptr_nonnull(tailbox_request_begin("/a", NULL));
}
END_TEST

static char *tape_copy(void)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;
	char *copy = malloc(t->file_bytes);

	ck_assert_ptr_nonnull(copy);
	ck_assert_int_eq(pread(t->fd, copy, t->file_bytes, 0),
	                 (ssize_t)t->file_bytes);
	return copy;
}

static void *other_thread(void *arg)
{
	tailbox_request *r = arg;

	*r = tailbox_request_begin("/other", NULL);
	return NULL;
}

static void *waits_for_its_end(void *arg)
{
	pthread_barrier_t *b = arg;

	tailbox_request_finish(tailbox_request_begin("/gone", NULL), NULL);
	pthread_barrier_wait(b); /* registered */
	pthread_barrier_wait(b); /* off */
	return NULL;
}

START_TEST(while_off_not_a_byte_of_the_tape_changes)
{
	struct tailbox_site site = { .kind = TAILBOX_SPAN_STAGE,
		                     .name = "late" };
	tailbox_request r = NULL;
	struct tailbox_span span;
	char *before, *after;
	pthread_t thread;

	tailbox_request_finish(tailbox_request_begin("/a", NULL), NULL);
	ck_assert(tailbox__recorder_set(false));
	ck_assert(!tailbox__recorder_set(false));
	before = tape_copy();
	for (int i = 0; i < 100; i++) {
		ck_assert_ptr_null(tailbox_request_begin("/new", NULL));
		tailbox_span_begin(&span, NULL, &site, 0);
		tailbox_span_end(&span, 1);
		tailbox_gauge_up(NULL, "gauge");
	}
	/* A thread that the tape does not know, either. */
	ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, &r), 0);
	pthread_join(thread, NULL);
	ck_assert_ptr_null(r);
	ck_assert_ptr_null(tailbox__thread_get());
	tailbox__loss(TAILBOX__LOSS_CONNECTIONS);
	tailbox__recorder_anchor();
	after = tape_copy();
	ck_assert_int_eq(memcmp(before, after,
	                        tailbox__recorder.tape.file_bytes), 0);
	free(before);
	free(after);
	ck_assert(tailbox__recorder_set(true));
	ck_assert(!tailbox__recorder_set(true));
}
END_TEST

START_TEST(threads_keep_their_place_over_off_and_on)
{
	struct tailbox__thread *me = tailbox__thread_get();
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	for (int i = 0; i < 1000; i++) {
		tailbox__recorder_set(false);
		tailbox__recorder_set(true);
		ck_assert_ptr_eq(tailbox__thread_get(), me);
		tailbox_request_finish(tailbox_request_begin("/a", NULL),
		                       NULL);
	}
	ck_assert_uint_eq(TAILBOX__GET(h->threads_used), 1);
	ck_assert_uint_eq(TAILBOX__GET(h->slots_used), 1);
	ck_assert_uint_eq(TAILBOX__GET(me->entry->finished), 1000);
}
END_TEST

START_TEST(a_thread_that_ends_while_off_leaves_its_place)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	pthread_barrier_t b;
	pthread_t thread;

	tailbox__thread_get();
	pthread_barrier_init(&b, NULL, 2);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL,
		                                waits_for_its_end, &b), 0);
		pthread_barrier_wait(&b);
		tailbox__recorder_set(false);
		char *before = tape_copy();
		pthread_barrier_wait(&b);
		pthread_join(thread, NULL);
		char *after = tape_copy();
		ck_assert_int_eq(memcmp(before, after, tape->file_bytes), 0);
		free(before);
		free(after);
		tailbox__recorder_set(true);
		ck_assert_uint_eq(TAILBOX__GET(tape->threads[1].tid), 0);
	}
	pthread_barrier_destroy(&b);
	ck_assert_uint_eq(TAILBOX__GET(tape->header->threads_used), 2);
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[1].finished), 20);
}
END_TEST

START_TEST(a_request_of_the_application_outlives_off)
{
	tailbox_request a = tailbox_request_begin("/a", NULL);
	tailbox_request b = tailbox_request_begin("/b", NULL);

	tailbox__recorder_set(false);
	tailbox_request_finish(b, NULL); /* without a record */
	tailbox__recorder_set(true);
	ck_assert_uint_eq(tailbox__open_before(UINT64_MAX), 1);
	tailbox_request_finish(a, NULL);
	poll_all();
	ck_assert_uint_eq(fixture_count(&got), 1);
	ck_assert_uint_eq(tailbox__open_before(UINT64_MAX), 0);
	/* Both slots are there for others. */
	ck_assert_ptr_nonnull(tailbox_request_begin("/c", NULL));
	ck_assert_ptr_nonnull(tailbox_request_begin("/d", NULL));
	ck_assert_uint_eq(TAILBOX__GET(tailbox__recorder.tape.header
	                                       ->slots_used), 2);
}
END_TEST

START_TEST(a_recorder_that_is_off_can_be_closed)
{
	tailbox__recorder_set(false);
	tailbox__recorder_close(false);
	ck_assert(!tailbox__recorder_set(true));
	ck_assert(!tailbox_is_recording());
	ck_assert_ptr_null(tailbox_request_begin("/a", NULL));
	fixture_close();
	fixture_open(TAILBOX__TAPE_MIN);
	ck_assert(tailbox_is_recording());
	tailbox_request_finish(tailbox_request_begin("/a", NULL), NULL);
}
END_TEST

START_TEST(open_requests_are_counted_for_a_disarm)
{
	tailbox_request a = tailbox_request_begin("/a", NULL), b;
	uint64_t tick = tailbox__now();

	b = tailbox_request_begin("/b", NULL);
	tailbox__barrier();
	ck_assert_uint_eq(tailbox__open_before(tick), 1);
	ck_assert_uint_eq(tailbox__open_before(tailbox__now()), 2);
	tailbox_request_finish(a, NULL);
	ck_assert_uint_eq(tailbox__open_before(tick), 0);
	tailbox_request_finish(b, NULL);
}
END_TEST

static uint64_t fake_now;
static uint64_t fake_clock(void)
{
	return fake_now;
}

START_TEST(an_injected_clock_gives_exact_records)
{
	tailbox_request r;

	close_small();
	tailbox__clock_inject(fake_clock, 1000000000u);
	open_small();
	fake_now = 5000;
	r = tailbox_request_begin("/a", NULL);
	fake_now = 7500;
	tailbox_request_finish(r, NULL);
	tailbox__clock_inject(NULL, 0);
	poll_all();
	ck_assert_uint_eq(request_at(0)->line, 5000);
	ck_assert_uint_eq(tailbox__unpack(request_at(0)->total), 2500);
}
END_TEST

START_TEST(a_tsc_is_taken_where_the_kernel_lives_by_it)
{
	const char *const others[] = { "", "hpet", "acpi_pm", "jiffies",
		                       "tsc-early", "kvm-cloc", "tsc2" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!tailbox__clock_is_by_tsc(others[i]));
	/* What holds for a real source depends on the machine; that of a
	 * virtual one asks for no less than "tsc" does. */
	ck_assert(tailbox__clock_is_by_tsc("tsc") ||
	          !tailbox__clock_is_by_tsc("kvm-clock"));
}
END_TEST

START_TEST(a_step_of_the_clock_is_told_from_drift)
{
	const struct tailbox__anchor a = { 1000, 5000, 0 };
	struct tailbox__anchor b = { 1000 + 2000000000, 5000 + 1000000000, 0 };
	const uint64_t edge = 2 * (10000000 + 1000000000 / 100);

	ck_assert(!tailbox__clock_has_stepped(&a, &b, 2000000000));
	b.tick += edge;
	ck_assert(!tailbox__clock_has_stepped(&a, &b, 2000000000));
	b.tick += 4; /* 2 ns, and what the conversion cuts off */
	ck_assert(tailbox__clock_has_stepped(&a, &b, 2000000000));
	b.tick = 1000 + 2000000000 - edge;
	ck_assert(!tailbox__clock_has_stepped(&a, &b, 2000000000));
	b.tick -= 4;
	ck_assert(tailbox__clock_has_stepped(&a, &b, 2000000000));
	b.tick = 999;
	ck_assert(tailbox__clock_has_stepped(&a, &b, 2000000000));
}
END_TEST

START_TEST(steps_of_the_clock_are_counted)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	const uint32_t kind = h->clock_kind;
	tailbox__a64 *steps = &h->losses[TAILBOX__LOSS_CLOCK_STEPS];

	tailbox__recorder_anchor();
	tailbox__recorder_anchor();
	ck_assert_uint_eq(TAILBOX__GET(*steps), 0);
	h->clock_kind = TAILBOX__CLOCK_TSC; /* as if, on any machine */
	TAILBOX__SET(h->now_tick, TAILBOX__GET(h->now_tick) - h->clock_hz);
	tailbox__recorder_anchor();
	ck_assert_uint_eq(TAILBOX__GET(*steps), 1);
	TAILBOX__SET(h->now_tick, TAILBOX__GET(h->now_tick) + h->clock_hz);
	tailbox__recorder_anchor();
	ck_assert_uint_eq(TAILBOX__GET(*steps), 2);
	tailbox__recorder_anchor();
	ck_assert_uint_eq(TAILBOX__GET(*steps), 2);
	h->clock_kind = kind;
}
END_TEST

START_TEST(a_traceparent_can_be_sent_on)
{
	tailbox_request r = tailbox_request_begin("/a", NULL);
	char buf[56];

	ck_assert_int_eq(tailbox_request_traceparent(r, buf, 56), 55);
	ck_assert_uint_eq(strlen(buf), 55);
	ck_assert_int_eq(strncmp(buf, "00-", 3), 0);
	/* Others see it, so it says nothing of how names are hashed. */
	buf[19] = '\0';
	ck_assert_uint_ne(strtoull(buf + 3, NULL, 16),
	                  tailbox__recorder.hash_seed);
	ck_assert_int_eq(tailbox_request_traceparent(r, buf, 55), 0);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(tailbox_request_traceparent(NULL, buf, 56), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("record");
	TCase *t = tcase_create("record");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, open_small, close_small);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_finished_request_is_one_record);
	tcase_add_test(t, nothing_happens_through_a_stale_or_null_handle);
	tcase_add_test(t, id_and_tags_follow_their_request);
	tcase_add_test(t, a_discarded_request_leaves_no_record);
	tcase_add_test(t, scopes_end_on_every_way_out);
	tcase_add_test(t, a_span_that_outlives_its_request_is_late);
	tcase_add_test(t, names_are_bounded_clean_and_counted);
	tcase_add_test(t, slots_run_out_and_come_back);
	tcase_add_loop_test(t, the_oldest_blocks_are_recycled, 0, 2);
	tcase_add_loop_test(t, threads_and_a_follower_agree, 0, 2);
	tcase_add_test(t, a_mapping_gives_what_the_file_does);
	tcase_add_test(t, a_thread_goes_on_where_an_ended_one_stopped);
	tcase_add_test(t, durations_pack_and_never_shrink_upwards);
	tcase_add_test(t, a_forked_child_writes_nothing);
	tcase_add_test(t, off_means_no_request);
	tcase_add_test(t, while_off_not_a_byte_of_the_tape_changes);
	tcase_add_test(t, threads_keep_their_place_over_off_and_on);
	tcase_add_test(t, a_thread_that_ends_while_off_leaves_its_place);
	tcase_add_test(t, a_request_of_the_application_outlives_off);
	tcase_add_test(t, a_recorder_that_is_off_can_be_closed);
	tcase_add_test(t, open_requests_are_counted_for_a_disarm);
	tcase_add_test(t, an_injected_clock_gives_exact_records);
	tcase_add_test(t, a_tsc_is_taken_where_the_kernel_lives_by_it);
	tcase_add_test(t, a_step_of_the_clock_is_told_from_drift);
	tcase_add_test(t, steps_of_the_clock_are_counted);
	tcase_add_test(t, a_traceparent_can_be_sent_on);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
