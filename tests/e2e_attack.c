/* tests/e2e_attack.c - the admin server on TCP under attack: guessing by clock
 * and by number, rebound names, pages of others, tricks with paths, a thousand
 * slow connections; and what the service notices of it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Times are compared by rank, not by size: of two samples of equal
 * distribution one is larger than the other in half of the pairs, whatever
 * the machine does meanwhile, since the samples are taken in turns. How far
 * from a half chance may get is known (Mann and Whitney), and two samples of
 * the very same thing stand beside it. A comparison that leaves at the first
 * wrong byte must be found out, or the test would show nothing.
 *
 * What the service notices is told apart from what any program beside it
 * would cost: in turns the same attackers go for a bare server of the same
 * process. On two processors or more the service and who asks it have one,
 * and everything else another.
 *
 * As e2e_long_attack with more of all of it.
 */
#include "tests/e2e_admin_tcp_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include <tailbox/mhd.h>

#include "controller/admin_token.h"

#ifdef E2E_LONG
#define CALLS 20000  /* samples of comparing */
#define GUESSES 3000 /* samples over HTTP */
#define SLOW 1000    /* connections */
#define PHASES 24
#define PER_PHASE 400
#else
#define CALLS 4000
#define GUESSES 300
#define SLOW 200
#define PHASES 4
#define PER_PHASE 100
#endif

/* --- comparing by rank ------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of all pairs, the share in which b's is the larger; ties count half. Both
 * get sorted. */
static double share_above(double *a, double *b, size_t n)
{
	double sum = 0;
	size_t below = 0, upto = 0;

	qsort(a, n, sizeof(*a), by_size);
	qsort(b, n, sizeof(*b), by_size);
	for (size_t i = 0; i < n; i++) {
		while (below < n && a[below] < b[i])
			below++;
		while (upto < n && a[upto] <= b[i])
			upto++;
		sum += (double)below + (double)(upto - below) / 2;
	}
	return sum / ((double)n * (double)n);
}

/* Six deviations: by chance once in 500 million runs. */
static double by_chance(size_t n)
{
	return 6 * sqrt((2 * (double)n + 1) / (12 * (double)n * (double)n));
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint32_t random_state = 1;

static uint32_t draw(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

/* Three samples in turns, in an order that changes: 0 and 1 the same guess,
 * wrong in the first byte, 2 wrong in the last only. */
static double samples[3][CALLS];

static double measure(double (*once)(const char *guess), size_t n,
                      const char *what, double *noise)
{
	static const char first[] = "xorrect-horse-battery-staple";
	static const char last[] = "correct-horse-battery-staplx";
	double share;

	for (size_t i = 0; i < n; i++) {
		uint32_t at = draw(3), step = 1 + draw(2);
		for (int k = 0; k < 3; k++, at = (at + step) % 3)
			samples[at][i] = once(at == 2 ? last : first);
	}
	*noise = fabs(share_above(samples[0], samples[1], n) - 0.5);
	share = fabs(share_above(samples[0], samples[2], n) - 0.5);
	printf("%s: right prefix against wrong first byte %.4f off a half, "
	       "the same against the same %.4f, by chance up to %.4f; "
	       "medians %.0f and %.0f ns\n",
	       what, share, *noise, by_chance(n), samples[0][n / 2],
	       samples[2][n / 2]);
	return share;
}

/* --- guessing ---------------------------------------------------------- */

static struct tailbox__token token;
static char guess_text[sizeof(TOKEN)]; /* at one place for all guesses */

static double time_compare(const char *guess)
{
	volatile bool is = false;
	uint64_t begin;

	memcpy(guess_text, guess, sizeof(guess_text));
	begin = now_ns();
	for (int i = 0; i < 20; i++)
		is |= tailbox__token_is(&token, guess_text, sizeof(TOKEN) - 1);
	return is ? -1 : (double)(now_ns() - begin);
}

static double time_naive(const char *guess)
{
	volatile bool is = false;
	uint64_t begin;

	memcpy(guess_text, guess, sizeof(guess_text));
	begin = now_ns();
	for (int i = 0; i < 20; i++) {
		const volatile char *a = guess_text;
		const char *b = TOKEN;
		while (*b != '\0' && *a == *b)
			a++, b++;
		is |= *b == '\0';
	}
	return is ? -1 : (double)(now_ns() - begin);
}

START_TEST(comparing_takes_the_same_time)
{
	double noise, share;

	token.len = sizeof(TOKEN) - 1;
	memcpy(token.bytes, TOKEN, token.len);
	share = measure(time_compare, CALLS, "comparing", &noise);
	ck_assert_double_le(share, noise + by_chance(CALLS));
	/* The ruler measures: a comparison that leaves early is seen. */
	share = measure(time_naive, CALLS, "leaving early", &noise);
	ck_assert_double_gt(share, noise + by_chance(CALLS));
}
END_TEST

static double time_request(const char *guess)
{
	char headers[128];
	uint64_t begin;
	struct bytes b;

	tailbox__guard_forgive(); /* none is held back */
	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
	         guess);
	begin = now_ns();
	b = ask("GET", "/status", headers, NULL);
	begin = now_ns() - begin;
	ck_assert_int_eq(status_of(&b), 401);
	free(b.p);
	return (double)begin;
}

START_TEST(answers_take_the_same_time)
{
	double noise;
	double share = measure(time_request, GUESSES, "401", &noise);

	ck_assert_double_le(share, noise + by_chance(GUESSES));
}
END_TEST

/* --- paths ------------------------------------------------------------- */

#define SECRET "the-secret-of-another-service"

static const char *const ids[] = {
	"..", "../", "../secret", "../../secret", "..%2fsecret",
	"%2e%2e%2fsecret", "%2e%2e/secret", "%252e%252e%252fsecret",
	"....//secret", "..%5csecret", "..%c0%afsecret", "%2fetc%2fpasswd",
	"//etc/passwd", "secret", "secret%00", "%00", "1%00.tailbox", "1%0d%0a",
	"-1", "00000000000000000001", "18446744073709551617", "*", "?", "~",
	"other-20250101T000000Z-1", "other-20250101T000000Z-1.tailbox",
	"other-20250101T000000Z-1.part", "link-20250101T000000Z-1.tailbox",
	"shop-20250101T000000Z-1", "shop-20250101T000000Z-1.tailbox",
	"shop-20250101T000000Z-1.tailbox.tailbox", ".tailbox", "..tailbox",
	"1/../../secret", "1;x", "1 2", "1%202",
};

static void put_file(const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(SECRET "\n", f);
	fclose(f);
}

static void file_is_there(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ck_assert_msg(access(path, F_OK) == 0, "%s is gone", path);
}

static const char *const others[] = {
	"secret", "artifacts/other-20250101T000000Z-1.tailbox",
	"artifacts/other-20250101T000000Z-1.part",
};

/* libmicrohttpd 1.0 sends a client that left a space in the target back to the
 * same place, escaped, before anybody is asked. */
static bool is_sent_back(const char *target, long status)
{
	return status == 301 && strchr(target, ' ') != NULL &&
	       strncmp(MHD_get_version(), "0.", 2) != 0;
}

static void nothing_is_given(const char *method, const char *target,
                             const char *headers)
{
	struct bytes b = ask(method, target, headers, NULL);
	long s = status_of(&b);

	ck_assert_msg((s >= 400 && s < 500) || is_sent_back(target, s),
	              "%s %s: %s", method, target, b.p);
	ck_assert_msg(strstr(b.p, SECRET) == NULL, "%s %s", method, target);
	ck_assert_ptr_null(strstr(b.p, "root:"));
	free(b.p);
}

START_TEST(paths_lead_nowhere)
{
	char path[256], target[8192];
	const size_t n = sizeof(ids) / sizeof(ids[0]);

	snprintf(path, sizeof(path), "%s/artifacts", folder);
	if (mkdir(path, 0700) != 0)
		ck_assert_int_eq(errno, EEXIST);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		put_file(others[i]);
	/* Ours by name, but a way out of the folder. */
	snprintf(path, sizeof(path),
	         "%s/artifacts/shop-20250101T000000Z-1.tailbox", folder);
	ck_assert_int_eq(symlink("../secret", path), 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(target, sizeof(target), "/artifacts/%s", ids[i]);
		nothing_is_given("GET", target, BEARER);
		nothing_is_given("GET", target, "");
		nothing_is_given("HEAD", target, BEARER);
		nothing_is_given("DELETE", target, BEARER);
		snprintf(target, sizeof(target), "/%s", ids[i]);
		nothing_is_given("GET", target, "");
	}
	for (size_t len = 200; len < 8000; len += 111) {
		memcpy(target, "/artifacts/", 11);
		memset(target + 11, 'a', len);
		target[11 + len] = '\0';
		nothing_is_given("GET", target, BEARER);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		file_is_there(others[i]);
}
END_TEST

/* --- all at once ------------------------------------------------------- */

static struct MHD_Daemon *shop;
static uint16_t shop_port;

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status,
                             char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        strlen(text), text, MHD_RESPMEM_PERSISTENT);
	const enum MHD_Result rc = MHD_queue_response(c, status, r);

	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result serve(void *cls, struct MHD_Connection *c,
                             const char *url, const char *method,
                             const char *version, const char *data,
                             size_t *size, void **req_cls)
{
	static char text[] = "hello";

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size;
	if (*req_cls == NULL) {
		*req_cls = text;
		return MHD_YES;
	}
	return reply(c, MHD_HTTP_OK, text);
}

/* Whom the attackers go for: a bare server, or our admin server. */
enum { DECOY, ADMIN, TARGETS };
static uint16_t target_ports[TARGETS];
/* The attackers' state: counted in the threads, looked at after the join. */
static int is_over, target;
static long given[TARGETS], refused[TARGETS], cut_off[TARGETS];
static long dialled[TARGETS];

/* What a bare server does that refuses everybody. */
static enum MHD_Result refuse(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static char text[] = "no.\n";

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size, (void)req_cls;
	return reply(c, MHD_HTTP_UNAUTHORIZED, text);
}

/* Put a thread, 0 = this one, on the n-th processor that there is; false: it
 * cannot be, or there are not so many. */
static bool put_on(pid_t tid, int n)
{
	static cpu_set_t all;
	cpu_set_t one;

	if (CPU_COUNT(&all) == 0 &&
	    sched_getaffinity(0, sizeof(all), &all) != 0)
		return false;
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || n-- != 0)
			continue;
		CPU_SET(cpu, &one);
		return sched_setaffinity(tid, sizeof(one), &one) == 0;
	}
	return false;
}

/* Everything that runs by now on the second, this thread on the first. */
static bool take_processors_apart(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	bool is_done = d != NULL;

	while (is_done && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			is_done = put_on((pid_t)strtol(e->d_name, NULL, 10), 1);
	if (d != NULL)
		closedir(d);
	return put_on(0, 0) && is_done;
}

static void pause_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static void strike(int of, const char *method, const char *path,
                   const char *host, const char *headers)
{
	char text[512];
	struct bytes b;
	long s;

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
	         method, path, host, headers);
	b = talk(dial_port(target_ports[of]), text, strlen(text));
	s = status_of(&b);
	free(b.p);
	if (s >= 200 && s < 400)
		__atomic_fetch_add(&given[of], 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&refused[of], 1, __ATOMIC_RELAXED);
}

static void *strike_thread(void *arg)
{
	char host[64], wrong[96];

	(void)arg;
	put_on(0, 1);
	for (unsigned i = 0; !__atomic_load_n(&is_over, __ATOMIC_ACQUIRE);
	     i++) {
		const int of = __atomic_load_n(&target, __ATOMIC_ACQUIRE);

		pause_ms(2);
		snprintf(host, sizeof(host), "127.0.0.1:%u",
		         (unsigned)target_ports[of]);
		snprintf(wrong, sizeof(wrong),
		         "Authorization: Bearer correct-horse-battery-%06u\r\n",
		         i);
		switch (i % 4) {
		case 0:
			strike(of, "GET", "/status", host, wrong);
			break;
		case 1: /* a page whose name was bound to 127.0.0.1 */
			strike(of, "GET", "/status", "evil.example:80", BEARER);
			break;
		case 2: /* a page of others, in a browser that knows us */
			strike(of, "POST", "/arm", host,
			       BEARER "Origin: http://evil.example\r\n");
			break;
		default:
			strike(of, "GET", "/artifacts/..%2f..%2fetc%2fpasswd",
			       host, "");
		}
	}
	return NULL;
}

static int slow_count = SLOW;
static int slow_fds[TARGETS][SLOW];

/* Each sends a byte now and then; who is cut off comes again. */
static void trickle(int of, int i)
{
	static const char head[] = "GET /status HTTP/1.1\r\nX-Slow: aaaaaaaa";
	int *fd = &slow_fds[of][i];
	struct pollfd p = { *fd, POLLIN, 0 };

	if (*fd >= 0 && poll(&p, 1, 0) > 0) {
		close(*fd), *fd = -1;
		cut_off[of]++;
	}
	if (*fd < 0) {
		*fd = dial_port(target_ports[of]);
		if (*fd >= 0)
			__atomic_fetch_add(&dialled[of], 1, __ATOMIC_RELAXED);
	} else {
		(void)!send(*fd, head + draw(sizeof(head) - 1), 1,
		            MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void *slow_thread(void *arg)
{
	(void)arg;
	put_on(0, 1);
	memset(slow_fds, -1, sizeof(slow_fds));
	for (int i = 0; !__atomic_load_n(&is_over, __ATOMIC_ACQUIRE);
	     i = (i + 1) % slow_count) {
		if (i % 16 == 0)
			pause_ms(5);
		trickle(__atomic_load_n(&target, __ATOMIC_ACQUIRE), i);
	}
	for (int of = 0; of < TARGETS; of++)
		for (int i = 0; i < slow_count; i++)
			if (slow_fds[of][i] >= 0)
				close(slow_fds[of][i]);
	return NULL;
}

static double latency[2][PHASES * PER_PHASE];
static size_t latency_count[2];
static double p99[2][PHASES]; /* of each phase */
static double admin_latency[2][PHASES * PER_PHASE];
static size_t admin_count[2];

/* The service, the Unix socket, and who knows the token, in turns. */
static void phase(int number, int attacked)
{
	double *begin_of = &latency[attacked][latency_count[attacked]];
	double sorted[PER_PHASE];

	__atomic_store_n(&target, attacked, __ATOMIC_RELEASE);
	pause_ms(50);
	for (int i = 0; i < PER_PHASE; i++) {
		uint64_t begin = now_ns();
		struct bytes b = ask_port(shop_port, "GET", "/", "", NULL);

		latency[attacked][latency_count[attacked]++] =
		        (double)(now_ns() - begin) / 1000;
		ck_assert_int_eq(status_of(&b), 200);
		free(b.p);
		if (i % 4 != 0)
			continue;
		begin = now_ns();
		b = ask_port(0, "GET", "/status", "", NULL);
		admin_latency[attacked][admin_count[attacked]++] =
		        (double)(now_ns() - begin) / 1000;
		ck_assert_int_eq(status_of(&b), 200);
		ck_assert_ptr_nonnull(strstr(b.p, "\"state\": \"disabled\""));
		free(b.p);
		ck_assert_int_eq(status("GET", "/status", BEARER), 200);
	}
	memcpy(sorted, begin_of, sizeof(sorted));
	qsort(sorted, PER_PHASE, sizeof(double), by_size);
	p99[attacked][number] = sorted[PER_PHASE * 99 / 100];
}

/* The p99 of the service in pairs of neighbours: how often the attacked one is
 * the larger. Chance makes it 22 of 24 or more once in 50,000 runs. */
static void compare_p99(bool is_apart)
{
	double ratio[PHASES];
	int larger = 0;

	for (int i = 0; i < PHASES; i++) {
		ratio[i] = p99[ADMIN][i] / p99[DECOY][i];
		larger += ratio[i] > 1;
	}
	qsort(ratio, PHASES, sizeof(double), by_size);
	printf("service p99 over that beside an attack on a bare server: "
	       "median %.2f (%.2f to %.2f), larger in %d of %d pairs\n",
	       ratio[PHASES / 2], ratio[0], ratio[PHASES - 1], larger, PHASES);
#ifdef E2E_LONG
	if (is_apart)
		ck_assert_int_lt(larger, 22);
	else
		printf("one processor: p99 under attack is not judged\n");
#else
	(void)is_apart;
#endif
}

static void tell(const char *what, double of[2][PHASES * PER_PHASE],
                 const size_t *n)
{
	for (int k = 0; k < 2; k++)
		qsort(of[k], n[k], sizeof(double), by_size);
	printf("%s beside an attack on a bare server: median %.0f us, "
	       "attacked itself %.0f us; p99 %.0f us, attacked "
	       "%.0f us (n %zu, %zu)\n",
	       what, of[0][n[0] / 2], of[1][n[1] / 2], of[0][n[0] * 99 / 100],
	       of[1][n[1] * 99 / 100], n[0], n[1]);
}

static void room_for_descriptors(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	getrlimit(RLIMIT_NOFILE, &l);
	if (l.rlim_cur < 4 * SLOW + 300) {
		slow_count = l.rlim_cur > 700 ? ((int)l.rlim_cur - 300) / 4
		                              : 100;
		printf("only %d slow connections: the limit of descriptors "
		       "is %lu\n",
		       slow_count, (unsigned long)l.rlim_cur);
	}
}

static uint16_t port_of(struct MHD_Daemon *d)
{
	ck_assert_ptr_nonnull(d);
	return MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
}

START_TEST(service_goes_on_under_attack)
{
	const unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD;
	pthread_t strikers[2], slow;
	struct MHD_Daemon *decoy;
	bool is_apart;

	room_for_descriptors();
	decoy = MHD_start_daemon(flags, 0, NULL, NULL, refuse, NULL,
	                         MHD_OPTION_CONNECTION_LIMIT,
	                         SLOW + 100u,
	                         MHD_OPTION_CONNECTION_TIMEOUT, 10u,
	                         MHD_OPTION_END);
	target_ports[DECOY] = port_of(decoy);
	target_ports[ADMIN] = tcp_port;
	is_apart = take_processors_apart();
	shop = tailbox_mhd_start_daemon(flags, 0, NULL, NULL, serve, NULL,
	                                MHD_OPTION_END);
	shop_port = port_of(shop);
	ck_assert_int_eq(pthread_create(&slow, NULL, slow_thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&strikers[i], NULL,
		                                strike_thread, NULL), 0);
	for (int i = 0; i < PHASES; i++) {
		phase(i, i % 2 ? ADMIN : DECOY);
		phase(i, i % 2 ? DECOY : ADMIN);
	}
	__atomic_store_n(&target, ADMIN, __ATOMIC_RELEASE);
	/* All of the slow ones have been here. */
	for (int i = 0; __atomic_load_n(&dialled[ADMIN], __ATOMIC_RELAXED) <
	                slow_count;
	     i++) {
		ck_assert_int_lt(i, 20000);
		ck_assert_int_eq(status("GET", "/status", BEARER), 200);
		pause_ms(2);
	}
	__atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
	pthread_join(slow, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(strikers[i], NULL);
	tailbox_mhd_stop_daemon(shop);
	MHD_stop_daemon(decoy);
	printf("%ld strikes refused, %ld answered; %ld slow connections, %ld "
	       "of them cut off; on the bare server %ld and %ld\n",
	       refused[ADMIN], given[ADMIN], dialled[ADMIN], cut_off[ADMIN],
	       refused[DECOY], dialled[DECOY]);
	compare_p99(is_apart);
	tell("service", latency, latency_count);
	tell("Unix socket", admin_latency, admin_count);
	ck_assert_int_eq(given[ADMIN], 0);
	ck_assert_int_gt(refused[ADMIN], 20);
	ck_assert_int_gt(refused[DECOY], 20);
	ck_assert_int_gt(cut_off[ADMIN], 0);
	/* Taken in turns, so that a busy machine is in both. Generous: the
	 * attackers are of this process, and take a processor of few. */
	ck_assert_double_lt(latency[1][latency_count[1] / 2],
	                    10 * latency[0][latency_count[0] / 2]);
	ck_assert_double_lt(admin_latency[1][admin_count[1] / 2],
	                    10 * admin_latency[0][admin_count[0] / 2]);
}
END_TEST

/* Alone, so that it gives way to nobody; a byte now and then is of no help. */
START_TEST(stranger_has_ten_seconds)
{
	static const char text[] = "GET /status HTTP/1.1\r\nX-Slow: aaaaaaaa";
	uint64_t begin = now_us(), took;
	struct pollfd p = { dial_port(tcp_port), POLLIN, 0 };

	ck_assert_int_ge(p.fd, 0);
	for (size_t i = 0; poll(&p, 1, 500) == 0; i++) {
		ck_assert_uint_lt(i, 400);
		(void)!send(p.fd, i < sizeof(text) - 1 ? text + i : "a", 1,
		            MSG_NOSIGNAL);
	}
	took = now_us() - begin;
	close(p.fd);
	printf("cut off after %.1f s\n", (double)took / 1e6);
	ck_assert_uint_ge(took, TAILBOX__TCP_STRANGER_MS * 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("attack");
	TCase *bare = tcase_create("compare"), *t = tcase_create("http");
	SRunner *r;
	int failed;

	setlinebuf(stdout);
	tcase_add_test(bare, comparing_takes_the_same_time);
	tcase_set_timeout(bare, 300);
	suite_add_tcase(s, bare);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 300);
	tcase_add_test(t, answers_take_the_same_time);
	tcase_add_test(t, paths_lead_nowhere);
	tcase_add_test(t, service_goes_on_under_attack);
#ifdef E2E_LONG
	tcase_add_test(t, stranger_has_ten_seconds);
#else
	(void)stranger_has_ten_seconds;
#endif
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
