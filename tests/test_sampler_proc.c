/* tests/test_sampler_proc.c - texts of the kernel, real and broken; files
 * that are kept open; the listen socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "sampler/cgroup.h"
#include "sampler/listen.h"
#include "sampler/machine.h"
#include "sampler/proc.h"
#include "sampler/values.h"
#include "tests/recorder_fixture.h"

#define UNKNOWN TAILBOX__UNKNOWN

/* --- parsers -------------------------------------------------------------- */

START_TEST(numbers_are_digits_and_nothing_else)
{
	static const struct {
		const char *text;
		uint64_t want;
		int end;
	} of[] = {
		{ "0", 0, 1 },          { "  17 18", 17, 4 },
		{ "9\n", 9, 1 },        { "007", 7, 3 },
		{ "", UNKNOWN, 0 },     { " ", UNKNOWN, 0 },
		{ "-1", UNKNOWN, 0 },   { "+1", UNKNOWN, 0 },
		{ "max", UNKNOWN, 0 },  { "12x", UNKNOWN, 0 },
		{ "1.5", UNKNOWN, 0 },  { "\n5", UNKNOWN, 0 },
		{ "18446744073709551614", UINT64_MAX - 1, 20 },
		{ "18446744073709551616", UNKNOWN, 0 },
		{ "99999999999999999999999", UNKNOWN, 0 },
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		const char *end;

		ck_assert_uint_eq(tailbox__parse_number(of[i].text, &end),
		                  of[i].want);
		ck_assert_int_eq(end - of[i].text, of[i].end);
	}
}
END_TEST

START_TEST(schedstat_is_three_numbers)
{
	static const char *const broken[] = { "", "\n", "1", "1 ", "a b c",
		                              "1 -2 3", "1,2,3", "1 2" };
	uint64_t run = 5, wait = 6, slices = 7;

	ck_assert(tailbox__parse_schedstat("1341740 77 12\n", &run, &wait,
	                                   &slices));
	ck_assert_uint_eq(run, 1341740);
	ck_assert_uint_eq(wait, 77);
	ck_assert_uint_eq(slices, 12);
	ck_assert(tailbox__parse_schedstat("0 0 0", &run, &wait, &slices));
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		ck_assert(!tailbox__parse_schedstat(broken[i], &run, &wait,
		                                    &slices));
	ck_assert_uint_eq(run, 0); /* left alone */
}
END_TEST

START_TEST(state_stands_behind_the_last_parenthesis)
{
	static const struct {
		const char *text;
		int want;
	} of[] = {
		{ "912 (MHD-worker) S 1 912", 'S' },
		{ "912 (a) R (b) D 1 912", 'D' },
		{ "912 (x) y) Z) t 1", 't' },
		{ "912 () I 2", 'I' },
		{ "912 (MHD-worker) S", 0 }, /* cut */
		{ "912 (MHD-worker) ", 0 },
		{ "912 (MHD-worker)", 0 },
		{ "912 (MHD-worker", 0 },
		{ "912 (a) 5 1", 0 },
		{ "912 (a) SS 1", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		ck_assert_int_eq(tailbox__parse_state(of[i].text),
		                 of[i].want);
}
END_TEST

START_TEST(wchan_is_a_name_or_unknown)
{
	char name[16];

	ck_assert(tailbox__parse_wchan("do_epoll_wait", name, sizeof(name)));
	ck_assert_str_eq(name, "do_epoll_wait");
	ck_assert(tailbox__parse_wchan("futex_wait\n", name, sizeof(name)));
	ck_assert_str_eq(name, "futex_wait");
	/* One below the room, and the room. */
	ck_assert(tailbox__parse_wchan("a23456789012345", name,
	                               sizeof(name)));
	ck_assert(!tailbox__parse_wchan("a234567890123456", name,
	                                sizeof(name)));
	ck_assert(!tailbox__parse_wchan("0", name, sizeof(name)));
	ck_assert(!tailbox__parse_wchan("", name, sizeof(name)));
	ck_assert(!tailbox__parse_wchan("a\x01"
	                                "b",
	                                name, sizeof(name)));
	ck_assert(!tailbox__parse_wchan("\xff", name, sizeof(name)));
}
END_TEST

START_TEST(psi_is_the_total_of_some)
{
	ck_assert_uint_eq(
	        tailbox__parse_psi(
	                "some avg10=1.14 avg60=0.70 avg300=0.25 "
	                "total=4983334\n"
	                "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
	        4983334);
	ck_assert_uint_eq(tailbox__parse_psi("full total=7\nsome total=0"),
	                  0);
	ck_assert_uint_eq(tailbox__parse_psi("full avg10=0.00 total=7\n"),
	                  UNKNOWN);
	/* Not the total of the next line. */
	ck_assert_uint_eq(tailbox__parse_psi("some avg10=0\nfull total=7\n"),
	                  UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_psi("some total=\n"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_psi("some total= 5\n"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_psi(""), UNKNOWN);
}
END_TEST

START_TEST(keyed_lines_match_whole_keys)
{
	static const char text[] = "nr_periods 12\n"
	                           "nr_throttled_more 9\n"
	                           "nr_throttled 3\n"
	                           "x throttled_usec 1\n"
	                           "throttled_usec 4500\n"
	                           "last";

	ck_assert_uint_eq(tailbox__parse_keyed(text, "nr_periods"), 12);
	ck_assert_uint_eq(tailbox__parse_keyed(text, "nr_throttled"), 3);
	ck_assert_uint_eq(tailbox__parse_keyed(text, "throttled_usec"), 4500);
	ck_assert_uint_eq(tailbox__parse_keyed(text, "usec"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_keyed(text, "last"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_keyed("", "nr_periods"), UNKNOWN);
	/* A key that begins with itself. */
	ck_assert_uint_eq(tailbox__parse_keyed("aa 1\na 2\n", "a"), 2);
}
END_TEST

START_TEST(netstat_pairs_names_and_numbers)
{
	static const char text[] = "TcpExt: SyncookiesSent ListenOverflows "
	                           "ListenDrops TCPHPHits\n"
	                           "TcpExt: 765 42 43 9\n"
	                           "IpExt: ListenDrops\nIpExt: 1\n";

	ck_assert_uint_eq(tailbox__parse_netstat(text, "ListenOverflows"),
	                  42);
	ck_assert_uint_eq(tailbox__parse_netstat(text, "ListenDrops"), 43);
	ck_assert_uint_eq(tailbox__parse_netstat(text, "Listen"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_netstat(text, "TCPHPHits"), 9);
	/* Fewer numbers than names, the second line missing or another. */
	ck_assert_uint_eq(tailbox__parse_netstat("TcpExt: A B\nTcpExt: 1\n",
	                                         "B"),
	                  UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_netstat("TcpExt: A\n", "A"),
	                  UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_netstat("TcpExt: A", "A"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_netstat("TcpExt: A\nIpExt: 5\n",
	                                         "A"),
	                  UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_netstat("", "A"), UNKNOWN);
}
END_TEST

START_TEST(statm_second_field_is_resident)
{
	ck_assert_uint_eq(tailbox__parse_statm("900 123 4 5 0 6 0\n"), 123);
	ck_assert_uint_eq(tailbox__parse_statm("900"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_statm("x 5"), UNKNOWN);
	ck_assert_uint_eq(tailbox__parse_statm(""), UNKNOWN);
}
END_TEST

/* Every text cut at every byte: no parser may read beyond its end (the
 * sanitizer looks), and none may make up a number that was never there. */
START_TEST(texts_cut_at_every_byte_are_safe)
{
	static const char text[] =
	        "some avg10=1.14 total=49\nnr_throttled 12\n"
	        "TcpExt: A ListenDrops\nTcpExt: 1 23\n1 (a) S 1 5\n"
	        "0::/a\n4:cpu,cpuacct:/b\nmax 100000\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		char *cut = malloc(n + 1);
		char out[8];
		uint64_t a, b, c;

		memcpy(cut, text, n);
		cut[n] = '\0';
		a = tailbox__parse_psi(cut);
		ck_assert(a == UNKNOWN || a == 4 || a == 49);
		a = tailbox__parse_keyed(cut, "nr_throttled");
		ck_assert(a == UNKNOWN || a == 1 || a == 12);
		a = tailbox__parse_netstat(cut, "ListenDrops");
		ck_assert(a == UNKNOWN || a == 2 || a == 23);
		tailbox__parse_state(cut);
		tailbox__parse_statm(cut);
		tailbox__parse_wchan(cut, out, sizeof(out));
		tailbox__parse_schedstat(cut, &a, &b, &c);
		tailbox__parse_cpu_max(cut, &a, &b);
		tailbox__parse_own_cgroup(cut, true, out, sizeof(out));
		tailbox__parse_own_cgroup(cut, false, out, sizeof(out));
		free(cut);
	}
}
END_TEST

/* --- files ---------------------------------------------------------------- */

static char folder[64];

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void remove_folder(void)
{
	/* Depth first: everything is empty by the time it is removed. */
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* folder/path, with the folders on the way. */
static void write_file(const char *path, const char *text)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", folder, path);
	for (char *at = full + strlen(folder) + 1; (at = strchr(at, '/'));
	     at++) {
		*at = '\0';
		mkdir(full, 0700);
		*at = '/';
	}
	FILE *f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(a_file_is_read_anew_from_its_start)
{
	struct tailbox__proc_file f = TAILBOX__PROC_FILE;
	char path[128], buf[16];

	write_file("x", "first");
	snprintf(path, sizeof(path), "%s/x", folder);
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), 5);
	ck_assert_str_eq(buf, "first");
	int fd = f.fd;
	write_file("x", "2nd");
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), 3);
	ck_assert_str_eq(buf, "2nd");
	ck_assert_int_eq(f.fd, fd);
	ck_assert_uint_eq(f.opened, 1);
	tailbox__proc_close(&f);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	tailbox__proc_close(&f);
}
END_TEST

START_TEST(a_text_too_long_keeps_whole_lines)
{
	struct tailbox__proc_file f = TAILBOX__PROC_FILE;
	char path[128], buf[8];

	/* One below the room, at it and above: "1234" must not read as 1. */
	write_file("x", "12\n456");
	snprintf(path, sizeof(path), "%s/x", folder);
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), 6);
	ck_assert_str_eq(buf, "12\n456");
	write_file("x", "12\n4567");
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), 3);
	ck_assert_str_eq(buf, "12\n");
	write_file("x", "12345678");
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "");
	tailbox__proc_close(&f);
}
END_TEST

START_TEST(what_is_not_there_is_asked_for_once)
{
	struct tailbox__proc_file f = TAILBOX__PROC_FILE;
	char path[128], buf[8] = "junk";

	snprintf(path, sizeof(path), "%s/later", folder);
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), -1);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(f.fd, TAILBOX__PROC_ABSENT);
	write_file("later", "now");
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), -1);
	tailbox__proc_close(&f);
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), 3);
	tailbox__proc_close(&f);
	/* A folder opens and cannot be read. */
	ck_assert_int_eq(tailbox__proc_read(&f, folder, buf, sizeof(buf)),
	                 -1);
	ck_assert_int_eq(f.fd, TAILBOX__PROC_ABSENT);
}
END_TEST

struct mortal {
	sem_t is_there, may_end;
	uint32_t tid;
};

static void *live(void *arg)
{
	struct mortal *m = arg;

	m->tid = (uint32_t)syscall(SYS_gettid);
	sem_post(&m->is_there);
	sem_wait(&m->may_end);
	return NULL;
}

START_TEST(a_thread_that_ended_is_unknown)
{
	struct tailbox__proc_file f = TAILBOX__PROC_FILE;
	char path[64], buf[1024];
	struct mortal m;
	pthread_t thread;

	sem_init(&m.is_there, 0, 0);
	sem_init(&m.may_end, 0, 0);
	pthread_create(&thread, NULL, live, &m);
	sem_wait(&m.is_there);
	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", m.tid);
	ck_assert_int_gt(tailbox__proc_read(&f, path, buf, sizeof(buf)), 0);
	ck_assert_int_ge(f.fd, 0);
	sem_post(&m.may_end);
	pthread_join(thread, NULL);
	/* The kernel lets go of the task a little after the join. */
	while (access(path, F_OK) == 0)
		sched_yield();
	ck_assert_int_eq(tailbox__proc_read(&f, path, buf, sizeof(buf)), -1);
	ck_assert_int_lt(f.fd, 0);
	ck_assert_str_eq(buf, "");
}
END_TEST

/* --- control groups ------------------------------------------------------- */

START_TEST(own_cgroup_by_version)
{
	static const char hybrid[] = "9:name=systemd:/s\n"
	                             "5:cpuset:/set\n"
	                             "4:cpu,cpuacct:/v1/mine\n"
	                             "0::/v2/mine\n";
	char path[16];

	ck_assert(tailbox__parse_own_cgroup(hybrid, true, path,
	                                    sizeof(path)));
	ck_assert_str_eq(path, "/v1/mine");
	ck_assert(tailbox__parse_own_cgroup(hybrid, false, path,
	                                    sizeof(path)));
	ck_assert_str_eq(path, "/v2/mine");
	ck_assert(tailbox__parse_own_cgroup("1:cpu:/", true, path,
	                                    sizeof(path)));
	ck_assert_str_eq(path, "/");
	ck_assert(tailbox__parse_own_cgroup("1:cpuacct,cpu:/a:b", true, path,
	                                    sizeof(path)));
	ck_assert_str_eq(path, "/a:b");
	ck_assert(!tailbox__parse_own_cgroup("5:cpuset:/x\n", true, path,
	                                     sizeof(path)));
	ck_assert(!tailbox__parse_own_cgroup("5:cpu:/x\n", false, path,
	                                     sizeof(path)));
	ck_assert(!tailbox__parse_own_cgroup("0::/../../x\n", false, path,
	                                     sizeof(path)));
	ck_assert(!tailbox__parse_own_cgroup("0::relative\n", false, path,
	                                     sizeof(path)));
	ck_assert(!tailbox__parse_own_cgroup("0::/12345678901234567\n", false,
	                                     path, sizeof(path)));
	ck_assert(!tailbox__parse_own_cgroup("", false, path, sizeof(path)));
	ck_assert(!tailbox__parse_own_cgroup("5:cpu\n", true, path,
	                                     sizeof(path)));
}
END_TEST

START_TEST(cpu_max_may_be_no_limit)
{
	uint64_t quota, period;

	tailbox__parse_cpu_max("200000 100000\n", &quota, &period);
	ck_assert_uint_eq(quota, 200000);
	ck_assert_uint_eq(period, 100000);
	tailbox__parse_cpu_max("max 100000\n", &quota, &period);
	ck_assert_uint_eq(quota, UNKNOWN);
	ck_assert_uint_eq(period, 100000);
	static const char *const broken[] = { "", "max", "5", "x 5", "5 x",
		                              "-1 100000" };
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		tailbox__parse_cpu_max(broken[i], &quota, &period);
		ck_assert_uint_eq(quota, UNKNOWN);
		ck_assert_uint_eq(period, UNKNOWN);
	}
}
END_TEST

static struct tailbox__cgroup empty_cgroup(void)
{
	struct tailbox__cgroup c = {
		.stat = TAILBOX__PROC_FILE,
		.quota = TAILBOX__PROC_FILE,
		.period = TAILBOX__PROC_FILE,
	};
	return c;
}

START_TEST(cgroup_2_takes_the_tightest_level)
{
	struct tailbox__cgroup c = empty_cgroup();
	struct tailbox__cgroup_look look;

	write_file("cgroup.controllers", "cpu memory\n");
	write_file("pod/cpu.max", "50000 100000\n");
	write_file("pod/cpu.stat", "usage_usec 5\nnr_periods 20\n"
	                           "nr_throttled 7\nthrottled_usec 8100\n");
	write_file("pod/box/cpu.max", "200000 100000\n");
	write_file("pod/box/cpu.stat", "usage_usec 5\nnr_throttled 0\n"
	                               "throttled_usec 0\n");
	write_file("pod/box/leaf/cpu.max", "max 100000\n");
	write_file("pod/box/leaf/cpu.stat", "nr_throttled 0\n"
	                                    "throttled_usec 0\n");
	ck_assert(tailbox__cgroup_find(&c, "0::/pod/box/leaf\n", folder));
	tailbox__cgroup_look(&c, &look);
	ck_assert_uint_eq(look.quota_us, 50000);
	ck_assert_uint_eq(look.period_us, 100000);
	ck_assert_uint_eq(look.throttled, 7);
	ck_assert_uint_eq(look.throttled_us, 8100);
	/* It changes under way. */
	write_file("pod/cpu.max", "75000 100000\n");
	tailbox__cgroup_look(&c, &look);
	ck_assert_uint_eq(look.quota_us, 75000);
	/* Without limits: our own group, and no quota. */
	write_file("pod/cpu.max", "max 100000\n");
	write_file("pod/box/cpu.max", "max 100000\n");
	write_file("pod/box/leaf/cpu.stat", "nr_throttled 2\n");
	ck_assert(tailbox__cgroup_find(&c, "0::/pod/box/leaf\n", folder));
	tailbox__cgroup_look(&c, &look);
	ck_assert_uint_eq(look.quota_us, UNKNOWN);
	ck_assert_uint_eq(look.period_us, 100000);
	ck_assert_uint_eq(look.throttled, 2);
	ck_assert_uint_eq(look.throttled_us, UNKNOWN);
	tailbox__cgroup_close(&c);
}
END_TEST

START_TEST(cgroup_1_tells_the_same)
{
	struct tailbox__cgroup c = empty_cgroup();
	struct tailbox__cgroup_look look;

	write_file("cgroup.controllers", "memory\n");
	write_file("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
	write_file("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
	write_file("cpu,cpuacct/cpu.stat", "nr_throttled 0\n");
	write_file("cpu,cpuacct/d/cpu.cfs_quota_us", "150000\n");
	write_file("cpu,cpuacct/d/cpu.cfs_period_us", "100000\n");
	write_file("cpu,cpuacct/d/cpu.stat",
	           "nr_periods 9\nnr_throttled 4\nthrottled_time 7654321\n");
	ck_assert(tailbox__cgroup_find(&c, "4:cpu,cpuacct:/d\n0::/\n",
	                               folder));
	tailbox__cgroup_look(&c, &look);
	ck_assert_uint_eq(look.quota_us, 150000);
	ck_assert_uint_eq(look.throttled, 4);
	ck_assert_uint_eq(look.throttled_us, 7654);
	/* The path is one of the machine outside: the mount is our group. */
	ck_assert(tailbox__cgroup_find(&c, "4:cpu,cpuacct:/docker/1f\n",
	                               folder));
	tailbox__cgroup_look(&c, &look);
	ck_assert_uint_eq(look.quota_us, UNKNOWN);
	ck_assert_uint_eq(look.period_us, 100000);
	ck_assert_uint_eq(look.throttled, 0);
	ck_assert_uint_eq(look.throttled_us, UNKNOWN);
	tailbox__cgroup_close(&c);
}
END_TEST

START_TEST(no_cgroup_is_unknown)
{
	struct tailbox__cgroup c = empty_cgroup();
	struct tailbox__cgroup_look look;

	ck_assert(!tailbox__cgroup_find(&c, "0::/x\n", folder));
	tailbox__cgroup_look(&c, &look);
	ck_assert_uint_eq(look.quota_us, UNKNOWN);
	ck_assert_uint_eq(look.throttled, UNKNOWN);
	write_file("cgroup.controllers", "cpu\n");
	ck_assert(!tailbox__cgroup_find(&c, "", folder));
	ck_assert(!tailbox__cgroup_find(&c, "garbage\n\n::\n", folder));
}
END_TEST

/* --- the process ---------------------------------------------------------- */

START_TEST(open_descriptors_are_counted_without_our_own)
{
	bool was_listed;
	uint64_t before = tailbox__open_fds(&was_listed);
	int fds[2];

	ck_assert_uint_ne(before, UNKNOWN);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_uint_eq(tailbox__open_fds(&was_listed), before + 2);
	close(fds[0]);
	close(fds[1]);
	ck_assert_uint_eq(tailbox__open_fds(&was_listed), before);
}
END_TEST

static uint64_t value_of(const struct tailbox__values *v,
                         enum tailbox__metric metric)
{
	for (unsigned i = 0; i < v->count; i++)
		if (v->of[i].metric == metric)
			return v->of[i].value;
	return UNKNOWN;
}

START_TEST(slow_values_come_once_a_second)
{
	struct tailbox__machine *m = calloc(1, sizeof(*m));
	struct tailbox__values v = { 0 };
	const uint64_t s = 1000000000;

	tailbox__machine_init(m);
	tailbox__machine_add(m, 5 * s, &v);
	ck_assert_uint_le(v.count, TAILBOX__MACHINE_VALUES_MAX);
	ck_assert_uint_ne(value_of(&v, TAILBOX__METRIC_PROCESS_CPU_US),
	                  UNKNOWN);
	uint64_t rss = value_of(&v, TAILBOX__METRIC_RSS_BYTES);
	ck_assert_uint_gt(rss, 100000);
	ck_assert_uint_ne(rss, UNKNOWN);
	uint64_t cpus = value_of(&v, TAILBOX__METRIC_CPUS_ONLINE);
	ck_assert_uint_ge(cpus, 1);
	ck_assert_uint_le(cpus, 8192);
	ck_assert_uint_gt(value_of(&v, TAILBOX__METRIC_OPEN_FDS), 2);
	v.count = 0;
	tailbox__machine_add(m, 5 * s + 999999999, &v);
	ck_assert_uint_eq(v.count, 1);
	v.count = 0;
	tailbox__machine_add(m, 6 * s, &v);
	ck_assert_uint_ne(value_of(&v, TAILBOX__METRIC_RSS_BYTES), UNKNOWN);
	/* Late: the grid stays, a look that was missed is not made up. */
	v.count = 0;
	tailbox__machine_add(m, 8 * s + s / 2, &v);
	ck_assert_uint_gt(v.count, 1);
	v.count = 0;
	tailbox__machine_add(m, 9 * s, &v);
	ck_assert_uint_eq(v.count, 1);
	tailbox__machine_close(m);
	free(m);
}
END_TEST

/* --- the listen socket ---------------------------------------------------- */

static struct tailbox__daemon listening(int backlog, struct sockaddr_in *addr)
{
	struct tailbox__daemon d = { .is_recorded = true };
	socklen_t len = sizeof(*addr);
	struct stat st;

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d.listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(d.listen_fd, (void *)addr, len), 0);
	ck_assert_int_eq(listen(d.listen_fd, backlog), 0);
	ck_assert_int_eq(getsockname(d.listen_fd, (void *)addr, &len), 0);
	ck_assert_int_eq(fstat(d.listen_fd, &st), 0);
	d.listen_dev = st.st_dev;
	d.listen_ino = st.st_ino;
	return d;
}

START_TEST(accept_queue_counts_who_waits)
{
	struct sockaddr_in addr;
	struct tailbox__daemon d = listening(7, &addr);
	struct tailbox__accept_queue q = tailbox__accept_queue(&d);
	int clients[3];

	ck_assert_uint_eq(q.now, 0);
	ck_assert_uint_eq(q.limit, 7);
	for (int i = 0; i < 3; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(clients[i], (void *)&addr,
		                         sizeof(addr)),
		                 0);
	}
	/* connect() returns on the SYN-ACK; the last ACK is on its way. */
	while ((q = tailbox__accept_queue(&d)).now < 3)
		sched_yield();
	ck_assert_uint_eq(q.now, 3);
	close(accept(d.listen_fd, NULL, NULL));
	ck_assert_uint_eq(tailbox__accept_queue(&d).now, 2);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(d.listen_fd);
	/* Closed under us. */
	q = tailbox__accept_queue(&d);
	ck_assert_uint_eq(q.now, UNKNOWN);
	ck_assert_uint_eq(q.limit, UNKNOWN);
}
END_TEST

START_TEST(another_socket_under_the_number_is_unknown)
{
	struct sockaddr_in addr;
	struct tailbox__daemon d = listening(7, &addr);
	struct tailbox__daemon other = listening(9, &addr);

	ck_assert_int_ge(dup2(other.listen_fd, d.listen_fd), 0);
	ck_assert_uint_eq(tailbox__accept_queue(&d).now, UNKNOWN);
	/* The right one, but it listens no more. */
	ck_assert_uint_eq(tailbox__accept_queue(&other).now, 0);
	shutdown(other.listen_fd, SHUT_RDWR);
	ck_assert_uint_eq(tailbox__accept_queue(&other).now, UNKNOWN);
	close(d.listen_fd);
	close(other.listen_fd);
}
END_TEST

START_TEST(unix_sockets_and_none_are_unknown)
{
	struct tailbox__daemon d = { .listen_fd = -1 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	ck_assert_uint_eq(tailbox__accept_queue(&d).now, UNKNOWN);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", folder);
	d.listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(d.listen_fd, (void *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(d.listen_fd, 5), 0);
	ck_assert_int_eq(fstat(d.listen_fd, &st), 0);
	d.listen_dev = st.st_dev;
	d.listen_ino = st.st_ino;
	ck_assert_uint_eq(tailbox__accept_queue(&d).now, UNKNOWN);
	close(d.listen_fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler_proc");
	TCase *t = tcase_create("parsers");

	tcase_add_test(t, numbers_are_digits_and_nothing_else);
	tcase_add_test(t, schedstat_is_three_numbers);
	tcase_add_test(t, state_stands_behind_the_last_parenthesis);
	tcase_add_test(t, wchan_is_a_name_or_unknown);
	tcase_add_test(t, psi_is_the_total_of_some);
	tcase_add_test(t, keyed_lines_match_whole_keys);
	tcase_add_test(t, netstat_pairs_names_and_numbers);
	tcase_add_test(t, statm_second_field_is_resident);
	tcase_add_test(t, texts_cut_at_every_byte_are_safe);
	tcase_add_test(t, own_cgroup_by_version);
	tcase_add_test(t, cpu_max_may_be_no_limit);
	suite_add_tcase(s, t);

	t = tcase_create("files");
	tcase_add_checked_fixture(t, make_folder, remove_folder);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_file_is_read_anew_from_its_start);
	tcase_add_test(t, a_text_too_long_keeps_whole_lines);
	tcase_add_test(t, what_is_not_there_is_asked_for_once);
	tcase_add_test(t, a_thread_that_ended_is_unknown);
	tcase_add_test(t, cgroup_2_takes_the_tightest_level);
	tcase_add_test(t, cgroup_1_tells_the_same);
	tcase_add_test(t, no_cgroup_is_unknown);
	tcase_add_test(t, open_descriptors_are_counted_without_our_own);
	tcase_add_test(t, slow_values_come_once_a_second);
	tcase_add_test(t, accept_queue_counts_who_waits);
	tcase_add_test(t, another_socket_under_the_number_is_unknown);
	tcase_add_test(t, unix_sockets_and_none_are_unknown);
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
