/* SPDX-License-Identifier: Apache-2.0
 * The file source. If this fails, a job over files skips or repeats lines, or gives up on files
 * that every other tool can read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/batch/rejects.h"
#include "ingest/parts.h"
#include "ingest/telemetry.h"
#include "tests/batches.h"

static char folder[64];

static int setup(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/penstock-source-XXXXXX");
    return mkdtemp(folder) == NULL;
}
static int teardown(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *path_of(const char *name) {
    static char path[4][256];
    static int turn;
    char *to = path[turn++ % 4];
    (void)snprintf(to, sizeof path[0], "%s/%s", folder, name);
    return to;
}
static void write_file(const char *name, const void *data, size_t bytes) {
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}
#define WRITE(name, text) write_file(name, text, sizeof(text) - 1)

typedef struct rig {
    ps_partitions partitions;
    ps_plan plan;
    ps_lane_env env;
    ps_lane_metrics metrics;
    ps_batch batch;
    void *self;
    ps_error error;
} rig;

static ps_status rig_open(rig *r, const ps_source_file_config *config, uint32_t rows,
                          uint32_t arena) {
    const ps_field_list none = {NULL, 0};
    memset(r, 0, sizeof *r);
    PS_TRY(ps_source_file.discover(config, &r->partitions, &r->error));
    assert_int_equal(ps_plan_init(&r->plan, rows, arena, 10, &none, NULL), PS_OK);
    assert_int_equal(ps_plan_close(&r->plan, NULL), PS_OK);
    test_batch_memory(&r->batch, &r->plan.schema);
    r->env = (ps_lane_env){
        .lanes = 1, .plan = &r->plan, .partitions = &r->partitions, .metrics = &r->metrics};
    return ps_source_file.open(config, &r->env, &r->self, &r->error);
}

static void rig_close(rig *r) {
    ps_source_file.close(r->self);
    test_batch_free(&r->batch);
    ps_plan_deinit(&r->plan);
}

static void start(rig *r, const int64_t *next) {
    ps_event event = {PS_EVENT_NONE, 0, NULL};
    assert_int_equal(ps_source_file.event(r->self, &event, NULL), PS_OK);
    assert_int_equal(event.kind, PS_EVENT_ASSIGNED);
    for (uint32_t i = 0; i < event.count; i++) {
        const uint32_t p = event.partitions[i];
        assert_int_equal(
            ps_source_file.start(r->self, p, next == NULL ? PS_OFFSET_NONE : next[p], NULL), PS_OK);
    }
    assert_int_equal(ps_source_file.answer(r->self, NULL), PS_OK);
}

/* Reads to the end as "partition:offset=value;…"; the first failure is the status. */
static ps_status read_all(rig *r, char *text, size_t room) {
    size_t used = 0;
    text[0] = '\0';
    for (;;) {
        int64_t again_ns = 0;
        ps_batch_reset(&r->batch);
        ps_status status;
        do {
            status = ps_source_file.fill(r->self, &r->batch, &again_ns, &r->error);
        } while (status == PS_AGAIN);
        if (status != PS_OK && status != PS_END) return status;
        const int64_t *offsets = ps_batch_system(&r->batch, PS_COLUMN_OFFSET);
        for (uint32_t i = 0; i < r->batch.run_count; i++) {
            const ps_run *run = &r->batch.runs[i];
            for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
                const ps_bytes value =
                    ps_batch_text(&r->batch, &r->plan.schema.column[PS_COLUMN_VALUE], row);
                used += (size_t)snprintf(text + used, room - used, "%u:%lld=%.*s;", run->partition,
                                         (long long)offsets[row], (int)value.length,
                                         (const char *)value.data);
            }
        }
        ps_source_file.release(r->self, &r->batch);
        if (status == PS_END) return PS_OK;
    }
}

static void expect_lines(const ps_source_file_config *config, const int64_t *next,
                         const char *want) {
    for (uint32_t rows = 1; rows < 6; rows += 2) {
        rig r;
        char got[4096];
        if (rig_open(&r, config, rows, 4096) != PS_OK) fail_msg("%s", r.error.message);
        start(&r, next);
        if (read_all(&r, got, sizeof got) != PS_OK) fail_msg("%s", r.error.message);
        assert_string_equal(got, want);
        rig_close(&r);
    }
}

static void numbers_lines(void **state) {
    (void)state;
    WRITE("b.txt", "one\r\ntwo\n\nfour");
    WRITE("a.txt", "");
    WRITE("c.txt", "\n\nx\n");
    const char *const paths[] = {path_of("*.txt"), path_of("b.txt")};
    ps_source_file_config config = {.paths = {paths, 2}, .line_max = 1024};
    /* A blank line is a record, which will not decode; what follows the last line break is none. */
    for (uint32_t format = PS_FILE_NDJSON; format <= PS_FILE_LINES; format++) {
        config.format = format;
        expect_lines(&config, NULL, "1:0=one;1:1=two;1:2=;1:3=four;2:0=;2:1=;2:2=x;");
    }
    config.format = PS_FILE_CSV;
    config.header = true;
    expect_lines(&config, NULL, "1:0=two;1:1=;1:2=four;2:0=;2:1=x;");
}

static void goes_on_at_any_line(void **state) {
    (void)state;
    WRITE("b.txt", "one\r\ntwo\n\nfour");
    const char *const paths[] = {path_of("b.txt")};
    ps_source_file_config config = {.paths = {paths, 1}, .line_max = 1024};
    static const char *const want[] = {"0:0=one;0:1=two;0:2=;0:3=four;", "0:1=two;0:2=;0:3=four;",
                                       "0:2=;0:3=four;", "0:3=four;", ""};
    for (int64_t next = 0; next <= 4; next++) expect_lines(&config, &next, want[next]);
    config.header = true;
    static const char *const below[] = {"0:0=two;0:1=;0:2=four;", "0:1=;0:2=four;", "0:2=four;",
                                        ""};
    for (int64_t next = 0; next <= 3; next++) expect_lines(&config, &next, below[next]);
}

/* The mark of the encoding is not the first byte of a record, unless lines are text as they are. */
static void passes_over_a_byte_order_mark(void **state) {
    (void)state;
    WRITE("b.txt", "\xef\xbb\xbfone\n\xef\xbb\xbftwo\n");
    const char *const paths[] = {path_of("b.txt")};
    ps_source_file_config config = {.paths = {paths, 1}, .line_max = 1024};
    expect_lines(&config, NULL, "0:0=one;0:1=\xef\xbb\xbftwo;");
    config.format = PS_FILE_LINES;
    expect_lines(&config, NULL, "0:0=\xef\xbb\xbfone;0:1=\xef\xbb\xbftwo;");
}

static void shows_the_heading_of_each_file(void **state) {
    (void)state;
    WRITE("a.txt", "\xef\xbb\xbfhost,\"c,pu\"\r\nx,1\n");
    WRITE("b.txt", "");
    WRITE("c.txt", "cpu");
    static const char *const want[] = {"host,\"c,pu\"", NULL, "cpu"};
    const char *const paths[] = {path_of("*.txt")};
    ps_source_file_config config = {
        .paths = {paths, 1}, .line_max = 1024, .format = PS_FILE_CSV, .header = true};
    rig r;
    assert_int_equal(rig_open(&r, &config, 4, 4096), PS_OK);
    for (uint32_t p = 0; p < 3; p++) {
        ps_heading got;
        const ps_status status = ps_source_file.heading(r.self, p, &got, &r.error);
        assert_int_equal(status, want[p] == NULL ? PS_END : PS_OK);
        if (want[p] == NULL) continue;
        assert_int_equal(got.line.length, strlen(want[p]));
        assert_memory_equal(got.line.data, want[p], got.line.length);
        assert_non_null(strstr(got.where, p == 0 ? "/a.txt" : "/c.txt"));
    }
    start(&r, NULL);
    char text[256];
    assert_int_equal(read_all(&r, text, sizeof text), PS_OK);
    assert_string_equal(text, "0:0=x,1;");
    rig_close(&r);
    config.header = false;
    assert_int_equal(rig_open(&r, &config, 4, 4096), PS_OK);
    ps_heading none;
    assert_int_equal(ps_source_file.heading(r.self, 0, &none, NULL), PS_END);
    rig_close(&r);
}

/* What the progress bar and the lag are made of: too far off, and the time left is a guess. */
static void knows_how_much_is_left(void **state) {
    (void)state;
    enum { LINES = 1000 };
    for (uint32_t f = 0; f < 2; f++) {
        FILE *file = fopen(path_of(f == 0 ? "a.txt" : "b.txt"), "w");
        for (uint32_t i = 0; i < LINES; i++) (void)fprintf(file, "%*u\n", (int)(i % 3) + 20, i);
        assert_int_equal(fclose(file), 0);
    }
    const char *const paths[] = {path_of("*.txt")};
    const ps_source_file_config config = {.paths = {paths, 1}, .line_max = 1024};
    rig r;
    assert_int_equal(rig_open(&r, &config, 100, 1 << 16), PS_OK);
    start(&r, NULL);
    assert_int_equal(ps_source_file.remaining(r.self), -1);
    for (int64_t taken = 100; taken <= 2 * LINES; taken += 100) {
        int64_t again_ns;
        ps_batch_reset(&r.batch);
        const ps_status status = ps_source_file.fill(r.self, &r.batch, &again_ns, &r.error);
        assert_int_equal(status, taken < 2 * LINES ? PS_OK : PS_END);
        assert_in_range(ps_source_file.remaining(r.self) - (2 * LINES - taken) + 3, 0, 6);
    }
    assert_int_equal(ps_source_file.remaining(r.self), 0);
    assert_int_equal(atomic_load(&r.metrics.lag), 0);
    rig_close(&r);
    /* Most of a job that goes on lies behind it. */
    const int64_t next[] = {LINES, LINES - 10};
    assert_int_equal(rig_open(&r, &config, 5, 1 << 16), PS_OK);
    start(&r, next);
    int64_t again_ns;
    ps_batch_reset(&r.batch);
    while (ps_source_file.fill(r.self, &r.batch, &again_ns, &r.error) == PS_AGAIN) {}
    assert_in_range(ps_source_file.remaining(r.self), 4, 6);
    assert_in_range(atomic_load(&r.metrics.lag), 1, 2 * LINES); /* told five times a second */
    rig_close(&r);
}

static void says_when_a_file_has_shrunk(void **state) {
    (void)state;
    WRITE("b.txt", "one\ntwo\n");
    const char *const paths[] = {path_of("b.txt")};
    const ps_source_file_config config = {.paths = {paths, 1}, .line_max = 1024};
    const int64_t next = 3;
    char got[256];
    rig r;
    assert_int_equal(rig_open(&r, &config, 4, 4096), PS_OK);
    start(&r, &next);
    assert_int_equal(read_all(&r, got, sizeof got), PS_IO);
    assert_non_null(strstr(r.error.message, "was the file replaced"));
    rig_close(&r);
}

static void says_what_it_cannot_read(void **state) {
    (void)state;
    assert_int_equal(mkdir(path_of("dir"), 0777), 0);
    const struct {
        const char *path, *message;
    } cases[] = {{path_of("none.txt"), "no file matches"},
                 {path_of("*.none"), "no file matches"},
                 {path_of("dir"), "is a directory"}};
    for (size_t i = 0; i < 3; i++) {
        const ps_source_file_config config = {.paths = {&cases[i].path, 1}, .line_max = 1024};
        ps_partitions partitions;
        ps_error error;
        assert_int_equal(ps_source_file.discover(&config, &partitions, &error), PS_BAD_CONFIG);
        assert_non_null(strstr(error.message, cases[i].message));
        assert_non_null(strstr(error.message, cases[i].path));
    }
}

/* A line larger than a batch is a dead letter with all its bytes; one past line_max stops with its
 * number. */
static void bounds_lines(void **state) {
    (void)state;
    enum { LONG = 900000 };
    char *text = malloc(LONG + 16);
    memset(text, 'x', LONG);
    memcpy(text, "one\n", 4);
    memcpy(text + LONG, "\nlast\n", 6);
    write_file("big.txt", text, LONG + 6);
    const char *const paths[] = {path_of("big.txt")};
    ps_source_file_config config = {.paths = {paths, 1}, .line_max = LONG};
    rig r;
    assert_int_equal(rig_open(&r, &config, 100, 4096), PS_OK);
    start(&r, NULL);
    int64_t again_ns;
    assert_int_equal(ps_source_file.fill(r.self, &r.batch, &again_ns, &r.error), PS_OK);
    assert_int_equal(r.batch.rows, 1);
    ps_batch_reset(&r.batch);
    assert_int_equal(ps_source_file.fill(r.self, &r.batch, &again_ns, &r.error), PS_OK);
    assert_int_equal(r.batch.rows, 1);
    assert_int_equal(r.batch.oversize.row, 0);
    assert_int_equal(r.batch.oversize.value.length, LONG - 4);
    assert_int_equal(r.batch.positions[0].next, 2);
    assert_int_equal(((const uint8_t *)ps_batch_system(&r.batch, PS_COLUMN_REJECT))[0],
                     PS_REJECT_TOO_LARGE);
    assert_int_equal(r.batch.oversize.value.data[LONG - 5], 'x');
    ps_source_file.release(r.self, &r.batch);
    char got[256];
    assert_int_equal(read_all(&r, got, sizeof got), PS_OK);
    assert_string_equal(got, "0:2=last;");
    rig_close(&r);

    config.line_max = LONG - 10;
    assert_int_equal(rig_open(&r, &config, 100, 4096), PS_OK);
    start(&r, NULL);
    assert_int_equal(read_all(&r, got, sizeof got), PS_IO);
    assert_non_null(strstr(r.error.message, "big.txt, line 1"));
    rig_close(&r);
    /* What was read before needs no bound. */
    const int64_t next = 2;
    config.line_max = 1024;
    assert_int_equal(rig_open(&r, &config, 100, 4096), PS_OK);
    start(&r, &next);
    assert_int_equal(read_all(&r, got, sizeof got), PS_OK);
    assert_string_equal(got, "0:2=last;");
    rig_close(&r);
    free(text);
}

/* A file larger than memory must pass through a fixed buffer. */
static void streams_a_large_file(void **state) {
    (void)state;
    enum { ROWS = 400000 }; /* 100 MB */
    ps_telemetry telemetry;
    ps_telemetry_init(&telemetry, 1, 1000, 255, 0);
    FILE *file = fopen(path_of("large.txt"), "w");
    uint8_t record[512];
    for (uint32_t row = 0; row < ROWS; row++) {
        const uint32_t length = ps_telemetry_write(&telemetry, row % 1000, row / 1000, record);
        record[length] = '\n';
        assert_int_equal(fwrite(record, 1, length + 1, file), length + 1);
    }
    assert_int_equal(fclose(file), 0);
    const char *const paths[] = {path_of("large.txt")};
    const ps_source_file_config config = {.paths = {paths, 1}, .line_max = 1024};
    rig r;
    assert_int_equal(rig_open(&r, &config, 4096, 1 << 20), PS_OK);
    start(&r, NULL);
    struct rusage before, after;
    (void)getrusage(RUSAGE_SELF, &before);
    uint64_t rows = 0;
    for (ps_status status = PS_OK; status == PS_OK;) {
        int64_t again_ns;
        ps_batch_reset(&r.batch);
        status = ps_source_file.fill(r.self, &r.batch, &again_ns, &r.error);
        assert_true(status == PS_OK || status == PS_END);
        const int64_t *offsets = ps_batch_system(&r.batch, PS_COLUMN_OFFSET);
        const ps_column *value = &r.plan.schema.column[PS_COLUMN_VALUE];
        for (uint32_t row = 0; row < r.batch.rows; row++, rows++) {
            assert_int_equal(offsets[row], rows);
            const uint32_t length =
                ps_telemetry_write(&telemetry, (uint32_t)(rows % 1000), rows / 1000, record);
            const ps_bytes got = ps_batch_text(&r.batch, value, row);
            assert_true(got.length == length && memcmp(got.data, record, length) == 0);
        }
    }
    (void)getrusage(RUSAGE_SELF, &after);
    assert_int_equal(rows, ROWS);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 20000); /* kB */
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_at_any_line, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_over_a_byte_order_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_the_heading_of_each_file, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_how_much_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_a_file_has_shrunk, setup, teardown),
        cmocka_unit_test_setup_teardown(says_what_it_cannot_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_a_large_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
