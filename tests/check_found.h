/* SPDX-License-Identifier: Apache-2.0
 * What the checks of kernels share that find their columns by themselves (kernels/found.h).
 */
#ifndef PS_TESTS_CHECK_FOUND_H
#define PS_TESTS_CHECK_FOUND_H

#include "tests/check_kernels.h"

enum { CHECK_FOUND_ROWS = 1500, CHECK_FOUND_SERIES = 40, CHECK_FOUND_OUTPUTS = 20 };

typedef struct check_found_kernel {
    const void *params; /* with a capacity of CHECK_FOUND_SERIES */
    uint32_t inputs, planes;
    bool timed; /* milliseconds of the record, as one more input */
    bool together;
    uint32_t outputs;
    uint8_t width[CHECK_FOUND_OUTPUTS]; /* bytes of each: 8, 4 or 1 */
    const void *constant;               /* a buffer behind the table; NULL: there is none */
    size_t constant_bytes;
} check_found_kernel;

/* Every kind of value in batches with a state that goes on, against the reference; that a cut
 * between batches does not show; and that nothing but the one NaN comes out. */
void check_found(ps_check *c, const check_found_kernel *k);

/* One series of `count` rows (at most CHECK_FOUND_ROWS), input i of row r at values[i * count + r];
 * output columns one behind the other, doubles of all of them. */
void check_found_series(ps_check *c, const check_found_kernel *k, uint32_t count,
                        const double *values, const int64_t *time_ms, double *out);

#endif
