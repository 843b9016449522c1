#!/usr/bin/env bats
# DsapiSession: values of a request for SQL, from any of httpd's expressions.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration)"
    printf 'ann:%s\nbob:%s\n' "$(openssl passwd -apr1 a)" \
        "$(openssl passwd -apr1 b)" >"$DSAPI_DIR/httpd/users"
    chmod 644 "$DSAPI_DIR/httpd/users"
    sql "CREATE TABLE note (owner text, body text);
         INSERT INTO note VALUES ('ann', 'of ann'), ('bob', 'of bob');
         ALTER TABLE note ENABLE ROW LEVEL SECURITY;
         ALTER TABLE note FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON note USING (owner =
             nullif(current_setting('dsapi.user', true), ''));
         CREATE PROCEDURE halves(INOUT user_before text, INOUT user_after text,
                                 INOUT limit_before text, INOUT limit_after text)
         LANGUAGE plpgsql AS 'BEGIN
             user_before := current_setting(''dsapi.user'', true);
             limit_before := current_setting(''statement_timeout'');
             COMMIT;
             user_after := current_setting(''dsapi.user'', true);
             limit_after := current_setting(''statement_timeout'');
         END'" >/dev/null
}

configuration() {
    cat <<'CONF'
LoadModule auth_basic_module ${MODULES}/mod_auth_basic.so
LoadModule authn_file_module ${MODULES}/mod_authn_file.so
LoadModule authz_user_module ${MODULES}/mod_authz_user.so
<DsapiService notes "/notes">
    DsapiSession user=%{REMOTE_USER}
    DsapiSession tenant="%{HTTP:X-Tenant}"
    <DsapiRoute GET "/">
        DsapiQuery "SELECT body FROM note ORDER BY body"
    </DsapiRoute>
    <DsapiRoute POST "/">
        DsapiParam body text required
        DsapiQuery "INSERT INTO note VALUES (nullif(current_setting('dsapi.user', true), ''), :body)"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/halves">
        DsapiQuery "CALL halves('', '', '', '')"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute POST "/set/{how}">
        DsapiParam how text enum=local,session
        DsapiQuery "SELECT set_config('dsapi_test.left', 'here', :how = 'local')"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute GET "/left">
        DsapiQuery "SELECT coalesce(current_setting('dsapi_test.left', true), '')"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/who">
        DsapiQuery "SELECT current_setting('dsapi.user', true) AS user, current_setting('dsapi.tenant', true) AS tenant"
        DsapiResult row
    </DsapiRoute>
</DsapiService>
<DsapiService plain "/plain">
    <DsapiRoute GET "/who">
        DsapiQuery "SELECT nullif(current_setting('dsapi.user', true), '') AS user"
        DsapiResult row
    </DsapiRoute>
</DsapiService>
<Location "/notes">
    AuthType Basic
    AuthName notes
    AuthUserFile ${HTTPD_DIR}/users
    Require valid-user
</Location>
CONF
}

@test "row-level security by the user that httpd has authenticated" {
    claim_log 'AH01617: user bob'
    req GET /notes/ -u ann:a
    expect 200 'map(.body) | tojson' '["of ann"]'
    req GET /notes/ -u bob:b
    expect 200 'map(.body) | tojson' '["of bob"]'
    req GET /notes/ -u bob:a
    expect_problem 401 unauthorized
}

@test "a policy holds for writes" {
    req POST /notes/ -u ann:a -H 'Content-Type: application/json' \
        -d '{"body": "new"}'
    [[ $status == 204 ]]
    req GET /notes/ -u ann:a
    expect 200 length 2
    req GET /notes/ -u bob:b
    expect 200 length 1
}

@test "values come from any expression, and quotes in them are no SQL" {
    req GET /notes/who -u ann:a -H "X-Tenant: x', true), pg_sleep(1) --"
    expect 200 .user ann .tenant "x', true), pg_sleep(1) --"
    req GET /notes/who -u ann:a
    expect 200 .tenant ''
}

@test "nothing of a request is left on its connection" {
    for ((i = 0; i < 20; i++)); do
        req GET /notes/who -u ann:a -H "X-Tenant: t$i"
        expect 200 .tenant "t$i"
        req GET /plain/who
        expect 200 .user null
    done
}

@test "a value that is not UTF-8 is an error in the log, not in SQL" {
    claim_log 'DSAPI0003: internal: DsapiSession tenant: the value is not UTF-8'
    req GET /notes/who -u ann:a -H $'X-Tenant: \xff'
    expect_problem 500 internal
}

@test "a COMMIT within a procedure ends what was set for the transaction" {
    req POST /notes/halves -u ann:a
    expect 200 .user_before ann .limit_before 5s .user_after '' \
        .limit_after 0
}

@test "what SQL sets for a session stays on its connection" {
    seen() {
        req GET /notes/left -u ann:a
        [[ $(json .) == here ]]
    }
    req POST /notes/set/local -u ann:a
    [[ $status == 204 ]]
    for ((i = 0; i < 20; i++)); do
        req GET /notes/left -u ann:a
        expect 200 . ''
    done
    req POST /notes/set/session -u ann:a
    [[ $status == 204 ]]
    wait_until 20 seen
}

@test "mistakes are found by configtest" {
    configtest '<DsapiService x "/x">
        DsapiSession user="%{NO_SUCH"
        </DsapiService>'
    [[ $status != 0 && $output == *DsapiSession* ]]
    configtest '<DsapiService x "/x">
        DsapiSession %{REMOTE_USER}
        </DsapiService>'
    [[ $status != 0 && $output == *'takes name='* ]]
    configtest '<DsapiService x "/x">
        DsapiSession a=b
        DsapiSession a=c
        </DsapiService>'
    [[ $status != 0 && $output == *'declared already'* ]]
}
