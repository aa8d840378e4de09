/* SPDX-License-Identifier: Apache-2.0
 * The records of kernel moments as one, in their order.
 * Shapes: record[8 x records], total[8]. One item.
 * State: the total, where params.merge is 1.
 * Agrees: to the bit; the order is that of the rows, whoever computed the records.
 */
#include "kernels/moments.h"

PS_FN void ps_moments_fold_at(ps_u32 item, PS_GLOBAL const double *PS_RESTRICT record,
                              PS_GLOBAL double *PS_RESTRICT total, ps_moments_fold_params p) {
    double m[PS_MOMENTS_WIDTH];
    (void)item;
    ps_moments_clear(m);
    if (p.merge) ps_moments_merge(m, total);
    for (ps_u32 i = 0; i < p.records; i++)
        ps_moments_merge(m, record + (ps_u64)i * PS_MOMENTS_WIDTH);
    for (ps_u32 i = 0; i < PS_MOMENTS_WIDTH; i++) total[i] = m[i];
}
PS_ENTRY_2(moments_fold, const double, double)
