#!/usr/bin/env bats
# status, body and output are set by req and configtest; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# Configuration: what is wrong is found by configtest, with file, line,
# directive and remedy; what is right passes; and a graceful restart.
load ../lib/testing

GOOD='<DsapiService g "/g">
    <DsapiRoute GET "/who">
        DsapiQuery "SELECT '\''WHO'\''"
        DsapiResult value
    </DsapiRoute>
</DsapiService>'

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$GOOD"
}

setup() {
    dsapi_test_begin
    accepted ''
}

# again TEXT: as configtest, with the httpd.conf that one has made
again() {
    printf '%s\n' "$1" >"$DSAPI_DIR/configtest/extra.conf"
    status=0
    output=$(srv_httpd_test "$DSAPI_DIR/configtest") || status=$?
}

# refused LINE REGEX TEXT: configtest refuses it, at that line of the
# fragment, in these words; and does not crash over it
refused() {
    again "$3"
    if [[ $status != 1 ]]; then
        printf 'status %s, not 1, for:\n%s\n%s\n' "$status" "$3" "$output"
        return 1
    fi
    output=$(tr '\n' ' ' <<<"$output")
    if ! grep -qE "(on line $1 of [^ ]*/extra\.conf:|/extra\.conf, line $1:)" \
        <<<"$output" || ! grep -qE "$2" <<<"$output"; then
        printf 'expected line %s and %s for:\n%s\n%s\n' "$1" "$2" "$3" \
            "$output"
        return 1
    fi
}

# table BEFORE AFTER: cases on standard input, one a line:
#   LINE ~ REGEX ~ DIRECTIVES          (\n in them is a new line)
# LINE counts from the first of these. Sets cases.
table() {
    local line regex text offset rest

    offset=$(grep -c '' <<<"$1")
    [[ -n $1 ]] || offset=0
    cases=0
    while IFS= read -r rest; do
        [[ -n $rest && $rest != '#'* ]] || continue
        line=${rest%% ~ *}
        rest=${rest#* ~ }
        regex=${rest%% ~ *}
        text=${rest#* ~ }
        text=${text//'\n'/$'\n'}
        refused $((offset + line)) "$regex" "${1:+$1$'\n'}$text${2:+$'\n'$2}"
        cases=$((cases + 1))
    done
    echo "$cases cases"
    [[ $cases -gt 5 ]]
}

# accepted TEXT [BEFORE]
accepted() {
    configtest "$@"
    if [[ $status != 0 ]]; then
        printf '%s\n' "$output"
        return 1
    fi
}

# ---- what is wrong ----

@test "wrong services" {
    table '' '' <<'END'
1 ~ <DsapiService> takes a name and a base: <DsapiService ~ <DsapiService w>\n</DsapiService>
1 ~ <DsapiService> takes a name and a base ~ <DsapiService>\n</DsapiService>
1 ~ <DsapiService> takes a name and a base ~ <DsapiService w "/w" x>\n</DsapiService>
1 ~ DsapiService.* "w" does not begin with '/' ~ <DsapiService w "w">\n</DsapiService>
1 ~ DsapiService.* and not "/" alone ~ <DsapiService w "/">\n</DsapiService>
1 ~ DsapiService.* without a '/' at the end ~ <DsapiService w "/w/">\n</DsapiService>
1 ~ DsapiService.* without parameters ~ <DsapiService w "/w/{x}">\n</DsapiService>
1 ~ DsapiService.*empty segment; write "/a/b" ~ <DsapiService w "/w//x">\n</DsapiService>
1 ~ DsapiService.*empty segment ~ <DsapiService w "//w">\n</DsapiService>
1 ~ DsapiService.*has a '\?' or '#', which ends a path ~ <DsapiService w "/w?x=1">\n</DsapiService>
1 ~ DsapiService.*has a '\?' or '#', which ends a path ~ <DsapiService w "/w#x">\n</DsapiService>
1 ~ DsapiService.*'%'; write the character itself ~ <DsapiService w "/w%20">\n</DsapiService>
1 ~ DsapiService.* "\.\." as a segment ~ <DsapiService w "/w/..">\n</DsapiService>
1 ~ DsapiService.*name "a b" is not letters ~ <DsapiService "a b" "/w">\n</DsapiService>
1 ~ DsapiService.*name "" is not letters ~ <DsapiService "" "/w">\n</DsapiService>
1 ~ DsapiService.* takes no key=value ~ <DsapiService w base="/w">\n</DsapiService>
1 ~ <DsapiService> lacks its closing '>' ~ <DsapiService w "/w"\n</DsapiService>
1 ~ <DsapiService> lacks its closing '>' at the line's end ~ <DsapiService w "/w"> junk\n</DsapiService>
1 ~ quote is opened and never closed ~ <DsapiService w "/w>\n</DsapiService>
1 ~ <DsapiService> was not closed ~ <DsapiService w "/w"></DsapiService>
3 ~ extra.conf, line 1 declares "w" on "/w"; a service is repeated with the same name and base ~ <DsapiService w "/w">\n</DsapiService>\n<DsapiService w "/v">\n</DsapiService>
3 ~ extra.conf, line 1 declares "w" on "/w" ~ <DsapiService w "/w">\n</DsapiService>\n<DsapiService v "/w">\n</DsapiService>
2 ~ <DsapiService> belongs outside other sections ~ <DsapiService w "/w">\n<DsapiService v "/v">\n</DsapiService>\n</DsapiService>
2 ~ <DsapiService not allowed in <(Location|Directory)> context ~ <Location "/w">\n<DsapiService w "/w">\n</DsapiService>\n</Location>
2 ~ <DsapiService not allowed in <(Location|Directory)> context ~ <Directory "/w">\n<DsapiService w "/w">\n</DsapiService>\n</Directory>
2 ~ <DsapiService not allowed|<DsapiService> belongs outside ~ <Files "w">\n<DsapiService w "/w">\n</DsapiService>\n</Files>
2 ~ <DsapiService not allowed|<DsapiService> belongs outside ~ <If "true">\n<DsapiService w "/w">\n</DsapiService>\n</If>
1 ~ <DsapiService> was not closed ~ <DsapiService w "/w">
3 ~ Expected </DsapiRoute> but saw </DsapiService> ~ <DsapiService w "/w">\n<DsapiRoute GET "/x">\n</DsapiService>
2 ~ Invalid command 'DsapiTitel', perhaps misspelled ~ <DsapiService w "/w">\nDsapiTitel x\n</DsapiService>
2 ~ Require: is not known in <DsapiService>.*<Location> ~ <DsapiService w "/w">\nRequire all denied\n</DsapiService>
2 ~ <Location: is not known in <DsapiService> ~ <DsapiService w "/w">\n<Location "/w">\n</Location>\n</DsapiService>
2 ~ DsapiTitle: takes one text ~ <DsapiService w "/w">\nDsapiTitle\n</DsapiService>
2 ~ DsapiTitle: takes one text ~ <DsapiService w "/w">\nDsapiTitle two words\n</DsapiService>
2 ~ DsapiTitle: put the text into double quotes ~ <DsapiService w "/w">\nDsapiTitle a=b\n</DsapiService>
1 ~ DsapiTitle: belongs into <DsapiService> ~ DsapiTitle x
2 ~ DsapiMaxBody: takes a size.*10M ~ <DsapiService w "/w">\nDsapiMaxBody 10X\n</DsapiService>
2 ~ DsapiMaxBody: takes a size.*above 0 ~ <DsapiService w "/w">\nDsapiMaxBody 0\n</DsapiService>
2 ~ DsapiMaxBody: takes a size ~ <DsapiService w "/w">\nDsapiMaxBody 99999999999999999999G\n</DsapiService>
2 ~ DsapiSession: takes name="expression"; .*no digit first ~ <DsapiService w "/w">\nDsapiSession 1x=y\n</DsapiService>
2 ~ DsapiDBTimeout: belongs into <DsapiRoute>, <DsapiSource>, <DsapiSeries> or <DsapiResource> ~ <DsapiService w "/w">\nDsapiDBTimeout 1s\n</DsapiService>
2 ~ DsapiQuery: belongs into <DsapiRoute> ~ <DsapiService w "/w">\nDsapiQuery "SELECT 1"\n</DsapiService>
2 ~ DsapiParam: belongs into <DsapiRoute>, <DsapiSource> or <DsapiSeries> ~ <DsapiService w "/w">\nDsapiParam a text\n</DsapiService>
2 ~ DsapiDBWait: belongs outside <DsapiService> ~ <DsapiService w "/w">\nDsapiDBWait 1s\n</DsapiService>
2 ~ DsapiCache: takes a time with its unit ~ <DsapiService w "/w">\nDsapiCache 60\n</DsapiService>
2 ~ DsapiCache: takes a second at least ~ <DsapiService w "/w">\nDsapiCache 20ms\n</DsapiService>
2 ~ DsapiCache: takes a time, then public or private, and stale=time; 'shared' is not known ~ <DsapiService w "/w">\nDsapiCache 60s shared\n</DsapiService>
2 ~ DsapiCache: takes .*'steal' is not known ~ <DsapiService w "/w">\nDsapiCache 60s steal=1h\n</DsapiService>
2 ~ DsapiCache: takes stale= a time with its unit ~ <DsapiService w "/w">\nDsapiCache 60s stale=1\n</DsapiService>
2 ~ DsapiCache: takes a time with its unit ~ <DsapiService w "/w">\nDsapiCache Off public\n</DsapiService>
1 ~ DsapiCache: belongs into <DsapiService> or <DsapiRoute> ~ DsapiCache 60s
1 ~ DsapiCORS: belongs into <DsapiService> ~ DsapiCORS *
2 ~ DsapiCORS: takes origins .*or \* for all; or Off ~ <DsapiService w "/w">\nDsapiCORS\n</DsapiService>
2 ~ DsapiCORS: 'null' is what any sandboxed page may be ~ <DsapiService w "/w">\nDsapiCORS null\n</DsapiService>
2 ~ DsapiCORS: 'https://A.example' must be in lower case ~ <DsapiService w "/w">\nDsapiCORS https://A.example\n</DsapiService>
2 ~ DsapiCORS: 'https://a.example/' must end behind its host, .*not even a '/' ~ <DsapiService w "/w">\nDsapiCORS https://a.example/\n</DsapiService>
2 ~ DsapiCORS: 'https://\*.a.example' is no origin: .*without wildcards ~ <DsapiService w "/w">\nDsapiCORS https://*.a.example\n</DsapiService>
2 ~ DsapiCORS: 'https://b.example:443' must be without the port ~ <DsapiService w "/w">\nDsapiCORS https://a.example https://b.example:443\n</DsapiService>
2 ~ DsapiCORS: 'a.example' is no origin: scheme://host ~ <DsapiService w "/w">\nDsapiCORS a.example\n</DsapiService>
2 ~ DsapiCORS: takes either origins, or \* for all ~ <DsapiService w "/w">\nDsapiCORS * https://a.example\n</DsapiService>
2 ~ DsapiCORS: takes either origins, or \* for all ~ <DsapiService w "/w">\nDsapiCORS headers=X-A\n</DsapiService>
2 ~ DsapiCORS: 'Off' is no origin|DsapiCORS: 'Off' must be in lower case ~ <DsapiService w "/w">\nDsapiCORS https://a.example Off\n</DsapiService>
2 ~ DsapiCORS: takes headers= names with commas ~ <DsapiService w "/w">\nDsapiCORS * headers=X-A,,X-B\n</DsapiService>
2 ~ DsapiCORS: takes headers= names with commas ~ <DsapiService w "/w">\nDsapiCORS * headers=*\n</DsapiService>
2 ~ DsapiCORS: 'credentials=' is not known; headers= is ~ <DsapiService w "/w">\nDsapiCORS * credentials=true\n</DsapiService>
3 ~ DsapiCORS: stands in line [0-9]+ already ~ <DsapiService w "/w">\nDsapiCORS *\nDsapiCORS Off\n</DsapiService>
1 ~ DsapiDocs: belongs into <DsapiService> ~ DsapiDocs On
2 ~ DsapiDocs: is On or Off ~ <DsapiService w "/w">\nDsapiDocs Yes\n</DsapiService>
1 ~ <DsapiService>: a route has the path /docs, where the documentation is: change it, or write DsapiDocs Off ~ <DsapiService w "/w">\n<DsapiRoute GET "/docs">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>
1 ~ <DsapiService>: a route has the path /openapi.json, .*DsapiDocs Off ~ <DsapiService w "/w">\n<DsapiRoute GET "/openapi.json">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>
1 ~ DsapiDependsOn: belongs into <DsapiService>, <DsapiRoute> or <DsapiSeries> ~ DsapiDependsOn a/b
2 ~ DsapiDependsOn: takes names of data ~ <DsapiService w "/w">\nDsapiDependsOn\n</DsapiService>
2 ~ DsapiDependsOn: 'a/b/c' is no name of data: a source of the service, or service/name ~ <DsapiService w "/w">\nDsapiDependsOn a/b/c\n</DsapiService>
2 ~ DsapiDependsOn: '/a' is no name of data ~ <DsapiService w "/w">\nDsapiDependsOn x /a\n</DsapiService>
2 ~ DsapiDependsOn: 'a b' is no name of data ~ <DsapiService w "/w">\nDsapiDependsOn "a b"\n</DsapiService>
3 ~ DsapiCache: public would let a cache on the way give one user's answer to another, .* say private here ~ <DsapiService w "/w">\nDsapiSession a="%{REMOTE_USER}"\nDsapiCache 60s public\n<DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>
2 ~ DsapiCache: public would let ~ <DsapiService w "/w">\nDsapiCache 60s public\n<DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>\n<DsapiService w "/w">\nDsapiSession a="%{REMOTE_USER}"\n</DsapiService>
3 ~ DsapiDependsOn: there is no <DsapiSource nn> in the service 'w'; .* in full: w/nn ~ <DsapiService w "/w">\n<DsapiRoute GET "/r">\nDsapiDependsOn nn\nDsapiCache 5s\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>
2 ~ DsapiDependsOn: there is no <DsapiSource nn> in the service 'w' ~ <DsapiService w "/w">\nDsapiDependsOn nn\nDsapiCache 5s\n<DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>
4 ~ DsapiDependsOn: goes with DsapiCache, which the route has not got ~ <DsapiService w "/w">\n<DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\nDsapiDependsOn w/n\n</DsapiRoute>\n</DsapiService>
END
    [[ $cases -ge 35 ]]
}

@test "wrong limits" {
    table '<DsapiService w "/w">' '</DsapiService>' <<'END'
1 ~ DsapiRateLimit: takes a rate, such as 60/min, then burst= ~ DsapiRateLimit
1 ~ DsapiRateLimit: '60' is no rate: a number, 1 to 1000000, for each s, min, h or d, such as 60/min ~ DsapiRateLimit 60
1 ~ DsapiRateLimit: '60/m' is no rate ~ DsapiRateLimit 60/m
1 ~ DsapiRateLimit: '0/min' is no rate ~ DsapiRateLimit 0/min
1 ~ DsapiRateLimit: '-5/s' is no rate ~ DsapiRateLimit -5/s
1 ~ DsapiRateLimit: '1.5/s' is no rate ~ DsapiRateLimit 1.5/s
1 ~ DsapiRateLimit: '1000001/d' is no rate: a number, 1 to 1000000 ~ DsapiRateLimit 1000001/d
1 ~ DsapiRateLimit: '60/min' is no rate ~ DsapiRateLimit rate=60/min
1 ~ DsapiRateLimit: 'Off' is no rate ~ DsapiRateLimit Off
1 ~ DsapiRateLimit: '100001/s' is more than 100000/s ~ DsapiRateLimit 100001/s
1 ~ DsapiRateLimit: 'burst=0' is not right: burst= is a number, 1 to 1000000 ~ DsapiRateLimit 60/min burst=0
1 ~ DsapiRateLimit: 'burst=many' is not right ~ DsapiRateLimit 60/min burst=many
1 ~ DsapiRateLimit: .* more than 366 days to come back; raise the rate or lower burst= ~ DsapiRateLimit 1/d burst=1000
1 ~ DsapiRateLimit: 'cost=0' is not right: cost= is a number, 1 to the burst ~ DsapiRateLimit 60/min cost=0
1 ~ DsapiRateLimit: cost=61 is above the burst \(60\): no request would pass ~ DsapiRateLimit 60/min cost=61
1 ~ DsapiRateLimit: 'by=ip' is not right: by= is client, user or expr:expression ~ DsapiRateLimit 60/min by=ip
1 ~ DsapiRateLimit: 'by=key' is not right ~ DsapiRateLimit 60/min by=key
1 ~ DsapiRateLimit: 'by=expr:' is not right ~ DsapiRateLimit 60/min by=expr:
1 ~ DsapiRateLimit: '%\{HTTP:X': .* ~ DsapiRateLimit 60/min by="expr:%{HTTP:X"
1 ~ DsapiRateLimit: '%\{NO_SUCH_THING\}': .*NO_SUCH_THING ~ DsapiRateLimit 60/min by=expr:%{NO_SUCH_THING}
1 ~ DsapiRateLimit: 'name=a/b' is not right: name= is letters ~ DsapiRateLimit 60/min name=a/b
1 ~ DsapiRateLimit: 'quiet' is not known: behind the rate stand burst=, by=, cost=, name= and shadow ~ DsapiRateLimit 60/min quiet
1 ~ DsapiRateLimit: 'burst=9' is one too many ~ DsapiRateLimit 60/min burst=5 burst=9
1 ~ DsapiRateLimit: 'window=9' is not known ~ DsapiRateLimit 60/min window=9
2 ~ DsapiRateLimit: the limit in .*extra.conf, line 2 is called "60/min", too, and counts the same requests; give one another name= ~ DsapiRateLimit 60/min\nDsapiRateLimit 60/min burst=5
3 ~ DsapiRateLimit: the limit in .*extra.conf, line 2 is called "5/s", too ~ DsapiRateLimit 5/s\n<DsapiRoute GET "/r">\nDsapiRateLimit 5/s burst=9\nDsapiQuery "SELECT 1"\n</DsapiRoute>
6 ~ DsapiRateLimit: the limit in .*extra.conf, line 3 has the same name=x, and so is the same quota; write rate, burst= and by= as there ~ <DsapiRoute GET "/r">\nDsapiRateLimit 5/s name=x\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n<DsapiRoute POST "/r">\nDsapiRateLimit 5/s name=x by=user\nDsapiQuery "SELECT 1"\n</DsapiRoute>
9 ~ DsapiRateLimit: a request falls under 8 limits at most ~ DsapiRateLimit 1/s\nDsapiRateLimit 2/s\nDsapiRateLimit 3/s\nDsapiRateLimit 4/s\nDsapiRateLimit 5/s\nDsapiRateLimit 6/s\nDsapiRateLimit 7/s\nDsapiRateLimit 8/s\nDsapiRateLimit 9/s
1 ~ DsapiRateExempt: takes addresses and networks ~ DsapiRateExempt
2 ~ DsapiRateExempt: 'localhost' is no address and no network, such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32 ~ DsapiRateLimit 1/s\nDsapiRateExempt ::1 localhost
2 ~ DsapiRateExempt: '10.0.0.0/33' is no address ~ DsapiRateLimit 1/s\nDsapiRateExempt 10.0.0.0/33
2 ~ DsapiRateExempt: '10.0.0.0/' is no address ~ DsapiRateLimit 1/s\nDsapiRateExempt 10.0.0.0/
2 ~ DsapiRateExempt: '/8' is no address ~ DsapiRateLimit 1/s\nDsapiRateExempt /8
2 ~ DsapiRateExempt: '10.0.0.256' is no address ~ DsapiRateLimit 1/s\nDsapiRateExempt 10.0.0.256
2 ~ DsapiRateExempt: '::1' is no address ~ DsapiRateLimit 1/s\nDsapiRateExempt net=::1
1 ~ DsapiRateExempt: goes with DsapiRateLimit, which neither the service nor a route of it has ~ DsapiRateExempt ::1
2 ~ DsapiRateExempt: belongs into <DsapiService> ~ <DsapiRoute GET "/r">\nDsapiRateExempt ::1\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRateStore: belongs outside <DsapiService> ~ DsapiRateStore shm
END
    table '' '' <<'END'
1 ~ DsapiRateLimit: belongs into <DsapiService> or <DsapiRoute> ~ DsapiRateLimit 60/min
1 ~ DsapiRateExempt: belongs into <DsapiService> ~ DsapiRateExempt ::1
1 ~ DsapiRateStore takes one argument ~ DsapiRateStore
1 ~ DsapiRateStore: takes shm, or shm: and a size, 64K to 1G, such as shm:4M ~ DsapiRateStore shm:
1 ~ DsapiRateStore: takes shm, or ~ DsapiRateStore shm:63K
1 ~ DsapiRateStore: takes shm, or ~ DsapiRateStore shm:2G
1 ~ DsapiRateStore: takes shm, or ~ DsapiRateStore 4M
1 ~ DsapiRateStore: takes shm, or ~ DsapiRateStore redis://localhost
2 ~ DsapiRateStore: belongs outside <VirtualHost> ~ <VirtualHost *>\nDsapiRateStore shm:1M\n</VirtualHost>
END
    accepted 'DsapiRateStore shm:64K
<DsapiService w "/w">
    DsapiRateLimit 100000/s
    DsapiRateLimit 1/d burst=366 by=user
    DsapiRateLimit 100/min by="expr:%{HTTP:X-Tenant} %{REMOTE_USER}" shadow
    DsapiRateLimit 5/s name=x cost=2
    DsapiRateExempt 127.0.0.1 10.0.0.0/8 10.1 2001:db8::/32 10.0.0.0/255.0.0.0
    <DsapiRoute GET "/r">
        DsapiRateLimit 5/s
        DsapiQuery "SELECT 1"
    </DsapiRoute>
</DsapiService>
DsapiRateStore shm'
}

@test "wrong directives of a server" {
    table '' '' <<'END'
1 ~ DsapiDBWait: takes a time with its unit.*500ms ~ DsapiDBWait 5
1 ~ DsapiDBWait: takes a time ~ DsapiDBWait 5sx
1 ~ DsapiDBWait: takes a time.*above 0 ~ DsapiDBWait 0s
1 ~ DsapiDBWait: takes a time ~ DsapiDBWait -1s
1 ~ DsapiDBWait takes one argument ~ DsapiDBWait
1 ~ DsapiDBTimeout: takes at most 24d ~ DsapiDBTimeout 25d
1 ~ DsapiDBTimeout: takes a time ~ DsapiDBTimeout 99999999999999d
1 ~ DsapiDBPrepare must be On or Off ~ DsapiDBPrepare Maybe
1 ~ DsapiWorker must be On or Off ~ DsapiWorker 1
1 ~ DsapiConcurrency: takes a number of transfers, 1 to 1000 ~ DsapiConcurrency 0
1 ~ DsapiConcurrency: takes a number ~ DsapiConcurrency 1001
1 ~ DsapiConcurrency: takes a number ~ DsapiConcurrency many
1 ~ DsapiBuffer: takes a size above 0.*1M ~ DsapiBuffer big
1 ~ DsapiBuffer: takes a size above 0 ~ DsapiBuffer 1T
1 ~ DsapiBuffer: takes a size above 0 ~ DsapiBuffer 0
1 ~ DsapiBuffer: takes a size above 0 ~ DsapiBuffer -1
2 ~ DsapiBuffer: belongs outside <DsapiService> ~ <DsapiService w "/w">\nDsapiBuffer 1M\n</DsapiService>
1 ~ DsapiStreams: takes a number of connections, 0 to 1000 ~ DsapiStreams -1
1 ~ DsapiStreams: takes a number ~ DsapiStreams 1001
1 ~ DsapiStreams: takes a number ~ DsapiStreams few
2 ~ DsapiStreams: belongs outside <DsapiService> ~ <DsapiService w "/w">\nDsapiStreams 1\n</DsapiService>
2 ~ DsapiStreams \(2\) must be below DBDMax \(2\) ~ DsapiStreams 2\n<DsapiService w "/w">\n<DsapiRoute GET "/x">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>
1 ~ DsapiStreamTimeout: takes a time with its unit ~ DsapiStreamTimeout 30
1 ~ DsapiStreamTimeout: takes a time.*above 0 ~ DsapiStreamTimeout 0s
2 ~ DsapiStreamTimeout not allowed in <Location> context ~ <Location "/w">\nDsapiStreamTimeout 1s\n</Location>
1 ~ DsapiWorkerDatabase takes one argument ~ DsapiWorkerDatabase
1 ~ DsapiWorkerDatabase: is not what libpq takes: "host= ~ DsapiWorkerDatabase "host=x secret of mine"
1 ~ DsapiReadDatabase takes one argument ~ DsapiReadDatabase
1 ~ DsapiReadDatabase: is not what libpq takes: "host= ~ DsapiReadDatabase "host=x secret of mine"
2 ~ DsapiReadDatabase: belongs outside <DsapiService> ~ <DsapiService w "/w">\nDsapiReadDatabase "dbname=x"\n</DsapiService>
1 ~ DsapiProxy takes one argument ~ DsapiProxy
1 ~ DsapiProxy: takes http://host:port or https://host:port ~ DsapiProxy proxy:3128
1 ~ DsapiProxy: takes http://host:port ~ DsapiProxy http://proxy
1 ~ DsapiProxy: takes http://host:port ~ DsapiProxy http://proxy/
1 ~ DsapiProxy: takes http://host:port ~ DsapiProxy http://proxy:3128/x
1 ~ DsapiProxy: takes http://host:port ~ DsapiProxy socks5://proxy:3128
1 ~ DsapiProxy: takes http://host:port ~ DsapiProxy http://proxy:99999
1 ~ DsapiProxy: takes http://host:port ~ DsapiProxy http://u:p@:3128
2 ~ DsapiProxy: belongs outside <DsapiService> ~ <DsapiService w "/w">\nDsapiProxy http://proxy:3128\n</DsapiService>
2 ~ DsapiDBWait not allowed in <Location> context ~ <Location "/w">\nDsapiDBWait 1s\n</Location>
1 ~ DsapiSQL.*belongs into <DsapiRoute> ~ <DsapiSQL>\nSELECT 1\n</DsapiSQL>
2 ~ DsapiConcurrency: belongs outside <VirtualHost> ~ <VirtualHost *>\nDsapiConcurrency 5\n</VirtualHost>
2 ~ DsapiWorker: belongs outside <VirtualHost> ~ <VirtualHost *>\nDsapiWorker Off\n</VirtualHost>
2 ~ DsapiCacheSize: belongs outside <VirtualHost> ~ <VirtualHost *>\nDsapiCacheSize 1M\n</VirtualHost>
2 ~ DsapiWorkerDatabase: belongs outside <VirtualHost> ~ <VirtualHost *>\nDsapiWorkerDatabase "dbname=x"\n</VirtualHost>
1 ~ Invalid command 'DsapiNothing' ~ DsapiNothing
END
}

@test "wrong routes" {
    table '<DsapiService w "/w">' '</DsapiService>' <<'END'
1 ~ <DsapiRoute> takes a method and a path: <DsapiRoute GET ~ <DsapiRoute GET>\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*method "get" is not GET, POST, PUT, PATCH or DELETE ~ <DsapiRoute get "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*method "HEAD" is not.*HEAD and OPTIONS come of themselves ~ <DsapiRoute HEAD "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*method "" is not ~ <DsapiRoute "" "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*"r" does not begin with '/' ~ <DsapiRoute GET r>\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*empty segment ~ <DsapiRoute GET "/a//b">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*not a whole segment; write "/\{name\}" ~ <DsapiRoute GET "/a{id}">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*not a whole segment ~ <DsapiRoute GET "/{id">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*name is not letters ~ <DsapiRoute GET "/{1d}">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*one parameter twice ~ <DsapiRoute GET "/{id}/{id}">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*too many parameters ~ <DsapiRoute GET "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}/{r}/{s}/{t}/{u}/{v}/{w}/{x}/{y}/{z}/{aa}/{bb}/{cc}/{dd}/{ee}/{ff}/{gg}">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ DsapiRoute.*\{id\} of the path is not declared; add "DsapiParam id text" ~ <DsapiRoute GET "/{id}">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ <DsapiRoute> has no action: add DsapiQuery ~ <DsapiRoute GET "/r">\n</DsapiRoute>
4 ~ DsapiRoute.*GET /r is declared already ~ <DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n<DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
5 ~ DsapiRoute.*GET /\{b\} is declared already ~ <DsapiRoute GET "/{a}">\nDsapiParam a int\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n<DsapiRoute GET "/{b}">\nDsapiParam b int\nDsapiQuery "SELECT 1"\n</DsapiRoute>
3 ~ DsapiJob: the route has an action already ~ <DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\nDsapiJob s\n</DsapiRoute>
1 ~ DsapiRoute.*has a '\?' or '#'.* declared with DsapiParam ~ <DsapiRoute GET "/r?day=1">\nDsapiQuery "SELECT 1"\n</DsapiRoute>
2 ~ <DsapiRoute> belongs into <DsapiService> ~ <DsapiRoute GET "/r">\n<DsapiRoute GET "/s">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiRoute>
2 ~ Require: is not known in <DsapiRoute> ~ <DsapiRoute GET "/r">\nRequire valid-user\nDsapiQuery "SELECT 1"\n</DsapiRoute>
END
    [[ $cases -ge 18 ]]
    refused 1 '<DsapiRoute> belongs into <DsapiService>' \
        $'<DsapiRoute GET "/r">\nDsapiQuery "SELECT 1"\n</DsapiRoute>'
}

SHADOW='<DsapiService deep "/x/y">
</DsapiService>
<DsapiService x "/x">
'

@test "routes whose URLs another service has" {
    table "${SHADOW%$'\n'}" $'DsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>' <<'END'
1 ~ <DsapiRoute>: GET /y is never reached: /x/y belongs to the service 'deep' \(.*extra.conf, line 1\), whose base /x/y is longer than /x ~ <DsapiRoute GET "/y">
1 ~ <DsapiRoute>: PUT /y is never reached ~ <DsapiRoute PUT "/y">
1 ~ <DsapiRoute>: GET /y/z is never reached: /x/y/z belongs to the service 'deep' ~ <DsapiRoute GET "/y/z">
1 ~ <DsapiRoute>: GET /y/z/w is never reached ~ <DsapiRoute GET "/y/z/w">
1 ~ <DsapiRoute>: GET /y/\{a\} is never reached ~ <DsapiRoute GET "/y/{a}">\nDsapiParam a int\nDsapiQuery "SELECT :a"
4 ~ <DsapiRoute>: GET /y/z is never reached ~ <DsapiRoute GET "/z">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n<DsapiRoute GET "/y/z">
END
    accepted "$SHADOW"'<DsapiRoute GET "/yy">
DsapiQuery "SELECT 1"
</DsapiRoute>
<DsapiRoute GET "/{a}/z">
DsapiParam a int
DsapiQuery "SELECT :a"
</DsapiRoute>
<DsapiRoute GET "/">
DsapiQuery "SELECT 1"
</DsapiRoute>
</DsapiService>'
    # another virtual host has bases of its own
    accepted "$SHADOW"'</DsapiService>
<VirtualHost *>
<DsapiService x "/x">
<DsapiRoute GET "/y/z">
DsapiQuery "SELECT 1"
</DsapiRoute>
</DsapiService>
</VirtualHost>'
}

@test "parameters that nothing uses" {
    table $'<DsapiService w "/w">\nDsapiSession t="%{HTTP:X-Tenant}"\n<DsapiSource s>\nDsapiParam a int\nDsapiFetch "http://x/"\nDsapiStore "SELECT :body"\n</DsapiSource>' \
        $'</DsapiService>' <<'END'
1 ~ <DsapiRoute>: parameter 'b' is not used: write :b in the SQL, or take its DsapiParam away ~ <DsapiRoute GET "/r">\nDsapiParam a int\nDsapiParam b int\nDsapiQuery "SELECT :a"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'a' is not used ~ <DsapiRoute GET "/r/{a}">\nDsapiParam a int\nDsapiQuery "SELECT ':a' -- :a"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'a' is not used ~ <DsapiRoute POST "/r">\nDsapiParam a json in=body body=whole\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'a' is not used ~ <DsapiRoute GET "/r">\nDsapiParam a int min=:b\nDsapiParam b int\nDsapiQuery "SELECT :b"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'x' is not used ~ <DsapiRoute GET "/r">\nDsapiPage 10\nDsapiParam x int\nDsapiQuery "SELECT 1 LIMIT :limit OFFSET :offset"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'x_tenants' is not used ~ <DsapiRoute GET "/r">\nDsapiParam x_tenants text in=header\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'x_tenant' is not used ~ <DsapiRoute GET "/r">\nDsapiParam x_tenant text\nDsapiQuery "SELECT 1"\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'z' is not used: write name=:z behind the source, or take ~ <DsapiRoute POST "/r">\nDsapiParam a int\nDsapiParam z int\nDsapiEnqueue s\n</DsapiRoute>
1 ~ <DsapiRoute>: parameter 'a' is not used: write name=:a ~ <DsapiRoute GET "/r">\nDsapiParam a int\nDsapiParam z int\nDsapiJob s a=:z\n</DsapiRoute>
END
    accepted '<DsapiService w "/w">
DsapiSession t="%{HTTP:X-Tenant}"
<DsapiSource s>
DsapiParam a int
DsapiFetch "http://x/"
DsapiStore "SELECT :body"
</DsapiSource>
<DsapiRoute GET "/r/{a}">
DsapiParam a int min=:b max=:c
DsapiParam b int
DsapiParam c int
DsapiParam d int
DsapiParam x_TENANT text in=header required
DsapiPage 10
DsapiQuery "SELECT :d"
DsapiQuery "SELECT :a LIMIT :limit OFFSET :offset"
</DsapiRoute>
<DsapiRoute POST "/r">
DsapiParam all int[] in=body body=whole
DsapiEnqueue s a=:all
</DsapiRoute>
</DsapiService>'
}

@test "wrong standbys" {
    local standby='DsapiReadDatabase "host=s dbname=x"'
    local service=$'<DsapiService w "/w">\n<DsapiRoute GET "/r">\nDsapiReadFrom standby\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>'

    table "$standby"$'\n<DsapiService w "/w">' '</DsapiService>' <<'END'
1 ~ DsapiReadFrom: belongs into <DsapiRoute> ~ DsapiReadFrom standby
2 ~ DsapiReadFrom: is primary or standby ~ <DsapiRoute GET "/r">\nDsapiReadFrom\nDsapiQuery "SELECT 1"\n</DsapiRoute>
2 ~ DsapiReadFrom: is primary or standby ~ <DsapiRoute GET "/r">\nDsapiReadFrom replica\nDsapiQuery "SELECT 1"\n</DsapiRoute>
2 ~ DsapiReadFrom: goes with GET and SQL that changes nothing ~ <DsapiRoute POST "/r">\nDsapiReadFrom standby\nDsapiQuery "SELECT 1"\n</DsapiRoute>
2 ~ DsapiReadFrom: goes with GET and SQL that changes nothing ~ <DsapiRoute GET "/r">\nDsapiReadFrom standby\nDsapiWrite On\nDsapiQuery "SELECT 1"\n</DsapiRoute>
3 ~ DsapiReadFrom: goes with GET and SQL ~ <DsapiRoute GET "/r">\nDsapiTime\nDsapiReadFrom standby\n</DsapiRoute>
3 ~ DsapiReadFrom: stands in line [0-9]+ already ~ <DsapiRoute GET "/r">\nDsapiReadFrom standby\nDsapiReadFrom primary\nDsapiQuery "SELECT 1"\n</DsapiRoute>
2 ~ DsapiReadFrom: goes with no DsapiDependsOn: .*write DsapiDependsOn Off ~ <DsapiRoute GET "/r">\nDsapiReadFrom standby\nDsapiCache 5s\nDsapiDependsOn a/b\nDsapiQuery "SELECT 1"\n</DsapiRoute>
4 ~ DsapiReadFrom: goes with no DsapiDependsOn ~ DsapiDependsOn a/b\nDsapiCache 5s\n<DsapiRoute GET "/r">\nDsapiReadFrom standby\nDsapiQuery "SELECT 1"\n</DsapiRoute>
END
    refused 3 'DsapiReadFrom: needs to know the standby: DsapiReadDatabase' \
        "$service"
    accepted "$service"$'\n'"$standby"
    accepted "$standby"$'\nDsapiDBWait 1s\n'"${service/DsapiReadFrom/$'DsapiCache 5s\nDsapiDependsOn Off\nDsapiReadFrom'}"
    # inherited, with the database or without
    accepted "$standby"$'\n'"$service"$'\n<VirtualHost *>\n</VirtualHost>'
    refused 4 'DsapiReadFrom: a virtual host with DBDParams of its own needs a DsapiReadDatabase of its own' \
        "$standby"$'\n'"$service"$'\n<VirtualHost *>\nDBDParams "host=y dbname=y"\n</VirtualHost>'
    accepted "$standby"$'\n'"$service"$'\n<VirtualHost *>\nDBDriver pgsql\nDBDParams "host=y dbname=y"\nDsapiReadDatabase "host=z dbname=y"\n</VirtualHost>'
}

@test "wrong parameters" {
    table $'<DsapiService w "/w">\n<DsapiRoute POST "/r">' \
        $'DsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>' <<'END'
1 ~ DsapiParam: takes a name and a type: day date ~ DsapiParam day
1 ~ DsapiParam: .*'datum' is no type; known are: text int bigint ~ DsapiParam day datum
1 ~ DsapiParam: .*'int\[3\]' is no type ~ DsapiParam day int[3]
1 ~ DsapiParam: .*'1x'.* no digit first ~ DsapiParam 1x int
1 ~ DsapiParam: .*a name is letters ~ DsapiParam a-b int
2 ~ DsapiParam: 'a' is declared already ~ DsapiParam a int\nDsapiParam a text
1 ~ DsapiParam: .*'optional' is not known; .* required default= ~ DsapiParam a int optional
1 ~ DsapiParam: .*'maximum=3' is not known ~ DsapiParam a int maximum=3
1 ~ DsapiParam: .*'required' is not known|DsapiParam: .*a ~ DsapiParam a int "required"
1 ~ DsapiParam: .*in= is path, query, header or body ~ DsapiParam a int in=cookie
0 ~ DsapiRoute.*'a': is not in the path; write \{a\} there ~ DsapiParam a int in=path
0 ~ DsapiRoute.*'X_a': is the same header as 'x_A'; take one away ~ DsapiParam x_A int in=header\nDsapiParam X_a int in=header
1 ~ DsapiParam: .*a default is of no use ~ DsapiParam a int required default=1
1 ~ DsapiParam: .*default= must be a whole number ~ DsapiParam a int default=x
1 ~ DsapiParam: .*default= must be a day that exists ~ DsapiParam a date default=2023-02-30
1 ~ DsapiParam: .*default= must be one of 1, 2 ~ DsapiParam a int enum=1,2 default=3
1 ~ DsapiParam: .*default= must not be below 5 ~ DsapiParam a int min=5 default=3
1 ~ DsapiParam: .*default= must match ~ DsapiParam a text pattern=^x$ default=y
1 ~ DsapiParam: .*min= is above max= ~ DsapiParam a int min=5 max=3
1 ~ DsapiParam: .*min= and max= are for int ~ DsapiParam a text min=5
1 ~ DsapiParam: .*min=x must be a whole number ~ DsapiParam a int min=x
0 ~ DsapiRoute.*':b' is no parameter here ~ DsapiParam a int min=:b
0 ~ DsapiRoute.*':b' is of another type ~ DsapiParam a int min=:b\nDsapiParam b date
1 ~ DsapiParam: .*enum= has the item "x" ~ DsapiParam a int enum=1,x
1 ~ DsapiParam: .*enum= has the item "" ~ DsapiParam a text enum=a,,b
1 ~ DsapiParam: .*pattern=, character [0-9]+: ~ DsapiParam a text pattern="(unclosed"
1 ~ DsapiParam: .*enum= and pattern= are not for json ~ DsapiParam a json pattern=x
1 ~ DsapiParam: .*body=whole goes with in=body ~ DsapiParam a json body=whole
1 ~ DsapiParam: .*'body=half' is not known ~ DsapiParam a json in=body body=half
0 ~ DsapiRoute.*'b': is in the body, which 'a' takes whole; add in=query ~ DsapiParam a json in=body body=whole\nDsapiParam b int
1 ~ DsapiParam: a quote is opened and never closed ~ DsapiParam a text description="unclosed
1 ~ DsapiParam: a blank must follow the closing quote ~ DsapiParam a text default="x"y
END
    table $'<DsapiService w "/w">\n<DsapiRoute GET "/r/{id}">\nDsapiParam id int' \
        $'DsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>' <<'END'
-1 ~ DsapiRoute.*'a': in=body goes with POST, PUT and PATCH, not with GET ~ DsapiParam a int in=body
1 ~ DsapiParam: 'id' is declared already ~ DsapiParam id text
1 ~ DsapiQuery: .*:a is not declared; add "DsapiParam a text" ~ DsapiQuery "SELECT :a"
1 ~ DsapiParam: takes a name and a type ~ DsapiParam in=query int
1 ~ DsapiParam: takes a name and a type ~ DsapiParam
1 ~ DsapiParam: .*1000 characters|DsapiParam: .*whole number ~ DsapiParam a bigint max=99999999999999999999
END
    refused 2 "DsapiRoute.*'id': is in the path, so that a default" \
        $'<DsapiService w "/w">\n<DsapiRoute GET "/{id}">\nDsapiParam id int default=1\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>'
    refused 2 "DsapiRoute.*'id': is in the path already" \
        $'<DsapiService w "/w">\n<DsapiRoute GET "/{id}">\nDsapiParam id int in=query\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n</DsapiService>'
}

@test "wrong SQL" {
    mkdir -p "$DSAPI_DIR/configtest"
    printf "SELECT 1;\nSELECT 'unclosed" >"$DSAPI_DIR/configtest/wrong.sql"
    : >"$DSAPI_DIR/configtest/empty.sql"
    printf 'SELECT 1\0, 2' >"$DSAPI_DIR/configtest/nul.sql"
    printf "SELECT '\\xe4'" >"$DSAPI_DIR/configtest/latin.sql"
    table $'<DsapiService w "/w">\n<DsapiRoute GET "/r">' \
        $'</DsapiRoute>\n</DsapiService>' <<'END'
1 ~ DsapiQuery: line 1: a string begins here and does not end ~ DsapiQuery "SELECT 'x"
1 ~ DsapiQuery: line 1: a string begins ~ DsapiQuery "SELECT E'x\\'"
1 ~ DsapiQuery: line 1: a dollar-quoted string begins ~ DsapiQuery "SELECT $a$ x $b$"
1 ~ DsapiQuery: line 1: a comment begins ~ DsapiQuery "SELECT 1 /* x /* y */"
1 ~ DsapiQuery: line 1: a quoted identifier begins ~ DsapiQuery 'SELECT "x'
1 ~ DsapiQuery: there is no SQL statement ~ DsapiQuery ""
1 ~ DsapiQuery: there is no SQL statement ~ DsapiQuery "-- nothing; at all"
1 ~ DsapiQuery: .*'\$1' is not known here; write :name ~ DsapiQuery "SELECT $1"
1 ~ DsapiQuery: .*name of over 63 bytes, which PostgreSQL would cut off ~ DsapiQuery 'SELECT 1 AS "a234567890123456789012345678901234567890123456789012345678901234"'
1 ~ DsapiQuery: .*:day is not declared; add "DsapiParam day text" ~ DsapiQuery "SELECT :day::date"
1 ~ DsapiQuery: put the SQL into double quotes ~ DsapiQuery sql="SELECT 1"
1 ~ DsapiQuery: takes the SQL in double quotes; over many lines write <DsapiSQL> ~ DsapiQuery SELECT 1
1 ~ DsapiSQL: line 3: a string begins ~ <DsapiSQL>\nSELECT 1,\n2,\n'x\n</DsapiSQL>
1 ~ DsapiSQL: .*:nope is not declared ~ <DsapiSQL>\nSELECT ':no', :nope\n</DsapiSQL>
1 ~ DsapiSQL: there is no SQL ~ <DsapiSQL>\n</DsapiSQL>
1 ~ <DsapiSQL> takes no argument ~ <DsapiSQL x>\nSELECT 1\n</DsapiSQL>
1 ~ <DsapiSQL> in line 3 has no </DsapiSQL> ~ <DsapiSQL>\nSELECT 1
1 ~ DsapiQueryFile: cannot read [^ ]*configtest/nowhere.sql: .*No such file ~ DsapiQueryFile nowhere.sql
1 ~ DsapiQueryFile: cannot read ~ DsapiQueryFile .
1 ~ DsapiQueryFile: line 2: a string begins here ~ DsapiQueryFile wrong.sql
1 ~ DsapiQueryFile: there is no SQL ~ DsapiQueryFile empty.sql
1 ~ DsapiQueryFile: takes the path of a file ~ DsapiQueryFile a b
2 ~ DsapiResult: is rows, row, value or none ~ DsapiQuery "SELECT 1"\nDsapiResult table
6 ~ DsapiResult: is rows, row, value or none ~ <DsapiSQL>\nSELECT 1,\n\n2\n</DsapiSQL>\nDsapiResult table
2 ~ DsapiResult: is rows, row, value or none ~ DsapiQuery "SELECT 1"\nDsapiResult rows row
0 ~ DsapiRoute.*DsapiContentType goes with DsapiResult value ~ DsapiQuery "SELECT 1"\nDsapiContentType text/plain
2 ~ DsapiContentType: takes a media type, such as "text/plain ~ DsapiQuery "SELECT 1"\nDsapiContentType plain
2 ~ DsapiStatus: takes a status of success, 200 to 299 ~ DsapiQuery "SELECT 1"\nDsapiStatus 404
2 ~ DsapiStatus: takes a status of success.* without 206 and 226 ~ DsapiQuery "SELECT 1"\nDsapiStatus 206
2 ~ DsapiStatus: takes a status of success ~ DsapiQuery "SELECT 1"\nDsapiStatus 226
2 ~ DsapiStatus: takes a status of success ~ DsapiQuery "SELECT 1"\nDsapiStatus 102
2 ~ DsapiStatus: takes a status of success ~ DsapiQuery "SELECT 1"\nDsapiStatus 303
2 ~ DsapiStatus: takes a status ~ DsapiQuery "SELECT 1"\nDsapiStatus created
2 ~ DsapiWrite: is On or Off ~ DsapiQuery "SELECT 1"\nDsapiWrite Perhaps
2 ~ DsapiDBTimeout: takes a time ~ DsapiQuery "SELECT 1"\nDsapiDBTimeout 5
2 ~ DsapiDBTimeout: takes at most 24d ~ DsapiQuery "SELECT 1"\nDsapiDBTimeout 600h
2 ~ DsapiFetch: belongs into <DsapiSource> ~ DsapiQuery "SELECT 1"\nDsapiFetch "http://x/"
2 ~ DsapiTitle: belongs into <DsapiService> ~ DsapiQuery "SELECT 1"\nDsapiTitle x
3 ~ DsapiResult: stands in line 4 already; take one away ~ DsapiQuery "SELECT 1"\nDsapiResult row\ndsapiresult rows
2 ~ DsapiSummary: stands in line 3 already ~ DsapiSummary x\nDsapiSummary y\nDsapiQuery "SELECT 1"
0 ~ DsapiRoute.*DsapiStatus 204 and 205 have no body: add DsapiResult none ~ DsapiQuery "SELECT 1"\nDsapiStatus 204
0 ~ DsapiRoute.*DsapiMaxBody goes with parameters in the body ~ DsapiQuery "SELECT 1"\nDsapiMaxBody 1K
0 ~ DsapiPage goes with SQL that ends in LIMIT :limit OFFSET :offset ~ DsapiQuery "SELECT 1"\nDsapiPage 5
0 ~ DsapiPage goes with SQL that ends in LIMIT :limit OFFSET :offset ~ DsapiQuery "SELECT 1 LIMIT :limit"\nDsapiPage 5
3 ~ DsapiContentType: takes a media type ~ DsapiQuery "SELECT 1"\nDsapiResult value\nDsapiContentType text/
3 ~ DsapiContentType: takes a media type ~ DsapiQuery "SELECT 1"\nDsapiResult value\nDsapiContentType "text plain/x"
1 ~ DsapiQuery: all statements here are one transaction, which begins and ends by itself ~ DsapiQuery "COMMIT"
1 ~ DsapiQuery: all statements here are one transaction ~ DsapiQuery "SELECT 1; /* x */ commit; INSERT INTO t VALUES (1)"
2 ~ DsapiQuery: all statements here are one transaction ~ DsapiQuery "SELECT 1"\nDsapiQuery "begin"
1 ~ DsapiSQL: all statements here are one transaction ~ <DsapiSQL>\nSELECT 1;\nROLLBACK TO a\n</DsapiSQL>
2 ~ DsapiQuery: all statements here are one transaction ~ DsapiWrite On\nDsapiQuery "END"
1 ~ DsapiQuery: CALL and DO may commit, and the rest would not be read only: add DsapiWrite On ~ DsapiQuery "CALL p()"
1 ~ DsapiQuery: CALL and DO may commit ~ DsapiQuery "SELECT 1; DO $$BEGIN COMMIT; END$$"
2 ~ DsapiQuery: CALL and DO may commit ~ DsapiWrite Off\nDsapiQuery "CALL p()"
1 ~ DsapiQueryFile: the file holds a NUL byte ~ DsapiQueryFile nul.sql
1 ~ DsapiQueryFile: the SQL is not UTF-8; save it so ~ DsapiQueryFile latin.sql
END
    [[ $cases -ge 30 ]]
}

@test "who may call a procedure, and who has no transaction of its own" {
    refused 3 'DsapiQuery: CALL and DO may commit' '<DsapiService w "/w">
<DsapiRoute POST "/r">
DsapiQuery "CALL p()"
DsapiWrite Off
</DsapiRoute>
</DsapiService>'
    refused 3 'DsapiQuery: all statements here are one transaction' \
        '<DsapiService w "/w">
<DsapiRoute POST "/r">
DsapiQuery "SAVEPOINT a"
</DsapiRoute>
</DsapiService>'
    accepted '<DsapiService w "/w">
<DsapiRoute POST "/r">
DsapiQuery "CALL p(); DO $$BEGIN END$$; PREPARE commit AS SELECT 1"
</DsapiRoute>
<DsapiRoute GET "/r">
DsapiQuery "CALL p()"
DsapiWrite On
</DsapiRoute>
</DsapiService>'
}

@test "wrong sources" {
    table $'<DsapiService w "/w">\n<DsapiSource s>' \
        $'DsapiStore "SELECT :body"\n</DsapiSource>\n</DsapiService>' <<'END'
0 ~ <DsapiSource> lacks DsapiFetch "https://\.\.\." ~ DsapiParam a text
1 ~ DsapiFetch: .*must begin with http:// or https:// ~ DsapiFetch "ftp://x/"
1 ~ DsapiFetch: .*must begin with http ~ DsapiFetch "/path"
1 ~ DsapiFetch: .*no parameter may stand before the path ~ DsapiFetch "https://{host}/"
1 ~ DsapiFetch: .*must not hold a user name ~ DsapiFetch "https://u:p@x/"
1 ~ DsapiFetch: .*port must be ~ DsapiFetch "https://x:99999/"
1 ~ DsapiFetch: .*host must be ~ DsapiFetch "https:///x"
1 ~ DsapiFetch: .*'\{' is not closed ~ DsapiFetch "https://x/{a"
1 ~ DsapiFetch: .*'\}' has no '\{' ~ DsapiFetch "https://x/a}"
1 ~ DsapiFetch: .*plain name ~ DsapiFetch "https://x/{?a}"
1 ~ DsapiFetch: .*'\.' or '\.\.' ~ DsapiFetch "https://x/../y"
1 ~ DsapiFetch: .*fragment ~ DsapiFetch "https://x/#y"
1 ~ DsapiFetch: .*blank or a control ~ DsapiFetch "https://x/a b"
1 ~ DsapiFetch: .*hexadecimal digits ~ DsapiFetch "https://x/%zz"
1 ~ DsapiFetch: takes \[GET\|POST\] "https:// ~ DsapiFetch PUT "https://x/"
1 ~ DsapiFetch: .*host must be ~ DsapiFetch "http://[1::2::3]/"
1 ~ DsapiFetchBody: takes one JSON text ~ DsapiFetchBody
1 ~ DsapiFetchBody: put the JSON into single quotes ~ DsapiFetchBody a=b
0 ~ DsapiFetchBody goes with DsapiFetch POST ~ DsapiFetch "https://x/"\nDsapiFetchBody '{}'
0 ~ DsapiFetchBody: .*not JSON: line 1, column ~ DsapiFetch POST "https://x/"\nDsapiFetchBody '{:a}'
0 ~ DsapiFetchBody: :a is not declared; add "DsapiParam a text" ~ DsapiFetch POST "https://x/"\nDsapiFetchBody '{"a":":a"}'
1 ~ DsapiResolve: put the SQL into double quotes ~ DsapiResolve a=b
2 ~ DsapiResolve: takes one statement ~ DsapiFetch "https://x/{a}"\nDsapiResolve "SELECT 1 AS a; SELECT 2 AS a"
2 ~ DsapiResolve: :b is not declared; add "DsapiParam b text" ~ DsapiFetch "https://x/{a}"\nDsapiResolve "SELECT :b AS a"
0 ~ DsapiFetch: \{body\} is not declared ~ DsapiFetch "https://x/{body}"\nDsapiResolve "SELECT 1 AS body"
1 ~ DsapiFollow: takes link, or the JSON pointer ~ DsapiFollow next
1 ~ DsapiFollow: takes link, or the JSON pointer ~ DsapiFollow /a~2
1 ~ DsapiFollow: after that comes max= ~ DsapiFollow link max=10001
1 ~ DsapiFollow: after that comes max= ~ DsapiFollow /next 5
0 ~ DsapiFollow goes with DsapiFetch GET ~ DsapiFetch POST "https://x/"\nDsapiFollow link
1 ~ DsapiAllowHost: takes host names and addresses ~ DsapiAllowHost
1 ~ DsapiAllowHost: 'http://x' is neither a host name nor an address ~ DsapiAllowHost y http://x
1 ~ DsapiAllowHost: 'x:80' is neither ~ DsapiAllowHost x:80
1 ~ DsapiAllowHost: '\*.x' is neither ~ DsapiAllowHost *.x
1 ~ DsapiAllowHost: '10.0.0.0/8' is neither ~ DsapiAllowHost 10.0.0.0/8
1 ~ DsapiAllowHost: 'x' is neither ~ DsapiAllowHost host=x
1 ~ DsapiExpect: takes status=200,404 type= ~ DsapiExpect
1 ~ DsapiExpect: status=304 must be a list such as 200,2xx,404 ~ DsapiExpect status=304
1 ~ DsapiExpect: status=200,x must be ~ DsapiExpect status=200,x
1 ~ DsapiExpect: type=json must be a list such as application/json ~ DsapiExpect type=json
1 ~ DsapiExpect: pointer=body must be a JSON pointer such as /body ~ DsapiExpect pointer=body
1 ~ DsapiExpect: 'code' is not known; known are status= type= pointer= ~ DsapiExpect code=200
1 ~ DsapiExpect: '200' is not known ~ DsapiExpect 200
1 ~ DsapiTimeout: takes a time, such as 30s, then connect= ~ DsapiTimeout
1 ~ DsapiTimeout: takes a time with its unit ~ DsapiTimeout 30
1 ~ DsapiTimeout: takes a time with its unit.*above 0 ~ DsapiTimeout 30s stall=0s
1 ~ DsapiTimeout: takes a time with its unit ~ DsapiTimeout connect=1s
1 ~ DsapiTimeout: '5s' is not known; after the time come connect= and stall= ~ DsapiTimeout 30s 5s
1 ~ DsapiTimeout: '5s' is not known; after ~ DsapiTimeout 30s read=5s
1 ~ DsapiUpstreamCA: cannot read /nowhere/ca.pem: ~ DsapiUpstreamCA /nowhere/ca.pem
1 ~ DsapiUpstreamCA: /dev/null holds no certificate ~ DsapiUpstreamCA /dev/null
1 ~ DsapiUpstreamCA: takes the path of a PEM file ~ DsapiUpstreamCA a=b
0 ~ DsapiFetch: \{a\} is not declared; add "DsapiParam a text" ~ DsapiFetch "https://x/{a}"
0 ~ DsapiFetch: \{a\} may be absent; declare it required ~ DsapiParam a text\nDsapiFetch "https://x/{a}"
0 ~ DsapiSource.*'a': a source's parameters have no in= ~ DsapiParam a text in=query\nDsapiFetch "https://x/"
0 ~ DsapiSource.*'body'.*upstream's document ~ DsapiParam body json\nDsapiFetch "https://x/"
2 ~ DsapiStore: all statements here are one transaction ~ DsapiFetch "https://x/"\nDsapiStore "SELECT :body; COMMIT"
2 ~ DsapiStore: .*:nope is not declared ~ DsapiFetch "https://x/"\nDsapiStore "SELECT :nope"
1 ~ DsapiHeader: takes "Name: value" ~ DsapiHeader "no colon"
1 ~ DsapiHeader: takes "Name: value" ~ DsapiHeader "a b: c"
1 ~ DsapiHeader: there is no environment variable DSAPI_NOT_SET ~ DsapiHeader "X: %{DSAPI_NOT_SET}"
1 ~ DsapiHeader: "%\{" has no '\}' ~ DsapiHeader "X: %{DSAPI"
1 ~ DsapiRetry: takes how many attempts ~ DsapiRetry 0
1 ~ DsapiRetry: takes how many attempts ~ DsapiRetry first=2s
1 ~ DsapiRetry: .*after the number come first= and max= ~ DsapiRetry 5 frist=2s
1 ~ DsapiRetry: takes a time ~ DsapiRetry 5 first=2
1 ~ DsapiRetry: first= .*is above max= ~ DsapiRetry 5 first=10s max=1s
1 ~ DsapiRetry: first= \(2s where it is not given\) is above max= ~ DsapiRetry 5 max=1s
1 ~ DsapiHeader: the length of a request is not yours to say ~ DsapiHeader "content-length: 5"
2 ~ DsapiFetch: stands in line 3 already ~ DsapiFetch "http://x/"\nDsapiFetch "http://y/"
1 ~ DsapiTimeout: takes a time ~ DsapiTimeout 30
1 ~ DsapiQuery: belongs into <DsapiRoute> ~ DsapiQuery "SELECT 1"
1 ~ DsapiMaxBody: takes a size ~ DsapiMaxBody big
1 ~ DsapiQueueMax: takes how many jobs may wait, 1 to 1000000 ~ DsapiQueueMax 0
1 ~ DsapiQueueMax: takes how many jobs may wait ~ DsapiQueueMax 5x
1 ~ DsapiQueueMax: takes how many jobs may wait ~ DsapiQueueMax
1 ~ DsapiFreshFor: takes a time with its unit ~ DsapiFreshFor 5
1 ~ DsapiJobKeep: takes a time with its unit ~ DsapiJobKeep forever
1 ~ DsapiSchedule: takes "every 6h" or "cron 0 6 \* \* \*" ~ DsapiSchedule
1 ~ DsapiSchedule: takes "every 6h" or "cron 0 6 \* \* \*" first ~ DsapiSchedule a=b
1 ~ DsapiSchedule: 'daily' is not "every 6h" ~ DsapiSchedule daily
1 ~ DsapiSchedule: cron takes five fields ~ DsapiSchedule "cron 0 6"
1 ~ DsapiSchedule: the hour '24' is not \*, or a list of 0 to 23 ~ DsapiSchedule "cron 0 24 * * *"
1 ~ DsapiSchedule: no month of '0 0 31 2 \*' has such a day ~ DsapiSchedule "cron 0 0 31 2 *"
1 ~ DsapiSchedule: 'Europe/Madird' is no time zone ~ DsapiSchedule "every 1d" tz=Europe/Madird
1 ~ DsapiSchedule: 'now' is not known; after the rule come tz=, name=value and each= ~ DsapiSchedule "every 1d" now
1 ~ DsapiSchedule: each= is one statement ~ DsapiSchedule "every 1d" each="SELECT 1; SELECT 2"
1 ~ DsapiSchedule: each= is one statement without parameters ~ DsapiSchedule "every 1d" each="SELECT :a"
1 ~ DsapiSchedule: each= is one statement ~ DsapiSchedule "every 1d" each="COMMIT"
1 ~ DsapiSchedule: each=: line 1: a string begins here and does not end ~ DsapiSchedule "every 1d" each="SELECT '"
2 ~ DsapiSchedule: 'a' is no parameter of the source ~ DsapiFetch "http://x/"\nDsapiSchedule "every 1d" a=b
3 ~ DsapiSchedule: 'd' must be a day ~ DsapiFetch "http://x/"\nDsapiParam d date\nDsapiSchedule "every 1d" d=todya
3 ~ DsapiSchedule: 'd' is required ~ DsapiFetch "http://x/"\nDsapiParam d date required\nDsapiSchedule "every 1d"
3 ~ DsapiSchedule: stands here twice ~ DsapiFetch "http://x/"\nDsapiSchedule "every 1d"\nDsapiSchedule "every 1d"
1 ~ DsapiJobKeep: takes a minute at least ~ DsapiJobKeep 59s
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit 5
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit 0/s
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit 5/week
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit 5/s 6/s
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit 5/s concurrency=0
1 ~ DsapiUpstreamLimit: takes a rate ~ DsapiUpstreamLimit 5/s burst=2
1 ~ DsapiFreshFor: takes a time with its unit.*above 0 ~ DsapiFreshFor 0s
END
    DSAPI_EVIL=$'x\r\nX-More: y' refused 3 \
        'DsapiHeader: takes "Name: value" without control characters' \
        $'<DsapiService w "/w">\n<DsapiSource s>\nDsapiHeader "X: %{DSAPI_EVIL}"\n</DsapiSource>\n</DsapiService>'
    table '<DsapiService w "/w">' '</DsapiService>' <<'END'
1 ~ <DsapiSource> takes a name ~ <DsapiSource>\n</DsapiSource>
1 ~ <DsapiSource> takes a name ~ <DsapiSource "a b">\n</DsapiSource>
1 ~ <DsapiSource> lacks DsapiStore "SQL" ~ <DsapiSource s>\nDsapiFetch "http://x/"\n</DsapiSource>
5 ~ <DsapiSource>: 's' is declared in [^ ]*extra.conf, line 2 already ~ <DsapiSource s>\nDsapiFetch "http://x/"\nDsapiStore "SELECT 1"\n</DsapiSource>\n<DsapiSource s>\n</DsapiSource>
2 ~ DsapiEnqueue: takes a source ~ <DsapiRoute POST "/r">\nDsapiEnqueue\n</DsapiRoute>
2 ~ DsapiEnqueue: takes the name of a source first ~ <DsapiRoute POST "/r">\nDsapiEnqueue a=:b\n</DsapiRoute>
2 ~ DsapiEnqueue: 'b' is not known; after the source comes name=:param ~ <DsapiRoute POST "/r">\nDsapiEnqueue s a=b\n</DsapiRoute>
2 ~ DsapiEnqueue: there is no <DsapiSource s> in the service 'w' ~ <DsapiRoute POST "/r">\nDsapiEnqueue s\n</DsapiRoute>
2 ~ DsapiJob: there is no <DsapiSource s> in the service 'w' ~ <DsapiRoute GET "/r">\nDsapiJob s\n</DsapiRoute>
END
    table $'<DsapiService w "/w">\n<DsapiSource s>\nDsapiParam a int required\nDsapiFetch "http://x/{a}"\nDsapiStore "SELECT :body"\n</DsapiSource>' \
        '</DsapiService>' <<'END'
2 ~ DsapiEnqueue: the source's parameter 'a' gets no value: declare "DsapiParam a" ~ <DsapiRoute POST "/r">\nDsapiEnqueue s\n</DsapiRoute>
3 ~ DsapiEnqueue: the parameter 'a' is text, the source's 'a' is int ~ <DsapiRoute POST "/r">\nDsapiParam a text\nDsapiEnqueue s\n</DsapiRoute>
3 ~ DsapiEnqueue: the parameter 'a' is text\[\], the source's 'a' is int ~ <DsapiRoute POST "/r">\nDsapiParam a text[]\nDsapiEnqueue s\n</DsapiRoute>
3 ~ DsapiJob: the parameter 'a' is int\[\], the source's 'a' is int ~ <DsapiRoute GET "/r">\nDsapiParam a int[]\nDsapiJob s\n</DsapiRoute>
3 ~ DsapiEnqueue: the source 's' has no parameter 'z' ~ <DsapiRoute POST "/r">\nDsapiParam a int\nDsapiEnqueue s z=:a\n</DsapiRoute>
2 ~ DsapiEnqueue: the source's parameter 'a' gets no value.* ~ <DsapiRoute POST "/r">\nDsapiEnqueue s a=:nope\n</DsapiRoute>
3 ~ DsapiJob: the parameter 'b' is bool, the source's 'a' is int ~ <DsapiRoute GET "/r">\nDsapiParam b bool\nDsapiJob s a=:b\n</DsapiRoute>
10 ~ DsapiEnqueue: one list makes the jobs, and not both 'x' and 'y' ~ <DsapiSource two>\nDsapiParam x int\nDsapiParam y int\nDsapiFetch "http://x/"\nDsapiStore "SELECT :body"\n</DsapiSource>\n<DsapiRoute POST "/r">\nDsapiParam x int[]\nDsapiParam y int[]\nDsapiEnqueue two\n</DsapiRoute>
1 ~ DsapiRoute.*DsapiStatus goes with SQL ~ <DsapiRoute GET "/r">\nDsapiParam a int\nDsapiJob s\nDsapiStatus 200\n</DsapiRoute>
1 ~ DsapiRoute.*DsapiWrite goes with SQL ~ <DsapiRoute GET "/r">\nDsapiParam a int\nDsapiJob s\nDsapiWrite Off\n</DsapiRoute>
3 ~ DsapiEnqueue: 'a' is mapped twice ~ <DsapiRoute POST "/r">\nDsapiParam b int\nDsapiEnqueue s a=:b a=:b\n</DsapiRoute>
1 ~ DsapiRoute.*DsapiResult goes with SQL ~ <DsapiRoute GET "/r">\nDsapiParam a int\nDsapiJob s\nDsapiResult row\n</DsapiRoute>
END
}

@test "wrong resources" {
    table '<DsapiService w "/w">' '</DsapiService>' <<'END'
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource "a b" t>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x "t; SELECT 1">\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x 's."t'>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x x..t>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x d.s.t>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x .t>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x s.>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x 's.""'>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x 's."t"u'>\n</DsapiResource>
1 ~ <DsapiResource> takes a name .* and a table ~ <DsapiResource x 2t>\n</DsapiResource>
3 ~ <DsapiResource>: 'x' is declared in .*, line 2 already ~ <DsapiResource x t>\n</DsapiResource>\n<DsapiResource x u>\n</DsapiResource>
2 ~ DsapiAllow: takes some of list read create update delete rollback import keyed ~ <DsapiResource x t>\nDsapiAllow list look\n</DsapiResource>
2 ~ DsapiAllow: takes some of ~ <DsapiResource x t>\nDsapiAllow a=b\n</DsapiResource>
2 ~ DsapiColumns: takes names ~ <DsapiResource x t>\nDsapiColumns\n</DsapiResource>
2 ~ DsapiColumns: names 'a' twice ~ <DsapiResource x t>\nDsapiColumns a b a=c\n</DsapiResource>
2 ~ DsapiColumns: names 'name' twice ~ <DsapiResource x t>\nDsapiColumns id a=name b=name\n</DsapiResource>
2 ~ DsapiColumns: names 'name' twice ~ <DsapiResource x t>\nDsapiColumns name b=name\n</DsapiResource>
2 ~ DsapiColumns: takes names of columns ~ <DsapiResource x t>\nDsapiColumns id =name\n</DsapiResource>
2 ~ DsapiColumns: takes names of columns ~ <DsapiResource x t>\nDsapiColumns id a=\n</DsapiResource>
2 ~ DsapiColumns: takes names of columns ~ <DsapiResource x t>\nDsapiColumns ""\n</DsapiResource>
1 ~ DsapiKey: 'name' is not among DsapiColumns ~ <DsapiResource x t>\nDsapiColumns id a=name\nDsapiKey name\n</DsapiResource>
1 ~ DsapiNested: 'n' is not among DsapiColumns of <DsapiResource y> ~ <DsapiResource x t>\nDsapiNested y n\n</DsapiResource>\n<DsapiResource y t>\nDsapiColumns id\n</DsapiResource>
2 ~ DsapiKey: takes the name of a column ~ <DsapiResource x t>\nDsapiKey a=b\n</DsapiResource>
2 ~ DsapiKey: takes the name of a column ~ <DsapiResource x t>\nDsapiKey ""\n</DsapiResource>
2 ~ DsapiPageSize: takes a number of rows ~ <DsapiResource x t>\nDsapiPageSize 0\n</DsapiResource>
2 ~ DsapiPageSize: takes a number of rows ~ <DsapiResource x t>\nDsapiPageSize 10 max=5\n</DsapiResource>
2 ~ DsapiPageSize: takes a number of rows ~ <DsapiResource x t>\nDsapiPageSize none max=5\n</DsapiResource>
2 ~ DsapiPageSize: takes a number of rows ~ <DsapiResource x t>\nDsapiPageSize 10 most=50\n</DsapiResource>
2 ~ DsapiNested: takes a resource and its column ~ <DsapiResource x t>\nDsapiNested a\n</DsapiResource>
2 ~ DsapiNested: takes a resource and its column ~ <DsapiResource x t>\nDsapiNested a b=c\n</DsapiResource>
1 ~ DsapiNested: there is no <DsapiResource a> in the service 'w' ~ <DsapiResource x t>\nDsapiNested a b\n</DsapiResource>
2 ~ DsapiAllow: belongs into <DsapiService> or <DsapiResource> ~ <DsapiRoute GET "/r">\nDsapiAllow list\n</DsapiRoute>
1 ~ DsapiAllow: takes some of ~ DsapiAllow look
1 ~ DsapiPageSize: takes a number of rows ~ DsapiPageSize 10 max=5
1 ~ DsapiExpose: takes the word schema and its name ~ DsapiExpose x
1 ~ DsapiExpose: takes the word schema and its name ~ DsapiExpose table x
1 ~ DsapiExpose: takes the word schema and its name ~ DsapiExpose schema x y
1 ~ DsapiExpose: takes the word schema and its name ~ DsapiExpose schema ""
2 ~ DsapiExpose: belongs into <DsapiService> ~ <DsapiResource x t>\nDsapiExpose schema x\n</DsapiResource>
2 ~ DsapiExpose: stands in line 2 already ~ DsapiExpose schema x\nDsapiExpose schema y
4 ~ DsapiExpose: the service has the schema 'x' \(.*, line 2\) already ~ DsapiExpose schema x\n</DsapiService>\n<DsapiService w "/w">\nDsapiExpose schema y
1 ~ DsapiExpose: .*/\{table\}.* is declared already ~ DsapiExpose schema x\n<DsapiRoute GET "/{table}">\nDsapiParam table text\nDsapiQuery "SELECT :table"\n</DsapiRoute>
1 ~ DsapiRole: takes the name of a role ~ DsapiRole a=b
2 ~ DsapiQuery: belongs into <DsapiRoute> ~ <DsapiResource x t>\nDsapiQuery "SELECT 1"\n</DsapiResource>
4 ~ <DsapiResource.*is declared already ~ <DsapiRoute GET "/x">\nDsapiQuery "SELECT 1"\n</DsapiRoute>\n<DsapiResource x t>\n</DsapiResource>
END
}

@test "wrong times" {
    table '<DsapiService w "/w">
<DsapiRoute GET "/r">' '</DsapiRoute>
</DsapiService>' <<'END'
1 ~ DsapiTime: takes zones, or tz=:param and at=:param ~ DsapiTime now
1 ~ DsapiTime: takes zones, or tz=:param ~ DsapiTime zones zones
1 ~ DsapiTime: takes zones, or tz=:param ~ DsapiTime zones tz=:tz
1 ~ DsapiTime: takes zones, or tz=:param ~ DsapiTime zone=:tz
1 ~ DsapiTime: takes zones, or tz=:param ~ DsapiTime tz=UTC
1 ~ DsapiTime: takes zones, or tz=:param ~ DsapiTime tz=:
1 ~ DsapiTime: takes zones, or tz=:param ~ DsapiTime tz=:a at=:b x=:c
1 ~ DsapiTime: 'tz' is mapped twice ~ DsapiTime tz=:a tz=:b
2 ~ DsapiTime: the route has an action already ~ DsapiTime\nDsapiTime zones
2 ~ DsapiTime: the route has an action already ~ DsapiQuery "SELECT 1"\nDsapiTime
2 ~ DsapiQuery: the route has an action already ~ DsapiTime\nDsapiQuery "SELECT 1"
1 ~ DsapiTime: 'when' is not declared; add "DsapiParam when timestamp" ~ DsapiTime at=:when
1 ~ DsapiTime: 'zone' is not declared; add "DsapiParam zone tz" ~ DsapiTime tz=:zone
2 ~ DsapiTime: the parameter 'tz' must be of type tz ~ DsapiParam tz text\nDsapiTime
2 ~ DsapiTime: the parameter 'tz' must be of type tz ~ DsapiParam tz tz[]\nDsapiTime
2 ~ DsapiTime: the parameter 'at' must be of type timestamp ~ DsapiParam at date\nDsapiTime
2 ~ DsapiTime: the parameter 'x' is not used; .* or map it \(tz=:param\) ~ DsapiParam x tz\nDsapiTime
3 ~ DsapiTime: the parameter 'tz' is not used ~ DsapiParam tz tz\nDsapiParam x tz\nDsapiTime tz=:x
2 ~ DsapiTime: the parameter 'tz' is not used by zones; ~ DsapiParam tz tz\nDsapiTime zones
2 ~ DsapiTime: the default 'Mars/Olympus' of 'tz' is no zone in ~ DsapiParam tz tz default=Mars/Olympus\nDsapiTime
END
    [[ $cases -ge 20 ]]
    refused 3 'DsapiTime: goes with GET' '<DsapiService w "/w">
<DsapiRoute POST "/r">
DsapiTime
</DsapiRoute>
</DsapiService>'
    for line in 'DsapiResult row' 'DsapiStatus 201' 'DsapiWrite On' \
        'DsapiCache 5s' 'DsapiPage 10' 'DsapiContentType text/plain'; do
        refused 2 "${line%% *}.* goes with " "<DsapiService w \"/w\">
<DsapiRoute GET \"/r\">
DsapiTime
$line
</DsapiRoute>
</DsapiService>"
    done
    refused 1 'DsapiTime: belongs into <DsapiRoute>' DsapiTime
}

@test "wrong series" {
    # a series that is right, and what each of these makes of it
    table '<DsapiService w "/w">' '</DsapiService>' <<'END'
1 ~ <DsapiSeries> takes a name of letters ~ <DsapiSeries>\n</DsapiSeries>
1 ~ <DsapiSeries> takes a name of letters ~ <DsapiSeries a b>\n</DsapiSeries>
1 ~ <DsapiSeries> takes a name of letters ~ <DsapiSeries a/b>\n</DsapiSeries>
2 ~ <DsapiSeries> belongs into <DsapiService> ~ <DsapiRoute GET "/r">\n<DsapiSeries s>\n</DsapiSeries>\n</DsapiRoute>
1 ~ <DsapiSeries> lacks DsapiTimeColumn ~ <DsapiSeries s>\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries> lacks DsapiMeasure ~ <DsapiSeries s>\nDsapiTimeColumn d\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries> takes one query ~ <DsapiSeries s>\nDsapiTimeColumn d\nDsapiMeasure x\n</DsapiSeries>
1 ~ <DsapiSeries> takes one query ~ <DsapiSeries s>\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1; SELECT 2"\n</DsapiSeries>
4 ~ DsapiQuery: .*:k is not declared|DsapiQuery: .*'k' ~ <DsapiSeries s>\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT :k"\n</DsapiSeries>
6 ~ <DsapiSeries>: 's' is declared in .*extra.conf, line 2 already ~ <DsapiSeries s>\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>\n<DsapiSeries s>\n</DsapiSeries>
1 ~ <DsapiSeries>: parameter 'k': a series' parameters have but default= ~ <DsapiSeries s>\nDsapiParam k text in=query\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries>: parameter 'k': a series' parameters have but default= ~ <DsapiSeries s>\nDsapiParam k text enum=a,b\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries>: parameter 'k': a series' parameters have but default= ~ <DsapiSeries s>\nDsapiParam k text required\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries>: parameter 'k': a series' parameters have but default= ~ <DsapiSeries s>\nDsapiParam k int min=1\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries>: parameter 'k': a series' parameters have but default= ~ <DsapiSeries s>\nDsapiParam k int max=9\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ <DsapiSeries>: parameter 'k': a series' parameters have but default= ~ <DsapiSeries s>\nDsapiParam k text pattern=a\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
2 ~ DsapiTimeColumn: takes the name of a column ~ <DsapiSeries s>\nDsapiTimeColumn\n</DsapiSeries>
2 ~ DsapiTimeColumn: takes the name of a column ~ <DsapiSeries s>\nDsapiTimeColumn a=b\n</DsapiSeries>
3 ~ DsapiTimeColumn: stands in line 3 already ~ <DsapiSeries s>\nDsapiTimeColumn a\nDsapiTimeColumn b\n</DsapiSeries>
2 ~ DsapiMeasure: takes names of columns ~ <DsapiSeries s>\nDsapiMeasure a=b\n</DsapiSeries>
2 ~ DsapiMeasure: takes names of columns, without ~ <DsapiSeries s>\nDsapiMeasure a,b\n</DsapiSeries>
2 ~ DsapiMeasure: 'a' is declared already ~ <DsapiSeries s>\nDsapiMeasure a a\n</DsapiSeries>
2 ~ DsapiDimension: takes a name of letters ~ <DsapiSeries s>\nDsapiDimension id=a\n</DsapiSeries>
2 ~ DsapiDimension: takes a name of letters ~ <DsapiSeries s>\nDsapiDimension a.b\n</DsapiSeries>
2 ~ DsapiDimension: 'b' is not member=column ~ <DsapiSeries s>\nDsapiDimension a b\n</DsapiSeries>
2 ~ DsapiDimension: 'id' stands there twice ~ <DsapiSeries s>\nDsapiDimension a id=x id=y\n</DsapiSeries>
2 ~ DsapiDimension: 'month' is declared already, or one of day ~ <DsapiSeries s>\nDsapiDimension month\n</DsapiSeries>
3 ~ DsapiDimension: 'a' is declared already ~ <DsapiSeries s>\nDsapiDimension a\nDsapiDimension a\n</DsapiSeries>
2 ~ DsapiStaleFor: takes a time with its unit ~ <DsapiSeries s>\nDsapiStaleFor 5\n</DsapiSeries>
2 ~ DsapiReload: is serve or wait ~ <DsapiSeries s>\nDsapiReload later\n</DsapiSeries>
2 ~ DsapiDependsOn: Off is for routes ~ <DsapiSeries s>\nDsapiDependsOn Off\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
2 ~ DsapiDependsOn: there is no <DsapiSource n> ~ <DsapiSeries s>\nDsapiDependsOn n\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
1 ~ DsapiTimeColumn: belongs into <DsapiSeries> ~ DsapiTimeColumn d
1 ~ DsapiMetric: belongs into <DsapiRoute> ~ DsapiMetric s n=count()
2 ~ <DsapiSeries>: the service has DsapiSession u=.*add "DsapiParam u text" ~ DsapiSession u="x"\n<DsapiSeries s>\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
2 ~ <DsapiSeries>: the service has DsapiSession u=.*add "DsapiParam u text" ~ DsapiSession u="x"\n<DsapiSeries s>\nDsapiParam u int\nDsapiTimeColumn d\nDsapiMeasure x\nDsapiQuery "SELECT 1"\n</DsapiSeries>
END
}

@test "wrong metrics" {
    table '<DsapiService w "/w">
<DsapiSeries s>
DsapiParam      k iso3
DsapiParam      m text default=a
DsapiQuery      "SELECT 1"
DsapiTimeColumn day
DsapiDimension  area id=area
DsapiMeasure    x
</DsapiSeries>
<DsapiRoute GET "/{k}">' '</DsapiRoute>
</DsapiService>' <<'END'
2 ~ DsapiMetric: there is no <DsapiSeries t> in the service 'w' ~ DsapiParam k iso3\nDsapiMetric t n=count()
2 ~ DsapiMetric: takes a series, range= ~ DsapiParam k iso3\nDsapiMetric s
2 ~ DsapiMetric: takes a series' name first ~ DsapiParam k iso3\nDsapiMetric n=count() m=count()
2 ~ DsapiMetric: has no aggregate; add one ~ DsapiParam k iso3\nDsapiMetric s group=day
2 ~ DsapiMetric: n=: the series has no measure 'y'; add it to its DsapiMeasure ~ DsapiParam k iso3\nDsapiMetric s n=sum(y)
2 ~ DsapiMetric: n=mean\(x\): there are count sum avg ~ DsapiParam k iso3\nDsapiMetric s n=mean(x)
2 ~ DsapiMetric: group=: 'region' is no dimension ~ DsapiParam k iso3\nDsapiMetric s group=region n=count()
2 ~ DsapiMetric: range=: the parameter 'from' is not declared ~ DsapiParam k iso3\nDsapiMetric s range=:from,:to n=count()
2 ~ DsapiMetric: the parameter 'k' is text, the series' is iso3 ~ DsapiParam k text\nDsapiMetric s n=count()
0 ~ <DsapiRoute>: parameter 'z' is not used: write :z in DsapiMetric, or declare it in the series, or take its DsapiParam away ~ DsapiParam k iso3\nDsapiParam z text\nDsapiMetric s n=count()
3 ~ DsapiDependsOn: belongs into the <DsapiSeries> ~ DsapiParam k iso3\nDsapiMetric s n=count()\nDsapiDependsOn w/n
3 ~ DsapiMetric: the route has an action already ~ DsapiParam k iso3\nDsapiQuery "SELECT 1"\nDsapiMetric s n=count()
0 ~ DsapiResult goes with SQL; .* a metric is always rows ~ DsapiParam k iso3\nDsapiMetric s n=count()\nDsapiResult row
0 ~ DsapiStatus goes with SQL ~ DsapiParam k iso3\nDsapiMetric s n=count()\nDsapiStatus 201
0 ~ DsapiPage goes with SQL ~ DsapiParam k iso3\nDsapiMetric s n=count()\nDsapiPage 10
5 ~ DsapiMetric: the series' parameter 'k' gets no value: add "DsapiParam k iso3" to the route ~ DsapiParam k iso3\nDsapiMetric s n=count()\n</DsapiRoute>\n<DsapiRoute GET "/x">\nDsapiMetric s n=count()
6 ~ DsapiMetric: goes with GET ~ DsapiParam k iso3\nDsapiMetric s n=count()\n</DsapiRoute>\n<DsapiRoute POST "/x">\nDsapiParam k iso3\nDsapiMetric s n=count()
END
    refused 3 'DsapiCacheSize 0 leaves no room' 'DsapiCacheSize 0
<DsapiService w "/w">
<DsapiSeries s>
DsapiQuery      "SELECT 1"
DsapiTimeColumn day
DsapiMeasure    x
</DsapiSeries>
</DsapiService>'
}

@test "a mistake in an included file is told with that file's name and line" {
    mkdir -p "$DSAPI_DIR/configtest"
    printf '\n\n<DsapiService w "/w">\n<DsapiRoute GET "/r">\nDsapiQuery "SELECT :a"\n</DsapiRoute>\n</DsapiService>\n' \
        >"$DSAPI_DIR/configtest/part.conf"
    configtest "Include \"$DSAPI_DIR/configtest/part.conf\""
    [[ $status == 1 && $output == *'line 5 of '*'/part.conf:'* ]]
    printf 'DsapiParam a int\nDsapiParam a int\n' >"$DSAPI_DIR/configtest/part.conf"
    configtest "<DsapiService w \"/w\">
<DsapiRoute GET \"/r\">
    Include \"$DSAPI_DIR/configtest/part.conf\"
    DsapiQuery \"SELECT :a\"
</DsapiRoute>
</DsapiService>"
    [[ $status == 1 && $output == *'line 2 of '*'/part.conf:'* ]]
}

@test "routes declared twice in two files, and in two virtual hosts" {
    configtest "$GOOD
$GOOD"
    [[ $status == 1 && $output == *'line 8 of '*'GET /who is declared already'* ]]
    accepted "<VirtualHost *>
ServerName a
$GOOD
</VirtualHost>
<VirtualHost *>
ServerName b
$GOOD
</VirtualHost>
$GOOD"
    refused 4 'DsapiEnqueue: there is no <DsapiSource s>' '<VirtualHost *>
<DsapiService v "/v">
<DsapiRoute POST "/r">
DsapiEnqueue s
</DsapiRoute>
</DsapiService>
</VirtualHost>'
}

# vhost NAME [DIRECTIVE [URL]]: it declares the source v/data
vhost() {
    cat <<END
<VirtualHost *>
ServerName $1
${2:-}
<DsapiService v "/v">
<DsapiSource data>
DsapiFetch "http://${3:-a.example.org}/data"
DsapiStore "SELECT :body"
</DsapiSource>
</DsapiService>
</VirtualHost>
END
}

@test "a source in two virtual hosts is one source" {
    local other='it is declared otherwise in .*/extra\.conf, line 15: '

    accepted "$(vhost a)
$(vhost b)"
    refused 5 "<DsapiSource>: $other" "$(vhost a)
$(vhost b '' b.example.org)"
    refused 5 "DSAPI0085: .*$other" "$(vhost a)
$(vhost b 'DsapiProxy http://127.0.0.1:3128')"
}

# changed SED TEXT: configtest with another httpd.conf
changed() {
    httpd_config configtest "$2"
    sed -i -E "$1" "$DSAPI_DIR/configtest/httpd.conf"
    status=0
    output=$(srv_httpd_test "$DSAPI_DIR/configtest") || status=$?
}

@test "mod_dbd missing, or told nothing useful" {
    accepted "$GOOD"
    changed '/^LoadModule dbd_module/d; /^DBD/d' "$GOOD"
    [[ $status == 1 && $output == *'extra.conf, line 1: <DsapiService>: needs mod_dbd'*LoadModule* ]]
    changed '/^DBDriver/d' "$GOOD"
    [[ $status == 1 && $output == *'extra.conf, line 1: <DsapiService>: needs DBDriver pgsql'* ]]
    changed 's/^DBDriver.*/DBDriver nonsense/' "$GOOD"
    [[ $status == 1 && $output == *nonsense* ]]
    changed '/^DBDParams/d' "$GOOD"
    [[ $status == 1 && $output == *'extra.conf, line 1: <DsapiService>: '*DBDParams* ]]
    changed 's/^DBDParams.*/DBDParams ""/' "$GOOD"
    [[ $status == 1 && $output == *DBDParams* ]]
    changed 's/^DBDParams.*/DBDParams "host=x pasword=secret"/' "$GOOD"
    [[ $status == 1 && $output == *'DBDParams is not what libpq takes'* && $output != *secret* ]]
    changed 's/^DBDKeep.*/DBDKeep 5/' "$GOOD"
    [[ $status == 1 && $output == *'DBDKeep (5)'*'DBDMax (2)'* ]]
    changed 's/^DBDKeep.*/DBDKeep 2\nDBDPersist off/' "$GOOD"
    [[ $status == 1 && $output == *'extra.conf, line 1: <DsapiService>: needs a pool'*'DBDPersist On'* ]]
    changed 's/^DBDKeep.*/DBDKeep 2\nDBDPersist off/' "<VirtualHost *>
DBDPersist On
$GOOD
</VirtualHost>"
    [[ $status == 0 ]]
    # without services nobody needs it
    changed 's/^DBDKeep.*/DBDKeep 2\nDBDPersist off/' ''
    [[ $status == 0 ]]
    changed '/^LoadModule dbd_module/d; /^DBD/d' ''
    [[ $status == 0 ]]
    # nor for the time; the first service that does is named
    local clock='<DsapiService c "/c">
<DsapiRoute GET "/t">
DsapiTime
</DsapiRoute>
</DsapiService>'
    changed '/^LoadModule dbd_module/d; /^DBD/d' "$clock"
    [[ $status == 0 ]]
    changed '/^LoadModule dbd_module/d; /^DBD/d' "$clock
$GOOD"
    [[ $status == 1 && $output == *'extra.conf, line 6: <DsapiService>: needs mod_dbd'* ]]
    changed '/^LoadModule dbd_module/d; /^DBD/d' '<DsapiService r "/r">
<DsapiResource t t>
</DsapiResource>
</DsapiService>'
    [[ $status == 1 && $output == *'extra.conf, line 1: <DsapiService>: needs mod_dbd'* ]]
    # a virtual host may say it for itself
    changed '/^DBD/d' "<VirtualHost *>
DBDriver pgsql
DBDParams \"dbname=x\"
$GOOD
</VirtualHost>"
    [[ $status == 0 ]]
    changed '/^DBD/d' "<VirtualHost *>
DBDriver pgsql
DBDParams \"dbname=x\"
</VirtualHost>
<VirtualHost *>
$GOOD
</VirtualHost>"
    [[ $status == 1 && $output == *'extra.conf, line 6:'* ]]
}

@test "DsapiStreams counts for a pool, whose connections two servers may share" {
    # another TEXT BEFORE: a virtual host with a number of its own
    another() {
        changed 's/^DBDMax.*/DBDMax 5/' "${2:-}
<VirtualHost *>
DsapiStreams 3
$1
$GOOD
</VirtualHost>"
    }
    another ''
    [[ $status == 1 && $output == *'extra.conf, line 5: <DsapiService>: DsapiStreams counts for a pool'*'shares with the main server'*'DBDParams'* ]]
    another 'DBDMax 5
DBDExptime 300'
    [[ $status == 1 && $output == *'shares with the main server'* ]]
    another 'DBDMax 4' "<VirtualHost *>
ServerName a
DBDMax 4
$GOOD
</VirtualHost>"
    [[ $status == 1 && $output == *'shares with the virtual host in '*'extra.conf, line '* ]]
    another '' 'DsapiStreams 3'
    [[ $status == 0 ]]
    another 'DBDMax 4'
    [[ $status == 0 ]]
    another 'DBDParams "dbname=x"'
    [[ $status == 0 ]]
    # nobody streams there
    changed 's/^DBDMax.*/DBDMax 5/' '<VirtualHost *>
DsapiStreams 3
</VirtualHost>'
    [[ $status == 0 ]]
}

SOURCE='<DsapiService s "/s">
    <DsapiSource up>
        DsapiFetch "http://127.0.0.1:1/"
        DsapiStore "SELECT :body"
    </DsapiSource>
</DsapiService>'

@test "a source needs mod_watchdog and a database of its own" {
    accepted "$SOURCE"
    changed '/^DBD/d' "<VirtualHost *>
DBDriver pgsql
DBDParams \"dbname=x\"
$SOURCE
</VirtualHost>"
    [[ $status == 1 && $output == *'DsapiWorkerDatabase'* ]]
    changed '/^DBD/d' "DsapiWorkerDatabase \"dbname=x\"
<VirtualHost *>
DBDriver pgsql
DBDParams \"dbname=x\"
$SOURCE
</VirtualHost>"
    [[ $status == 0 ]]
    if [[ $SRV_BUILTIN != *watchdog* ]]; then
        changed '/^LoadModule watchdog_module/d' "$SOURCE"
        [[ $status == 1 && $output == *'needs mod_watchdog'* ]]
    fi
    changed '/^LoadModule watchdog_module/d' "DsapiWorker Off
$SOURCE"
    [[ $status == 0 ]]
}

@test "long and strange texts do not crash it" {
    local long text

    long=$(head -c 100000 /dev/zero | tr '\0' x)
    configtest "<DsapiService w \"/$long\">
</DsapiService>"
    [[ $status == 0 || $status == 1 ]]
    configtest "<DsapiService w \"/w\">
<DsapiRoute GET \"/r\">
<DsapiSQL>
SELECT '$long' -- $long
/* $long
$long */
</DsapiSQL>
</DsapiRoute>
</DsapiService>"
    [[ $status == 0 ]]
    for text in '<DsapiService' '<DsapiService>' '<DsapiRoute' '<DsapiSQL' \
        '<DsapiSQL>' '</DsapiSQL>' '</DsapiService>' '<DsapiSource >' \
        'DsapiParam' 'DsapiParam "' "DsapiQuery '" 'DsapiSQL' 'DsapiSQL x' \
        $'<DsapiService w "/w">\n<DsapiSQL>' $'<DsapiService \xff "/\xff">' \
        '<DsapiService w "/w"></DsapiService>' \
        "<DsapiService w \"/w\">"$'\n'"<DsapiRoute GET \"/r\">"$'\n'"<DsapiSQL>" \
        "$(printf '<DsapiService w "/w">\n%.0s' {1..300})"; do
        configtest "$text"
        [[ $status == 1 && $output == *extra.conf* ]] || {
            printf '%s: status %s: %s\n' "$text" "$status" "$output"
            return 1
        }
    done
}

# ---- what is right ----

@test "comments, quotes, continued lines, indents, case of directives" {
    accepted '# a comment
<DsapiService w "/w">
    # another <DsapiRoute
    dsapititle '\''single "quoted"'\''
    DsapiDescription "it is \"double\" \\ quoted"
    DsapiApiVersion  1.0-beta
    DsapiMaxBody 512
	<dsapiroute GET /tab/{id}>
		DsapiParam id int min=1 \
		    description="continued, with = and, commas"
		DsapiQuery \
		    "SELECT :id, '\''\"'\''"
		DsapiQuery  '\''SELECT "a b", $$x"$$ FROM (SELECT 1 AS "a b") AS t'\''
		DsapiResult row
		DSAPIDBTIMEOUT 24d
	</DsapiRoute>
    <DsapiRoute PATCH "/">
        <DsapiSQL>

            SELECT '\''</DsapiRoute>'\'';
            -- <DsapiRoute GET "/x"> and an odd quote: '\''
        </DsapiSQL>
        <dsapisql>
            SELECT 2
        </dsapisql>
        DsapiResult none
    </DsapiRoute>
</DsapiService>
DsapiDBWait 1min
DsapiDBTimeout 1h
DsapiDBPrepare off
DsapiBuffer 64K
DsapiStreams 1
DsapiStreamTimeout 500ms
DsapiWorker off
DsapiConcurrency 1000
DsapiWorkerDatabase "dbname=x"'
    # CRLF
    accepted "$(printf '<DsapiService w "/w">\r\n<DsapiRoute GET "/r">\r\n<DsapiSQL>\r\nSELECT 1\r\n</DsapiSQL>\r\n</DsapiRoute>\r\n</DsapiService>\r\n')"
}

@test "<IfDefine>, <IfModule>, <IfVersion>, Define and Include in sections" {
    mkdir -p "$DSAPI_DIR/configtest/parts"
    for n in 1 2; do
        printf '<DsapiRoute GET "/r%s">\nDsapiQuery "SELECT %s"\n</DsapiRoute>\n' \
            $n $n >"$DSAPI_DIR/configtest/parts/$n.conf"
    done
    accepted "Define BASE /defined
<IfDefine !NOT_DEFINED>
<DsapiService w \"\${BASE}/v1\">
    <IfModule dbd_module>
        Include \"$DSAPI_DIR/configtest/parts/*.conf\"
    </IfModule>
    <IfModule no_such_module>
        <DsapiRoute GET \"/r1\">
            <DsapiSQL>
                SELECT 'not seen
            </DsapiSQL>
        </DsapiRoute>
        Nonsense
    </IfModule>
    <DsapiRoute GET \"/r3\">
        <IfDefine BASE>
            DsapiQuery \"SELECT '\${BASE}'\"
        </IfDefine>
        <IfDefine !BASE>
            DsapiNonsense
        </IfDefine>
        <IfVersion >= 2.4>
            DsapiResult value
        </IfVersion>
    </DsapiRoute>
</DsapiService>
</IfDefine>
<IfDefine NOT_DEFINED>
    DsapiNonsense
</IfDefine>"
    refused 7 'GET /r1 is declared already' "<DsapiService w \"/w\">
<DsapiRoute GET \"/r1\">
DsapiQuery \"SELECT 1\"
</DsapiRoute>
# four lines
# before
<DsapiRoute GET \"/r1\">
DsapiQuery \"SELECT 1\"
</DsapiRoute>
</DsapiService>"
}

@test "mod_macro" {
    [[ -e $SRV_MODULES/mod_macro.so ]] || skip 'no mod_macro here'
    accepted '<Macro Lookup $table $key>
    <DsapiRoute GET "/$table/{$key}">
        DsapiParam $key int
        <DsapiSQL>
            SELECT * FROM $table   # 1
             WHERE $key = :$key AND name <> '\''it''s'\'' -- $table
        </DsapiSQL>
    </DsapiRoute>
</Macro>
<DsapiService w "/w">
    Use Lookup parts id
    Use Lookup people nr
</DsapiService>' 'LoadModule macro_module ${MODULES}/mod_macro.so'
    echo 'SELECT 1' >"$DSAPI_DIR/configtest/one.sql"
    accepted '<Macro File $path>
    <DsapiRoute GET "/$path">
        DsapiQueryFile $path.sql
    </DsapiRoute>
</Macro>
<DsapiService w "/w">
    Use File one
</DsapiService>' 'LoadModule macro_module ${MODULES}/mod_macro.so'
    configtest '<Macro Lookup $table>
    <DsapiRoute GET "/$table">
        <DsapiSQL>
            SELECT :nope FROM $table
        </DsapiSQL>
    </DsapiRoute>
</Macro>
<DsapiService w "/w">
    Use Lookup parts
</DsapiService>' 'LoadModule macro_module ${MODULES}/mod_macro.so'
    [[ $status == 1 && $output == *"macro 'lookup'"*'extra.conf'*':nope is not declared'* ]]
}

# ---- restarts ----

answers() {
    req GET "$1"
    [[ $status == 200 && $body == "$2" ]]
}

@test "a graceful restart takes the new configuration and loses no request" {
    local loads=() n

    touch "$BATS_TEST_TMPDIR/go"
    for n in 1 2 3; do
        while [[ -e $BATS_TEST_TMPDIR/go ]]; do
            curl -sS --noproxy '*' --max-time 20 "$BASE/g/who" \
                -w ' %{http_code}\n' || true
        done >"$BATS_TEST_TMPDIR/load.$n" 2>&1 3>&- &
        loads+=($!)
    done
    for n in one two three; do
        httpd_config httpd "${GOOD/WHO/$n}"
        httpd_restart_graceful
        wait_until 10 answers /g/who "\"$n\""
    done
    many() {
        [[ $(cat "$BATS_TEST_TMPDIR"/load.* | wc -l) -gt 60 ]]
    }
    wait_until 30 many
    rm "$BATS_TEST_TMPDIR/go"
    wait "${loads[@]}"
    cat "$BATS_TEST_TMPDIR"/load.* | sort | uniq -c
    [[ $(cat "$BATS_TEST_TMPDIR"/load.* |
        grep -cvxE '"(WHO|one|two|three)" 200') == 0 ]]
    [[ $(cat "$BATS_TEST_TMPDIR"/load.* | wc -l) -gt 50 ]]
    grep -q '"three" 200' "$BATS_TEST_TMPDIR"/load.*
}

@test "services come and go with restarts, and so do their settings" {
    httpd_config httpd "$GOOD
$(sed 's/DsapiService g "\/g"/DsapiService h "\/h"/; s/WHO/second/' <<<"$GOOD")"
    httpd_restart_graceful
    wait_until 10 answers /h/who '"second"'
    httpd_config httpd "$GOOD"
    httpd_restart_graceful
    gone() {
        req GET /h/who
        [[ $status == 404 && $(header Content-Type) == text/html* ]]
    }
    wait_until 10 gone
    answers /g/who '"WHO"'
}

@test "configtest says no before a restart would" {
    local pid

    pid=$(httpd_pid)
    httpd_config httpd "${GOOD/DsapiResult value/DsapiResult valeu}"
    # what apachectl graceful does first
    if srv_httpd_test "$DSAPI_DIR/httpd" >/dev/null; then
        return 1
    fi
    answers /g/who '"WHO"'
    [[ $(httpd_pid) == "$pid" ]]
    httpd_config httpd "$GOOD"
    srv_httpd_test "$DSAPI_DIR/httpd"
    httpd_restart_graceful
    wait_until 10 answers /g/who '"WHO"'
}

@test "the shipped services pass configtest" {
    DSAPI_SERVICES=all
    accepted ''
    accepted "$SOURCE
$GOOD"
}
