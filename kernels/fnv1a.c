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
PS_ENTRY_4(fnv1a, const ps_u8, const ps_u32, const ps_u32, ps_u64)
