/* controller/snapshot.c - cut the recent past out of our own tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * It reads the tape as any other process would, by a reader of its own
 * (core/cut.h): follower, window and workers do not notice. What only this
 * process knows comes on top: an instant before which no begin is unseen, the
 * daemons, and the number.
 *
 * `lock` guards that there is one at a time; the maker alone uses what else
 * there is. Its name is taken before the tape is read, so that a folder that
 * cannot be written to is told before the work is done.
 */
#include "controller/after.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/cut.h"
#include "core/recorder.h"
#include "core/tailbox.h"
#include "sampler/sampler.h"

enum { STARTING_TRIES = 50, STARTING_NS = 200000 };

void tailbox__snapshot_init(struct tailbox__snapshot *s,
                            enum tailbox__mode mode)
{
	memset(s, 0, sizeof(*s));
	s->mode = mode;
	s->limits = tailbox__limits_of(mode);
}

static int check(const struct tailbox__snapshot *s, struct tailbox__error *err)
{
	if (s->mode != TAILBOX__MODE_LIGHT &&
	    s->mode != TAILBOX__MODE_INVESTIGATION)
		return tailbox__fail(err, -EINVAL, "no such mode");
	if (s->last_ms > UINT64_MAX / 2000000)
		return tailbox__fail(err, -EINVAL, "last: too long");
	if (!memchr(s->note, '\0', sizeof(s->note)))
		return tailbox__fail(err, -EINVAL, "note: more than %u bytes",
		                     TAILBOX__NOTE_MAX);
	if (!memchr(s->cause, '\0', sizeof(s->cause)))
		return tailbox__fail(err, -EINVAL, "cause: more than %u bytes",
		                     TAILBOX__CAUSE_MAX);
	return 0;
}

/* --- one at a time ----------------------------------------------------- */

static void tell(struct tailbox__artifact_key *key, char name[256])
{
	if (key)
		*key = tailbox__c.snapshot_key;
	if (name)
		memcpy(name, tailbox__c.snapshot_name, 256);
}

/* Be the one who makes one; key: its number. Name and second follow. */
static int enter(struct tailbox__artifact_key *key, char name[256],
                 struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;
	char id[TAILBOX__ARTIFACT_ID_BYTES];
	int ret = 0;

	tailbox__lock();
	if (!c->is_started || c->is_stopping) {
		ret = tailbox__fail(err, -TAILBOX_ESTATE, "not started");
	} else if (c->snapshot.is_under_way) {
		ret = tailbox__fail(err, -EBUSY, "snapshot %s is being made",
		                    tailbox__artifact_id(id, &c->snapshot_key));
		tell(key, name);
	} else {
		c->snapshot.is_under_way = true;
		c->snapshot_key = (struct tailbox__artifact_key){
			TAILBOX__ARTIFACT_SNAPSHOT, (uint64_t)time(NULL),
			c->snapshot.made + 1
		};
		c->snapshot_name[0] = '\0';
	}
	tailbox__unlock();
	return ret;
}

static void leave(int ret, struct tailbox__artifact_key *key, char name[256],
                  const struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__snapshot_status *s = &c->snapshot;

	tailbox__lock();
	if (ret == 0) {
		tell(key, name);
		memcpy(s->last, c->snapshot_name, sizeof(s->last));
		s->last_error[0] = '\0';
		s->made++;
	} else {
		s->failed++;
		memcpy(s->last_error, err->text, sizeof(s->last_error));
	}
	s->is_under_way = false;
	pthread_cond_broadcast(&c->snapshot_done);
	tailbox__unlock();
}

void tailbox__snapshot_status(struct tailbox__snapshot_status *out)
{
	tailbox__lock();
	*out = tailbox__c.snapshot;
	tailbox__unlock();
}

/* --- making one -------------------------------------------------------- */

static int add_facts(void *cls, struct tailbox__assembly *a)
{
	const struct tailbox__snapshot *s = cls;

	if (tailbox__assembly_set_extra(a, "snapshot", NULL,
	                                tailbox__c.snapshot_key.id) < 0 ||
	    (s->cause[0] &&
	     tailbox__assembly_set_extra(a, "cause", s->cause, 0) < 0))
		return -ENOMEM;
	return tailbox__put_daemons(a);
}

static bool is_starting(void)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->slots_used);

	/* relaxed: the reader looks for itself afterwards */
	for (uint64_t i = 0; i < used; i++)
		if (TAILBOX__GET(tape->slots[i].state) ==
		    TAILBOX__SLOT_STARTING)
			return true;
	return false;
}

/* An instant before which every request that began is to be seen as open or
 * has its record: the barrier makes STARTING visible, and who was between it
 * and its line goes on soon, or was put aside by the machine: not for long. */
static uint64_t cut_tick(void)
{
	const struct timespec moment = { 0, STARTING_NS };
	const uint64_t tick = tailbox__now();

	tailbox__barrier();
	for (int i = 0; i < STARTING_TRIES && is_starting(); i++)
		nanosleep(&moment, NULL);
	return tick;
}

static int cut(const struct tailbox__snapshot *s, struct tailbox__run **run,
               struct tailbox__error *err)
{
	const uint32_t interval = tailbox__sampler_interval();
	struct tailbox__reader *reader;
	char run_id[128];
	struct tailbox__cut c = {
		.last_ms = s->last_ms,
		.mode = s->mode,
		.limits = s->limits,
		/* As it was taken, whatever the mode would take. */
		.sampler = { .present = interval != 0,
		             .inherited_mode = s->mode,
		             .resolved_mode = s->mode,
		             .cadence_ms = interval,
		             .retention = s->limits.max_runtime_snapshots },
		.run_id = run_id,
		.note = s->note[0] ? s->note : NULL,
		.add_facts = add_facts,
		.cls = (void *)(uintptr_t)s,
	};

	*run = NULL;
	int ret = tailbox__reader_open_fd(tailbox__recorder.tape.fd, &reader,
	                                  err);
	if (ret < 0)
		return ret;
	snprintf(run_id, sizeof(run_id), "%s-snapshot-%" PRIu64,
	         tailbox__reader_header(reader)->service,
	         tailbox__c.snapshot_key.id);
	c.cut_tick = cut_tick();
	ret = tailbox__cut(reader, &c, run, err);
	tailbox__reader_close(reader);
	return ret;
}

static int place(const struct tailbox__run *run, struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;
	const int dirfd = tailbox__folder_open(c->config.artifact_dir, err);

	if (dirfd < 0)
		return dirfd;
	/* Known by its number before it is there: nobody finds it as a
	 * stranger's. */
	tailbox__lock();
	int ret = tailbox__folder_made(&c->snapshot_key);
	tailbox__unlock();
	if (ret == 0) {
		ret = tailbox__place_native(run, dirfd, c->snapshot_name, err);
		if (ret < 0) {
			tailbox__lock();
			tailbox__folder_unmade(&c->snapshot_key);
			tailbox__unlock();
		}
	}
	if (ret == 0)
		tailbox__folder_trim(dirfd, c->snapshot_name);
	close(dirfd);
	return ret;
}

static uint64_t fact(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	return x ? x->number : TAILBOX__NONE;
}

static void note_facts(const struct tailbox__run *run)
{
	struct tailbox__snapshot_status *s = &tailbox__c.snapshot;

	tailbox__lock();
	s->requests = run->requests.count;
	s->unfinished = run->meta.unfinished_count;
	s->asked_us = fact(run, "asked_us");
	s->covered_us = fact(run, "covered_us");
	s->older_requests = fact(run, "older_requests");
	s->older_open = fact(run, "older_open");
	tailbox__unlock();
}

/* The name, then the run, then the file. */
static int make(const struct tailbox__snapshot *s, struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__artifact_key key = c->snapshot_key;
	char name[256];
	struct tailbox__run *run;

	const int part = tailbox__folder_reserve(c->config.artifact_dir,
	                                         c->service, &key, name, err);
	if (part < 0)
		return part;
	tailbox__lock();
	c->snapshot_key = key;
	memcpy(c->snapshot_name, name, sizeof(name));
	tailbox__unlock();
	int ret = cut(s, &run, err);
	if (ret == 0)
		ret = place(run, err);
	tailbox__folder_remove_part(c->config.artifact_dir, name);
	close(part); /* it kept the name */
	if (ret == 0)
		note_facts(run);
	if (ret == 0)
		tailbox__log("snapshot s%" PRIu64 ": %.120s%s: %zu requests, "
		             "%" PRIu64 " unfinished%s%.200s",
		             key.id, name, TAILBOX__ARTIFACT_SUFFIX,
		             run->requests.count, run->meta.unfinished_count,
		             s->cause[0] ? ", by " : "", s->cause);
	tailbox__run_destroy(run);
	return ret;
}

int tailbox__snapshot_take(const struct tailbox__snapshot *s,
                           struct tailbox__artifact_key *key, char name[256],
                           struct tailbox__error *err)
{
	struct tailbox__error why = TAILBOX__ERROR_INIT;

	int ret = check(s, err);
	if (ret == 0)
		ret = enter(key, name, err);
	if (ret < 0)
		return ret;
	ret = make(s, &why);
	if (ret < 0) {
		tailbox__fail(&why, ret, "%s", tailbox_strerror(ret));
		tailbox__log("no snapshot: %s", why.text);
		if (err && !err->code)
			*err = why;
	} else { /* both are this thread's until leave() */
		tailbox__after_made(&tailbox__c.snapshot_key,
		                    tailbox__c.snapshot_name);
	}
	leave(ret, key, name, &why);
	return ret;
}
