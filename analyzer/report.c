/* analyzer/report.c - the report as a thing: names, texts, memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

const char *const tailbox__suspect_names[TAILBOX__SUSPECT_COUNT] = {
	"application_queue_saturation", "blocking_pool_pressure",
	"executor_pressure_suspected", "downstream_stage_dominates",
	"insufficient_evidence",
	"cpu_starvation", "connection_limit_reached",
	"lock_contention", "spinning_handler",
	"worker_blocked", "slow_client_upload",
	"slow_client_download", "resume_delay",
	"accept_queue_pressure", "event_loop_stall"
};
/* The kind in words; its name is what JSON has. */
const char *const tailbox__suspect_meanings[TAILBOX__SUSPECT_COUNT] = {
	[TAILBOX__SUSPECT_QUEUE] = "requests wait in queues of the application",
	[TAILBOX__SUSPECT_BLOCKING] = "jobs wait for the offload pool",
	[TAILBOX__SUSPECT_EXECUTOR] = "workers do not keep up with requests",
	[TAILBOX__SUSPECT_DOWNSTREAM] =
	        "one stage takes most of the slow requests' time",
	[TAILBOX__SUSPECT_UNKNOWN] = "what was recorded does not tell",
	[TAILBOX__SUSPECT_CPU] = "threads wait for a CPU",
	[TAILBOX__SUSPECT_CONNECTIONS] = "no connection more is accepted",
	[TAILBOX__SUSPECT_LOCK] = "handlers wait for a lock of the application",
	[TAILBOX__SUSPECT_SPINNING] = "a handler computes for long",
	[TAILBOX__SUSPECT_WORKER_BLOCKED] = "requests wait for a held worker",
	[TAILBOX__SUSPECT_UPLOAD] = "clients send their bodies slowly",
	[TAILBOX__SUSPECT_DOWNLOAD] = "clients read their answers slowly",
	[TAILBOX__SUSPECT_RESUME] = "resumed requests are taken up late",
	[TAILBOX__SUSPECT_ACCEPT] = "connections wait to be accepted",
	[TAILBOX__SUSPECT_LOOP] = "the event loop sleeps with ready requests",
};
const char *const tailbox__ruling_names[3] = { "likely", "ruled_out",
	                                       "cannot_tell" };
const char *const tailbox__confidence_names[3] = { "low", "medium", "high" };
const char *const tailbox__evidence_names[4] = { "present", "missing",
	                                         "partial", "truncated" };
const char *const tailbox__quality_names[3] = { "weak", "partial", "strong" };
const char *const tailbox__report_verdict_names[4] = { "likely", "healthy", "too_few",
	                                        "unclear" };

int tailbox__texts_add(struct tailbox__texts *t, const char *format, ...)
{
	va_list args, again;
	char *text, **to;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = len < 0 ? NULL : tailbox__alloc((size_t)len + 1, 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	if (!text)
		return -ENOMEM;
	to = tailbox__list_grow((void **)&t->items, &t->count, &t->room,
	                        sizeof(*t->items));
	if (!to) {
		tailbox__free(text);
		return -ENOMEM;
	}
	*to = text;
	return 0;
}

void tailbox__texts_fini(struct tailbox__texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		tailbox__free(t->items[i]);
	tailbox__free(t->items);
	*t = (struct tailbox__texts){ NULL, 0, 0 };
}

void tailbox__report_slice_fini(struct tailbox__report_slice *s)
{
	for (size_t i = 0; i < s->suspect_count; i++) {
		tailbox__texts_fini(&s->suspects[i].evidence);
		tailbox__texts_fini(&s->suspects[i].next_checks);
		tailbox__texts_fini(&s->suspects[i].notes);
		tailbox__free(s->suspects[i].title);
		tailbox__free(s->suspects[i].figures.items);
	}
	tailbox__free(s->suspects);
	tailbox__texts_fini(&s->quality.limitations);
	tailbox__texts_fini(&s->warnings);
	*s = (struct tailbox__report_slice){ .suspects = NULL };
}

void tailbox__report_fini(struct tailbox__report *r)
{
	tailbox__report_slice_fini(&r->whole);
	for (size_t i = 0; i < r->routes.count; i++)
		tailbox__report_slice_fini(&r->routes.items[i].slice);
	for (size_t i = 0; i < r->segments.count; i++)
		tailbox__report_slice_fini(&r->segments.items[i].slice);
	tailbox__free(r->routes.items);
	tailbox__free(r->segments.items);
	for (size_t i = 0; i < r->findings.count; i++)
		tailbox__free(r->findings.items[i].text);
	tailbox__free(r->findings.items);
	tailbox__anatomy_fini(&r->anatomy);
	*r = (struct tailbox__report){ .whole = { .suspects = NULL } };
}
