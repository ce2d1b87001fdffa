#!/usr/bin/env bash
# Makes docs/requirements.md: which test shows which requirement of the digest. Usage: requirements.sh SOURCE_DIR [--check]
# With --check: exit 1 when the committed table is not what the tests say, or when a requirement in scope has no test.
set -euo pipefail
cd "$1"
table=docs/requirements.md

# In C tests an id counts for the test function that it stands in the name of, in, or right above; in scenarios and
# scripts for the file.
cites() {
    git ls-files -- 'tests/*.c' | grep -v '^tests/harness/' | xargs awk '
        FNR == 1 { split("", waiting); test = "" }
        /^static void [a-z0-9_]+\(void \*\*/ {
            test = $3; sub(/\(.*/, "", test)
            for (id in waiting) print id "\t" test "\t" FILENAME
            split("", waiting)
        }
        /^}/ { test = "" }
        {
            rest = $0
            while (match(rest, /(POC|MBMS|MCX)-[0-9]+/)) {
                id = substr(rest, RSTART, RLENGTH)
                if (test != "") print id "\t" test "\t" FILENAME; else waiting[id] = 1
                rest = substr(rest, RSTART + RLENGTH)
            }
        }'
    git ls-files -- 'tests/scenarios/*.lua' | xargs -r grep -HoE '(POC|MBMS|MCX)-[0-9]+' | awk -F: '{ n = $1; sub(/.*\//, "", n); print $2 "\t" n "\t" $1 }'
}

# What no test can show: notes to others, and what may be left out and is.
notes() {
    printf '%s\t%s\t%s\n' \
        MCX 10 'a note: other groups were asked to align their specifications' \
        MCX 18 'left out: a server may answer an upload with a redirect to another KMS; this one never does'
}

make() {
    echo "# Requirements and the tests that show them"
    echo
    echo "Made by \`tests/arch/requirements.sh\`; a test fails when it is not up to date. POC: OMA PoC change \"key management of"
    echo "Multicast PoC\". MBMS: change to TS 33.246, push and pull key management. MCX: signalling keys of mission critical"
    echo "services, TS 33.180."
    echo
    echo "| requirement | shown by |"
    echo "|---|---|"
    { cites | sort -u | awk -F'\t' '{ split($1, p, "-"); print p[1] "\t" p[2] "\t`" $2 "` (" $3 ")" }'; notes; } | sort -t$'\t' -k1,1r -k2,2n -k3,3 |
        awk -F'\t' '{ id = $1 "-" $2; if (id != last) { if (last != "") print "| " last " | " list " |"; last = id; list = $3 } else list = list ", " $3 }
                    END { if (last != "") print "| " last " | " list " |" }'
}

if [[ ${2:-} != --check ]]; then
    make >"$table"
    exit
fi
status=0
made=$(make)
for id in POC-{1..23} MBMS-{1..15} MCX-{1..31}; do
    grep -q "^| $id |" <<<"$made" || { echo "no test cites $id"; status=1; }
done
diff <(echo "$made") "$table" >/dev/null || { echo "$table is not what the tests say: run tests/arch/requirements.sh ."; status=1; }
exit $status
