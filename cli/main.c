/* cli/main.c - the `tailbox` command: which word does what.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cli.h"

#include <string.h>

#include <tailbox.h>

#include "cli/http.h"
#include "cli/output.h"
#include "core/alloc.h"

/* The whole of it: cli/target_help.c. */
#define TARGET_HELP                                                            \
	"TARGET is a service's name, pid, URL, socket or tape; left out, it\n" \
	"is the only recorded service. See tailbox help target.\n"
#define TAPE_TARGET_HELP                                                       \
	"TARGET is a service's name, pid, socket or tape; left out, it is\n"   \
	"the only recorded service. See tailbox help target.\n"
#define ANY_TARGET_HELP                                                        \
	"TARGET is an artifact's file, - for one on standard input, NAME#ID\n" \
	"for one of a live service; or a service's name or pid, or a tape:\n"  \
	"what its tape holds. See tailbox help target.\n"

#define SNAPSHOT_HELP                                                          \
	"A service that answers makes it, and it is fetched. One that is\n"    \
	"stopped, hung or dead, or has no admin server, is not asked: its\n"   \
	"tape is read. The file's name is made up and printed.\n"
#define SNAPSHOT_OPTIONS                                                       \
	"  -o, --output FILE      save as FILE, replacing it\n"                \
	"  -m, --mode MODE        light or investigation: its limits\n"        \
	"  -n, --note TEXT        kept in the artifact\n"                      \
	"      --tape             from the tape at once\n"

const struct cli__command cli__commands[] = {
	{ "ls", "[TARGET] [--json]",
	  "List recorded services, or the artifacts of one",
	  "Without TARGET: every service whose tape or socket is in\n"
	  "$TAILBOX_DIR, $RUNTIME_DIRECTORY/tailbox or /dev/shm/tailbox-UID,\n"
	  "live and left behind. No process is asked.\n"
	  "With TARGET: the artifacts that it keeps, newest first.\n\n"
	  "      --json     as JSON\n",
	  cli__ls },
	{ "status", "[TARGET] [--tape] [--json]",
	  "Show what a service does now: workers, open requests, losses",
	  TARGET_HELP
	  "A process that does not answer within 350 ms, is stopped or has\n"
	  "ended is shown from its tape.\n\n"
	  "      --tape     from the tape at once\n"
	  "      --json     as JSON\n",
	  cli__status },
	{ "top", "[TARGET] [--once] [--json] [options]",
	  "Watch a service from its tape, also one that hangs or is dead",
	  TAPE_TARGET_HELP
	  "Workers and what holds them, open requests and where they are, rates\n"
	  "of the last 10 s, queues. The process is asked for nothing. In the\n"
	  "screen h shows the keys, q ends it.\n\n"
	  "  -1, --once           print one frame\n"
	  "      --json           print one frame as JSON\n"
	  "  -i, --interval TIME  between frames, 100ms to 60s (default 1s)\n"
	  "  -w, --width N        columns of --once, 40 to 400\n",
	  cli__top_command },
	{ "tail", "[TARGET] [options]",
	  "Print a line for each request that has ended, as they end",
	  TAPE_TARGET_HELP
	  "From the tape, as logfmt; the process is asked for nothing. It ends\n"
	  "when the process does. What was overwritten before it was read is\n"
	  "counted and told on standard error.\n\n"
	  "  -s, --slow TIME      only what took as long (200ms, 2s)\n"
	  "  -r, --route ROUTE    only this route\n"
	  "      --status STATUS  only 503, or 5xx\n"
	  "  -l, --last TIME      begin with what ended in the last TIME\n"
	  "  -c, --count N        end after N lines\n"
	  "  -k, --kept           the slow, failed and cancelled requests that\n"
	  "                       the tape has kept, oldest first, and no others\n"
	  "      --json           JSON, an object on each line\n",
	  cli__tail_command },
	{ "arm", "[TARGET] [options]", "Open a capture window",
	  TARGET_HELP
	  "\n"
	  "  -d, --duration TIME    disarm by itself after 30s, 500ms, 2m\n"
	  "      --lookback TIME    begin so long ago, as far as the tape goes\n"
	  "  -m, --mode MODE        light (default) or investigation\n"
	  "  -n, --note TEXT        kept in the artifact\n"
	  "      --max-requests N   keep the first N requests\n"
	  "      --policy POLICY    continue or seal when a limit is hit\n"
	  "      --strict           no artifact while requests are open\n"
	  "      --json             as JSON\n",
	  cli__arm },
	{ "disarm", "[TARGET] [--json]",
	  "Close the window; its artifact is written",
	  TARGET_HELP
	  "Requests in flight still belong to the window. Disarming when\n"
	  "nothing is armed is no error.\n\n"
	  "      --json     as JSON\n",
	  cli__disarm },
	{ "off", "[TARGET] [--json]",
	  "Kill switch: the service goes on, nothing is recorded",
	  TARGET_HELP
	  "An armed window is closed and its artifact written; requests that\n"
	  "are open are cut. It is off until it is switched on or the service\n"
	  "starts again. What the tape holds stays.\n\n"
	  "      --json     as JSON\n",
	  cli__off },
	{ "on", "[TARGET] [--json]", "Record again, after off",
	  TARGET_HELP
	  "\n"
	  "      --json     as JSON\n",
	  cli__on },
	{ "capture", "TIME [TARGET] [options]",
	  "Arm for TIME, wait, fetch the artifact, show its first screen",
	  "TIME is 30s, 500ms, 2m.\n" TARGET_HELP
	  "The artifact is saved as NAME.tailbox in this folder, never over\n"
	  "another file. Ctrl-C ends the window early and still fetches.\n\n"
	  "      --lookback TIME    begin so long ago, as far as the tape goes\n"
	  "  -o, --output FILE      save as FILE, replacing it\n"
	  "  -m, --mode MODE        light (default) or investigation\n"
	  "  -n, --note TEXT        kept in the artifact\n"
	  "      --max-requests N   keep the first N requests\n",
	  cli__capture },
	{ "why", "[TARGET] [--last TIME] [options]",
	  "Save the last minute and say why it is slow: the 3 a.m. command",
	  TARGET_HELP
	  SNAPSHOT_HELP
	  "\n"
	  "  -l, --last TIME        how far back (default 60s)\n"
	  SNAPSHOT_OPTIONS
	  "      --json             the report as JSON\n",
	  cli__why },
	{ "snapshot", "[TARGET] [--last TIME] [options]",
	  "Save the recent past that the tape holds, with no window armed",
	  TARGET_HELP
	  SNAPSHOT_HELP
	  "\n"
	  "  -l, --last TIME        how far back: 60s, 5m (default: all there is)\n"
	  SNAPSHOT_OPTIONS
	  "      --json             what was saved, as JSON\n",
	  cli__snapshot },
	{ "fetch", "[TARGET[#ID]] [options]", "Download an artifact",
	  TARGET_HELP
	  "ID is 3 (a window), s1 (a snapshot), c1 (a crash) or an artifact's\n"
	  "name; left out, it is the newest. The file's name is made up and\n"
	  "printed.\n\n"
	  "  -o, --output FILE      save as FILE, replacing it; - prints it\n"
	  "      --to FORMAT        native (default) or json\n"
	  "      --json             print what was saved as JSON\n",
	  cli__fetch },
	{ "validate", "TARGET [--permissive] [--json]",
	  "Check an artifact strictly",
	  "TARGET is an artifact: a file, - or NAME#ID. See tailbox help\n"
	  "target.\n"
	  "Prints one line when it is valid; else each finding, as\n"
	  "LOCATION: CODE: what is wrong, on standard error, and exits with\n"
	  "1.\n\n"
	  "  -p, --permissive   take what is good; fail only when no request\n"
	  "                     is left\n"
	  "      --json         as JSON\n",
	  cli__validate },
	{ "recover", "[TARGET] [options]",
	  "Make an artifact of the tape that a crash left behind",
	  "TARGET is a service by name or pid, or a tape; left out, all that\n"
	  "was left behind in the run folders. The artifact goes into the\n"
	  "artifact folder as SERVICE-TIME-cN (where there is none, into this\n"
	  "folder); then the tape is removed. A service does the same at its\n"
	  "next start.\n\n"
	  "  -o, --output FILE   save as FILE, replacing it\n"
	  "  -k, --keep          keep the tape\n"
	  "      --json          as JSON\n",
	  cli__recover },
	{ "run", "[options] [--] PROGRAM [ARGUMENT...]",
	  "Record a program of libmicrohttpd as it is, while it runs",
	  "Nothing in the program is changed: an agent is loaded into it, which\n"
	  "records its daemons. When it has ended, what it did last is saved in\n"
	  "this folder, and the first screen shown. That goes to standard error;\n"
	  "standard output and the exit status are the program's.\n"
	  "A program that cannot be recorded runs all the same; why is said.\n\n"
	  "  -o, --output FILE      save as FILE, replacing it\n"
	  "  -l, --last TIME        so much of its end (default: what the tape\n"
	  "                         holds)\n"
	  "      --name NAME        of the service (default: the program's)\n"
	  "      --config FILE      settings, see tailbox.conf(5)\n"
	  "      --dir DIR          for tape and socket\n"
	  "      --children         also programs that it starts\n"
	  "      --no-report        save the artifact, show nothing of it\n"
	  "      --agent FILE       this libtailbox-agent.so\n",
	  cli__run },
	{ "export", "--to json [TARGET] [-o FILE]",
	  "Write an artifact or a whole tape as Run JSON",
	  ANY_TARGET_HELP
	  "A tape may be of a live process or of one that was killed.\n\n"
	  "      --to json          the format\n"
	  "  -o, --output FILE      into FILE, whole or not at all\n",
	  cli__export },
	{ "timeline", "[TARGET] [options]",
	  "Show latencies per route and the slowest requests",
	  ANY_TARGET_HELP
	  "\n"
	  "  -r, --route ROUTE      only this route\n"
	  "      --request WHICH    this request: id, number or trace id\n"
	  "  -s, --slowest N        so many requests (default 5)\n"
	  "  -w, --width N          columns, 64 to 400 (default 80)\n"
	  "      --json             as JSON\n",
	  cli__timeline },
	{ "analyze", "[TARGET] [options]",
	  "Say what made the slow requests slow, and how sure that is",
	  ANY_TARGET_HELP
	  "An artifact must be valid (see validate) and hold a request.\n"
	  "\n"
	  "The first screen: 25 lines with the verdict and what to type next.\n"
	  "\n"
	  "      --all              and behind it everything else\n"
	  "      --format FORMAT    text (default), json, or line: one sentence\n"
	  "      --json             as JSON\n"
	  "      --failures         instead: failed requests in groups, by where\n"
	  "                         they were blocked and what they share\n"
	  "      --slow TIME        with --failures: also those that took as\n"
	  "                         long (200ms, 2s)\n"
	  "      --analyzer-config FILE   options: table [analyzer] of FILE\n"
	  "      --analyzer-set PATH=VALUE, --set PATH=VALUE\n"
	  "                         one option, over the file; repeatable\n"
	  "      --help-analyzer-options  every option and what it does\n"
	  "      --allow-ambiguous-artifact\n"
	  "                         leave out what is not valid, go on with\n"
	  "                         the rest\n"
	  "      --assert ASSERTION 'p99(/a) < 200ms', 'no SUSPECT': exit with\n"
	  "                         3 when one failed, 4 when one cannot be\n"
	  "                         judged; repeatable\n"
	  "      --compat           nothing but what the format's standard has\n",
	  cli__analyze },
	{ "compare", "BEFORE AFTER [options]",
	  "Say what got slower or faster between two runs; a gate for CI",
	  "BEFORE and AFTER are TARGETs.\n" ANY_TARGET_HELP
	  "p50, p95 and p99 of all requests and of each route, each with the\n"
	  "99.9% interval of its change. A difference is claimed where the\n"
	  "interval excludes 0 and reaches --min-effect.\n"
	  "\n"
	  "  -r, --route ROUTE      only this route\n"
	  "      --metric METRIC    only p50, p95 or p99\n"
	  "      --min-effect N%    what counts: 1% to 1000% (default 10%)\n"
	  "      --fail-on GATE     regressed: exit with 3 when something\n"
	  "                         regressed, 4 when nothing can be judged;\n"
	  "                         regressed,inconclusive: 4 also when not\n"
	  "                         all of all requests can be judged\n"
	  "      --json             as JSON\n",
	  cli__compare },
	{ "config", "check FILE | show [FILE|TARGET] | reload [TARGET]",
	  "Check a configuration, show the settings in force, reload them",
	  "check: FILE (or - for standard input) as a service would read it.\n"
	  "Each mistake is a line FILE:LINE:COLUMN: REASON on standard error.\n"
	  "show: each value and where it came from, of FILE on top of the\n"
	  "defaults, or of a service as it is in force. A token is not shown.\n"
	  "reload: the service reads its file again; an armed window keeps\n"
	  "its settings, and a file with mistakes changes nothing.\n" TARGET_HELP
	  "The file is described in tailbox.conf(5).\n\n"
	  "      --json     as JSON\n",
	  cli__config },
	{ "doctor", "[TARGET] [--json]",
	  "Say what works, what is degraded and what mends it",
	  "Without TARGET: this machine, then every recorded service of this\n"
	  "user. With TARGET: that one, from outside. One line per check: ok,\n"
	  "degraded (it goes on, with less) or fail, what was found, and what\n"
	  "mends it. Exits with 1 when a check failed.\n\n"
	  "      --json     as JSON\n",
	  cli__doctor },
	{ NULL, NULL, NULL, NULL, NULL }
};

static const struct cli__command *find(const char *name)
{
	for (const struct cli__command *c = cli__commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static int help(const char *about)
{
	FILE *out = cli__out();

	if (about && !strcmp(about, "target")) {
		cli__help_target(out);
		return CLI__DONE;
	}
	if (about) {
		const struct cli__command *c = find(about);
		char *argv[] = { (char[]){ "tailbox" }, (char[]){ "--help" },
			         NULL };
		return c ? c->run(c, 2, argv)
		         : cli__usage(NULL, "%s: no such command", about);
	}
	fputs("usage: tailbox COMMAND ...\n\n"
	      "The black box of libmicrohttpd services: why are they slow?\n\n",
	      out);
	for (const struct cli__command *c = cli__commands; c->name; c++)
		fprintf(out, "  %-10s %s\n", c->name, c->summary);
	fputs("\n"
	      "Alone it lists what is recorded. tailbox COMMAND --help tells\n"
	      "more, tailbox help target what a TARGET is, tailbox(1) all.\n"
	      "\n"
	      "Exit status: 0 done, 1 the input or the service said no,\n"
	      "2 the command line is wrong; compare, analyze: 3 a gate failed,\n"
	      "4 it cannot be judged.\n",
	      out);
	return CLI__DONE;
}

static int run(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word)
		return cli__overview();
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		fprintf(cli__out(), "tailbox %s\n", tailbox_version());
		return CLI__DONE;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") ||
	    !strcmp(word, "help"))
		return help(argc > 2 ? argv[2] : NULL);
	const struct cli__command *c = find(word);
	if (!c)
		return cli__usage(NULL, "%s: no such %s", word,
		                  *word == '-' ? "option" : "command");
	return c->run(c, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	tailbox__alloc_prefer_huge();
	int rc = cli__finish(run(argc, argv));
	cli__http_end();
	return rc;
}
