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

/* enum of <netinet/tcp.h>, which cannot be included here */
enum {
	FIN_WAIT1 = 4, TIME_WAIT = 6, CLOSE = 7, CLOSE_WAIT = 8, LAST_ACK = 9,
	CLOSING = 11
};

/* The peer's end counts as a byte received. Once closed there is no telling
 * an orderly end from a reset; then one byte alone is taken for an end. */
static uint64_t bytes_in(const struct tcp_info *i)
{
	uint64_t n = i->tcpi_bytes_received;
	bool has_end = i->tcpi_state == CLOSE_WAIT ||
	               i->tcpi_state == LAST_ACK || i->tcpi_state == CLOSING ||
	               i->tcpi_state == TIME_WAIT ||
	               (i->tcpi_state == CLOSE && n == 1);

	return n != 0 && has_end ? n - 1 : n;
}

/* What is sent again counts again; our own end counts while it waits behind
 * data that was not sent yet. */
static uint64_t bytes_out(const struct tcp_info *i)
{
	uint64_t waiting = i->tcpi_notsent_bytes;
	bool has_end = i->tcpi_state == FIN_WAIT1 ||
	               i->tcpi_state == LAST_ACK || i->tcpi_state == CLOSING;

	if (waiting != 0 && has_end)
		waiting--;
	return i->tcpi_bytes_sent - i->tcpi_bytes_retrans + waiting;
}

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
		out->bytes_in = bytes_in(&i);
		out->bytes_out = bytes_out(&i);
	}
	return true;
}
