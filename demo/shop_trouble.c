/* demo/shop_trouble.c - mistakes that the shop can make, to try tailbox on.
 *
 * `shop --trouble NAME` gives the shop one fault of those that real services
 * have. The shop calls trouble_at() where a fault may strike and
 * trouble_suspends() in front of its pages; without a trouble both do nothing.
 * Nothing here is marked with TAILBOX_STAGE or TAILBOX_WAIT: nobody marks the
 * mistake that he does not know of. demo/lab.sh provokes each of them and looks
 * whether tailbox finds it. The deadlock is another matter: it ends all requests
 * and so is nothing to analyze but to look at, with tailbox top, and its locks
 * are marked as careful people mark theirs.
 *
 * Most faults sleep and do not compute: what they do is then the same on a
 * machine that is busy with something else.
 *
 * SPDX-License-Identifier: MIT */
#include "shop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURNERS_MAX 64
#define BURNERS_PER_CPU 6
#define WAITING_MAX 128u
#define OF_FIRST_ANSWER 8u

static void nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* --- what may go wrong in a handler --------------------------------------- */

/* `usual`, but `seldom` each 16th time: the slowest requests are to be those
 * that met the fault at its worst, not those that had bad luck elsewhere. */
static void nap_unevenly(long usual, long seldom)
{
	static atomic_uint count; /* relaxed: a number and nothing else */
	unsigned int n = atomic_fetch_add_explicit(&count, 1,
	                                           memory_order_relaxed);

	nap(n % 16 == 0 ? seldom : usual);
}

/* A call that blocks, where somebody thought of a quick one. */
static void strike_sleep(void)
{
	nap(150);
}

/* Of the thread's own CPU time: beside busy neighbours it takes longer, and
 * is as much work as without. */
static void strike_spin(void)
{
	struct timespec t;
	long start = -1, now = 0;

	while (start < 0 || now - start < 100) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		now = (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
		if (start < 0)
			start = now;
	}
}

/* Each page writes to one log, under one mutex, and the disk is slow. */
static void strike_lock(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	nap_unevenly(6, 60);
	pthread_mutex_unlock(&lock);
}

/* A little work on each page, harmless by itself. */
static void strike_work(void)
{
	nap(8);
}

/* The database is on another machine, which lacks an index. */
static void strike_query(void)
{
	nap_unevenly(30, 240);
}

/* Something is done with the connection still in hand. */
static void strike_pool(void)
{
	nap_unevenly(8, 80);
}

/* --- threads that burn CPU ------------------------------------------------ */

static atomic_bool is_over; /* relaxed: nothing else is handed over by it */
static pthread_t burner[BURNERS_MAX];
static int burners;

static void *burn(void *cls)
{
	(void)cls;
	while (!atomic_load_explicit(&is_over, memory_order_relaxed))
		;
	return NULL;
}

static void start_burn(void)
{
	long wanted = sysconf(_SC_NPROCESSORS_ONLN) * BURNERS_PER_CPU;

	while (burners < BURNERS_MAX && burners < wanted &&
	       pthread_create(&burner[burners], NULL, &burn, NULL) == 0)
		burners++;
}

static void stop_burn(void)
{
	while (burners > 0)
		pthread_join(burner[--burners], NULL);
}

/* --- requests that are resumed late --------------------------------------- */

/* Requests that wait for one of two answers are suspended, which is as it
 * should be. Those of the first answer then have some work each, and the
 * second answer comes while their worker is at it: the others are ready, and
 * nobody goes on with them. */
static struct {
	pthread_mutex_t lock;
	struct call *waiting[WAITING_MAX];
	size_t count;
	bool is_open; /* false: nobody would resume it any more */
	pthread_t thread;
} answers = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The n that came first. */
static void resume(size_t n, bool has_work)
{
	pthread_mutex_lock(&answers.lock);
	if (n > answers.count)
		n = answers.count;
	for (size_t i = 0; i < n; i++) {
		struct call *q = answers.waiting[i];

		q->has_work = has_work;
		/* From here on it may be gone. */
		tailbox_mhd_resume_connection(q->connection);
	}
	answers.count -= n;
	memmove(answers.waiting, answers.waiting + n,
	        answers.count * sizeof(answers.waiting[0]));
	pthread_mutex_unlock(&answers.lock);
}

static bool is_nobody_waiting(void)
{
	pthread_mutex_lock(&answers.lock);
	bool is_so = answers.count == 0;
	pthread_mutex_unlock(&answers.lock);
	return is_so;
}

static void *answer_them(void *cls)
{
	(void)cls;
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		if (is_nobody_waiting()) {
			nap(1);
			continue;
		}
		nap(8);
		resume(OF_FIRST_ANSWER, true);
		nap(20);
		resume(WAITING_MAX, false);
	}
	return NULL;
}

static void start_suspend(void)
{
	answers.is_open = pthread_create(&answers.thread, NULL, &answer_them,
	                                 NULL) == 0;
}

/* The daemon is stopped after this: MHD wants nothing suspended then. */
static void stop_suspend(void)
{
	if (!answers.is_open)
		return;
	pthread_join(answers.thread, NULL);
	pthread_mutex_lock(&answers.lock);
	answers.is_open = false;
	pthread_mutex_unlock(&answers.lock);
	resume(WAITING_MAX, false);
}

static bool is_suspended_now(struct call *q)
{
	if (q->was_suspended) {
		nap(q->has_work ? 10 : 1);
		return false;
	}
	pthread_mutex_lock(&answers.lock);
	if (answers.is_open && answers.count < WAITING_MAX) {
		q->was_suspended = true;
		/* Before it is in the list: who resumes it must find it
		 * suspended. */
		tailbox_mhd_suspend_connection(q->connection);
		answers.waiting[answers.count++] = q;
	}
	bool is_suspended = q->was_suspended;
	/* Now it may be resumed, and be gone. */
	pthread_mutex_unlock(&answers.lock);
	return is_suspended;
}

/* --- two locks, in one order and in the other ----------------------------- */

static pthread_mutex_t stock_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t price_lock = PTHREAD_MUTEX_INITIALIZER;

/* Time enough for the other page to take its first lock. */
static void between_locks(void)
{
	nap(100);
}

static void stock_then_price(tailbox_request r)
{
	TAILBOX_WAIT(r, "stock_lock", TAILBOX_DEPTH_UNKNOWN) {
		pthread_mutex_lock(&stock_lock);
	}
	between_locks();
	TAILBOX_WAIT(r, "price_lock", TAILBOX_DEPTH_UNKNOWN) {
		pthread_mutex_lock(&price_lock);
	}
	pthread_mutex_unlock(&price_lock);
	pthread_mutex_unlock(&stock_lock);
}

static void price_then_stock(tailbox_request r)
{
	TAILBOX_WAIT(r, "price_lock", TAILBOX_DEPTH_UNKNOWN) {
		pthread_mutex_lock(&price_lock);
	}
	between_locks();
	TAILBOX_WAIT(r, "stock_lock", TAILBOX_DEPTH_UNKNOWN) {
		pthread_mutex_lock(&stock_lock);
	}
	pthread_mutex_unlock(&stock_lock);
	pthread_mutex_unlock(&price_lock);
}

static void lock_both(tailbox_request r, const char *page)
{
	if (strcmp(page, "/items") == 0)
		stock_then_price(r);
	else if (strcmp(page, "/items/{id}") == 0)
		price_then_stock(r);
}

/* --- which one ------------------------------------------------------------ */

static const struct trouble {
	const char *name;
	const char *what;
	enum trouble_place place;
	const char *page; /* NULL: each */
	void (*strike)(void);
	void (*lock)(tailbox_request r, const char *page);
	void (*start)(void);
	void (*stop)(void);
} troubles[] = {
	{ .name = "sleep",
	  .what = "GET /quote/{id} sleeps for 150 ms",
	  .place = TROUBLE_IN_PAGE,
	  .page = "/quote/{id}",
	  .strike = &strike_sleep },
	{ .name = "spin",
	  .what = "GET /quote/{id} computes for 100 ms",
	  .place = TROUBLE_IN_PAGE,
	  .page = "/quote/{id}",
	  .strike = &strike_spin },
	{ .name = "lock",
	  .what = "each page holds one mutex for 6 ms, or 60 ms",
	  .place = TROUBLE_IN_PAGE,
	  .strike = &strike_lock },
	{ .name = "work",
	  .what = "each page takes 8 ms longer",
	  .place = TROUBLE_IN_PAGE,
	  .strike = &strike_work },
	{ .name = "query",
	  .what = "each query takes 30 ms longer, or 240 ms",
	  .place = TROUBLE_IN_QUERY,
	  .strike = &strike_query },
	{ .name = "pool",
	  .what = "a database connection is kept 8 ms longer, or 80 ms",
	  .place = TROUBLE_BEFORE_PUT,
	  .strike = &strike_pool },
	{ .name = "burn",
	  .what = "threads that burn CPU, 6 for each",
	  .start = &start_burn,
	  .stop = &stop_burn },
	{ .name = "suspend",
	  .what = "GET /items/{id} is resumed while its worker is busy",
	  .page = "/items/{id}",
	  .start = &start_suspend,
	  .stop = &stop_suspend },
	{ .name = "deadlock",
	  .what = "two pages lock two mutexes crosswise; only kill -9 helps",
	  .lock = &lock_both },
};

static const struct trouble *current; /* set before the daemon starts */

void trouble_list(FILE *out)
{
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		fprintf(out, "  %-8s %s\n", troubles[i].name,
		        troubles[i].what);
}

bool trouble_choose(const char *name)
{
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		if (strcmp(troubles[i].name, name) == 0) {
			current = &troubles[i];
			return true;
		}
	}
	return false;
}

void trouble_start(void)
{
	if (current != NULL && current->start != NULL)
		current->start();
}

void trouble_stop(void)
{
	atomic_store_explicit(&is_over, true, memory_order_relaxed);
	if (current != NULL && current->stop != NULL)
		current->stop();
}

void trouble_at(enum trouble_place place, const char *page)
{
	if (current != NULL && current->place == place &&
	    (current->page == NULL || strcmp(current->page, page) == 0))
		current->strike();
}

bool trouble_suspends(struct call *q, const char *page)
{
	return current != NULL && current->start == &start_suspend &&
	       strcmp(current->page, page) == 0 && is_suspended_now(q);
}

void trouble_locks(tailbox_request r, const char *page)
{
	if (current != NULL && current->lock != NULL)
		current->lock(r, page);
}
