/* demo/shop_db.h - what shop_db.c and shop_queries.c share.
 * SPDX-License-Identifier: MIT */
#ifndef SHOP_DB_H
#define SHOP_DB_H 1

#include <sqlite3.h>

#include "shop.h"

enum {
	SQL_ITEMS,
	SQL_ITEM,
	SQL_TAKE,
	SQL_ORDER,
	SQL_REPORT,
	SQL_PARSE,
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_COUNT
};

extern const char *const shop_sql[SQL_COUNT];

struct db_conn {
	sqlite3 *sqlite;
	sqlite3_stmt *stmt[SQL_COUNT];
	struct db_conn *next_idle;
};

/* Says on stderr what SQLite said last. Returns DB_FAILED. */
enum db_result db_complain(struct db_conn *c);

#endif
