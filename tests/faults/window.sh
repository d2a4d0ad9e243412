# SPDX-License-Identifier: MIT
# Faults of windows: state, limits, what is asked for and is not there.

fault_limit_zero() {
	did "POST /arm?max_requests=0&max_stages=0&max_queues=0&max_inflight_snapshots=0&max_runtime_snapshots=0, 50 requests, POST /disarm; arm --max-requests 0"
	serve
	ask 200 POST "/arm?max_requests=0&max_stages=0&max_queues=0&max_inflight_snapshots=0&max_runtime_snapshots=0"
	tell "HTTP 200"
	"$clients" burst "$port" 50
	ask 200 POST /disarm
	until_ok has_artifact 1
	tb 0 fetch --to json "victim#1" -o "$row/run.json"
	tb 1 validate "$row/run.json"
	names "no request in it"
	dropped=$(sed -n 's/.*"dropped_requests": *\([0-9]*\).*/\1/p' "$row/run.json")
	test "$dropped" -ge 50 || fail "dropped_requests: $dropped"
	tell "artifact of 0 requests, dropped_requests counts them"
	tb 0 arm --max-requests 0 victim
	ask 200 POST /disarm
	until_ok has_artifact 2
}

fault_limit_2_64() {
	did "POST /arm?max_requests=18446744073709551616 (and 2^64-1, -1; each limit; duration); arm --max-requests 18446744073709551616"
	serve
	for limit in max_requests max_stages max_queues max_inflight_snapshots \
		max_runtime_snapshots; do
		for value in 18446744073709551616 18446744073709551615 -1 10000001; do
			ask 400 POST "/arm?$limit=$value"
			names bad_parameter "$limit" "0 to 10000000"
		done
	done
	tell
	ask 400 POST "/arm?duration=18446744073709551616ms"
	names bad_parameter duration "from 1ms to 24h"
	tb 2 arm --max-requests 18446744073709551616 victim
	names "--max-requests" 18446744073709551616
	tell
	status_has '"disabled"' || fail "something was armed"
}

fault_arm_armed() {
	did "POST /arm, POST /arm again; tailbox arm"
	serve
	ask 200 POST /arm
	ask 409 POST /arm
	names already_armed "window 1" '"id": 1'
	tell
	tb 1 arm victim
	names victim already_armed "window 1"
	tell
	ask 200 POST /disarm
	until_ok has_artifact 1
}

fault_disarm_idle() {
	did "POST /disarm with no window; tailbox disarm"
	serve
	ask 200 POST /disarm
	names already_disabled
	tell
	tb 0 disarm victim
	names "nothing was armed"
	tell
}

fault_no_artifact() {
	did "GET and DELETE /artifacts/99, a name that is not there, ids with ..; tailbox fetch victim#99"
	serve
	for id in 99 99.tailbox victim-20010101T000000Z-1 0 \
		18446744073709551616; do
		for method in GET DELETE; do
			ask 404 "$method" "/artifacts/$id"
			names not_found "no artifact ${id%.tailbox}"
		done
	done
	ask 404 GET /artifacts/99
	tell
	for id in '..' '../sums' '%2e%2e%2fsums' '..%2f..%2fetc%2fpasswd' \
		'%00' 'a%00b' '%ff'; do
		for method in GET DELETE; do
			code=$(curl -sS -g --path-as-is -o "$row/body" \
				-w '%{http_code}' -X "$method" \
				--unix-socket "$sock" "http://localhost/artifacts/$id")
			case $code in
			400 | 404) ;;
			*) fail "$method /artifacts/$id: $code" ;;
			esac
		done
	done
	tell "ids with ..: 400 or 404"
	tb 1 fetch 'victim#99' -o "$row/none"
	names victim "no artifact 99"
	tell
	tb 1 fetch 'victim#victim-20010101T000000Z-1' -o "$row/none"
	names victim "no artifact victim-20010101T000000Z-1"
	test ! -e "$row/none" || fail "a file was made"
}

fault_unknown_parameter() {
	did "POST /arm?colour=red, a parameter twice, in capitals, in a body; GET /status?format=xml; tailbox arm --colour"
	serve
	ask 400 POST "/arm?colour=red"
	names bad_parameter "parameter colour is not known here"
	tell
	ask 400 POST "/arm?mode=light&mode=light"
	names "parameter mode is given twice"
	ask 400 POST "/arm?MODE=light"
	names "parameter MODE"
	ask 400 POST /arm --data duration=30s
	names unexpected_body query
	ask 400 GET "/status?format=xml"
	names "parameter format is text or json"
	tell
	tb 2 arm --colour victim
	names "--colour: no such option"
	tell
	status_has '"disabled"' || fail "something was armed"
}
