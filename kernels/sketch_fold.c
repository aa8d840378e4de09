/* SPDX-License-Identifier: Apache-2.0
 * The lanes of kernel sketch as one.
 * Shapes: counts[params.lanes x PS_SKETCH_BUCKETS], total[PS_SKETCH_BUCKETS]. Item i is bucket i.
 * State: the total, where params.merge is 1.
 * Agrees: to the bit.
 */
#include "kernels/sketch.h"

PS_FN void ps_sketch_fold_at(ps_u32 bucket, PS_GLOBAL const ps_u32 *PS_RESTRICT counts,
                             PS_GLOBAL ps_u64 *PS_RESTRICT total, ps_sketch_fold_params p) {
    ps_u64 sum = p.merge ? total[bucket] : 0;
    for (ps_u32 lane = 0; lane < p.lanes; lane++)
        sum += counts[(ps_u64)lane * PS_SKETCH_BUCKETS + bucket];
    total[bucket] = sum;
}
PS_ENTRY_2(sketch_fold, const ps_u32, ps_u64)
