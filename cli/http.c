/* cli/http.c - one HTTP call over a Unix socket, by libcurl.
 *
 * SPDX-License-Identifier: MIT
 *
 * A process that is stopped still accepts connections (its kernel does), so
 * the total time is what tells that nobody is there. Downloads have no total
 * time; they fail when nothing comes for ten seconds.
 */
#include "cli/http.h"

#include <curl/curl.h>
#include <string.h>

#include "analyzer/json_tree.h"
#include "cli/output.h"

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

static CURLcode set_options(CURL *curl, const struct cli__http *h,
                            struct sink *sink, const char *url, char *why)
{
	CURLcode rc = CURLE_OK;

#define SET(option, value)                                                     \
	do {                                                                   \
		if (rc == CURLE_OK)                                            \
			rc = curl_easy_setopt(curl, option, value);            \
	} while (0)
	SET(CURLOPT_ERRORBUFFER, why);
	SET(CURLOPT_UNIX_SOCKET_PATH, h->sock);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CLI__HTTP_CONNECT_MS);
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

int cli__http(struct cli__http *h)
{
	struct sink sink = { .h = h };
	char url[4096], why[CURL_ERROR_SIZE] = "";
	CURLcode rc = CURLE_FAILED_INIT;

	h->status = 0;
	h->is_timeout = false;
	h->body.max = CLI__HTTP_ANSWER_MAX;
	int n = snprintf(url, sizeof(url), "http://localhost%s", h->path);
	if (n < 0 || (size_t)n >= sizeof(url)) {
		snprintf(h->why, sizeof(h->why), "the request is too long");
		return -1;
	}
	sink.curl = curl_easy_init();
	if (sink.curl)
		rc = set_options(sink.curl, h, &sink, url, why);
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
		         : why[0]                 ? why
		                                  : curl_easy_strerror(rc));
	curl_easy_cleanup(sink.curl);
	return rc == CURLE_OK ? 0 : -1;
}

void cli__http_fini(struct cli__http *h)
{
	cli__text_fini(&h->body);
}

/* {error, detail}, or the first line of a text. */
int cli__http_told(const struct cli__target *t, const struct cli__http *h)
{
	const char *body = h->body.at ? h->body.at : "";
	tailbox__tree *j = tailbox__tree_parse(body, h->body.len);
	const char *error = tailbox__tree_text(j, "error");
	const char *detail = tailbox__tree_text(j, "detail");

	if (error && detail && *detail)
		cli__say("%s: %s: %s", t->service.name, error, detail);
	else if (error)
		cli__say("%s: %s", t->service.name, error);
	else
		cli__say("%s: HTTP status %ld: %.*s", t->service.name,
		         h->status, (int)strcspn(body, "\n"), body);
	tailbox__tree_free(j);
	return CLI__NO;
}

bool cli__ask(const struct cli__target *t, struct cli__http *h)
{
	const struct cli__service *s = &t->service;

	h->sock = s->sock;
	if (s->tape[0] && s->writer != TAILBOX__WRITER_LIVE) {
		bool is_stopped = s->writer == TAILBOX__WRITER_STOPPED;
		cli__say("%s (pid %u) %s: its tape can be read: tailbox "
		         "timeline %s",
		         s->name, (unsigned)s->pid,
		         is_stopped ? "is stopped (SIGSTOP or a debugger)"
		                    : "has ended",
		         s->tape);
		return false;
	}
	if (!s->sock[0]) {
		cli__say("%s (pid %u) has no admin socket", s->name,
		         (unsigned)s->pid);
		return false;
	}
	if (cli__http(h) < 0) {
		cli__say("%s: %s", s->sock, h->why);
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
