/* controller/abilities.c - what the kernel and the sandbox let this process do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "controller/abilities.h"

#include <errno.h>
#include <link.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum tailbox__ability tailbox__ability_tcp_info(int *error)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	*error = 0;
	if (fd < 0)
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return TAILBOX__ABILITY_UNKNOWN;
	rc = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	if (rc != 0)
		*error = errno;
	close(fd);
	return rc == 0 ? TAILBOX__ABILITY_YES : TAILBOX__ABILITY_NO;
}

static int is_mhd(struct dl_phdr_info *info, size_t size, void *cls)
{
	(void)size, (void)cls;
	return info->dlpi_name != NULL &&
	       strstr(info->dlpi_name, "libmicrohttpd.so") != NULL;
}

const char *tailbox__ability_mhd_linked(void)
{
	return dl_iterate_phdr(is_mhd, NULL) ? "shared" : "static";
}
