/* SPDX-License-Identifier: Apache-2.0
 * Columns that a kernel finds by itself, because there are more of them than it has buffers: a
 * table of words says where in the block each one lies. A value that is read has three words, what
 * is written has one.
 */
#ifndef PS_KERNELS_FOUND_H
#define PS_KERNELS_FOUND_H

#include "kernels/dialect.h"
#include "kernels/score.h"
#include "kernels/summary.h"

#define PS_FOUND_WORDS 3u /* byte of the values, byte of the validity, type or how it is read */

/* Values beyond it take part in nothing, so that no sum of squares overflows. */
#define PS_FOUND_LIMIT 1e140

/* Value `index` of the row; 0: it is null, NaN, infinite or beyond the limit. */
PS_FN ps_u32 ps_found(PS_GLOBAL const ps_u8 *block, PS_GLOBAL const ps_u32 *table, ps_u32 index,
                      ps_u32 row, double *x) {
    PS_GLOBAL const ps_u32 *const words = table + PS_FOUND_WORDS * index;
    *x = ps_value(block + words[0], row, words[2]);
    return ps_bit(block + words[1], row) != 0u && ps_fabs(*x) <= PS_FOUND_LIMIT;
}

PS_FN void ps_found_number(PS_GLOBAL ps_u8 *block, ps_u32 at, ps_u32 row, double x) {
    ((PS_GLOBAL double *)(PS_GLOBAL void *)(block + at))[row] = x;
}

PS_FN void ps_found_score(PS_GLOBAL ps_u8 *block, ps_u32 at, ps_u32 row, float x) {
    ((PS_GLOBAL float *)(PS_GLOBAL void *)(block + at))[row] = x;
}

#endif
