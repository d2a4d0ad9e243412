#!/bin/sh
# bench/run.sh - measure; see the head of each bench/*.c for what may and may
# not be concluded.
#
# SPDX-License-Identifier: MIT
#
#   bench/run.sh record          the record call against the floor loop, and
#                                with and without triggers
#   bench/run.sh mhd [SLICES]    a server's emptiest request, by CPU time, and
#                                with and without triggers
#   bench/run.sh instructions    the same in instructions, by callgrind
#   bench/run.sh follower        what the follower pays for a record
#   bench/run.sh analyze [REQUESTS [ROUNDS]]   tailbox analyze, large runs
#   bench/run.sh stall [SECONDS [DISK_FOLDER]]   writes to a tape on a disk
#   bench/run.sh                 all of them but stall
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
build=${TAILBOX_BUILD:-$top/_build/bench}

usage() {
	sed -n 's/^#   //p' "$0" >&2
	exit 2
}

say() {
	printf '$ %s\n' "$*"
	"$@"
}

machine() {
	echo "machine:  $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo |
		head -n 1), $(nproc) cores, Linux $(uname -r)"
	echo "compiler: $(cc --version | head -n 1)"
	echo "commit:   $(git -C "$top" rev-parse --short HEAD 2>/dev/null ||
		echo unknown)"
}

make_programs() {
	if test ! -f "$build/Makefile"; then
		mkdir -p "$build"
		test -x "$top/configure" || (cd "$top" && ./autogen.sh)
		(cd "$build" && "$top/configure") >"$build/configure.log"
	fi
	# shellcheck disable=SC2086 # words on purpose
	make -C "$build" -s $1 >"$build/make.log" 2>&1 || {
		tail -n 20 "$build/make.log" >&2
		exit 1
	}
}

# Instructions of N requests in a state.
count() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		"$build/bench/instructions" "$1" "$2" "$3" 2>&1 |
		sed -n 's/.*Collected : //p'
}

per_request() {
	few=$(count 1600 "$1" "$2")
	many=$(count 4800 "$1" "$2")
	echo $(((many - few) / 3200))
}

instructions() {
	command -v valgrind >/dev/null || {
		echo "instructions: valgrind is not installed" >&2
		exit 1
	}
	echo '$ valgrind --tool=callgrind bench/instructions N STATE PATH'
	off=$(per_request off /)
	paused=$(per_request paused /)
	recording=$(per_request recording /)
	long=$(per_request recording /twenty-bytes-of-path)
	echo "plain server, client included   $off per request"
	echo "paused                          +$((paused - off))"
	echo "recording, GET /                +$((recording - paused)) over paused"
	echo "recording, 20 bytes of path     +$((long - recording)) more," \
		"MHD's own parsing included"
}

. "$top/bench/analyze.sh"

# In turn, three times: what the machine does besides is in both.
stall() {
	disk=$(mktemp -d "${2:-$build}/stall.XXXXXX")
	memory=$(mktemp -d /dev/shm/stall.XXXXXX)
	echo "disk: $(df --output=fstype,source "$disk" | tail -n 1)"
	for _ in 1 2 3; do
		say "$build/bench/stall" "$memory" "$1"
		say "$build/bench/stall" "$disk" "$1"
		say "$build/bench/stall" "$memory" "$1" "$disk"
		say "$build/bench/stall" "$disk" "$1" "$disk"
	done
	rm -r "$disk" "$memory"
}

case ${1-all} in
stall) needed=bench/stall ;;
record | mhd | instructions | follower) needed=bench/$1 ;;
analyze) needed="bench/analyze tailbox" ;;
all) needed="bench/record bench/mhd bench/follower bench/instructions bench/analyze tailbox" ;;
*) usage ;;
esac
machine
make_programs "$needed"
case ${1-all} in
analyze) analyze "${2-1000000}" "${3-5}" ;;
record) say "$build/bench/record" ;;
mhd) say "$build/bench/mhd" "${2-120}" ;;
instructions) instructions ;;
stall) stall "${2-10}" "${3-}" ;;
follower)
	say "$build/bench/follower"
	say "$build/bench/follower" alone
	say "$build/bench/follower" rare
	say "$build/bench/follower" rare none
	;;
all)
	say "$build/bench/record"
	say "$build/bench/mhd" "${2-120}"
	instructions
	say "$build/bench/follower"
	say "$build/bench/follower" alone
	say "$build/bench/follower" rare
	say "$build/bench/follower" rare none
	analyze 1000000 5
	;;
esac
