/* cli/target_internal.h - what the files of the resolver share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TARGET_INTERNAL_H
#define TAILBOX_CLI_TARGET_INTERNAL_H 1

#include "cli/target.h"

#define CLI__ID_CHARACTERS                                                     \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* What a file is by its first bytes. */
enum cli__sniff {
	CLI__SNIFF_TAPE,
	CLI__SNIFF_ARTIFACT, /* native, JSON, or gzip of what may be one */
	CLI__SNIFF_EMPTY,
	CLI__SNIFF_OTHER
};
/* Of a regular file. -errno when it cannot be read. */
int cli__sniff(const char *path);

/* Each fills `out`; on false *rc is set and standard error says why. */
bool cli__target_by_path(const char *path, struct cli__target *out, int *rc);
bool cli__target_by_url(const char *url, struct cli__target *out, int *rc);
/* word NULL: the only service there is. */
bool cli__target_by_word(const char *word, struct cli__target *out, int *rc);

#endif
