#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox top on demo/shop: under load, stopped, in a deadlock, killed.
. "$(dirname "$0")/cli_shop.sh"
need python3

# Without waiting for the answer.
get_later() {
	clients="$clients $(curl -s -o "$d/body" --max-time 20 \
		"http://127.0.0.1:$port$1" >/dev/null 2>&1 & echo $!)"
}

# json EXPRESSION: of the document in $d/out, called t.
json() {
	python3 - "$d/out" "$1" <<-'END' || fail "$show: not so: $1"
		import json, sys
		t = json.load(open(sys.argv[1]))
		sys.exit(0 if eval('(' + sys.argv[2] + ')') else 1)
	END
}

# --- under load, and stopped --------------------------------------------------

start_shop
"$top_builddir/demo/load" --port "$port" --requests 300 --connections 4 >/dev/null
for target in "" shop "$pid" "$tape" "${tape%.tape}.sock"; do
	# shellcheck disable=SC2086 # none or one
	run 0 top --once $target
	has out "shop 1.0  pid $pid  LIVE"
	has out "lost      nothing"
done
until_ok sh -c "'$tailbox' top --json | grep -q '\"finished\": 300'"
run 0 top --json --once "$pid"
json "t['source'] == 'tape' and t['state'] == 'live' and t['recording']"
json "t['lost'] == {} and t['pid'] == $pid and not t['ages_frozen']"
json "t['last_10_s']['finished'] <= 300 and t['last_10_s']['span_us'] > 0"
json "t['recorder_cpu_us'] >= 0 and t['history_us'] > 0"
json "[w['daemon'] for w in t['workers']] == [1, 1]"

# No frame waits for the process. Under load, so that requests are open.
"$top_builddir/demo/load" --port "$port" --requests 100000 --connections 8 \
	--seconds 30 >/dev/null 2>&1 &
load=$!
clients="$clients $load"
stopped_with_open() {
	kill -STOP "$pid"
	until_ok sh -c "'$tailbox' ls | grep -q ' stopped '"
	"$tailbox" top --json "$pid" >"$d/out" && grep -q '"open": [1-9]' "$d/out" &&
		return
	kill -CONT "$pid"
	return 1
}
until_ok stopped_with_open
start=$(date +%s%N)
"$tailbox" top --once --json "$pid" >"$d/out"
took=$((($(date +%s%N) - start) / 1000000))
show="top of a stopped process"
test -n "$SANITIZED" || test "$took" -le 1000 || fail "$show took $took ms"
json "t['state'] == 'stopped' and t['ages_frozen']"
json "len(t['workers']) == 2 and len(t['requests']) == t['open'] >= 1"
json "t['last_10_s']['finished'] > 0 and t['last_10_s']['p99_us'] > 0"
json "all(r['age_us'] < 10e6 and r['phase'] for r in t['requests'])"
cp "$d/out" "$d/first"
run 0 top --once --json "$pid"
json "t['requests'] == json.load(open('$d/first'))['requests']"
json "t['workers'] == json.load(open('$d/first'))['workers']"
run 0 top --once "$pid"
has out "STOPPED"
has out "times count up to its last record"
kill -CONT "$pid"
kill "$load"
wait "$load" 2>/dev/null || :
until_ok sh -c "'$tailbox' top --json | grep -q '\"open\": 0'"
run 0 top --json
json "t['finished'] == t['begun'] and t['lost'] == {}"
kill_shop
run 0 top --once "$tape"
has out "pid $was  DEAD"
rm -f "$d"/run/shop.*

# --- in a deadlock ------------------------------------------------------------

# Two requests that one worker got do not lock each other out: until they do.
# A deadlock is what is asked for here: TSan is not to end it first.
TSAN_OPTIONS="${TSAN_OPTIONS-} detect_deadlocks=0"
export TSAN_OPTIONS
start_shop --trouble deadlock
deadlocked() {
	get_later /items
	get_later /items/7
	sleep 0.4
	"$tailbox" top --json "$pid" >"$d/out"
	test "$(grep -c '"kind": "wait"' "$d/out")" -ge 4
}
until_ok deadlocked
run 0 top --once --json "$pid"
json "t['state'] == 'live' and len(t['workers']) == 2"
json "all(w['held']['kind'] == 'handler' for w in t['workers'])"
json "{w['held']['route']: w['held']['where']['name'] for w in t['workers']}
	== {'/items': 'price_lock', '/items/{id}': 'stock_lock'}"
json "{r['route'] for r in t['requests'] if r['where']}
	== {'/items', '/items/{id}'}"
json "all(r['where']['kind'] == 'wait' and
	r['where']['site'].startswith('shop_trouble.c:') and
	r['where']['for_us'] > 0 for r in t['requests'] if r['where'])"
json "{w['held']['number'] for w in t['workers']}
	== {r['number'] for r in t['requests'] if r['where']}"
json "{q['name']: q['waiting'] for q in t['queues'] if q['waiting']}
	== {'price_lock': 1, 'stock_lock': 1}"
run 0 top --once --width 80 shop
has out "in wait price_lock for"
has out "at shop_trouble.c:"
has out "wait stock_lock 1 waiting"
test "$(wc -L <"$d/out")" -le 80 || fail "$show: over 80 columns"

kill_shop
run 0 top --once
has out "pid $was  DEAD"
has out "in wait price_lock for"
run 0 top --json shop
json "t['state'] == 'dead' and t['ages_frozen'] and t['recorder_cpu_us'] is None"
json "sum(1 for r in t['requests'] if r['where']) == 2"
cp "$d/out" "$d/first"
run 0 top --json shop
json "t['requests'] == json.load(open('$d/first'))['requests']"

# --- what cannot be -----------------------------------------------------------

run 1 top --once nobody
run 1 top --once http://127.0.0.1:1
has err "not over a URL"
run 1 top "$tape"
has err "--once prints one frame"
run 2 top --once --width 39
run 2 top --interval 1ms
head -c 5000 "$tape" >"$d/run/cut.1.tape"
run 1 top --once "$d/run/cut.1.tape"
done_well
