/* SPDX-License-Identifier: Apache-2.0
 * A whole file job, killed and run again: file source, JSON, ewma, file sink, dead letters. If this
 * fails, a job that was killed or ran out of disk loses, repeats or changes lines when it is run
 * again, or its detectors go on with another state than the lines before imply.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/flow/lane.h"
#include "host/stages/stages.h"
#include "ingest/codec.h"
#include "ingest/dead_file.h"
#include "ingest/parts.h"
#include "ingest/telemetry.h"
#include "ml/stage_detect.h"
#include "tests/batches.h"

enum { FILES = 3, LINES = 20000 };

static char folder[64];
static const ps_field fields[] = {
    {"host", "host", PS_FIELD_STRING, PS_UNIT_MS, true,  false},
    {"cpu",  "cpu",  PS_FIELD_FLOAT,  PS_UNIT_MS, false, false},
};

/* Runs in the test's folder. */
static void shell(const char *command) {
    char line[512];
    (void)snprintf(line, sizeof line, "cd %s && %s", folder, command);
    if (system(line) != 0) fail_msg("%s", line);
}

/* Telemetry with a line in a thousand that is not JSON. */
static int setup(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/penstock-sink-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    for (uint32_t f = 0; f < FILES; f++) {
        char path[128];
        ps_telemetry telemetry;
        uint8_t record[512];
        ps_telemetry_init(&telemetry, f, 200, 200, 0.01);
        (void)snprintf(path, sizeof path, "%s/%u.ndjson", folder, f);
        FILE *file = fopen(path, "w");
        for (uint32_t row = 0; row < LINES; row++) {
            const uint32_t length = ps_telemetry_write(&telemetry, row % 200, row / 200, record);
            (void)fwrite(record, 1, row % 1000 == 777 ? length - 5 : length, file);
            (void)fputc('\n', file);
        }
        if (fclose(file) != 0) return -1;
    }
    return 0;
}
static int teardown(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* One worker of one lane, to the end of its input. */
typedef struct job {
    char out[128], dead[128], pattern[128];
    const char *patterns[1];
    double threshold;
    uint32_t steps; /* dies by itself after this many; 0: never */
} job;

/* Without cmocka: a failed assertion in a forked child would run the other tests there. */
static ps_status make_plan(ps_plan *plan, const job *of, ps_error *error) {
    static const char *const detectors[] = {"ewma"};
    const ps_field_list list = {fields, 2};
    const ps_hash_config hash = {.of = "value"};
    const ps_detect_config detect = {
        .field = "cpu",
        .detectors = {detectors, 1},
        .vote = 1,
        .threshold = of->threshold,
        .sensitivity = 1,
        .span = 50,
        .warmup = 20
    };
    PS_TRY(ps_plan_init(plan, 500, 1 << 18, 1000, &list, error));
    (void)snprintf(plan->series_field, sizeof plan->series_field, "host");
    PS_TRY(ps_stage_hash.plan(&hash, plan, error));
    PS_TRY(ps_stage_detect.plan(&detect, plan, error));
    return ps_plan_close(plan, error);
}

static ps_status run_lane(const ps_lane_config *config, uint32_t steps, ps_error *error) {
    ps_lane *lane = NULL;
    PS_TRY(ps_lane_open(config, &lane, error));
    ps_status status = PS_OK;
    for (uint32_t i = 1; status == PS_OK; i++) {
        bool moved;
        int64_t again_ns;
        status = ps_lane_step(lane, &moved, &again_ns, error);
        if (i == steps) _exit(9);
    }
    ps_lane_close(lane);
    return status;
}

static ps_status run(job *of, ps_error *error) {
    ps_partitions partitions;
    ps_wake wake;
    ps_plan *plan = malloc(sizeof *plan);
    ps_lane_metrics *metrics = calloc(1, sizeof *metrics);
    of->patterns[0] = of->pattern;
    const ps_source_file_config source = {
        .paths = {of->patterns, 1},
          .line_max = 1 << 16
    };
    const ps_decode_config decode = {
        .fields = {fields, 2}
    };
    const ps_sink_file_config sink = {.path = of->out,
                                      .roll_bytes = 300000,
                                      .commit_bytes = 200000,
                                      .commit_interval_ns = PS_NS_PER_S};
    const ps_dead_config dead = {.file = of->dead};
    ps_status status = make_plan(plan, of, error);
    if (status == PS_OK) status = ps_source_file.discover(&source, &partitions, error);
    if (status == PS_OK) status = ps_wake_init(&wake, error);
    const ps_lane_config config = {
        .env = {.pipeline = "test",
                .instance = "i",
                .lanes = 1,
                .plan = plan,
                .partitions = &partitions,
                .wake = &wake,
                .metrics = metrics,
                .dead = &dead},
        .backend = &ps_backend_cpu,
        .source = &ps_source_file,
        .source_config = &source,
        .codec = &ps_codec_json,
        .codec_config = &decode,
        .sink = &ps_sink_file,
        .sink_config = &sink,
        .depth = 2,
        .os_node = -1,
        .exactly_once = true
    };
    if (status == PS_OK) status = run_lane(&config, of->steps, error);
    ps_wake_deinit(&wake);
    ps_plan_deinit(plan);
    free(plan);
    free(metrics);
    return status == PS_END ? PS_OK : status;
}

static job job_of(const char *name) {
    job of = {.threshold = 6.0};
    (void)snprintf(of.out, sizeof of.out, "%s/%s/deep", folder, name);
    (void)snprintf(of.dead, sizeof of.dead, "%s/%s.dead", folder, name);
    (void)snprintf(of.pattern, sizeof of.pattern, "%s/*.ndjson", folder);
    return of;
}

static void expect_run(job *of) {
    ps_error error;
    if (run(of, &error) != PS_OK) fail_msg("%s", error.message);
}

static void same_as_whole(const char *name) {
    char command[400];
    (void)snprintf(command, sizeof command,
                   "diff -r --exclude='.*' whole/deep %s/deep && cmp whole.dead %s.dead && "
                   "! ls -A %s/deep | grep -q '^[.]part'",
                   name, name, name);
    shell(command);
}

static void whole_job_is_complete(void **state) {
    (void)state;
    job whole = job_of("whole");
    expect_run(&whole);
    char command[400];
    (void)snprintf(command, sizeof command,
                   "test $(cat whole/deep/part-0000[012]-* | wc -l) = %d && test $(wc -l < "
                   "whole.dead) = %d && test $(ls whole/deep | wc -l) -gt 30 && "
                   "grep -q '\"anomaly\":true' whole/deep/part-00002-* && ls -A whole/deep | grep "
                   "-q '^.state-00000-[1-9]' && "
                   "grep -q '\"source\":\"files/1/777\",\"error\":\"truncated\"' whole.dead",
                   FILES * LINES - FILES * LINES / 1000, FILES * LINES / 1000);
    shell(command);
    expect_run(&whole); /* run again: nothing is left to do, and nothing changes */
    shell("cp -r whole again && cp whole.dead again.dead");
    same_as_whole("again");
}

/* In the middle of whatever it is doing: writing, syncing, renaming, compacting. */
static void survives_kills(void **state) {
    (void)state;
    uint32_t random = 12345, kills = 0;
    for (uint32_t life = 0; life < 200; life++) {
        job killed = job_of("killed");
        random = random * 1103515245 + 12345;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            ps_error error;
            const ps_status status = run(&killed, &error);
            if (status != PS_OK) (void)fprintf(stderr, "%s\n", error.message);
            _exit(status == PS_OK ? 0 : 1);
        }
        (void)usleep(2000 + (random >> 8) % 60000);
        (void)kill(child, SIGKILL);
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        if (WIFEXITED(how)) {
            assert_int_equal(WEXITSTATUS(how), 0);
            break;
        }
        kills++;
    }
    job last = job_of("killed");
    expect_run(&last);
    print_message("%u kills\n", kills);
    assert_true(kills > 2);
    same_as_whole("killed");
}

static void survives_death_after_any_step(void **state) {
    (void)state;
    for (uint32_t steps = 1; steps < 400; steps = steps * 3 / 2 + 1) {
        job stepped = job_of("stepped");
        stepped.steps = steps;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            ps_error error;
            _exit(run(&stepped, &error) == PS_OK ? 0 : 1);
        }
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFEXITED(how) && WEXITSTATUS(how) != 1);
    }
    job last = job_of("stepped");
    expect_run(&last);
    same_as_whole("stepped");
}

/* A limit on the size of files stands in for a full disk. */
static void says_that_the_disk_is_full(void **state) {
    (void)state;
    job full = job_of("full");
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ps_error error = {""};
        const struct rlimit limit = {200000, 200000};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        const ps_status status = run(&full, &error);
        _exit(status == PS_IO && strstr(error.message, "free some space") != NULL ? 7 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(WEXITSTATUS(how), 7);
    expect_run(&full);
    same_as_whole("full");
}

static void refuses_what_does_not_belong_together(void **state) {
    (void)state;
    ps_error error;
    job other = job_of("again");
    (void)snprintf(other.pattern, sizeof other.pattern, "%s/[12].ndjson", folder);
    assert_int_equal(run(&other, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "not of"));
    other = job_of("again");
    other.threshold = 5.0; /* another threshold keeps the state's meaning: allowed */
    expect_run(&other);
    shell("rm again/deep/.manifest-00001");
    other = job_of("again");
    assert_int_equal(run(&other, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "no progress"));
    shell("rm -r again again.dead");
    expect_run(&other); /* deleting the folder starts again */
    same_as_whole("again");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_job_is_complete),
        cmocka_unit_test(survives_kills),
        cmocka_unit_test(survives_death_after_any_step),
        cmocka_unit_test(says_that_the_disk_is_full),
        cmocka_unit_test(refuses_what_does_not_belong_together),
        cmocka_unit_test(dead_letters_have_one_process),
        cmocka_unit_test(folder_has_one_process),
        cmocka_unit_test(writes_each_dead_letter_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
