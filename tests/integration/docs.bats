#!/usr/bin/env bats
# status, body: set by req; $ is jq's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# DsapiDocs: the OpenAPI document of a service, which is one, and is true; and
# the page for people, which needs nothing from elsewhere.

load ../lib/testing

setup_file() {
    dsapi_up "$(configuration)"
}

configuration() {
    cat <<'CONF'
<DsapiService parts "/parts/v1">
    DsapiTitle       "Parts & more"
    DsapiDescription "What \"we\" sell"
    DsapiAPIVersion  3.2
    <DsapiRoute GET "/parts/{id}">
        DsapiSummary "One part"
        DsapiTag     parts
        DsapiParam   id int min=1 max=999 description="its number"
        DsapiParam   day date default=2024-02-29
        DsapiParam   lang text enum=en,es default=en
        DsapiParam   codes text[] pattern=^[a-z]+$
        DsapiParam   if_match text in=header
        DsapiCache   60s
        DsapiQuery   "SELECT :id AS id, :day AS day, :lang AS lang, :codes AS codes, :if_match AS seen WHERE :id < 900"
        DsapiResult  row
    </DsapiRoute>
    <DsapiRoute PATCH "/parts/{part}">
        DsapiParam   part int
        DsapiParam   name text required
        DsapiParam   more json
        DsapiQuery   "SELECT :part AS id, :name AS name, :more AS more"
        DsapiResult  row
    </DsapiRoute>
    <DsapiRoute GET "/{any}">
        DsapiParam   any text
        DsapiQuery   "SELECT :any"
        DsapiResult  value
    </DsapiRoute>
    <DsapiRoute GET "/list/all">
        DsapiPage    5 max=50
        DsapiQuery   "SELECT 1 AS n LIMIT :limit OFFSET :offset"
    </DsapiRoute>
    <DsapiRoute POST "/list/all">
        DsapiParam   rows json in=body body=whole required
        DsapiQuery   "SELECT :rows"
        DsapiResult  none
    </DsapiRoute>
</DsapiService>
<DsapiService quiet "/quiet">
    DsapiDocs Off
    <DsapiRoute GET "/{any}">
        DsapiParam   any text
        DsapiQuery   "SELECT :any"
        DsapiResult  value
    </DsapiRoute>
</DsapiService>
CONF
}

# What OpenAPI 3.1 asks of a document, as far as ours can go wrong: an array of
# mistakes.
RULES='
def operations: .paths | to_entries[] | .key as $path | .value | to_entries[]
    | {path: $path, method: .key, it: .value};
def names: [match("\\{([^}]+)\\}"; "g").captures[0].string];
. as $doc | [
    (if .openapi | test("^3\\.1\\.[0-9]+$") then empty else "openapi" end),
    (.info | if (.title | type) == "string" and (.version | type) == "string"
        then empty else "info" end),
    (.paths | keys[] | select(startswith("/") | not) | "path \(.)"),
    (.paths | keys | map(gsub("\\{[^}]+\\}"; "{}")) | group_by(.)[]
        | select(length > 1) | "twice \(.[0])"),
    (operations | select(.method | IN("get", "put", "post", "delete", "options",
        "head", "patch", "trace") | not) | "method \(.)"),
    (operations | select((.it.parameters | map(select(.in == "path").name)
        | sort) != (.path | names | sort)) | "path parameters \(.)"),
    (operations | .it.parameters | map([.in, .name]) | group_by(.)[]
        | select(length > 1) | "parameter twice \(.)"),
    (operations.it.parameters[] | select((.in | IN("path", "query", "header",
        "cookie") | not) or (.in == "path" and .required != true)
        or ((.schema == null) == (.content == null))) | "parameter \(.)"),
    (operations | select(.it.requestBody and
        (.it.requestBody.content | length) == 0) | "body \(.)"),
    (operations | select(.it.responses | length == 0) | "responses \(.)"),
    (operations.it.responses | to_entries[] | select((.key
        | test("^([1-5][0-9][0-9]|default)$") | not) or
        (.value["$ref"] == null and (.value.description | type) != "string"))
        | "response \(.)"),
    (.. | objects | .["$ref"]? // empty | ltrimstr("#/") / "/"
        | . as $at | select($doc | getpath($at) == null) | "ref \(.)"),
    (.. | objects | .schema? // empty | [.. | objects | select(has("type"))
        | .type | if type == "array" then .[] else . end
        | select(type == "string" and (IN("string", "integer", "number",
        "boolean", "array", "object", "null") | not))][] | "type \(.)"),
    (.. | objects | select(.type? == "array" and has("items") == false)
        | "items \(.)")
]'

# valid BASE: it has a document without mistakes
valid() {
    req GET "$1/openapi.json"
    expect 200 "$RULES | tojson" '[]' '.servers[0].url' "$1" \
        '.paths | length > 0' true
    [[ $(header Content-Type) == application/openapi+json ]]
}

@test "every service has a document, and it is OpenAPI" {
    valid /parts/v1
    valid /foodsecurity/v1
    valid /time/v1
    # and the rules see mistakes
    req GET /parts/v1/openapi.json
    for mistake in '.paths.x = {}' '.paths["/{any}"].get.parameters = []' \
        '.paths["/{other}"] = .paths["/{any}"]' 'del(.components.schemas)' \
        '.paths["/{any}"].get.responses["20"] = {}' 'del(.info.version)' \
        '.paths["/{any}"].get.parameters[0].required = false'; do
        [[ $(jq "$mistake | $RULES | length" "$RES/body") -gt 0 ]] || {
            echo "$mistake"
            return 1
        }
    done
}

@test "it says what a route takes and gives" {
    valid /parts/v1
    expect 200 .info.title 'Parts & more' .info.version 3.2 \
        .info.description 'What "we" sell' \
        '.paths | keys | tojson' '["/list/all","/parts/{id}","/{any}"]' \
        '.paths["/parts/{id}"] | keys | tojson' '["get","patch"]'
    expect 200 '.paths["/parts/{id}"].get | [.summary, .tags[]] | tojson' \
        '["One part","parts"]' \
        '.paths["/parts/{id}"].get.parameters[0] | [.name, .in, .description, .schema.minimum, .schema.maximum] | tojson' \
        '["id","path","its number",1,999]' \
        '[.paths["/parts/{id}"].get.parameters[1,2].schema.default] | tojson' \
        '["2024-02-29","en"]' \
        '.paths["/parts/{id}"].get.responses | keys | tojson' \
        '["200","304","400","404","default"]' \
        '.paths["/parts/{id}"].patch.requestBody.content["application/json"].schema.required | tojson' \
        '["name"]' \
        '.paths["/list/all"].get.parameters | map(.name) | tojson' \
        '["limit","offset"]' \
        '.paths["/list/all"].post.responses | keys | tojson' \
        '["204","400","default"]'
    req GET /foodsecurity/v1/openapi.json
    expect 200 '[.paths[] | .post?, .get? | select(. != null) | .responses["202"].content[]?.schema["$ref"]] | unique | tojson' \
        '["#/components/schemas/Job"]'
}

@test "it says what resources take and give" {
    local etag list='.paths["/properties"]' one='.paths["/properties/{key}"]'

    sql "COMMENT ON TABLE visits.property IS 'what can be visited';
        COMMENT ON COLUMN visits.property.price IS 'in euros'"
    valid /catalog/v1
    valid /visits/v1
    expect 200 "$list | keys | tojson" '["get","post"]' \
        "$one | keys | tojson" '["delete","get","patch","put"]' \
        "$list.get.parameters | map(select(.in == \"query\").name) | tojson" \
        '["select","order","limit","offset","id","name","address","price"]' \
        "$list.get.parameters | map(select(.in == \"header\").name) | tojson" \
        '["range","prefer"]' \
        "$list.post.parameters | map(select(.in == \"header\").name) | tojson" \
        '["prefer","idempotency-key"]' \
        "$one.patch.parameters | map(.name) | tojson" \
        '["key","select","columns","prefer","idempotency-key","if-match"]' \
        "$list.post.requestBody.content | keys | tojson" \
        '["application/json","application/x-www-form-urlencoded","text/csv"]' \
        "$one.patch.requestBody.content | keys | tojson" \
        '["application/json","application/x-www-form-urlencoded"]' \
        "$list.get.responses | keys | tojson" \
        '["200","206","400","403","404","406","416","default"]' \
        "$one.get.responses[\"200\"].content[\"application/json\"].schema | tojson" \
        '{"$ref":"#/components/schemas/row.properties"}'
    expect 200 '.components.schemas["row.properties"].description' \
        'what can be visited' \
        '.components.schemas["row.properties"].properties.price | tojson' \
        '{"type":"number","format":"numeric","description":"in euros"}' \
        '.components.schemas["row.properties"].properties.id | tojson' \
        '{"type":"string","format":"uuid"}'
    etag=$(header ETag)
    req GET /visits/v1/openapi.json -H "If-None-Match: $etag"
    expect 304
    sql 'ALTER TABLE visits.property ADD note text'
    wait_until 60 has_note
}

has_note() {
    req GET /visits/v1/openapi.json
    [[ $(json '.components.schemas["row.properties"].properties.note | tojson') \
        == '{"type":["string","null"],"format":"text"}' ]]
}

@test "it beats parameters, and has a validator" {
    local etag

    req GET /parts/v1/openapi.json
    etag=$(header ETag)
    [[ $etag =~ ^\"[0-9a-f]{32}\"$ && $(header Cache-Control) == no-cache ]]
    req GET /parts/v1/openapi.json -H "If-None-Match: $etag"
    [[ $status == 304 && ! -s $RES/body && $(header ETag) == "$etag" ]]
    req HEAD /parts/v1/openapi.json
    [[ $status == 200 && $(header Content-Length) -gt 1000 ]]
    req POST /parts/v1/openapi.json
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'GET, HEAD, OPTIONS' ]]
    req GET '/parts/v1/openapi.json?x=1'
    expect_problem 400 invalid-parameter x
    req GET /parts/v1/openapi.yaml
    expect 200 . openapi.yaml
    # the same after a restart, another one for another configuration
    httpd_restart_graceful
    req GET /parts/v1/openapi.json
    [[ $(header ETag) == "$etag" ]]
    req GET /time/v1/openapi.json
    [[ $(header ETag) != "$etag" ]]
}

@test "a page for people: of its own, with a policy that lets in nothing else" {
    local etag policy

    req GET /parts/v1/docs
    [[ $status == 200 && $(header Content-Type) == 'text/html; charset=utf-8' ]]
    [[ $body == '<!DOCTYPE html>'*'<h1>Parts &amp; more</h1>'*'</html>' ]]
    [[ $body == *'<code>/parts/v1/parts/{id}</code>'*'its number'* ]]
    [[ $(header X-Content-Type-Options) == nosniff ]]
    policy=$(header Content-Security-Policy)
    [[ $policy == "default-src 'none'; style-src "* ]]
    sed -nE 's|.*<style>(.*)</style>.*|\1|p' "$RES/body" | tr -d '\n' \
        >"$RES/style"
    [[ -s $RES/style ]]
    [[ $policy == *" 'sha256-$(openssl dgst -sha256 -binary "$RES/style" |
        base64)';"* ]]
    # nothing to be loaded, and no other style or script
    run grep -oEi '<(script|link|img|iframe|object|embed|form)|[ "](src|style|on[a-z]+)=|url\(|@import|https?:' "$RES/body"
    [[ $status == 1 && -z $output ]]
    # its one link leads to the document
    [[ $(grep -oE 'href="[^"]*"' "$RES/body") == 'href="openapi.json"' ]]
    req GET /parts/v1/docs
    etag=$(header ETag)
    req GET /parts/v1/docs -H "If-None-Match: $etag"
    [[ $status == 304 && $(header Content-Security-Policy) == "$policy" ]]
}

@test "where it is Off the paths are like others" {
    for path in openapi.json docs; do
        req GET /quiet/$path
        expect 200 . $path
    done
}
