/* cli/run_after.c - the program has ended: keep what was recorded.
 *
 * SPDX-License-Identifier: MIT
 *
 * One artifact for each process of it that was recorded and is gone; then the
 * tape and the socket go. A process that lives on, as of a program that went
 * into the background, keeps them, and is said. All of it goes to standard
 * error: standard output is the program's.
 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/load.h"
#include "cli/output.h"
#include "cli/recover.h"
#include "cli/report_view.h"
#include "cli/services.h"
#include "cli/snapshot.h"
#include "core/recover.h"

enum { STEP_MS = 100, PATIENCE_MS = 5000 };

/* --- one that is gone ----------------------------------------------------- */

/* The folder where the tape lies, held from before it is read until it is
 * removed: the program may be of another user, who could put a link to any other
 * folder in its place. -1: it is not there. */
static int hold_folder(const struct cli__service *s, const char **name)
{
	const char *slash = strrchr(s->tape, '/');
	char folder[CLI__PATH_MAX];
	struct stat st;
	int dirfd;

	if (slash == NULL)
		return -1;
	*name = slash + 1;
	snprintf(folder, sizeof(folder), "%.*s",
	         (int)(slash > s->tape ? slash - s->tape : 1), s->tape);
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd >= 0 && fstatat(dirfd, *name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == s->dev && st.st_ino == s->ino)
		return dirfd;
	if (dirfd >= 0)
		close(dirfd);
	return -1;
}

/* The tape, if the recovery has not removed it; its socket is beside it. */
static void remove_files(int dirfd, const char *tape)
{
	const char *end = strrchr(tape, '.');
	char sock[CLI__PATH_MAX];
	struct stat st;

	(void)tailbox__left_tape_drop(dirfd, tape);
	if (end != NULL && snprintf(sock, sizeof(sock), "%.*s.sock",
	                            (int)(end - tape), tape) <
	                           (int)sizeof(sock) &&
	    fstatat(dirfd, sock, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode))
		unlinkat(dirfd, sock, 0);
}

static void put(const struct tailbox__run *run, const char *path)
{
	const size_t n = run->requests.count;

	cli__say("saved %s: %zu request%s", path, n, n == 1 ? "" : "s");
}

static void show(struct cli__run *r, struct tailbox__run *run,
                 const char *path)
{
	struct cli__view_names names = { .service = "" };

	if (r->is_quiet ||
	    (run->requests.count == 0 && run->meta.unfinished_count == 0))
		return;
	snprintf(names.artifact, sizeof(names.artifact), "%s", path);
	if (cli__put_first_screen(run, &names) == CLI__DONE)
		cli__put_on(STDERR_FILENO);
}

/* It ended with exit(): as `tailbox snapshot` would have done it. */
static bool keep_exited(struct cli__run *r, const struct cli__service *s,
                        const char *path, bool replace, bool is_only)
{
	const struct cli__snapshot wish = { .last_ms = r->last_ms };
	struct cli__target t = { .service = *s };
	struct tailbox__run *run;
	struct cli__outfile f;

	if (!cli__outfile_open(&f, path))
		return false;
	if (!cli__snapshot_tape(&t, &wish, &f)) {
		cli__outfile_abort(&f);
		return false;
	}
	if (!cli__outfile_commit(&f, replace))
		return false;
	run = f.is_direct ? NULL : cli__load_file(f.path);
	if (run != NULL) {
		put(run, f.path);
		if (is_only)
			show(r, run, f.path);
	}
	tailbox__run_destroy(run);
	return true;
}

/* It was killed: as `tailbox recover`, with what was in flight. */
static bool keep_killed(struct cli__run *r, const struct cli__service *s,
                        const char *path, bool replace, bool is_only)
{
	const struct cli__recover_wish wish = { .path = path,
		                                .replace = replace };
	struct cli__recovered got;

	if (cli__recover_tape(s->tape, &wish, &got) != CLI__DONE)
		return false;
	put(got.run, got.artifact);
	if (is_only && !r->is_quiet &&
	    cli__recovered_screen(&got) == CLI__DONE)
		cli__put_on(STDERR_FILENO);
	cli__recovered_fini(&got);
	return true;
}

static bool keep(struct cli__run *r, const struct cli__service *s,
                 const char *output, bool is_only)
{
	const struct cli__target t = { .service = *s };
	char name[300];

	cli__snapshot_name(&t, name, sizeof(name));
	return (s->writer == TAILBOX__WRITER_CLOSED ? keep_exited
	                                            : keep_killed)(
	        r, s, output ? output : name, output != NULL, is_only);
}

/* --- all ------------------------------------------------------------------ */

/* A text that the program could have written over. */
static void take_text(char *to, size_t size, const char *from, size_t room)
{
	snprintf(to, size, "%.*s", (int)strnlen(from, room), from);
	cli__clean(to);
}

/* What the i-th recorded process is now; false: it was not recorded, or its
 * tape is gone. */
static bool look(const struct cli__run *r, uint32_t i, struct cli__service *s)
{
	const struct tailbox__board_entry *e = &r->board->entries[i];
	char tape[sizeof(e->tape)];

	if (atomic_load(&e->state) != TAILBOX__BOARD_RECORDING)
		return false;
	take_text(tape, sizeof(tape), e->tape, sizeof(e->tape));
	return cli__service_of_tape(tape, s, true);
}

/* False: the tape is kept. */
static bool keep_and_remove(struct cli__run *r, const struct cli__service *s,
                            const char *output, bool is_only)
{
	const char *name;
	const int dirfd = hold_folder(s, &name);
	const bool is_kept = dirfd >= 0 && keep(r, s, output, is_only);

	if (is_kept)
		remove_files(dirfd, name);
	if (dirfd >= 0)
		close(dirfd);
	return is_kept;
}

/* What the agent could not say where it was. */
static void say_refused(const struct tailbox__board_entry *e)
{
	char why[sizeof(e->why)];

	if (atomic_load(&e->state) != TAILBOX__BOARD_REFUSED || e->is_said)
		return;
	take_text(why, sizeof(why), e->why, sizeof(e->why));
	cli__say("pid %u is not recorded: %s", (unsigned)e->pid, why);
}

static uint32_t count(const struct cli__run *r)
{
	const uint32_t n = atomic_load(&r->board->taken);

	return n < TAILBOX__BOARD_ENTRIES ? n : TAILBOX__BOARD_ENTRIES;
}

/* A program that goes into the background has ended here before it serves. */
static void wait_for_background(const struct cli__run *r)
{
	const struct timespec step = { 0, STEP_MS * 1000000L };

	for (int ms = 0; ms < PATIENCE_MS && !cli__run_is_told(r) &&
	                 cli__run_has_others(r);
	     ms += STEP_MS)
		nanosleep(&step, NULL);
}

static void keep_all(struct cli__run *r)
{
	const uint32_t n = count(r);
	const char *output = r->output;
	struct cli__service s;
	uint32_t gone = 0;

	for (uint32_t i = 0; i < n; i++)
		gone += look(r, i, &s) && !cli__is_alive(&s);
	for (uint32_t i = 0; i < n; i++) {
		say_refused(&r->board->entries[i]);
		if (!look(r, i, &s))
			continue;
		if (cli__is_alive(&s)) {
			cli__say("%s goes on as pid %u: tailbox why %u", s.name,
			         (unsigned)s.pid, (unsigned)s.pid);
		} else if (keep_and_remove(r, &s, output, gone == 1)) {
			output = NULL;
		} else {
			cli__say("%s: the tape is kept", s.tape);
		}
	}
	if (atomic_load(&r->board->taken) > n)
		cli__say("%u more processes were recorded, and are not "
		         "followed",
		         (unsigned)(atomic_load(&r->board->taken) - n));
}

void cli__run_after(struct cli__run *r)
{
	if (!cli__run_is_told(r) && WIFEXITED(r->status))
		wait_for_background(r);
	if (!cli__run_is_told(r)) {
		cli__run_say_why(r);
		return;
	}
	keep_all(r);
}
