#!/bin/sh
# SPDX-License-Identifier: MIT
# A process that is stopped (SIGSTOP) answers nobody; its tape still shows it.
. "$(dirname "$0")/../common.sh"
scratch
shop=
finish() {
	test -z "$shop" || kill -CONT "$shop" 2>/dev/null || :
	test -z "$shop" || kill "$shop" 2>/dev/null || :
	wait
	rm -rf "$d"
}
trap finish EXIT

TAILBOX_DIR=$d/run
export TAILBOX_DIR
TMPDIR=$d "$top_builddir/demo/shop" >"$d/out" 2>"$d/err" &
shop=$!
for _ in $(seq 100); do
	grep -q listening "$d/out" && break
	sleep 0.1
done
port=$(sed -n 's/^listening.*://p' "$d/out")
"$top_builddir/demo/load" --port "$port" --requests 200 --connections 4 >/dev/null
kill -STOP "$shop"
start=$(date +%s%N)
"$top_builddir/tailbox" status "$shop" >"$d/status" ||
	fail "status of a stopped process: exit $?"
took=$((($(date +%s%N) - start) / 1000000))
grep -q -i stopped "$d/status" || fail "not shown as stopped: $(cat "$d/status")"
grep -q 200 "$d/status" || fail "its requests are not shown: $(cat "$d/status")"
test -n "$SANITIZED" || test "$took" -lt 2000 || fail "took $took ms"
"$top_builddir/tailbox" ls >"$d/ls"
grep -q -i stopped "$d/ls" || fail "ls: $(cat "$d/ls")"
kill -CONT "$shop"
"$top_builddir/tailbox" status "$shop" >"$d/status"
if grep -q -i stopped "$d/status"; then
	fail "still shown as stopped after SIGCONT"
fi
"$top_builddir/demo/load" --port "$port" --requests 100 --connections 4 >/dev/null
# A client has its answer a moment before the server sees its request end.
for _ in $(seq 100); do
	"$top_builddir/tailbox" status --json "$shop" >"$d/status"
	grep -q '"finished": *300\b' "$d/status" && break
	sleep 0.1
done
kill -KILL "$shop"
wait "$shop" 2>/dev/null || :
"$top_builddir/tailbox" export --to json "$TAILBOX_DIR/shop.$shop.tape" \
	-o "$d/dead.json" || fail "export of a dead process's tape: exit $?"
"$top_builddir/tailbox" validate "$d/dead.json" >"$d/valid" || fail "not valid"
grep -q '300 requests' "$d/valid" || fail "$(cat "$d/valid")"
shop=
