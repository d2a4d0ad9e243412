/* demo/shop_pages.c - what the pages of the shop do.
 *
 * The pattern is the same on each: borrow a connection, ask, put it back,
 * render. The connection goes back before anything that does not need it, so
 * that a slow supplier does not become a pool that is empty.
 *
 * SPDX-License-Identifier: MIT */
#include "shop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ITEMS_DEFAULT 20u
#define ITEMS_MAX 100u
#define CATEGORIES_MAX 32u
#define QUANTITY_MAX 100

/* --- helpers -------------------------------------------------------------- */

static enum MHD_Result send_db_error(struct call *q, enum db_result result)
{
	switch (result) {
	case DB_NONE:
		return send_error(q, MHD_HTTP_NOT_FOUND, "no such item");
	case DB_BUSY:
		return send_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                  "the database is busy, try again");
	case DB_OK:
	case DB_FAILED:
		break;
	}
	return send_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
	                  "the database failed");
}

/* A whole number without sign, at most `max`; -1 for anything else. */
static int64_t read_number(const char *text, size_t size, int64_t max)
{
	int64_t value = 0;

	if (size == 0)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
		if (value > max)
			return -1;
	}
	return value;
}

static void put_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if ((unsigned char)*p < 0x20)
			fprintf(out, "\\u%04x", (unsigned)*p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

static void put_item(FILE *out, const struct item *item)
{
	fprintf(out, "{\"id\": %" PRId64 ", \"name\": ", item->id);
	put_text(out, item->name);
	fprintf(out, ", \"price_cents\": %" PRId64 ", \"stock\": %" PRId64 "}",
	        item->price_cents, item->stock);
}

/* --- GET /items?limit=N --------------------------------------------------- */

static enum MHD_Result items_page(struct shop *shop, struct call *q)
{
	struct item items[ITEMS_MAX];
	size_t n = ITEMS_DEFAULT;
	const char *limit = MHD_lookup_connection_value(
		q->connection, MHD_GET_ARGUMENT_KIND, "limit");

	if (limit != NULL) {
		int64_t value = read_number(limit, strlen(limit), ITEMS_MAX);
		if (value < 1)
			return send_error(q, MHD_HTTP_BAD_REQUEST,
			                  "limit is a number from 1 to 100");
		n = (size_t)value;
	}
	struct db_conn *c = db_get(shop->db, q->r);
	if (c == NULL)
		return send_db_error(q, DB_BUSY);
	enum db_result result = db_items(c, q->r, items, &n);
	db_put(shop->db, c);
	if (result != DB_OK)
		return send_db_error(q, result);

	struct page p;
	if (!page_open(&p))
		return MHD_NO;
	TAILBOX_STAGE(q->r, "render") {
		for (size_t i = 0; i < n; i++) {
			fputs(i == 0 ? "[" : ",\n ", p.out);
			put_item(p.out, &items[i]);
		}
		fputs("]\n", p.out);
	}
	return page_send(&p, q, MHD_HTTP_OK);
}

/* --- GET /catalogue ------------------------------------------------------- */

/* As if each item had a long text: 1 MiB in all, more than fits into the
 * socket's buffers, so that a client who reads slowly is seen. */
static void put_long_text(FILE *out)
{
	static const char words[] = "It is as good as it looks, and lasts. ";

	fputs(",\n  \"text\": \"", out);
	for (size_t n = 0; n < 10400; n += sizeof(words) - 1)
		fputs(words, out);
	fputs("\"}", out);
}

static enum MHD_Result catalogue_page(struct shop *shop, struct call *q)
{
	struct item items[ITEMS_MAX];
	size_t n = ITEMS_MAX;
	struct db_conn *c = db_get(shop->db, q->r);

	if (c == NULL)
		return send_db_error(q, DB_BUSY);
	enum db_result result = db_items(c, q->r, items, &n);
	db_put(shop->db, c);
	if (result != DB_OK)
		return send_db_error(q, result);

	struct page p;
	if (!page_open(&p))
		return MHD_NO;
	TAILBOX_STAGE(q->r, "render") {
		for (size_t i = 0; i < n; i++) {
			fputs(i == 0 ? "[{\"item\": " : ",\n {\"item\": ",
			      p.out);
			put_item(p.out, &items[i]);
			put_long_text(p.out);
		}
		fputs("]\n", p.out);
	}
	return page_send(&p, q, MHD_HTTP_OK);
}

/* --- GET /items/{id} ------------------------------------------------------ */

static enum db_result find_item(struct shop *shop, struct call *q,
                                struct item *item)
{
	struct db_conn *c = db_get(shop->db, q->r);

	if (c == NULL)
		return DB_BUSY;
	enum db_result result = db_item(c, q->r, q->id, item);
	db_put(shop->db, c);
	return result;
}

static enum MHD_Result item_page(struct shop *shop, struct call *q)
{
	struct item item;
	enum db_result result = find_item(shop, q, &item);

	if (result != DB_OK)
		return send_db_error(q, result);
	struct page p;
	if (!page_open(&p))
		return MHD_NO;
	TAILBOX_STAGE(q->r, "render") {
		put_item(p.out, &item);
		fputc('\n', p.out);
	}
	return page_send(&p, q, MHD_HTTP_OK);
}

/* --- POST /checkout ------------------------------------------------------- */

static enum MHD_Result form_field(void *cls, enum MHD_ValueKind kind,
                                  const char *key, const char *filename,
                                  const char *type, const char *encoding,
                                  const char *data, uint64_t off, size_t size)
{
	struct order *order = cls;

	(void)kind, (void)filename, (void)type, (void)encoding;
	/* A value that comes in pieces is longer than any number of ours. */
	int64_t value = off == 0 ? read_number(data, size, INT32_MAX) : -1;
	if (strcmp(key, "item") == 0)
		order->item = value;
	else if (strcmp(key, "quantity") == 0)
		order->quantity = value;
	return MHD_YES;
}

static bool parse_form(struct call *q, struct order *order)
{
	struct MHD_PostProcessor *pp = MHD_create_post_processor(
		q->connection, 1024, &form_field, order);

	if (pp == NULL)
		return false;
	bool is_ok = MHD_post_process(pp, q->body, q->body_size) == MHD_YES;
	/* The last field is handed over only now. */
	return MHD_destroy_post_processor(pp) == MHD_YES && is_ok;
}

static bool has_type(struct call *q, const char *type)
{
	const char *value = MHD_lookup_connection_value(
		q->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
	size_t n = strlen(type);

	return value != NULL && strncasecmp(value, type, n) == 0 &&
	       (value[n] == '\0' || value[n] == ';' || value[n] == ' ');
}

static bool is_possible(const struct order *order)
{
	return order->item >= 1 && order->quantity >= 1 &&
	       order->quantity <= QUANTITY_MAX;
}

static enum MHD_Result send_order(struct call *q, const struct order *order)
{
	struct page p;

	if (!page_open(&p))
		return MHD_NO;
	TAILBOX_STAGE(q->r, "render") {
		fprintf(p.out,
		        "{\"order\": %" PRId64 ", \"item\": %" PRId64
		        ", \"quantity\": %" PRId64
		        ", \"total_cents\": %" PRId64 "}\n",
		        order->id, order->item, order->quantity,
		        order->total_cents);
	}
	return page_send(&p, q, MHD_HTTP_CREATED);
}

static enum MHD_Result checkout_page(struct shop *shop, struct call *q)
{
	static const char bad_order[] =
		"needed: item, and a quantity from 1 to 100";
	struct order order = { 0 };
	bool is_json = has_type(q, "application/json");

	if (!is_json && !has_type(q, "application/x-www-form-urlencoded"))
		return send_error(q, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
		                  "an order is a form or JSON");
	if (!is_json && (!parse_form(q, &order) || !is_possible(&order)))
		return send_error(q, MHD_HTTP_BAD_REQUEST, bad_order);

	struct db_conn *c = db_get(shop->db, q->r);
	if (c == NULL)
		return send_db_error(q, DB_BUSY);
	if (is_json &&
	    (db_parse_order(c, q->body, q->body_size, &order) != DB_OK ||
	     !is_possible(&order))) {
		db_put(shop->db, c);
		return send_error(q, MHD_HTTP_BAD_REQUEST, bad_order);
	}
	enum db_result result = db_checkout(c, q->r, &order);
	db_put(shop->db, c);
	if (result == DB_NONE)
		return send_error(q, MHD_HTTP_CONFLICT,
		                  "no such item, or not enough in stock");
	if (result != DB_OK)
		return send_db_error(q, result);
	return send_order(q, &order);
}

/* --- GET /report ---------------------------------------------------------- */

static enum MHD_Result report_page(struct shop *shop, struct call *q)
{
	struct sales sales[CATEGORIES_MAX];
	size_t n = CATEGORIES_MAX;
	struct db_conn *c = db_get(shop->db, q->r);

	if (c == NULL)
		return send_db_error(q, DB_BUSY);
	enum db_result result = db_report(c, q->r, sales, &n);
	db_put(shop->db, c);
	if (result != DB_OK)
		return send_db_error(q, result);

	struct page p;
	if (!page_open(&p))
		return MHD_NO;
	TAILBOX_STAGE(q->r, "render") {
		for (size_t i = 0; i < n; i++) {
			fprintf(p.out, "%s{\"category\": ",
			        i == 0 ? "[" : ",\n ");
			put_text(p.out, sales[i].category);
			fprintf(p.out,
			        ", \"orders\": %" PRId64
			        ", \"total_cents\": %" PRId64
			        ", \"best_item\": ",
			        sales[i].orders, sales[i].total_cents);
			put_text(p.out, sales[i].best_item);
			fputc('}', p.out);
		}
		fputs("]\n", p.out);
	}
	return page_send(&p, q, MHD_HTTP_OK);
}

/* --- GET /quote/{id} ------------------------------------------------------ */

static enum MHD_Result quote_page(struct shop *shop, struct call *q)
{
	struct item item;
	char quote[256];
	enum db_result result = find_item(shop, q, &item);

	if (result != DB_OK)
		return send_db_error(q, result);
	unsigned int status = supplier_quote(shop->supplier, q->r, item.id,
	                                     quote, sizeof(quote));
	if (status != MHD_HTTP_OK)
		return send_error(q, status, "the supplier does not answer");

	struct page p;
	if (!page_open(&p))
		return MHD_NO;
	TAILBOX_STAGE(q->r, "render") {
		fprintf(p.out,
		        "{\"item\": %" PRId64 ", \"price_cents\": %" PRId64
		        ",\n \"supplier\": %s}\n",
		        item.id, item.price_cents, quote);
	}
	return page_send(&p, q, MHD_HTTP_OK);
}

const struct route shop_routes[] = {
	{ "GET", "/items", &items_page },
	{ "GET", "/catalogue", &catalogue_page },
	{ "GET", "/items/{id}", &item_page },
	{ "POST", "/checkout", &checkout_page },
	{ "GET", "/report", &report_page },
	{ "GET", "/quote/{id}", &quote_page },
	{ NULL, NULL, NULL }
};
