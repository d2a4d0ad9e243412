/* tests/fuzz_tape.c - mutated tapes through every reader of tapes.
 *
 * SPDX-License-Identifier: MIT
 *
 *     tests/fuzz_tape [N [SEED]]     N mutations, 300 unless given
 *
 * A tape with requests, stages, waits, gauges and stacks, some of it in
 * flight, is changed: bits flipped, words and pages overwritten, pieces copied
 * to other places, offsets and counts of the header made foreign, the file
 * cut. Each reader gives a result, which says what is damaged, or an error
 * that names the file; none crashes, hangs, or leaks. What recover makes must
 * load again, as native file and as JSON. Run it with ASan and UBSan, too:
 * tests/run.sh --full does.
 *
 * A reader more is a line in `readers`.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/json_tree.h"
#include "analyzer/load.h"
#include "cli/from_tape.h"
#include "cli/output.h"
#include "cli/services.h"
#include "cli/tail.h"
#include "cli/top_model.h"
#include "core/alloc.h"
#include "core/artifact.h"
#include "core/kept.h"
#include "core/recorder.h"
#include "core/recover.h"
#include "core/run_json.h"
#include "core/cut.h"
#include "core/tape_run.h"
#include "core/validate.h"

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(report, "%s:%d: %s, seed %u\n", __FILE__,      \
			        __LINE__, #condition, seed);                   \
			fflush(report);                                        \
			abort();                                               \
		}                                                              \
	} while (0)

enum { TAPE_BYTES = 1 << 20, SECONDS_MAX = 20, PAGE = 4096 };

static FILE *report; /* the real standard error */
static int said = -1; /* where the readers' complaints go */
static unsigned seed;
static char dir[64], path[128];
static int dirfd;
static char *sound; /* the tape as it was written */
static struct tailbox__tape_header header;

/* --- the tape ------------------------------------------------------------- */

static struct tailbox_site stuck = { .name = "stuck", .file = "fuzz_tape.c",
	                             .function = "one_request", .line = 1,
	                             .kind = TAILBOX_SPAN_STAGE };

static void one_request(int i)
{
	char route[32], id[40];
	struct tailbox_span s;

	snprintf(route, sizeof(route), "/route%d", i % 9);
	snprintf(id, sizeof(id), "client-%d", i);
	tailbox_request r = tailbox_request_begin(route, "http");
	if (i % 3 == 0)
		tailbox_request_set_id(r, id);
	TAILBOX_STAGE(r, "work") {
		tailbox_gauge_up(r, "busy");
	}
	TAILBOX_WAIT(r, "pool", (uint32_t)i) {
		tailbox_gauge_down(r, "busy");
	}
	if (i % 50 != 7) {
		tailbox_request_finish(r, i % 8 ? "ok" : "error");
		return;
	}
	/* In flight for ever. */
	tailbox_span_begin(&s, r, &stuck, TAILBOX_DEPTH_UNKNOWN);
}

/* As the sampler puts it there: a head, and its frames behind it. */
static void one_stack(unsigned frames)
{
	const unsigned more = (frames + TAILBOX__FRAMES_PER_RECORD - 1) /
	                      TAILBOX__FRAMES_PER_RECORD;
	struct tailbox__rec_stack head = { .type = TAILBOX__REC_STACK,
		                           .more = (uint8_t)more,
		                           .count = (uint8_t)frames,
		                           .tick = tailbox__now(),
		                           .guessed = 2 };
	struct tailbox__thread *t = tailbox__thread_get();
	char *at;

	MUST(t);
	at = tailbox__reserve(t, TAILBOX__BLOCK_SAMPLES, 64 * (1 + more));
	MUST(at);
	head.hold = head.tick - 1;
	head.route = tailbox__name_cstr("/route1");
	tailbox__store(at, &head, sizeof(head));
	for (unsigned i = 0; i < more; i++) {
		struct tailbox__rec_frames f = {
			.type = TAILBOX__REC_FRAMES,
			.count = TAILBOX__FRAMES_PER_RECORD
		};
		for (unsigned k = 0; k < TAILBOX__FRAMES_PER_RECORD; k++)
			f.frame[k] = TAILBOX__FRAME(
			        tailbox__name_cstr("/usr/bin/fuzz"),
			        tailbox__name_cstr("93ac61ec5a8eb139"), k);
		tailbox__store(at + 64 * (1 + i), &f, sizeof(f));
	}
	tailbox__publish(t, TAILBOX__BLOCK_SAMPLES, 64 * (1 + more));
}

/* As the follower keeps one whose own records are gone. */
static void keep_one(int i)
{
	const uint64_t line = tailbox__now();
	const struct tailbox__rec_request q = {
		.type = TAILBOX__REC_REQUEST,
		.more = (uint8_t)(i % 2),
		.number = ((uint64_t)7 << 40) + (uint64_t)i,
		.line = line,
		.total = 1000,
		.route = tailbox__name_cstr("/route1"),
		.status = 503,
	};
	const struct tailbox__rec_id id = { .type = TAILBOX__REC_ID, .len = 4,
		                            .text = "kept" };
	struct tailbox__rec_span spans[TAILBOX__KEPT_SPANS_MAX];
	struct tailbox__kept_request k = { .why = TAILBOX__RARE_FAILED,
		                           .cut_spans = (uint32_t)i,
		                           .spans = spans };
	char records[128];

	memcpy(records, &q, 64);
	memcpy(records + 64, &id, 64);
	k.records = records;
	k.record_bytes = i % 2 ? 128 : 64;
	k.span_count = (size_t)i % 7;
	for (size_t n = 0; n < k.span_count; n++)
		spans[n] = (struct tailbox__rec_span){
			.type = n % 2 ? TAILBOX__SPAN_WAIT
			              : TAILBOX__SPAN_STAGE,
			.name = tailbox__name_cstr("work"),
			.dur = 10,
			.number = q.number,
			.start = line + n,
			.depth = UINT32_MAX,
		};
	tailbox__kept_put(&tailbox__recorder.tape, &k);
}

static void make_tape(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/tailbox-fuzz-XXXXXX");
	MUST(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dirfd >= 0);
	snprintf(path, sizeof(path), "%s/fuzz.1.tape", dir);
	MUST(tailbox__recorder_open(dirfd, dir, "fuzz", "1.0", TAPE_BYTES,
	                            &err) == 0);
	for (int i = 0; i < 600; i++)
		one_request(i);
	for (unsigned i = 0; i < 64; i++)
		one_stack(i % (TAILBOX__STACK_DEPTH + 1));
	for (int i = 0; i < 40; i++)
		keep_one(i);
	sound = malloc(TAPE_BYTES);
	MUST(sound && pread(tailbox__recorder.tape.fd, sound, TAPE_BYTES, 0) ==
	                      TAPE_BYTES);
	tailbox__recorder_close(false);
	memcpy(&header, sound, sizeof(header));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, sound, TAPE_BYTES) == TAPE_BYTES);
	close(fd);
}

/* --- mutations ------------------------------------------------------------ */

static unsigned state;

static uint32_t chance(uint32_t below)
{
	return ((uint32_t)rand_r(&state) << 15 ^ (uint32_t)rand_r(&state)) %
	       below;
}

/* Somewhere where something is: the header, names, threads, slots, and the
 * first blocks. */
static size_t somewhere(void)
{
	const struct tailbox__tape_header *h = &header;
	const uint64_t used = TAILBOX__GET(h->next_ticket) + 1;

	switch (chance(10)) {
	case 0:
	case 1:
		return chance(sizeof(*h));
	case 8:
		return h->rare_off + chance(sizeof(struct tailbox__rare));
	case 9:
		return h->rare_off + chance(8192);
	case 2:
		return h->names_off + chance(24 * h->name_bytes);
	case 3:
		return h->threads_off + chance(2 * h->thread_bytes);
	case 4:
		return h->slots_off + chance(20 * h->slot_bytes);
	case 5: /* heads of blocks */
		return h->blocks_off +
		       (size_t)chance((uint32_t)used) * h->block_bytes +
		       chance(24);
	default:
		return h->blocks_off +
		       chance((uint32_t)(used * h->block_bytes));
	}
}

static uint64_t odd_number(void)
{
	switch (chance(8)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return UINT64_MAX / 2;
	case 3:
		return chance(64);
	case 4:
		return TAPE_BYTES - chance(16);
	case 5:
		return header.slots_off + chance(256) * 8;
	case 6:
		return (uint64_t)1 << chance(64);
	default:
		return (uint64_t)chance(UINT32_MAX) << 32 | chance(UINT32_MAX);
	}
}

static void put(char *tape, size_t at, const void *from, size_t n)
{
	if (at > TAPE_BYTES - n)
		at = TAPE_BYTES - n;
	memcpy(tape + at, from, n);
}

static void flip_bits(char *tape)
{
	for (uint32_t n = 1 + chance(16); n > 0; n--)
		tape[somewhere() % TAPE_BYTES] ^= (char)(1u << chance(8));
}

static void odd_words(char *tape)
{
	for (uint32_t n = 1 + chance(6); n > 0; n--) {
		const uint64_t v = odd_number();
		put(tape, somewhere() & ~(size_t)7, &v, chance(2) ? 8 : 4);
	}
}

static void foreign_header(char *tape)
{
	static const size_t words[] = {
		offsetof(struct tailbox__tape_header, file_bytes),
		offsetof(struct tailbox__tape_header, names_off),
		offsetof(struct tailbox__tape_header, threads_off),
		offsetof(struct tailbox__tape_header, slots_off),
		offsetof(struct tailbox__tape_header, blocks_off),
		offsetof(struct tailbox__tape_header, rare_off),
		offsetof(struct tailbox__tape_header, rare_bytes),
		offsetof(struct tailbox__tape_header, clock_hz),
		offsetof(struct tailbox__tape_header, anchor_tick),
		offsetof(struct tailbox__tape_header, anchor_mono_ns),
		offsetof(struct tailbox__tape_header, anchor_wall_ns),
		offsetof(struct tailbox__tape_header, now_seq),
		offsetof(struct tailbox__tape_header, now_tick),
		offsetof(struct tailbox__tape_header, now_mono_ns),
		offsetof(struct tailbox__tape_header, end_state),
		offsetof(struct tailbox__tape_header, next_ticket),
		offsetof(struct tailbox__tape_header, threads_used),
		offsetof(struct tailbox__tape_header, slots_used),
	};
	static const size_t halves[] = {
		offsetof(struct tailbox__tape_header, names_max),
		offsetof(struct tailbox__tape_header, threads_max),
		offsetof(struct tailbox__tape_header, slots_max),
		offsetof(struct tailbox__tape_header, blocks_max),
		offsetof(struct tailbox__tape_header, block_bytes),
		offsetof(struct tailbox__tape_header, clock_kind),
	};
	const uint64_t v = odd_number();

	if (chance(3))
		put(tape, words[chance(sizeof(words) / sizeof(words[0]))], &v,
		    8);
	else
		put(tape, halves[chance(sizeof(halves) / sizeof(halves[0]))],
		    &v, 4);
}

static void move_piece(char *tape)
{
	const size_t n = 1 + chance(PAGE);
	const size_t from = somewhere() % (TAPE_BYTES - PAGE);
	const size_t to = somewhere() % (TAPE_BYTES - PAGE);

	memmove(tape + to, tape + from, n);
}

static void fill_piece(char *tape)
{
	const size_t at = somewhere() % (TAPE_BYTES - PAGE);
	const size_t n = 1 + chance(PAGE);

	for (size_t i = 0; i < n; i++)
		tape[at + i] = chance(2) ? (char)chance(256) : 0;
}

/* Gives the bytes of the file. */
static size_t mutate(char *tape)
{
	static void (*const ways[])(char *) = {
		flip_bits, flip_bits, odd_words, foreign_header, move_piece,
		fill_piece
	};

	if (chance(12) == 0)
		return chance(2) ? chance(TAPE_BYTES) : somewhere();
	ways[chance(sizeof(ways) / sizeof(ways[0]))](tape);
	return TAPE_BYTES;
}

/* --- readers -------------------------------------------------------------- */

static size_t kept_of(const struct tailbox__run *run)
{
	return run->kept ? run->kept->requests.count : 0;
}

/* What they made of it: gives false where it is an error. */
static bool make_sure(struct tailbox__run *run)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *again;

	MUST(fd >= 0);
	for (int is_json = 0; is_json < 2; is_json++) {
		MUST(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
		MUST((is_json ? tailbox__run_json_write(run, fd)
		              : tailbox__artifact_write(run, fd)) == 0);
		MUST(lseek(fd, 0, SEEK_SET) == 0);
		if (tailbox__load_fd(fd, &again, &err) != 0) {
			fprintf(report, "%s\n", err.text);
			MUST(!"it loads again");
		}
		MUST(again->requests.count == run->requests.count &&
		     again->open.count == run->open.count &&
		     kept_of(again) == kept_of(run));
		tailbox__run_destroy(again);
	}
	close(fd);
	return true;
}

static bool read_recover(void)
{
	const struct tailbox__tape_run_options o = { .is_crash = true };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__tape_damage damage;
	struct tailbox__left_tape t;
	struct tailbox__run *run;

	if (tailbox__left_tape_take(dirfd, "fuzz.1.tape", &t, &err) != 0) {
		MUST(err.text[0] != '\0');
		dprintf(said, "%s: %s\n", path, err.text);
		return false;
	}
	const int rc = tailbox__tape_run(t.reader, &o, &run, &damage, &err);
	if (rc == 0) {
		const struct tailbox__run_pair *told =
		        tailbox__run_extra(run, "damaged");
		MUST(told && told->number == tailbox__tape_damaged(&damage));
		MUST(told->number == 0 || run->meta.warnings.count > 0);
		make_sure(run);
		tailbox__run_destroy(run);
	} else {
		dprintf(said, "%s: %s\n", path, err.text);
	}
	tailbox__left_tape_release(&t);
	return rc == 0;
}

/* `tailbox export`, and what else takes a whole tape. */
static bool read_export(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *r;
	struct tailbox__run *run = NULL;
	int rc = tailbox__reader_open(path, &r, &err);

	if (rc == 0)
		rc = tailbox__tape_run(r, NULL, &run, NULL, &err);
	if (rc == 0)
		make_sure(run);
	else
		dprintf(said, "%s: %s\n", path, err.text);
	MUST((rc == 0) == (run != NULL) && (rc == 0 || err.text[0]));
	tailbox__run_destroy(run);
	tailbox__reader_close(r);
	return rc == 0;
}

/* `tailbox snapshot`, `tailbox why`. */
static bool read_snapshot(void)
{
	const struct tailbox__cut cut = {
		.limits = tailbox__limits_of(TAILBOX__MODE_INVESTIGATION)
	};
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *r;
	struct tailbox__run *run = NULL;
	int rc = tailbox__reader_open(path, &r, &err);

	if (rc == 0)
		rc = tailbox__cut(r, &cut, &run, &err);
	if (rc == 0)
		make_sure(run);
	else
		dprintf(said, "%s: %s\n", path, err.text);
	MUST((rc == 0) == (run != NULL) && (rc == 0 || err.text[0]));
	tailbox__run_destroy(run);
	tailbox__reader_close(r);
	return rc == 0;
}

static int count_line(void *cls, const struct tailbox__line *line)
{
	char text[TAILBOX__LINE_MAX];
	size_t *count = cls;

	MUST(tailbox__line_logfmt(line, text, sizeof(text)) > 0);
	return ++*count > TAPE_BYTES / 128; /* that many cannot be */
}

/* `tailbox tail --kept`. */
static bool read_kept(void)
{
	static const struct cli__tail_filter all = { .slow_ns = 0 };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *r;
	size_t count = 0;

	int rc = tailbox__reader_open(path, &r, &err);
	if (rc == 0)
		rc = cli__tail_kept(r, &all, 0, count_line, &count);
	MUST(rc <= 0);
	if (rc < 0)
		dprintf(said, "%s: %s\n", path, tailbox_strerror(rc));
	tailbox__reader_close(r);
	return rc == 0;
}

static bool read_status(void)
{
	const bool ok = cli__tape_status(path, false) == CLI__DONE;

	MUST(ok == (cli__tape_status(path, true) == CLI__DONE));
	return ok;
}

static bool read_ls(void)
{
	struct cli__service s;

	return cli__service_of_tape(path, &s, true);
}

/* --- top and tail --------------------------------------------------------- */

static bool tells_damage(const struct cli__top *t)
{
	for (size_t i = 0; i < t->loss_count; i++)
		if (strcmp(t->losses[i].key, "damaged") == 0)
			return t->losses[i].count > 0;
	return false;
}

static void render(const struct cli__top *t)
{
	const struct cli__top_view v = { .columns = 100, .filter = "" };
	struct cli__top_text text = { .len = 0 };
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	cli__top_json(t, &j);
	MUST(tailbox__json_ok(&j));
	tailbox__tree *tree = tailbox__tree_parse(j.buf, j.len);
	MUST(tree);
	tailbox__tree *lost = tailbox__tree_member(tree, "lost");
	MUST(tells_damage(t) == (tailbox__tree_number(lost, "damaged", 0) > 0));
	tailbox__tree_free(tree);
	tailbox__json_fini(&j);
	cli__top_render(t, &v, &text);
	MUST(!text.has_failed && memchr(text.text, '\0', text.len) == NULL);
	for (size_t i = 0; i < t->worker_count; i++)
		cli__top_render_worker(t, &t->workers[i], 60, &text);
	for (size_t i = 0; i < t->request_count; i++)
		cli__top_render_request(t, &t->requests[i], 60, &text);
	MUST(!text.has_failed);
	cli__top_text_fini(&text);
}

static bool with_reader(bool (*look)(struct tailbox__reader *r, bool *is),
                        bool *is)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *r;

	if (tailbox__reader_open(path, &r, &err) != 0) {
		MUST(err.text[0]);
		dprintf(said, "%s: %s\n", path, err.text);
		return false;
	}
	const bool ok = look(r, is);
	tailbox__reader_close(r);
	return ok;
}

static int pass_over(void *cls, unsigned kind, uint32_t thread,
                     const char *records, size_t bytes)
{
	(void)cls, (void)kind, (void)thread, (void)records, (void)bytes;
	return 0;
}

/* Whether blocks are damaged, as a reader finds it that does nothing else. */
static bool look_for_damage(struct tailbox__reader *r, bool *is_damaged)
{
	const bool ok = tailbox__reader_poll(r, pass_over, NULL) == 0;

	*is_damaged = tailbox__reader_damaged_blocks(r) > 0;
	return ok;
}

/* `tailbox top`: two frames, the second after what the first has gathered. */
static bool read_top(void)
{
	struct cli__top_source *s = cli__top_open(path);
	const struct cli__top *t = NULL;
	bool is_damaged;
	const char *why;

	if (!s)
		return false; /* it has said why */
	for (int i = 0; i < 2; i++) {
		t = cli__top_frame(s, &why);
		MUST(t || why[0]);
		if (!t)
			break;
		render(t);
	}
	if (t)
		MUST(with_reader(look_for_damage, &is_damaged) &&
		     (!is_damaged || tells_damage(t)));
	else
		dprintf(said, "%s: %s\n", path, why);
	cli__top_close(s);
	return t != NULL;
}

static int take_line(void *cls, const struct tailbox__line *line)
{
	char text[TAILBOX__LINE_MAX];
	const size_t n = tailbox__line_logfmt(line, text, sizeof(text));
	struct tailbox__json j;

	MUST(n > 0 && n < sizeof(text) && !memchr(text, '\n', n));
	tailbox__json_init(&j, false);
	tailbox__line_json(line, &j);
	MUST(tailbox__json_ok(&j));
	tailbox__json_fini(&j);
	(void)cls;
	return 0;
}

static bool follow(struct tailbox__reader *r, bool *tells)
{
	const struct cli__tail_filter all = { .slow_ns = 0 };
	struct cli__tail *t = cli__tail_create(r, &all, 0);
	int rc = 0;

	MUST(t);
	for (int i = 0; i < 3 && rc == 0; i++)
		rc = cli__tail_poll(t, take_line, NULL);
	MUST(rc <= 0);
	*tells = cli__tail_damaged(t) > 0;
	if (rc < 0)
		dprintf(said, "%s: %s\n", path, tailbox_strerror(rc));
	cli__tail_destroy(t);
	return rc == 0;
}

/* `tailbox tail --last`: all that is there. */
static bool read_tail(void)
{
	bool tells = false, is_damaged;

	if (!with_reader(follow, &tells))
		return false;
	MUST(with_reader(look_for_damage, &is_damaged) &&
	     (!is_damaged || tells));
	return true;
}

static const struct {
	const char *name;
	bool (*read)(void);
	unsigned failed;
} *reader, readers[] = {
	{ "recover", read_recover, 0 },
	{ "export", read_export, 0 },
	{ "snapshot", read_snapshot, 0 },
	{ "kept", read_kept, 0 },
	{ "status", read_status, 0 },
	{ "ls", read_ls, 0 },
	{ "top", read_top, 0 },
	{ "tail", read_tail, 0 },
};

/* --- rounds --------------------------------------------------------------- */

static void too_long(int sig)
{
	(void)sig;
	dprintf(fileno(report), "%s hangs, seed %u\n", reader->name, seed);
	abort();
}

/* An error names the file. */
static void check_said(void)
{
	char text[4096];
	const ssize_t n = pread(said, text, sizeof(text) - 1, 0);

	MUST(n > 0);
	text[n] = '\0';
	MUST(strstr(text, path) != NULL);
}

static void run_readers(unsigned failed[])
{
	static long live;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		reader = &readers[i];
		MUST(ftruncate(said, 0) == 0 && lseek(said, 0, SEEK_SET) == 0);
		alarm(SECONDS_MAX);
		const bool ok = reader->read();
		alarm(0);
		fflush(stderr);
		if (!ok) {
			failed[i]++;
			check_said();
		}
		if (live == 0) /* the recorder's tables and cli__out() */
			live = tailbox__alloc_live() + 4;
		MUST(tailbox__alloc_live() <= live);
	}
}

/* All of them are found in the sound one. */
static void check_kept(void)
{
	struct tailbox__reader *r;
	struct tailbox__run *run;

	MUST(tailbox__reader_open(path, &r, NULL) == 0);
	MUST(tailbox__tape_run(r, NULL, &run, NULL, NULL) == 0);
	MUST(kept_of(run) == 40 && run->kept->stages.count > 0);
	tailbox__run_destroy(run);
	tailbox__reader_close(r);
}

static void one_round(char *tape, unsigned failed[])
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t bytes;

	state = seed;
	memcpy(tape, sound, TAPE_BYTES);
	bytes = mutate(tape);
	MUST(fd >= 0 && pwrite(fd, tape, TAPE_BYTES, 0) == TAPE_BYTES &&
	     ftruncate(fd, (off_t)bytes) == 0);
	close(fd);
	run_readers(failed);
	MUST(cli__put_now() == 0);
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10)
	                            : 300;
	const unsigned first = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10)
	                                : 1;
	unsigned failed[sizeof(readers) / sizeof(readers[0])] = { 0 };
	char *tape = malloc(TAPE_BYTES);

	report = fdopen(dup(STDERR_FILENO), "w");
	said = memfd_create("said", MFD_CLOEXEC);
	MUST(report && said >= 0 && tape);
	signal(SIGALRM, too_long);
	make_tape();
	MUST(dup2(said, STDERR_FILENO) >= 0 &&
	     freopen("/dev/null", "w", stdout) != NULL);
	/* As it is, each reader gives a whole result. */
	run_readers(failed);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		MUST(failed[i] == 0);
	check_kept();
	for (unsigned i = 0; i < n; i++) {
		seed = first + i;
		one_round(tape, failed);
	}
	fprintf(report, "%u mutated tapes:", n);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		fprintf(report, " %s %u errors,", readers[i].name, failed[i]);
	fputs(" the rest a result; no crash, no hang\n", report);
	unlink(path);
	rmdir(dir);
	free(tape);
	free(sound);
	return EXIT_SUCCESS;
}
