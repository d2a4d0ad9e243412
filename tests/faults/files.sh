# SPDX-License-Identifier: MIT
# Faults of files that are read: artifacts, tapes, Run JSON; by the command,
# and those in its folders by the service too.

data=$top_srcdir/tests/data

# refused WORDS FILE...: by every command that reads, with status 1.
refused() {
	words=$1
	shift
	for file; do
		for how in validate timeline "export --to json"; do
			# shellcheck disable=SC2086 # words on purpose
			tb 1 $how "$file"
			names "$file: " "$words"
		done
	done
}

# in_folder FILE [foreign]: as the artifact of a window; the service says why it
# does not list and send it. It deletes it, unless that is somebody else's file.
in_folder() {
	bad=victim-20020202T020202Z-7
	cp "$1" "$row/artifacts/$bad.tailbox"
	serve
	ask 200 GET /artifacts
	! grep -qF "$bad" "$row/body" || fail "it is listed"
	for call in "GET /artifacts/$bad" "GET /artifacts/$bad.tailbox" \
		${2:+"DELETE /artifacts/$bad"}; do
		# shellcheck disable=SC2086 # words on purpose
		ask 500 $call
		names artifact_unreadable "$bad in $row/artifacts: "
	done
	tell
	tb 1 fetch "victim#$bad" -o "$row/none"
	names victim artifact_unreadable "$bad"
	test ! -e "$row/none" || fail "a file was made"
	cmp "$1" "$row/artifacts/$bad.tailbox" || fail "it was changed"
	if test $# -eq 1; then
		ask 200 DELETE "/artifacts/$bad"
		test ! -e "$row/artifacts/$bad.tailbox" || fail "it is there"
	fi
	window 1 10
}

fault_artifact_truncated() {
	did "an artifact cut at 0, 1, half, all but 1 byte: validate, timeline, export; GET /artifacts/ID"
	folders
	size=$(stat -c %s "$data/tiny.tailbox")
	for n in 0 1 8 100 $((size / 2)) $((size - 1)); do
		head -c "$n" "$data/tiny.tailbox" >"$row/cut-$n"
		refused "" "$row/cut-$n"
	done
	tell
	in_folder "$row/cut-$((size - 1))"
}

fault_artifact_foreign() {
	did "an ELF file, words, another byte order as artifact: validate, timeline, export; GET /artifacts/ID"
	folders
	cp "$tailbox" "$row/elf"
	echo "hello, world" >"$row/words"
	refused "" "$row/elf" "$row/words"
	tell
	in_folder "$row/words" foreign
}

# flip FILE OFFSET: another byte there.
flip() {
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %o $(((byte + 85) % 256)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

fault_artifact_damaged() {
	did "one byte of an artifact changed, at 20 places: validate, export; GET /artifacts/ID"
	folders
	size=$(stat -c %s "$data/tiny.tailbox")
	at=0
	while test $at -lt "$size"; do
		cp "$data/tiny.tailbox" "$row/damaged"
		flip "$row/damaged" $at
		refused "" "$row/damaged"
		at=$((at + size / 20))
	done
	tell
	in_folder "$row/damaged"
}

# a_tape: of a process that was killed, as $row/tape.
a_tape() {
	serve
	"$clients" burst "$port" 200
	kill_hard
	cp "$row"/run/victim.*.tape "$row/tape"
	rm -r "$row/run"
	mkdir -m 700 "$row/run"
}

# tape_in_folder FILE: a tape in the run folder, beside a service.
tape_in_folder() {
	cp "$1" "$row/run/victim.4194305.tape"
	serve
	tb 0 ls
	names "victim.4194305.tape: "
	tell "ls: $(grep -m 1 4194305 "$row/said")"
	tb 0 status "$pid"
}

fault_tape_truncated() {
	did "a tape cut at 0, 1, 100, 4096 bytes, half: timeline, export; one in the run folder: ls"
	a_tape
	size=$(stat -c %s "$row/tape")
	for n in 0 1 100 4096 $((size / 2)); do
		head -c "$n" "$row/tape" >"$row/cut-$n.tape"
		tb 1 timeline "$row/cut-$n.tape"
		names "$row/cut-$n.tape: "
		tb 1 export --to json "$row/cut-$n.tape"
	done
	tell
	tape_in_folder "$row/cut-4096.tape"
}

fault_tape_foreign() {
	did "an ELF file, words, zeros as a tape: timeline, export; one in the run folder: ls"
	folders
	cp "$tailbox" "$row/elf.tape"
	echo "hello, world" >"$row/words.tape"
	head -c 1048576 /dev/zero >"$row/zeros.tape"
	for file in elf words zeros; do
		tb 1 timeline "$row/$file.tape"
		names "$row/$file.tape: "
		tb 1 export --to json "$row/$file.tape"
	done
	tell
	tape_in_folder "$row/zeros.tape"
}

# A tape has no checksum (it is written all the time): damage in the header is
# an error, damage in a block loses that block or shows what it says, and no
# reader dies of it.
fault_tape_damaged() {
	did "bytes of a tape changed: in its header, and in 40 other places; timeline, export, status, validate of what was exported"
	a_tape
	cp "$row/tape" "$row/version.tape"
	flip "$row/version.tape" 8
	tb 1 timeline "$row/version.tape"
	names "$row/version.tape: "
	tell
	size=$(stat -c %s "$row/tape")
	cp "$row/tape" "$row/damaged.tape"
	at=96
	while test $at -lt "$size"; do
		flip "$row/damaged.tape" $at
		if test $at -lt 4096; then
			at=$((at + 1 + at / 4))
		else
			at=$((at + size / 30))
		fi
		for how in timeline "export --to json" "status"; do
			rc=0
			# shellcheck disable=SC2086 # words on purpose
			"$tailbox" $how "$row/damaged.tape" >"$row/body" \
				2>"$row/said" || rc=$?
			test $rc -le 1 || fail "$how: exit $rc, $(cat "$row/said")"
			test $rc = 0 || names "$row/damaged.tape: "
		done
	done
	tell "other places: exit 0 or 1, each time said why"
	tape_in_folder "$row/version.tape"
}

fault_wrong_schema() {
	did "Run JSON of schema 1, 3, \"2\", none; artifact of version 99"
	folders
	for schema in 1 3 '"2"' null; do
		sed "s/\"schema_version\": 2/\"schema_version\": $schema/" \
			"$data/spec-example.json" >"$row/schema.json"
		refused "schema" "$row/schema.json"
	done
	tell
	grep -v '"schema_version"' "$data/spec-example.json" >"$row/none.json"
	refused "schema_version" "$row/none.json"
	tell
	cp "$data/tiny.tailbox" "$row/version"
	printf '\143' | dd of="$row/version" bs=1 seek=8 conv=notrunc 2>/dev/null
	refused "version" "$row/version"
	tell
	in_folder "$row/version"
}

fault_odd_tapes() {
	did "FIFO, folder, symlink loop, socket named *.tape in the run folder: ls, status"
	folders
	mkfifo "$row/run/victim.1.tape"
	mkdir "$row/run/victim.2.tape"
	ln -s victim.3.tape "$row/run/victim.3.tape"
	serve
	"$clients" burst "$port" 10
	tb 0 ls
	names victim.1.tape victim.2.tape victim.3.tape
	tell "exit 0 $(cat "$row/said")"
	tb 0 status "$pid"
	tb 0 status victim
}
