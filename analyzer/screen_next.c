/* analyzer/screen_next.c - the first screen: what to type next.
 *
 * SPDX-License-Identifier: MIT
 *
 * A command can be pasted as it stands, so it is never cut: its words are
 * quoted for the shell, and a line that gets too long goes on after a
 * backslash. A name that no line holds, or that cannot be shown as it is, is
 * FILE, and a line says what that is.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/screen_line.h"
#include "analyzer/timeline_text.h"

#define INDENT TAILBOX__SL_INDENT
#define WIDTH TAILBOX__SCREEN_WIDTH

enum { WORDS = 8, WORD_COLUMNS = (int)WIDTH - INDENT - 2, ID_COLUMNS = 24 };

struct command {
	char words[WORDS][TAILBOX__SL_BYTES];
	size_t count;
};

/* --- words ---------------------------------------------------------------- */

static void word(struct command *c, const char *text)
{
	if (c->count < WORDS)
		snprintf(c->words[c->count++], TAILBOX__SL_BYTES, "%s", text);
}

static bool is_bare(const char *text, size_t len)
{
	const char *safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                   "abcdefghijklmnopqrstuvwxyz"
	                   "0123456789_-+./:@%=,";

	/* '#' begins a comment in front of a word only. */
	if (len == 0 || !strchr(safe, text[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (text[i] != '#' && !strchr(safe, text[i]))
			return false;
	return true;
}

/* As a word of the shell; false: no line could hold it, or it would not be
 * shown as it is. out: TAILBOX__SL_BYTES. */
static bool quote(const char *text, size_t len, char *out)
{
	const bool bare = is_bare(text, len);
	size_t n = 0, columns = tailbox__show_columns(text, len);

	columns += bare ? 0 : 2;
	for (size_t i = 0; i < len; i++)
		columns += text[i] == '\'' ? 3 : 0;
	if (columns > WORD_COLUMNS || !tailbox__show_is_plain(text, len))
		return false;
	if (bare) {
		memcpy(out, text, len);
		out[len] = '\0';
		return true;
	}
	out[n++] = '\'';
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\'') {
			memcpy(out + n, "'\\''", 4);
			n += 4;
		} else {
			out[n++] = text[i];
		}
	}
	out[n++] = '\'';
	out[n] = '\0';
	return true;
}

/* The artifact as the last word of a command. True: as it was typed. */
static bool put_artifact(const struct tailbox__sl_screen *s, struct command *c)
{
	const char *name = s->names->artifact;
	char quoted[TAILBOX__SL_BYTES];

	if (!name || !quote(name, strlen(name), quoted)) {
		word(c, "FILE");
		return false;
	}
	if (name[0] == '-')
		word(c, "--");
	word(c, quoted);
	return true;
}

/* --- lines ---------------------------------------------------------------- */

/* The remark is a comment of the shell: all of it, or what stands before its
 * comma, or nothing, as there is room. */
static void put_command(struct tailbox__sl_screen *s, unsigned *number,
                        const struct command *c, const char *remark)
{
	char before[24] = "";

	if (*number > 0)
		snprintf(before, sizeof(before), "%s  %u",
		         *number == 1 ? "NEXT" : "    ", *number);
	*number += 1;
	tailbox__sl_begin(s, before, INDENT);
	for (size_t i = 0; i < c->count; i++) {
		const char *one = c->words[i];
		const size_t n = strlen(one);
		const bool has_more = i + 1 < c->count;

		if (i > 0) {
			if (tailbox__sl_left(s) <
			    1 + tailbox__show_columns(one, n) +
			            (has_more ? 2 : 0)) {
				tailbox__sl_put(s, " \\");
				tailbox__sl_begin(s, "", INDENT);
			} else {
				tailbox__sl_put(s, " ");
			}
		}
		tailbox__sl_text(s, one, n, WIDTH);
	}
	const size_t left = tailbox__sl_left(s);
	size_t n = strlen(remark);
	if (tailbox__show_columns(remark, n) + 4 > left)
		n = strcspn(remark, ",");
	if (n > 0 && tailbox__show_columns(remark, n) + 4 <= left) {
		tailbox__sl_put(s, "  # ");
		tailbox__sl_text(s, remark, n, WIDTH);
	}
}

static void put_advice(struct tailbox__sl_screen *s, unsigned *number,
                       const char *text)
{
	char before[24];

	snprintf(before, sizeof(before), "%s  %u",
	         *number == 1 ? "NEXT" : "    ", *number);
	*number += 1;
	tailbox__sl_wrap(s, before, INDENT, text, 2);
}

/* --- which request -------------------------------------------------------- */

static bool is_digits(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return len > 0;
}

static uint64_t number_of(const struct tailbox__run *run, size_t i)
{
	const uint32_t ext = run->requests.items[i].ext;

	return ext && ext <= run->ext.count ? run->ext.items[ext - 1].number
	                                    : 0;
}

/* Whether `want` is the id of another request, or its number. */
static bool is_others(const struct tailbox__run *run, size_t own,
                      const char *want, size_t len)
{
	char text[24];

	if (!is_digits(want, len))
		return false; /* ids are unique */
	for (size_t i = 0; i < run->requests.count; i++) {
		size_t n;
		if (i == own)
			continue;
		const char *id = tailbox__run_text(
		        run, run->requests.items[i].id, &n);
		if (n == len && !memcmp(id, want, len))
			return true;
		n = (size_t)snprintf(text, sizeof(text), "%" PRIu64,
		                     number_of(run, i));
		if (n == len && !memcmp(text, want, len))
			return true;
	}
	return false;
}

void tailbox__sl_find_request(struct tailbox__sl_screen *s)
{
	const size_t i = s->vitals.slowest;
	char number[24];
	size_t len;

	s->request[0] = '\0';
	if (i == SIZE_MAX)
		return;
	const char *id = tailbox__run_text(s->run, s->run->requests.items[i].id,
	                                   &len);
	const int n = snprintf(number, sizeof(number), "%" PRIu64,
	                       number_of(s->run, i));
	const bool has_id = len > 0 && id[0] != '-' &&
	                    tailbox__show_is_plain(id, len) &&
	                    !is_others(s->run, i, id, len);

	if (has_id && tailbox__show_columns(id, len) <= ID_COLUMNS &&
	    quote(id, len, s->request))
		return;
	if (number[0] != '0' && !is_others(s->run, i, number, (size_t)n))
		snprintf(s->request, sizeof(s->request), "%s", number);
	else if (!has_id || !quote(id, len, s->request))
		s->request[0] = '\0';
}

/* --- what ----------------------------------------------------------------- */

static bool put_slowest(struct tailbox__sl_screen *s, unsigned *number)
{
	struct command c = { .count = 0 };
	char remark[64], time[TAILBOX__SHOW_ROOM];

	if (s->vitals.slowest == SIZE_MAX)
		return true;
	word(&c, "tailbox");
	word(&c, "timeline");
	word(&c, s->request[0] ? "--request" : "--slowest");
	word(&c, s->request[0] ? s->request : "1");
	const bool is_named = put_artifact(s, &c);
	const uint64_t us =
	        s->run->requests.items[s->vitals.slowest].latency_us;
	snprintf(remark, sizeof(remark), "the slowest, %s",
	         tailbox__show_us(time, us));
	put_command(s, number, &c, remark);
	return is_named;
}

/* Of a process that is gone: what it had begun and not ended. */
static bool put_in_flight(struct tailbox__sl_screen *s, unsigned *number)
{
	struct command c = { .count = 0 };

	if (s->vitals.unfinished == 0 || s->budget->checks < 2 ||
	    !tailbox__run_has_ended(s->run))
		return true;
	word(&c, "tailbox");
	word(&c, "timeline");
	word(&c, "--slowest");
	word(&c, "0");
	const bool is_named = put_artifact(s, &c);
	put_command(s, number, &c, "what was in flight");
	return is_named;
}

/* A live service: by its name, or by the pid that the run has. Of a process
 * that has ended the one that will be started after it, which has its name. */
static bool put_service(const struct tailbox__sl_screen *s, struct command *c)
{
	const uint32_t number = tailbox__run_live_pid(s->run);
	const char *name = s->names->service;
	char quoted[TAILBOX__SL_BYTES], pid[16];
	size_t len = name ? strlen(name) : 0;

	if (!name && tailbox__run_has_ended(s->run))
		name = tailbox__run_text(s->run, s->run->meta.service_name,
		                         &len);
	if (len > 0 && name[0] != '-' && quote(name, len, quoted)) {
		word(c, quoted);
		return true;
	}
	if (number == 0)
		return false;
	snprintf(pid, sizeof(pid), "%" PRIu32, number);
	word(c, pid);
	return true;
}

static void put_capture(struct tailbox__sl_screen *s, unsigned *number,
                        bool is_close, const char *remark)
{
	struct command c = { .count = 0 };

	word(&c, "tailbox");
	word(&c, "capture");
	word(&c, "60s");
	if (is_close) {
		word(&c, "--mode");
		word(&c, "investigation");
	}
	if (!s->names->service && tailbox__run_has_ended(s->run))
		remark = "when it runs again";
	if (put_service(s, &c))
		put_command(s, number, &c, remark);
	else
		put_advice(s, number, "record for longer, or under more load");
}

/* Commands of the machine, by what is suspected; %pid is filled in. */
static const struct {
	const char *before, *after; /* the pid comes between; after NULL: no */
	const char *remark;
} looks[TAILBOX__SUSPECT_COUNT] = {
	[TAILBOX__SUSPECT_CPU] = { "cat /proc/", "/schedstat",
	                           "ran, waited (ns)" },
	[TAILBOX__SUSPECT_CONNECTIONS] = { "ls /proc/", "/fd | wc -l",
	                                   "open descriptors" },
	[TAILBOX__SUSPECT_LOCK] = { "gdb -p ", " -batch -ex 't a a bt'",
	                            "while it waits" },
	[TAILBOX__SUSPECT_SPINNING] = { "perf top -p ", "", "while it spins" },
	[TAILBOX__SUSPECT_WORKER_BLOCKED] = { "gdb -p ",
	                                      " -batch -ex 't a a bt'",
	                                      "while it holds" },
	[TAILBOX__SUSPECT_UPLOAD] = { "ss -tinp | grep -A1 pid=", ",",
	                              "its connections" },
	[TAILBOX__SUSPECT_DOWNLOAD] = { "ss -tinp | grep -A1 pid=", ",",
	                                "its connections" },
	[TAILBOX__SUSPECT_RESUME] = { "gdb -p ", " -batch -ex 't a a bt'",
	                              "what workers do" },
	[TAILBOX__SUSPECT_ACCEPT] = { "ss -ltnp | grep pid=", ",",
	                              "Recv-Q: waiting now" },
	[TAILBOX__SUSPECT_LOOP] = { "ss -tnp | grep pid=", ",",
	                            "Recv-Q: not read yet" },
};

static bool put_look(struct tailbox__sl_screen *s, unsigned *number,
                     enum tailbox__suspect_kind kind)
{
	const struct tailbox__run_meta *m = &s->run->meta;
	const uint32_t pid = tailbox__run_live_pid(s->run);
	struct command c = { .count = 0 };
	char line[TAILBOX__SL_BYTES], remark[128];
	size_t len, n;

	if (!looks[kind].before || pid == 0)
		return false;
	snprintf(line, sizeof(line), "%s%" PRIu32 "%s", looks[kind].before,
	         pid, looks[kind].after);
	word(&c, line);
	n = (size_t)snprintf(remark, sizeof(remark), "%s%s",
	                     looks[kind].remark, m->host ? ", on " : "");
	const char *host = tailbox__run_text(s->run, m->host, &len);
	tailbox__show_into(remark + n, sizeof(remark) - n, host, len, 16);
	put_command(s, number, &c, remark);
	return true;
}

static void put_checks(struct tailbox__sl_screen *s, unsigned *number,
                       const struct tailbox__suspect *lead)
{
	const unsigned end = s->budget->checks;

	if (*number <= end)
		put_look(s, number, lead->kind);
	for (size_t i = 0; i < lead->next_checks.count; i++) {
		if (*number > end) {
			s->is_cut = true;
			return;
		}
		put_advice(s, number, lead->next_checks.items[i]);
	}
}

/* Whether the slowest spend a good part in what nobody has given a name. */
static bool is_unmarked(const struct tailbox__anatomy *a)
{
	uint64_t us = a->tail_left_us;

	for (size_t i = 0; i < a->count; i++)
		if (a->pieces[i].kind == TAILBOX__PIECE_PHASE &&
		    a->pieces[i].phase == TAILBOX__PHASE_HANDLER &&
		    a->pieces[i].tail_us > us)
			us = a->pieces[i].tail_us;
	return us > 0 && us >= a->tail_us / 4;
}

/* More requests, or what there are: first what can be done at once. */
static bool put_few(struct tailbox__sl_screen *s, unsigned *number)
{
	const bool is_over = tailbox__run_has_ended(s->run);
	bool is_named = true;

	if (!is_over)
		put_capture(s, number, false, "more of them");
	if (is_over || *number <= s->budget->checks)
		is_named = put_slowest(s, number);
	if (is_over && *number <= s->budget->checks)
		put_capture(s, number, false, "more of them");
	return is_named;
}

/* No lead: what would show one. */
static void put_unclear(struct tailbox__sl_screen *s, unsigned *number)
{
	if (s->vitals.hanging && *number <= s->budget->checks)
		put_look(s, number, TAILBOX__SUSPECT_WORKER_BLOCKED);
	if (*number <= s->budget->checks && is_unmarked(&s->r->anatomy))
		put_advice(s, number,
		           "mark what the handler does, by TAILBOX_STAGE and "
		           "TAILBOX_WAIT");
	if (*number <= s->budget->checks)
		put_capture(s, number, true, "samples at 100 ms");
}

static bool put_all(struct tailbox__sl_screen *s)
{
	struct command c = { .count = 0 };
	unsigned unnumbered = 0;

	word(&c, "tailbox");
	word(&c, "analyze");
	word(&c, "--all");
	const bool is_named = put_artifact(s, &c);
	put_command(s, &unnumbered, &c,
	            s->is_cut ? "with what had no room here"
	                      : "the whole report");
	return is_named;
}

void tailbox__sl_next(struct tailbox__sl_screen *s)
{
	const struct tailbox__suspect *lead = tailbox__lead(s->r);
	unsigned number = 1;
	bool is_named;

	tailbox__sl_blank(s);
	is_named = put_in_flight(s, &number);
	switch (s->r->verdict) {
	case TAILBOX__REPORT_TOO_FEW:
		is_named = put_few(s, &number) && is_named;
		break;
	case TAILBOX__REPORT_HEALTHY:
		is_named = put_slowest(s, &number) && is_named;
		break;
	case TAILBOX__REPORT_LIKELY:
	case TAILBOX__REPORT_UNCLEAR:
		is_named = put_slowest(s, &number) && is_named;
		if (lead)
			put_checks(s, &number, lead);
		else
			put_unclear(s, &number);
		break;
	}
	is_named = put_all(s) && is_named;
	if (!is_named) {
		tailbox__sl_begin(s, "", INDENT);
		tailbox__sl_put(s, s->names->artifact
		                           ? "FILE is the artifact; its name "
		                             "does not fit here"
		                           : "FILE is what was given on "
		                             "standard input");
	}
}
