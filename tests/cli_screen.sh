#!/bin/sh
# SPDX-License-Identifier: MIT
# The first screen and the headline of each artifact in tests/golden, byte by
# byte. `tests/cli_screen.sh --update` writes what they are now: look at the
# difference before it is committed. tests/golden/make.py makes the artifacts.
. "$(dirname "$0")/cli_common.sh"
golden=$top_srcdir/tests/golden

n=0
failed=0
for artifact in "$golden"/*.json.gz; do
	name=$(basename "$artifact" .json.gz)
	# The name of the artifact is on the screen: the same from anywhere.
	cp "$artifact" "$d/$name.json.gz"
	cd "$d"
	run 0 analyze "$name.json.gz"
	cp "$d/out" "$d/screen"
	run 0 analyze --format line "$name.json.gz"
	cd - >/dev/null
	test "$(wc -c <"$d/out")" -le 121 || fail "$name: a long headline"
	test "$(wc -l <"$d/screen")" -le 25 || fail "$name: a long screen"
	{
		cat "$d/out"
		echo
		cat "$d/screen"
	} >"$d/have"
	if test "${1-}" = --update; then
		cp "$d/have" "$golden/$name.txt"
	elif ! diff -u "$golden/$name.txt" "$d/have"; then
		failed=$((failed + 1))
	fi
	# What is suggested about the slowest is taken by timeline as it is.
	sed -n 's/^[NEXT ]* [0-9]  \(tailbox timeline .*\)/\1/p' "$d/screen" |
		head -n 1 >"$d/command"
	test -s "$d/command" || continue
	grep -q '\\$' "$d/command" && continue
	(cd "$d" && PATH=$top_builddir:$PATH sh ./command >/dev/null) ||
		fail "$name: cannot be pasted: $(cat "$d/command")"
	n=$((n + 1))
done
test "$n" -ge 10 || fail "only $n commands were tried"
test "$failed" -eq 0 || fail "$failed screens are others"
done_well
