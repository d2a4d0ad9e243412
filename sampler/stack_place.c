/* sampler/stack_place.c - where a worker answers, and the signal that asks.
 *
 * SPDX-License-Identifier: MIT
 *
 * A place per thread, and one word of it says whose turn it is:
 *
 *   FREE      the sampler's. It fills in whom it asks about what, then
 *   ASKED     the worker's, whose handler is run by the signal: it walks its
 *             own stack into the place, then
 *   ANSWERED  the sampler's again (or LATE: the hold had ended).
 *
 * Each change is a release, each look an acquire; nobody waits for anybody.
 * A signal that comes late, twice, or from somebody else finds a place that
 * is not ASKED, and does nothing. A signal that never comes keeps its place
 * ASKED: the thread is asked no more until it has answered, or has gone.
 *
 * The handler reads thread-local words, its place, its entry of the tape and
 * its own stack, makes no system call, takes no lock, and puts errno back. The
 * places are never freed: a signal may be on its way when all is over.
 *
 * To give a signal back it is ignored first, by which the kernel drops those
 * that are pending: one that came after the default was back would end the
 * process.
 */
#include "sampler/stack_place.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/recorder.h"

static struct tailbox__stack_place *_Atomic places;

struct tailbox__stack_place *tailbox__stack_places(void)
{
	return atomic_load_explicit(&places, memory_order_acquire);
}

/* --- in the worker ------------------------------------------------------- */

static void take_registers(const ucontext_t *u, struct tailbox__stack_from *f)
{
#if defined(__x86_64__)
	f->pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
	f->sp = (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
	f->fp = (uintptr_t)u->uc_mcontext.gregs[REG_RBP];
#elif defined(__aarch64__)
	f->pc = (uintptr_t)u->uc_mcontext.pc;
	f->sp = (uintptr_t)u->uc_mcontext.sp;
	f->fp = (uintptr_t)u->uc_mcontext.regs[29];
	f->link = (uintptr_t)u->uc_mcontext.regs[30];
#else
	(void)u;
	(void)f;
#endif
}

static void answer(struct tailbox__stack_place *p,
                   const struct tailbox__thread *t, const ucontext_t *u)
{
	/* Pairs with the release in ask(). */
	uint32_t turn = atomic_load_explicit(&p->turn, memory_order_acquire);

	if (turn != TAILBOX__STACK_ASKED)
		return;
	turn = TAILBOX__STACK_LATE;
	if (TAILBOX__GET(t->entry->hold_since) == p->hold) {
		struct tailbox__stack_from from = { .low = p->low,
			                            .high = p->high };
		take_registers(u, &from);
		p->tick = tailbox__now();
		tailbox__stack_walk(&from, &p->raw);
		turn = TAILBOX__STACK_ANSWERED;
	}
	atomic_store_explicit(&p->turn, turn, memory_order_release);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	const int error = errno;
	const struct tailbox__thread *t = tailbox__self;
	struct tailbox__stack_place *all = tailbox__stack_places();

	(void)number;
	(void)info;
	if (t != NULL && all != NULL)
		answer(&all[t->index], t, context);
	errno = error;
}

/* --- the signal ---------------------------------------------------------- */

bool tailbox__stack_is_ours(int number)
{
	struct sigaction a;

	return sigaction(number, NULL, &a) == 0 && (a.sa_flags & SA_SIGINFO) &&
	       a.sa_sigaction == on_signal;
}

void tailbox__stack_withdraw(struct tailbox__stack_place *p)
{
	uint32_t turn = TAILBOX__STACK_ASKED;

	atomic_compare_exchange_strong_explicit(
	        &p->turn, &turn, TAILBOX__STACK_FREE, memory_order_relaxed,
	        memory_order_relaxed);
}

void tailbox__stack_give_back(int number)
{
	struct sigaction a = { .sa_handler = SIG_IGN };

	if (!tailbox__stack_is_ours(number))
		return;
	sigaction(number, &a, NULL); /* drops what is pending */
	a.sa_handler = SIG_DFL;
	sigaction(number, &a, NULL);
}

const char *tailbox__stack_take(int number)
{
	struct sigaction before;
	struct sigaction a = { .sa_sigaction = on_signal,
		               .sa_flags = SA_SIGINFO | SA_RESTART |
		                           SA_ONSTACK };

	if (!TAILBOX__STACK_SUPPORTED)
		return "stacks are not known of this kind of processor";
	if (sigaction(number, NULL, &before) != 0)
		return "it cannot be read";
	if ((before.sa_flags & SA_SIGINFO) ||
	    (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN))
		return "it has a handler already";
	if (before.sa_handler == SIG_IGN)
		return "it is ignored by the application";
	if (atomic_load(&places) == NULL) {
		struct tailbox__stack_place *made =
		        tailbox__zalloc(TAILBOX__THREADS_MAX, sizeof(*made));
		if (made == NULL)
			return "out of memory";
		atomic_store(&places, made);
	}
	sigemptyset(&a.sa_mask);
	return sigaction(number, &a, NULL) == 0 ? NULL : "it cannot be set";
}
