/* cli/cmd_capture.c - `tailbox capture 30s`: arm, wait, fetch, show.
 *
 * SPDX-License-Identifier: MIT
 *
 * The window is a lease: the service closes it by itself, whatever becomes of
 * us. Ctrl-C closes it early; what was captured is fetched all the same. A
 * second Ctrl-C ends the command.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/json_tree.h"
#include "cli/load.h"
#include "cli/outfile.h"
#include "cli/report_view.h"
#include "cli/window.h"

enum {
	STEP_MS = 100,
	POLL_MS = 200,
	GRACE_MS = 15000,    /* then we say that we still wait */
	PATIENCE_MS = 660000 /* longest drain timeout, and a minute */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* The second one has its usual effect. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal,
		                .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void pause_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL); /* a signal ends it early: wanted */
}

/* --- progress ------------------------------------------------------------- */

struct progress {
	bool is_shown;
	struct tailbox__reader *tape; /* NULL = no counter to show */
	uint64_t begun;               /* when it began */
};

static uint64_t begun(struct tailbox__reader *r)
{
	return tailbox__reader_sum(r,
	                           offsetof(struct tailbox__thread_entry,
	                                    begun));
}

static void progress_open(struct progress *p, const struct cli__target *t)
{
	memset(p, 0, sizeof(*p));
	p->is_shown = isatty(STDERR_FILENO);
	if (p->is_shown && t->service.tape[0] &&
	    tailbox__reader_open(t->service.tape, &p->tape, NULL) == 0)
		p->begun = begun(p->tape);
}

static void progress_show(struct progress *p, uint64_t at, uint64_t total)
{
	if (!p->is_shown)
		return;
	fprintf(stderr, "\r%" PRIu64 ".%" PRIu64 " of %" PRIu64 ".%" PRIu64
	                " s",
	        at / 1000, at / 100 % 10, total / 1000, total / 100 % 10);
	if (p->tape)
		fprintf(stderr, "  %" PRIu64 " requests  ",
		        begun(p->tape) - p->begun);
	fflush(stderr);
}

static void progress_close(struct progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	tailbox__reader_close(p->tape);
	p->tape = NULL;
}

/* --- the window ----------------------------------------------------------- */

static void wait_window(const struct cli__target *t, uint64_t duration_ms)
{
	struct progress p;
	uint64_t start = now_ms(), at = 0;

	progress_open(&p, t);
	while (!interrupted && (at = now_ms() - start) < duration_ms) {
		uint64_t left = duration_ms - at;
		progress_show(&p, at, duration_ms);
		pause_ms(left < STEP_MS ? (unsigned)left : STEP_MS);
	}
	progress_close(&p);
}

static bool disarm_early(const struct cli__target *t)
{
	struct cli__http h = { .to_fd = -1 };

	cli__say("interrupted: closing the window");
	bool ok = cli__window_disarm(t, &h);
	cli__http_fini(&h);
	return ok;
}

/* Why there will be no artifact of window `id`: told. */
static bool has_failed(const struct cli__target *t, uint64_t id)
{
	struct cli__http h = { .path = "/status", .total_ms = 2000,
		               .to_fd = -1 };
	bool failed = false;

	cli__http_to(t, &h);
	if (cli__http(&h) == 0 && h.status == 200) {
		tailbox__tree *j = tailbox__tree_parse(h.body.at, h.body.len);
		tailbox__tree *w = tailbox__tree_member(j, "window");
		const char *state = tailbox__tree_text(w, "state");
		const char *why = tailbox__tree_text(w, "last_error");
		failed = state && !strcmp(state, "failed") &&
		         tailbox__tree_number(w, "id", id) == id;
		if (failed)
			cli__say("%s: window %" PRIu64 " failed: %s",
			         cli__target_name(t), id, why ? why : "no reason");
		tailbox__tree_free(j);
	}
	cli__http_fini(&h);
	return failed;
}

/* Until the artifact is there. False: told. */
static bool wait_artifact(const struct cli__target *t, uint64_t id,
                          struct cli__artifact *out)
{
	uint64_t start = now_ms(), at = 0;
	bool has_told = false;
	char word[24];

	snprintf(word, sizeof(word), "%" PRIu64, id);
	for (; at < PATIENCE_MS; at = now_ms() - start) {
		struct cli__http h = { .path = "/artifacts", .total_ms = 5000,
			               .to_fd = -1 };
		bool ok = cli__ask(t, &h);
		bool is_there = ok && cli__artifact_pick(h.body.at, h.body.len,
		                                         word, out) == 0;
		cli__http_fini(&h);
		if (is_there)
			return true;
		if (!ok || has_failed(t, id))
			return false;
		if (at >= GRACE_MS && !has_told) {
			cli__say("waiting for requests in flight to end");
			has_told = true;
		}
		pause_ms(POLL_MS);
	}
	cli__say("window %" PRIu64 " has left no artifact; tailbox status "
	         "tells more", id);
	return false;
}

/* --- the result ----------------------------------------------------------- */

static bool save(const struct cli__target *t, const struct cli__artifact *a,
                 const char *path, struct cli__outfile *f)
{
	char name[300];

	snprintf(name, sizeof(name), "%s.tailbox", a->name);
	if (!cli__outfile_open(f, path ? path : name))
		return false;
	if (!cli__artifact_get(t, a, false, f->fd)) {
		cli__outfile_abort(f);
		return false;
	}
	return cli__outfile_commit(f, path != NULL);
}

static int show(const struct cli__outfile *f, const struct cli__target *t)
{
	struct cli__view_names names;
	struct tailbox__run *run;

	fprintf(cli__out(), "saved %s\n", f->path);
	if (f->is_direct)
		return CLI__DONE;
	run = cli__load_file(f->path);
	if (!run)
		return CLI__NO;
	fputc('\n', cli__out());
	cli__view_names(t, f->path, &names);
	int rc = cli__put_first_screen(run, &names);
	tailbox__run_destroy(run);
	return rc;
}

int cli__capture(const struct cli__command *self, int argc, char **argv)
{
	struct cli__window w = { .max_requests = UINT64_MAX };
	const char *path = NULL;
	const struct cli__option options[] = {
		{ "output", 'o', CLI__TEXT, &path, 0, 0 },
		{ "lookback", 0, CLI__DURATION, &w.lookback_ms, 1, 86400000 },
		{ "mode", 'm', CLI__TEXT, &w.mode, 0, 0 },
		{ "note", 'n', CLI__TEXT, &w.note, 0, 0 },
		{ "max-requests", 0, CLI__COUNT, &w.max_requests, 0,
		  UINT32_MAX },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__http h = { .to_fd = -1 };
	struct cli__artifact a;
	struct cli__outfile f;
	struct cli__target t;
	uint64_t id;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 1, 2, &first, &rc) ||
	    !cli__window_check(self, &w, &rc))
		return rc;
	if (!cli__duration(argv[first], &w.duration_ms) || !w.duration_ms ||
	    w.duration_ms > 86400000)
		return cli__usage(self, "\"%s\" is no time from 1ms to 24h; "
		                        "write 30s, 500ms, 2m",
		                  argv[first]);
	if (path && !strcmp(path, "-"))
		return cli__usage(self, "-o -: an artifact and its first screen do "
		                        "not both fit on standard output");
	const char *target = first + 1 < argc ? argv[first + 1] : NULL;
	if (!cli__target_service(self, target, &t, &rc))
		return rc;
	w.has_max_requests = w.max_requests != UINT64_MAX;
	catch_signals();
	bool ok = cli__window_arm(&t, &w, &h, &id);
	cli__http_fini(&h);
	if (!ok)
		return CLI__NO;
	wait_window(&t, w.duration_ms);
	if (interrupted && !disarm_early(&t))
		return CLI__NO;
	if (!wait_artifact(&t, id, &a) || !save(&t, &a, path, &f))
		return CLI__NO;
	return show(&f, &t);
}
