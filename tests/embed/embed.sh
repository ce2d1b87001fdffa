#!/usr/bin/env bash
# Builds the example against an installed libpocpf, once found by CMake and once by pkg-config, as a foreign server would.
# Usage: embed.sh SOURCE_DIR BUILD_DIR CC [CFLAGS]
set -euo pipefail
source=$1 build=$2 cc=$3 flags=${4:-}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

cmake --install "$build" --component libpocpf --prefix "$tree/usr" >/dev/null
cp -r "$source/tests/embed/example" "$tree/src"

cmake -G Ninja -S "$tree/src" -B "$tree/by-cmake" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_PREFIX_PATH="$tree/usr" >/dev/null
cmake --build "$tree/by-cmake" >/dev/null
"$tree/by-cmake/embed" >"$tree/by-cmake.txt"

pc=$(find "$tree/usr" -name pocpf.pc -printf '%h')
export PKG_CONFIG_PATH=$pc PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
# shellcheck disable=SC2046,SC2086 # lists of words
"$cc" $flags "$tree/src/embed.c" $(pkg-config --cflags --static --libs --define-prefix pocpf) -o "$tree/by-pkg-config"
"$tree/by-pkg-config" >"$tree/by-pkg-config.txt"

# The README shows the very file.
diff <(awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md") "$source/tests/embed/example/embed.c"

cmp "$tree/by-cmake.txt" "$tree/by-pkg-config.txt"
cat "$tree/by-cmake.txt"
grep -qx 'offer MSK 00000002 to sip:alice@example.com' "$tree/by-cmake.txt" # the expulsion gave alice a new key
! grep -qx 'offer MSK 00000002 to sip:bob@example.com' "$tree/by-cmake.txt" # and bob none
