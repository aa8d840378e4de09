/* SPDX-License-Identifier: Apache-2.0
 * A plan with a field of every type and eight rows to filter, for the tests of expressions.
 */
#ifndef PS_TESTS_EXPRESSIONS_H
#define PS_TESTS_EXPRESSIONS_H

#include <math.h>

#include "host/stages/stages.h"
#include "tests/batches.h"

enum { EXPRESSION_ROWS = 8 };

/* Row    0      1      2      3      4      5       6      7
 * dc     eu     us     ''     null   europe it's    eu     Ünï
 * cpu    0.5    99.5   -3.25  null   1e300  0       2      7
 * n      0      1      -7     42     null   max     min    3
 * up     true   false  true   false  true   null    false  true
 * ts ms  0      1000   -1     5      null   1700…   7      8     (stored in ns, row 2: -1 ns)
 * score  0      3.5    none   6.25   300    1       9      4
 * anomaly, why: rows 3 (zscore), 4 (ewma), 6 (ewma)
 * key    k0     null   k2 …                  timestamp: 100 + row, row 1: none; offset: 1000 + row
 */
static const char *const row_dc[EXPRESSION_ROWS] = {"eu",     "us",   "",   NULL,
                                                    "europe", "it's", "eu", "\xc3\x9cn\xc3\xaf"};
static const double row_cpu[EXPRESSION_ROWS] = {0.5, 99.5, -3.25, NAN, 1e300, 0.0, 2.0, 7.0};
static const int64_t row_n[EXPRESSION_ROWS] = {0, 1, -7, 42, 0, INT64_MAX, INT64_MIN, 3};
static const uint8_t row_up[EXPRESSION_ROWS] = {1, 0, 1, 0, 1, 0, 0, 1};
static const int64_t row_ts[EXPRESSION_ROWS] = {
    0, 1000000000, -1, 5999999, 0, INT64_C(1700000000000000000), 7000000, 8000000};
static const float row_score[EXPRESSION_ROWS] = {0.0f, 3.5f, NAN, 6.25f, 300.0f, 1.0f, 9.0f, 4.0f};
static const uint8_t row_anomaly[EXPRESSION_ROWS] = {0, 0, 0, 1, 1, 0, 1, 0};
static const uint8_t row_why[EXPRESSION_ROWS] = {255, 255, 255, 1, 0, 255, 0, 255};
enum { NULL_CPU = 3, NULL_N = 4, NULL_UP = 5, NULL_TS = 4 };

extern const char *const expression_labels[2]; /* what `why` counts */

/* Not closed: filters may still be added. */
ps_plan *expression_plan(void);
void expression_plan_free(ps_plan *plan);

/* The rows above, as a batch of `schema`, which is closed; test_batch_free() frees it. */
void expression_batch(ps_batch *batch, const ps_schema *schema);

/* Runs the filter calls of a closed plan; bit i of the answer: row i is kept. */
uint32_t expression_run(const ps_plan *plan, const ps_batch *batch);

/* Compiles and runs one expression over the rows above. */
ps_status expression_kept(const char *where, uint32_t *kept, ps_error *error);

#endif
