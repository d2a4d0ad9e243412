#!/bin/sh
# SPDX-License-Identifier: MIT
# libmicrohttpd's examples as services: what they answer, bare and captured.
#
#     [VARIABLE=...] tests/mhd_examples.sh
#
# Takes Debian's source package of libmicrohttpd by its name, compiles six of its
# examples twice, as they are and with tailbox/mhd_drop_in.h before them, starts
# each on a port of its own, sends the same requests to both and compares the
# answers byte by byte. What is masked, and why, is in tests/mhd_examples.py.
# The window that was armed meanwhile must have every request.
#
#     SOURCE=DIR     an unpacked source in place of the package (not changed)
#     REQUESTS=1000  to each example
#     EXAMPLES="..." only these
#
# The examples listen on every address: that is how they are written. Exit
# status: 0 the same; 1 not; 77 it could not be tried, and why.
. "$(dirname "$0")/common.sh"
. "$top_srcdir/tests/mhd_source.sh"
: "${REQUESTS:=1000}" "${EXAMPLES:=fileserver_example post_example \
suspend_resume_epoll chunked_example upgrade_example digest_auth_example}"
tailbox=$top_builddir/tailbox
test -x "$tailbox" || skip "the command was not built"
need python3 timeout "${CC%% *}"
scratch
mkdir -m 700 "$d/run"
TAILBOX_DIR=$d/run
export TAILBOX_DIR
unset TAILBOX TAILBOX_CONFIG TAILBOX_ARTIFACTS STATE_DIRECTORY

pid=
quit() {
	rc=$?
	test -z "$pid" || kill -KILL "$pid" 2>/dev/null || :
	wait
	rm -rf "$d"
	exit $rc
}
trap quit EXIT

# --- the examples --------------------------------------------------------------

mhd_source

# What configure would have found; the examples ask for no more.
mkdir "$d/include"
cp "$source/src/include/platform.h" "$source/src/include/mhd_options.h" \
	"$d/include"
for f in sys_types sys_socket netinet_in arpa_inet sys_time sys_stat fcntl \
	unistd stdlib stdio string errno time netdb sys_select netinet_tcp \
	inttypes stddef stdint sys_mman sys_msg; do
	echo "#define HAVE_$(echo "$f" | tr a-z A-Z)_H 1"
done >"$d/include/MHD_config.h"
cat >>"$d/include/MHD_config.h" <<'END'
#define _GNU_SOURCE 1
#define MHD_POSIX_SOCKETS 1
#define MHD_USE_POSIX_THREADS 1
#define LINUX 1
#define _MHD_EXTERN extern
END
if test -e "$top_builddir/.libs/libtailbox.so"; then
	libs="-L$top_builddir/.libs -Wl,-rpath,$(cd "$top_builddir" && pwd)/.libs -ltailbox"
else
	libs=$top_builddir/.libs/libtailbox.a
fi

# build EXAMPLE
build() {
	c=$source/src/examples/$1.c
	test -e "$c" || skip "no $c"
	# shellcheck disable=SC2086 # words on purpose
	$CC -O1 -w -I"$d/include" -o "$d/bare-$1" "$c" $TEST_LIBS -pthread ||
		fail "$1 does not compile"
	# shellcheck disable=SC2086
	$CC -O1 -w $SANITIZED $include_path -include tailbox/mhd_drop_in.h \
		-I"$d/include" -o "$d/captured-$1" "$c" $libs $TEST_LIBS \
		-pthread || fail "$1 does not compile with the drop-in"
}

# --- one of them ---------------------------------------------------------------

until_ok() {
	i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		test $i -lt 600 || fail "in vain: $*"
		sleep 0.05
	done
}

answers() {
	python3 -c "import socket, sys
socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)" "$port"
}

# Ends at a signal: they wait for a key, or for ever.
stop() {
	exec 9>&-
	kill -TERM "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
	pid=
}

# play WAY EXAMPLE: the answers in $d/WAY.EXAMPLE, seconds in $took.
play() {
	port=$(python3 "$top_srcdir/tests/mhd_examples.py" port)
	rm -f "$d/in"
	mkfifo "$d/in"
	(cd "$d/files" && exec "$d/$1-$2" "$port" <"$d/in" >"$d/out" 2>&1) &
	pid=$!
	exec 9>"$d/in"
	until_ok answers
	if test "$1" = captured; then
		until_ok "$tailbox" arm --mode investigation "$1-$2"
	fi
	began=$(date +%s)
	timeout 300 python3 "$top_srcdir/tests/mhd_examples.py" "$2" "$port" \
		"$REQUESTS" "$d/$1.$2" || fail "$2, $1: the client failed"
	took=$(($(date +%s) - began))
	if test "$1" = captured; then
		"$tailbox" disarm "$1-$2" >"$d/disarm" 2>&1 ||
			fail "disarm: $(cat "$d/disarm")"
		until_ok "$tailbox" fetch "$1-$2#1" -o "$d/$2.tailbox"
	fi
	stop
}

row() {
	printf '%-22s %8s %9s %6s  %s\n' "$@"
}

# The requests of an artifact; the window is a little wider than what we sent.
recorded() {
	"$tailbox" validate "$d/$1.tailbox" >"$d/valid" 2>&1 ||
		fail "$1: $(cat "$d/valid")"
	sed -n 's/^.*valid: \([0-9][0-9]*\) request.*/\1/p' "$d/valid"
}

# --- all -----------------------------------------------------------------------

mkdir "$d/files"
: >"$d/files/empty"
printf '%0100d\n' 7 >"$d/files/small"
i=0
while test $i -lt 1000; do
	printf '%0100d\n' $i
	i=$((i + 1))
done >"$d/files/large"

# shellcheck disable=SC2086 # words on purpose
for example in $EXAMPLES; do
	build "$example"
done
row example requests bytes recorded
wrong=0
for example in $EXAMPLES; do
	play bare "$example"
	play captured "$example"
	n=$(recorded "$example")
	verdict="byte-identical, $took s"
	if ! cmp "$d/bare.$example" "$d/captured.$example" >"$d/cmp" 2>&1; then
		verdict="DIFFERS: $(head -n 1 "$d/cmp" | sed 's,.*: ,,')"
		wrong=$((wrong + 1))
	elif test "$n" -ne "$REQUESTS"; then
		verdict="RECORDED $n of $REQUESTS"
		wrong=$((wrong + 1))
	fi
	row "$example" "$REQUESTS" "$(wc -c <"$d/bare.$example")" "$n" "$verdict"
done
test $wrong -eq 0 || fail "$wrong examples are not the same"
