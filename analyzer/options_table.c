/* analyzer/options_table.c - the options: path, default, type and help.
 *
 * SPDX-License-Identifier: MIT
 *
 * Everything else about an option follows from its row: how it is found, read,
 * told and explained. The order is that of the enumeration, which is that of
 * the help and decides which of two equally near paths is suggested. `allowed`
 * is for people; options_check.c has the rules.
 */
#include "analyzer/options_internal.h"

#define SIZE TAILBOX__OPTION_SIZE
#define U64 TAILBOX__OPTION_U64
#define U8 TAILBOX__OPTION_U8
#define BOOL TAILBOX__OPTION_BOOL
#define LIST TAILBOX__OPTION_LIST
#define O(name) [TAILBOX__OPT_##name]

const struct tailbox__option_info
        tailbox__option_table[TAILBOX__OPT_COUNT] = {
	O(QUEUEING_TRIGGER_PERMILLE) = {
		"queueing.trigger_permille", U64, 300, NULL, "0 to 1000",
		"the share of request time spent waiting in queues, at p95 "
		"and in permille, from which application_queue_saturation is "
		"a suspect",
		"only heavier queueing makes a suspect",
		"lighter queueing does, too; with 0 it always is one" },
	O(BLOCKING_MIN_NONZERO_SAMPLES) = {
		"blocking.min_nonzero_samples_for_signal", SIZE, 2, NULL, NULL,
		"how many samples with a backlog of the offload pool make "
		"blocking_pool_pressure a suspect when the p95 is 0",
		"short and rare backlogs are passed over",
		"they make a suspect; with 0 any sample does" },
	O(BLOCKING_STRONG_P95) = {
		"blocking.strong_p95_threshold", U64, 12, NULL, NULL,
		"the p95 of the pool's backlog from which pool pressure is "
		"strong; only strong pressure outranks a stage that looks "
		"like blocking work",
		"such a stage is blamed more often",
		"the pool is blamed more often" },
	O(BLOCKING_STRONG_PEAK) = {
		"blocking.strong_peak_threshold", U64, 20, NULL, NULL,
		"the highest backlog of the pool from which pool pressure is "
		"strong",
		"such a stage is blamed more often",
		"the pool is blamed more often" },
	O(BLOCKING_STRONG_NONZERO_PERMILLE) = {
		"blocking.strong_nonzero_share_permille", U64, 700, NULL,
		"0 to 1000",
		"the share of samples with a backlog, in permille, from which "
		"pool pressure is strong",
		"the backlog has to be there more constantly",
		"a backlog that comes and goes is strong, too" },
	O(BLOCKING_STRONG_MIN_SAMPLES) = {
		"blocking.strong_min_samples", SIZE, 30, NULL, NULL,
		"how many samples of the pool's backlog strong pressure needs",
		"short runs cannot show strong pressure",
		"few samples are enough to" },
	O(EXECUTOR_MIN_GLOBAL_P95) = {
		"executor.min_global_queue_p95_for_signal", U64, 1, NULL, NULL,
		"the p95 of waiting work from which "
		"executor_pressure_suspected is a suspect when the number of "
		"workers is not usable",
		"only longer queues make a suspect",
		"shorter ones do, too; with 0 any sample does" },
	O(EXECUTOR_MIN_PER_WORKER_MILLI) = {
		"executor.min_runnable_queue_per_worker_p95_milli_for_signal",
		U64, 500, NULL, NULL,
		"the p95 of waiting work per worker, in thousandths, from "
		"which executor_pressure_suspected is a suspect when the "
		"number of workers is known throughout",
		"only longer queues make a suspect",
		"shorter ones do, too; with 0 any sample does" },
	O(DOWNSTREAM_MIN_STAGE_SAMPLES) = {
		"downstream.min_stage_samples", SIZE, 3, NULL, NULL,
		"how many requests must have a stage before it can be the "
		"suspect of downstream_stage_dominates",
		"rare stages are passed over",
		"rare stages can be suspects" },
	O(DOWNSTREAM_PATTERNS) = {
		"downstream.blocking_correlated_stage_patterns", LIST, 0,
		"spawn_blocking,blocking_path,blocking",
		"at least one, none blank",
		"texts that mark a stage as blocking work when its name has "
		"one of them in it (in capitals or not); its score then stays "
		"below that of strong pool pressure",
		"with more texts the pool is blamed for more stages",
		"with fewer texts more stages are judged by their time alone" },
	O(DOWNSTREAM_MARGIN) = {
		"downstream.blocking_correlation_score_margin", U8, 2, NULL,
		"0 to 100",
		"how many points such a stage stays below strong pool "
		"pressure",
		"it falls further behind the pool, perhaps behind others",
		"it comes closer; with 0 the two may be equal" },
	O(CONFIDENCE_MEDIUM) = {
		"confidence.medium_score_threshold", U8, 65, NULL,
		"at most confidence.high_score_threshold",
		"the score from which confidence is medium",
		"more suspects have low confidence",
		"fewer have" },
	O(CONFIDENCE_HIGH) = {
		"confidence.high_score_threshold", U8, 85, NULL,
		"confidence.medium_score_threshold to 100",
		"the score from which confidence is high; from it on no "
		"warning says that runtime samples are missing beside a queue "
		"or a stage",
		"fewer suspects have high confidence",
		"more have" },
	O(CONFIDENCE_AMBIGUITY_MIN_SCORE) = {
		"confidence.ambiguity_min_score", U8, 60, NULL, "0 to 100",
		"the score that suspects must have before a close ranking is "
		"called ambiguous, which limits confidence to medium",
		"only strong suspects count as rivals",
		"weak ones do, too" },
	O(CONFIDENCE_AMBIGUITY_GAP) = {
		"confidence.ambiguity_score_gap", U8, 4, NULL, "0 to 100",
		"how many points the leading suspects may be apart and still "
		"be called ambiguous",
		"more rankings are ambiguous",
		"fewer are; with 0 only equal scores" },
	O(EVIDENCE_LOW_REQUESTS) = {
		"evidence.low_completed_request_threshold", SIZE, 20, NULL,
		NULL,
		"with fewer finished requests the evidence is weak and "
		"confidence at most medium",
		"longer runs are needed for high confidence",
		"short runs can have it; their ranking is less stable" },
	O(ROUTE_MIN_REQUESTS) = {
		"route.min_request_count", SIZE, 3, NULL, NULL,
		"how many requests a route needs to be analysed for itself",
		"rare routes are left out",
		"rare routes are analysed, with little evidence" },
	O(ROUTE_LIMIT) = {
		"route.breakdown_limit", SIZE, 10, NULL, "1 or more",
		"how many routes are reported, the slowest first",
		"longer reports",
		"shorter reports; fast routes are left out" },
	O(ROUTE_ON_DIVERGENT) = {
		"route.emit_on_divergent_suspects", BOOL, true, NULL, NULL,
		"whether routes are reported because they have different "
		"primary suspects",
		"they are, and a warning says so",
		"they are reported for their latencies only" },
	O(ROUTE_FASTEST_NUM) = {
		"route.slowest_to_fastest_p95_ratio_numerator", U64, 3, NULL,
		"1 or more, at least the denominator",
		"routes are reported when the p95 of the slowest is at least "
		"numerator / denominator times that of the fastest",
		"routes must differ more",
		"smaller differences are reported" },
	O(ROUTE_FASTEST_DEN) = {
		"route.slowest_to_fastest_p95_ratio_denominator", U64, 2,
		NULL, "1 or more, at most the numerator",
		"the denominator of that ratio",
		"smaller differences are reported",
		"routes must differ more" },
	O(ROUTE_GLOBAL_NUM) = {
		"route.slowest_to_global_p95_ratio_numerator", U64, 5, NULL,
		"1 or more, at least the denominator",
		"routes are reported when the p95 of the slowest is at least "
		"numerator / denominator times that of all requests",
		"the slowest route must stand out more",
		"it is reported when it stands out less" },
	O(ROUTE_GLOBAL_DEN) = {
		"route.slowest_to_global_p95_ratio_denominator", U64, 4, NULL,
		"1 or more, at most the numerator",
		"the denominator of that ratio",
		"the slowest route is reported when it stands out less",
		"it must stand out more" },
	O(TEMPORAL_MIN_REQUESTS) = {
		"temporal.min_request_count", SIZE, 20, NULL,
		"at least twice temporal.min_segment_request_count",
		"how many requests a run needs to be compared half by half",
		"short runs are not compared",
		"short runs are compared, with little evidence" },
	O(TEMPORAL_MIN_SEGMENT_REQUESTS) = {
		"temporal.min_segment_request_count", SIZE, 8, NULL,
		"1 to half of temporal.min_request_count",
		"how many requests each half needs",
		"short runs are not compared",
		"halves with few requests are compared" },
	O(TEMPORAL_SHARE_SHIFT_PERMILLE) = {
		"temporal.share_shift_permille", U64, 200, NULL, "0 to 1000",
		"by how much the queue share or the service share at p95, in "
		"permille, must change between the halves to count as a "
		"movement",
		"only greater changes are reported",
		"smaller ones are, too; with 0 every pair of halves is" },
	O(TEMPORAL_P95_NUM) = {
		"temporal.p95_shift_ratio_numerator", U64, 3, NULL,
		"1 or more, at least the denominator",
		"a change of the p95 latency between the halves counts as a "
		"movement from numerator / denominator times on",
		"only greater changes are reported",
		"smaller ones are, too" },
	O(TEMPORAL_P95_DEN) = {
		"temporal.p95_shift_ratio_denominator", U64, 2, NULL,
		"1 or more, at most the numerator",
		"the denominator of that ratio",
		"smaller changes are reported",
		"only greater ones are" },
	O(TEMPORAL_ON_SHIFT) = {
		"temporal.emit_on_suspect_shift", BOOL, true, NULL, NULL,
		"whether the halves are reported because their primary "
		"suspects differ",
		"they are, and a warning says so",
		"they are reported for movements only" },
	O(TEMPORAL_SUPPRESS_SPARSE) = {
		"temporal.suppress_runtime_sparse_suspect_shift_without_"
		"supporting_movement", BOOL, true, NULL, NULL,
		"whether a change to or from a suspect of the runtime is "
		"ignored when samples are sparse and neither latency nor "
		"shares moved",
		"it is ignored: sparse samples often make such a change",
		"it counts as any other" },
};
