/* core/run_json_meta.c - Run JSON: the document's head and `metadata`.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md sections 3.1 to 3.4.
 */
#include "core/run_json_out.h"

enum { UNFINISHED_SHOWN = 5 }; /* spec 3.2: at most 5 written */

static const char *mode_name(enum tailbox__mode mode)
{
	return mode == TAILBOX__MODE_INVESTIGATION ? "investigation" : "light";
}

static const char *end_reason_name(enum tailbox__end_reason reason)
{
	switch (reason) {
	case TAILBOX__END_NONE:
		break;
	case TAILBOX__END_MANUAL_DISARM:
		return "manual_disarm";
	case TAILBOX__END_SHUTDOWN:
		return "shutdown";
	case TAILBOX__END_AUTO_SEAL:
		return "auto_seal_on_limits_hit";
	}
	return NULL;
}

static void put_limits(struct tailbox__run_json_out *c,
                       const struct tailbox__limits *l)
{
	tailbox__json_key(&c->json, "capture_limits");
	tailbox__json_begin_object(&c->json);
	put_num(c, "max_requests", l->max_requests);
	put_num(c, "max_stages", l->max_stages);
	put_num(c, "max_queues", l->max_queues);
	put_num(c, "max_inflight_snapshots", l->max_inflight_snapshots);
	put_num(c, "max_runtime_snapshots", l->max_runtime_snapshots);
	tailbox__json_end_object(&c->json);
}

static void put_core_config(struct tailbox__run_json_out *c)
{
	const struct tailbox__run_core_config *core = &c->run->meta.core;

	tailbox__json_key(&c->json, "effective_core_config");
	if (!core->present) {
		tailbox__json_null(&c->json);
		return;
	}
	tailbox__json_begin_object(&c->json);
	put_name(c, "mode", mode_name(core->mode));
	put_limits(c, &core->limits);
	put_bool(c, "strict_lifecycle", core->strict_lifecycle);
	tailbox__json_end_object(&c->json);
}

static void put_sampler_config(struct tailbox__run_json_out *c)
{
	const struct tailbox__run_sampler_config *s = &c->run->meta.sampler;

	tailbox__json_key(&c->json, "effective_tokio_sampler_config");
	if (!s->present) {
		tailbox__json_null(&c->json);
		return;
	}
	tailbox__json_begin_object(&c->json);
	put_name(c, "inherited_mode", mode_name(s->inherited_mode));
	put_name(c, "explicit_mode_override",
	         s->has_override ? mode_name(s->override_mode) : NULL);
	put_name(c, "resolved_mode", mode_name(s->resolved_mode));
	put_num(c, "resolved_sampler_cadence_ms", s->cadence_ms);
	put_num(c, "resolved_runtime_snapshot_retention", s->retention);
	tailbox__json_end_object(&c->json);
}

/* The document up to the lifecycle warnings. */
static void warnings_begin(struct tailbox__run_json_out *c)
{
	const struct tailbox__run_meta *m = &c->run->meta;

	tailbox__json_begin_object(&c->json);
	put_num(c, "schema_version", c->run->schema_version);
	tailbox__json_key(&c->json, "metadata");
	tailbox__json_begin_object(&c->json);
	put_str(c, "run_id", m->run_id);
	put_str(c, "service_name", m->service_name);
	put_str_or_null(c, "service_version", m->service_version);
	put_num(c, "started_at_unix_ms", m->started_ms);
	put_num_or_null(c, "finalized_at_unix_ms", m->finalized_ms);
	put_name(c, "mode", mode_name(m->mode));
	put_core_config(c);
	put_sampler_config(c);
	put_str_or_null(c, "host", m->host);
	put_num_or_null(c, "pid", m->has_pid ? m->pid : TAILBOX__NONE);
	tailbox__json_key(&c->json, "lifecycle_warnings");
	tailbox__json_begin_array(&c->json);
}

static void warning(struct tailbox__run_json_out *c, size_t i)
{
	size_t len;
	const char *text =
	        tailbox__run_text(c->run, c->run->meta.warnings.items[i], &len);

	tailbox__json_string(&c->json, text, len);
}

static size_t warning_count(const struct tailbox__run *run)
{
	return run->meta.warnings.count;
}

static void unfinished_begin(struct tailbox__run_json_out *c)
{
	tailbox__json_key(&c->json, "unfinished_requests");
	tailbox__json_begin_object(&c->json);
	put_num(c, "count", c->run->meta.unfinished_count);
	tailbox__json_key(&c->json, "sample");
	tailbox__json_begin_array(&c->json);
}

static void unfinished(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_unfinished *u =
	        &c->run->meta.unfinished.items[i];

	tailbox__json_begin_object(&c->json);
	put_str(c, "request_id", u->id);
	put_str(c, "route", u->route);
	tailbox__json_end_object(&c->json);
}

static size_t unfinished_count(const struct tailbox__run *run)
{
	size_t count = run->meta.unfinished.count;

	return count < UNFINISHED_SHOWN ? count : UNFINISHED_SHOWN;
}

static void unfinished_end(struct tailbox__run_json_out *c)
{
	tailbox__json_end_array(&c->json);
	tailbox__json_end_object(&c->json);
	put_name(c, "run_end_reason",
	         end_reason_name(c->run->meta.end_reason));
}

static size_t extra_count(const struct tailbox__run *run)
{
	return run->meta.extra.count;
}

static void extra_begin(struct tailbox__run_json_out *c)
{
	if (!extra_count(c->run))
		return;
	tailbox__json_key(&c->json, "tailbox");
	tailbox__json_begin_object(&c->json);
}

static void extra(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_pair *pair = &c->run->meta.extra.items[i];
	size_t len;
	const char *text = tailbox__run_text(c->run, pair->key, &len);

	tailbox__json_key_len(&c->json, text, len);
	if (!pair->text) {
		tailbox__json_u64(&c->json, pair->number);
		return;
	}
	text = tailbox__run_text(c->run, pair->text, &len);
	tailbox__json_string(&c->json, text, len);
}

static void extra_end(struct tailbox__run_json_out *c)
{
	if (extra_count(c->run))
		tailbox__json_end_object(&c->json);
	tailbox__json_end_object(&c->json); /* metadata */
}

const struct tailbox__run_json_section tailbox__run_json_meta[3] = {
	{ warnings_begin, warning_count, warning, tailbox__run_json_array_end },
	{ unfinished_begin, unfinished_count, unfinished, unfinished_end },
	{ extra_begin, extra_count, extra, extra_end },
};
