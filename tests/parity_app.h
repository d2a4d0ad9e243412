/* tests/parity_app.h - an application that does all that the server library
 * allows, and writes down every call it gets.
 *
 * SPDX-License-Identifier: MIT
 *
 * What it does with a request is said by its path. A handler that is called
 * again and again is one line.
 */
#ifndef TAILBOX_TESTS_PARITY_APP_H
#define TAILBOX_TESTS_PARITY_APP_H 1

#include <microhttpd.h>
#include <semaphore.h>
#include <stdbool.h>

#define PARITY_BIG (4u << 20)

/* Between the application, its clients and the test. */
struct parity {
	bool is_wrapped; /* it uses our calls for suspend and resume */
	char *big;       /* PARITY_BIG bytes */
	sem_t entered;   /* posted when "/slow" or "/upgrade" got there... */
	sem_t let_go;    /* ...and "/slow" waits for this */
	struct MHD_UpgradeResponseHandle *upgraded;
	int upgraded_fd;
};
extern struct parity parity;

void parity_app_open(void);
void parity_app_close(void);
/* Forget what was written down. */
void parity_app_reset(void);
/* Its threads are over; 0, or why there was none (errno). */
int parity_app_join(void);

enum MHD_Result parity_answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls);
/* What the handler is to be given. */
void *parity_app_cls(void);
enum { NO_URI_LOG = 1, NO_COMPLETED = 2 };
/* The time limit and its other callbacks, but `without` some: at most four
 * options and their end. */
void parity_app_options(int without, unsigned timeout_s,
                        struct MHD_OptionItem *to);

/* A line each; free(). */
char *parity_calls(void);
/* The server's end of the connection opened last; -1 = not accepted yet. */
int parity_server_fd(void);
/* For e2e_wait(). cls: an int, so many connections were closed. */
bool parity_has_closed(void *cls);
/* cls: a text. */
bool parity_has_logged(void *cls);

#endif
