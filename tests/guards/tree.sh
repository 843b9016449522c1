#!/bin/bash
# The top folder holds what the architecture says, and no file names a
# folder of somebody's machine or a package registry.
set -u
cd "$(dirname "$0")/../.." || exit 1
rc=0
allowed='^(Makefile|mod_dsapi\.c|src|conf|tests|packaging|README\.md|LICENSE|\.ci|\.clang-format|\.clang-tidy|\.gitignore|\.git|build)$'

if find . -mindepth 1 -maxdepth 1 -printf '%P\n' | grep -vE "$allowed"; then
    echo 'these do not belong at the top of the tree'
    rc=1
fi
for name in Makefile mod_dsapi.c src conf tests packaging README.md LICENSE; do
    [[ -e $name ]] || {
        echo "$name is missing"
        rc=1
    }
done

# Brackets keep this file from finding itself. tests/data is others' text.
paths='(^|[^A-Za-z0-9_.])/(wor[k]|hom[e])/|[.]librar[y]'
hosts='(deb|security|snapshot)[.]debian[.]org|registry[.]npmjs[.]org'
hosts+='|(pypi|pythonhosted)[.]org|crates[.]io|proxy[.]golang[.]org'
list() {
    git ls-files -zco --exclude-standard -- . ':!tests/data' 2>/dev/null ||
        find . \( -name build -o -name .git -o -path ./tests/data \) -prune \
            -o -type f -print0
}
if list | xargs -0 grep -sInE "$paths|$hosts"; then
    echo 'these lines name a machine or a package registry'
    rc=1
fi
exit "$rc"
