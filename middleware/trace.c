/* middleware/trace.c - the W3C traceparent of a request.
 *
 * SPDX-License-Identifier: MIT
 *
 * https://www.w3.org/TR/trace-context/ section 3.2:
 *     version "-" trace-id "-" parent-id "-" flags
 * in 2, 32, 16 and 2 lower-case hex digits. Version ff is forbidden; version
 * 00 ends there; a later version may go on, after a "-", with what we do not
 * know. Ids of zeros only are not valid. A value that is not valid is as
 * absent.
 */
#include <string.h>

#include "middleware/hooks.h"

#define LEN 55u /* of version 00 */

/* n lower-case hex digits, false when one is not. */
static bool hex(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d;
		if (s[i] >= '0' && s[i] <= '9')
			d = (unsigned)(s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			d = (unsigned)(s[i] - 'a') + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

bool tailbox__trace_parse(const char *text, size_t len,
                          struct tailbox__traceparent *out)
{
	uint64_t version, hi, lo, parent, flags;

	if (len < LEN || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
	    !hex(text, 2, &version) || !hex(text + 3, 16, &hi) ||
	    !hex(text + 19, 16, &lo) || !hex(text + 36, 16, &parent) ||
	    !hex(text + 53, 2, &flags))
		return false;
	if (version == 0xff || (version == 0 && len != LEN) ||
	    (len > LEN && text[LEN] != '-'))
		return false;
	if ((hi | lo) == 0 || parent == 0)
		return false;
	out->hi = hi;
	out->lo = lo;
	out->parent = parent;
	out->flags = (uint8_t)flags;
	return true;
}

void tailbox__trace_keep(struct tailbox__slot *slot, const char *text,
                         size_t len)
{
	struct tailbox__traceparent p;

	if (!tailbox__trace_parse(text, len, &p))
		return;
	TAILBOX__SET(slot->trace_hi, p.hi);
	TAILBOX__SET(slot->trace_lo, p.lo);
	TAILBOX__SET(slot->trace_parent, p.parent);
	TAILBOX__SET(slot->trace_flags, p.flags);
	atomic_fetch_or_explicit(&slot->flags, TAILBOX__REQ_HAS_TRACE,
	                         memory_order_relaxed);
}
