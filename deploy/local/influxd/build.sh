#!/usr/bin/env bash
# Build InfluxDB 2.7.12 (influxd, API only, no web pages) from its Go module, and print the path of the binary.
# A second run only prints the path. Needs go, cargo, a C compiler and pkg-config.
set -euo pipefail

version=2.7.12
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cxone-streams
binary=$cache/influxd-$version
here=$(cd "$(dirname "$0")" && pwd)

if [ -x "$binary" ]; then
  echo "$binary"
  exit
fi

missing=()
for tool in go cargo "${CC:-cc}" pkg-config; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "influxd cannot be built without: ${missing[*]}. Install it (Go 1.26, Rust's stable cargo, gcc or clang," \
    "pkg-config), or set INFLUXD to an influxd $version that you have." >&2
  exit 1
fi

echo "Building influxd $version: about 7 minutes and 3 GB in the caches of Go and Cargo, once." >&2
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$here"

# influxd links libflux, which is Rust: InfluxData's pkg-config builds it when Go asks for its flags.
go build -o "$work/pkg-config" github.com/influxdata/pkg-config >&2

# The flux crates turn every warning into an error and newer compilers warn more. RUSTFLAGS does not reach build
# scripts when cargo is given a target; a wrapper does.
printf '#!/bin/sh\nexec "$@" --cap-lints=warn\n' >"$work/rustc-caplints"
chmod +x "$work/rustc-caplints"
export RUSTC_WORKSPACE_WRAPPER=$work/rustc-caplints
export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-stable} # flux pins an old one

PATH=$work:$PATH PKG_CONFIG=$work/pkg-config go build -tags 'sqlite_foreign_keys sqlite_json' \
  -ldflags "-s -w -X main.version=v$version" -o "$work/influxd" github.com/influxdata/influxdb/v2/cmd/influxd >&2
"$work/influxd" version >&2
mv "$work/influxd" "$binary" # in one step: a build that is cut off leaves no half binary
echo "$binary"
