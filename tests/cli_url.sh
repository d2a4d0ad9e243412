#!/bin/sh
# SPDX-License-Identifier: MIT
# URL targets: what is asked, the token, and what servers may answer.
. "$(dirname "$0")/cli_peers.sh"
data=$top_srcdir/tests/data
unset TAILBOX_TOKEN http_proxy https_proxy all_proxy HTTP_PROXY ALL_PROXY
token=correct-horse-battery
peer url url "$data/tiny.tailbox" "$token"
url=http://127.0.0.1:$said
printf '%s\n' "$token" >"$d/token"

# In the background while the rest runs: the time limit of a silent server.
(rc=0
"$tailbox" status "$url/silent" >"$d/silent.out" 2>"$d/silent.err" || rc=$?
echo $rc >"$d/silent.rc") &
silent=$!

# --- the token ----------------------------------------------------------------

for command in ls status arm disarm fetch timeline "export --to json"; do
	run 1 $command "$url"
	has err "tailbox: $url: "
	has err "TAILBOX_TOKEN"
	has err "--token-file"
done
export TAILBOX_TOKEN=wrong
run 1 status "$url"
has err "was refused"
# The option goes before the variable.
run 0 status --token-file "$d/token" "$url"
has out "far"
unset TAILBOX_TOKEN
run 0 status --token-file "$d/token" "$url"
export TAILBOX_TOKEN="$token"
run 0 status "$url"
run 1 status --token-file "$d/none" "$url"
has err "tailbox: $d/none: No such file"
printf '' >"$d/empty"
printf 'two words\n' >"$d/blank"
printf 'a\001b' >"$d/control"
printf 'a\r\nX-Header: b\n' >"$d/header"
head -c 513 /dev/zero | tr '\0' a >"$d/long"
head -c 100000 /dev/zero | tr '\0' a >"$d/longer"
for file in empty blank control header long longer; do
	run 1 status --token-file "$d/$file" "$url"
	has err "tailbox: $d/$file: "
done
head -c 512 /dev/zero | tr '\0' a >"$d/just"
run 1 status --token-file "$d/just" "$url"
has err "was refused"
export TAILBOX_TOKEN="two words"
run 1 status "$url"
has err "tailbox: TAILBOX_TOKEN: "
export TAILBOX_TOKEN="$token"
run 2 status "$url" --token-file
has err "--token-file: needs a value"
# It is for URLs: nothing else looks at it.
run 0 validate --token-file "$d/none" "$data/tiny.tailbox"

# --- what is asked ------------------------------------------------------------

for at in "$url" "$url/" "$url/mounted" "$url/mounted/"; do
	run 0 ls "$at"
	has out "far-1"
	run 0 status "$at"
	run 0 status --json "$at"
	has out '"source":"url"'
	run 0 arm "$at"
	has out "tailbox disarm ${at%/}"
	run 0 disarm "$at"
	has out "tailbox timeline ${at%/}#1"
	run 0 fetch "$at" -o "$d/far.tailbox"
	cmp "$d/far.tailbox" "$data/tiny.tailbox" || fail "another artifact"
	for id in 1 far-1; do
		run 0 fetch "$at#$id" -o "$d/far.tailbox"
		run 0 validate "$at#$id"
		run 0 timeline "$at#$id"
		run 0 export --to json "$at#$id"
	done
	run 0 timeline "$at"
	run 1 fetch "$at#2"
	has err "tailbox ls ${at%/} lists"
done
(cd "$d" && run 0 capture 10ms "$url" && has out "saved far-1.tailbox")

# --- what servers may answer --------------------------------------------------

run 1 status "$url/moved"
has err "a redirect, which is not followed"
run 1 arm "$url/forbidden"
has err "host names"
run 1 arm "$url/wronghost"
has err "wrong_host: not a name of this server: it answers only to the host names"
for command in ls fetch "status --json" arm disarm timeline; do
	run 1 $command "$url/page"
	has err "tailbox: $url/page: "
done
run 1 status "$url/broken"
has err "tailbox: $url/broken: broken"
run 1 status "$url/nowhere"
has err "is it a tailbox admin server?"
# No one listens there: port 1 is not ours to bind.
run 1 status http://127.0.0.1:1
has err "tailbox: http://127.0.0.1:1: "
run 1 status "https://127.0.0.1:$said"
has err "tailbox: https://127.0.0.1:$said: "
run 1 status --tape "$url"
has err "leave out --tape"
# A report is on standard output also where a check failed.
for json in "" --json; do
	show="tailbox doctor $json $url/nowhere"
	checks=$((checks + 1))
	rc=0
	"$tailbox" doctor $json "$url/nowhere" >"$d/out" 2>"$d/err" || rc=$?
	test $rc = 1 || fail "$show: exit status $rc"
	has out "answers with status 404"
	has out "give the URL of a tailbox admin server"
	has err "1 of 1 checks failed"
done
has out "\"url\": \"$url/nowhere\""
run 0 off "$url"
has out "$url: recording is off"
run 1 validate "$url"
has err "$url#ID"
run 1 status "$url#1"
has err "leave out #1"

# --- what is no URL -----------------------------------------------------------

for wrong in http:// http:///x ftp://host/ file:///etc/passwd unix:///x \
	"http://host:99999/" "http://host:x/" "http://host/?a=b" "http://h h/" \
	"http://$(head -c 600 /dev/zero | tr '\0' a)/"; do
	run 1 status "$wrong"
done
# A secret in the wrong place is not printed, and told where it goes.
run 1 status "http://user:s3cret@127.0.0.1:$said/"
has err "--token-file"
grep -q s3cret "$d/err" && fail "a password was printed"
run 1 status "$url/#token=s3cret"
grep -q s3cret "$d/err" && fail "a token was printed"
# A proxy of the environment would see the token.
export http_proxy=http://127.0.0.1:1
run 0 status "$url"

# --- the admin server itself --------------------------------------------------

PEER_TOKEN=battery-staple-correct
export PEER_TOKEN
peer real service real
unset PEER_TOKEN
test "${said:-0}" != 0 || fail "the admin server has no port"
real=http://127.0.0.1:$said
export TAILBOX_TOKEN=battery-staple-correct
run 0 status "$real"
has out "real"
run 0 status --json "$real"
run 0 arm "$real"
run 1 arm "$real"
has err "window 1 is armed already"
kill -USR1 "$pid"
until_ok sh -c "'$tailbox' ls --json | grep -q '\"finished\": 4'"
run 0 disarm "$real"
until_ok "$tailbox" fetch "$real#1" -o "$d/real.tailbox"
run 0 validate "$real#1"
has out "valid: 1 request"
run 0 validate "$d/real.tailbox"
run 0 timeline "$real"
run 0 export --to json "$real#1"
run 0 ls "$real"
run 0 off "$real"
run 0 on "$real"
run 0 capture 10ms "$real" -o "$d/real.tailbox"
run 1 fetch "$real#99"
has err "$real has no artifact 99"
# A name that is not its own; where nothing resolves it, there is no such case.
run 1 status "http://other.localhost:$said"
grep -qi "resolve" "$d/err" || has err "answers only to the host names"
export TAILBOX_TOKEN=battery-staple-wrong
run 1 status "$real"
has err "was refused"
unset TAILBOX_TOKEN
run 1 status "$real"
has err "give its token in TAILBOX_TOKEN or by --token-file"

wait $silent
test "$(cat "$d/silent.rc")" = 1 || fail "a silent server: another exit status"
grep -q "tailbox: $url/silent: no answer in time" "$d/silent.err" ||
	fail "a silent server: not told"
test ! -s "$d/silent.out" || fail "a silent server: printed"
done_well
