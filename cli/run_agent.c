/* cli/run_agent.c - the agent: where it is, and how it is given to a program.
 *
 * SPDX-License-Identifier: MIT
 *
 * By LD_PRELOAD, in front of what is set there; by the board, which the agent
 * opens through /proc, so that the program has no descriptor that it did not
 * ask for; and by environment variables (core/board.h).
 */
#include "cli/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/proc.h"
#include "core/alloc.h"

#define LIBRARY "libtailbox-agent.so"
#define BOARD_NAME "tailbox-run"
#define MAPS_MAX ((size_t)8 << 20)

/* --- where it is ---------------------------------------------------------- */

static bool take(struct cli__run *r, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
static bool take(struct cli__run *r, const char *fmt, ...)
{
	char path[CLI__PATH_MAX], real[PATH_MAX];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (n <= 0 || n >= (int)sizeof(path) || !realpath(path, real) ||
	    access(real, R_OK) != 0 || strlen(real) >= sizeof(r->library))
		return false;
	memcpy(r->library, real, strlen(real) + 1);
	return true;
}

/* In the build tree libtool keeps it in .libs. */
static bool take_near(struct cli__run *r)
{
	char self[CLI__PATH_MAX], *slash;
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return take(r, "%s/.libs/" LIBRARY, self) ||
	       take(r, "%s/" LIBRARY, self) ||
	       take(r, "%s/" LIBRARY, TAILBOX_LIBDIR) ||
	       take(r, "%s/../lib/" LIBRARY, self);
}

bool cli__run_find_agent(struct cli__run *r)
{
	r->library[0] = '\0';
	if (r->agent != NULL ? !take(r, "%s", r->agent) : !take_near(r)) {
		cli__say("%s: the agent is not there", r->agent != NULL
		                 ? r->agent : TAILBOX_LIBDIR "/" LIBRARY);
		return false;
	}
	/* What separates the entries of LD_PRELOAD. */
	if (strpbrk(r->library, ": ") != NULL) {
		cli__say("%s: the agent cannot be loaded from a path with a "
		         "colon or a space", r->library);
		r->library[0] = '\0';
		return false;
	}
	return true;
}

/* --- the board ------------------------------------------------------------ */

bool cli__run_board_open(struct cli__run *r)
{
	const size_t size = sizeof(*r->board);
	const int fd = memfd_create(BOARD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *at = MAP_FAILED;

	/* Sealed: whoever else maps it cannot cut it off under us. */
	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		cli__say("no shared memory for the agent: %s",
		         tailbox_strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	r->board = at;
	r->board->magic = TAILBOX__BOARD_MAGIC;
	r->board_fd = fd;
	return true;
}

/* By device and number of the file, as its maps show them. */
static bool maps_it(uint32_t pid, const char *inode)
{
	size_t len;
	char *maps = cli__proc_read(pid, "maps", MAPS_MAX, &len);
	bool is = false;

	for (const char *at = maps; !is && at != NULL;
	     at = strstr(at + 1, "/memfd:" BOARD_NAME)) {
		if (at == maps)
			continue;
		const char *line = at;
		while (line > maps && line[-1] != '\n')
			line--;
		const char *found = strstr(line, inode);
		is = found != NULL && found < at;
	}
	tailbox__free(maps);
	return is;
}

bool cli__run_has_others(const struct cli__run *r)
{
	char inode[32];
	struct stat st;
	uint64_t pid;
	bool has = false;
	DIR *proc;

	if (r->board == NULL || fstat(r->board_fd, &st) != 0)
		return false;
	snprintf(inode, sizeof(inode), " %ju ", (uintmax_t)st.st_ino);
	proc = opendir("/proc");
	for (struct dirent *e; proc && !has && (e = readdir(proc));)
		has = cli__count(e->d_name, &pid) && pid != (uint64_t)getpid() &&
		      maps_it((uint32_t)pid, inode);
	if (proc)
		closedir(proc);
	return has;
}

/* --- the environment ------------------------------------------------------ */

struct variables {
	char **at;
	size_t count, room;
	bool has_failed;
};

/* NAME=FRONTVALUE */
static void add_two(struct variables *v, const char *name, const char *front,
                    const char *value)
{
	const size_t size = strlen(name) + strlen(front) + strlen(value) + 2;
	char *text = tailbox__alloc(size, 1);

	if (text == NULL || v->count + 1 >= v->room) {
		tailbox__free(text);
		v->has_failed = true;
		return;
	}
	snprintf(text, size, "%s=%s%s", name, front, value);
	v->at[v->count++] = text;
	v->at[v->count] = NULL;
}

static void add(struct variables *v, const char *name, const char *value)
{
	add_two(v, name, "", value);
}

/* The program may go to another folder before it serves. */
static void add_path(struct variables *v, const char *name, const char *value)
{
	char path[2 * CLI__PATH_MAX], here[CLI__PATH_MAX];

	if (value == NULL)
		return;
	if (*value != '/' && getcwd(here, sizeof(here)) != NULL &&
	    snprintf(path, sizeof(path), "%s/%s", here, value) <
	            (int)sizeof(path))
		value = path;
	add(v, name, value);
}

/* The names that this run sets or that only another run would have set. */
static bool is_ours(const struct cli__run *r, const char *variable)
{
	const char *const names[] = {
		"LD_PRELOAD",
		TAILBOX__AGENT_BOARD,
		TAILBOX__AGENT_PRELOAD,
		TAILBOX__AGENT_CHILDREN,
		r->name ? TAILBOX__AGENT_NAME : NULL,
		r->dir ? "TAILBOX_DIR" : NULL,
		r->config ? "TAILBOX_CONFIG" : NULL,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t n = names[i] ? strlen(names[i]) : 0;
		if (n && !strncmp(variable, names[i], n) && variable[n] == '=')
			return true;
	}
	return false;
}

static void add_agent(struct variables *v, const struct cli__run *r,
                      const char *first)
{
	char entry[CLI__PATH_MAX + 80], board[64];
	const char *list = getenv("LD_PRELOAD");

	snprintf(entry, sizeof(entry), "%s%s%s", first, *first ? ":" : "",
	         r->library);
	snprintf(board, sizeof(board), "/proc/%ld/fd/%d", (long)getpid(),
	         r->board_fd);
	if (list == NULL) {
		add(v, "LD_PRELOAD", entry);
	} else {
		char front[sizeof(entry) + 1];
		snprintf(front, sizeof(front), "%s:", entry);
		add_two(v, "LD_PRELOAD", front, list);
	}
	add(v, TAILBOX__AGENT_PRELOAD, entry);
	add(v, TAILBOX__AGENT_BOARD, board);
	if (r->has_children)
		add(v, TAILBOX__AGENT_CHILDREN, "1");
	if (r->name != NULL)
		add(v, TAILBOX__AGENT_NAME, r->name);
	add_path(v, "TAILBOX_DIR", r->dir);
	add_path(v, "TAILBOX_CONFIG", r->config);
}

void cli__run_environment_fini(struct cli__run *r, char **environment)
{
	for (char **e = environment + r->inherited; *e != NULL; e++)
		tailbox__free(*e);
	tailbox__free(environment);
}

char **cli__run_environment(struct cli__run *r, const char *first)
{
	struct variables v = { .room = 16 };

	for (char **e = environ; *e != NULL; e++)
		v.room++;
	v.at = tailbox__zalloc(v.room, sizeof(*v.at));
	if (v.at == NULL)
		return NULL;
	for (char **e = environ; *e != NULL; e++)
		if (!is_ours(r, *e))
			v.at[v.count++] = *e;
	r->inherited = v.count;
	add_agent(&v, r, first);
	if (!v.has_failed)
		return v.at;
	cli__run_environment_fini(r, v.at);
	return NULL;
}
