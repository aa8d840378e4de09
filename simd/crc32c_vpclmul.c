/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C by folding: 256 bytes in four registers, each multiplied by the distance it moves
 * (carry-less) and added to what lies there. What is left after the last 64 bytes, and records
 * below 256 bytes, go through the crc32 instruction.
 * Agrees: to the bit.
 * Source: V. Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
 * Instruction (Intel, 2009).
 */
#include <immintrin.h>

#include "kernels/crc32c.h"
#include "kernels/table.h"

#define CRC_8 _mm_crc32_u64
#define CRC_4 _mm_crc32_u32
#define CRC_2 _mm_crc32_u16
#define CRC_1 _mm_crc32_u8
#include "simd/crc32c_rows.inc"

/* x^(bits + 31) and x^(bits - 33) mod P, reflected, for the lower and upper half of 16 bytes that
 * move by `bits`. */
#define BY_128_LOW   0xf20c0dfe
#define BY_128_HIGH  0x493c7d27
#define BY_256_LOW   0x3da6d0cb
#define BY_256_HIGH  0xba4fc28e
#define BY_384_LOW   0x1c291d04
#define BY_384_HIGH  0xddc0152b
#define BY_512_LOW   0x740eef02
#define BY_512_HIGH  0x9e4addf8
#define BY_1024_LOW  0x6992cea2
#define BY_1024_HIGH 0x0d3b6092
#define BY_1536_LOW  0xa87ab8a8
#define BY_1536_HIGH 0xab7aff2a
#define BY_2048_LOW  0xdcb17aa4
#define BY_2048_HIGH 0xb9e02b86

static inline __m512i distance(uint64_t low, uint64_t high) {
    return _mm512_broadcast_i32x4(_mm_set_epi64x((long long)high, (long long)low));
}

static inline __m512i fold(__m512i a, __m512i by, __m512i onto) {
    const __m512i low = _mm512_clmulepi64_epi128(a, by, 0x00);
    const __m512i high = _mm512_clmulepi64_epi128(a, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, onto, 0x96);
}

/* The four 16-byte parts of one register become one, then 32 bits. */
static inline uint64_t reduce(__m512i a) {
    const __m512i by = _mm512_set_epi64(0, 0, BY_128_HIGH, BY_128_LOW, BY_256_HIGH, BY_256_LOW,
                                        BY_384_HIGH, BY_384_LOW);
    const __m512i moved = fold(a, by, _mm512_maskz_mov_epi64(0xc0, a));
    const __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(moved), _mm512_extracti64x4_epi64(moved, 1));
    const __m128i one =
        _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const uint64_t crc = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(one));
    return _mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(one, 1));
}

/* At least 256 bytes; advances both to what is left, below 64 bytes. */
static inline uint64_t fold_long(const uint8_t **from, uint32_t *left) {
    const uint8_t *at = *from;
    uint32_t length = *left - 256;
    const __m512i by_2048 = distance(BY_2048_LOW, BY_2048_HIGH);
    const __m512i by_512 = distance(BY_512_LOW, BY_512_HIGH);
    __m512i a =
        _mm512_xor_si512(_mm512_loadu_si512(at), _mm512_zextsi128_si512(_mm_cvtsi32_si128(-1)));
    __m512i b = _mm512_loadu_si512(at + 64);
    __m512i c = _mm512_loadu_si512(at + 128);
    __m512i d = _mm512_loadu_si512(at + 192);
    for (at += 256; length >= 256; length -= 256, at += 256) {
        a = fold(a, by_2048, _mm512_loadu_si512(at));
        b = fold(b, by_2048, _mm512_loadu_si512(at + 64));
        c = fold(c, by_2048, _mm512_loadu_si512(at + 128));
        d = fold(d, by_2048, _mm512_loadu_si512(at + 192));
    }
    d = fold(a, distance(BY_1536_LOW, BY_1536_HIGH), d);
    d = fold(c, by_512, d);
    d = fold(b, distance(BY_1024_LOW, BY_1024_HIGH), d);
    for (; length >= 64; length -= 64, at += 64) d = fold(d, by_512, _mm512_loadu_si512(at));
    *from = at;
    *left = length;
    return reduce(d);
}

static uint32_t crc32c(const uint8_t *column, const uint8_t *at, uint32_t length) {
    uint64_t crc = 0xFFFFFFFFu;
    if (length >= 256) crc = fold_long(&at, &length);
    return crc32c_end(crc, column, at, length);
}

ps_kernel_fn ps_crc32c_vpclmul;
void ps_crc32c_vpclmul(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    (void)params;
    crc32c_rows(buf, begin, end);
}
