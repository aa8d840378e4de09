/* SPDX-License-Identifier: Apache-2.0
 * Counts a column's values by magnitude.
 * Shapes: value[rows] (double or int64 by params.type), validity[rows / 8],
 * counts[params.lanes x PS_SKETCH_BUCKETS], all of them written. Item i is virtual lane i.
 * State: none. Nulls and NaN are not counted; infinities are in the outermost buckets.
 * Agrees: to the bit; it only counts.
 */
#include "kernels/sketch.h"

PS_FN void ps_sketch_at(ps_u32 lane, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                        PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                        PS_GLOBAL ps_u32 *PS_RESTRICT counts, ps_sketch_params p) {
    PS_GLOBAL ps_u32 *const own = counts + (ps_u64)lane * PS_SKETCH_BUCKETS;
    for (ps_u32 i = 0; i < PS_SKETCH_BUCKETS; i++) own[i] = 0;
    for (ps_u64 row = lane; row < p.rows; row += p.lanes) {
        const double x = ps_value(value, (ps_u32)row, p.type);
        if (ps_bit(validity, (ps_u32)row) != 0u && x == x) own[ps_sketch_bucket(x)]++;
    }
}
PS_ENTRY_3(sketch, const ps_u8, const ps_u8, ps_u32)
