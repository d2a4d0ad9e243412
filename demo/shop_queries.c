/* demo/shop_queries.c - what the shop asks its database, stage by stage.
 *
 * Each function works on a connection that the caller has borrowed, with
 * statements that were prepared when it was opened. Two writers wait for each
 * other in BEGIN IMMEDIATE, inside SQLite's busy handler: that is a wait and
 * not work, so it is marked as one.
 *
 * SPDX-License-Identifier: MIT */
#include "shop_db.h"

const char *const shop_sql[SQL_COUNT] = {
	[SQL_ITEMS] = "SELECT id, name, price_cents, stock FROM items"
		      " ORDER BY id LIMIT ?1",
	[SQL_ITEM] = "SELECT id, name, price_cents, stock FROM items"
		     " WHERE id = ?1",
	[SQL_TAKE] = "UPDATE items SET stock = stock - ?2"
		     " WHERE id = ?1 AND stock >= ?2",
	[SQL_ORDER] = "INSERT INTO orders(item, quantity, total_cents)"
		      " SELECT id, ?2, price_cents * ?2 FROM items"
		      " WHERE id = ?1 RETURNING id, total_cents",
	/* The inner sum reads all orders once per item: the index on
	 * orders(item) that would help is not there. */
	[SQL_REPORT] =
		"SELECT i.category, count(*), sum(o.total_cents),"
		" (SELECT b.name FROM items b WHERE b.category = i.category"
		"  ORDER BY (SELECT sum(quantity) FROM orders"
		"            WHERE item = b.id) DESC, b.id LIMIT 1)"
		" FROM orders o JOIN items i ON i.id = o.item"
		" GROUP BY i.category ORDER BY 3 DESC LIMIT ?1",
	[SQL_PARSE] = "SELECT json_extract(?1, '$.item'),"
		      " json_extract(?1, '$.quantity')"
		      " WHERE json_type(?1, '$.item') = 'integer'"
		      " AND json_type(?1, '$.quantity') = 'integer'",
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
};

/* After the last sqlite3_step() of a statement. Resets it always: a statement
 * that is not reset holds its snapshot of the database. */
static enum db_result done(struct db_conn *c, int statement, int rc)
{
	enum db_result result = DB_OK;

	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		result = DB_BUSY;
	else if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		result = db_complain(c);
	sqlite3_reset(c->stmt[statement]);
	sqlite3_clear_bindings(c->stmt[statement]);
	return result;
}

static enum db_result run(struct db_conn *c, int statement)
{
	return done(c, statement, sqlite3_step(c->stmt[statement]));
}

static void column_text(sqlite3_stmt *s, int column, char *to, size_t size)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	snprintf(to, size, "%s", text != NULL ? (const char *)text : "");
}

static void read_item(sqlite3_stmt *s, struct item *item)
{
	item->id = sqlite3_column_int64(s, 0);
	column_text(s, 1, item->name, sizeof(item->name));
	item->price_cents = sqlite3_column_int64(s, 2);
	item->stock = sqlite3_column_int64(s, 3);
}

enum db_result db_items(struct db_conn *c, tailbox_request r,
                        struct item *items, size_t *n)
{
	enum db_result result = DB_FAILED;
	sqlite3_stmt *s = c->stmt[SQL_ITEMS];
	size_t max = *n;

	*n = 0;
	TAILBOX_STAGE(r, "db_query") {
		int rc;

		trouble_at(TROUBLE_IN_QUERY, NULL);
		sqlite3_bind_int64(s, 1, (sqlite3_int64)max);
		while ((rc = sqlite3_step(s)) == SQLITE_ROW && *n < max)
			read_item(s, &items[(*n)++]);
		result = done(c, SQL_ITEMS, rc);
		if (result != DB_OK)
			TAILBOX_FAILED();
	}
	return result;
}

enum db_result db_item(struct db_conn *c, tailbox_request r, int64_t id,
                       struct item *item)
{
	enum db_result result = DB_FAILED;
	sqlite3_stmt *s = c->stmt[SQL_ITEM];

	TAILBOX_STAGE(r, "db_query") {
		trouble_at(TROUBLE_IN_QUERY, NULL);
		sqlite3_bind_int64(s, 1, id);
		int rc = sqlite3_step(s);
		if (rc == SQLITE_ROW)
			read_item(s, item);
		result = done(c, SQL_ITEM, rc);
		if (result != DB_OK)
			TAILBOX_FAILED();
		else if (rc == SQLITE_DONE)
			result = DB_NONE;
	}
	return result;
}

enum db_result db_report(struct db_conn *c, tailbox_request r,
                         struct sales *sales, size_t *n)
{
	enum db_result result = DB_FAILED;
	sqlite3_stmt *s = c->stmt[SQL_REPORT];
	size_t max = *n;

	*n = 0;
	TAILBOX_STAGE(r, "report_query") {
		int rc;

		trouble_at(TROUBLE_IN_QUERY, NULL);
		sqlite3_bind_int64(s, 1, (sqlite3_int64)max);
		while ((rc = sqlite3_step(s)) == SQLITE_ROW && *n < max) {
			struct sales *row = &sales[(*n)++];

			column_text(s, 0, row->category, sizeof(row->category));
			row->orders = sqlite3_column_int64(s, 1);
			row->total_cents = sqlite3_column_int64(s, 2);
			column_text(s, 3, row->best_item,
			            sizeof(row->best_item));
		}
		result = done(c, SQL_REPORT, rc);
		if (result != DB_OK)
			TAILBOX_FAILED();
	}
	return result;
}

/* SQLite brings a JSON parser, so the shop needs no other. */
enum db_result db_parse_order(struct db_conn *c, const char *json, size_t size,
                              struct order *order)
{
	sqlite3_stmt *s = c->stmt[SQL_PARSE];
	bool is_order;

	sqlite3_bind_text(s, 1, json, (int)size, SQLITE_STATIC);
	is_order = sqlite3_step(s) == SQLITE_ROW;
	if (is_order) {
		order->item = sqlite3_column_int64(s, 0);
		order->quantity = sqlite3_column_int64(s, 1);
	}
	/* Malformed JSON is an error of the statement: the client's, not
	 * ours, so it is not for done() to report. */
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return is_order ? DB_OK : DB_NONE;
}

static enum db_result take_from_stock(struct db_conn *c, struct order *order)
{
	sqlite3_stmt *s = c->stmt[SQL_TAKE];

	sqlite3_bind_int64(s, 1, order->item);
	sqlite3_bind_int64(s, 2, order->quantity);
	enum db_result result = run(c, SQL_TAKE);
	if (result == DB_OK && sqlite3_changes(c->sqlite) == 0)
		return DB_NONE;
	return result;
}

static enum db_result write_order(struct db_conn *c, struct order *order)
{
	sqlite3_stmt *s = c->stmt[SQL_ORDER];

	sqlite3_bind_int64(s, 1, order->item);
	sqlite3_bind_int64(s, 2, order->quantity);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		order->id = sqlite3_column_int64(s, 0);
		order->total_cents = sqlite3_column_int64(s, 1);
		rc = sqlite3_step(s); /* RETURNING: done is after the row */
	}
	return done(c, SQL_ORDER, rc);
}

enum db_result db_checkout(struct db_conn *c, tailbox_request r,
                           struct order *order)
{
	enum db_result result = DB_FAILED;

	/* Takes the one write lock of the database. */
	TAILBOX_WAIT(r, "db_write_lock", TAILBOX_DEPTH_UNKNOWN) {
		result = run(c, SQL_BEGIN);
		if (result != DB_OK)
			return result; /* gave up: a partial wait */
	}
	TAILBOX_STAGE(r, "db_query") {
		trouble_at(TROUBLE_IN_QUERY, NULL);
		result = take_from_stock(c, order);
		if (result == DB_OK)
			result = write_order(c, order);
		if (result != DB_OK && result != DB_NONE)
			TAILBOX_FAILED();
	}
	if (result == DB_OK) {
		TAILBOX_STAGE(r, "db_commit") {
			result = run(c, SQL_COMMIT);
			if (result != DB_OK)
				TAILBOX_FAILED();
		}
	}
	/* Some errors end the transaction by themselves. */
	if (!sqlite3_get_autocommit(c->sqlite))
		run(c, SQL_ROLLBACK);
	return result;
}
