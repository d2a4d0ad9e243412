/* cli/target_word.c - a word as pid, service name and file at once.
 *
 * SPDX-License-Identifier: MIT
 *
 * A word that fits several things is never guessed at: arming the wrong one
 * of two processes is worse than asking. Only two rules choose: services that
 * live go before those left behind, and a file counts only where it looks
 * like an artifact, tape or socket (a program stands often in a folder under
 * its service's name).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <tailbox.h>

#include "analyzer/timeline_text.h"
#include "cli/process.h"
#include "cli/target_internal.h"

#define LISTED_MAX 40u

/* File names carry '_' for what is no letter, digit, '.', '_' or '-'. */
static bool is_named(const struct cli__service *s, const char *word)
{
	size_t i;

	if (!strcmp(s->name, word))
		return true;
	for (i = 0; s->name[i] && word[i]; i++) {
		bool is_plain = strchr(CLI__ID_CHARACTERS, s->name[i]) != NULL;
		if (word[i] != (is_plain ? s->name[i] : '_'))
			return false;
	}
	return !s->name[i] && !word[i];
}

static bool fits(const struct cli__service *s, const char *word)
{
	uint64_t pid;

	return !word || (cli__count(word, &pid) && s->pid == pid) ||
	       is_named(s, word);
}

/* Those that a word means: of the fitting ones the living, else all. Returns
 * how many, and the first. */
static size_t pick(const struct cli__services *all, const char *word,
                   const struct cli__service **first)
{
	size_t n = 0;

	*first = NULL;
	for (size_t i = 0; i < all->count; i++) {
		const struct cli__service *one = &all->items[i];
		/* Living ones are in front. */
		if (*first && cli__is_alive(*first) && !cli__is_alive(one))
			break;
		if (!fits(one, word))
			continue;
		if (!*first)
			*first = one;
		n++;
	}
	return n;
}

/* What file of this folder it could mean; NULL = none. */
static const char *file_of(const char *word)
{
	struct stat st;

	if (!word || stat(word, &st) < 0)
		return NULL;
	if (S_ISSOCK(st.st_mode))
		return "a socket";
	if (!S_ISREG(st.st_mode))
		return NULL;
	switch (cli__sniff(word)) {
	case CLI__SNIFF_TAPE:
		return "a tape";
	case CLI__SNIFF_ARTIFACT:
		return "an artifact";
	default:
		return NULL;
	}
}

static bool is_same(const struct cli__service *a, const struct cli__service *b)
{
	return !strcmp(a->tape, b->tape) && !strcmp(a->sock, b->sock);
}

/* What to type for one of them and nothing else. */
static void word_for(const struct cli__services *all,
                     const struct cli__service *one, char *buf, size_t size)
{
	const struct cli__service *first;
	const char *name = one->name;

	if (*name && *name != '-' && !name[strspn(name, CLI__ID_CHARACTERS)] &&
	    pick(all, name, &first) == 1 && is_same(first, one) &&
	    !file_of(name)) {
		snprintf(buf, size, "%s", name);
		return;
	}
	snprintf(buf, size, "%" PRIu32, one->pid);
	size_t n = pick(all, buf, &first);
	bool is_it = one->is_by_pid ? !n || !cli__is_alive(first)
	                            : n == 1 && is_same(first, one);
	if (!one->pid || !is_it || file_of(buf))
		snprintf(buf, size, "%s", cli__place(one));
	/* Of one left behind the tape is what is of use. */
	if (!cli__is_alive(one) && one->tape[0] && strchr(buf, '/'))
		snprintf(buf, size, "%s", cli__tape_place(one));
}

/* --- failures ------------------------------------------------------------- */

static void put_service(const struct cli__services *all,
                        const struct cli__service *one)
{
	char word[CLI__PATH_MAX], when[TAILBOX__SHOW_ROOM];

	word_for(all, one, word, sizeof(word));
	fprintf(stderr, "  %-24s  service %s, pid %" PRIu32 ", %s", word,
	        one->name, one->pid, cli__state_name(one));
	if (one->started_ms)
		fprintf(stderr, ", recorded since %s UTC",
		        tailbox__show_utc(when, one->started_ms));
	fputc('\n', stderr);
}

/* More than one: all of them, and what to type for each. */
static void put_list(const struct cli__services *all, const char *word,
                     const struct cli__service *by_pid, const char *file)
{
	const struct cli__service *first;
	size_t n = pick(all, word, &first), shown = 0;

	if (by_pid) {
		put_service(all, by_pid);
		if (n && !cli__is_alive(first))
			n = 0;
	}
	for (size_t i = 0; n && i < all->count; i++) {
		const struct cli__service *one = &all->items[i];
		if (!fits(one, word) ||
		    cli__is_alive(one) != cli__is_alive(first))
			continue;
		if (shown++ < LISTED_MAX)
			put_service(all, one);
	}
	if (shown > LISTED_MAX)
		fprintf(stderr, "  and %zu more: tailbox ls\n",
		        shown - LISTED_MAX);
	if (file)
		fprintf(stderr, "  ./%-22s  the file here, %s\n", word, file);
}

static int none_found(const char *word, enum cli__process process)
{
	char folder[CLI__PATH_MAX];

	if (process == CLI__PROCESS_PLAIN)
		return cli__fail("%s: this process runs, but is not recorded: "
		                 "it holds no tape and no admin socket", word);
	if (process == CLI__PROCESS_FORBIDDEN)
		return cli__fail("%s: we may not look into this process: be "
		                 "its user, or root", word);
	if (word)
		cli__say("%s: no recorded service, pid or file of that name",
		         word);
	else
		cli__say("no recorded service was found");
	for (unsigned i = 0; cli__run_folder(i, folder, sizeof(folder)); i++)
		if (folder[0])
			cli__say("looked in %s", folder);
	return CLI__NO;
}

/* --- all ------------------------------------------------------------------ */

/* A living process whose files are elsewhere goes before one of that number
 * that is dead. Gives whether it was found. */
static bool look_for_process(const struct cli__services *all, const char *word,
                             struct cli__service *out, enum cli__process *how)
{
	uint64_t pid;

	*how = CLI__PROCESS_NONE;
	if (!word || !cli__count(word, &pid) || !pid || pid > INT32_MAX)
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].pid == pid && cli__is_alive(&all->items[i]))
			return false;
	*how = cli__process((uint32_t)pid, out);
	return *how == CLI__PROCESS_FOUND;
}

static bool choose(const struct cli__services *all, const char *word,
                   struct cli__target *out, int *rc)
{
	struct cli__service process;
	enum cli__process how;
	const struct cli__service *first;
	const char *file = file_of(word);
	bool has_process = look_for_process(all, word, &process, &how);
	size_t n = pick(all, word, &first);
	struct stat st;

	if (has_process && first && !cli__is_alive(first))
		n = 0;
	if (n + has_process + (file != NULL) > 1) {
		*rc = cli__fail(word ? "%s: means more than one; type one of "
		                       "these in its place"
		                     : "more than one service is recorded; "
		                       "give one of these as TARGET",
		                word ? word : "");
		put_list(all, word, has_process ? &process : NULL, file);
		return false;
	}
	if (n || has_process) {
		out->kind = CLI__TARGET_SERVICE;
		out->service = has_process ? process : *first;
		return true;
	}
	if (word && stat(word, &st) == 0)
		return cli__target_by_path(word, out, rc);
	*rc = none_found(word, how);
	return false;
}

bool cli__target_by_word(const char *word, struct cli__target *out, int *rc)
{
	struct cli__services all;

	*rc = cli__services(&all, false);
	if (*rc != 0)
		return false;
	bool ok = choose(&all, word, out, rc);
	cli__services_fini(&all);
	return ok;
}

const char *cli__target_word(const struct cli__target *t, char *buf,
                             size_t size)
{
	const struct cli__service *s = &t->service;
	struct cli__services all;

	snprintf(buf, size, "%s", cli__place(s));
	if (!s->url[0] && cli__services(&all, false) == 0) {
		word_for(&all, s, buf, size);
		cli__services_fini(&all);
	}
	return buf;
}
