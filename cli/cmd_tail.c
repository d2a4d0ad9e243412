/* cli/cmd_tail.c - `tailbox tail`: a line for each request that has ended.
 *
 * SPDX-License-Identifier: MIT
 *
 * Ten looks a second at the tape; the process is asked for nothing. Lines are
 * written as they come, so what was printed stays printed when it fails later.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/output.h"
#include "cli/tail.h"
#include "cli/target.h"
#include "core/alloc.h"

enum { POLL_MS = 100, DAY_MS = 86400000 };

struct tail {
	struct cli__text text; /* of this look */
	bool is_json;
	bool is_kept; /* those that the tape kept, and no others */
	uint64_t left;  /* lines still to print */
	uint64_t lines; /* printed */
	uint64_t told;  /* skipped requests, as last told */
	uint64_t told_damaged;
	const char *name;
	uint32_t pid;
};

enum { STOP = 1 }; /* of the callback: --count is reached */

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
	(void)signal;
	is_interrupted = 1;
}

static void watch_signals(void)
{
	struct sigaction a = { .sa_handler = interrupt };

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	a.sa_handler = SIG_IGN; /* a reader that has gone is told by write() */
	sigaction(SIGPIPE, &a, NULL);
}

static int put_line(void *cls, const struct tailbox__line *line)
{
	struct tail *t = cls;
	char text[TAILBOX__LINE_MAX];
	bool ok;

	if (t->is_json) {
		struct tailbox__json j;
		tailbox__json_init(&j, false);
		tailbox__line_json(line, &j);
		ok = tailbox__json_ok(&j) &&
		     cli__text_add(&t->text, j.buf, j.len);
		tailbox__json_fini(&j);
	} else {
		const size_t n = tailbox__line_logfmt(line, text, sizeof(text));
		ok = cli__text_add(&t->text, text, n);
	}
	if (!ok || !cli__text_add(&t->text, "\n", 1))
		return -ENOMEM;
	t->lines++;
	return --t->left ? 0 : STOP;
}

static void tell_skipped(struct tail *t, const struct cli__tail *from)
{
	const uint64_t n = cli__tail_skipped(from);

	if (n <= t->told)
		return;
	cli__say("skipped %" PRIu64 " requests: overwritten before they were "
	         "read", n - t->told);
	t->told = n;
}

static void tell_damaged(struct tail *t, const struct cli__tail *from)
{
	const uint64_t n = cli__tail_damaged(from);

	if (n <= t->told_damaged)
		return;
	cli__say("the tape is damaged: %" PRIu64 " blocks and names are left "
	         "out", n - t->told_damaged);
	t->told_damaged = n;
}

/* One look. *rc: the exit code, when it gives false: that was the last. */
static bool step(struct tail *t, struct cli__tail *from, int *rc)
{
	const int ret = cli__tail_poll(from, put_line, t);

	*rc = CLI__DONE;
	if (ret < 0) {
		*rc = cli__fail("%s (pid %" PRIu32 "): %s", t->name, t->pid,
		                tailbox_strerror(ret));
		return false;
	}
	const int e = cli__write_all(STDOUT_FILENO, t->text.at, t->text.len);
	t->text.len = 0;
	if (e == -EPIPE)
		return false;
	if (e < 0) {
		*rc = cli__fail("cannot write to standard output: %s",
		                tailbox_strerror(e));
		return false;
	}
	tell_skipped(t, from);
	tell_damaged(t, from);
	return ret != STOP;
}

static void pause_ms(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static bool is_there(struct tailbox__reader *r)
{
	const enum tailbox__writer_state w = tailbox__reader_writer(r);

	return w == TAILBOX__WRITER_LIVE || w == TAILBOX__WRITER_STOPPED;
}

static int follow(struct tail *t, struct tailbox__reader *r,
                  struct cli__tail *from)
{
	bool is_alive = is_there(r), goes_on = true;
	int rc = CLI__DONE;

	for (unsigned last = 0; goes_on && !is_interrupted;) {
		/* Dead: everything is there, but is handed out by the look
		 * after the one that finds it. */
		if (!is_alive && last++ == 3) {
			cli__say("%s (pid %" PRIu32 ") has ended%s", t->name,
			         t->pid,
			         t->lines ? "" : "; --last 1h shows what its "
			                         "tape holds of an hour");
			break;
		}
		goes_on = step(t, from, &rc);
		if (goes_on && is_alive) {
			pause_ms(POLL_MS);
			is_alive = is_there(r);
		}
	}
	return rc;
}

/* The tick to begin with: `last_ms` ago, of a process that has ended before
 * its last sign of life. 0: with what comes. */
static uint64_t tick_before(const struct tailbox__reader *r, uint64_t now,
                            uint64_t last_ms)
{
	const uint64_t hz = tailbox__reader_header(r)->clock_hz;
	const uint64_t ticks =
	        (uint64_t)((unsigned __int128)hz * last_ms / 1000);

	return now > ticks ? now - ticks : 0;
}

/* What is not there is told: how much was kept before, and why some was not. */
static void tell_kept(const struct tail *t, struct tailbox__reader *r)
{
	struct tailbox__kept_status s;

	tailbox__kept_status(r, &s);
	if (!s.bytes)
		cli__say("%s (pid %" PRIu32 ") keeps none: its tape has no room "
		         "for them ([rare] size)", t->name, t->pid);
	if (s.overwritten)
		cli__say("%" PRIu64 " older ones were overwritten by those "
		         "kept later", s.overwritten);
	if (s.passed_over)
		cli__say("%" PRIu64 " were passed over: too many at once",
		         s.passed_over);
	if (tailbox__reader_damaged_kept(r))
		cli__say("some are damaged and left out");
}

static int kept(struct tail *t, struct tailbox__reader *r,
                const struct cli__tail_filter *filter, uint64_t since)
{
	const int ret = cli__tail_kept(r, filter, since, put_line, t);
	int rc = CLI__DONE;

	if (ret < 0)
		rc = cli__fail("%s (pid %" PRIu32 "): %s", t->name, t->pid,
		               tailbox_strerror(ret));
	else
		fwrite(t->text.at, 1, t->text.len, cli__out());
	if (rc == CLI__DONE)
		tell_kept(t, r);
	cli__text_fini(&t->text);
	return rc;
}

static int tail(struct tail *t, struct tailbox__reader *r,
                const struct cli__tail_filter *filter, uint64_t last_ms)
{
	const bool is_alive = is_there(r);
	uint64_t now = is_alive ? tailbox__reader_now(r) : 0;

	if (!now && is_alive) /* another boot's clock: it cannot live */
		return cli__fail("%s: its clock is not to be read from here",
		                 t->name);
	/* Of one that has ended: its follower's last second. */
	if (!now)
		now = TAILBOX__GET(tailbox__reader_header(r)->now_tick);
	if (t->is_kept)
		return kept(t, r, filter,
		            last_ms ? tick_before(r, now, last_ms) : 0);
	const uint64_t since = last_ms    ? tick_before(r, now, last_ms)
	                       : is_alive ? now
	                                  : UINT64_MAX;
	struct cli__tail *from = cli__tail_create(r, filter, since);
	if (!from)
		return cli__no_memory();
	watch_signals();
	const int rc = follow(t, r, from);
	cli__tail_destroy(from);
	cli__text_fini(&t->text);
	return rc;
}

int cli__tail_command(const struct cli__command *self, int argc, char **argv)
{
	uint64_t slow_ms = 0, last_ms = 0;
	const char *status = NULL;
	struct cli__tail_filter filter = { .slow_ns = 0 };
	struct tail t = { .left = UINT64_MAX };
	const struct cli__option options[] = {
		{ "slow", 's', CLI__DURATION, &slow_ms, 0, DAY_MS },
		{ "route", 'r', CLI__TEXT, &filter.route, 0, 1 },
		{ "status", 0, CLI__TEXT, &status, 0, 1 },
		{ "last", 'l', CLI__DURATION, &last_ms, 1, 1000ull * DAY_MS },
		{ "count", 'c', CLI__COUNT, &t.left, 1, UINT64_MAX },
		{ "kept", 'k', CLI__FLAG, &t.is_kept, 0, 0 },
		{ "json", 0, CLI__FLAG, &t.is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *r;
	struct cli__target target;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc))
		return rc;
	if (status && !cli__tail_status(status, &filter))
		return cli__usage(self, "--status: \"%s\" is neither like 5xx "
		                        "nor like 503", status);
	if (!cli__target_service(self, first < argc ? argv[first] : NULL,
	                         &target, &rc))
		return rc;
	if (target.service.url[0])
		return cli__fail("%s: a tape is read on its own machine, not "
		                 "over a URL", target.service.url);
	if (!target.service.tape[0])
		return cli__fail("%s (pid %u) has no tape", target.service.name,
		                 (unsigned)target.service.pid);
	filter.slow_ns = slow_ms * 1000000;
	t.name = target.service.name;
	t.pid = target.service.pid;
	if (tailbox__reader_open(target.service.tape, &r, &err) < 0)
		return cli__fail("%s: %s", cli__tape_place(&target.service),
		                 err.text);
	rc = tail(&t, r, &filter, last_ms);
	tailbox__reader_close(r);
	return rc;
}
