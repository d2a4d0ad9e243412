/* cli/proc.c - what /proc tells of a process in other namespaces.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"

char *cli__proc_read(uint32_t pid, const char *name, size_t max, size_t *len)
{
	char path[64];
	char *text = tailbox__alloc(max + 1, 1);
	ssize_t n = 0;

	*len = 0;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (text && fd >= 0 && *len < max &&
	       (n = read(fd, text + *len, max - *len)) > 0)
		*len += (size_t)n;
	if (text && (fd < 0 || n < 0)) {
		tailbox__free(text);
		text = NULL;
	}
	if (text)
		text[*len] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* The innermost number comes last: "NSpid:\t912\t7". */
static void read_status(uint32_t pid, uint32_t *inner, uint64_t *uid)
{
	size_t len;
	char *text = cli__proc_read(pid, "status", 16384, &len);
	char *line = text ? strstr(text, "\nNSpid:") : NULL;

	*inner = pid;
	if (line) {
		size_t end = strcspn(line + 1, "\n") + 1;
		while (end && line[end - 1] != '\t' && line[end - 1] != ' ')
			end--;
		*inner = (uint32_t)strtoul(line + end, NULL, 10);
	}
	*uid = geteuid();
	line = text ? strstr(text, "\nUid:") : NULL;
	if (line) { /* real, effective */
		char *next;
		(void)strtoul(line + strlen("\nUid:"), &next, 10);
		*uid = strtoul(next, NULL, 10);
	}
	tailbox__free(text);
}

/* Lines "first inside, first outside, how many". */
static uint64_t uid_inside(uint32_t pid, uint64_t uid)
{
	size_t len;
	char *text = cli__proc_read(pid, "uid_map", 16384, &len), *at = text;
	uint64_t inside = uid;

	while (at && *at) {
		uint64_t in = strtoull(at, &at, 10);
		uint64_t out = strtoull(at, &at, 10);
		uint64_t n = strtoull(at, &at, 10);
		if (uid >= out && uid - out < n) {
			inside = in + (uid - out);
			break;
		}
		at += strspn(at, " \t\n");
		if (!n)
			break;
	}
	tailbox__free(text);
	return inside;
}

void cli__proc_inside(uint32_t pid, uint32_t *inner_pid, uint64_t *inner_uid)
{
	uint64_t uid;

	read_status(pid, inner_pid, &uid);
	*inner_uid = uid_inside(pid, uid);
}

bool cli__proc_is_our_root(uint32_t pid)
{
	char path[64], ours[64], theirs[64];
	struct stat a, b;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/ns/mnt", pid);
	ssize_t n = readlink("/proc/self/ns/mnt", ours, sizeof(ours));
	ssize_t m = readlink(path, theirs, sizeof(theirs));
	if (n <= 0 || n != m || memcmp(ours, theirs, (size_t)n))
		return false;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	return !stat(path, &a) && !stat("/", &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}
