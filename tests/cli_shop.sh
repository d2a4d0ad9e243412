# SPDX-License-Identifier: MIT
# Read by cli_* scripts that need demo/shop: start it, ask it, end it.
. "$(dirname "$0")/cli_common.sh"
shop=$top_builddir/demo/shop
test -x "$shop" || skip "demo/shop was not built"
need curl

pid=
clients=
quit() {
	test -z "$pid" || kill -KILL "$pid" 2>/dev/null || :
	for client in $clients; do
		kill "$client" 2>/dev/null || :
	done
	wait
	rm -rf "$d"
}
trap quit EXIT

# start_shop OPTION...: where it is, is in $url, $port, $tape, $sock and $pid.
start_shop() {
	# What an earlier one said goes first: else it may still be read.
	: >"$d/shop.out"
	TMPDIR=$d "$shop" --port 0 --workers 2 "$@" >"$d/shop.out" \
		2>"$d/shop.err" &
	until_ok grep -q 'listening on' "$d/shop.out"
	url=http://$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$d/shop.out")
	port=${url##*:}
	# libtool's wrapper may have another pid than the service.
	tape=$(echo "$d"/run/shop.*.tape)
	sock=${tape%.tape}.sock
	pid=$(echo "$tape" | sed 's/.*\.\([0-9]*\)\.tape$/\1/')
}

# After this it is dead to `tailbox ls` too; it was $was.
kill_shop() {
	kill -KILL "$pid"
	was=$pid
	pid=
	until_ok sh -c "'$tailbox' ls | grep -q ' dead '"
}

get() {
	curl -s -o /dev/null --max-time 20 "$url$1"
}

# Stop it in the midst of a report, of which there is always one: four clients
# ask for nothing else until it is dead. Where no report happens to be, it is let
# go and stopped again.
stop_in_report() {
	for client in 1 2 3 4; do
		while get /report; do :; done &
	done
	until_ok stopped_in_report
}
stopped_in_report() {
	kill -STOP "$pid"
	"$tailbox" status --tape "$pid" | grep -q report_query && return 0
	kill -CONT "$pid"
	return 1
}
