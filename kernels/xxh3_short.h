/* SPDX-License-Identifier: Apache-2.0
 * The parts of XXH3 (64 bits, seed 0) that do not stream: its secret, records up to 240 bytes, and
 * the end of a long one.
 * Source: xxHash doc/xxhash_spec.md, "XXH3 Algorithm Description (for small, medium and large
 * inputs)".
 */
#ifndef PS_KERNELS_XXH3_SHORT_H
#define PS_KERNELS_XXH3_SHORT_H

#include "kernels/dialect.h"

#define PS_XXH_PRIME32_1 0x9E3779B1u
#define PS_XXH_PRIME32_2 0x85EBCA77u
#define PS_XXH_PRIME32_3 0xC2B2AE3Du
#define PS_XXH_PRIME64_1 0x9E3779B185EBCA87u
#define PS_XXH_PRIME64_2 0xC2B2AE3D27D4EB4Fu
#define PS_XXH_PRIME64_3 0x165667B19E3779F9u
#define PS_XXH_PRIME64_4 0x85EBCA77C2B2AE63u
#define PS_XXH_PRIME64_5 0x27D4EB2F165667C5u
#define PS_XXH_MIX_1     0x165667919E3779F9u
#define PS_XXH_MIX_2     0x9FB21C651E98DF25u

/* What the eight lanes of a long record start from. */
#define PS_XXH3_LANES                                                                         \
    PS_XXH_PRIME32_3, PS_XXH_PRIME64_1, PS_XXH_PRIME64_2, PS_XXH_PRIME64_3, PS_XXH_PRIME64_4, \
        PS_XXH_PRIME32_2, PS_XXH_PRIME64_5, PS_XXH_PRIME32_1

PS_TABLE ps_u8 ps_xxh3_secret[192] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

PS_FN ps_u64 ps_xxh3_key64(ps_u32 at) {
#if defined(PS_PLAIN_C)
    return ps_read64(ps_xxh3_secret + at);
#else
    ps_u64 key = 0;
    for (ps_u32 i = 0; i < 8; i++) key |= (ps_u64)ps_xxh3_secret[at + i] << (8 * i);
    return key;
#endif
}

/* The lower half of the 128-bit product, added without carry to the upper. */
PS_FN ps_u64 ps_xxh3_fold(ps_u64 a, ps_u64 b) {
#if defined(PS_PLAIN_C)
    __extension__ typedef unsigned __int128 ps_u128;
    const ps_u128 product = (ps_u128)a * b;
    return (ps_u64)product ^ (ps_u64)(product >> 64);
#elif defined(__CUDACC__)
    return (a * b) ^ __umul64hi(a, b);
#else
    return (a * b) ^ mul_hi(a, b);
#endif
}

PS_FN ps_u64 ps_xxh3_avalanche(ps_u64 h) {
    h = (h ^ (h >> 37)) * PS_XXH_MIX_1;
    return h ^ (h >> 32);
}

PS_FN ps_u64 ps_xxh64_avalanche(ps_u64 h) {
    h = (h ^ (h >> 33)) * PS_XXH_PRIME64_2;
    h = (h ^ (h >> 29)) * PS_XXH_PRIME64_3;
    return h ^ (h >> 32);
}

PS_FN ps_u64 ps_xxh3_mix16(PS_GLOBAL const ps_u8 *at, ps_u32 secret) {
    return ps_xxh3_fold(ps_read64(at) ^ ps_xxh3_key64(secret),
                        ps_read64(at + 8) ^ ps_xxh3_key64(secret + 8));
}

PS_FN ps_u64 ps_xxh3_to_16(PS_GLOBAL const ps_u8 *record, ps_u32 length) {
    if (length > 8) {
        const ps_u64 low = ps_read64(record) ^ ps_xxh3_key64(24) ^ ps_xxh3_key64(32);
        const ps_u64 high = ps_read64(record + length - 8) ^ ps_xxh3_key64(40) ^ ps_xxh3_key64(48);
        ps_u64 swapped = (low << 32) | (low >> 32);
        swapped = (swapped & 0x0000FFFF0000FFFFu) << 16 | (swapped >> 16 & 0x0000FFFF0000FFFFu);
        swapped = (swapped & 0x00FF00FF00FF00FFu) << 8 | (swapped >> 8 & 0x00FF00FF00FF00FFu);
        return ps_xxh3_avalanche(length + swapped + high + ps_xxh3_fold(low, high));
    }
    if (length >= 4) {
        ps_u64 h = (ps_u64)ps_read32(record) << 32 | ps_read32(record + length - 4);
        h ^= ps_xxh3_key64(8) ^ ps_xxh3_key64(16);
        h ^= (h << 49 | h >> 15) ^ (h << 24 | h >> 40);
        h *= PS_XXH_MIX_2;
        h ^= (h >> 35) + length;
        h *= PS_XXH_MIX_2;
        return h ^ (h >> 28);
    }
    if (length == 0) return ps_xxh64_avalanche(ps_xxh3_key64(56) ^ ps_xxh3_key64(64));
    const ps_u32 combined = (ps_u32)record[0] << 16 | (ps_u32)record[length >> 1] << 24 |
                            (ps_u32)record[length - 1] | length << 8;
    const ps_u64 key = ps_xxh3_key64(0);
    return ps_xxh64_avalanche((ps_u64)combined ^ ((key ^ key >> 32) & 0xFFFFFFFFu));
}

PS_FN ps_u64 ps_xxh3_to_128(PS_GLOBAL const ps_u8 *record, ps_u32 length) {
    ps_u64 h = length * PS_XXH_PRIME64_1;
    if (length > 32) { /* one question for the shortest, which are most */
        if (length > 64) {
            if (length > 96)
                h += ps_xxh3_mix16(record + 48, 96) + ps_xxh3_mix16(record + length - 64, 112);
            h += ps_xxh3_mix16(record + 32, 64) + ps_xxh3_mix16(record + length - 48, 80);
        }
        h += ps_xxh3_mix16(record + 16, 32) + ps_xxh3_mix16(record + length - 32, 48);
    }
    h += ps_xxh3_mix16(record, 0) + ps_xxh3_mix16(record + length - 16, 16);
    return ps_xxh3_avalanche(h);
}

PS_FN ps_u64 ps_xxh3_short(PS_GLOBAL const ps_u8 *record, ps_u32 length) {
    if (length <= 16) return ps_xxh3_to_16(record, length);
    if (length <= 128) return ps_xxh3_to_128(record, length);
    ps_u64 h = length * PS_XXH_PRIME64_1;
    for (ps_u32 i = 0; i < 8; i++) h += ps_xxh3_mix16(record + i * 16, i * 16);
    h = ps_xxh3_avalanche(h);
    for (ps_u32 i = 8; i < length / 16; i++) h += ps_xxh3_mix16(record + i * 16, i * 16 - 125);
    return ps_xxh3_avalanche(h + ps_xxh3_mix16(record + length - 16, 119));
}

/* Folds the lanes of a long record into its hash. */
PS_FN ps_u64 ps_xxh3_merge(const ps_u64 *lanes, ps_u32 length) {
    ps_u64 h = length * PS_XXH_PRIME64_1;
    for (ps_u32 i = 0; i < 8; i += 2)
        h += ps_xxh3_fold(lanes[i] ^ ps_xxh3_key64(11 + i * 8),
                          lanes[i + 1] ^ ps_xxh3_key64(19 + i * 8));
    return ps_xxh3_avalanche(h);
}

#endif
