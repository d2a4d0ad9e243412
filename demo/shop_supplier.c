/* demo/shop_supplier.c - a second service, and the client that calls it.
 *
 * The supplier stands for somebody else's service: it has one thread, is slow
 * for some items, and is not recorded. What the shop sees of it is the stage
 * `supplier_call`. The shop hands its trace on in a `traceparent` header; the
 * supplier sends back the one it got, so that a reader of the answer sees it.
 *
 * SPDX-License-Identifier: MIT */
#include "shop.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define TIMEOUT_MS 2000L
#define IDLE_MAX 64u

struct supplier {
	struct MHD_Daemon *daemon;
	unsigned int port;
	pthread_mutex_t lock;
	CURL *idle[IDLE_MAX]; /* handles keep their connection open */
	unsigned int idle_count;
};

/* --- the service ---------------------------------------------------------- */

/* From outside, so only what a traceparent is made of goes into JSON. */
static bool is_traceparent(const char *text)
{
	return text != NULL && strlen(text) == 55 &&
	       strspn(text, "0123456789abcdef-") == 55;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	uint64_t item = strtoull(*url == '/' ? url + 1 : url, NULL, 10);
	struct timespec work = { 0, item % 20 == 0 ? 30000000 : 1000000 };
	const char *trace =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, "traceparent");
	char text[160];

	(void)cls, (void)method, (void)version;
	(void)upload, (void)upload_size, (void)req_cls;
	nanosleep(&work, NULL);
	int n = snprintf(text, sizeof(text),
	                 "{\"cents\": %" PRIu64 ", \"trace\": \"%s\"}",
	                 70 + item * 26 % 6300,
	                 is_traceparent(trace) ? trace : "");
	struct MHD_Response *r = MHD_create_response_from_buffer(
		(size_t)n, text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result ok = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ok;
}

int supplier_start(struct supplier **out)
{
	struct supplier *s = calloc(1, sizeof(*s));
	struct sockaddr_in here = { .sin_family = AF_INET };

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*out = NULL;
	if (s == NULL) {
		fprintf(stderr, "shop: out of memory\n");
		return -1;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL,
	                             NULL, &answer, NULL, MHD_OPTION_SOCK_ADDR,
	                             &here, MHD_OPTION_END);
	if (s->daemon == NULL) {
		perror("shop: cannot start the supplier");
		supplier_stop(s);
		return -1;
	}
	s->port =
		MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	*out = s;
	return 0;
}

void supplier_stop(struct supplier *s)
{
	if (s == NULL)
		return;
	while (s->idle_count > 0)
		curl_easy_cleanup(s->idle[--s->idle_count]);
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- the client ----------------------------------------------------------- */

static CURL *handle_get(struct supplier *s)
{
	CURL *h = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->idle_count > 0)
		h = s->idle[--s->idle_count];
	pthread_mutex_unlock(&s->lock);
	return h != NULL ? h : curl_easy_init();
}

static void handle_put(struct supplier *s, CURL *h)
{
	curl_easy_reset(h); /* forgets the options, not the connection */
	pthread_mutex_lock(&s->lock);
	if (s->idle_count < IDLE_MAX) {
		s->idle[s->idle_count++] = h;
		h = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	curl_easy_cleanup(h);
}

struct reply {
	char *text;
	size_t size;
	size_t room;
};

/* A short count tells curl to fail: an answer that is too long is an error. */
static size_t keep(char *data, size_t size, size_t count, void *cls)
{
	struct reply *reply = cls;
	size_t n = size * count;

	if (n >= reply->room - reply->size)
		return 0;
	memcpy(reply->text + reply->size, data, n);
	reply->size += n;
	reply->text[reply->size] = '\0';
	return n;
}

static CURLcode get(CURL *h, unsigned int port, tailbox_request r, int64_t item,
                    struct reply *reply)
{
	char url[64];
	char parent[56];
	char header[sizeof("traceparent: ") + sizeof(parent)];
	struct curl_slist *headers = NULL;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/%" PRId64, port, item);
	if (tailbox_request_traceparent(r, parent, sizeof(parent)) > 0) {
		snprintf(header, sizeof(header), "traceparent: %s", parent);
		headers = curl_slist_append(NULL, header);
	}
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, &keep);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, reply);
	CURLcode rc = curl_easy_perform(h);
	curl_slist_free_all(headers);
	return rc;
}

unsigned int supplier_quote(struct supplier *s, tailbox_request r, int64_t item,
                            char *answer_text, size_t size)
{
	CURLcode rc = CURLE_FAILED_INIT;

	TAILBOX_STAGE(r, "supplier_call") {
		struct reply reply = { answer_text, 0, size };
		CURL *h = handle_get(s);

		if (h != NULL) {
			rc = get(h, s->port, r, item, &reply);
			handle_put(s, h);
		}
		if (rc != CURLE_OK)
			TAILBOX_FAILED();
	}
	if (rc == CURLE_OK)
		return MHD_HTTP_OK;
	return rc == CURLE_OPERATION_TIMEDOUT ? MHD_HTTP_GATEWAY_TIMEOUT
	                                      : MHD_HTTP_BAD_GATEWAY;
}
