#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox doctor on this machine, and on demo/shop alive, stopped, killed.
. "$(dirname "$0")/cli_shop.sh"
until_tries=400

# doctor STATUS ARGUMENT...: a report is on standard output also with 1.
doctor() {
	want=$1
	shift
	rc=0
	"$tailbox" doctor "$@" >"$d/out" 2>"$d/err" </dev/null || rc=$?
	show="tailbox doctor $*"
	checks=$((checks + 1))
	test "$rc" = "$want" || {
		cat "$d/out" "$d/err"
		fail "$show: exit status $rc, not $want"
	}
	test "$rc" = 2 || test -s "$d/out" || fail "$show: no report"
	test "$rc" = 0 || test -s "$d/err" || fail "$show: $rc without a word"
	# One line per check, and each that is not ok says what mends it.
	! grep -E '^  (degraded|fail) ' "$d/out" | grep -vq '; mend: ..*' || {
		cat "$d/out"
		fail "$show: a check does not say what mends it"
	}
}

# section TITLE: keep of the report what stands under the line that begins so.
# What else is recorded on this machine is not ours to judge.
section() {
	awk -v title="$1" '
	!/^  / { is_in = index($0, title) == 1 }
	is_in' "$d/out" >"$d/section"
	test -s "$d/section" || {
		cat "$d/out"
		fail "$show: nothing under \"$1\""
	}
	mv "$d/section" "$d/out"
}

# of_all TITLE STATUS: doctor without TARGET; STATUS is 1 when a check under
# that line failed.
of_all() {
	rc=0
	"$tailbox" doctor >"$d/out" 2>"$d/err" </dev/null || rc=$?
	show="tailbox doctor"
	checks=$((checks + 1))
	section "$1"
	have=0
	! grep -q '^  fail ' "$d/out" || have=1
	test $have = "$2" && test $rc -ge $have && test $rc -le 1 || {
		cat "$d/out" "$d/err"
		fail "$show: exit status $rc, \"$1\" $have, not $2"
	}
}

# machine STATUS
machine() {
	of_all "this machine" "$1"
}

# finds STATE CHECK [TEXT]: the line of a check.
finds() {
	grep -E "^  $1 +$2 " "$d/out" | grep -qF -- "${3-}" || {
		cat "$d/out"
		fail "$show: no line \"$1 $2 ${3-}\""
	}
}

# same_in_json ARGUMENT...: both forms have the same checks, states, findings
# and mends. Figures change from call to call and are taken out, and so is the
# line that judges by one.
same_in_json() {
	steady='s/[0-9][0-9.]*/N/g; s/N [a-zA-Z]*s\>/N/g; s/N [kMG]*B\>/N/g
		/admin socket/d'
	rc=0
	"$tailbox" doctor --json "$@" >"$d/json" 2>/dev/null || rc=$?
	"$tailbox" doctor "$@" >"$d/text" 2>/dev/null || test $? = $rc
	if test $# = 0; then
		sed -i '/"services": /,$d' "$d/json"
		sed -i '2,${/^  /!Q}' "$d/text"
	fi
	awk '
	/^ *"(check|state|found|mend)": / {
		key = $1
		sub(/^ *"[a-z]*": /, "")
		sub(/^"/, "")
		sub(/"?,?$/, "")
		v[key] = $0
		if (key == "\"mend\":") {
			line = sprintf("  %-9s %-13s %s", v["\"state\":"],
				v["\"check\":"], v["\"found\":"])
			print $0 == "null" ? line : line "; mend: " $0
		}
	}' "$d/json" | sed "$steady" >"$d/have"
	test -s "$d/have" || fail "tailbox doctor --json $*: no check in it"
	grep -E '^  (ok|degraded|fail) ' "$d/text" | sed "$steady" |
		diff -u - "$d/have" || fail "doctor --json $*: tells another"
	test $# = 0 || grep -q "\"ok\": $(grep -c '^  ok ' "$d/text")," "$d/json" ||
		fail "doctor --json $*: counts otherwise"
}

# --- this machine -------------------------------------------------------------

machine 0
for check in "run folder" fallocate "tape size" artifacts clock TCP_INFO \
	membarrier /proc PSI limits; do
	finds "(ok|degraded)" "$check"
done
finds "(ok|degraded)" "run folder" "$d/run, there"
finds "(ok|degraded)" "run folder" "mode 0700"
test -z "$(ls -A "$d/run")" || fail "doctor left something in the run folder"
same_in_json

# A folder that is not there is not made.
(
	TAILBOX_DIR=$d/none
	machine 0
	finds "(ok|degraded)" "run folder" "will be made"
)
test ! -e "$d/none" || fail "doctor made the run folder"

# What cannot be a run folder is told, and the next one is looked at.
: >"$d/file"
ln -s "$d/run" "$d/link"
if test -d /dev/shm && test -w /dev/shm; then
	(
		TAILBOX_DIR=$d/file
		machine 0
		finds degraded "run folder" "$d/file: is no folder"
		TAILBOX_DIR=$d/link
		machine 0
		finds degraded "run folder" "$d/link: is a link"
		TAILBOX_DIR=$d/no/folder
		machine 0
		finds degraded "run folder" "cannot be made"
	)
fi
chmod 755 "$d/run"
machine 0
finds degraded "run folder" "mend: chmod 0700"
chmod 700 "$d/run"
(
	TAILBOX_ARTIFACTS=/proc/none
	export TAILBOX_ARTIFACTS
	machine 1
	finds fail artifacts "/proc/none"
	has err "checks failed"
)
(
	ulimit -n 256
	machine 0
	finds degraded limits "open files 256"
)
doctor 2 --nonsense
doctor 2 one two
run 1 doctor nobody
has err "nobody: no recorded service"

# --- a service ----------------------------------------------------------------

start_shop
# A thread gives itself its name.
until_ok sh -c "'$tailbox' doctor shop | grep -q 'sampler runs.*follower runs'"
for target in shop "$pid" "$tape" "${tape%.tape}.sock"; do
	doctor 0 "$target"
	finds ok process "lives"
	finds "(ok|degraded)" "admin socket" "answers in"
	finds ok recording
	finds "(ok|degraded)" "run folder" "$d/run, there"
	finds "(ok|degraded)" fallocate
	finds ok tape "16.0 MiB"
	finds ok artifacts "$d/run/artifacts"
	finds ok artifacts "0 artifacts (cap 100) of"
	finds ok "admin TCP" off
	finds ok configuration "no file"
	finds "(ok|degraded)" clock
	finds "(ok|degraded)" TCP_INFO "says the service"
	finds "(ok|degraded)" membarrier "says the service"
	finds ok daemons "1 seen, 1 recorded"
	finds ok threads "sampler runs"
	finds ok threads "follower runs"
	finds ok losses "none"
	finds ok versions "tape format 1 of 1"
	finds "(ok|degraded)" limits "for at most"
done
same_in_json shop
of_all "shop, pid $pid" 0

# How libmicrohttpd is linked: what the loader says of this very program.
if ldd "$top_builddir/demo/.libs/shop" 2>/dev/null | grep -q libmicrohttpd.so
then
	finds ok MHD "shared, /"
fi

# A tape whose format is another's.
sed_tape=$d/run/other.1.tape
head -c 8 "$tape" >"$sed_tape"
printf '\143\0\0\0' >>"$sed_tape"
dd if="$tape" bs=4 skip=3 count=4096 2>/dev/null >>"$sed_tape"
run 1 doctor "$sed_tape"
has err "version"
rm "$sed_tape"

kill -STOP "$pid"
until_ok sh -c "'$tailbox' ls | grep -q ' stopped '"
doctor 1 shop
finds fail process "stopped"
finds fail process "mend: kill -CONT $pid"
kill -CONT "$pid"
until_ok sh -c "'$tailbox' ls | grep -q ' live '"

# The socket is gone: recording goes on, but nobody can arm.
rm "${tape%.tape}.sock"
doctor 1 shop
finds fail "admin socket" "only the tape tells"
finds ok threads "follower runs"

kill -KILL "$pid"
dead=$pid
pid=
until_ok sh -c "'$tailbox' ls | grep -q ' dead '"
doctor 1 shop
finds fail process "mend: tailbox timeline"
# Of all there are, one that was left behind is no failure.
of_all "shop, pid $dead" 0
finds degraded process "ended without closing its tape"
done_well
