/* cli/top_terminal.c - a terminal that is always put back as it was.
 *
 * SPDX-License-Identifier: MIT
 *
 * On every way out: by the end of the loop for a key or a signal that asks for
 * an end, or for a stop (SIGTSTP; ncurses has a handler for it that does all of
 * that in the handler, which may be in the midst of anything); and after a fault
 * of ours by what may be called in a handler, that is a write() of sequences
 * that were made before and tcsetattr(). Then the fault goes on to whoever was
 * to have it. Only SIGKILL leaves a mess.
 */
#include "cli/top_terminal.h"

#ifdef HAVE_NCURSES

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

enum { STACK_BYTES = 65536 }; /* above any MINSIGSTKSZ */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
enum { ENDS = 4, FAULTS = 5 };

static struct {
	SCREEN *screen;
	struct termios before;
	bool has_before;
	char restore[256]; /* what puts the screen back */
	size_t restore_len;
	struct sigaction old_ends[ENDS], old_faults[FAULTS], old_stop;
	char stack[STACK_BYTES];
} terminal;

static volatile sig_atomic_t asked, stop_asked;

static void ask(int signal)
{
	asked = signal;
}

static void ask_stop(int signal)
{
	stop_asked = signal;
}

int cli__terminal_signal(void)
{
	return asked;
}

/* --- after a fault -------------------------------------------------------- */

static void restore_at_once(int signal)
{
	const int e = errno;

	/* Nothing can be done about a failure. */
	if (write(STDOUT_FILENO, terminal.restore, terminal.restore_len) < 0)
		errno = 0;
	if (terminal.has_before)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
	for (unsigned i = 0; i < FAULTS; i++)
		sigaction(faults[i], &terminal.old_faults[i], NULL);
	errno = e;
	/* A fault comes again when this returns; what was sent does not. */
	raise(signal);
}

static int keep(int c)
{
	if (terminal.restore_len < sizeof(terminal.restore))
		terminal.restore[terminal.restore_len++] = (char)c;
	return c;
}

static void keep_string(const char *capability)
{
	const char *s = tigetstr(capability);

	if (s && s != (char *)-1)
		tputs(s, 1, keep);
}

static void prepare_restore(void)
{
	terminal.restore_len = 0;
	keep_string("sgr0");
	keep_string("op");
	keep_string("cnorm");
	keep_string("rmkx");
	keep_string("rmcup");
}

static void watch_faults(void)
{
	stack_t s = { .ss_sp = terminal.stack,
		      .ss_size = sizeof(terminal.stack) };
	struct sigaction a = { .sa_handler = restore_at_once,
		               .sa_flags = SA_ONSTACK };

	sigaltstack(&s, NULL);
	for (unsigned i = 0; i < FAULTS; i++)
		sigaction(faults[i], &a, &terminal.old_faults[i]);
}

/* --- opening and closing -------------------------------------------------- */

static void watch_stop(void)
{
	const struct sigaction a = { .sa_handler = ask_stop };

	if (terminal.old_stop.sa_handler != SIG_IGN)
		sigaction(SIGTSTP, &a, NULL);
}

/* Before ncurses, which leaves those that have a handler alone. No SA_RESTART:
 * the loop's wait ends. What was ignored from the start stays ignored. */
static void watch_ends(void)
{
	const struct sigaction a = { .sa_handler = ask };

	asked = stop_asked = 0;
	sigaction(SIGTSTP, NULL, &terminal.old_stop);
	watch_stop();
	for (unsigned i = 0; i < ENDS; i++) {
		sigaction(ends[i], NULL, &terminal.old_ends[i]);
		if (terminal.old_ends[i].sa_handler != SIG_IGN)
			sigaction(ends[i], &a, NULL);
	}
}

static void unwatch(const int *list, const struct sigaction *old, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sigaction(list[i], &old[i], NULL);
}

static void set_colors(void)
{
	if (!has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	init_pair(1, COLOR_RED, -1);
	init_pair(2, COLOR_CYAN, -1);
}

bool cli__terminal_open(void)
{
	setlocale(LC_CTYPE, "");
	terminal.has_before =
	        tcgetattr(STDIN_FILENO, &terminal.before) == 0;
	watch_ends();
	terminal.screen = newterm(NULL, stdout, stdin);
	if (!terminal.screen) {
		unwatch(ends, terminal.old_ends, ENDS);
		sigaction(SIGTSTP, &terminal.old_stop, NULL);
		cli__say("this terminal cannot show a screen (is TERM set?); "
		         "--once prints one frame");
		return false;
	}
	prepare_restore();
	watch_faults();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	set_colors();
	return true;
}

void cli__terminal_close(void)
{
	if (!terminal.screen)
		return;
	endwin();
	delscreen(terminal.screen);
	terminal.screen = NULL;
	/* endwin() puts back what it found; this also when another program
	 * changed it meanwhile. */
	if (terminal.has_before)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
	unwatch(faults, terminal.old_faults, FAULTS);
	unwatch(ends, terminal.old_ends, ENDS);
	sigaction(SIGTSTP, &terminal.old_stop, NULL);
}

bool cli__terminal_stop(void)
{
	if (!stop_asked)
		return false;
	stop_asked = 0;
	endwin();
	sigaction(SIGTSTP, &terminal.old_stop, NULL);
	raise(SIGTSTP); /* and here it goes on, later */
	watch_stop();
	clearok(curscr, TRUE);
	return true;
}

#endif
