/* core/record.c - durations that do not fit 27 bits.
 *
 * SPDX-License-Identifier: MIT
 *
 * Apart from the header so that the usual case, below 2^27 ticks, stays two
 * instructions where it is used.
 */
#include "core/record.h"

uint32_t tailbox__pack_long(uint64_t ticks)
{
	unsigned shift = 64 - (unsigned)__builtin_clzll(ticks) - 27;

	if (shift > 31)
		return UINT32_MAX;
	return (uint32_t)(ticks >> shift) | shift << 27;
}

uint32_t tailbox__pack_long_up(uint64_t ticks)
{
	uint32_t p = tailbox__pack_long(ticks);

	if (p != UINT32_MAX && tailbox__unpack(p) < ticks)
		p = tailbox__pack_long(ticks + ((uint64_t)1 << (p >> 27)));
	return p;
}
