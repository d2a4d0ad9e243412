/* tests/e2e_client.h - clients for the end-to-end tests.
 *
 * SPDX-License-Identifier: MIT
 *
 * A raw client that sends exactly what it is told, and a counted load of
 * plain GETs through libcurl. Everything fails the running check test; no
 * wait is longer than E2E_PATIENCE_MS.
 *
 * libcheck leaves a failed test by longjmp(), which only the thread that runs
 * it may do. What fails on another thread is kept, and fails the test in
 * e2e_join(); until then the functions give what they have (fd -1, no bytes).
 */
#ifndef TAILBOX_TESTS_E2E_CLIENT_H
#define TAILBOX_TESTS_E2E_CLIENT_H 1

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#define E2E_PATIENCE_MS 20000

/* As pthread_create and pthread_join, with all their failures and those on
 * the thread itself. */
void e2e_start(pthread_t *t, void *(*fn)(void *), void *cls);
void e2e_join(pthread_t t);

/* The port a daemon was given. */
uint16_t e2e_port(struct MHD_Daemon *d);
uint64_t e2e_now_ns(void); /* CLOCK_MONOTONIC */

/* Connected to 127.0.0.1:port, with a time limit on reads. */
int e2e_connect(uint16_t port);
void e2e_send(int fd, const char *text);
void e2e_send_bytes(int fd, const void *data, size_t len);
/* Close with a reset in place of an orderly end. */
void e2e_reset(int fd);

struct e2e_bytes {
	char *text; /* NUL-terminated; free() */
	size_t len;
};
/* Everything up to the peer's end (or its reset); does not close. */
struct e2e_bytes e2e_read_all(int fd);
/* Exactly `len` bytes, or fewer at the peer's end. */
struct e2e_bytes e2e_read_len(int fd, size_t len);
/* One response with Content-Length or without body: its head and body.
 * is_head: the request was a HEAD. */
struct e2e_bytes e2e_read_reply(int fd, bool is_head);
int e2e_status(const struct e2e_bytes *reply); /* 0 = none */

/* Send, read to the end, close: text holds "Connection: close". */
struct e2e_bytes e2e_exchange(uint16_t port, const char *text);

/* Poll until fn(cls), at most E2E_PATIENCE_MS; fails the test otherwise. */
void e2e_wait(bool (*fn)(void *), void *cls, const char *what);

#ifdef E2E_WITH_CURL
/* `count` GETs of http://127.0.0.1:port/path over at most `connections`
 * kept-alive connections; returns how many answers had status 200. */
long e2e_load(uint16_t port, const char *path, long count, int connections);
#endif

#endif
