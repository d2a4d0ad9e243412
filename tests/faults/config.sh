# SPDX-License-Identifier: MIT
# Faults of configuration files. Each is tried three ways: tailbox config
# check, POST /reload of a service that runs with a good one, and a start.

# refuse_config LINE WORDS...: the file on standard input is refused at that
# line, in these words.
refuse_config() {
	at=$1
	shift
	cat >"$row/bad.conf"
	tb 1 config check "$row/bad.conf"
	names "$row/bad.conf:$at:" "$@"
	cp "$row/bad.conf" "$row/conf"
	ask 400 POST /reload
	names bad_config "$row/conf" "\"line\": $at" "$@"
	: >"$row/said"
}

# good_config: a service with a file that sets its limit of requests.
good_config() {
	folders
	printf '[window]\nmax_requests = 7\n' >"$row/conf"
	TAILBOX_CONFIG=$row/conf
	export TAILBOX_CONFIG
	serve
}

# The service has what the last good file said; and one that starts with the
# last bad one runs with its other settings, and says where and why.
good_is_kept() {
	tb 1 config check "$row/bad.conf"
	tell
	ask 400 POST /reload
	tell "POST /reload: HTTP 400 bad_config, the same words"
	window 1 20
	tb 0 fetch --to json "victim#1" -o "$row/run.json"
	tb 0 validate "$row/run.json"
	names "valid: 7 requests"
	tell "the window to come has the limit of the good file"
	stop
	serve
	logged "$row/conf:"
	names "$@"
	ask 200 GET /status
	names "$row/conf:" "$@"
	tell "a start with it: runs without it, log and status name file and line"
}

fault_config_key() {
	did "[tape] siez; [tapes]; a key twice; a table twice; a key without a table"
	good_config
	refuse_config 2 'unknown key tape.siez' 'did you mean tape.size?' <<EOT
[tape]
siez = "1MiB"
EOT
	refuse_config 1 'unknown table [tapes]' <<EOT
[tapes]
EOT
	refuse_config 3 max_count <<EOT
[artifacts]
max_count = 1
max_count = 2
EOT
	refuse_config 3 tape <<EOT
[tape]
size = "1MiB"
[tape]
EOT
	refuse_config 1 size <<EOT
size = "1MiB"
EOT
	refuse_config 2 'unknown key tape.siez' <<EOT
[tape]
siez = "1MiB"
EOT
	good_is_kept "unknown key tape.siez"
}

fault_config_type() {
	did "a text for a number, a number for a bool, a mode, a list; a float, a date, a text that does not end"
	good_config
	refuse_config 2 artifacts.max_count <<EOT
[artifacts]
max_count = "ten"
EOT
	refuse_config 2 artifacts.local_json <<EOT
[artifacts]
local_json = 1
EOT
	refuse_config 3 window.mode <<EOT
# a comment
[window]
mode = 3
EOT
	refuse_config 2 window.mode light investigation <<EOT
[window]
mode = "dark"
EOT
	refuse_config 2 routes.patterns <<EOT
[routes]
patterns = "/users/{id}"
EOT
	for value in 1.5 1e3 2026-01-01 '{}' '"open' 0x10 nan; do
		printf '[artifacts]\nmax_count = %s\n' "$value" |
			refuse_config 2
	done
	refuse_config 2 artifacts.max_count number <<EOT
[artifacts]
max_count = "ten"
EOT
	good_is_kept artifacts.max_count
}

fault_config_unit() {
	did "sizes and durations without a unit, with one that is none, in another case"
	good_config
	for value in 1048576 '"1048576"' '"16MB"' '"16 mib"' '"MiB"' '"1.5MiB"'; do
		printf '[tape]\nsize = %s\n' "$value" |
			refuse_config 2 tape.size
	done
	for value in 30 '"30"' '"30sec"' '"30S"' '"-30s"' '"30s 5ms"'; do
		printf '[window]\nduration = %s\n' "$value" |
			refuse_config 2 window.duration
	done
	good_is_kept window.duration
}

fault_config_range() {
	did "each number below, above, and at 2^64: sizes, counts, limits, times"
	good_config
	set -- tape.size '"1KiB"' tape.size '"2GiB"' \
		tape.size '"18446744073709551616B"' \
		artifacts.max_size '"0B"' artifacts.max_size '"2TiB"' \
		artifacts.max_count 0 artifacts.max_count 100001 \
		artifacts.max_count 18446744073709551616 \
		window.max_requests -1 window.max_requests 10000001 \
		window.max_requests 18446744073709551615 \
		window.max_requests 18446744073709551616 \
		window.max_stages 18446744073709551616 \
		window.max_queues 18446744073709551616 \
		window.max_inflight_snapshots 18446744073709551616 \
		window.max_runtime_snapshots 18446744073709551616 \
		window.duration '"0s"' window.duration '"2d"' \
		window.duration '"18446744073709551616ms"' \
		window.drain_timeout '"11m"' \
		sampler.interval '"9ms"' sampler.interval '"61s"' \
		log.slow '"0ms"' log.slow '"2d"' \
		admin.listen '"127.0.0.1:65536"' \
		service.name '""'
	while test $# -gt 0; do
		words=$1 # a number that is none has no key yet
		test "$2" != 18446744073709551616 || words="over 2^64 - 1"
		printf '[%s]\n%s = %s\n' "${1%.*}" "${1#*.}" "$2" |
			refuse_config 2 "$words"
		shift 2
	done
	good_is_kept service.name
	for limit in max_requests max_stages max_queues max_inflight_snapshots \
		max_runtime_snapshots; do
		printf '[window]\n%s = 0\n' $limit >"$row/good.conf"
		tb 0 config check "$row/good.conf"
	done
	tell "limits of 0 are taken"
}

fault_config_families() {
	did "[artifacts] and [controller] in one file, both orders"
	good_config
	refuse_config 3 controller <<EOT
[artifacts]
max_count = 5
[controller]
[controller.activation]
mode = "light"
[controller.activation.sink]
type = "local_json"
output_path = "run.json"
EOT
	refuse_config 6 artifacts <<EOT
[controller.activation]
mode = "light"
[controller.activation.sink]
type = "local_json"
output_path = "run.json"
[artifacts]
max_count = 5
[controller]
EOT
	good_is_kept artifacts
}

fault_config_file() {
	did "a file that is not there, a folder, a FIFO, /dev/zero, 1 MiB, not UTF-8: config check, start"
	folders
	mkfifo "$row/fifo"
	mkdir "$row/folder"
	head -c 1048576 /dev/zero | tr '\0' '#' >"$row/large"
	printf '[service]\nname = "\377"\n' >"$row/bytes"
	for file in none folder fifo large bytes; do
		tb 1 config check "$row/$file"
		names "$row/$file"
		tell
	done
	tb 1 config check /dev/zero
	for file in none folder fifo large bytes; do
		TAILBOX_CONFIG=$row/$file
		export TAILBOX_CONFIG
		serve
		ask 200 GET /status
		names "$row/$file" '"recorded": true'
		stop
	done
	tell "a start with each: runs, and status says why"
}
