#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox compare: what it prints, wrong input, and each gate of CI.
. "$(dirname "$0")/cli_common.sh"
data=$top_srcdir/tests/data

# make FILE SECONDS PER_SECOND PERCENT: a run of two routes with latencies from
# 1 to 1.4 ms times PERCENT; the second one has a tenth of the requests.
make_run() {
	awk -v seconds="$2" -v rate="$3" -v percent="$4" 'BEGIN {
		print "{\"schema_version\":2,\"metadata\":{\"run_id\":\"r\","
		print "\"service_name\":\"shop\",\"service_version\":null,"
		print "\"started_at_unix_ms\":1767225600000,"
		printf "\"finalized_at_unix_ms\":%.0f", \
			1767225600000 + seconds * 2000
		print ",\"mode\":\"light\",\"effective_core_config\":null,"
		print "\"effective_tokio_sampler_config\":null,\"host\":null,"
		print "\"pid\":null,\"lifecycle_warnings\":[],"
		print "\"unfinished_requests\":{\"count\":0,\"sample\":[]},"
		print "\"run_end_reason\":\"manual_disarm\"},\"requests\":["
		seed = 1
		for (i = 0; i < seconds * rate; i++) {
			seed = (seed * 16807) % 2147483647
			us = int((1000 + seed % 400) * percent / 100)
			at = int(i * 1000000 / rate)
			ms = 1767225600000 + int(at / 1000)
			end = 1767225600000 + int((at + us) / 1000)
			printf "%s{\"request_id\":\"r%d\",\"route\":\"%s\",", \
				i ? "," : "", i, i % 10 ? "/a" : "/b"
			printf "\"kind\":null,\"started_at_unix_ms\":%.0f,", ms
			printf "\"finished_at_unix_ms\":%.0f,", end
			printf "\"started_at_run_us\":%d,", at
			printf "\"finished_at_run_us\":%d,", at + us
			printf "\"latency_us\":%d,\"outcome\":\"ok\"}\n", us
		}
		print "],\"stages\":[],\"queues\":[],\"inflight\":[],"
		print "\"runtime_snapshots\":[],\"truncation\":{"
		print "\"dropped_requests\":0,\"dropped_stages\":0,"
		print "\"dropped_queues\":0,\"dropped_inflight_snapshots\":0,"
		print "\"dropped_runtime_snapshots\":0,\"limits_hit\":false}}"
	}' >"$1"
}

# gate STATUS ARGUMENT...: the comparison is on standard output also with 3
# and 4, and why on standard error.
gate() {
	want=$1
	shift
	rc=0
	"$tailbox" compare "$@" >"$d/out" 2>"$d/err" </dev/null || rc=$?
	show="tailbox compare $*"
	checks=$((checks + 1))
	test "$rc" = "$want" || {
		cat "$d/out" "$d/err"
		fail "$show: exit status $rc, not $want"
	}
	test -s "$d/out" || fail "$show: no comparison"
	test "$rc" = 0 || has err "gate"
	test "$rc" != 0 || test ! -s "$d/err" || fail "$show: has a complaint"
}

before=$d/before.json
make_run "$before" 20 200 100
make_run "$d/slower.json" 20 200 150
make_run "$d/bit.json" 20 200 107
make_run "$d/faster.json" 20 200 60
make_run "$d/thin.json" 20 5 100
make_run "$d/one.json" 1 1 100
run 0 validate "$before"

# --- what it prints -----------------------------------------------------------

run 0 compare "$before" "$d/slower.json"
has out "regressed: 7 regressed, 0 improved, 0 no difference shown,"
has out "all requests  (4000 | 4000 requests)"
has out "cannot judge: 400 of 3000 requests"
has out "suspects"
test -z "$(awk 'length > 80' "$d/out")" || fail "$show: is wide"
cp "$d/out" "$d/first"
run 0 compare "$before" "$d/slower.json"
cmp "$d/out" "$d/first" || fail "$show: another result the second time"
run 0 compare "$before" "$d/faster.json"
has out "improved: 0 regressed, 7 improved,"
run 0 compare "$before" "$before"
has out "no difference shown: 0 regressed, 0 improved, 7"
run 0 compare "$before" "$d/thin.json"
has out "after   SMALL: 100 requests; p50 needs 60, p95 600, p99 3000"
has out "cannot judge: 0 regressed"
run 0 compare "$before" "$d/one.json"
run 0 compare "$data/tiny.tailbox" "$data/spec-example.json"
"$tailbox" compare - "$d/slower.json" <"$before" | cmp - "$d/first" ||
	fail "standard input gives another comparison"

run 0 compare --json --route /b --metric p50 "$before" "$d/slower.json"
has out '"verdict": "regressed"'
has out '"metric": "p50"'
has out '"requests_before": 400'
if grep -q '"metric": "p95"' "$d/out"; then
	fail "$show: has a metric that was not asked for"
fi
if command -v python3 >/dev/null; then
	run 0 compare --json "$before" "$d/thin.json"
	python3 -m json.tool <"$d/out" >/dev/null || fail "$show: no JSON"
fi

# --- gates --------------------------------------------------------------------

gate 3 --fail-on regressed "$before" "$d/slower.json"
has err "gate failed: 7 of 7 percentiles regressed"
gate 3 --fail-on inconclusive,regressed "$before" "$d/slower.json"
gate 3 --json --fail-on regressed "$before" "$d/slower.json"
gate 0 --fail-on regressed "$before" "$before"
gate 0 --fail-on regressed,inconclusive "$before" "$before"
gate 0 --fail-on regressed "$before" "$d/faster.json"
gate 0 --fail-on inconclusive "$before" "$d/slower.json"
# 7% more: surely not 10% of /a. Of the few requests of /b it might be.
gate 0 --fail-on regressed --route /a "$before" "$d/bit.json"
gate 3 --fail-on regressed --route /a --min-effect 5% "$before" "$d/bit.json"
gate 0 --fail-on regressed --min-effect 60% "$before" "$d/slower.json"
# p50 can be judged of 100 requests, the others cannot.
gate 0 --fail-on regressed "$before" "$d/thin.json"
gate 4 --fail-on regressed,inconclusive "$before" "$d/thin.json"
has err "not every percentile of all requests"
gate 4 --fail-on inconclusive --route /b "$before" "$before"
gate 0 --fail-on regressed,inconclusive --metric p50 "$before" "$d/thin.json"
gate 4 --fail-on regressed "$before" "$d/one.json"
has err "no percentile can"
gate 3 --fail-on regressed --route /b --metric p50 "$before" "$d/slower.json"

# --- wrong --------------------------------------------------------------------

run 2 compare
run 2 compare "$before"
run 2 compare "$before" "$before" "$before"
run 2 compare --route /none "$before" "$d/slower.json"
has err "--route: no request of route /none in either run"
run 2 compare --metric p98 "$before" "$before"
has err "--metric: \"p98\" is not p50, p95 or p99"
run 2 compare --metric "" "$before" "$before"
for gate in improved regressed, ,regressed "" regressed,improved Regressed; do
	run 2 compare --fail-on "$gate" "$before" "$before"
	has err "--fail-on: "
done
for effect in 5 0% 0.9% 1000.1% 1001% % 5%% -5% .5% 5.% 5.25% "" x% \
	99999999999999999999%; do
	run 2 compare "--min-effect=$effect" "$before" "$before"
	has err "--min-effect: "
done
for effect in 1% 1000% 2.5%; do
	run 0 compare "--min-effect=$effect" "$before" "$before"
done
run 2 compare --route /a --route /b "$before" "$before"
has err "given twice"
run 2 compare - -
run 1 compare "$d/none" "$before"
run 1 compare "$before" "$d/none"
printf 'hello\n' >"$d/words"
run 1 compare "$before" "$d/words"
sed 's/"finalized_at_unix_ms": 1767225603000/"finalized_at_unix_ms": null/' \
	"$data/spec-example.json" >"$d/live.json"
run 1 compare "$before" "$d/live.json"
has err "not finalized"
if test -c /dev/full; then
	rc=0
	"$tailbox" compare --fail-on regressed "$before" "$d/slower.json" \
		>/dev/full 2>"$d/err" || rc=$?
	test $rc = 1 || fail "a full disk: exit status $rc, not 1"
fi
done_well
