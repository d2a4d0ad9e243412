#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox analyze --failures: what it prints, as text and JSON, and wrong input.
. "$(dirname "$0")/cli_common.sh"
need awk

# make_run FILE BAD OUTCOME: BAD requests of /report that wait for db_pool for
# 1.9 of 2 s, all at 10 s, and 200 of /a of 1 ms, one every 300 ms. Their name
# has an escape character when NASTY is set.
make_run() {
	awk -v bad="$2" -v outcome="$3" -v nasty="${NASTY-}" '
	function request(id, route, at, us, outcome) {
		printf "%s{\"request_id\":\"%s\",\"route\":\"%s\",", comma, \
			id, route
		printf "\"started_at_unix_ms\":%.0f,", zero + int(at / 1000)
		printf "\"finished_at_unix_ms\":%.0f,", \
			zero + int((at + us) / 1000)
		printf "\"started_at_run_us\":%d,", at
		printf "\"finished_at_run_us\":%d,", at + us
		printf "\"latency_us\":%d,\"outcome\":\"%s\"}\n", us, outcome
		comma = ","
	}
	BEGIN {
		zero = 1767225600000
		print "{\"schema_version\":2,\"metadata\":{\"run_id\":\"r\","
		print "\"service_name\":\"shop\",\"service_version\":null,"
		printf "\"started_at_unix_ms\":%.0f,", zero
		printf "\"finalized_at_unix_ms\":%.0f,", zero + 60000
		print "\"mode\":\"light\",\"effective_core_config\":null,"
		print "\"effective_tokio_sampler_config\":null,\"host\":null,"
		print "\"pid\":null,\"lifecycle_warnings\":[],"
		print "\"unfinished_requests\":{\"count\":0,\"sample\":[]},"
		print "\"run_end_reason\":\"manual_disarm\"},\"requests\":["
		for (i = 0; i < bad; i++)
			request("b" i, "/report" (nasty ? "\\u001b[2J" : ""), \
				10000000 + i * 100000, 2000000, outcome)
		for (i = 0; i < 200; i++)
			request("g" i, "/a", i * 300000, 1000, "ok")
		print "],\"stages\":[],\"queues\":["
		for (i = 0; i < bad; i++) {
			at = 10000000 + i * 100000
			printf "%s{\"request_id\":\"b%d\",", i ? "," : "", i
			printf "\"queue\":\"db_pool\",\"depth_at_start\":%d,", i
			printf "\"waited_from_unix_ms\":%.0f,", \
				zero + at / 1000
			printf "\"waited_until_unix_ms\":%.0f,", \
				zero + at / 1000 + 1900
			printf "\"waited_from_run_us\":%d,", at
			printf "\"waited_until_run_us\":%d,", at + 1900000
			print "\"wait_us\":1900000,\"completed\":true}"
		}
		print "],\"inflight\":[],"
		print "\"runtime_snapshots\":[],\"truncation\":{"
		print "\"dropped_requests\":0,\"dropped_stages\":0,"
		print "\"dropped_queues\":0,\"dropped_inflight_snapshots\":0,"
		print "\"dropped_runtime_snapshots\":0,\"limits_hit\":false}}"
	}' >"$1"
}

make_run "$d/bad.json" 12 timeout
make_run "$d/good.json" 0 ok
NASTY=1 make_run "$d/nasty.json" 12 error
run 0 validate "$d/bad.json"

# --- what it prints -----------------------------------------------------------

run 0 analyze --failures "$d/bad.json"
test ! -s "$d/err" || fail "$show: has a complaint"
expect out <<EOT
shop  2026-01-01 00:00:00 UTC (60.0 s)  212 requests
12 timeouts

  12 of 12 timeouts waited on db_pool, up to 11 ahead
      95% of their time, median 1.90 s, at most 1.90 s
      shared: route /report: 12 of 12 (no other request)
      shared: began at 00:00:10.000 within 1.10 s of 60.0 s: 12 of 12 (2.0% of
        all others)

shared: by at least 80% of a group, at least 2 times as often as by all others,
        and not by chance (1 in 1000).
next: tailbox timeline TARGET --request b0
EOT
cp "$d/out" "$d/first"
"$tailbox" analyze --failures - <"$d/bad.json" | cmp - "$d/first" ||
	fail "standard input gives another grouping"
run 0 timeline "$d/bad.json" --request b0
run 0 analyze --failures --slow 2s "$d/bad.json"
cmp "$d/out" "$d/first" || fail "$show: a timeout is slow as well"
run 0 analyze --failures "$d/nasty.json"
has out 'shared: route /report\x1b[2J: 12 of 12'
run 0 analyze --failures "$d/good.json"
has out "no request failed"
run 0 analyze --failures --slow 1ms "$d/good.json"
has out "200 slow requests (1.00 ms or longer)"
has out "200 of 200 slow requests stayed where nothing was measured"
has out "no other requests to compare them with"
run 0 analyze --failures --slow 1.5s "$d/good.json"
has out "no request failed, and none took 1.50 s or longer"

run 0 analyze --failures --json --slow 200ms "$d/bad.json"
has out '"slow_us": 200000'
has out '"kind": "slow"'
has out '"longest_request_id": "b0"'
cp "$d/out" "$d/json"
run 0 analyze --failures --format json --slow 200ms "$d/bad.json"
cmp "$d/out" "$d/json" || fail "--format json is another than --json"
if command -v python3 >/dev/null; then
	python3 -m json.tool <"$d/json" >/dev/null || fail "no JSON"
fi

# --- wrong --------------------------------------------------------------------

run 2 analyze --slow 200ms "$d/bad.json"
has err "--slow needs --failures"
for slow in 0ms 0s 200 -1s 25h "" ms; do
	run 2 analyze --failures "--slow=$slow" "$d/bad.json"
	has err "--slow: "
done
run 2 analyze --failures --compat "$d/bad.json"
has err "--failures and --compat: which one?"
run 2 analyze --failures --set evidence.low_request_threshold=1 "$d/bad.json"
has err "--failures takes no analyzer options"
run 2 analyze --failures --failures "$d/bad.json"
has err "given twice"
run 1 analyze --failures "$d/none"
# What is not fit for a report is not fit for this, and by the same words.
sed 's/"request_id":"b0","route":"[^"]*"/"request_id":"b0","route":" "/' \
	"$d/bad.json" >"$d/blank.json"
run 1 analyze --failures "$d/blank.json"
has err "invalid: "
run 0 analyze --failures --allow-ambiguous-artifact "$d/blank.json"
has out "requests that are not valid, LEFT OUT: 1"
has out "11 of 11 timeouts waited on db_pool"
if test -c /dev/full; then
	rc=0
	"$tailbox" analyze --failures "$d/bad.json" >/dev/full 2>"$d/err" ||
		rc=$?
	test $rc = 1 || fail "a full disk: exit status $rc, not 1"
fi
done_well
