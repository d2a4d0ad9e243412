/* sampler/machine.c - the machine, the container and the process as a whole.
 *
 * SPDX-License-Identifier: MIT
 *
 * These files are dear (netstat alone is 40 to 120 us) and what they tell
 * moves slowly, so they are looked at once a second whatever the cadence, and
 * samples in between leave the values out.
 *
 * Counters are passed on as the kernel counts them, since boot, since the
 * group or the process was made: whoever reads two samples takes the
 * difference, and a sample that was lost then loses nothing.
 *
 * cpus_online counts the online CPUs that this process may run on, as the
 * scheduler has it: in a container that is pinned to two CPUs of 64 the other
 * 62 are no use to it.
 */
#include "sampler/machine.h"

#include <dirent.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define SECOND_NS UINT64_C(1000000000)

enum {
	CGROUP_EVERY_S = 60,   /* a process may be moved; quotas move rarely */
	FDS_PER_SECOND = 1000, /* descriptors listed at the most */
	CPUS_MAX = 8192
};

void tailbox__machine_init(struct tailbox__machine *m)
{
	const struct tailbox__proc_file closed = TAILBOX__PROC_FILE;

	m->psi[0] = m->psi[1] = m->psi[2] = closed;
	m->netstat = m->statm = closed;
	m->cgroup.dir[0] = '\0';
	m->cgroup.stat = m->cgroup.quota = m->cgroup.period = closed;
	m->next_ns = m->next_cgroup_ns = m->next_listing_ns = 0;
}

void tailbox__machine_close(struct tailbox__machine *m)
{
	for (int i = 0; i < 3; i++)
		tailbox__proc_close(&m->psi[i]);
	tailbox__proc_close(&m->netstat);
	tailbox__proc_close(&m->statm);
	tailbox__cgroup_close(&m->cgroup);
}

static void add_psi(struct tailbox__machine *m, struct tailbox__values *out)
{
	static const struct {
		const char *path;
		enum tailbox__metric metric;
	} of[3] = {
		{ "/proc/pressure/cpu", TAILBOX__METRIC_PSI_CPU_US },
		{ "/proc/pressure/io", TAILBOX__METRIC_PSI_IO_US },
		{ "/proc/pressure/memory", TAILBOX__METRIC_PSI_MEMORY_US },
	};

	for (int i = 0; i < 3; i++)
		if (tailbox__proc_read(&m->psi[i], of[i].path, m->text,
		                       sizeof(m->text)) >= 0)
			tailbox__values_add(out, of[i].metric, 0,
			                    tailbox__parse_psi(m->text));
}

static void find_cgroup(struct tailbox__machine *m, uint64_t mono_ns)
{
	struct tailbox__proc_file own = TAILBOX__PROC_FILE;

	if (mono_ns < m->next_cgroup_ns)
		return;
	m->next_cgroup_ns = mono_ns + CGROUP_EVERY_S * SECOND_NS;
	tailbox__proc_read(&own, "/proc/thread-self/cgroup", m->text,
	                   sizeof(m->text));
	tailbox__proc_close(&own);
	tailbox__cgroup_find(&m->cgroup, m->text, "/sys/fs/cgroup");
}

static void add_cgroup(struct tailbox__machine *m, uint64_t mono_ns,
                       struct tailbox__values *out)
{
	struct tailbox__cgroup_look look;

	find_cgroup(m, mono_ns);
	tailbox__cgroup_look(&m->cgroup, &look);
	tailbox__values_add(out, TAILBOX__METRIC_CGROUP_QUOTA_US, 0,
	                    look.quota_us);
	tailbox__values_add(out, TAILBOX__METRIC_CGROUP_PERIOD_US, 0,
	                    look.period_us);
	tailbox__values_add(out, TAILBOX__METRIC_CGROUP_THROTTLED, 0,
	                    look.throttled);
	tailbox__values_add(out, TAILBOX__METRIC_CGROUP_THROTTLED_US, 0,
	                    look.throttled_us);
}

/* Of the sampler's own thread, not "self": that is the process's first
 * thread, which may have ended or be in another network namespace. */
static void add_network(struct tailbox__machine *m,
                        struct tailbox__values *out)
{
	if (tailbox__proc_read(&m->netstat, "/proc/thread-self/net/netstat",
	                       m->text, sizeof(m->text)) < 0)
		return;
	tailbox__values_add(
	        out, TAILBOX__METRIC_LISTEN_OVERFLOWS, 0,
	        tailbox__parse_netstat(m->text, "ListenOverflows"));
	tailbox__values_add(out, TAILBOX__METRIC_LISTEN_DROPS, 0,
	                    tailbox__parse_netstat(m->text, "ListenDrops"));
}

static void add_memory(struct tailbox__machine *m,
                       struct tailbox__values *out)
{
	uint64_t bytes;

	if (tailbox__proc_read(&m->statm, "/proc/thread-self/statm", m->text,
	                       sizeof(m->text)) < 0)
		return;
	uint64_t pages = tailbox__parse_statm(m->text);
	if (pages == TAILBOX__UNKNOWN ||
	    __builtin_mul_overflow(pages, (uint64_t)sysconf(_SC_PAGESIZE),
	                           &bytes))
		return;
	tailbox__values_add(out, TAILBOX__METRIC_RSS_BYTES, 0, bytes);
}

static void add_cpus(struct tailbox__values *out)
{
	unsigned long mask[CPUS_MAX / (8 * sizeof(unsigned long))];

	/* Of the process's first thread: single threads may be pinned. */
	if (sched_getaffinity(getpid(), sizeof(mask), (cpu_set_t *)mask) == 0)
		tailbox__values_add(
		        out, TAILBOX__METRIC_CPUS_ONLINE, 0,
		        (uint64_t)CPU_COUNT_S(sizeof(mask),
		                              (cpu_set_t *)mask));
}

static uint64_t list_fds(void)
{
	uint64_t count = 0;
	DIR *dir = opendir("/proc/thread-self/fd");

	if (!dir)
		return TAILBOX__UNKNOWN;
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count - 1; /* that of the folder itself */
}

uint64_t tailbox__open_fds(bool *was_listed)
{
	struct stat st;

	/* Linux 6.2 and newer give the number as the folder's size. */
	*was_listed = stat("/proc/thread-self/fd", &st) != 0 || st.st_size <= 0;
	return *was_listed ? list_fds() : (uint64_t)st.st_size;
}

/* Listing takes time by the descriptor, so a process with 10,000 of them is
 * counted every tenth second only. */
static void add_fds(struct tailbox__machine *m, uint64_t mono_ns,
                    struct tailbox__values *out)
{
	bool was_listed;

	if (mono_ns < m->next_listing_ns)
		return;
	uint64_t count = tailbox__open_fds(&was_listed);
	if (count == TAILBOX__UNKNOWN)
		return;
	if (was_listed)
		m->next_listing_ns =
		        mono_ns + count * (SECOND_NS / FDS_PER_SECOND);
	tailbox__values_add(out, TAILBOX__METRIC_OPEN_FDS, 0, count);
}

void tailbox__machine_add(struct tailbox__machine *m, uint64_t mono_ns,
                          struct tailbox__values *out)
{
	struct timespec used;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
		tailbox__values_add(out, TAILBOX__METRIC_PROCESS_CPU_US, 0,
		                    (uint64_t)used.tv_sec * 1000000u +
		                            (uint64_t)used.tv_nsec / 1000u);
	if (mono_ns < m->next_ns)
		return;
	/* A grid, so that a cadence of 300 ms does not make it 1.2 s. */
	m->next_ns += SECOND_NS;
	if (m->next_ns <= mono_ns)
		m->next_ns = mono_ns + SECOND_NS;
	add_psi(m, out);
	add_cgroup(m, mono_ns, out);
	add_network(m, out);
	add_memory(m, out);
	add_cpus(out);
	add_fds(m, mono_ns, out);
}
