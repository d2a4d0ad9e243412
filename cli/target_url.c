/* cli/target_url.c - a service by the URL of its admin server.
 *
 * SPDX-License-Identifier: MIT
 *
 * Only what names a server is taken: scheme, host, port, and a path for a
 * server that is mounted below one. Who puts a secret into a URL shows it to
 * all users of the machine, so that is refused with the way to do it.
 */
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "cli/http.h"
#include "cli/target_internal.h"

/* Whether the URL has such a part. */
static bool has(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK && *text;

	curl_free(text);
	return has;
}

/* What is wrong with it, or NULL. */
static const char *check(CURLU *u, const char *url)
{
	const char *scheme_end = strstr(url, "://");
	size_t len = scheme_end ? (size_t)(scheme_end - url) : 0;

	if (!(len == 4 && !strncasecmp(url, "http", 4)) &&
	    !(len == 5 && !strncasecmp(url, "https", 5)))
		return "only http:// and https:// are possible";
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~')
			return "a URL has no blanks, control or non-ASCII "
			       "characters";
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
		return "no URL; it is http://HOST:PORT";
	if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD))
		return "no user or password in a URL: the token is given in "
		       "TAILBOX_TOKEN or by --token-file FILE";
	if (has(u, CURLUPART_QUERY) || strchr(url, '?'))
		return "no query in a URL; it is http://HOST:PORT";
	if (!has(u, CURLUPART_HOST))
		return "no host in it; it is http://HOST:PORT";
	return NULL;
}

bool cli__target_by_url(const char *url, struct cli__target *out, int *rc)
{
	struct cli__service *s = &out->service;
	size_t len = strlen(url);
	CURLU *u;

	while (len && url[len - 1] == '/')
		len--;
	if (len >= sizeof(s->url)) {
		*rc = cli__fail("the URL is longer than %u bytes",
		                CLI__URL_MAX - 1);
		return false;
	}
	u = curl_url();
	if (!u) {
		*rc = cli__no_memory();
		return false;
	}
	const char *wrong = check(u, url);
	curl_url_cleanup(u);
	if (wrong) {
		/* Not the URL itself: there may be a secret in it. */
		const char *at = strchr(url, '@');
		*rc = cli__fail("%s: %s", at ? "the URL" : url, wrong);
		return false;
	}
	if (!cli__token_load(rc))
		return false;
	out->kind = CLI__TARGET_SERVICE;
	snprintf(s->url, sizeof(s->url), "%.*s", (int)len, url);
	s->writer = TAILBOX__WRITER_LIVE;
	return true;
}
