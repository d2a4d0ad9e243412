/* controller/admin_peer.c - who asks.
 *
 * SPDX-License-Identifier: MIT
 *
 * On the Unix socket the kernel says who connected; over TCP there is only an
 * address. Text for status and log, no access control.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "controller/admin_internal.h"

static int fd_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_CONNECTION_FD);

	return i != NULL ? i->connect_fd : -1;
}

static void name_unix(int fd, char *out, size_t size)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		snprintf(out, size, "unix");
	else if (who.pid == 0) /* of a pid namespace that we do not see */
		snprintf(out, size, "unix uid %lu, pid not known",
		         (unsigned long)who.uid);
	else
		snprintf(out, size, "unix uid %lu pid %ld",
		         (unsigned long)who.uid, (long)who.pid);
}

static void name_tcp(const struct sockaddr *sa, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (sa->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		snprintf(out, size, "tcp [%s]:%u", text,
		         (unsigned)ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		snprintf(out, size, "tcp %s:%u", text,
		         (unsigned)ntohs(v4->sin_port));
	}
}

void tailbox__admin_peer(const struct tailbox__admin_request *q,
                         char out[TAILBOX__PEER_TEXT])
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);
	int fd;

	if (q->is_job) {
		memcpy(out, q->peer, TAILBOX__PEER_TEXT);
		return;
	}
	fd = fd_of(q->connection);

	if (fd < 0 || getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
		sa.ss_family = AF_UNSPEC;
	if (sa.ss_family == AF_UNIX)
		name_unix(fd, out, TAILBOX__PEER_TEXT);
	else if (sa.ss_family == AF_INET || sa.ss_family == AF_INET6)
		name_tcp((const struct sockaddr *)&sa, out, TAILBOX__PEER_TEXT);
	else
		snprintf(out, TAILBOX__PEER_TEXT, "not known");
}
