/* src/csv/reader.h: every promise of the header. */
#include "csv/reader.h"

#include <apr_strings.h>
#include <stdlib.h>

#include "csv/writer.h"
#include "unit/fuzz.h"
#include "unit/unit.h"

/* What a reader reads: some bytes, at most so many at once. */
typedef struct tape_t {
    const char *data;
    apr_size_t len;
    apr_size_t pos;
    apr_size_t step;
    int fail_at;  /* calls before an error; -1: none */
    fuzz_t *fuzz; /* they are some of those; NULL: as many as there are */
} tape_t;

static apr_status_t play(void *baton, char *to, apr_size_t *size)
{
    tape_t *tape = baton;
    apr_size_t n = tape->len - tape->pos;

    ck_assert_uint_gt(*size, 0);
    if (tape->fail_at == 0) {
        *size = 0;
        return APR_EGENERAL;
    }
    tape->fail_at--;
    n = n < *size ? n : *size;
    n = n < tape->step ? n : tape->step;
    n = n && tape->fuzz ? 1 + (apr_size_t)fuzz_below(tape->fuzz, (int)n) : n;
    memcpy(to, tape->data + tape->pos, n);
    tape->pos += n;
    *size = n;
    return n ? APR_SUCCESS : APR_EOF;
}

static tape_t tape_of(const char *data, apr_size_t len, apr_size_t step)
{
    tape_t tape = {data, len, 0, step, -1, NULL};

    return tape;
}

static void put(dsapi_buf_t *out, const char *text)
{
    dsapi_buf_put(out, text, strlen(text));
}

/* A record as text: number@line+offset[a|"b"|-]fault:at */
static void put_record(dsapi_buf_t *out, const dsapi_csv_record_t *record)
{
    put(out, apr_psprintf(g_pool, "%d@%d+%d[", (int)record->number,
                          (int)record->line, (int)record->offset));
    for (int i = 0; i < record->nfields; i++) {
        const dsapi_csv_field_t *field = &record->fields[i];

        put(out, i ? "|" : "");
        if (field->text) {
            dsapi_buf_put(out, field->text, field->len_bytes);
        }
        else {
            ck_assert_uint_eq(field->len_bytes, 0);
            put(out, "-");
        }
    }
    put(out, "]");
    if (record->fault) {
        ck_assert_ptr_nonnull(dsapi_csv_fault_text(record->fault));
        put(out, apr_psprintf(g_pool, "!%d:%d", record->fault, record->at));
    }
    put(out, " ");
}

static dsapi_buf_t *read_tape(tape_t tape, char delimiter)
{
    dsapi_buf_t *out = dsapi_buf_make(0, g_pool);
    const dsapi_csv_record_t *record;
    apr_pool_t *pool;
    apr_status_t rv;
    dsapi_csv_reader_t *reader;

    apr_pool_create(&pool, g_scratch);
    reader = dsapi_csv_reader_make(delimiter, play, &tape, pool);
    while ((rv = dsapi_csv_read(&record, reader)) == APR_SUCCESS) {
        put_record(out, record);
    }
    ck_assert_int_eq(rv, APR_EOF);
    ck_assert_ptr_null(record);
    apr_pool_destroy(pool);
    return out;
}

static dsapi_buf_t *read_all(const char *data, apr_size_t len, apr_size_t step,
                             char delimiter)
{
    return read_tape(tape_of(data, len, step), delimiter);
}

static const struct {
    const char *csv;
    const char *records;
} cases[] = {
    {"", ""},
    {"\n\r\n\n", ""},
    {"\xef\xbb\xbf", ""},
    {"a,b\n1,2\n", "0@1+0[a|b] 1@2+4[1|2] "},
    {"a,b\r\n1,2\r\n", "0@1+0[a|b] 1@2+5[1|2] "},
    {"a,b\r\n1,2\n3,4", "0@1+0[a|b] 1@2+5[1|2] 2@3+9[3|4] "},
    {"\xef\xbb\xbf\"a\",b\n1,2", "0@1+3[a|b] 1@2+9[1|2] "},
    /* NULL and the empty string */
    {"a,b\n,\"\"\n\"\",\n", "0@1+0[a|b] 1@2+4[-|] 2@3+8[|-] "},
    {"a,b\n,", "0@1+0[a|b] 1@2+4[-|-] "},
    /* blank lines */
    {"\n\na,b\n\n1,2\n\r\n", "0@3+2[a|b] 1@5+7[1|2] "},
    {"a\n\n1\n\n", "0@1+0[a] 1@2+2[-] 2@3+3[1] 3@4+5[-] "},
    {"a,b\n\"\"\n \n", "0@1+0[a|b] 1@2+4[] 2@3+7[ ] "},
    /* quotes */
    {"a\n\"x,\"\"y\"\"\"\n", "0@1+0[a] 1@2+2[x,\"y\"] "},
    {"a\n\"\"\"\"\n", "0@1+0[a] 1@2+2[\"] "},
    {"a,b\n\"1\",\"2\"\r\n\"3\",\"4\"", "0@1+0[a|b] 1@2+4[1|2] 2@3+13[3|4] "},
    {"a\nx\"y\"\n \"z\"\n", "0@1+0[a] 1@2+2[x\"y\"] 2@3+7[ \"z\"] "},
    {"a\n\"1\r\n\n\r2\"\n3\n", "0@1+0[a] 1@2+2[1\r\n\n\r2] 2@5+11[3] "},
    {"a,b\n\"x\"y,1\n2,3\n", "0@1+0[a|b] 1@2+4[]!3:0 "},
    {"a,b\n1,\"x\" ,1\n", "0@1+0[a|b] 1@2+4[]!3:1 "},
    {"a\n1\n\"x\n2\n", "0@1+0[a] 1@2+2[1] 2@3+4[]!4:0 "},
    {"a\n\"x\"\"", "0@1+0[a] 1@2+2[]!4:0 "},
    /* a CR alone */
    {"a\rb\r", "0@1+0[]!5:0 "},
    {"a,b\r", "0@1+0[]!5:1 "},
    {"a\n\"1\"\r2\n", "0@1+0[a] 1@2+2[]!5:0 "},
    /* text */
    {"a,b\n1,\xff\n2,3\n", "0@1+0[a|b] 1@2+4[1|\xff]!1:1 2@3+8[2|3] "},
    {"a\n\xc0\xaf\n\xed\xa0\x80\n\xc3\xa4\n", "0@1+0[a] 1@2+2[\xc0\xaf]!1:0 "
                                              "2@3+5[\xed\xa0\x80]!1:0 "
                                              "3@4+9[\xc3\xa4] "},
    /* a character that a comma cuts */
    {"a,b\n\xc3,\xa4\n", "0@1+0[a|b] 1@2+4[\xc3|\xa4]!1:0 "},
    {"\xff\xfe"
     "a",
     "0@1+0[]!8:0 "},
    {"\xfe\xff", "0@1+0[]!8:0 "},
    {"\xef\xbb"
     "a\n",
     "0@1+0[\xef\xbb"
     "a]!1:0 "},
};

START_TEST(records_are_the_same_however_they_arrive)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *csv = cases[i].csv;
        apr_size_t len = strlen(csv);

        for (apr_size_t step = 1; step <= len + 1; step++) {
            ck_assert_str_eq(dsapi_buf_str(read_all(csv, len, step, ',')),
                             cases[i].records);
        }
    }
}
END_TEST

START_TEST(any_delimiter)
{
    ck_assert_str_eq(dsapi_buf_str(read_all("a;b\n1,5;\"x;y\"", 13, 4, ';')),
                     "0@1+0[a|b] 1@2+4[1,5|x;y] ");
    ck_assert_str_eq(dsapi_buf_str(read_all("a\tb\n1\t2", 7, 4, '\t')), "0@1+0["
                                                                        "a|b] "
                                                                        "1@2+4["
                                                                        "1|2]"
                                                                        " ");
}
END_TEST

START_TEST(what_can_be_a_delimiter)
{
    static const char *const good[] = {",", ";", "\t", "|", " ", "x"};
    static const char *const bad[] = {"", "\"", "\n", "\r", ",,", "\xc3\xa4"};

    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(dsapi_csv_is_delimiter(good[i]), 1);
        ck_assert_int_eq(dsapi_csv_is_delimiter(bad[i]), 0);
    }
}
END_TEST

START_TEST(a_nul_is_a_fault_of_its_record)
{
    static const char csv[] = "a,b\n1,x\0y\n\"\0\",2\n3,4\n";
    dsapi_buf_t *out = read_all(csv, sizeof(csv) - 1, 3, ',');
    static const char want[] = "0@1+0[a|b] 1@2+4[1|x\0y]!2:1 "
                               "2@3+10[\0|2]!2:0 3@4+16[3|4] ";

    ck_assert_uint_eq(out->len_bytes, sizeof(want) - 1);
    ck_assert_mem_eq(out->data, want, sizeof(want) - 1);
}
END_TEST

/* Bytes that mean something, in any order: what is read must not depend on
 * how it arrives. */
START_TEST(chunks_make_no_difference)
{
    static const char *const parts[] = {
        "a",    "\"",   ",",    "\n",   "\r\n",         "\r",
        "\xc3", "\xa4", "\"\"", "\xff", "\xef\xbb\xbf", NULL};
    fuzz_t fuzz;

    fuzz_init(&fuzz, 5000);
    while (fuzz_next(&fuzz)) {
        const char *csv =
            fuzz_below(&fuzz, 2)
                ? fuzz_words(&fuzz, 40, parts)
                : fuzz_spoil(
                      &fuzz,
                      cases[fuzz_below(&fuzz, sizeof(cases) / sizeof(cases[0]))]
                          .csv,
                      parts);
        apr_size_t len = strlen(csv);
        dsapi_buf_t *whole = read_all(csv, len, len + 1, ',');

        for (int i = 0; i < 3; i++) {
            tape_t tape = tape_of(csv, len, 1 + len / 2);

            tape.fuzz = &fuzz;
            ck_assert_msg(strcmp(dsapi_buf_str(read_tape(tape, ',')),
                                 dsapi_buf_str(whole)) == 0,
                          "seed %" APR_UINT64_T_FMT ": %s", fuzz.seed, csv);
        }
        apr_pool_clear(g_pool);
    }
}
END_TEST

START_TEST(what_the_writer_writes_is_read)
{
    static const char *const texts[] = {NULL,   "",     " ",        "a,\"b",
                                        "\r\n", "x\ry", "\xc3\xa4", "\\."};
    dsapi_buf_t *csv = dsapi_buf_make(0, g_pool);
    const dsapi_csv_record_t *record;
    dsapi_csv_reader_t *reader;
    tape_t tape;

    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < 2; j++) {
            const char *text = texts[j ? i / 8 : i % 8];

            put(csv, j ? "," : "");
            dsapi_csv_put_field(csv, text, text ? strlen(text) : 0);
        }
        dsapi_csv_end_record(csv);
    }
    tape = tape_of(csv->data, csv->len_bytes, 5);
    reader = dsapi_csv_reader_make(',', play, &tape, g_pool);
    for (int i = 0; i < 64; i++) {
        ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
        ck_assert_int_eq(record->nfields, 2);
        for (int j = 0; j < 2; j++) {
            const char *text = texts[j ? i / 8 : i % 8];

            ck_assert_int_eq(!record->fields[j].text, !text);
            ck_assert_uint_eq(record->fields[j].len_bytes,
                              text ? strlen(text) : 0);
            if (text) {
                ck_assert_mem_eq(record->fields[j].text, text, strlen(text));
            }
        }
    }
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_EOF);
}
END_TEST

START_TEST(reading_resumes_at_a_record)
{
    static const char csv[] = "\xef\xbb\xbf"
                              "a,b\n\"1\n\",2\n\n3,4\n5,6\n";
    tape_t tape = tape_of(csv, sizeof(csv) - 1, 64);
    dsapi_csv_reader_t *reader =
        dsapi_csv_reader_make(',', play, &tape, g_pool);
    const dsapi_csv_record_t *record;
    dsapi_csv_record_t third;

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
    }
    third = *record;
    ck_assert_uint_eq(third.line, 5);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_EOF);
    tape.pos = (apr_size_t)third.offset;
    dsapi_csv_reader_resume(reader, &third);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
    ck_assert_uint_eq(record->number, 2);
    ck_assert_uint_eq(record->line, 5);
    ck_assert_int_eq(record->offset, third.offset);
    ck_assert_mem_eq(record->fields[1].text, "4", 1);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
    ck_assert_mem_eq(record->fields[0].text, "5", 1);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_EOF);
}
END_TEST

/* A record of one field, quoted or not, of so many bytes. */
static dsapi_csv_fault_t read_long(apr_size_t len, int quoted)
{
    char *csv = malloc(len + 3);
    tape_t tape;
    const dsapi_csv_record_t *record;
    dsapi_csv_reader_t *reader;
    dsapi_csv_fault_t fault;

    memset(csv, 'x', len + 3);
    csv[0] = quoted ? '"' : 'x';
    csv[len + 1] = quoted ? '"' : 'x';
    csv[len + 2] = '\n';
    tape = tape_of(csv, len + 3, 1000000);
    reader = dsapi_csv_reader_make(',', play, &tape, g_scratch);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
    fault = record->fault;
    if (fault == DSAPI_CSV_GOOD) {
        ck_assert_uint_eq(record->fields[0].len_bytes, quoted ? len : len + 2);
        ck_assert_mem_eq(record->fields[0].text + len - 1, "x", 1);
    }
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_EOF);
    apr_pool_clear(g_scratch);
    free(csv);
    return fault;
}

START_TEST(a_record_has_bounds)
{
    dsapi_buf_t *csv = dsapi_buf_make(0, g_pool);

    for (int quoted = 0; quoted < 2; quoted++) {
        ck_assert_int_eq(read_long(1000000, quoted), DSAPI_CSV_GOOD);
        ck_assert_int_eq(read_long(3 * DSAPI_CSV_RECORD_MAX_BYTES, quoted),
                         DSAPI_CSV_LONG);
    }
    for (int i = 1; i < DSAPI_CSV_FIELDS_MAX; i++) {
        put(csv, ",");
    }
    put(csv, "\n");
    ck_assert_str_eq(dsapi_buf_str(read_all(csv->data, 3, 64, ',')), "0@1+0[-|-"
                                                                     "|-|-] ");
    ck_assert_ptr_null(strchr(
        dsapi_buf_str(read_all(csv->data, csv->len_bytes, 64, ',')), '!'));
    csv->data[csv->len_bytes - 1] = ',';
    ck_assert_str_eq(
        dsapi_buf_str(read_all(csv->data, csv->len_bytes, 64, ',')),
        apr_psprintf(g_pool, "0@1+0[]!7:%d ", DSAPI_CSV_FIELDS_MAX));
}
END_TEST

START_TEST(a_sources_error_is_passed_on)
{
    tape_t tape = tape_of("a,b\n1,2\n", 8, 2);
    const dsapi_csv_record_t *record;
    dsapi_csv_reader_t *reader =
        dsapi_csv_reader_make(',', play, &tape, g_pool);

    tape.fail_at = 3;
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_SUCCESS);
    ck_assert_int_eq(dsapi_csv_read(&record, reader), APR_EGENERAL);
    ck_assert_ptr_null(record);
}
END_TEST

UNIT_SUITE(csv_reader, records_are_the_same_however_they_arrive, any_delimiter,
           what_can_be_a_delimiter, a_nul_is_a_fault_of_its_record,
           chunks_make_no_difference, what_the_writer_writes_is_read,
           reading_resumes_at_a_record, a_record_has_bounds,
           a_sources_error_is_passed_on)
