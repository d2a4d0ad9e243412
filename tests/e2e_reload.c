/* tests/e2e_reload.c - reloads under load: none of the requests is lost, and
 * each window follows the last valid file.
 *
 * SPDX-License-Identifier: MIT
 *
 * Files alternate, valid and invalid ones. A valid one names a route pattern
 * and a limit that tell which it was; every so many rounds a window is armed,
 * and its artifact must have both of the last valid file, for all requests
 * in it. Clients that keep their connections load the service meanwhile, so
 * that cached routes would show. make check-long has a
 * thousand reloads.
 */
#include "tests/e2e_admin_client.h"

#include <tailbox.h>

#include "core/run.h"
#include "tests/e2e_client.h"

#ifdef E2E_LONG
enum { ROUNDS = 1000 };
#else
enum { ROUNDS = 60 };
#endif
enum { CLIENTS = 2, WINDOW_EVERY = 10 };

static char file[128];
static int must_end;

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size, (void)req_cls;
	r = MHD_create_response_from_buffer(2, (char[]){ "ok" },
	                                    MHD_RESPMEM_MUST_COPY);
	rc = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return rc;
}

static void put(const char *text)
{
	FILE *f = fopen(file, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* Each round has a pattern of its own, from a few that come again. */
static void put_valid(unsigned round)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "[window]\nmax_stages = %u\n"
	         "[routes]\npatterns = ['/items/{n%u}']\n", round, round % 7);
	put(text);
}

static void put_invalid(unsigned round)
{
	static const char *const texts[] = {
		"[window]\nmax_stages = -1\n[routes]\npatterns = ['/items/*']\n",
		"[routes]\npatterns = ['/items/*', 'items']\n",
		"[routes]\npatterns = ['/items/*'",
		"[routes]\npatterns = ['/items/*']\n[controller]\n",
		"\xff", "[window]\nmax_stages = 7\nmax_stages = 7\n"
	};

	put(texts[round % (sizeof(texts) / sizeof(texts[0]))]);
}

/* Arm, wait for requests in it, disarm: all is as in this round's file. */
static void check_window(unsigned id, unsigned round)
{
	struct tailbox__run *run;
	char path[32], route[32];

	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	usleep(20000); /* for there to be requests; none would be no error */
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	snprintf(path, sizeof(path), "/artifacts/%u", id);
	run = service_fetch(path);
	ck_assert_uint_eq(run->meta.core.limits.max_stages, round);
	snprintf(route, sizeof(route), "/items/{n%u}", round % 7);
	for (size_t i = 0; i < run->requests.count; i++) {
		const char *got = tailbox__run_text(
		        run, run->requests.items[i].route, NULL);
		ck_assert_msg(strcmp(got, route) == 0,
		              "window %u, request %zu of %zu: %s, not %s", id,
		              i, run->requests.count, got, route);
	}
	tailbox__run_destroy(run);
}

/* Artifacts would fill the folder. */
static void remove_window(unsigned id)
{
	char path[32];

	snprintf(path, sizeof(path), "/artifacts/%u", id);
	ck_assert_int_eq(service_call("DELETE", path), 200);
}

static uint64_t number_in(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	ck_assert_msg(p != NULL, "no %s in %s", name, text);
	return strtoull(p + strlen(name), NULL, 10);
}

START_TEST(windows_follow_the_last_valid_file)
{
	struct service_load loads[CLIENTS];
	struct MHD_Daemon *d;
	struct service_reply r;
	unsigned windows = 0;
	long done = 0;
	uint16_t port;

	snprintf(file, sizeof(file), "/tmp/tailbox-reload-%ld.conf",
	         (long)getpid());
	put_valid(0);
	setenv("TAILBOX_CONFIG", file, 1);
	service_start(0);
	d = tailbox_mhd_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
	                             NULL, answer, NULL,
	                             MHD_OPTION_THREAD_POOL_SIZE, 2u,
	                             MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	port = e2e_port(d);
	for (int i = 0; i < CLIENTS; i++) {
		loads[i] = (struct service_load){ .port = port,
			                          .path = "/items/bob",
			                          .requests = -1,
			                          .stop = &must_end };
		ck_assert_int_eq(pthread_create(&loads[i].thread, NULL,
		                                service_load_thread,
		                                &loads[i]), 0);
	}
	for (unsigned round = 1; round <= ROUNDS / 2; round++) {
		put_valid(round);
		ck_assert_int_eq(service_call("POST", "/reload"), 200);
		put_invalid(round);
		ck_assert_int_eq(service_call("POST", "/reload"), 400);
		if (round % WINDOW_EVERY != 0)
			continue;
		check_window(++windows, round);
		remove_window(windows);
	}
	__atomic_store_n(&must_end, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(loads[i].thread, NULL);
		done += loads[i].done;
	}
	tailbox_mhd_stop_daemon(d);
	r = service_admin("GET", "/status");
	ck_assert_uint_eq(number_in(r.text, "\"reloads\": "), ROUNDS / 2);
	ck_assert_uint_eq(number_in(r.text, "\"failed_reloads\": "),
	                  ROUNDS / 2);
	ck_assert_int_gt(done, 0);
	ck_assert_uint_eq(number_in(r.text, "\"finished\": "), (uint64_t)done);
	ck_assert_uint_eq(number_in(r.text, "\"begun\": "), (uint64_t)done);
	ck_assert_uint_eq(number_in(strstr(r.text, "\"losses\""),
	                            "\"requests\": "), 0);
	free(r.text);
	service_stop();
	unlink(file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("e2e_reload");
	TCase *tc = tcase_create("reload");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, windows_follow_the_last_valid_file);
	suite_add_tcase(s, tc);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	curl_global_cleanup();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
