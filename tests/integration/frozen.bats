#!/usr/bin/env bats
# A database that accepts everything and answers nothing: a frozen host, a
# partition, a hung proxy. Requests end in bounded time, and all is well again
# once it answers.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up 'DsapiDBTimeout 1s
    <DsapiService f "/f">
        <DsapiRoute GET "/one">
            DsapiQuery "SELECT 1 AS one"
        </DsapiRoute>
    </DsapiService>'
}

# Every process of the private PostgreSQL.
server_pids() {
    local postmaster

    read -r postmaster <"$DSAPI_DIR/pg/data/postmaster.pid"
    echo "$postmaster"
    pgrep -P "$postmaster"
}

freeze() {
    mapfile -t frozen < <(server_pids)
    kill -STOP "${frozen[@]}"
}

thaw() {
    kill -CONT "${frozen[@]}"
}

@test "requests to a frozen database end in bounded time" {
    claim_log 'DSAPI0003: (database-timeout|database-unavailable|database-busy)'
    claim_log 'AH(00629|00632|00633|00636|00639|02655)'
    claim_log 'DSAPI0005'
    for _ in 1 2 3 4; do
        req GET /f/one
        expect 200
    done
    freeze
    for _ in 1 2 3; do
        req GET /f/one --max-time 15
        echo "frozen: $status"
        [[ $status == 503 || $status == 504 ]] || { thaw; false; }
    done
    thaw
    answers() {
        req GET /f/one
        [[ $status == 200 ]]
    }
    wait_until 15 answers
}
