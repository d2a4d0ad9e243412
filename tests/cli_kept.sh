#!/bin/sh
# SPDX-License-Identifier: MIT
# Kept requests on demo/shop: a slow one is found after a flood of fast ones, by
# tail --kept, over HTTP, in a snapshot and its timeline, and of a dead process.
. "$(dirname "$0")/cli_shop.sh"
need python3

printf '[tape]\nsize = "1MiB"\n[rare]\nslow = "100ms"\n' >"$d/tailbox.conf"
TAILBOX_CONFIG=$d/tailbox.conf
export TAILBOX_CONFIG
start_shop --trouble sleep
unset TAILBOX_CONFIG

kept() {
	"$tailbox" tail --kept shop | grep -q 'route=/quote/{id} .*kept=slow'
}
get /quote/7
until_ok kept
number=$("$tailbox" tail --kept --json shop |
	python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["number"])')

# Fast ones until the blocks have forgotten it.
forgotten() {
	curl -s -o "$d/page_#1" --max-time 20 "$url/items/[1-400]"
	rm -f "$d"/page_*
	"$tailbox" export --to json -o "$d/now.json" "$tape" &&
		grep -q '"kept_requests": 1,' "$d/now.json"
}
until_ok forgotten

run 0 tail --kept
has out "id=$number route=/quote/{id} kind=http status=200 outcome=ok total_ms="
has out "stage.supplier_call_ms="
test "$(wc -l <"$d/out")" = 1 || fail "$show: not one line: $(cat "$d/out")"
run 0 tail --kept --slow 100ms --status 2xx --count 1 --json
python3 - "$d/out" <<'END' || fail "$show: not as expected: $(cat "$d/out")"
import json, sys
(line,) = [json.loads(line) for line in open(sys.argv[1])]
assert line["kept"] == ["slow"] and line["cut_spans"] == 0, line
assert line["stages_us"]["supplier_call"] > 0 and "db_pool" in line["waits_us"]
END
run 0 tail --kept --slow 20s
test ! -s "$d/out" || fail "$show: printed $(cat "$d/out")"
run 2 tail --kept --status 7xx

curl -s --unix-socket "$sock" "http://x/requests?kept=1" >"$d/http.json"
python3 - "$d/http.json" "$number" <<'END' || fail "GET /requests?kept=1: $(cat "$d/http.json")"
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["count"] == 1, answer
(kept,) = answer["kept"]
assert kept["number"] == int(sys.argv[2]) and kept["kept"] == ["slow"], kept
END
curl -s --unix-socket "$sock" "http://x/requests?kept=1&format=text" |
	grep -q "^$number .*/quote/{id} .* slow" || fail "no row of it"
test "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$sock" \
	"http://x/requests?kept=2")" = 400 || fail "kept=2 is taken"
curl -s --unix-socket "$sock" "http://x/status" | python3 -c '
import json, sys
kept = json.load(sys.stdin)["kept"]
assert kept["kept"] == 1 and kept["overwritten"] == 0, kept
assert kept["bytes"] == 65536 and kept["slow_us"] == 100000, kept' ||
	fail "status does not tell of it"
run 0 status
has out "1 slow or failed requests in 64.0 KiB, from 100 ms on"

# A snapshot has it beside its requests, not among them.
run 0 snapshot -o "$d/s.tailbox" shop
has out "1 slow or failed request kept from before that"
run 0 timeline "$d/s.tailbox"
has out "kept from before, in no figure above: 1 slow, failed or cancelled"
has out "  $number"
run 0 timeline --request "$number" "$d/s.tailbox"
has out "kept from before"
has out "stage supplier_call"
run 0 timeline --json "$d/s.tailbox"
python3 - "$d/out" "$number" <<'END' || fail "$show: not as expected"
import json, sys
page = json.load(open(sys.argv[1]))
(kept,) = page["kept"]
assert kept["number"] == int(sys.argv[2]) and kept["latency_us"] >= 150000
assert {s["name"] for s in kept["spans"]} >= {"db_query", "supplier_call"}
assert page["all"]["max_us"] < kept["latency_us"], page["all"]
assert kept["started_at_unix_ms"] < page["started_at_unix_ms"]
END
run 0 validate "$d/s.tailbox"
run 0 analyze "$d/s.tailbox"
has out "KEPT     1 slow or failed request from before, since "
run 0 why --last 1ms --json -o "$d/w.tailbox" shop
run 0 export --to json -o "$d/w.json" "$d/w.tailbox"
grep -q '"kept_older": 1' "$d/w.json" || fail "what was left out is not counted"

# And when it is dead.
kill_shop
run 0 status --tape "$tape"
has out "1 slow or failed requests: tailbox tail --kept"
run 0 tail --kept "$tape"
has out "id=$number "
run 0 recover -o "$d/c.tailbox" "$tape"
run 0 timeline "$d/c.tailbox"
has out "  $number"

done_well
