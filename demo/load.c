/* demo/load.c - a counted load for the shop, bounded in number and time.
 *
 * C threads, each with one keep-alive connection, take the next number until
 * all are taken. What request number i is follows from the seed and i alone,
 * so that two runs send the same mix whatever the threads do. demo/lab.sh has
 * more kinds of clients: that pause, come all at once, do not keep their
 * connection, or want one page only. It is closed loop: a slow answer holds
 * the next request of that connection back, so the latencies that a client
 * counts this way are too kind. The shop's recorder does not depend on it.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define REQUESTS_MAX 1000000u
#define CONNECTIONS_MAX 128u
#define SECONDS_MAX 600u
#define REQUEST_TIMEOUT_MS 10000L
#define MS_MAX 60000u
#define PATH_LENGTH_MAX 64u
#define ITEMS 200u

struct load {
	unsigned long port;
	unsigned long requests;
	unsigned long connections;
	unsigned long seed;
	unsigned long seconds;
	unsigned long pause_ms;
	unsigned long beat_ms;   /* 0 = none */
	unsigned long reconnect; /* requests on a connection; 0 = all */
	unsigned long stagger_ms;
	bool has_no_reports;
	const char *get; /* NULL = the mix */
	struct timespec started;
	/* Relaxed is enough: the threads agree on numbers only, and the sums
	 * are read after pthread_join(). */
	atomic_ulong next;
	atomic_ulong ok;
	atomic_ulong failed;
};

static double seconds_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) +
	       (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* splitmix64 (Steele, Lea, Flood 2014): neighbours get unrelated numbers. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* --- one request ---------------------------------------------------------- */

static size_t ignore(char *data, size_t size, size_t count, void *cls)
{
	(void)data, (void)cls;
	return size * count;
}

static void set_get(CURL *h, const struct load *l, const char *path,
                    uint64_t id)
{
	char url[96];

	if (id == 0)
		snprintf(url, sizeof(url), "http://127.0.0.1:%lu%s", l->port,
		         path);
	else
		snprintf(url, sizeof(url), "http://127.0.0.1:%lu%s/%" PRIu64,
		         l->port, path, id);
	curl_easy_setopt(h, CURLOPT_URL, url);
}

static void set_checkout(CURL *h, const struct load *l, uint64_t id,
                         struct curl_slist *json)
{
	char body[64];

	set_get(h, l, "/checkout", 0);
	if (id % 2 == 0) {
		snprintf(body, sizeof(body), "item=%" PRIu64 "&quantity=1", id);
	} else {
		snprintf(body, sizeof(body),
		         "{\"item\": %" PRIu64 ", \"quantity\": 2}", id);
		curl_easy_setopt(h, CURLOPT_HTTPHEADER, json);
	}
	curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS, body);
}

/* Of 100: 30 lists, 40 items, 15 checkouts, 13 quotes, 2 reports. */
static void set_request(CURL *h, const struct load *l, uint64_t number,
                        struct curl_slist *json)
{
	uint64_t x = mix(l->seed + number);
	uint64_t share = x % 100;
	uint64_t id = 1 + (x >> 32) % ITEMS;

	if (share < 30 || (share >= 98 && l->has_no_reports))
		set_get(h, l, "/items", 0);
	else if (share < 70)
		set_get(h, l, "/items", id);
	else if (share < 85)
		set_checkout(h, l, id, json);
	else if (share < 98)
		set_get(h, l, "/quote", id);
	else
		set_get(h, l, "/report", 0);
}

static void nap(double seconds)
{
	struct timespec t = { (time_t)seconds, 0 };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

/* Before the next request: the pause, then the next beat. */
static void wait_turn(const struct load *l)
{
	if (l->pause_ms > 0)
		nap((double)l->pause_ms / 1e3);
	if (l->beat_ms > 0) {
		double beat = (double)l->beat_ms / 1e3;
		double now = seconds_since(&l->started);
		double next = beat * (double)((long)(now / beat) + 1);

		nap(next - now);
	}
}

static bool send_one(CURL *h, const struct load *l, uint64_t number,
                     struct curl_slist *json, bool is_last)
{
	long status = 0;

	curl_easy_reset(h); /* forgets the options, not the connection */
	curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, &ignore);
	curl_easy_setopt(h, CURLOPT_FORBID_REUSE, is_last ? 1L : 0L);
	if (l->get != NULL)
		set_get(h, l, l->get, 0);
	else
		set_request(h, l, number, json);
	if (curl_easy_perform(h) != CURLE_OK)
		return false;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300;
}

static void *client(void *cls)
{
	struct load *l = cls;
	CURL *h = curl_easy_init();
	unsigned long sent = 0;
	struct curl_slist *json =
		curl_slist_append(NULL, "Content-Type: application/json");

	while (h != NULL && json != NULL &&
	       seconds_since(&l->started) < (double)l->seconds) {
		unsigned long number = atomic_fetch_add_explicit(
			&l->next, 1, memory_order_relaxed);
		if (number >= l->requests)
			break;
		wait_turn(l);
		sent++;
		bool is_last = l->reconnect > 0 && sent % l->reconnect == 0;
		bool is_ok = send_one(h, l, number, json, is_last);
		atomic_fetch_add_explicit(is_ok ? &l->ok : &l->failed, 1,
		                          memory_order_relaxed);
	}
	curl_slist_free_all(json);
	curl_easy_cleanup(h);
	return NULL;
}

/* --- the program ---------------------------------------------------------- */

static const char usage[] =
	"usage: load --port N [options]\n"
	"Sends a mix of requests to a demo shop on 127.0.0.1.\n"
	"  --port N         where the shop listens\n"
	"  --requests N     how many, at most 1000000 (default 1000)\n"
	"  --connections N  at the same time, 1 to 128 (default 4)\n"
	"  --seed N         another number, another mix (default 1)\n"
	"  --seconds N      give up after so long, at most 600 (default 60)\n"
	"  --pause MS       before each request (default 0)\n"
	"  --beat MS        all at once at each multiple of so long: bursts\n"
	"  --reconnect N    a new connection each N requests (default never)\n"
	"  --stagger MS     between the connections' starts (default 0)\n"
	"  --no-reports     lists in the place of reports, which take long\n"
	"  --get PATH       this page and not the mix\n"
	"  --help           this text\n"
	"Exit code: 0 all were sent and answered with success, 1 not,"
	" 2 usage.\n";

static bool read_option(const char *text, unsigned long min, unsigned long max,
                        unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	       *value >= min && *value <= max;
}

/* Returns -1 to go on, else the exit code. */
static int read_options(int argc, char **argv, struct load *l)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "requests", required_argument, NULL, 'r' },
		{ "connections", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "pause", required_argument, NULL, 'a' },
		{ "beat", required_argument, NULL, 'b' },
		{ "reconnect", required_argument, NULL, 'n' },
		{ "stagger", required_argument, NULL, 'g' },
		{ "no-reports", no_argument, NULL, 'x' },
		{ "get", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool is_good = true;
	int c;

	while (is_good &&
	       (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			is_good = read_option(optarg, 1, 65535, &l->port);
			break;
		case 'r':
			is_good = read_option(optarg, 1, REQUESTS_MAX,
			                      &l->requests);
			break;
		case 'c':
			is_good = read_option(optarg, 1, CONNECTIONS_MAX,
			                      &l->connections);
			break;
		case 's':
			is_good = read_option(optarg, 0, UINT32_MAX, &l->seed);
			break;
		case 't':
			is_good = read_option(optarg, 1, SECONDS_MAX,
			                      &l->seconds);
			break;
		case 'a':
			is_good = read_option(optarg, 0, MS_MAX, &l->pause_ms);
			break;
		case 'b':
			is_good = read_option(optarg, 1, MS_MAX, &l->beat_ms);
			break;
		case 'n':
			is_good = read_option(optarg, 1, REQUESTS_MAX,
			                      &l->reconnect);
			break;
		case 'g':
			is_good =
				read_option(optarg, 0, MS_MAX, &l->stagger_ms);
			break;
		case 'x':
			l->has_no_reports = true;
			break;
		case 'u':
			l->get = optarg;
			is_good = *optarg == '/' &&
				  strlen(optarg) <= PATH_LENGTH_MAX;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			is_good = false;
		}
	}
	if (is_good && optind == argc && l->port != 0)
		return -1;
	fputs(usage, stderr);
	return 2;
}

static unsigned long run(struct load *l)
{
	pthread_t thread[CONNECTIONS_MAX];
	unsigned long n = 0;

	clock_gettime(CLOCK_MONOTONIC, &l->started);
	while (n < l->connections &&
	       pthread_create(&thread[n], NULL, &client, l) == 0) {
		n++;
		nap((double)l->stagger_ms / 1e3);
	}
	for (unsigned long i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return n;
}

int main(int argc, char **argv)
{
	struct load l = { .requests = 1000,
	                  .connections = 4,
	                  .seed = 1,
	                  .seconds = 60 };
	int result = read_options(argc, argv, &l);

	if (result >= 0)
		return result;
	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		fputs("load: cannot start libcurl\n", stderr);
		return 1;
	}
	if (run(&l) < l.connections)
		fputs("load: not all threads could be started\n", stderr);
	double seconds = seconds_since(&l.started);
	unsigned long ok = atomic_load_explicit(&l.ok, memory_order_relaxed);
	unsigned long failed =
		atomic_load_explicit(&l.failed, memory_order_relaxed);
	printf("%lu requests, %lu ok, %lu failed, %.2f seconds\n", ok + failed,
	       ok, failed, seconds);
	curl_global_cleanup();
	return ok == l.requests ? 0 : 1;
}
