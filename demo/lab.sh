#!/bin/bash
# SPDX-License-Identifier: MIT
# The lab of provoked faults: gives the demo shop one trouble after the other,
# captures a window of each and looks whether the first suspect of
# `tailbox analyze` is the right one.
#
#     demo/lab.sh                  each trouble once
#     demo/lab.sh sleep lock       these
#     demo/lab.sh --list           what there is, and what is expected
#     demo/lab.sh --runs N         so often each, 1 to 1000
#     demo/lab.sh --seconds N      length of a window, 1 to 60 (default 4)
#     demo/lab.sh --keep FOLDER    keep the artifacts, NAME-RUN.tailbox
#     demo/lab.sh --json           a line of JSON for each run, and the totals
#
# Exit status: 0 all were right, 1 some were not, 2 usage. TAILBOX_BUILD names a
# build to use; else one is made in _build/demo. Every load is bounded in time,
# and on this machine only. doc/lab.md says more.
set -eu
export LC_ALL=C

top=$(cd "$(dirname "$0")/.." && pwd)
build=${TAILBOX_BUILD:-$top/_build/demo}
runs=1
seconds=4
keep=
json=no
cpus=$(nproc 2>/dev/null || echo 2)
all="healthy pool query sleep spin lock burn neighbour suspend download upload
	limit accept stall"

# --- the troubles ------------------------------------------------------------

# trouble NAME: sets what a run of it takes.
#   want     the first suspect that is right; there is one only
#   why      what an engineer would call the cause
#   shop     options of demo/shop
#   clients  a function: starts the load, each by `client`
#   warm     seconds from there to the window
# The ordinary customers of `mix` are there always: a cause must be found
# beside what goes on anyhow. There are no reports among them: a report computes
# for so long that it is a trouble by itself. Where all requests are to meet in
# one place, each connection has a thread, so that none waits for a worker. Only
# the healthy shop has other customers, whose requests are all alike: in the mix
# the supplier is slow for some items, and to name it would be right.
trouble() {
	clients=mix
	warm=0.6
	case $1 in
	healthy)
		want=none
		why="all pages take 8 ms: no suspect may have high confidence"
		shop="--workers 0 --db-pool 4 --trouble work"
		clients=readers
		;;
	pool)
		want=application_queue_saturation
		why="all pages wait for the one database connection"
		shop="--workers 0 --db-pool 1 --trouble pool"
		clients="mix crowd"
		;;
	query)
		want=downstream_stage_dominates
		why="queries take 30 or 240 ms, in the marked stage db_query"
		shop="--workers 0 --db-pool 16 --trouble query"
		clients="mix crowd"
		;;
	sleep)
		want=worker_blocked
		why="GET /quote/{id} sleeps, and others wait for its worker"
		shop="--workers 2 --db-pool 4 --trouble sleep"
		clients="mix quotes"
		;;
	spin)
		want=spinning_handler
		why="GET /quote/{id} computes, and others wait for its worker"
		shop="--workers 2 --db-pool 4 --trouble spin"
		;;
	lock)
		want=lock_contention
		why="all pages want one mutex, which is held for 6 or 60 ms"
		shop="--workers 0 --db-pool 16 --trouble lock"
		clients="mix crowd"
		;;
	burn)
		want=cpu_starvation
		why="threads of the shop itself take the CPU from its workers"
		shop="--workers 4 --db-pool 4 --trouble burn"
		clients="mix browsers"
		;;
	neighbour)
		want=cpu_starvation
		why="other processes take the CPU from the workers"
		shop="--workers 4 --db-pool 4"
		clients="mix browsers burners"
		;;
	suspend)
		want=resume_delay
		why="requests are resumed while their worker has other work"
		shop="--workers 1 --db-pool 4 --trouble suspend"
		clients="few bursts"
		;;
	download)
		want=slow_client_download
		why="clients read a page of 1 MB slowly"
		shop="--workers 4 --db-pool 4"
		clients="mix downloads"
		;;
	upload)
		want=slow_client_upload
		why="clients send the body of an order in drips"
		shop="--workers 4 --db-pool 4"
		clients="mix uploads"
		;;
	limit)
		want=connection_limit_reached
		why="12 clients keep connections, and the daemon takes 4"
		shop="--workers 2 --db-pool 4 --limit 4"
		clients=keepers
		;;
	accept)
		want=accept_queue_pressure
		why="bursts of new connections fill a short accept queue"
		shop="--workers 2 --db-pool 4 --backlog 24 --trouble work"
		clients="mix newcomers"
		;;
	stall)
		want=event_loop_stall
		why="128 requests are ready at once on one worker, and MHD sleeps"
		shop="--workers 1 --db-pool 4 --trouble sleep"
		clients="full_batch one_quote"
		warm=2
		;;
	*) return 1 ;;
	esac
}

# The clients. Each ends by itself after $life seconds.
load() {
	client "$build/demo/load" --port "$port" --seconds "$life" \
		--requests 1000000 "$@"
}
mix() { load --connections 4 --pause 10 --no-reports --seed "$run" "$@"; }
crowd() { load --connections 10 --get /items/7; }
readers() {
	load --connections 2 --pause 10 --get /items/7
	load --connections 2 --pause 10 --get /items
}
few() { load --connections 2 --pause 60 --get /items; }
browsers() { load --connections 8 --pause 5 --get '/items?limit=100'; }
quotes() { load --connections 2 --pause 150 --get /quote/7; }
bursts() { load --connections 24 --beat 300 --get /items/7; }
# 128 connections, all at once. Where that falls into a quote, which holds the
# worker, all of them are ready after it, and it sleeps until the next quote.
full_batch() { load --connections 128 --beat 400 --get /items/7; }
one_quote() { load --connections 1 --pause 500 --get /quote/7; }
newcomers() { load --connections 60 --beat 400 --reconnect 1 --get /items/7; }
keepers() {
	load --connections 12 --pause 10 --reconnect 25 --no-reports \
		--seed "$run"
}
downloads() { slow --clients 8 --download /catalogue; }
uploads() { slow --clients 8 --upload; }
slow() {
	client "$build/demo/slow_client" --port "$port" --seconds "$life" "$@"
}
burners() {
	local i

	for ((i = 0; i < 6 * cpus; i++)); do
		client timeout -k 1 "$life" sh -c 'while :; do :; done'
	done
}

# --- options -----------------------------------------------------------------

usage() {
	sed -n '3,18s/^# \{0,1\}//p' "$0"
}

bad_usage() {
	echo "demo/lab.sh: $*" >&2
	usage >&2
	exit 2
}

list() {
	local name

	for name in $all; do
		trouble "$name"
		printf '%-10s %-29s %s\n' "$name" "$want" "$why"
	done
}

names=
while test $# -gt 0; do
	case $1 in
	--runs | --seconds)
		most=1000
		test "$1" = --runs || most=60
		if ! [[ ${2-} =~ ^[1-9][0-9]{0,3}$ ]] || test "$2" -gt $most
		then
			bad_usage "$1 takes 1 to $most"
		fi
		if test "$1" = --runs; then runs=$2; else seconds=$2; fi
		shift
		;;
	--keep)
		test -n "${2-}" || bad_usage "--keep takes a folder"
		keep=$2
		shift
		;;
	--json) json=yes ;;
	--list)
		list
		exit 0
		;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		trouble "$1" || bad_usage "no such trouble: $1"
		names="$names $1"
		;;
	esac
	shift
done
names=${names:-$all}
# Its way to the window, the window, and what closing it may take.
life=$((seconds + 15))

# --- processes ---------------------------------------------------------------

tmp=${TMPDIR:-/tmp}
# The folder's path is part of the socket's, which has at most 107 bytes.
test ${#tmp} -le 60 || tmp=/tmp
work=$(mktemp -d "$tmp/tailbox-lab.XXXXXX")
shop_pid=
client_pids=

client() {
	"$@" >/dev/null 2>&1 </dev/null &
	client_pids="$client_pids $!"
}

# end PID: 0 when it is gone within ten seconds of its own.
end() {
	local tries

	kill "$1" 2>/dev/null || :
	for ((tries = 0; tries < 100; tries++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null && return 1
	wait "$1" 2>/dev/null || :
}

end_clients() {
	local pid

	# All at once, then one after the other until each is gone.
	# shellcheck disable=SC2086 # words on purpose
	test -z "$client_pids" || kill $client_pids 2>/dev/null || :
	for pid in $client_pids; do
		end "$pid" || :
	done
	client_pids=
}

end_shop() {
	local pid=$shop_pid

	shop_pid=
	test -z "$pid" || end "$pid"
}

cleanup() {
	local rc=$?

	trap - EXIT
	end_clients
	end_shop || :
	rm -rf "$work"
	exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

die() {
	printf 'demo/lab.sh: %s\n' "$*" >&2
	exit 1
}

# --- one run -----------------------------------------------------------------

start_shop() {
	local line=

	mkfifo "$dir/out"
	# shellcheck disable=SC2086 # words on purpose
	env -u TAILBOX -u TAILBOX_ARTIFACTS -u TAILBOX_CONFIG \
		TAILBOX_DIR="$dir" TMPDIR="$dir" "$build/demo/shop" $shop \
		>"$dir/out" 2>"$dir/log" </dev/null &
	shop_pid=$!
	exec 3<"$dir/out"
	read -r -t 30 line <&3 || die "$name: no shop: $(cat "$dir/log")"
	port=${line##*:}
}

# Leaves the artifact in $dir/run.tailbox.
capture() {
	local each

	start_shop
	for each in $clients; do
		$each
	done
	# The clients come and fall into step; that is not to be judged.
	sleep "$warm"
	"$build/tailbox" capture "${seconds}s" --mode investigation \
		--note "lab: $name" -o "$dir/run.tailbox" \
		"$dir/shop.$shop_pid.sock" >/dev/null 2>"$dir/capture" ||
		die "$name: $(cat "$dir/capture")"
	end_clients
	end_shop || die "$name: the shop did not stop"
	exec 3<&-
}

# field NAME: of the first suspect in the report; those of routes and of parts
# of the window come after it.
field() {
	sed -n '/"primary_suspect"/,$p' "$dir/report" |
		sed -n "s/.*\"$1\": *\"\{0,1\}\([a-z_0-9]*\).*/\1/p" | sed 1q
}

judge() {
	"$build/tailbox" analyze --json "$dir/run.tailbox" >"$dir/report" \
		2>"$dir/err" || die "$name: analyze: $(cat "$dir/err")"
	kind=$(field kind)
	score=$(field score)
	confidence=$(field confidence)
	test -n "$kind" || die "$name: the report names no suspect"
	right=no
	if test "$want" = none; then
		test "$confidence" = high || right=yes
	elif test "$kind" = "$want"; then
		right=yes
	fi
}

show() {
	local verdict=right

	test $right = yes || verdict=WRONG
	if test $json = yes; then
		printf '{"trouble": "%s", "run": %d, "expected": "%s", ' \
			"$name" "$run" "$want"
		printf '"first": "%s", "score": %d, "confidence": "%s", ' \
			"$kind" "$score" "$confidence"
		printf '"right": %s}\n' \
			"$(test $right = yes && echo true || echo false)"
	else
		printf '%-10s %-29s %-29s %3d %-6s %s\n' "$name" "$want" \
			"$kind" "$score" "$confidence" $verdict
	fi
}

one_run() {
	dir=$work/$name-$run
	mkdir -m 700 "$dir"
	trouble "$name"
	capture
	test -z "$keep" || cp "$dir/run.tailbox" "$keep/$name-$run.tailbox"
	judge
	show
	if test $right = yes; then
		n_right=$((n_right + 1))
	else
		n_wrong=$((n_wrong + 1))
		test "$confidence" != high || n_sure=$((n_sure + 1))
	fi
	rm -rf "$dir"
}

# --- all of them -------------------------------------------------------------

make_programs() {
	test -z "${TAILBOX_BUILD-}" || return 0
	if test ! -e "$build/Makefile"; then
		mkdir -p "$build"
		test -x "$top/configure" || (cd "$top" && ./autogen.sh)
		(cd "$build" && "$top/configure" -q)
	fi
	make -s -C "$build" -j2 tailbox demo/shop demo/load demo/slow_client
}

make_programs >"$work/make" 2>&1 </dev/null || {
	tail -n 20 "$work/make" >&2
	die "the build failed; demo/run.sh says what it takes"
}
for program in tailbox demo/shop demo/load demo/slow_client; do
	test -x "$build/$program" || die "$build/$program is not there"
done
test -z "$keep" || mkdir -p "$keep"

n_right=0
n_wrong=0
n_sure=0
test $json = yes || printf '%-10s %-29s %-29s %s\n' trouble expected \
	"first suspect" "score, confidence"
for name in $names; do
	for ((run = 1; run <= runs; run++)); do
		one_run
	done
done
if test $json = yes; then
	printf '{"right": %d, "wrong": %d, ' $n_right $n_wrong
	printf '"wrong_with_high_confidence": %d}\n' $n_sure
else
	echo "$n_right right, $n_wrong wrong, $n_sure of them with high" \
		"confidence"
fi
test $n_wrong -eq 0
