#!/bin/sh
# SPDX-License-Identifier: MIT
# `tailbox analyze --assert`: exit status of each verdict, what is printed and
# where, and what is wrong before anything is loaded.
. "$(dirname "$0")/cli_common.sh"
data=$top_srcdir/tests/data
need awk

# make_run FILE N DROPPED: N requests of /checkout of 1 ms, the last three of 300
# ms; one of /rare.
make_run() {
	awk -v n="$2" -v dropped="${3-0}" 'BEGIN {
		print "{\"schema_version\": 2, \"metadata\": {\"run_id\": \"r\","
		print "\"service_name\": \"s\", \"mode\": \"light\","
		print "\"started_at_unix_ms\": 1767225600000,"
		print "\"finalized_at_unix_ms\": 1767225900000}, \"requests\": ["
		for (i = 0; i <= n; i++) {
			us = i >= n - 3 && i < n ? 300000 : 1000
			printf "%s{\"request_id\": \"%d\",", i ? "," : "", i
			printf "\"route\": \"%s\",", i < n ? "/checkout" : "/rare"
			printf "\"started_at_unix_ms\": 1767225600000,"
			printf "\"finished_at_unix_ms\": 1767225800000,"
			printf "\"started_at_run_us\": %d,", i * 400000
			printf "\"finished_at_run_us\": %d,", i * 400000 + us
			printf "\"latency_us\": %d,", us
			printf "\"outcome\": \"%s\"}\n", i ? "ok" : "error"
		}
		print "], \"stages\": [], \"queues\": [], \"inflight\": [],"
		print "\"runtime_snapshots\": [], \"truncation\": {"
		print "\"dropped_requests\": " dropped ", \"dropped_stages\": 0,"
		print "\"dropped_queues\": 0, \"dropped_inflight_snapshots\": 0,"
		print "\"dropped_runtime_snapshots\": 0, \"limits_hit\": " \
			(dropped ? "true" : "false") "}}"
	}' >"$1"
}

# gate STATUS ARGUMENT...: the report is on standard output in any case, and
# what is not ok is on standard error.
gate() {
	want=$1
	shift
	rc=0
	"$tailbox" analyze "$@" >"$d/out" 2>"$d/err" </dev/null || rc=$?
	show="tailbox analyze $*"
	checks=$((checks + 1))
	test "$rc" = "$want" || {
		cat "$d/out" "$d/err"
		fail "$show: exit status $rc, not $want"
	}
	test -s "$d/out" || fail "$show: no report"
	test "$rc" = 0 || has err "gate"
	test "$rc" != 0 || test ! -s "$d/err" || fail "$show: has a complaint"
}

run_=$d/run.json
make_run "$run_" 200
make_run "$d/lossy.json" 200 50
run 0 validate "$run_"

# --- each gate fires, and does not --------------------------------------------

gate 0 "$run_" --assert 'p99(/checkout) < 1s'
tail -n 1 "$d/out" >"$d/last"
echo 'assert p99(/checkout) < 1s: ok, 300 ms' | diff - "$d/last" ||
	fail "another line"
gate 3 "$run_" --assert 'p99(/checkout) < 200ms'
has out 'assert p99(/checkout) < 200ms: failed, 300 ms'
has err 'gate failed: of 1 assertion 1 failed, 0 cannot be judged'
gate 0 "$run_" --assert 'p50 <= 1ms'
gate 3 "$run_" --assert 'p50 < 1ms'
gate 0 "$run_" --assert 'p95 < 2ms'
gate 3 "$run_" --assert 'p95 > 2ms'
gate 0 "$run_" --assert 'max <= 0.3s'
gate 3 "$run_" --assert 'max < 0.3s'
gate 0 "$run_" --assert 'mean < 5.463ms'
gate 3 "$run_" --assert 'mean < 5.462ms'
gate 0 "$run_" --assert 'count >= 201'
gate 3 "$run_" --assert 'count(/checkout) >= 201'
gate 0 "$run_" --assert 'error_rate < 0.5%'
gate 3 "$run_" --assert 'error_rate(/checkout) < 0.5%'
gate 0 "$run_" --assert 'error_rate(/rare) <= 0%'
gate 0 "$run_" --assert 'no insufficient_evidence above 50'
gate 3 "$run_" --assert 'no insufficient_evidence'
has out 'assert no insufficient_evidence: failed, score 50, low confidence'
gate 0 "$data/spec-example.json" --assert 'max(/items/{id}) < 1s'

gate 4 "$run_" --assert 'p99(/rare) < 1s'
has out 'cannot be judged: p99 needs 101 requests, there is 1'
has err 'gate cannot be judged: of 1 assertion 0 failed, 1 cannot be judged'
gate 4 "$run_" --assert 'no application_queue_saturation'
gate 4 "$run_" --assert 'queue_share < 10%'
gate 4 "$d/lossy.json" --assert 'count < 240'
has out 'cannot be judged: requests are missing (50 dropped); what is there: 201'
gate 0 "$d/lossy.json" --assert 'count > 200'
gate 0 "$d/lossy.json" --assert 'p50 < 2ms'
gate 3 "$d/lossy.json" --assert 'max < 200ms'
gate 4 "$d/lossy.json" --assert 'max < 1s'
gate 4 "$d/lossy.json" --assert 'p50(/gone) < 1s'

# A failure is certain, whatever the others would have said.
gate 3 "$run_" --assert 'p99(/rare) < 1s' --assert 'max < 1ms' \
	--assert 'p50 < 1s'
has err 'gate failed: of 3 assertions 1 failed, 1 cannot be judged'
test "$(grep -c '^assert ' "$d/out")" = 3 || fail "not three lines"
gate 4 "$run_" --assert 'p99(/rare) < 1s' --assert 'p50 < 1s'
gate 0 "$run_" --assert 'p50 < 1s' --assert 'p50 < 1s'

# --- the report is as without; JSON -------------------------------------------

run 0 analyze "$run_"
cp "$d/out" "$d/plain"
gate 3 "$run_" --assert 'max < 1ms'
head -n "$(awk 'END { print NR }' "$d/plain")" "$d/out" >"$d/head"
cmp "$d/head" "$d/plain" || fail "the report is another one with --assert"
gate 3 "$run_" --json --assert 'max < 1ms' --assert 'p50 < 1s'
has out '        "verdict": "failed"'
has out '        "verdict": "ok"'
has err 'assert max < 1ms: failed, 300 ms'
grep -q 'assert p50' "$d/err" && fail "$show: tells what is ok"
tail -n 1 "$d/out" | grep -qx '}' || fail "$show: lines behind the JSON"
if command -v python3 >/dev/null; then
	python3 -m json.tool <"$d/out" >/dev/null || fail "$show: no JSON"
fi
gate 3 "$run_" --json --compat --assert 'max < 1ms'
has err 'assert max < 1ms: failed, 300 ms'
grep -q assertions "$d/out" && fail "$show: ours with --compat"
gate 3 "$run_" --compat --assert 'no insufficient_evidence'

# --- wrong, and told before anything is loaded --------------------------------

run 2 analyze "$d/none" --assert 'p98 < 1s'
has err '--assert "p98 < 1s": column 1: no metric "p98"; there are p50, p95,'
run 2 analyze "$d/none" --assert 'p99 < 1s' --assert 'no worker'
has err '--assert "no worker": column 4: no suspect "worker"; there are '
run 2 analyze "$d/none" --assert 'p99(/ä) = 1s'
has err 'column 9: <, <=, > or >= is expected'
run 2 analyze "$d/none" --assert ''
has err 'column 1: a metric or "no" is expected'
run 2 analyze "$d/none" --assert 'p99 < 200'
has err 'column 10: this number takes us, ms or s, as in 200ms'
run 2 analyze "$d/none" --assert 'no blocking_pool_pressure(/a)'
has err 'blocking_pool_pressure is told of the whole run only'
run 2 analyze "$d/none" --assert
run 1 analyze "$d/none" --assert 'p99 < 1s'
run 2 analyze "$run_" --assert 'p99(/nowhere) < 1s'
has err '--assert: p99(/nowhere) < 1s: no request of route /nowhere'
run 2 analyze "$run_" --assert 'no insufficient_evidence(/nowhere)'
set --
for i in 0 1 2 3 4 5 6 7 8 9; do
	set -- "$@" --assert 'p50 < 1s' --assert 'p50 < 1s' --assert 'p50 < 1s' \
		--assert 'p50 < 1s' --assert 'p50 < 1s' --assert 'p50 < 1s' \
		--assert 'p50 < 1s' --assert 'p50 < 1s' --assert 'p50 < 1s' \
		--assert 'p50 < 1s'
done
gate 0 "$run_" "$@"
run 2 analyze "$d/none" "$@" --assert 'p50 < 1s'
has err '--assert: more than 100 assertions'

if test -c /dev/full; then
	rc=0
	"$tailbox" analyze "$run_" --assert 'max < 1ms' \
		>/dev/full 2>"$d/err" || rc=$?
	test $rc = 1 || fail "a full disk: exit status $rc, not 1"
fi
done_well
