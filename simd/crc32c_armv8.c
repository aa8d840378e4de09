/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C with Armv8's crc32c instructions. Records overlap by themselves: they are independent.
 * Agrees: to the bit. Source: Arm Architecture Reference Manual, C6.2 (CRC32CB to CRC32CX).
 */
#include <arm_acle.h>

#include "kernels/crc32c.h"
#include "kernels/table.h"

static uint32_t crc32c(const uint8_t *at, uint32_t length) {
    uint32_t crc = 0xFFFFFFFFu;
    for (; length >= 8; length -= 8) {
        crc = __crc32cd(crc, ps_read64(at));
        at += 8;
    }
    if (length & 4) {
        crc = __crc32cw(crc, ps_read32(at));
        at += 4;
    }
    if (length & 2) {
        crc = __crc32ch(crc, (uint16_t)(at[0] | at[1] << 8));
        at += 2;
    }
    if (length & 1) crc = __crc32cb(crc, *at);
    return ~crc;
}

ps_kernel_fn ps_crc32c_armv8;
void ps_crc32c_armv8(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint32_t *const out = buf[3];
    (void)params;
    for (uint32_t row = begin; row < end; row++)
        out[row] = crc32c(bytes + from[row], length[row] == PS_NULL ? 0 : length[row]);
}
