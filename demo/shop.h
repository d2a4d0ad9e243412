/* demo/shop.h - the parts of the shop and how they speak to each other.
 *
 *   shop.c           options, the daemon, from a connection to a page
 *   shop_pages.c     what the pages do
 *   shop_db.c        SQLite behind a pool of few connections
 *   shop_queries.c   what is asked of it
 *   shop_supplier.c  a second service, and the client that calls it
 *   shop_trouble.c   mistakes to try tailbox on; none unless asked for
 *
 * SPDX-License-Identifier: MIT */
#ifndef SHOP_H
#define SHOP_H 1

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <tailbox/mhd.h>

/* --- shop_db.c and shop_queries.c --------------------------------------- */

enum db_result {
	DB_OK,
	DB_NONE,  /* no such row, or not enough of it */
	DB_BUSY,  /* somebody else wrote for too long; worth another try */
	DB_FAILED /* said why on stderr */
};

struct item {
	int64_t id;
	char name[64];
	int64_t price_cents;
	int64_t stock;
};

struct order {
	int64_t id; /* filled by db_checkout() */
	int64_t item;
	int64_t quantity;
	int64_t total_cents; /* filled by db_checkout() */
};

struct sales {
	char category[64];
	int64_t orders;
	int64_t total_cents;
	char best_item[64];
};

struct db;      /* the database and its pool; any thread */
struct db_conn; /* one connection; whoever got it, until it is put back */

/* Makes a database in a temporary folder and fills it. 0, or -1 after saying
 * why on stderr. db_close() removes it; NULL does nothing. */
int db_open(unsigned connections, struct db **out);
void db_close(struct db *db);

/* Borrow a connection. Blocks while all are in use, for 5 s at most: then
 * NULL. Hold one for as short as possible. */
struct db_conn *db_get(struct db *db, tailbox_request r);
void db_put(struct db *db, struct db_conn *c);

/* The first *n items; *n is set to how many there are, at most that. */
enum db_result db_items(struct db_conn *c, tailbox_request r,
                        struct item *items, size_t *n);
enum db_result db_item(struct db_conn *c, tailbox_request r, int64_t id,
                       struct item *item);
/* Take from stock and write the order down, both or neither. */
enum db_result db_checkout(struct db_conn *c, tailbox_request r,
                           struct order *order);
/* Sales by category; slow on purpose, as such a query is in most shops. */
enum db_result db_report(struct db_conn *c, tailbox_request r,
                         struct sales *sales, size_t *n);
/* Read {"item": N, "quantity": N}. DB_NONE when it is anything else. */
enum db_result db_parse_order(struct db_conn *c, const char *json, size_t size,
                              struct order *order);

/* --- shop_supplier.c ------------------------------------------------------ */

struct supplier;

/* Starts the supplier on a port of its own. 0, or -1 after saying why. */
int supplier_start(struct supplier **out);
void supplier_stop(struct supplier *s);

/* What the supplier asks for an item: JSON into `answer_text`. Blocks for 2 s
 * at most. Returns the HTTP status for our own client: 200, 502 or 504. */
unsigned int supplier_quote(struct supplier *s, tailbox_request r, int64_t item,
                            char *answer_text, size_t size);

/* --- shop.c --------------------------------------------------------------- */

#define BODY_MAX 4096u

struct shop {
	struct db *db;
	struct supplier *supplier;
};

/* One request on its way through the shop. */
struct call {
	struct MHD_Connection *connection;
	tailbox_request r;
	int64_t id; /* the {id} of the path */
	bool is_too_large;
	bool was_suspended; /* by shop_trouble.c */
	bool has_work;
	size_t body_size;
	char body[BODY_MAX];
};

/* A page under way: print JSON to `out`, then send it. */
struct page {
	FILE *out;
	char *text;
	size_t size;
};

bool page_open(struct page *p); /* false: out of memory */
enum MHD_Result page_send(struct page *p, struct call *q, unsigned int status);
/* {"error": why}; `why` is ours, so it needs no escapes. */
enum MHD_Result send_error(struct call *q, unsigned int status,
                           const char *why);

/* --- shop_trouble.c ------------------------------------------------------- */

enum trouble_place {
	TROUBLE_NOWHERE,
	TROUBLE_IN_PAGE,   /* in a handler, before the page */
	TROUBLE_IN_QUERY,  /* in a stage of the database */
	TROUBLE_BEFORE_PUT /* a connection is about to be put back */
};

void trouble_list(FILE *out); /* names and what they do, for --help */
/* Before the daemon starts. False: there is no such trouble. */
bool trouble_choose(const char *name);
void trouble_start(void);
/* Before the daemon stops: nothing stays suspended. */
void trouble_stop(void);

/* Does what is wrong at this place, if anything. page: its pattern, or NULL
 * where that is not known. */
void trouble_at(enum trouble_place place, const char *page);
/* Takes locks, in an order that may never end. */
void trouble_locks(tailbox_request r, const char *page);
/* True: the request is suspended now, and comes again. */
bool trouble_suspends(struct call *q, const char *page);

/* --- shop_pages.c --------------------------------------------------------- */

struct route {
	const char *method;  /* HEAD goes where GET goes */
	const char *pattern; /* a final {id} is a number */
	enum MHD_Result (*page)(struct shop *shop, struct call *q);
};

/* Ends with a route without a method. */
extern const struct route shop_routes[];

#endif
