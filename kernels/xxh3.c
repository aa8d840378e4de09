/* SPDX-License-Identifier: Apache-2.0
 * XXH3, 64 bits, seed 0, default secret, of every record of a batch.
 * Shapes: bytes[], begin[n], length[n], out[n].
 * Units: bytes. A null record has the hash 0.
 * State: none.
 * Agrees: to the bit.
 * Source: Y. Collet, XXH3 specification, xxHash doc/xxhash_spec.md (version 0.8).
 */
#include "kernels/xxh3.h"

#include "kernels/xxh3_short.h"

/* Eight lanes take in one stripe of 64 bytes under `secret`. */
PS_FN void ps_xxh3_stripe(ps_u64 *lanes, PS_GLOBAL const ps_u8 *stripe, ps_u32 secret) {
    for (ps_u32 i = 0; i < 8; i++) {
        const ps_u64 word = ps_read64(stripe + i * 8);
        const ps_u64 keyed = word ^ ps_xxh3_key64(secret + i * 8);
        lanes[i ^ 1u] += word;
        lanes[i] += (keyed & 0xFFFFFFFFu) * (keyed >> 32);
    }
}

PS_FN void ps_xxh3_scramble(ps_u64 *lanes) {
    for (ps_u32 i = 0; i < 8; i++) {
        const ps_u64 mixed = lanes[i] ^ (lanes[i] >> 47) ^ ps_xxh3_key64(128 + i * 8);
        lanes[i] = mixed * PS_XXH_PRIME32_1;
    }
}

/* More than 240 bytes: stripes of 64 in blocks of 16, then the last 64 bytes, which may overlap. */
PS_FN ps_u64 ps_xxh3_long(PS_GLOBAL const ps_u8 *record, ps_u32 length) {
    ps_u64 lanes[8] = {PS_XXH3_LANES};
    const ps_u32 stripes = (length - 1) / 64;
    for (ps_u32 i = 0; i < stripes; i++) {
        ps_xxh3_stripe(lanes, record + (ps_u64)i * 64, i % 16 * 8);
        if (i % 16 == 15) ps_xxh3_scramble(lanes);
    }
    ps_xxh3_stripe(lanes, record + length - 64, 121);
    return ps_xxh3_merge(lanes, length);
}

PS_FN void ps_xxh3_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT length, PS_GLOBAL ps_u64 *PS_RESTRICT out,
                      ps_xxh3_params p) {
    (void)p;
    PS_GLOBAL const ps_u8 *const record = bytes + begin[row];
    if (length[row] == PS_NULL)
        out[row] = 0;
    else
        out[row] = length[row] > 240u ? ps_xxh3_long(record, length[row])
                                      : ps_xxh3_short(record, length[row]);
}
PS_ENTRY_4(xxh3, const ps_u8, const ps_u32, const ps_u32, ps_u64)
