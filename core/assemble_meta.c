/* core/assemble_meta.c - metadata of an assembled run: times, identity, what
 * was lost, warnings.
 *
 * SPDX-License-Identifier: MIT
 *
 * The keys of `metadata.tailbox` are listed in doc/format.md. A caller that
 * knows better (the controller: what was lost while its window was open)
 * gives a key by tailbox__assembly_set_extra(), and that one stays.
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/tailbox.h"
#include "core/validate.h"

/* The end of a window is now. A tape whose writer is gone ended with the last
 * thing that it says. */
static uint64_t end_tick(const struct tailbox__plan *p)
{
	struct tailbox__reader *reader = p->a->reader;
	const uint64_t cut = p->a->config.cut_tick;

	if (cut)
		return cut > p->last ? cut : p->last;
	if (!p->a->config.armed_tick &&
	    tailbox__reader_writer(reader) >= TAILBOX__WRITER_CLOSED) {
		const uint64_t sign = tailbox__reader_last_sign(reader);
		return sign > p->last ? sign : p->last;
	}
	const uint64_t now = tailbox__reader_now(reader);
	return now > p->last ? now : p->last;
}

void tailbox__plan_put_times(struct tailbox__plan *p)
{
	struct tailbox__run_meta *m = &p->run->meta;

	m->started_ms =
	        tailbox__reader_wall_ns(p->a->reader, p->zero) / 1000000;
	m->finalized_ms = TAILBOX__NONE;
	if (!p->a->config.is_live)
		m->finalized_ms = tailbox__plan_ms(
		        p, tailbox__plan_us(p, end_tick(p)));
}

/* --- identity ---------------------------------------------------------- */

/* "run-" and a random version 4 UUID. */
static tailbox__str random_run_id(struct tailbox__run *run)
{
	uint8_t b[16];
	char text[48];
	size_t n = 4;

	/* Without entropy an id of the address: better than none. */
	if (getrandom(b, sizeof(b), GRND_NONBLOCK) != (ssize_t)sizeof(b)) {
		memset(b, 0, sizeof(b));
		memcpy(b, &run, sizeof(run));
	}
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	memcpy(text, "run-", 4);
	for (unsigned i = 0; i < 16; i++) {
		static const char hex[] = "0123456789abcdef";
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		text[n++] = hex[b[i] >> 4];
		text[n++] = hex[b[i] & 15];
	}
	return tailbox__run_str(run, text, n);
}

/* A tape may come from another machine; only of this boot is the host known
 * to be ours. */
static bool is_of_this_boot(const struct tailbox__tape_header *h)
{
	char id[40] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	const long n = tailbox__fd_read(fd, id, 36);
	close(fd);
	return n == 36 && memcmp(id, h->boot_id, 36) == 0;
}

static tailbox__str host_of(struct tailbox__run *run,
                            const struct tailbox__tape_header *h)
{
	char name[256] = "";

	if (!is_of_this_boot(h) || gethostname(name, sizeof(name) - 1) != 0)
		return 0;
	const size_t len = strlen(name);
	/* A failure here costs no more than the host. */
	return tailbox__is_blank(name, len)
	               ? 0
	               : tailbox__plan_text(run, name, len);
}

/* Texts of the header end: the reader sees to it. */
static tailbox__str header_text(struct tailbox__run *run, const char *text)
{
	const size_t len = strlen(text);

	return tailbox__is_blank(text, len) ? 0
	                                    : tailbox__plan_text(run, text, len);
}

/* A text of the caller, kept in the assembly's own run. */
static tailbox__str copy_fact(const struct tailbox__plan *p, tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(p->a->facts, s, &len);

	return tailbox__run_str(p->run, text, len);
}

static int put_identity(struct tailbox__plan *p)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(p->a->reader);
	struct tailbox__run_meta *m = &p->run->meta;

	m->run_id = p->a->run_id ? copy_fact(p, p->a->run_id)
	                         : random_run_id(p->run);
	m->service_name = header_text(p->run, h->service);
	if (!m->service_name)
		m->service_name = tailbox__run_cstr(p->run, "unnamed");
	m->service_version = header_text(p->run, h->service_version);
	m->host = host_of(p->run, h);
	m->has_pid = h->pid != 0;
	m->pid = h->pid;
	return m->run_id && m->service_name ? 0 : -ENOMEM;
}

static void put_config(struct tailbox__plan *p)
{
	const struct tailbox__assembly_config *c = &p->a->config;
	struct tailbox__run_meta *m = &p->run->meta;

	m->mode = c->mode;
	m->core.present = true;
	m->core.mode = c->mode;
	m->core.limits = c->limits;
	m->core.strict_lifecycle = c->strict_lifecycle;
	m->sampler = c->sampler;
	m->end_reason = p->is_sealed ? TAILBOX__END_AUTO_SEAL : c->end_reason;
}

/* --- extensions -------------------------------------------------------- */

static int put_number(struct tailbox__plan *p, const char *key, uint64_t n)
{
	return tailbox__run_set_extra(p->run, key, NULL, n);
}

/* A text of the tape's header; nothing when it is empty. */
static int put_text(struct tailbox__plan *p, const char *key, const char *text)
{
	if (text[0] == '\0')
		return 0;
	const tailbox__str s = tailbox__plan_text(p->run, text, strlen(text));
	return s ? tailbox__run_set_extra(p->run, key,
	                                  tailbox__run_text(p->run, s, NULL), 0)
	         : -ENOMEM;
}

static const char *clock_name(uint32_t kind)
{
	switch ((enum tailbox__clock_kind)kind) {
	case TAILBOX__CLOCK_MONOTONIC:
		return "monotonic";
	case TAILBOX__CLOCK_TSC:
		return "tsc";
	case TAILBOX__CLOCK_INJECTED:
		return "injected";
	}
	return "unknown";
}

static int put_recorder(struct tailbox__plan *p)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(p->a->reader);
	/* 2^32 ns per tick: the rate that was used, not the first guess. */
	const uint64_t hz =
	        p->scale.mult ? (uint64_t)(((unsigned __int128)1000000000 << 32) /
	                                   p->scale.mult)
	                      : h->clock_hz;

	if (put_text(p, "version", h->tailbox_version) < 0 ||
	    put_text(p, "mhd_version", h->mhd_version) < 0 ||
	    put_text(p, "clock", clock_name(h->clock_kind)) < 0 ||
	    put_number(p, "clock_hz", hz) < 0 ||
	    put_number(p, "clock_resolution_ns", h->clock_res_ns) < 0 ||
	    put_number(p, "jiffy_us", h->jiffy_us) < 0 ||
	    put_number(p, "tape_bytes", h->file_bytes) < 0)
		return -ENOMEM;
	return 0;
}

/* Without a threshold no hold was recorded, so that none is there says
 * nothing. */
static int put_holds(struct tailbox__plan *p)
{
	const uint64_t min = TAILBOX__GET(
	        tailbox__reader_header(p->a->reader)->hold_min);

	/* As it was asked for: to the nearest. */
	if (min && put_number(p, "hold_min_us",
	                      (tailbox__ticks_to_ns(p->scale, min) + 500) /
	                              1000) < 0)
		return -ENOMEM;
	return p->dropped_holds
	               ? put_number(p, "dropped_holds", p->dropped_holds)
	               : 0;
}

static int put_window(struct tailbox__plan *p)
{
	const struct tailbox__assembly_config *c = &p->a->config;
	size_t len;

	if (c->armed_tick &&
	    put_number(p, "armed_at_run_us",
	               tailbox__plan_us(p, c->armed_tick)) < 0)
		return -ENOMEM;
	if ((c->armed_tick && c->until_tick != UINT64_MAX) || p->is_sealed) {
		const uint64_t at = p->is_sealed ? p->overflow : c->until_tick;
		if (put_number(p, "sealed_at_run_us",
		               tailbox__plan_us(p, at)) < 0)
			return -ENOMEM;
	}
	if (p->a->note &&
	    tailbox__run_set_extra(
	            p->run, "note",
	            tailbox__run_text(p->a->facts, p->a->note, &len), 0) < 0)
		return -ENOMEM;
	if (!p->a->end_detail)
		return 0;
	return tailbox__run_set_extra(
	        p->run, "end_detail",
	        tailbox__run_text(p->a->facts, p->a->end_detail, &len), 0);
}

/* What the caller gave; its late spans are those of the writers, and ours
 * come on top. */
static int put_facts(struct tailbox__plan *p)
{
	const struct tailbox__run *facts = p->a->facts;

	for (size_t i = 0; i < facts->meta.extra.count; i++) {
		const struct tailbox__run_pair *x =
		        &facts->meta.extra.items[i];
		if (tailbox__run_set_extra(
		            p->run, tailbox__run_text(facts, x->key, NULL),
		            x->text ? tailbox__run_text(facts, x->text, NULL)
		                    : NULL,
		            x->number) < 0)
			return -ENOMEM;
	}
	return 0;
}

static const struct {
	const char *key;
	size_t field; /* of a thread entry */
} sums[] = {
	{ "lost_requests",
	  offsetof(struct tailbox__thread_entry, lost_requests) },
	{ "lost_spans", offsetof(struct tailbox__thread_entry, lost_spans) },
	{ "lost_holds", offsetof(struct tailbox__thread_entry, lost_holds) },
	{ "late_spans", offsetof(struct tailbox__thread_entry, late_spans) },
	{ "lost_tags", offsetof(struct tailbox__thread_entry, lost_tags) },
};

static const char *const losses[TAILBOX__LOSS_COUNT] = {
	[TAILBOX__LOSS_NAMES] = "lost_names",
	[TAILBOX__LOSS_THREADS] = "lost_threads",
	[TAILBOX__LOSS_SLOTS] = "lost_slots",
	[TAILBOX__LOSS_CONNECTIONS] = "lost_connections",
	[TAILBOX__LOSS_CLOCK_STEPS] = "clock_steps",
};

/* Of the whole tape, unless the caller told those of its window. */
static int put_losses(struct tailbox__plan *p)
{
	struct tailbox__reader *r = p->a->reader;
	const struct tailbox__tape_header *h = tailbox__reader_header(r);
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(sums) / sizeof(sums[0]); i++)
		if (!tailbox__run_extra(p->run, sums[i].key))
			ret = put_number(p, sums[i].key,
			                 tailbox__reader_sum(r, sums[i].field));
	for (size_t i = 0; ret == 0 && i < TAILBOX__LOSS_COUNT; i++)
		if (!tailbox__run_extra(p->run, losses[i]))
			ret = put_number(p, losses[i],
			                 TAILBOX__GET(h->losses[i]));
	if (ret == 0 && !tailbox__run_extra(p->run, "lost_blocks"))
		ret = put_number(p, "lost_blocks",
		                 tailbox__reader_lost_blocks(r));
	if (ret < 0)
		return ret;
	const struct tailbox__run_pair *late =
	        tailbox__run_extra(p->run, "late_spans");
	return put_number(p, "late_spans", late->number + p->late_spans);
}

/* --- warnings ---------------------------------------------------------- */

static int add_warning(void *cls, const char *text)
{
	struct tailbox__run *run = cls;
	const tailbox__str s = tailbox__run_cstr(run, text);

	for (size_t i = 0; s && i < run->meta.warnings.count; i++)
		if (run->meta.warnings.items[i] == s)
			return 0;
	tailbox__str *w = s ? tailbox__list_add(&run->meta.warnings) : NULL;
	if (!w)
		return -ENOMEM;
	*w = s;
	return 0;
}

static int warn_unfinished(struct tailbox__plan *p)
{
	char text[160];

	if (!p->run->meta.unfinished_count)
		return 0;
	snprintf(text, sizeof(text),
	         "%llu requests were still open when the run was finalized; "
	         "no completions were made up for them",
	         (unsigned long long)p->run->meta.unfinished_count);
	return add_warning(p->run, text);
}

int tailbox__plan_put_meta(struct tailbox__plan *p)
{
	if (p->run->is_kept)
		return 0;
	put_config(p);
	if (put_identity(p) < 0 || put_recorder(p) < 0 || put_holds(p) < 0 ||
	    put_window(p) < 0 || tailbox__plan_put_past(p) < 0 ||
	    put_facts(p) < 0 || put_losses(p) < 0 || warn_unfinished(p) < 0)
		return -ENOMEM;
	return 0;
}

int tailbox__plan_normalize(struct tailbox__plan *p)
{
	struct tailbox__inspection in;

	/* A live snapshot is told as it is (spec 7.8). Kept requests are no
	 * section of the spec: what came twice under one id is what may
	 * matter. */
	if (p->a->config.is_live || p->run->is_kept)
		return 0;
	int ret = tailbox__inspect(p->run, &in);
	if (ret == 0 && in.error_count) {
		ret = tailbox__summaries(&in, true, add_warning, p->run);
		tailbox__normalize(p->run, &in);
	}
	tailbox__inspection_fini(&in);
	return ret;
}
