/* SPDX-License-Identifier: Apache-2.0
 * A whole pipeline from files to files whose device dies in mid-run: what comes out must be what
 * comes out on the processor. If this fails, a lost device loses, doubles or reorders rows, or
 * leaves a lane that does not go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/flow/pipeline.h"
#include "host/stages/stages.h"
#include "ingest/codec.h"
#include "ingest/dead_file.h"
#include "ingest/parts.h"
#include "ml/stage_detect.h"
#include "tests/far_device.h"

enum { LINES = 20000 };

static char folder[] = "/tmp/penstock-test-XXXXXX";
static uint64_t seed;

static uint32_t below(uint32_t n) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % n);
}

static int setup(void **state) {
    (void)state;
    char path[200];
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) return -1;
    (void)snprintf(path, sizeof path, "%s/in.ndjson", folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; file != NULL && i < LINES; i++)
        (void)fprintf(file, i % 1000 == 7 ? "{\"host\":\n" : "{\"host\":\"h%d\",\"cpu\":%d.5}\n",
                      i % 300, i * 7 % 101);
    return file == NULL ? -1 : fclose(file);
}

static int teardown(void **state) {
    (void)state;
    char command[200];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const ps_field fields[] = {
    {"host", "host", PS_FIELD_STRING, PS_UNIT_MS, true, false},
    {"cpu", "cpu", PS_FIELD_FLOAT, PS_UNIT_MS, false, false},
};

static void make_plan(ps_plan *plan) {
    static const char *const detectors[] = {"ewma", "zscore"};
    const ps_field_list list = {fields, 2};
    const ps_hash_config hash = {.of = "value"};
    const ps_detect_config detect = {
        .field = "cpu", .detectors = {detectors, 2}, .vote = 1, .span = 50, .warmup = 3};
    ps_error error = {""};
    ps_status status = ps_plan_init(plan, 300, 1 << 17, 1000, &list, &error);
    (void)snprintf(plan->series_field, sizeof plan->series_field, "host");
    if (status == PS_OK) status = ps_stage_hash.plan(&hash, plan, &error);
    if (status == PS_OK) status = ps_stage_detect.plan(&detect, plan, &error);
    if (status == PS_OK) status = ps_plan_close(plan, &error);
    if (status != PS_OK) fail_msg("%s", error.message);
}

/* Runs the job into `out`; all that is borrowed lives as long as the call. */
static ps_status run_on(const ps_backend *backend, const char *out, ps_error *error) {
    static const char *const paths[] = {"in.ndjson"};
    char dead_path[64];
    (void)snprintf(dead_path, sizeof dead_path, "%s.dead", out);
    const ps_source_file_config source = {.paths = {paths, 1}, .line_max = 1 << 16};
    const ps_decode_config decode = {.fields = {fields, 2}};
    const ps_sink_file_config sink = {.path = out,
                                      .roll_bytes = 300000,
                                      .commit_bytes = 100000,
                                      .commit_interval_ns = PS_NS_PER_S};
    const ps_dead_config dead = {.file = dead_path};
    ps_plan *plan = malloc(sizeof *plan);
    make_plan(plan);
    const ps_pipeline_config config = {.name = "test",
                                       .instance = "i",
                                       .plan = plan,
                                       .backend = backend,
                                       .source = &ps_source_file,
                                       .source_config = &source,
                                       .codec = &ps_codec_json,
                                       .codec_config = &decode,
                                       .sink = &ps_sink_file,
                                       .sink_config = &sink,
                                       .dead = &dead,
                                       .lanes = 1,
                                       .depth = 5,
                                       .linger_ns = PS_NS_PER_S,
                                       .memory_max = INT64_C(1) << 30};
    ps_pipeline *pipeline = NULL;
    ps_status status = ps_pipeline_open(&config, &pipeline, error);
    if (status == PS_OK) status = ps_pipeline_run(pipeline, error);
    if (status == PS_OK) {
        const ps_lane_metrics *metrics = ps_pipeline_metrics(pipeline, 0);
        assert_int_equal(ps_read(&metrics->rows_in), LINES);
        assert_int_equal(ps_read(&metrics->rows_rejected), LINES / 1000);
    }
    ps_pipeline_close(pipeline);
    ps_plan_deinit(plan);
    free(plan);
    return status;
}

/* Lost at once, in the middle, while files are rolled, close to the end. */
static void test_lost_in_mid_run(void **state) {
    (void)state;
    ps_error error = {""};
    if (run_on(&ps_backend_cpu, "right", &error) != PS_OK) fail_msg("%s", error.message);
    assert_int_equal(system("cat right/part-* >right.all"), 0);
    for (uint32_t world = 0; world < 12; world++) {
        seed = world;
        far = (far_world){.below = below, .idle_percent = 20, .lost_permille = 300};
        far.spared = 30 + below(700); /* behind the self-test, before the end */
        assert_int_equal(system("rm -rf out out.dead"), 0);
        if (run_on(&far_device, "out", &error) != PS_OK) fail_msg("%s", error.message);
        assert_int_equal(far.lost, 1);
        /* Where a file ends depends on where the lane went on. */
        assert_int_equal(system("cat out/part-* >all && cmp right.all all"), 0);
        assert_int_equal(system("cmp right.dead out.dead"), 0);
    }
}

/* The device that was asked for by name fails before it ever ran: that is told, not hidden. */
static void test_lost_at_start(void **state) {
    (void)state;
    ps_error error = {""};
    far = (far_world){.below = below, .lost_permille = 1000};
    assert_int_equal(run_on(&far_device, "never", &error), PS_DEVICE);
    assert_non_null(strstr(error.message, "far"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lost_in_mid_run),
                                       cmocka_unit_test(test_lost_at_start)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
