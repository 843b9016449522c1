/* json/buf: the growing buffer. */
#include "json/buf.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/unit.h"

START_TEST(a_new_buffer_is_empty_and_has_room)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    ck_assert_ptr_nonnull(buf->data);
    ck_assert_uint_eq(buf->len_bytes, 0);
    ck_assert_uint_ge(buf->cap_bytes, 64);
    ck_assert_ptr_eq(buf->pool, g_pool);
    ck_assert_str_eq(dsapi_buf_str(buf), "");
}
END_TEST

START_TEST(a_capacity_is_kept_to)
{
    dsapi_buf_t *buf = dsapi_buf_make(3, g_pool);

    ck_assert_uint_eq(buf->cap_bytes, 3);
    dsapi_buf_put(buf, "abc", 3);
    ck_assert_uint_eq(buf->cap_bytes, 3);
}
END_TEST

START_TEST(appended_bytes_stay_in_order)
{
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);

    dsapi_buf_put(buf, "ab", 2);
    dsapi_buf_putc(buf, 'c');
    dsapi_buf_put(buf, "", 0);
    dsapi_buf_put(buf, "d\0e", 3);
    ck_assert_uint_eq(buf->len_bytes, 6);
    ck_assert_mem_eq(buf->data, "abcd\0e", 6);
}
END_TEST

START_TEST(what_was_released_is_empty)
{
    dsapi_buf_t *buf = dsapi_buf_make(8, g_pool);

    dsapi_buf_put(buf, "abc", 3);
    dsapi_buf_release(buf);
    ck_assert_uint_eq(buf->len_bytes, 0);
    ck_assert_uint_eq(buf->cap_bytes, 0);
    ck_assert_ptr_null(buf->data);
    dsapi_buf_put(buf, "de", 2);
    ck_assert_str_eq(dsapi_buf_str(buf), "de");
}
END_TEST

START_TEST(growing_doubles)
{
    dsapi_buf_t *buf = dsapi_buf_make(8, g_pool);
    int moves = 0;

    for (int i = 0; i < 100000; i++) {
        apr_size_t cap = buf->cap_bytes;

        dsapi_buf_putc(buf, (char)('a' + i % 26));
        moves += buf->cap_bytes != cap;
    }
    ck_assert_int_le(moves, 14);
    for (int i = 0; i < 100000; i++) {
        ck_assert_int_eq(buf->data[i], 'a' + i % 26);
    }
}
END_TEST

START_TEST(growing_makes_the_room_asked_for)
{
    dsapi_buf_t *buf = dsapi_buf_make(4, g_pool);

    dsapi_buf_putc(buf, 'x');
    dsapi_buf_grow(buf, 1000);
    ck_assert_uint_ge(buf->cap_bytes - buf->len_bytes, 1000);
    memset(buf->data + 1, 'y', 1000);
    ck_assert_uint_eq(buf->len_bytes, 1);
    ck_assert_int_eq(buf->data[0], 'x');
}
END_TEST

START_TEST(growing_where_there_is_room_moves_nothing)
{
    dsapi_buf_t *buf = dsapi_buf_make(16, g_pool);
    const char *data = buf->data;

    dsapi_buf_grow(buf, 16);
    ck_assert_ptr_eq(buf->data, data);
    ck_assert_uint_eq(buf->cap_bytes, 16);
}
END_TEST

START_TEST(str_ends_in_nul_and_appending_goes_on)
{
    dsapi_buf_t *buf = dsapi_buf_make(2, g_pool);

    dsapi_buf_put(buf, "ab", 2);
    ck_assert_str_eq(dsapi_buf_str(buf), "ab");
    ck_assert_uint_eq(buf->len_bytes, 2);
    dsapi_buf_putc(buf, 'c');
    ck_assert_str_eq(dsapi_buf_str(buf), "abc");
}
END_TEST

START_TEST(the_memory_ends_with_the_pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_scratch);

    dsapi_buf_grow(buf, 1 << 20); /* a leak shows under the sanitizer */
    apr_pool_clear(g_scratch);
    buf = dsapi_buf_make(0, g_scratch);
    ck_assert_uint_eq(buf->len_bytes, 0);
    apr_pool_destroy(g_scratch);
}
END_TEST

START_TEST(a_size_beyond_memory_aborts)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    int status = 0;
    pid_t pid;

    dsapi_buf_putc(buf, 'x');
    pid = fork();
    if (pid == 0) {
        dsapi_buf_grow(buf, APR_SIZE_MAX);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

UNIT_SUITE(json_buf, a_new_buffer_is_empty_and_has_room, a_capacity_is_kept_to,
           appended_bytes_stay_in_order, what_was_released_is_empty,
           growing_doubles, growing_makes_the_room_asked_for,
           growing_where_there_is_room_moves_nothing,
           str_ends_in_nul_and_appending_goes_on, the_memory_ends_with_the_pool,
           a_size_beyond_memory_aborts)
