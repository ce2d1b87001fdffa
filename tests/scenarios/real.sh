#!/bin/sh
# Plays a scenario on real sockets, then looks into the log of the daemon: every line "-- log: PATTERN" of the script names
# something that must stand there, as an extended regular expression.   real.sh POCSIM SCRIPT REPORT_DIR
# How fast the machine is, and what else it does, is not what is tested here: the simulated world judges the milliseconds.
set -eu
pocsim=$1 script=$2 report=$3
rm -rf "$report"
mkdir -p "$report"
"$pocsim" run "$script" --world real --patience 20 --report "$report"
sed -n 's/^-- log: //p' "$script" >"$report/expected"
missing=0
while IFS= read -r pattern; do
    grep -Eq -- "$pattern" "$report/pocpfd.log" && continue
    echo "  NOT  pocpfd.log says \"$pattern\""
    missing=$((missing + 1))
done <"$report/expected"
[ "$missing" -eq 0 ]
