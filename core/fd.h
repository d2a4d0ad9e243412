/* core/fd.h - read and write all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_FD_H
#define TAILBOX_CORE_FD_H 1

#include <stddef.h>
#include <stdint.h>

/* How large this process may make a file (RLIMIT_FSIZE); UINT64_MAX: any.
 * Who goes beyond is ended by SIGXFSZ, so whatever of ours makes files in a
 * service asks first. Any thread. */
uint64_t tailbox__fd_limit(void);

/* Write len bytes, going on after short writes and signals. Blocks. 0 or
 * -errno (bytes may have been written); -EFBIG at the limit above. Any
 * thread. */
int tailbox__fd_write(int fd, const void *buf, size_t len);
/* Read until len bytes are there or the input ends. Blocks. The number of
 * bytes, less than len only at the end, or -errno. Any thread. */
long tailbox__fd_read(int fd, void *buf, size_t len);

#endif
