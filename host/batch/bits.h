/* SPDX-License-Identifier: Apache-2.0
 * Validity bitmaps as Arrow has them: one bit a row, least significant first, 1: there is a value.
 */
#ifndef PS_HOST_BATCH_BITS_H
#define PS_HOST_BATCH_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool ps_bit_get(const uint8_t *bits, uint32_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}
static inline void ps_bit_set(uint8_t *bits, uint32_t i) {
    bits[i >> 3] = (uint8_t)(bits[i >> 3] | 1u << (i & 7));
}
static inline void ps_bit_clear(uint8_t *bits, uint32_t i) {
    bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7)));
}

#endif
