#!/bin/bash
# Each DSAPI0001… is written by one call site, and APLOGNO is httpd's.
set -u
cd "$(dirname "$0")/../.." || exit 1
rc=0

mapfile -t list < <(find src/httpd mod_dsapi.c -name '*.[ch]' | sort)
while read -r number; do
    echo "$number is used more than once:"
    grep -n "$number" "${list[@]}"
    rc=1
done < <(grep -ohE '"DSAPI[0-9]+' "${list[@]}" | tr -d '"' | sort | uniq -d)
if grep -nE '"DSAPI([0-9]{1,3}|[0-9]{5,})[^0-9]' "${list[@]}"; then
    echo 'these numbers have not four digits'
    rc=1
fi
if grep -nw APLOGNO "${list[@]}"; then
    echo "APLOGNO is for modules shipped with httpd: use DSAPI0000's form"
    rc=1
fi
exit "$rc"
