/* demo/shop.c - a shop, recorded by tailbox, as people write such services.
 *
 * A pool of epoll workers runs the handlers, and a handler blocks its worker:
 * for a database connection, for a query, for the supplier. So a slow page
 * delays others that have nothing to do with it, which is what tailbox is
 * there to show. To adopt it took: start and stop, tailbox_mhd_ before the
 * daemon's start and stop, and a scope around each thing worth a name.
 *
 * A handler gets its request from tailbox_request_of() and hands it on as an
 * argument; nothing is kept in thread-locals.
 *
 * SPDX-License-Identifier: MIT */
#include "shop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define IDLE_TIMEOUT_S 30u
#define ID_DIGITS_MAX 18u /* always fits an int64_t */

/* --- pages ---------------------------------------------------------------- */

bool page_open(struct page *p)
{
	p->text = NULL;
	p->size = 0;
	p->out = open_memstream(&p->text, &p->size);
	return p->out != NULL;
}

static enum MHD_Result send_text(struct call *q, unsigned int status,
                                 char *text, size_t size,
                                 enum MHD_ResponseMemoryMode mode,
                                 const char *allow)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(size, text, mode);

	if (r == NULL) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
	                        "application/json");
	if (allow != NULL)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, allow);
	enum MHD_Result ok = MHD_queue_response(q->connection, status, r);
	MHD_destroy_response(r);
	return ok;
}

enum MHD_Result page_send(struct page *p, struct call *q, unsigned int status)
{
	if (fclose(p->out) != 0) {
		free(p->text);
		return MHD_NO;
	}
	return send_text(q, status, p->text, p->size, MHD_RESPMEM_MUST_FREE,
	                 NULL);
}

static enum MHD_Result send_why(struct call *q, unsigned int status,
                                const char *why, const char *allow)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "{\"error\": \"%s\"}\n", why);

	return send_text(q, status, text, (size_t)n, MHD_RESPMEM_MUST_COPY,
	                 allow);
}

enum MHD_Result send_error(struct call *q, unsigned int status, const char *why)
{
	return send_why(q, status, why, NULL);
}

/* --- from a connection to a page ------------------------------------------ */

static bool path_matches(const char *pattern, const char *path, int64_t *id)
{
	const char *brace = strchr(pattern, '{');

	if (brace == NULL)
		return strcmp(pattern, path) == 0;
	size_t n = (size_t)(brace - pattern);
	if (strncmp(pattern, path, n) != 0)
		return false;
	size_t digits = strspn(path + n, "0123456789");
	if (digits == 0 || digits > ID_DIGITS_MAX || path[n + digits] != '\0')
		return false;
	*id = strtoll(path + n, NULL, 10);
	return true;
}

static enum MHD_Result route(struct shop *shop, struct call *q,
                             const char *path, const char *method)
{
	/* MHD leaves the body of an answer to HEAD away by itself. */
	bool is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;

	for (const struct route *r = shop_routes; r->method != NULL; r++) {
		bool is_get = strcmp(r->method, MHD_HTTP_METHOD_GET) == 0;

		if (!path_matches(r->pattern, path, &q->id))
			continue;
		tailbox_request_set_route(q->r, r->pattern);
		if (strcmp(r->method, method) == 0 || (is_get && is_head)) {
			if (trouble_suspends(q, r->pattern))
				return MHD_YES;
			trouble_locks(q->r, r->pattern);
			trouble_at(TROUBLE_IN_PAGE, r->pattern);
			return r->page(shop, q);
		}
		return send_why(q, MHD_HTTP_METHOD_NOT_ALLOWED,
		                "this page does not take that method",
		                is_get ? "GET, HEAD" : r->method);
	}
	return send_error(q, MHD_HTTP_NOT_FOUND,
	                  "no such page; there are /items, /items/7, "
	                  "/catalogue, /checkout, /report, /quote/7");
}

static bool announces_too_much(struct MHD_Connection *c)
{
	const char *length = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length != NULL && strtoull(length, NULL, 10) > BODY_MAX;
}

/* The first of the calls for a request: there are headers, but no body yet. */
static enum MHD_Result begin(struct MHD_Connection *c, void **req_cls)
{
	struct call *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return MHD_NO; /* closes the connection */
	*req_cls = q;
	q->connection = c;
	q->r = tailbox_request_of(c);
	/* An answer now spares the client the sending and us the reading. */
	if (announces_too_much(c))
		return send_error(q, MHD_HTTP_CONTENT_TOO_LARGE,
		                  "a body has at most 4096 bytes");
	return MHD_YES;
}

static void keep_body(struct call *q, const char *data, size_t size)
{
	if (size > sizeof(q->body) - q->body_size) {
		q->is_too_large = true; /* chunked: it was not announced */
		return;
	}
	memcpy(q->body + q->body_size, data, size);
	q->body_size += size;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	struct call *q = *req_cls;

	(void)version;
	if (q == NULL)
		return begin(c, req_cls);
	if (*upload_size > 0) {
		keep_body(q, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (q->is_too_large)
		return send_error(q, MHD_HTTP_CONTENT_TOO_LARGE,
		                  "a body has at most 4096 bytes");
	return route(cls, q, url, method);
}

static void completed(void *cls, struct MHD_Connection *c, void **req_cls,
                      enum MHD_RequestTerminationCode why)
{
	(void)cls, (void)c, (void)why;
	free(*req_cls);
	*req_cls = NULL;
}

/* --- the program ---------------------------------------------------------- */

struct options {
	uint16_t port;
	unsigned int workers;
	unsigned int db_pool;
	unsigned int limit;
	unsigned int backlog;
};

static const char usage[] =
	"usage: shop [--port N] [--workers N] [--db-pool N] [--limit N]"
	" [--backlog N]\n"
	"            [--trouble NAME]\n"
	"A demo shop on 127.0.0.1, recorded by tailbox. SIGTERM or Ctrl-C stops"
	" it.\n"
	"  --port N      port, 0 = a free one (default 0)\n"
	"  --workers N   threads that run handlers, 1 to 64 (default 2);"
	" 0 = one for\n"
	"                each connection\n"
	"  --db-pool N   database connections, 1 to 64 (default 2)\n"
	"  --limit N     connections at the same time, 2 to 1000"
	" (default 1000)\n"
	"  --backlog N   connections that wait to be accepted, 1 to 4096"
	" (default 511)\n"
	"  --trouble NAME  make a mistake, to try tailbox on; see below\n"
	"  --help        this text\n"
	"It prints `listening on 127.0.0.1:PORT` when it is ready. Pages:\n"
	"  GET /items?limit=N   GET /items/{id}   GET /catalogue\n"
	"  GET /quote/{id}      GET /report\n"
	"  POST /checkout       item=N&quantity=N or"
	" {\"item\": N, \"quantity\": N}\n"
	"Troubles, which demo/lab.sh provokes one by one:\n";

static bool read_option(const char *text, unsigned long min, unsigned long max,
                        unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	       *value >= min && *value <= max;
}

static void print_usage(FILE *out)
{
	fputs(usage, out);
	trouble_list(out);
}

/* Returns -1 to go on, else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "workers", required_argument, NULL, 'w' },
		{ "db-pool", required_argument, NULL, 'd' },
		{ "limit", required_argument, NULL, 'l' },
		{ "backlog", required_argument, NULL, 'b' },
		{ "trouble", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	unsigned long value = 0;
	bool is_good = true;
	int c;

	while (is_good &&
	       (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			is_good = read_option(optarg, 0, 65535, &value);
			o->port = (uint16_t)value;
			break;
		case 'w':
			is_good = read_option(optarg, 0, 64, &value);
			o->workers = (unsigned int)value;
			break;
		case 'd':
			is_good = read_option(optarg, 1, 64, &value);
			o->db_pool = (unsigned int)value;
			break;
		case 'l':
			is_good = read_option(optarg, 2, 1000, &value);
			o->limit = (unsigned int)value;
			break;
		case 'b':
			is_good = read_option(optarg, 1, 4096, &value);
			o->backlog = (unsigned int)value;
			break;
		case 't':
			is_good = trouble_choose(optarg);
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		default:
			is_good = false;
		}
	}
	if (is_good && optind == argc)
		return -1;
	print_usage(stderr);
	return 2;
}

static void say(void *cls, const char *line)
{
	(void)cls;
	fprintf(stderr, "shop: %s\n", line);
}

/* Whatever this returns, the shop goes on: a recorder is no reason to close. */
static void start_tailbox(void)
{
	struct tailbox_options o;

	tailbox_options_init(&o);
	o.service_version = "1.0";
	o.log = &say;
	int rc = tailbox_start("shop", &o);
	if (rc < 0)
		fprintf(stderr, "shop: not recorded: %s\n",
		        tailbox_strerror(rc));
}

static struct MHD_Daemon *start_daemon(struct shop *shop,
                                       const struct options *o)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
	                            .sin_port = htons(o->port) };

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	unsigned int flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;

	/* There is no epoll for these, and nothing to suspend. */
	if (o->workers == 0)
		flags = MHD_USE_POLL_INTERNAL_THREAD |
			MHD_USE_THREAD_PER_CONNECTION;
	return tailbox_mhd_start_daemon(
		flags, 0, NULL, NULL, &answer, shop,
		MHD_OPTION_SOCK_ADDR, &here,
		MHD_OPTION_THREAD_POOL_SIZE, o->workers,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
		MHD_OPTION_CONNECTION_LIMIT, o->limit,
		MHD_OPTION_LISTEN_BACKLOG_SIZE, o->backlog,
		MHD_OPTION_NOTIFY_COMPLETED, &completed, NULL,
		MHD_OPTION_END);
}

static int serve(const struct options *o, const sigset_t *stop_signals)
{
	struct shop shop = { NULL, NULL };
	struct MHD_Daemon *d = NULL;
	int result = 1;
	int got;

	if (db_open(o->db_pool, &shop.db) != 0 ||
	    supplier_start(&shop.supplier) != 0)
		goto out;
	trouble_start();
	d = start_daemon(&shop, o);
	if (d == NULL) {
		perror("shop: cannot listen");
		goto out;
	}
	printf("listening on 127.0.0.1:%u\n",
	       (unsigned int)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)
	               ->port);
	fflush(stdout);
	sigwait(stop_signals, &got);
	result = 0;
out:
	trouble_stop();
	tailbox_mhd_stop_daemon(d);
	supplier_stop(shop.supplier);
	db_close(shop.db);
	return result;
}

int main(int argc, char **argv)
{
	struct options o = { .port = 0,
		             .workers = 2,
		             .db_pool = 2,
		             .limit = 1000,
		             .backlog = 511 };
	sigset_t stop_signals;
	int result = read_options(argc, argv, &o);

	if (result >= 0)
		return result;
	/* Before the first thread, so that all of them leave these to main. */
	sigemptyset(&stop_signals);
	sigaddset(&stop_signals, SIGTERM);
	sigaddset(&stop_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);

	start_tailbox();
	result = serve(&o, &stop_signals);
	tailbox_stop();
	curl_global_cleanup();
	return result;
}
