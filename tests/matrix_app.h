/* tests/matrix_app.h - an application that writes down every call it gets.
 *
 * SPDX-License-Identifier: MIT
 *
 * It answers any path; "/suspend..." after a suspension that another thread
 * ends, "/upgrade..." with an echo of 4 bytes, "/missing..." with 404. What it
 * is called for is written down by connection, in the order in which those
 * came.
 */
#ifndef TAILBOX_TESTS_MATRIX_APP_H
#define TAILBOX_TESTS_MATRIX_APP_H 1

#include <microhttpd.h>
#include <stdbool.h>

enum { MATRIX_CONNECTIONS_MAX = 32 };

/* Forget all. is_recorded: it uses our calls for suspend, resume and queue. */
void matrix_app_reset(bool is_recorded);
/* Its threads are over. */
void matrix_app_join(void);

enum MHD_Result matrix_answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls);
/* Options that name its other callbacks, and their end. */
enum { MATRIX_OPTIONS = 3 };
void matrix_app_options(struct MHD_OptionItem *to);
/* What the handler is to be given. */
void *matrix_app_cls(void);

int matrix_connections(void);      /* so far */
const char *matrix_calls(int connection); /* a line each */

#endif
