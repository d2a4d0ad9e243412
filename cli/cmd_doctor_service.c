/* cli/cmd_doctor_service.c - checks of one service, from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cmd_doctor.h"

#include <dirent.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/timeline_text.h"
#include "cli/from_tape.h"

#define ANCHOR_OLD_NS UINT64_C(10000000000)

/* --- process, recording ------------------------------------------- */

/* Who answers lives. Who does not is the admin server's line. */
static bool far_process(const struct cli__patient *p, struct cli__finding *f)
{
	const char *host = tailbox__tree_text(p->status, "host");
	uint64_t pid = tailbox__tree_number(p->status, "pid", 0);
	uint64_t at = tailbox__tree_number(p->status, "started_at_unix_ms", 0);
	char since[TAILBOX__SHOW_ROOM] = "?";

	if (!p->status)
		return false;
	if (at)
		tailbox__show_utc(since, at);
	return cli__found(f, CLI__HEALTHY,
	                  "lives, recorded since %s UTC, says the service: "
	                  "pid %" PRIu64 " on %.80s",
	                  since, pid, host ? host : "an unknown host");
}

bool cli__check_process(struct cli__patient *p, struct cli__finding *f)
{
	const struct cli__service *s = p->service;
	char since[TAILBOX__SHOW_ROOM] = "?";

	if (s->url[0])
		return far_process(p, f);
	if (s->started_ms)
		tailbox__show_utc(since, s->started_ms);
	if (s->writer == TAILBOX__WRITER_LIVE)
		return cli__found(f, CLI__HEALTHY, "lives%s%s%s",
		                  s->started_ms ? ", recorded since " : "",
		                  s->started_ms ? since : "",
		                  s->started_ms ? " UTC" : "");
	if (s->writer == TAILBOX__WRITER_STOPPED) {
		cli__mend(f, "kill -CONT %ld, or let the debugger go on",
		          (long)(p->pid ? p->pid : (pid_t)s->pid));
		return cli__found(f, CLI__FAILED,
		                  "is stopped by a signal or a debugger");
	}
	if (s->writer == TAILBOX__WRITER_CLOSED)
		return cli__found(f, CLI__HEALTHY, "ended in order");
	if (s->tape[0])
		cli__mend(f, "tailbox timeline %s shows its last requests; "
		             "its next start, or tailbox recover, makes an "
		             "artifact of the tape",
		          s->tape);
	else
		cli__mend(f, "start it again; rm %s", s->sock);
	return cli__found(f, p->is_named ? CLI__FAILED : CLI__DEGRADED,
	                  "ended without closing its tape: a crash or a kill");
}

bool cli__check_recording(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *rec = tailbox__tree_member(p->status, "recorded");
	const char *why = tailbox__tree_text(rec, "why_not");
	char since[TAILBOX__SHOW_ROOM];

	if (!p->status)
		return false;
	if (tailbox__tree_is_true(rec, "on"))
		return cli__found(f, CLI__HEALTHY,
		                  "%" PRIu64 " requests begun",
		                  tailbox__tree_number(
		                          tailbox__tree_member(p->status,
		                                               "counters"),
		                          "begun", p->service->begun));
	/* With a tape it was switched off; without one it could not. */
	if (tailbox__tree_text(tailbox__tree_member(p->status, "tape"),
	                       "path")) {
		uint64_t at = tailbox__tree_number(rec, "switched_at_unix_ms",
		                                   0);
		const char *by = tailbox__tree_text(rec, "switched_by");
		cli__mend(f, "tailbox on %s", p->word);
		return cli__found(f, CLI__DEGRADED, "off: %s%s%.100s%s%s%s",
		                  why ? why : "no reason given",
		                  by ? ", by " : "", by ? by : "",
		                  at ? ", " : "",
		                  at ? tailbox__show_utc(since, at) : "",
		                  at ? " UTC" : "");
	}
	cli__mend(f, "see the run folder, then start the service again");
	return cli__found(f, CLI__FAILED, "not recorded: %s",
	                  why ? why : "no reason given");
}

/* --- libmicrohttpd -------------------------------------------------------- */

/* The library's file by the memory map: 1 in `path`; 0: none, so it is linked
 * into the program or its libraries; -1: the map cannot be read. */
static int mapped_mhd(const struct cli__patient *p, char *path, size_t size)
{
	char name[64], line[CLI__PATH_MAX];
	int found = 0;
	FILE *in;

	snprintf(name, sizeof(name), "/proc/%ld/maps", (long)p->pid);
	in = p->pid > 0 ? fopen(name, "re") : NULL;
	if (!in)
		return -1;
	if (!fgets(line, sizeof(line), in))
		found = -1; /* may be opened, may not be read */
	for (; found == 0 && fgets(line, sizeof(line), in);) {
		const char *at = strchr(line, '/');
		if (!at || !strstr(at, "libmicrohttpd.so"))
			continue;
		snprintf(path, size, "%.*s", (int)strcspn(at, "\n"), at);
		found = 1;
	}
	fclose(in);
	return found;
}

bool cli__check_mhd(struct cli__patient *p, struct cli__finding *f)
{
	const char *version = tailbox__tree_text(p->status, "mhd_version");
	const char *linked = tailbox__tree_text(p->status, "mhd_linked");
	char path[CLI__PATH_MAX] = "", how[CLI__PATH_MAX + 64];
	int mapped = mapped_mhd(p, path, sizeof(path));

	if (!version && p->reader) {
		version = tailbox__reader_header(p->reader)->mhd_version;
		version = *version ? version : NULL;
	}
	if (!version && mapped < 0)
		return false;
	if (mapped == 1)
		snprintf(how, sizeof(how), "shared, %s", path);
	else if (mapped == 0)
		snprintf(how, sizeof(how), "static: no libmicrohttpd.so is "
		                           "mapped");
	else
		snprintf(how, sizeof(how), "%s", linked ? linked
		                                        : "how it is linked "
		                                          "is not known");
	cli__found(f, CLI__HEALTHY, "libmicrohttpd %s, %s",
	           version ? version : "of unknown version", how);
	if (mapped == 1 && strstr(path, " (deleted)")) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "the library was replaced since: start the "
		             "service again");
	}
	return true;
}

bool cli__check_daemons(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *list = tailbox__tree_member(p->status, "daemons");
	size_t count = tailbox__tree_count(list), recorded = 0, len;
	char not[400] = "";

	if (!p->status)
		return false;
	for (size_t i = 0; i < count; i++) {
		tailbox__tree *d = tailbox__tree_at(list, i);
		const char *note = tailbox__tree_text(d, "note");
		if (tailbox__tree_is_true(d, "recorded")) {
			recorded++;
			continue;
		}
		len = strlen(not);
		snprintf(not + len, sizeof(not) - len,
		         "; %" PRIu64 " (port %" PRIu64 ") is not: %.120s",
		         tailbox__tree_number(d, "number", 0),
		         tailbox__tree_number(d, "port", 0),
		         note ? note : "no reason given");
	}
	if (count == 0)
		cli__mend(f, "start daemons by tailbox_mhd_start_daemon(), after "
		             "tailbox_start()");
	else
		cli__mend(f, "leave that option out, or ask for it");
	return cli__found(f,
	                  recorded < count || !count ? CLI__DEGRADED
	                                             : CLI__HEALTHY,
	                  "%zu seen, %zu recorded%s", count, recorded, not);
}

/* --- its threads ---------------------------------------------------------- */

/* Whether a thread of that name runs: 1, 0, -1 = /proc does not tell. */
static int has_thread(const struct cli__patient *p, const char *name)
{
	char path[96 + 256], comm[32];
	int found = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)p->pid);
	tasks = p->pid > 0 ? opendir(path) : NULL;
	for (struct dirent *e; tasks && !found && (e = readdir(tasks));) {
		snprintf(path, sizeof(path), "/proc/%ld/task/%s/comm",
		         (long)p->pid, e->d_name);
		found = e->d_name[0] != '.' &&
		        cli__doctor_read(path, comm, sizeof(comm)) == 0 &&
		        !strcmp(comm, name);
	}
	if (tasks)
		closedir(tasks);
	return tasks ? found : -1;
}

static const char *word_of(int there)
{
	return there > 0 ? "runs" : there == 0 ? "IS NOT THERE" : "not seen";
}

bool cli__check_threads(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *sampler = tailbox__tree_member(p->status, "sampler");
	uint64_t none = UINT64_MAX, samples, now = cli__doctor_ns();
	uint64_t sign = now;
	char age[TAILBOX__SHOW_ROOM], taken[48] = "";
	bool is_old = false;

	if (p->service->writer != TAILBOX__WRITER_LIVE || !p->reader)
		return false; /* unrecorded: there are none to be */
	int sampling = has_thread(p, "tailbox-sampler");
	int following = has_thread(p, "tailbox-follow");
	samples = tailbox__tree_number(sampler, "samples", none);
	if (p->status && samples == none)
		sampling = 0;
	if (samples != none)
		snprintf(taken, sizeof(taken), ", %" PRIu64 " samples",
		         samples);
	if (tailbox__reader_refresh(p->reader) == 0)
		sign = TAILBOX__GET(
		        tailbox__reader_header(p->reader)->now_mono_ns);
	if (!TAILBOX__GET(tailbox__reader_header(p->reader)->recorder_on))
		return cli__found(f, CLI__HEALTHY, "sampler and follower sleep "
		                                   "while recording is off");
	if (sign < now)
		is_old = now - sign > ANCHOR_OLD_NS;
	/* What it wrote is better evidence than its name, which another thread
	 * gives it, by way of a /proc that may not be there. */
	if (!is_old)
		following = 1;
	tailbox__show_coarse(age, sign < now ? now - sign : 0, 100000000);
	return cli__found(f,
	                  !sampling || is_old ? CLI__FAILED : CLI__HEALTHY,
	                  "sampler %s%s; follower %s, its last sign on the tape "
	                  "%s ago",
	                  word_of(sampling), taken, word_of(following), age);
}

/* --- losses, versions, notes ---------------------------------------------- */

/* Of one kind, by the tape or else by what the service says; UINT64_MAX = not
 * known. Its keys are those of the tape without "lost_". */
static uint64_t lost(const struct cli__patient *p,
                     const struct cli__tape_loss *l)
{
	struct cli__tape_view v = { .reader = p->reader };
	const char *key = strncmp(l->key, "lost_", 5) ? l->key : l->key + 5;

	if (p->reader)
		return cli__tape_lost(&v, l);
	return tailbox__tree_number(tailbox__tree_member(p->status, "losses"),
	                            key, UINT64_MAX);
}

bool cli__check_losses(struct cli__patient *p, struct cli__finding *f)
{
	char kinds[400] = "";
	uint64_t sum = 0, begun = p->service->begun;

	if (!p->reader && !p->service->url[0])
		return false;
	for (const struct cli__tape_loss *l = cli__tape_losses; l->key; l++) {
		uint64_t n = lost(p, l);
		size_t len = strlen(kinds);
		if (n == UINT64_MAX)
			return false; /* unrecorded, or no answer */
		sum += n;
		if (n)
			snprintf(kinds + len, sizeof(kinds) - len,
			         ", %" PRIu64 " %s", n, l->text);
	}
	uint64_t blocks = tailbox__tree_number(
	        tailbox__tree_member(p->status, "losses"), "blocks", 0);
	size_t len = strlen(kinds);
	if (blocks)
		snprintf(kinds + len, sizeof(kinds) - len,
		         ", %" PRIu64 " blocks recycled unread", blocks);
	if (!p->reader)
		begun = tailbox__tree_number(
		        tailbox__tree_member(p->status, "counters"), "begun",
		        0);
	return cli__found(f, sum + blocks ? CLI__DEGRADED : CLI__HEALTHY,
	                  "%s of %" PRIu64 " requests",
	                  sum + blocks ? kinds + 2 : "none", begun);
}

/* Why the tape beside the socket is of no use. Static storage. */
static const char *why_unreadable(const struct cli__service *s)
{
	static struct tailbox__error err;
	struct tailbox__reader *r = NULL;
	char path[CLI__PATH_MAX];
	size_t len = strlen(s->sock);

	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	snprintf(path, sizeof(path), "%.*s.tape", len > 5 ? (int)len - 5 : 0,
	         s->sock);
	(void)tailbox__reader_open(path, &r, &err);
	tailbox__reader_close(r); /* mended meanwhile */
	return err.code ? err.text : "it could not be read a moment ago";
}

bool cli__check_versions(struct cli__patient *p, struct cli__finding *f)
{
	const char *theirs = tailbox__tree_text(p->status, "version");
	const char *ours = tailbox_version();

	if (!p->reader && p->tape_error.code)
		return cli__found(f, CLI__FAILED, "tape %s: %s",
		                  p->service->tape, p->tape_error.text);
	if (p->service->is_unreadable)
		return cli__found(f, CLI__FAILED,
		                  "there is a tape, and this command, %s, "
		                  "cannot read it: %s",
		                  ours, why_unreadable(p->service));
	if (!theirs && p->reader)
		theirs = tailbox__reader_header(p->reader)->tailbox_version;
	if (!theirs)
		return false;
	if (!p->reader)
		return cli__found(f, strcmp(ours, theirs) ? CLI__DEGRADED
		                                          : CLI__HEALTHY,
		                  "library %.32s, command %s", theirs, ours);
	return cli__found(f,
	                  strcmp(ours, theirs) ? CLI__DEGRADED : CLI__HEALTHY,
	                  "library %.32s, command %s, tape format %" PRIu32
	                  " of %u",
	                  theirs, ours,
	                  tailbox__reader_header(p->reader)->version,
	                  TAILBOX__TAPE_VERSION);
}

bool cli__check_notes(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *notes = tailbox__tree_member(p->status, "notes");
	size_t count = tailbox__tree_count(notes), len = 0;

	if (!count)
		return false;
	cli__found(f, CLI__DEGRADED, "said at start: ");
	for (size_t i = 0; i < count; i++) {
		const char *text =
		        tailbox__tree_string(tailbox__tree_at(notes, i));
		len = strlen(f->found);
		snprintf(f->found + len, sizeof(f->found) - len, "%s%s",
		         i ? "; " : "", text ? text : "?");
	}
	return true;
}
