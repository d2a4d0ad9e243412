/* cli/target.c - from a word to a service, a tape, a socket or an artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * In this order: "-"; a URL (told that it is not there yet); what holds a
 * slash is a path; a recorded pid; a recorded service's name, where a living
 * one goes before those left behind; a file of that name. "#ID" at the end of
 * a pid, name or socket is an artifact of it.
 */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#define ID_CHARACTERS                                                          \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* --- by path -------------------------------------------------------------- */

static bool is_tape(const char *path)
{
	uint64_t magic = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool is = fd >= 0 && pread(fd, &magic, sizeof(magic), 0) ==
	                             (ssize_t)sizeof(magic) &&
	          magic == TAILBOX__TAPE_MAGIC;

	if (fd >= 0)
		close(fd);
	return is;
}

/* A socket knows its tape by name, if it has one. */
static void by_socket(const char *path, struct cli__target *out)
{
	struct cli__service *s = &out->service;
	size_t len = strlen(path);
	char tape[CLI__PATH_MAX];

	out->kind = CLI__TARGET_SERVICE;
	if (len > 5 && !strcmp(path + len - 5, ".sock")) {
		snprintf(tape, sizeof(tape), "%.*s.tape", (int)(len - 5), path);
		if (is_tape(tape) && cli__service_of_tape(tape, s, false)) {
			snprintf(s->sock, sizeof(s->sock), "%s", path);
			return;
		}
	}
	memset(s, 0, sizeof(*s));
	const char *base = strrchr(path, '/');
	snprintf(s->name, sizeof(s->name), "%s", base ? base + 1 : path);
	cli__clean(s->name);
	snprintf(s->sock, sizeof(s->sock), "%s", path);
	s->writer = TAILBOX__WRITER_LIVE;
}

static bool by_path(const char *path, struct cli__target *out, int *rc)
{
	struct stat st;

	if (strlen(path) >= sizeof(out->path)) {
		*rc = cli__fail("the path is too long");
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
	if (S_ISSOCK(st.st_mode)) {
		by_socket(path, out);
	} else if (S_ISREG(st.st_mode) && is_tape(path)) {
		out->kind = CLI__TARGET_SERVICE;
		if (!cli__service_of_tape(path, &out->service, true)) {
			*rc = CLI__NO;
			return false;
		}
	} else {
		out->kind = CLI__TARGET_FILE;
	}
	return true;
}

/* --- by name or pid ------------------------------------------------------- */

static void put_list(const struct cli__services *s)
{
	fflush(stderr);
	cli__put_services(s, stderr);
}

/* File names carry '_' for what is no letter, digit, '.', '_' or '-'. */
static bool is_named(const struct cli__service *s, const char *word)
{
	size_t i;

	if (!strcmp(s->name, word))
		return true;
	for (i = 0; s->name[i] && word[i]; i++) {
		bool is_plain = strchr(ID_CHARACTERS, s->name[i]) != NULL;
		if (word[i] != (is_plain ? s->name[i] : '_'))
			return false;
	}
	return !s->name[i] && !word[i];
}

/* Which one a word means; the list becomes those that it could mean.
 * Returns how many fit best: living ones before those left behind. */
static size_t choose(struct cli__services *s, const char *word)
{
	uint64_t pid;
	bool is_pid = word && cli__count(word, &pid);
	size_t n = 0, alive = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct cli__service *one = &s->items[i];
		if (word && !(is_pid && one->pid == pid) &&
		    !is_named(one, word))
			continue;
		alive += cli__is_alive(one);
		s->items[n++] = *one;
	}
	s->count = n; /* living ones are in front */
	return alive ? alive : n;
}

static void none_found(const char *word)
{
	char folder[CLI__PATH_MAX];

	if (word)
		cli__say("%s: no recorded service, pid or file of that name",
		         word);
	else
		cli__say("no recorded service was found");
	for (unsigned i = 0; cli__run_folder(i, folder, sizeof(folder)); i++)
		if (folder[0])
			cli__say("looked in %s", folder);
}

static bool by_word(const char *word, struct cli__target *out, int *rc)
{
	struct cli__services all;
	struct stat st;

	*rc = cli__services(&all, false);
	if (*rc != 0)
		return false;
	size_t fit = choose(&all, word);
	if (fit == 1) {
		out->kind = CLI__TARGET_SERVICE;
		out->service = all.items[0];
	} else if (fit) {
		*rc = cli__fail(word ? "%s: more than one is recorded; give "
		                       "the pid"
		                     : "more than one service is recorded; "
		                       "give a name or pid",
		                word ? word : "");
		put_list(&all);
	} else if (!word || stat(word, &st) < 0) {
		none_found(word);
		*rc = CLI__NO;
	}
	cli__services_fini(&all);
	if (fit == 0 && *rc == 0)
		return by_path(word, out, rc);
	return *rc == 0;
}

/* --- all ------------------------------------------------------------------ */

static bool is_url(const char *arg)
{
	return !strncmp(arg, "http://", 7) || !strncmp(arg, "https://", 8);
}

/* Take "#ID" off. Gives false when what follows '#' can be no id. */
static bool split(const char *arg, char *word, size_t size, char *id,
                  size_t id_size)
{
	const char *hash = strrchr(arg, '#');
	size_t len = hash ? (size_t)(hash - arg) : strlen(arg);

	id[0] = '\0';
	if (!hash) {
		snprintf(word, size, "%s", arg);
		return true;
	}
	if (!len || len >= size || !hash[1] || strlen(hash + 1) >= id_size ||
	    hash[1 + strspn(hash + 1, ID_CHARACTERS)] || hash[1] == '.')
		return false;
	snprintf(word, size, "%.*s", (int)len, arg);
	snprintf(id, id_size, "%s", hash + 1);
	return true;
}

bool cli__target(const struct cli__command *self, const char *arg,
                 struct cli__target *out, int *rc)
{
	char word[CLI__PATH_MAX];
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (!arg)
		return by_word(NULL, out, rc);
	if (!strcmp(arg, "-")) {
		out->kind = CLI__TARGET_STDIN;
		snprintf(out->path, sizeof(out->path), "-");
		return true;
	}
	if (is_url(arg)) {
		*rc = cli__usage(self,
		                 "%s: this version reaches services of this "
		                 "machine only: give a name, pid, socket or "
		                 "file",
		                 arg);
		return false;
	}
	/* A file may have '#' in its name. */
	if (!*arg || !split(arg, word, sizeof(word), out->artifact,
	                    sizeof(out->artifact))) {
		if (*arg && stat(arg, &st) == 0)
			return by_path(arg, out, rc);
		*rc = cli__fail("\"%s\" is no TARGET: a service name, pid, "
		                "socket, tape or artifact, NAME#ID or -",
		                arg);
		return false;
	}
	if (out->artifact[0] && stat(arg, &st) == 0) {
		out->artifact[0] = '\0';
		return by_path(arg, out, rc);
	}
	if (!(strchr(word, '/') ? by_path(word, out, rc)
	                        : by_word(word, out, rc)))
		return false;
	if (out->artifact[0] && out->kind != CLI__TARGET_SERVICE) {
		*rc = cli__fail("%s: an artifact file has no #%s", word,
		                out->artifact);
		return false;
	}
	return true;
}

bool cli__target_service(const struct cli__command *self, const char *arg,
                         struct cli__target *out, int *rc)
{
	if (!cli__target(self, arg, out, rc))
		return false;
	if (out->kind == CLI__TARGET_SERVICE)
		return true;
	*rc = cli__fail("%s: is an artifact; \"%s\" needs a service",
	                out->path, self->name);
	return false;
}

const char *cli__target_word(const struct cli__target *t, char *buf,
                             size_t size)
{
	const char *name = t->service.name;
	struct cli__services all;

	snprintf(buf, size, "%" PRIu32, t->service.pid);
	if (!t->service.pid) {
		snprintf(buf, size, "%s", t->service.sock);
	} else if (cli__services(&all, false) == 0) {
		if (*name && choose(&all, name) == 1 &&
		    all.items[0].pid == t->service.pid &&
		    !name[strspn(name, ID_CHARACTERS)])
			snprintf(buf, size, "%s", name);
		cli__services_fini(&all);
	}
	return buf;
}
