/* tests/e2e_admin_client.h - a service under test, its admin socket and a
 * counted client, all by libcurl.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_E2E_ADMIN_CLIENT_H
#define TAILBOX_TESTS_E2E_ADMIN_CLIENT_H 1

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox/mhd.h>

#include "analyzer/load.h"

static char service_dir[64];
static char service_socket[128];

static inline int service_remove_one(const char *path, const struct stat *st,
                                     int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static inline void service_start(uint32_t drain_timeout_ms)
{
	struct tailbox_options o;

	snprintf(service_dir, sizeof(service_dir),
	         "/dev/shm/tailbox-e2e-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(service_dir));
	snprintf(service_socket, sizeof(service_socket), "%s/e2e.%ld.sock",
	         service_dir, (long)getpid());
	tailbox_options_init(&o);
	o.run_dir = service_dir;
	o.drain_timeout_ms = drain_timeout_ms;
	ck_assert_int_eq(tailbox_start("e2e", &o), 0);
}

static inline void service_stop(void)
{
	tailbox_stop();
	nftw(service_dir, service_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct service_reply {
	long status;
	char *text; /* NUL-terminated; free it */
	size_t len, room;
	double seconds;
};

static inline size_t service_collect(char *data, size_t one, size_t n,
                                     void *arg)
{
	struct service_reply *r = arg;

	/* Doubled: a sanitizer's realloc copies every time. */
	if (r->len + n * one + 1 > r->room) {
		size_t room = 2 * (r->len + n * one + 1);
		char *t = realloc(r->text, room);
		if (t == NULL)
			return 0;
		r->text = t;
		r->room = room;
	}
	memcpy(r->text + r->len, data, n * one);
	r->len += n * one;
	r->text[r->len] = '\0';
	return n * one;
}

/* One call of the admin server. */
static inline struct service_reply service_admin(const char *method,
                                                 const char *path)
{
	struct service_reply r = { 0, NULL, 0, 0, 0 };
	CURL *c = curl_easy_init();
	char url[512];

	snprintf(url, sizeof(url), "http://localhost%s", path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, service_socket);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 280L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, service_collect);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &r);
	ck_assert_msg(curl_easy_perform(c) == CURLE_OK, "%s %s", method, path);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r.status);
	curl_easy_getinfo(c, CURLINFO_TOTAL_TIME, &r.seconds);
	curl_easy_cleanup(c);
	if (r.text == NULL)
		r.text = calloc(1, 1);
	return r;
}

/* The status of a call whose text does not matter. */
static inline long service_call(const char *method, const char *path)
{
	struct service_reply r = service_admin(method, path);

	free(r.text);
	return r.status;
}

/* Wait until /artifacts/PATH is there, and load it. */
static inline struct tailbox__run *service_fetch(const char *path)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = NULL;
	struct service_reply r;
	char file[] = "/tmp/tailbox-e2e-XXXXXX";
	int fd;

	for (int i = 0;; i++) {
		r = service_admin("GET", path);
		if (r.status == 200)
			break;
		ck_assert_msg(r.status == 404 && i < 3000, "%s: %ld %s", path,
		              r.status, r.text);
		free(r.text);
		usleep(10000); /* another process would poll too */
	}
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, r.text, r.len), (ssize_t)r.len);
	free(r.text);
	lseek(fd, 0, SEEK_SET);
	ck_assert_msg(tailbox__load_fd(fd, &run, &err) == 0, "%s: %s", path,
	              err.text);
	close(fd);
	unlink(file);
	return run;
}

/* --- the counted client ------------------------------------------------ */

struct service_load {
	pthread_t thread;
	uint16_t port;
	const char *path;
	long requests; /* to make; -1 = until *stop */
	const int *stop;
	long done; /* answered 200 */
};

static inline size_t service_ignore(char *data, size_t one, size_t n, void *arg)
{
	(void)data, (void)arg;
	return one * n;
}

static inline void *service_load_thread(void *arg)
{
	struct service_load *l = arg;
	CURL *c = curl_easy_init();
	char url[128];
	long status;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)l->port,
	         l->path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 280L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, service_ignore);
	for (long i = 0; l->requests < 0
	                         ? !__atomic_load_n(l->stop, __ATOMIC_RELAXED)
	                         : i < l->requests;
	     i++) {
		if (curl_easy_perform(c) != CURLE_OK)
			continue;
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
		l->done += status == 200;
	}
	curl_easy_cleanup(c);
	return NULL;
}

#endif
