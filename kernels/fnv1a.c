/* SPDX-License-Identifier: Apache-2.0
 * FNV-1a, 64 bits, of every record of a batch.
 * Shapes: bytes[], begin[n], length[n], out[n].
 * Units: bytes. A null record has the hash 0; an empty one has not.
 * State: none.
 * Agrees: to the bit.
 * Source: G. Fowler et al., The FNV Non-Cryptographic Hash Algorithm (draft-eastlake-fnv), sections
 * 2 and 5.
 */
#include "kernels/fnv1a.h"

#include "kernels/stage_gpu.h"

#if defined(PS_PLAIN_C)
PS_FN void ps_fnv1a_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                       PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                       PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                       PS_GLOBAL ps_u64 *PS_RESTRICT out, ps_fnv1a_params p) {
    (void)p;
    PS_GLOBAL const ps_u8 *const record = bytes + begin[row];
    ps_u64 hash = length[row] == PS_NULL ? 0 : PS_FNV1A_START;
    const ps_u32 n = length[row] == PS_NULL ? 0 : length[row];
    for (ps_u32 i = 0; i < n; i++) hash = (hash ^ record[i]) * PS_FNV1A_PRIME;
    out[row] = hash;
}
#else
PS_FN_SHARING void ps_fnv1a_staged(PS_LOCAL ps_u32 *memory, ps_u32 row, ps_u32 end,
                                   PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                                   PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                                   PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                                   PS_GLOBAL ps_u64 *PS_RESTRICT out, ps_fnv1a_params p) {
    const ps_stage stage = ps_stage_open(memory, bytes, begin, length, row, end, 0);
    const ps_u32 windows = ps_stage_windows(&stage, stage.length / 64u + 1u);
    ps_u64 hash = stage.there ? PS_FNV1A_START : 0;
    (void)p;
    for (ps_u32 window = 0; window < windows; window++) {
        const ps_u32 left = ps_stage_left(&stage, window);
        ps_stage_load(&stage, window);
        for (ps_u32 i = 0; i < 64u && i < left; i++)
            hash = (hash ^ ps_stage_byte(&stage, i)) * PS_FNV1A_PRIME;
    }
    if (row < end) out[row] = hash;
}
#endif
PS_ENTRY_RECORDS(fnv1a, ps_u64)
