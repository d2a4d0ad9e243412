#!/bin/sh
# SPDX-License-Identifier: MIT
# The lab of provoked faults (demo/lab.sh), a run of each: the first suspect is
# the right one. Short windows on a machine that may be busy: one that was wrong
# has a second, longer try, because what is promised is 95 of 100 and not each.
# Arguments are names of troubles, else all.
. "$(dirname "$0")/common.sh"
lab=$top_srcdir/demo/lab.sh
# A sanitizer takes CPU time and a lock here and there: other troubles.
test -z "$SANITIZED" || skip "with a sanitizer the shop has other troubles"
test -x "$top_builddir/demo/slow_client" || skip "demo/shop was not built"
test -x "$top_builddir/tailbox" || skip "the command was not built"
need bash timeout mkfifo
scratch
TAILBOX_BUILD=$top_builddir
TMPDIR=$d/tmp
export TAILBOX_BUILD TMPDIR
mkdir "$d/tmp"

# --- the script itself --------------------------------------------------------

usage_error() {
	rc=0
	"$lab" "$@" >"$d/out" 2>"$d/err" || rc=$?
	test $rc = 2 || fail "lab.sh $*: exit status $rc, not 2"
	test ! -s "$d/out" || fail "lab.sh $*: printed on standard output"
	test -s "$d/err" || fail "lab.sh $*: did not say why"
}

usage_error nothing-of-that-name
usage_error --runs 0
usage_error --runs 1001
usage_error --runs
usage_error --seconds 61
usage_error --keep
"$lab" --list >"$d/list" || fail "lab.sh --list: exit status $?"
# A trouble of the shop that the lab does not provoke is not tried at all. But
# one: in a deadlock no request ends, so there is nothing to analyze; what shows
# it is tailbox top (tests/cli_top.sh).
"$top_builddir/demo/shop" --help | sed '1,/^Troubles/d' |
	awk '{ print $1 }' >"$d/shop"
test -s "$d/shop" || fail "shop --help lists no troubles"
while read -r name; do
	test "$name" != deadlock || continue
	grep -q -e "--trouble $name\"" "$lab" ||
		fail "the lab does not provoke the shop's trouble $name"
done <"$d/shop"

# --- the runs -----------------------------------------------------------------

# try SECONDS NAME...: a line for each into $d/runs.
try() {
	seconds=$1
	shift
	rc=0
	"$lab" --seconds "$seconds" "$@" >"$d/runs" 2>"$d/err" || rc=$?
	test $rc -le 1 && test -s "$d/runs" ||
		fail "lab.sh: exit status $rc: $(cat "$d/err")"
	# It says why when it could not judge; that is not a wrong suspect.
	test ! -s "$d/err" || fail "lab.sh: $(cat "$d/err")"
	cat "$d/runs"
	left=$(find "$d/tmp" -mindepth 1 | head -n 3)
	test -z "$left" || fail "left behind: $left"
}

# All but accept: beside other work on the machine its handlers of 8 ms take so
# long that they, or the lack of a CPU, are the first suspect, and rightly.
if test $# -eq 0; then
	# shellcheck disable=SC2046 # words on purpose
	set -- $("$lab" --list | awk '{ print $1 }' | grep -vx accept)
fi
try 2 "$@"
wrong=$(awk '$NF == "WRONG" { print $1 }' "$d/runs")
if test -n "$wrong"; then
	echo "once more, longer:"
	# shellcheck disable=SC2086 # words on purpose
	try 4 $wrong
	wrong=$(awk '$NF == "WRONG" { print $1 }' "$d/runs")
	test -z "$wrong" || fail "not found, twice: $(echo $wrong)"
fi
echo "$me: each was found"
