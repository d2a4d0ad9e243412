/* tailbox/base.h - what every other header of tailbox needs. Since 0.1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_BASE_H
#define TAILBOX_BASE_H 1

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define TAILBOX_API __attribute__((visibility("default")))
#define TAILBOX_MUST_USE __attribute__((warn_unused_result))
#else
#define TAILBOX_API
#define TAILBOX_MUST_USE
#endif

#define TAILBOX_VERSION_MAJOR 0
#define TAILBOX_VERSION_MINOR 1
#define TAILBOX_VERSION_PATCH 0
#define TAILBOX_VERSION "0.1.0"

#endif
