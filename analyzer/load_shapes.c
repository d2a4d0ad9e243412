/* analyzer/load_shapes.c - the members of Run JSON, as tables.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 3, row by row and in its order: the decoder
 * tries the row after the last one first.
 */
#include "analyzer/load_json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* M(name, kind, class, place in the struct TYPE, further initializers) */
#define M(name_, kind_, class_, member_, ...)                                  \
	{                                                                      \
		.name = (name_), .len = sizeof(name_) - 1,                     \
		.kind = TAILBOX__LOAD_##kind_,                                 \
		.class = TAILBOX__LOAD_##class_,                               \
		.offset = offsetof(TYPE, member_), __VA_ARGS__                 \
	}
#define EXT                                                                    \
	{                                                                      \
		.name = "tailbox", .len = sizeof("tailbox") - 1,               \
		.kind = TAILBOX__LOAD_EXT,                                     \
		.class = TAILBOX__LOAD_NULLABLE                                \
	}
#define START_US .flag = TAILBOX__HAS_START_US
#define END_US .flag = TAILBOX__HAS_END_US

#define TYPE struct tailbox__run_core_config
static const struct tailbox__load_member limits_members[] = {
	M("max_requests", U64, REQUIRED, limits.max_requests),
	M("max_stages", U64, REQUIRED, limits.max_stages),
	M("max_queues", U64, REQUIRED, limits.max_queues),
	M("max_inflight_snapshots", U64, REQUIRED,
	  limits.max_inflight_snapshots),
	M("max_runtime_snapshots", U64, REQUIRED, limits.max_runtime_snapshots),
};

static const struct tailbox__load_shape limits_shape = {
	.members = limits_members,
	.member_count = COUNT(limits_members),
};

static const struct tailbox__load_member core_config_members[] = {
	M("mode", MODE, REQUIRED, mode),
	M("capture_limits", OBJECT, REQUIRED, present, .shape = &limits_shape),
	M("strict_lifecycle", BOOL, REQUIRED, strict_lifecycle),
};

static const struct tailbox__load_shape core_config_shape = {
	.members = core_config_members,
	.member_count = COUNT(core_config_members),
};
#undef TYPE

#define TYPE struct tailbox__run_sampler_config
static const struct tailbox__load_member sampler_config_members[] = {
	M("inherited_mode", MODE, REQUIRED, inherited_mode),
	M("explicit_mode_override", MODE, NULLABLE, override_mode,
	  .has = offsetof(TYPE, has_override)),
	M("resolved_mode", MODE, REQUIRED, resolved_mode),
	M("resolved_sampler_cadence_ms", U64, REQUIRED, cadence_ms),
	M("resolved_runtime_snapshot_retention", U64, REQUIRED, retention),
};

static const struct tailbox__load_shape sampler_config_shape = {
	.members = sampler_config_members,
	.member_count = COUNT(sampler_config_members),
};
#undef TYPE

#define TYPE struct tailbox__run_unfinished
static const struct tailbox__load_member open_members[] = {
	M("request_id", STR, REQUIRED, id),
	M("route", STR, REQUIRED, route),
};

static const struct tailbox__load_shape open_shape = {
	.members = open_members,
	.member_count = COUNT(open_members),
	.item_bytes = sizeof(TYPE),
};
#undef TYPE

/* An object whose values stand beside those of the object around it has the
 * offset of `run_id`, which is 0. */
#define TYPE struct tailbox__run_meta
_Static_assert(offsetof(TYPE, run_id) == 0, "see unfinished_requests");

static const struct tailbox__load_member unfinished_members[] = {
	M("count", U64, REQUIRED, unfinished_count),
	M("sample", ARRAY, REQUIRED, unfinished, .shape = &open_shape),
};

static const struct tailbox__load_shape unfinished_shape = {
	.members = unfinished_members,
	.member_count = COUNT(unfinished_members),
};

static const struct tailbox__load_member meta_members[] = {
	M("run_id", STR, REQUIRED, run_id),
	M("service_name", STR, REQUIRED, service_name),
	M("service_version", STR, NULLABLE, service_version),
	M("started_at_unix_ms", U64, REQUIRED, started_ms),
	M("finalized_at_unix_ms", U64, NULLABLE, finalized_ms),
	M("mode", MODE, REQUIRED, mode),
	M("effective_core_config", OBJECT, NULLABLE, core,
	  .has = offsetof(TYPE, core.present), .shape = &core_config_shape),
	M("effective_tokio_sampler_config", OBJECT, NULLABLE, sampler,
	  .has = offsetof(TYPE, sampler.present),
	  .shape = &sampler_config_shape),
	M("host", STR, NULLABLE, host),
	M("pid", U32, NULLABLE, pid, .has = offsetof(TYPE, has_pid)),
	M("lifecycle_warnings", STRINGS, DEFAULTED, warnings),
	M("unfinished_requests", OBJECT, DEFAULTED, run_id,
	  .shape = &unfinished_shape),
	M("run_end_reason", REASON, NULLABLE, end_reason),
	EXT,
};

static const struct tailbox__load_shape meta_shape = {
	.members = meta_members,
	.member_count = COUNT(meta_members),
	.owner = TAILBOX__LOAD_OF_METADATA,
};
#undef TYPE

#define TYPE struct tailbox__run_request
static const struct tailbox__load_member request_members[] = {
	M("request_id", STR, REQUIRED, id),
	M("route", STR, REQUIRED, route),
	M("kind", STR, NULLABLE, kind),
	M("started_at_unix_ms", U64, REQUIRED, start_ms),
	M("started_at_run_us", U64, NULLABLE, start_us, START_US),
	M("finished_at_unix_ms", U64, REQUIRED, end_ms),
	M("finished_at_run_us", U64, NULLABLE, end_us, END_US),
	M("latency_us", U64, REQUIRED, latency_us),
	M("outcome", STR, REQUIRED, outcome),
	EXT,
};

static const struct tailbox__load_shape request_shape = {
	.members = request_members,
	.member_count = COUNT(request_members),
	.owner = TAILBOX__LOAD_OF_REQUEST,
	.flags = offsetof(TYPE, flags),
	.item_bytes = sizeof(TYPE),
};
#undef TYPE

#define TYPE struct tailbox__run_span
static const struct tailbox__load_member stage_members[] = {
	M("request_id", STR, REQUIRED, request),
	M("stage", STR, REQUIRED, name),
	M("started_at_unix_ms", U64, REQUIRED, start_ms),
	M("started_at_run_us", U64, NULLABLE, start_us, START_US),
	M("finished_at_unix_ms", U64, REQUIRED, end_ms),
	M("finished_at_run_us", U64, NULLABLE, end_us, END_US),
	M("latency_us", U64, REQUIRED, dur_us),
	M("success", NOT, REQUIRED, flags, .flag = TAILBOX__FAILED),
	M("completed", NOT, DEFAULTED, flags, .flag = TAILBOX__PARTIAL),
	EXT,
};

static const struct tailbox__load_shape stage_shape = {
	.members = stage_members,
	.member_count = COUNT(stage_members),
	.owner = TAILBOX__LOAD_OF_SPAN,
	.flags = offsetof(TYPE, flags),
	.none = offsetof(TYPE, depth),
	.item_bytes = sizeof(TYPE),
};

static const struct tailbox__load_member queue_members[] = {
	M("request_id", STR, REQUIRED, request),
	M("queue", STR, REQUIRED, name),
	M("waited_from_unix_ms", U64, REQUIRED, start_ms),
	M("waited_from_run_us", U64, NULLABLE, start_us, START_US),
	M("waited_until_unix_ms", U64, REQUIRED, end_ms),
	M("waited_until_run_us", U64, NULLABLE, end_us, END_US),
	M("wait_us", U64, REQUIRED, dur_us),
	M("depth_at_start", U64, NULLABLE, depth),
	M("completed", NOT, DEFAULTED, flags, .flag = TAILBOX__PARTIAL),
	EXT,
};

static const struct tailbox__load_shape queue_shape = {
	.members = queue_members,
	.member_count = COUNT(queue_members),
	.owner = TAILBOX__LOAD_OF_SPAN,
	.flags = offsetof(TYPE, flags),
	.item_bytes = sizeof(TYPE),
};
#undef TYPE

#define TYPE struct tailbox__run_gauge
static const struct tailbox__load_member gauge_members[] = {
	M("gauge", STR, REQUIRED, gauge),
	M("at_unix_ms", U64, REQUIRED, at_ms),
	M("at_run_us", U64, NULLABLE, at_us, START_US),
	M("count", U64, REQUIRED, count),
};

static const struct tailbox__load_shape gauge_shape = {
	.members = gauge_members,
	.member_count = COUNT(gauge_members),
	.flags = offsetof(TYPE, flags),
	.item_bytes = sizeof(TYPE),
};
#undef TYPE

#define TYPE struct tailbox__run_snapshot
static const struct tailbox__load_member snapshot_members[] = {
	M("at_unix_ms", U64, REQUIRED, at_ms),
	M("at_run_us", U64, NULLABLE, at_us, START_US),
	M("alive_tasks", U64, NULLABLE, alive_tasks),
	M("worker_count", U32, NULLABLE, worker_count,
	  .flag = TAILBOX__HAS_WORKERS),
	M("global_queue_depth", U64, NULLABLE, global_queue_depth),
	M("local_queue_depth", U64, NULLABLE, local_queue_depth),
	M("blocking_queue_depth", U64, NULLABLE, blocking_queue_depth),
	M("remote_schedule_count", U64, NULLABLE, remote_schedule_count),
	EXT,
};

static const struct tailbox__load_shape snapshot_shape = {
	.members = snapshot_members,
	.member_count = COUNT(snapshot_members),
	.owner = TAILBOX__LOAD_OF_SNAPSHOT,
	.flags = offsetof(TYPE, flags),
	.item_bytes = sizeof(TYPE),
};
#undef TYPE

#define TYPE struct tailbox__run_truncation
static const struct tailbox__load_member truncation_members[] = {
	M("limits_hit", BOOL, DEFAULTED, limits_hit),
	M("dropped_requests", U64, REQUIRED, dropped_requests),
	M("dropped_stages", U64, REQUIRED, dropped_stages),
	M("dropped_queues", U64, REQUIRED, dropped_queues),
	M("dropped_inflight_snapshots", U64, REQUIRED,
	  dropped_inflight_snapshots),
	M("dropped_runtime_snapshots", U64, REQUIRED,
	  dropped_runtime_snapshots),
};

static const struct tailbox__load_shape truncation_shape = {
	.members = truncation_members,
	.member_count = COUNT(truncation_members),
};
#undef TYPE

#define TYPE struct tailbox__run
static const struct tailbox__load_member run_members[] = {
	M("schema_version", U64, REQUIRED, schema_version),
	M("metadata", OBJECT, REQUIRED, meta, .shape = &meta_shape),
	M("requests", ARRAY, REQUIRED, requests, .shape = &request_shape),
	M("stages", ARRAY, REQUIRED, stages, .shape = &stage_shape),
	M("queues", ARRAY, REQUIRED, queues, .shape = &queue_shape),
	M("inflight", ARRAY, REQUIRED, inflight, .shape = &gauge_shape),
	M("runtime_snapshots", ARRAY, REQUIRED, snapshots,
	  .shape = &snapshot_shape),
	M("truncation", OBJECT, DEFAULTED, truncation,
	  .shape = &truncation_shape),
	EXT,
};

const struct tailbox__load_shape tailbox__load_run_shape = {
	.members = run_members,
	.member_count = COUNT(run_members),
	.owner = TAILBOX__LOAD_OF_RUN,
};
#undef TYPE
