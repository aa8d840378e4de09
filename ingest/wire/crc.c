/* SPDX-License-Identifier: Apache-2.0
 * Polynomials over GF(2) modulo Castagnoli's, reflected: bit 31 is x^0. Bytes that follow multiply
 * a check sum by x^8 each.
 */
#include "ingest/wire/crc.h"

#include "host/base/check.h"
#include "kernels/crc32c.h"
#include "simd/dispatch.h"

#define POLYNOMIAL UINT32_C(0x82f63b78)

enum { DIGITS = 8, DIGIT_BITS = 4, DIGIT_VALUES = 16 };

/* x^(8 v 16^d): v times the d-th hexadecimal digit's weight, in bytes. */
static const uint32_t after[DIGITS][DIGIT_VALUES] = {
    {0x80000000, 0x00800000, 0x00008000, 0x00000080, 0x82f63b78, 0xfbc3faf9, 0x8b277743, 0x52a0c93f,
     0x6ea2d55c, 0x1c08b7d6, 0xf56e0ef4, 0x34019664, 0xa66805eb, 0x7a1f6b24, 0xe75d06aa,
     0xc94ec098},
    {0x80000000, 0x18b8ea18, 0x510ac59a, 0xb2dea967, 0xb82be955, 0x36c41f1c, 0x19b29a35, 0xc9e90b9e,
     0xb8fdb1e7, 0xe55ef1f3, 0x1fe0b5c3, 0xe0553f1e, 0x18e4a304, 0x2b830011, 0x56993a31,
     0x0246e2e6},
    {0x80000000, 0x88e56f72, 0x74c360a4, 0x631bb273, 0xe4172b16, 0x71892b1b, 0x835305c9, 0x196b1eae,
     0x0d65762a, 0xafc81338, 0xb5a50ab7, 0xf373c3ac, 0x5f60970f, 0xd46d3063, 0x3a5275ea,
     0x02331c01},
    {0x80000000, 0x35d73a62, 0x28461564, 0x43eefc9f, 0xbf455269, 0x5edcdeb9, 0x65059450, 0x4e6f41a4,
     0xe2ea32dc, 0xf5b95b32, 0x695a4c87, 0xf204502c, 0x9a4f01b6, 0x941a0916, 0x4303cb97,
     0x4c3d3d65},
    {0x80000000, 0xfe7740e6, 0xf946610b, 0xa0a51f5f, 0x3c204f8f, 0x40f28a69, 0x35af26b2, 0xda70c2a6,
     0x538586e3, 0x78edc103, 0xf0f3875e, 0xefb7cf1d, 0x683988b2, 0xe5dbb221, 0x0fc062f5,
     0xd7b17b91},
    {0x80000000, 0x59726915, 0x734d5309, 0xdb1b3315, 0xbc1ac763, 0x11b31f9d, 0x5414bce3, 0x54f2f77b,
     0x7d0722cc, 0xbae70d08, 0x238acb2b, 0xd2074e2b, 0x546dfa6e, 0x3f76a96c, 0xa3aa3946,
     0xf054ca48},
    {0x80000000, 0xd289cabe, 0xe94ca9bc, 0x6ac5538f, 0x05b74f3f, 0x9e0b2298, 0x14de47cd, 0x3a9fb07d,
     0xa51e1f42, 0xfe578179, 0x038d778c, 0x5fe3cf44, 0xb7c64e40, 0x20cbb8e3, 0x4f04f803,
     0x56745358},
    {0x80000000, 0x40000000, 0x20000000, 0x10000000, 0x08000000, 0x04000000, 0x02000000, 0x01000000,
     0x00800000, 0x00400000, 0x00200000, 0x00100000, 0x00080000, 0x00040000, 0x00020000,
     0x00010000}};

uint32_t ps_wire_crc(const void *bytes, size_t length) {
    const ps_crc32c_params params = {0};
    uint32_t begin = 0, all = (uint32_t)length, crc = 0;
    PS_CHECK_OP(length, <, UINT32_MAX);
    void *const buf[] = {(void *)(uintptr_t)bytes, &begin, &all, &crc};
    ps_dispatch(PS_KERNEL_CRC32C)(buf, &params, 0, 1);
    return crc;
}

/* The bits of a check sum are chance, so nothing branches on them. */
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (int bit = 0; bit < 32; bit++) {
        product ^= b & (0 - (a >> 31));
        a <<= 1;
        b = b >> 1 ^ (POLYNOMIAL & (0 - (b & 1)));
    }
    return product;
}

uint32_t ps_wire_crc_join(uint32_t front, uint32_t back, size_t back_length) {
    PS_CHECK_OP(back_length, <=, UINT32_MAX);
    for (size_t digit = 0; back_length > 0; digit++, back_length >>= DIGIT_BITS) {
        const size_t value = back_length % DIGIT_VALUES;
        if (value != 0) front = multiply(front, after[digit][value]);
    }
    return front ^ back;
}
