/* cli/process.c - a recorded process by its number, wherever its files are.
 *
 * SPDX-License-Identifier: MIT
 *
 * A process in a container has another number inside, in its file names, and
 * another root. /proc tells both: NSpid, and root, which leads through its
 * mounts. Looked into, in the order in which the service chooses its folder:
 * TAILBOX_DIR and RUNTIME_DIRECTORY of its environment, /dev/shm/tailbox-UID
 * with the UID inside; at last the tapes among its open files, for a folder
 * that the program chose by itself. A tape counts only if this very process
 * holds its lock, a socket only if this very process listens.
 *
 * Whoever rules the container rules its links. Paths are resolved with its
 * root as theirs (an absolute link must not lead into our files), the last
 * step follows none, and what was checked is used by descriptor.
 */
#include "cli/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

#include <tailbox.h>

#include "cli/proc.h"
#include "cli/sock.h"
#include "core/alloc.h"
#include "core/reader.h"

#define ENVIRON_MAX ((size_t)256 * 1024)

struct look {
	uint32_t pid, inner_pid;
	uint64_t inner_uid;
	int root;         /* its root folder */
	bool is_our_root; /* so its paths are ours */
	struct cli__service *out;
};

/* --- folders below its root ----------------------------------------------- */

/* For kernels before 5.6: step by step, no links at all. */
static int walk(int root, const char *path)
{
	char step[NAME_MAX + 1];
	int at = fcntl(root, F_DUPFD_CLOEXEC, 0);

	for (path += strspn(path, "/"); at >= 0 && *path;) {
		size_t len = strcspn(path, "/");
		int next = -1;
		if (len < sizeof(step) && strncmp(path, "..", len < 2 ? 2 : len)) {
			memcpy(step, path, len);
			step[len] = '\0';
			next = openat(at, step,
			              O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			                      O_CLOEXEC);
		}
		close(at);
		at = next;
		path += len;
		path += strspn(path, "/");
	}
	return at;
}

static int open_folder(int root, const char *path)
{
#if defined(RESOLVE_IN_ROOT) && defined(SYS_openat2)
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return (int)fd;
#endif
	return walk(root, path);
}

static void show(const struct look *l, char to[CLI__PATH_MAX],
                 const char *folder, const char *name)
{
	const char *between = folder[strlen(folder) - 1] == '/' ? "" : "/";
	int n;

	if (l->is_our_root)
		n = snprintf(to, CLI__PATH_MAX, "%s%s%s", folder, between,
		             name);
	else
		n = snprintf(to, CLI__PATH_MAX, "/proc/%" PRIu32 "/root%s%s%s",
		             l->pid, folder, between, name);
	if (n >= (int)CLI__PATH_MAX)
		to[0] = '\0';
}

/* "/proc/self/fd/N"; the descriptor stays open. */
static void by_fd(char to[CLI__PATH_MAX], int fd)
{
	snprintf(to, CLI__PATH_MAX, "/proc/self/fd/%d", fd);
}

static bool is_of_process(const struct look *l, int fd)
{
	struct tailbox__reader *r;

	if (tailbox__reader_open_fd(fd, &r, NULL) < 0)
		return false;
	bool is = tailbox__reader_writer_pid(r) == l->pid;
	tailbox__reader_close(r);
	return is;
}

/* Its socket: only when this very process listens. One that is stopped
 * listens too. */
static void take_socket(const struct look *l, int dir, const char *folder,
                        const char *name)
{
	struct cli__service *s = l->out;
	struct stat st;
	uint32_t pid;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	by_fd(s->sock, fd);
	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    cli__sock_probe(s->sock, &pid) == 0 && pid == l->pid) {
		show(l, s->shown_sock, folder, name);
		return;
	}
	s->sock[0] = '\0';
	close(fd);
}

static bool take_tape(const struct look *l, int dir, const char *folder,
                      const char *name, int fd)
{
	struct cli__service *s = l->out;
	char path[CLI__PATH_MAX], sock[NAME_MAX + 1];

	by_fd(path, fd);
	if (!is_of_process(l, fd) || !cli__service_of_tape(path, s, false))
		return false;
	s->pid = l->pid;
	s->is_by_pid = true;
	show(l, s->shown_tape, folder, name);
	snprintf(sock, sizeof(sock), "%.*s.sock", (int)(strlen(name) - 5),
	         name);
	if (dir >= 0)
		take_socket(l, dir, folder, sock);
	return true;
}

/* "SERVICE.PID.tape" or ".sock" with the number that it has inside. */
static bool is_name(const struct look *l, const char *name, const char *end,
                    size_t *service_len)
{
	char last[32];
	size_t n = (size_t)snprintf(last, sizeof(last), ".%" PRIu32 ".%s",
	                            l->inner_pid, end);
	size_t len = strlen(name);

	*service_len = len > n ? len - n : 0;
	return len > n && !strcmp(name + len - n, last);
}

static bool try_name(const struct look *l, int dir, const char *folder,
                     const char *name, bool is_tape)
{
	struct cli__service *s = l->out;
	size_t len;

	if (!is_name(l, name, is_tape ? "tape" : "sock", &len))
		return false;
	if (is_tape) {
		int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		                                   O_CLOEXEC);
		if (fd >= 0 && take_tape(l, dir, folder, name, fd))
			return true;
		if (fd >= 0)
			close(fd);
		return false;
	}
	memset(s, 0, sizeof(*s));
	take_socket(l, dir, folder, name);
	if (!s->sock[0])
		return false;
	snprintf(s->name, sizeof(s->name), "%.*s", (int)len, name);
	cli__clean(s->name);
	s->pid = l->pid;
	s->inner_pid = l->inner_pid;
	s->is_by_pid = true;
	s->writer = TAILBOX__WRITER_LIVE;
	return true;
}

/* A socket alone is of a service that is not recorded: a tape goes first. */
static bool try_folder(const struct look *l, const char *folder)
{
	int fd = *folder == '/' ? open_folder(l->root, folder) : -1;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	bool found = false;

	for (unsigned pass = 0; dir && !found && pass < 2; pass++) {
		rewinddir(dir);
		for (struct dirent *e; !found && (e = readdir(dir));)
			found = try_name(l, fd, folder, e->d_name, pass == 0);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return found;
}

static bool try_variable(const struct look *l, const char *environment,
                         size_t len, const char *name, const char *below)
{
	char folder[CLI__PATH_MAX];
	size_t n = strlen(name);

	for (size_t at = 0; at < len; at += strlen(environment + at) + 1) {
		const char *value = environment + at + n;
		if (strncmp(environment + at, name, n) || value[0] != '=')
			continue;
		value++;
		/* Of a list the first, as the service does. */
		int k = snprintf(folder, sizeof(folder), "%.*s%s",
		                 (int)(*below ? strcspn(value, ":")
		                              : strlen(value)),
		                 value, below);
		return k > 0 && (size_t)k < sizeof(folder) &&
		       try_folder(l, folder);
	}
	return false;
}

/* --- its open files ------------------------------------------------------- */

/* Whether the tape is in this folder, below the process's root. */
static int folder_of(const struct look *l, const char *folder,
                     const char *name, const struct stat *tape)
{
	struct stat st;
	int dir = open_folder(l->root, folder);

	if (dir >= 0 && (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	                 st.st_dev != tape->st_dev ||
	                 st.st_ino != tape->st_ino)) {
		close(dir);
		dir = -1;
	}
	return dir;
}

/* The link's text counts from the root of the process's mounts, its own root
 * may be further down: the folder is what holds the tape under that name. */
static bool try_open_file(const struct look *l, const char *number,
                          const char *link, int fd)
{
	const char *slash = strrchr(link, '/');
	char text[CLI__PATH_MAX], *folder = text;
	struct stat tape;
	int dir = -1;

	if (slash == link || (size_t)(slash - link) >= sizeof(text) ||
	    fstat(fd, &tape) != 0)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(slash - link), link);
	while (folder && (dir = folder_of(l, folder, slash + 1, &tape)) < 0)
		folder = strchr(folder + 1, '/');
	bool ok = take_tape(l, dir, folder ? folder : "/", slash + 1, fd);
	if (dir >= 0)
		close(dir);
	else if (ok) /* removed, or hidden by a mount: it has no other name */
		snprintf(l->out->shown_tape, CLI__PATH_MAX,
		         "/proc/%" PRIu32 "/fd/%s", l->pid, number);
	return ok;
}

/* What the kernel adds to the name of a file that was removed; without it. */
static ssize_t without_mark(char *link, ssize_t n)
{
	static const char mark[] = " (deleted)";
	const ssize_t len = sizeof(mark) - 1;

	if (n > len && !strcmp(link + n - len, mark))
		link[n -= len] = '\0';
	return n;
}

static bool try_open_files(const struct look *l)
{
	char path[64], link[CLI__PATH_MAX];
	struct stat st;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/fd", l->pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link,
		                       sizeof(link) - 1);
		if (n < 0 || link[0] != '/')
			continue;
		link[n] = '\0';
		n = without_mark(link, n);
		if (n < 6 || strcmp(link + n - 5, ".tape") ||
		    fstatat(dirfd(dir), e->d_name, &st, 0) ||
		    !S_ISREG(st.st_mode))
			continue;
		int fd = openat(dirfd(dir), e->d_name,
		                O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		found = fd >= 0 && try_open_file(l, e->d_name, link, fd);
		if (fd >= 0 && !found)
			close(fd);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* --- all ------------------------------------------------------------------ */

static bool find(struct look *l)
{
	size_t len;
	char folder[64];
	char *environment = cli__proc_read(l->pid, "environ", ENVIRON_MAX, &len);
	bool found = environment &&
	             (try_variable(l, environment, len, "TAILBOX_DIR", "") ||
	              try_variable(l, environment, len, "RUNTIME_DIRECTORY",
	                           "/tailbox"));

	tailbox__free(environment);
	snprintf(folder, sizeof(folder), "/dev/shm/tailbox-%" PRIu64,
	         l->inner_uid);
	return found || try_folder(l, folder) || try_open_files(l);
}

enum cli__process cli__process(uint32_t pid, struct cli__service *out)
{
	struct look l = { .pid = pid, .out = out };
	char path[64];

	memset(out, 0, sizeof(*out));
	snprintf(path, sizeof(path), "/proc/%" PRIu32, pid);
	if (access(path, F_OK) != 0)
		return CLI__PROCESS_NONE;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	l.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l.root < 0)
		return errno == EACCES || errno == EPERM
		               ? CLI__PROCESS_FORBIDDEN
		               : CLI__PROCESS_PLAIN;
	cli__proc_inside(pid, &l.inner_pid, &l.inner_uid);
	l.is_our_root = cli__proc_is_our_root(pid);
	bool found = find(&l);
	close(l.root);
	if (found)
		return CLI__PROCESS_FOUND;
	memset(out, 0, sizeof(*out));
	return CLI__PROCESS_PLAIN;
}
