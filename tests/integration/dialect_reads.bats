#!/usr/bin/env bats
# status, body and output are set by req; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# What the table in conf/README.md ("The dialect") says of reading, item by
# item: a line for each.
load ../lib/testing

SCHEMA='
CREATE SCHEMA t;
CREATE TYPE t.spot AS (x int, y text);
CREATE TABLE t.maker (id int PRIMARY KEY, name text,
    boss int REFERENCES t.maker);
CREATE TABLE t.thing (
    id int PRIMARY KEY, name text, n int, flag bool, tags text[],
    span int4range, doc jsonb, words tsvector, spot t.spot,
    maker int CONSTRAINT made_by REFERENCES t.maker,
    owner int CONSTRAINT owned_by REFERENCES t.maker);
CREATE TABLE t.passport (thing int PRIMARY KEY REFERENCES t.thing, no text);
CREATE TABLE t.label (id int PRIMARY KEY, word text);
CREATE TABLE t.thing_label (thing int REFERENCES t.thing,
    label int REFERENCES t.label, PRIMARY KEY (thing, label));
CREATE TABLE t.sale (day int, thing int REFERENCES t.thing,
    PRIMARY KEY (day, thing)) PARTITION BY RANGE (day);
CREATE TABLE t.sale_low PARTITION OF t.sale FOR VALUES FROM (0) TO (5);
CREATE TABLE t.sale_high PARTITION OF t.sale FOR VALUES FROM (5) TO (9);
CREATE VIEW t.first_view AS SELECT id AS one, maker AS two FROM t.thing;
CREATE VIEW t.second_view AS SELECT one AS no, two AS by FROM t.first_view;
CREATE TABLE t.tally (id int PRIMARY KEY, count int);
CREATE TABLE t."Odd Ünit" (id int PRIMARY KEY, "a.b c" text);
CREATE FUNCTION t.shout(t.thing) RETURNS text LANGUAGE sql STABLE
    AS $$SELECT upper($1.name)$$;
CREATE FUNCTION t.near(t.thing) RETURNS SETOF t.thing LANGUAGE sql STABLE
    AS $$SELECT * FROM t.thing$$;
CREATE FUNCTION t.things() RETURNS SETOF t.thing LANGUAGE sql STABLE
    AS $$SELECT * FROM t.thing$$;
CREATE SEQUENCE t.calls;
CREATE VIEW t.called AS SELECT nextval($$t.calls$$) AS n;'

ROWS="
INSERT INTO t.maker VALUES (1, 'Ann', NULL), (2, 'Bob', 1), (3, 'Cy', 1);
INSERT INTO t.thing VALUES
    (1, 'Old Oak', 10, true, '{a,b}', '[1,5)',
        '{\"k\": \"x\", \"n\": 3, \"in\": [{\"z\": 1}], \"no\": null}',
        to_tsvector('english', 'the loud cats'), '(1,one)', 1, 2),
    (2, 'bee', 20, false, '{b}', '[5,9)', '{\"k\": \"y\", \"n\": 11}',
        NULL, '(2,two)', 1, NULL),
    (3, 'q\"t\\, (x)', NULL, NULL, '{}', '[20,30)', NULL, NULL, NULL, 2, 3),
    (4, 'a_1*', 20, true, NULL, NULL, '[5, 6]', NULL, '(4,)', NULL, NULL);
INSERT INTO t.passport VALUES (1, 'p1'), (3, 'p3');
INSERT INTO t.label VALUES (1, 'warm'), (2, 'cold');
INSERT INTO t.thing_label VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO t.sale VALUES (1, 1), (7, 1);
INSERT INTO t.tally VALUES (1, 7), (2, 8);
INSERT INTO t.\"Odd Ünit\" VALUES (1, 'x');
CREATE MATERIALIZED VIEW t.kept AS SELECT id AS no, maker FROM t.thing;
ANALYZE t.thing;"

CONF='<DsapiService t "/t">
    DsapiExpose schema t
</DsapiService>'

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$CONF"
    sql "$SCHEMA"
    sql "$ROWS"
}

setup() {
    dsapi_test_begin
}

# each COMMAND: with the two words of each line of the input. A # is a comment.
each() {
    local one two

    while read -r one two; do
        [[ -n $one && $one != \#* ]] || continue
        echo "$one"
        "$1" "$one" "$two"
    done
}

# finds FILTER IDS: of things
finds() {
    req GET "/t/thing?select=id&order=id&$1"
    expect 200 '[.[].id] | join(",")' "$2"
}

# gives PATH BODY: but for blanks
gives() {
    req GET "/t/$1"
    expect 200 tojson "$2"
}

# refuses PATH "STATUS CODE"
refuses() {
    req GET "/t/$1"
    expect_problem "${2% *}" "${2#* }"
}

@test "filters" {
    each finds <<'END'
n=eq.20 2,4
n=neq.20 1
n=gt.10 2,4
n=gte.10 1,2,4
n=lt.20 1
n=lte.20 1,2,4
name=like.*e* 2
name=like.%25O%25 1
name=ilike.*O* 1
name=match.^O 1
name=imatch.^o 1
id=in.(1,3,99) 1,3
id=in.() 
name=in.("bee","q\"t\\,%20(x)") 2,3
flag=is.null 3
flag=is.not_null 1,2,4
flag=is.true 1,4
flag=is.FALSE 2
flag=is.unknown 3
n=isdistinct.20 1,3
words=fts.cat 1
words=fts(english).cats%26loud 1
words=plfts(english).loud%20cat 1
words=phfts(english).loud%20cats 1
words=wfts(english).cats%20-quiet 1
name=fts.oak 1
name=not.plfts(english).bees 1,3,4
doc=fts.y 2
tags=cs.{a} 1
tags=cd.{b,c} 2,3
tags=ov.{a,c} 1
span=cs.[3,4] 1
span=cd.[0,9] 1,2
span=ov.[4,6] 1,2
span=sl.[5,9) 1
span=sr.[1,5) 2,3
span=nxr.[5,9) 1,2
span=nxl.[5,9) 2,3
span=adj.[9,20) 2,3
doc=cs.{"k":"x"} 1
doc=cd.{"k":"y","n":11,"z":0} 2
n=not.eq.20 1
flag=not.is.null 1,2,4
id=not.in.(1,2) 3,4
n=eq(any).{10,20} 1,2,4
n=gt(all).{9,19} 2,4
n=gte(any).{20,99} 2,4
n=lt(all).{20,30} 1
n=lte(any).{10,5} 1
name=like(any).{O*,b*} 1,2
name=like(all).{O*,*k} 1
name=ilike(all).{o*,*K} 1
name=match(any).{^O,^b} 1,2
name=imatch(all).{^o,k$} 1
n=not.eq(any).{10} 2,4
or=(id.eq.1,and(n.gte.20,flag.is.true)) 1,4
and=(id.gt.1,or(id.lt.3,id.eq.4)) 2,4
not.or=(id.eq.1,id.eq.2) 3,4
not.and=(id.gt.1,id.lt.4) 1,4
or=(not.and(id.gt.1,id.lt.4),id.in.(2)) 1,2,4
or=(tags.cs.{a},span.adj."[9,20)",name.eq."q\"t\\,%20(x)") 1,2,3
doc->>k=eq.x 1
doc->n=gt.5 2
doc->in->0->>z=eq.1 1
doc->-1=eq.6 4
spot->x=gte.2 2,4
spot->>y=eq.one 1
tags->0=eq."b" 2
shout=eq.BEE 2
shout=fts.oak 1
id=gt.1&id=lt.4 2,3
END
}

@test "brackets are 16 deep at most" {
    local n deep='id.eq.1' n

    for ((n = 0; n < 15; n++)); do
        deep="and($deep)"
    done
    finds "and=($deep)" 1
    refuses "thing?and=(and($deep))" '400 PGRST100'
}

@test "what is selected" {
    each gives <<'END'
thing?select=name&id=eq.2 [{"name":"bee"}]
thing?select=who:name,n&id=eq.2 [{"who":"bee","n":20}]
thing?select=doc->k,doc->>n,z:doc->in->0->z&id=eq.1 [{"k":"x","n":"3","z":1}]
thing?select=spot->x,spot->>y,first:tags->0&id=eq.1 [{"x":1,"y":"one","first":"a"}]
thing?select=id,shout,loud:shout&id=eq.2 [{"id":2,"shout":"BEE","loud":"BEE"}]
thing?select=*&id=eq.2 [{"id":2,"name":"bee","n":20,"flag":false,"tags":["b"],"span":"[5,9)","doc":{"k":"y","n":11},"words":null,"spot":{"x":2,"y":"two"},"maker":1,"owner":null}]
Odd%20%C3%9Cnit?select=id,%22a.b%20c%22&%22a.b%20c%22=eq.x [{"id":1,"a.b c":"x"}]
END
}

@test "aggregates" {
    each gives <<'END'
thing?select=count() [{"count":4}]
thing?select=count [{"count":4}]
tally?select=count&id=eq.2 [{"count":8}]
thing?select=n.count(),n.sum(),n.avg()::int,n.min(),n.max() [{"count":3,"sum":50,"avg":17,"min":10,"max":20}]
thing?select=flag,n.sum()&order=flag.nullsfirst [{"flag":null,"sum":null},{"flag":false,"sum":20},{"flag":true,"sum":30}]
thing?select=s:doc->n::int.sum()&id=lt.4 [{"s":14}]
maker?select=id,made:thing!made_by(n.sum())&id=lt.3&order=id [{"id":1,"made":[{"sum":30}]},{"id":2,"made":[{"sum":null}]}]
thing?select=count(),maker:maker!made_by(name)&maker=eq.1 [{"count":2,"maker":{"name":"Ann"}}]
END
}

# sorts ORDER IDS: things
sorts() {
    req GET "/t/thing?select=id,m:maker!made_by(name)&order=$1"
    expect 200 '[.[].id] | join(",")' "$2"
}

@test "order" {
    each sorts <<'END'
id.desc 4,3,2,1
n.asc,id.desc 1,4,2,3
n,id 1,2,4,3
n.desc,id 3,2,4,1
n.nullsfirst,id 3,1,2,4
n.asc.nullslast,id 1,2,4,3
n.desc.nullslast,id 2,4,1,3
n.desc.nullsfirst,id 3,2,4,1
doc->n.desc.nullslast,id 2,1,3,4
doc->>k.desc.nullslast,id 2,1,3,4
spot->x.desc.nullslast,id 4,2,1,3
shout.desc 3,1,2,4
m(name).desc.nullslast,id.desc 3,2,1,4
END
    refuses 'maker?select=id,thing!made_by(id)&order=thing(id)' '400 PGRST118'
}

@test "what is embedded" {
    each gives <<'END'
# many to one, one to many, one to one, many to many
thing?select=id,maker!made_by(name)&id=gt.2&order=id [{"id":3,"maker":{"name":"Bob"}},{"id":4,"maker":null}]
maker?select=id,thing!made_by(id)&thing.order=id.desc&order=id&id=neq.2 [{"id":1,"thing":[{"id":2},{"id":1}]},{"id":3,"thing":[]}]
thing?select=id,passport(no)&id=lt.3&order=id [{"id":1,"passport":{"no":"p1"}},{"id":2,"passport":null}]
passport?select=no,thing(id)&thing=eq.3 [{"no":"p3","thing":{"id":3}}]
thing?select=id,label(word)&label.order=word&id=lt.4&order=id [{"id":1,"label":[{"word":"cold"},{"word":"warm"}]},{"id":2,"label":[{"word":"warm"}]},{"id":3,"label":[]}]
# of the table itself
maker?select=name,boss(name)&order=id&limit=2 [{"name":"Ann","boss":null},{"name":"Bob","boss":{"name":"Ann"}}]
# hints: constraint, column; the name of either as the target
thing?select=maker!owned_by(name)&id=eq.1 [{"maker":{"name":"Bob"}}]
thing?select=maker!owner(name)&id=eq.1 [{"maker":{"name":"Bob"}}]
thing?select=owner(name)&id=eq.1 [{"owner":{"name":"Bob"}}]
thing?select=made_by(name)&id=eq.1 [{"made_by":{"name":"Ann"}}]
label?select=word,thing!thing_label(id)&id=eq.2 [{"word":"cold","thing":[{"id":1}]}]
# which rows there are
thing?select=id,owner!inner(name)&owner.name=eq.Cy [{"id":3,"owner":{"name":"Cy"}}]
thing?select=id,owner!left(name)&owner.name=eq.Cy&order=id&limit=2 [{"id":1,"owner":null},{"id":2,"owner":null}]
thing?select=id,maker!owned_by!inner(name)&id=lt.3 [{"id":1,"maker":{"name":"Bob"}}]
thing?select=id,owner()&owner=is.null&order=id [{"id":2},{"id":4}]
thing?select=id,label()&label=not.is.null&order=id [{"id":1},{"id":2}]
thing?select=id,label(),passport()&or=(label.not.is.null,passport.not.is.null)&order=id [{"id":1},{"id":2},{"id":3}]
# filters, order, limit and offset, at any depth
maker?select=thing!made_by(id)&thing.or=(id.eq.2,n.eq.10)&thing.order=n.desc&id=eq.1 [{"thing":[{"id":2},{"id":1}]}]
thing?select=label(id)&label.order=id&label.limit=1&label.offset=1&id=eq.1 [{"label":[{"id":2}]}]
maker?select=thing!made_by(id,l:label(word))&thing.l.word=eq.cold&thing.id=eq.1&id=eq.1 [{"thing":[{"id":1,"l":[{"word":"cold"}]}]}]
# an alias comes first, a table's name does where there is none
maker?select=made:thing!made_by(id)&thing.id=eq.2&id=eq.1 [{"made":[{"id":2}]}]
maker?select=all:thing!made_by(id),some:thing!made_by(id)&some.id=eq.2&all.order=id&id=eq.1 [{"all":[{"id":1},{"id":2}],"some":[{"id":2}]}]
# spread
thing?select=id,...owner(who:name)&id=eq.1 [{"id":1,"who":"Bob"}]
thing?select=id,...label(word)&label.order=word&id=lt.4&order=id [{"id":1,"word":["cold","warm"]},{"id":2,"word":["warm"]},{"id":3,"word":[]}]
maker?select=name,...thing!made_by(ids:id,...passport(no))&thing.order=id&id=eq.1 [{"name":"Ann","ids":[1,2],"no":["p1",null]}]
thing?select=n.sum(),...owner(name)&owner=eq.2 [{"sum":10,"name":"Bob"}]
# a materialized view, by the keys of its table
kept?select=no,maker(name)&no=eq.3 [{"no":3,"maker":{"name":"Bob"}}]
maker?select=id,kept(no)&kept.order=no&id=eq.1 [{"id":1,"kept":[{"no":1},{"no":2}]}]
# a view of a view, a partitioned table
second_view?select=no,maker(name),passport(no)&no=eq.1 [{"no":1,"maker":{"name":"Ann"},"passport":{"no":"p1"}}]
sale?select=day,thing(name)&order=day [{"day":1,"thing":{"name":"Old Oak"}},{"day":7,"thing":{"name":"Old Oak"}}]
thing?select=id,sale(day)&sale.order=day&id=lt.3&order=id [{"id":1,"sale":[{"day":1},{"day":7}]},{"id":2,"sale":[]}]
END
    each refuses <<'END'
thing?select=maker(name) 300 PGRST201
thing?select=tally(id) 400 PGRST200
thing?select=id&owner.name=eq.Cy 400 PGRST108
thing?select=id,owner(name)&owner=gt.Cy 400 22P02
thing?select=id,o:owner(name)&o=gt.Cy 400 PGRST120
thing?select=id,...label(count()) 400 PGRST127
END
}

@test "what PostgREST has and is not here" {
    each refuses <<'END'
thing?select=id,near(id) 400 PGRST200
rpc/things?select=id,shout 400 42703
thing?name=like.%an 400 invalid-parameter
thing?and=(id.eq.1)) 400 PGRST100
thing?select=maker!made_by(id)) 400 PGRST100
called 405 25006
END
    local type

    for type in application/geo+json application/vnd.pgrst.plan \
        application/vnd.pgrst.plan+json application/octet-stream \
        text/plain; do
        req GET /t/thing -H "Accept: $type"
        expect_problem 406 PGRST107
    done
}

# asks HEADER "STATUS CONTENT-RANGE": of four things
asks() {
    req GET "/t/thing?select=id&order=id${query:-}" -H "${1//_/ }"
    expect "${2% *}"
    has Content-Range "${2#* }"
}

@test "ranges and counts" {
    each asks <<'END'
Range:1-2 200 1-2/*
Range:2- 200 2-3/*
Range:0-9 200 0-3/*
Prefer:count=exact 200 0-3/4
Prefer:count=planned 200 0-3/4
Prefer:count=estimated 200 0-3/4
END
    query='&limit=2&offset=1' asks Prefer:count=exact '206 1-2/4'
    query='&limit=2' asks Range:1-2 '200 1-1/*'
    req GET '/t/thing?select=flag,n.sum()&limit=2' -H 'Prefer: count=exact'
    expect 206
    has Content-Range 0-1/3
    req GET '/t/thing?select=count()' -H 'Prefer: count=exact'
    expect 200
    has Content-Range 0-0/1
}

@test "preferences of reading" {
    req GET '/t/thing?id=eq.1' -H 'Prefer: handling=lenient, foo=bar'
    expect 200
    has Preference-Applied handling=lenient
    req GET '/t/thing?id=eq.1' -H 'Prefer: handling=strict, count=exact'
    expect 200
    has Preference-Applied 'count=exact, handling=strict'
}

@test "media types of reading" {
    local array='application/vnd.pgrst.array+json;nulls=stripped'

    req GET '/t/thing?select=flag,doc&id=eq.1' -H "Accept: $array"
    is '[{"flag":true,"doc":{"k": "x", "n": 3, "in": [{"z": 1}], "no": null}}]'
    req HEAD '/t/thing?select=id' -H 'Accept: text/csv'
    expect 200
    has Content-Type 'text/csv; charset=utf-8; header=present'
    [[ $(header Vary | tr -d ' ') == Accept,Prefer,Range ]]
    is ''
}
