#!/bin/sh
# SPDX-License-Identifier: MIT
# A service of Ulfius is recorded with its endpoints as routes: by the adapter
# tailbox/ulfius.h, and, where the service knows nothing of tailbox, by the agent.
# What a client gets is the same as from the bare service. Where Ulfius is not
# installed it is unpacked beside, since its package and the one that tailbox needs
# of libcurl exclude each other.
. "$(dirname "$0")/cli_common.sh"
. "$(dirname "$0")/beside.sh"
need curl pkg-config
test -z "$SANITIZED" || skip "of a library that the sanitizer does not know"
top=$(cd "$top_srcdir" && pwd)
built=$(cd "$top_builddir" && pwd)
tailbox=$built/tailbox
agent=$built/.libs/libtailbox-agent.so
unset LD_PRELOAD TAILBOX TAILBOX_NAME

# --- Ulfius -------------------------------------------------------------------

if pkg-config --exists libulfius; then
	cflags=$(pkg-config --cflags libulfius)
	flags="$cflags $(pkg-config --libs libulfius)"
	version=$(pkg-config --modversion libulfius)
else
	beside_from ""
	version=$(beside_has libulfius-dev) || skip "this system has no Ulfius"
	beside_whole "$d/ulfius" libulfius-dev
	so=$(find "$d/ulfius" -name 'libulfius.so' | head -n 1)
	lib=$(dirname "$so")
	cflags="-isystem $d/ulfius/usr/include"
	flags="$cflags -L$lib -l:$(readlink "$so") -Wl,-rpath-link,$lib"
	LD_LIBRARY_PATH=$(beside_libs "$d/ulfius"):${LD_LIBRARY_PATH-}
	export LD_LIBRARY_PATH
fi
libs="$flags $TEST_LIBS"
own="-DWITH_TAILBOX $include_path -L$built/.libs -ltailbox"
# shellcheck disable=SC2086 # words on purpose
$CC $TEST_CFLAGS -D_GNU_SOURCE -o "$d/bare" "$top/tests/ulfius/api.c" $libs \
	>"$d/cc" 2>&1 || fail "the bare service: $(cat "$d/cc")"
# shellcheck disable=SC2086
$CC $TEST_CFLAGS -D_GNU_SOURCE -o "$d/api" "$top/tests/ulfius/api.c" $own $libs \
	>"$d/cc" 2>&1 || fail "with the adapter: $(cat "$d/cc")"
# As tests/check-headers does, which has no Ulfius. That is not strict itself.
echo '#include <tailbox/ulfius.h>' >"$d/alone.c"
cp "$d/alone.c" "$d/alone.cc"
# shellcheck disable=SC2086
$CC -std=c99 -pedantic -Wall -Wextra -Werror $include_path $cflags \
	-fsyntax-only "$d/alone.c" || fail "it does not compile alone as C99"
# shellcheck disable=SC2086
test -z "$CXX" || $CXX -std=c++11 -Wall -Wextra -Werror $include_path $cflags \
	-fsyntax-only "$d/alone.cc" || fail "it does not compile alone as C++11"
LD_LIBRARY_PATH=$built/.libs:${LD_LIBRARY_PATH-}
export LD_LIBRARY_PATH

# --- a service ----------------------------------------------------------------

mkfifo "$d/in"
pid=
trap 'test -z "$pid" || kill -9 "$pid" 2>/dev/null; rm -rf "$d"' EXIT

# begin COMMAND...: until it has told its port.
begin() {
	show=$*
	checks=$((checks + 1))
	rm -f "$d/out" "$d/err"
	exec 9<>"$d/in"
	"$@" <"$d/in" 9>&- >"$d/out" 2>"$d/err" &
	pid=$!
	until_ok grep -q '^port ' "$d/out"
	url=http://127.0.0.1:$(sed -n 's/^port //p' "$d/out")
}

# What is asked, a number of times each, and under which route it is found.
asked() {
	cat <<-'END'
		30 GET /users/17 GET /users/{id}
		20 GET /users/anna?x=1 GET /users/{id}
		10 POST /users POST /users
		5 GET /files/a/b.txt GET /files/*
		2 DELETE /users/17 /users/*
		3 GET /nowhere {unmatched}
	END
}

# ask FILE: the answers to all of it.
ask() {
	asked | while read -r times method path _; do
		set --
		test "$method" != POST || set -- -d name=eve
		for _ in $(seq "$times"); do
			curl -sS --max-time 20 -X "$method" "$@" -w '%{http_code}\n' \
				"$url$path" || fail "$show: no answer to $path"
		done
	done >"$1"
}

finish() {
	echo >&9
	rc=0
	wait "$pid" || rc=$?
	pid=
	exec 9>&-
	test $rc = 0 || fail "$show: exit status $rc: $(cat "$d/err")"
}

# found JSON: as many requests by each route as were sent.
found() {
	python3 - "$1" >"$d/have" <<-'END'
		import collections, json, sys
		run = json.load(open(sys.argv[1]))
		seen = collections.Counter(r["route"] for r in run["requests"])
		for route, times in seen.items():
		    print(times, route)
	END
	asked | awk '{ n[$4 ($5 == "" ? "" : " " $5)] += $1 }
		END { for (r in n) print n[r], r }' | sort >"$d/want"
	sort "$d/have" | diff -u "$d/want" - ||
		fail "$show: requests by route are others"
}

# --- bare; with the adapter; by the agent -------------------------------------

begin "$d/bare"
ask "$d/bare.answers"
finish
test "$(wc -l <"$d/bare.answers")" -ge 70 || fail "$show: few answers"

begin "$d/api"
run 0 arm api
ask "$d/api.answers"
run 0 disarm api
run 0 fetch api -o "$d/api.tailbox"
finish
diff "$d/bare.answers" "$d/api.answers" || fail "$show: answers are others"
run 0 validate "$d/api.tailbox"
run 0 export --to json "$d/api.tailbox"
cp "$d/out" "$d/api.json"
found "$d/api.json"
test "$(grep -o '"look_up"' "$d/api.json" | wc -l)" -ge 50 ||
	fail "$show: the stages of 50 requests are not there"

# Switched off it is the bare service.
export TAILBOX=off
begin "$d/api"
ask "$d/off.answers"
finish
unset TAILBOX
diff "$d/bare.answers" "$d/off.answers" || fail "$show: answers are others"

test -e "$agent" || skip "no agent was built (with the adapter all is well)"
begin "$tailbox" run --agent "$agent" --no-report -o "$d/agent.tailbox" -- "$d/bare"
ask "$d/agent.answers"
finish
diff "$d/bare.answers" "$d/agent.answers" || fail "$show: answers are others"
run 0 validate "$d/agent.tailbox"
run 0 export --to json "$d/agent.tailbox"
cp "$d/out" "$d/agent.json"
found "$d/agent.json"

# One that records itself is left to itself.
begin "$tailbox" run --agent "$agent" --no-report -- "$d/api"
ask "$d/both.answers"
finish
diff "$d/bare.answers" "$d/both.answers" || fail "$show: answers are others"
has err "it has libtailbox of its own"
echo "$me: Ulfius $version, $(wc -l <"$d/want") routes, by the adapter and by the agent"
