/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/sha256.h"

#include "tests/check_kernels.h"

void ps_check_sha256(ps_check *c);

#ifdef PS_CHECK_OPENSSL
#include <openssl/evp.h>

static void evp(const uint8_t *bytes, size_t length, void *out) {
    EVP_Digest(bytes, length, out, NULL, EVP_sha256(), NULL);
}
#endif

void ps_check_sha256(ps_check *c) {
    static const uint32_t lengths[] = {20, 64, 256, 1024, 4096, 900000, 0};
    const ps_sha256_params plain = {PS_SHA256_PLAIN}, leaf = {0}, node = {1};
    check_bytes_kernel(c, &plain, 32);
    check_bytes_kernel(c, &leaf, 32);
    check_bytes_kernel(c, &node, 32);
    check_vectors(c, &plain, "tests/vectors/kernels/sha256.txt", 32);
    check_vectors(c, &leaf, "tests/vectors/kernels/rfc6962_leaf.txt", 32);
#ifdef PS_CHECK_OPENSSL
    check_library(c, &plain, 32, evp);
#endif
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        check_bench_bytes(c, &plain, lengths[i]);
}
