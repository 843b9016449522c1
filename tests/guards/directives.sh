#!/bin/bash
# The directive reference and the code name the same directives: those of
# the command tables in src/httpd, which are AP_INIT_…("DsapiX", …) or a
# macro of ours in capitals, and those in backquotes in the headings and the
# first cells of the tables of conf/README.md.
set -u
cd "$(dirname "$0")/../.." || exit 1
reference=conf/README.md
quoted='[`]<?Dsapi[A-Za-z0-9]+'
rc=0

[[ -e $reference ]] || {
    echo "no $reference"
    exit 1
}
code=$(cat src/httpd/*.c | tr '\n\t' '  ' |
    grep -oE '\<[A-Z][A-Z0-9_]*\( *"<?Dsapi[A-Za-z0-9]+"' |
    grep -oE 'Dsapi[A-Za-z0-9]+' | sort -u)
text=$(sed -nE -e 's/^ *(\|[^|]*)\|.*/\1/p' -e '/^#/p' "$reference" |
    grep -oE "$quoted" | grep -oE 'Dsapi.*' | sort -u)

[[ -n $code ]] || {
    echo 'no command table found in src/httpd'
    rc=1
}
while read -r name; do
    [[ -n $name ]] || continue
    echo "$name is a directive, but $reference has no heading or row for it"
    rc=1
done < <(comm -23 <(echo "$code") <(echo "$text"))
while read -r name; do
    [[ -n $name ]] || continue
    echo "$reference describes $name, which src/httpd does not have"
    rc=1
done < <(comm -13 <(echo "$code") <(echo "$text"))
exit "$rc"
