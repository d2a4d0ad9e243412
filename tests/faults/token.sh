# SPDX-License-Identifier: MIT
# Faults of the admin server on TCP: the token, and the crowd there.

token=correct-horse-battery-staple

# serve_tcp: sets tcp, the port of the admin server.
serve_tcp() {
	folders
	printf '[admin]\nlisten = "127.0.0.1:0"\ntoken = "%s"\n' \
		"${1-$token}" >"$row/conf"
	chmod 600 "$row/conf"
	TAILBOX_CONFIG=$row/conf
	export TAILBOX_CONFIG
	serve
	tcp=$(sed -n 's/.*admin server on 127.0.0.1://p' "$row/err")
}

# ask_tcp STATUS METHOD PATH [CURL-ARG...]
ask_tcp() {
	want=$1 method=$2 path=$3
	shift 3
	: >"$row/said"
	: >"$row/body"
	code=$(curl -sS -g --path-as-is -o "$row/body" -w '%{http_code}' \
		-X "$method" --max-time "$PATIENCE" "$@" \
		"http://127.0.0.1:$tcp$path") ||
		fail "$method $path: no answer (curl: $?)"
	answer="HTTP $code $(tr -d '\n' <"$row/body" | head -c 2000)"
	test "$code" = "$want" || fail "$method $path: $answer"
	! grep -qF "$token" "$row/body" || fail "the answer has the token"
}

# Every call but /healthz is closed to this header.
closed_to() {
	for call in "GET /" "GET /status" "GET /requests" "GET /artifacts" \
		"POST /arm" "POST /disarm" "GET /none"; do
		# shellcheck disable=SC2086 # words on purpose
		ask_tcp 401 $call "$@"
		names unauthorized
	done
	tell
	ask 200 GET /status
	names '"disabled"'
	ask_tcp 200 GET /status -H "Authorization: Bearer $token"
}

fault_token_missing() {
	did "GET /, /status, /artifacts, POST /arm... on TCP without Authorization; tailbox status http://..."
	serve_tcp
	closed_to
	tb 1 status "http://127.0.0.1:$tcp"
	names "127.0.0.1:$tcp" token
	tell
}

fault_token_wrong() {
	did "a wrong token, one byte short, one byte more, Basic, twice; tailbox with TAILBOX_TOKEN"
	serve_tcp
	closed_to -H "Authorization: Bearer ${token%e}"
	for header in "Bearer wrong" "Bearer ${token}x" "Bearer" "Bearer " \
		"Basic $token" "$token"; do
		ask_tcp 401 GET /status -H "Authorization: $header"
	done
	ask_tcp 400 GET /status -H "Authorization: Bearer $token" \
		-H "Authorization: Bearer wrong"
	names bad_header Authorization
	TAILBOX_TOKEN=wrong-wrong-wrong-wrong
	export TAILBOX_TOKEN
	tb 1 status "http://127.0.0.1:$tcp"
	names "127.0.0.1:$tcp" token
	tell
	TAILBOX_TOKEN=$token
	tb 0 status "http://127.0.0.1:$tcp"
	tell "with the right one: exit 0"
	! grep -qF "$token" "$row/err" || fail "the log has the token"
}

fault_token_overlong() {
	did "a token of 5,000 bytes in the header, in TAILBOX_TOKEN; of 15 and 300 bytes in the configuration"
	serve_tcp
	ask_tcp 401 GET /status -H "Authorization: Bearer $(long 5000)"
	names unauthorized
	tell
	TAILBOX_TOKEN=$(long 5000)
	export TAILBOX_TOKEN
	tb 1 status "http://127.0.0.1:$tcp"
	names TAILBOX_TOKEN
	tell
	unset TAILBOX_TOKEN
	ask_tcp 200 GET /status -H "Authorization: Bearer $token"
	for n in 15 300; do
		printf '[admin]\nlisten = "127.0.0.1:0"\ntoken = "%s"\n' \
			"$(long $n)" >"$row/bad.conf"
		tb 1 config check "$row/bad.conf"
		names "$row/bad.conf:3:" admin.token
	done
	tell
	printf '[admin]\nlisten = "127.0.0.1:0"\n' >"$row/bad.conf"
	stop
	cp "$row/bad.conf" "$row/conf"
	serve
	ask 200 GET /status
	names token
	! grep -q 'admin server on' "$row/err" || fail "TCP without a token"
	tell "listen without a token: no TCP, status says so"
}

fault_idle_tcp() {
	did "1,000 connections to the admin server on TCP that send nothing"
	serve_tcp
	in_background "$clients" idle 1000 "$tcp" >"$row/crowd"
	until_ok grep -q connected "$row/crowd"
	serving
	for i in 1 2 3; do
		ask_tcp 200 GET /status -H "Authorization: Bearer $token"
	done
	tell "GET /status beside them: HTTP 200"
	ask 200 GET /status
	window 1 10
	tell "and on the Unix socket a window is armed, disarmed and fetched"
}
