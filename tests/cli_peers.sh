# SPDX-License-Identifier: MIT
# Read by cli_* scripts that need processes: start them, and end each.
. "$(dirname "$0")/cli_common.sh"
peer_program=$top_builddir/tests/cli_peer
test -x "$peer_program" || skip "tests/cli_peer was not built"
pids=
quit() {
	for p in $pids; do kill -KILL "$p" 2>/dev/null || :; done
	rm -rf "$d"
}
trap quit EXIT

# peer KEY ARGUMENT...: its number is in $pid and on the list, what else it
# said in $said. libtool's wrapper has another number than the program.
peer() {
	key=$1
	shift
	"$peer_program" "$@" >"$d/peer.$key" 2>&1 </dev/null &
	until_ok test -s "$d/peer.$key"
	read -r pid said <"$d/peer.$key"
	case $pid in
	'' | *[!0-9]*) cat "$d/peer.$key"; fail "peer $key did not start" ;;
	esac
	pids="$pids $pid"
}

# end PID SIGNAL: until its tape is that of no process any more.
end() {
	kill "-$2" "$1"
	until_ok sh -c "! kill -0 $1"
}
