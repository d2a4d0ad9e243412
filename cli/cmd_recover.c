/* cli/cmd_recover.c - `tailbox recover`: of a crash, what the tape still has.
 *
 * SPDX-License-Identifier: MIT
 *
 * A tape that is open and without its writer's lock is what a killed process
 * leaves. It becomes an artifact, and is removed when that is on disk. In the
 * same way a service takes the tapes of its predecessors at its start
 * (controller/crashes.c): whoever takes a tape first has it.
 */
#include <inttypes.h>
#include <string.h>

#include <tailbox.h>

#include "analyzer/timeline_text.h"
#include "cli/output.h"
#include "cli/recover.h"
#include "cli/report_view.h"
#include "cli/target.h"
#include "core/json_put.h"

struct wish {
	struct cli__recover_wish recover;
	bool is_json;
	bool is_only; /* one tape: then the first screen, too */
	size_t made;  /* artifacts, so far */
};

/* --- what was made -------------------------------------------------------- */

static void put_json(struct tailbox__json *j, const struct cli__recovered *r)
{
	tailbox__json_begin_object(j);
	put_word(j, "service", tailbox__run_text(
	                          r->run, r->run->meta.service_name, NULL));
	put_num(j, "pid", r->run->meta.pid);
	put_word(j, "tape", r->tape);
	put_word(j, "artifact", r->artifact);
	put_num(j, "crashed_at_unix_ms", r->run->meta.finalized_ms);
	put_num(j, "finished_requests", r->run->requests.count);
	put_num(j, "open_requests", r->run->open.count);
	put_num(j, "damaged", tailbox__tape_damaged(&r->damage));
	tailbox__json_key(j, "is_tape_removed");
	tailbox__json_bool(j, r->is_removed);
	tailbox__json_end_object(j);
}

static void put_line(const struct cli__recovered *r)
{
	const size_t finished = r->run->requests.count;

	fprintf(cli__out(),
	        "saved %s: %zu finished request%s, %zu in flight; the tape is "
	        "%s\n", r->artifact, finished, finished == 1 ? "" : "s",
	        r->run->open.count, r->is_removed ? "removed" : "kept");
}

/* --- what was in flight --------------------------------------------------- */

enum { IN_FLIGHT_SHOWN = 10 };

static void put_text(const struct tailbox__run *run, tailbox__str s,
                     size_t most)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	tailbox__show_text(cli__out(), text, len, most);
}

static void put_since(uint64_t end_us, uint64_t since_us)
{
	char text[TAILBOX__SHOW_ROOM];

	if (since_us != TAILBOX__NONE && since_us <= end_us)
		fprintf(cli__out(), " for %s",
		        tailbox__show_us(text, end_us - since_us));
}

static void put_open(const struct tailbox__run *run,
                     const struct tailbox__run_open *o, uint64_t end_us)
{
	char text[TAILBOX__SHOW_ROOM];
	FILE *out = cli__out();

	fprintf(out, "%9s  ",
	        o->start_us == TAILBOX__NONE || o->start_us > end_us
	                ? "?"
	                : tailbox__show_us(text, end_us - o->start_us));
	put_text(run, o->route, 30);
	fputs("  ", out);
	put_text(run, o->id, 36);
	fputs("\n           ", out);
	if (o->where) {
		if (o->where_kind != TAILBOX__OPEN_IN_UNKNOWN)
			fprintf(out, "%s ",
			        tailbox__open_in_names[o->where_kind]);
		put_text(run, o->where, 24);
	} else {
		fputs(o->phase < TAILBOX__PHASE_COUNT
		              ? tailbox__phase_names[o->phase]
		              : "?", out);
	}
	put_since(end_us, o->since_us);
	if (o->worker != UINT32_MAX)
		fprintf(out, ", %sworker %" PRIu32,
		        o->flags & TAILBOX__OPEN_HOLDS_WORKER ? "holding "
		                                              : "",
		        o->worker);
	if (o->site) {
		fputs("\n           at ", out);
		put_text(run, o->site, 66);
	}
	fputc('\n', out);
}

/* Those that were in flight, as the run has them: oldest first. */
static void put_in_flight(const struct tailbox__run *run)
{
	const size_t n = run->open.count;
	uint64_t end_us = 0;

	if (n == 0)
		return;
	if (run->meta.finalized_ms != TAILBOX__NONE)
		end_us = (run->meta.finalized_ms - run->meta.started_ms) *
		         1000;
	/* Milliseconds are rounded down: nothing began after the end. */
	for (size_t i = 0; i < n; i++)
		if (run->open.items[i].since_us != TAILBOX__NONE &&
		    run->open.items[i].since_us > end_us)
			end_us = run->open.items[i].since_us;
	fprintf(cli__out(), "\nin flight when it died (%zu)\n", n);
	for (size_t i = 0; i < n && i < IN_FLIGHT_SHOWN; i++)
		put_open(run, &run->open.items[i], end_us);
	if (n > IN_FLIGHT_SHOWN)
		fprintf(cli__out(), "... and %zu more: tailbox timeline\n",
		        n - IN_FLIGHT_SHOWN);
}

/* A run without a finished request has nothing to analyse. */
int cli__recovered_screen(const struct cli__recovered *r)
{
	struct cli__view_names names = { .service = "" };
	int rc = CLI__DONE;

	put_in_flight(r->run);
	if (r->run->requests.count == 0)
		return rc;
	fputc('\n', cli__out());
	snprintf(names.artifact, sizeof(names.artifact), "%s", r->artifact);
	rc = cli__put_first_screen(r->run, &names);
	return rc;
}

/* --- which tapes ---------------------------------------------------------- */

static bool is_left(const struct cli__service *s, const char *word)
{
	uint64_t pid;

	return s->tape[0] && s->writer == TAILBOX__WRITER_DEAD &&
	       (!word || !strcmp(s->name, word) ||
	        (cli__count(word, &pid) && s->pid == pid));
}

/* Those left behind by the services that a word means, to the front. Gives
 * how many. */
static size_t pick(struct cli__services *all, const char *word)
{
	size_t n = 0;

	for (size_t i = 0; i < all->count; i++) {
		if (!is_left(&all->items[i], word))
			continue;
		struct cli__service swap = all->items[n];
		all->items[n++] = all->items[i];
		all->items[i] = swap;
	}
	return n;
}

static int one(const char *tape, struct wish *w, struct tailbox__json *j)
{
	struct cli__recovered r;
	int rc = cli__recover_tape(tape, &w->recover, &r);

	if (rc != CLI__DONE)
		return rc;
	w->made++;
	if (w->is_json)
		put_json(j, &r);
	else
		put_line(&r);
	if (w->is_only && !w->is_json)
		rc = cli__recovered_screen(&r);
	cli__recovered_fini(&r);
	return rc;
}

static int some(const struct cli__services *all, size_t n, struct wish *w,
                struct tailbox__json *j)
{
	int rc = CLI__DONE;

	w->is_only = n == 1;
	for (size_t i = 0; i < n; i++) {
		int one_rc = one(all->items[i].tape, w, j);
		if (one_rc != CLI__DONE)
			rc = one_rc;
	}
	return rc;
}

/* A tape by its path, or a service that is not dead: told as that. */
static int by_target(const struct cli__command *self, const char *arg,
                     struct wish *w, struct tailbox__json *j)
{
	struct cli__target t;
	int rc;

	if (!cli__target_service(self, arg, &t, &rc))
		return rc;
	if (!t.service.tape[0])
		return cli__fail("%s: there is no tape of it",
		                 cli__target_name(&t));
	w->is_only = true;
	return one(t.service.tape, w, j);
}

static int all_of(const struct cli__command *self, const char *arg,
                  struct wish *w, struct tailbox__json *j)
{
	struct cli__services all = { 0 };
	size_t n = 0;
	int rc = CLI__DONE;

	if (!arg || !strchr(arg, '/')) {
		rc = cli__services(&all, !arg);
		if (rc != CLI__DONE)
			return rc;
		n = pick(&all, arg);
	}
	if (n > 1 && w->recover.path)
		rc = cli__usage(self, "-o takes one artifact, %zu tapes were "
		                      "left behind; give one as TARGET (tailbox "
		                      "ls)", n);
	else if (n > 0)
		rc = some(&all, n, w, j);
	else if (arg)
		rc = by_target(self, arg, w, j);
	else
		cli__say("no tape was left behind");
	cli__services_fini(&all);
	return rc;
}

int cli__recover(const struct cli__command *self, int argc, char **argv)
{
	struct wish w = { .recover.replace = true };
	const struct cli__option options[] = {
		{ "output", 'o', CLI__TEXT, &w.recover.path, 0, 0 },
		{ "keep", 'k', CLI__FLAG, &w.recover.keep, 0, 0 },
		{ "json", 0, CLI__FLAG, &w.is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct tailbox__json j;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc))
		return rc;
	if (w.recover.path && !strcmp(w.recover.path, "-"))
		return cli__usage(self, "-o -: an artifact and what is said of "
		                        "it do not both fit on standard output");
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "recovered");
	tailbox__json_begin_array(&j);
	rc = all_of(self, first < argc ? argv[first] : NULL, &w, &j);
	tailbox__json_end_array(&j);
	tailbox__json_end_object(&j);
	/* Of several the one that failed does not hide what became of the
	 * others: their tapes are gone. */
	if (w.is_json && (rc == CLI__DONE || w.made > 0)) {
		int put = cli__put_json(&j);
		rc = rc == CLI__DONE ? put : rc;
	} else {
		tailbox__json_fini(&j);
	}
	if (rc != CLI__DONE && w.made > 0)
		(void)cli__put_now();
	return rc;
}
