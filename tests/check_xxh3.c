/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/xxh3.h"

#include "tests/check_kernels.h"

void ps_check_xxh3(ps_check *c);

#ifdef PS_CHECK_XXHASH
#include <xxhash.h>

static void xxhash(const uint8_t *bytes, size_t length, void *out) {
    *(uint64_t *)out = XXH3_64bits(bytes, length);
}
#endif

void ps_check_xxh3(ps_check *c) {
    static const uint32_t lengths[] = {8, 20, 64, 256, 1024, 4096, 0};
    const ps_xxh3_params params = {0};
    check_bytes_kernel(c, &params, 8);
    check_vectors(c, &params, "tests/vectors/kernels/xxh3.txt", 8);
#ifdef PS_CHECK_XXHASH
    check_library(c, &params, 8, xxhash);
#endif
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        check_bench_bytes(c, &params, lengths[i]);
}
