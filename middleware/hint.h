/* middleware/hint.h - what the compiler should expect.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_MIDDLEWARE_HINT_H
#define TAILBOX_MIDDLEWARE_HINT_H 1

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* What is passed to by a jump stays out of the way of those who pass. */
#define NOINLINE __attribute__((noinline))

#endif
