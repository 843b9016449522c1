/*
 * src/resource/build.h, at random: whatever the parser and the catalogue
 * accept is SQL that PostgreSQL parses.
 */
#include <apr_strings.h>

#include "resource/build.h"
#include "resource/problem.h"
#include "resource/read.h"
#include "resource/write.h"
#include "unit/ast.h"
#include "unit/dialect.h"
#include "unit/shop.h"
#include "unit/unit.h"

/* One query, on its way. */
typedef struct trial_t {
    const shop_t *shop;
    fuzz_t fuzz;
    const char *resource;
    apr_array_header_t *pairs;
    dsapi_res_query_t *query; /* NULL: it was refused */
    const char *what;         /* is being done */
    int spoilt;
} trial_t;

/* Parses and resolves. */
static void understand(trial_t *t)
{
    const dsapi_entity_t *entity =
        dsapi_catalog_find(t->shop->catalog, t->resource);
    dsapi_err_t *err;
    apr_status_t rv =
        dsapi_resource_parse(&t->query, &err, t->resource, t->pairs, g_scratch);

    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_resolve(t->query, &err, t->shop->catalog, entity,
                                    g_scratch);
    }
    if (rv != APR_SUCCESS) {
        t->query = NULL;
        ck_assert_msg(t->spoilt, "seed %" APR_UINT64_T_FMT ": %s?%s: %s",
                      t->fuzz.seed, t->resource, dialect_text(t->pairs),
                      err->detail);
    }
}

/* Casts to what is no type's name, orders by columns that are not shown, names
 * that there are twice: nobody but PostgreSQL knows. */
static int is_known_cast(const char *cast)
{
    static const char *const types[] = {"text", "int", "varchar",
                                        "character varying"};

    for (size_t i = 0; cast && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(cast, types[i]) == 0) {
            return 1;
        }
    }
    return !cast;
}

static int has_odd_cast(const dsapi_res_node_t *node)
{
    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_item_t *item =
            &APR_ARRAY_IDX(node->items, i, dsapi_res_item_t);

        if (item->node ? has_odd_cast(item->node)
                       : !is_known_cast(item->cast) ||
                             !is_known_cast(item->aggregate_cast)) {
            return 1;
        }
    }
    return 0;
}

/* Are columns of what is embedded asked for by their names? */
static int names_columns(const dsapi_res_node_t *node)
{
    for (int i = 0; i < node->order->nelts; i++) {
        if (APR_ARRAY_IDX(node->order, i, dsapi_res_order_t).node) {
            return 1;
        }
    }
    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_node_t *child =
            APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).node;

        if (child && (child->spread || names_columns(child))) {
            return 1;
        }
    }
    return 0;
}

/* May PostgreSQL refuse what the client has spoilt with this? */
static int is_theirs(const trial_t *t, const char *sqlstate)
{
    static const char *const always[] = {
        "42883", /* no such operator, no such function for the type */
        "42804", /* types do not fit */
        "42704", /* no such type, no array of the type */
        "42803", /* a column that is not in the group */
    };
    const dsapi_res_node_t *root = t->query->root;

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        if (strcmp(sqlstate, always[i]) == 0) {
            return 1;
        }
    }
    if (strcmp(sqlstate, "42601") == 0 || strcmp(sqlstate, "42846") == 0 ||
        strcmp(sqlstate, "0A000") == 0) {
        return has_odd_cast(root);
    }
    return (strcmp(sqlstate, "42703") == 0 || strcmp(sqlstate, "42702") == 0) &&
           names_columns(root);
}

static void check(const trial_t *t, const dsapi_call_t *call)
{
    const char *message;
    const char *sqlstate = pg_parse(&message, t->shop->pg, call->sql->text);

    ck_assert_msg(!sqlstate || (t->spoilt && is_theirs(t, sqlstate)),
                  "seed %" APR_UINT64_T_FMT ", to be %s: %s: "
                  "%s\n%s?%.1000s\n%.2500s",
                  t->fuzz.seed, t->what, sqlstate, message, t->resource,
                  dialect_text(t->pairs), call->sql->text);
}

static void check_reading(trial_t *t)
{
    dsapi_res_reading_t reading = {3, 1, 100, 0, 1000, 0};
    dsapi_call_t call;

    t->what = "read";
    reading.count = fuzz_below(&t->fuzz, 2);
    reading.validator = !dsapi_resource_embeds(t->query);
    dsapi_resource_read(&call, t->query, &reading, g_scratch);
    check(t, &call);
    t->what = "counted";
    dsapi_resource_count(&call, t->query, &reading, g_scratch);
    check(t, &call);
}

/* The payload of a change, and what follows from it. */
static void take_body(trial_t *t, dsapi_res_writing_t *writing,
                      dsapi_res_payload_t *payload)
{
    const dsapi_entity_t *entity = t->query->root->entity;
    const char *body = dialect_body(&t->fuzz, t->resource,
                                    writing->change == DSAPI_RES_UPDATE);
    dsapi_json_slice_t json;
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_json_check(&json, NULL, body, strlen(body), g_scratch),
        APR_SUCCESS);
    ck_assert_int_eq(dsapi_resource_payload(payload, &err, &json, NULL,
                                            g_scratch, g_scratch),
                     APR_SUCCESS);
    ck_assert_int_eq(dsapi_resource_columns(&writing->columns, &err, entity,
                                            payload->keys, g_scratch),
                     APR_SUCCESS);
    writing->payload = payload;
}

static void check_writing(trial_t *t)
{
    static const char *const changes[] = {"inserted", "put", "updated",
                                          "deleted"};
    dsapi_res_writing_t writing = {0};
    dsapi_res_payload_t payload;
    dsapi_call_t call;
    dsapi_err_t *err;

    writing.change = (dsapi_res_change_e)fuzz_below(&t->fuzz, 4);
    t->what = changes[writing.change];
    writing.merge = fuzz_below(&t->fuzz, 2) || writing.change == DSAPI_RES_PUT;
    writing.defaults = fuzz_below(&t->fuzz, 2);
    writing.full = fuzz_below(&t->fuzz, 2);
    writing.keys = fuzz_below(&t->fuzz, 2) && !t->query->root->grouped;
    writing.conflict =
        fuzz_below(&t->fuzz, 2) || writing.change == DSAPI_RES_PUT
            ? t->query->root->entity->pk
            : apr_array_make(g_scratch, 1, sizeof(char *));
    if (fuzz_below(&t->fuzz, 2)) {
        writing.validators = apr_array_make(g_scratch, 1, sizeof(char *));
        APR_ARRAY_PUSH(writing.validators, const char *) = "x";
    }
    if (writing.change != DSAPI_RES_DELETE) {
        take_body(t, &writing, &payload);
    }
    if (writing.change == DSAPI_RES_PUT &&
        dsapi_resource_check_put(&err, t->query, &payload, g_scratch) !=
            APR_SUCCESS) {
        return;
    }
    if (dsapi_resource_check_filters(&err, t->query, g_scratch) ==
        APR_SUCCESS) {
        dsapi_resource_write(&call, t->query, &writing, g_scratch);
        check(t, &call);
    }
}

static void try_round(trial_t *t)
{
    understand(t);
    if (t->query) {
        check_reading(t);
        check_writing(t);
    }
}

START_TEST(postgresql_parses_what_is_right)
{
    trial_t t = {.shop = shop_open()};

    fuzz_init(&t.fuzz, 1500);
    while (fuzz_next(&t.fuzz)) {
        t.pairs = dialect_query(&t.resource, &t.fuzz);
        try_round(&t);
    }
}
END_TEST

START_TEST(postgresql_parses_what_is_accepted)
{
    trial_t t = {.shop = shop_open(), .spoilt = 1};
    int accepted = 0;
    int rounds = 0;

    fuzz_init(&t.fuzz, 4000);
    for (; fuzz_next(&t.fuzz); rounds++) {
        t.pairs = dialect_query(&t.resource, &t.fuzz);
        dialect_spoil(&t.fuzz, t.pairs);
        try_round(&t);
        accepted += t.query != NULL;
    }
    ck_assert_int_ge(accepted, rounds / 20);
}
END_TEST

START_TEST(a_long_query_takes_little_memory)
{
    static const char *const units[] = {"id,",
                                        "*,",
                                        "maker(id),",
                                        "...item_maker(id),",
                                        "...labels(id),",
                                        "price.sum(),"};
    trial_t t = {.shop = shop_open(), .resource = "items"};
    long before = fuzz_mapped_pages();

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        dsapi_res_reading_t reading = {-1, 0, 100, 1, -1, 0};
        dsapi_buf_t *text = dsapi_buf_make(8192, g_pool);
        dsapi_call_t call;

        dsapi_buf_put(text, "select=count()", 14);
        while (text->len_bytes < 8000) {
            dsapi_buf_put(text, ",", 1);
            dsapi_buf_put(text, units[i], strlen(units[i]) - 1);
        }
        t.pairs = ast_pairs(dsapi_buf_str(text));
        understand(&t);
        dsapi_resource_read(&call, t.query, &reading, g_scratch);
        ck_assert_msg(fuzz_mapped_pages() - before < 4096, "%s...: %ld pages",
                      units[i], fuzz_mapped_pages() - before);
        apr_pool_clear(g_scratch);
    }
}
END_TEST

UNIT_SUITE(resource_build_fuzz, postgresql_parses_what_is_right,
           postgresql_parses_what_is_accepted, a_long_query_takes_little_memory)
