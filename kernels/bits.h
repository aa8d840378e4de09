/* SPDX-License-Identifier: Apache-2.0
 * Numbers as bits, which C has no operators for. Included by kernels/dialect.h.
 */
#ifndef PS_KERNELS_BITS_H
#define PS_KERNELS_BITS_H

PS_FN float ps_f32_from_bits(ps_u32 bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

PS_FN ps_u32 ps_f32_to_bits(float value) {
    ps_u32 bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

PS_FN double ps_f64_from_bits(ps_u64 bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

PS_FN ps_u64 ps_f64_to_bits(double value) {
    ps_u64 bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

PS_FN ps_u64 ps_mul_high(ps_u64 a, ps_u64 b) {
    __extension__ typedef unsigned __int128 ps_u128;
    return (ps_u64)(((ps_u128)a * b) >> 64);
}

#endif
