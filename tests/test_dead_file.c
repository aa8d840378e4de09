/* SPDX-License-Identifier: Apache-2.0
 * Dead letters in a file, and who may write where. If this fails, a second worker garbles what the
 * first writes, or a dead letter is lost or there twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/batch/rejects.h"
#include "ingest/dead_file.h"
#include "ingest/parts.h"
#include "tests/batches.h"

static char folder[64];

static int setup(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/penstock-dead-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}
static int teardown(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- one process a folder, one process a file of dead letters */

/* What another process says that begins when `ready` is written to; 0: it was let in. */
typedef struct rival {
    pid_t pid;
    int ready, heard;
} rival;

typedef ps_status attempt(const char *path, ps_error *error);

/* A process of its own, made before anything is open: it must share nothing with us. */
static rival rival_open(attempt *try, const char *path) {
    int ready[2], heard[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(heard), 0);
    const rival of = {fork(), ready[1], heard[0]};
    assert_true(of.pid >= 0);
    if (of.pid > 0) {
        (void)close(ready[0]);
        (void)close(heard[1]);
        return of;
    }
    char go;
    ps_error error = {"let in"};
    (void)close(ready[1]);
    while (read(ready[0], &go, 1) == 1) {
        (void)snprintf(error.message, sizeof error.message, "let in");
        (void)try(path, &error);
        if (write(heard[1], error.message, sizeof error.message) < 0) _exit(1);
    }
    _exit(0);
}

static void expect_rival(const rival *of, const char *says) {
    ps_error error;
    assert_int_equal(write(of->ready, "x", 1), 1);
    assert_int_equal(read(of->heard, error.message, sizeof error.message), sizeof error.message);
    if (strstr(error.message, says) == NULL) fail_msg("'%s' is not in: %s", says, error.message);
}

static void rival_close(const rival *of) {
    (void)close(of->ready);
    (void)close(of->heard);
    assert_int_equal(waitpid(of->pid, NULL, 0), of->pid);
}

static ps_partitions one_topic(uint32_t count) {
    ps_partitions partitions = {.topic_count = 1, .count = count};
    (void)snprintf(partitions.topic[0].name, sizeof partitions.topic[0].name, "t");
    partitions.topic[0].count = count;
    return partitions;
}

static ps_status try_letters(const char *path, ps_error *error) {
    const ps_partitions partitions = one_topic(2);
    ps_dead_file *dead = NULL;
    PS_TRY(ps_dead_file_open(path, &partitions, &dead, error));
    ps_dead_file_close(dead);
    return PS_OK;
}

static void dead_letters_have_one_process(void **state) {
    (void)state;
    const ps_partitions partitions = one_topic(2);
    char path[128];
    ps_dead_file *first = NULL, *second = NULL;
    (void)snprintf(path, sizeof path, "%s/contended", folder);
    const rival other = rival_open(try_letters, path);
    assert_int_equal(ps_dead_file_open(path, &partitions, &first, NULL), PS_OK);
    assert_int_equal(ps_dead_file_open(path, &partitions, &second, NULL), PS_OK);
    expect_rival(&other, "a dead_letter.file of its own");
    expect_rival(&other, path);
    ps_dead_file_close(first);
    expect_rival(&other, "being written by another process");
    ps_dead_file_close(second);
    expect_rival(&other, "let in");
    rival_close(&other);
}

static ps_status open_sink(const char *path, void **self, ps_error *error) {
    static ps_plan plan;
    static const ps_partitions partitions = {.topic_count = 1, .count = 2};
    static ps_lane_env env = {.lanes = 2, .plan = &plan, .partitions = &partitions};
    ps_sink_file_config *config = calloc(1, sizeof *config);
    *config = (ps_sink_file_config){.path = path, .form = PS_FILE_FORM_VALUE};
    const ps_field_list none = {NULL, 0};
    if (plan.schema.column_count == 0) {
        PS_TRY(ps_plan_init(&plan, 8, 4096, 10, &none, error));
        PS_TRY(ps_plan_close(&plan, error));
    }
    const ps_status status = ps_sink_file.open(config, &env, self, error);
    free(config); /* what is closed without a row asks it nothing more */
    return status;
}

static ps_status try_folder(const char *path, ps_error *error) {
    void *self = NULL;
    PS_TRY(open_sink(path, &self, error));
    ps_sink_file.close(self);
    return PS_OK;
}

static void folder_has_one_process(void **state) {
    (void)state;
    char path[128], holder[64];
    void *first = NULL, *second = NULL;
    (void)snprintf(path, sizeof path, "%s/locked", folder);
    (void)snprintf(holder, sizeof holder, "in use by process %ld", (long)getpid());
    const rival other = rival_open(try_folder, path);
    assert_int_equal(open_sink(path, &first, NULL), PS_OK);
    assert_int_equal(open_sink(path, &second, NULL), PS_OK);
    expect_rival(&other, holder);
    ps_sink_file.close(first); /* a lane that ends early */
    expect_rival(&other, holder);
    ps_sink_file.close(second);
    expect_rival(&other, "let in");
    rival_close(&other);
}

/* ---- dead letters alone */

static void put_reject(test_batch *tb, ps_dead_file *dead, uint32_t partition, int64_t offset,
                       ps_bytes value) {
    const ps_bytes none = {NULL, PS_NULL_LENGTH};
    const ps_record record = {partition, 0, offset, 17, none, value, none};
    ps_batch_reset(&tb->batch);
    assert_int_equal(ps_batch_append(&tb->batch, &record), PS_OK);
    ((uint8_t *)ps_batch_system(&tb->batch, PS_COLUMN_REJECT))[0] = PS_REJECT_SYNTAX;
    ((uint32_t *)ps_batch_system(&tb->batch, PS_COLUMN_DETAIL))[0] = 3;
    assert_int_equal(ps_dead_file_put(dead, &tb->batch, 0, partition, NULL), PS_OK);
}

static void writes_each_dead_letter_once(void **state) {
    (void)state;
    static const char want[] =
        "{\"source\":\"t/0/5\",\"error\":\"syntax\",\"reason\":\"the record is not well-formed at "
        "byte 3\",\"timestamp\":17,\"key\":null,\"value\":\"AP8=\",\"headers\":[]}\n";
    const ps_partitions partitions = one_topic(2);
    char path[128], got[2048];
    (void)snprintf(path, sizeof path, "%s/letters", folder);
    test_batch *tb = test_batch_open(4, 4096);
    ps_dead_file *dead = NULL, *same = NULL;
    const ps_bytes value = {(const uint8_t *)"\0\xff", 2};
    for (uint32_t life = 0; life < 3; life++) {
        assert_int_equal(ps_dead_file_open(path, &partitions, &dead, NULL), PS_OK);
        assert_int_equal(ps_dead_file_open(path, &partitions, &same, NULL), PS_OK);
        assert_ptr_equal(dead, same);
        put_reject(tb, dead, 0, 5, value);
        put_reject(tb, same, 1, 2, value);
        put_reject(tb, dead, 0, 5 + life, value);
        assert_int_equal(ps_dead_file_sync(dead, NULL), PS_OK);
        ps_dead_file_close(same);
        ps_dead_file_close(dead);
        FILE *file = fopen(path, "a");
        (void)fputs("{\"source\":\"t/0/9999\",\"err", file); /* a crash cut it short */
        (void)fclose(file);
    }
    assert_int_equal(ps_dead_file_open(path, &partitions, &dead, NULL), PS_OK);
    ps_dead_file_close(dead);
    FILE *file = fopen(path, "r");
    const size_t length = fread(got, 1, sizeof got - 1, file);
    (void)fclose(file);
    got[length] = '\0';
    assert_memory_equal(got, want, sizeof want - 1);
    uint32_t lines = 0;
    for (size_t i = 0; i < length; i++) lines += got[i] == '\n';
    assert_int_equal(lines, 4); /* 0/5, 1/2, 0/6, 0/7 */
    assert_int_equal(got[length - 1], '\n');
    test_batch_close(tb);
}

/* A record that the broker refuses becomes a reject after later ones are in the file; a topic that
 * was made anew counts from 0 again. If this fails, such letters are missing. */
static void writes_letters_that_come_late(void **state) {
    (void)state;
    const ps_partitions partitions = one_topic(2);
    char path[128], line[1024];
    (void)snprintf(path, sizeof path, "%s/late", folder);
    test_batch *tb = test_batch_open(4, 4096);
    ps_dead_file *dead = NULL;
    const ps_bytes value = {(const uint8_t *)"a", 1}, other = {(const uint8_t *)"b", 1};
    assert_int_equal(ps_dead_file_open(path, &partitions, &dead, NULL), PS_OK);
    put_reject(tb, dead, 0, 3, value);
    put_reject(tb, dead, 0, 1, value);
    put_reject(tb, dead, 0, 3, value); /* again after an abort */
    ps_dead_file_close(dead);
    assert_int_equal(ps_dead_file_open(path, &partitions, &dead, NULL), PS_OK);
    put_reject(tb, dead, 0, 1, value);
    put_reject(tb, dead, 0, 1, other);
    put_reject(tb, dead, 0, 2, value);
    ps_dead_file_close(dead);
    FILE *file = fopen(path, "r");
    static const char *const begins[] = {"t/0/3", "t/0/1", "t/0/1", "t/0/2"};
    uint32_t lines = 0;
    while (fgets(line, sizeof line, file)) {
        assert_in_range(lines, 0, 3);
        assert_memory_equal(line + strlen("{\"source\":\""), begins[lines], 5);
        lines++;
    }
    assert_int_equal(lines, 4);
    (void)fclose(file);
    test_batch_close(tb);
}

/* More lines than the tables hold: the oldest are forgotten, the newest known, none missing. */
static void forgets_only_old_letters(void **state) {
    (void)state;
    enum { LINES = 700000, WINDOW = 200000 };
    const ps_partitions partitions = one_topic(2);
    char path[128];
    struct stat before, after;
    (void)snprintf(path, sizeof path, "%s/many", folder);
    test_batch *tb = test_batch_open(4, 4096);
    ps_dead_file *dead = NULL;
    const ps_bytes value = {(const uint8_t *)"a", 1};
    FILE *file = fopen(path, "w");
    for (uint32_t i = 0; i < LINES; i++)
        (void)fprintf(file,
                      "{\"source\":\"t/0/%u\",\"error\":\"syntax\",\"reason\":\"the record is not "
                      "well-formed at byte 3\",\"timestamp\":17,\"key\":null,\"value\":\"YQ==\","
                      "\"headers\":[]}\n",
                      i);
    (void)fclose(file);
    assert_int_equal(ps_dead_file_open(path, &partitions, &dead, NULL), PS_OK);
    (void)stat(path, &before);
    for (uint32_t i = LINES - WINDOW; i < LINES; i++) put_reject(tb, dead, 0, i, value);
    (void)stat(path, &after);
    assert_int_equal(before.st_size, after.st_size);
    put_reject(tb, dead, 0, LINES, value);
    (void)stat(path, &after);
    assert_true(after.st_size > before.st_size);
    ps_dead_file_close(dead);
    test_batch_close(tb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_letters_have_one_process),
        cmocka_unit_test(folder_has_one_process),
        cmocka_unit_test(writes_each_dead_letter_once),
        cmocka_unit_test(writes_letters_that_come_late),
        cmocka_unit_test(forgets_only_old_letters),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
