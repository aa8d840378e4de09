/* SPDX-License-Identifier: Apache-2.0
 * Groups the rows of a batch by series: a counting sort whose counting the host did while it
 * resolved the ids.
 * Shapes: index[n], the dense index of the row's series in this batch, or PS_NONE for a row in no
 * segment; rank[n], how many rows of that series came before it; first[segments + 1], exclusive
 * prefix sums; order[first[segments]]. order[first[s] .. first[s + 1]) are then the rows of
 * segment s in the order in which they arrived.
 * State: none.
 * Agrees: to the bit; every row writes its own place, so the order of execution does not matter.
 */
#include "kernels/segment.h"

PS_FN void ps_segment_at(ps_u32 row, PS_GLOBAL const ps_u32 *PS_RESTRICT index,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT rank,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                         PS_GLOBAL ps_u32 *PS_RESTRICT order, ps_segment_params p) {
    (void)p;
    if (index[row] != PS_NONE) order[first[index[row]] + rank[row]] = row;
}
PS_ENTRY_4(segment, const ps_u32, const ps_u32, const ps_u32, ps_u32)
