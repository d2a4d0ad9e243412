/* tests/parity_script.h - what clients do with the application of parity_app.h:
 * requests of every kind, and every way to go away.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_PARITY_SCRIPT_H
#define TAILBOX_TESTS_PARITY_SCRIPT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/e2e_client.h"

/* So that PARITY_BIG is never all under way. */
#define PARITY_SOCKET_BUFFER (64 << 10)

/* A step without `play` sends its text and reads to the end. */
struct parity_step {
	const char *name, *text;
	void (*play)(uint16_t port, struct e2e_bytes *got);
};
extern const struct parity_step parity_script[];
extern const size_t parity_steps; /* how many */

/* These have daemons with a short limit to themselves; else a machine that is
 * slow for once would show a time-out where the script has none. */
bool parity_is_timeout(const struct parity_step *s);

#endif
