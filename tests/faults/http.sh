# SPDX-License-Identifier: MIT
# Faults of clients of the admin server: too much, too slow, too many.

# long N: a text of N bytes.
long() {
	head -c "$1" /dev/zero | tr '\0' x
}

fault_url_oversized() {
	did "GET /status?format=XXX… of 100 KB, GET /artifacts/XXX… of 5 KB"
	serve
	printf 'url = "http://localhost/status?format=%s"\n' "$(long 100000)" \
		>"$row/config"
	code=$(curl -sS -o "$row/body" -w '%{http_code}' --max-time "$PATIENCE" \
		--unix-socket "$sock" -K "$row/config" || :)
	case $code in
	414 | 431) ;;
	*) fail "HTTP $code" ;;
	esac
	tell "HTTP $code $(sed 's/<[^>]*>/ /g' "$row/body")"
	ask 400 GET "/artifacts/$(long 5000)"
	names bad_id "number or full name"
	tell
	ask 200 GET /healthz
}

fault_header_oversized() {
	did "GET /status with a header of 100 KB; with 3,000 headers"
	serve
	printf 'header = "X-Long: %s"\n' "$(long 100000)" >"$row/config"
	seq 3000 | sed 's/.*/header = "X-&: value"/' >"$row/config2"
	for config in config config2; do
		code=$(curl -sS -o "$row/body" -w '%{http_code}' \
			--max-time "$PATIENCE" --unix-socket "$sock" \
			-K "$row/$config" http://localhost/status || :)
		test "$code" = 431 || fail "HTTP $code"
	done
	tell "HTTP $code $(sed 's/<[^>]*>/ /g' "$row/body")"
	ask 200 GET /healthz
}

fault_body_oversized() {
	did "POST /arm with a body of 1 MB, said and chunked; 100 MB chunked"
	serve
	long 1000000 >"$row/long"
	ask 413 POST /arm --data-binary "@$row/long" -H 'Expect:'
	names body_too_large "at most 4096 bytes" query
	tell
	ask 413 POST /arm --data-binary "@$row/long" -H 'Expect:' \
		-H 'Transfer-Encoding: chunked'
	names body_too_large
	rc=0
	head -c 100000000 /dev/zero | curl -s -o "$row/body" --max-time "$PATIENCE" \
		--unix-socket "$sock" -X POST -T - -H 'Expect:' \
		http://localhost/arm || rc=$?
	test $rc != 0 || fail "100 MB were taken"
	tell "100 MB: cut off"
	status_has '"disabled"' || fail "something was armed"
}

# Whoever needs /status gets it beside a crowd that wants nothing.
beside_crowd() {
	in_background "$clients" "$1" 1000 "$sock" >"$row/crowd"
	until_ok grep -q connected "$row/crowd"
	serving
	ask 200 GET /status
	tell "GET /status beside them: HTTP 200 in $(curl -sS -o "$row/body" \
		-w '%{time_total}' --max-time "$PATIENCE" --unix-socket "$sock" \
		http://localhost/status) s"
	window 1 10
	tell "and a window is armed, disarmed and fetched"
}

fault_idle_connections() {
	did "1,000 connections to the admin socket that send nothing"
	serve
	beside_crowd idle
}

fault_half_requests() {
	did "1,000 connections to the admin socket that stop within a header"
	serve
	beside_crowd loris
}

fault_stalled_downloads() {
	did "8 downloads of 1 MB that are read to 1 KB, then GET /status"
	serve
	window 1 20000
	for i in 1 2 3 4 5 6 7 8; do
		in_background "$clients" stall "$sock" /artifacts/1.tailbox
	done >"$row/stalled"
	until_ok sh -c "test \$(grep -c stalled '$row/stalled') -ge 4"
	ask 200 GET /status
	tell "HTTP 200"
	ask 503 GET /artifacts/1.tailbox
	names busy
	tell
	ask 200 GET /healthz
}

fault_hundred_clients() {
	did "100 clients at a time: GET /status, /requests, /artifacts, POST /arm"
	serve
	for i in $(seq 100); do
		case $((i % 4)) in
		0) path="status" ;;
		1) path="requests?format=text" ;;
		2) path="artifacts" ;;
		3) path="arm -X POST" ;;
		esac
		# shellcheck disable=SC2086 # words on purpose
		in_background curl -sS -o /dev/null -w '%{http_code}\n' \
			--max-time "$PATIENCE" --unix-socket "$sock" \
			http://localhost/$path
		crowd="${crowd-} $!"
	done >"$row/codes"
	for p in $crowd; do
		wait "$p" || fail "a client got no answer"
	done
	test "$(grep -c '^200$' "$row/codes")" = 76 ||
		fail "$(sort "$row/codes" | uniq -c)"
	test "$(grep -c '^409$' "$row/codes")" = 24 ||
		fail "$(sort "$row/codes" | uniq -c)"
	tell "76 times 200; of 25 arms one is 200, 24 are 409"
	ask 200 POST /disarm
	until_ok has_artifact 1
}

fault_stop_download() {
	did "kill -STOP SERVICE while curl downloads, tailbox fetch, kill -CONT, curl -C -"
	serve
	window 1 20000
	asked_all_along # while it is stopped it answers nobody
	file=$(ls "$row"/artifacts/victim-2*-1.tailbox | tail -n 1)
	mkfifo "$row/pipe"
	# Opened by the child: this shell would wait for the reader.
	in_background sh -c 'exec curl -sS --max-time 3 \
		--unix-socket "$0" http://localhost/artifacts/1.tailbox \
		>"$1"' "$sock" "$row/pipe" 2>"$row/curl"
	curl=$!
	# curl waits for its reader when it has filled the pipe, and the
	# service for curl: the file is larger than all buffers in between.
	{
		head -c 65536
		kill -STOP "$pid"
		cat
	} <"$row/pipe" >"$row/half"
	rc=0
	wait $curl || rc=$?
	test $rc = 28 || fail "curl: exit $rc, $(cat "$row/curl")"
	tell "curl: exit 28, $(stat -c %s "$row/half") of $(stat -c %s "$file") bytes"
	tb 1 fetch "victim#1" -o "$row/none"
	names victim "is stopped" "$pid"
	tell
	test ! -e "$row/none" || fail "a file was made"
	kill -CONT "$pid"
	begin_steady
	curl -sS -C - -o "$row/half" --max-time "$PATIENCE" \
		--unix-socket "$sock" http://localhost/artifacts/1.tailbox
	cmp "$row/half" "$file" || fail "the rest does not fit"
	tell "after SIGCONT curl -C - gets the rest, byte for byte"
}
