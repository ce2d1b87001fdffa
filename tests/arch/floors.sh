#!/usr/bin/env bash
# Holds the code against the plan: who may include whom, who may use which library, which rooms are pure. Prints each
# place that breaks it and exits 1. Usage: floors.sh SOURCE_DIR [CC]
set -euo pipefail
cd "$1"
cc=${2:-cc}
bad=0
complain() { echo "$1"; bad=1; }

declare -A floor doors
while read -r room level list; do
    [[ -z $room || $room == \#* ]] && continue
    floor[$room]=$level doors[$room]=$list
done <tests/arch/floors.txt

# The room of a path: its first folder, or its first two under pf and ue. The public header belongs to pf/api.
room_of() {
    case $1 in
    pf/include/* | pocpf/*) echo pf/api ;;
    pf/* | ue/*) echo "${1%%/*}/$(cut -d/ -f2 <<<"$1")" ;;
    *) echo "${1%%/*}" ;;
    esac
}

sources=$(git ls-files -- '*.c' '*.h' | grep -v '^tests/')

while IFS=: read -r file line text; do
    from=$(room_of "$file")
    target=$(sed -E 's/.*#include "([^"]+)".*/\1/' <<<"$text")
    to=$(room_of "$target")
    [[ $from == "$to" ]] && continue
    if [[ -z ${floor[$to]:-} ]]; then
        complain "$file:$line: includes \"$target\", which is in no room of the plan"
        continue
    fi
    ((floor[$to] < floor[$from])) || complain "$file:$line: $from (floor ${floor[$from]}) looks up or sideways to $to (floor ${floor[$to]})"
    [[ ${from%%/*} == pf && ${to%%/*} == ue || ${from%%/*} == ue && ${to%%/*} == pf ]] && complain "$file:$line: pf and ue agree through bytes, not through includes"
    [[ ${doors[$to]} == '*' || " ${doors[$to]} " == *" $(basename "$target") "* ]] || complain "$file:$line: \"$target\" is private to $to"
done < <(grep -HnE '^#include "' $sources)

# Which library may be seen from where.
only_in() { # pattern, rooms (extended regular expression), what
    { grep -HnE "$1" $sources || true; } | { grep -vE "^($2)/" || true; } |
        while IFS= read -r hit; do echo "${hit%%#*} $3 is seen only from $2"; done
}
hits=$(
    only_in '#include <openssl/' 'base' OpenSSL
    only_in '#include <srtp' 'bcast' libsrtp2
    only_in '#include <sofia-sip/' 'pf/io|ue/io' Sofia-SIP
    only_in '#include <sqlite3' 'pf/io' SQLite
    only_in '#include <microhttpd' 'pf/io' libmicrohttpd
    only_in '#include <curl/' 'ue/io|pf/io|pf/ctl' libcurl
    only_in '#include <jwt' 'pf/io' libjwt
    only_in '#include <libconfig' 'pf/io' libconfig
    only_in '#include <libxml/' 'base' libxml2
    true
)
[[ -z $hits ]] || complain "$hits"

# The pure rooms: no socket, file, clock, log or environment (POC promise: event in, effects out).
pure='base|mikey|gba|bcast|pf/core|pf/api|pf/wire|ue/core|ue/api'
hits=$(grep -HnE '(^|[^a-z_>.])(socket|sendto|recvfrom|sendmsg|recvmsg|fopen|open|time|gettimeofday|clock_gettime|getenv|printf|fprintf|syslog|rand|srand|sleep|usleep|nanosleep)\(' $(grep -E "^($pure)/.*\.c$" <<<"$sources") |
    grep -vE '^[^:]+:[0-9]+: *(/?\*|//)' || true)
[[ -z $hits ]] || complain "not pure: $hits"

# Every header compiles alone.
flags="-std=c17 -D_GNU_SOURCE -I. -Ipf/include -fsyntax-only -x c $(pkg-config --cflags sofia-sip-ua libcrypto libxml-2.0 2>/dev/null)"
for header in $(grep '\.h$' <<<"$sources"); do
    # shellcheck disable=SC2086
    out=$($cc $flags -include stddef.h "$header" 2>&1) || complain "$header does not compile alone: $(head -3 <<<"$out")"
done
((bad == 0)) && echo "the house stands as planned: $(wc -l <<<"$sources") files"
exit $bad
