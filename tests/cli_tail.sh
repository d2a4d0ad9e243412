#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox tail on demo/shop: while it serves, when it is killed; and the log of
# slow requests that it writes itself.
. "$(dirname "$0")/cli_shop.sh"
need python3

printf '[log]\nslow = "100ms"\n' >"$d/tailbox.conf"
TAILBOX_CONFIG=$d/tailbox.conf
export TAILBOX_CONFIG
start_shop --trouble sleep
unset TAILBOX_CONFIG

"$tailbox" tail "$pid" >"$d/all" 2>"$d/all.err" &
all=$!
"$tailbox" tail --json --slow 100ms shop >"$d/slow" 2>/dev/null &
slow=$!
until_ok sh -c "kill -0 $all && kill -0 $slow"
# It begins with what ends from now on: so until it sees something.
seen() {
	get /items/7
	test -s "$d/all"
}
until_ok seen
get /quote/7
get /nothing
get /items
until_ok grep -q 'route=/items ' "$d/all"
until_ok grep -q quote "$d/slow"
show="tailbox tail"
grep -q '^time=20.*Z id=[0-9]* route=/items kind=http status=200 outcome=ok total_ms=[0-9.]* headers_ms=.* wait.db_pool_ms=.* worker=[0-9]' "$d/all" ||
	fail "another line: $(tail -n 1 "$d/all")"
grep -q 'status=404' "$d/all" || fail "no 404 line"
python3 - "$d/slow" <<'END' || fail "not JSON as expected: $(cat "$d/slow")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [l["route"] for l in lines] == ["/quote/{id}"], lines
assert lines[0]["total_us"] >= 150000 and lines[0]["status"] == 200
assert lines[0]["phases_us"]["handler"] >= 150000
assert "db_pool" in lines[0]["waits_us"]
END
until_ok grep -q 'msg="slow request" time=20.*route=/quote/{id}' "$d/shop.err"
test "$(grep -c 'msg="slow' "$d/shop.err")" = 1 || fail "logged: $(cat "$d/shop.err")"

# Ctrl-C, and a reader that has gone: quiet, and no failure.
kill -INT "$slow"
wait "$slow" || fail "$show: exit status $? after SIGINT"
run 0 tail --last 1h --count 2 shop
test "$(wc -l <"$d/out")" = 2 || fail "$show: not two lines"
run 0 tail --last 1h --status 4xx --count 1
has out "status=404"
(
	"$tailbox" tail --last 1h "$pid" 2>"$d/err"
	echo $? >"$d/status"
) | head -n 1 >/dev/null &
reader=$!
gone() {
	get /items
	test -s "$d/status"
}
until_ok gone
wait "$reader"
test "$(cat "$d/status")" = 0 || fail "$show: exit status $(cat "$d/status")"
test ! -s "$d/err" || fail "$show: not quiet: $(cat "$d/err")"

# It ends when the process does, and says so.
kill -KILL "$pid"
was=$pid
pid=
wait "$all" || fail "$show: exit status $?"
grep -q "shop (pid $was) has ended" "$d/all.err" || fail "$show: $(cat "$d/all.err")"
run 0 tail --last 1h --route /quote/{id} "$tape"
test "$(grep -c 'route=/quote/{id}' "$d/out")" = 1 || fail "$show: $(cat "$d/out")"
run 0 tail "$tape"
has err "--last 1h"
run 2 tail --status 6xx shop
run 2 tail --slow soon
run 1 tail nobody
run 1 tail http://127.0.0.1:1
done_well
