/* tailbox/sample.h - take a sample now.
 *
 * SPDX-License-Identifier: MIT
 *
 * The sampler looks at workers, queues and the machine twice a second, ten
 * times a second in an investigation. An application that sees trouble by
 * itself (a pool that is empty, a timeout of its own) can have a look taken at
 * that very moment.
 */
#ifndef TAILBOX_SAMPLE_H
#define TAILBOX_SAMPLE_H 1

#include <tailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ask for one sample. The sampler's own thread is woken and takes it at once,
 * usually within a millisecond; the call does not wait for it. It is like any
 * other sample: it goes onto the tape, and a window or a snapshot of that time
 * has it. The cadence goes on as it was. Calls that come while one asked for
 * is still due are one sample, so a storm of calls is not a storm of samples:
 * there is at most one in 10 ms, and what comes earlier waits for that.
 * Threads: any thread. It takes a lock that is held for decisions only and
 * wakes a thread: about a microsecond with one system call. That is nothing in
 * a request that waits, and too much in each of 100000 a second. Not from a
 * signal handler.
 * Returns 0: it will be taken. -TAILBOX_ESTATE: tailbox_start() was not called
 * or its sampler did not start. -ECANCELED: recording is switched off.
 * Since 0.1. */
TAILBOX_API int tailbox_sample_now(void);

#ifdef __cplusplus
}
#endif
#endif
