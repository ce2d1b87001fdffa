#!/usr/bin/env bash
# What pocsim does with options that do not fit together, and with a report folder that is not there yet.
#   usage.sh POCSIM SCENARIO FOLDER
set -euo pipefail
pocsim=$1 scenario=$2 folder=$3

expect() { # STATUS COMMAND...
    local want=$1 got=0
    shift
    "$@" >/dev/null 2>&1 || got=$?
    ((got == want)) || { echo "exit $got instead of $want: $*"; exit 1; }
}

expect 0 "$pocsim" --version
expect 64 "$pocsim" run "$scenario" --pf sip:127.0.0.1:5060
expect 64 "$pocsim" run "$scenario" --bsf http://127.0.0.1:8080/
expect 64 "$pocsim" run "$scenario" --pf-config /dev/null
expect 64 "$pocsim" run "$scenario" --world real --loss 0.1
expect 64 "$pocsim" run "$scenario" --world real --runs 2
expect 64 "$pocsim" run "$scenario" --world real --patience 0
expect 64 "$pocsim" run "$scenario" --patience 2
expect 1 "$pocsim" run "$scenario" --report /proc/pocsim

rm -rf "$folder"
expect 0 "$pocsim" run "$scenario" --world real --report "$folder"
[[ -s $folder/report.json && -s $folder/report.html ]] || { echo "no report in $folder"; exit 1; }
