/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/fnv1a.h"

#include "tests/check_kernels.h"

void ps_check_fnv1a(ps_check *c);

void ps_check_fnv1a(ps_check *c) {
    static const uint32_t lengths[] = {8, 20, 36, 64, 256, 1024, 4096, 0};
    const ps_fnv1a_params params = {0};
    check_bytes_kernel(c, &params, 8);
    check_vectors(c, &params, "tests/vectors/kernels/fnv1a.txt", 8);
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        check_bench_bytes(c, &params, lengths[i]);
}
