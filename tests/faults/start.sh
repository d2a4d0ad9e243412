# SPDX-License-Identifier: MIT
# Faults of a start: options of MHD, the run folder, what is in it, names.

fault_mhd_option() {
	did "tailbox_mhd_start_daemon(..., 9999, ...), then a daemon without it"
	serve --mhd-option 9999
	logged "daemon with option 9999: refused"
	tell "NULL, as MHD_start_daemon does, and in its words: \"$(
		grep -m 1 9999 "$row/err")\""
	tell "the next daemon serves, recorded"
	ask 200 GET /status
	status_has '"recorded": true' || fail "not recorded"
}

fault_mhd_option_deep() {
	did "options in arrays, nested deeper than tailbox looks"
	serve --deep
	ask 200 GET /status
	names "MHD option 15 is not known to tailbox"
	tell "status: $(grep -m 1 -o '[^"]*is not known to tailbox[^"]*' "$row/body")"
	tell "the daemon serves, unrecorded"
}

# expect_fallback REASON: the run folder that was wanted is not used, the next
# one is, and both are told.
expect_fallback() {
	RUNTIME_DIRECTORY=$row/second
	export RUNTIME_DIRECTORY
	mkdir "$row/second"
	serve
	logged "TAILBOX_DIR cannot be used"
	names "$row/run" "$1"
	tell
	sock=$row/second/tailbox/victim.$pid.sock
	ask 200 GET /status
	names "TAILBOX_DIR cannot be used" "$row/run"
	tell "status says the same; recorded in DIR/second/tailbox"
	tb 0 status "$pid"
}

fault_run_folder_foreign() {
	test "$(id -u)" = 0 || cannot "only root makes a folder another user's"
	did "chown 65534 RUN_FOLDER, start"
	folders
	chown 65534 "$row/run"
	expect_fallback "belongs to another user"
}

fault_run_folder_open() {
	did "chmod 0777 RUN_FOLDER, start"
	folders
	chmod 0777 "$row/run"
	serve
	test "$(stat -c %a "$row/run")" = 700 || fail "it still is open"
	tell "made 0700; recorded there"
	ask 200 GET /status
}

# tape_is MAKE...: something else where the tape will be. The shell's pid is
# that of the service.
tape_is() {
	folders
	printf '%s\n' 'tape=$TAILBOX_DIR/victim.$$.tape' "$1" 'exec "$@"' \
		>"$row/launch"
	launch="sh $row/launch"
	echo precious >"$row/precious"
	serve
	ask 200 GET /status
	names '"recorded": true'
	logged "recording victim"
	tell
	test -n "$(find "$row/run" -name "victim.$pid.1.tape")" ||
		fail "what was there is gone"
	tell "what was there is victim.PID.1.tape now"
	tb 0 ls
	tb 0 status "$pid"
	window 1 10
	test "$(cat "$row/precious")" = precious || fail "it was written to"
}

fault_tape_is_symlink() {
	did "ln -s FILE RUN_FOLDER/victim.PID.tape, start"
	tape_is 'ln -s "$(dirname "$TAILBOX_DIR")/precious" "$tape"'
}

fault_tape_is_fifo() {
	did "mkfifo RUN_FOLDER/victim.PID.tape, start"
	tape_is 'mkfifo "$tape"'
}

fault_tape_is_folder() {
	did "mkdir RUN_FOLDER/victim.PID.tape, start"
	tape_is 'mkdir "$tape"'
}

fault_long_name() {
	did "tailbox_start() with a name of 5,000 bytes"
	named=$(printf '%063d' 0 | tr 0 n)
	serve --name "$(printf '%05000d' 0 | tr 0 n)"
	logged "is shown as $named"
	tell "cut to 63 bytes, which the log says"
	tb 0 status "$named"
	ask 200 GET /status
	names "is shown as"
	window 1 10
}

fault_same_name() {
	did "two of one name, run folder and artifact folder; both armed at once"
	serve
	first=$pid
	in_background "$service" >"$row/out2" 2>"$row/err2"
	second=$!
	until_ok grep -q listening "$row/out2"
	tb 1 status victim
	names "$first" "$second"
	tell
	tb 1 arm victim
	names "$first" "$second"
	for one in $first $second; do
		tb 0 arm "$one"
	done
	port2=$(sed -n 's/^listening.*://p' "$row/out2")
	"$clients" burst "$port" 20
	"$clients" burst "$port2" 30
	for one in $first $second; do
		tb 0 disarm "$one"
		sock=$TAILBOX_DIR/victim.$one.sock
		until_ok has_artifact 1
		tb 0 fetch "$one#1" -o "$row/of-$one.tailbox"
	done
	tb 0 validate "$row/of-$second.tailbox"
	names "valid: 30 requests"
	test "$(ls "$row"/artifacts/*.tailbox | wc -l)" = 4 ||
		fail "$(ls "$row/artifacts")"
	tell "by pid each is armed and gives its own artifact"
	kill -TERM "$second"
	wait "$second" || fail "the second ended with $?"
}
