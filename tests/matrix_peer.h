/* tests/matrix_peer.h - a client of a daemon, over whatever it listens on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_MATRIX_PEER_H
#define TAILBOX_TESTS_MATRIX_PEER_H 1

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct matrix_peer; /* one connection */

/* Connect, with TLS where asked for; the certificate is not looked at. NULL:
 * nobody is there, or no handshake. One thread per object. */
struct matrix_peer *matrix_connect(const struct sockaddr *to, socklen_t len,
                                   bool is_tls);
void matrix_send(struct matrix_peer *p, const char *text);
/* Read one response, its body by Content-Length; or all up to the end. What
 * came is added to what came before. False: the end came, or nothing did for
 * too long. */
bool matrix_read_reply(struct matrix_peer *p, bool is_head);
bool matrix_read_bytes(struct matrix_peer *p, size_t n);
void matrix_read_all(struct matrix_peer *p);
/* All that was read so far, NUL-terminated; until the next read. */
const char *matrix_text(const struct matrix_peer *p);
void matrix_disconnect(struct matrix_peer *p); /* NULL allowed */

#endif
