/* cli/target.c - from a word to a service, a tape, a socket or an artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * In this order: "-"; a URL; what holds a slash is a path; the rest is looked
 * up as pid, name and file at once, see target_word.c. "#ID" at the end of all
 * but files is an artifact of that service.
 */
#include "cli/target.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/target_internal.h"
#include "core/artifact.h"

/* --- by path -------------------------------------------------------------- */

/* O_NONBLOCK: between stat() and open() it may have become a pipe. */
int cli__sniff(const char *path)
{
	unsigned char head[64];
	uint64_t magic = 0;
	size_t at = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
	int rc = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return rc;
	if (n == 0)
		return CLI__SNIFF_EMPTY;
	if ((size_t)n >= sizeof(magic))
		memcpy(&magic, head, sizeof(magic));
	if (magic == TAILBOX__TAPE_MAGIC)
		return CLI__SNIFF_TAPE;
	if (magic && !memcmp(head, TAILBOX__ARTIFACT_MAGIC, 8))
		return CLI__SNIFF_ARTIFACT;
	if (n >= 2 && head[0] == 0x1f && head[1] == 0x8b)
		return CLI__SNIFF_ARTIFACT;
	while (at < (size_t)n && isspace(head[at]))
		at++;
	return at < (size_t)n && head[at] == '{' ? CLI__SNIFF_ARTIFACT
	                                         : CLI__SNIFF_OTHER;
}

static bool is_called_tape(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && !strcmp(path + len - 5, ".tape");
}

/* What is called a tape and is no artifact is opened as one: so a cut or
 * overwritten tape is told as that. */
static bool by_file(const char *path, struct cli__target *out, int *rc)
{
	int kind = cli__sniff(path);

	if (kind < 0) {
		*rc = cli__fail("%s: %s", path, tailbox_strerror(kind));
		return false;
	}
	if (kind == CLI__SNIFF_TAPE ||
	    (kind != CLI__SNIFF_ARTIFACT && is_called_tape(path))) {
		out->kind = CLI__TARGET_SERVICE;
		if (cli__service_of_tape(path, &out->service, true))
			return true;
		*rc = CLI__NO;
		return false;
	}
	out->kind = CLI__TARGET_FILE;
	return true;
}

bool cli__target_by_path(const char *path, struct cli__target *out, int *rc)
{
	struct stat st;

	if (strlen(path) >= sizeof(out->path)) {
		*rc = cli__fail("%.40s...: the path is too long", path);
		return false;
	}
	snprintf(out->path, sizeof(out->path), "%s", path);
	if (stat(path, &st) < 0) {
		*rc = cli__fail("%s: %s", path, tailbox_strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		*rc = cli__fail("%s: is a folder", path);
		return false;
	}
	if (S_ISREG(st.st_mode))
		return by_file(path, out, rc);
	if (S_ISSOCK(st.st_mode)) {
		out->kind = CLI__TARGET_SERVICE;
		cli__service_of_socket(path, &out->service);
	} else {
		out->kind = CLI__TARGET_FILE; /* a pipe */
	}
	return true;
}

/* --- all ------------------------------------------------------------------ */

static bool is_url(const char *arg)
{
	return strstr(arg, "://") != NULL;
}

static bool is_id(const char *id, size_t room)
{
	return *id && *id != '.' && strlen(id) < room &&
	       !id[strspn(id, CLI__ID_CHARACTERS)];
}

/* Take "#ID" off. Gives false, told, when it can be none. */
static bool split(const char *arg, char word[CLI__PATH_MAX],
                  struct cli__target *out, int *rc)
{
	const char *hash = strrchr(arg, '#');
	size_t len = hash ? (size_t)(hash - arg) : strlen(arg);

	if (len >= CLI__PATH_MAX) {
		*rc = cli__fail("%.40s...: too long for a TARGET", arg);
		return false;
	}
	snprintf(word, CLI__PATH_MAX, "%.*s", (int)len, arg);
	if (!hash)
		return true;
	if (!len || !is_id(hash + 1, sizeof(out->artifact))) {
		/* A browser's "#token=..." is a secret: not repeated. */
		*rc = cli__fail("%s#: what follows # is no artifact's number "
		                "or name; see tailbox help target",
		                word);
		return false;
	}
	snprintf(out->artifact, sizeof(out->artifact), "%s", hash + 1);
	return true;
}

static bool find(const char *word, struct cli__target *out, int *rc)
{
	if (!strcmp(word, "-")) {
		out->kind = CLI__TARGET_STDIN;
		snprintf(out->path, sizeof(out->path), "-");
		return true;
	}
	if (is_url(word))
		return cli__target_by_url(word, out, rc);
	if (strchr(word, '/'))
		return cli__target_by_path(word, out, rc);
	return cli__target_by_word(word, out, rc);
}

bool cli__target(const struct cli__command *self, const char *arg,
                 struct cli__target *out, int *rc)
{
	char word[CLI__PATH_MAX];
	struct stat st;

	(void)self;
	memset(out, 0, sizeof(*out));
	if (!arg)
		return cli__target_by_word(NULL, out, rc);
	if (!*arg) {
		*rc = cli__fail("\"\" is no TARGET; see tailbox help target");
		return false;
	}
	/* A file may have '#' in its name. */
	if (strchr(arg, '#') && !is_url(arg) && stat(arg, &st) == 0)
		return cli__target_by_path(arg, out, rc);
	if (!split(arg, word, out, rc) || !find(word, out, rc))
		return false;
	if (out->artifact[0] && out->kind != CLI__TARGET_SERVICE) {
		*rc = cli__fail("%s: is an artifact by itself, it has no #%s",
		                out->kind == CLI__TARGET_STDIN
		                        ? "standard input" : word,
		                out->artifact);
		return false;
	}
	return true;
}

/* --- of a kind ------------------------------------------------------------ */

/* A file that is not even an artifact is told as that. */
static int not_a_service(const struct cli__command *self,
                         const struct cli__target *t)
{
	struct stat st;
	int kind = CLI__SNIFF_ARTIFACT;

	if (t->kind == CLI__TARGET_STDIN)
		return cli__fail("standard input is an artifact; \"%s\" is "
		                 "about a service: its name, pid, URL, socket "
		                 "or tape", self->name);
	if (stat(t->path, &st) == 0 && S_ISREG(st.st_mode))
		kind = cli__sniff(t->path);
	if (kind != CLI__SNIFF_ARTIFACT)
		return cli__fail("%s: %s: no tape, socket or artifact", t->path,
		                 kind == CLI__SNIFF_EMPTY
		                         ? "is empty"
		                         : "is another kind of file");
	return cli__fail("%s: is an artifact; \"%s\" is about a service: its "
	                 "name, pid, URL, socket or tape", t->path, self->name);
}

bool cli__target_artifact(const struct cli__command *self, const char *arg,
                          struct cli__target *out, int *rc)
{
	if (!cli__target(self, arg, out, rc))
		return false;
	if (out->kind == CLI__TARGET_SERVICE)
		return true;
	*rc = not_a_service(self, out);
	return false;
}

bool cli__target_service(const struct cli__command *self, const char *arg,
                         struct cli__target *out, int *rc)
{
	if (!cli__target_artifact(self, arg, out, rc))
		return false;
	if (!out->artifact[0])
		return true;
	*rc = cli__fail("%s: is an artifact of a service; \"%s\" is about the "
	                "service: leave out #%s",
	                arg, self->name, out->artifact);
	return false;
}

const char *cli__target_name(const struct cli__target *t)
{
	return t->service.url[0] ? t->service.url : t->service.name;
}
