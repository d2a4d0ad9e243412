/* controller/finish.c - from a spool to an artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * The order matters. First the open slots are copied, then the tape is read
 * to its end: a request that ends in between is in both, and the assembly
 * takes its record. The other way round it would be in neither.
 *
 * Names are read through a reader of its own, since one reader is for one
 * thread and the follower has its own.
 */
#include "controller/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/artifact.h"
#include "core/daemons.h"
#include "core/recorder.h"
#include "core/tailbox.h"

/* All that was published, in the file; gives how much that is. */
static int flush(const struct tailbox__window *w,
                 struct tailbox__spool_counts *n, struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;

	int ret = tailbox__follow();
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&c->follow_lock);
	ret = tailbox__spool_flush(w->spool);
	*n = tailbox__spool_counts(w->spool);
	pthread_mutex_unlock(&c->follow_lock);
	if (ret < 0)
		tailbox__fail(err, ret, "cannot write %s%s in %.400s: %s", w->name,
		              TAILBOX__PART_SUFFIX, c->config.artifact_dir,
		              tailbox_strerror(ret));
	return ret;
}

/* --- facts ------------------------------------------------------------- */

static const char *mode_name(enum tailbox__daemon_mode mode)
{
	switch (mode) {
	case TAILBOX__DAEMON_SINGLE:
		return "single";
	case TAILBOX__DAEMON_POOL:
		return "pool";
	case TAILBOX__DAEMON_THREADS:
		return "thread-per-connection";
	case TAILBOX__DAEMON_EXTERNAL:
		return "external";
	}
	return "unknown";
}

/* "1 pool 4 port 8080, 2 single 1 port 8081": number, mode, workers. */
static void describe_daemons(char *text, size_t size)
{
	static struct tailbox__daemon daemons[TAILBOX__DAEMONS_MAX];
	const uint32_t count = tailbox__daemons(daemons);
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < count && n < size; i++) {
		const struct tailbox__daemon *d = &daemons[i];
		const int len = snprintf(
		        text + n, size - n, "%s%u %s %u port %u%s",
		        i ? ", " : "", (unsigned)d->number, mode_name(d->mode),
		        (unsigned)d->workers, (unsigned)d->port,
		        d->is_recorded ? "" : " not recorded");
		if (len < 0)
			break;
		n += (size_t)len;
	}
	if (n >= size && size > 4)
		memcpy(text + size - 4, "...", 4);
}

/* What was lost while the window was open. */
static int put_losses(struct tailbox__assembly *a,
                      const struct tailbox__loss_counts *before)
{
	struct tailbox__loss_counts now;

	tailbox__losses_now(&now);
	tailbox__lock();
	now.blocks = tailbox__c.lost_blocks;
	tailbox__unlock();
	const struct {
		const char *key;
		uint64_t number;
	} losses[] = {
		{ "lost_requests", now.requests - before->requests },
		{ "lost_spans", now.spans - before->spans },
		{ "lost_holds", now.holds - before->holds },
		{ "late_spans", now.late_spans - before->late_spans },
		{ "lost_tags", now.tags - before->tags },
		{ "lost_names", now.names - before->names },
		{ "lost_threads", now.threads - before->threads },
		{ "lost_slots", now.slots - before->slots },
		{ "lost_connections", now.connections - before->connections },
		{ "clock_steps", now.clock_steps - before->clock_steps },
		{ "lost_blocks", now.blocks - before->blocks },
	};
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (tailbox__assembly_set_extra(a, losses[i].key, NULL,
		                                losses[i].number) < 0)
			return -ENOMEM;
	return 0;
}

int tailbox__put_daemons(struct tailbox__assembly *a)
{
	char daemons[500];

	describe_daemons(daemons, sizeof(daemons));
	return daemons[0] ? tailbox__assembly_set_extra(a, "daemons", daemons,
	                                                0)
	                  : 0;
}

static int put_facts(struct tailbox__assembly *a,
                     const struct tailbox__window *w)
{
	const char *cause = w->activation.cause;

	if (tailbox__assembly_set_extra(a, "window", NULL, w->id) < 0 ||
	    (cause[0] &&
	     tailbox__assembly_set_extra(a, "cause", cause, 0) < 0) ||
	    tailbox__put_daemons(a) < 0)
		return -ENOMEM;
	if (w->past.to_tick)
		tailbox__assembly_set_past(a, &w->past);
	return put_losses(a, &w->before);
}

/* --- assembling -------------------------------------------------------- */

static int create(const struct tailbox__window *w,
                  struct tailbox__reader *reader, bool is_live,
                  struct tailbox__assembly **out)
{
	char run_id[128];
	const struct tailbox__assembly_config config = {
		.from_tick = w->from,
		.until_tick = w->until,
		.armed_tick = w->armed,
		.mode = w->activation.mode,
		.limits = w->activation.limits,
		.strict_lifecycle = w->activation.strict_lifecycle,
		.seal_on_limits =
		        w->activation.policy == TAILBOX__POLICY_SEAL,
		.end_reason = w->reason,
		.run_id = run_id,
		.note = w->activation.note[0] ? w->activation.note : NULL,
		.end_detail = w->end_detail,
		.sampler = w->sampler,
		.is_live = is_live,
	};

	snprintf(run_id, sizeof(run_id), "%s-generation-%" PRIu64,
	         tailbox__reader_header(reader)->service, w->id);
	return tailbox__assembly_create(reader, &config, out);
}

/* Slots first, then the tape. */
static int feed(struct tailbox__assembly *a, const struct tailbox__window *w,
                struct tailbox__reader *reader, struct tailbox__error *err)
{
	const struct tailbox__slot *slots;
	struct tailbox__spool_counts n;

	const long count = tailbox__reader_slots(reader, &slots);
	if (count < 0)
		return (int)count;
	int ret = flush(w, &n, err);
	if (ret == 0)
		ret = tailbox__spool_feed(w->spool, n.bytes, a);
	if (ret == 0)
		ret = tailbox__assembly_add_open(a, slots, (size_t)count);
	if (ret < 0)
		return ret;
	tailbox__assembly_add_dropped(a, n.left_requests, n.left_stages,
	                              n.left_waits, n.left_moves);
	tailbox__assembly_add_dropped_holds(a, n.left_holds, n.left_stacks);
	return put_facts(a, w);
}

static int assemble(const struct tailbox__window *w, bool is_live,
                    struct tailbox__run **run, struct tailbox__error *err)
{
	struct tailbox__reader *reader;
	struct tailbox__assembly *a = NULL;

	*run = NULL;
	int ret = tailbox__reader_open_fd(tailbox__recorder.tape.fd, &reader,
	                                  err);
	if (ret < 0)
		return ret;
	ret = create(w, reader, is_live, &a);
	if (ret == 0)
		ret = feed(a, w, reader, err);
	if (ret == 0)
		ret = tailbox__assembly_finish(a, run, err);
	tailbox__assembly_destroy(a);
	tailbox__reader_close(reader);
	if (ret < 0)
		tailbox__fail(err, ret, "cannot assemble the window: %s",
		              tailbox_strerror(ret));
	return ret;
}

int tailbox__window_try(const struct tailbox__window *w)
{
	struct tailbox__run *run;

	const int ret = assemble(w, true, &run, NULL);
	if (ret < 0)
		return ret;
	const bool is_hit = run->truncation.limits_hit;
	tailbox__run_destroy(run);
	return is_hit;
}

/* Its failure loses the JSON and nothing else. */
static void place_json(const struct tailbox__window *w,
                       const struct tailbox__run *run, int dirfd)
{
	struct tailbox__folder_status *s = &tailbox__c.folder;
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	const struct tailbox__activation *a = &w->activation;
	const int ret = tailbox__folder_place_json(
	        run, dirfd, w->name,
	        a->has_sink ? a->json_path : tailbox__c.config.json_path,
	        w->id, &err);
	tailbox__lock();
	if (ret == 0) {
		s->json_written++;
	} else {
		s->json_lost++;
		memcpy(s->json_error, err.text, sizeof(s->json_error));
	}
	tailbox__unlock();
	if (ret < 0)
		tailbox__log("no JSON of window %llu: %s",
		             (unsigned long long)w->id, err.text);
}

int tailbox__place_native(const struct tailbox__run *run, int dirfd,
                          const char *name, struct tailbox__error *err)
{
	struct tailbox__error why = TAILBOX__ERROR_INIT;
	char file[TAILBOX__FILE_NAME_BYTES];

	if (!tailbox__folder_file(file, name, TAILBOX__ARTIFACT_SUFFIX))
		return tailbox__fail(err, -ENAMETOOLONG, "%.200s: too long",
		                     name);
	const int ret = tailbox__artifact_place(run, dirfd, file, &why);
	if (ret < 0)
		tailbox__fail(err, ret, "%s in %.400s: %s", file,
		              tailbox__c.config.artifact_dir, why.text);
	return ret;
}

static int place(const struct tailbox__window *w,
                 const struct tailbox__run *run, struct tailbox__error *err)
{
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, err);

	if (dirfd < 0)
		return dirfd;
	const int ret = tailbox__place_native(run, dirfd, w->name, err);
	if (ret == 0 && (w->activation.has_sink ? w->activation.local_json
	                                        : tailbox__c.config.local_json))
		place_json(w, run, dirfd);
	if (ret == 0)
		tailbox__folder_trim(dirfd, w->name);
	close(dirfd);
	return ret;
}

static void describe(const struct tailbox__window *w,
                     const struct tailbox__run *run, char text[240])
{
	snprintf(text, 240,
	         "%.120s%s: %zu requests, %" PRIu64 " unfinished, %s", w->name,
	         TAILBOX__ARTIFACT_SUFFIX, run->requests.count,
	         run->meta.unfinished_count,
	         run->truncation.limits_hit ? "truncated" : "complete");
}

int tailbox__window_finish(const struct tailbox__window *w, char text[240],
                           struct tailbox__error *err)
{
	struct tailbox__run *run;

	int ret = assemble(w, false, &run, err);
	if (ret < 0)
		return ret;
	ret = place(w, run, err);
	if (ret == 0)
		describe(w, run, text);
	tailbox__run_destroy(run);
	return ret;
}
