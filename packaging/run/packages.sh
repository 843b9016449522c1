#!/bin/sh
# Install the Debian packages that are missing, and nothing else.
#
#   packages.sh run|check|bench
#
# run    what building and serving needs
# check  the same, and what the tests and the lint need
# bench  as run, and what measures
#
# No daemon is started and no system cluster is created: services are kept
# from starting by a policy-rc.d of ours where there is none, and
# postgresql-common is told not to create its "main" cluster. Both files are
# removed again.
set -eu

run_packages="make gcc libc6-dev pkg-config apache2-bin apache2-dev
    libapr1-dev libaprutil1-dev libaprutil1-dbd-pgsql
    postgresql postgresql-contrib libpq-dev libjansson-dev
    libcurl4-openssl-dev zlib1g-dev ca-certificates
    tzdata curl jq procps util-linux"
check_packages="$run_packages check bats shellcheck clang-format clang-tidy
    cppcheck faketime git wrk"
bench_packages="$run_packages wrk"
# a node that is not Debian's brings an npm that Debian's is in conflict with
for p in node:nodejs npm:npm; do
    command -v "${p%:*}" >/dev/null ||
        check_packages="$check_packages ${p#*:}"
done

mode=${1:-}
case $mode in
run) wanted=$run_packages ;;
check) wanted=$check_packages ;;
bench) wanted=$bench_packages ;;
*)
    echo "usage: packages.sh run|check|bench" >&2
    exit 2
    ;;
esac

find_missing() {
    missing=
    for p in $wanted; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) ||
            state=
        [ "$state" = installed ] || missing="$missing $p"
    done
}
find_missing
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || {
    echo "dsapi: these packages are missing, and there is no apt-get here" \
        "to install them:$missing" >&2
    exit 1
}
refuse() {
    echo "dsapi: these packages are missing:$missing" >&2
    echo "dsapi: install them as root ($0 $mode), or $1," \
        "then try again" >&2
    exit 1
}
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || refuse 'install sudo'
    sudo=sudo
fi
echo "dsapi: installing$missing"
# it may ask for a password: nothing is changed yet if it is not given
$sudo true || refuse 'let sudo allow it'

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/dsapi-none.conf
made_policy=
made_cluster=
cleanup() {
    [ -z "$made_policy" ] || $sudo rm -f "$policy"
    [ -z "$made_cluster" ] || $sudo rm -f "$cluster"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
fi
if [ ! -e "$cluster" ]; then
    made_cluster=yes
    # open to all, whatever the umask: they stay, and are the packages'
    for dir in "${cluster%/*/*}" "${cluster%/*}"; do
        [ -d "$dir" ] || $sudo mkdir -m 755 "$dir"
    done
    echo 'create_main_cluster = false' | $sudo tee "$cluster" >/dev/null
fi

# shellcheck disable=SC2086 # a list of package names
install() {
    # a machine that has just come up may be updating itself
    $sudo env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
        apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing
}
log=$(mktemp)
if ! install >"$log" 2>&1; then
    $sudo apt-get update -q >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "dsapi: apt-get update failed: is a package mirror in reach?" >&2
        rm -f "$log"
        exit 1
    }
    install >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "dsapi: could not install$missing" >&2
        rm -f "$log"
        exit 1
    }
fi
rm -f "$log"

# apt-get that is interrupted ends well, and sudo keeps the signal from us
find_missing
[ -z "$missing" ] || {
    echo "dsapi: interrupted; these packages are missing:$missing" >&2
    exit 1
}
