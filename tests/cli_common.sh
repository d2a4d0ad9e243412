# SPDX-License-Identifier: MIT
# Read by the cli_* scripts: run the command, compare what it said.
. "$(dirname "$0")/common.sh"
tailbox=$top_builddir/tailbox
test -x "$tailbox" || skip "the command was not built"
scratch
unset RUNTIME_DIRECTORY TAILBOX_ARTIFACTS STATE_DIRECTORY TAILBOX_CONFIG
TAILBOX_DIR=$d/run
export TAILBOX_DIR
mkdir -m 700 "$d/run"
checks=0

# run STATUS ARGUMENT...: the exit status must be STATUS; what was printed is
# in $d/out and $d/err. After a failure standard output must be empty.
run() {
	want=$1
	shift
	rc=0
	"$tailbox" "$@" >"$d/out" 2>"$d/err" <"${input:-/dev/null}" || rc=$?
	show="tailbox $*"
	checks=$((checks + 1))
	test "$rc" = "$want" || {
		cat "$d/err"
		fail "$show: exit status $rc, not $want"
	}
	test "$rc" = 0 || test ! -s "$d/out" ||
		fail "$show: failed, and printed on standard output"
	test "$rc" = 0 || test -s "$d/err" ||
		fail "$show: failed, and did not say why"
}

# expect out|err: the text on standard input, with the folder as DIR.
expect() {
	cat >"$d/want"
	sed "s,$d,DIR,g; s,$top_srcdir,TOP,g" "$d/$1" >"$d/have"
	diff -u "$d/want" "$d/have" || fail "$show: std$1 is another"
}

# has out|err TEXT: a line holds the text.
has() {
	grep -qF -- "$2" "$d/$1" || {
		cat "$d/$1"
		fail "$show: std$1 has no \"$2\""
	}
}

# until_ok COMMAND...: at most ten seconds, or as $until_tries says.
until_tries=200 # of 50 ms
until_ok() {
	tries=0
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		test $tries -lt $until_tries || {
			cat "$d"/shop.* 2>/dev/null || :
			fail "waited in vain for: $*"
		}
		sleep 0.05
	done
}

done_well() {
	echo "$me: $checks calls as expected"
}
