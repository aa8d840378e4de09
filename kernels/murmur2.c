/* SPDX-License-Identifier: Apache-2.0
 * MurmurHash2, 32 bits, of every record of a batch, with the seed of Kafka's partitioner.
 * Shapes: bytes[], begin[n], length[n], out[n].
 * Units: bytes. A null record has the hash 0; an empty one has not.
 * State: none.
 * Agrees: to the bit.
 * Source: A. Appleby, MurmurHash2 (public domain, 2008); seed: Apache Kafka, Utils.murmur2.
 */
#include "kernels/murmur2.h"

#include "kernels/stage_gpu.h"

#if defined(PS_PLAIN_C)
PS_FN void ps_murmur2_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                         PS_GLOBAL ps_u32 *PS_RESTRICT out, ps_murmur2_params p) {
    (void)p;
    const ps_u32 n = length[row];
    out[row] = n == PS_NULL ? 0u : ps_murmur2_rest(bytes + begin[row], n, 0, PS_MURMUR2_SEED ^ n);
}
#else
PS_FN_SHARING void ps_murmur2_staged(PS_LOCAL ps_u32 *memory, ps_u32 row, ps_u32 end,
                                     PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                                     PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                                     PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                                     PS_GLOBAL ps_u32 *PS_RESTRICT out, ps_murmur2_params p) {
    const ps_stage stage = ps_stage_open(memory, bytes, begin, length, row, end, 0);
    const ps_u32 windows = ps_stage_windows(&stage, stage.length / 64u + 1u);
    ps_u32 hash = PS_MURMUR2_SEED ^ stage.length, tail = 0;
    (void)p;
    for (ps_u32 window = 0; window < windows; window++) {
        const ps_u32 left = ps_stage_left(&stage, window);
        ps_stage_load(&stage, window);
        for (ps_u32 i = 0; i < 16u && i < left / 4u; i++)
            hash = ps_murmur2_word(hash, ps_stage_word(&stage, i));
        if (left < 64u && (left & 3u) != 0)
            tail = ps_stage_first(ps_stage_word(&stage, left / 4u), left & 3u);
    }
    if (row < end) out[row] = stage.there ? ps_murmur2_finish(hash, tail, stage.length & 3u) : 0u;
}
#endif
PS_ENTRY_RECORDS(murmur2, ps_u32)
