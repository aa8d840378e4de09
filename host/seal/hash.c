/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/hash.h"

#include "host/base/check.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

/* The reference: it alone reads nothing behind the last byte. */
static void hash(uint32_t prefix, const uint8_t *bytes, size_t length, ps_hash *out) {
    static const uint8_t nothing = 0;
    PS_CHECK(length < UINT32_MAX);
    const uint32_t begin = 0, size = (uint32_t)length;
    const ps_sha256_params params = {prefix};
    const uint8_t *const from = length == 0 ? &nothing : bytes;
    ps_kernels[PS_KERNEL_SHA256].reference((void *const[]){(void *)(uintptr_t)from,
                                                           (void *)(uintptr_t)&begin,
                                                           (void *)(uintptr_t)&size, out->byte},
                                           &params, 0, 1);
}

void ps_hash_bytes(const uint8_t *bytes, size_t length, ps_hash *out) {
    hash(PS_SHA256_PLAIN, bytes, length, out);
}

void ps_hash_leaf(const uint8_t *entry, size_t length, ps_hash *out) {
    hash(PS_MERKLE_LEAF, entry, length, out);
}

void ps_hash_node(const ps_hash *left, const ps_hash *right, ps_hash *out) {
    ps_hash pair[2] = {*left, *right}, parent;
    const ps_merkle_params params = {.child = 0, .carry = PS_NONE, .parent = 0};
    ps_dispatch(PS_KERNEL_MERKLE)((void *const[]){pair, pair, &parent}, &params, 0, 1);
    *out = parent;
}

void ps_hash_empty(ps_hash *out) {
    ps_hash_bytes(NULL, 0, out);
}
