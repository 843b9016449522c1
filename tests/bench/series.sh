# shellcheck shell=bash
# shellcheck disable=SC2154 # bench, url: of measures.sh
# What `make bench` needs for metrics over series in memory.

# make_series_lists: those of the metrics in SQL, over the series; every range
# is as long, and none is asked for twice in a row
make_series_lists() {
    local metric factor

    for metric in a b; do
        sed "s|/metric-|/series-|" "$bench/lists/metric-$metric" \
            >"$bench/lists/series-$metric"
        echo "GET /bare/$metric.json" >"$bench/lists/bare-$metric"
    done
    for factor in 1 10 100; do
        echo "GET /bench/scaled/$factor" >"$bench/lists/rows-$factor"
    done
}

# with_series_files: the minimal handler reads its files when httpd starts, and
# those of the metrics are answers of the first start
with_series_files() {
    srv_httpd_stop "$bench/httpd" &&
        srv_httpd_start "$bench/httpd" "$url/" || return 1
    load_series
}

# load_series: every series in both children, as far as two dozen connections
# to each can tell
load_series() {
    local path
    local -a urls=()

    while read -r path; do
        urls+=(-o /dev/null "$url$path")
    done < <(psql_bench -c "SELECT '/bench/series-a/' || iso3 ||
        '?from=2022-01-01&to=2022-01-02' FROM hungermap.country,
        generate_series(1, 24)"
        for factor in 1 10 100; do
            for _ in {1..24}; do
                echo "/bench/scaled/$factor"
            done
        done)
    curl -fsS --noproxy '*' -H 'Connection: close' "${urls[@]}"
}
