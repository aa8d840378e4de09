/* SPDX-License-Identifier: Apache-2.0
 * The known answers of the kernels that find their columns by themselves (kernels/found.h): one
 * series of 64 rows that steps up half way. The answers are those of the reference, which
 * tests/check_*.c hold to other people's.
 */
#include <string.h>

#include "kernels/drift.h"
#include "kernels/forecast.h"
#include "kernels/multivariate.h"
#include "kernels/risk.h"
#include "simd/self_test.h"

enum { ROWS = 64, COLUMN = ROWS * 8, WORDS = 24 };

/* Values, their validity, and room for `outputs` columns; what they are told apart. */
typedef struct known {
    uint64_t block[16 * ROWS];
    uint32_t table[WORDS], order[ROWS], first[2], series;
    uint8_t fresh;
} known;

static void known_init(known *k, uint32_t inputs, uint32_t outputs) {
    memset(k, 0, sizeof *k);
    k->fresh = 1;
    k->first[1] = ROWS;
    for (uint32_t i = 0; i < inputs; i++) {
        k->table[3 * i] = i * COLUMN;
        k->table[3 * i + 1] = 15 * COLUMN;
        k->table[3 * i + 2] = PS_VALUE_F64;
        for (uint32_t row = 0; row < ROWS; row++) {
            const double x =
                (double)((row + i) * 37u % 11u) + (row < ROWS / 2 ? 0.0 : 20.0) + (double)(row * i);
            memcpy(&k->block[i * ROWS + row], &x, sizeof x);
        }
    }
    for (uint32_t i = 0; i < outputs; i++) k->table[3 * inputs + i] = (inputs + i) * COLUMN;
    memset(&k->block[15 * ROWS], 0xff, sizeof(uint64_t));
    for (uint32_t row = 0; row < ROWS; row++) k->order[row] = row;
}

static double number(const known *k, uint32_t column, uint32_t row) {
    double x;
    memcpy(&x, &k->block[column * ROWS + row], sizeof x);
    return x;
}

/* The step is complete in the window, and a drift, with the last row. */
bool ps_self_test_drift(const ps_asked *a) {
    const ps_drift_params params = {
        .score = 6.0, .effect = 0.25, .baseline = 32, .pane = 4, .capacity = 1};
    known k;
    double state[PS_DRIFT_PLANES] = {0}, image[PS_DRIFT_PLANES] = {0};
    known_init(&k, 1, 6);
    const ps_known operands[] = {OBJECT(k.block), OBJECT(k.table),  OBJECT(k.order),
                                 OBJECT(k.first), OBJECT(k.series), OBJECT(k.fresh),
                                 OBJECT(state),   OBJECT(image)};
    if (!ps_ask(a, operands, &params, 1)) return false;
    const uint8_t *verdict = (const uint8_t *)&k.block[6 * ROWS];
    return memcmp(state, image, sizeof state) == 0 && number(&k, 4, 62) != number(&k, 4, 62) &&
           number(&k, 1, 63) == 0x1.8d41b487347d2p+4 && number(&k, 4, 63) == 0x1.42p+4 &&
           verdict[62] == 0 && verdict[63] == 1;
}

/* Season and bounds, once with the season that is given. */
bool ps_self_test_forecast(const ps_asked *a) {
    enum { PARTS = 11, HORIZON = 2, PLANES = PS_FORECAST_PLANES + PARTS + HORIZON };
    const ps_forecast_params params = {.weights = {0.25, 0.125, 0.25, 0.5},
                                       .damped = 0.75,
                                       .variance = 0.125,
                                       .horizon = HORIZON,
                                       .parts = PARTS,
                                       .method = PS_FORECAST_ADDITIVE,
                                       .warmup = 12,
                                       .quantiles = 3};
    const double quantile[3] = {12.0, 4.0, 3.0};
    known k;
    double state[PLANES] = {0}, image[PLANES] = {0};
    known_init(&k, 1, 3);
    const ps_known operands[] = {OBJECT(k.block), OBJECT(k.table), OBJECT(quantile),
                                 OBJECT(k.order), OBJECT(k.first), OBJECT(k.series),
                                 OBJECT(k.fresh), OBJECT(state),   OBJECT(image)};
    if (!ps_ask(a, operands, &params, 1)) return false;
    return memcmp(state, image, sizeof state) == 0 && number(&k, 1, 10) != number(&k, 1, 10) &&
           number(&k, 1, 63) == 0x1.d40c8a187e2ddp+4 && number(&k, 3, 63) == 0x1.1ceb2424d89cfp+5;
}

/* Two fields, the second a climbing one, and their own first values for the time. */
bool ps_self_test_risk(const ps_asked *a) {
    enum { FIELDS = 2, PLANES = PS_RISK_TRENDS + PS_RISK_TREND * FIELDS };
    const ps_risk_params params = {.keep = 0.875,
                                   .horizon = 16.0,
                                   .confidence = 0.5,
                                   .fields = FIELDS,
                                   .warmup = 4,
                                   .capacity = 1};
    const double limit[PS_RISK_CONSTANTS * FIELDS] = {64.0, 1.0, 1.0, 128.0, 1.0, 0.5};
    known k;
    double state[PLANES] = {0}, image[PLANES] = {0};
    known_init(&k, FIELDS + 1, PS_RISK_PARTS + FIELDS);
    k.table[3 * FIELDS + 2] = PS_TIME_RECORD_MS;
    for (uint32_t row = 0; row < ROWS; row++) k.block[FIELDS * ROWS + row] = row * 250u;
    const ps_known operands[] = {OBJECT(k.block), OBJECT(k.table), OBJECT(limit),
                                 OBJECT(k.order), OBJECT(k.first), OBJECT(k.series),
                                 OBJECT(k.fresh), OBJECT(state),   OBJECT(image)};
    if (!ps_ask(a, operands, &params, 1)) return false;
    const uint8_t *factor = (const uint8_t *)&k.block[6 * ROWS];
    return memcmp(state, image, sizeof state) == 0 && factor[0] == PS_RISK_NONE &&
           factor[63] == 1 && number(&k, 4, 63) == 0x1.0515bec0656fbp+3 &&
           number(&k, 8, 63) == 0x1.5316824646854p-2;
}

static bool multivariate(const ps_asked *a, uint32_t method, double t2, double q) {
    enum { FIELDS = 3, PLANES_MOST = 64 };
    const ps_multivariate_params params = {.alpha = 0.0625,
                                           .shrinkage = 0.125,
                                           .explained = 0.5,
                                           .threshold = 6.0,
                                           .fields = FIELDS,
                                           .method = method,
                                           .warmup = 12,
                                           .refit = 8};
    known k;
    double state[PLANES_MOST] = {0}, image[PLANES_MOST] = {0};
    known_init(&k, FIELDS, 5);
    const ps_known operands[] = {OBJECT(k.block), OBJECT(k.table),  OBJECT(k.order),
                                 OBJECT(k.first), OBJECT(k.series), OBJECT(k.fresh),
                                 OBJECT(state),   OBJECT(image)};
    if (!ps_ask(a, operands, &params, 1)) return false;
    const double x = number(&k, 4, 63), y = number(&k, 5, 63);
    return memcmp(state, image, sizeof state) == 0 && number(&k, 4, 11) != number(&k, 4, 11) &&
           x == t2 && (y == q || (y != y && q != q));
}

/* Both methods: distances of the last row. */
bool ps_self_test_multivariate(const ps_asked *a) {
    return multivariate(a, PS_MULTIVARIATE_MAHALANOBIS, 0x1.b87b776630f4cp+0, (double)ps_nan()) &&
           multivariate(a, PS_MULTIVARIATE_PCA, 0x1.6c02fa7abdf0cp+0, 0x1.69e40e4e9d88ep-5);
}
