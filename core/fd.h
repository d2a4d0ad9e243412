/* core/fd.h - read and write all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_FD_H
#define TAILBOX_CORE_FD_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat;

/* How large this process may make a file (RLIMIT_FSIZE); UINT64_MAX: any.
 * Who goes beyond is ended by SIGXFSZ, so whatever of ours makes files in a
 * service asks first. Any thread. */
uint64_t tailbox__fd_limit(void);

/* Whether this process has the file open. Of a tape that says that a copy of
 * tailbox in it records there: this one or another, that a plugin or the
 * preload agent brings. A lock of fcntl() cannot say it, and opening the file
 * to ask would end in dropping the lock. Any thread; reads /proc/self/fd. */
bool tailbox__fd_is_open_here(const struct stat *st);

/* Write len bytes, going on after short writes and signals. Blocks. 0 or
 * -errno (bytes may have been written); -EFBIG at the limit above. Any
 * thread. */
int tailbox__fd_write(int fd, const void *buf, size_t len);
/* Read until len bytes are there or the input ends. Blocks. The number of
 * bytes, less than len only at the end, or -errno. Any thread. */
long tailbox__fd_read(int fd, void *buf, size_t len);

#endif
