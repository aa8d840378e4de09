/* SPDX-License-Identifier: Apache-2.0
 * What detector ewma must say, recomputed one record after another from its documentation
 * (kernels/ewma.c): one mean, variance and count per partition and series. The score of a deviation
 * alone is the worker's own function, kernels/score.h.
 */
#ifndef PS_TESTS_INTEGRATION_MODEL_H
#define PS_TESTS_INTEGRATION_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/integration/client.h"

typedef struct model_params {
    double alpha, warmup;
    float threshold;
} model_params;

typedef struct model model;

typedef struct model_verdict {
    float score; /* NaN: the detector skips the row */
    bool anomaly;
    bool libm_agrees; /* with erfc and log10 of long double, to 1e-6 */
} model_verdict;

model *model_open(model_params params);
void model_close(model *model);

/* The next value of a series; `present` false: null. */
model_verdict model_next(model *model, int32_t partition, text series, bool present, double value);

/* The member at `path` (names separated by dots) of a JSON object that is known to be well formed:
 * false where there is none. A string comes with its quotes. Duplicate names: the first. */
bool json_member(text object, const char *path, text *out);

/* A JSON number, or false (null, or anything else). */
bool json_number(text value, double *out);

#endif
