/* cli/outfile.c - temporary name, write, fsync, rename.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

enum { NAMES_MAX = 1000 };

/* What a signal removes. Written with these signals blocked. */
static char doomed[CLI__PATH_MAX + 16];
static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static struct sigaction before[3];

static void remove_and_die(int sig)
{
	unlink(doomed);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Only where the signal would end us anyway. */
static void watch(const char *temp)
{
	struct sigaction sa = { .sa_handler = remove_and_die };

	snprintf(doomed, sizeof(doomed), "%s", temp);
	for (size_t i = 0; i < 3; i++)
		if (sigaction(signals[i], NULL, &before[i]) == 0 &&
		    before[i].sa_handler == SIG_DFL)
			sigaction(signals[i], &sa, NULL);
}

static void unwatch(void)
{
	for (size_t i = 0; i < 3; i++)
		sigaction(signals[i], &before[i], NULL);
}

/* mkostemp() makes 0600; a result has what the user's umask says. */
static void open_up(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	(void)!fchmod(fd, 0666 & ~mask);
}

bool cli__outfile_open(struct cli__outfile *f, const char *path)
{
	struct stat st;

	memset(f, 0, sizeof(*f));
	if (strlen(path) >= sizeof(f->path)) {
		f->fd = -1;
		cli__say("the path is too long");
		return false;
	}
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->is_direct = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
	if (f->is_direct) {
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
	} else {
		const char *base = strrchr(path, '/');
		int folder = base ? (int)(base + 1 - path) : 0;
		snprintf(f->temp, sizeof(f->temp), "%.*s.tailbox.XXXXXX",
		         folder, path);
		f->fd = mkostemp(f->temp, O_CLOEXEC);
		if (f->fd >= 0) {
			watch(f->temp);
			open_up(f->fd);
		}
	}
	if (f->fd < 0)
		cli__say("%s: cannot write: %s", path,
		         tailbox_strerror(errno));
	return f->fd >= 0;
}

/* The next name: "run.tailbox", "run.2.tailbox", ... */
static void next_name(char *to, size_t size, const char *path, unsigned n)
{
	const char *base = strrchr(path, '/');
	const char *dot = strrchr(base ? base : path, '.');
	int stem = dot ? (int)(dot - path) : (int)strlen(path);

	if (n < 2)
		snprintf(to, size, "%s", path);
	else
		snprintf(to, size, "%.*s.%u%s", stem, path, n, dot ? dot : "");
}

static int put_in_place(struct cli__outfile *f, bool replace)
{
	char name[CLI__PATH_MAX];

	if (replace)
		return rename(f->temp, f->path) < 0 ? -errno : 0;
	for (unsigned n = 1; n < NAMES_MAX; n++) {
		next_name(name, sizeof(name), f->path, n);
		if (link(f->temp, name) == 0) {
			unlink(f->temp);
			snprintf(f->path, sizeof(f->path), "%s", name);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

bool cli__outfile_commit(struct cli__outfile *f, bool replace)
{
	int rc = 0;

	if (!f->is_direct && fsync(f->fd) < 0)
		rc = -errno;
	if (close(f->fd) < 0 && rc == 0)
		rc = -errno;
	f->fd = -1;
	if (f->is_direct)
		goto done;
	if (rc == 0)
		rc = put_in_place(f, replace);
	if (rc < 0)
		unlink(f->temp);
	unwatch();
done:
	if (rc < 0)
		cli__say("%s: cannot write: %s", f->path, tailbox_strerror(rc));
	return rc == 0;
}

void cli__outfile_abort(struct cli__outfile *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	f->fd = -1;
	if (!f->is_direct) {
		unlink(f->temp);
		unwatch();
	}
}
