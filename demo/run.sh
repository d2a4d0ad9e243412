#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job, start to end: a real service is recorded, a window is armed and
# disarmed over HTTP, and its artifact is downloaded over HTTP and read. On a
# bare Debian this one command is enough; it says first what it does.
#
#     demo/run.sh                      the whole of it
#     demo/run.sh --requests N         so many in the window (default 2000)
#     demo/run.sh --offline-artifact   only read the artifact demo/shop.tailbox
#     demo/run.sh --help
#
# Every load is counted, bounded in time, and on this machine only.
set -eu
export LC_ALL=C

usage() {
	sed -n '3,12s/^# \{0,1\}//p' "$0"
}

offline=no
requests=2000
while test $# -gt 0; do
	case $1 in
	--offline-artifact)
		offline=yes
		;;
	--requests)
		requests=${2-}
		if ! [[ $requests =~ ^[1-9][0-9]{0,5}$ ]]; then
			echo "demo/run.sh: --requests takes 1 to 999999" >&2
			exit 2
		fi
		shift
		;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
	shift
done

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
build=_build/demo
log=_build/demo.log
artifact=$build/shop.tailbox
json=$build/shop.json
# The folder's path is part of the socket's, which has at most 107 bytes.
tmp=${TMPDIR:-/tmp}
test ${#tmp} -le 60 || tmp=/tmp
work= # the temporary folder
shop= # the pid of the shop

say() {
	printf '\n== %s\n' "$*"
}

die() {
	printf 'demo/run.sh: %s\n' "$*" >&2
	exit 1
}

# show COMMAND...: print a command as one would type it.
show() {
	local word

	printf '$'
	for word; do
		case $word in
		*\'*) printf ' %q' "$word" ;;
		*[!A-Za-z0-9_@%+=:,./-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
}

# run COMMAND...: show it, then do it.
run() {
	show "$@"
	"$@"
}

# --- on every way out --------------------------------------------------------

# Ends what this script started, by its pid, and waits for it: 0 when the shop
# stopped by itself and cleanly.
stop_shop() {
	local pid=$shop tries

	shop=
	test -n "$pid" || return 0
	kill "$pid" 2>/dev/null || :
	for ((tries = 0; tries < 150; tries++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || :
	wait "$pid"
}

cleanup() {
	local rc=$?

	trap - EXIT
	if test $rc -ne 0 && test -n "$work" && test -s "$work/shop.log"; then
		echo "The last words of the shop:" >&2
		tail -n 20 "$work/shop.log" >&2
	fi
	stop_shop || :
	test -z "$work" || rm -rf "$work"
	exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- install and build -------------------------------------------------------

parts="library command"
test $offline = yes || parts="$parts shop"

# tests/needs knows what building takes; the curl command only the demo uses.
missing() {
	# shellcheck disable=SC2086 # words on purpose
	tests/needs --list $parts
	test $offline = yes || command -v curl >/dev/null || echo curl
}

introduce() {
	local packages

	packages=$(missing | tr '\n' ' ')
	if test $offline = yes; then
		echo "tailbox demo: the timeline of demo/shop.tailbox, no server."
	else
		echo "tailbox demo: a shop is recorded, and a window of it is read."
	fi
	echo
	echo "  installs   ${packages:-nothing, all that is needed is there}"
	echo "  writes     $top/_build"
	echo "             what autogen.sh makes here (configure and such)"
	test $offline = yes || cat <<-END
		             $tmp/tailbox-demo.* (tape, socket, database;
		             removed at the end)
		  listens    on 127.0.0.1 and a Unix socket in that folder
	END
}

install_packages() {
	local root=

	# shellcheck disable=SC2086 # words on purpose
	tests/needs $parts
	if test $offline = yes || command -v curl >/dev/null; then
		return
	fi
	test "$(id -u)" -eq 0 || root=sudo
	# env, because sudo drops variables that are not on its own line.
	$root env DEBIAN_FRONTEND=noninteractive apt-get update -q
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
		--no-install-recommends curl ||
		die "the command curl is missing, please install it"
}

# A tree that is configured in place cannot be built elsewhere as well, so
# then the build is of a copy.
build_all() {
	local source=$top

	if test ! -x configure || test ! -e Makefile.in; then
		./autogen.sh || return
	fi
	if test -e config.status; then
		source=$top/_build/demo-source
		rm -rf "$source"
		make -s distdir distdir=_build/demo-source || return
	fi
	mkdir -p "$build"
	if test "$(cat "$build/source" 2>/dev/null)" != "$source" ||
	   test ! -e "$build/Makefile"; then
		rm -f "$build/config.cache"
		(cd "$build" && "$source/configure" -q) || return
		printf '%s\n' "$source" >"$build/source"
	fi
	make -C "$build" -j2
}

build_or_die() {
	say "Build in $build (log: $log)"
	mkdir -p _build
	if build_all >"$log" 2>&1 </dev/null; then
		return
	fi
	tail -n 40 "$log" >&2
	die "the build failed; all of its output is in $log"
}

# --- the main job ------------------------------------------------------------

tailbox=$build/tailbox

# Waits for the line that the shop prints when it is ready: the pipe is open
# for reading until the end, so the shop never writes into a closed one.
start_shop() {
	local line=
	local -a setting=(TAILBOX_DIR="$work" TMPDIR="$work")

	say "Start the shop; from now on it is recorded"
	printf '%s\n' silent show-error fail-with-body 'max-time = 20' \
		>"$work/.curlrc"
	export CURL_HOME=$work
	mkfifo "$work/out"
	show "${setting[@]}" $build/demo/shop --workers 4 --db-pool 2
	env -u TAILBOX -u TAILBOX_ARTIFACTS -u TAILBOX_CONFIG "${setting[@]}" \
		$build/demo/shop --workers 4 --db-pool 2 \
		>"$work/out" 2>"$work/shop.log" </dev/null &
	shop=$!
	exec 3<"$work/out"
	read -r -t 30 line <&3 || die "the shop does not start"
	echo "$line"
	port=${line##*:}
	socket=$work/shop.$shop.sock
	test -S "$socket" ||
		die "the shop runs, but is not recorded: no $socket"
}

load() {
	run $build/demo/load --port "$port" --requests "$1" --connections 8 \
		--seed "$2" --seconds 120
}

# http ARGUMENTS... PATH: one call of the admin server. What a script wants of
# curl and a reader need not see is in the .curlrc of start_shop().
http() {
	run curl --unix-socket "$socket" "${@:1:$#-1}" "http://localhost${!#}"
}

# An artifact is written when the last request of its window has ended.
wait_for_artifact() {
	local tries

	for ((tries = 0; tries < 300; tries++)); do
		if curl --unix-socket "$socket" http://localhost/artifacts |
		   grep -q '"shop-[0-9]'; then
			return
		fi
		sleep 0.1
	done
	die "no artifact is listed"
}

main_job() {
	work=$(mktemp -d "$tmp/tailbox-demo.XXXXXX")
	start_shop

	say "Customers come; nothing is armed"
	load 500 1
	http '/status?format=text'

	say "Arm a window, more customers, disarm"
	http -X POST /arm
	load "$requests" 2
	http -X POST /disarm
	wait_for_artifact
	http '/artifacts?format=text'

	say "Download it: as Run JSON, and as it is on disk"
	http -o "$json" /artifacts/1
	http -o "$artifact" /artifacts/1.tailbox

	say "Read it"
	run $tailbox validate "$artifact"
	run $tailbox timeline "$artifact"
	run $tailbox analyze "$artifact"

	say "Stop the shop"
	show kill "$shop"
	stop_shop || die "the shop did not stop cleanly"
}

# --- the three parts ---------------------------------------------------------

introduce
install_packages
build_or_die

if test $offline = yes; then
	say "A window that was captured before: its timeline, and the suspects"
	test -e demo/shop.tailbox || die "demo/shop.tailbox is not there"
	run $tailbox timeline demo/shop.tailbox
	run $tailbox analyze demo/shop.tailbox
	exit
fi

main_job

say "To try next, in $top"
cat <<END
  $tailbox analyze --all $artifact
  $tailbox export --to json $artifact | head -n 40
  $build/demo/shop --port 8080 & sleep 1; $tailbox capture 10s shop; kill %1
The window is in $artifact and, as Run JSON, in $json.
END
