/* middleware/connections.c - the state of each connection, by descriptor.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two levels: a table of pages made once, sized by the hard limit on
 * descriptors, and pages of 64 connections made when the first of them is
 * accepted (connection set-up, not the way of a request). Pages are never
 * freed: threads keep a pointer to the connection they looked at last, and
 * what it points to is checked, not its lifetime.
 *
 * Bytes out. The kernel's count of a connection's bytes is exact, but costs a
 * system call. It is read when the connection starts, when its first request
 * ends, and when a request ends that took long enough for the price not to
 * matter. In between the count is stale and `has_baseline` says so; then the
 * bytes of a request are not known, which is not 0. Errors that the server
 * answers before it has a request line (505, 414, a broken line) are always
 * the last thing on a connection, so what it sent after an exact baseline
 * and no request accounts for is theirs.
 */
#include "middleware/connections.h"

#include <errno.h>
#include <sys/resource.h>

#include "core/alloc.h"
#include "core/internal.h"
#include "middleware/hooks.h"
#include "middleware/ingress.h"

#define PAGE 64u /* connections in a page */
#define LINE 64u /* bytes of a cache line */

struct page {
	struct tailbox__conn of[PAGE];
	void *memory; /* what the allocator gave */
};

/* A neighbour of another worker must not share a line. */
_Static_assert(sizeof(struct tailbox__conn) % LINE == 0,
               "connections must not share cache lines");

static _Atomic(_Atomic(struct page *) *) table;
static tailbox__a32 table_fds; /* descriptors from here on have no state */
static uint32_t made_fds;
static tailbox__a64 last_number; /* of a connection */

/* What a thread's cache points to at first: no connection's state. */
static struct tailbox__conn no_conn;
#define FOUR(x) x, x, x, x
__thread struct tailbox__looked tailbox__looked
        __attribute__((tls_model("initial-exec"))) = {
	        .last = &no_conn,
	        .recent = { FOUR(FOUR(FOUR(&no_conn))) }
        };

int tailbox__connections_init(void)
{
	struct rlimit limit;
	uint32_t fds = TAILBOX__FD_MAX;
	_Atomic(struct page *) *none = NULL, *fresh;

	if (atomic_load(&table) != NULL)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < fds)
		fds = (uint32_t)limit.rlim_max;
	fds = (fds + PAGE - 1) / PAGE * PAGE;
	fresh = tailbox__zalloc(fds / PAGE, sizeof(*fresh));
	if (fresh == NULL)
		return -ENOMEM;
	if (!atomic_compare_exchange_strong(&table, &none, fresh)) {
		tailbox__free((struct page **)(uintptr_t)fresh);
		return 0;
	}
	made_fds = fds;
	TAILBOX__SET(table_fds, fds);
	return 0;
}

void tailbox__connections_limit(uint32_t fds)
{
	TAILBOX__SET(table_fds, fds && fds < made_fds ? fds : made_fds);
}

/* Pages begin on a cache line, which the allocator does not promise. */
static struct page *page_create(void)
{
	char *p = tailbox__zalloc(1, sizeof(struct page) + LINE);
	struct page *page;

	if (p == NULL)
		return NULL;
	page = (void *)(p + (LINE - (uintptr_t)p % LINE) % LINE);
	page->memory = p;
	return page;
}

/* The state of a descriptor; NULL: none, and with `make` none to be had. */
static struct tailbox__conn *by_fd(int fd, bool make)
{
	_Atomic(struct page *) *pages = atomic_load(&table);
	struct page *page, *none = NULL;

	if (fd < 0 || pages == NULL || (uint32_t)fd >= TAILBOX__GET(table_fds))
		return NULL;
	pages += (uint32_t)fd / PAGE;
	/* Pairs with the compare-and-swap that puts a page there. */
	page = atomic_load_explicit(pages, memory_order_acquire);
	if (page == NULL && make) {
		page = page_create();
		if (page != NULL &&
		    !atomic_compare_exchange_strong(pages, &none, page)) {
			tailbox__free(page->memory);
			page = none;
		}
	}
	return page ? &page->of[(uint32_t)fd % PAGE] : NULL;
}

static int fd_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_CONNECTION_FD);

	return i ? i->connect_fd : -1;
}

/* Workers are told from other threads by their daemon's number. */
static void mark_worker(struct tailbox__thread *t, const struct tailbox__mhd *m)
{
	uint32_t number = TAILBOX__GET(m->number);

	if (t != NULL && number != 0)
		TAILBOX__SET(t->entry->worker, number << 16 | 1);
}

struct tailbox__conn *tailbox__conn_find(struct MHD_Connection *c)
{
	struct tailbox__conn *s = by_fd(fd_of(c), false);

	if (s == NULL || atomic_load_explicit(&s->connection,
	                                      memory_order_relaxed) != c)
		return NULL;
	struct tailbox__conn **place = tailbox__recent_of(c);
	*tailbox__recent_beside(place) = *place;
	tailbox__looked.last = *place = s;
	mark_worker(tailbox__thread_get(), s->mhd);
	return s;
}

bool tailbox__conn_take_slot(struct tailbox__thread *t,
                             struct tailbox__conn *s)
{
	struct tailbox__slot *slot = tailbox__slot_take(t);

	s->slot = slot;
	s->epoch = 0;
	if (slot == NULL)
		return false;
	s->epoch = t->epoch;
	s->last_generation = s->misses = 0; /* names are of this epoch */
	s->slot_index = tailbox__slot_index(t, slot);
	TAILBOX__SET(slot->connection,
	             1 + atomic_fetch_add_explicit(&last_number, 1,
	                                           memory_order_relaxed));
	TAILBOX__SET(slot->opened, s->opened);
	TAILBOX__SET(slot->fd, (uint32_t)s->fd + 1);
	TAILBOX__SET(slot->daemon, TAILBOX__GET(s->mhd->number));
	return true;
}

void tailbox__conn_bytes(struct tailbox__conn *s)
{
	struct tailbox__tcp i;

	if (!s->is_tcp || s->mhd->is_tls)
		return;
	if (!tailbox__tcp_info(s->fd, &i) || !i.has_bytes) {
		s->is_tcp = s->has_baseline = false;
		return;
	}
	if (s->has_baseline) {
		TAILBOX__SET(s->slot->bytes_out,
		             i.bytes_out - s->bytes_out_before);
		TAILBOX__KNOW(s->slot, TAILBOX__KNOWN_BYTES_OUT);
	}
	s->bytes_out_before = i.bytes_out;
	s->has_baseline = true;
}

/* --- STARTED ----------------------------------------------------------- */

static struct tailbox__conn *reset(struct tailbox__mhd *m,
                                   struct MHD_Connection *c, int fd)
{
	struct tailbox__conn *s = by_fd(fd, true);

	if (s == NULL) {
		tailbox__loss(TAILBOX__LOSS_CONNECTIONS);
		return NULL;
	}
	/* Pairs with closed(): the descriptor may have been another worker's
	 * connection a moment ago. */
	(void)atomic_load_explicit(&s->connection, memory_order_acquire);
	s->slot = NULL;
	s->epoch = 0;
	s->mhd = m;
	TAILBOX__SET(s->step, TAILBOX__STEP_NONE);
	s->is_first = s->has_body = s->was_called = false;
	s->has_baseline = s->is_tcp = s->is_upgraded = false;
	s->was_accepted_late = false;
	s->requests = s->spin = 0;
	s->previous_end = s->bytes_out_before = 0;
	tailbox__conn_set_aside(s, 0);
	TAILBOX__SET(s->resumed_at, 0);
	s->fd = fd;
	s->suspend_place = 0;
	s->reader = NULL;
	s->pending_len = 0;
	s->opened = tailbox__now();
	atomic_store_explicit(&s->connection, c, memory_order_relaxed);
	return s;
}

static void ask_kernel(struct tailbox__conn *s)
{
	struct tailbox__tcp i;

	s->is_tcp = tailbox__tcp_info(s->fd, &i);
	if (!s->is_tcp)
		return;
	s->has_baseline = i.has_bytes && !s->mhd->is_tls;
	s->bytes_out_before = i.bytes_out;
	tailbox__ingress_accepted(s, &i);
}

static void started(struct tailbox__mhd *m, struct MHD_Connection *c)
{
	struct tailbox__thread *t = tailbox__thread_get();
	struct tailbox__conn *s = reset(m, c, fd_of(c));

	if (s == NULL || t == NULL)
		return;
	ask_kernel(s);
	tailbox__conn_take_slot(t, s);
	TAILBOX__ADD(t->entry->connections, 1);
	TAILBOX__SET(t->entry->last_seen, s->opened);
	if (!m->is_per_connection) {
		tailbox__looked.last = s;
		mark_worker(t, m);
	}
}

/* --- CLOSED ------------------------------------------------------------ */

static void put_record(struct tailbox__thread *t, const struct tailbox__conn *s,
                       const struct tailbox__tcp *i, uint64_t unaccounted)
{
	struct tailbox__rec_connection r = {
		.type = TAILBOX__REC_CONNECTION,
		.requests = s->requests,
		.connection = TAILBOX__GET(s->slot->connection),
		.opened = s->opened,
		.closed = tailbox__now(),
		.bytes_in = i->has_bytes ? i->bytes_in : UINT64_MAX,
		.bytes_out = i->has_bytes ? i->bytes_out : UINT64_MAX,
		.unaccounted = unaccounted,
		.daemon = (uint16_t)TAILBOX__GET(s->mhd->number),
		.thread = (uint16_t)t->index,
	};
	char *to = tailbox__reserve(t, TAILBOX__BLOCK_REQUESTS, sizeof(r));

	if (to == NULL)
		return; /* the thread's counters have it all the same */
	tailbox__store(to, &r, sizeof(r));
	tailbox__publish(t, TAILBOX__BLOCK_REQUESTS, sizeof(r));
}

/* What the connection sent and received that no request accounts for. */
static void account(struct tailbox__thread *t, struct tailbox__conn *s)
{
	struct tailbox__tcp i = { 0, false, 0, 0 };
	uint64_t unaccounted = UINT64_MAX;

	if (s->requests > 0 && (!s->has_baseline || s->is_upgraded))
		return;
	if (s->is_tcp && !tailbox__tcp_info(s->fd, &i))
		i.has_bytes = false;
	if (s->has_baseline && i.has_bytes)
		unaccounted = i.bytes_out - s->bytes_out_before;
	if (unaccounted != 0 && unaccounted != UINT64_MAX) {
		TAILBOX__ADD(t->entry->rejected_connections, 1);
		TAILBOX__ADD(t->entry->unaccounted_bytes, unaccounted);
	} else if (s->requests == 0) {
		TAILBOX__ADD(t->entry->no_request_connections, 1);
	} else {
		return;
	}
	put_record(t, s, &i, unaccounted);
}

static void closed(struct tailbox__conn *s)
{
	struct tailbox__thread *t = tailbox__thread_get();
	const uint32_t epoch = TAILBOX__GET(tailbox__recorder.epoch);
	bool is_ours = s->slot != NULL && s->epoch == epoch;

	if (is_ours && t != NULL) {
		tailbox__request_cut(t, s);
		account(t, s);
		TAILBOX__SET(t->entry->last_seen, tailbox__now());
	}
	if (is_ours)
		tailbox__slot_give(t, s->slot);
	else if (s->slot != NULL && s->epoch + 1 == epoch) /* off */
		tailbox__slot_owe(s->slot);
	if (!is_ours)
		tailbox__suspend_forget(s);
	tailbox__reader_forget(s);
	s->slot = NULL;
	s->epoch = 0;
	TAILBOX__SET(s->step, TAILBOX__STEP_NONE);
	atomic_store_explicit(&s->connection, NULL, memory_order_release);
}

/* --- the hook ---------------------------------------------------------- */

static void tell_user(struct tailbox__mhd *m, struct tailbox__conn *s,
                      struct MHD_Connection *c, void **socket_context,
                      enum MHD_ConnectionNotificationCode toe)
{
	struct tailbox__thread *t = tailbox__thread_get();
	uint64_t since;

	if (t == NULL || s == NULL || s->slot == NULL || s->epoch != t->epoch) {
		m->connection(m->connection_cls, c, socket_context, toe);
		return;
	}
	since = tailbox__now();
	tailbox__hold_begin(t, s, TAILBOX__HOLD_CONNECTION, since);
	TAILBOX__SET(t->entry->hold_route, TAILBOX__NAME_NONE);
	m->connection(m->connection_cls, c, socket_context, toe);
	if (tailbox__thread_stayed(s->epoch))
		tailbox__hold_end(t, s, since, tailbox__now());
}

void tailbox__hook_connection(void *cls, struct MHD_Connection *c,
                              void **socket_context,
                              enum MHD_ConnectionNotificationCode toe)
{
	struct tailbox__mhd *m = cls;
	struct tailbox__conn *s;

	if (toe == MHD_CONNECTION_NOTIFY_STARTED)
		started(m, c);
	s = tailbox__conn_of(c);
	if (m->connection != NULL)
		tell_user(m, s, c, socket_context, toe);
	if (toe == MHD_CONNECTION_NOTIFY_CLOSED && s != NULL)
		closed(s);
}
