/* demo/shop_db.c - SQLite behind a pool of few connections.
 *
 * The pool is a stack under a mutex with a condition: who finds it empty
 * waits, and that wait is marked, because a pool that is too small makes a
 * tail that no query explains. A stack and not a queue: the connection that
 * was put back last has the warmest cache.
 *
 * SPDX-License-Identifier: MIT */
#include "shop_db.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <tailbox/pool.h>

#define POOL_WAIT_S 5
#define BUSY_TIMEOUT_MS 2000

/* journal_mode stays with the file; what is set per connection is set in
 * conn_open(). */
static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"BEGIN;"
	"CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" category TEXT NOT NULL, price_cents INTEGER NOT NULL,"
	" stock INTEGER NOT NULL);"
	"CREATE TABLE orders(id INTEGER PRIMARY KEY,"
	" item INTEGER NOT NULL REFERENCES items, quantity INTEGER NOT NULL,"
	" total_cents INTEGER NOT NULL);"
	"WITH RECURSIVE n(i) AS"
	" (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
	" INSERT INTO items SELECT i, 'item ' || i,"
	"  'category ' || (1 + i % 12), 100 + i * 37 % 9000, 1000000 FROM n;"
	"WITH RECURSIVE n(i) AS"
	" (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
	" INSERT INTO orders(item, quantity, total_cents)"
	"  SELECT id, 1 + i % 3, price_cents * (1 + i % 3)"
	"  FROM n JOIN items ON id = 1 + (i * 7919) % 200;"
	"COMMIT;";

struct db {
	char folder[256];
	char file[sizeof("/shop.db") + 256];
	pthread_mutex_t lock;
	pthread_cond_t put_back;
	struct db_conn *idle;
	unsigned count;
	struct db_conn *conns;
	struct tailbox_pool *stats;
};

/* --- one connection ------------------------------------------------------- */

enum db_result db_complain(struct db_conn *c)
{
	fprintf(stderr, "shop: sqlite: %s\n", sqlite3_errmsg(c->sqlite));
	return DB_FAILED;
}

static void conn_close(struct db_conn *c)
{
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(c->stmt[i]);
	sqlite3_close(c->sqlite);
}

/* What it opened stays for conn_close(), also after a failure. */
static int conn_open(struct db_conn *c, const char *file)
{
	if (sqlite3_open_v2(file, &c->sqlite,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK)
		return -1;
	/* FULL: an order that the client was told of survives a power cut.
	 * This is the time that db_commit shows. */
	if (sqlite3_exec(c->sqlite, "PRAGMA synchronous = FULL", NULL, NULL,
	                 NULL) != SQLITE_OK)
		return -1;
	sqlite3_busy_timeout(c->sqlite, BUSY_TIMEOUT_MS);
	for (int i = 0; i < SQL_COUNT; i++) {
		if (sqlite3_prepare_v3(c->sqlite, shop_sql[i], -1,
		                       SQLITE_PREPARE_PERSISTENT, &c->stmt[i],
		                       NULL) != SQLITE_OK)
			return -1;
	}
	return 0;
}

/* --- the pool ------------------------------------------------------------- */

static struct db_conn *take(struct db *db)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += POOL_WAIT_S;
	pthread_mutex_lock(&db->lock);
	if (db->idle == NULL) {
		tailbox_pool_waiting_add(db->stats, 1);
		while (db->idle == NULL &&
		       pthread_cond_timedwait(&db->put_back, &db->lock,
		                              &until) != ETIMEDOUT)
			;
		tailbox_pool_waiting_add(db->stats, -1);
	}
	struct db_conn *c = db->idle;
	if (c != NULL) {
		db->idle = c->next_idle;
		tailbox_pool_busy_add(db->stats, 1);
	}
	pthread_mutex_unlock(&db->lock);
	return c;
}

struct db_conn *db_get(struct db *db, tailbox_request r)
{
	struct db_conn *c = NULL;

	TAILBOX_WAIT(r, "db_pool", tailbox_pool_waiting(db->stats)) {
		c = take(db);
		if (c == NULL)
			return NULL; /* gave up: a partial wait */
	}
	return c;
}

void db_put(struct db *db, struct db_conn *c)
{
	trouble_at(TROUBLE_BEFORE_PUT, NULL);
	pthread_mutex_lock(&db->lock);
	c->next_idle = db->idle;
	db->idle = c;
	tailbox_pool_busy_add(db->stats, -1);
	pthread_cond_signal(&db->put_back);
	pthread_mutex_unlock(&db->lock);
}

/* --- open and close ------------------------------------------------------- */

static int make_file(struct db *db)
{
	const char *tmp = getenv("TMPDIR");
	sqlite3 *s = NULL;
	int n = snprintf(db->folder, sizeof(db->folder), "%s/shop-XXXXXX",
	                 tmp != NULL && *tmp != '\0' ? tmp : "/tmp");

	if (n < 0 || (size_t)n >= sizeof(db->folder) ||
	    mkdtemp(db->folder) == NULL) {
		fprintf(stderr, "shop: cannot make a folder in %s\n",
		        tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
		db->folder[0] = '\0';
		return -1;
	}
	snprintf(db->file, sizeof(db->file), "%s/shop.db", db->folder);
	int rc = sqlite3_open(db->file, &s);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s, schema, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		fprintf(stderr, "shop: %s: %s\n", db->file, sqlite3_errmsg(s));
	sqlite3_close(s);
	return rc == SQLITE_OK ? 0 : -1;
}

static void remove_file(struct db *db)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char path[sizeof(db->file) + 16];

	if (db->folder[0] == '\0')
		return;
	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", db->file, suffix[i]);
		unlink(path);
	}
	rmdir(db->folder);
}

static int open_connections(struct db *db, unsigned connections)
{
	db->conns = calloc(connections, sizeof(*db->conns));
	if (db->conns == NULL) {
		fprintf(stderr, "shop: out of memory\n");
		return -1;
	}
	while (db->count < connections) {
		struct db_conn *c = &db->conns[db->count++];

		if (conn_open(c, db->file) != 0) {
			db_complain(c);
			return -1;
		}
		c->next_idle = db->idle;
		db->idle = c;
	}
	return 0;
}

int db_open(unsigned connections, struct db **out)
{
	struct db *db = calloc(1, sizeof(*db));
	pthread_condattr_t monotonic;

	*out = NULL;
	if (db == NULL) {
		fprintf(stderr, "shop: out of memory\n");
		return -1;
	}
	pthread_mutex_init(&db->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&db->put_back, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (make_file(db) != 0 || open_connections(db, connections) != 0) {
		db_close(db);
		return -1;
	}
	/* The name of the wait in db_get(), so that they are shown together. */
	db->stats = tailbox_pool_register("db_pool", TAILBOX_POOL_RESOURCE,
	                                  connections);
	*out = db;
	return 0;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	tailbox_pool_unregister(db->stats);
	for (unsigned i = 0; i < db->count; i++)
		conn_close(&db->conns[i]);
	remove_file(db);
	pthread_cond_destroy(&db->put_back);
	pthread_mutex_destroy(&db->lock);
	free(db->conns);
	free(db);
}
