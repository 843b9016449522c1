#!/usr/bin/env bats
# status and body are set by req; $ is SQL's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# POST of CSV: files that are larger than memory should be, and tables with
# row-level security, into which COPY may not go.
load ../lib/testing

SCHEMA='
CREATE SCHEMA big;
CREATE UNLOGGED TABLE big.row (id int PRIMARY KEY, fill text NOT NULL);
ALTER TABLE big.row ALTER fill SET STORAGE EXTERNAL;
CREATE TABLE big.owned (id int PRIMARY KEY, word text,
    tenant text DEFAULT current_setting($$dsapi.tenant$$));
ALTER TABLE big.owned ENABLE ROW LEVEL SECURITY;
ALTER TABLE big.owned FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON big.owned
    USING (tenant = current_setting($$dsapi.tenant$$));'

# One child, whose memory is looked at.
CONF='ServerLimit 1
StartServers 1
MaxRequestWorkers 8
<DsapiService big "/big">
    <DsapiResource rows big.row>
        DsapiAllow list create update import
        DsapiMaxBody 1G
    </DsapiResource>
</DsapiService>
<DsapiService own "/own">
    DsapiSession tenant="%{HTTP:X-Tenant}"
    <DsapiResource owned big.owned>
        DsapiAllow list create update import
    </DsapiResource>
</DsapiService>'

MB=${DSAPI_IMPORT_MB:-64} # of a file; DSAPI_IMPORT_MB=1000 is 1 GB

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$CONF"
    sql "$SCHEMA"
}

setup() {
    dsapi_test_begin
    sql 'TRUNCATE big.row, big.owned' >/dev/null
}

# highest: kB, the most memory that the child has ever had
highest() {
    awk '/^VmHWM/ { print $2 }' \
        "/proc/$(ps -o pid= --ppid "$(httpd_pid)" | tr -d ' ')/status"
}

# large_file [LAST LINE]: so many MB of records of 64 kB
large_file() {
    local fill

    printf -v fill '%65000s' ''
    awk -v n=$((MB * 16)) -v last="${1:-}" -v fill="${fill// /x}" 'BEGIN {
        print "id,fill"
        for (i = 1; i <= n; i++) print i "," fill
        if (last) print last }'
}

# post_large [CURL ARGUMENT...]: what large_file has written; so that curl
# has not all of it in memory, as a file
post_large() {
    req POST /big/rows -H 'Content-Type: text/csv' -H 'Expect:' \
        --max-time $((300 * DSAPI_SLOW)) -T "$BATS_TEST_TMPDIR/large.csv" "$@"
}

# in_bounds KB: the child has had no more than 32 MB above that
in_bounds() {
    local after

    after=$(highest)
    echo "VmHWM: $1 kB, then $after kB"
    [[ -n ${SAN:-} || $after -lt $(($1 + 32 * 1024)) ]]
}

@test "a large file takes little memory" {
    local before

    post_small
    before=$(highest)
    large_file >"$BATS_TEST_TMPDIR/large.csv"
    post_large -H 'Prefer: count=exact'
    expect 201
    [[ $(header Content-Range) == "*/$((MB * 16))" ]]
    in_bounds "$before"
    post_large -H 'Prefer: resolution=merge-duplicates'
    expect 200
    in_bounds "$before"
    [[ $(sql 'SELECT count(*), sum(length(fill)) FROM big.row') == \
        "$((MB * 16 + 1))|$((MB * 16 * 65000 + 1))" ]]
}

@test "a large file whose last record is wrong takes little memory" {
    local before

    post_small
    before=$(highest)
    large_file x,y >"$BATS_TEST_TMPDIR/large.csv"
    post_large
    expect_problem 422 records-refused
    expect 422 '.rows | map([.record, .column, .value]) | tojson' \
        "[[$((MB * 16 + 1)),\"id\",\"x\"]]"
    in_bounds "$before"
    [[ $(sql 'SELECT count(*) FROM big.row') == 1 ]]
}

# post_small: so that the child has what each request needs
post_small() {
    req POST /big/rows -H 'Content-Type: text/csv' --data-binary $'id,fill\n0,x\n'
    expect 201
}

# own TENANT TEXT [CURL ARGUMENT...]: CSV, with \n for the ends of its lines
own() {
    local tenant=$1 text=$2

    shift 2
    req POST /own/owned -H "X-Tenant: $tenant" -H 'Content-Type: text/csv' \
        --data-binary "$(printf '%b' "$text")" "$@"
}

# owned: what the table has
owned() {
    sql_super "SELECT coalesce(string_agg(concat_ws(':', id, word, tenant), ' '
        ORDER BY id), '') FROM big.owned"
}

@test "row-level security" {
    own a 'id,word\n1,x\n2,"y\nz"' -H 'Prefer: count=exact'
    expect 201
    [[ $(header Content-Range) == '*/2' ]]
    own b 'id,word\n3,x'
    expect 201
    # the policy says which rows somebody may make
    own b 'id,tenant\n4,b\n5,a'
    expect_problem 422 records-refused
    expect 422 '.rows | map([.record, .reason]) | tojson' \
        '[[2,"new row violates row-level security policy for table \"owned\""]]'
    # and which there are for him to change
    own a 'id,word\n1,q\n6,r' -H 'Prefer: resolution=merge-duplicates'
    expect 201
    own b 'id,word\n1,stolen' -H 'Prefer: resolution=merge-duplicates'
    expect_problem 422 records-refused
    own b 'id,word\nx,1\n3,again\n7,s'
    expect_problem 422 records-refused
    expect 422 '.rows | map([.record, .column]) | tojson' \
        '[[1,"id"],[2,"id"]]'
    [[ $(owned) == $'1:q:a 2:y\nz:a 3:x:b 6:r:a' ]]
    req GET '/own/owned?select=id' -H 'X-Tenant: b'
    expect 200 tojson '[{"id":3}]'
}
