#!/bin/bash
# Functions up to 60 lines (from brace to brace) and 7 parameters, files up
# to 800 lines, lines up to 80 columns, no tabs.
set -u
cd "$(dirname "$0")/../.." || exit 1

mapfile -t list < <(find src tests/unit tests/tools mod_dsapi.c \
    -name '*.[ch]' | sort)
# mawk counts bytes: of a UTF-8 character only the first
LC_ALL=C awk '
    function wrong(line, text) {
        print FILENAME ":" line ": " text
        bad = 1
    }

    # of the last parameter list in a head: commas outside inner brackets
    function parameters(head,    i, c, depth, n) {
        sub(/__attribute__.*/, "", head)
        i = index(head, "(")
        if (!i || head ~ /\([ \t]*(void)?[ \t]*\)/) return 0
        n = 1
        for (; i <= length(head); i++) {
            c = substr(head, i, 1)
            if (c == "(") depth++
            else if (c == ")" && !--depth) break
            else if (c == "," && depth == 1) n++
        }
        return n
    }

    function over() {
        if (lines > 800) {
            print file ": " lines " lines, more than 800"
            bad = 1
        }
    }

    FNR == 1 { over(); head = ""; open = 0; file = FILENAME }
    { lines = FNR }
    /\t/ { wrong(FNR, "a tab") }
    {
        text = $0
        gsub(/[\200-\277]/, "", text)
        if (length(text) > 80)
            wrong(FNR, length(text) " columns, more than 80")
    }
    /^\{$/ {
        open = FNR
        n = parameters(head)
        if (n > 7) wrong(FNR, n " parameters, more than 7")
        head = ""
        next
    }
    /^\}/ {
        if (open && FNR - open + 1 > 60)
            wrong(open, "a function of " FNR - open + 1 \
                " lines, more than 60")
        open = 0
        head = ""
        next
    }
    # what stands in column 0 before a brace is a head and its next lines
    open { next }
    /^[#\/]|^ \*|^$|;$/ { head = ""; next }
    { head = head " " $0 }
    END { over(); exit bad }
' "${list[@]}"
