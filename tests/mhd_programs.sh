#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs of Debian that use libmicrohttpd, as they are, under the agent:
# each is asked a number of times, ends as it does without us, and its artifact has
# as many requests as it answered, is valid, and is analyzed.
#
#     tests/mhd_programs.sh [REQUESTS [PROGRAM...]]         500, and all of them
#
# A program that is not installed is unpacked into a temporary folder, with what it
# needs, and not installed. All run in a network of their own that has nothing but
# a loopback, for some listen on every address.
programs="debuginfod systemd-journal-gatewayd kiwix-serve motion collectd"
. "$(dirname "$0")/cli_common.sh"
. "$(dirname "$0")/beside.sh"
need curl ip python3 readelf unshare
agent=$(cd "$top_builddir" && pwd)/.libs/libtailbox-agent.so
tailbox=$(cd "$top_builddir" && pwd)/tailbox
test -e "$agent" || skip "no agent was built"
test -z "$SANITIZED" || skip "an agent with a sanitizer is no guest"
requests=${1:-500}
test $# -eq 0 || shift
test $# -gt 0 || eval "set -- $programs"
unset LD_PRELOAD TAILBOX TAILBOX_NAME

# path NAME: of a program, installed or unpacked.
root=${PROGRAMS_IN-$d}/root
path() {
	PATH=$PATH:/usr/sbin:/lib/systemd command -v "$1" ||
		find "$root" -type f -name "$1" ! -path '*/etc/*' -perm -u+x \
			2>/dev/null | grep .
}

# --- outside: fetch what is not there, then inside ----------------------------

package_of() {
	case $1 in
	systemd-journal-*) echo systemd-journal-remote ;;
	kiwix-serve) echo kiwix-tools ;;
	zimwriterfs) echo zim-tools ;;
	collectd) echo collectd-core libprotobuf-c1 ;;
	*) echo "$1" ;;
	esac
}

if test -z "${PROGRAMS_IN-}"; then
	map=
	test "$(id -u)" = 0 || map="--user --map-root-user"
	# shellcheck disable=SC2086 # words on purpose
	unshare $map --net true 2>/dev/null || skip "no right to a network of its own"
	wanted=
	for name; do
		test "$name" != kiwix-serve || name="$name zimwriterfs"
		for tool in $name; do
			path "$tool" >/dev/null ||
				wanted="$wanted $(package_of "$tool")"
		done
	done
	if test -n "$wanted"; then
		beside_from ""
		# shellcheck disable=SC2086
		beside_whole "$root" $wanted
		for package in $wanted; do
			beside_has "$package" >"$d/$package.version" || :
		done
		beside_libs "$root" >"$d/libs"
	fi
	rc=0
	# shellcheck disable=SC2086
	PROGRAMS_IN=$d unshare $map --net "$0" "$requests" "$@" || rc=$?
	exit $rc
fi

# --- inside -------------------------------------------------------------------

# The second address, because a name is looked up only where there is any.
ip link set lo up && ip addr add 192.0.2.1/32 dev lo ||
	skip "no loopback in a network of its own"
libs=
test ! -e "$PROGRAMS_IN/libs" || libs=$(cat "$PROGRAMS_IN/libs")
test ! -e "$root/usr/lib/file/magic.mgc" ||
	export MAGIC="$root/usr/lib/file/magic.mgc"
export HOME="$d"
cd "$d"

# Before a program that may have been unpacked.
with="env LD_LIBRARY_PATH=$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

version() {
	# shellcheck disable=SC2046 # the first of the words
	set -- $(package_of "$1")
	cat "$PROGRAMS_IN/$1.version" 2>/dev/null ||
		dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo '?'
}

# For each: harmless data, its arguments in $@, its port, two paths and the exit
# status at SIGTERM.
prepare_debuginfod() {
	mkdir elf
	cp "$(command -v env)" elf
	id=$(readelf -n elf/env | sed -n 's/.*Build ID: //p')
	test -n "$id" || skip "no build ids here"
	port=8002 first=/metrics second=/buildid/$id/executable ends=0
	set_arguments -p 8002 -d :memory: -t 0 -g 0 -F elf
}

prepare_gatewayd() {
	mkdir journal
	printf '%s\n' __REALTIME_TIMESTAMP=1700000000000000 \
		__MONOTONIC_TIMESTAMP=1000000 \
		_BOOT_ID=0123456789abcdef0123456789abcdef \
		MESSAGE=hello PRIORITY=6 '' >one
	$with "$(path systemd-journal-remote)" -o journal/one.journal one \
		>made 2>&1 || fail "no journal: $(cat made)"
	port=19531 first=/entries second=/fields/MESSAGE ends=143
	set_arguments -D journal
}

prepare_kiwix() {
	mkdir html
	echo '<html><title>Hello</title><body>hello</body></html>' \
		>html/index.html
	python3 - <<-'END'
		import struct, zlib
		def chunk(kind, data):
		    return (struct.pack(">I", len(data)) + kind + data +
		            struct.pack(">I", zlib.crc32(kind + data)))
		rows = (b"\0" + b"\x40\x80\xc0" * 48) * 48
		head = struct.pack(">IIBBBBB", 48, 48, 8, 2, 0, 0, 0)
		open("html/icon.png", "wb").write(b"\x89PNG\r\n\x1a\n" +
		    chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
		    chunk(b"IEND", b""))
	END
	$with "$(path zimwriterfs)" --welcome=index.html \
		--illustration=icon.png --language=eng --title=Hello \
		--description=hello --creator=tests --publisher=tests \
		--name=hello html hello.zim >made 2>&1 ||
		fail "no ZIM file: $(cat made)"
	port=8003 first=/ second=/hello/A/index.html ends=0
	set_arguments --address=127.0.0.1 --port=8003 hello.zim
}

prepare_motion() {
	mkdir pictures
	cat >motion.conf <<-END
		daemon off
		setup_mode off
		target_dir $d/pictures
		webcontrol_port 8004
		webcontrol_localhost on
		webcontrol_parms 0
		stream_port 0
		videodevice /dev/no-such-camera
	END
	port=8004 first=/ second=/0/config/list ends=0
	set_arguments -n -c motion.conf
}

# libmicrohttpd comes with a plugin.
prepare_collectd() {
	plugins=$(dirname "$(find /usr/lib/collectd "$root" \
		-name write_prometheus.so 2>/dev/null | head -n 1)")
	types=$root/usr/share/collectd/types.db
	test -e "$types" || types=/usr/share/collectd/types.db
	cat >collectd.conf <<-END
		BaseDir "$d"
		PIDFile "$d/collectd.pid"
		PluginDir "$plugins"
		TypesDB "$types"
		Interval 1
		LoadPlugin load
		LoadPlugin write_prometheus
		<Plugin write_prometheus>
			Host "127.0.0.1"
			Port "8005"
		</Plugin>
	END
	port=8005 first=/metrics second=/metrics ends=0
	set_arguments -f -C collectd.conf
}

# One a line; none has a newline.
set_arguments() {
	printf '%s\n' "$@" >arguments
}

# --- under the agent ----------------------------------------------------------

pid=
trap 'test -z "$pid" || kill "$pid" 2>/dev/null || :; wait; rm -rf "$d"' EXIT

# answered URL TIMES: adds how many answers there were to $answers, and how many
# were 200 to $good.
answered() {
	curl -sS --max-time 60 -Z --parallel-max 4 -o /dev/null \
		-w '%{http_code}\n' "$1#[1-$2]" >codes 2>curl.err || :
	answers=$((answers + $(grep -c '^[1-9]' codes || :)))
	good=$(grep -c '^200' codes || :)
}

# ready URL: it is there when it answers with 200.
ready() {
	for _ in $(seq 400); do
		answered "$1" 1
		test "$good" = 0 || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	fail "$name: no answer to $1: $(tail -n 5 log)"
}

# requests_of JSON
requests_of() {
	python3 -c 'import json, sys
print(len(json.load(open(sys.argv[1]))["requests"]))' "$1"
}

mhd_version() {
	sed 's/,/\n/g' "$1" | sed -n 's/.*"mhd_version": *"\([^"]*\)".*/\1/p'
}

row() {
	printf '%-26s %-18s %-14s %8s %8s  %s\n' "$@"
}

one() {
	answers=0
	log=log
	$with "$tailbox" run --agent "$agent" --no-report -o "$d/it.tailbox" -- \
		"$@" >log 2>&1 &
	pid=$!
	half=$((requests / 2))
	for at in "$first" "$second"; do
		ready "http://127.0.0.1:$port$at"
		answered "http://127.0.0.1:$port$at" "$half"
		test "$good" = "$half" ||
			fail "$name: $good of $half from $at: $(cat curl.err)"
	done
	kill "$pid"
	rc=0
	wait "$pid" 2>>log || rc=$?
	pid=
	test $rc = "$ends" ||
		fail "$name: exit status $rc, not $ends: $(tail -n 5 log)"
	run 0 validate "$d/it.tailbox"
	run 0 export --to json "$d/it.tailbox"
	cp out it.json
	recorded=$(requests_of it.json)
	run 0 analyze --format line "$d/it.tailbox"
	row "$name" "$(version "$name")" "$(mhd_version it.json)" "$answers" \
		"$recorded" "$(cat out)"
	test "$recorded" = "$answers" ||
		fail "$name: answered $answers, recorded $recorded"
	rm -f it.tailbox it.json
}

row program version libmicrohttpd answered recorded headline
for name; do
	program=$(path "$name") || skip "$name is not there"
	prepare_"$(echo "$name" | sed 's/^systemd-journal-//; s/-serve$//')"
	set --
	while read -r argument; do
		set -- "$@" "$argument"
	done <arguments
	one "$program" "$@"
done
done_well
