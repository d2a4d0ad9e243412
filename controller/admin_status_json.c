/* controller/admin_status_json.c - GET /status for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is not known is null; an object of which nothing can be known (the
 * tape of an unrecorded service) is null as a whole.
 */
#include <unistd.h>

#include <tailbox.h>

#include "controller/abilities.h"
#include "controller/admin_guard.h"
#include "controller/admin_status.h"
#include "core/kept.h"
#include "core/recorder.h"

static void put_numbers(struct tailbox__json *j,
                        const struct tailbox__status *s,
                        const struct tailbox__status_number *n)
{
	for (; n->key != NULL; n++)
		tailbox__admin_put_u64(j, n->key, tailbox__status_value(s, n));
}

static void put_object(struct tailbox__json *j, const char *key)
{
	tailbox__json_key(j, key);
	tailbox__json_begin_object(j);
}

static void put_admin(struct tailbox__json *j)
{
	struct tailbox__guard_counts n;

	tailbox__guard_counts(&n);
	put_object(j, "admin");
	tailbox__admin_put_text(j, "socket", tailbox__admin_path());
	tailbox__admin_put_text(j, "tcp", tailbox__admin_tcp());
	tailbox__admin_put_u64(j, "wrong_tokens", n.wrong_tokens);
	tailbox__admin_put_u64(j, "strangers_gave_way", n.gave_way);
	tailbox__admin_put_u64(j, "strangers_too_slow", n.too_slow);
	tailbox__json_end_object(j);
}

static void put_service(struct tailbox__json *j,
                        const struct tailbox__status *s)
{
	const struct tailbox__admin_facts *f = s->facts;

	tailbox__admin_put_text(j, "service", f->service);
	tailbox__admin_put_text(j, "service_version", f->service_version);
	tailbox__admin_put_text(j, "version", tailbox_version());
	tailbox__admin_put_u64(j, "pid", (uint64_t)getpid());
	tailbox__admin_put_text(j, "host", s->host);
	tailbox__admin_put_u64(j, "started_at_unix_ms", f->started_ms);
	tailbox__admin_put_u64(j, "uptime_ms", s->uptime_ms);
	put_object(j, "recorded");
	tailbox__admin_put_bool(j, "on", s->is_on);
	tailbox__admin_put_text(j, "why_not", tailbox__status_why_not(s));
	tailbox__admin_put_switch(j, &s->flip);
	tailbox__json_end_object(j);
	put_admin(j);
}

static void put_tape(struct tailbox__json *j, const struct tailbox__status *s)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;

	tailbox__json_key(j, "tape");
	if (!s->facts->is_recorded) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "path", t->path);
	tailbox__admin_put_u64(j, "bytes", t->file_bytes);
	tailbox__admin_put_text(j, "survives",
	                        tailbox__status_survives(s->facts));
	tailbox__admin_put_u64(j, "history_ms",
	                       s->has_numbers ? s->rec.history_ms
	                                      : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "bytes_for_60s",
	                       tailbox__status_tape_for(s, 60000));
	tailbox__admin_put_u64(j, "wished_ms",
	                       s->facts->wish.history_ms
	                               ? s->facts->wish.history_ms
	                               : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "bytes_at_next_start",
	                       tailbox__status_next_tape(s));
	tailbox__json_end_object(j);
}

/* Rare requests; null: the tape keeps none. */
static void put_kept(struct tailbox__json *j, const struct tailbox__status *s)
{
	struct tailbox__kept_status k = { 0 };

	if (s->facts->is_recorded)
		tailbox__kept_status_of(&tailbox__recorder.tape, &k);
	tailbox__json_key(j, "kept");
	if (!k.bytes) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "bytes", k.bytes);
	tailbox__admin_put_u64(j, "slow_us", k.slow_ns / 1000);
	tailbox__admin_put_u64(j, "kept", k.kept);
	tailbox__admin_put_u64(j, "overwritten", k.overwritten);
	tailbox__admin_put_u64(j, "passed_over", k.passed_over);
	tailbox__admin_put_u64(j, "cut_spans", k.cut_spans);
	tailbox__json_end_object(j);
}

static void put_clock(struct tailbox__json *j, const struct tailbox__status *s)
{
	tailbox__json_key(j, "clock");
	if (!s->facts->is_recorded) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "kind", tailbox__status_clock_name());
	tailbox__admin_put_u64(j, "hz", tailbox__clock.hz);
	tailbox__admin_put_u64(j, "resolution_ns", tailbox__clock.res_ns);
	tailbox__json_end_object(j);
	tailbox__admin_put_u64(j, "jiffy_us", tailbox__clock.jiffy_us);
}

static void put_abilities(struct tailbox__json *j,
                          const struct tailbox__status *s)
{
	int error;
	enum tailbox__ability tcp = tailbox__ability_tcp_info(&error);

	put_object(j, "allowed");
	tailbox__json_key(j, "tcp_info");
	if (tcp == TAILBOX__ABILITY_UNKNOWN)
		tailbox__json_null(j);
	else
		tailbox__json_bool(j, tcp == TAILBOX__ABILITY_YES);
	tailbox__json_key(j, "membarrier");
	if (s->facts->is_recorded)
		tailbox__json_bool(j, tailbox__recorder.has_membarrier);
	else
		tailbox__json_null(j);
	tailbox__json_end_object(j);
}

static void put_activation(struct tailbox__json *j,
                           const struct tailbox__activation *a)
{
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "mode", tailbox__status_mode_name(a->mode));
	tailbox__admin_put_u64(j, "max_requests", a->limits.max_requests);
	tailbox__admin_put_u64(j, "max_stages", a->limits.max_stages);
	tailbox__admin_put_u64(j, "max_queues", a->limits.max_queues);
	tailbox__admin_put_u64(j, "max_inflight_snapshots",
	                       a->limits.max_inflight_snapshots);
	tailbox__admin_put_u64(j, "max_runtime_snapshots",
	                       a->limits.max_runtime_snapshots);
	tailbox__admin_put_bool(j, "strict", a->strict_lifecycle);
	tailbox__admin_put_text(j, "policy",
	                        a->policy == TAILBOX__POLICY_SEAL
	                                ? "auto_seal_on_limits_hit"
	                                : "continue_after_limits_hit");
	tailbox__admin_put_u64(j, "duration_ms",
	                       a->duration_ms ? a->duration_ms : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "sample_interval_ms",
	                       a->sample_interval_ms ? a->sample_interval_ms
	                                             : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "lookback_ms",
	                       tailbox__admin_or_none(a->lookback_ms));
	tailbox__admin_put_text(j, "note", a->note);
	tailbox__admin_put_text(j, "cause", a->cause);
	tailbox__json_end_object(j);
}

/* The one that was placed last. */
static void put_last(struct tailbox__json *j,
                     const struct tailbox__after_status *a)
{
	tailbox__json_key(j, "last_artifact");
	if (a->name[0] == '\0') {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "kind", a->kind);
	tailbox__admin_put_text(j, "name", a->name);
	tailbox__admin_put_text(j, "headline", a->headline);
	tailbox__json_end_object(j);
}

static void put_window(struct tailbox__json *j, const struct tailbox__status *s)
{
	const struct tailbox__window_status *w = &s->window;
	bool is_there;

	tailbox__json_key(j, "window");
	if (!s->has_window) {
		tailbox__json_null(j);
		return;
	}
	is_there = w->state != TAILBOX__WINDOW_DISABLED;
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "state",
	                        tailbox__status_state_name(w->state));
	tailbox__admin_put_u64(j, "id", is_there ? w->id : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "next_id", is_there ? TAILBOX__NONE : w->id);
	tailbox__admin_put_u64(j, "started_at_unix_ms",
	                       is_there ? w->started_ms : TAILBOX__NONE);
	tailbox__admin_put_text(j, "artifact", is_there ? w->artifact : NULL);
	tailbox__admin_put_bool(j, "accepting", w->is_accepting);
	tailbox__admin_put_bool(j, "closing", w->is_closing);
	tailbox__admin_put_bool(j, "finalizing", w->is_finalizing);
	tailbox__admin_put_u64(j, "in_flight",
	                       is_there ? w->in_flight : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "spooled_requests", w->spooled_requests);
	tailbox__admin_put_u64(j, "spooled_bytes", w->spooled_bytes);
	tailbox__admin_put_bool(j, "limits_hit", w->limits_hit);
	tailbox__json_key(j, "activation");
	if (is_there)
		put_activation(j, &w->activation);
	else
		tailbox__json_null(j);
	tailbox__admin_put_text(j, "last_error", w->last_error);
	put_last(j, &s->after);
	tailbox__json_end_object(j);
}

static void put_snapshots(struct tailbox__json *j,
                          const struct tailbox__status *s)
{
	const struct tailbox__snapshot_status *n = &s->snapshot;

	tailbox__json_key(j, "snapshots");
	if (!s->has_window) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "made", n->made);
	tailbox__admin_put_u64(j, "failed", n->failed);
	tailbox__admin_put_bool(j, "under_way", n->is_under_way);
	tailbox__admin_put_text(j, "last", n->last);
	tailbox__admin_put_text(j, "last_error", n->last_error);
	tailbox__json_end_object(j);
}

static void put_daemon(struct tailbox__json *j, const struct tailbox__daemon *d)
{
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "number", d->number);
	tailbox__admin_put_text(j, "mode",
	                        tailbox__status_daemon_mode(d->mode));
	tailbox__admin_put_u64(j, "workers",
	                       tailbox__admin_or_none(d->workers));
	tailbox__admin_put_u64(j, "port", tailbox__admin_or_none(d->port));
	tailbox__admin_put_bool(j, "recorded", d->is_recorded);
	tailbox__admin_put_text(j, "note", d->note);
	tailbox__admin_put_u64(j, "connection_limit",
	                       tailbox__admin_or_none(d->connection_limit));
	tailbox__admin_put_u64(j, "timeout_s",
	                       tailbox__admin_or_none(d->timeout_s));
	tailbox__admin_put_u64(j, "backlog",
	                       tailbox__admin_or_none(d->backlog));
	tailbox__admin_put_u64(j, "memory_limit",
	                       tailbox__admin_or_none(d->memory_limit));
	tailbox__json_end_object(j);
}

/* Millionths as a percentage. */
static void put_percent(struct tailbox__json *j, const char *key, uint64_t ppm)
{
	tailbox__admin_put_milli(j, key,
	                         ppm == TAILBOX__NONE ? ppm : ppm / 10);
}

static void put_cost(struct tailbox__json *j, const struct tailbox__status *s)
{
	bool has = s->facts->has_sampler;

	put_object(j, "own_cost");
	tailbox__admin_put_milli(j, "ns_per_request", s->cost.request_milli_ns);
	tailbox__admin_put_u64(j, "threads_cpu_ns", s->cost.threads_ns);
	put_percent(j, "threads_percent_of_a_cpu_10s", s->cost.threads_ppm);
	put_percent(j, "percent_of_process_cpu_10s", s->cost.process_ppm);
	tailbox__admin_put_u64(j, "tape_bytes",
	                       s->facts->is_recorded
	                               ? tailbox__recorder.tape.file_bytes
	                               : TAILBOX__NONE);
	tailbox__json_end_object(j);

	put_object(j, "sampler");
	tailbox__admin_put_u64(j, "interval_ms",
	                       has ? tailbox__sampler_interval()
	                           : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "samples",
	                       has ? s->sampler.samples : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "cpu_ns",
	                       has ? s->sampler.cpu_ns : TAILBOX__NONE);
	tailbox__json_end_object(j);
	put_object(j, "follower");
	tailbox__admin_put_u64(j, "records",
	                       s->has_numbers ? s->rec.follower_records
	                                      : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "cpu_ns",
	                       s->has_numbers ? s->rec.follower_cpu_ns
	                                      : TAILBOX__NONE);
	tailbox__admin_put_milli(j, "ns_per_record",
	                         tailbox__status_follower_ns_milli(s));
	tailbox__json_end_object(j);
}

static void put_headlines(struct tailbox__json *j,
                          const struct tailbox__after_status *a)
{
	put_object(j, "headlines");
	tailbox__admin_put_u64(j, "made", a->headlines);
	tailbox__admin_put_u64(j, "failed", a->headlines_failed);
	tailbox__admin_put_u64(j, "dropped", a->headlines_dropped);
	tailbox__admin_put_u64(j, "waiting", a->headlines_waiting);
	tailbox__admin_put_text(j, "last_error", a->headline_error);
	tailbox__json_end_object(j);
}

static void put_handover(struct tailbox__json *j,
                         const struct tailbox__handover_status *h)
{
	put_object(j, "on_artifact");
	tailbox__admin_put_u64(j, "started", h->started);
	tailbox__admin_put_u64(j, "timed_out", h->timed_out);
	tailbox__admin_put_u64(j, "succeeded", h->succeeded);
	tailbox__admin_put_u64(j, "failed", h->failed);
	tailbox__admin_put_u64(j, "unknown", h->unknown);
	tailbox__admin_put_u64(j, "dropped", h->dropped);
	tailbox__admin_put_u64(j, "waiting", h->waiting);
	tailbox__json_key(j, "last");
	if (h->name[0] == '\0') {
		tailbox__json_null(j);
	} else {
		tailbox__json_begin_object(j);
		tailbox__admin_put_text(j, "name", h->name);
		tailbox__admin_put_text(j, "result", h->result);
		tailbox__admin_put_u64(j, "tries", h->tries);
		tailbox__admin_put_u64(j, "at_unix_ms", h->at_ms);
		tailbox__admin_put_text(j, "detail", h->detail);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_object(j);
}

static void put_crashes(struct tailbox__json *j,
                        const struct tailbox__crash_status *c)
{
	tailbox__json_key(j, "crashes");
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "recovered", c->recovered);
	tailbox__admin_put_text(j, "last", c->last);
	tailbox__admin_put_u64(j, "tapes_kept", c->kept);
	tailbox__admin_put_u64(j, "tapes_removed", c->removed);
	tailbox__admin_put_text(j, "error", c->error);
	tailbox__json_end_object(j);
}

static void put_folder(struct tailbox__json *j, const struct tailbox__status *s)
{
	const struct tailbox__folder_status *f = &s->folder;

	tailbox__json_key(j, "artifacts");
	if (!s->has_window) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "max_size", f->max_size);
	tailbox__admin_put_u64(j, "max_count", f->max_count);
	tailbox__admin_put_u64(j, "deleted", f->deleted);
	tailbox__admin_put_u64(j, "deleted_bytes", f->deleted_bytes);
	tailbox__admin_put_u64(j, "json_written", f->json_written);
	tailbox__admin_put_u64(j, "json_lost", f->json_lost);
	tailbox__admin_put_text(j, "json_error", f->json_error);
	put_headlines(j, &s->after);
	put_handover(j, &s->after.handover);
	put_crashes(j, &f->crashes);
	tailbox__json_end_object(j);
}

static void put_config(struct tailbox__json *j,
                       const struct tailbox__settings_status *c)
{
	tailbox__json_key(j, "config");
	if (c->file[0] == '\0') {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "file", c->file);
	tailbox__admin_put_bool(j, "loaded", c->is_loaded);
	tailbox__admin_put_u64(j, "loaded_at_unix_ms", c->loaded_ms);
	tailbox__admin_put_u64(j, "reloads", c->reloads);
	tailbox__admin_put_u64(j, "failed_reloads", c->failed_reloads);
	tailbox__admin_put_u64(j, "last_reload_at_unix_ms", c->reload_ms);
	tailbox__admin_put_text(j, "last_error", c->error);
	tailbox__admin_put_text(j, "trouble", c->trouble);
	tailbox__admin_put_text(j, "restart_needed", c->restart);
	tailbox__json_end_object(j);
}

enum MHD_Result tailbox__status_json(struct tailbox__admin_request *q,
                                     const struct tailbox__status *s)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	put_service(&j, s);
	put_object(&j, "losses");
	put_numbers(&j, s, tailbox__status_losses);
	tailbox__json_end_object(&j);
	put_tape(&j, s);
	put_kept(&j, s);
	put_clock(&j, s);
	put_abilities(&j, s);
	put_object(&j, "counters");
	put_numbers(&j, s, tailbox__status_counters);
	put_numbers(&j, s, tailbox__status_present);
	tailbox__json_end_object(&j);
	put_object(&j, "last_10s");
	tailbox__admin_put_milli(&j, "requests_per_s",
	                         s->has_numbers ? s->rec.rate_milli
	                                        : TAILBOX__NONE);
	put_numbers(&j, s, tailbox__status_latencies);
	tailbox__json_end_object(&j);
	put_window(&j, s);
	put_snapshots(&j, s);
	tailbox__status_put_triggers(&j, s);
	tailbox__status_put_stacks(&j, s);
	tailbox__json_key(&j, "daemons");
	tailbox__json_begin_array(&j);
	for (uint32_t i = 0; i < s->daemon_count; i++)
		put_daemon(&j, &s->daemons[i]);
	tailbox__json_end_array(&j);
	tailbox__admin_put_text(&j, "mhd_version", MHD_get_version());
	tailbox__admin_put_text(&j, "mhd_linked",
	                        tailbox__ability_mhd_linked());
	put_cost(&j, s);
	tailbox__admin_put_text(&j, "artifact_folder", s->facts->artifact_dir);
	put_folder(&j, s);
	put_config(&j, &s->settings);
	tailbox__json_key(&j, "notes");
	tailbox__json_begin_array(&j);
	for (uint32_t i = 0; i < s->facts->note_count; i++)
		tailbox__json_cstr(&j, s->facts->notes[i]);
	tailbox__json_end_array(&j);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}
