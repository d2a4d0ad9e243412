/* middleware/tcp_info.c - what the kernel knows of a TCP connection.
 *
 * SPDX-License-Identifier: MIT
 *
 * A file of its own because struct tcp_info of glibc's <netinet/tcp.h> ends
 * before the byte counts, and <linux/tcp.h>, which has them, cannot be
 * included beside it. The kernel may know a shorter structure than the header
 * does: what it did not fill is unknown, not 0.
 */
#include "middleware/tcp_info.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define HAS(len, field)                                                        \
	((len) >= offsetof(struct tcp_info, field) +                           \
	                  sizeof(((struct tcp_info *)0)->field))

bool tailbox__tcp_info(int fd, struct tailbox__tcp *out)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len) != 0 ||
	    !HAS(len, tcpi_last_data_recv))
		return false;
	out->idle_ms = i.tcpi_last_data_recv;
	out->has_bytes = HAS(len, tcpi_bytes_retrans);
	out->bytes_in = out->bytes_out = 0;
	if (out->has_bytes) {
		out->bytes_in = i.tcpi_bytes_received;
		/* bytes_sent counts what is sent again once more. */
		out->bytes_out = i.tcpi_bytes_sent - i.tcpi_bytes_retrans +
		                 i.tcpi_notsent_bytes;
	}
	return true;
}
