/* SPDX-License-Identifier: Apache-2.0
 * A whole file job, killed and run again: file source, JSON, ewma, file sink, dead letters. If this
 * fails, a job that was killed or ran out of disk loses, repeats or changes lines when it is run
 * again, or its detectors go on with another state than the lines before imply.
 */
#include <glob.h>
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
#include "ingest/frames.h"
#include "ingest/parts.h"
#include "ingest/telemetry.h"
#include "ml/stage_detect.h"
#include "tests/unframe.h"

enum { FILES = 3, LINES = 20000 };

static char folder[64];
static const ps_field fields[] = {
    {"host", "host", PS_FIELD_STRING, PS_UNIT_MS, true, false},
    {"cpu", "cpu", PS_FIELD_FLOAT, PS_UNIT_MS, false, false},
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
    ps_frame_codec codec;
} job;

/* Without cmocka: a failed assertion in a forked child would run the other tests there. */
static ps_status make_plan(ps_plan *plan, const job *of, ps_error *error) {
    static const char *const detectors[] = {"ewma"};
    const ps_field_list list = {fields, 2};
    const ps_hash_config hash = {.of = "value"};
    const ps_detect_config detect = {.field = "cpu",
                                     .detectors = {detectors, 1},
                                     .vote = 1,
                                     .threshold = of->threshold,
                                     .span = 50,
                                     .warmup = 20};
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
    const ps_source_file_config source = {.paths = {of->patterns, 1}, .line_max = 1 << 16};
    const ps_decode_config decode = {.fields = {fields, 2}};
    const ps_sink_file_config sink = {.path = of->out,
                                      .codec = (uint32_t)of->codec,
                                      .roll_bytes = 300000,
                                      .commit_bytes = 200000,
                                      .commit_interval_ns = PS_NS_PER_S};
    const ps_dead_config dead = {.file = of->dead};
    ps_status status = make_plan(plan, of, error);
    if (status == PS_OK) status = ps_source_file.discover(&source, &partitions, error);
    if (status == PS_OK) status = ps_wake_init(&wake, error);
    const ps_lane_config config = {.env = {.pipeline = "test",
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
                                   .exactly_once = true};
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

/* Every file as it was before it was compressed. */
static void decompress(const char *name) {
    char pattern[200];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/%s/deep/part-*.ndjson.*", folder, name);
    if (glob(pattern, 0, NULL, &found) != 0) return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *path = found.gl_pathv[i], *suffix = strrchr(path, '.');
        const char *codec = strcmp(suffix, ".zst") == 0   ? "zstd"
                            : strcmp(suffix, ".lz4") == 0 ? "lz4"
                                                          : "snappy";
        enum { MOST = 1 << 20 };
        uint8_t *frames = malloc(MOST);
        FILE *file = fopen(path, "r");
        const size_t bytes = fread(frames, 1, MOST, file);
        (void)fclose(file);
        assert_true(bytes < 150000); /* of 300,000 and a line */
        size_t length;
        uint8_t *plain = unframe(codec, frames, bytes, &length);
        if (plain == NULL) fail_msg("%s is no whole file of frames", path);
        assert_int_equal(unlink(path), 0);
        *suffix = '\0';
        file = fopen(path, "w");
        assert_int_equal(fwrite(plain, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
        free(frames);
        free(plain);
    }
    globfree(&found);
}

static void same_as_whole(const char *name) {
    char command[400];
    decompress(name);
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
static void survives_kills_with(ps_frame_codec codec) {
    uint32_t random = 12345 + codec, kills = 0;
    char name[32];
    (void)snprintf(name, sizeof name, "killed%u", codec);
    for (uint32_t life = 0; life < 200; life++) {
        job killed = job_of(name);
        killed.codec = codec;
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
    job last = job_of(name);
    last.codec = codec;
    expect_run(&last);
    print_message("%s: %u kills\n", ps_frame_encoding(codec), kills);
    assert_true(kills > 2);
    same_as_whole(name);
}

static void survives_kills(void **state) {
    (void)state;
    for (uint32_t codec = 0; codec < PS_FRAME_CODECS; codec++) survives_kills_with(codec);
}

static void survives_death_after_any_step_with(ps_frame_codec codec) {
    char name[32];
    (void)snprintf(name, sizeof name, "stepped%u", codec);
    for (uint32_t steps = 1; steps < 400; steps = steps * 3 / 2 + 1) {
        job stepped = job_of(name);
        stepped.steps = steps;
        stepped.codec = codec;
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
    job last = job_of(name);
    last.codec = codec;
    expect_run(&last);
    same_as_whole(name);
}

static void survives_death_after_any_step(void **state) {
    (void)state;
    for (uint32_t codec = 0; codec < PS_FRAME_CODECS; codec++)
        survives_death_after_any_step_with(codec);
}

/* A limit on the size of files stands in for a full disk. */
static void says_that_the_disk_is_full_with(ps_frame_codec codec) {
    char name[32];
    (void)snprintf(name, sizeof name, "full%u", codec);
    job full = job_of(name);
    full.codec = codec;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ps_error error = {""};
        const rlim_t bytes = codec == PS_FRAME_NONE ? 200000 : 50000;
        const struct rlimit limit = {bytes, bytes};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        const ps_status status = run(&full, &error);
        _exit(status == PS_IO && strstr(error.message, "free some space") != NULL ? 7 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(WEXITSTATUS(how), 7);
    expect_run(&full);
    same_as_whole(name);
}

static void says_that_the_disk_is_full(void **state) {
    (void)state;
    for (uint32_t codec = 0; codec < PS_FRAME_CODECS; codec++)
        says_that_the_disk_is_full_with(codec);
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
    other = job_of("again");
    other.codec = PS_FRAME_ZSTD;
    assert_int_equal(run(&other, &error), PS_BAD_CONFIG);
    assert_non_null(
        strstr(error.message, "holds files *.ndjson, and this job writes *.ndjson.zst"));
    shell("rm again/deep/.manifest-00001");
    other = job_of("again");
    assert_int_equal(run(&other, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "no progress"));
    shell("rm -r again again.dead");
    expect_run(&other); /* deleting the folder starts again */
    same_as_whole("again");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_job_is_complete),
        cmocka_unit_test(survives_kills),
        cmocka_unit_test(survives_death_after_any_step),
        cmocka_unit_test(says_that_the_disk_is_full),
        cmocka_unit_test(refuses_what_does_not_belong_together),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
