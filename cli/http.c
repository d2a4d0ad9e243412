/* cli/http.c - one HTTP call over a Unix socket or to a URL, by libcurl.
 *
 * SPDX-License-Identifier: MIT
 *
 * The token goes to the one host that was named, nowhere else: redirects are
 * not followed, proxies of the environment and ~/.netrc are not looked at.
 *
 * A process that is stopped still accepts connections (its kernel does), so
 * the total time is what tells that nobody is there. Downloads have no total
 * time; they fail when nothing comes for ten seconds.
 */
#include "cli/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include <tailbox.h>

#include "analyzer/json_tree.h"
#include "cli/output.h"
#include "cli/sock.h"

enum { STALL_S = 10 };

struct sink {
	struct cli__http *h;
	CURL *curl;
	int error; /* of the file, -errno */
};

static size_t take(char *bytes, size_t size, size_t count, void *cls)
{
	struct sink *s = cls;
	size_t len = size * count;
	long status = 0;

	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (s->h->to_fd >= 0 && status == 200)
		s->error = cli__write_all(s->h->to_fd, bytes, len);
	else if (!cli__text_add(&s->h->body, bytes, len))
		return 0;
	return s->error ? 0 : len;
}

/* The way to the server while a call lasts. */
struct way {
	bool is_sock;
	struct cli__sock_path sock;
	char url[4096], why[CURL_ERROR_SIZE];
	struct curl_slist *headers;
};

static bool add_token(struct way *w)
{
	char line[CLI__TOKEN_MAX + 32];

	if (!cli__token())
		return true;
	snprintf(line, sizeof(line), "Authorization: Bearer %s", cli__token());
	w->headers = curl_slist_append(NULL, line);
	return w->headers != NULL;
}

static bool way_open(struct way *w, const struct cli__http *h)
{
	bool is_url = h->url && *h->url;

	memset(w, 0, sizeof(*w));
	w->sock.fd = -1;
	w->is_sock = !is_url;
	int n = snprintf(w->url, sizeof(w->url), "%s%s",
	                 is_url ? h->url : "http://localhost", h->path);
	if (n < 0 || (size_t)n >= sizeof(w->url)) {
		snprintf(w->why, sizeof(w->why), "the request is too long");
		return false;
	}
	if (is_url)
		return add_token(w);
	int rc = cli__sock_path_open(&w->sock, h->sock);
	if (rc < 0)
		snprintf(w->why, sizeof(w->why), "%s", tailbox_strerror(rc));
	return rc == 0;
}

static void way_close(struct way *w)
{
	curl_slist_free_all(w->headers);
	cli__sock_path_close(&w->sock);
}

static CURLcode set_options(CURL *curl, const struct cli__http *h,
                            struct sink *sink, struct way *w)
{
	CURLcode rc = CURLE_OK;

#define SET(option, value)                                                     \
	do {                                                                   \
		if (rc == CURLE_OK)                                            \
			rc = curl_easy_setopt(curl, option, value);            \
	} while (0)
	SET(CURLOPT_ERRORBUFFER, w->why);
	if (w->is_sock)
		SET(CURLOPT_UNIX_SOCKET_PATH, w->sock.text);
	SET(CURLOPT_URL, w->url);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	if (w->headers)
		SET(CURLOPT_HTTPHEADER, w->headers);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(w->is_sock ? CLI__HTTP_CONNECT_MS : CLI__HTTP_CONNECT_URL_MS));
	SET(CURLOPT_WRITEFUNCTION, take);
	SET(CURLOPT_WRITEDATA, sink);
	SET(CURLOPT_USERAGENT, "tailbox");
	if (h->total_ms) {
		SET(CURLOPT_TIMEOUT_MS, h->total_ms);
	} else {
		SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
		SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	}
	if (h->is_post) {
		SET(CURLOPT_POSTFIELDS, "");
		SET(CURLOPT_POSTFIELDSIZE, 0L);
	}
#undef SET
	return rc;
}

/* libcurl says "Couldn't connect to server" of every cause. */
static const char *why_no_connection(const char *sock)
{
	switch (cli__sock_probe(sock, NULL)) {
	case -ECONNREFUSED:
		return "nobody listens on it: its process has ended";
	case -EACCES:
		return "not permitted: it belongs to another user";
	case -ENOENT:
		return "it is gone";
	default:
		return "cannot connect";
	}
}

/* Most commands call nobody, and libcurl with its TLS library takes longer to
 * start than all else does. The commands make their calls from one thread. */
static bool is_started;

static bool start(struct way *w)
{
	if (!is_started)
		is_started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	if (!is_started)
		snprintf(w->why, sizeof(w->why), "libcurl does not start");
	return is_started;
}

void cli__http_end(void)
{
	if (is_started)
		curl_global_cleanup();
	is_started = false;
}

int cli__http(struct cli__http *h)
{
	struct sink sink = { .h = h };
	CURLcode rc = CURLE_FAILED_INIT;
	struct way w;

	h->status = 0;
	h->is_timeout = false;
	h->body.max = CLI__HTTP_ANSWER_MAX;
	if (way_open(&w, h) && start(&w))
		sink.curl = curl_easy_init();
	if (sink.curl)
		rc = set_options(sink.curl, h, &sink, &w);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(sink.curl);
	if (rc == CURLE_OK)
		curl_easy_getinfo(sink.curl, CURLINFO_RESPONSE_CODE,
		                  &h->status);
	h->is_timeout = rc == CURLE_OPERATION_TIMEDOUT;
	if (rc != CURLE_OK)
		snprintf(h->why, sizeof(h->why), "%.255s",
		         sink.error               ? "cannot write the file"
		         : h->body.has_failed     ? "the answer is too long"
		         : h->is_timeout          ? "no answer in time"
		         : rc == CURLE_COULDNT_CONNECT && w.is_sock
		                 ? why_no_connection(h->sock)
		         : w.why[0]               ? w.why
		                                  : curl_easy_strerror(rc));
	if (sink.curl)
		curl_easy_cleanup(sink.curl);
	way_close(&w);
	return rc == CURLE_OK ? 0 : -1;
}

void cli__http_fini(struct cli__http *h)
{
	cli__text_fini(&h->body);
}

void cli__http_to(const struct cli__target *t, struct cli__http *h)
{
	h->sock = t->service.sock;
	h->url = t->service.url;
}

const char *cli__http_hint(const struct cli__service *s, long status)
{
	if (!s->url[0])
		return "";
	if (status == 401)
		return cli__token() ? "the token of TAILBOX_TOKEN or "
		                      "--token-file was refused"
		                    : "give its token in TAILBOX_TOKEN or "
		                      "by --token-file FILE";
	if (status == 403 || status == 421)
		return "it answers only to the host names of its "
		       "configuration, its address and port: use one of these "
		       "in the URL";
	if (status >= 300 && status < 400)
		return "a redirect, which is not followed; give the URL of "
		       "the service itself";
	return "";
}

/* {error, detail}, or the first line of a text. */
int cli__http_told(const struct cli__target *t, const struct cli__http *h)
{
	const char *body = h->body.at ? h->body.at : "";
	tailbox__tree *j = tailbox__tree_parse(body, h->body.len);
	const char *error = tailbox__tree_text(j, "error");
	const char *detail = tailbox__tree_text(j, "detail");
	const char *more = cli__http_hint(&t->service, h->status);
	const char *name = cli__target_name(t), *colon = *more ? ": " : "";

	if (error && detail && *detail && h->status != 401)
		cli__say("%s: %s: %s%s%s", name, error, detail, colon, more);
	else if (error)
		cli__say("%s: %s%s%s", name, error, colon, more);
	else if (*more)
		cli__say("%s: HTTP status %ld: %s", name, h->status, more);
	else if (h->status == 404 && t->service.url[0])
		cli__say("%s: HTTP status 404: is it a tailbox admin server?",
		         name);
	else
		cli__say("%s: HTTP status %ld: %.*s", name, h->status,
		         (int)strcspn(body, "\n"), body);
	tailbox__tree_free(j);
	return CLI__NO;
}

/* Whether there is somebody to ask; told. */
static bool can_be_asked(const struct cli__service *s)
{
	if (s->url[0])
		return true;
	if (s->tape[0] && s->writer != TAILBOX__WRITER_LIVE) {
		bool is_stopped = s->writer == TAILBOX__WRITER_STOPPED;
		cli__say("%s (pid %u) %s: its tape can be read: tailbox "
		         "timeline %s",
		         s->name, (unsigned)s->pid,
		         is_stopped ? "is stopped (SIGSTOP or a debugger)"
		                    : "has ended",
		         cli__tape_place(s));
		return false;
	}
	if (!s->sock[0])
		cli__say("%s (pid %u) has no admin socket beside %s", s->name,
		         (unsigned)s->pid, cli__tape_place(s));
	return s->sock[0] != '\0';
}

bool cli__ask(const struct cli__target *t, struct cli__http *h)
{
	cli__http_to(t, h);
	if (!can_be_asked(&t->service))
		return false;
	if (cli__http(h) < 0) {
		cli__say("%s: %s", cli__place(&t->service), h->why);
		return false;
	}
	if (h->status != 200) {
		cli__http_told(t, h);
		return false;
	}
	return true;
}

const char *cli__escape(char *buf, size_t size, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t at = 0;

	for (; *s; s++) {
		if (at + 4 > size) {
			buf[0] = '\0';
			return buf;
		}
		if (strchr(plain, *s))
			buf[at++] = *s;
		else
			at += (size_t)snprintf(buf + at, size - at, "%%%02X",
			                       (unsigned char)*s);
	}
	buf[at] = '\0';
	return buf;
}
