# SPDX-License-Identifier: MIT
# Faults of the artifact folder: full, not writable, gone, replaced, crowded.

# ids of windows that were lost are used up; the next one is placed.
next_window_is_well() {
	window "$1" 20
	tell "the next window is well"
}

fault_folder_unwritable() {
	did "artifact folder of mode 0500, POST /arm; mode 0500 in an armed window"
	folders
	if test "$(id -u)" = 0; then
		need setpriv
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			test -x "$service" || cannot "another user cannot run it"
		chmod 755 "$d" "$row"
		chown -R 65534 "$row/run" "$row/artifacts"
		launch="setpriv --reuid=65534 --regid=65534 --clear-groups"
	fi
	serve
	chmod 500 "$row/artifacts"
	ask 500 POST /arm
	names cannot_arm "$row/artifacts" "Permission denied"
	tell
	tb 1 arm victim
	names victim "$row/artifacts" "Permission denied"
	tell
	chmod 700 "$row/artifacts"
	ask 200 POST /arm
	"$clients" burst "$port" 20
	chmod 500 "$row/artifacts"
	ask 200 POST /disarm
	until_ok status_has "Permission denied"
	ask 500 POST /disarm
	names window_failed "$row/artifacts" "Permission denied"
	tell
	chmod 700 "$row/artifacts"
	next_window_is_well 2
}

fault_folder_vanished() {
	did "artifact folder renamed in an armed window, POST /disarm"
	serve
	ask 200 POST /arm
	"$clients" burst "$port" 20
	mv "$row/artifacts" "$row/elsewhere"
	kept=$row/elsewhere
	ask 200 GET /artifacts
	ask 200 POST /disarm
	until_ok has_artifact 1
	tell "made anew, the artifact is placed there"
	tb 0 fetch "victim#1" -o "$row/one.tailbox"
	tb 0 validate "$row/one.tailbox"
	names "valid:"
	tell
}

fault_folder_replaced() {
	did "a file where the artifact folder was: GET /artifacts, disarm, arm"
	serve
	ask 200 POST /arm
	"$clients" burst "$port" 20
	mv "$row/artifacts" "$row/elsewhere"
	kept=$row/elsewhere
	echo precious >"$row/artifacts"
	ask 500 GET /artifacts
	names folder_unreadable "$row/artifacts" "Not a directory"
	tell
	ask 500 GET "/artifacts/$(basename "$(ls "$kept"/*.tailbox | head -n 1)")"
	names artifact_unreadable "$row/artifacts" "Not a directory"
	ask 200 POST /disarm
	until_ok status_has "Not a directory"
	ask 500 POST /disarm
	names window_failed "$row/artifacts" "Not a directory"
	tell
	ask 500 POST /arm
	names cannot_arm "$row/artifacts" "Not a directory"
	tell
	test "$(cat "$row/artifacts")" = precious || fail "it was written to"
	rm "$row/artifacts"
	mv "$row/elsewhere" "$row/artifacts"
	kept=$row/artifacts
	next_window_is_well 2
}

is_lost() {
	grep -q 'window 1 is lost' "$row/err"
}

fault_disk_full_spooling() {
	did "tmpfs of 1 MB for artifacts, full in an armed window of 20,000 requests"
	tmpfs "$row/artifacts" 1m
	serve --tape-bytes 8388608
	ask 200 POST /arm
	"$clients" burst "$port" 20000
	until_ok status_has "No space left"
	serving
	ask 200 GET /status
	names "$row/artifacts"
	tell "status: $(grep -m 1 -o '[^"]*No space left[^"]*' "$row/body")"
	ask 200 POST /disarm
	until_ok is_lost
	ask 500 POST /disarm
	names window_failed "$row/artifacts" "No space left"
	tell
	test -z "$(find "$row/artifacts" -name '*.part' -o -name '*.tmp')" ||
		fail "left: $(ls -lA "$row/artifacts")"
	next_window_is_well 2
}

fault_disk_full_placing() {
	did "tmpfs for artifacts with room for the spool and not for the artifact"
	tmpfs "$row/artifacts" 4m
	serve --tape-bytes 8388608
	ask 200 POST /arm
	"$clients" burst "$port" 20000
	# What comes after a look at the spool is a few requests of the client
	# that asks all along; what is assembled is about as large as it.
	ask 200 GET /status
	free=$(df -k --output=avail "$row/artifacts" | tail -n 1)
	fill "$row/artifacts" $(((free - 300) / 4))
	ask 200 POST /disarm
	until_ok status_has "No space left"
	ask 500 POST /disarm
	names window_failed "$row/artifacts" "cannot write" "No space left"
	tell
	test -z "$(find "$row/artifacts" -name '*.part' -o -name '.*.tmp')" ||
		fail "left: $(ls -lA "$row/artifacts")"
	rm "$row/artifacts/filler"
	next_window_is_well 2
}

fault_folder_read_only() {
	did "mount -o remount,ro ARTIFACTS: list, fetch, delete, arm"
	tmpfs "$row/artifacts" 4m
	serve
	window 1 20
	mount -o remount,ro "$row/artifacts"
	ask 500 POST /arm
	names cannot_arm "$row/artifacts" "Read-only file system"
	tell
	ask 500 DELETE /artifacts/1
	names cannot_delete victim- "Read-only file system"
	tell
	ask 200 GET /artifacts
	tb 0 fetch "victim#1" -o "$row/one.tailbox"
	tell "list and fetch: well"
	mount -o remount,rw "$row/artifacts"
	next_window_is_well 2
}

fault_many_artifacts() {
	did "10,000 artifacts in the folder, max_count = 20000: GET /artifacts, a window"
	folders
	printf '[artifacts]\nmax_count = 20000\n' >"$row/conf"
	TAILBOX_CONFIG=$row/conf
	export TAILBOX_CONFIG
	one=$(ls "$row/artifacts" | head -n 1)
	(cd "$row/artifacts" && "$clients" links "$one" 10000)
	serve
	ask 200 GET /artifacts
	tell "HTTP 200, $(grep -c '"name"' "$row/body") listed"
	ask 200 GET /artifacts/victim-20010101T000000Z-10000.tailbox
	tb 0 fetch victim#victim-20010101T000000Z-1 -o "$row/oldest"
	tell "the oldest is fetched by its name"
	window 1 20
	test "$(ls "$row/artifacts" | wc -l)" = 10003 ||
		fail "$(ls "$row/artifacts" | wc -l) files"
	tell "each is there still, the window's artifact too"
}

fault_kill_placing() {
	did "SIGKILL while the artifact is written; the same service again"
	tries=0
	folders
	while :; do
		serve --tape-bytes 8388608
		ask 200 POST /arm
		"$clients" burst "$port" 20000
		asked_all_along
		ask 200 POST /disarm
		# The records are there until the artifact is.
		while ! ls -A "$row/artifacts" | grep -q 'tmp$' &&
			test -e "$(echo "$row"/artifacts/*.part)"; do
			:
		done
		kill -KILL "$pid"
		wait "$pid" || :
		ls -A "$row/artifacts" | grep -q 'tmp$' && break
		tries=$((tries + 1))
		rm -f "$row"/artifacts/*.part
		test $tries -lt 10 || cannot "not caught in the act"
	done
	tell "what was half written is $(ls -A "$row/artifacts" | grep -c 'tmp$') temporary file and the records, no artifact"
	serve
	ask 200 GET /artifacts
	# What the start makes of the tape is a whole one, and may be there yet.
	test "$(grep '"name"' "$row/body" | grep -vc -e '-c[0-9]*"')" -le $((2 + tries)) ||
		fail "half an artifact is listed: $(cat "$row/body")"
	tb 0 ls
	window 1 20
	tell "the next process lists whole ones only and goes on"
}

fault_run_folder_deleted() {
	did "rm -r RUN_FOLDER under the service, also in an armed window"
	serve
	ask 200 POST /arm
	rm -r "$row/run"
	"$clients" burst "$port" 50
	serving
	tb 1 status victim
	tell
	tb 1 disarm "$pid"
	tell
	tell "the window is placed when the service ends"
	stop
	test "$(ls "$row"/artifacts/*.tailbox | wc -l)" = 3 ||
		fail "no artifact: $(ls "$row/artifacts"; cat "$row/err")"
}
