#!/usr/bin/env bash
# Runs what a manual tells its reader to type: lines that begin with "    $ ", and those with "    > " that go on with them. A
# command that ends in & is a daemon, and has to say that it is ready. Also every option that the manual names has to exist.
#   manual.sh MANUAL POCPFD POCPFCTL SOURCE_DIR FOLDER
set -euo pipefail
manual=$1 pocpfd=$2 pocpfctl=$3 source=$4 folder=$5

missing=0
while IFS=. read -r group name; do
    "$pocpfd" --print-options | awk -v group="## \`$group\`" -v row="| \`$name\` |" '
        /^## / { inside = $0 == group }
        inside && index($0, row) == 1 { found = 1 }
        END { exit !found }' || { echo "$manual names $group.$name, which is no option"; missing=1; }
done < <(grep -oE '`(mcx|sip|gba)\.[a-z_]+' "$manual" | tr -d '`' | grep -v '^mcx\.musik$' | sort -u)
((missing == 0)) || exit 1

rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/build"
cp -r "$source/config" "$folder/config"
ln -s "$pocpfd" "$folder/bin/pocpfd"
ln -s "$pocpfctl" "$folder/bin/pocpfctl"
{
    echo 'set -euo pipefail'
    echo 'trap "kill \$(jobs -p) 2>/dev/null || true; wait" EXIT'
    sed -n 's/^    \$ //p; s/^    > //p' "$manual" | sed -E \
        's/^(.*2> ([^ ]+)) &$/\1 \&\nuntil grep -q " ready " \2; do kill -0 $! || { cat \2; exit 1; }; sleep 0.1; done/'
} >"$folder/typed.sh"
cd "$folder"
PATH=$folder/bin:$PATH bash -x ./typed.sh
