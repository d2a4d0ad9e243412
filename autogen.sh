#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes ./configure of a git clone. Tarballs have it already.
set -e
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize pkg-config; do
	command -v "$tool" >/dev/null 2>&1 && continue
	echo "autogen.sh: $tool not found" >&2
	echo "  Debian, Ubuntu:  apt-get install autoconf automake libtool pkg-config" >&2
	echo "  Fedora, RHEL:    dnf install autoconf automake libtool pkgconf-pkg-config" >&2
	exit 1
done
mkdir -p m4
exec autoreconf -fi -W all,error
