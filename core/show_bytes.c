/* core/show_bytes.c - how a size is shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/show.h"

#include <inttypes.h>
#include <stdio.h>

const char *tailbox__show_bytes(char *buf, uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB",
	                                     "EiB" };
	uint64_t unit = 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, TAILBOX__SHOW_ROOM, "%" PRIu64 " B", bytes);
		return buf;
	}
	while (i < 5 && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	/* The tenths cut off: 1023.99 is not 1024. */
	snprintf(buf, TAILBOX__SHOW_ROOM, "%u.%u %s", (unsigned)(bytes / unit),
	         (unsigned)(bytes % unit / 64 * 10 / (unit / 64)), names[i]);
	return buf;
}
