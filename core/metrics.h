/* core/metrics.h - what the sampler measures beyond the standard keys.
 *
 * SPDX-License-Identifier: MIT
 *
 * One row per metric: X(enumerator, JSON key, scope). The number of a metric
 * is its row and part of the tape's and the artifact's format: add at the
 * end, never reorder. Units are in the keys. A metric that is not known in a
 * sample is simply not there.
 *
 * Scopes: MACHINE has one value per sample; WORKER has one per worker (the
 * subject is the thread index on the tape); POOL one per registered pool
 * (subject: the pool's name); DAEMON one per daemon (subject: its number).
 */
#ifndef TAILBOX_CORE_METRICS_H
#define TAILBOX_CORE_METRICS_H 1

#define TAILBOX__METRICS(X)                                                    \
	X(CONNECTIONS, "connections", MACHINE)                                 \
	X(CONNECTION_LIMIT, "connection_limit", DAEMON)                        \
	X(ACCEPT_QUEUE, "accept_queue", DAEMON)                                \
	X(ACCEPT_QUEUE_LIMIT, "accept_queue_limit", DAEMON)                    \
	X(SUSPENDED, "suspended", MACHINE)                                     \
	X(BUSY_WORKERS, "busy_workers", MACHINE)                               \
	X(SAMPLER_LATE_US, "sampler_late_us", MACHINE)                         \
	X(WORKER_CPU_US, "cpu_us", WORKER)                                     \
	X(WORKER_RUNQ_US, "run_queue_us", WORKER)                              \
	X(WORKER_STATE, "state", WORKER)                                       \
	X(WORKER_WCHAN, "wchan", WORKER)                                       \
	X(WORKER_HELD_US, "held_us", WORKER)                                   \
	X(WORKER_ROUTE, "route", WORKER)                                       \
	X(WORKER_BEHIND, "behind", WORKER)                                     \
	X(WORKER_CONNECTIONS, "connections", WORKER)                           \
	X(POOL_WAITING, "waiting", POOL)                                       \
	X(POOL_BUSY, "busy", POOL)                                             \
	X(POOL_CAPACITY, "capacity", POOL)                                     \
	X(POOL_OLDEST_US, "oldest_wait_us", POOL)                              \
	X(PSI_CPU_US, "psi_cpu_some_us", MACHINE)                              \
	X(PSI_IO_US, "psi_io_some_us", MACHINE)                                \
	X(PSI_MEMORY_US, "psi_memory_some_us", MACHINE)                        \
	X(CGROUP_QUOTA_US, "cgroup_quota_us", MACHINE)                         \
	X(CGROUP_PERIOD_US, "cgroup_period_us", MACHINE)                       \
	X(CGROUP_THROTTLED, "cgroup_throttled_periods", MACHINE)               \
	X(CGROUP_THROTTLED_US, "cgroup_throttled_us", MACHINE)                 \
	X(LISTEN_OVERFLOWS, "listen_overflows", MACHINE)                       \
	X(LISTEN_DROPS, "listen_drops", MACHINE)                               \
	X(RSS_BYTES, "rss_bytes", MACHINE)                                     \
	X(CPUS_ONLINE, "cpus_online", MACHINE)                                 \
	X(PROCESS_CPU_US, "process_cpu_us", MACHINE)                           \
	X(OPEN_FDS, "open_fds", MACHINE)                                       \
	X(WORKER_READY, "ready_asleep", WORKER)                             \
	X(WORKER_SYSCALL, "syscall", WORKER)

enum tailbox__metric {
#define TAILBOX__X(id, key, scope) TAILBOX__METRIC_##id,
	TAILBOX__METRICS(TAILBOX__X)
#undef TAILBOX__X
	TAILBOX__METRIC_COUNT
};

enum tailbox__scope {
	TAILBOX__SCOPE_MACHINE,
	TAILBOX__SCOPE_WORKER,
	TAILBOX__SCOPE_POOL,
	TAILBOX__SCOPE_DAEMON
};

/* WORKER_STATE holds the letter of /proc/TID/stat as a number; WORKER_WCHAN,
 * WORKER_SYSCALL and WORKER_ROUTE hold a name (see tailbox__metric_is_name). */
struct tailbox__metric_info {
	const char *key;
	enum tailbox__scope scope;
};

extern const struct tailbox__metric_info
        tailbox__metric_info[TAILBOX__METRIC_COUNT];

/* Whether the value of a metric is a name (tape: name id; run: string). */
static inline int tailbox__metric_is_name(unsigned metric)
{
	return metric == TAILBOX__METRIC_WORKER_WCHAN ||
	       metric == TAILBOX__METRIC_WORKER_SYSCALL ||
	       metric == TAILBOX__METRIC_WORKER_ROUTE;
}

#endif
