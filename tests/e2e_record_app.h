/* tests/e2e_record_app.h - an application, served and recorded in any mode.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each path is one thing that an application may do with a request; what it
 * leaves on the tape is in e2e_record_tape.h.
 */
#ifndef TAILBOX_TESTS_E2E_RECORD_APP_H
#define TAILBOX_TESTS_E2E_RECORD_APP_H 1

#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include <tailbox/mhd.h>

#include "core/daemons.h"
#include "tests/e2e_modes.h"
#include "tests/e2e_record_tape.h"

#define PAUSE_MS 30
#define BIG (16u << 20)

static inline void pause_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* --- the application --------------------------------------------------- */

static char *big;
static sem_t entered, let_go;
static struct MHD_Connection *suspended;
static _Atomic(tailbox_request) handle;
static struct MHD_UpgradeResponseHandle *upgraded;
static atomic_uint completions;

static inline void on_upgrade(void *cls, struct MHD_Connection *c,
                              void *req_cls, const char *extra,
                              size_t extra_size, MHD_socket sock,
                              struct MHD_UpgradeResponseHandle *urh)
{
	(void)cls, (void)c, (void)req_cls, (void)extra, (void)extra_size;
	(void)sock;
	upgraded = urh;
	sem_post(&entered);
}

struct request {
	unsigned calls;
	bool was_suspended;
};

static inline enum MHD_Result first(struct MHD_Connection *c, const char *url)
{
	handle = tailbox_request_of(c);
	if (strcmp(url, "/early") == 0)
		return e2e_reply(c, 413, "", 0);
	if (strcmp(url, "/at-once") == 0)
		return e2e_reply(c, 200, "now", 3);
	return MHD_YES;
}

static inline enum MHD_Result suspend(struct request *q,
                                      struct MHD_Connection *c, bool is_plain)
{
	if (q->was_suspended)
		return e2e_reply(c, 200, "back", 4);
	q->was_suspended = true;
	suspended = c;
	if (is_plain)
		MHD_suspend_connection(c);
	else
		tailbox_mhd_suspend_connection(c);
	sem_post(&entered);
	return MHD_YES;
}

static inline enum MHD_Result final(struct request *q, struct MHD_Connection *c,
                                    const char *url)
{
	if (strcmp(url, "/wait") == 0) {
		sem_post(&entered);
		sem_wait(&let_go);
	} else if (strcmp(url, "/sleep") == 0) {
		pause_ms(PAUSE_MS);
	} else if (strcmp(url, "/no") == 0) {
		return MHD_NO;
	} else if (strcmp(url, "/suspend") == 0) {
		return suspend(q, c, false);
	} else if (strcmp(url, "/suspend-plain") == 0) {
		return suspend(q, c, true);
	} else if (strcmp(url, "/spin") == 0) {
		return q->calls < 1000 ? MHD_YES : e2e_reply(c, 200, "done", 4);
	} else if (strcmp(url, "/never") == 0) {
		return MHD_YES;
	} else if (strcmp(url, "/upgrade") == 0) {
		return e2e_reply_upgrade(c, on_upgrade);
	} else if (strncmp(url, "/missing", 8) == 0) {
		return e2e_reply(c, 404, "no", 2);
	} else if (strcmp(url, "/icy") == 0) {
		return e2e_reply(c, 200 | MHD_ICY_FLAG, "icy", 3);
	} else if (strcmp(url, "/big") == 0) {
		return e2e_reply(c, 200, big, BIG);
	} else if (strcmp(url, "/named") == 0) {
		tailbox_request_set_route(handle, "the name");
	} else if (strcmp(url, "/discard") == 0) {
		tailbox_request_discard(handle);
	}
	return e2e_reply(c, 200, "hello", 5);
}

static inline enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                                     const char *url, const char *method,
                                     const char *version, const char *data,
                                     size_t *size, void **req_cls)
{
	struct request *q = *req_cls;

	(void)cls, (void)method, (void)version, (void)data;
	if (q == NULL) {
		*req_cls = calloc(1, sizeof(*q));
		return first(c, url);
	}
	q->calls++;
	if (*size != 0) {
		*size = 0;
		return MHD_YES;
	}
	return final(q, c, url);
}

static inline void on_completed(void *cls, struct MHD_Connection *c,
                                void **req_cls,
                                enum MHD_RequestTerminationCode toe)
{
	(void)cls, (void)c, (void)toe;
	free(*req_cls);
	*req_cls = NULL;
	atomic_fetch_add(&completions, 1);
}

/* --- its server -------------------------------------------------------- */

static struct e2e_server server;
static uint16_t server_port;
static uint32_t server_number;
/* Of a connection, in seconds: long, but for tests of it; a machine that is
 * slow for once would have it come into the others. */
static unsigned time_limit;

/* Numbers are not used again in a process. */
static inline uint32_t last_number(void)
{
	static struct tailbox__daemon all[TAILBOX__DAEMONS_MAX];
	uint32_t n = tailbox__daemons(all), last = 0;

	while (n-- > 0)
		if (all[n].number > last)
			last = all[n].number;
	return last;
}

/* listen_fd: -1 = the daemon listens itself. */
static inline void serve_on(int mode, int listen_fd)
{
	server = e2e_in_mode(mode);
	server.is_recorded = true;
	server.handler = answer;
	server.options[0] = (struct MHD_OptionItem){
		MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)&on_completed, NULL
	};
	server.options[1] = (struct MHD_OptionItem){
		MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)time_limit, NULL
	};
	if (listen_fd >= 0) {
		server.listens_itself = false;
		server.listen_fd = listen_fd;
	}
	ck_assert(e2e_serve(&server));
	server_number = last_number();
	server_port = listen_fd < 0 ? e2e_port(server.daemon) : 0;
}

static inline void serve(int mode)
{
	serve_on(mode, -1);
}

/* --- its clients ------------------------------------------------------- */

static inline void exchange(const char *text)
{
	struct e2e_bytes b = e2e_exchange(server_port, text);

	free(b.text);
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" CLOSE

static inline void *fetch(void *cls)
{
	free(e2e_exchange(server_port, cls).text);
	return NULL;
}

/* --- each test --------------------------------------------------------- */

static inline void before(void)
{
	signal(SIGPIPE, SIG_IGN);
	big = malloc(BIG);
	memset(big, 'b', BIG);
	sem_init(&entered, 0, 0);
	sem_init(&let_go, 0, 0);
	atomic_store(&completions, 0);
	time_limit = 60;
	tape_open();
}

static inline void after(void)
{
	e2e_stop(&server);
	tape_close();
	free(big);
	sem_destroy(&entered);
	sem_destroy(&let_go);
}

/* A case of tests whose loops are over modes. */
static inline TCase *in_modes(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, after);
	return t;
}

static inline int run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

#endif
