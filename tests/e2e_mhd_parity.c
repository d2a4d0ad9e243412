/* tests/e2e_mhd_parity.c - the application and its clients see what they
 * would see without us.
 *
 * SPDX-License-Identifier: MIT
 *
 * One application that does all that the server library allows writes down
 * every call it gets (parity_app.h). A client script (parity_script.h) is
 * played against it, once on a bare daemon and once on a recorded one; then
 * the two lists of calls and the bytes that the client read are compared as
 * text. In every mode of the server, with and without callbacks of the
 * application's own, recording and paused.
 */
#include <signal.h>

#include "middleware/connections.h"
#include "tests/e2e_modes.h"
#include "tests/parity_app.h"
#include "tests/parity_script.h"
#include "tests/recorder_fixture.h"

static int mode;
/* Plays the steps of time-outs, which take a second each, in this mode only;
 * MODES = in each where there is something to see. */
static int patient_mode;
static struct e2e_server server;

static void set_up(int without, unsigned timeout_s)
{
	const int room = PARITY_SOCKET_BUFFER;
	int fd;

	server = e2e_in_mode(mode);
	server.is_recorded = parity.is_wrapped;
	server.flags |= MHD_USE_SUPPRESS_DATE_NO_CLOCK;
	server.handler = parity_answer;
	server.handler_cls = parity_app_cls();
	parity_app_options(without, timeout_s, server.options);
	ck_assert(e2e_serve(&server));
	/* What it accepts inherits that. */
	fd = MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_LISTEN_FD)
	             ->listen_fd;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room,
	                            sizeof(room)), 0);
}

/* --- outcomes ---------------------------------------------------------- */

struct outcome {
	char *calls;
	struct e2e_bytes bytes;
};

static void play(const struct parity_step *s, uint16_t port,
                 struct outcome *out)
{
	int one = 1;

	if (getenv("E2E_VERBOSE") != NULL)
		fprintf(stderr, "%s %s\n", parity.is_wrapped ? "ours" : "bare",
		        s->name);
	parity_app_reset();
	if (s->play != NULL)
		s->play(port, &out->bytes);
	else
		out->bytes = e2e_exchange(port, s->text);
	ck_assert_int_eq(parity_app_join(), 0);
	e2e_wait(parity_has_closed, &one, s->name);
	out->calls = parity_calls();
}

/* With a thread for each connection libmicrohttpd 0.9.75 may miss the resume
 * of a suspended one and hang, bare or not. */
static bool is_left_out(const struct parity_step *s)
{
	if (parity_is_timeout(s))
		return (mode != POOL && mode != THREADS) ||
		       (mode != patient_mode && patient_mode != MODES);
	return mode == THREADS && strstr(s->name, "suspend") != NULL;
}

static void play_some(int without, bool timeouts, struct outcome *out)
{
	set_up(without, timeouts ? 1 : 4 * E2E_PATIENCE_MS / 1000);
	for (size_t i = 0; i < parity_steps; i++)
		if (!is_left_out(&parity_script[i]) &&
		    parity_is_timeout(&parity_script[i]) == timeouts)
			play(&parity_script[i], e2e_port(server.daemon),
			     &out[i]);
	e2e_stop(&server);
}

/* One for each step; forget() them. */
static struct outcome *play_all(int without)
{
	struct outcome *out = calloc(parity_steps, sizeof(*out));

	ck_assert_ptr_nonnull(out);
	play_some(without, false, out);
	if (patient_mode == mode || patient_mode == MODES)
		play_some(without, true, out);
	return out;
}

static void compare(const char *what, const struct outcome *bare,
                    const struct outcome *ours)
{
	for (size_t i = 0; i < parity_steps; i++) {
		if (is_left_out(&parity_script[i]))
			continue;
		ck_assert_msg(strcmp(bare[i].calls, ours[i].calls) == 0,
		              "%s, %s, %s: bare:\n%sours:\n%s",
		              e2e_modes[mode].name, what, parity_script[i].name,
		              bare[i].calls, ours[i].calls);
		ck_assert_msg(bare[i].bytes.len == ours[i].bytes.len &&
		                      (bare[i].bytes.len == 0 ||
		                       memcmp(bare[i].bytes.text,
		                              ours[i].bytes.text,
		                              bare[i].bytes.len) == 0),
		              "%s, %s, %s: other bytes",
		              e2e_modes[mode].name, what,
		              parity_script[i].name);
	}
}

static void forget(struct outcome *o)
{
	for (size_t i = 0; i < parity_steps; i++) {
		free(o[i].calls);
		free(o[i].bytes.text);
	}
	free(o);
}

static void play_twice(const char *what, int without, bool is_on, uint32_t fds)
{
	struct outcome *bare, *ours;

	parity.is_wrapped = false;
	bare = play_all(without);
	parity.is_wrapped = true;
	fixture_open(TAILBOX__TAPE_MIN);
	tailbox__recorder_set(is_on);
	ck_assert_int_eq(tailbox__connections_init(), 0);
	tailbox__connections_limit(fds);
	ours = play_all(without);
	tailbox__connections_limit(0);
	fixture_close();
	compare(what, bare, ours);
	forget(bare);
	forget(ours);
}

#ifdef E2E_LONG
#define PATIENT(mode) MODES
#else
#define PATIENT(mode) (mode)
#endif

START_TEST(with_all_callbacks)
{
	mode = _i;
	patient_mode = PATIENT(POOL);
	play_twice("all callbacks", 0, true, 0);
}
END_TEST

/* Then our URI_LOG makes the server report requests that the application
 * would not hear of. */
START_TEST(without_a_uri_log)
{
	mode = _i;
	patient_mode = PATIENT(THREADS);
	play_twice("no URI_LOG", NO_URI_LOG, true, 0);
}
END_TEST

START_TEST(paused_without_a_uri_log)
{
	mode = _i;
	play_twice("paused", NO_URI_LOG, false, 0);
}
END_TEST

/* With a URI_LOG, that is: what no state is kept of cannot be told apart. */
START_TEST(descriptors_beyond_the_table_pass)
{
	mode = _i;
	play_twice("beyond the table", 0, true, 1);
}
END_TEST

static void before(void)
{
	signal(SIGPIPE, SIG_IGN);
	patient_mode = -1;
	parity_app_open();
}

int main(void)
{
	Suite *s = suite_create("mhd_parity");
	TCase *t = tcase_create("modes");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, before, parity_app_close);
	tcase_add_loop_test(t, with_all_callbacks, 0, MODES);
	tcase_add_loop_test(t, without_a_uri_log, 0, MODES);
	tcase_add_loop_test(t, paused_without_a_uri_log, 0, MODES);
	tcase_add_loop_test(t, descriptors_beyond_the_table_pass, 0, MODES);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
