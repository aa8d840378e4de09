/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/watch.h"

#include <math.h>
#include <string.h>

#include "kernels/moments.h"
#include "kernels/sketch.h"
#include "simd/dispatch.h"

enum { POWER_MIN = -2, SIDE = (PS_WATCH_BOUNDS - 1) / 2 };

const double ps_watch_quantile[PS_WATCH_QUANTILES] = {0.01, 0.25, 0.5, 0.75, 0.99};

double ps_watch_bound(uint32_t index) {
    if (index == SIDE) return 0.0;
    const int power = index < SIDE ? (int)(SIDE - 1 - index) : (int)(index - SIDE - 1);
    return ldexp(index < SIDE ? -1.0 : 1.0, 2 * (power + POWER_MIN));
}

static uint32_t blocks(uint32_t rows) {
    return (rows + PS_MOMENTS_ROWS - 1) / PS_MOMENTS_ROWS;
}

static size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* Where things lie in the memory that a lane gives, in bytes; the sketch's counts come first. */
typedef struct layout {
    size_t records;  /* double [blocks][PS_MOMENTS_WIDTH] */
    size_t values;   /* double [rows_max], of a column that is no field */
    size_t validity; /* uint8_t [rows_max / 8] */
    size_t bytes;
} layout;

static layout layout_of(uint32_t rows_max) {
    layout l = {.records = aligned(PS_SKETCH_BUCKETS * sizeof(uint32_t))};
    l.values = l.records + aligned(blocks(rows_max) * PS_MOMENTS_WIDTH * sizeof(double));
    l.validity = l.values + aligned(rows_max * sizeof(double));
    l.bytes = l.validity + aligned((rows_max + 7) / 8);
    return l;
}

size_t ps_watch_bytes(const ps_plan *plan) {
    return plan->watch_count == 0 ? 0 : layout_of(plan->schema.rows_max).bytes;
}

/* Buckets of the sketch below this one hold what is at most the bound; from 0 upward, what is below
 * it: a value that equals a positive bound counts one further up. */
static uint32_t bucket_end(uint32_t index) {
    const double bound = ps_watch_bound(index);
    return ps_sketch_bucket(bound) + (bound > 0.0 ? 0 : 1);
}

static void tell_sketch(const uint32_t *counts, uint64_t total, ps_watch_metrics *out) {
    uint64_t seen = 0, before = 0;
    uint32_t bound = 0, quantile = 0;
    for (uint32_t i = 0; i <= PS_SKETCH_BUCKETS; i++) {
        while (bound < PS_WATCH_BOUNDS && bucket_end(bound) == i) {
            ps_count(&out->bucket[bound++], seen - before);
            before = seen;
        }
        if (i == PS_SKETCH_BUCKETS) break;
        seen += counts[i];
        for (; quantile < PS_WATCH_QUANTILES && total > 0; quantile++) {
            if (seen <= (uint64_t)(ps_watch_quantile[quantile] * (double)(total - 1))) break;
            atomic_store_explicit(&out->quantile[quantile], ps_sketch_value(i),
                                  memory_order_relaxed);
        }
    }
    ps_count(&out->bucket[PS_WATCH_BOUNDS], seen - before);
    for (; quantile < PS_WATCH_QUANTILES; quantile++)
        atomic_store_explicit(&out->quantile[quantile], (double)NAN, memory_order_relaxed);
}

static void tell_moments(const double *m, ps_watch_metrics *out) {
    const double count = m[PS_MOMENTS_COUNT];
    const double none = (double)NAN;
    const double last[PS_WATCH_LAST] = {
        [PS_WATCH_COUNT] = count,
        [PS_WATCH_NAN] = m[PS_MOMENTS_NAN] + m[PS_MOMENTS_BEYOND],
        [PS_WATCH_SUM] = m[PS_MOMENTS_SUM],
        [PS_WATCH_LEAST] = count > 0 ? m[PS_MOMENTS_LEAST] : none,
        [PS_WATCH_GREATEST] = count > 0 ? m[PS_MOMENTS_GREATEST] : none,
        [PS_WATCH_MEAN] = count > 0 ? m[PS_MOMENTS_MEAN] : none,
        [PS_WATCH_VARIANCE] = count > 1 ? m[PS_MOMENTS_SQUARES] / (count - 1) : none};
    for (uint32_t i = 0; i < PS_WATCH_LAST; i++)
        atomic_store_explicit(&out->last[i], last[i], memory_order_relaxed);
    const double sum = atomic_load_explicit(&out->sum, memory_order_relaxed);
    atomic_store_explicit(&out->sum, sum + m[PS_MOMENTS_SUM], memory_order_relaxed);
}

/* What an earlier stage made, as numbers with nulls: its NaN is "none", and a row that did not
 * decode has no value. */
static void widen(const ps_batch *batch, const ps_column *column, double *values,
                  uint8_t *validity) {
    const float *from = ps_batch_values(batch, column);
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    memset(validity, 0, (batch->rows + 7) / 8);
    for (uint32_t row = 0; row < batch->rows; row++) {
        values[row] = (double)from[row];
        if (!isnan(from[row]) && reject[row] == PS_REJECT_NONE) ps_bit_set(validity, row);
    }
}

static void watch(const ps_watch_plan *plan, const ps_batch *batch, uint8_t *memory,
                  ps_watch_metrics *out) {
    const ps_column *column = &batch->schema->column[plan->column];
    const layout at = layout_of(batch->schema->rows_max);
    uint32_t *counts = (uint32_t *)(void *)memory;
    double *records = (double *)(void *)(memory + at.records);
    void *values = ps_batch_values(batch, column);
    uint8_t *validity = memory + at.validity;
    if (column->type == PS_TYPE_F32)
        widen(batch, column, values = memory + at.values, validity);
    else
        validity = ps_batch_validity(batch, column);
    double total[PS_MOMENTS_WIDTH];
    const ps_moments_params moments = {batch->rows, plan->type};
    void *const of_moments[] = {values, validity, records};
    ps_dispatch(PS_KERNEL_MOMENTS)(of_moments, &moments, 0, blocks(batch->rows));
    const ps_moments_fold_params fold = {blocks(batch->rows), 0};
    void *const of_fold[] = {records, total};
    ps_dispatch(PS_KERNEL_MOMENTS_FOLD)(of_fold, &fold, 0, 1);
    const ps_sketch_params sketch = {.rows = batch->rows, .type = plan->type, .lanes = 1};
    void *const of_sketch[] = {values, validity, counts};
    ps_dispatch(PS_KERNEL_SKETCH)(of_sketch, &sketch, 0, 1);
    uint64_t counted = 0;
    for (uint32_t i = 0; i < PS_SKETCH_BUCKETS; i++) counted += counts[i];
    tell_sketch(counts, counted, out);
    tell_moments(total, out);
}

void ps_watch_batch(const ps_plan *plan, const ps_batch *batch, void *memory,
                    ps_watch_metrics *out) {
    if (batch->rows == 0) return;
    for (uint32_t i = 0; i < plan->watch_count; i++) watch(&plan->watch[i], batch, memory, &out[i]);
}
