#!/usr/bin/env bash
# Formatter and linters over everything that is ours. Usage: style.sh SOURCE_DIR BUILD_DIR [--tidy]
# clang-format and cppcheck always; clang-tidy with --tidy (minutes, not seconds: for before a release, or one's own files).
set -uo pipefail
cd "$1"
build=$2
bad=0
sources=$(git ls-files -- '*.c' '*.h')
# shellcheck disable=SC2086
clang-format --dry-run -Werror $sources || { echo "run clang-format -i on the files above"; bad=1; }
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
    --suppressions-list=tests/arch/cppcheck.txt --error-exitcode=1 -D_GNU_SOURCE -I. -Ipf/include \
    $(grep '\.c$' <<<"$sources" | grep -v '^tests/') || bad=1
if [[ ${3:-} == --tidy ]]; then
    # shellcheck disable=SC2046
    clang-tidy -quiet -p "$build" $(grep '\.c$' <<<"$sources" | grep -v '^tests/') || bad=1
fi
exit $bad
