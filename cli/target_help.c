/* cli/target_help.c - `tailbox help target`; doc/tailbox.1 has the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cli.h"

void cli__help_target(FILE *out)
{
	fputs("TARGET is what a command is about. It is the same everywhere:\n"
	      "\n"
	      "  shop               a recorded service: the one that lives, else\n"
	      "                     the one that is left behind\n"
	      "  912                a recorded process, in a container too\n"
	      "  http://HOST:9100   an admin server over the network, or https://;\n"
	      "                     https://HOST/tailbox where it is mounted so\n"
	      "  /run/x/shop.912.sock   its admin socket\n"
	      "  /run/x/shop.912.tape   a tape, also of a dead process\n"
	      "  run.tailbox        an artifact: native or Run JSON, gzip too\n"
	      "  shop#3  912#3  URL#3   an artifact of a live service: window 3\n"
	      "                     (s1 a snapshot, c1 a crash), or its full name\n"
	      "  -                  an artifact on standard input\n"
	      "\n"
	      "Left out, it is the only recorded service of this user. What holds\n"
	      "a slash is a path. Other words are names, pids and files of this\n"
	      "folder; one that means several things is refused with the list and\n"
	      "what to type for each. Those that live go before those that ended.\n"
	      "\n"
	      "command                     service   tape  artifact  #ID\n"
	      "                            pid, URL        file, -\n"
	      "ls                          live      live  -         -\n"
	      "status, doctor              yes       yes   -         -\n"
	      "why, snapshot               yes       yes   -         -\n"
	      "top, tail                   no URL    yes   -         -\n"
	      "arm, disarm, capture        live      live  -         -\n"
	      "on, off, config reload      live      live  -         -\n"
	      "config show                 live      live  -         -\n"
	      "fetch                       live      live  -         yes\n"
	      "recover                     dead      dead  -         -\n"
	      "validate                    -         -     yes       yes\n"
	      "export, timeline, analyze,\n"
	      "compare                     yes       yes   yes       yes\n"
	      "\n"
	      "The last four read a service's tape; of a URL, which has none, the\n"
	      "newest artifact. \"live\": the process must be there; \"dead\": it\n"
	      "must have ended without closing its tape.\n"
	      "Of a URL doctor tells what the service itself knows.\n"
	      "\n"
	      "The token of a URL comes from TAILBOX_TOKEN, or from a file by\n"
	      "--token-file FILE, which every command takes. Redirects are not\n"
	      "followed and proxies are not used.\n",
	      out);
}
