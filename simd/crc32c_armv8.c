/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C with Armv8's crc32c instructions. Records overlap by themselves: they are independent.
 * Agrees: to the bit. Source: Arm Architecture Reference Manual, C6.2 (CRC32CB to CRC32CX).
 */
#include <arm_acle.h>

#include "kernels/crc32c.h"
#include "kernels/table.h"

#define CRC_8(crc, bytes) __crc32cd((uint32_t)(crc), bytes)
#define CRC_4             __crc32cw
#define CRC_2             __crc32ch
#define CRC_1             __crc32cb
#include "simd/crc32c_rows.inc"

static uint32_t crc32c(const uint8_t *column, const uint8_t *at, uint32_t length) {
    return crc32c_end(0xFFFFFFFFu, column, at, length);
}

ps_kernel_fn ps_crc32c_armv8;
void ps_crc32c_armv8(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    (void)params;
    crc32c_rows(buf, begin, end);
}
