# shellcheck shell=sh disable=SC2154,SC2164
# bench/analyze.sh - the part of bench/run.sh that measures `tailbox analyze`.
#
# SPDX-License-Identifier: MIT
#
# Runs of N/10, N and 3N requests, each with 2 stages and 1 queue, as Run JSON
# and as native artifacts, and of N/5 with 20 and with 200 routes. With the
# usual N of a million that is 6 GB in a temporary folder, which goes again,
# and a quarter of an hour, most of it in make_large_run.py.
#
# The limits are on CPU time, user and system, of one process with one thread:
# that is what others on the machine change least. Where nobody else works wall
# time is the same but for a few percent, and it stands beside.

inputs= # the temporary folder

forget_inputs() {
	rm -rf "$inputs"
}

# large NAME REQUESTS ROUTES: as JSON and native.
large() {
	say python3 "$top/tests/conformance/make_large_run.py" \
		--requests "$2" --stages 2 --queues 1 --routes "$3" \
		--output "$inputs/$1.json"
	say "$build/bench/analyze" native "$inputs/$1.json" \
		"$inputs/$1.tailbox"
}

analyze() {
	n=$1
	inputs=$(mktemp -d "${TMPDIR:-/tmp}/tailbox-bench-XXXXXX")
	trap forget_inputs EXIT
	trap 'exit 1' INT TERM HUP
	large tenth $((n / 10)) 20
	large one "$n" 20
	large three $((n * 3)) 20
	large routes20 $((n / 5)) 20
	large routes200 $((n / 5)) 200
	(
		cd "$inputs"
		say "$build/bench/analyze" time "$2" "$build/tailbox" \
			tenth.json one.json three.json \
			routes20.json routes200.json \
			tenth.tailbox one.tailbox three.tailbox \
			routes20.tailbox routes200.tailbox >figures
		cat figures
		judge "$n" <figures
	)
}

# The limits; they hold for a million requests and more.
judge() {
	echo "load:     $(cut -d ' ' -f 1-3 /proc/loadavg)"
	awk -v n="$1" '
	function verdict(what, figure, limit, unit, is_ok) {
		printf "%-36s %8.2f %s (%s %s): %s\n", what, figure, unit,
			is_ok < 2 ? "at most" : "at least", limit,
			is_ok % 2 ? "ok" : "MISSED"
		bad += !(is_ok % 2)
	}
	function most(what, figure, limit, unit) {
		verdict(what, figure, limit, unit, figure <= limit)
	}
	function per_request(file, requests) {
		return cpu[file] / requests * 1e9
	}
	function spread(kind,   a, b, c, low, high) {
		a = per_request("tenth." kind, n / 10)
		b = per_request("one." kind, n)
		c = per_request("three." kind, n * 3)
		low = a < b ? a : b
		low = low < c ? low : c
		high = a > b ? a : b
		high = high > c ? high : c
		printf "%-36s %.0f, %.0f, %.0f ns\n",
			kind ", per request of N/10, N, 3N", a, b, c
		most(kind ", dearest over cheapest", high / low, 1.5, "times")
	}
	NF == 7 && $2 ~ /^[0-9]+$/ { bytes[$1] = $2; wall[$1] = $3; cpu[$1] = $4; rss[$1] = $7 }
	END {
		most("native, N: CPU", cpu["one.tailbox"], 1.0, "s")
		most("native, N: peak memory", rss["one.tailbox"] / 1e6, 400,
			"MB")
		rate = bytes["one.json"] / cpu["one.json"] / 1e6
		verdict("json, N: file over CPU", rate, 350, "MB/s",
			2 + (rate >= 350))
		most("json, N: peak memory over file",
			rss["one.json"] / bytes["one.json"], 0.4, "times")
		spread("json")
		spread("tailbox")
		most("json, 200 routes over 20",
			cpu["routes200.json"] / cpu["routes20.json"], 1.1,
			"times")
		most("native, 200 routes over 20",
			cpu["routes200.tailbox"] / cpu["routes20.tailbox"], 1.1,
			"times")
		exit bad > 0
	}'
}
