#!/bin/sh
# SPDX-License-Identifier: MIT
# `tailbox analyze`: exit status, standard output that is empty after every
# failure, what is said of artifacts and of options, and in which order.
. "$(dirname "$0")/cli_peers.sh"
data=$top_srcdir/tests/data
example=$data/spec-example.json
need awk gzip

# with FROM TO FILE: the example with one thing replaced.
with() {
	sed "s/$1/$2/" "$example" >"$d/$3"
	cmp -s "$d/$3" "$example" && fail "$3: nothing was replaced"
	return 0
}

# requests N BLANK: a run of N requests, the first BLANK of them without a
# route; the last two have one id when TWIN is set.
requests() {
	awk -v n="$1" -v blank="$2" -v twin="${TWIN-}" 'BEGIN {
		print "{\"schema_version\": 2, \"metadata\": {\"run_id\": \"r\","
		print "\"service_name\": \"s\", \"mode\": \"light\","
		print "\"started_at_unix_ms\": 1767225600000,"
		print "\"finalized_at_unix_ms\": 1767225603000}, \"requests\": ["
		for (i = 0; i < n; i++) {
			id = twin && i == n - 1 ? i - 1 : i
			printf "%s{\"request_id\": \"%d\",", i ? "," : "", id
			printf "\"route\": \"%s\",", i < blank ? " " : "/a"
			printf "\"started_at_unix_ms\": 1767225600000,"
			printf "\"finished_at_unix_ms\": 1767225600010,"
			printf "\"started_at_run_us\": %d,", i * 20000
			printf "\"finished_at_run_us\": %d,", i * 20000 + 9000
			print "\"latency_us\": 9000, \"outcome\": \"ok\"}"
		}
		print "], \"stages\": [], \"queues\": [], \"inflight\": [],"
		print "\"runtime_snapshots\": []}"
	}'
}

# --- the report ---------------------------------------------------------------

# The first screen, and with --all the report behind it.
run 0 analyze "$example"
cp "$d/out" "$d/text"
test "$(wc -l <"$d/out")" -le 25 || fail "more than 25 lines"
test -z "$(awk 'length > 80' "$d/out")" || fail "the first screen is wide"
has out "catalog  shop-2 pid 912   2026-01-01 00:00:00 UTC, 3.00 s   nothing cut off"
has out "TOO FEW  1 request of the 20 that a verdict takes"
has out "tailbox timeline --request _items__id_-1767225600200-0"
run 0 analyze --all "$example"
head -n "$(wc -l <"$d/text")" "$d/out" | sed 's/ --all//' >"$d/head"
sed 's/ --all//' "$d/text" | cmp - "$d/head" ||
	fail "--all does not begin with the first screen"
run 0 analyze --format line "$example"
expect out <<EOT
too few: 1 request
EOT

sed -n '1,/^NEXT/p' "$d/text" | grep -q "^NEXT" || fail "nothing to do next"
run 0 analyze --compat "$example"
test ! -s "$d/err" || fail "a good artifact gives warnings: $(cat "$d/err")"
sed -n '1,4p' "$d/out" >"$d/head"
diff - "$d/head" <<EOT || fail "another head"
analysis of catalog on shop-2, pid 912, 2026-01-01 00:00:00 UTC (3.00 s)
requests    1
latency     p50 14500 us, p95 14500 us, p99 14500 us
p95 shares  queue share 0.0%, service share 100.0% (each its own p95)
EOT
has out "in flight   items_inflight: 1 sample, peak 1, p95 1, net growth not available"
grep -qE '^suspect     [a-z_]+, (low|medium|high) confidence, score [0-9]+$' \
	"$d/out" || fail "no suspect"
has out "quality     weak: "
has out "warnings"
has out "next checks"
test "$(tail -c 1 "$d/out" | od -An -c | tr -d ' ')" = '\n' ||
	fail "no newline at the end"
test -n "$(tail -n 1 "$d/out")" || fail "more than a newline at the end"
test -z "$(awk 'length > 80' "$d/out")" || fail "the report is wide"
run 0 analyze --format text "$example"
cmp "$d/out" "$d/text" || fail "--format text is not the default"

run 0 analyze --json "$example"
cp "$d/out" "$d/json"
run 0 analyze "$example" --format=json
cmp "$d/out" "$d/json" || fail "--json and --format json differ"
run 0 analyze --json --format json "$example"
# Members and their order; what an array or object holds is left out. Ours is
# the last one.
members() {
	sed -n 's/^  "\([a-z0-9_]*\)": .*/\1/p' "$d/out" >"$d/members"
	diff "$d/standard" "$d/members" || fail "$show: other members"
}
printf '%s\n' request_count p50_latency_us p95_latency_us p99_latency_us \
	p95_queue_share_permille p95_service_share_permille inflight_trend \
	warnings evidence_quality primary_suspect secondary_suspects \
	route_breakdowns temporal_segments >"$d/standard"
run 0 analyze --json --compat "$example"
members
echo tailbox >>"$d/standard"
run 0 analyze --json "$example"
members
has out '  "route_breakdowns": []'
has out '    "growth_per_sec_milli": null'
test "$(wc -l <"$d/json")" -eq "$(awk 'END { print NR }' "$d/json")" ||
	fail "no newline at the end"

input=$example
run 0 analyze -
# No name to suggest: FILE.
has out "tailbox analyze --all FILE"
has out "FILE is what was given on standard input"
input=
gzip -c "$example" >"$d/run.json.gz"
run 0 analyze --compat "$example"
cp "$d/out" "$d/compat"
run 0 analyze --compat "$d/run.json.gz"
cmp "$d/out" "$d/compat" || fail "gzip gives another report"
run 0 analyze "$data/tiny.tailbox"

# --- warnings, and names that would move the cursor ---------------------------

with '"service_name": "catalog"' \
	'"service_name": "cat\\u001b[2J\\n\\u0085log"' name.json
run 0 analyze "$d/name.json"
tr -d '\n' <"$d/out" | grep -q '[[:cntrl:]]' && fail "a control character"
run 0 analyze --compat "$d/name.json"
has out 'analysis of cat\x1b[2J\x0a\xc2\x85log on shop-2'
test "$(wc -l <"$d/out")" -ge "$(wc -l <"$d/compat")" || fail "lines are missing"
tr -d '\n' <"$d/out" | grep -q '[[:cntrl:]]' && fail "a control character"
run 0 analyze --json "$d/name.json"

with '"lifecycle_warnings": \[\]' \
	'"lifecycle_warnings": ["one\\u001b[1m\\ntwo", "three"]' warned.json
sed 's/"count": 0,/"count": 2,/' "$d/warned.json" >"$d/open.json"
run 0 analyze "$d/open.json"
expect err <<'EOT'
warning: one\x1b[1m\x0atwo
warning: three
warning: 2 requests had not finished and are not in the analysis
EOT
sed 's/"count": 0,/"count": 1,/' "$d/warned.json" >"$d/open.json"
run 0 analyze "$d/open.json"
has err "warning: 1 request had not finished and is not in the analysis"

# --- artifacts that are refused -----------------------------------------------

printf '' >"$d/empty"
printf 'hello, world\n' >"$d/words"
printf '{"schema_version": 2' >"$d/cut.json"
printf '{"schema_version": 2}' >"$d/shape.json"
printf '{"schema_version": 2,,}' >"$d/malformed.json"
head -c 100 "$data/tiny.tailbox" >"$d/cut.tailbox"
with '"schema_version": 2' '"schema_version": 1' schema.json
with '"latency_us": 14500' '"latency_us": 14500.5' float.json
run 1 analyze "$d/missing"
has err "tailbox: $d/missing: No such file or directory"
for file in empty words cut.json shape.json malformed.json cut.tailbox \
	schema.json float.json; do
	for options in "" --json --allow-ambiguous-artifact; do
		run 1 analyze $options "$d/$file"
		has err "tailbox: $d/$file: "
		test "$(wc -l <"$d/err")" -eq 1 || fail "$show: many lines"
	done
	cp "$d/err" "$d/err.$file"
done
for a in cut.json malformed.json shape.json schema.json; do
	for b in cut.json malformed.json shape.json schema.json; do
		test $a = $b || ! cmp -s "$d/err.$a" "$d/err.$b" ||
			fail "$a and $b are told the same way"
	done
done
run 1 analyze -
has err "tailbox: standard input: "

with '"finalized_at_unix_ms": 1767225603000' '"finalized_at_unix_ms": null' \
	live.json
for options in "" --allow-ambiguous-artifact; do
	run 1 analyze $options "$d/live.json"
	has err "tailbox: $d/live.json: not finalized, a live snapshot"
done
requests 0 0 >"$d/none.json"
run 1 analyze "$d/none.json"
expect err <<'EOT'
tailbox: DIR/none.json: no request to analyze
EOT

# --- strict and permissive ----------------------------------------------------

# The codes by their letters, the findings in their own order.
TWIN=yes requests 5 1 >"$d/mixed.json"
run 1 analyze "$d/mixed.json"
sed -i 's/^\(  .*: [a-z_]*: \).*/\1.../' "$d/err"
expect err <<'EOT'
tailbox: DIR/mixed.json: invalid: duplicate_completed_request_id, empty_required_field
  request[0].route: empty_required_field: ...
  request[3].request_id: duplicate_completed_request_id: ...
  request[4].request_id: duplicate_completed_request_id: ...
  --allow-ambiguous-artifact analyzes what is left without these
EOT
for n in 7 8 9 20; do
	requests 30 $n >"$d/many.json"
	run 1 analyze --json "$d/many.json"
	has err "many.json: invalid: empty_required_field"
	shown=$(grep -c '^  request\[[0-9]*\]\.route: empty_required_field: .' "$d/err")
	test "$shown" -eq $((n < 8 ? n : 8)) || fail "$n findings: $shown shown"
	if test $n -gt 8; then
		has err "  ... and $((n - 8)) more"
	elif grep -q '\.\.\. and' "$d/err"; then
		fail "$n findings: some left out"
	fi
done

run 0 analyze --all --allow-ambiguous-artifact "$d/many.json"
has out "requests    10"
test "$(grep -c '^warning: request\[[0-9]*\]\.route: empty_required_field: .' \
	"$d/err")" -eq 20 || fail "not every finding is a line"
test "$(wc -l <"$d/err")" -eq 20 || fail "there are other lines"
requests 3 3 >"$d/blank.json"
run 1 analyze --allow-ambiguous-artifact "$d/blank.json"
has err "tailbox: $d/blank.json: no request is left to analyze"

# Findings that are warnings pass without a word, unless all were asked for.
requests 3 0 | sed 's/"[a-z]*_at_run_us": [0-9]*,//g' >"$d/wall.json"
run 0 analyze "$d/wall.json"
test ! -s "$d/err" || fail "warnings alone are told: $(cat "$d/err")"
run 0 analyze --allow-ambiguous-artifact "$d/wall.json"
test "$(grep -c '^warning: request\[[0-9]\]: precise_interval_validation_unavailable: ' \
	"$d/err")" -eq 3 || fail "warnings are not told"

# --- options ------------------------------------------------------------------

run 0 analyze --help-analyzer-options
has out "queueing.trigger_permille"
has out "temporal.suppress_runtime_sparse_suspect_shift_without_supporting_movement"
test -z "$(awk 'length > 80' "$d/out")" || fail "the help is wide"
cp "$d/out" "$d/help"
run 0 analyze --help-analyzer-options "$d/missing" --set nothing
cmp "$d/out" "$d/help" || fail "the help looks at TARGET"

trigger=queueing.trigger_permille
run 0 analyze "$example" --json --set $trigger=500
has out '"path": "queueing.trigger_permille"'
has out '"value": "500"'
has out '"schema_version": 1'
run 0 analyze "$example" --json --set $trigger=300
cmp "$d/out" "$d/json" || fail "an option at its default is in the report"
run 0 analyze --all "$example" --set $trigger=500
has out "$trigger = 500"
# In the order of the arguments, whichever way they are spelled.
run 0 analyze --json "$example" --set $trigger=1 --analyzer-set $trigger=2
has out '"value": "2"'
run 0 analyze --json --analyzer-set $trigger=1 "$example" --set=$trigger=3
has out '"value": "3"'
high=confidence.high_score_threshold=95
medium=confidence.medium_score_threshold=90
run 0 analyze "$example" --analyzer-set $high --set $medium
run 0 analyze --all "$example" --set $high --analyzer-set $medium
run 1 analyze "$example" --set $medium --analyzer-set $high
run 1 analyze "$example" --analyzer-set $medium --set $high
has err "confidence.medium_score_threshold"

for bad in $trigger $trigger=1=2 =1 $trigger= $trigger=x $trigger=-1 \
	$trigger=1001 "$trigger= 1" route.emit_on_divergent_suspects=yes; do
	run 1 analyze --json "$example" --set "$bad"
	has err "tailbox: "
	test "$(wc -l <"$d/err")" -eq 1 || fail "$show: many lines"
done
run 1 analyze "$example" --set queueing.triger_permille=1
has err "$trigger"
run 1 analyze "$example" --set "$(printf 'a\033[1m=1')"
grep -q "$(printf '\033')" "$d/err" && fail "an escape sequence comes through"

cat >"$d/good.toml" <<EOT
[other]
key = "passed over"
[analyzer]
schema_version = 1
[analyzer.queueing]
trigger_permille = 400
EOT
run 0 analyze --json "$example" --analyzer-config "$d/good.toml"
has out '"value": "400"'
run 0 analyze --json "$example" --set $trigger=7 --analyzer-config "$d/good.toml"
has out '"value": "7"' # the file comes before all overrides
sed 's/trigger_permille/trigger/' "$d/good.toml" >"$d/key.toml"
printf '[analyzer\n' >"$d/syntax.toml"
printf '[other]\n' >"$d/table.toml"
for file in none key syntax table; do
	run 1 analyze "$example" --analyzer-config "$d/$file.toml"
	has err "tailbox: $d/$file.toml"
	test "$(wc -l <"$d/err")" -eq 1 || fail "$show: many lines"
done
run 1 analyze "$example" --analyzer-config "$d"
has err "tailbox: $d: "
{
	cat "$d/good.toml"
	printf '#'
	head -c $((262144 - $(wc -c <"$d/good.toml") - 1)) /dev/zero |
		tr '\0' x
} >"$d/large.toml"
run 0 analyze "$example" --analyzer-config "$d/large.toml"
printf 'x' >>"$d/large.toml"
run 1 analyze "$example" --analyzer-config "$d/large.toml"
has err "tailbox: $d/large.toml: has more than 262144 bytes"

# Whoever gives a bad artifact and a bad option is told of the artifact, and
# its warnings come before the option's error.
for artifact in missing cut.json live.json none.json mixed.json; do
	run 1 analyze "$d/$artifact" --set nothing --analyzer-config "$d/none.toml"
	has err "tailbox: $d/$artifact: "
	! grep -q -e none.toml -e nothing "$d/err" || fail "$show: told of options"
done
run 1 analyze "$d/open.json" --set nothing
test "$(sed -n '1s/:.*//p; $s/:.*//p' "$d/err" | tr '\n' ' ')" = \
	"warning tailbox " || fail "warnings do not come first"

# --- the command line ---------------------------------------------------------

run 2 analyze --format xml "$example"
has err '--format: "xml" is not text, json or line'
has err "usage: tailbox analyze "
run 2 analyze --format xml --help-analyzer-options
run 2 analyze --format text --json "$example"
run 2 analyze --format line --json "$example"
run 2 analyze --format line --all "$example"
run 2 analyze --format line --compat "$example"
run 2 analyze --format
run 2 analyze --set
run 2 analyze --analyzer-config
run 2 analyze --frob "$example"
run 2 analyze "$example" "$example"
for twice in --json --all --compat --help-analyzer-options --allow-ambiguous-artifact \
	--format=json --analyzer-config=x; do
	run 2 analyze $twice $twice "$example"
	has err "${twice%=*}: given twice"
done
run 1 analyze
has err "no recorded service was found"
if test -c /dev/full; then
	rc=0
	"$tailbox" analyze "$example" >/dev/full 2>"$d/err" || rc=$?
	test $rc -eq 1 || fail "a full disk went unseen"
	grep -q "cannot write to standard output" "$d/err" ||
		fail "does not say that the disk is full"
fi

# --- a service, and one of its artifacts --------------------------------------

peer hut service hut
run 0 arm hut
kill -USR1 "$pid"
until_ok sh -c "'$tailbox' ls --json | grep -q '\"finished\": 4'"
run 0 disarm hut
until_ok "$tailbox" fetch hut#1 -o "$d/one.tailbox"
run 0 analyze --all
has out "analysis of hut "
has out "requests    4"
for target in hut "$pid" "$d/run/hut.$pid.tape"; do
	run 0 analyze --json "$target"
	has out '  "request_count": 4,'
done
run 0 analyze --compat "$d/one.tailbox"
cp "$d/out" "$d/text"
run 0 analyze hut#1
has out "hut#1"
run 0 analyze --compat hut#1
cmp "$d/out" "$d/text" || fail "an artifact and its file differ"
run 1 analyze hut --set nothing
has err "tailbox: "
done_well
