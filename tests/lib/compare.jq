# Compare two documents leaf by leaf, in their order. $want and $got are what
# jq --stream -c 'select(length == 2)' made of them: that keeps the order of
# members, and a member that stands twice. Prints what differs; nothing: they
# are the same, numbers within 1e-13 relative. Numbers whose path matches
# $exact must be equal.

def size: if . < 0 then -. else . end;

def near($a; $b):
    ($a - $b | size) <= 1e-13 * ([($a | size), ($b | size)] | max);

def same($w; $g):
    $w[0] == $g[0]
    and if ($w[1] | type) == "number" and ($g[1] | type) == "number"
           and (($w[0] | map(tostring) | join("/") | test($exact)) | not)
        then near($w[1]; $g[1])
        else $w[1] == $g[1]
        end;

[range([($want | length), ($got | length)] | max)
 | select(same($want[.]; $got[.]) | not)
 | "want \($want[.] | tojson), got \($got[.] | tojson)"]
| if length > 5 then .[:5] + ["and \(length - 5) more"] else . end
| .[]
