/* tailbox/admin.h - the admin server's calls under a prefix of the
 * application's own daemon.
 *
 * SPDX-License-Identifier: MIT
 *
 * For services that may open no further port. Of use while the application's
 * workers answer; when they are stuck, only the admin server of its own does,
 * which goes on beside this.
 *
 *     static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
 *                                   const char *url, const char *method, ...)
 *     {
 *             if (strncmp(url, "/tailbox", 8) == 0)
 *                     return tailbox_admin_handle(c, "/tailbox", 0, url,
 *                                                 method);
 *             ...
 */
#ifndef TAILBOX_ADMIN_H
#define TAILBOX_ADMIN_H 1

#include <microhttpd.h>

#include <tailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	/* The application has checked that the client may do all that the
	 * admin server can, by its own means: no token is asked for. Origin
	 * is looked at all the same. */
	TAILBOX_ADMIN_TRUSTED = 1
};

/* Answer a request below a prefix, as the admin server would.
 * Call it from the access handler, the first time that it is called for the
 * request (*req_cls is still NULL), and return what it returns: a response is
 * queued then, and the handler is not called again. *req_cls is not touched,
 * no body is taken: a token for /session comes as Authorization header.
 * c:      the connection.
 * prefix: "/tailbox": begins with '/' and does not end with it; NULL or "" =
 *         none. Paths that do not stand below it are answered with 404.
 * flags:  0 or TAILBOX_ADMIN_TRUSTED. Without it each request needs
 *         `Authorization: Bearer TOKEN` or a session's cookie, whose path is
 *         the prefix; with no token in the settings the answer is 503. Host
 *         is the application's to check: it knows its names.
 * url, method: as the handler got them.
 * The request is left out of the recording.
 *
 * Limits: what may wait for a disk (artifacts, arm, disarm, ...) is done by a
 * thread of tailbox, at most 4 at a time. The caller waits for it for 2 ms,
 * with thread per connection for 10 s. What takes longer is answered with
 * `Retry-After: 1`: 503 to GET, whose result is kept for 10 s for whom asks
 * again, and 202 to others, which go on to their end. Beyond the fourth: 503.
 * Wrong tokens are not answered late, as the admin server does, but from the
 * sixth in a minute on with 429.
 * Threads: any thread that runs a handler, also while tailbox_stop() runs;
 * not started or TAILBOX=off: 503.
 * Returns what the handler is to return: MHD_NO when memory ran out.
 * Since 0.1. */
TAILBOX_API enum MHD_Result tailbox_admin_handle(struct MHD_Connection *c,
                                                 const char *prefix,
                                                 unsigned int flags,
                                                 const char *url,
                                                 const char *method);

#ifdef __cplusplus
}
#endif
#endif
