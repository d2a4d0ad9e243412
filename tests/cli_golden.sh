#!/bin/sh
# SPDX-License-Identifier: MIT
# What the command prints when all is well, word by word.
. "$(dirname "$0")/cli_common.sh"
data=$top_srcdir/tests/data

run 0 --version
expect out <<EOT
tailbox $(sed -n 's/^#define TAILBOX_VERSION "\(.*\)"/\1/p' "$top_srcdir/core/tailbox/base.h")
EOT

run 0
expect out <<EOT
no recorded service
  looked in DIR/run
  looked in /dev/shm/tailbox-$(id -u)

next
  call tailbox_start() in a service, see README
  tailbox timeline FILE            look at an artifact
  tailbox --help                   all commands
EOT

run 0 --help
expect out <<EOT
usage: tailbox COMMAND ...

The black box of libmicrohttpd services: why are they slow?

  ls         List recorded services, or the artifacts of one
  status     Show what a service does now: workers, open requests, losses
  top        Watch a service from its tape, also one that hangs or is dead
  tail       Print a line for each request that has ended, as they end
  arm        Open a capture window
  disarm     Close the window; its artifact is written
  off        Kill switch: the service goes on, nothing is recorded
  on         Record again, after off
  capture    Arm for TIME, wait, fetch the artifact, show its first screen
  why        Save the last minute and say why it is slow: the 3 a.m. command
  snapshot   Save the recent past that the tape holds, with no window armed
  fetch      Download an artifact
  validate   Check an artifact strictly
  recover    Make an artifact of the tape that a crash left behind
  run        Record a program of libmicrohttpd as it is, while it runs
  export     Write an artifact or a whole tape as Run JSON
  timeline   Show latencies per route and the slowest requests
  analyze    Say what made the slow requests slow, and how sure that is
  compare    Say what got slower or faster between two runs; a gate for CI
  config     Check a configuration, show the settings in force, reload them
  doctor     Say what works, what is degraded and what mends it

Alone it lists what is recorded. tailbox COMMAND --help tells
more, tailbox help target what a TARGET is, tailbox(1) all.

Exit status: 0 done, 1 the input or the service said no,
2 the command line is wrong; compare, analyze: 3 a gate failed,
4 it cannot be judged.
EOT

# screen_in DOCUMENT FOLDER ARTIFACT: the first screen of it, as it is, is there.
screen_in() {
	(cd "$top_srcdir/$2" && "$tailbox" analyze "$3") |
		sed 's/^./    &/' >"$d/screen"
	first=$(grep -nxF "$(head -n 1 "$d/screen")" "$top_srcdir/$1")
	tail -n "+${first%%:*}" "$top_srcdir/$1" |
		head -n "$(wc -l <"$d/screen")" | diff "$d/screen" - ||
		fail "$1 shows another first screen of $3"
}
screen_in README.md . demo/shop.tailbox
screen_in doc/analysis.md tests/golden queue.json.gz

# Every command has its help, in 80 columns, and a place in the manual.
for command in $(sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p' "$d/out"); do
	run 0 $command --help
	has out "usage: tailbox $command "
	cp "$d/out" "$d/help"
	run 0 help $command
	cmp "$d/out" "$d/help" || fail "help $command is another text"
	test -z "$(awk 'length > 80' "$d/help")" || fail "$command --help is wide"
	grep -q "^\.SS $command\$" "$top_srcdir/doc/tailbox.1" ||
		fail "tailbox(1) does not tell of $command"
	for option in $(grep -oE -- '--[a-z][a-z-]*' "$d/help" | sort -u); do
		name=$(echo "$option" | sed 's/-/\\\\-/g')
		grep -qF -- "$(printf %s "$name" | sed 's/\\\\/\\/g')" \
			"$top_srcdir/doc/tailbox.1" ||
			fail "tailbox(1) does not tell of $option"
	done
done

run 0 timeline "$data/spec-example.json"
expect out <<EOT
catalog  on shop-2  pid 912
2026-01-01 00:00:00 - 00:00:03 UTC (3.00 s)  light
complete: nothing lost, nothing cut off
1 request, 0.33/s

route                              n      p50      p95      p99      max  errors
/items/{id}                        1  14.5 ms  14.5 ms  14.5 ms  14.5 ms       0

slowest 1
  = phase   . wait   # stage   X failed   > given up: took at least that long
  ~ a start that is laid out, not recorded   : too short to draw

  1  14.5 ms  /items/{id}  200 ok
    00:00:00.200 UTC (+200 ms)  worker 3  id _items__id_-1767225600200-0
                            start      time  0                          14.5 ms
 handler                        0   13.9 ms |================================= |
   wait db_pool            850 us >=3.90 ms |  ........>                       |
     2 waited before it
   stage inventory_db     4.85 ms   8.20 ms |           ####################   |
   in none of these                 1.80 ms
 send                     14.1 ms    400 us |                                 =|
EOT

# Both forms hold the same run.
run 0 export --to json "$data/tiny.tailbox"
cp "$d/out" "$d/tiny.json"
run 0 timeline "$data/tiny.tailbox"
cp "$d/out" "$d/a"
run 0 timeline "$d/tiny.json"
cmp "$d/out" "$d/a" || fail "the two forms show other timelines"
"$tailbox" timeline - <"$data/tiny.tailbox" | cmp - "$d/a" ||
	fail "standard input shows another timeline"
run 0 timeline --json "$data/tiny.tailbox"
has out '"latency_us": 14500'
run 0 export --to json "$d/tiny.json" -o "$d/again.json"
cmp "$d/tiny.json" "$d/again.json" || fail "exporting twice changes the run"
done_well
