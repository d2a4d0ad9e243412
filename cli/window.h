/* cli/window.h - arm and disarm over the admin socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_WINDOW_H
#define TAILBOX_CLI_WINDOW_H 1

#include "cli/http.h"

struct cli__window {
	uint64_t duration_ms; /* 0 = until disarm */
	uint64_t lookback_ms; /* 0 = none */
	const char *mode, *note, *policy; /* NULL = the service's default */
	uint64_t max_requests;
	bool has_max_requests, is_strict;
};

/* Whether mode and policy are words we know; else *rc, told. */
bool cli__window_check(const struct cli__command *self,
                       const struct cli__window *w, int *rc);
/* Arm: the answer is in h (cli__http_fini()), *id the window. False: told. */
bool cli__window_arm(const struct cli__target *t, const struct cli__window *w,
                     struct cli__http *h, uint64_t *id);
/* Disarm: the answer is in h. False: told. */
bool cli__window_disarm(const struct cli__target *t, struct cli__http *h);

#endif
