#!/bin/sh
# SPDX-License-Identifier: MIT
# The command on a service that lives, is stopped, and is killed: demo/shop.
. "$(dirname "$0")/cli_shop.sh"

start_shop

run 0
has out "live"
has out "tailbox capture 10s shop"
run 0 ls
has out "$pid live"
for target in "" shop "$pid" "$tape" "${tape%.tape}.sock"; do
	run 0 status $target
	has out "shop"
done
run 0 status --tape
has out "pid $pid  LIVE"

# --- a window -----------------------------------------------------------------

run 0 arm --note "a & b = 100%" shop
has out "armed: window 1 of shop"
run 1 arm shop
has err "window 1"
for i in 1 2 3 4 5 6 7; do get /; done
run 0 disarm shop
has out "window 1"
# Closing takes a moment; disarming is no error at any time of it.
until_ok sh -c "'$tailbox' disarm shop | grep -q 'nothing was armed'"
until_ok "$tailbox" fetch shop#1 -o "$d/one.tailbox"
run 0 validate "$d/one.tailbox"
has out "valid: 7 requests"
run 0 timeline "$d/one.tailbox"
has out "note: a & b = 100%"
run 0 timeline shop#1
has out "7 requests"
run 0 ls shop
has out "HEADLINE"
has out "#1"
run 0 export --to json shop#1 -o "$d/one.json"
run 0 validate "$d/one.json"
run 0 fetch --to json shop -o "$d/fetched.json"
cmp "$d/one.json" "$d/fetched.json" || fail "export and fetch differ"
run 1 fetch shop#99
has err "no artifact 99"

# A made-up name never takes the place of a file.
cd "$d"
run 0 fetch shop
first=$(cat "$d/out")
run 0 fetch shop
test "$first" != "$(cat "$d/out")" || fail "a file was replaced"
(for i in 1 2 3 4; do get /; sleep 0.1; done) &
run 0 capture 500ms
has out "saved shop-"
has out "tailbox analyze --all shop-"
test "$(wc -l <"$d/out")" -le 27 || fail "the first screen is long"
wait $!

# --- the kill switch ----------------------------------------------------------

run 0 arm shop
run 0 off shop
has out "shop: recording is off"
has out "is closed, its artifact is written"
run 0 off shop
has out "recording is off already"
run 1 arm shop
has err "switched off by unix uid $(id -u) pid"
run 0 status shop
has out "no: switched off"
has out "what is under way is not seen"
run 0 status --tape
has out "OFF"
get /
# Until the window is written it stays off.
until_ok "$tailbox" on shop
run 0 on --json "$pid"
has out '"changed": false'
run 0 status shop
has out " on by unix uid"

# --- stopped, then killed -----------------------------------------------------

stop_in_report
run 0 status "$pid"
has out "STOPPED"
has out "report_query"
run 1 arm shop
has err "is stopped"
kill -CONT "$pid"
get /
kill_shop
run 0 status shop
has out "DEAD"
run 0 export --to json "$tape" -o "$d/dead.json"
run 0 validate "$d/dead.json"
run 0 timeline "$tape"
has out "/report"
run 1 capture 1s shop
has err "has ended"
done_well
