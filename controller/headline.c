/* controller/headline.c - what the analyzer says of an artifact, in one line.
 *
 * SPDX-License-Identifier: MIT
 *
 * NAME.headline beside an artifact has it, and a newline. It is made by the
 * installed command, a child with limits, as a report is: the service does not
 * analyze. What a child prints and what lies in a folder may be anything, and
 * this goes to terminals and into lists. So it is looked at when it is made
 * and each time it is read.
 */
#include "controller/after.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/command.h"
#include "core/alloc.h"
#include "core/artifact.h"
#include "core/fd.h"
#include "core/tailbox.h"
#include "core/utf8.h"

#define OUTPUT_MAX 4096u

bool tailbox__headline_take(const char *line, size_t len,
                            char out[TAILBOX__HEADLINE_ROOM])
{
	uint32_t cp;

	out[0] = '\0';
	if (len < 2 || len > TAILBOX__HEADLINE_BYTES + 1 ||
	    line[len - 1] != '\n')
		return false;
	len--;
	for (size_t i = 0; i < len;) {
		i += tailbox__utf8_next(line + i, len - i, &cp);
		/* The second range is C1, which some terminals obey. */
		if (cp == TAILBOX__UTF8_INVALID || cp < 0x20 ||
		    (cp >= 0x7f && cp < 0xa0))
			return false;
	}
	memcpy(out, line, len);
	out[len] = '\0';
	return true;
}

/* --- beside the artifact ------------------------------------------------ */

uint64_t tailbox__folder_headline(int dirfd, const char *name,
                                  char out[TAILBOX__HEADLINE_ROOM])
{
	char file[TAILBOX__FILE_NAME_BYTES], line[TAILBOX__HEADLINE_BYTES + 2];
	struct stat st;
	uint64_t bytes = 0;

	out[0] = '\0';
	if (!tailbox__folder_file(file, name, TAILBOX__HEADLINE_SUFFIX))
		return 0;
	const int fd = openat(dirfd, file,
	                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		const ssize_t n = read(fd, line, sizeof(line));
		bytes = (uint64_t)st.st_size;
		if (n > 0)
			tailbox__headline_take(line, (size_t)n, out);
	}
	close(fd);
	return bytes;
}

static int write_line(const void *cls, int fd)
{
	const char *line = cls;

	return tailbox__fd_write(fd, line, strlen(line));
}

static bool is_there(int dirfd, const char *name)
{
	char file[TAILBOX__FILE_NAME_BYTES];
	struct stat st;

	return tailbox__folder_file(file, name, TAILBOX__ARTIFACT_SUFFIX) &&
	       fstatat(dirfd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int tailbox__folder_place_headline(int dirfd, const char *name,
                                   const char *headline,
                                   struct tailbox__error *err)
{
	char file[TAILBOX__FILE_NAME_BYTES], line[TAILBOX__HEADLINE_ROOM + 1];

	if (!tailbox__folder_file(file, name, TAILBOX__HEADLINE_SUFFIX))
		return tailbox__fail(err, -ENAMETOOLONG, "name too long");
	snprintf(line, sizeof(line), "%s\n", headline);
	const int ret =
	        tailbox__file_place(write_line, line, dirfd, file, err);
	/* Deleted meanwhile: who did so has looked for it before or will look
	 * for it after, or it would stay for ever. */
	if (ret == 0 && !is_there(dirfd, name)) {
		unlinkat(dirfd, file, 0);
		return -ENOENT;
	}
	return ret;
}

/* --- making it ---------------------------------------------------------- */

/* The child's answer; false: why says what is wrong with it. */
static bool answer(const struct tailbox__child *c,
                   const struct tailbox__child_limits *limits,
                   char out[TAILBOX__HEADLINE_ROOM], char *why, size_t size)
{
	/* A whole line has to do where the exit status is not known. */
	const bool is_well = c->end == TAILBOX__CHILD_UNKNOWN ||
	                     (c->end == TAILBOX__CHILD_EXITED && c->code == 0);

	if (is_well && c->len > 0 &&
	    tailbox__headline_take(c->out, c->len, out))
		return true;
	if (is_well && (c->len > 0 || c->end == TAILBOX__CHILD_EXITED))
		snprintf(why, size, "printed something that is no headline");
	else
		tailbox__child_why(c, limits, why, size);
	return false;
}

static bool ask(char *command, const char *folder, const char *name,
                const atomic_bool *stop, char out[TAILBOX__HEADLINE_ROOM],
                char *why, size_t size)
{
	char path[PATH_MAX + TAILBOX__FILE_NAME_BYTES];
	char analyze[] = "analyze", format[] = "--format", line[] = "line";
	char *argv[] = { command, analyze, path, format, line, NULL };
	struct tailbox__child_limits limits = tailbox__report_limits;
	struct tailbox__child c;

	if (limits.output_bytes > OUTPUT_MAX)
		limits.output_bytes = OUTPUT_MAX;
	snprintf(path, sizeof(path), "%s/%s%s", folder, name,
	         TAILBOX__ARTIFACT_SUFFIX);
	tailbox__command_run(argv, &limits, stop, &c);
	const bool is_well = answer(&c, &limits, out, why, size);
	tailbox__free(c.out);
	return is_well;
}

static int keep(int dirfd, const char *name, const char *headline, char *why,
                size_t size)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int ret =
	        tailbox__folder_place_headline(dirfd, name, headline, &err);

	if (ret < 0 && ret != -ENOENT)
		snprintf(why, size, "cannot be kept: %s", err.text);
	return ret;
}

enum tailbox__headline_made
tailbox__headline_make(const char *folder, const char *name,
                       const atomic_bool *stop,
                       char out[TAILBOX__HEADLINE_ROOM], char *why,
                       size_t size)
{
	char command[TAILBOX__CONFIG_PATH_MAX + 1];
	enum tailbox__headline_made made = TAILBOX__HEADLINE_FAILED;
	const char *why_not;

	out[0] = why[0] = '\0';
	if (tailbox__command_find(command) != 0) {
		snprintf(why, size, "no memory");
		return made;
	}
	why_not = tailbox__command_why_not(command);
	if (why_not != NULL) {
		snprintf(why, size, "no command: %s: %s", command, why_not);
		return TAILBOX__HEADLINE_NO_COMMAND;
	}
	const bool is_made = ask(command, folder, name, stop, out, why, size);
	/* Not made again when it is gone. */
	const int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return TAILBOX__HEADLINE_NOT_WANTED;
	if (is_made && keep(dirfd, name, out, why, size) == 0)
		made = TAILBOX__HEADLINE_MADE;
	/* relaxed: it carries no data */
	if (!is_there(dirfd, name) ||
	    atomic_load_explicit(stop, memory_order_relaxed))
		made = TAILBOX__HEADLINE_NOT_WANTED;
	close(dirfd);
	return made;
}
