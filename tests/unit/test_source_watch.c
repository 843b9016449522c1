/* source/watch with a real database: changes are seen, and nothing else; and
 * the SQL of conf/core/schema.sql that it reads. */
#include "source/watch.h"

#include <apr_strings.h>

#include "source/link.h"
#include "unit/pg.h"
#include "unit/unit.h"

#define PATIENCE apr_time_from_sec(30)
/* how long the watcher waits between two questions, at least */
#define READ_EVERY apr_time_from_msec(1400)

#define TURN apr_time_from_msec(5)

static const int depths[] = {2, 0};

typedef struct scene_t {
    pg_t *pg;
    dsapi_versions_t *versions;
    dsapi_watch_config_t config;
    dsapi_watch_t *watch;
    int told[3];
} scene_t;

static void on_event(void *baton, dsapi_watch_event_e event, const char *text)
{
    scene_t *scene = baton;

    scene->told[event]++;
    ck_assert_int_eq(text != NULL, event != DSAPI_WATCH_CONNECTED);
}

static scene_t *make_scene(void)
{
    scene_t *scene = apr_pcalloc(g_pool, sizeof(*scene));
    apr_array_header_t *names = apr_array_make(g_pool, 2, sizeof(char *));

    scene->pg = pg_open();
    APR_ARRAY_PUSH(names, const char *) = "s/a";
    APR_ARRAY_PUSH(names, const char *) = "s/\"b";
    scene->versions = dsapi_versions_make(names, depths, g_pool);
    scene->config = (dsapi_watch_config_t){.conninfo = scene->pg->conninfo,
                                           .prepare = 1,
                                           .versions = scene->versions,
                                           .event = on_event,
                                           .baton = scene};
    scene->watch = dsapi_watch_make(&scene->config, g_pool);
    return scene;
}

static scene_t *with_schema(void)
{
    scene_t *scene = make_scene();

    pg_apply(scene->pg, "core/schema.sql");
    return scene;
}

static dsapi_version_stamp_t stamp_of(const scene_t *scene, int index)
{
    dsapi_version_stamp_t stamp;

    dsapi_versions_read(&stamp, scene->versions, &index, 1, apr_time_now());
    return stamp;
}

/* Go on until the watcher knows of a change that is made now. */
static void drive(const scene_t *scene)
{
    apr_time_t end = apr_time_now() + PATIENCE;
    scene_t want = *scene;
    const char *version;

    want.versions = dsapi_versions_make(dsapi_versions_names(scene->versions),
                                        NULL, g_pool);
    pg_value(scene->pg, "SELECT dsapi.touch('s/\"b')");
    version = pg_value(scene->pg, "SELECT bit_xor(version) FROM "
                                  "dsapi.data_version "
                                  "WHERE name = 's/\"b'");
    dsapi_versions_set(want.versions, 1, (apr_uint64_t)apr_atoi64(version), 0);
    while (stamp_of(scene, 1).stamp != stamp_of(&want, 1).stamp) {
        dsapi_watch_turn(scene->watch, TURN);
        ck_assert_msg(apr_time_now() < end, "nothing is seen");
    }
}

static void drive_told(scene_t *scene, dsapi_watch_event_e event, int times)
{
    apr_time_t end = apr_time_now() + PATIENCE;

    while (scene->told[event] < times) {
        dsapi_watch_turn(scene->watch, TURN);
        ck_assert(apr_time_now() < end);
    }
}

static apr_uint64_t version_of(const scene_t *scene)
{
    drive(scene);
    return stamp_of(scene, 0).stamp;
}

static void run(dsapi_db_t *db, const char *sql)
{
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    ck_assert_int_eq(pg_run(&rows, &err, db, sql), APR_SUCCESS);
}

START_TEST(a_touch_is_seen_and_others_are_not)
{
    scene_t *scene = with_schema();
    apr_uint64_t first;
    apr_uint64_t second;

    ck_assert(version_of(scene) == 0);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    first = version_of(scene);
    ck_assert(first != 0);
    ck_assert(stamp_of(scene, 0).verified_at > 0);
    pg_value(scene->pg, "SELECT dsapi.touch('s/other')");
    ck_assert(version_of(scene) == first);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a', 'COL', NULL)");
    second = version_of(scene);
    ck_assert(second != first && second != 0);
    ck_assert_int_eq(scene->told[DSAPI_WATCH_CONNECTED], 1);
    ck_assert_int_eq(scene->told[DSAPI_WATCH_LOST], 0);
    ck_assert_int_eq(scene->told[DSAPI_WATCH_SQL], 0);
}
END_TEST

/* What commits late has an earlier xid than what was seen meanwhile. */
START_TEST(changes_are_seen_in_whatever_order_they_commit)
{
    scene_t *scene = with_schema();
    dsapi_db_t *early = pg_adopt(scene->pg);
    dsapi_db_t *late = pg_adopt(scene->pg);
    apr_uint64_t before;
    apr_uint64_t between;

    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    before = version_of(scene);
    run(late, "BEGIN");
    run(late, "SELECT dsapi.touch('s/a')");
    run(early, "BEGIN");
    run(early, "SELECT dsapi.touch('s/a')"); /* neither waits */
    ck_assert(version_of(scene) == before);
    run(early, "COMMIT");
    between = version_of(scene);
    ck_assert(between != before);
    run(late, "COMMIT");
    ck_assert(version_of(scene) != between);
}
END_TEST

START_TEST(what_is_rolled_back_has_not_been)
{
    scene_t *scene = with_schema();
    dsapi_db_t *db = pg_adopt(scene->pg);
    apr_uint64_t before;

    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    before = version_of(scene);
    run(db, "BEGIN");
    run(db, "SELECT dsapi.touch('s/a')");
    run(db, "ROLLBACK");
    ck_assert(version_of(scene) == before);
}
END_TEST

START_TEST(two_watchers_know_the_same)
{
    scene_t *one = with_schema();
    scene_t two = *one;

    pg_value(one->pg, "SELECT dsapi.touch('s/a')");
    two.versions = dsapi_versions_make(dsapi_versions_names(one->versions),
                                       depths, g_pool);
    two.config.versions = two.versions;
    two.watch = dsapi_watch_make(&two.config, g_pool);
    ck_assert(version_of(one) == version_of(&two));
    /* one has seen every change, the other what became of them */
    for (int i = 0; i < 3; i++) {
        pg_value(one->pg, "SELECT dsapi.touch('s/a', '%d')", i % 2);
        version_of(one);
    }
    pg_value(one->pg, "SELECT dsapi.fold_versions('s/a')");
    ck_assert_str_eq(pg_value(one->pg, "SELECT count(*) FROM "
                                       "dsapi.data_version WHERE name = "
                                       "'s/a'"),
                     "4");
    ck_assert(version_of(one) == version_of(&two));
}
END_TEST

START_TEST(many_changes_are_folded)
{
    scene_t *scene = with_schema();
    apr_time_t end = apr_time_now() + PATIENCE;
    apr_uint64_t version;

    for (int i = 0; i < 70; i++) {
        pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    }
    version = version_of(scene);
    while (strcmp(pg_value(scene->pg, "SELECT count(*) FROM "
                                      "dsapi.data_version WHERE name = "
                                      "'s/a'"),
                  "1") != 0) {
        dsapi_watch_turn(scene->watch, TURN);
        ck_assert(apr_time_now() < end);
    }
    ck_assert(version_of(scene) == version);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    ck_assert(version_of(scene) != version);
}
END_TEST

/* The stamp of a key of s/a: of it and of those that it begins with. */
static apr_uint64_t stamp_of_key(const scene_t *scene, const char *first,
                                 const char *second)
{
    const char *const key[] = {first, second};
    dsapi_version_stamp_t stamp;
    int indexes[3];

    drive(scene);
    for (int i = 0; i < 3; i++) {
        indexes[i] = dsapi_versions_slot_index(
            scene->versions, 0, dsapi_versions_slot(key, i, g_pool));
    }
    dsapi_versions_read(&stamp, scene->versions, indexes, 3, apr_time_now());
    return stamp.stamp;
}

/* However many keys are ever announced, a question is of no more rows. */
START_TEST(keys_without_number_are_folded)
{
    scene_t *scene = with_schema();
    apr_uint64_t version;
    apr_uint64_t of_key;

    for (int i = 0; i < 2; i++) {
        pg_value(scene->pg,
                 "SELECT count(dsapi.touch('s/a', (n * 7)::text, n::text)) "
                 "FROM generate_series(%d, 5000) AS n",
                 i);
    }
    version = version_of(scene);
    of_key = stamp_of_key(scene, "7", "1");
    pg_value(scene->pg, "SELECT dsapi.fold_versions('s/a')");
    ck_assert_int_le(apr_atoi64(pg_value(scene->pg, "SELECT count(*) FROM "
                                                    "dsapi.data_version")),
                     1 + 1024 + 1024);
    ck_assert(version_of(scene) == version);
    ck_assert(stamp_of_key(scene, "7", "1") == of_key);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a', '7', '1')");
    ck_assert(stamp_of_key(scene, "7", "1") != of_key);
}
END_TEST

/* A transaction says it once, however often, and as often as it is asked. */
START_TEST(touches_of_one_transaction_are_one)
{
    scene_t *scene = with_schema();
    dsapi_db_t *db = pg_adopt(scene->pg);
    dsapi_db_t *listener = pg_adopt(scene->pg);
    const char *channel;
    const char *payload;

    run(listener, "LISTEN " DSAPI_WATCH_CHANNEL);
    run(db, "BEGIN");
    for (int i = 0; i < 5; i++) {
        run(db, "SELECT dsapi.touch('s/a')");
        run(db, "SELECT dsapi.touch('s/a', 'key')");
    }
    run(db, "COMMIT");
    ck_assert_str_eq(pg_value(scene->pg, "SELECT count(*) FROM "
                                         "dsapi.data_version"),
                     "3");
    run(listener, "SELECT 1");
    ck_assert(dsapi_db_notification(&channel, &payload, listener, g_pool));
    ck_assert_str_eq(channel, DSAPI_WATCH_CHANNEL);
    ck_assert_str_eq(payload, "s/a");
    ck_assert(!dsapi_db_notification(&channel, &payload, listener, g_pool));
}
END_TEST

START_TEST(whoever_may_write_a_table_touches_by_its_trigger)
{
    scene_t *scene = with_schema();
    dsapi_db_t *db = pg_adopt(scene->pg);
    static const char *const changes[] = {"INSERT INTO t VALUES (1)",
                                          "UPDATE t SET i = 2", "DELETE FROM t",
                                          "TRUNCATE t"};
    apr_uint64_t version = 0;

    run(scene->pg->db, "CREATE TABLE t (i int)");
    run(scene->pg->db, "CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE "
                       "OR TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION "
                       "dsapi.touch_name('s/a')");
    run(scene->pg->db, "GRANT ALL ON t TO pg_monitor");
    run(db, "SET ROLE pg_monitor");
    for (int i = 0; i < 4; i++) {
        apr_uint64_t before = version;

        run(db, changes[i]);
        version = version_of(scene);
        ck_assert_msg(version != before, "%s", changes[i]);
    }
}
END_TEST

/* A change that nobody announces is seen. @return how long after it may have
 * been made, as far as the watcher can tell */
static apr_interval_time_t see_silent_change(const scene_t *scene)
{
    apr_uint64_t before = stamp_of(scene, 0).stamp;

    pg_value(scene->pg, "INSERT INTO dsapi.data_version (name) "
                        "VALUES ('s/a')");
    while (stamp_of(scene, 0).stamp == before) {
        ck_assert(stamp_of(scene, 0).verified_at > 0);
        dsapi_watch_turn(scene->watch, TURN);
    }
    return apr_time_now() - stamp_of(scene, 0).changed_at;
}

START_TEST(without_notifications_it_asks)
{
    scene_t *scene = with_schema();

    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    ck_assert(version_of(scene) != 0);
    /* what was announced before may make it ask once more at once */
    (void)see_silent_change(scene);
    ck_assert(see_silent_change(scene) >= READ_EVERY);
}
END_TEST

START_TEST(what_fails_is_told_once)
{
    scene_t *scene = make_scene();

    pg_value(scene->pg, "CREATE SCHEMA dsapi");
    drive_told(scene, DSAPI_WATCH_SQL, 1);
    for (apr_time_t end = apr_time_now() + apr_time_from_msec(2500);
         apr_time_now() < end;) {
        dsapi_watch_turn(scene->watch, TURN);
    }
    ck_assert_int_eq(scene->told[DSAPI_WATCH_SQL], 1);
    ck_assert_int_eq(scene->told[DSAPI_WATCH_LOST], 0);
    ck_assert(stamp_of(scene, 0).stamp == 0);
    pg_apply(scene->pg, "core/schema.sql");
    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    ck_assert(version_of(scene) != 0);
}
END_TEST

START_TEST(a_lost_connection_is_made_again)
{
    scene_t *scene = with_schema();
    apr_uint64_t before;

    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    before = version_of(scene);
    pg_value(scene->pg, "SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE datname = current_database() "
                        "AND pid <> pg_backend_pid()");
    drive_told(scene, DSAPI_WATCH_LOST, 1);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    drive_told(scene, DSAPI_WATCH_CONNECTED, 2);
    ck_assert(version_of(scene) != before);
    ck_assert_int_eq(scene->told[DSAPI_WATCH_LOST], 1);
}
END_TEST

/* By what the database and the module compute of the same key. */
START_TEST(a_touch_of_a_key_is_one_of_keys_like_it)
{
    scene_t *scene = with_schema();
    apr_uint64_t col;
    apr_uint64_t bfa;
    apr_uint64_t odd;

    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    col = stamp_of_key(scene, "COL", "fcs");
    bfa = stamp_of_key(scene, "BFA", "fcs");
    odd = stamp_of_key(scene, NULL, "\u00e9 \x01,{}\"'");
    ck_assert(col != 0 && col == bfa && bfa == odd);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a', 'COL')");
    ck_assert(stamp_of_key(scene, "BFA", "fcs") == bfa);
    ck_assert(stamp_of_key(scene, "COL", "fcs") != col);
    col = stamp_of_key(scene, "COL", "fcs");
    pg_value(scene->pg, "SELECT dsapi.touch('s/a', 'COL', 'rcsi')");
    ck_assert(stamp_of_key(scene, "COL", "fcs") == col);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a', 'COL', 'fcs', 'more')");
    ck_assert(stamp_of_key(scene, "COL", "fcs") != col);
    ck_assert(stamp_of_key(scene, NULL, "\u00e9 \x01,{}\"'") == odd);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a', NULL, U&'\\00e9 "
                        "\\0001,{}\"''')");
    ck_assert(stamp_of_key(scene, NULL, "\u00e9 \x01,{}\"'") != odd);
    ck_assert(stamp_of_key(scene, "BFA", "fcs") == bfa);
    pg_value(scene->pg, "SELECT dsapi.touch('s/a')");
    ck_assert(stamp_of_key(scene, "BFA", "fcs") != bfa);
    bfa = stamp_of_key(scene, "BFA", "fcs");
    pg_value(scene->pg, "SELECT dsapi.fold_versions('s/a')");
    ck_assert(stamp_of_key(scene, "BFA", "fcs") == bfa);
}
END_TEST

UNIT_SUITE(source_watch, a_touch_of_a_key_is_one_of_keys_like_it,
           a_touch_is_seen_and_others_are_not,
           changes_are_seen_in_whatever_order_they_commit,
           what_is_rolled_back_has_not_been, two_watchers_know_the_same,
           many_changes_are_folded, keys_without_number_are_folded,
           touches_of_one_transaction_are_one,
           whoever_may_write_a_table_touches_by_its_trigger,
           without_notifications_it_asks, what_fails_is_told_once,
           a_lost_connection_is_made_again)
