/* core/show.h - how a size is shown.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_SHOW_H
#define TAILBOX_CORE_SHOW_H 1

#include <stdint.h>

/* Room for any text that is made for one value. */
#define TAILBOX__SHOW_ROOM 32

/* "812 B", "4.2 KiB", "1.3 MiB", "2.0 GiB": in units that sizes are set in,
 * further tenths cut off. Returns buf, of TAILBOX__SHOW_ROOM bytes. */
const char *tailbox__show_bytes(char *buf, uint64_t bytes);

#endif
