/* tests/e2e_window.c - windows of random load, each one valid: a hundred, or
 * a thousand as e2e_long_window.
 *
 * SPDX-License-Identifier: MIT
 *
 * Threads begin, mark and end requests as they like; other threads time spans
 * of the same requests and end them while these end. Windows are armed and
 * disarmed meanwhile, with random modes, limits and policies. Every artifact
 * is loaded, written as Run JSON, read back by the analyzer's reader, and
 * inspected: there must be no finding, not even a warning.
 */
#include "analyzer/load.h"
#include "core/run_json.h"
#include "tests/controller_fixture.h"

#if !defined(E2E_LONG)
enum { WINDOWS = 100 };
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WINDOWS = 150 };
#else
enum { WINDOWS = 1000 };
#endif

enum { OWNERS = 2, HELPERS = 2, SHARED = 4, BURST = 40 };

/* What the helpers find to work on. */
static _Atomic(tailbox_request) shared[SHARED];
static atomic_bool must_end;
static atomic_ulong made, wanted;

static uint64_t any(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1du >> 16;
}

static const char *any_text(uint64_t *seed)
{
	static const char *const texts[] = { "/", "/items/{id}", "db", "a\"b",
		                             "\xe2\x82\xac", "x y", "\xff" };

	return texts[any(seed) % (sizeof(texts) / sizeof(texts[0]))];
}

static void any_span(tailbox_request r, uint64_t *seed)
{
	switch (any(seed) % 6) {
	case 0:
		TAILBOX_STAGE(r, "partial") {
			break;
		}
		break;
	case 1:
		TAILBOX_STAGE(r, "failed") {
			TAILBOX_FAILED();
		}
		break;
	case 2:
		TAILBOX_WAIT(r, "pool", any(seed) % 5) {
			sched_yield();
		}
		break;
	case 3:
		tailbox_gauge_up(r, "jobs");
		break;
	case 4:
		tailbox_gauge_down(r, any(seed) % 2 ? "jobs" : "other");
		break;
	default:
		TAILBOX_STAGE(r, "outer") {
			TAILBOX_WAIT(r, "inner", TAILBOX_DEPTH_UNKNOWN) { }
		}
	}
}

static void any_facts(tailbox_request r, uint64_t *seed)
{
	static atomic_ulong ids;
	char id[48];

	if (any(seed) % 8 == 0)
		tailbox_request_set_route(r, any_text(seed));
	if (any(seed) % 8 == 0)
		tailbox_request_tag(r, "tenant", any_text(seed));
	if (any(seed) % 16 == 0)
		tailbox_request_discard(r);
	if (any(seed) % 8 == 0) {
		snprintf(id, sizeof(id), "%s%lu", any_text(seed),
		         atomic_fetch_add(&ids, 1));
		tailbox_request_set_id(r, id);
	}
}

static void any_request(uint64_t *seed)
{
	tailbox_request r =
	        tailbox_request_begin(any_text(seed), any_text(seed));

	atomic_store(&shared[any(seed) % SHARED], r);
	for (uint64_t n = any(seed) % 4; n > 0; n--)
		any_span(r, seed);
	any_facts(r, seed);
	if (any(seed) % 4 == 0)
		sched_yield(); /* let the helpers have a go at it */
	tailbox_request_finish(r, any(seed) % 3 ? NULL : "error");
}

static void *owner(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	while (!atomic_load(&must_end)) {
		if (atomic_load(&made) >= atomic_load(&wanted)) {
			sched_yield();
			continue;
		}
		any_request(&seed);
		atomic_fetch_add(&made, 1);
	}
	return NULL;
}

static void *helper(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	while (!atomic_load(&must_end)) {
		if (atomic_load(&made) >= atomic_load(&wanted))
			sched_yield();
		any_span(atomic_load(&shared[any(&seed) % SHARED]), &seed);
	}
	return NULL;
}

/* --- what is made of it ------------------------------------------------ */

static long read_json(void *cls, char *buf, size_t room)
{
	return tailbox__run_json_read(cls, buf, room);
}

static void assert_no_finding(const struct tailbox__run *run, const char *what)
{
	struct tailbox__inspection in;
	char where[128] = "";

	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	if (in.issues.count)
		tailbox__issue_location(&in.issues.items[0], where,
		                        sizeof(where));
	ck_assert_msg(in.issues.count == 0, "%s: %zu findings, first %s: %s",
	              what, in.issues.count, where,
	              in.issues.count ? in.issues.items[0].text : "");
	tailbox__inspection_fini(&in);
}

static void assert_json_is_valid(const struct tailbox__run *run)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run_json *json;
	struct tailbox__run *again;

	ck_assert_int_eq(tailbox__run_json_open(run, &json), 0);
	const int ret = tailbox__load_json(read_json, json, &again, &err);
	tailbox__run_json_close(json);
	ck_assert_msg(ret == 0, "%s", err.text);
	ck_assert_uint_eq(again->requests.count, run->requests.count);
	ck_assert_uint_eq(again->stages.count, run->stages.count);
	ck_assert_uint_eq(again->queues.count, run->queues.count);
	ck_assert_uint_eq(again->inflight.count, run->inflight.count);
	assert_no_finding(again, "Run JSON");
	tailbox__run_destroy(again);
}

static struct tailbox__activation any_activation(uint64_t *seed)
{
	struct tailbox__activation a;

	tailbox__activation_init(&a, any(seed) % 2
	                                     ? TAILBOX__MODE_LIGHT
	                                     : TAILBOX__MODE_INVESTIGATION);
	a.policy = any(seed) % 3 ? TAILBOX__POLICY_CONTINUE
	                         : TAILBOX__POLICY_SEAL;
	if (any(seed) % 3 == 0)
		a.limits.max_requests = any(seed) % 50;
	if (any(seed) % 3 == 0)
		a.limits.max_stages = any(seed) % 50;
	if (any(seed) % 3 == 0)
		a.limits.max_queues = any(seed) % 20;
	if (any(seed) % 3 == 0)
		a.limits.max_inflight_snapshots = any(seed) % 20;
	return a;
}

/* A helper may be too late for a request; this one is, whatever the machine. */
static void late_span(void)
{
	tailbox_request r = tailbox_request_begin("/late", "job");

	TAILBOX_STAGE(r, "late") {
		tailbox_request_finish(r, NULL);
	}
}

/* The window may have sealed itself before it is disarmed. */
static struct tailbox__run *any_window(uint64_t id, uint64_t *seed)
{
	const struct tailbox__activation a = any_activation(seed);
	char ended[32];

	/* Some are under way when it is armed; those may all be over before
	 * that is done, so there are others after it. */
	atomic_fetch_add(&wanted, BURST);
	ck_assert_uint_eq(arm(&a), id);
	atomic_fetch_add(&wanted, BURST);
	late_span();
	while (atomic_load(&made) + any(seed) % BURST < atomic_load(&wanted))
		sched_yield();
	ck_assert_int_ge(tailbox__disarm(NULL, NULL, NULL), 0);
	snprintf(ended, sizeof(ended), "window %llu: ", (unsigned long long)id);
	wait_for(ended);
	return load(id);
}

START_TEST(windows_of_random_load_have_no_finding)
{
	uint64_t seed = 0x5eed, requests = 0, late = 0;
	pthread_t threads[OWNERS + HELPERS];

	for (uintptr_t i = 0; i < OWNERS + HELPERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
		                                i < OWNERS ? owner : helper,
		                                (void *)(i + 1)),
		                 0);
	for (uint64_t id = 1; id <= WINDOWS; id++) {
		struct tailbox__artifact_entry e;
		struct tailbox__run *run = any_window(id, &seed);
		char number[24];

		assert_no_finding(run, "artifact");
		assert_json_is_valid(run);
		requests += run->requests.count;
		late += extra(run, "late_spans");
		tailbox__run_destroy(run);
		snprintf(number, sizeof(number), "%llu",
		         (unsigned long long)id);
		ck_assert_int_eq(tailbox__artifact_find(number, &e), 0);
		ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	}
	atomic_store(&must_end, true);
	for (int i = 0; i < OWNERS + HELPERS; i++)
		pthread_join(threads[i], NULL);
	/* Else nothing was tried. */
	ck_assert_uint_gt(requests, WINDOWS);
	ck_assert_uint_gt(late, 0);
}
END_TEST

static Suite *window_suite(void)
{
	Suite *s = suite_create("e2e_window");
	TCase *t = tcase_create("windows");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_add_test(t, windows_of_random_load_have_no_finding);
	tcase_set_timeout(t, 300);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(window_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
