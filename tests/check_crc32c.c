/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/crc32c.h"

#include "tests/check_kernels.h"

void ps_check_crc32c(ps_check *c);

#ifdef PS_CHECK_ISAL
#include <isa-l/crc.h>

/* The library leaves the initial and final complement to its caller. */
static uint32_t isal(const uint8_t *bytes, size_t length) {
    return ~crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)length, 0xFFFFFFFFu);
}

static void isal_one(const uint8_t *bytes, size_t length, void *out) {
    *(uint32_t *)out = isal(bytes, length);
}
#endif

void ps_check_crc32c(ps_check *c) {
    static const uint32_t lengths[] = {8, 20, 64, 256, 1024, 4096, 0};
    const ps_crc32c_params params = {0};
    check_bytes_kernel(c, &params, 4);
    check_vectors(c, &params, "tests/vectors/kernels/crc32c.txt", 4);
#ifdef PS_CHECK_ISAL
    check_library(c, &params, 4, isal_one);
#endif
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        check_bench_bytes(c, &params, lengths[i]);
}
