/* tests/test_sampler_fixture.h - the newest sample of the tape that is open.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_TEST_SAMPLER_FIXTURE_H
#define TAILBOX_TESTS_TEST_SAMPLER_FIXTURE_H 1

#include "core/metrics.h"
#include "sampler/values.h"
#include "tests/recorder_fixture.h"

static struct tailbox__reader *samples_reader;
static size_t samples_count; /* read so far */

/* The newest one. */
static struct {
	struct tailbox__rec_sample rec;
	unsigned count;
	struct tailbox__value of[1020];
} sample;

static inline void samples_open(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	samples_count = 0;
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &samples_reader, &err),
	                 0);
}

static inline void samples_close(void)
{
	tailbox__reader_close(samples_reader);
	samples_reader = NULL;
}

static inline void samples_take_values(const struct tailbox__rec_values *r)
{
	ck_assert_int_eq(r->type, TAILBOX__REC_VALUES);
	ck_assert_int_ge(r->count, 1);
	ck_assert_int_le(r->count, 4);
	for (unsigned i = 0; i < r->count; i++) {
		ck_assert_int_lt(r->of[i].metric, TAILBOX__METRIC_COUNT);
		/* Unknown is left out, not written. */
		ck_assert_uint_ne(r->value[i], TAILBOX__UNKNOWN);
		sample.of[sample.count++] = (struct tailbox__value){
			r->of[i].metric, r->of[i].subject, r->value[i]
		};
	}
}

static inline int samples_take(void *cls, unsigned kind, uint32_t thread,
                               const char *records, size_t bytes)
{
	const char *at = records, *end = records + bytes;

	(void)cls, (void)thread;
	if (kind != TAILBOX__BLOCK_SAMPLES)
		return 0;
	while (at < end) {
		ck_assert_int_ge(end - at, (long)sizeof(sample.rec));
		memcpy(&sample.rec, at, sizeof(sample.rec));
		ck_assert_int_eq(sample.rec.type, TAILBOX__REC_SAMPLE);
		at += sizeof(sample.rec);
		sample.count = 0;
		/* A sample and its values are published together. */
		ck_assert_int_ge(end - at, 64 * (long)sample.rec.more);
		for (unsigned i = 0; i < sample.rec.more; i++, at += 64) {
			struct tailbox__rec_values r;

			memcpy(&r, at, sizeof(r));
			samples_take_values(&r);
		}
		samples_count++;
	}
	return 0;
}

/* Read what is new; how many there were in all. */
static inline size_t samples_read(void)
{
	ck_assert_int_eq(tailbox__reader_poll(samples_reader, samples_take,
	                                      NULL),
	                 0);
	return samples_count;
}

static inline void samples_wait(size_t count)
{
	while (samples_read() < count)
		usleep(500);
}

static inline bool has(enum tailbox__metric metric, uint16_t subject)
{
	for (unsigned i = 0; i < sample.count; i++)
		if (sample.of[i].metric == metric &&
		    sample.of[i].subject == subject)
			return true;
	return false;
}

/* UNKNOWN when it is not there. */
static inline uint64_t value(enum tailbox__metric metric, uint16_t subject)
{
	for (unsigned i = 0; i < sample.count; i++)
		if (sample.of[i].metric == metric &&
		    sample.of[i].subject == subject)
			return sample.of[i].value;
	return TAILBOX__UNKNOWN;
}

/* It has to be there. (UNKNOWN is above all: a test of "at least" wants this
 * one.) */
static inline uint64_t known(enum tailbox__metric metric, uint16_t subject)
{
	ck_assert(has(metric, subject));
	return value(metric, subject);
}

/* For how many subjects there is a value. */
static inline unsigned subjects(enum tailbox__metric metric)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sample.count; i++)
		n += sample.of[i].metric == metric;
	return n;
}

static inline const char *name(uint64_t number)
{
	return tailbox__reader_name(samples_reader, (uint16_t)number, NULL);
}

/* Machine, daemons, workers, pools; workers by subject, the values of one
 * side by side. */
static inline bool is_in_order(void)
{
	static const int rank[] = {
		[TAILBOX__SCOPE_MACHINE] = 0,
		[TAILBOX__SCOPE_DAEMON] = 1,
		[TAILBOX__SCOPE_WORKER] = 2,
		[TAILBOX__SCOPE_POOL] = 3,
	};

	for (unsigned i = 1; i < sample.count; i++) {
		const struct tailbox__value *a = &sample.of[i - 1],
		                            *b = &sample.of[i];
		enum tailbox__scope x = tailbox__metric_info[a->metric].scope,
		                    y = tailbox__metric_info[b->metric].scope;

		if (rank[x] > rank[y])
			return false;
		if (x == y && x == TAILBOX__SCOPE_WORKER &&
		    a->subject > b->subject)
			return false;
	}
	return true;
}

#endif
