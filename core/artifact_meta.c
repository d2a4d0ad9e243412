/* core/artifact_meta.c - the META part of a native artifact, both ways.
 *
 * SPDX-License-Identifier: MIT
 *
 * The metadata in memory has bools, enums and lists; on disk stand plain
 * numbers. The two functions must name the same members.
 */
#include "core/artifact_format.h"

#include "core/tailbox.h"

void tailbox__artifact_put_meta(const struct tailbox__run *run,
                                struct tailbox__artifact_meta *disk)
{
	const struct tailbox__run_meta *m = &run->meta;
	const struct tailbox__limits *l = &m->core.limits;
	const struct tailbox__run_truncation *t = &run->truncation;

	*disk = (struct tailbox__artifact_meta){
		.run_id = m->run_id,
		.service_name = m->service_name,
		.service_version = m->service_version,
		.host = m->host,
		.schema_version = run->schema_version,
		.started_ms = m->started_ms,
		.finalized_ms = m->finalized_ms,
		.mode = m->mode,
		.end_reason = m->end_reason,
		.has_pid = m->has_pid,
		.pid = m->pid,
		.has_core = m->core.present,
		.core_mode = m->core.mode,
		.strict_lifecycle = m->core.strict_lifecycle,
		.limits_hit = t->limits_hit,
		.max_requests = l->max_requests,
		.max_stages = l->max_stages,
		.max_queues = l->max_queues,
		.max_inflight_snapshots = l->max_inflight_snapshots,
		.max_runtime_snapshots = l->max_runtime_snapshots,
		.has_sampler = m->sampler.present,
		.inherited_mode = m->sampler.inherited_mode,
		.has_override = m->sampler.has_override,
		.override_mode = m->sampler.override_mode,
		.resolved_mode = m->sampler.resolved_mode,
		.cadence_ms = m->sampler.cadence_ms,
		.retention = m->sampler.retention,
		.unfinished_count = m->unfinished_count,
		.dropped_requests = t->dropped_requests,
		.dropped_stages = t->dropped_stages,
		.dropped_queues = t->dropped_queues,
		.dropped_inflight_snapshots = t->dropped_inflight_snapshots,
		.dropped_runtime_snapshots = t->dropped_runtime_snapshots,
	};
}

static bool is_mode(uint32_t mode)
{
	return mode <= TAILBOX__MODE_INVESTIGATION;
}

static bool is_bool(uint32_t value)
{
	return value <= 1;
}

static bool is_sound(const struct tailbox__artifact_meta *d)
{
	return is_mode(d->mode) && is_mode(d->core_mode) &&
	       is_mode(d->inherited_mode) && is_mode(d->override_mode) &&
	       is_mode(d->resolved_mode) &&
	       d->end_reason <= TAILBOX__END_AUTO_SEAL && is_bool(d->has_pid) &&
	       is_bool(d->has_core) && is_bool(d->strict_lifecycle) &&
	       is_bool(d->limits_hit) && is_bool(d->has_sampler) &&
	       is_bool(d->has_override);
}

static void get_configs(struct tailbox__run_meta *m,
                        const struct tailbox__artifact_meta *d)
{
	m->core = (struct tailbox__run_core_config){
		.present = d->has_core,
		.mode = d->core_mode,
		.strict_lifecycle = d->strict_lifecycle,
		.limits = {
			.max_requests = d->max_requests,
			.max_stages = d->max_stages,
			.max_queues = d->max_queues,
			.max_inflight_snapshots = d->max_inflight_snapshots,
			.max_runtime_snapshots = d->max_runtime_snapshots,
		},
	};
	m->sampler = (struct tailbox__run_sampler_config){
		.present = d->has_sampler,
		.inherited_mode = d->inherited_mode,
		.has_override = d->has_override,
		.override_mode = d->override_mode,
		.resolved_mode = d->resolved_mode,
		.cadence_ms = d->cadence_ms,
		.retention = d->retention,
	};
}

int tailbox__artifact_get_meta(struct tailbox__run *run,
                               const struct tailbox__artifact_meta *d)
{
	struct tailbox__run_meta *m = &run->meta;

	if (!is_sound(d))
		return -TAILBOX_EDAMAGED;
	run->schema_version = d->schema_version;
	m->run_id = d->run_id;
	m->service_name = d->service_name;
	m->service_version = d->service_version;
	m->host = d->host;
	m->started_ms = d->started_ms;
	m->finalized_ms = d->finalized_ms;
	m->mode = d->mode;
	m->has_pid = d->has_pid;
	m->pid = d->pid;
	m->end_reason = d->end_reason;
	m->unfinished_count = d->unfinished_count;
	get_configs(m, d);
	run->truncation = (struct tailbox__run_truncation){
		.limits_hit = d->limits_hit,
		.dropped_requests = d->dropped_requests,
		.dropped_stages = d->dropped_stages,
		.dropped_queues = d->dropped_queues,
		.dropped_inflight_snapshots = d->dropped_inflight_snapshots,
		.dropped_runtime_snapshots = d->dropped_runtime_snapshots,
	};
	return 0;
}
