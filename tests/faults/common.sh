# SPDX-License-Identifier: MIT
# Read by tests/faults/run: the rig of one row. Words for the faults:
#
#   serve ARG...            start the service of this row
#   ask STATUS METHOD PATH [CURL-ARG...]      over its admin socket
#   tb STATUS ARG...        the command tailbox
#   names TEXT...           each is in what was answered
#   did TEXT, tell [TEXT]   for the line; tell without text: the last answer
#   fail TEXT, cannot TEXT  give the row up; cannot: print it as SKIP
#
# $row is a folder of the row, $row/artifacts has two artifacts of before.

tailbox=$top_builddir/tailbox
service=$top_builddir/tests/faults/service
clients=$top_builddir/tests/faults/clients
unset RUNTIME_DIRECTORY STATE_DIRECTORY TAILBOX TAILBOX_CONFIG TAILBOX_DIR \
	TAILBOX_ARTIFACTS
PATIENCE=$((20 * ${CK_TIMEOUT_MULTIPLIER:-1}))
test -z "$SANITIZED" || PATIENCE=120
export PATIENCE

# --- all rows ---------------------------------------------------------------

set_up() {
	for program in "$tailbox" "$service" "$clients"; do
		test -x "$program" || skip "$program was not built"
	done
	need curl sha256sum timeout
	d=$(mktemp -d)
	trap 'row=$d/row; end_row; row=$d/first; end_row; rm -rf "$d"' EXIT
	trap 'exit 1' HUP INT TERM
	: >"$d/lines"
	mkdir "$d/artifacts" "$d/first"
	row=$d/first
	set +e
	(
		set -eu
		trap end_row EXIT
		first_artifacts
	) >"$row/log" 2>&1
	rc=$?
	set -e
	test $rc = 0 || {
		cat "$row/log" "$row/err"
		echo "faults: no artifacts to begin with"
		exit 1
	}
}

# Two, as any service leaves them.
first_artifacts() {
	serve
	for i in 1 2; do
		window "$i" 50
	done
	cp "$row"/artifacts/victim-*.tailbox "$d/artifacts"
	test "$(ls "$d/artifacts" | wc -l)" = 2
}

# wanted TEXT WORD...: no word, or one that is in the text.
wanted() {
	text=$1
	shift
	test $# -gt 0 || return 0
	for word; do
		case $text in *"$word"*) return 0 ;; esac
	done
	return 1
}

# one NAME TITLE: do a fault and print its line.
one() {
	row=$d/row
	rm -rf "$row"
	mkdir "$row"
	: >"$row/did"
	: >"$row/told"
	set +e # or the next line would give up with the row
	(
		set -eu
		trap end_row EXIT
		"fault_$1"
		served
	) >"$row/log" 2>&1 </dev/null
	rc=$?
	set -e
	line="$2 — done: $(cat "$row/did") — answered: $(cat "$row/told")"
	case $rc in
	0) echo "ok    $line" ;;
	77) echo "SKIP  $2 — $(tail -n 1 "$row/log")" ;;
	*)
		echo "FAIL  $line"
		sed 's/^/      /' "$row/log" | tail -n 25
		test ! -s "$row/err" ||
			sed 's/^/      service: /' "$row/err" | tail -n 12
		;;
	esac >"$d/line"
	cat "$d/line"
	cat "$d/line" >>"$d/lines"
	rm -rf "$row"
}

# What the row has started and mounted goes, in any case.
end_row() {
	test ! -e "$row/pids" || while read -r p; do
		kill -CONT "$p" 2>/dev/null || :
		kill -KILL "$p" 2>/dev/null || :
	done <"$row/pids"
	rm -f "$row/pids"
	wait
	test ! -e "$row/mounts" || while read -r m; do
		umount "$m" 2>/dev/null || umount -l "$m" || :
	done <"$row/mounts"
	rm -f "$row/mounts"
}

# --- words ------------------------------------------------------------------

fail() {
	echo "FAILED: $*"
	exit 1
}

cannot() {
	echo "$*"
	exit 77
}

did() {
	printf '%s' "$*" >>"$row/did"
}

# One piece of what was answered, on one line.
tell() {
	test ! -s "$row/told" || printf '; ' >>"$row/told"
	printf '%s' "${1-$answer}" | tr -s '\n\t ' '   ' | cut -c 1-300 |
		sed "s,$row,DIR,g" | tr -d '\n' >>"$row/told"
}

# As long as PATIENCE says.
until_ok() {
	tries=0
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		test $tries -lt $((PATIENCE * 50)) || fail "in vain: $*"
		sleep 0.02
	done
}

# It ends with the row at the latest. $! is its pid.
in_background() {
	"$@" &
	echo $! >>"$row/pids"
}

# tmpfs FOLDER SIZE: for rows that need a disk of their own.
tmpfs() {
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2,mode=700" none "$1" 2>/dev/null ||
		cannot "no right to mount a tmpfs"
	echo "$1" >>"$row/mounts"
}

# fill FOLDER [PAGES]: all of its disk, or so much.
fill() {
	dd if=/dev/zero of="$1/filler" bs=4096 count="${2-1000000}" \
		2>/dev/null || :
}

# --- the service ------------------------------------------------------------

launch=          # put before the command
pid=             # of the service, while it runs
named=victim     # what the library makes of its name

# Run folder and artifact folder, with the artifacts of before.
folders() {
	TAILBOX_DIR=$row/run
	TAILBOX_ARTIFACTS=$row/artifacts
	export TAILBOX_DIR TAILBOX_ARTIFACTS
	mkdir -p -m 700 "$row/run" "$row/artifacts"
	kept=$row/artifacts
	for file in "$d"/artifacts/*; do
		test ! -e "$file" || cp "$file" "$kept"
	done
	: >"$row/sums"
	test -z "$(ls -A "$d/artifacts")" ||
		(cd "$kept" && sha256sum ./victim-*.tailbox) >"$row/sums"
}

# serve ARG...: sets pid, port and sock; a client asks all along.
serve() {
	test -e "$row/sums" || folders
	: >"$row/out"
	# shellcheck disable=SC2086 # words on purpose
	in_background $launch "$service" "$@" >"$row/out" 2>"$row/err"
	pid=$!
	until_ok grep -q listening "$row/out"
	port=$(sed -n 's/^listening.*://p' "$row/out")
	sock=$TAILBOX_DIR/$named.$pid.sock
	begin_steady
}

# The client that asks all along; what stops it is heard from here on.
begin_steady() {
	in_background "$clients" steady "$port" >"$row/steady"
	steady=$!
	until_ok grep -q begun "$row/steady"
}

# It answers now, whatever is the matter.
serving() {
	curl -sSf -o /dev/null --max-time "$PATIENCE" \
		"http://127.0.0.1:$port/" || fail "the service does not answer"
}

# The client that asked all along got every answer.
asked_all_along() {
	kill -TERM "$steady"
	wait "$steady" || fail "the steady client ended with $?"
	grep -q '^[1-9][0-9]* answered, 0 failed$' "$row/steady" ||
		fail "the service's clients: $(cat "$row/steady")"
}

# $kept is where the artifacts of before are now.
nothing_lost() {
	(cd "$kept" && sha256sum -c --quiet "$row/sums") ||
		fail "artifacts of before are not what they were"
}

stop() {
	serving
	asked_all_along
	kill -TERM "$pid"
	wait "$pid" || fail "the service ended with $?"
	pid=
}

# SIGKILL: what it does not answer then is our doing.
kill_hard() {
	asked_all_along
	kill -KILL "$pid"
	wait "$pid" || :
	pid=
}

# At the end of each row.
served() {
	test -z "$pid" || stop
	test ! -s "$row/sums" || nothing_lost
}

# --- asking -----------------------------------------------------------------

# The answer is in body, what it is on one line in $answer.
ask() {
	want=$1 method=$2 path=$3
	shift 3
	: >"$row/said"
	: >"$row/body"
	code=$(curl -sS -g --path-as-is -o "$row/body" -w '%{http_code}' \
		-X "$method" --max-time "$PATIENCE" --unix-socket "$sock" "$@" \
		"http://localhost$path") ||
		fail "$method $path: no answer (curl: $?)"
	answer="HTTP $code $(tr -d '\n' <"$row/body" | head -c 2000)"
	test "$code" = "$want" || fail "$method $path: $answer"
}

# Status, and on failure: words, and none of them on standard output.
tb() {
	want=$1
	shift
	rc=0
	timeout "$PATIENCE" "$tailbox" "$@" >"$row/body" 2>"$row/said" \
		</dev/null || rc=$?
	answer="exit $rc $(head -n 2 "$row/said" | tr '\n' ' ')"
	test -s "$row/said" ||
		answer="exit $rc $(head -n 1 "$row/body" | head -c 200)"
	test "$rc" = "$want" || fail "tailbox $*: $answer"
	test "$rc" = 0 || test ! -s "$row/body" ||
		fail "tailbox $*: failed, with standard output"
	test "$rc" = 0 || test -s "$row/said" ||
		fail "tailbox $*: failed, and said nothing"
}

names() {
	for text; do
		grep -qF -- "$text" "$row/body" "$row/said" ||
			fail "\"$text\" is not in the answer: $(cat "$row/body" "$row/said")"
	done
}

# The log of the service has it.
logged() {
	grep -F -- "$1" "$row/err" >"$row/body" || fail "not in the log: $1"
	: >"$row/said"
	answer="log \"$(head -n 1 "$row/body")\""
}

has_artifact() {
	curl -sf -o /dev/null --max-time "$PATIENCE" --unix-socket "$sock" \
		"http://localhost/artifacts/$1.tailbox"
}

# window ID REQUESTS: arm, so many requests, disarm, until it is placed.
window() {
	ask 200 POST /arm
	"$clients" burst "$port" "$2"
	ask 200 POST /disarm
	until_ok has_artifact "$1"
}

# status_has TEXT: GET /status has it.
status_has() {
	curl -sf --max-time "$PATIENCE" --unix-socket "$sock" \
		http://localhost/status | grep -qF -- "$1"
}
