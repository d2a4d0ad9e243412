/* cli/snapshot_tape.c - a snapshot of a process that is not asked.
 *
 * SPDX-License-Identifier: MIT
 *
 * It may be stopped, hung or dead, or have no admin server: its tape is read
 * by pread and nothing of it is disturbed.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <tailbox.h>

#include "cli/snapshot.h"
#include "core/artifact.h"
#include "core/cut.h"
#include "core/tape_feed.h"

/* SERVICE-STAMP-s0: as a service names its own, with a number that it never
 * gives. */
void cli__snapshot_name(const struct cli__target *t, char *name, size_t size)
{
	const time_t now = time(NULL);
	char service[64] = "service";
	struct tm tm;

	if (t->service.name[0])
		snprintf(service, sizeof(service), "%s", t->service.name);
	for (char *p = service; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		            "abcdefghijklmnopqrstuvwxyz0123456789._-",
		            *p))
			*p = '_';
	if (service[0] == '.')
		service[0] = '_';
	if (!gmtime_r(&now, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(name, size, "%s-%04d%02d%02dT%02d%02d%02dZ-s0.tailbox",
	         service, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	         tm.tm_hour, tm.tm_min, tm.tm_sec);
}

struct facts {
	enum tailbox__writer_state writer;
};

static int add_facts(void *cls, struct tailbox__assembly *a)
{
	const struct facts *f = cls;

	return tailbox__tape_put_source(a, f->writer);
}

bool cli__snapshot_tape(const struct cli__target *t,
                        const struct cli__snapshot *s, struct cli__outfile *f)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = NULL;
	struct tailbox__reader *r;
	struct facts facts;
	struct tailbox__cut cut = {
		.last_ms = s->last_ms,
		/* The tape bounds it. */
		.limits = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
		            UINT64_MAX },
		.mode = s->mode && *s->mode == 'i'
		                ? TAILBOX__MODE_INVESTIGATION
		                : TAILBOX__MODE_LIGHT,
		.note = s->note,
		.add_facts = add_facts,
		.cls = &facts,
	};
	int rc = tailbox__reader_open(t->service.tape, &r, &err);

	if (rc == 0) {
		facts.writer = tailbox__reader_writer(r);
		rc = tailbox__cut(r, &cut, &run, &err);
	}
	tailbox__reader_close(r);
	if (rc < 0) {
		cli__say("%s: %s", t->service.tape,
		         err.text[0] ? err.text : tailbox_strerror(rc));
		return false;
	}
	rc = tailbox__artifact_write(run, f->fd);
	tailbox__run_destroy(run);
	if (rc < 0)
		cli__say("%s: cannot write: %s", f->path, tailbox_strerror(rc));
	return rc == 0;
}
