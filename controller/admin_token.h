/* controller/admin_token.h - the token of the admin server, and its sessions.
 *
 * SPDX-License-Identifier: MIT
 *
 * Threads: reading the token is for the one that starts the server; all else
 * for any thread.
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_TOKEN_H
#define TAILBOX_CONTROLLER_ADMIN_TOKEN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "core/error.h"

#define TAILBOX__TOKEN_MIN 16u
#define TAILBOX__TOKEN_MAX 256u

struct tailbox__token {
	uint32_t len; /* 0 = none */
	unsigned char bytes[TAILBOX__TOKEN_MAX]; /* zeros behind */
};

/* The token of the settings: `token`, or what stands in `token_file` without
 * white space around it. 0 (also without one: len is 0) or -errno, and err
 * says what is wrong; never the token itself. */
int tailbox__token_read(const struct tailbox__config_admin *c,
                        struct tailbox__token *out,
                        struct tailbox__error *err);
/* Whether these bytes are the token. How long that takes depends on len
 * alone, and not on what the token is. */
bool tailbox__token_is(const struct tailbox__token *t, const char *given,
                       size_t len);

/* --- sessions ---------------------------------------------------------- */

#define TAILBOX__SESSIONS_MAX 16u
#define TAILBOX__SESSION_BYTES 32u
#define TAILBOX__SESSION_TEXT (2 * TAILBOX__SESSION_BYTES)
#define TAILBOX__SESSION_S (12u * 3600)

/* A new one; the oldest goes when there are too many. 0 or -errno (no random
 * numbers). */
int tailbox__session_make(char text[TAILBOX__SESSION_TEXT + 1],
                          uint64_t now_ns);
bool tailbox__session_is(const char *text, uint64_t now_ns);
void tailbox__session_end(const char *text);
void tailbox__sessions_clear(void); /* all of them */
void tailbox__sessions_in_child(void);

#endif
