# SPDX-License-Identifier: MIT
# Read by scripts that try packages which are not to be installed: what one
# brings is unpacked into a folder, and nothing of the system changes. Reads
# common.sh first. Only for Debian's own archive, which the system's settings of
# apt name; whatever cannot be had ends the script as skipped.

# beside_suite SUITE: packages come from this suite of Debian from now on. Only
# its lists are read, from the mirror that the system uses, with the system's
# keys, and into $d/apt.
beside_suite() {
	need apt-get dpkg-deb
	rm -rf "$d/apt"
	mkdir -p "$d/apt/state/lists/partial" "$d/apt/cache/archives/partial"
	beside_from=$1
	mirror=$(apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		2>/dev/null | sort -u | head -n 1)
	test -n "$mirror" || skip "apt knows no mirror of Debian"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	test -e $keyring && signed="[signed-by=$keyring]" || signed=
	echo "deb $signed $mirror $1 main" >"$d/apt/sources.list"
	# Read after the system's settings. Its hooks are for its own lists.
	cat >"$d/apt/conf" <<-END
		#clear APT::Update;
		Dir::State "$d/apt/state";
		Dir::Cache "$d/apt/cache";
		Dir::Etc::sourcelist "$d/apt/sources.list";
		Dir::Etc::sourceparts "-";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Retries "2";
		Acquire::http::Timeout "30";
	END
	apt-get -qq -c "$d/apt/conf" update >"$d/apt/log" 2>&1 || :
	test -n "$(find "$d/apt/state/lists" -name '*_Packages*')" ||
		skip "no lists of Debian $1: $(grep '^[EW]:' "$d/apt/log" | head -n 1)"
}

# beside_has PACKAGE: the suite has it; prints the version.
beside_has() {
	apt-cache -c "$d/apt/conf" show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^Version: //p' | grep .
}

# beside FOLDER PACKAGE...: unpack them there, without what they depend on.
beside() {
	into=$1
	shift
	mkdir -p "$into" "$d/apt/debs"
	(cd "$d/apt/debs" && apt-get -qq -c "$d/apt/conf" download "$@") \
		>"$d/apt/log" 2>&1 ||
		skip "Debian $beside_from: $* cannot be had: $(tail -n 1 "$d/apt/log")"
	for deb in "$d/apt/debs"/*.deb; do
		dpkg-deb -x "$deb" "$into"
	done
	rm -rf "$d/apt/debs"
}
