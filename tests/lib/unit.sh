#!/usr/bin/env bash
# Run a command with a private PostgreSQL for the unit tests:
#
#   tests/lib/unit.sh $BUILD/unit
#
# Unix socket only, everybody trusted, gone afterwards whatever happens; the
# exit code is the command's. The command finds in its environment
#   DSAPI_TEST_PG       libpq's conninfo of the superuser
#   DSAPI_TEST_RESTART  a shell command that restarts the server
#   DSAPI_TOOLS         the folder of the test tools, unless set before
#   DSAPI_DATA          tests/data, unless set before

set -u
# shellcheck source=tests/lib/servers.sh
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

# unit_trust PG: let anybody in who reaches the socket
unit_trust() {
    echo 'local all all trust' >"$1/data/pg_hba.conf"
}

# shellcheck disable=SC2317 # the trap calls it
unit_end() {
    local code=$?

    trap '' INT TERM HUP
    if [[ -n $unit_child ]]; then
        kill -s TERM "$unit_child" 2>/dev/null
        wait "$unit_child"
    fi
    srv_pg_stop "$unit_dir/pg" QUIT || code=1
    if [[ $code != 0 && -n ${DSAPI_TEST_LOG:-} ]]; then
        cp "$unit_dir/pg/log" "$DSAPI_TEST_LOG"
    fi
    rm -rf "$unit_dir"
    exit "$code"
}

srv_init || exit 1
if [[ ${1:-} == --restart ]]; then
    srv_pg_stop "$2" && srv_pg_start "$2"
    exit
fi
[[ $# -gt 0 ]] || {
    srv_say "usage: unit.sh COMMAND..."
    exit 2
}
unit_child=
unit_dir=$(srv_place) || exit 1
trap unit_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
srv_pg_make "$unit_dir/pg" off && unit_trust "$unit_dir/pg" &&
    srv_pg_start "$unit_dir/pg" || exit 1
unit_restart=("$SRV_TOP/tests/lib/unit.sh" --restart "$unit_dir/pg")
DSAPI_TEST_PG="host=$unit_dir/pg/sock user=postgres dbname=postgres"
DSAPI_TEST_RESTART=${unit_restart[*]@Q}
DSAPI_TOOLS=${DSAPI_TOOLS:-$BUILD/tools}
DSAPI_DATA=${DSAPI_DATA:-$SRV_TOP/tests/data}
export DSAPI_TEST_PG DSAPI_TEST_RESTART DSAPI_TOOLS DSAPI_DATA
srv_no_pg_env
# in the background: bash runs no trap while it has one in front
"$@" <&0 &
unit_child=$!
wait "$unit_child"
code=$?
unit_child=
exit "$code"
