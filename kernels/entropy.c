/* SPDX-License-Identifier: Apache-2.0
 * The entropy of the bytes of every record of a batch.
 * Shapes: bytes[], begin[n], length[n], entropy[n].
 * Units: bits per byte, 0 to 8: 0 where all bytes are the same or there are none, near 8 for
 * compressed and encrypted records of some hundreds of bytes. A null record has NaN.
 * State: none.
 * Agrees: to the bit: the sum goes over the byte values in order.
 * Source: C. E. Shannon, A mathematical theory of communication (1948), section 6.
 */
#include "kernels/entropy.h"

PS_FN double ps_entropy_of(const ps_u32 *count, double length) {
    double sum = 0.0;
    for (ps_u32 i = 0; i < 256; i++)
        if (count[i] > 1) sum += (double)count[i] * ps_log((double)count[i]);
    const double bits = (ps_log(length) - sum / length) * 1.4426950408889634074;
    return bits > 0.0 ? bits : 0.0;
}

PS_FN void ps_entropy_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                         PS_GLOBAL float *PS_RESTRICT entropy, ps_entropy_params p) {
    ps_u32 count[256], greatest = 0;
    (void)p;
    if (length[row] == PS_NULL) {
        entropy[row] = ps_nan();
        return;
    }
    for (ps_u32 i = 0; i < 256; i++) count[i] = 0;
    for (ps_u32 i = 0; i < length[row]; i++) count[bytes[(ps_u64)begin[row] + i]]++;
    for (ps_u32 i = 0; i < 256; i++) greatest = count[i] > greatest ? count[i] : greatest;
    /* One value alone is 0 exactly, and not what rounding leaves of it. */
    entropy[row] =
        greatest == length[row] ? 0.0f : (float)ps_entropy_of(count, (double)length[row]);
}
PS_ENTRY_4(entropy, const ps_u8, const ps_u32, const ps_u32, float)
