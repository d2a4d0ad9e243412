#!/bin/sh
# SPDX-License-Identifier: MIT
# A run folder with room for 1 MB, for half of one and for nothing: the service
# serves all the same, and status says what is recorded or why nothing is.
# An argument is the number of requests in each case.
# Needs root for the mounts; 77 (skipped) without.
. "$(dirname "$0")/../common.sh"
requests=${1-1000}
need mount umount curl
scratch
mkdir "$d/probe"
mount -t tmpfs -o size=64k none "$d/probe" 2>/dev/null ||
	skip "no right to mount"
umount "$d/probe"
shop=
mounted=
finish() {
	test -z "$shop" || kill "$shop" 2>/dev/null || :
	wait
	for m in $mounted; do
		umount "$m" 2>/dev/null || umount -l "$m"
	done
	rm -rf "$d"
}
trap finish EXIT

# case NAME SIZE FILL-KB EXPECTED-IN-STATUS
one_case() {
	dir=$d/$1
	mkdir "$dir"
	mount -t tmpfs -o "size=$2,mode=700" none "$dir"
	mounted="$mounted $dir"
	test "$3" = 0 || dd if=/dev/zero of="$dir/filler" bs=1024 count="$3" \
		2>/dev/null || :
	rm -f "$d/out"
	TAILBOX_DIR=$dir "$top_builddir/demo/shop" >"$d/out" 2>"$d/err" &
	shop=$!
	for _ in $(seq 100); do
		grep -q -s listening "$d/out" && break
		sleep 0.1
	done
	port=$(sed -n 's/^listening.*://p' "$d/out")
	test -n "$port" || fail "$1: the shop did not start: $(cat "$d/err")"
	answer=$("$top_builddir/demo/load" --port "$port" \
		--requests "$requests" --connections 8) ||
		fail "$1: $answer"
	curl -s --max-time 10 --unix-socket "$dir/shop.$shop.sock" \
		'http://localhost/status?format=text' >"$d/status" ||
		fail "$1: no status"
	grep -q -E "$4" "$d/status" ||
		fail "$1: status does not say /$4/: $(cat "$d/status")"
	# Arming must answer too, and a window that finds no room be told.
	curl -s --max-time 10 -X POST --unix-socket "$dir/shop.$shop.sock" \
		'http://localhost/arm?format=text' >"$d/arm" || fail "$1: arm"
	curl -s --max-time 10 -X POST --unix-socket "$dir/shop.$shop.sock" \
		'http://localhost/disarm?format=text' >"$d/disarm" ||
		fail "$1: disarm"
	kill "$shop"
	wait "$shop" || fail "$1: the shop ended with $?: $(cat "$d/err")"
	shop=
	echo "$1: $answer"
	sed -n -e 's/^recorded/  &/p' -e 's/^tape/  &/p' "$d/status"
	sed 's/^/  arm: /' "$d/arm"
}

one_case room-for-1-MB 1m 0 '^recorded *(yes|no)'
one_case room-for-2-MB 2m 0 '^recorded *yes'
one_case room-for-half-a-MB 512k 0 '^recorded *no.*(space|room)'
one_case no-room 64k 64 '^recorded *no.*(space|room)'
