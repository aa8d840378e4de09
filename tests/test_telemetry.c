/* SPDX-License-Identifier: Apache-2.0
 * Generated telemetry. If this fails, two runs of the quickstart, the bench or a test no longer
 * work on the same events, or planted anomalies are counted that are not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/json.h"
#include "ingest/parts.h"
#include "ingest/telemetry.h"
#include "tests/batches.h"

static uint64_t fnv(uint64_t hash, const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The value is part of what users may rely on: the same seed gives the same bytes, also next year.
 */
static void same_seed_same_bytes(void **state) {
    (void)state;
    ps_telemetry telemetry;
    ps_telemetry_share share;
    uint8_t record[512];
    uint64_t hash = UINT64_C(14695981039346656037);
    ps_telemetry_init(&telemetry, 1, 1000, 256, 0.0005);
    ps_telemetry_share_init(&share, &telemetry, 0, 1);
    for (uint64_t row = 0; row < 100000; row++) {
        uint32_t series;
        uint64_t round;
        ps_telemetry_place(&share, row, &series, &round);
        const uint32_t length = ps_telemetry_write(&telemetry, series, round, record);
        assert_int_equal(length, 256);
        hash = fnv(hash, record, length);
    }
    if (hash != UINT64_C(0x889a53f5a386f792))
        fail_msg("other bytes: %016llx", (unsigned long long)hash);
}

static void is_json_of_the_size_asked_for(void **state) {
    (void)state;
    static const char *const paths[] = {"host", "ts", "cpu", "msg"};
    ps_json *json = NULL;
    assert_int_equal(ps_json_open(paths, 4, &json, NULL), PS_OK);
    for (uint32_t bytes = 1; bytes < 3000; bytes += bytes < 300 ? 1 : 97) {
        ps_telemetry telemetry;
        ps_telemetry_init(&telemetry, 7, 1000000, bytes, 0.5);
        uint8_t *record = malloc(ps_telemetry_room(&telemetry) + PS_ARENA_PADDING);
        const uint32_t length =
            ps_telemetry_write(&telemetry, 999999, UINT64_C(1000000000) * bytes, record);
        assert_true(length == bytes || (length > bytes && length <= PS_TELEMETRY_FIXED_MAX));
        ps_json_value values[4];
        ps_json_fault fault;
        assert_int_equal(ps_json_read(json, (ps_bytes){record, length}, values, &fault), 0);
        assert_memory_equal(values[0].text.data, "host-999999", 11);
        assert_int_equal(values[2].kind, PS_JSON_NUMBER);
        free(record);
    }
    ps_json_close(json);
}

static double cpu_of(const ps_telemetry *telemetry, uint32_t series, uint64_t round) {
    uint8_t record[512] = {0};
    (void)ps_telemetry_write(telemetry, series, round, record);
    return strtod(strstr((const char *)record, "\"cpu\":") + 6, NULL);
}

/* A planted anomaly stands out by 8 standard deviations, and nothing else does. */
static void spikes_are_where_it_says(void **state) {
    (void)state;
    ps_telemetry telemetry;
    ps_telemetry_init(&telemetry, 42, 50, 256, 0.01);
    uint32_t planted = 0, rows = 0;
    for (uint32_t series = 0; series < 50; series++) {
        double level = cpu_of(&telemetry, series, 0);
        for (uint64_t round = 1; round < 2000; round++, rows++) {
            const double cpu = cpu_of(&telemetry, series, round);
            const bool spike = ps_telemetry_is_anomaly(&telemetry, series, round);
            const double off = cpu > level ? cpu - level : level - cpu;
            assert_true(!spike || round >= PS_TELEMETRY_LEARNING);
            if (round >= PS_TELEMETRY_LEARNING) assert_true(spike ? off > 8.0 : off < 5.5);
            planted += spike;
            if (!spike) level += (cpu - level) / 16;
        }
    }
    assert_in_range(planted, rows / 100 * 9 / 10, rows / 100 * 11 / 10);
}

/* Partitions only deal the same records out. */
static void partitions_share_the_records(void **state) {
    (void)state;
    enum { SERIES = 23, ROUNDS = 5 };
    ps_telemetry telemetry;
    ps_telemetry_init(&telemetry, 3, SERIES, 256, 0);
    for (uint32_t partitions = 1; partitions <= SERIES; partitions++) {
        uint32_t seen[SERIES][ROUNDS] = {{0}};
        for (uint32_t p = 0; p < partitions; p++) {
            ps_telemetry_share share;
            ps_telemetry_share_init(&share, &telemetry, p, partitions);
            for (uint64_t row = 0; row < (uint64_t)share.hosts * ROUNDS; row++) {
                uint32_t series;
                uint64_t round;
                ps_telemetry_place(&share, row, &series, &round);
                assert_int_equal(series % partitions, p);
                seen[series][round]++;
            }
        }
        for (uint32_t s = 0; s < SERIES; s++)
            for (uint32_t r = 0; r < ROUNDS; r++) assert_int_equal(seen[s][r], 1);
    }
}

/* ---- the source */

typedef struct rig {
    ps_partitions partitions;
    ps_plan plan;
    ps_lane_metrics metrics;
    ps_lane_env env;
    ps_batch batch;
    void *self;
} rig;

static rig *rig_open(const ps_source_synthetic_config *config, uint32_t lane, uint32_t lanes,
                     uint32_t rows_max) {
    rig *r = calloc(1, sizeof *r);
    const ps_field_list none = {NULL, 0};
    assert_int_equal(ps_source_synthetic.discover(config, &r->partitions, NULL), PS_OK);
    assert_int_equal(ps_plan_init(&r->plan, rows_max, 1 << 20, 10, &none, NULL), PS_OK);
    assert_int_equal(ps_plan_close(&r->plan, NULL), PS_OK);
    r->env = (ps_lane_env){.lane = lane,
                           .lanes = lanes,
                           .linger_ns = PS_NS_PER_MS,
                           .plan = &r->plan,
                           .partitions = &r->partitions,
                           .metrics = &r->metrics};
    assert_int_equal(ps_source_synthetic.open(config, &r->env, &r->self, NULL), PS_OK);
    test_batch_memory(&r->batch, &r->plan.schema);
    ps_event event = {PS_EVENT_NONE, 0, NULL};
    assert_int_equal(ps_source_synthetic.event(r->self, &event, NULL), PS_OK);
    for (uint32_t i = 0; i < event.count; i++)
        assert_int_equal(
            ps_source_synthetic.start(r->self, event.partitions[i], PS_OFFSET_NONE, NULL), PS_OK);
    assert_int_equal(ps_source_synthetic.answer(r->self, NULL), PS_OK);
    return r;
}

static void rig_close(rig *r) {
    ps_source_synthetic.close(r->self);
    test_batch_free(&r->batch);
    ps_plan_deinit(&r->plan);
    free(r);
}

/* Reads to the end: rows, and a digest of values that does not depend on their order. */
static uint64_t drain(rig *r, uint64_t *digest) {
    uint64_t rows = 0;
    for (;;) {
        int64_t again_ns = 0;
        ps_batch_reset(&r->batch);
        const ps_status status = ps_source_synthetic.fill(r->self, &r->batch, &again_ns, NULL);
        for (uint32_t row = 0; row < r->batch.rows; row++) {
            const ps_bytes value =
                ps_batch_text(&r->batch, &r->plan.schema.column[PS_COLUMN_VALUE], row);
            *digest += fnv(0, value.data, value.length);
        }
        rows += r->batch.rows;
        if (status == PS_END) return rows;
        assert_int_equal(status, PS_OK);
    }
}

static void gives_the_same_rows_in_any_batching(void **state) {
    (void)state;
    ps_source_synthetic_config config = {.rows = 9000, .series = 30, .bytes = 200, .seed = 5};
    uint64_t want = 0;
    for (uint32_t variant = 0; variant < 4; variant++) {
        config.partitions = 1 + variant * 2;
        uint64_t rows = 0, digest = 0;
        for (uint32_t lane = 0; lane < 2; lane++) {
            rig *r = rig_open(&config, lane, 2, 100 + variant * 777);
            rows += drain(r, &digest);
            rig_close(r);
        }
        assert_int_equal(rows, 9000);
        if (variant == 0) want = digest;
        if (config.series % config.partitions == 0) assert_true(digest == want);
    }
}

/* Latency is only honest if a late source still stamps rows with when they were due. */
static void keeps_the_rate(void **state) {
    (void)state;
    const ps_source_synthetic_config config = {
        .rows = 100, .series = 10, .bytes = 200, .seed = 5, .partitions = 1, .rate = 1000};
    rig *r = rig_open(&config, 0, 1, 1000);
    const int64_t begin_ns = ps_clock_ns();
    int64_t first_ms = 0, last_ms = 0;
    for (uint64_t rows = 0; rows < 100;) {
        int64_t again_ns = INT64_MAX;
        const ps_status status = ps_source_synthetic.fill(r->self, &r->batch, &again_ns, NULL);
        const int64_t asked_ns = ps_clock_ns();
        if (status == PS_AGAIN) {
            assert_true(again_ns < asked_ns + 50 * PS_NS_PER_MS);
            while (ps_clock_ns() < again_ns) {}
            continue;
        }
        const int64_t *times = ps_batch_system(&r->batch, PS_COLUMN_TIMESTAMP);
        if (rows == 0) first_ms = times[0];
        rows += r->batch.rows;
        if (r->batch.rows > 0) last_ms = times[r->batch.rows - 1];
        ps_batch_reset(&r->batch);
    }
    assert_true(ps_clock_ns() - begin_ns >= 98 * PS_NS_PER_MS);
    assert_in_range(last_ms - first_ms, 98, 100);
    rig_close(r);
}

/* Lag: what should have left and has not; without a rate, all that is to come. */
static void knows_how_much_is_due(void **state) {
    (void)state;
    ps_source_synthetic_config config = {
        .rows = 100000, .series = 10, .bytes = 200, .seed = 5, .partitions = 2, .rate = 1000};
    static const int64_t least[] = {35, 99995, -1}, most[] = {5000, 99995, -1};
    for (uint32_t i = 0; i < 3; i++) {
        if (i == 1) config.rate = 0;
        if (i == 2) config.rows = 0;
        rig *r = rig_open(&config, 0, 1, 5);
        int64_t again_ns;
        const int64_t until_ns = ps_clock_ns() + (i == 0 ? 40 * PS_NS_PER_MS : 0);
        while (ps_clock_ns() < until_ns) {}
        assert_int_equal(ps_source_synthetic.fill(r->self, &r->batch, &again_ns, NULL), PS_OK);
        assert_int_equal(r->batch.rows, 5);
        const int64_t lag = atomic_load(&r->metrics.lag);
        assert_true(lag >= least[i] && lag <= most[i]);
        rig_close(r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(is_json_of_the_size_asked_for),
        cmocka_unit_test(spikes_are_where_it_says),
        cmocka_unit_test(partitions_share_the_records),
        cmocka_unit_test(gives_the_same_rows_in_any_batching),
        cmocka_unit_test(keeps_the_rate),
        cmocka_unit_test(knows_how_much_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
