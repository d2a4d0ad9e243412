/* core/reader.c - open a tape for reading; names, slots, threads, clock.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing that comes from the file is trusted: the header's offsets and
 * counts are checked against the file's size once, and every number that is
 * read later against those counts.
 */
#include "core/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/alloc.h"
#include "core/internal.h"
#include "core/reader_internal.h"

int tailbox__reader_at(struct tailbox__reader *r, void *to, size_t bytes,
                       uint64_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(r->fd, (char *)to + done, bytes - done,
		                  (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -TAILBOX_ETRUNCATED;
		done += (size_t)n;
	}
	return 0;
}

static bool section_fits(const struct tailbox__tape_header *h, uint64_t off,
                         uint64_t count, uint64_t item)
{
	return off >= 896 && off % 8 == 0 && off <= h->file_bytes &&
	       count <= (h->file_bytes - off) / item;
}

static int check_header(const struct tailbox__tape_header *h, uint64_t size,
                        struct tailbox__error *err)
{
	if (TAILBOX__GET(h->magic) != TAILBOX__TAPE_MAGIC)
		return tailbox__fail(err, -TAILBOX_EFOREIGN, "not a tape");
	if (h->byte_order != TAILBOX__BYTE_ORDER)
		return tailbox__fail(err, -TAILBOX_EFOREIGN,
		                     "tape of another byte order");
	if (h->version != TAILBOX__TAPE_VERSION)
		return tailbox__fail(err, -TAILBOX_EVERSION,
		                     "tape version %u, this program reads %u",
		                     (unsigned)h->version,
		                     TAILBOX__TAPE_VERSION);
	if (h->file_bytes > size)
		return tailbox__fail(err, -TAILBOX_ETRUNCATED,
		                     "tape of %llu bytes is cut at %llu",
		                     (unsigned long long)h->file_bytes,
		                     (unsigned long long)size);
	if (h->name_bytes != sizeof(struct tailbox__name) ||
	    h->thread_bytes != sizeof(struct tailbox__thread_entry) ||
	    h->slot_bytes != sizeof(struct tailbox__slot) ||
	    h->block_bytes < TAILBOX__BLOCK_LEAST ||
	    h->block_bytes > TAILBOX__BLOCK_MOST ||
	    h->block_bytes % TAILBOX__BLOCK_LEAST != 0 || h->blocks_max == 0 ||
	    h->names_max > 65536 ||
	    !section_fits(h, h->names_off, h->names_max, h->name_bytes) ||
	    !section_fits(h, h->threads_off, h->threads_max,
	                  h->thread_bytes) ||
	    !section_fits(h, h->slots_off, h->slots_max, h->slot_bytes) ||
	    !section_fits(h, h->blocks_off, h->blocks_max, h->block_bytes))
		return tailbox__fail(err, -TAILBOX_EDAMAGED,
		                     "tape header contradicts itself");
	return 0;
}

/* Texts in the header end somewhere, whatever the file says. */
static void end_texts(struct tailbox__tape_header *h)
{
	h->boot_id[sizeof(h->boot_id) - 1] = '\0';
	h->service[sizeof(h->service) - 1] = '\0';
	h->service_version[sizeof(h->service_version) - 1] = '\0';
	h->mhd_version[sizeof(h->mhd_version) - 1] = '\0';
	h->tailbox_version[sizeof(h->tailbox_version) - 1] = '\0';
}

int tailbox__reader_refresh(struct tailbox__reader *r)
{
	struct tailbox__tape_header h;
	struct stat st;
	int rc;

	/* The second anchor is good when the sequence is even and stays. */
	for (int i = 0; i < 100; i++) {
		uint64_t again = 0;
		rc = tailbox__reader_at(r, &h, sizeof(h), 0);
		if (rc == 0)
			rc = tailbox__reader_at(
			        r, &again, sizeof(again),
			        offsetof(struct tailbox__tape_header,
			                 now_seq));
		if (rc != 0)
			return rc;
		if (again == TAILBOX__GET(h.now_seq) && again % 2 == 0)
			break;
	}
	if (fstat(r->fd, &st) != 0)
		return -errno;
	rc = check_header(&h, (uint64_t)st.st_size, NULL);
	if (rc != 0)
		return rc;
	end_texts(&h);
	memcpy(&r->header, &h, sizeof(h));
	return 0;
}

static int open_checked(struct tailbox__reader *r, struct tailbox__error *err)
{
	struct stat st;
	int rc;

	if (fstat(r->fd, &st) != 0)
		return tailbox__fail(err, -errno, "cannot stat: %s",
		                     tailbox_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return tailbox__fail(err, -TAILBOX_EFOREIGN,
		                     "not a regular file");
	rc = tailbox__reader_at(r, &r->header, sizeof(r->header), 0);
	if (rc == -TAILBOX_ETRUNCATED &&
	    (st.st_size < 8 ||
	     TAILBOX__GET(r->header.magic) != TAILBOX__TAPE_MAGIC))
		rc = -TAILBOX_EFOREIGN;
	if (rc != 0)
		return tailbox__fail(err, rc, "cannot read tape header: %s",
		                     tailbox_strerror(rc));
	rc = check_header(&r->header, (uint64_t)st.st_size, err);
	if (rc != 0)
		return rc;
	rc = tailbox__reader_refresh(r);
	return rc ? tailbox__fail(err, rc, "cannot read tape header: %s",
	                          tailbox_strerror(rc))
	          : 0;
}

int tailbox__reader_open_fd(int fd, struct tailbox__reader **out,
                            struct tailbox__error *err)
{
	struct tailbox__reader *r;
	int rc;

	*out = NULL;
	r = tailbox__zalloc(1, sizeof(*r));
	if (r == NULL)
		return tailbox__fail(err, -ENOMEM, "out of memory");
	r->fd = fd;
	r->first_poll = true;
	rc = open_checked(r, err);
	if (rc == 0) {
		r->names = tailbox__zalloc(r->header.names_max,
		                           sizeof(*r->names));
		if (r->names == NULL)
			rc = tailbox__fail(err, -ENOMEM, "out of memory");
	}
	if (rc != 0) {
		tailbox__reader_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

int tailbox__reader_open(const char *path, struct tailbox__reader **out,
                         struct tailbox__error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	*out = NULL;
	if (fd < 0)
		return tailbox__fail(err, -errno, "cannot open: %s",
		                     tailbox_strerror(errno));
	rc = tailbox__reader_open_fd(fd, out, err);
	if (rc != 0)
		close(fd);
	else
		(*out)->owns_fd = true;
	return rc;
}

void tailbox__reader_close(struct tailbox__reader *r)
{
	if (r == NULL)
		return;
	if (r->owns_fd)
		close(r->fd);
	tailbox__free(r->names);
	tailbox__free(r->slots);
	tailbox__free(r->threads);
	tailbox__free(r->follow.items);
	tailbox__free(r);
}

const struct tailbox__tape_header *
tailbox__reader_header(const struct tailbox__reader *r)
{
	return &r->header;
}

/* --- clock ------------------------------------------------------------- */

struct tailbox__clock_scale
tailbox__reader_scale(const struct tailbox__reader *r)
{
	const struct tailbox__tape_header *h = &r->header;
	uint64_t ticks = TAILBOX__GET(h->now_tick) - h->anchor_tick;
	uint64_t ns = TAILBOX__GET(h->now_mono_ns) - h->anchor_mono_ns;
	uint64_t hz = h->clock_hz, better;

	/* A long span gives a better rate; one that is far from the first
	 * measure is damage, not precision. */
	if (h->clock_kind == TAILBOX__CLOCK_TSC && ns >= 50000000 &&
	    (int64_t)ns > 0 && (int64_t)ticks > 0) {
		better = (uint64_t)((unsigned __int128)ticks * 1000000000u /
		                    ns);
		if (better > hz - hz / 100 && better < hz + hz / 100)
			hz = better;
	}
	return tailbox__scale_of_hz(hz);
}

uint64_t tailbox__reader_wall_ns(const struct tailbox__reader *r, uint64_t tick)
{
	struct tailbox__clock_scale s = tailbox__reader_scale(r);
	const struct tailbox__tape_header *h = &r->header;

	if (tick >= h->anchor_tick)
		return h->anchor_wall_ns +
		       tailbox__ticks_to_ns(s, tick - h->anchor_tick);
	return h->anchor_wall_ns -
	       tailbox__ticks_to_ns(s, h->anchor_tick - tick);
}

uint64_t tailbox__reader_now(const struct tailbox__reader *r)
{
	const struct tailbox__tape_header *h = &r->header;
	char boot[40] = "";
	struct timespec ts;
	ssize_t n;
	int fd;

	if (h->pid == (uint32_t)getpid() &&
	    h->clock_kind == tailbox__clock.kind)
		return tailbox__now();
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, boot, sizeof(boot) - 1);
	if (fd >= 0)
		close(fd);
	boot[n > 0 ? n : 0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	if (boot[0] == '\0' || strcmp(boot, h->boot_id) != 0)
		return 0;
#if defined(__x86_64__)
	if (h->clock_kind == TAILBOX__CLOCK_TSC)
		return __rdtsc();
#endif
	if (h->clock_kind != TAILBOX__CLOCK_MONOTONIC)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void tailbox__reader_range(const struct tailbox__reader *r, uint64_t *first,
                           uint64_t *last)
{
	const struct tailbox__tape_header *h = &r->header;
	const uint64_t seen = TAILBOX__GET(h->now_tick);
	const uint64_t now = tailbox__reader_now(r);

	*first = h->anchor_tick;
	*last = UINT64_MAX / 2;
	if (TAILBOX__GET(h->losses[TAILBOX__LOSS_CLOCK_STEPS])) {
		*first = 0;
		return;
	}
	if (h->clock_hz > UINT64_MAX / 16384)
		return;
	if (now > h->anchor_tick && now < UINT64_MAX / 4)
		*last = now + h->clock_hz * 60;
	else if (seen > h->anchor_tick && seen < UINT64_MAX / 4)
		*last = seen + h->clock_hz * 3600;
}

uint64_t tailbox__reader_last_sign(struct tailbox__reader *r)
{
	const struct tailbox__tape_header *h = &r->header;
	const struct tailbox__thread_entry *t;
	const struct tailbox__slot *s;
	const long threads = tailbox__reader_threads(r, &t);
	const long slots = tailbox__reader_slots(r, &s);
	uint64_t first, limit, last = h->anchor_tick;

	tailbox__reader_range(r, &first, &limit);
#define LATER(tick)                                                            \
	do {                                                                   \
		const uint64_t tick_ = (tick);                                 \
		if (tick_ > last && tick_ <= limit)                            \
			last = tick_;                                          \
	} while (0)
	LATER(TAILBOX__GET(h->now_tick));
	for (long i = 0; i < threads; i++) {
		LATER(TAILBOX__GET(t[i].last_seen));
		LATER(TAILBOX__GET(t[i].hold_since));
	}
	for (long i = 0; i < slots; i++) {
		LATER(TAILBOX__GET(s[i].line));
		if (TAILBOX__GET(s[i].state) != TAILBOX__SLOT_OPEN)
			continue;
		LATER(tailbox__slot_phase_since(&s[i]));
		if (tailbox__slot_where(&s[i]))
			LATER(TAILBOX__GET(s[i].where_since));
	}
#undef LATER
	return last;
}

/* --- names, slots, threads --------------------------------------------- */

const char *tailbox__reader_name(struct tailbox__reader *r, uint16_t name,
                                 size_t *len)
{
	struct tailbox__name n;
	const char *text = "{damaged}";
	uint32_t ready;

	if (name == 0) {
		text = "";
	} else if (name < r->header.names_max) {
		if (r->names[name].len == 0 &&
		    tailbox__reader_at(r, &n, sizeof(n),
		                       r->header.names_off +
		                               (uint64_t)name * sizeof(n)) ==
		            0) {
			ready = TAILBOX__GET(n.ready);
			if (ready > 1 && ready <= TAILBOX_NAME_MAX + 1) {
				r->names[name].len =
				        (uint8_t)tailbox__clean_text(
				                r->names[name].text,
				                TAILBOX_NAME_MAX, n.text,
				                ready - 1);
			}
		}
		if (r->names[name].len != 0)
			text = r->names[name].text;
		else
			r->damaged_names++;
	} else {
		r->damaged_names++;
	}
	if (len != NULL)
		*len = strlen(text);
	return text;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A slot's first line must be of one request: state, number and start. */
static bool same_request(const struct tailbox__slot *a,
                         const struct tailbox__slot *b)
{
	return TAILBOX__GET(a->state) == TAILBOX__GET(b->state) &&
	       TAILBOX__GET(a->number) == TAILBOX__GET(b->number) &&
	       TAILBOX__GET(a->line) == TAILBOX__GET(b->line);
}

static int settle(struct tailbox__reader *r, uint64_t i)
{
	struct tailbox__slot again;
	uint64_t at = r->header.slots_off + i * sizeof(again);
	int rc = 0;

	for (int tries = 0; rc == 0 && tries < 8; tries++) {
		rc = tailbox__reader_at(r, &again, 64, at);
		if (rc != 0 || same_request(&r->slots[i], &again))
			break;
		rc = tailbox__reader_at(r, &r->slots[i], sizeof(again), at);
	}
	return rc;
}

long tailbox__reader_slots(struct tailbox__reader *r,
                           const struct tailbox__slot **out)
{
	uint64_t used = 0;
	int rc;

	*out = NULL;
	rc = tailbox__reader_at(r, &used, sizeof(used),
	                        offsetof(struct tailbox__tape_header,
	                                 slots_used));
	if (rc != 0)
		return rc;
	used = at_most(used, r->header.slots_max);
	if (r->slots == NULL)
		r->slots = tailbox__zalloc(r->header.slots_max,
		                           sizeof(*r->slots));
	if (r->slots == NULL)
		return -ENOMEM;
	rc = tailbox__reader_at(r, r->slots, used * sizeof(*r->slots),
	                        r->header.slots_off);
	for (uint64_t i = 0; rc == 0 && i < used; i++)
		if (TAILBOX__GET(r->slots[i].state) >= TAILBOX__SLOT_STARTING)
			rc = settle(r, i);
	if (rc != 0)
		return rc;
	*out = r->slots;
	return (long)used;
}

long tailbox__reader_threads(struct tailbox__reader *r,
                             const struct tailbox__thread_entry **out)
{
	uint64_t used = 0;
	int rc;

	*out = NULL;
	rc = tailbox__reader_at(r, &used, sizeof(used),
	                        offsetof(struct tailbox__tape_header,
	                                 threads_used));
	if (rc != 0)
		return rc;
	used = at_most(used, r->header.threads_max);
	if (r->threads == NULL)
		r->threads = tailbox__zalloc(r->header.threads_max,
		                             sizeof(*r->threads));
	if (r->threads == NULL)
		return -ENOMEM;
	rc = tailbox__reader_at(r, r->threads, used * sizeof(*r->threads),
	                        r->header.threads_off);
	if (rc != 0)
		return rc;
	*out = r->threads;
	return (long)used;
}

uint64_t tailbox__reader_sum(struct tailbox__reader *r, size_t field_offset)
{
	const struct tailbox__thread_entry *t;
	long n = tailbox__reader_threads(r, &t);
	uint64_t sum = 0, v;

	for (long i = 0; i < n; i++) {
		memcpy(&v, (const char *)&t[i] + field_offset, sizeof(v));
		sum += v;
	}
	return sum;
}
