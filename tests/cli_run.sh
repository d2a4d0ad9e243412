#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox run: programs that know nothing of tailbox, as they are; those that
# cannot be recorded, run all the same and said why; the end of a program.
. "$(dirname "$0")/cli_common.sh"
need curl readelf
agent=$top_builddir/.libs/libtailbox-agent.so
test -e "$agent" || skip "no agent was built"
test -z "$SANITIZED" || skip "an agent with a sanitizer is no guest"
unset LD_PRELOAD TAILBOX TAILBOX_NAME
top_builddir=$(cd "$top_builddir" && pwd)
tailbox=$top_builddir/tailbox
agent=$top_builddir/.libs/libtailbox-agent.so
src=$(cd "$top_srcdir" && pwd)/tests/agent

# build OUTPUT SOURCE FLAGS...
build() {
	build_to=$1
	build_of=$2
	shift 2
	# shellcheck disable=SC2086 # words on purpose
	$CC $TEST_CFLAGS -o "$d/$build_to" "$src/$build_of.c" "$@" \
		>"$d/cc" 2>&1 || return 1
}
# shellcheck disable=SC2086
build bare bare $TEST_LIBS -pthread || fail "bare.c: $(cat "$d/cc")"
build host host -ldl || fail "host.c: $(cat "$d/cc")"
# shellcheck disable=SC2086
build plugin.so host -DPLUGIN -shared -fPIC $TEST_LIBS ||
	fail "host.c as a plugin: $(cat "$d/cc")"
build old.so old -shared -fPIC || fail "old.c: $(cat "$d/cc")"
build tty tty -lutil || fail "tty.c: $(cat "$d/cc")"
mkfifo "$d/in"
cd "$d"

# Nothing is recorded after 5 s: looked at when the rest is done.
mkfifo idle.in
exec 8<>idle.in
"$tailbox" run ./bare none <idle.in 8>&- >idle.out 2>idle.err &
idle_pid=$!

# begin COMMAND...: in the background, its standard input in our hands, until
# it has told its port; $pid is the command's. What is left over is ended.
pid=
trap 'for p in $pid $idle_pid; do kill -9 $p || :; done; rm -rf "$d"' EXIT
begin() {
	show=$*
	checks=$((checks + 1))
	rm -f "$d/out" "$d/err" # of the one before
	exec 9<>"$d/in"
	"$@" <"$d/in" 9>&- >"$d/out" 2>"$d/err" &
	pid=$!
	until_ok grep -q '^port ' "$d/out"
	port=$(sed -n 's/^port //p' "$d/out" | head -1)
}

# get PATH [TIMES]
get() {
	for i in $(seq "${2:-1}"); do
		curl -sS --max-time 20 "http://127.0.0.1:$port$1" \
			>"$d/answer" || fail "$show: no answer to $1"
	done
}

# finish STATUS: by a line; the artifact is in $file, "" = none.
finish() {
	echo >&9
	ended "$1"
}
ended() {
	rc=0
	wait "$pid" || rc=$?
	pid=
	exec 9>&-
	test "$rc" = "$1" || {
		cat "$d/err"
		fail "$show: exit status $rc, not $1"
	}
	file=$(sed -n 's/^tailbox: saved \(.*\): [0-9]* request.*/\1/p' "$d/err")
}

# recorded REQUESTS: the artifact has so many, and nothing else is left.
recorded() {
	test -n "$file" || fail "$show: no artifact: $(cat "$d/err")"
	"$tailbox" validate "$file" >"$d/valid" 2>&1 ||
		fail "$show: $(cat "$d/valid")"
	grep -q "valid: $1 request" "$d/valid" ||
		fail "$show: $(cat "$d/valid"), not $1"
	left=$(find "$d/run" -name '*.tape' -o -name '*.sock')
	test -z "$left" || fail "$show: left $left"
	rm -f "$file"
}

# unrecorded TEXT: and the reason.
unrecorded() {
	has err "$1"
	test -z "$file" || fail "$show: recorded all the same"
}

# --- a program as it is -------------------------------------------------------

begin ./bare descriptors
get /env
cp answer env.bare
grep '^descriptors' out >fds.bare
finish 3

begin "$tailbox" run ./bare descriptors
get / 30
get /env
cmp env.bare answer || fail "$show: another environment: $(cat answer)"
grep '^descriptors' out | cmp - fds.bare || fail "$show: $(cat out)"
run_pid=$(sed -n "s/^tailbox: recording 'bare' pid \([0-9]*\): .*/\1/p" err)
test "$(sed -n 1p err)" = \
	"tailbox: recording 'bare' pid $run_pid: tailbox why $run_pid" ||
	fail "$show: $(cat err)"
"$tailbox" why "$run_pid" -o why.tailbox >why.out || fail "why $run_pid"
grep -q "31 requests" why.out || fail "why: $(cat why.out)"
finish 3
test "$(wc -l <out)" = 2 || fail "$show: wrote on standard output: $(cat out)"
has err "31 requests"
has err "bare  "
# What to type next is about the file: the process is gone.
has err "NEXT  1  tailbox timeline "
! grep -q "^ .* $run_pid\( \|$\)" err || fail "$show: asks pid $run_pid: $(cat err)"
case $file in bare-*-s0.tailbox) ;; *) fail "$show: saved $file" ;; esac
recorded 31

# What is said, and where it goes.
begin "$tailbox" run --no-report --name shop --dir "$d/other" -o x.tailbox \
	--last 1h -- ./bare pool
get / 3
test -e other/shop.*.tape || fail "$show: no tape in other"
finish 3
test "$(grep -c . err)" = 2 || fail "$show: $(cat err)"
test "$file" = x.tailbox || fail "$show: saved $file"
recorded 3
rm -rf other

# Time in a content reader of the program's; the library's own, for files, is
# left alone.
begin "$tailbox" run ./bare pool
get /reader
test "$(cat answer)" = xxx || fail "$show: $(cat answer)"
get /file
cmp answer bare || fail "$show: another file"
finish 3
"$tailbox" export --to json "$file" -o reader.json || fail "$show: no JSON"
test "$(sed -n 's/.*"reader_us": *\([0-9]*\).*/\1/p' reader.json | sort -n |
	tail -n 1)" -ge 60000 || fail "$show: no time in a reader"
recorded 2

# By the loader alone: one line, and nothing is left.
begin env LD_PRELOAD="$agent" ./bare serve
get /env
cmp env.bare answer || fail "$show: another environment: $(cat answer)"
finish 3
test "$(grep -c . err)" = 1 || fail "$show: $(cat err)"
has err "tailbox: recording 'bare' pid"
test -z "$(find run -maxdepth 1 -name 'bare*')" || fail "$show: left $(ls run)"

# Other entries stay.
begin env LD_PRELOAD="$d/plugin.so" "$tailbox" run ./bare
get /env
test "$(cat answer)" = "LD_PRELOAD=$d/plugin.so" || fail "$show: $(cat answer)"
finish 3
recorded 1

# With --children it stays, and a program started by a script is recorded.
begin "$tailbox" run --children sh -c "exec $d/bare"
get /env
grep -q "^LD_PRELOAD=.*libtailbox-agent.so$" answer || fail "$show: $(cat answer)"
finish 3
recorded 1
begin "$tailbox" run sh -c "exec $d/bare"
get /
finish 3
unrecorded "sh is not recorded: it " # by when we looked: exec, or nothing yet
has err "--children"

# Descriptor 2 may be another file when there is something to say.
begin "$tailbox" run ./bare stderr "$d/data"
get /
test ! -s data || fail "$show: wrote into data: $(cat data)"
finish 3
recorded 1
begin env TAILBOX=off "$tailbox" run ./bare stderr "$d/data"
finish 3
test ! -s data || fail "$show: wrote into data: $(cat data)"
unrecorded "is not recorded: off, as TAILBOX says"

# --- several daemons, children, another program -------------------------------

begin "$tailbox" run ./bare two
until_ok test "$(grep -c '^port' out)" = 2
for port in $(sed -n 's/^port //p' out); do get / 4; done
"$tailbox" status --json "$(sed -n "s/^tailbox: recording .* pid \([0-9]*\):.*/\1/p" err)" \
	>status || fail "status"
test "$(grep -c '"listen_port"\|"port"' status)" -ge 2 || fail "$(cat status)"
finish 3
recorded 8

# What a recorded process forks is not recorded, and does not disturb it.
begin "$tailbox" run ./bare fork
until_ok grep -q '^child ' out
has out "child 6"
get / 2
finish 3
recorded 2
test "$(grep -c 'recording' err)" = 1 || fail "$show: $(cat err)"

begin "$tailbox" run ./bare exec /bin/sh -c 'exit 8'
get / 2
finish 8
recorded 2

# Into the background: the program has ended, what serves is recorded.
begin "$tailbox" run ./bare background
ended 0
child=$(sed -n 's/^tailbox: bare goes on as pid \([0-9]*\): tailbox why .*/\1/p' err)
test -n "$child" || fail "$show: $(cat err)"
pid=$child
get / 3
"$tailbox" why "$child" -o why.tailbox >why.out || fail "why $child"
grep -q "3 requests" why.out || fail "$show: $(cat why.out)"
kill "$child"
pid=
until_ok sh -c "! kill -0 $child"
rm -f run/*.tape run/*.sock

# --- libmicrohttpd comes later ------------------------------------------------

library=$(ldd bare | sed -n 's/.*=> \(.*libmicrohttpd[^ ]*\).*/\1/p')
begin "$tailbox" run ./host plugin "$d/plugin.so"
get / 5
finish 3
recorded 5
# Past the agent where the library was bound to itself (-Bsymbolic).
begin "$tailbox" run ./host dlopen "$library"
get / 5
finish 3
if readelf -rW "$library" | grep -q 'MHD_start_daemon_va'; then
	recorded 5
else
	unrecorded "host is not recorded: it has started no daemon"
fi
# A library that serves before main(), and before the agent is at work.
# shellcheck disable=SC2086
build early.so host -DPLUGIN -DEARLY -shared -fPIC $TEST_LIBS ||
	fail "host.c with -DEARLY: $(cat cc)"
cat >line.c <<'END'
#include <stdio.h>
int main(void)
{
	int c;
	while ((c = getchar()) != '\n' && c != EOF)
		;
	return 3;
}
END
$CC -o line line.c -Wl,--no-as-needed "$d/early.so" "-Wl,-rpath,$d" ||
	fail "line.c"
begin "$tailbox" run ./line
get / 2
get / 2
finish 3
recorded 4

# Of two in one process the first, and the other is left in peace.
cp "$library" other.so
begin "$tailbox" run ./host dlopen "$library" "$d/other.so"
until_ok test "$(grep -c '^port' out)" = 2
for port in $(sed -n 's/^port //p' out); do get / 4; done
finish 3
test -z "$file" || recorded 4

# --- the end ------------------------------------------------------------------

begin "$tailbox" run ./bare
get / 2
kill -TERM "$pid"
ended 143
recorded 2
# By a terminal: the program has it once and decides; and dies of it.
./tty "$tailbox" run ./bare signals >out || rc=$?
grep -q "usr1 after 1" out || fail "Ctrl-C: $(cat out)"
test "$rc" = 3 || fail "Ctrl-C: $rc, not 3"
rc=0
./tty "$tailbox" run ./bare >out || rc=$?
test "$rc" = 130 || fail "Ctrl-C: $rc, not 130: $(cat out)"
has out "tailbox: saved bare-"
rm -f bare-*.tailbox
begin "$tailbox" run ./bare
get / 2
curl -s "http://127.0.0.1:$port/abort" >/dev/null || :
ended 134
has err "in flight when it died (1)"
recorded 2
begin "$tailbox" run ./bare pool
get / 2
curl -s "http://127.0.0.1:$port/slow" >/dev/null 2>&1 &
curl_pid=$!
program=$(sed -n "s/^tailbox: recording .* pid \([0-9]*\):.*/\1/p" err)
until_ok sh -c "'$tailbox' status --tape $program | grep -q 'handler '"
kill -9 "$program"
ended 137
wait "$curl_pid" || :
has err "in flight when it died (1)"
has err "handler for"
has err "NEXT  1  tailbox timeline --slowest 0 "
recorded 2
begin "$tailbox" run ./bare exit
get / 2
finish 5
recorded 2
begin "$tailbox" run ./bare pool
curl -s "http://127.0.0.1:$port/exit" >/dev/null || :
ended 5
has err ": 0 requests"
begin "$tailbox" run --no-report ./bare load
ended 5
requests=$(sed -n 's/^tailbox: saved .*: \([0-9]*\) requests.*/\1/p' err)
test "$requests" -ge 900 || fail "$show: $(cat err)"
recorded "$requests"

# --- what cannot be recorded --------------------------------------------------

# says STATUS TEXT COMMAND...: a run that ends by itself.
says() {
	says_rc=$1
	says_text=$2
	shift 2
	show=$*
	checks=$((checks + 1))
	rc=0
	"$tailbox" run "$@" >"$d/out" 2>"$d/err" </dev/null || rc=$?
	test "$rc" = "$says_rc" || fail "$show: $rc, not $says_rc: $(cat err)"
	has err "$says_text"
}
says 4 "bare is not recorded: it has started no daemon of libmicrohttpd" \
	./bare none
says 0 "ls is not recorded: it loads no libmicrohttpd" ls /
says 127 "nonesuch: no such program in PATH" nonesuch
says 127 "./nonesuch: No such file" ./nonesuch
says 126 "cannot be started: Permission denied" ./env.bare
says 3 "nowhere.so: the agent is not there" --agent nowhere.so ./bare
says 3 "no.conf" --config no.conf ./bare
printf '[tape]\nsize = 5\n' >bad.conf
says 3 "bad.conf:2:" --config bad.conf ./bare
run 2 run
run 2 run --last 0s ls
run 2 run -o - ls
TAILBOX=off says 3 "not recording 'bare' pid" ./bare
has err ": off, as TAILBOX says"
LD_PRELOAD=$d/old.so says 3 "libmicrohttpd 0.9.73 is too old" ./bare
printf '#!/bin/sh\nexit 7\n' >script
chmod +x script
says 7 "is a script" ./script

cat >quit.c <<'END'
int main(void) { return 11; }
END
if $CC -static -o static quit.c 2>cc; then
	says 11 "it is linked statically" ./static
	grep -c . err | grep -qx 1 || fail "$show: $(cat err)"
fi
$CC -o foreign quit.c -Wl,--dynamic-linker,/lib/ld-musl-none.so.1
says 127 "another C library (/lib/ld-musl-none.so.1" ./foreign
$CC -o rights quit.c
says 11 "it loads no libmicrohttpd" ./rights
# As root: an owner that is not root, so that rights change.
chmod 4755 rights
test "$(id -u)" != 0 || chown nobody rights
chmod 4755 rights
if test "$(id -u)" = 0 && test "$(stat -c %U rights)" = nobody &&
	! findmnt -nT . -o OPTIONS 2>/dev/null | grep -q nosuid; then
	chmod 755 "$d"
	says 11 "it is set-user-ID" ./rights
fi
# libmicrohttpd inside the program: the words are enough.
cat >inside.c <<'END'
const char words[] = "Fatal error in GNU libmicrohttpd %s:%u: %s\n";
int main(int n, char **v) { (void)v; return 10 + (words[n] == 'a'); }
END
$CC -o inside inside.c
says 11 "libmicrohttpd is linked into it" ./inside

# A program that records itself keeps doing so.
# shellcheck disable=SC2086
if $CC $TEST_CFLAGS -include "$top_srcdir/core/tailbox.h" \
	-I"$top_srcdir/core" -o own "$src/bare.c" -Wl,--no-as-needed \
	"$top_builddir/.libs/libtailbox.so" $TEST_LIBS -pthread 2>cc; then
	begin env LD_LIBRARY_PATH="$top_builddir/.libs" "$tailbox" run ./own
	get /
	finish 3
	unrecorded "not recording 'own' pid"
	has err "it has libtailbox of its own"
fi

# The run-time library of a sanitizer wants to be first.
# shellcheck disable=SC2086
if $CC -fsanitize=address -o asan "$src/bare.c" $TEST_LIBS -pthread 2>cc &&
	readelf -d asan | grep -q libasan; then
	begin "$tailbox" run ./asan
	get / 3
	get /env
	cmp env.bare answer || fail "$show: another environment: $(cat answer)"
	finish 3
	recorded 4
fi

# So far nothing, after 5 s; then as ever.
show="run bare none"
until_ok grep -q "bare is not recorded: it has started no daemon so far" idle.err
echo >&8
rc=0
wait "$idle_pid" || rc=$?
idle_pid=
test "$rc" = 4 || fail "$show: $rc, not 4"

done_well
