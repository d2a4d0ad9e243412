#!/bin/sh
# SPDX-License-Identifier: MIT
# libmicrohttpd's own tests, bare and under the agent: the same must pass.
#
#     [VARIABLE=...] tests/mhd_suite.sh
#
# Takes Debian's source package of libmicrohttpd by its name, builds it, and
# runs `make check` in src/testcurl and src/microhttpd twice: as it is, and with
# each program under `tailbox run`, while windows are armed and disarmed, and
# snapshots taken, at random. Then every artifact that came of it is validated.
#
#     TLS=1       build with HTTPS: then src/testcurl has those of https/, too
#     SOURCE=DIR  an unpacked source in place of the package (it is not changed)
#     WORK=DIR    a folder to work in, which stays: source and build of an
#                 earlier run are used again. Left out, a temporary one
#     FOLDERS="testcurl microhttpd"       what is run
#     ONLY="test_get ..."  of these folders only these tests
#     JOBS=2      tests at a time
#     SEED=N      of the random windows; it is printed
#     LIMIT=1200  seconds that one `make check` may take
#
# A test that passes only one way is run again by itself, bare and under the
# agent, up to three times each: on a busy machine some of them time out. That
# is told. Nothing outside of WORK is written; apt gets folders of its own.
# Exit status: 0 the same tests pass; 1 they do not, or an artifact is not
# valid, or nothing was recorded; 77 it could not be tried, and why.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mhd_source.sh"
: "${TLS:=0}" "${SOURCE:=}" "${WORK:=}" "${ONLY:=}" "${JOBS:=2}" "${LIMIT:=1200}"
: "${FOLDERS:=testcurl microhttpd}" "${SEED:=$$}"
tailbox=$top_builddir/tailbox
agent=$top_builddir/.libs/libtailbox-agent.so
test -x "$tailbox" || skip "the command was not built"
test -e "$agent" || skip "the agent was not built"
tailbox=$(cd "$top_builddir" && pwd)/tailbox
need make timeout
# Those of a make that this is run by are not for libmicrohttpd's.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES TESTS TEST_LOGS

if test -n "$WORK"; then
	mkdir -p "$WORK"
	d=$(cd "$WORK" && pwd)
else
	scratch
fi
began=$(date +%s)
say() {
	echo "== $* ($(($(date +%s) - began)) s)"
}

# quiet LOG COMMAND...: its output goes there; what it ended with.
quiet() {
	log=$d/$1
	shift
	"$@" >"$log" 2>&1 </dev/null
}

# --- the build ----------------------------------------------------------------

build() {
	b=$d/build-$1
	if test ! -e "$b/.built"; then
		https=disable
		test "$1" = plain || https=enable
		rm -rf "$b"
		mkdir -p "$b"
		say "Build it, HTTPS ${https}d"
		(cd "$b" && quiet configure.log "$source/configure" -q \
			--$https-https --enable-curl --disable-doc \
			--disable-examples --disable-static) || {
			tail -n 5 "$d/configure.log"
			skip "configure of libmicrohttpd failed"
		}
		quiet make.log make -s -j"$JOBS" -C "$b" || {
			tail -n 20 "$d/make.log"
			skip "libmicrohttpd does not build"
		}
		touch "$b/.built"
	fi
	for f in $FOLDERS; do
		test -e "$b/src/$f/Makefile" || fail "no folder src/$f"
		quiet programs.log make -s -j"$JOBS" -C "$b/src/$f" check TESTS= || {
			tail -n 20 "$d/programs.log"
			skip "the tests of src/$f do not build"
		}
	done
}

# --- its tests -----------------------------------------------------------------

# What runs one test under the agent: the artifact of its end gets its name.
# Between make and the test are scripts of libtool, so the children too.
write_wrapper() {
	cat >"$d/under" <<-END
		#!/bin/sh
		name=\$(basename "\$1")
		exec '$tailbox' run --children --no-report --agent '$agent' \\
			--dir '$d/run' --config '$d/settings' \\
			-o '$d/ended/'"\$name.tailbox" -- "\$@"
	END
	chmod +x "$d/under"
	# Each test is a service of its own; keep all they leave.
	printf '[artifacts]\nmax_count = 1000\nmax_size = "1GiB"\n' \
		>"$d/settings"
	rm -rf "$d/run" "$d/ended"
	mkdir -m 700 "$d/run"
	mkdir "$d/ended"
}

# check WAY [COMPILER]: the tests, as lines "FOLDER/NAME RESULT" in $d/WAY.
check() {
	way=$1
	under=${2-}
	: >"$d/$way"
	for f in $FOLDERS; do
		find "$b/src/$f" -name '*.trs' -exec rm -f {} +
		set -- make -k -j"$JOBS" -C "$b/src/$f" check LOG_COMPILER="$under"
		test -z "$ONLY" || set -- "$@" TESTS="$ONLY"
		at=$(date +%s)
		rc=0
		quiet "$way-$(echo "$f" | tr / _).log" timeout -k 10 "$LIMIT" \
			"$@" || rc=$?
		test $rc -ne 124 || fail "make check in src/$f: over $LIMIT s"
		find "$b/src/$f" -name '*.trs' | sort | while read -r trs; do
			name=${trs#"$b/src/"}
			echo "${name%.trs} $(sed -n 's/^:test-result: //p' "$trs")"
		done >>"$d/$way"
		say "$way, src/$f: $(grep "^$f/" "$d/$way" | grep -c ' PASS$') of $(grep -c "^$f/" "$d/$way") pass, $(($(date +%s) - at)) s"
	done
	test -s "$d/$way" || fail "no test ran"
}

# --- windows meanwhile ---------------------------------------------------------

# A number below $1; the same row for the same seed.
random() {
	SEED=$(((SEED * 1103515245 + 12345) % 2147483648))
	drawn=$((SEED / 65536 % $1))
}

# One of the processes that are recorded now, or nothing.
pick() {
	set -- "$d"/run/*.sock
	test -e "$1" || return 1
	random $#
	shift "$drawn"
	pid=${1%.sock}
	pid=${pid##*.}
}

# Until it is told to stop; most of these processes live for a second or less,
# so a call may come too late, and that is no failure.
windows() {
	TAILBOX_DIR=$d/run
	export TAILBOX_DIR
	while test ! -e "$d/over"; do
		if ! pick; then
			sleep 0.05
			continue
		fi
		random 4
		case $drawn in
		0 | 1) set -- arm --mode investigation "$pid" ;;
		2) set -- disarm "$pid" ;;
		3) set -- snapshot --last 1s "$pid" -o "$d/ended/snap-$pid.tailbox" ;;
		esac
		! "$tailbox" "$@" >/dev/null 2>>"$d/windows.err" ||
			echo "$1" >>"$d/windows"
		random 20
		sleep "0.0$drawn"
	done
}

stop_windows() {
	: >"$d/over"
	test -z "$windows" || wait "$windows" 2>/dev/null || :
	windows=
}

# --- the verdict ---------------------------------------------------------------

passes() {
	sed -n 's/ PASS$//p' "$d/$1" | sort
}

# again NAME: whether it passes both ways, each tried three times at most.
again() {
	for way in "" "$d/under"; do
		tries=0
		# shellcheck disable=SC2086 # nothing or one word
		until (cd "$b/src/$(dirname "$1")" && quiet again.log \
			timeout -k 10 120 $way "./$(basename "$1")"); do
			tries=$((tries + 1))
			test $tries -lt 3 || return 1
		done
	done
}

# Those that pass only one way. A busy machine makes some of them fail.
judge() {
	passes bare >"$d/bare.pass"
	passes agent >"$d/agent.pass"
	comm -3 "$d/bare.pass" "$d/agent.pass" | tr -d '\t' >"$d/differ"
	odd=0
	while read -r name; do
		if again "$name"; then
			echo "$name: passed bare and under the agent when run again"
			echo "$name" >>"$d/bare.pass"
			echo "$name" >>"$d/agent.pass"
		else
			echo "$name: passes only one way"
			odd=$((odd + 1))
		fi
	done <"$d/differ"
	for way in bare agent; do
		sort -u -o "$d/$way.pass" "$d/$way.pass"
	done
	total=$(wc -l <"$d/bare")
}

# A window in which nothing happened to end holds no request, which is the one
# thing that may be said against an artifact.
validate() {
	find "$d/ended" "$d/run" -name '*.tailbox' | sort >"$d/artifacts"
	: >"$d/invalid"
	: >"$d/empty"
	while read -r file; do
		"$tailbox" validate "$file" >"$d/valid.out" 2>&1 && continue
		if grep -qv ': invalid: no request in it$' "$d/valid.out"; then
			echo "$file: $(tail -n 1 "$d/valid.out")" >>"$d/invalid"
		else
			echo "$file" >>"$d/empty"
		fi
	done <"$d/artifacts"
}

table() {
	for f in $FOLDERS; do
		for way in bare agent; do
			printf '%-12s %-6s %4d of %d pass, %d skip themselves\n' \
				"$f" $way "$(grep -c "^$f/" "$d/$way.pass")" \
				"$(grep -c "^$f/" "$d/$way")" \
				"$(grep -c "^$f/.* SKIP$" "$d/$way")"
		done
	done
	recorded=$(find "$d/ended" -name '*.tailbox' ! -name 'snap-*' | wc -l)
	echo "recorded: $recorded of $total programs; armed $(grep -c '^arm' "$d/windows"), disarmed $(grep -c '^disarm' "$d/windows"), snapshots $(grep -c '^snapshot' "$d/windows"); seed $seed"
	echo "artifacts: $(wc -l <"$d/artifacts"), of them $(wc -l <"$d/empty") without a request; not valid: $(wc -l <"$d/invalid")"
	head -n 10 "$d/invalid"
}

# --- the run -------------------------------------------------------------------

windows=
quit() {
	rc=$?
	stop_windows
	test -n "$WORK" || rm -rf "$d"
	exit $rc
}
trap quit EXIT
trap 'exit 1' HUP INT TERM

seed=$SEED
kind=plain
test "$TLS" = 0 || kind=tls
say "The source of libmicrohttpd"
mhd_source
build $kind
check bare
write_wrapper
rm -f "$d/over" "$d/windows" "$d/windows.err"
: >"$d/windows"
windows &
windows=$!
check agent "$d/under"
stop_windows
judge
validate
table
same=$(comm -12 "$d/bare.pass" "$d/agent.pass" | wc -l)
echo "the same: $same of $(wc -l <"$d/bare.pass")"
test $odd -eq 0 || fail "$odd tests pass only one way"
test ! -s "$d/invalid" || fail "artifacts are not valid"
test "$recorded" -gt 0 || fail "nothing was recorded"
