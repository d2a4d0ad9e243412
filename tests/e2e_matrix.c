/* tests/e2e_matrix.c - every way to run a daemon, recorded and bare.
 *
 * SPDX-License-Identifier: MIT
 *
 * For each combination of how the server library waits, what drives it and what
 * else is asked of it: an application that writes down every call is run twice,
 * bare and recorded, with the same clients. The calls of each connection with
 * their arguments and the bytes that each client read must be the same; and the
 * tape must have every request once, with its status, with the phases that it
 * had and no others, one after the other.
 *
 * Prints a table, combination by combination. What the server library refuses
 * is really tried, bare and recorded; nothing else is left out.
 */
#include <tailbox/mhd.h>

#include <inttypes.h>
#include <stdarg.h>
#include <sys/un.h>

#include "core/run.h"
#include "tests/e2e_server.h"
#include "tests/matrix_app.h"
#include "tests/matrix_peer.h"
#include "tests/recorder_fixture.h"

#ifdef E2E_LONG
enum { CONNECTIONS = 8, ROUNDS = 12 };
#else
enum { CONNECTIONS = 3, ROUNDS = 2 };
#endif

enum feature { PLAIN, TURBO, TLS, SUSPEND, UPGRADE, IPV6, UNIX, FEATURES };
static const struct {
	const char *name;
	unsigned flags;
} features[FEATURES] = {
	[PLAIN] = { "plain", 0 },
	[TURBO] = { "turbo", MHD_USE_TURBO },
	[TLS] = { "TLS", MHD_USE_TLS },
	[SUSPEND] = { "suspend", MHD_ALLOW_SUSPEND_RESUME },
	[UPGRADE] = { "upgrade", MHD_ALLOW_UPGRADE },
	[IPV6] = { "IPv6", MHD_USE_IPv6 },
	[UNIX] = { "Unix", 0 },
};

/* --- what is asked ----------------------------------------------------- */

enum ask {
	GET, POST, HEAD, MISSING, SUSPENDED, UPGRADED, LAST, ASKS
};

static struct plan {
	enum ask asks[2 * ROUNDS + 2];
	int count;
} plan;

static void make_plan(enum feature feature)
{
	plan.count = 0;
	for (int i = 0; i < ROUNDS; i++) {
		plan.asks[plan.count++] = i % 2 ? HEAD : GET;
		plan.asks[plan.count++] = feature == SUSPEND ? SUSPENDED
		                          : i % 2            ? MISSING
		                                             : POST;
	}
	plan.asks[plan.count++] = feature == UPGRADE ? UPGRADED : LAST;
}

static void send_ask(struct matrix_peer *p, enum ask ask, int connection,
                     int number)
{
	static const char *const lines[ASKS] = {
		[GET] = "GET /get", [POST] = "POST /post",
		[HEAD] = "HEAD /head", [MISSING] = "GET /missing",
		[SUSPENDED] = "GET /suspend", [UPGRADED] = "GET /upgrade",
		[LAST] = "GET /last",
	};
	static const char *const more[ASKS] = {
		[POST] = "Content-Length: 5\r\n",
		[UPGRADED] = "Connection: Upgrade\r\nUpgrade: echo\r\n",
		[LAST] = "Connection: close\r\n",
	};
	char text[256];

	snprintf(text, sizeof(text), "%s-%d-%d HTTP/1.1\r\nHost: x\r\n%s\r\n%s",
	         lines[ask], connection, number, more[ask] ? more[ask] : "",
	         ask == POST ? "abcde" : "");
	matrix_send(p, text);
}

static bool play_one(struct matrix_peer *p, int connection, int number)
{
	const enum ask ask = plan.asks[number];

	send_ask(p, ask, connection, number);
	if (!matrix_read_reply(p, ask == HEAD))
		return false;
	if (ask == UPGRADED) {
		matrix_send(p, "ping");
		if (!matrix_read_bytes(p, 4))
			return false;
	}
	if (ask == UPGRADED || ask == LAST)
		matrix_read_all(p);
	return true;
}

/* --- a daemon and its clients ------------------------------------------ */

static char tls_key[4096], tls_cert[4096];

static void read_pem(const char *name, char *to, size_t size)
{
	const char *top = getenv("top_srcdir");
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/data/%s", top ? top : ".", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	n = fread(to, 1, size - 1, f);
	fclose(f);
	ck_assert_uint_gt(n, 100);
	to[n] = '\0';
}

static struct sockaddr_storage listen_on;
static socklen_t listen_on_len;

static void choose_address(enum feature feature)
{
	struct sockaddr_in *in = (void *)&listen_on;
	struct sockaddr_in6 *in6 = (void *)&listen_on;
	struct sockaddr_un *un = (void *)&listen_on;

	memset(&listen_on, 0, sizeof(listen_on));
	if (feature == UNIX) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s/listen.sock",
		         fixture_dir);
		unlink(un->sun_path);
		listen_on_len = sizeof(*un);
	} else if (feature == IPV6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = in6addr_loopback;
		listen_on_len = sizeof(*in6);
	} else {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		listen_on_len = sizeof(*in);
	}
}

static void configure(struct e2e_server *s, int way, enum feature feature,
                      bool is_recorded)
{
	int n = MATRIX_OPTIONS;

	memset(s, 0, sizeof(*s));
	s->polling = (enum e2e_polling)(way % E2E_POLLINGS);
	s->drive = (enum e2e_drive)(way / E2E_POLLINGS);
	s->is_recorded = is_recorded;
	s->flags = features[feature].flags | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
	choose_address(feature);
	s->address = (struct sockaddr *)&listen_on;
	s->address_len = listen_on_len;
	s->handler = matrix_answer;
	s->handler_cls = matrix_app_cls();
	matrix_app_options(s->options);
	if (feature == TLS) {
		s->options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_KEY, 0, tls_key
		};
		s->options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_CERT, 0, tls_cert
		};
	}
}

/* What came of one run. */
struct outcome {
	bool is_refused; /* by MHD_start_daemon */
	char why[160];   /* a client went without its answer; "" */
	int connections;
	char *calls[CONNECTIONS], *bytes[CONNECTIONS];
};

static void play(const struct e2e_server *s, enum feature feature,
                 struct outcome *out)
{
	struct matrix_peer *peers[CONNECTIONS] = { NULL };
	struct sockaddr_storage to;

	/* One after the other, so that their order is known; open together. */
	for (int number = 0; number < plan.count; number++)
		for (int i = 0; i < CONNECTIONS && !out->why[0]; i++) {
			if (peers[i] == NULL) {
				const bool own = s->drive == E2E_ADD &&
				                 i == 0 && feature != UNIX;
				socklen_t len = e2e_address_of(s, own, &to);
				peers[i] = matrix_connect(
				        (struct sockaddr *)&to, len,
				        feature == TLS);
			}
			if (peers[i] == NULL ||
			    !play_one(peers[i], i, number))
				snprintf(out->why, sizeof(out->why),
				         "connection %d: %s for request %d", i,
				         peers[i] ? "no answer" : "no way in",
				         number);
		}
	for (int i = 0; i < CONNECTIONS; i++) {
		out->bytes[i] = strdup(peers[i] ? matrix_text(peers[i]) : "");
		matrix_disconnect(peers[i]);
	}
}

static void run(int way, enum feature feature, bool is_recorded,
                struct outcome *out)
{
	struct e2e_server s;

	memset(out, 0, sizeof(*out));
	matrix_app_reset(is_recorded);
	configure(&s, way, feature, is_recorded);
	out->is_refused = !e2e_serve(&s);
	if (out->is_refused)
		return;
	play(&s, feature, out);
	matrix_app_join();
	e2e_stop(&s);
	out->connections = matrix_connections();
	for (int i = 0; i < CONNECTIONS; i++)
		out->calls[i] = strdup(matrix_calls(i));
}

static void forget(struct outcome *out)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		free(out->calls[i]);
		free(out->bytes[i]);
	}
}

/* --- the tape ---------------------------------------------------------- */

static struct tailbox__reader *reader;
static char what[512]; /* the first thing that differs */

static void __attribute__((format(printf, 1, 2))) differs(const char *fmt, ...)
{
	va_list ap;

	if (what[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
}

/* By connection, then by time. */
static int in_order(const void *a, const void *b)
{
	const struct tailbox__rec_request *x = a, *y = b;

	if (x->connection != y->connection)
		return x->connection < y->connection ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Those since the last call; free() them. */
static struct tailbox__rec_request *recorded(size_t *n)
{
	const size_t kind = TAILBOX__BLOCK_REQUESTS;
	struct fixture_records got;
	struct tailbox__rec_request *all;

	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
	all = calloc(got.len[kind] / 64 + 1, sizeof(*all));
	*n = 0;
	for (size_t at = 0; at < got.len[kind]; at += 64)
		if (got.bytes[kind][at] == TAILBOX__REC_REQUEST)
			memcpy(&all[(*n)++], got.bytes[kind] + at, 64);
	fixture_forget(&got);
	qsort(all, *n, sizeof(*all), in_order);
	return all;
}

static unsigned known_of(enum ask ask)
{
	unsigned known = TAILBOX__KNOWN_HEADERS | TAILBOX__KNOWN_HANDLER;

	if (ask != UPGRADED)
		known |= TAILBOX__KNOWN_SEND;
	if (ask == POST)
		known |= TAILBOX__KNOWN_BODY;
	if (ask == SUSPENDED)
		known |= TAILBOX__KNOWN_SUSPENDED | TAILBOX__KNOWN_RESUME;
	return known;
}

static void check_request(const struct tailbox__rec_request *r, enum ask ask)
{
	const unsigned status = ask == MISSING ? 404 : ask == UPGRADED ? 101
	                                                               : 200;
	/* All phases but the ingress wait, which the machine may cause. */
	const unsigned known = r->known & 0x7e;
	uint64_t parts = tailbox__unpack(r->headers) +
	                 tailbox__unpack(r->body) + tailbox__unpack(r->send);

	/* The suspension begins in the handler, and has part of its time. */
	parts += ask == SUSPENDED ? tailbox__unpack(r->suspended)
	                          : tailbox__unpack(r->handler);
	if (r->status != status)
		differs("status %u for %u", r->status, status);
	if (known != known_of(ask))
		differs("phases %x for %x of request %d", known, known_of(ask),
		        (int)ask);
	if (r->termination != TAILBOX__TERM_COMPLETED)
		differs("termination %u", r->termination);
	if (!(r->flags & TAILBOX__REQ_UPGRADED) != (ask != UPGRADED))
		differs("flags %x", r->flags);
	if (parts > tailbox__unpack(r->total))
		differs("parts of %" PRIu64 " in %" PRIu64 " ticks", parts,
		        tailbox__unpack(r->total));
}

static void check_tape(void)
{
	size_t n, i = 0;
	struct tailbox__rec_request *all = recorded(&n);

	if (n != (size_t)(CONNECTIONS * plan.count))
		differs("%zu requests recorded of %d", n,
		        CONNECTIONS * plan.count);
	for (int k = 0; k < CONNECTIONS && what[0] == '\0'; k++)
		for (int j = 0; j < plan.count; j++, i++) {
			const struct tailbox__rec_request *r = &all[i];
			check_request(r, plan.asks[j]);
			if (j == 0)
				continue;
			if (r->connection != r[-1].connection)
				differs("another connection");
			if (r->line < r[-1].line +
			                      tailbox__unpack(r[-1].total))
				differs("begins before the one before ended");
		}
	free(all);
}

/* --- comparing --------------------------------------------------------- */

static void compare(const char *which, int connection, const char *bare,
                    const char *ours)
{
	size_t at = 0, from;

	if (strcmp(bare, ours) == 0)
		return;
	while (bare[at] == ours[at])
		at++;
	for (from = at; from > 0 && bare[from - 1] != '\n'; from--)
		;
	differs("%s of connection %d: \"%.100s\" for \"%.100s\"", which,
	        connection, ours + from, bare + from);
}

static bool play_both(int way, enum feature feature)
{
	struct outcome bare, ours;
	const char *cell = "ok";
	size_t n;

	what[0] = '\0';
	make_plan(feature);
	run(way, feature, false, &bare);
	run(way, feature, true, &ours);
	if (bare.is_refused && ours.is_refused) {
		cell = "refused";
	} else if (bare.is_refused != ours.is_refused) {
		differs("%s alone is refused", bare.is_refused ? "bare" : "ours");
	} else {
		if (bare.why[0] || ours.why[0])
			differs("bare: %s; ours: %s", bare.why, ours.why);
		if (bare.connections != CONNECTIONS ||
		    ours.connections != CONNECTIONS)
			differs("%d and %d connections", bare.connections,
			        ours.connections);
		for (int i = 0; i < CONNECTIONS; i++) {
			compare("calls", i, bare.calls[i], ours.calls[i]);
			compare("bytes", i, bare.bytes[i], ours.bytes[i]);
		}
		if (what[0] == '\0')
			check_tape();
		else
			free(recorded(&n));
	}
	if (what[0] != '\0')
		cell = "DIFFERS";
	printf(" %-8s", cell);
	fflush(stdout);
	forget(&bare);
	forget(&ours);
	return what[0] == '\0';
}

START_TEST(bare_and_recorded_are_the_same)
{
	char wrong[FEATURES][600] = { "" };
	unsigned failures = 0;

	printf("%-7s %-10s", e2e_polling_names[_i % E2E_POLLINGS],
	       e2e_drive_names[_i / E2E_POLLINGS]);
	for (int f = 0; f < FEATURES; f++)
		if (!play_both(_i, (enum feature)f)) {
			snprintf(wrong[f], sizeof(wrong[f]), "%s: %s",
			         features[f].name, what);
			failures++;
		}
	printf("\n");
	fflush(stdout);
	for (int f = 0; f < FEATURES; f++)
		if (wrong[f][0] != '\0')
			printf("  %s\n", wrong[f]);
	fflush(stdout);
	ck_assert_uint_eq(failures, 0);
}
END_TEST

static void before(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	read_pem("tls-key.pem", tls_key, sizeof(tls_key));
	read_pem("tls-cert.pem", tls_cert, sizeof(tls_cert));
	fixture_open(4 << 20);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
}

static void after(void)
{
	tailbox__reader_close(reader);
	fixture_close();
}

int main(void)
{
	Suite *s = suite_create("matrix");
	TCase *t = tcase_create("every way");
	SRunner *sr = srunner_create(s);
	int failed;

	printf("libmicrohttpd %s: bare and recorded, %d connections of %d "
	       "requests each\n"
	       "refused: the server library does not start a bare daemon "
	       "either\n%-7s %-10s", MHD_get_version(), CONNECTIONS,
	       2 * ROUNDS + 1, "waits", "driven by");
	for (int f = 0; f < FEATURES; f++)
		printf(" %-8s", features[f].name);
	printf("\n");
	fflush(stdout);
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, before, after);
	tcase_add_loop_test(t, bare_and_recorded_are_the_same, 0,
	                    E2E_POLLINGS * E2E_DRIVES);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
