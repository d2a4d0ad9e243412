#!/bin/sh
# SPDX-License-Identifier: MIT
# SIGKILL under load, N times (50 unless given): see tests/e2e_kill9.c.
#
#     tests/kill9.sh [N [SEED]]
#
# Run it from where tailbox was built, or give top_builddir. Rounds are made in
# lots of 100, each a process of its own; a failure names the seed of its
# round, and `tests/kill9.sh 1 SEED` repeats that one. The last line sums up.
set -eu

n=${1:-50}
seed=${2:-1}
top_builddir=${top_builddir:-.}
export top_builddir
test -x "$top_builddir/tests/e2e_kill9" || {
	echo "$top_builddir/tests/e2e_kill9 is not there: make check" \
		"TESTS=tests/e2e_kill9 builds it" >&2
	exit 2
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

# Sums of the lots: kills, answers, finished, in flight, in send, spans.
sums="0 0 0 0 0 0"
left=$n
while test "$left" -gt 0; do
	lot=$((left < 100 ? left : 100))
	TAILBOX_KILLS=$lot TAILBOX_SEED=$seed \
		"$top_builddir/tests/e2e_kill9" >"$log" 2>&1 || {
		grep -v '^seed' "$log" >&2 || :
		echo "failed at $(grep '^seed' "$log" | tail -n 1)" >&2
		exit 1
	}
	sums=$(grep ' kills: ' "$log" | tr -dc '0-9 \n' |
		awk -v sums="$sums" '{ split(sums, s, " ")
			print $1 + s[1], $2 + s[2], $4 + s[3], $5 + s[4], \
				$6 + s[5], $7 + s[6] }')
	seed=$((seed + lot))
	left=$((left - lot))
	test "$left" = 0 || echo "$((n - left)) of $n" >&2
done
echo "$sums" | {
	read -r kills answers finished open sending spans
	echo "$kills kills, seeds to $((seed - 1)): $answers answers that" \
		"clients had 1 ms before, all there; $finished finished," \
		"$open in flight ($sending in send), $spans spans; none" \
		"invented, twice or torn"
}
