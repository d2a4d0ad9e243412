# SPDX-License-Identifier: MIT
# Read by scripts that try packages which are not to be installed: what one
# brings is unpacked into a folder, and nothing of the system changes. Reads
# common.sh first. Only for Debian's own archive, which the system's settings of
# apt name; whatever cannot be had ends the script as skipped.

# beside_from SUITE: packages come from this suite of Debian from now on, on the
# mirror that the system uses; "" stands for what the system itself has. Lists are
# read into $d/apt.
beside_from() {
	need apt-get dpkg-deb
	rm -rf "$d/apt"
	mkdir -p "$d/apt/state/lists/partial" "$d/apt/cache/archives/partial"
	# Read after the system's settings. Its hooks are for its own lists.
	cat >"$d/apt/conf" <<-END
		#clear APT::Update;
		Dir::State "$d/apt/state";
		Dir::Cache "$d/apt/cache";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Retries "2";
		Acquire::http::Timeout "30";
	END
	test -z "$1" || beside_sources "$1"
	apt-get -qq -c "$d/apt/conf" update >"$d/apt/log" 2>&1 || :
	test -n "$(find "$d/apt/state/lists" -name '*_Packages*')" ||
		skip "no lists of Debian $1: $(grep '^[EW]:' "$d/apt/log" | head -n 1)"
}

# The mirror and the keys that the system's own packages come by.
beside_sources() {
	mirror=$(apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		2>/dev/null | sort -u | head -n 1)
	test -n "$mirror" || skip "apt knows no mirror of Debian"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	test -e $keyring && signed="[signed-by=$keyring]" || signed=
	echo "deb $signed $mirror $1 main" >"$d/apt/sources.list"
	cat >>"$d/apt/conf" <<-END
		Dir::Etc::sourcelist "$d/apt/sources.list";
		Dir::Etc::sourceparts "-";
	END
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
		skip "$* cannot be had: $(tail -n 1 "$d/apt/log")"
	for deb in "$d/apt/debs"/*.deb; do
		dpkg-deb -x "$deb" "$into"
	done
	rm -rf "$d/apt/debs"
}

# beside_whole FOLDER PACKAGE...: and those of their dependencies that are not
# installed here.
beside_whole() {
	into=$1
	shift
	apt-get -qq -c "$d/apt/conf" -s install --no-install-recommends "$@" \
		>"$d/apt/plan" 2>"$d/apt/log" ||
		skip "$* cannot be had: $(tail -n 1 "$d/apt/log")"
	# shellcheck disable=SC2046 # words on purpose
	beside "$into" $(sed -n 's/^Inst \([^ ]*\) .*/\1/p' "$d/apt/plan")
}

# beside_libs FOLDER: where the libraries of what was unpacked there are, for
# LD_LIBRARY_PATH.
beside_libs() {
	find "$1" -name '*.so*' -exec dirname {} + | sort -u | paste -sd :
}
