/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/samples.h"

#include <string.h>

#include "host/base/limits.h"
#include "kernels/cusum.h"
#include "kernels/discord.h"
#include "kernels/drift.h"
#include "kernels/ewma.h"
#include "kernels/forecast.h"
#include "kernels/half_space_trees.h"
#include "kernels/hampel.h"
#include "kernels/holt_winters.h"
#include "kernels/iqr.h"
#include "kernels/lz4.h"
#include "kernels/merkle.h"
#include "kernels/moments.h"
#include "kernels/multivariate.h"
#include "kernels/mzscore.h"
#include "kernels/prototype.h"
#include "kernels/risk.h"
#include "kernels/sha256.h"
#include "kernels/sketch.h"
#include "kernels/slim.h"
#include "kernels/spectral_residual.h"
#include "kernels/summary.h"
#include "kernels/suppress.h"
#include "kernels/vote.h"
#include "kernels/where.h"
#include "kernels/zscore.h"

enum { PLACE = 512, SERIES_ROWS = 32, HASH = 32 };

typedef struct making {
    ps_sample *sample;
    const ps_block *block;
    uint32_t rows, length;
} making;

static void *operand(const making *m, size_t bytes) {
    ps_sample *s = m->sample;
    PS_CHECK_OP(s->used + bytes, <=, (size_t)PS_SAMPLE_BYTES);
    uint8_t *at = m->block->host + s->used;
    memset(at, 0, bytes);
    s->span[s->operands++] = (ps_span){m->block, s->used};
    s->used += (bytes + PLACE - 1) / PLACE * PLACE;
    return at;
}

static void params(const making *m, const void *bytes, size_t count) {
    memcpy(m->sample->params, bytes, count);
}

static void values(const making *m) {
    double *value = operand(m, m->rows * sizeof *value);
    for (uint32_t i = 0; i < m->rows; i++) value[i] = i * 37 % 101 + 0.5;
}

static void validity(const making *m) {
    const size_t bytes = (m->rows + 63) / 64 * 8;
    memset(operand(m, bytes), 0xff, bytes);
}

static void bytes_of(const making *m, uint32_t down) {
    uint8_t *arena = operand(m, (size_t)m->rows * m->length + PS_ARENA_PADDING);
    uint32_t *begin = operand(m, m->rows * sizeof *begin);
    uint32_t *lengths = operand(m, m->rows * sizeof *lengths);
    (void)operand(m, (size_t)m->rows * down);
    for (uint32_t i = 0; i < m->rows * m->length; i++) arena[i] = (uint8_t)(' ' + i * 7 % 89);
    for (uint32_t i = 0; i < m->rows; i++) begin[i] = i * m->length, lengths[i] = m->length;
}

static void hash4(const making *m) {
    bytes_of(m, 4);
}
static void hash8(const making *m) {
    bytes_of(m, 8);
}
static void hash32(const making *m) {
    bytes_of(m, HASH);
}
static void sha256(const making *m) {
    const ps_sha256_params plain = {PS_SHA256_PLAIN};
    bytes_of(m, HASH);
    params(m, &plain, sizeof plain);
}

/* One chunk: no plan calls it, and its measuring is to cost little. */
static void lz4(const making *m) {
    const uint32_t all = m->rows * m->length, bytes = all < 65536 ? all : 65536;
    const ps_lz4_params chunk = {PS_LZ4_BOUND(bytes)};
    uint8_t *arena = operand(m, bytes + PS_ARENA_PADDING);
    (void)operand(m, sizeof(uint32_t));
    memcpy(operand(m, sizeof bytes), &bytes, sizeof bytes);
    (void)operand(m, PS_LZ4_TABLE * sizeof(uint32_t));
    (void)operand(m, chunk.stride);
    (void)operand(m, sizeof(uint32_t));
    for (uint32_t i = 0; i < bytes; i++) arena[i] = (uint8_t)(' ' + i * i % 97 * 7 % 89);
    params(m, &chunk, sizeof chunk);
    m->sample->items = 1;
}

static void merkle(const making *m) {
    const ps_merkle_params level = {.carry = PS_NONE};
    (void)operand(m, (size_t)m->rows * 2 * HASH);
    (void)operand(m, HASH);
    (void)operand(m, (size_t)m->rows * HASH);
    params(m, &level, sizeof level);
}

static uint32_t segments(const making *m) {
    return (m->rows + SERIES_ROWS - 1) / SERIES_ROWS;
}

static uint32_t first_row(const making *m, uint32_t segment) {
    const uint32_t row = segment * SERIES_ROWS;
    return row < m->rows ? row : m->rows;
}

static void segment(const making *m) {
    const uint32_t count = segments(m);
    uint32_t *index = operand(m, m->rows * sizeof *index), *rank = operand(m, m->rows * 4);
    uint32_t *first = operand(m, (count + 1) * sizeof *first);
    (void)operand(m, m->rows * sizeof(uint32_t));
    for (uint32_t i = 0; i < m->rows; i++) index[i] = i / SERIES_ROWS, rank[i] = i % SERIES_ROWS;
    for (uint32_t i = 0; i <= count; i++) first[i] = first_row(m, i);
}

/* From `order` to `image`. */
static void grouped(const making *m, uint32_t planes) {
    const uint32_t count = segments(m);
    uint32_t *order = operand(m, m->rows * sizeof *order);
    uint32_t *first = operand(m, (count + 1) * sizeof *first);
    uint32_t *id = operand(m, count * sizeof *id);
    memset(operand(m, count), 1, count);
    (void)operand(m, (size_t)planes * count * sizeof(double));
    (void)operand(m, (size_t)planes * count * sizeof(double));
    /* Rows of a series lie apart, as they do in a stream. */
    for (uint32_t i = 0; i < m->rows; i++) order[i] = i;
    for (uint32_t i = 0; m->rows % count == 0 && i < m->rows; i++)
        order[i] = i % (m->rows / count) * count + i / (m->rows / count);
    for (uint32_t i = 0; i <= count; i++) first[i] = first_row(m, i);
    for (uint32_t i = 0; i < count; i++) id[i] = i;
}

/* From `value` to `image`: what kernels per series have alike. */
static void series(const making *m, uint32_t planes) {
    m->sample->items = segments(m);
    values(m);
    validity(m);
    grouped(m, planes);
}

static void times(const making *m) {
    int64_t *time = operand(m, m->rows * sizeof *time);
    for (uint32_t i = 0; i < m->rows; i++) time[i] = (int64_t)i * 60000;
    validity(m);
}

static void ewma(const making *m) {
    const ps_ewma_params p = {.alpha = 0.1, .warmup = 5, .capacity = segments(m)};
    series(m, PS_EWMA_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void zscore(const making *m) {
    const ps_zscore_params p = {.warmup = 5, .capacity = segments(m)};
    series(m, PS_ZSCORE_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void cusum(const making *m) {
    const ps_cusum_params p = {
        .alpha = 0.1, .slack = 0.5, .reset = 12.0, .warmup = 5, .capacity = segments(m)};
    series(m, PS_CUSUM_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void hampel(const making *m) {
    const ps_hampel_params p = {.window = PS_HAMPEL_WINDOW, .warmup = 5, .capacity = segments(m)};
    series(m, PS_HAMPEL_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void mzscore(const making *m) {
    const ps_mzscore_params p = {.memory = 1000.0, .warmup = 5, .capacity = segments(m)};
    series(m, PS_MZSCORE_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void iqr(const making *m) {
    const ps_iqr_params p = {.memory = 1000.0, .warmup = 5, .capacity = segments(m)};
    series(m, PS_IQR_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void holt_winters(const making *m) {
    const ps_holt_winters_params p = {.level = 0.1,
                                      .trend = 0.01,
                                      .season = 0.1,
                                      .variance = 0.1,
                                      .damping = 0.9,
                                      .parts = 24,
                                      .warmup = 5,
                                      .capacity = segments(m)};
    series(m, PS_HOLT_WINTERS_PLANES + p.parts);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void slim(const making *m) {
    const ps_slim_params p = {.envelope = 1.0, .calibrated = 0.25, .level = 2.0};
    series(m, PS_SLIM_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    times(m);
    (void)operand(m, m->rows);
    params(m, &p, sizeof p);
}
static void discord(const making *m) {
    const ps_discord_params p = {
        .least = 0.1, .flat = 0.5, .length = 8, .warmup = 5, .capacity = segments(m)};
    series(m, PS_DISCORD_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void half_space_trees(const making *m) {
    const ps_half_space_trees_params p = {.least = 0.1, .warmup = 5, .capacity = segments(m)};
    series(m, PS_HALF_SPACE_TREES_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void prototype(const making *m) {
    const ps_prototype_params p = {.least = 0.1, .warmup = 5, .capacity = segments(m)};
    series(m, PS_PROTOTYPE_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void spectral_residual(const making *m) {
    const ps_spectral_residual_params p = {.least = 0.1, .warmup = 5, .capacity = segments(m)};
    series(m, PS_SPECTRAL_RESIDUAL_PLANES);
    (void)operand(m, m->rows * sizeof(float));
    params(m, &p, sizeof p);
}
static void suppress(const making *m) {
    const ps_suppress_params p = {
        .quiet_ms = 3600000.0, .rows_least = 12, .rows_most = 160, .capacity = segments(m)};
    const uint32_t count = segments(m);
    m->sample->items = count;
    float *score = operand(m, m->rows * sizeof *score);
    memset(operand(m, m->rows), 1, m->rows);
    (void)operand(m, m->rows);
    grouped(m, PS_SUPPRESS_PLANES);
    times(m);
    for (uint32_t i = 0; i < m->rows; i++) score[i] = (float)(i * 37 % 101);
    params(m, &p, sizeof p);
}
static void summary(const making *m) {
    const ps_summary_params p = {.capacity = segments(m), .outputs = 2};
    const uint32_t plane = m->rows * (uint32_t)sizeof(double);
    const uint32_t table[] = {PS_SUMMARY_MEAN, 0, PS_SUMMARY_DEVIATION, plane};
    (void)operand(m, 2 * plane);
    memcpy(operand(m, sizeof table), table, sizeof table);
    series(m, PS_SUMMARY_PLANES);
    params(m, &p, sizeof p);
}

/* Of the kernels that find their columns by themselves: words of `inputs` values and `outputs`
 * columns, all in one block. */
static void found(const making *m, uint32_t inputs, uint32_t outputs) {
    const uint32_t plane = m->rows * (uint32_t)sizeof(double);
    uint8_t *block = operand(m, (size_t)plane * (inputs + outputs + 1));
    uint32_t *words = operand(m, (3 * inputs + outputs) * sizeof *words);
    memset(block + (size_t)plane * (inputs + outputs), 0xff, plane);
    for (uint32_t i = 0; i < inputs; i++) {
        words[3 * i] = i * plane;
        words[3 * i + 1] = (inputs + outputs) * plane;
        for (uint32_t row = 0; row < m->rows; row++) {
            const double x = row * 37 % 101 + 0.5 + i;
            memcpy(block + i * plane + row * sizeof x, &x, sizeof x);
        }
    }
    for (uint32_t i = 0; i < outputs; i++) words[3 * inputs + i] = (inputs + i) * plane;
    m->sample->items = segments(m);
}

static void drift(const making *m) {
    const ps_drift_params p = {
        .score = 6.0, .baseline = 8, .pane = 1, .renew = 1, .capacity = segments(m)};
    found(m, 1, 6);
    grouped(m, PS_DRIFT_PLANES);
    params(m, &p, sizeof p);
}

static void forecast(const making *m) {
    const ps_forecast_params p = {.weights = {0.1, 0.01, 0.1, 0.9},
                                  .damped = 0.9,
                                  .variance = 0.1,
                                  .horizon = 1,
                                  .parts = 24,
                                  .warmup = 2,
                                  .quantiles = 1};
    found(m, 1, 3);
    *(double *)operand(m, sizeof(double)) = 2.0;
    grouped(m, PS_FORECAST_PLANES + 25);
    params(m, &p, sizeof p);
}

static void risk(const making *m) {
    static const double limit[PS_RISK_CONSTANTS] = {200.0, 1.0, 1.0};
    const ps_risk_params p = {.keep = 0.95,
                              .horizon = 3600.0,
                              .confidence = 0.5,
                              .fields = 1,
                              .warmup = 3,
                              .capacity = segments(m)};
    found(m, 2, PS_RISK_PARTS + 1);
    memcpy(operand(m, sizeof limit), limit, sizeof limit);
    grouped(m, PS_RISK_TRENDS + PS_RISK_TREND);
    params(m, &p, sizeof p);
}

static void multivariate(const making *m) {
    const ps_multivariate_params p = {.alpha = 0.05,
                                      .shrinkage = 0.01,
                                      .threshold = 6.0,
                                      .fields = 3,
                                      .method = PS_MULTIVARIATE_MAHALANOBIS,
                                      .warmup = 12,
                                      .refit = 8};
    found(m, 3, 5);
    grouped(m, ps_multivariate_planes(p.fields, p.method));
    params(m, &p, sizeof p);
}

static void vote(const making *m) {
    const ps_vote_params p = {
        .detectors = 2, .stride = m->rows, .vote = 1, .threshold = 4.0f, .scale = {1.0f, 1.0f}};
    (void)operand(m, 2 * m->rows * sizeof(float));
    (void)operand(m, 2 * m->rows);
    (void)operand(m, m->rows * sizeof(float));
    (void)operand(m, m->rows);
    (void)operand(m, m->rows);
    params(m, &p, sizeof p);
}

/* `x > 1 and x < 90`, with x the doubles at the begin of the block. */
static void where(const making *m) {
    static const uint32_t one = 0x3ff00000, ninety = 0x40568000; /* upper halves of doubles */
    const uint32_t program[] = {
        PS_WHERE_LOAD_F64, 0, 0, 0, PS_WHERE_TEST_F64 | PS_WHERE_GREATER << 8, 0, one,
        PS_WHERE_LOAD_F64, 0, 0, 0, PS_WHERE_TEST_F64 | PS_WHERE_LESS << 8,    0, ninety,
        PS_WHERE_AND};
    const ps_where_params p = {.words = sizeof program / sizeof *program};
    values(m);
    memcpy(operand(m, sizeof program), program, sizeof program);
    (void)operand(m, m->rows);
    memset(operand(m, m->rows), 1, m->rows);
    params(m, &p, sizeof p);
}

static void moments(const making *m) {
    const ps_moments_params p = {m->rows, PS_VALUE_F64};
    m->sample->items = (m->rows + PS_MOMENTS_ROWS - 1) / PS_MOMENTS_ROWS;
    values(m);
    validity(m);
    (void)operand(m, m->sample->items * PS_MOMENTS_WIDTH * sizeof(double));
    params(m, &p, sizeof p);
}
static void moments_fold(const making *m) {
    const ps_moments_fold_params p = {(m->rows + PS_MOMENTS_ROWS - 1) / PS_MOMENTS_ROWS, 0};
    m->sample->items = 1;
    (void)operand(m, p.records * PS_MOMENTS_WIDTH * sizeof(double));
    (void)operand(m, PS_MOMENTS_WIDTH * sizeof(double));
    params(m, &p, sizeof p);
}
static void sketch(const making *m) {
    const ps_sketch_params p = {.rows = m->rows, .type = PS_VALUE_F64, .lanes = 1};
    m->sample->items = 1;
    values(m);
    validity(m);
    (void)operand(m, PS_SKETCH_BUCKETS * sizeof(uint32_t));
    params(m, &p, sizeof p);
}
static void sketch_fold(const making *m) {
    const ps_sketch_fold_params p = {.lanes = 1};
    m->sample->items = PS_SKETCH_BUCKETS;
    (void)operand(m, PS_SKETCH_BUCKETS * sizeof(uint32_t));
    (void)operand(m, PS_SKETCH_BUCKETS * sizeof(uint64_t));
    params(m, &p, sizeof p);
}

/* make: lays the operands out; reads_bytes; down: bytes that come back of a row. */
#define SAMPLE_SHA256 \
    { sha256, true, HASH }
#define SAMPLE_MERKLE \
    { merkle, false, HASH }
#define SAMPLE_XXH3 \
    { hash8, true, 8 }
#define SAMPLE_CRC32C \
    { hash4, true, 4 }
#define SAMPLE_BLAKE3 \
    { hash32, true, HASH }
#define SAMPLE_MURMUR2 \
    { hash4, true, 4 }
#define SAMPLE_FNV1A \
    { hash8, true, 8 }
#define SAMPLE_SEGMENT \
    { segment, false, 4 }
#define SAMPLE_EWMA \
    { ewma, false, 4 }
#define SAMPLE_ZSCORE \
    { zscore, false, 4 }
#define SAMPLE_CUSUM \
    { cusum, false, 4 }
#define SAMPLE_HAMPEL \
    { hampel, false, 4 }
#define SAMPLE_MZSCORE \
    { mzscore, false, 4 }
#define SAMPLE_IQR \
    { iqr, false, 4 }
#define SAMPLE_HOLT_WINTERS \
    { holt_winters, false, 4 }
#define SAMPLE_SLIM \
    { slim, false, 5 }
#define SAMPLE_DISCORD \
    { discord, false, 4 }
#define SAMPLE_HALF_SPACE_TREES \
    { half_space_trees, false, 4 }
#define SAMPLE_PROTOTYPE \
    { prototype, false, 4 }
#define SAMPLE_SPECTRAL_RESIDUAL \
    { spectral_residual, false, 4 }
#define SAMPLE_SUPPRESS \
    { suppress, false, 2 }
#define SAMPLE_VOTE \
    { vote, false, 6 }
#define SAMPLE_WHERE \
    { where, false, 1 }
#define SAMPLE_SUMMARY \
    { summary, false, 16 }
#define SAMPLE_DRIFT \
    { drift, false, 37 }
#define SAMPLE_FORECAST \
    { forecast, false, 24 }
#define SAMPLE_RISK \
    { risk, false, 29 }
#define SAMPLE_MULTIVARIATE \
    { multivariate, false, 22 }
#define SAMPLE_MOMENTS \
    { moments, false, 0 }
#define SAMPLE_MOMENTS_FOLD \
    { moments_fold, false, 0 }
#define SAMPLE_SKETCH \
    { sketch, false, 0 }
#define SAMPLE_SKETCH_FOLD \
    { sketch_fold, false, 0 }
#define SAMPLE_ENTROPY \
    { hash4, true, 4 }
#define SAMPLE_LZ4 \
    { lz4, true, 0 }

static const struct {
    void (*make)(const making *);
    bool reads_bytes;
    uint32_t down;
} samples[PS_KERNEL_COUNT] = {
#define PS_KERNEL_ROW(name, NAME, buffers, ulp) [PS_KERNEL_##NAME] = SAMPLE_##NAME,
#include "kernels/kernels.def"
#undef PS_KERNEL_ROW
};

void ps_sample_make(ps_kernel_id kernel, uint32_t rows, uint32_t length, const ps_block *block,
                    ps_sample *out) {
    const making m = {out, block, rows, length};
    memset(out, 0, sizeof *out);
    out->items = rows;
    samples[kernel].make(&m);
    PS_CHECK_OP(out->operands, ==, (uint32_t)ps_kernels[kernel].buffers);
}

bool ps_sample_reads_bytes(ps_kernel_id kernel) {
    return samples[kernel].reads_bytes;
}

uint32_t ps_sample_down(ps_kernel_id kernel) {
    return samples[kernel].down;
}
