/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/solo.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/clock.h"
#include "host/base/siphash.h"
#include "host/batch/series.h"
#include "host/flow/columns.h"
#include "host/flow/planes.h"
#include "kernels/vote.h"
#include "ml/detector.h"
#include "simd/dispatch.h"

enum { ALIGNMENT = 64, NS_PER_MS = 1000000, NUMBER_BYTES = sizeof(uint32_t) };

static const ps_field fields[] = {
    {.name = "value", .path = "value", .type = PS_FIELD_FLOAT},
    {.name = "time", .path = "time", .type = PS_FIELD_TIMESTAMP},
};

struct ps_solo {
    ps_plan plan;
    ps_batch batch;
    ps_series *series;
    ps_warm *warm;
    char name[PS_SOLO_NAME_MAX]; /* the series' key; empty: its number is */
    uint8_t *series_memory, *state;
    int64_t rows; /* so far */
    const ps_column *value, *time, *score, *anomaly;
};

static void *take(size_t bytes) {
    void *memory = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
    if (memory != NULL) memset(memory, 0, bytes);
    return memory;
}

static bool take_batch(ps_batch *batch, const ps_schema *schema) {
    batch->schema = schema;
    batch->block.bytes = schema->block_bytes;
    batch->block.host = take(schema->block_bytes);
    batch->runs = take(PS_RUNS_MAX * sizeof *batch->runs);
    batch->positions = take(PS_PARTITIONS_MAX * sizeof *batch->positions);
    batch->segments = take(schema->segments_max * sizeof *batch->segments);
    batch->evictions = take(schema->rows_max * sizeof *batch->evictions);
    return batch->block.host && batch->runs && batch->positions && batch->segments &&
           batch->evictions;
}

static ps_status take_all(ps_solo *solo, ps_error *error) {
    const ps_schema *schema = &solo->plan.schema;
    solo->series_memory = take(ps_series_bytes(solo->plan.series_max, schema->rows_max));
    solo->state = take(solo->plan.state_bytes);
    if (!take_batch(&solo->batch, schema) || !solo->series_memory || !solo->state)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a detect stage of one series");
    solo->series = ps_series_open(solo->series_memory, solo->plan.series_max, schema->rows_max, 1);
    solo->value = ps_schema_find(schema, "value");
    solo->time = ps_schema_find(schema, "time");
    solo->score = ps_schema_find(schema, "score");
    solo->anomaly = ps_schema_find(schema, "anomaly");
    PS_CHECK(solo->value && solo->time && solo->score && solo->anomaly);
    return PS_OK;
}

static ps_status plan_it(ps_solo *solo, const ps_detect_config *config, ps_error *error) {
    ps_detect_config own = *config;
    own.field = "value";
    own.time = "time";
    own.as = NULL;
    PS_TRY(ps_stage_detect.plan(&own, &solo->plan, error));
    PS_TRY(ps_plan_close(&solo->plan, error));
    PS_TRY(ps_warm_open(&solo->plan, &solo->warm, error));
    return take_all(solo, error);
}

static ps_status open_solo(const ps_detect_config *config, uint32_t batch_rows, uint32_t series,
                           uint32_t key_bytes, ps_solo **out, ps_error *error) {
    const ps_field_list list = {fields, sizeof fields / sizeof *fields};
    ps_solo *solo = take(sizeof *solo);
    if (solo == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a detect stage");
    ps_status status =
        ps_plan_init(&solo->plan, batch_rows, batch_rows * key_bytes, series, &list, error);
    if (status != PS_OK) {
        free(solo);
        return status;
    }
    status = plan_it(solo, config, error);
    if (status == PS_OK)
        *out = solo;
    else
        ps_solo_close(solo);
    return status;
}

ps_status ps_solo_open_many(const ps_detect_config *config, uint32_t batch_rows, uint32_t series,
                            ps_solo **out, ps_error *error) {
    return open_solo(config, batch_rows, series, NUMBER_BYTES, out, error);
}

ps_status ps_solo_open(const ps_detect_config *config, uint32_t batch_rows, ps_solo **out,
                       ps_error *error) {
    return open_solo(config, batch_rows, 1, PS_SOLO_NAME_MAX, out, error);
}

void ps_solo_close(ps_solo *solo) {
    if (solo == NULL) return;
    ps_plan_deinit(&solo->plan);
    ps_warm_close(solo->warm);
    free(solo->batch.block.host);
    free(solo->batch.runs);
    free(solo->batch.positions);
    free(solo->batch.segments);
    free(solo->batch.evictions);
    free(solo->series_memory);
    free(solo->state);
    free(solo);
}

static ps_bytes name_of(const ps_solo *solo) {
    return (ps_bytes){(const uint8_t *)solo->name, (uint32_t)strlen(solo->name)};
}

void ps_solo_append(ps_solo *solo, uint32_t series, int64_t time_ns, double value) {
    ps_batch *batch = &solo->batch;
    const uint32_t row = batch->rows;
    const ps_bytes number = {(const uint8_t *)&series, NUMBER_BYTES};
    const ps_record record = {.offset = solo->rows++,
                              .timestamp_ms = time_ns / NS_PER_MS,
                              .key = solo->name[0] == '\0' ? number : name_of(solo),
                              .value = {(const uint8_t *)"", 0},
                              .headers = {NULL, PS_NULL_LENGTH}};
    PS_CHECK(ps_batch_append(batch, &record) == PS_OK);
    ((double *)ps_batch_values(batch, solo->value))[row] = value;
    ((int64_t *)ps_batch_values(batch, solo->time))[row] = time_ns;
    ps_bit_set(ps_batch_validity(batch, solo->value), row);
    ps_bit_set(ps_batch_validity(batch, solo->time), row);
}

static void *address(const ps_solo *solo, const ps_operand *operand) {
    if (operand->home == PS_HOME_STATE) return solo->state + operand->offset;
    if (operand->home == PS_HOME_CONSTANT) return solo->plan.constants + operand->offset;
    return solo->batch.block.host + ps_columns_at(&solo->plan.schema, operand);
}

static void call(const ps_solo *solo, const ps_call_plan *planned) {
    void *buf[PS_OPERANDS_MAX];
    for (uint32_t k = 0; k < planned->operand_count; k++)
        buf[k] = address(solo, &planned->operand[k]);
    const uint32_t n = planned->extent == PS_PER_ROW ? solo->batch.rows : solo->batch.touched_count;
    ps_dispatch(planned->kernel)(buf, planned->params, 0, n);
}

/* Time on the processor: what else the machine does is not the kernel's. */
static int64_t own_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * PS_NS_PER_S + now.tv_nsec;
}

static void put(void *context, const ps_state_plan *state, uint32_t id, const double *planes) {
    ps_solo *solo = context;
    ps_planes_put(&solo->plan, state, solo->state, id, planes);
}

static int64_t compute(ps_solo *solo, ps_kernel_id timed) {
    const ps_plan *plan = &solo->plan;
    int64_t ns = 0;
    ps_series_resolve(solo->series, &solo->batch, &plan->schema.column[PS_COLUMN_KEY]);
    ps_columns_prefill(&solo->plan, &solo->batch);
    if (solo->warm != NULL) (void)ps_warm_batch(solo->warm, plan, &solo->batch, put, solo);
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const bool watched = plan->call[i].kernel == timed;
        const int64_t begin_ns = watched ? own_ns() : 0;
        call(solo, &plan->call[i]);
        if (watched) ns += own_ns() - begin_ns;
    }
    return ns;
}

int64_t ps_solo_compute(ps_solo *solo, ps_kernel_id timed) {
    const int64_t ns = compute(solo, timed);
    ps_batch_reset(&solo->batch);
    return ns;
}

/* A row that the stage silences scores below the threshold, the more the more it had. */
static void silence(const ps_solo_rows *rows, double threshold) {
    for (uint32_t i = 0; i < rows->count; i++) {
        const double x = (double)rows->score[i];
        if (!rows->anomaly[i] && x >= threshold)
            rows->score[i] = (float)(threshold * x / (x + threshold));
    }
}

void ps_solo_run(ps_solo *solo, const ps_solo_rows *rows) {
    ps_batch *batch = &solo->batch;
    for (uint32_t done = 0; done < rows->count; done += batch->rows) {
        ps_batch_reset(batch);
        for (uint32_t i = done; i < rows->count && batch->rows < batch->schema->rows_max; i++)
            ps_solo_append(solo, 0, rows->time_ns[i], rows->value[i]);
        (void)compute(solo, PS_KERNEL_COUNT);
        memcpy(rows->score + done, ps_batch_values(batch, solo->score),
               batch->rows * sizeof *rows->score);
        memcpy(rows->anomaly + done, ps_batch_values(batch, solo->anomaly), batch->rows);
    }
    silence(rows, ps_solo_threshold(solo));
}

static void series_key(const ps_solo *solo, uint64_t key[2]) {
    static const uint64_t sip_key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    const ps_bytes name = name_of(solo);
    ps_siphash128(name.data, name.length, sip_key, key);
}

bool ps_solo_restart_as(ps_solo *solo, const char *name) {
    uint64_t key[2];
    const size_t length = strlen(name);
    PS_CHECK_OP(length, <, sizeof solo->name);
    ps_series_drop(solo->series, 0);
    solo->rows = 0;
    memcpy(solo->name, name, length);
    solo->name[length] = '\0';
    series_key(solo, key);
    return ps_warm_has(solo->warm, key);
}

void ps_solo_restart(ps_solo *solo) {
    (void)ps_solo_restart_as(solo, "");
}

ps_status ps_solo_writer(const ps_solo *solo, const char *path, ps_warm_writer **out,
                         ps_error *error) {
    return ps_warm_writer_open(path, &solo->plan, out, error);
}

ps_status ps_solo_save(const ps_solo *solo, ps_warm_writer *writer, ps_error *error) {
    uint64_t key[2];
    double planes[PS_STATE_PLANES_MAX], *to = planes;
    series_key(solo, key);
    const uint32_t id = ps_series_find(solo->series, 0, key);
    if (id == PS_NOWHERE) return PS_OK;
    for (uint32_t i = 0; i < solo->plan.state_count; i++) {
        const ps_state_plan *state = &solo->plan.state[i];
        if (solo->plan.warm.about[i].name[0] == '\0') continue;
        ps_planes_get(&solo->plan, state, solo->state, id, to);
        to += state->planes;
    }
    return ps_warm_writer_add(writer, name_of(solo), planes, error);
}

double ps_solo_threshold(const ps_solo *solo) {
    for (uint32_t i = 0; i < solo->plan.call_count; i++) {
        ps_vote_params params;
        if (solo->plan.call[i].kernel != PS_KERNEL_VOTE) continue;
        memcpy(&params, solo->plan.call[i].params, sizeof params);
        return (double)params.threshold;
    }
    return 0.0;
}
