#!/bin/sh
# SPDX-License-Identifier: MIT
# A program that knows nothing of tailbox, compiled with tailbox/mhd_drop_in.h
# put before it: in C and C++, and with the header after microhttpd.h. It is
# captured, under its own name, and ends as it would without.
. "$(dirname "$0")/cli_common.sh"
need curl
need "${CC%% *}"

# Feature macros before the first #include, a pointer to a function that is
# renamed, suspend and resume, a content reader: what real programs do.
cat >"$d/plain.c" <<'END'
#define _GNU_SOURCE 1
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t content(void *cls, uint64_t at, char *to, size_t room)
{
	static const char text[] = "plain\n";
	(void)cls; (void)room;
	if (at > 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	memcpy(to, text, sizeof(text) - 1);
	return sizeof(text) - 1;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static char seen;
	struct MHD_Response *r;
	enum MHD_Result rc;
	(void)cls; (void)url; (void)method; (void)version; (void)data;
	(void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		MHD_suspend_connection(c);
		MHD_resume_connection(c);
		return MHD_YES;
	}
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, &content,
	                                      NULL, NULL);
	rc = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return rc;
}

int main(void)
{
	void (*stop)(struct MHD_Daemon *) = MHD_stop_daemon;
	char *name = NULL;
	struct MHD_Daemon *d = MHD_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0,
	        NULL, NULL, &answer, NULL, MHD_OPTION_CONNECTION_LIMIT, 10u,
	        MHD_OPTION_END);
	if (d == NULL || asprintf(&name, "%u", (unsigned)MHD_get_daemon_info(
	                d, MHD_DAEMON_INFO_BIND_PORT)->port) < 0)
		return 2;
	puts(name);
	free(name);
	fflush(stdout);
	(void)getchar();
	stop(d);
	return 7;
}
END
sed 's/#define _GNU_SOURCE 1//' "$d/plain.c" >"$d/plus.cc"
sed 's/^#include <microhttpd.h>$/&\n#include <tailbox\/mhd_drop_in.h>/' \
	"$d/plain.c" >"$d/after.c"
sed 's/^#define _GNU.*/&\n#include <tailbox\/mhd_drop_in.h>/' "$d/plain.c" \
	>"$d/before.c"

if test -e "$top_builddir/.libs/libtailbox.so"; then
	libs="-L$top_builddir/.libs -Wl,-rpath,$top_builddir/.libs -ltailbox"
else
	libs=$top_builddir/.libs/libtailbox.a
fi

# build NAME SOURCE COMPILER AND OPTIONS...
build() {
	program=$d/$1
	source=$d/$2
	shift 2
	# shellcheck disable=SC2086 # words on purpose
	"$@" -Wall -Wextra -Werror $SANITIZED $include_path -o "$program" \
		"$source" $libs $TEST_LIBS -pthread ||
		fail "$source does not compile"
}

pid=
quit() {
	test -z "$pid" || kill -KILL "$pid" 2>/dev/null || :
	wait
	rm -rf "$d"
}
trap quit EXIT

# serve NAME: starts it; $port, $pid. finish ends it by the end of its input.
serve() {
	rm -f "$d/in" "$d/port"
	mkfifo "$d/in"
	"$d/$1" <"$d/in" >"$d/port" &
	pid=$!
	exec 9>"$d/in"
	until_ok test -s "$d/port"
	port=$(cat "$d/port")
}

finish() {
	exec 9>&-
	rc=0
	wait "$pid" || rc=$?
	pid=
	test "$rc" = 7 || fail "the program ended with $rc, not with its own 7"
}

get() {
	test "$(curl -sS "http://127.0.0.1:$port/page")" = plain ||
		fail "no answer"
}

# captured NAME: a window of its requests, each suspended once; its name is the
# program's, and exit() stops tailbox: nothing is left behind.
captured() {
	serve "$1"
	run 0 arm "$1"
	for i in 1 2 3 4 5; do get; done
	run 0 disarm "$1"
	until_ok "$tailbox" fetch --to json "$1#1" -o "$d/$1.json"
	test "$(grep -o '"route": *"/page"' "$d/$1.json" | wc -l)" -ge 5 ||
		fail "$1: not the five requests"
	# Which the resume tells by its new name only.
	grep -q '"resume_delay"' "$d/$1.json" || fail "$1: no resume was seen"
	# And whose the content is by the calls that make and queue it.
	grep -q '"reader_us"' "$d/$1.json" || fail "$1: no content reader"
	finish
	test -z "$(find "$d/run" -maxdepth 1 -name "$1.*")" ||
		fail "$1 left its tape behind"
	checks=$((checks + 1))
}

drop_in="-include tailbox/mhd_drop_in.h"
# shellcheck disable=SC2086 # words on purpose
build plain plain.c $CC $drop_in
captured plain
# shellcheck disable=SC2086
build after after.c $CC
captured after
# shellcheck disable=SC2086
build before before.c $CC
captured before
if test -n "$CXX"; then
	# shellcheck disable=SC2086
	build plus plus.cc $CXX $drop_in
	captured plus
fi

# A window that is armed at exit() is written by it.
serve plain
run 0 arm plain
get
finish
last=$(find "$d/run/artifacts" -name 'plain-*-1.tailbox' | sort | tail -n 1)
run 0 validate "$last"
has out "valid: 1 request"

# Off is plain MHD.
TAILBOX=off
export TAILBOX
serve plain
get
test -z "$(find "$d/run" -maxdepth 1 -name 'plain.*')" || fail "off, and recorded"
finish
done_well
