#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox snapshot and tailbox why: of a service that answers, one that is
# stopped, one without an admin server, and one that is dead.
. "$(dirname "$0")/cli_shop.sh"

start_shop
cd "$d"

# saved TEXT: the file that the last call printed is valid, with TEXT in it.
saved() {
	file=$(sed -n 's/^saved \([^,]*\).*/\1/p' "$d/out")
	test -n "$file" || fail "$show: names no file"
	run 0 validate "$file"
	has out "$1"
}

# Of two in one second the later one has ".2" in its name.
from_tape() {
	grep -q -- '-s0\(\.[0-9]*\)\{0,1\}\.tailbox, from the tape$' "$d/out" ||
		fail "$show: $(cat "$d/out")"
}

# --- it answers ---------------------------------------------------------------

for i in 1 2 3 4 5 6 7 8 9 10; do get /; done
run 0 snapshot shop --note "a & b"
has out "saved shop-"
has out "-s1.tailbox"
has out "10 requests of the last"
has out "next      tailbox analyze shop-"
saved "valid: 10 requests"
run 0 timeline "$file"
has out "note: a & b"
run 0 ls shop
has out "s1"
run 0 fetch shop#s1 -o "$d/fetched.tailbox"
cmp "$file" "$d/fetched.tailbox" || fail "the service keeps another s1"
run 0 snapshot --last 60s --json -o "$d/j.tailbox" shop
has out '"source": "service"'
has out '"asked_us": 60000000'
has out '"requests": 10'
run 0 why
has out "saved shop-"
has out "the tape reaches no further back: 60.0 s were asked for"
test "$(wc -l <"$d/out")" -le 30 || fail "why is long"
run 0 why --json
has out '"request_count": 10'
has err "saved shop-"
run 0 snapshot --tape shop
from_tape
saved "valid: 10 requests"

# A window that looks back.
run 0 arm --lookback 10m shop
run 0 disarm shop
until_ok "$tailbox" fetch shop#1 -o "$d/window.tailbox"
run 0 validate "$d/window.tailbox"
has out "valid: 10 requests"
run 0 capture 100ms --lookback 10m -o "$d/c.tailbox" shop
has out "10 requests"

# --- what cannot be -----------------------------------------------------------

run 2 snapshot --last 0s shop
run 2 snapshot --last 25h shop
run 2 why --mode x shop
run 2 snapshot -o - shop
run 2 snapshot shop shop
run 1 snapshot -o "$d/none/x.tailbox" shop
has err "cannot write"
run 1 snapshot --tape http://127.0.0.1:1
has err "leave out --tape"
run 1 snapshot -o /dev/full --tape shop
has err "cannot write"

# --- stopped, without a server, dead ------------------------------------------

stop_in_report
run 0 snapshot "$pid"
from_tape
has out "the process is stopped"
cp "$(sed -n 's/^saved \([^,]*\).*/\1/p' "$d/out")" stopped.tailbox
run 0 export --to json stopped.tailbox -o stopped.json
grep -q '"source": *"tape"' stopped.json || fail "no source in it"
grep -q '"open_requests"' stopped.json || fail "nothing is open in it"
run 0 why "$pid" -o why.tailbox
has out "saved why.tailbox, from the tape"
kill -CONT "$pid"
get /
mv "$sock" "$sock.away"
run 0 why "$tape"
has out "from the tape"
mv "$sock.away" "$sock"
kill_shop
run 0 why shop
has out "from the tape"
has out "the process is dead"
run 0 snapshot --last 1m --json shop
has out '"writer": "dead"'
has out '"source": "tape"'
cp "$tape" cut.tape
truncate -s 4000 cut.tape
run 1 why ./cut.tape
done_well
