/* SPDX-License-Identifier: Apache-2.0
 * MurmurHash2, 32 bits, of every record of a batch, with the seed of Kafka's partitioner.
 * Shapes: bytes[], begin[n], length[n], out[n].
 * Units: bytes. A null record has the hash 0; an empty one has not.
 * State: none.
 * Agrees: to the bit.
 * Source: A. Appleby, MurmurHash2 (public domain, 2008); seed: Apache Kafka, Utils.murmur2.
 */
#include "kernels/murmur2.h"

PS_FN void ps_murmur2_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                         PS_GLOBAL ps_u32 *PS_RESTRICT out, ps_murmur2_params p) {
    (void)p;
    const ps_u32 n = length[row];
    out[row] = n == PS_NULL ? 0u : ps_murmur2_rest(bytes + begin[row], n, 0, PS_MURMUR2_SEED ^ n);
}
PS_ENTRY_4(murmur2, const ps_u8, const ps_u32, const ps_u32, ps_u32)
