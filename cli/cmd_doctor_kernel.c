/* cli/cmd_doctor_kernel.c - checks of what the kernel and a sandbox allow.
 *
 * SPDX-License-Identifier: MIT
 *
 * Of this machine each is tried here. Of a service, what its status says it
 * was allowed counts, since its sandbox is not ours.
 */
#include "cli/cmd_doctor.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <linux/tcp.h> /* longer than glibc's */
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/clock.h"

#define CLOCK_SOURCE                                                           \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define SLOW_READ_NS 100u /* a system call each, not the vDSO */
#define OPEN_FILES_MIN 1024u
#define OPEN_FILES_OWN 192u /* beside connections; doc/operate.md, Sizes */

/* --- clock ---------------------------------------------------------------- */

/* The best of a few rounds: others run here too. Thousandths of a ns. */
static uint64_t read_cost(void)
{
	enum { ROUNDS = 16, READS = 1000 };
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begun = cli__doctor_ns(), took;
		for (int k = 0; k < READS; k++)
			(void)tailbox__now();
		took = cli__doctor_ns() - begun;
		if (took < best)
			best = took;
	}
	return best * 1000 / READS;
}

static bool machine_clock(struct cli__finding *f)
{
	char source[64];
	int error = cli__doctor_read(CLOCK_SOURCE, source, sizeof(source));

	tailbox__clock_init();
	bool is_tsc = tailbox__clock.kind == TAILBOX__CLOCK_TSC;
	uint64_t cost = read_cost();
	bool is_slow = !is_tsc && cost / 1000 > SLOW_READ_NS;

	cli__found(f, CLI__HEALTHY,
	           "kernel's source %.40s%.60s; %s, a read costs %" PRIu64
	           ".%u ns, resolution %u ns",
	           error ? "cannot be read: " : source,
	           error ? tailbox_strerror(error) : "",
	           is_tsc ? "TSC used" : "CLOCK_MONOTONIC used, not the TSC",
	           cost / 1000, (unsigned)(cost % 1000 / 100),
	           (unsigned)tailbox__clock.res_ns);
	if (error) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "mount /sys where services run (read-only is "
		             "enough)");
	} else if (is_slow) {
		f->health = CLI__DEGRADED;
	}
	return true;
}

bool cli__check_clock(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *clock = tailbox__tree_member(p->status, "clock");
	const char *kind = tailbox__tree_text(clock, "kind");
	char source[64];

	if (!p->service)
		return machine_clock(f);
	if (!cli__is_alive(p->service))
		return false;
	if (!kind && p->reader) {
		uint32_t k = tailbox__reader_header(p->reader)->clock_kind;
		kind = k == TAILBOX__CLOCK_TSC         ? "tsc"
		       : k == TAILBOX__CLOCK_MONOTONIC ? "monotonic"
		                                       : "injected";
	}
	if (!kind)
		return false;
	if (p->service->url[0] && !strcmp(kind, "monotonic")) {
		cli__mend(f, "see that the service sees /sys, with tailbox "
		             "doctor there");
		return cli__found(f, CLI__DEGRADED,
		                  "CLOCK_MONOTONIC used; the kernel's own "
		                  "source is not seen from here");
	}
	source[0] = '\0'; /* ours says nothing of another machine's */
	if (!p->service->url[0])
		(void)cli__doctor_read(CLOCK_SOURCE, source, sizeof(source));
	bool is_missed = !strcmp(kind, "monotonic") &&
	                 tailbox__clock_is_by_tsc(source);
	cli__found(f, is_missed ? CLI__DEGRADED : CLI__HEALTHY, "%s%s",
	           !strcmp(kind, "tsc")         ? "TSC used"
	           : !strcmp(kind, "monotonic") ? "CLOCK_MONOTONIC used"
	                                        : kind,
	           is_missed ? ", though the kernel keeps time by the TSC: the "
	                       "service could not see that"
	                     : "");
	return true;
}

/* --- TCP_INFO ------------------------------------------------------------- */

/* A connection over the loopback interface; false and which call failed. */
static bool connect_pair(int fd[3], const char **call)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	struct sockaddr *to = (struct sockaddr *)&at;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*call = "socket";
	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd[i] < 0)
			return false;
	}
	*call = "listen on 127.0.0.1";
	if (bind(fd[0], to, sizeof(at)) || listen(fd[0], 1) ||
	    getsockname(fd[0], to, &len))
		return false;
	*call = "connect to 127.0.0.1";
	if (connect(fd[1], to, sizeof(at)))
		return false;
	*call = "accept";
	fd[2] = accept4(fd[0], NULL, NULL, SOCK_CLOEXEC);
	return fd[2] >= 0;
}

static bool machine_tcp_info(struct cli__finding *f)
{
	int fd[3] = { -1, -1, -1 };
	struct tcp_info info;
	socklen_t len = sizeof(info);
	const char *call;

	if (!connect_pair(fd, &call))
		cli__found(f, CLI__DEGRADED, "not known: cannot %s: %s", call,
		           tailbox_strerror(errno));
	else if (getsockopt(fd[2], IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		cli__found(f, CLI__DEGRADED,
		           "refused: %s: waits before the request line and "
		           "bytes sent are not known",
		           tailbox_strerror(errno));
	else if (len < offsetof(struct tcp_info, tcpi_dsack_dups))
		cli__found(f, CLI__DEGRADED,
		           "this kernel tells %u bytes of it: bytes sent are "
		           "not known",
		           (unsigned)len);
	else
		cli__found(f, CLI__HEALTHY,
		           "answers on a loopback connection, %u bytes",
		           (unsigned)len);
	for (int i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return true;
}

/* What status says in `allowed`: 1, 0, -1 = it does not know. */
static int is_allowed(const struct cli__patient *p, const char *what)
{
	tailbox__tree *a = tailbox__tree_member(p->status, "allowed");
	tailbox__tree *v = tailbox__tree_member(a, what);

	if (!v)
		return -1;
	return tailbox__tree_is_true(a, what) ? 1
	       : tailbox__tree_is_false(a, what) ? 0
	                                         : -1;
}

static bool service_says(const struct cli__patient *p, struct cli__finding *f,
                         const char *what, const char *without)
{
	int may = is_allowed(p, what);

	if (!p->status || may == 1)
		return p->status && cli__found(f, CLI__HEALTHY,
		                               "allowed, says the service");
	if (may == 0)
		return cli__found(f, CLI__DEGRADED, "refused, says the service: "
		                                    "%s", without);
	cli__found(f, CLI__DEGRADED, "the service does not know");
	cli__mend(f, "start it again with the library of this version");
	return true;
}

bool cli__check_tcp_info(struct cli__patient *p, struct cli__finding *f)
{
	if (!p->service)
		return machine_tcp_info(f);
	return service_says(p, f, "tcp_info",
	                    "waits before the request line and bytes sent are "
	                    "not known");
}

/* --- membarrier ----------------------------------------------------------- */

static bool machine_membarrier(struct cli__finding *f)
{
	const int wanted = MEMBARRIER_CMD_PRIVATE_EXPEDITED |
	                   MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	long has = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (has < 0)
		return cli__found(f, CLI__DEGRADED,
		                  "refused: %s: each request pays for a fence "
		                  "of its own",
		                  tailbox_strerror(errno));
	if ((has & wanted) != wanted)
		return cli__found(f, CLI__DEGRADED,
		                  "this kernel has no private expedited one: "
		                  "each request pays for a fence of its own");
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
	            0, 0) != 0 ||
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
		return cli__found(f, CLI__DEGRADED, "does not work: %s",
		                  tailbox_strerror(errno));
	return cli__found(f, CLI__HEALTHY, "works (private expedited)");
}

bool cli__check_membarrier(struct cli__patient *p, struct cli__finding *f)
{
	if (!p->service)
		return machine_membarrier(f);
	/* Unrecorded: nobody has tried. */
	if (p->status && !p->reader && is_allowed(p, "membarrier") < 0)
		return false;
	return service_says(p, f, "membarrier",
	                    "each request pays for a fence of its own");
}

/* --- /proc ---------------------------------------------------------------- */

static const char *const task_files[] = { "stat", "schedstat", "wchan",
	                                  "syscall", NULL };

/* Names of the files of our own task that do not tell; "" = all do. */
static void machine_proc(struct cli__finding *f)
{
	char path[96], text[512], missing[160] = "";
	long tid = syscall(SYS_gettid);

	if (access("/proc/self/stat", R_OK) != 0) {
		cli__found(f, CLI__DEGRADED,
		           "/proc is not there (%s): no CPU time, run-queue "
		           "wait or state of workers, no pressure, no idle "
		           "workers",
		           tailbox_strerror(errno));
		return;
	}
	for (size_t i = 0; task_files[i]; i++) {
		size_t len = strlen(missing);
		snprintf(path, sizeof(path), "/proc/self/task/%ld/%s", tid,
		         task_files[i]);
		int error = cli__doctor_read(path, text, sizeof(text));
		if (error != 0 || !text[0])
			snprintf(missing + len, sizeof(missing) - len,
			         "%s%s (%s)", len ? ", " : "", task_files[i],
			         error ? tailbox_strerror(error) : "empty");
	}
	if (!missing[0]) {
		cli__found(f, CLI__HEALTHY, "task/*/stat, schedstat, wchan and "
		                            "syscall can be read");
		return;
	}
	cli__found(f, CLI__DEGRADED, "of task/*/ cannot be read: %s", missing);
	cli__mend(f, "a kernel with CONFIG_SCHED_INFO and CONFIG_STACKTRACE, "
	             "or a sandbox that lets a process read its own /proc");
}

bool cli__check_proc(struct cli__patient *p, struct cli__finding *f)
{
	char path[96], missing[96] = "";
	struct stat st;
	DIR *tasks;

	if (!p->service) {
		machine_proc(f);
		return true;
	}
	snprintf(path, sizeof(path), "/proc/%ld/task", (long)p->pid);
	tasks = p->pid > 0 ? opendir(path) : NULL;
	if (!tasks)
		return false; /* our own /proc: the machine's check tells */
	unsigned threads = 0;
	for (struct dirent *e; (e = readdir(tasks));)
		threads += e->d_name[0] != '.';
	closedir(tasks);
	/* Its own view: with a root of its own there may be none. */
	snprintf(path, sizeof(path), "/proc/%ld/root/proc/self", (long)p->pid);
	if (lstat(path, &st) != 0 && errno == ENOENT)
		return cli__found(f, CLI__DEGRADED,
		                  "the service has no /proc in its root: no "
		                  "CPU time, run-queue wait or state of "
		                  "workers");
	for (size_t i = 0; task_files[i]; i++) {
		size_t len = strlen(missing);
		snprintf(path, sizeof(path), "/proc/%ld/task/%ld/%s",
		         (long)p->pid, (long)p->pid, task_files[i]);
		if (access(path, F_OK) != 0)
			snprintf(missing + len, sizeof(missing) - len, "%s%s",
			         len ? ", " : "", task_files[i]);
	}
	return missing[0] ? cli__found(f, CLI__DEGRADED,
	                               "%u threads; of task/*/ missing: %s",
	                               threads, missing)
	                  : cli__found(f, CLI__HEALTHY,
	                               "%u threads, all files there", threads);
}

/* --- PSI ------------------------------------------------------------------ */

bool cli__check_psi(struct cli__patient *p, struct cli__finding *f)
{
	static const char *const names[] = { "cpu", "memory", "io" };
	char path[64], text[160], found[200] = "";

	(void)p;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(found);
		snprintf(path, sizeof(path), "/proc/pressure/%s", names[i]);
		int error = cli__doctor_read(path, text, sizeof(text));
		const char *average = strstr(text, "avg10=");
		if (error != 0 || !average)
			return cli__found(f, CLI__DEGRADED,
			                  "%s: %s: whether others take the "
			                  "CPU, memory or disk is not known",
			                  path,
			                  error ? tailbox_strerror(error)
			                        : "not as expected");
		snprintf(found + len, sizeof(found) - len, "%s%s %.*s%%",
		         len ? ", " : "", names[i],
		         (int)strcspn(average + 6, " "), average + 6);
	}
	return cli__found(f, CLI__HEALTHY, "some of the last 10 s: %s", found);
}

/* --- limits --------------------------------------------------------------- */

static const char *limit_text(rlim_t limit, char *buf, size_t size)
{
	if (limit == RLIM_INFINITY)
		snprintf(buf, size, "unlimited");
	else
		snprintf(buf, size, "%llu", (unsigned long long)limit);
	return buf;
}

/* Connections that its daemons let in, all together; 0 = not known. */
static uint64_t connections_wanted(const struct cli__patient *p)
{
	tailbox__tree *list = tailbox__tree_member(p->status, "daemons");
	uint64_t sum = 0;

	for (size_t i = 0; i < tailbox__tree_count(list); i++)
		sum += tailbox__tree_number(tailbox__tree_at(list, i),
		                            "connection_limit", 0);
	return sum;
}

bool cli__check_limits(struct cli__patient *p, struct cli__finding *f)
{
	struct rlimit files, core;
	pid_t pid = p->service ? p->pid : getpid();
	uint64_t wanted = connections_wanted(p);
	uint64_t least = p->service ? wanted + OPEN_FILES_OWN : OPEN_FILES_MIN;
	char soft[24], hard[24], cores[24], for_text[64] = "";

	if (pid <= 0 || prlimit(pid, RLIMIT_NOFILE, NULL, &files) != 0 ||
	    prlimit(pid, RLIMIT_CORE, NULL, &core) != 0)
		return false;
	if (wanted)
		snprintf(for_text, sizeof(for_text),
		         " for at most %" PRIu64 " connections", wanted);
	cli__found(f,
	           files.rlim_cur != RLIM_INFINITY && files.rlim_cur < least
	                   ? CLI__DEGRADED
	                   : CLI__HEALTHY,
	           "open files %s (hard %s)%s; core %s%s",
	           limit_text(files.rlim_cur, soft, sizeof(soft)),
	           limit_text(files.rlim_max, hard, sizeof(hard)), for_text,
	           limit_text(core.rlim_cur, cores, sizeof(cores)),
	           core.rlim_cur == 0 ? ": a crash leaves the tape, no core"
	                              : "");
	return true;
}
