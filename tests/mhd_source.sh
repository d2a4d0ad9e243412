# SPDX-License-Identifier: MIT
# Read by the tests that need the source of libmicrohttpd, after common.sh and
# scratch or another folder in $d: what was unpacked there before is used again.
# SOURCE=DIR is one that is unpacked already; it is not changed.
#
# mhd_source: leaves the folder in $source, or ends the test with 77.

# apt with lists and settings of its own in $d/apt, for source packages from
# where the machine's fetches packages: nothing of the machine's is changed.
own_apt() {
	mkdir -p "$d/apt/sources.list.d" "$d/apt/preferences.d" \
		"$d/apt/state/lists/partial" "$d/apt/cache/archives/partial"
	for f in /etc/apt/sources.list.d/*.sources; do
		test ! -e "$f" || sed 's/^Types:.*/Types: deb-src/' "$f" \
			>"$d/apt/sources.list.d/$(basename "$f")"
	done
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		test ! -e "$f" || sed -n 's/^deb /deb-src /p' "$f" \
			>"$d/apt/sources.list.d/src-$(basename "$f")"
	done
	# A proxy and keys are the machine's.
	cat >"$d/apt/apt.conf" <<-END
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$d/apt/sources.list.d/";
		Dir::Etc::preferencesparts "$d/apt/preferences.d/";
		Dir::State "$d/apt/state/";
		Dir::State::status "/var/lib/dpkg/status";
		Dir::Cache "$d/apt/cache/";
		APT::Sandbox::User "$(id -un)";
	END
}

mhd_source() {
	source=${SOURCE:-}
	if test -n "$source"; then
		test -x "$source/configure" ||
			skip "SOURCE=$source is no source of libmicrohttpd"
		source=$(cd "$source" && pwd)
		return
	fi
	source=$d/source
	test ! -x "$source/configure" || return 0
	need apt-get dpkg-source
	own_apt
	APT_CONFIG=$d/apt/apt.conf timeout 300 apt-get update \
		>"$d/apt.log" 2>&1 </dev/null ||
		skip "apt-get update: $(tail -n 1 "$d/apt.log"); SOURCE=DIR takes an unpacked source"
	(cd "$d" && APT_CONFIG=$d/apt/apt.conf timeout 300 apt-get source -q \
		--download-only libmicrohttpd) >"$d/apt.log" 2>&1 </dev/null ||
		skip "apt-get source: $(tail -n 1 "$d/apt.log"); SOURCE=DIR takes an unpacked source"
	dpkg-source -x "$d"/libmicrohttpd_*.dsc "$source" >"$d/apt.log" 2>&1 ||
		fail "cannot unpack: $(tail -n 1 "$d/apt.log")"
}
