/* cli/top_screen.c - the screen of top: frames, keys, one thing looked at.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is shown is the text of top_text.c, line by line, so that the screen
 * and --once cannot differ. The lines above the first table stay, the rest
 * scrolls with the selection, which is kept by what it is and not by where.
 */
#include "cli/top_terminal.h"

#include "cli/top_lines.h"

#ifndef HAVE_NCURSES

int cli__top_screen(struct cli__top_source *s, const char *place,
                    uint64_t interval_ms)
{
	(void)s, (void)place, (void)interval_ms;
	return cli__fail("this tailbox was built without ncurses and has no "
	                 "screen; --once prints one frame, --json one as "
	                 "JSON");
}

#else

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { FILTER_MAX = 64, COLUMNS_MIN = 20 };

enum mode { LIST, DETAIL, HELP, FILTER };

struct screen {
	struct cli__top_source *source;
	const char *place;
	const struct cli__top *frame; /* NULL: none could be made */
	const char *why;
	uint64_t interval_ms, due_ms;
	enum mode mode;
	bool is_frozen, is_utf8, is_over;
	enum cli__top_sort sort;
	char filter[FILTER_MAX];
	/* The selection: a worker by thread, or a request by number. */
	enum cli__top_line selected; /* _PLAIN: nothing */
	uint64_t selected_id;
	size_t row;    /* where it was last */
	size_t scroll; /* first row of the body that is shown */
	struct cli__top_text text;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- the selection -------------------------------------------------------- */

static uint64_t worker_id(const struct cli__top_worker *w)
{
	return (uint64_t)w->index << 32 | w->tid;
}

static uint64_t id_of(const struct screen *s, const struct cli__top_row *r)
{
	if (r->kind == CLI__TOP_WORKER)
		return worker_id(&s->frame->workers[r->item]);
	return s->frame->requests[r->item].number;
}

static bool is_item(const struct cli__top_row *r)
{
	return r->is_first &&
	       (r->kind == CLI__TOP_WORKER || r->kind == CLI__TOP_REQUEST);
}

static void select_row(struct screen *s, size_t row)
{
	s->row = row;
	s->selected = s->text.rows[row].kind;
	s->selected_id = id_of(s, &s->text.rows[row]);
}

/* Find it in the new text, else take what is nearest to where it was. */
static void find_selection(struct screen *s)
{
	size_t nearest = SIZE_MAX;

	for (size_t i = 0; i < s->text.row_count; i++) {
		const struct cli__top_row *r = &s->text.rows[i];
		if (!is_item(r))
			continue;
		if (r->kind == s->selected && id_of(s, r) == s->selected_id) {
			s->row = i;
			return;
		}
		if (nearest == SIZE_MAX || i <= s->row)
			nearest = i;
	}
	s->selected = CLI__TOP_PLAIN;
	if (nearest != SIZE_MAX)
		select_row(s, nearest);
}

static void move_selection(struct screen *s, long by)
{
	const long step = by < 0 ? -1 : 1;
	long i = (long)s->row;

	if (s->selected == CLI__TOP_PLAIN)
		return;
	for (long left = by * step; left > 0; left--)
		for (long k = i + step;
		     k >= 0 && k < (long)s->text.row_count; k += step)
			if (is_item(&s->text.rows[k])) {
				i = k;
				break;
			}
	select_row(s, (size_t)i);
}

/* To the first of the other table. */
static void switch_table(struct screen *s)
{
	const enum cli__top_line other = s->selected == CLI__TOP_WORKER
	                                         ? CLI__TOP_REQUEST
	                                         : CLI__TOP_WORKER;

	for (size_t i = 0; i < s->text.row_count; i++) {
		if (is_item(&s->text.rows[i]) &&
		    s->text.rows[i].kind == other) {
			select_row(s, i);
			return;
		}
	}
}

/* --- the text ------------------------------------------------------------- */

static void add_line(struct screen *s, enum cli__top_line kind,
                     const char *text)
{
	struct cli__line l = { .len = 0 };

	cli__line(&l, "%s", text);
	cli__line_end(&l, &s->text, COLS > COLUMNS_MIN ? (unsigned)COLS
	                                               : COLUMNS_MIN,
	              kind, 0);
}

static void make_help(struct screen *s)
{
	static const char *const lines[] = {
		"up down  j k     choose a worker or request",
		"PgUp PgDn        ten at once",
		"Tab              from workers to requests and back",
		"Enter            everything of it; Esc goes back",
		"s                sort requests: age, phase, route, worker",
		"/                filter by part of a route, id, stage, site",
		"f  space         freeze, go on",
		"+ -              more or fewer frames",
		"Ctrl-L           draw again",
		"h  ?             this help",
		"q  Ctrl-C        quit",
		"",
		"S: state of the thread in the kernel, as sampled: R runs,",
		"   S sleeps, D waits for a disk.",
		"BEHIND: connections and requests that wait for this worker;",
		"   ? not sampled in this hold.",
		"All of it is read from the tape: the process is asked for",
		"nothing, and need not run.",
	};

	add_line(s, CLI__TOP_TITLE, "KEYS");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		add_line(s, CLI__TOP_PLAIN, lines[i]);
}

static void make_detail(struct screen *s, unsigned columns)
{
	const struct cli__top *t = s->frame;

	for (size_t i = 0; i < t->worker_count; i++)
		if (s->selected == CLI__TOP_WORKER &&
		    worker_id(&t->workers[i]) == s->selected_id) {
			cli__top_render_worker(t, &t->workers[i], columns,
			                       &s->text);
			return;
		}
	for (size_t i = 0; i < t->request_count; i++)
		if (s->selected == CLI__TOP_REQUEST &&
		    t->requests[i].number == s->selected_id) {
			cli__top_render_request(t, &t->requests[i], columns,
			                        &s->text);
			return;
		}
	add_line(s, CLI__TOP_TITLE,
	         s->selected == CLI__TOP_REQUEST
	                 ? "this request has ended; Esc goes back"
	                 : "this worker has ended; Esc goes back");
}

static void make_text(struct screen *s)
{
	const struct cli__top_view v = {
		.columns = COLS > COLUMNS_MIN ? (unsigned)COLS : COLUMNS_MIN,
		.sort = s->sort,
		.filter = s->filter,
	};

	cli__top_text_fini(&s->text);
	if (s->mode == HELP) {
		make_help(s);
	} else if (!s->frame) {
		add_line(s, CLI__TOP_LOSS, s->why);
	} else if (s->mode == DETAIL) {
		make_detail(s, v.columns);
	} else {
		cli__top_render(s->frame, &v, &s->text);
		find_selection(s);
	}
}

/* --- drawing -------------------------------------------------------------- */

static int attribute(const struct screen *s, const struct cli__top_row *r)
{
	switch (r->kind) {
	case CLI__TOP_HEAD:
		return A_BOLD;
	case CLI__TOP_LOSS:
		return A_BOLD | COLOR_PAIR(1);
	case CLI__TOP_TITLE:
		return A_BOLD | COLOR_PAIR(2);
	case CLI__TOP_PLAIN:
		break;
	case CLI__TOP_WORKER:
	case CLI__TOP_REQUEST:
		if (r->kind == s->selected &&
		    id_of(s, r) == s->selected_id)
			return A_REVERSE;
		break;
	}
	return A_NORMAL;
}

static void draw_line(const struct screen *s, int y,
                      const struct cli__top_row *r)
{
	char line[2048];
	const size_t n = r->len < sizeof(line) - 1 ? r->len : sizeof(line) - 1;

	memcpy(line, s->text.text + r->at, n);
	line[n] = '\0';
	for (char *c = line; !s->is_utf8 && *c; c++)
		if ((unsigned char)*c > '~')
			*c = '?';
	move(y, 0);
	attrset(attribute(s, r));
	addstr(line);
	attrset(A_NORMAL);
	/* After a full line the cursor is on the next one. */
	if (getcury(stdscr) == y)
		clrtoeol();
}

static void draw_status(const struct screen *s)
{
	char line[256];
	char end[64];

	if (s->mode == FILTER)
		snprintf(line, sizeof(line), "filter: %s_", s->filter);
	else if (s->mode == HELP || s->mode == DETAIL)
		snprintf(line, sizeof(line), "Esc back  q quit");
	else
		snprintf(line, sizeof(line),
		         "h help  q quit  sort %s  every %" PRIu64 ".%" PRIu64
		         " s%s%s%s",
		         cli__top_sort_names[s->sort], s->interval_ms / 1000,
		         s->interval_ms % 1000 / 100,
		         s->is_frozen ? "  FROZEN" : "",
		         *s->filter ? "  filter " : "", s->filter);
	move(LINES - 1, 0);
	clrtoeol();
	attrset(A_REVERSE);
	addnstr(line, COLS > 1 ? COLS - 1 : 1);
	snprintf(end, sizeof(end), " %s ",
	         s->frame ? cli__top_state(s->frame) : "?");
	if (COLS > (int)(strlen(line) + strlen(end)) + 2)
		mvaddstr(LINES - 1, COLS - 1 - (int)strlen(end), end);
	attrset(A_NORMAL);
}

/* Rows above the first table, which do not scroll where there is room. */
static size_t head_rows(const struct screen *s, size_t height)
{
	size_t n = 0;

	while (n < s->text.row_count &&
	       s->text.rows[n].kind != CLI__TOP_TITLE)
		n++;
	return s->mode == LIST || s->mode == FILTER
	               ? n + 4 <= height ? n : 0
	               : 0;
}

static void draw(struct screen *s)
{
	const size_t height = LINES > 1 ? (size_t)LINES - 1 : 0;
	size_t y = 0;

	make_text(s);
	const size_t head = head_rows(s, height), body = height - head;
	const size_t rows = s->text.row_count - head;
	if (s->mode == LIST && s->selected != CLI__TOP_PLAIN &&
	    s->row >= head) {
		const size_t at = s->row - head;
		/* The table's title, too, when its first row is chosen. */
		if (at < s->scroll + 1)
			s->scroll = at ? at - 1 : 0;
		if (body && at + 3 > s->scroll + body)
			s->scroll = at + 3 - body;
	}
	if (s->scroll + body > rows)
		s->scroll = rows > body ? rows - body : 0;
	for (; y < height; y++) {
		const size_t row = y < head ? y : y + s->scroll;
		if (row < s->text.row_count) {
			draw_line(s, (int)y, &s->text.rows[row]);
		} else {
			move((int)y, 0);
			clrtoeol();
		}
	}
	draw_status(s);
	refresh();
}

/* --- keys ----------------------------------------------------------------- */

/* Function keys have numbers that are characters, too. */
static void edit_filter(struct screen *s, wint_t c, bool is_function)
{
	const size_t len = strlen(s->filter);
	char text[MB_LEN_MAX + 1] = "";
	mbstate_t state = { 0 };

	if (c == '\r' || c == '\n' || (is_function && c == KEY_ENTER)) {
		s->mode = LIST;
	} else if (c == 27) {
		s->filter[0] = '\0';
		s->mode = LIST;
	} else if ((is_function && c == KEY_BACKSPACE) || c == 127 || c == 8) {
		size_t n = len;
		while (n && ((unsigned char)s->filter[--n] & 0xc0) == 0x80)
			;
		s->filter[n] = '\0';
	} else if (c >= ' ' && !is_function) {
		const size_t n = wcrtomb(text, (wchar_t)c, &state);
		if (n != (size_t)-1 && len + n < sizeof(s->filter))
			memcpy(s->filter + len, text, n + 1);
	}
}

static void faster(struct screen *s, bool is_faster)
{
	static const uint64_t steps[] = { 100,  200,  500,   1000, 2000,
		                          5000, 10000, 30000, 60000 };
	const size_t n = sizeof(steps) / sizeof(steps[0]);
	size_t i = 0;

	while (i + 1 < n && steps[i] < s->interval_ms)
		i++;
	if (is_faster && i > 0)
		i--;
	else if (!is_faster && i + 1 < n)
		i++;
	s->interval_ms = steps[i];
	s->due_ms = 0;
}

static void scroll_by(struct screen *s, long by)
{
	if (s->mode == LIST)
		move_selection(s, by);
	else if (by < 0)
		s->scroll -= s->scroll < (size_t)-by ? s->scroll : (size_t)-by;
	else
		s->scroll += (size_t)by;
}

static void set_mode(struct screen *s, enum mode mode)
{
	s->mode = mode;
	s->scroll = 0;
}

static void take_key(struct screen *s, wint_t c, bool is_function)
{
	if (is_function && c == KEY_RESIZE)
		return; /* drawn anew anyhow */
	if (s->mode == FILTER) {
		edit_filter(s, c, is_function);
		return;
	}
	if (!is_function && c > 127)
		return;
	switch (c) {
	case 'q':
		s->is_over = true;
		break;
	case 'h':
	case '?':
		set_mode(s, s->mode == HELP ? LIST : HELP);
		break;
	case 27:
	case KEY_BACKSPACE:
	case 127:
		set_mode(s, LIST);
		break;
	case '\r':
	case '\n':
	case KEY_ENTER:
		if (s->mode == LIST && s->selected != CLI__TOP_PLAIN)
			set_mode(s, DETAIL);
		break;
	case '/':
		if (s->mode == LIST)
			s->mode = FILTER;
		break;
	case 's':
		s->sort = (s->sort + 1) % CLI__TOP_SORTS;
		break;
	case 'f':
	case ' ':
		s->is_frozen = !s->is_frozen;
		s->due_ms = 0;
		break;
	case '+':
	case '-':
		faster(s, c == '+');
		break;
	case '\t':
		if (s->mode == LIST)
			switch_table(s);
		break;
	case 'k':
	case KEY_UP:
		scroll_by(s, -1);
		break;
	case 'j':
	case KEY_DOWN:
		scroll_by(s, 1);
		break;
	case KEY_PPAGE:
		scroll_by(s, -10);
		break;
	case KEY_NPAGE:
		scroll_by(s, 10);
		break;
	case 12: /* Ctrl-L */
		clearok(curscr, TRUE);
		break;
	}
}

/* --- the loop ------------------------------------------------------------- */

static void take_keys(struct screen *s)
{
	wint_t c;
	int kind;

	while (!s->is_over && (kind = get_wch(&c)) != ERR)
		take_key(s, c, kind == KEY_CODE_YES);
}

/* Until a key, a signal or the next frame. Half a second at most: a signal
 * that comes just before the wait is not to be heard a minute later. */
static void wait_for_key(struct screen *s)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	const uint64_t now = now_ms();
	uint64_t left = s->due_ms > now ? s->due_ms - now : 0;

	if (s->is_frozen || left > 500)
		left = 500;
	if (poll(&p, 1, (int)left) > 0 && !(p.revents & POLLIN))
		s->is_over = true; /* the terminal is gone */
}

static void run(struct screen *s)
{
	while (!s->is_over && !cli__terminal_signal()) {
		if ((!s->is_frozen && now_ms() >= s->due_ms) || !s->frame) {
			s->frame = cli__top_frame(s->source, &s->why);
			s->due_ms = now_ms() + s->interval_ms;
		}
		draw(s);
		wait_for_key(s);
		if (cli__terminal_stop())
			continue;
		take_keys(s);
	}
}

int cli__top_screen(struct cli__top_source *source, const char *place,
                    uint64_t interval_ms)
{
	struct screen s = { .source = source,
		            .place = place,
		            .interval_ms = interval_ms,
		            .why = "",
		            .selected = CLI__TOP_PLAIN };

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli__fail("the screen needs a terminal; --once prints "
		                 "one frame, --json one as JSON");
	if (!cli__terminal_open())
		return CLI__NO;
	s.is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	run(&s);
	cli__terminal_close();
	cli__top_text_fini(&s.text);
	const int signal = cli__terminal_signal();
	if (signal && signal != SIGINT)
		raise(signal);
	if (!s.frame)
		return cli__fail("%s: %s", place, s.why);
	return CLI__DONE;
}

#endif
